"""Products of matrices that are parts of arrays, which BLAS reads where they lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

RNG = np.random.default_rng(7)
A, B, T = RNG.random((20, 30)), RNG.random((30, 25)), RNG.random((4, 20, 30))

#: Functions of two arrays, and how many loops they are, those over the matrices of a stack aside.
PARTS: dict[str, tuple[Callable[[Any, Any], Any], Any, Any, int]] = {
    "rows and columns": (lambda a, b: a[2:10] @ b[:, 3:], A, B, 0),
    "inner parts": (lambda a, b: a[2:10, :5] @ b[4:9], A, B, 0),
    "every other row": (lambda a, b: a[::2, 5:] @ b[5:], A, B, 0),
    "transposed parts": (lambda a, b: b[:, 2:9].T @ a[3:].T, A, B, 0),
    "a stack, and one for all": (lambda t, b: t @ b, T, B, 1),
    "a matrix of a stack": (lambda t, b: t[2] @ b[:, 1:], T, B, 0),
    "a plane": (lambda t, b: t[:, 1, :] @ b, T, B, 0),
    "a stack that is transposed": (lambda t, b: t.transpose(1, 0, 2) @ b, T, B, 1),
    "matrices that are transposed": (lambda t, b: t @ t.transpose(0, 2, 1), T, B, 1),
    "rows one by one": (lambda t, b: t[:, :, None] @ b, T, B, 2),
    "a column, and a part": (lambda t, b: t[1, :, :1].T @ t[2, :, 3:], T, B, 0),
    "a part, and a column": (lambda t, b: t[1, :, 3:] @ b[3:, 4:5], T, B, 0),
}


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "c16", "i4", "f2"])
@pytest.mark.parametrize("name", PARTS)
def test_parts_are_read_where_they_lie(name: str, dtype: str, layout: str) -> None:
    function, a, b, loops = PARTS[name]
    a, b = (np.asarray(9 * x, dtype=dtype, order=layout) for x in (a, b))
    f = tracejit.function(function)
    found, expected = f(a, b), function(a, b)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    if dtype in ("f8", "f4") and name.endswith("and a column"):  # sums, in an order of their own
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    else:
        assert found.tobytes() == expected.tobytes()
        assert f.source(a, b).count("for ") == loops and f.stats.temporaries == 0
    assert f.stats.fallbacks == 0


def test_what_blas_cannot_read_is_copied() -> None:
    """Without neighbours along any axis, or backwards, NumPy's loop takes its time."""
    for part in (lambda a: a[:, ::2], lambda a: a[::-1, 1:]):
        f = tracejit.function(lambda a, b, part=part: part(a) @ b[: part(a).shape[1]])
        np.testing.assert_allclose(f(A, B), part(A) @ B[: part(A).shape[1]], rtol=1e-14)
        assert f.stats.temporaries == 1


#: Views of a diagonal, which goes along two axes of an array at once, in a product.
DIAGONALS: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "of a matrix": (lambda a, b: np.diagonal(a[:, :20]) @ b[:20], A),
    "of a part": (lambda a, b: np.diagonal(a[2:, 9::2]) @ b[:11], A),
    "by einsum": (lambda a, b: np.einsum("ii->i", a[:, :20]) @ b[:20, 3], A),
    "of a stack": (lambda t, b: np.diagonal(t, axis1=0, axis2=1) @ b[:4], T),
    "of a stack, by einsum": (lambda t, b: np.einsum("iij,jk->ik", t[:, :4], b), T),
    "behind": (lambda a, b: b[:20].T @ np.diagonal(a), A),
    "and itself": (lambda a, b: (np.diagonal(a), np.diagonal(a) @ b[:20]), A),
}


@pytest.mark.parametrize("name", DIAGONALS)
def test_diagonals_are_gathered(name: str) -> None:
    """Where it lies it is no matrix that BLAS reads."""
    function, a = DIAGONALS[name]
    f = tracejit.function(function, on_unsupported="error")
    found, expected = f(a, B), function(a, B)
    several = isinstance(expected, tuple)
    for x, y in zip(
        found if several else [found], expected if several else [expected], strict=True
    ):
        np.testing.assert_allclose(x, y, rtol=1e-13)


def test_what_is_computed_for_a_part_is_no_more_than_the_part() -> None:
    f = tracejit.function(lambda a, b: np.exp(a)[:3] @ b)
    np.testing.assert_allclose(f(A, B), np.exp(A)[:3] @ B, rtol=1e-13)
    assert "range(3)" in f.source(A, B)


def test_parts_by_the_numbers_of_steps_and_by_values() -> None:
    @tracejit.function
    def f(a, ends):
        found = np.zeros((len(ends) - 1, a.shape[1], a.shape[1]))
        for k in range(len(ends) - 1):
            rows = a[ends[k] : ends[k + 1]]
            found[k] = rows.T @ rows
            a[k] = found[k, 0] + a[k + 1 :, 2:5].sum()
        return found

    ends = np.array([0, 3, 3, 9, 20])
    for made, expected in ((f, f.__wrapped__),):
        a, b = A.copy(), A.copy()
        np.testing.assert_allclose(made(a, ends), expected(b, ends), rtol=1e-12)
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert f.stats.fallbacks == 0


def test_products_whose_parts_are_overwritten() -> None:
    def f(a):
        for k in range(3):
            a[k : k + 4] = a[k + 1 : k + 5, :4] @ a[k : k + 4]
        a[:4] = a[4:8, 2:6] @ a[:4]
        return a

    a, b = A.copy(), A.copy()
    np.testing.assert_allclose(tracejit.function(f)(a), f(b), rtol=1e-13)
    np.testing.assert_allclose(a, b, rtol=1e-13)
