"""What a traced function sees of NumPy, `math` and the builtins answers as the real things do."""

from __future__ import annotations

import builtins
import cmath
import functools
import math
import operator
import types
from typing import Any

import numpy as np
import pytest
import scipy.special
from numpy import float32
from numpy import float32 as single
from test_function import V

import tracejit
from tracejit import UnsupportedError

MODULES = (np, np.linalg, np.fft, scipy.special, math, cmath, operator, builtins)
#: What a trace refuses to read: it works on files, or draws.
REFUSED = {
    "load",
    "loadtxt",
    "genfromtxt",
    "fromfile",
    "memmap",
    "save",
    "savez",
    "savetxt",
    "open",
}
CLASSES = (
    type, object, int, float, np.generic, np.number, np.floating, np.ufunc, np.ndarray,
    types.FunctionType, types.BuiltinFunctionType, types.ModuleType, (list, (tuple, type)),
)  # fmt: skip
SCALAR_TYPES = [
    name
    for name, value in vars(np).items()
    if isinstance(value, type) and issubclass(value, np.generic)
]


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def same(found: Any, expected: Any) -> None:
    """Equal class by class; what is no value is the same object."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, dict):
        same(list(found), list(expected))
        same(list(found.values()), list(expected.values()))
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, (str, int, float, complex, np.generic)):
        assert found == expected or found != found
    else:
        assert found is expected


def agrees(f, *args):
    """`f` is traced, and gives what it gives outside."""
    g = tracejit.function(f)
    same(g(*args), f(*args))
    return g


# Every public name -------------------------------------------------------------------------------


def asked(value, again, real):
    """All that can be asked of `value`, which is read in a trace; `real` comes from outside."""
    return (
        getattr(value, "__name__", None), getattr(value, "__qualname__", None),
        getattr(value, "__module__", None), getattr(value, "__doc__", None),
        repr(value), str(value), type(value).__name__,
        callable(value), hasattr(value, "__self__"), hasattr(value, "at"), hasattr(value, "nil"),
        [isinstance(value, c) for c in CLASSES],
        isinstance(value, type) and [issubclass(value, c) for c in CLASSES],
        isinstance(value, type) and (value.__mro__, value.__bases__),
        value == real, real == value, value != real, hash(value) == hash(real),
        {value: 1}.get(real), {real: 1}.get(value), real in {value}, value in {real},
        value in (real,), real in (None, value), [real].index(value), value is again(),
        isinstance(value, type(real)),
    )  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_every_public_name_answers_as_the_real_one(module):
    names = [
        name
        for name in dir(module)
        if not name.startswith("_") and name not in REFUSED
        if callable(value := getattr(module, name))
        and (isinstance(value, type) or type(value).__module__ in ("builtins", "numpy"))
    ]
    assert names
    reals = {name: getattr(module, name) for name in names}

    def every(x):
        return [
            asked(getattr(module, name), lambda name=name: getattr(module, name), reals[name])
            for name in names
        ]

    found, expected = tracejit.function(every)(V), every(V)
    for name, a, b in zip(names, found, expected, strict=True):
        for at, (one, other) in enumerate(zip(a, b, strict=True)):
            assert one == other, (name, at)


def refuses(match, f, *args):
    """`f` runs in NumPy, for the reason `match`, and gives what it gives outside."""
    with pytest.raises(UnsupportedError, match=match):
        tracejit.function(f)(*args)
    with pytest.warns(tracejit.UnsupportedWarning, match=match):
        same(tracejit.function(f, on_unsupported="warn")(*args), f(*args))


# NumPy's scalar types ----------------------------------------------------------------------------

FLOAT = np.float32
KINDS = {np.float32: "single", np.float64: "double", "int": np.int64}
MODULE = types.ModuleType("settings")
MODULE.kind = np.float32


@pytest.mark.parametrize("name", SCALAR_TYPES)
def test_scalar_types_are_the_real_ones(name):
    real = getattr(np, name)

    def f(x):
        seen = getattr(np, name)
        return (
            seen is np.float32, seen is np.int64, seen is np.bool_, seen == real, seen.__mro__,
            seen.__name__, issubclass(seen, np.floating), issubclass(np.float32, seen),
            {seen: 1}[real], [seen],
        )  # fmt: skip

    agrees(f, V)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.bool_, np.complex64])
def test_scalar_types_and_dtypes_of_values(dtype):
    def f(x):
        kind = x.dtype.type
        return (
            x.dtype.type is np.float32, kind is np.float32, kind is FLOAT, kind is float32,
            type(x[0]) is np.float32, kind is MODULE.kind, kind is not np.float64,
            x.dtype == np.float32, kind in (np.float32, np.float64), kind in KINDS, KINDS.get(kind),
            np.issubdtype(x.dtype, np.float32), np.issubdtype(kind, np.floating),
            issubclass(kind, np.float32), isinstance(x[0], np.float32), kind == np.float32,
            isinstance(x[0], (int, np.integer)), x.dtype in (np.float32, np.int8),
            np.can_cast(x.dtype, np.float32), np.promote_types(x.dtype, np.float32),
            np.result_type(x.dtype, np.float32), np.dtype(np.float32) == x.dtype,
            np.finfo(np.float32).eps, np.iinfo(np.int8).max, kind.__name__, kind,
        )  # fmt: skip

    agrees(f, np.ones(3, dtype))


def test_scalar_types_cast_where_they_are_called():
    def f(x, n):
        cast = [np.float32(v) for v in (x, n)]
        return (
            cast, np.int64(n) * x, FLOAT(x), single(n), float32(0.1) * x, MODULE.kind(x),
            (lambda v: np.float32(v))(x), np.float32(x).sum(), 
            np.bool_(n), np.complex64(x[0]), np.float32("1.5"), np.int8(),
        )  # fmt: skip

    agrees(f, V, 2)
    g = agrees(lambda x, n: x * np.float32(n), V, 2.5)
    same(g(V, 3.5), V * np.float32(3.5))
    assert g.stats.traces == 1


def test_scalar_types_cast_by_cells_and_imports_inside():
    module, other = np, MODULE

    def f(x):
        import numpy as xp

        return (
            xp.float32(x),
            module.int8(x),
            [other.kind(v) for v in x],
            (lambda v: module.int8(v))(x),
        )

    agrees(f, V)


@pytest.mark.parametrize("cast", [np.int8, np.uint8, np.int64, np.uint64, np.float32, np.bool_])
def test_scalar_types_refuse_what_numpy_refuses(cast):
    names = {"np": np}
    exec(f"def f(x, n): return np.{cast.__name__}(n)", names)
    f, g = names["f"], tracejit.function(names["f"])
    for n in (3, 300, -1, 2.5, 300.7, -0.5, 255.5, float("nan"), 1e30, 2 + 1j, True, 2**40, -129):
        try:
            expected = f(V, n)
        except (OverflowError, ValueError, TypeError) as error:
            with pytest.raises(type(error)):
                g(V, n)
        else:
            same(g(V, n), expected)


def test_a_scalar_type_under_another_name_is_not_called_with_traced_values():
    def f(x):
        kind = x.dtype.type
        return kind(x)

    refuses("asks for the value", f, V)
    agrees(lambda x: x * x.dtype.type(0.5), V)


# Builtins ----------------------------------------------------------------------------------------


def test_builtins_as_values():
    def f(x, n):
        return (
            list(map(len, [x, (1, 2)])), list(map(type, [x, n, 1.0])),
            [callable(v) for v in (x, len)],
            type(int) is type, type(type(x)) is type, isinstance(int, type), isinstance(n, type),
            issubclass(type(x), np.ndarray), issubclass(type(n), (int, type)), type(n) is int,
            isinstance(x, np.ndarray | int), type(len) is type(abs), type(math.sin) is type(len),
            type(np) is types.ModuleType, type, len, type(n), isinstance, {type: 1}, {len: [type]},
            isinstance(np, types.ModuleType), type.__name__, sorted([2, 1], key=np.negative),
        )  # fmt: skip

    agrees(f, V, 2)


LENGTH, IS, KIND = len, isinstance, type


def test_builtins_by_other_names():
    def f(x, n, size, table):
        return (
            LENGTH is len, LENGTH(x), IS(x, np.ndarray), IS(n, int), KIND(n) is int, KIND is type,
            builtins.len(x), builtins.isinstance(x, np.ndarray), builtins.len is len, size is len,
            size(x), size(table), [k is len for k in table], [k(x) for k in table], table[len],
        )  # fmt: skip

    agrees(f, V, 2, len, {len: 1, type: 2})


STEPS, MOST = range, max


@pytest.mark.parametrize("branch", [False, True])
def test_builtins_that_go_over_values(branch):
    def f(x, r, kind):
        first, total, most, over = x[0], 0.0, max, zip(x, x[2:], strict=False)
        if branch and first > 0:
            first = first + 1
        for k in STEPS(len(x)):
            for j, v in builtins.enumerate(builtins.range(k)):
                total += MOST(x[k], x[j], 0.5) * v
        return (
            first, total, type(r) is range, STEPS is range, MOST is max, most is max,
            isinstance(r, range), isinstance(over, zip), kind in (range, max), kind is range,
            {range: 1, max: 2, zip: 3}[kind], range(len(x)) == range(3), hasattr(over, "strict"),
            type(enumerate([r])) is enumerate, most(total, 1.0), [range, max, zip], repr(range),
            sum(v * k for k, v in zip(range(2, 9), x, strict=False)), type(max) is type(len),
            max.__name__, range.__name__, kind is reversed, issubclass(range, object),
        )  # fmt: skip

    for r in (range(3), 3):
        for kind in (range, max, zip):
            agrees(f, V, r, kind)


@pytest.mark.parametrize("branch", [False, True])
def test_functions_of_the_users_with_names_of_builtins(branch):
    def sum(values):
        return 40.0 + len(list(values))

    def any(values):
        return next(iter(values)) * 2

    def f(x):
        if branch and x[0] > 0:
            x = x + 1
        return sum(v * 2 for v in x), any(v + 1 for v in x), max(v for v in x[:3])

    agrees(f, V)


# What is returned --------------------------------------------------------------------------------


def test_results_are_the_real_things():
    def f(x, seen):
        seen = [np.sum, np.zeros, np.float32, np, math, math.sin, len, type, np.linalg, np.sin]
        return seen, tuple(seen), dict(enumerate(seen)), {s: x for s in seen}, scipy.special.softmax

    agrees(f, V, None)


def test_functions_as_arguments():
    def f(x, function, other):
        return function is np.sum, other is math.sqrt, function(x), other(4.0), function == np.sum

    agrees(f, V, np.sum, math.sqrt)
    agrees(f, V, np.prod, math.exp)


def test_attributes_by_name():
    def f(x, n):
        return (
            [getattr(x, name, None) for name in ("kind", "node", "owned", "shape", "ndim", "nil")],
            [getattr(n, name, "none") for name in ("__array__", "path", "shape", "imag")],
            hasattr(x, "kind"), hasattr(n, "shape"), hasattr(x[0], "T"), dir(x), dir(n), dir(np),
            np.sum(x), getattr(np, "nil", 3), math.pi,
        )  # fmt: skip

    agrees(f, V, 2)
    with pytest.raises(AttributeError, match="no attribute 'kind'"):
        tracejit.function(lambda x: getattr(x, "ki" + "nd"))(V)


def relu(x):
    return np.maximum(x, 0)


def scaled(x: float, k: int = 2) -> float:
    """`x`, times `k`."""
    return x * k


@functools.wraps(scaled)
def wrapper(*args):
    return scaled(*args)


TABLE = {relu: 1, scaled: "two"}


def test_the_users_functions_are_found_by_their_copies():
    def f(x, table):
        return (
            TABLE[relu], TABLE.get(scaled, 0), relu in TABLE, table[relu], len in table,
            [k is relu for k in TABLE], [k(x) for k in table if k is not len], dict(table), TABLE,
            scaled.__annotations__, scaled.__doc__, scaled.__name__, scaled.__defaults__,
            wrapper.__wrapped__ is scaled, wrapper.__name__, wrapper(x), wrapper, [relu, scaled],
        )  # fmt: skip

    agrees(f, V, {relu: 3, np.abs: 4, len: 2})
