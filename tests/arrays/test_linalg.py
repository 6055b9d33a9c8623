"""``np.linalg``: NumPy's own loops, called from compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from library_calls import check, function, listed, outcome

import tracejit

RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(6, 6)) + 3 * np.eye(6)
TALL = RNG.normal(size=(5, 3))
STACK = RNG.normal(size=(3, 4, 4)) + 2 * np.eye(4)
VECTOR = RNG.normal(size=6)


#: What has NumPy's bits, and what is made of sums, which are added up in an order of our own.
EXACT = """
np.linalg.solve(a, b)  np.linalg.solve(a, a.T)  np.linalg.solve(s, s)  np.linalg.solve(s, b[:4])
np.linalg.solve(s[:, None], s[None, :2])  np.linalg.solve(a, np.ones((2, 6, 1)))
np.linalg.inv(a)  np.linalg.inv(s)  np.linalg.det(a)  np.linalg.det(s)  np.linalg.slogdet(a)
np.linalg.slogdet(-s)  np.linalg.cholesky(a @ a.T)  np.linalg.cholesky(a @ a.T, upper=True)
np.linalg.qr(a)  np.linalg.qr(t)  np.linalg.qr(t.T)  np.linalg.qr(s)  np.linalg.qr(t, 'complete')
np.linalg.qr(t.T, mode='complete')  np.linalg.qr(t, mode='r')  np.linalg.qr(t.T, mode='raw')
np.linalg.svd(a)  np.linalg.svd(t)  np.linalg.svd(t.T, full_matrices=False)  np.linalg.svdvals(s)
np.linalg.svd(s, compute_uv=False)  np.linalg.svd(a + a.T, hermitian=True)
np.linalg.svd(a + a.T, compute_uv=False, hermitian=True)
np.linalg.eigh(a)  np.linalg.eigh(s, 'u')  np.linalg.eigvalsh(a)  np.linalg.eigvalsh(s, UPLO='U')
np.linalg.eig(a + 0j)  np.linalg.eigvals(s * 1j)
np.linalg.lstsq(t.T, b[:3])  np.linalg.lstsq(a[:3], a[:3], 1e-9)
np.linalg.pinv(t)  np.linalg.pinv(s)  np.linalg.pinv(t.T, 0.3)  np.linalg.pinv(t, rtol=None)
np.linalg.pinv(a + a.T, hermitian=True)  np.linalg.pinv(t[:0])
np.linalg.matrix_rank(t)  np.linalg.matrix_rank(s)  np.linalg.matrix_rank(s, 0.5)
np.linalg.matrix_rank(s, rtol=0.3)  np.linalg.matrix_rank(b)  np.linalg.matrix_rank(b * 0)
np.linalg.matrix_rank(a + a.T, hermitian=True)
np.linalg.matrix_power(a, 0)  np.linalg.matrix_power(a, 1)  np.linalg.matrix_power(a, 2)
np.linalg.matrix_power(s, 3)  np.linalg.matrix_power(a, 13)  np.linalg.matrix_power(a, -2)
np.linalg.norm(a, 2)  np.linalg.norm(a, -2)  np.linalg.norm(s, 2, axis=(0, 2), keepdims=True)
np.linalg.cond(a)  np.linalg.cond(s)  np.linalg.cond(t, -2)  np.linalg.cond(a * 0)
np.linalg.multi_dot([t, t.T])  np.linalg.multi_dot([t, t.T, t, t.T])
np.linalg.tensorinv(a.reshape(2, 3, 6))  np.linalg.tensorinv(a, ind=1)
np.linalg.tensorsolve(a.reshape(2, 3, 6), a[0].reshape(2, 3))
np.linalg.tensorsolve(a.reshape(6, 2, 3), a[0], axes=(0,))
np.linalg.outer(b, t[0])  np.linalg.cross(t, t[::-1])  np.linalg.cross(t.T, t.T + 1, axis=0)
np.linalg.matmul(a, a)  np.linalg.tensordot(a, t, axes=0)  np.linalg.diagonal(s, offset=1)
np.linalg.matrix_transpose(s)  np.linalg.inv(np.linalg.inv(a)[1:, 1:])[0]
"""
NEAR = """
np.linalg.norm(a, 'nuc')  np.linalg.norm(s, 'nuc', axis=(2, 1))  np.linalg.cond(a, 1)
np.linalg.cond(s, 'fro')  np.linalg.cond(a * 0, 1)  np.linalg.multi_dot([a, a, b])
np.linalg.multi_dot([b, a, a, b])  np.linalg.multi_dot([b, a, a])  np.linalg.vecdot(t, t + 1)
np.linalg.trace(s, offset=1)  np.linalg.matrix_norm(s)  np.linalg.matrix_norm(a, ord=1)
np.linalg.vector_norm(s)  np.linalg.vector_norm(s, axis=(0, 2), ord=3)
np.linalg.vector_norm(s, axis=1, keepdims=True)
np.linalg.vector_norm(s, axis=(1, 0), keepdims=True)  np.linalg.vector_norm(b, ord=np.inf)
np.linalg.svd(a)[1].sum()
"""


@pytest.mark.parametrize("expression", [*listed(EXACT), *listed(NEAR)])
def test_every_function(expression):
    bits = expression in EXACT
    check(
        function(expression, "a, t, s, b"), SQUARE, TALL, STACK, VECTOR, near=0 if bits else 1e-12
    )


COMPILED = """
np.linalg.solve(a, b)  np.linalg.solve(s, s)  np.linalg.inv(s)  np.linalg.slogdet(a)
np.linalg.det(s)  np.linalg.qr(t)  np.linalg.qr(t.T, mode='raw')  np.linalg.svd(s)
np.linalg.svd(t)[2]  np.linalg.eigh(s)  np.linalg.lstsq(t.T, b[:3])  np.linalg.pinv(t)
np.linalg.eig(a + 0j)
"""


@pytest.mark.parametrize("expression", listed(COMPILED))
def test_compiled(expression):
    check(function(expression, "a, t, s, b"), SQUARE, TALL, STACK, VECTOR, compile=True)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "solve": lambda x: np.linalg.solve(x, x[:, :2]),
    "inv": lambda x: np.linalg.inv(x),
    "det": lambda x: np.linalg.det(x),
    "slogdet": lambda x: np.linalg.slogdet(x),
    "cholesky": lambda x: np.linalg.cholesky(x),
    "qr": lambda x: np.linalg.qr(x),
    "svd": lambda x: np.linalg.svd(x),
    "eigh": lambda x: np.linalg.eigh(x),
    "eigvalsh": lambda x: np.linalg.eigvalsh(x),
    "lstsq": lambda x: np.linalg.lstsq(x, x),
    "pinv": lambda x: np.linalg.pinv(x),
    "matrix_rank": lambda x: np.linalg.matrix_rank(x),
    "cond": lambda x: np.linalg.cond(x),
    "matrix_power": lambda x: np.linalg.matrix_power(x, -3),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("char", "?bHlLefdFD")
def test_dtypes(name, char):
    """Integers are promoted, float16 is an error, float32 is computed in double precision."""
    x = (np.array([[9, 1, 2], [1, 8, 1], [2, 1, 7]]) + (0.25 if char in "efdFD" else 0)).astype(
        char
    )
    if char == "?":
        x = np.eye(3, dtype=bool)
    f = OPERATIONS[name]
    check(f, x, near=1e-12 if name == "cond" and char in "fF" else 0)


@pytest.mark.parametrize("name", OPERATIONS)
def test_special_values(name):
    """What is not a number, infinite, of no element or of one; stacks of nothing."""
    one, nothing = np.array([[2.5]]), np.zeros((0, 0))
    nan, infinite = SQUARE @ SQUARE.T, SQUARE @ SQUARE.T
    nan[1, 2] = np.nan
    infinite[0, 0] = np.inf
    f = OPERATIONS[name]
    of_values = ("svd", "lstsq", "cond", "pinv", "matrix_rank")
    for x in (one, nan, infinite, -0.0 * np.eye(3), nothing):
        # LAPACK's singular values of an infinity may never come.
        if name in of_values and x is infinite:
            continue
        check(f, x)
    if name not in ("solve", "lstsq"):
        check(f, np.zeros((0, 3, 3)))


@pytest.mark.parametrize("layout", [
    lambda x: np.asfortranarray(x), lambda x: x.T, lambda x: x[::-1], lambda x: x[:, ::-1],
    lambda x: np.repeat(x, 2, 1)[:, ::2], lambda x: np.broadcast_to(x, x.shape),
])  # fmt: skip
def test_layouts(layout):
    def f(x, y):
        return np.linalg.solve(x, y), np.linalg.inv(x.T), *np.linalg.svd(x[1:])

    check(f, layout(SQUARE), layout(SQUARE.T + 1), compile=True)


def test_many_sizes_are_one_program():
    f = tracejit.function(lambda a, b: np.linalg.solve(a, b), on_unsupported="error")
    for n in (2, 3, 7, 40):
        a, b = RNG.normal(size=(n, n)), RNG.normal(size=n)
        np.testing.assert_array_equal(f(a, b), np.linalg.solve(a, b))
    assert f.stats.compiles <= 2  # vectors of one are others


# Exceptions -------------------------------------------------------------------------------------

BAD = {
    "singular": ("np.linalg.inv(a * 0)", "np.linalg.solve(a * 0, b)", "np.linalg.inv(s * [[0]])"),
    "positive": ("np.linalg.cholesky(-a)", "np.linalg.cholesky(s - 9, upper=True)"),
    "square": ("np.linalg.inv(t)", "np.linalg.det(t)", "np.linalg.eigh(t)", "np.linalg.eig(t)"),
    "ndim": ("np.linalg.inv(b)", "np.linalg.svd(b)", "np.linalg.qr(b)", "np.linalg.lstsq(s, b)"),
    "shape": ("np.linalg.solve(a, t)", "np.linalg.solve(a, b[0])", "np.linalg.lstsq(t, b)"),
    "options": (
        "np.linalg.eigh(a, 'x')", "np.linalg.qr(a, mode='x')", "np.linalg.pinv(a, 1, rtol=1)",
        "np.linalg.matrix_power(a, 1.5)", "np.linalg.norm(s, 2)", "np.linalg.norm(b, 'nuc')",
        "np.linalg.tensorinv(a, 0)", "np.linalg.multi_dot([a])", "np.linalg.cross(a, a)",
        "np.linalg.matrix_rank(a, 1, rtol=1)", "np.linalg.outer(a, b)", "np.linalg.cond(t, 1)",
    ),
    "finite": ("np.linalg.eigvals(a * np.inf + 0j)", "np.linalg.eig(s * np.nan + 1j)"),
    "convergence": ("np.linalg.svd(a * np.nan)", "np.linalg.svdvals(s * np.nan)",
                    "np.linalg.eigvalsh(s * np.nan)", "np.linalg.lstsq(a * np.nan, b)"),
}  # fmt: skip


@pytest.mark.parametrize("expression", [e for group in BAD.values() for e in group])
def test_exceptions_are_numpys(expression):
    f = function(expression, "a, t, s, b")
    assert isinstance(outcome(f, SQUARE, TALL, STACK, VECTOR), type)
    for compile in (False, True):
        check(f, SQUARE, TALL, STACK, VECTOR, compile=compile)


def test_the_message_comes_whoever_reads_the_result():
    """NumPy raises for what is not used, and for an element of a stack that is."""
    functions = (
        lambda x: (np.linalg.inv(x), x[0] + 1)[1],
        lambda x: np.linalg.inv(x)[0, 0],
        lambda x: np.linalg.solve(x, x)[:0],
    )
    for f in functions:
        for compile in (False, True):
            with tracejit.config(compile=compile):
                g = tracejit.function(f, on_unsupported="error")
                np.testing.assert_array_equal(g(STACK), f(STACK))
                for k in range(len(STACK)):
                    bad = STACK.copy()
                    bad[k] = 0
                    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
                        g(bad)
                np.testing.assert_array_equal(g(STACK), f(STACK))


@pytest.mark.parametrize("compile", [False, True])
def test_nothing_is_half_done(compile):
    """What is written before an error is written once, and what comes after it is not."""

    def f(x, y):
        x += 1
        y[0] = np.linalg.inv(x)[0]
        x *= 2

    with tracejit.config(compile=compile):
        g = tracejit.function(f, on_unsupported="error")
        for bad in (False, True, False):
            given = [np.full((2, 2), -1.0) if bad else SQUARE[:2, :2].copy(), np.zeros((2, 2))]
            mine = [x.copy() for x in given]
            assert outcome(f, *given) == outcome(g, *mine)
            for x, y in zip(mine, given, strict=True):
                np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("compile", [False, True])
def test_handlers_see_the_error(compile):
    def f(x):
        try:
            return np.linalg.inv(x)
        except np.linalg.LinAlgError:
            return np.linalg.pinv(x)

    with tracejit.config(compile=compile):
        g = tracejit.function(f, on_unsupported="warn")
        for x in (SQUARE, SQUARE * 0, SQUARE):
            np.testing.assert_array_equal(outcome(g, x), f(x))


# Branches and loops -----------------------------------------------------------------------------


def steps(s, b):
    total = np.zeros(4)
    for k in range(len(s)):
        if b[k] > 0:
            total += np.linalg.solve(s[k], b[:4])
        else:
            total -= np.linalg.det(s[k])
    return total


def iterated(x, n):
    k = 0
    while np.abs(x @ x - np.eye(len(x))).max() > 1e-12 and k < n:
        x = (x + np.linalg.inv(x)) / 2
        k += 1
    return x, k


@pytest.mark.parametrize("compile", [False, True])
def test_in_branches_and_loops(compile):
    with tracejit.config(compile=compile):
        g = tracejit.function(steps, on_unsupported="error")
        h = tracejit.function(iterated, on_unsupported="error")
        stack = np.concatenate([STACK] * 8)
        b = RNG.normal(size=len(stack))
        np.testing.assert_allclose(g(stack, b), steps(stack, b), rtol=1e-12)
        unused = stack.copy()
        unused[b <= 0] = np.eye(4)
        unused[np.flatnonzero(b <= 0)[0]] = 0  # its determinant alone is asked for
        np.testing.assert_allclose(g(unused, b), steps(unused, b), rtol=1e-12)
        unused[np.flatnonzero(b > 0)[1]] = 0
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            g(unused, b)
        (x, k), (y, count) = h(SQUARE, 100), iterated(SQUARE, 100)
        assert k == count
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)
        with pytest.raises(np.linalg.LinAlgError, match="Singular"):
            h(SQUARE * 0, 100)


# What the values decide -------------------------------------------------------------------------


def eigen(x):
    return np.linalg.eig(x)


def eigenvalues(x):
    return np.linalg.eigvals(x)


def least_squares(a, b):
    return np.linalg.lstsq(a, b)


@pytest.mark.parametrize("compile", [False, True])
@pytest.mark.parametrize("f", [eigen, eigenvalues])
def test_eigenvalues_are_real_if_all_of_them_are(f, compile):
    turning = np.array([[0.0, 1.0], [-1.0, 0.0]])
    with tracejit.config(compile=compile):
        g = tracejit.function(f, on_unsupported="error")
        for x in (np.diag([1.0, 2.0]), turning, SQUARE + SQUARE.T, np.stack([np.eye(2), turning]),
                  turning.astype("f"), np.eye(2, dtype="f"), np.arange(4).reshape(2, 2),
                  turning, np.diag([1.0, 2.0])):  # fmt: skip
            got, want = g(x), f(x)
            assert type(got) is type(want)
            results = [r if isinstance(r, tuple) else (r,) for r in (got, want)]
            for y, z in zip(*results, strict=True):
                assert y.dtype == z.dtype
                np.testing.assert_array_equal(y, z)
        for x in (np.full((2, 2), np.nan), np.full((2, 2), np.inf)):
            with pytest.raises(np.linalg.LinAlgError, match="infs or NaNs"):
                g(x)


@pytest.mark.parametrize("compile", [False, True])
def test_residuals_are_there_if_the_rank_is_full(compile):
    lacking = np.repeat(TALL[:, :1], 3, 1)
    with tracejit.config(compile=compile):
        g = tracejit.function(least_squares, on_unsupported="error")
        cases = (
            (TALL, VECTOR[:5]), (lacking, VECTOR[:5]), (TALL, np.ones((5, 2))),
            (lacking.astype("F"), np.ones((5, 2))), (TALL.T, np.ones((3, 2))),
        )  # fmt: skip
        cases += ((TALL, np.ones((5, 0))), (TALL[:0], np.ones((0, 2))), (TALL[:0], np.ones((0, 0))))
        for a, b in cases:
            got, want = g(a, b), least_squares(a, b)
            for x, y in zip(got, want, strict=True):
                assert (type(x), x.dtype, x.shape) == (type(y), y.dtype, y.shape)
                np.testing.assert_array_equal(x, y)
