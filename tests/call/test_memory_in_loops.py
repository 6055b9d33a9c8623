"""Arrays that loops and branches change: what is read before it is overwritten, and no copies."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import config
from tracejit.lower.interpret import evaluate

SIZE = 90


def swap(x):
    for i in range(len(x) - 1):
        t = x[i]
        x[i] = x[i + 1]
        x[i + 1] = t


def swap_at_once(x):
    n = len(x)
    for i in range(n // 3):
        x[i], x[n - 1 - i] = x[n - 1 - i], x[i]


def read_then_written(x):
    s = 0.0
    for i in range(len(x)):
        t = x[i]
        x[i] = s
        s = s + t
    return s


def two_writes(x):
    s = 0.0
    for i in range(len(x)):
        a = x[i]
        x[i] = a * 2
        b = x[i]
        x[i] = b + 1
        s += a - b
    return s


def written_in_a_branch(x):
    s = 0.0
    for i in range(len(x) - 1):
        t = x[i]
        if x[i] > x[i + 1]:
            x[i] = x[i + 1]
            x[i + 1] = t
        s += t
    return s


def decided_by_what_was_there(x):
    for i in range(len(x) - 1):
        t = x[i]
        x[i] = x[i + 1] + 1
        if t > 0.5:
            x[i + 1] = t


def kept_for_a_branch(x):
    s = 0.0
    for i in range(len(x) - 1):
        t = x[i]
        if s < 9.0:
            x[i] = 5.0
        s += t
    return s


def bubbles(x):
    for _ in range(len(x)):
        for j in range(len(x) - 1):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]


def two_numbers(x):
    for _ in range(len(x)):
        t = x[0] * 0.3 + x[1]
        x[0] = x[1]
        x[1] = t
    return x[1]


def exchanged_arrays(x):
    y = np.zeros_like(x)
    for i in range(len(x)):
        t = x[i]
        x[i] = y[i]
        y[-1 - i] = t
    return y


def kept_for_an_inner_loop(x):
    s = 0.0
    for i in range(len(x)):
        t = x[i]
        for j in range(len(x)):
            x[j] = x[j] * 0.9
        s += t
    return s


def exchanged_rows(x):
    a = x[:, None] * x
    for i in range(len(x) - 1):
        t = a[i].copy()
        a[i] = a[i + 1]
        a[i + 1] = t
    return a


def row_and_element(x):
    a = x[:, None] * x
    s = 0.0
    for i in range(len(x) - 1):
        u = a[i, 0]
        a[i] = a[i + 1]
        s += u
    return a, s


def whole_on_one_side(x):
    for i in range(len(x)):
        if x[i] > 0.5:
            x *= 0.75
    return x.max()


def either_side(x):
    for i in range(1, len(x)):
        if x[i] > 0.5:
            x[i - 1] = x[i] + 1
        else:
            x[0] = x[i]


def inside_of_both(x):
    for i in range(1, len(x) - 1):
        if x[i] > 0.5:
            if x[i + 1] > 0.5:
                x[i] = 0.0
            else:
                x += 0.01
        else:
            x[i - 1] = 2.0


def after_a_branch(x):
    y = x.copy()
    if x[0] > 0.1:
        y[3] = x[0]
    return y, x * 2


def places_change(x):
    y = x * 2
    for i in range(1, len(x)):
        if x[i] > 0.5:
            y[i] = x[i - 1]
            x[i] = y[i - 1]
    return y


#: Arrays that are no results: a row, an element where more is needed.
PROGRAMS: dict[Callable[..., Any], int] = {
    swap: 0,
    swap_at_once: 0,
    read_then_written: 0,
    two_writes: 0,
    written_in_a_branch: 0,
    decided_by_what_was_there: 0,
    kept_for_a_branch: 0,
    bubbles: 0,
    two_numbers: 0,
    exchanged_arrays: 0,
    kept_for_an_inner_loop: 0,
    exchanged_rows: 1,
    row_and_element: 0,
    whole_on_one_side: 0,
    either_side: 0,
    inside_of_both: 0,
    after_a_branch: 0,
    places_change: 0,
}


def start() -> np.ndarray:
    return np.random.default_rng(3).uniform(size=SIZE)


@pytest.mark.parametrize("compile", [False, True], ids=["interpreted", "compiled"])
@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_as_numpy(function: Callable[..., Any], compile: bool) -> None:
    f = tracejit.function(function)
    mine, plain = start(), start()
    with config(compile=compile, check=True, budget=0.3):
        got, want = f(mine), function(plain)
    np.testing.assert_equal(got, want)
    np.testing.assert_array_equal(mine, plain)
    assert f.stats.fallbacks == 0


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_no_copies(function: Callable[..., Any]) -> None:
    """Loops write where arrays are: in them, no array is copied, and there is no further one."""
    f = tracejit.function(function)
    with config(budget=0.3):
        source = f.source(start())
    inside = [line for line in source.splitlines() if line.startswith(" " * 8)]
    assert not any("copy_range" in line for line in inside)
    executable = f._paths[0].executable
    assert executable.program.temporaries == PROGRAMS[function]


def choose(x, m):
    y = x[1:][m]
    x[0] = 5.0
    x[3:] = 7.0
    return x.max(), y


def choose_and_place(x, m):
    y = x[1:][m]
    x[1:][m] = 1.0
    return x.max(), y


@pytest.mark.parametrize("function", [choose, choose_and_place])
def test_a_part_is_read_before(function: Callable[..., Any]) -> None:
    """What a mask takes of a part of an array, it takes before the array is changed."""
    f, m = tracejit.function(function), start()[1:] > 0.5
    mine, plain = start(), start()
    got, want = f(mine, m), function(plain, m)
    np.testing.assert_equal(got, want)
    np.testing.assert_array_equal(mine, plain)
    assert f.stats.fallbacks == 0


def heat(u, steps):
    for _ in range(steps):
        u[1:-1, 1:-1] += 0.1 * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )


def from_a_copy(u, steps):
    for _ in range(steps):
        v = u.copy()
        u[1:-1] = v[1:-1] + 0.1 * (v[2:] + v[:-2] - 2 * v[1:-1])


def two_buffers(u, steps):
    v = u.copy()
    for _ in range(steps):
        v[1:-1] = u[1:-1] + 0.1 * (u[2:] + u[:-2] - 2 * u[1:-1])
        u[:] = v


def with_a_laplacian(u, steps):
    for _ in range(steps):
        lap = np.zeros_like(u)
        lap[1:-1] = u[2:] + u[:-2] - 2 * u[1:-1]
        u += 0.1 * lap


def ahead(u, steps):
    for _ in range(steps):
        u[:-1] += 0.1 * (u[1:] - u[:-1])


def each_in_turn(u, steps):
    """A name for each of several arrays, which lives in a step alone."""
    v = u * 2
    for _ in range(steps):
        for w, grad in ((u, v[1:-1]), (v, u[1:-1])):
            w[1:-1] += 0.1 * (w[2:] + w[:-2] - 2 * w[1:-1]) - 0.01 * grad
    return v


def rows_in_turn(u, steps):
    for _ in range(steps):
        for i in range(1, u.shape[0] - 1):
            u[i, 1:-1] += (u[i - 1, 1:-1] + u[i + 1, 1:-1] - 2 * u[i, 1:-1]) / 4


#: Elements of temporaries, in arrays; a row is none.
STENCILS: dict[Callable[..., Any], int] = {
    heat: 1,
    from_a_copy: 1,
    two_buffers: 1,
    with_a_laplacian: 1,
    ahead: 0,
    each_in_turn: 1,
    rows_in_turn: 0,
}


@pytest.mark.parametrize("function", STENCILS, ids=lambda f: f.__name__)
def test_peak_of_a_stencil(function: Callable[..., Any]) -> None:
    """A thousand steps take the arguments, results, and at most one array more."""
    f = tracejit.function(function)
    side = 200
    start = np.random.default_rng(3).uniform(size=(side, side))
    with config(budget=0.3):
        f(start.copy(), 1000)
    f(start.copy(), 1000)  # has the entry for several threads compiled
    for thread in threading.enumerate():
        if thread.name == "tracejit compiler":
            thread.join()
    u, plain = start.copy(), start.copy()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with config(threads=1):  # nothing is compiled meanwhile
            result = f(u, 1000)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    results = 0 if result is None else 1
    assert peak < (STENCILS[function] + results + 0.1) * u.nbytes
    np.testing.assert_equal(result, function(plain, 1000))
    np.testing.assert_array_equal(u, plain)
    assert f.stats.fallbacks == 0


def put(place: Any, *sources: Any) -> Callable[[Any], None]:
    """What puts a sum of parts of an array into another part."""

    def function(x: Any) -> None:
        total = x[sources[0]] * 0.5
        for source in sources[1:]:
            total = total + x[source]
        x[place] = total

    return function


s_ = np.s_
#: Where is written and what is read; whether that needs an array aside.
SHIFTS = [
    ((s_[:-1], s_[1:]), 0),
    ((s_[1:], s_[:-1]), 1),
    ((s_[:-3], s_[3:], s_[:-3], s_[1:-2]), 0),
    ((s_[:-1:2], s_[1::2]), 0),
    ((s_[2:-2], s_[4:], s_[:-4]), 1),
    ((s_[:-1, 1:], s_[1:, :-1]), 0),
    ((s_[1:, :-1], s_[:-1, 1:]), 1),
    ((s_[:, :-1], s_[:, 1:]), 0),
    ((s_[:-1, :-1], s_[1:, 1:], s_[:-1, 1:], s_[1:, :-1]), 0),
    ((s_[1:-1, 1:-1], s_[2:, 1:-1], s_[1:-1, 2:], s_[2:, :-2]), 0),
    ((s_[1:-1, 1:-1], s_[2:, 1:-1], s_[1:-1, :-2]), 1),
    ((s_[0], s_[1]), 0),
    ((s_[::-1], s_[:]), 1),
]


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(("parts", "aside"), SHIFTS)
def test_what_is_read_ahead_needs_nothing_aside(parts: Any, aside: int, order: str) -> None:
    shape = (61, 73) if any(isinstance(p, tuple) and len(p) == 2 for p in parts) else (1001,)
    start = np.asarray(np.random.default_rng(2).uniform(size=shape), order=order)
    mine, plain, seen = (start.copy(order="K") for _ in range(3))
    function = put(*parts)
    f = tracejit.function(function)
    f(mine)
    function(plain)
    np.testing.assert_array_equal(mine, plain)
    executable = f._paths[0].executable
    assert executable.program.temporaries == aside
    name = executable.program.graph.inputs[0].attr[0]
    evaluate(executable.program, {name: seen})
    np.testing.assert_array_equal(seen, plain)


def test_memory_whose_size_a_loop_tells() -> None:
    """What a loop needs aside is made when its length is known: after an earlier loop."""

    def function(x: Any, k: Any, p: Any) -> None:
        for _ in range(len(p)):
            x[:] = np.array([j * k for j in range(len(p))])
            k = k * 3
        for _ in x:
            x[k:] -= x[0]

    f = tracejit.function(function)
    for k in (0, 1):
        mine, plain = (np.ones(12 + 2 * k)[::2] for _ in range(2))
        p = np.arange(6 + k)
        f(mine, k, p)
        function(plain, k, p)
        np.testing.assert_array_equal(mine, plain)
    assert f.stats.fallbacks == 0


def test_elements_that_a_mask_picks_have_room_for_all() -> None:
    def f(x, steps):
        y = np.zeros(steps)
        for k in range(steps):
            z = (x[:, None] - x) ** 2 + k
            z[z > 0] = z[z > 0] ** -1.5
            x += 0.25 * z[0]
            y[k] = z[1, 2]
        return y

    compiled = tracejit.function(f)
    a, b = np.arange(7.0), np.arange(7.0)
    np.testing.assert_allclose(compiled(a, 9), f(b, 9), rtol=1e-13)
    np.testing.assert_allclose(a, b, rtol=1e-13)
    assert compiled.stats.fallbacks == 0
    [control] = compiled._paths[0].executable.program.controls.values()
    assert not control.own
