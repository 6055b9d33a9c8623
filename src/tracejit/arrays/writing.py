"""Writes into the traced function's own arrays: ``x[key] = y``, ``fill``, ``sort``, ``np.add.at``.

An array is a value; `Memory` lets every view of it see what is written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays import indexing
from tracejit.arrays.common import (
    at_least,
    axis_index,
    check_cast,
    check_owned,
    coerce,
    require_fits,
    shown,
    strong,
    told,
    write,
)
from tracejit.arrays.sorting import kind_of
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, same_values
from tracejit.trace.memory import follow
from tracejit.trace.mixed import Mixed
from tracejit.trace.tables import METHODS, UFUNC_METHODS, implements, method
from tracejit.trace.tracer import Tracer, is_number, operand, view_of


def value_of(y: Any, dtype: np.dtype[Any], looked_up: bool = False) -> Node:
    """What is to be written, as `dtype`; NumPy casts what goes where places are `looked_up`."""
    x = operand(y.written(dtype) if isinstance(y, Mixed) else y)
    kind = x.dtype.kind if isinstance(x, Node) else np.asarray(x).dtype.kind
    if kind == "c" and dtype.kind not in "cb":
        if not isinstance(x, Node):
            raise TypeError("float() argument must be a string or a real number, not 'complex'")
        raise NotTraceable("complex numbers are written into a real array", "write their .real")
    if isinstance(x, float) and dtype.kind in "iu":
        x = int(x)  # as NumPy does: ValueError for nan, OverflowError for infinities
    if isinstance(x, Node) and (
        isinstance(y, list | tuple) or is_number(y) or _is_made(x, y, dtype, looked_up)
    ):
        require_fits(x, dtype)
    return coerce(x, dtype)


def _is_made(x: Node, y: Any, dtype: np.dtype[Any], looked_up: bool) -> bool:
    """Whether NumPy makes a number of Python's of a scalar, which an integer then must be.

    It does where that is a float64, and for signed integers; to unsigned ones it casts.
    """
    return is_scalar(y) and (x.dtype == np.float64 or (dtype.kind == "i" and not looked_up))


def is_scalar(y: Any) -> bool:
    """Whether `y` is, or stands for, a scalar of NumPy's."""
    return y.kind == "scalar" if isinstance(y, Tracer) else isinstance(y, np.generic)


@method("setitem")
def setitem(x: Tracer, key: Any, y: Any) -> None:
    """``x[key] = y``."""
    if x.kind != "array":
        raise TypeError(f"{x._python_name()!r} object does not support item assignment")
    check_owned(x)
    alone = indexing.alone(key if isinstance(key, tuple) else (key,))
    if alone is not None:
        key, mask, at = alone
        wide = indexing.getitem(x, key)
        setitem(wide, (*[slice(None)] * indexing.axis_of(wide, key, at), mask), y)
        return
    entries = indexing.expand(key if isinstance(key, tuple) else (key,), x.node.ndim)
    if any(isinstance(e, Node) for e in entries):
        node = value_of(y, x.node.dtype, looked_up=True)
        [first, *rest] = entries
        if not rest and first.dtype == BOOL and not node.ndim:
            write(x, build.where(_spread_mask(first, x.node), node, x.node))
        elif not rest and first.dtype == BOOL and first.ndim == x.node.ndim and node.ndim > 1:
            raise TypeError(
                "NumPy boolean array indexing assignment requires a 0 or 1-dimensional input, "
                f"input has {node.ndim} dimensions"
            )
        else:
            write(x, indexing.scatter(x, key, node, "set"))
        return
    if any(map(indexing.is_strided, entries)):
        write(x, indexing.scatter(x, key, value_of(y, x.node.dtype), "set"))
        return
    shape, index = indexing.basic_index(x.node, entries)
    if isinstance(y, Tracer) and _is_there(x, y, lambda n: build.view(n, shape, index)):
        return  # ``x[key] += z`` has done it
    node = value_of(y, x.node.dtype)
    if node.ndim > len(shape) and (not shape or isinstance(y, (list, tuple))):
        raise ValueError("setting an array element with a sequence.")
    try:
        node = indexing.into_shape(node, shape)
    except ShapeError:
        raise ShapeError(
            f"could not broadcast input array from shape {_short(node.shape)} into shape "
            f"{_short(shape)}"
        ) from None
    write(view_of(x, lambda n: build.view(n, shape, index)), node)


def _is_there(x: Tracer, y: Tracer, step: Callable[[Node], Node]) -> bool:
    """Whether `y` sees just what `step` leads to from `x`."""
    if y.memory is None or y.memory is not x.memory:
        return False
    base = y.memory.node
    return follow(y.path, base) is step(follow(x.path, base))


def _short(shape: Any) -> str:
    return shown(shape).replace(" ", "")


def _spread_mask(mask: Node, x: Node) -> Node:
    """A mask of the leading axes, over all of `x`."""
    indexing.check_mask(mask, x, 0)
    return build.view(mask, x.shape, tuple((0, 1, k) for k in range(mask.ndim)))


@method("fill")
def fill(x: Tracer, value: Any) -> None:
    """``x.fill(value)``."""
    check_owned(x)
    if x.node.dtype == BOOL and isinstance(value, (list, tuple)):
        raise NotTraceable("a bool array is filled with a sequence", "fill it with True or False")
    node = value_of(value, x.node.dtype)
    if node.ndim:
        raise ValueError("setting an array element with a sequence.")
    write(x, build.broadcast_to(node, x.node.shape))


@method("sort")
def sort(
    x: Tracer, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None
) -> None:
    """``x.sort()``, in place."""
    check_owned(x)
    which = kind_of(kind, order, stable)
    write(x, build.sort(x.node, axis_index(axis, x.node.ndim), which))


@implements(np.copyto)
def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    """``np.copyto``."""
    if not isinstance(dst, Tracer) or dst.kind != "array":
        raise NotTraceable("np.copyto into an array that is not traced")
    check_owned(dst)
    _check_copied(src, dst.node.dtype, casting)
    node = indexing.into_shape(value_of(src, dst.node.dtype), dst.node.shape)
    if where is not True:
        mask = build.broadcast_to(build.cast(strong(where), BOOL), dst.node.shape)
        node = build.where(mask, node, dst.node)
    write(dst, node)


def _check_copied(src: Any, dtype: np.dtype[Any], casting: str) -> None:
    """What NumPy raises where `src` is copied to `dtype` under a rule."""
    if not isinstance(src, (Tracer, np.ndarray, list, tuple)):
        np.copyto(np.empty((), dtype), src, casting=casting)  # type: ignore[arg-type]
        return
    if isinstance(src, Tracer) and is_number(src):  # of Python's: it is the class that tells
        np.copyto(np.empty((), dtype), src.node.dtype.type(1).item(), casting=casting)  # type: ignore[arg-type]
        return
    check_cast(strong(src).dtype, dtype, casting)


@implements(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """``np.fill_diagonal`` with a scalar."""
    if not isinstance(a, Tracer) or wrap or a.node.ndim != 2:
        raise NotTraceable("np.fill_diagonal is compiled for a matrix, without wrap")
    check_owned(a)
    node = value_of(val, a.node.dtype)
    if node.ndim:
        raise NotTraceable("np.fill_diagonal with an array of values is not compiled")
    rows, columns = shape = a.node.shape
    if a.memory is None or not a.memory.outside:  # it is computed anyway
        row, column = (build.view(build.iota(shape[k]), shape, ((0, 1, k),)) for k in (0, 1))
        write(a, build.where(build.elementwise("equal", row, column), node, a.node))
        return
    places = build.iota(columns if at_least(rows, columns) else rows)
    ones = build.broadcast_to(node, places.shape)
    write(a, build.scatter(a.node, ones, [places, places], [False, False], "set"))


def at(ufunc: np.ufunc, a: Any, indices: Any, b: Any = None) -> None:
    """``ufunc.at`` of two operands: elements that come again are combined again, in order."""
    if not isinstance(a, Tracer) or a.kind != "array":
        raise NotTraceable(f"np.{ufunc.__name__}.at into an array that is not traced")
    row = ops.row_of(ufunc)
    if ufunc.nin == 1 and b is None and row is not None:
        METHODS["at_each"](ufunc, a, indices)
        return
    if b is None or row is None or ufunc.nin != 2 or row.trap:
        raise NotTraceable(f"np.{ufunc.__name__}.at is not compiled")
    if not a.owned:  # into which NumPy writes
        raise NotTraceable(f"np.{ufunc.__name__}.at into a read-only array")
    target = a.node.dtype
    if ufunc is np.divide and target.kind == "c":  # whose bits depend on how NumPy goes about it
        raise NotTraceable("np.divide.at of complex numbers is not compiled")
    kind = told(operand(b))
    # Here a number of Python's does not take on the dtype of the array.
    strong_kind = np.dtype(kind) if kind in (bool, int, float, complex) else kind
    dtypes = build.resolve(ufunc, (target, strong_kind))
    if not all(same_values(d) == target for d in dtypes) and not _wraps(ufunc, b, dtypes, target):
        raise NotTraceable(
            f"np.{ufunc.__name__}.at of {target} is computed in {dtypes[0]} and {dtypes[1]}, and "
            f"gives {dtypes[2]}",
            f"convert the operand: values.astype(np.{target.name})",
        )
    node, mode = value_of(b, target), row.name
    if ufunc is np.subtract:
        node, mode = build.elementwise("negative", node), "add"
    write(a, indexing.scatter(a, indices, node, mode))


def _wraps(ufunc: np.ufunc, b: Any, dtypes: Any, target: np.dtype[Any]) -> bool:
    """Whether what is computed in other dtypes, and cast, is as if it were computed in `target`."""
    if ufunc not in (np.add, np.subtract, np.multiply):
        return False
    whole = target.kind in "iu" and all(d.kind in "iu" for d in dtypes)
    return whole or _is_exact(operand(b), target)


def _is_exact(x: Any, dtype: np.dtype[Any]) -> bool:
    """Whether the floating `dtype` holds the number `x`: a wider sum, rounded, is the same."""
    if isinstance(x, Node) or dtype.kind != "f" or isinstance(x, complex):
        return False
    with np.errstate(all="ignore"):
        return bool(dtype.type(x) == x)


UFUNC_METHODS["at"] = at
