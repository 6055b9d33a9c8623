"""Functions of ``tracejit.tensor`` against NumPy: values, dtypes, broadcast patterns, refusals.

Breadth runs in the interpreter (``FAST_COMPILE``); the last test compiles one of each kind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import tracejit
import tracejit.tensor as T
from tracejit.symbolic.elementwise import upgrade_to_float
from tracejit.symbolic.type import TensorType

RNG = np.random.RandomState(7)


def array(dtype: str, *shape: int) -> Any:
    """Numbers in (0, 1) as floats, else small natural numbers: in the domain of every function."""
    kind = np.dtype(dtype).kind
    if kind == "b":
        return np.asarray(RNG.rand(*shape) < 0.5)
    if kind in "iu":
        return np.asarray(RNG.randint(1, 6, shape)).astype(dtype)
    values = np.asarray(RNG.uniform(0.1, 0.9, shape))
    return (values + 1j * RNG.uniform(0.1, 0.9, shape) if kind == "c" else values).astype(dtype)


def variables_of(operands: Any, patterns: Any = None) -> list[Any]:
    """Variables of which `operands` are values; no axis broadcasts, unless `patterns` says so."""
    patterns = patterns or [(False,) * np.ndim(a) for a in operands]
    return [TensorType(a.dtype, p)() for a, p in zip(operands, patterns, strict=True)]


def check(
    function: Callable[..., Any],
    want: Any,
    *operands: Any,
    dtype: Any = None,
    mode: str = "FAST_COMPILE",
    patterns: Any = None,
    traced: bool = True,
) -> Any:
    """`function` of variables gives `want`, a value or NumPy's function; returns the variables.

    Results have `dtype`, or that of `want`, and the types of their variables. Where it is not
    `traced` it runs in plain NumPy, with a warning.
    """
    variables = variables_of(operands, patterns)
    outputs = function(*variables)
    results = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    f = tracejit.function(variables, results, mode=mode)
    with contextlib.ExitStack() as stack:
        if not traced:
            stack.enter_context(tracejit.config(on_unsupported="warn"))
            stack.enter_context(pytest.warns(tracejit.UnsupportedWarning))
        found = f(*operands)
    with np.errstate(all="ignore"):
        expected = want(*operands) if callable(want) else want
    expected = list(expected) if isinstance(outputs, (list, tuple)) else [expected]
    for variable, got, right in zip(results, found, expected, strict=True):
        assert type(got) is np.ndarray
        assert got.dtype == variable.dtype == (dtype or np.asarray(right).dtype)
        assert got.ndim == variable.ndim and got.shape == np.shape(right)
        pairs = zip(got.shape, variable.broadcastable, strict=True)
        assert all(n == 1 for n, b in pairs if b)
        single = got.dtype.itemsize <= 4 or got.dtype == "complex64"
        np.testing.assert_allclose(got, right, rtol=1e-5 if single else 1e-12, atol=1e-30)
    assert f.stats.fallbacks == (0 if traced else 1)
    return outputs


# Elementwise ---------------------------------------------------------------------------------

FLOATS = ("float32", "float64")
NUMBERS = ("int8", "uint8", "int32", "int64", *FLOATS)
COMPLEX = ("complex64", "complex128")

#: Functions of one operand that keep their name, and whose integers become floats.
FLOATING = (
    "exp exp2 expm1 log log2 log10 log1p sqrt sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arctanh deg2rad rad2deg"
).split()


@pytest.mark.parametrize("name", FLOATING)
def test_functions_that_give_floats(name: str) -> None:
    for dtype in (*NUMBERS, "bool"):
        x = array(dtype, 3, 4)
        wide = upgrade_to_float(dtype) if np.dtype(dtype).kind in "biu" else dtype
        check(getattr(T, name), lambda a, w=wide: getattr(np, name)(a.astype(w)), x, dtype=wide)
        assert getattr(T.matrix(dtype="int8"), name)().dtype == "float32"


@pytest.mark.parametrize(
    "function, reference, dtypes",
    [
        (T.abs_, np.abs, (*NUMBERS, *COMPLEX)),
        (T.neg, np.negative, (*NUMBERS, *COMPLEX)),
        (T.sgn, np.sign, NUMBERS),
        (T.sqr, np.square, (*NUMBERS, *COMPLEX)),
        (T.square, np.square, NUMBERS),
        (T.inv, np.reciprocal, FLOATS),
        (T.ceil, np.ceil, FLOATS),
        (T.floor, np.floor, FLOATS),
        (T.trunc, np.trunc, FLOATS),
        (T.floor, lambda a: a, ("int8", "int64")),
        (T.round, np.rint, FLOATS),
        (T.iround, lambda a: np.rint(a).astype("int64"), FLOATS),
        (T.isnan, np.isnan, NUMBERS),
        (T.isinf, np.isinf, NUMBERS),
        (T.invert, np.invert, ("bool", "int8", "uint8", "int64")),
        (T.conj, np.conj, COMPLEX),
        (T.real, np.real, COMPLEX),
        (T.imag, np.imag, COMPLEX),
        (T.angle, np.angle, COMPLEX),
        (T.exp, np.exp, COMPLEX),
        (T.erf, scipy.special.erf, FLOATS),
        (T.erfc, scipy.special.erfc, FLOATS),
        (T.erfinv, scipy.special.erfinv, FLOATS),
        (T.gammaln, scipy.special.gammaln, FLOATS),
        (T.psi, scipy.special.psi, FLOATS),
        (T.arccosh, lambda a: np.arccosh(a), ("float64",)),
        (T.tensor_copy, lambda a: a, ("bool", *NUMBERS)),
    ],
)
def test_functions_of_one_operand(function: Any, reference: Any, dtypes: Any) -> None:
    for dtype in dtypes:
        check(function, reference, array(dtype, 3, 4))
        check(function, reference, array(dtype))


@pytest.mark.parametrize(
    "function, reference, dtypes",
    [
        (T.add, np.add, (*NUMBERS, "bool", *COMPLEX)),
        (T.sub, np.subtract, (*NUMBERS, *COMPLEX)),
        (T.mul, np.multiply, (*NUMBERS, "bool", *COMPLEX)),
        (T.int_div, np.floor_divide, NUMBERS),
        (T.mod, np.remainder, NUMBERS),
        (T.pow, np.power, NUMBERS),
        (T.power, np.power, FLOATS),
        (T.maximum, np.maximum, NUMBERS),
        (T.minimum, np.minimum, NUMBERS),
        (T.largest, np.maximum, FLOATS),
        (T.smallest, np.minimum, FLOATS),
        (T.arctan2, np.arctan2, FLOATS),
        (T.lt, np.less, NUMBERS),
        (T.le, np.less_equal, NUMBERS),
        (T.gt, np.greater, NUMBERS),
        (T.ge, np.greater_equal, NUMBERS),
        (T.eq, np.equal, (*NUMBERS, *COMPLEX)),
        (T.neq, np.not_equal, NUMBERS),
        (T.and_, np.bitwise_and, ("bool", "int8", "int64")),
        (T.or_, np.bitwise_or, ("bool", "int8", "int64")),
        (T.xor, np.bitwise_xor, ("bool", "int8", "int64")),
        (T.isclose, np.isclose, FLOATS),
        (T.complex, lambda a, b: a + 1j * b, ("float64",)),
        (T.complex_from_polar, lambda a, b: a * np.exp(1j * b), ("float64",)),
        (T.divmod, np.divmod, NUMBERS),
        (T.ceil_intdiv, lambda a, b: -(-a // b), ("int32", "int64")),
    ],
)
def test_functions_of_two_operands(function: Any, reference: Any, dtypes: Any) -> None:
    for first in dtypes:
        a = array(first, 3, 4)
        check(function, reference, a, array(first, 3, 4))
        check(function, reference, a, array(first))
        check(function, reference, a, array(first, 4))
        check(function, reference, a, array(first, 3, 1), patterns=[(False, False), (False, True)])
    if len(dtypes) == len(NUMBERS):
        check(function, reference, array("int32", 3), array("float32", 3))
        check(function, reference, array("int64", 3), array("uint8", 3))


def test_dtypes_follow_numpys_rule_for_arrays() -> None:
    i, j, f = T.ivector(), T.lvector(), T.fvector()
    assert (i + f).dtype == "float64" and (j * f).dtype == "float64"
    assert (T.bvector() + T.fvector()).dtype == "float32"
    assert T.add(i, j, f).dtype == "float64"


@pytest.mark.parametrize(
    "value, dtype",
    [
        (1, "int8"),
        (-128, "int8"),
        (128, "int16"),
        (40_000, "int32"),
        (2**40, "int64"),
        (0.5, "float32"),
        (0.1, "float64"),
        (float("inf"), "float32"),
        (float("nan"), "float32"),
        (1j, "complex128"),
        (np.float64(0.5), "float64"),
        (np.int64(1), "int64"),
        ([1, 2], "int64"),
    ],
)
def test_constants_take_the_smallest_dtype(value: Any, dtype: str) -> None:
    assert T.as_tensor_variable(value).dtype == dtype
    with tracejit.change_flags(floatX="float32"):
        single = "float32" if isinstance(value, float) and type(value) is float else dtype
        assert T.as_tensor_variable(value).dtype == single


def test_constants_do_not_widen_arrays() -> None:
    x = T.fvector()
    assert (x + 1).dtype == (x * 0.5).dtype == (x**2).dtype == (2 - x).dtype == "float32"
    assert (x + 0.1).dtype == "float64"
    assert (T.bvector() + 1).dtype == "int8" and (T.bvector() + 200).dtype == "int16"
    assert T.constant(np.ones((1, 3))).broadcastable == (True, False)
    assert T.constant([1, 2], ndim=2).broadcastable == (True, False)


def test_quotients_of_integers_are_floatx() -> None:
    a, b = array("int32", 5), array("int8", 5)
    check(lambda x, y: x / y, lambda x, y: x / y.astype(float), a, b, dtype="float64")
    with tracejit.change_flags(floatX="float32"):
        check(lambda x, y: x / y, lambda x, y: (x / y).astype("f4"), a, b, dtype="float32")
    check(lambda x: x / 2, lambda x: x / np.float32(2), array("float32", 5))
    check(lambda x: 7 // x, lambda x: 7 // x, -array("int64", 5))
    check(lambda x: x % -3, lambda x: x % -3, array("int64", 5))
    with pytest.raises(TypeError):
        T.zvector() // 2
    with pytest.raises(TypeError):
        T.zvector() % 2


def test_booleans() -> None:
    x = T.vector(dtype="bool")
    assert (x + x).dtype == "bool" and (~x).dtype == "bool" and (x * 1).dtype == "int8"
    for function in (T.neg, T.sgn):
        with pytest.raises(TypeError):
            function(x)
    assert T.lt(T.vector(), 0).dtype == "bool" and T.isnan(T.vector()).dtype == "bool"
    for value in (True, np.True_):
        with pytest.raises(T.AsTensorError, match="eq"):
            T.as_tensor_variable(value)


@pytest.mark.parametrize("exponent", [2, 1, 0, 3, -1, 0.5, 1.5])
def test_powers_of_constants(exponent: Any) -> None:
    check(lambda x: x**exponent, lambda x: x ** np.float32(exponent), array("float32", 4))
    check(lambda x: x**exponent, lambda x: x**exponent, array("float64", 4))
    if isinstance(exponent, int) and exponent >= 0:
        check(lambda x: x**exponent, lambda x: x**exponent, array("int64", 4))


def test_rounding() -> None:
    x = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, np.nan, np.inf])
    check(T.round, np.rint, x)
    check(lambda v: v.round("half_to_even"), np.rint, x)
    away = np.array([-3, -2, -1, 1, 2, 3, np.nan, np.inf])
    check(lambda v: T.round(v, "half_away_from_zero"), away, x)
    with pytest.raises(ValueError):
        T.round(T.vector(), "up")


def test_signs_and_infinities() -> None:
    x = np.array([-2.0, -0.0, 0.0, 3.0, np.nan, np.inf])
    check(T.sgn, np.sign, x)
    y = np.array([-2.0, 0.0, 1e-9, np.nan, np.nan, np.inf])
    for equal_nan in (False, True):
        check(
            lambda a, b, e=equal_nan: [f(a, b, equal_nan=e) for f in (T.isclose, T.allclose)],
            lambda a, b, e=equal_nan: [f(a, b, equal_nan=e) for f in (np.isclose, np.allclose)],
            x,
            y,
        )


def test_switch_and_clip() -> None:
    a, b = array("float32", 3, 4), array("int8", 4)
    c = array("bool", 3, 4)
    check(T.switch, np.where, c, a, b)
    check(T.where, np.where, c, a, array("float64"))
    check(
        lambda x, y: T.switch(x, y, 0), lambda x, y: np.where(x, y, y * 0), array("int8", 4), a[0]
    )
    check(lambda x: T.clip(x, 0.25, 0.5), lambda x: np.clip(x, np.float32(0.25), 0.5), a)
    check(lambda x: x.clip(2, 3), lambda x: np.clip(x, 2, 3), array("int64", 9))
    check(T.clip, np.clip, array("float64", 9), array("float64"), array("float64"))


@pytest.mark.parametrize("dtype", NUMBERS)
def test_cast(dtype: str) -> None:
    x = array("float64", 4) * 5
    check(lambda v: T.cast(v, dtype), lambda a: a.astype(dtype), x)
    check(lambda v: v.astype(dtype), lambda a: a.astype(dtype), x)
    assert T.cast(T.vector(), "floatX").dtype == "float64"
    with pytest.raises(TypeError):
        T.cast(T.zvector(), dtype)
    with pytest.raises(TypeError):
        T.cast(T.vector(), "text")


# Reductions ----------------------------------------------------------------------------------

AXES: Any = (None, 0, 1, -1, (0, 2), (0, 1, 2), [1])


def axis_of(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


@pytest.mark.parametrize("name", "sum prod mean max min var std any all".split())
def test_reductions(name: str) -> None:
    for dtype in (*FLOATS, "int32", "bool"):
        if dtype == "bool" and name in ("var", "std"):
            continue
        x = array(dtype, 2, 3, 4)
        for axis in AXES:
            for keepdims in (False, True):

                def want(a: Any, axis: Any = axis, keepdims: bool = keepdims) -> Any:
                    wide = (
                        a
                        if name in ("max", "min", "any", "all") or a.dtype != "float32"
                        else a.astype("f8")
                    )
                    result = getattr(np, name)(wide, axis=axis_of(axis), keepdims=keepdims)
                    return result if wide is a else result.astype("float32")

                def function(v: Any, axis: Any = axis, keepdims: bool = keepdims) -> Any:
                    return getattr(T, name)(v, axis=axis, keepdims=keepdims)

                check(function, want, x)
    assert getattr(T.tensor3(), name)(axis=1, keepdims=True).broadcastable == (False, True, False)
    assert getattr(T.tensor3(), name)(keepdims=True).broadcastable == (True, True, True)
    with pytest.raises(ValueError):
        getattr(T, name)(T.matrix(), axis=2)


@pytest.mark.parametrize(
    "dtype, total, mean",
    [
        ("int8", "int64", "float64"),
        ("int64", "int64", "float64"),
        ("bool", "int64", "float64"),
        ("uint8", "uint64", "float64"),
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("complex64", "complex64", "complex64"),
    ],
)
def test_dtypes_of_sums_and_means(dtype: str, total: str, mean: str) -> None:
    x = T.matrix(dtype=dtype)
    assert x.sum().dtype == x.prod(axis=0).dtype == total
    assert x.mean().dtype == mean and x.mean().name == "mean"
    assert x.sum(dtype="complex128").dtype == "complex128"


def test_single_sums_are_added_in_double() -> None:
    x = np.full(200_000, 0.1, "float32")
    check(T.sum, lambda a: np.float32(a.sum(dtype="float64")), x)
    check(T.mean, lambda a: np.float32(a.mean(dtype="float64")), x)
    check(lambda v: v.sum(acc_dtype="float32"), lambda a: a.sum(dtype="float32"), x[:100])
    check(lambda v: v.sum(dtype="float64"), lambda a: a.sum(dtype="float64"), x)
    for wrong in ({"acc_dtype": "int32"}, {"dtype": "int64"}):
        with pytest.raises(TypeError):
            T.fvector().sum(**wrong)


def test_variances() -> None:
    x = array("float64", 3, 4)
    for axis in (None, 0, 1):
        check(lambda v, a=axis: T.var(v, a, ddof=1), lambda v, a=axis: np.var(v, a, ddof=1), x)
        check(lambda v, a=axis: T.std(v, a, corrected=True), lambda v, a=axis: np.std(v, a), x)


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_positions(name: str) -> None:
    reference = getattr(np, name)
    for dtype in NUMBERS:
        x = array(dtype, 3, 4, 5)
        for axis in (None, 0, 1, -1):
            check(
                lambda v, a=axis: getattr(T, name)(v, a), lambda v, a=axis: reference(v, a), x,
                dtype="int64",
            )  # fmt: skip
        check(
            lambda v: getattr(v, name)((0, 2)),
            lambda v: reference(np.moveaxis(v, 1, 0).reshape(4, 15), 1),
            x,
        )
    assert getattr(T.matrix(), name)(axis=1, keepdims=True).broadcastable == (False, True)
    check(getattr(T, name), reference, np.array([1.0, np.nan, 3.0]))


def test_max_and_argmax() -> None:
    x = array("float64", 3, 4)
    found = check(lambda v: T.max_and_argmax(v, axis=1), lambda a: [a.max(1), a.argmax(1)], x)
    assert isinstance(found, list)
    check(lambda v: T.max_and_argmax(v), lambda a: [a.max(), a.argmax()], x)
    check(
        lambda v: T.max_and_argmax(v, (0, 1), keepdims=True),
        lambda a: [a.max(keepdims=True), a.argmax(keepdims=True)],
        x,
    )


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_running_sums(axis: int | None) -> None:
    for dtype in ("int32", "int64", *FLOATS):
        x = array(dtype, 3, 4)
        check(lambda v: v.cumsum(axis), lambda a: a.cumsum(axis, dtype=a.dtype), x)
        check(lambda v: T.cumprod(v, axis), lambda a: a.cumprod(axis, dtype=a.dtype), x)
    x = array("float64", 3, 4)
    check(lambda v: v.ptp(axis), lambda a: np.ptp(a, axis), x)
    for order in (None, 0, 1, 2, 3, np.inf, -np.inf):
        check(
            lambda v, o=order: T.norm(v, o, axis) if o is None else v.norm(o, axis),
            lambda a, o=order: _norm(a, o, axis),
            x,
            dtype="int64" if order == 0 else None,
        )
    check(
        lambda v: T.logsumexp(v * 1000, axis=axis),
        lambda a: scipy.special.logsumexp(a * 1000, axis=axis),
        x,
    )


def _norm(a: Any, order: Any, axis: Any) -> Any:
    if order == 0:
        return (a != 0).sum(axis)
    return np.linalg.norm(a.ravel() if axis is None else a, order, axis)


# Shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function, reference, shapes",
    [
        (lambda x: x.T, lambda a: a.T, [(2, 3)]),
        (lambda x: x.transpose(), lambda a: a.T, [(2, 3, 4)]),
        (lambda x: x.transpose(1, 0, 2), lambda a: a.transpose(1, 0, 2), [(2, 3, 4)]),
        (lambda x: x.transpose((2, 0, 1)), lambda a: a.transpose(2, 0, 1), [(2, 3, 4)]),
        (lambda x: T.transpose(x, (1, 0)), lambda a: a.T, [(2, 3)]),
        (lambda x: x.dimshuffle("x", 0), lambda a: a[None], [(3,)]),
        (lambda x: x.dimshuffle(1, "x", 0), lambda a: a.T[:, None], [(2, 3)]),
        (lambda x: x.swapaxes(0, 2), lambda a: a.swapaxes(0, 2), [(2, 3, 4)]),
        (lambda x: x.flatten(), lambda a: a.ravel(), [(), (3,), (2, 3, 4)]),
        (lambda x: x.ravel(), lambda a: a.ravel(), [(2, 3)]),
        (lambda x: x.flatten(2), lambda a: a.reshape(2, -1), [(2, 3, 4)]),
        (lambda x: T.flatten(x, outdim=2), lambda a: a.reshape(2, -1), [(2, 3, 4)]),
        (lambda x: x.reshape((3, 2)), lambda a: a.reshape(3, 2), [(2, 3), (6,)]),
        (lambda x: x.reshape([-1, 1]), lambda a: a.reshape(-1, 1), [(2, 3)]),
        (lambda x: x.reshape((x.size,)), lambda a: a.ravel(), [(2, 3)]),
        (lambda x: x.reshape(x.shape[::-1], 2), lambda a: a.reshape(3, 2), [(2, 3)]),
        (lambda x: x.reshape(T.stack([x.size]), ndim=1), lambda a: a.ravel(), [(2, 3)]),
        (lambda x: x.reshape(x.shape + 0, ndim=2), lambda a: a, [(2, 3)]),
        (
            lambda x: x.reshape((x.shape[0], T.prod(x.shape[1:]))),
            lambda a: a.reshape(2, -1),
            [(2, 3, 4)],
        ),
        (
            lambda x: x.reshape(T.concatenate([x.shape[:1], [4, 3]])),
            lambda a: a.reshape(2, 4, 3),
            [(2, 3, 4)],
        ),
        (lambda x: T.zeros(x.shape * 2 + [0, 1]), lambda a: np.zeros((4, 7)), [(2, 3)]),
        (lambda x: T.zeros(T.maximum(x.shape[1:], 3)), lambda a: np.zeros(3), [(2, 3)]),
        (lambda x: T.shape_padleft(x, 2), lambda a: a[None, None], [(3,)]),
        (lambda x: T.shape_padright(x), lambda a: a[..., None], [(2, 3)]),
        (lambda x: T.shape_padaxis(x, -1), lambda a: a[..., None], [(2, 3)]),
        (lambda x: T.shape_padaxis(x, 1), lambda a: a[:, None], [(2, 3)]),
        (lambda x: x.dimshuffle("x", 0, "x").squeeze(), lambda a: a, [(1,), (3,)]),
        (lambda x: x.shape, lambda a: np.array(a.shape, "int64"), [(3,), (2, 3, 4)]),
        (lambda x: x.size, lambda a: np.int64(a.size), [(3,), (2, 3, 4)]),
        (lambda x: x.copy(), lambda a: a, [(), (2, 3)]),
        (lambda x: T.diag(x), np.diag, [(3,), (3, 3), (2, 3)]),
        (lambda x: T.diag(x, 1), lambda a: np.diag(a, 1), [(3,), (3, 4)]),
        (lambda x: x.diagonal(1), lambda a: a.diagonal(1), [(3, 4)]),
        (lambda x: x.trace(), np.trace, [(3, 3), (2, 3)]),
        (lambda x: T.tril(x), np.tril, [(3, 3), (2, 4)]),
        (lambda x: T.triu(x, 1), lambda a: np.triu(a, 1), [(3, 3), (2, 4)]),
        (lambda x: T.zeros_like(x), np.zeros_like, [(3,), (2, 3)]),
        (lambda x: x.ones_like(), np.ones_like, [(2, 3)]),
        (lambda x: x.fill(np.float64(2)), lambda a: np.full_like(a, 2), [(2, 3)]),
        (lambda x: T.identity_like(x), lambda a: np.eye(*a.shape), [(3, 3), (2, 3)]),
        (lambda x: T.tile(x, 2), lambda a: np.tile(a, 2), [(3,)]),
        (lambda x: T.tile(x, (2, 1)), lambda a: np.tile(a, (2, 1)), [(2, 3), (3,)]),
        (lambda x: T.tile(x, (x.shape[0], 2)), lambda a: np.tile(a, (2, 2)), [(2, 3)]),
        (lambda x: x.repeat(3), lambda a: a.repeat(3), [(3,), (2, 3)]),
        (lambda x: T.repeat(x, 2, axis=1), lambda a: a.repeat(2, 1), [(2, 3)]),
        (lambda x: T.extra_ops.repeat(x, x.shape[0], 0), lambda a: a.repeat(2, 0), [(2, 3)]),
        (lambda x: T.roll(x, 1), lambda a: np.roll(a, 1), [(4,), (2, 3)]),
        (lambda x: T.roll(x, -2, axis=1), lambda a: np.roll(a, -2, 1), [(2, 3)]),
        (lambda x: T.extra_ops.diff(x), np.diff, [(4,), (2, 3)]),
        (lambda x: T.extra_ops.diff(x, 2, 0), lambda a: np.diff(a, 2, 0), [(4, 2)]),
        (lambda x: T.stack([x, x + 1]), lambda a: np.stack([a, a + 1]), [(), (3,), (2, 3)]),
        (lambda x: T.stack([x, x], axis=-1), lambda a: np.stack([a, a], -1), [(3,), (2, 3)]),
        (lambda x: T.stack([x, x], 1), lambda a: np.stack([a, a], 1), [(3,), (2, 3)]),
        (lambda x: T.stack([x]), lambda a: a[None], [(), (3,)]),
        (lambda x: T.stacklists([[x, x], [x, x]]), lambda a: np.array([[a, a]] * 2), [(), (3,)]),
        (lambda x: T.concatenate([x, x]), lambda a: np.concatenate([a, a]), [(3,), (2, 3)]),
        (lambda x: T.concatenate([x, x], -1), lambda a: np.concatenate([a, a], -1), [(2, 3)]),
        (lambda x: T.join(1, x, x, x), lambda a: np.concatenate([a] * 3, 1), [(2, 3)]),
        (lambda x: T.horizontal_stack(x, x), lambda a: np.hstack([a, a]), [(2, 3)]),
        (lambda x: T.vertical_stack(x, x), lambda a: np.vstack([a, a]), [(2, 3)]),
        (lambda x: T.split(x, [1, 2], 2), lambda a: [a[:1], a[1:]], [(3,), (3, 2)]),
        (lambda x: T.split(x, [2, 1], 2, axis=-1), lambda a: [a[:, :2], a[:, 2:]], [(2, 3)]),
        (
            lambda x: T.split(x, T.stack([x.shape[0] - 1, 1]), 2),
            lambda a: [a[:-1], a[-1:]],
            [(3,), (3, 2)],
        ),
    ],
)
def test_shapes(function: Any, reference: Any, shapes: Any) -> None:
    for shape in shapes:
        check(function, reference, array("float64", *shape))


def test_broadcasting_is_static() -> None:
    matrix, one = np.ones((3, 4)), np.ones((1, 4))
    f = tracejit.function(v := variables_of([matrix, one]), v[0] + v[1], mode="FAST_COMPILE")
    with pytest.raises(ValueError, match="mis-match"):
        f(matrix, one)
    row = T.addbroadcast(v[1], 0)
    assert row.broadcastable == (True, False)
    f = tracejit.function(v, v[0] + row, mode="FAST_COMPILE")
    assert f(matrix, one).shape == (3, 4)
    with pytest.raises(ValueError):
        f(matrix, matrix)
    assert T.unbroadcast(T.row(), 0).broadcastable == (False, False)
    assert T.patternbroadcast(T.matrix(), (True, True)).broadcastable == (True, True)
    with pytest.raises(ValueError):
        T.matrix().dimshuffle(0)
    with pytest.raises(ValueError):
        T.matrix().dimshuffle(0, 1, 2)
    assert (T.matrix() + T.col()).broadcastable == (False, False)
    assert (T.row() + T.scalar()).broadcastable == (True, False)
    assert T.concatenate([T.row(), T.row()]).broadcastable == (False, False)
    assert T.squeeze(T.row()).ndim == 1 and T.squeeze(T.matrix()).ndim == 2


def test_lengths_that_do_not_fit_raise_at_run_time() -> None:
    x = T.matrix()
    with pytest.raises(ValueError):
        tracejit.function([x], T.split(x, [1, 1], 2), mode="FAST_COMPILE")(np.ones((3, 2)))
    shaped = T.specify_shape(x, (x.shape[1], 2))
    f = tracejit.function([x], shaped * 1, mode="FAST_COMPILE")
    assert f(np.ones((2, 2))).shape == (2, 2)
    with pytest.raises(ValueError, match="Dimension 0"):
        f(np.ones((3, 2)))
    with pytest.raises(ValueError):
        tracejit.function([x], x.reshape((4, 2)), mode="FAST_COMPILE")(np.ones((3, 2)))
    with pytest.raises(ValueError):
        tracejit.function([x], T.dot(x, x), mode="FAST_COMPILE")(np.ones((3, 2)))
    with pytest.raises(ValueError):
        tracejit.function([x], T.concatenate([x, x.T]), mode="FAST_COMPILE")(np.ones((3, 2)))


def test_refusals_of_joining() -> None:
    with pytest.raises(TypeError):
        T.concatenate(T.matrix())
    with pytest.raises(TypeError):
        T.join(0, T.matrix(), T.vector())
    with pytest.raises(TypeError):
        T.join(0, T.scalar(), T.scalar())
    with pytest.raises(ValueError):
        T.split(T.vector(), [1, 1], 3)
    with pytest.warns(DeprecationWarning):
        assert T.stack(T.vector(), T.vector()).ndim == 2
    assert T.join(0, T.ivector(), T.fvector()).dtype == "float64"


@pytest.mark.parametrize(
    "build, want",
    [
        (lambda n: T.arange(n), lambda n: np.arange(n)),
        (lambda n: T.arange(1, n, 2), lambda n: np.arange(1, n, 2)),
        (lambda n: T.arange(n, 0, -1), lambda n: np.arange(n, 0, -1)),
        (lambda n: T.arange(n, dtype="float32"), lambda n: np.arange(n, dtype="float32")),
        (lambda n: T.arange(n - n, 1, 0.25), lambda n: np.arange(0, 1, 0.25)),
        (lambda n: T.zeros((n, 2)), lambda n: np.zeros((n, 2))),
        (lambda n: T.zeros(n), np.zeros),
        (lambda n: T.ones([n, n], "int32"), lambda n: np.ones((n, n), "int32")),
        (lambda n: T.alloc(7, n, 2), lambda n: np.full((n, 2), 7, "int8")),
        (lambda n: T.alloc(T.arange(n), 3, n), lambda n: np.tile(np.arange(n), (3, 1))),
        (lambda n: T.eye(n), np.eye),
        (lambda n: T.eye(n, 3, 1, "int8"), lambda n: np.eye(n, 3, 1, "int8")),
        (lambda n: T.eye(n, k=-1), lambda n: np.eye(n, k=-1)),
        (lambda n: T.tri(n, 4, 1), lambda n: np.tri(n, 4, 1)),
        (lambda n: T.tri(n), np.tri),
        (lambda n: T.extra_ops.to_one_hot(T.arange(n), 6), lambda n: np.eye(n, 6)),
    ],
)
def test_creation(build: Any, want: Any) -> None:
    n = np.int64(5)
    check(build, want, n)
    narrow = np.array(5, "int32")
    check(build, lambda n: want(int(n)), narrow)


def test_dtypes_of_ranges() -> None:
    assert T.arange(T.bscalar()).dtype == "int64"
    assert T.arange(T.fscalar()).dtype == "float32"
    assert T.arange(0, 1, 0.1).dtype == "float64"
    with tracejit.change_flags(floatX="float32"):
        assert T.arange(0, 1, 0.1).dtype == T.zeros(3).dtype == T.eye(3).dtype == "float32"
    assert T.alloc(1.0, 1, T.iscalar()).broadcastable == (True, False)
    with pytest.raises(TypeError):
        T.alloc(T.matrix(), 3)
    with pytest.raises(ValueError):
        T.zeros(T.lvector())
    assert T.zeros_like(T.imatrix(), "float32").dtype == "float32"


def test_triangles_are_products_with_masks() -> None:
    x, one = np.full((3, 3), np.inf), np.ones((3, 3))
    check(lambda v: [T.tril(v), T.triu(v)], lambda a: [a * np.tril(one), a * np.triu(one)], x)


# Products and sorting ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function, reference, shapes",
    [
        (T.dot, np.dot, [(3,), (3,)]),
        (T.dot, np.dot, [(2, 3), (3,)]),
        (T.dot, np.dot, [(2,), (2, 3)]),
        (T.dot, np.dot, [(2, 3), (3, 4)]),
        (T.dot, np.dot, [(2, 3, 4), (4, 5)]),
        (T.dot, np.dot, [(2, 3, 4), (5, 4, 2)]),
        (T.dot, np.multiply, [(), (2, 3)]),
        (lambda x, y: x.dot(y), np.dot, [(2, 3), (3, 4)]),
        (lambda x, y: x @ y, np.dot, [(2, 3), (3, 4)]),
        (T.outer, np.outer, [(3,), (4,)]),
        (T.outer, np.outer, [(3, 2), (4,)]),
        (T.tensordot, np.tensordot, [(2, 3, 4), (3, 4, 5)]),
        (lambda x, y: T.tensordot(x, y, 1), lambda a, b: np.tensordot(a, b, 1), [(2, 3), (3, 4)]),
        (
            lambda x, y: T.tensordot(x, y, [[1, 2], [0, 1]]),
            lambda a, b: np.tensordot(a, b, [[1, 2], [0, 1]]),
            [(2, 3, 4), (3, 4, 5)],
        ),
        (
            lambda x, y: T.tensordot(x, y, axes=(2, 1)),
            lambda a, b: np.tensordot(a, b, (2, 1)),
            [(2, 3, 4), (3, 4, 5)],
        ),
        (T.batched_dot, lambda a, b: a @ b, [(2, 3, 4), (2, 4, 5)]),
        (T.batched_dot, lambda a, b: a * b, [(3,), (3,)]),
        (T.batched_dot, lambda a, b: a[:, None] * b, [(3,), (3, 2)]),
        (T.batched_dot, lambda a, b: (a * b).sum(1), [(3, 2), (3, 2)]),
        (T.batched_dot, lambda a, b: np.einsum("ij,ijk->ik", a, b), [(3, 2), (3, 2, 4)]),
        (T.batched_dot, lambda a, b: np.einsum("ijk,ik->ij", a, b), [(3, 4, 2), (3, 2)]),
        (
            lambda x, y: T.batched_tensordot(x, y, [[1, 2], [2, 1]]),
            lambda a, b: np.einsum("ijk,ikj->i", a, b),
            [(2, 3, 4), (2, 4, 3)],
        ),
    ],
)
def test_products(function: Any, reference: Any, shapes: Any) -> None:
    check(function, reference, *(array("float64", *s) for s in shapes))
    check(function, reference, *(array("float32", *s) for s in shapes))
    first, second = (array(d, *s) for d, s in zip(("int32", "float32"), shapes, strict=True))
    check(function, lambda a, b: reference(a.astype("f8"), b.astype("f8")), first, second)


def test_batches_must_agree() -> None:
    x, y = T.tensor3(), T.tensor3()
    f = tracejit.function([x, y], T.batched_dot(x, y), mode="FAST_COMPILE")
    with pytest.raises(ValueError):
        f(np.ones((1, 2, 3)), np.ones((4, 3, 2)))


def test_sorting() -> None:
    x = array("float32", 3, 4)
    for axis in (-1, 0, None):
        check(lambda v, a=axis: T.sort(v, a), lambda v, a=axis: np.sort(v, a), x)
        check(lambda v, a=axis: v.argsort(a), lambda v, a=axis: np.argsort(v, a), x)
    for k in (2, -2):
        best = np.sort(x)[:, :-3:-1] if k > 0 else np.sort(x)[:, :2]
        check(lambda v, k=k: T.topk(v, k), best, x)
    order = np.argsort(x, 0)[:0:-1].astype("int32")
    check(lambda v: T.argtopk(v, 2, axis=0, idx_dtype="int32"), order, x)
    check(
        lambda v: T.topk_and_argtopk(v, 1, axis=None),
        lambda a: [a.ravel()[[a.argmax()]], np.array([a.argmax()])],
        x,
    )
    assert T.sort(T.row()).broadcastable == (True, False)
    with pytest.raises(ValueError):
        T.sort(T.vector(), order="name")
    with pytest.raises(ValueError):
        T.topk(T.vector(), 0)


def test_searching_and_counting() -> None:
    x, v = np.sort(array("float64", 6)), array("float64", 2, 3)
    for side in ("left", "right"):
        check(
            lambda a, b, s=side: a.searchsorted(b, s),
            lambda a, b, s=side: a.searchsorted(b, s),
            x,
            v,
        )
    n, w = np.array([0, 3, 1, 3], "int32"), array("float64", 4)
    counts = np.bincount(n).astype("int32")
    check(T.extra_ops.bincount, counts, n)
    check(lambda a: T.extra_ops.bincount(a, minlength=9), np.r_[counts, [0] * 5].astype("int32"), n)
    check(T.extra_ops.bincount, np.bincount(n, w), n, w)
    check(T.extra_ops.Unique(), np.unique, n)
    check(
        T.extra_ops.Unique(True, True, True),
        lambda a: np.unique(a, return_index=True, return_inverse=True, return_counts=True),
        n,
    )
    check(
        lambda a, b: T.choose(a, [b, b * 2, b * 3, b * 4]),
        lambda a, b: np.choose(a, [b, b * 2, b * 3, b * 4]),
        n,
        w,
    )
    check(lambda a: T.extra_ops.compress([0, 1, 0, 1], a), n[[1, 3]], n)


def test_diagonals_filled() -> None:
    for shape in ((3, 3), (4, 2), (2, 4), (2, 2, 2)):

        def filled(a: Any) -> Any:
            b = a.copy()
            np.fill_diagonal(b, 5)
            return b

        check(lambda v: T.extra_ops.fill_diagonal(v, 5), filled, array("float32", *shape))
    x = array("float64", 3, 4)
    for k in (-1, 0, 2):
        on = np.eye(3, 4, k) == 1
        check(lambda v, k=k: T.extra_ops.fill_diagonal_offset(v, 0, k), np.where(on, 0, x), x)
    with pytest.raises(TypeError):
        T.extra_ops.fill_diagonal(T.imatrix(), 0.5)


# Variables -----------------------------------------------------------------------------------


def test_equality_is_identity() -> None:
    x, y = T.vector("x"), T.vector("x")
    assert x == x and x != y and len({x: 1, y: 2}) == 2
    assert (x == y) is False


def test_truth() -> None:
    x = T.vector()
    for comparison in (x < 1, x <= 1, x > 1, x >= 1):
        with pytest.raises(TypeError, match="boolean"):
            bool(comparison)
    assert x and T.eq(x, 1) and x + 1


def test_iteration_needs_a_known_length() -> None:
    a, b = T.matrix().shape
    assert a.ndim == b.ndim == 0
    assert len(list(T.constant([1, 2, 3]))) == 3 and len(list(T.stack([a, b]))) == 2
    with pytest.raises(TypeError, match="scan"):
        sum(T.vector())
    with pytest.raises(TypeError):
        len(T.vector())
    with pytest.raises(TypeError):
        iter(T.scalar())


def test_shapes_are_vectors() -> None:
    x = array("float64", 2, 3)
    check(lambda v: v.shape + np.array([1]), np.array([3, 4]), x)
    check(lambda v: v.shape[0] * 2, np.int64(4), x)
    check(lambda v: T.prod(v.shape), np.int64(6), x)
    assert T.matrix().shape.dtype == "int64" and T.matrix().shape.ndim == 1
    assert T.get_scalar_constant_value(T.row().shape[0]) == 1


def test_numpy_values_on_the_left() -> None:
    x = T.vector()
    for value in (np.float64(2), np.ones(3)):
        for result in (value + x, value * x, value - x, value / x):
            assert isinstance(result, T.TensorVariable)
        assert isinstance(value < x, T.TensorVariable)
    check(lambda v: np.float32(2) - v, lambda a: 2 - a, array("float64", 3))


def test_copies_are_new_variables() -> None:
    x = T.vector("x")
    y = x.copy("y")
    assert y is not x and y.type == x.type and y.name == "y"
    assert x.eval({x: [1.0]}) == [1.0]


# Compiled ------------------------------------------------------------------------------------


def test_compiled() -> None:
    """One function of each kind, in one program."""
    x, y = array("float64", 4, 4), array("float64", 4)
    n = np.int64(4)

    def build(x: Any, y: Any, n: Any) -> list[Any]:
        return [
            T.exp(x) + T.sgn(y) * T.clip(x, 0.2, 0.8),
            T.switch(x > y, x, 0),
            T.argmax(x, axis=1),
            T.std(x, axis=(0, 1)),
            T.dot(x, y) + T.batched_dot(x, x),
            T.batched_dot(x[None], x[None]),
            T.concatenate([x, T.eye(n)]),
            T.tril(x).T.reshape((2, 8)),
            T.roll(T.tile(y, 2), 3),
            T.extra_ops.to_one_hot(T.arange(n), n),
            T.split(y, [1, 3], 2)[1].shape,
        ]

    def want(x: Any, y: Any, n: Any) -> list[Any]:
        return [
            np.exp(x) + np.sign(y) * np.clip(x, 0.2, 0.8),
            np.where(x > y, x, 0),
            np.argmax(x, 1),
            np.std(x),
            x @ y + (x * x).sum(1),
            (x @ x)[None],
            np.concatenate([x, np.eye(4)]),
            np.tril(x).T.reshape(2, 8),
            np.roll(np.tile(y, 2), 3),
            np.eye(4),
            np.array([3]),
        ]

    check(build, want, x, y, n, mode="FAST_RUN")
