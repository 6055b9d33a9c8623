"""Array statements in loops, shared by threads: the same bits for any number of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs.compare import check
from programs.write import write

import tracejit
from benchmarks.kernels import KERNELS
from tracejit.cpu import launch, threads
from tracejit.native import team

pytestmark = pytest.mark.skipif(team.runner() is None, reason="no team on this system")


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """``on(n)``: calls are shared by so many threads, and every loop that may be is."""
    count = [3]
    monkeypatch.setattr(threads, "available", lambda: count[0])
    monkeypatch.setattr(threads, "LEAST_SHARED", 1)
    monkeypatch.setattr(threads.Later, "get", got)
    yield lambda n: count.__setitem__(0, n)


def got(self: threads.Later, now: bool = False) -> Any:
    """What would be compiled in the background, at once."""
    if self.spread is None and not self.failed:
        self._make()
    return self.spread


def of(f: Any) -> Any:
    """How calls of a function's last path are shared."""
    return list(f._paths)[-1].executable.launch


def heat(u, steps):
    for _ in range(steps):
        u[1:-1, 1:-1] += 0.05 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])


def sums(u, steps):
    means = np.zeros(steps)
    for k in range(steps):
        u -= u.mean()
        means[k] = (u * u).sum() + np.abs(u).max()
        u *= 1 + 0.1 / (k + 1)
    return means


def settled(u, tolerance):
    steps = 0
    while np.abs(u).sum() > tolerance:
        u[1:-1] = 0.3 * (u[2:] + u[:-2])
        u[0] = u[-1] = 0.0
        steps += 1
    return steps


def branches(u, v, steps):
    for k in range(steps):
        if u.sum() > v.sum():
            u[:] = u - v / 4
        elif k % 2:
            v[1:] = v[:-1] - u[1:]
        else:
            v[:] = u * v
    return u + v


def nested(u, steps):
    for _ in range(steps):
        for j in range(3):
            v = np.exp(-u[:, j:])
            u[:, j:] = v - v.sum(axis=1)[:, None] / 100
        u += np.sort(u[:, 0])[:, None] / 50


def looked_up(u, places, steps):
    for _ in range(steps):
        u += np.sin(u[places])
    return u.max()


def columns(u, steps):
    total = np.zeros(u.shape[1])
    for _ in range(steps):
        u *= 1.01
        total += u.sum(axis=0)
    return total, total.argmax()


def of_rows(u):
    for row in u:
        row -= row.mean()
    return u.T @ u


def field(*shape: int) -> Any:
    return np.random.default_rng(3).uniform(-1, 1, shape)


PROGRAMS: dict[str, tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]] = {
    "heat": (heat, lambda: (field(61, 50), 40)),
    "sums": (sums, lambda: (field(200, 190), 40)),
    "sums of a line": (sums, lambda: (field(30_011), 40)),
    "settled": (settled, lambda: (field(3000, 3), 1e-3)),
    "settled line": (settled, lambda: (field(9000), 1e-3)),
    "branches": (branches, lambda: (field(500, 7), field(500, 7), 50)),
    "nested": (nested, lambda: (field(170, 30), 40)),
    "looked up": (looked_up, lambda: (field(5000), np.arange(5000)[::-1] // 2, 40)),
    "columns": (columns, lambda: (field(400, 90), 40)),
    "rows": (of_rows, lambda: (field(300, 40),)),
    "strided": (heat, lambda: (field(61, 100)[:, ::2], 40)),
    "in Fortran's order": (heat, lambda: (np.asfortranarray(field(61, 50)), 40)),
    "single": (sums, lambda: (field(130, 120).astype("f"), 40)),
    "complex": (heat, lambda: (field(40, 41) + 1j, 40)),
    "integers": (
        lambda u, n: settled(u, n),
        lambda: ((field(3000, 3) * 9).astype(np.int64).astype(float), 1e-2),
    ),
}


def bits(*values: Any) -> list[bytes]:
    found = []
    for value in values:
        several = isinstance(value, tuple | list)
        found += bits(*value) if several else [np.asarray(value).tobytes()]
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_bits(name: str, on: Callable[[int], None]) -> None:
    function, make = PROGRAMS[name]
    f = tracejit.function(function)
    outcomes = []
    for n in (1, 2, 3, 7):
        on(n)
        with tracejit.config(check=True):
            arguments = make()
            outcomes.append(bits(f(*arguments), *arguments))
    assert of(f).inside.shared.spread is not None
    assert all(each == outcomes[0] for each in outcomes)
    plain, arguments = make(), make()
    assert type(f(*arguments)) is type(function(*plain))
    for got_, want in zip(arguments, plain, strict=True):
        off = 1e-4 if name == "single" else 1e-8
        np.testing.assert_allclose(got_, want, rtol=off, atol=off)
    assert f.stats.fallbacks == 0


@pytest.mark.parametrize("name", KERNELS)
def test_kernels(name: str, on: Callable[[int], None]) -> None:
    kernel = KERNELS[name]
    f = tracejit.function(kernel.function)
    outcomes = []
    for n in (1, 3):
        on(n)
        arguments = kernel.arguments(kernel.small)
        outcomes.append(bits(f(*arguments), *arguments))
    assert outcomes[0] == outcomes[1]


SEEDS = [*range(0, 24, 6), *(pytest.param(k, marks=pytest.mark.slow) for k in range(24, 120, 6))]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs(
    seed: int, on: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    def noted(*given: Any) -> Any:
        made.append(launch_shared(*given))
        return made[-1]

    launch_shared = launch.shared
    monkeypatch.setattr(launch, "shared", noted)
    for each in range(seed, seed + 6):
        report = check(write(random.Random(each)))
        assert not report.difference, report
    assert any(kernel is not None for kernel in made)


def test_large_ones_alone_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available", lambda: 3)
    monkeypatch.setattr(threads.Later, "get", got)
    f = tracejit.function(heat)
    f(field(60, 60), 2)
    assert of(f).inside.shared.spread is None
    f(field(400, 400), 2)
    assert of(f).inside.shared.spread is not None
    assert " in shared(" not in f.source(field(60, 60), 2)


def test_one_thread_takes_the_other_entry(on: Callable[[int], None]) -> None:
    f = tracejit.function(heat)
    on(1)
    f(field(400, 400), 2)
    assert of(f).inside.shared.spread is None


def test_the_entry_for_threads_comes_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    make = threads.Later._make
    monkeypatch.setattr(threads.Later, "_make", lambda self: go.wait(60) and make(self))
    monkeypatch.setattr(threads, "available", lambda: 2)
    f = tracejit.function(heat)
    found = []
    for _ in range(3):
        u = field(300, 300)
        f(u, 3)
        found.append(u)
    go.set()
    of(f).inside.shared.making.join(60)
    f(u := field(300, 300), 3)
    assert of(f).inside.shared.spread is not None
    assert bits(*found) == bits(u) * 3


def test_little_is_written_into_a_large_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is what a program does, where that is known: a row of a large array is little."""
    asked = []
    serial = threads.Inside.__call__
    monkeypatch.setattr(
        threads.Inside, "__call__", lambda *args: asked.append(args[1]) or serial(*args)
    )

    def row(x, v):
        x[0] = v
        x[:, 1] = v

    def rows(x, v):
        x[1:] = v

    few, many = tracejit.function(row), tracejit.function(rows)
    for n in (10, 1000):
        for f, plain in ((few, row), (many, rows)):
            x, wanted = np.zeros((n, n)), np.zeros((n, n))
            f(x, np.arange(n * 1.0))
            plain(wanted, np.arange(n * 1.0))
            assert bits(x) == bits(wanted)
    assert len(asked) == 1 and 1e5 < asked[0] < 1e6


def test_a_call_of_very_many_steps_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "available", lambda: 2)
    monkeypatch.setattr(threads, "HUGE_INSIDE", 1 << 23)
    f = tracejit.function(heat)
    f(field(300, 300), 40)
    assert of(f).inside.shared.spread is None
    f(u := field(300, 300), 100)
    assert of(f).inside.shared.spread is not None
    heat(plain := field(300, 300), 100)
    assert bits(u) == bits(plain)


def test_an_exception_half_way_leaves_what_numpy_leaves(on: Callable[[int], None]) -> None:
    def stepped(u, places):
        for k in range(len(places)):
            u[1:] = u[:-1] * 0.5 + k
            u[places[k]] = 7.0

    f = tracejit.function(stepped)
    places = np.array([3, 5] * 20 + [8000, 4])
    for _ in range(2):
        u, plain = field(6000), field(6000)
        f(field(6000), np.tile(places[:2], 20))
        with pytest.raises(IndexError):
            stepped(plain, places)
        with pytest.raises(IndexError):
            f(u, places)
        assert bits(u) == bits(plain)
    assert of(f).inside.shared.spread is not None


def test_a_place_out_of_bounds_in_a_shared_loop(on: Callable[[int], None]) -> None:
    f = tracejit.function(looked_up)
    places = np.arange(5000)
    f(field(5000), places, 2)
    assert of(f).inside.shared.spread is not None
    places[4321] = 5000
    u = field(5000)
    with pytest.raises(IndexError, match="5000"):
        f(u, places, 2)
    assert bits(u) == bits(field(5000))


def test_a_handler_ends_a_shared_loop(on: Callable[[int], None]) -> None:
    class Rung(Exception):
        pass

    def ring(number: int, frame: Any) -> None:
        raise Rung

    def counted(u, steps):
        for _ in range(steps):
            u[1:] = u[1:] + 1.0
            u[0] += 1.0

    f = tracejit.function(counted)
    f(np.zeros(2000), 300)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        u = np.zeros(2000)
        with pytest.raises(Rung):
            f(u, 10**9)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert u[0] > 100 and (u == u[0]).all()
    f(u := np.zeros(2000), 300)
    assert (u == 300.0).all()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_several_threads_and_a_fork(on: Callable[[int], None]) -> None:
    """One of them has the team; a child has its own, whatever went on when it began."""
    f = tracejit.function(heat)
    plain = field(90, 80)
    heat(plain, 300)
    arrays = [field(90, 80) for _ in range(4)]
    f(field(90, 80), 300)
    callers = [threading.Thread(target=f, args=(u, 300)) for u in arrays]
    for caller in callers:
        caller.start()
    children = []
    for _ in range(3):
        if not (child := os.fork()):
            signal.alarm(30)
            u = field(90, 80)
            f(u, 300)
            os._exit(0 if np.array_equal(u, plain) else 1)
        children.append(child)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for caller in callers:
        caller.join()
    assert bits(*arrays) == bits(plain) * 4


def test_ten_thousand_statements(tmp_path: Path) -> None:
    """Each waits for the one before, whoever does which part of it; in time."""
    program = tmp_path / "many.py"
    program.write_text(
        textwrap.dedent("""
            import numpy as np, tracejit
            from tracejit.cpu import threads
            threads.available, threads.LEAST_SHARED = lambda: 4, 1
            threads.Later._start = threads.Later._make
            @tracejit.function
            def f(u, v, steps):
                s = 0.0
                for _ in range(steps):
                    v[1:] = u[:-1] + 1.0
                    v[0] = u[-1]
                    u[:] = v[::-1]
                    s = max(s, u.max())
                return s
            for _ in range(3):
                u, v = np.arange(3000.0), np.zeros(3000)
                s = f(u, v, 5000)
            a, b = np.arange(3000.0), np.zeros(3000)
            assert f.__wrapped__(a, b, 5000) == s
            assert (a == u).all() and (b == v).all()
            assert list(f._paths)[-1].executable.launch.inside.shared.spread is not None
        """),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, program], timeout=120, check=False, capture_output=True, text=True,
        env={**os.environ, "TRACEJIT_CACHE": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["heat", "jacobi"])
def test_memory_of_a_stencil(name: str, tmp_path: Path) -> None:
    """Two threads too take the arguments, and at most one array more."""
    program = tmp_path / "peak.py"
    program.write_text(
        textwrap.dedent("""
            import sys
            from benchmarks.kernels import KERNELS
            from benchmarks.memory import peak_above
            from tracejit.cpu import threads
            import tracejit
            threads.available = lambda: 2
            threads.Later._start = threads.Later._make
            kernel = KERNELS[sys.argv[1]]
            last = {"heat": (100, 0.2), "jacobi": (0.0, 100)}[sys.argv[1]]
            f = tracejit.function(kernel.function)
            for size in (300, 300, 300):
                f(*kernel.arguments(size)[:-2], *last)
            arrays = kernel.arguments(1500)[:-2]
            print(peak_above(lambda: f(*arrays, *last)) * 1e6 / arrays[0].nbytes, f.stats.traces)
        """),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, program, name], timeout=120, check=True, capture_output=True, text=True,
        env={**os.environ, "TRACEJIT_CACHE": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    arrays, traces = done.stdout.split()
    assert float(arrays) < 1.2 and traces == "1"
