"""The global random states are the user's: a trace takes nothing of them, and adds nothing."""

from __future__ import annotations

import linecache
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


DRAWN = {
    "permutation": "{r}.permutation(x)",
    "binomial": "{r}.binomial(4, 0.5, n)",
    "poisson": "{r}.poisson(2.0, n)",
    "choice": "{r}.choice(x, 2, replace=False)",
    "uniform": "{r}.uniform(size=n)",
    "shuffle": "({r}.shuffle(y), y)[1]",
}
AROUND = {
    "a loop that ends before": """
    while True:
        count += 1
        if count > 4 or x[1] > 0:
            break
        total = total + {draw}.sum()""",
    "a branch": """
    if x[0] > 0:
        total = total + {draw}.sum()
    total = total + {draw}.sum()""",
    "a side that raises": """
    if x[0] > 0:
        total = {draw}.sum()
        raise ValueError(total)
    total = total + {draw}.sum()""",
    "a few steps": """
    for k in range(3):
        if x[k] > 0:
            total = total + {draw}.sum() * k""",
    "many steps": """
    for k in range(40):
        if x[k % 3] > count:
            total = total + {draw}.sum() * k
            count += 1""",
    "what follows a loop that returns": """
    for k in range(len(x)):
        if x[k] > -9:
            return x[k]
    total = total + {draw}.sum()""",
    "a generator that is made": """
    if x[0] > 0:
        s = np.random.default_rng(3)
        total = total + s.permutation(x)[0]
    total = total + {draw}.sum()""",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("draw", DRAWN)
def test_what_was_traced_in_vain_has_drawn_nothing(draw: str, around: str) -> None:
    for stream in ("np.random", "rng"):
        text = DRAWN[draw].format(r=stream)
        source = f"def f(x, n, rng):\n    count, total, y = 0, 0.0, x * 2{AROUND[around]}\n"
        source = source.format(draw=text) + "    return total\n"
        file = f"<drawn {stream} {draw} {around}>"
        linecache.cache[file] = len(source), None, source.splitlines(True), file
        scope: dict[str, Any] = {"np": np}
        exec(compile(source, file, "exec"), scope)
        f = scope["f"]
        g = tracejit.function(f, on_unsupported="warn")
        with warnings.catch_warnings(), tracejit.config(compile=False):
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            for sign in (1.0, -1.0, 1.0):
                x = sign * np.array([1.0, -2.0, 3.0])
                found = []
                for h in (f, g):
                    np.random.seed(1)
                    rng = np.random.default_rng(1)
                    try:
                        result = h(x, 6, rng)
                    except ValueError as error:
                        result = type(error).__name__
                    found.append((result, rng.random(), np.random.random_sample()))
                assert found[0][1:] == found[1][1:], source
                assert found[0][0] == pytest.approx(found[1][0]), source
