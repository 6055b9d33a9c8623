"""The team of threads: each part is done once, whoever calls, and a child has a team of its own."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handwritten import wrapped
from numba import carray, cfunc, types

from tracejit.cpu.compiling.spread import spread
from tracejit.native import team
from tracejit.native.parameters import Array, Number

#: What an entry for ranges takes.
INT = np.dtype(np.int64)
ENTRY = Array(INT, 1, "C"), Number(INT), Number(INT), Number(INT)
PART = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


@cfunc(types.void(types.CPointer(types.int64), types.int64))
def note(counts: Any, part: Any) -> None:
    """Count a part, after some work."""
    number = carray(counts, (64,))
    x = 1.0
    for k in range(500):
        x = x * 0.5 + k
    number[part] += 1 if x > 0 else 0


@pytest.fixture(scope="module")
def run() -> Any:
    address = team.runner()
    if address is None:
        pytest.skip("no team on this system")
    call = ctypes.CFUNCTYPE(None, PART, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    function = ctypes.cast(note.address, PART)
    return lambda counts, parts, threads: call(function, counts.ctypes.data, parts, threads)


@pytest.mark.parametrize("parts", [0, 1, 2, 7, 64])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_each_part_is_done_once(run: Any, parts: int, threads: int) -> None:
    counts = np.zeros(64, np.int64)
    for calls in range(1, 200):
        run(counts, parts, threads)
        assert (counts[:parts] == calls).all() and not counts[parts:].any()


def test_a_thread_begins_with_its_own_share_from_either_end_in_turn() -> None:
    address = team.runner()
    if address is None:
        pytest.skip("no team on this system")
    call = ctypes.CFUNCTYPE(None, PART, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
    done: list[tuple[bool, int]] = []
    caller = threading.get_ident()

    def part(context: Any, number: int) -> None:
        done.append((threading.get_ident() == caller, number))
        time.sleep(0.002)

    firsts: list[int] = []
    end = time.monotonic() + 30
    while len(firsts) < 6 and time.monotonic() < end:
        done.clear()
        call(PART(part), None, 8, 2)
        assert sorted(number for _, number in done) == list(range(8))
        others = [number for mine, number in done if not mine]
        if not others:  # where processors are busy, the team rests, and the caller does all
            firsts.clear()
            time.sleep(0.05)
            continue
        assert others[0] in (4, 7)
        firsts.append(next(number for mine, number in done if mine))
    assert firsts in ([0, 3] * 3, [3, 0] * 3)


def test_sleepers_come_back(run: Any) -> None:
    counts = np.zeros(64, np.int64)
    for calls in range(1, 30):
        time.sleep(0.002)
        run(counts, 16, 3)
        assert (counts[:16] == calls).all()


def test_who_finds_it_busy_does_all_parts(run: Any) -> None:
    found = [np.zeros(64, np.int64) for _ in range(8)]

    def work(counts: np.ndarray) -> None:
        for _ in range(2000):
            run(counts, 8, 3)

    callers = [threading.Thread(target=work, args=(counts,)) for counts in found]
    for c in callers:
        c.start()
    for c in callers:
        c.join()
    assert all((counts[:8] == 2000).all() for counts in found)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_has_a_team_of_its_own(run: Any) -> None:
    run(np.zeros(64, np.int64), 8, 3)
    child = os.fork()
    if not child:
        counts = np.zeros(64, np.int64)
        for _ in range(100):
            run(counts, 8, 3)
        os._exit(0 if (counts[:8] == 100).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_largest_code_is_returned() -> None:
    entry = wrapped(lambda x, phase, first, last: last if phase == 3 else 0, *ENTRY)
    call = spread(entry, None)
    x = np.zeros(3, np.int64)
    plan = [2, 2, 0, 8, 1, 3, 10, 2, 0, 5, 0, 4, 9]
    assert call(x, np.array(plan)) == 9
    plan[5] = 1  # no phase of that number
    assert call(x, np.array(plan)) == 0


def test_a_phase_that_fails_is_the_last() -> None:
    def body(x: Any, phase: Any, first: Any, last: Any) -> Any:
        x[phase] += 1
        return 1 if phase == 0 else 0

    entry = wrapped(body, *ENTRY)
    call = spread(entry, None)
    x = np.zeros(3, np.int64)
    assert call(x, np.array([1, 2, 0, 8, 1, 1, 8, 1, 0, 1])) == 1
    assert x.tolist() == [1, 0, 0]


def test_an_exception_in_a_part_is_a_failure() -> None:
    def body(x: Any, phase: Any, first: Any, last: Any) -> Any:
        if last == 2:
            raise MemoryError
        return 0

    entry = wrapped(body, *ENTRY)
    call = spread(entry, None)
    assert call(np.zeros(3, np.int64), np.array([1, 1, 0, 5, 2, 0, 1, 2])) == 2


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_processes_of_every_kind_end(method: str, tmp_path: Path) -> None:
    """Large calls before and after processes are made: none hangs, all are right."""
    program = f"""
import multiprocessing, sys, time, warnings
import numpy as np
import tracejit

warnings.simplefilter("ignore", DeprecationWarning)
x = np.random.default_rng(0).random(1_000_000)

@tracejit.function(on_unsupported="error")
def f(x):
    return np.exp(-x).sum(), x * 2

def child(want):
    for _ in range(5):
        assert f(x)[0] == want
        time.sleep(0.05)

if __name__ == "__main__":
    with tracejit.config(threads=3):
        want = f(x)[0]
        for _ in range(10):
            f(x)
            time.sleep(0.05)
        context = multiprocessing.get_context({method!r})
        children = [context.Process(target=child, args=(want,)) for _ in range(2)]
        for c in children:
            c.start()
        f(x)
        for c in children:
            c.join(60)
        sys.exit(max(abs(c.exitcode) if c.exitcode is not None else 9 for c in children))
"""
    file = tmp_path / "program.py"
    file.write_text(program)
    done = subprocess.run([sys.executable, file], text=True, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr


def deaf(status: Path) -> bool:
    """Whether a thread takes no signals, as those of the team."""
    mask = int(status.read_text().split("SigBlk:")[1].split()[0], 16)
    return bool(mask & 1 << (signal.SIGINT - 1))


def members() -> list[int]:
    return [int(t.name) for t in Path("/proc/self/task").iterdir() if deaf(t / "status")]


def test_its_threads_take_no_signals(run: Any) -> None:
    run(np.zeros(64, np.int64), 8, 3)
    assert len(members()) >= 2
    assert not deaf(Path("/proc/self/status"))


def test_its_threads_keep_off_the_callers_processor(run: Any) -> None:
    mine = os.sched_getaffinity(0)
    if len(mine) < 2:
        pytest.skip("one processor")
    counts = np.zeros(64, np.int64)
    try:
        for cpu in sorted(mine)[:2]:
            os.sched_setaffinity(0, {cpu})  # moves there
            os.sched_setaffinity(0, mine)
            time.sleep(0.02)  # its threads sleep
            run(counts, 64, 3)
            allowed = {frozenset(os.sched_getaffinity(member)) for member in members()}
            assert len(allowed) == 1 and len(mine - allowed.pop()) == 1
    finally:
        os.sched_setaffinity(0, mine)
    assert os.sched_getaffinity(0) == mine
