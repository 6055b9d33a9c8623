"""Details of NumPy's functions over numbers: signatures, special values, dtypes, orders of work."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit


def shown(result: Any) -> Any:
    """All of a result: classes, dtypes (``longlong`` is not ``int64``), signs of zeros."""
    if isinstance(result, (tuple, list)):
        return type(result), [shown(x) for x in result]
    if not isinstance(result, (np.ndarray, np.generic)):
        return type(result), repr(result)
    x = np.asarray(result)
    bits: Any = x.tolist()
    if x.dtype.kind in "fc":
        bits = repr(bits), np.signbit(np.where(np.isnan(x.real), 1, x.real)).tolist()
    return type(result), x.dtype.char, x.shape, bits


def run(f: Callable[..., Any], args: Any) -> Any:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return shown(f(*args))
        except Exception as error:
            return next(c for c in type(error).__mro__ if c.__module__ != "tracejit.errors")


def agrees(f: Callable[..., Any], *args: Any, mode: str = "warn") -> None:
    with tracejit.config(compile=False):
        assert run(tracejit.function(f, on_unsupported=mode), args) == run(f, args)


def expression(text: str) -> Callable[..., Any]:
    made: Callable[..., Any] = eval(f"lambda x, n, s: {text}", {"np": np})
    return made


# Signatures -------------------------------------------------------------------------------------

#: Of x (two ones), n (the Python number 3) and s (the int8 5).
COMPILED = """
np.arange(0, 5, 1, np.float64) + n; np.arange(n, 9, 2, np.int32); np.arange(n, dtype=np.int8)
np.arange(s); np.arange(s, s + 5); np.arange(0, s); np.arange(np.uint8(n)); np.arange(n, None, 2)
np.arange(np.float32(n)); np.arange(np.uint64(n)); np.arange(np.float16(3)); np.arange(n, stop=9)
np.arange(start=1, stop=n); np.arange(stop=n, step=2); np.arange(0, 1, 0.25, "f4") + 0 * x[:1]
np.arange(0, n, 0.5); np.arange(n, 0, -1); np.arange(n, dtype=complex); np.arange(n, device="cpu")
np.arange(0, 5, 1, None) + n; np.arange(0, n, np.int8(1)); np.arange(n, like=None)
np.zeros(n); np.zeros((n, 2), np.float32, "F"); np.zeros(shape=n, dtype=None); np.zeros(())
np.ones((n, 2), int, "F"); np.ones(shape=(n,), dtype=bool, order="C"); np.ones(n, like=None)
np.full((n, 2), 1.5, int, "F"); np.full(n, s); np.full(n, fill_value=2, dtype=float); np.full(n, n)
np.full((n, 2), x); np.full((n, 2), [1, 2]); np.full(n, True); np.full(n, 1j); np.full(n, 1.7, int)
np.zeros_like(x, int); np.zeros_like(x, dtype="f4", order="F"); np.zeros_like(x, shape=(n, 2))
np.zeros_like(n); np.zeros_like(s); np.zeros_like([n, 2.0]); np.zeros_like(x, device="cpu")
np.ones_like(x, bool); np.ones_like(x, None, "K", True, (n, n)); np.full_like(x, 2.5, int)
np.full_like(n, 2.5); np.full_like(x, [1, 2]); np.full_like(x, 2, None, "F", True, (n, 3))
np.eye(n, 4, 1); np.eye(n, k=n); np.eye(n, 4, -1, bool, "F"); np.eye(n, k=-n); np.eye(s, k=s)
np.identity(n, int); np.tri(n, 4, 1); np.tri(n, k=n); np.tri(N=n, M=2, k=-n); np.tri(n, k=s)
np.triu(np.ones((3, 4)), n); np.triu(np.ones((3, 4)), k=n - 2); np.tril(np.ones((3, 4)), -n)
np.tril(np.ones((2, 3, 4)), n - 2); np.triu(x, n - 3); np.tril(x, s); np.triu([[1, 2], [n, 4]])
np.diag(x, n); np.diag(x, -n); np.diag(x, k=s); np.diag(np.ones((3, 4)), n - 2); np.diag([1, n])
np.diagonal(np.ones((3, 4)), n - 3); np.trace(np.ones((3, 4)), n - 2); np.repeat(x, n)
np.rot90(np.ones((2, 3)), n); np.rot90(np.arange(6).reshape(2, 3) + n, -n, (1, 0))
np.roll(np.arange(5) + n, n); np.roll(np.arange(6).reshape(2, 3) + n, (n, 1), (0, 1))
np.repeat(np.ones((2, 3)) * n, n, 1); np.repeat(x, s); np.tile(x, n); np.tile(x, (n, 2))
np.linspace(0, n, 5, False); np.linspace(0, n, 5, True, True); np.linspace(0, n, 1, retstep=True)
np.linspace(0, n, 0, retstep=True); np.linspace(x, 2 * x, 4, axis=1)
np.linspace(-n, n, 6, dtype=int)
np.array(()) + 0 * n; np.array([[], []]) + n; np.array(((), ())) * n; np.array([[[]]], int) * n
np.array([n, True]); np.array([n, 1j]); np.array([n, s]); np.array([x, [1, 2]]); np.array(range(n))
np.array([range(n), range(n)]) * n; np.array([x[0], x[1]], "f4"); np.array([x, x], order="F")
np.ix_([n, 2], x > 0); np.meshgrid(x, [n, 2], copy=False, sparse=True); np.array([1.5, n], int)
"""
#: What NumPy refuses, and what runs in NumPy.
REFUSED = """
np.arange(start=n); np.arange(n, device="gpu"); np.arange(0, 5, 1, float, n); np.arange(step=n)
np.arange(0, 5, 1, float, dtype=int); np.arange(0, 5, 1, start=n); np.arange(0, n, 0); np.arange()
np.zeros((n, 2), order="X"); np.zeros((n, 2), order="K"); np.zeros(n, device="gpu"); np.zeros(-n)
np.zeros(n, foo=1); np.ones(n, foo=1); np.full(n, 300, np.uint8); np.full(n, -1, np.uint8)
np.full((n, 3), x); np.full_like(x, np.ones((2, 2))); np.full_like(s, 300); np.eye(n, device="x")
np.zeros_like(x, order="Q"); np.zeros_like(x, device="gpu"); np.zeros_like(x, foo=n)
np.eye(n, foo=2); np.eye(n, k=1.5); np.tri(n, 4, 1.5); np.diag(n); np.triu(n); np.roll(x, 1.5)
np.array([[n], []]); np.array([n, [1]]); np.array([n, 300], np.uint8); np.linspace(0, n, 2.5)
np.linspace(0, n, -1); np.linspace(0, n, 5, device="gpu"); np.linspace(0, n, 5, foo=n)
np.repeat(x, -n); np.repeat(x, [n, 1]); np.tile(x, np.array([2, 1])); np.repeat(x, 1.0)
np.logspace(0, n, 5); np.geomspace(1, n, 4); np.indices((n, 2)); np.fromfunction(max, (n, 2))
np.zeros(n, np.longlong); np.arange(np.longlong(n)); np.clip(x, 0, 1, min=0); np.zeros(range(n))
"""


@pytest.mark.parametrize("mode, texts", [("error", COMPILED), ("warn", REFUSED)])
def test_signatures(mode: str, texts: str) -> None:
    for text in texts.replace("\n", ";").split(";"):
        if text.strip():
            agrees(expression(text.strip()), np.ones(2), 3, np.int8(5), mode=mode)


def test_counts_and_orders_that_are_asked_for() -> None:
    f = tracejit.function(lambda n: (np.zeros((n, 2), order="F"), np.eye(n, 3, order="F")))
    ones = tracejit.function(lambda x: np.ones_like(x, order="F"))(np.ones((1, 2, 3)))
    for x in (*f(3), ones):
        assert x.flags.f_contiguous


def test_diagonals_by_an_argument_are_one_path_a_side() -> None:
    f = tracejit.function(lambda x, k: (np.triu(x, k), np.tril(x, k), np.eye(4, k=k)))
    x = np.arange(16.0).reshape(4, 4)
    for k in (1, 2, 3, -1, -2, 0, 7):
        assert shown(f(x, k)) == shown((np.triu(x, k), np.tril(x, k), np.eye(4, k=k)))
    assert f.stats.traces <= 4


# Special values ---------------------------------------------------------------------------------


def values(char: str) -> np.ndarray:
    dtype = np.dtype(char)
    if dtype.kind == "b":
        return np.array([True, False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([info.min, max(info.min, -1), 0, 1, 5, info.max], dtype)
    top, low = (float(v) for v in (np.finfo(dtype).max, np.finfo(dtype).tiny))
    parts = [0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, top, low]
    if dtype.kind == "f":
        return np.array(parts, dtype)
    return np.array([complex(a, b) for a in parts[:5] for b in parts[:4]], dtype)


def at(ufunc: np.ufunc, x: Any, y: Any) -> Any:
    z = x.copy()
    ufunc.at(z, np.array([0, 1, 0]), y)
    return z


EXTREMES = {
    "sum of nothing": lambda x: np.sum(x[:0], initial=-0.0),
    "sum": lambda x: (np.sum(x[1:2], initial=-0.0), np.sum(x, initial=3), np.sum(x, initial=-0.0)),
    "sum where": lambda x: (np.sum(x, where=x == x), np.sum(x, where=x != 0, initial=3)),
    "prod": lambda x: (np.prod(x, initial=2), np.prod(x, initial=1e-3), np.prod(x[:0], initial=2)),
    "prod where": lambda x: (np.prod(x, where=x != 0), np.prod(x, where=x != 0, initial=3)),
    "max": lambda x: (np.max(x), np.max(x, initial=0), np.max(x, initial=1, where=x > 0)),
    "min": lambda x: (np.min(x), np.min(x, initial=0), np.min(x, initial=1, where=x > 0)),
    "of zeros": lambda x: (np.max(x[:2]), np.min(x[1::-1]), np.maximum(x[:2], x[1::-1])),
    "pairs": lambda x: (np.minimum(x, x[::-1]), np.fmax(x, x[::-1]), np.fmin(x, x[::-1])),
    "initial 1.5": lambda x: np.max(x, initial=1.5),
    "initial nan": lambda x: np.min(x, initial=np.nan),
    "initial 300": lambda x: np.max(x, initial=300),
    "initial -1": lambda x: np.sum(x, initial=-1),
    "initial x[0]": lambda x: np.max(x, initial=x[0]),
    "initial None": lambda x: np.add.reduce(x, initial=None),
    "initial None of nothing": lambda x: np.add.reduce(x[:0], initial=None),
    "bits": lambda x: np.bitwise_and.reduce(x, where=x > 0, initial=1),
    "clip": lambda x: (np.clip(x, 0, 1), x.clip(0, 1), np.clip(x, min=0, max=1)),
    "clip half": lambda x: (np.clip(x, None, 1), np.clip(x, 0, None), x.clip(max=1)),
    "clip none": lambda x: (np.clip(x, None, None), np.clip(x), x.clip()),
    "clip swapped": lambda x: np.clip(x, 2, 1),
    "clip floats": lambda x: np.clip(x, 0.5, 1.5),
    "clip nan": lambda x: (np.clip(x, np.nan, 1), np.clip(x, 0, np.nan)),
    "clip zeros": lambda x: (np.clip(x, -0.0, 0.0), np.clip(x, 0.0, -0.0)),
    "clip all": lambda x: (np.clip(x, -1000, 1000), np.clip(x, -np.inf, np.inf)),
    "clip above": lambda x: np.clip(x, 300, 400),
    "clip below": lambda x: np.clip(x, -400, -300),
    "clip huge": lambda x: np.clip(x, 0, 2**70),
    "clip -huge": lambda x: np.clip(x, -(2**70), 5),
    "clip arrays": lambda x: np.clip(x, x[::-1], x),
    "clip typed": lambda x: (np.clip(x, np.int8(0), np.int8(1)), np.clip(x, np.float32(0), 1.0)),
    "clip lists": lambda x: np.clip(x, [0], [1]),
    "clip bools": lambda x: np.clip(x, False, True),
    "clip complex": lambda x: np.clip(x, 1j, 2),
    "clip dtype": lambda x: np.clip(x, 0, 1, dtype=np.float64),
    "clip scalar": lambda x: np.clip(x[0], 0, 1),
    "add.at": lambda x: at(np.add, x, x[:3]),
    "add.at 1": lambda x: at(np.add, x, 1),
    "add.at -1": lambda x: at(np.add, x, -1),
    "add.at 0.1": lambda x: at(np.add, x, 0.1),
    "add.at int8": lambda x: at(np.add, x, np.int8(1)),
    "add.at int64": lambda x: at(np.add, x, np.int64(2)),
    "add.at uint64": lambda x: at(np.add, x, np.uint64(2)),
    "add.at complex": lambda x: at(np.add, x, np.complex64(2)),
    "subtract.at": lambda x: at(np.subtract, x, 1),
    "maximum.at": lambda x: at(np.maximum, x, 2),
    "isreal": lambda x: (np.isreal(x), np.iscomplex(x), np.isreal(x[0]), np.imag(x[0])),
    "longlong": lambda x: (x + np.longlong(1), x.astype(np.ulonglong)),
    "int64": lambda x: (x + np.int64(1), x / 2, np.sum(x), np.cumsum(x)),
}  # fmt: skip


@pytest.mark.parametrize("char", list("?bBhHiIlLqQefdFD"))
def test_special_values_of_every_dtype(char: str) -> None:
    for f in EXTREMES.values():
        agrees(f, values(char))


COMPILED_EXTREMES = ["sum", "prod", "prod where", "clip", "clip nan", "clip zeros", "clip arrays"]


@pytest.mark.parametrize("char", list("iefdD"))
def test_in_machine_code(char: str) -> None:
    for name in COMPILED_EXTREMES:
        f = EXTREMES[name]
        assert run(tracejit.function(f), (values(char),)) == run(f, (values(char),)), name


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_a_product_begins_with_initial(axis: Any) -> None:
    def f(x: Any) -> Any:
        return np.prod(x, axis=axis, initial=1e-300)

    for x in ([[1e200, 1e200]], [[1e200], [1e200]], [[1e200, 1e-200], [1e200, 1e-200]]):
        assert run(tracejit.function(f), (np.array(x),)) == run(f, (np.array(x),))
    assert tracejit.function(lambda x: np.prod(x, initial=1e-300))(np.array([1e200] * 2)) == 1e100


@pytest.mark.parametrize("x", [3, 2.5, 1j, True, np.float64(2), np.complex128(1 + 2j), np.int8(1)])
def test_what_is_real(x: Any) -> None:
    for f in (np.isreal, np.iscomplex, np.isrealobj, np.iscomplexobj):
        agrees(expression(f"np.{f.__name__}(x)"), x, 1, 1)


def test_longlong_is_a_dtype_of_its_own() -> None:
    f = tracejit.function(lambda x: x + 1, on_unsupported="warn")
    assert f(np.ones(2, np.int64)).dtype.char == np.dtype(np.int64).char
    for x in (np.ones(2, np.longlong), np.longlong(1), np.ones(2, np.ulonglong)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert f(x).dtype.char == (x + 1).dtype.char
    assert f.stats.traces == 1


# Ranges as indices ------------------------------------------------------------------------------


@pytest.mark.parametrize("f", [
    lambda p, y: p[range(3), y],
    lambda p, y: p[range(p.shape[0]), y],
    lambda p, y: p[range(len(y)), y],
    lambda p, y: p[range(2, -1, -1)],
    lambda p, y: p[range(0)],
    lambda p, y: np.take(p, range(2), 0),
    lambda p, y: np.array(range(4)) + p,
])  # fmt: skip
def test_ranges_are_arrays(f: Any) -> None:
    agrees(f, np.arange(12.0).reshape(3, 4), np.array([1, 0, 2]), mode="error")


def test_a_range_is_written_to() -> None:
    def f(p: Any) -> Any:
        q = p.copy()
        q[range(2)] = 9
        return q

    agrees(f, np.arange(12.0).reshape(3, 4), mode="error")


# Refusals of Python's and NumPy's own ------------------------------------------------------------


@pytest.mark.parametrize("number", [2.5, 1j, True, 3, np.float32(2.5), np.float64(2.5), np.int8(3),
                                    np.bool_(True), np.array(2.5), np.array([2.5])])  # fmt: skip
@pytest.mark.parametrize("f", [
    lambda k: k >> 1, lambda k: k << 1, lambda k: 1 << k, lambda k: k >> k, lambda k: round(k),
    lambda k: round(k, 1), math.trunc, math.floor, math.ceil, lambda k: k.item(),
    lambda k: k.tolist(), lambda k: np.float64(k) is k, lambda k: np.array([1.0], ndmin=k),
])  # fmt: skip
def test_what_numbers_do_not_have(f: Any, number: Any) -> None:
    agrees(lambda k: f(k), number)


@pytest.mark.parametrize("f", [
    lambda x, k: x.reshape(k, -1), lambda x, k: x.sum(k), lambda x, k: np.zeros(k),
    lambda x, k: np.cumsum(x, axis=k), lambda x, k: np.broadcast_to(x[:1], (k,)),
    lambda x, k: np.concatenate([x, x], axis=k), lambda x, k: x[k], lambda x, k: np.roll(x, k),
    lambda x, k: x.T.transpose((k,)), lambda x, k: x.sum((k, 0)), lambda x, k: np.eye(k),
])  # fmt: skip
def test_truth_values_as_integers(f: Any) -> None:
    for k in (True, False, np.True_):
        agrees(f, np.arange(3.0), k)
    agrees(lambda x, k: f(x, k > 0), np.arange(3.0), 1)


def test_complex_numbers_in_place_of_nan() -> None:
    for k in (1j, np.complex64(2), 1.0):
        agrees(lambda x, k: np.nan_to_num(x, nan=k), np.array([1.0, np.nan]), k)
        agrees(lambda x, k: np.nan_to_num(x, posinf=k), np.array([1.0, np.inf]), k)


@pytest.mark.parametrize("dtype", ["f4", "f8", "F", "D", "f2", "i4"])
@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4), (1,), (1, 1), (2, 2, 1), (0,), ()])
def test_products_of_an_array_with_a_number(dtype: str, shape: tuple[int, ...]) -> None:
    """BLAS adds the product to zeros, and nothing where the number is 0: NaN is left out."""
    values = [np.nan, -3, 0, np.inf] if dtype[0] in "fFD" else [1, -3, 0, 7]
    size = math.prod(shape)
    x = np.array(values, dtype)[:size].reshape(shape)
    for number in (0.0, -0.0, -2.0, np.nan):
        first = np.array(-2 if dtype == "i4" else number, dtype)[()]
        for s in (first, np.array(number, "f8")):
            agrees(lambda x, s: (np.dot(x, s), np.dot(s, x), np.inner(x, s)), x, s, mode="error")


def test_the_derivative_of_such_a_product_where_the_number_is_0() -> None:
    x = np.array([3.0, -2.0])
    assert tracejit.grad(lambda s: np.dot(x, s).sum())(0.0) == 1.0
