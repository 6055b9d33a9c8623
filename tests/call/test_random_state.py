"""The global random states are the user's: a trace takes nothing of them, and adds nothing."""

from __future__ import annotations

import random
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.call.slow


def test_a_refused_trace_has_drawn_nothing() -> None:
    def noisy(x: Any) -> Any:
        return x + np.random.rand() + random.random()

    f = tracejit.function(noisy, on_unsupported="warn")
    results = []
    for g in (noisy, f):
        np.random.seed(3)
        random.seed(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results.append([g(np.zeros(2)) for _ in range(3)])
    np.testing.assert_array_equal(*results)


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_draws_of_a_library_are_never_frozen() -> None:
    import scipy.stats

    f = tracejit.function(lambda x: x + scipy.stats.norm.rvs(), on_unsupported="warn")
    assert len({float(f(np.zeros(1))[0]) for _ in range(4)}) == 4


def test_numbers_of_other_threads_come_once() -> None:
    drawn: list[float] = []
    stop = threading.Event()

    def draw() -> None:
        while not stop.is_set() and len(drawn) < 200_000:
            drawn.append(np.random.random_sample())

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        with tracejit.config(compile=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for k in range(100):
                tracejit.function(lambda x, k=k: x * k, on_unsupported="warn")(np.ones(2))
    finally:
        stop.set()
        thread.join()
    assert len(drawn) > 100
    assert len(set(drawn)) == len(drawn)


def test_draws_of_another_thread_are_no_refusal() -> None:
    """One that draws now and then: the trace is made again."""

    class Drawing:
        count = 0

        def __call__(self) -> None:
            self.count += 1
            if self.count == 1:
                thread = threading.Thread(target=np.random.rand)
                thread.start()
                thread.join()

    waiting = threading.Event()
    other = threading.Thread(target=waiting.wait)
    other.start()
    drawing = Drawing()
    original = tracejit.call.slow.run_trace
    try:
        with pytest.MonkeyPatch.context() as patch:

            def traced(*args: Any) -> Any:
                drawing()
                return original(*args)

            patch.setattr(tracejit.call.slow, "run_trace", traced)
            f = tracejit.function(lambda x: x * 3)
            with tracejit.config(compile=False):
                np.testing.assert_array_equal(f(np.ones(2)), [3.0, 3.0])
    finally:
        waiting.set()
        other.join()
    assert (f.stats.traces, f.stats.fallbacks, drawing.count) == (1, 0, 2)
