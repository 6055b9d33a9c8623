"""A forked child, whatever other threads were doing at the fork: it does not wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from tracejit.native import locks

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


locks.prepare()


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(program)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "TRACEJIT_CACHE": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def in_child(work) -> int:
    """The exit status of a child that does `work`, or is ended after 20 s."""
    child = os.fork()
    if not child:
        import signal

        signal.alarm(20)
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_beside_threads_that_compile(delay: float) -> None:
    assert (
        run(f"""
        import os, signal, threading, time, numpy as np, tracejit
        import tracejit.tensor as T
        def make(k):
            scope = {{"np": np}}
            exec(f"f = lambda x: np.tanh(x * {{k}}.5) + {{k}}", scope)
            return tracejit.function(scope["f"])
        def work():
            k = 0
            while not done:
                k += 1
                make(k)(np.ones(3))
        done = []
        make(0)(np.ones(3))
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep({delay})
        child = os.fork()
        if not child:
            signal.alarm(30)
            assert abs(make(1000)(np.ones(3))[0] - 1001.0) < 1e-9
            x = T.dscalar()
            assert tracejit.function([x], x * 3)(2.0) == 6
            os._exit(7)
        done.append(1)
        thread.join()
        assert make(2000)(np.ones(3))[0] == 2001.0
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
        == "7"
    )


def test_beside_numbas_import() -> None:
    """Which wants locks that others take before a fork: those they may take after ours alone."""
    assert (
        run("""
        import os, sys, threading, time, warnings
        import numpy as np, tracejit
        f = tracejit.function(lambda x: np.exp(x) + 1)
        assert "numba" not in sys.modules
        thread = threading.Thread(target=f, args=(np.ones(3),))
        thread.start()
        while thread.is_alive() and "numba" not in sys.modules:
            time.sleep(0)
        assert thread.is_alive()
        start = time.monotonic()
        for _ in range(20):
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
        thread.join()
        print(time.monotonic() - start < 15)
    """)
        == "True"
    )


def test_locks_that_come_to_be_while_a_fork_waits() -> None:
    """As those of Numba's, which is imported under one of ours, and then compiles."""
    first, second, taken, forking = locks.make(), [], threading.Event(), threading.Event()
    works = []

    def work() -> None:
        with first:
            taken.set()
            forking.wait()
            time.sleep(0.1)
            second.append(locks.make())
            second[0].acquire()
            works.append("begun")
        time.sleep(0.2)
        works.append("done")
        second[0].release()

    def child() -> None:
        assert works == ["begun", "done"]
        assert second[0].acquire(timeout=5)

    thread = threading.Thread(target=work)
    thread.start()
    taken.wait()
    forking.set()
    assert in_child(child) == 0
    thread.join()


def test_beside_the_background_compiler() -> None:
    """The child compiles, and makes its own entry for several threads."""
    assert (
        run("""
        import os, signal, time, numpy as np, tracejit
        from tracejit.cpu import threads
        threads.available = lambda: 2
        f = tracejit.function(lambda x, y: (x * 3 + y) * x)
        x = np.ones(1_000_000)
        f(x, x), f(x, x)
        later = next(iter(f._paths)).executable
        child = os.fork()
        if not child:
            signal.alarm(30)
            g = tracejit.function(lambda x: np.tanh(x) + 9)
            assert g(np.zeros(3))[0] == 9
            assert f(x, x)[0] == 4
            os._exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """)
        == "7"
    )


def test_what_is_compiled_later_is_begun_again_in_a_child() -> None:
    from tracejit.cpu.threads import Later

    begun, ended = threading.Event(), threading.Event()

    def make():
        begun.set()
        ended.wait()
        return (lambda: 0), []

    later = Later(make)
    later.get(), later.get()
    assert begun.wait(10)

    def child() -> None:
        assert not later.making.is_alive()
        ended.set()
        later.get()
        later.making.join(10)
        assert later.get() is not None

    try:
        assert in_child(child) == 0
    finally:
        ended.set()
        later.making.join()


def test_what_gives_no_entry_is_not_tried_again() -> None:
    from tracejit.cpu.threads import Later

    tries = []
    later = Later(lambda: (tries.append(1), [])[:0] or (None, []))
    for _ in range(5):
        assert later.get() is None
        if later.making is not None:
            later.making.join()
    assert len(tries) == 1


def held_by_another(lock):
    """Let another thread hold a lock; gives what ends that."""
    taken, end = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            end.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    return lambda: (end.set(), thread.join())


def takes(lock) -> None:
    assert lock.acquire(timeout=5)
    lock.release()


def test_a_fork_waits_for_a_lock() -> None:
    lock = locks.make()
    let_go = held_by_another(lock)
    timer = threading.Timer(0.2, let_go)
    timer.start()
    assert in_child(lambda: takes(lock)) == 0
    timer.join()
    takes(lock)


def test_a_fork_does_not_wait_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.2)
    lock, free = locks.make(), locks.make()
    let_go = held_by_another(lock)
    try:
        assert in_child(lambda: (takes(lock), takes(free))) == 0
        assert not lock.acquire(blocking=False)  # still the other thread's, in the parent
    finally:
        let_go()
    takes(lock)


def test_a_fork_under_a_lock_of_the_thread() -> None:
    lock = locks.make()
    with lock:
        assert in_child(lambda: takes(lock)) == 0
    let_go = held_by_another(lock)  # it is free in the parent
    let_go()


def test_forks_of_two_threads_that_hold_a_lock_each() -> None:
    """Neither waits for the other's for ever, whatever the order in which locks are taken."""
    one, two = locks.make(), locks.make()
    found = []

    def work(mine) -> None:
        for _ in range(10):
            with mine:
                pass
            found.append(in_child(lambda: (takes(one), takes(two))))

    workers = [threading.Thread(target=work, args=(lock,)) for lock in (one, two)]
    for w in workers:
        w.start()
    for w in workers:
        w.join(60)
    assert found == [0] * 20


def test_a_shared_variable_that_a_thread_is_updating() -> None:
    import tracejit

    total = tracejit.shared(1.0)
    let_go = held_by_another(total.container.lock)
    threading.Timer(0.2, let_go).start()

    def child() -> None:
        total.set_value(3.0)
        assert total.get_value() == 3

    assert in_child(child) == 0


def test_locks_end_with_their_owners() -> None:
    count = len(locks._locks)
    kept = [locks.make() for _ in range(5)]
    assert len(locks._locks) == count + 5
    del kept
    assert len(locks._locks) == count
