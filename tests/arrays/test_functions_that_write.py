"""Functions that write into an array that they are given: NumPy's rules for what they are given."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

DTYPES = ["?", "i1", "u1", "i8", "u2", "f2", "f4", "f8", "c8", "c16"]


def outcome(f: Callable[..., Any], *args: Any) -> tuple[Any, ...]:
    """The exception's class, and all arguments and the result after the call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        try:
            result, error = f(*args), None
        except Exception as problem:
            result, error = None, problem
    return error, result, *args


def agrees(f: Callable[..., Any], *args: Any, compiled: bool = True, label: str = "") -> None:
    """`f` does what NumPy does, bit by bit, all of it compiled unless it raises.

    If it need not be `compiled`, it may be refused, before anything is changed.
    """
    g = tracejit.function(f, on_unsupported="error")

    def copied() -> list[Any]:
        return [a.copy("K") if isinstance(a, np.ndarray) else a for a in args]

    want = outcome(f, *copied())
    for _ in range(2):
        got = outcome(g, *copied())
        if not compiled and isinstance(got[0], tracejit.errors.UnsupportedError):
            same(list(args), list(got[2:]), label)
            return
        assert isinstance(got[0], type(want[0])), f"{label}: {want[0]!r}, {got[0]!r}"
        for a, b in zip(want[1:], got[1:], strict=True):
            same(a, b, label)
    assert not compiled or want[0] is not None or g.stats.fallbacks == 0


def same(a: Any, b: Any, label: str) -> None:
    if isinstance(a, (tuple, list)):
        for x, y in zip(a, b, strict=True):
            same(x, y, label)
        return
    assert type(a) is type(b), f"{label}: {type(a)}, {type(b)}"
    if isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and a.shape == b.shape, label
        np.testing.assert_array_equal(a, b, err_msg=label)


VALUES = [1, 300, -1, 1.5, 1j, True, np.float32(2.5), np.int8(-1)]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_copyto_takes_what_numpy_casts(value: Any) -> None:
    with tracejit.config(compile=False):
        for dtype in DTYPES:
            agrees(lambda x: np.copyto(x, value), np.zeros(3, dtype), label=dtype)
            agrees(lambda x: np.copyto(x, value, where=x == 0), np.zeros(3, dtype), label=dtype)
            f = lambda x, v: np.copyto(x, v)  # noqa: E731
            agrees(f, np.zeros(3, dtype), value, label=f"{dtype}, an argument")


def test_a_bool_array_is_filled_with_the_truth_of_a_list() -> None:
    agrees(lambda x: x.fill([1, 2]), np.zeros(3, int))
    with pytest.raises(tracejit.errors.UnsupportedError):
        tracejit.function(lambda x: x.fill([1, 2]), on_unsupported="error")(np.zeros(3, bool))


def values(dtype: Any, *shape: int) -> np.ndarray:
    return (np.arange(np.prod(shape)).reshape(shape) % 7 * 1.25 - 2).astype(dtype)


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda x, o: np.sum(x, axis=0, out=o),
    "method": lambda x, o: x.sum(0, None, o),
    "prod": lambda x, o: np.prod(x, axis=0, out=o),
    "max": lambda x, o: x.max(axis=0, out=o),
    "min": lambda x, o: np.min(x, 0, o),
    "any": lambda x, o: np.any(x > 1, axis=0, out=o),
    "reduce": lambda x, o: np.add.reduce(x, out=o),
    "maximum": lambda x, o: np.maximum.reduce(x, axis=0, out=o),
    "cumsum": lambda x, o: (np.cumsum(x[0], out=o), x[0].cumsum(out=o)),
    "accumulate": lambda x, o: np.add.accumulate(x[1], 0, None, o),
    "clip": lambda x, o: (x[0].clip(0, 2, out=o), np.clip(x[1], -1, 1, o)),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_out_of_a_reduction_is_computed_and_cast_as_in_numpy(name: str) -> None:
    f = REDUCTIONS[name]
    with tracejit.config(compile=False), np.errstate(all="ignore"):
        for source in DTYPES:
            for target in DTYPES:
                x, o = values(source, 3, 4), np.ones(4, target)
                agrees(f, x, o, compiled=False, label=f"{source} to {target}")


OUTPUTS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "sum": (lambda x, o: np.sum(x, axis=0, out=o), (values(float, 3, 4), np.ones(4))),
    "all": (lambda x, o: np.sum(x, out=o), (values(float, 3, 4), np.ones(()))),
    "wider": (lambda x, o: x.sum(0, out=o), (values("f4", 3, 4), np.ones(4))),
    "mean": (lambda x, o: np.mean(x, axis=1, out=o), (values(float, 3, 4), np.ones(3))),
    "std": (lambda x, o: x.std(axis=1, out=o), (values(float, 3, 4), np.ones(3))),
    "max": (lambda x, o: np.max(x, axis=1, out=o), (values(float, 3, 4), np.ones(6)[::2])),
    "argmax": (lambda x, o: x.argmax(axis=1, out=o), (values(float, 3, 4), np.ones(3, int))),
    "cumsum": (lambda x, o: np.cumsum(x, axis=1, out=o), (values(float, 3, 4), np.ones((3, 4)))),
    "its_own": (lambda x: np.cumsum(x, axis=0, out=x), (values(float, 3, 4),)),
    "clip": (lambda x: x.clip(0, 1, out=x), (values(float, 3, 4),)),
    "take": (lambda x, o: np.take(x, [2, 0, 2], out=o), (values(float, 5), np.ones(3))),
    "round": (lambda x, o: np.round(x, 1, out=o), (values(float, 5), np.ones(5))),
    "concatenate": (
        lambda x, y, o: np.concatenate([x, y], out=o), (values(float, 2), np.ones(3), np.ones(5)),
    ),
    "stack": (lambda x, o: np.stack([x, x * 2], out=o), (values(float, 2), np.ones((2, 2)))),
    "einsum": (lambda x, o: np.einsum("ij->i", x, out=o), (values(float, 3, 4), np.ones(3))),
    "outer": (lambda x, o: np.outer(x, x, out=o), (values(float, 3), np.ones((3, 3)))),
    "dot": (lambda x, v, o: np.dot(x, v, out=o), (values(float, 3, 4), np.arange(4.0), np.ones(3))),
    "a_part": (lambda x, o: np.sum(x, axis=0, out=o[1]), (values(float, 3, 4), np.ones((2, 4)))),
    "a_column": (lambda x, o: x.sum(axis=0, out=o[:, 1]), (values(float, 3, 4), np.ones((4, 2)))),
    "made": (lambda x: np.sum(x, axis=0, out=np.empty(4)) * 2, (values(float, 3, 4),)),
    "looped": (
        lambda x, o: [x[k].sum(out=o[k, ...]) for k in range(3)] and o.sum(),
        (values(float, 3, 4), np.ones(3)),
    ),
    "wrong_shape": (lambda x, o: np.sum(x, axis=0, out=o), (values(float, 3, 4), np.ones(3))),
    "read_only": (lambda x, o: np.sum(x, axis=0, out=o[::-1]), (values(float, 3, 4), np.ones(4))),
}  # fmt: skip


@pytest.mark.parametrize("name", OUTPUTS)
def test_out_of_functions(name: str) -> None:
    f, args = OUTPUTS[name]
    if name == "read_only":
        args[1].flags.writeable = False
    agrees(f, *args, compiled=True, label=name)
    if name in ("sum", "mean", "take", "dot", "clip", "einsum"):
        assert tracejit.function(f, on_unsupported="error")(*args) is args[-1]


def test_out_that_numpy_may_refuse_is_refused() -> None:
    f, args = lambda x, o: np.dot(x, x, out=o[::2]), (values(float, 3), np.ones(2))
    agrees(f, *args, compiled=False)
    f = lambda x, o: np.take(o, [1, 0], out=o)  # noqa: E731
    agrees(f, *args, compiled=False)


UFUNCS = [
    np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax, np.bitwise_or,
    np.bitwise_xor, np.bitwise_and, np.logical_or, np.left_shift, np.floor_divide, np.remainder,
    np.hypot, np.power,
]  # fmt: skip
OPERANDS = [2, -1, 1.5, True, np.float32(0.5), np.arange(4), np.arange(4.0), np.arange(4) > 1]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_at_of_all_dtypes(ufunc: np.ufunc) -> None:
    f = lambda x, i, v: ufunc.at(x, i, v)  # noqa: E731
    with tracejit.config(compile=False), np.errstate(all="ignore"):
        for dtype in DTYPES:
            x = (np.arange(5) + 1).astype(dtype)
            for v in (*OPERANDS, (np.arange(4) + 1).astype(dtype)):
                agrees(f, x, np.array([1, 0, 1, -1]), v, compiled=False, label=f"{dtype} {v!r}")


@pytest.mark.parametrize("ufunc", UFUNCS[:10], ids=lambda u: u.__name__)
def test_at_is_compiled(ufunc: np.ufunc) -> None:
    dtype = int if ufunc in UFUNCS[7:10] else float
    i, v = np.array([1, 0, 1, 1, -1]), np.arange(5).astype(dtype) + 1
    x = np.arange(6).astype(dtype)

    def f(x, i, v):
        ufunc.at(x, i, v)
        ufunc.at(x, [0, 0], 3)
        return x.max()

    agrees(f, x, i, v)
    agrees(f, np.repeat(x, 2)[::2], i, v)
    agrees(lambda x: ufunc.at(x, ([0, 1, 0], [1, 1, 1]), 2), np.ones((2, 3), dtype))
    agrees(lambda x, v: ufunc.at(x, [1, 1], v), np.ones((2, 3), dtype), np.arange(3).astype(dtype))
    agrees(lambda x: ufunc.at(x, [5, 6], 2), x)


@pytest.mark.parametrize("dtype", ["f2", "i1", "u2", "?", "c8"])
def test_at_is_compiled_for_other_dtypes(dtype: str) -> None:
    def f(x, i, v):
        np.multiply.at(x, i, v)
        np.maximum.at(x, i[::-1], v)
        np.add.at(x, i, v)

    agrees(f, values(dtype, 5), np.array([1, 0, 1, 4]), values(dtype, 4))


def test_at_in_a_loop_and_into_a_read_only_array() -> None:
    def f(x, i, v):
        for k in range(len(i)):
            np.maximum.at(x, i[k], v)
        return x

    agrees(f, np.zeros((2, 3)), np.array([[0, 1], [1, 1]]), 1.5)
    x = np.zeros(3)
    x.flags.writeable = False
    agrees(lambda x: np.add.at(x, [0], 1), x, compiled=False)
    with pytest.raises(tracejit.errors.TracejitError):
        tracejit.grad(lambda x: _at(x).sum())(np.arange(3.0))


def _at(x: np.ndarray) -> np.ndarray:
    y = x.copy()
    np.multiply.at(y, [0, 0], 3.0)
    return y


PUT = [
    2, 300, -1, 2.7, float("nan"), True, 1j, [1, 2], [300], [1.5, 2.0], [1j], [], np.int64(3),
    np.float64(300.5), np.float32(1.5), np.array([1, 2]), np.array([1.5]), np.array(2),
    np.array([1], "i1"), np.array([1.5], "f4"),
]  # fmt: skip
MASK = np.array([True, False, True, True])
PUTTING: dict[str, Callable[..., Any]] = {
    "place": lambda x, v: np.place(x, MASK, v),
    "putmask": lambda x, v: np.putmask(x, x == 0, v),
    "put": lambda x, v: np.put(x, [0, -1, 2], v),
    "nowhere": lambda x, v: (x.put([], v), np.place(x, x > 5, v)),
}


@pytest.mark.parametrize("name", PUTTING)
def test_what_is_put_is_cast_as_in_numpy(name: str) -> None:
    f = PUTTING[name]
    with tracejit.config(compile=False):
        for dtype in DTYPES:
            for v in PUT:
                if isinstance(v, (list, bool)):  # as they stand in the source
                    agrees(lambda x, v=v: f(x, v), np.zeros(4, dtype), label=f"{dtype} {v!r}")
                else:
                    agrees(f, np.zeros(4, dtype), v, label=f"{dtype} {v!r}")


@pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "u2", "?"])
def test_what_is_put_is_compiled(dtype: str) -> None:
    def f(x, s):
        np.putmask(x, x == 0, 2)
        np.place(x, MASK, [1, 2.5])
        np.put(x, [1, 1], [3, 0.5])
        np.putmask(x, MASK, s)
        x.put([], 1)

    agrees(f, values(dtype, 4), np.float64(1.5))


@pytest.mark.parametrize("source", ["i8", "i4", "u1", "u8", "f8", "f4"])
@pytest.mark.parametrize("target", ["i1", "i2", "i4", "i8", "u1", "u8"])
def test_a_scalar_fits_into_signed_integers_or_numpy_raises(target: str, source: str) -> None:
    """`y[0] = x[0]` makes a number of Python's; `y[[0]] = x[0]` casts."""

    def put(x: Any, y: Any) -> None:
        y[1] = x[1]
        y[0] = x[0] + x[1]

    def put_at_places(x: Any, y: Any) -> None:
        y[[0, 1]] = x[0]

    # Of float64 more is left to NumPy than must be.
    mode = "warn" if source == "f8" else "error"
    for function in (put, put_at_places):
        f = tracejit.function(function, on_unsupported=mode)
        for values in ((3, 2), (100, 100), (200, 3), (250, 250)):
            x = np.array(values).astype(source)
            found = []
            for call in (f, function):
                y = np.zeros(2, target)
                try:
                    with np.errstate(over="ignore"), warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        call(x, y)
                    found.append((None, y.tolist()))
                except OverflowError as error:
                    found.append((str(error), y.tolist()))
            assert found[0] == found[1], (function.__name__, values)
