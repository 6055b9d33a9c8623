"""What interrupts a thread that wants something compiled interrupts its wait, and no compiler."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import numpy as np
import pytest

import tracejit
from tracejit.native import apart as module
from tracejit.native.apart import apart

X = np.ones(3)
signals = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")


class Stop(BaseException):
    pass


class Thing:
    pass


def test_the_result_and_the_error() -> None:
    assert apart(lambda: threading.get_ident()) != threading.get_ident()
    assert apart(lambda: apart(threading.get_ident) == threading.get_ident())
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 / 0)
    with tracejit.config(threads=3):
        assert apart(lambda: tracejit.config.threads) == 3


def test_a_thread_that_ends_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled, and what it was compiled of, are their owner's alone."""
    ends, end = threading.Event(), module._Work.end

    def late(self: module._Work) -> None:
        if threading.current_thread().name == module.COMPILER:
            assert ends.wait(10)
        end(self)

    monkeypatch.setattr(module._Work, "end", late)
    try:
        made, given = Thing(), Thing()
        kept = [weakref.ref(made), weakref.ref(given)]
        assert apart(lambda made=made, given=given: given if made else None) is given
        del made, given
        with pytest.raises(KeyError) as caught:
            apart(lambda: {}[thing_of(kept)])
        del caught
        gc.collect()
        assert [r() for r in kept] == [None, None, None]
    finally:
        ends.set()


def thing_of(kept: list[weakref.ref[Thing]]) -> Thing:
    """One more, which a traceback holds."""
    thing = Thing()
    kept.append(weakref.ref(thing))
    return thing


def wait_for_the_end() -> None:
    """Of all works, those of an earlier test too, which nobody waits for."""
    deadline = time.monotonic() + 60
    while module._Collector.works and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not module._Collector.works


def test_garbage_waits_for_the_end() -> None:
    wait_for_the_end()
    for enabled in (True, False):
        (gc.enable if enabled else gc.disable)()
        try:
            assert apart(lambda: apart(gc.isenabled)) is False
            wait_for_the_end()
            assert gc.isenabled() is enabled
        finally:
            gc.enable()


def test_garbage_waits_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_the_end()
    with module.uncollected():
        with module.uncollected():
            assert not gc.isenabled()
        assert apart(gc.isenabled) is False
    with pytest.raises(ZeroDivisionError), module.uncollected():
        raise ZeroDivisionError
    assert gc.isenabled()
    end, ends = module._Work.end, []

    def interrupted(self: module._Work) -> None:
        ends.append(self)
        if len(ends) == 1:
            raise KeyboardInterrupt
        end(self)

    monkeypatch.setattr(module._Work, "end", interrupted)
    with pytest.raises(KeyboardInterrupt), module.uncollected():
        pass
    assert gc.isenabled() and not module._Collector.works


def test_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert apart(threading.get_ident) == threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 / 0)
    assert not module._Collector.works and gc.isenabled()


@signals
# What a handler raises while Python calls back for a weak reference is told and ignored.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_wait() -> None:
    """The work goes on, and its result is found by the next who wants it."""

    def handler(number: int, frame: object) -> None:
        raise Stop

    scope = {"np": np}
    exec("def f(x): return np.cbrt(x) * 17.125 + np.tanh(x)", scope)
    f = tracejit.function(scope["f"])
    previous = signal.signal(signal.SIGALRM, handler)
    try:
        for delay in (0.02, 0.05, 0.1):
            try:
                signal.setitimer(signal.ITIMER_REAL, delay)
                f(X)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                pass
    finally:
        signal.signal(signal.SIGALRM, previous)
    np.testing.assert_allclose(f(X), scope["f"](X), rtol=1e-15)
    assert f.stats.fallbacks == 0


@signals
def test_ctrl_c_at_many_moments() -> None:
    """No crash, no lock that is not let go, in a process that compiles nothing else before."""
    program = """
        import random, signal, threading, numpy as np, tracejit
        rng, x = random.Random(3), np.linspace(0.5, 1, 9)
        def make(k):
            scope = {"np": np}
            exec(f"def f(x): return np.sqrt(x * {k}.5) + {k}", scope)
            return tracejit.function(scope["f"])
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        count = 0
        for k in range(25):
            f = make(k % 7)
            try:
                signal.setitimer(signal.ITIMER_REAL, 10 ** rng.uniform(-4, -0.7))
                f(x)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                count += 1
        def check():
            for k in range(7):
                np.testing.assert_allclose(make(k)(x), np.sqrt(x * (k + 0.5)) + k, rtol=1e-15)
        thread = threading.Thread(target=check)
        thread.start()
        thread.join(30)
        assert not thread.is_alive() and count
        print("ok")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
        timeout=90, check=False, env={**os.environ, "TRACEJIT_CACHE": "0"},
    )  # fmt: skip
    assert done.stdout.strip() == "ok", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_what_its_parent_waits_for() -> None:
    parent, children = os.getpid(), []

    def work() -> int:
        if os.getpid() == parent:
            time.sleep(0.3)
        return os.getpid()

    def handler(number: int, frame: object) -> None:
        children.append(os.fork())

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        found = apart(work)
    finally:
        if os.getpid() != parent:
            os._exit(7 if found == os.getpid() and gc.isenabled() else 1)
        signal.signal(signal.SIGALRM, previous)
    assert found == parent
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
