"""Lengths that depend on the number of a step: triangles, in loops that are regions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
from benchmarks.kernels import KERNELS

RNG = np.random.default_rng(11)
N = 90
LINE, MATRIX = RNG.normal(size=N), RNG.normal(size=(N, N))


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"])
def compiled(request: pytest.FixtureRequest) -> Iterator[bool]:
    with tracejit.config(compile=request.param, check=True):
        yield request.param


def checked(f: Callable[..., Any], make: Callable[[], tuple[Any, ...]], close: float = 1e-12):
    """`f` does what NumPy does, in one region or several; what was compiled."""
    g = tracejit.function(f, on_unsupported="error")
    for _ in range(2):
        ours, theirs = make(), make()
        got, wanted = g(*ours), f(*theirs)
        assert type(got) is type(wanted)
        if wanted is not None:
            np.testing.assert_allclose(got, wanted, rtol=close, atol=close)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=close, atol=close)
    assert (g.stats.fallbacks, g.stats.traces) == (0, 1)
    return g


@pytest.mark.parametrize("name", ["lu", "cholesky", "gram_schmidt", "triangular_solve"])
def test_kernels_of_triangles(name: str) -> None:
    kernel = KERNELS[name]
    g = checked(kernel.function, lambda: kernel.arguments(90))
    assert " = scan " in str(g.graph(*kernel.arguments(90)))
    for size in (40, 2, 7, 1):
        ours, theirs = kernel.arguments(size), kernel.arguments(size)
        got, wanted = g(*ours), kernel.function(*theirs)
        if wanted is not None:
            np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize("name, temporaries", [("lu", 0), ("gram_schmidt", 0), ("cholesky", 1)])
def test_what_is_written_where_it_is(name: str, temporaries: int) -> None:
    """Row k is read while rows from k + 1 on are written: that needs no copy."""
    kernel = KERNELS[name]
    g = tracejit.function(kernel.function, on_unsupported="error")
    source = g.source(*kernel.arguments(90))
    assert source.count(" = shaped_") == temporaries, source
    own = len(set(re.findall(r"\bb\d+\b", source.split(":\n")[0])))
    assert own == temporaries + (name != "lu"), source


def clipped(x, n):
    """A window, which the ends of the array cut off."""
    out = np.zeros(n)
    for i in range(n):
        out[i] = x[i : i + 3].sum()
    return out


def wrapped(x, n):
    """Before the start, a bound counts from the end."""
    out = np.zeros(n)
    for i in range(n):
        out[i] = x[i - 2 : i + 3].sum() + x[i - 1]
    return out


def from_the_end(x, n):
    out = np.zeros(n)
    for i in range(n):
        out[i] = x[-i:].sum() + x[: n - i].sum() * x[n - i - 1]
    return out


def backwards(x, n):
    out = np.zeros(n)
    for i in range(n - 1, -1, -1):
        out[i] = x[i::-1].sum() + (x[:i] * x[:i][::-1]).sum()
    return out


def by_twos(x, n):
    out = np.zeros(n)
    for i in range(0, n, 2):
        out[i] = x[:i:2].sum() - x[i + 1 :: 2].sum()
    return out


def running(x, n):
    for i in range(1, n):
        x[i:] = x[i:] + x[:-i] * 0.1
    return x.sum()


def shifted(x, n):
    for i in range(1, n):
        x[:i] += x[i] * 0.5
        x[i:] = x[n - i - 1 :: -1][: n - i] if i == 0 else x[i:] * 0.9


def with_branches(x, n):
    out = np.zeros(n)
    for i in range(n):
        if i > 0:
            out[i] = x[:i].max()
        else:
            out[i] = -1
    return out


def lower_and_upper(a, n):
    s = np.zeros(n)
    for i in range(n):
        for j in range(i):
            s[i] += a[i, j:i].sum()
        for j in range(i, n):
            s[i] -= a[i, i : j + 1].sum()
    return s


def banded(x, n):
    out = np.zeros(n)
    for i in range(n):
        out[i] = x[max(0, i - 3) : min(n, i + 4)].mean()
    return out


def periodic(x, n):
    out = np.zeros(n)
    for i in range(n):
        out[i] = x[(i + 1) % n] - 2 * x[i] + x[i - 1]
    return out


def blocked(x, n):
    for k in range(0, n, 7):
        end = min(k + 7, n)
        x[k:end] -= x[k:end].mean()


def prefixes(x, n):
    for i in range(1, n):
        x[i] += x[:i].max() * 0.5 - x[:i].argmin()


def levinson(x, n):
    a = np.zeros(n)
    a[0], e = 1.0, x @ x + 1.0
    for k in range(1, n):
        reflection = -(a[:k] @ x[k:0:-1]) / e
        a[: k + 1] = a[: k + 1] + reflection * a[k::-1]
        e = e * (1 - reflection * reflection)
    return a


def kept_where_no_step_is_done(x, n):
    out, last, k = np.zeros(n), x[3] * 1.0, -1
    for i in range(n):
        for j in range(i - 7):
            last = x[j] * 2
            k = j
        out[i] = last + k
    return out


def householder(a, n):
    a += 9 * np.eye(n)
    for k in range(n - 1):
        v = a[k:, k].copy()
        v[0] += np.sign(v[0]) * np.sqrt(v @ v)
        v /= np.sqrt(v @ v)
        a[k:, k:] -= 2 * np.outer(v, v @ a[k:, k:])


def givens(a, n):
    a += 9 * np.eye(n)
    for j in range(n - 1):
        for i in range(j + 1, n):
            r = np.hypot(a[j, j], a[i, j])
            c, s = a[j, j] / r, a[i, j] / r
            top = c * a[j, j:] + s * a[i, j:]
            a[i, j:] = c * a[i, j:] - s * a[j, j:]
            a[j, j:] = top


def pivoted(a, n):
    for k in range(n - 1):
        m = k + np.argmax(np.abs(a[k:, k]))
        if m != k:
            a[[k, m]] = a[[m, k]]
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])


def outer_products(a, n):
    for k in range(n):
        a[k + 1 :, k + 1 :] -= 1e-3 * np.outer(a[k + 1 :, k], a[k, k + 1 :])


PROGRAMS: list[Callable[..., Any]] = [
    clipped, wrapped, from_the_end, backwards, by_twos, running, shifted, with_branches,
    kept_where_no_step_is_done, banded, periodic, blocked, prefixes, levinson,
]  # fmt: skip


@pytest.mark.parametrize("f", PROGRAMS)
def test_as_numpy_does(f: Callable[..., Any], compiled: bool) -> None:
    checked(f, lambda: (LINE.copy(), N))


def test_room_by_what_a_loop_has_come_to(compiled: bool) -> None:
    def f(x: Any, k: int) -> None:
        for i in range(len(x) - 1, -1, -1):
            x[i] = i
            k = k * 3
        for i in range(len(x)):
            x[k:] = x[k:][::-1] + x[i]

    checked(f, lambda: (LINE.copy(), 0))


def test_no_length_is_asked_for_where_no_step_is_done(compiled: bool) -> None:
    """``n % n`` is a length of the first step, and of no array where `n` is 0."""

    def f(x: Any, n: int) -> None:
        for i in range(n - 1, -1, -1):
            x[(i + 1) % n : i + 2 : 2] = np.cumsum(x[(i + 1) % n : i + 2 : 2])

    g = checked(f, lambda: (LINE[:9].copy(), 9))
    g(LINE[:0].copy(), 0)
    assert g.stats.fallbacks == 0


@pytest.mark.parametrize("f", [lower_and_upper, outer_products, householder, givens, pivoted])
def test_triangles_of_matrices(f: Callable[..., Any], compiled: bool) -> None:
    checked(f, lambda: (MATRIX[:40, :40].copy(), 40), 1e-9)
