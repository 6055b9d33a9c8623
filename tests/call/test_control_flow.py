"""Branches and loops by the values of arrays are regions, and do what NumPy does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.ir import ops

RNG = np.random.default_rng(3)
X, M, F = RNG.normal(size=9), RNG.random((6, 7)), RNG.random((6, 7))
SQUARE = RNG.random((5, 5)) + 5 * np.eye(5)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param):
        yield request.param


def branch(x):
    y = x
    if x.sum() > 0:
        y = x * 2
    else:
        z = x + 1
        y = z - 2
    return y


def branch_that_writes(x):
    n = 0
    if x[0] > 0:
        x[1:3] = 7
        n = 1
    elif x[1] > 0:
        x[2] = 3.5
        n = 2
    return n, x.sum()


def early(x):
    if x.max() > 2:
        return x.sum()
    if x.min() < -1:
        return x.min() * 3
    return x.mean()


def conditional(x):
    return (x[0] if x[0] > x[1] else x[1]) + (1.5 if x.any() else 2.5)


def checked(x):
    if x[0] > 1e6:
        raise ValueError("too large")
    assert x[1] < 1e6
    return x + 1


def halved(x, limit):
    n = 0
    while (x > limit).any():
        x = x * 0.5
        n += 1
    return x, n


def relaxed(u, f, tol, most):
    v, it = u.copy(), 0
    while True:
        v[1:-1, 1:-1] = 0.25 * (
            u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:] - f[1:-1, 1:-1]
        )
        err = np.abs(v - u).max()
        u[:] = v
        it += 1
        if err < tol or it == most:
            return it, err


def signs(x):
    up = down = 0
    for i in range(len(x)):
        if x[i] > 0:
            up += 1
        elif x[i] < 0:
            down += 1
            x[i] = -x[i]
    return up, down


def collatz(start):
    longest, best = 0, 0
    for k in range(1, len(start) + 300):
        n, steps = np.int64(k), 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        if steps > longest:
            longest, best = steps, k
    return longest, best


def skipped(x, limit):
    last = x[1] * 3
    while x[0] > limit:
        last = x[0] * 2
        x[0] -= 1
    return last


def running(x, n):
    total = 0
    for k in range(n):
        total = total + x[k] * k
        x[k] = total
    return total


def steps(u, n):
    for _ in range(n):
        u[1:-1] += 0.2 * (u[2:] + u[:-2] - 2 * u[1:-1])


def bodies(x, v, n):
    for _ in range(n):
        for i in range(len(x)):
            d = x - x[i]
            v[i] -= 1e-3 * (d / (d * d + 0.1)).sum()
        x += 1e-3 * v


def sieve(n):
    prime = np.ones(n, np.bool_)
    prime[:2] = False
    for k in range(2, n):
        if prime[k]:
            prime[2 * k :: k] = False
    return prime


def bisect(f, x, low, high):
    while high - low > 1e-9:
        middle = (low + high) / 2
        if ((x - middle) ** 3).sum() > 0:
            low = middle
        else:
            high = middle
    return low


def helper(x, t):
    while x.sum() > t:
        x *= 0.9
    return x


def calls(x):
    return helper(x.copy() + 10, 3.0) * 2


def local(x):
    z = x * 1
    if x[0] > 0:
        z *= 2
        z[1:3] = 5
    else:
        z -= 1
        z[::2] = 7
    return z


def through_views(x):
    z, n = x * 1, 0
    while z.sum() < 50:
        z += 1
        w = z[1:]
        w *= 1.1
        n += 1
    return z, n


def solve(a, b):
    n = len(b)
    for i in range(n):
        for j in range(i):
            b[i] = b[i] - a[i, j] * b[j]
        b[i] = b[i] / a[i, i]


def last_seen(x):
    """What a step may leave as it is has the value from before the loop."""
    low, high, at = 7.5, 2.5, -1
    for i in range(len(x)):
        if x[i] > 1:
            low = 0.5
        elif x[i] < -1:
            high = -0.25
            at = i
    n = 0
    while n < 3 + x[0] * 0:
        n += 1
        if x[0] > 50:
            high = 9.0
    return low, high, at


CASES: list[tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]] = [
    (branch, lambda: (X.copy(),)), (branch, lambda: (-abs(X),)),
    (branch_that_writes, lambda: (X.copy(),)), (branch_that_writes, lambda: (abs(X),)),
    (branch_that_writes, lambda: (-abs(X),)),
    (early, lambda: (X * 9,)), (early, lambda: (-abs(X) * 9,)), (early, lambda: (X * 0.01,)),
    (conditional, lambda: (X.copy(),)), (conditional, lambda: (X * 0,)),
    (checked, lambda: (X.copy(),)), (halved, lambda: (abs(X) * 99, 0.3)),
    (relaxed, lambda: (M.copy(), F, 1e-3, 100)), (relaxed, lambda: (M.copy(), F, 1e-9, 7)),
    (signs, lambda: (np.tile(X, 30),)), (collatz, lambda: (X,)),
    (skipped, lambda: (np.full(3, 7.5), 2)), (skipped, lambda: (np.zeros(3), 2)),
    (running, lambda: (np.tile(X, 99), 500)), (steps, lambda: (X.copy(), 900)),
    (bodies, lambda: (X.copy(), X * 0, 40)), (sieve, lambda: (60,)),
    (local, lambda: (X,)), (local, lambda: (-X,)), (through_views, lambda: (X,)),
    (bisect, lambda: (0, X, -3.0, 3.0)), (calls, lambda: (X.copy(),)),
    *((last_seen, lambda k=k: (np.tile(X * k, 300),)) for k in (0, 1, 9, -9)),
    (solve, lambda: (np.tile(SQUARE, (4, 4)) + 50 * np.eye(20), np.tile(X, 3)[:20])),
]  # fmt: skip


def equal(a: Any, b: Any) -> None:
    if isinstance(b, tuple):
        assert isinstance(a, tuple) and len(a) == len(b)
        for p, q in zip(a, b, strict=True):
            equal(p, q)
    elif b is not None:
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("f, make", CASES, ids=lambda c: getattr(c, "__name__", ""))
def test_as_numpy_does(f, make, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        ours, theirs = make(), make()
        equal(g(*ours), f(*theirs))
        equal(ours, theirs)
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize(
    "f, arguments, found",
    [
        (branch, (X,), {"cond": 1}),
        (relaxed, (M.copy(), F, 1e-3, 100), {"while": 1, "cond": 2}),
        (steps, (X.copy(), 900), {"scan": 1}),
        (bodies, (X.copy(), X * 0, 40), {"scan": 1}),
    ],
)
def test_what_becomes_of_them(f, arguments, found) -> None:
    g = tracejit.function(f, on_unsupported="error")
    graph = g.graph(*arguments)
    text = str(graph)
    for name, least in found.items():
        assert ops.STRUCTURAL[name].regions and text.count(f" = {name} ") >= least, text


def test_other_values_take_the_same_path() -> None:
    g = tracejit.function(halved, on_unsupported="error")
    for scale in (1, 10, 1000):
        x = abs(X) * scale
        equal(g(x, 0.3), halved(x, 0.3))
    h = tracejit.function(steps, on_unsupported="error")
    for n in (900, 1000, 1234):
        ours, theirs = X.copy(), X.copy()
        h(ours, n)
        steps(theirs, n)
        equal(ours, theirs)
    assert g.stats.traces == h.stats.traces == 1
    assert g(X, 99)[0] is X and g.stats.traces == 2  # where no step is done, it is the argument


def test_the_users_exception_is_raised_and_nothing_written(compiled: bool) -> None:
    def f(x, limit):
        x[0] += 1
        if x.sum() > limit:
            raise OverflowError("that is enough")
        x[1] += 1

    g = tracejit.function(f, on_unsupported="error")
    ours, theirs = X.copy(), X.copy()
    g(ours, 1e3)
    f(theirs, 1e3)
    equal(ours, theirs)
    for h, x in ((g, ours), (f, theirs)):
        with pytest.raises(OverflowError, match="that is enough"):
            h(x, -1e3)
    equal(ours, theirs)


def growing(x, t):
    k = 1
    while x.sum() < t:
        x += k
        k = k * 3
    return k


def collects(x):
    found = []
    for i in range(len(x)):
        if x[i] > 0:
            found.insert(0, i)
    return len(found)


def gathered(x):
    found, rest = [], iter(range(3, 99))
    n = 0
    for i in range(8):
        found.append(x[i] * 2)
        n += next(rest)
        if x[i] > 0:
            n += 1
    return np.array(found), n


def counted(x):
    n = 0

    def more(by):
        nonlocal n
        n += by
        return n

    for i in range(8):
        if x[i] > 0:
            more(i)
    return n + more(1)


def kept(x):
    found = []
    keep, n = found.append, 0
    for i in range(8):
        keep(i)
        if x[i] > 0:
            n += 1
    return len(found) + n


@pytest.mark.parametrize("f", [gathered, counted, kept])
def test_a_piece_that_changes_more_than_arrays_is_traced_once_or_not_at_all(f, compiled) -> None:
    g = tracejit.function(f, on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        equal(g(X), f(X))
        equal(g(X), f(X))


@pytest.mark.filterwarnings("ignore::tracejit.errors.UnsupportedWarning")
@pytest.mark.parametrize(
    "f, make",
    [
        (growing, lambda: (np.zeros(3), 1e30)), (collects, lambda: (np.tile(X, 300),)),
    ],
)  # fmt: skip
def test_what_no_region_can_be_runs_in_numpy(f, make, compiled: bool) -> None:
    """Integers beyond 64 bits, and lists."""
    g = tracejit.function(f, on_unsupported="warn")
    ours, theirs = make(), make()
    assert np.array_equal(g(*ours), f(*theirs))
    equal(ours, theirs)
    assert g.stats.fallbacks == 1


TABLE = np.arange(4.0)


def met_in_a_branch(x):
    if x[0] > 1:
        x[0] = 0
    else:
        TABLE[1] = x[0]
    return x.sum()


def met_in_a_loop(x):
    for i in range(len(x)):
        if x[i] > 0:
            TABLE[2] += x[i]
    return x.sum()


@pytest.mark.parametrize("f", [met_in_a_branch, met_in_a_loop])
def test_a_global_array_that_is_met_there_is_written_into(f, compiled: bool) -> None:
    g = tracejit.function(f, on_unsupported="error")
    for x in (X.copy(), np.tile(X, 50), -np.abs(X), np.abs(X) + 2):
        tables = []
        for call in (g, f):
            TABLE[:] = np.arange(4.0)
            call(x.copy())
            tables.append(TABLE.copy())
        np.testing.assert_allclose(*tables, rtol=1e-13)
    assert g.stats.fallbacks == 0


def test_source_is_not_read_where_nothing_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """To find it, to parse its file and to rewrite it takes a tenth of a first call."""

    def read(code: Any) -> Any:
        raise AssertionError("the source is read")

    monkeypatch.setattr("tracejit.call.slow.rewritten", read)
    f = tracejit.function(lambda x: np.exp(-x) + 1)
    np.testing.assert_allclose(f(np.arange(3.0)), np.exp(-np.arange(3.0)) + 1)
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


def test_what_has_no_source_is_unrolled_as_far_as_it_goes() -> None:
    scope: dict[str, Any] = {}
    step = "(x + k) * " * 120 + "x"
    exec(f"def f(x):\n    for k in range(8):\n        x = {step}\n    return x", scope)
    f = tracejit.function(scope["f"])
    with tracejit.config(compile=False, budget=0):
        np.testing.assert_array_equal(f(np.zeros(3)), np.zeros(3))
    assert f.stats.fallbacks == 0
