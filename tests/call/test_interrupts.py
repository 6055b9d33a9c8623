"""Signals, threads and forks while a compiled loop runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tracejit

#: Steps that would take minutes.
LONG = 10**9


class Rung(Exception):
    """What the handler of an alarm raises."""


@pytest.fixture
def alarm() -> Iterator[Any]:
    """Lets a signal come in so many seconds, to a handler that raises."""

    def ring(number: int, frame: Any) -> None:
        raise Rung

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def diffuse(u, steps):
    for _ in range(steps):
        u[1:-1] += 0.25 * (u[2:] - 2 * u[1:-1] + u[:-2])
        u[0] += 1.0


def halve(x, limit):
    steps = 0
    while x[0] > limit:
        x[0] -= 2.0**-50
        steps += 1
    return steps


def chosen(x, steps):
    for _ in range(steps):
        x[1:] = x[:-1] + 1
        x[0] += 1
    return x[x > 5]


def compiled(function: Any, *small: Any) -> Any:
    f = tracejit.function(function)
    with tracejit.config(budget=0.3):
        f(*small)
    assert f.stats.fallbacks == 0
    return f


def test_a_handler_ends_a_loop_at_the_end_of_a_step(alarm: Any) -> None:
    f = compiled(diffuse, np.zeros(1000), 5000)
    u, traces = np.zeros(1000), f.stats.traces
    alarm(0.2)
    begin = time.perf_counter()
    with pytest.raises(Rung):
        f(u, LONG)
    assert time.perf_counter() - begin < 2
    assert f.stats.traces == traces
    plain = np.zeros(1000)
    diffuse(plain, int(u[0]))
    assert u[0] > 100
    np.testing.assert_array_equal(u, plain)
    f(u, 10)  # and all is well
    diffuse(plain, 10)
    np.testing.assert_array_equal(u, plain)


def test_ctrl_c() -> None:
    f = compiled(diffuse, np.zeros(1000), 5000)
    # In the background a shell has it ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            f(np.zeros(1000), LONG)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_while_of_scalars(alarm: Any) -> None:
    f = compiled(halve, np.ones(2), 1.0 - 1e-15)
    x = np.ones(2)
    alarm(0.2)
    with pytest.raises(Rung):
        f(x, 0.0)


def test_results_of_unknown_size(alarm: Any) -> None:
    f = compiled(chosen, np.zeros(100), 2000)
    alarm(0.2)
    with pytest.raises(Rung):
        f(np.zeros(100), LONG)
    x, y = np.zeros(100), np.zeros(100)
    np.testing.assert_array_equal(f(x, 2000), chosen(y, 2000))


def test_a_handler_that_returns_changes_nothing(alarm: Any) -> None:
    f = compiled(diffuse, np.zeros(1000), 5000)
    heard = []
    signal.signal(signal.SIGALRM, lambda number, frame: heard.append(number))
    u, plain = np.zeros(1000), np.zeros(1000)
    alarm(0.02)
    f(u, 100_000)
    assert heard
    diffuse(plain, 100)
    f(v := np.zeros(1000), 100)
    np.testing.assert_array_equal(v, plain)
    assert u[0] == 100_000


def test_the_portable_entry(alarm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from tracejit.native import abi

    monkeypatch.setattr(abi, "arrays", lambda: False)
    with tracejit.config(cache=False):
        f = compiled(lambda u, n: diffuse(u, n), np.zeros(1001), 5000)
        alarm(0.3)
        with pytest.raises(Rung):
            f(np.zeros(1001), LONG)


def test_several_threads_and_a_fork() -> None:
    """Each goes its own way, in the same compiled loop."""
    f = compiled(diffuse, np.zeros(1000), 5000)
    plain = np.zeros(1000)
    diffuse(plain, 20_000)
    arrays = [np.zeros(1000) for _ in range(4)]
    threads = [threading.Thread(target=f, args=(u, 20_000)) for u in arrays]
    for thread in threads:
        thread.start()
    child = os.fork()
    if not child:
        u = np.zeros(1000)
        f(u, 20_000)
        os._exit(0 if np.array_equal(u, plain) else 1)
    assert os.waitpid(child, 0)[1] == 0
    for thread in threads:
        thread.join()
    for u in arrays:
        np.testing.assert_array_equal(u, plain)


def test_a_forked_child_is_interrupted_too() -> None:
    f = compiled(diffuse, np.zeros(1000), 5000)
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(7))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        f(np.zeros(1000), LONG)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
