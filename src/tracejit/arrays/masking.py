"""``np.putmask``, ``np.place`` and ``np.put``: values, over and over, at chosen places."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import at_least, call, check_cast, check_owned, dim_node, strong, write
from tracejit.arrays.writing import is_scalar, setitem, value_of
from tracejit.errors import NotTraceable, ShapeError
from tracejit.ir import build
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.tables import implements, method
from tracejit.trace.tracer import Tracer, is_number, number


@implements(np.putmask)
def putmask(a: Any, /, mask: Any, values: Any) -> None:
    """``np.putmask``: the values belong to all elements, not only to those that are written."""
    where, v = _operands("putmask", a, mask, values)
    x = a.node
    if not v.ndim:
        write(a, build.where(where, v, x))
        return
    n, length = build.size(x), v.shape[0]
    if not at_least(length, 1):
        return
    if at_least(length, n):
        v = build.view(v, (n,), ((0, 1, 0),))
    else:
        v = build.gather(v, (n,), (("index", 0),), _over_and_over(n, length))
    write(a, build.where(where, build.reshape(v, x.shape), x))


@implements(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """``np.place``: the values in turn."""
    where, v = _operands("place", arr, mask, vals)
    shared = isinstance(vals, Tracer) and vals.memory is not None and vals.memory is arr.memory
    if vals is arr or shared:
        raise NotTraceable("np.place puts an array into itself: what it reads, it has written")
    x = arr.node
    if v.ndim and not at_least(v.shape[0], 1):
        anywhere = build.reduce("any", where, tuple(range(where.ndim)))
        nowhere = call("logical_not", anywhere)
        build.solver().require(nowhere, nowhere, nowhere)
        return
    if not v.ndim or not at_least(v.shape[0], 2):
        v = build.view(v, (), ((0, 0, None),)) if v.ndim else v
        write(arr, build.where(where, v, x))
        return
    found = build.nonzero(where)
    count = found.shape[0]
    enough = at_least(v.shape[0], build.size(x))
    places = build.iota(count) if enough else _over_and_over(count, v.shape[0])
    y = build.gather(v, (count,), (("index", 0),), places)
    columns = [build.view(found, (count,), ((0, 1, 0), (k, 0, None))) for k in range(x.ndim)]
    write(arr, build.scatter(x, y, columns, [True] * x.ndim, "set"))


@implements(np.put)
@method("put")
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """``np.put``: the values in turn, at positions that count the elements in C order."""
    if not isinstance(a, Tracer) or a.kind != "array" or not a.node.ndim:
        raise NotTraceable("np.put into an array that is not traced, or has no axes")
    check_owned(a)
    if isinstance(ind, (list, tuple)) and not ind:
        return
    positions = strong(ind)
    if positions.dtype.kind not in "iu" or mode not in ("raise", "wrap", "clip"):
        raise NotTraceable("np.put at positions that are no integers is not compiled")
    if isinstance(v, (list, tuple)):
        v = Tracer(strong(_taken(v, a.node.dtype)))
    node = _cast("put", v, a.node.dtype)
    count = build.size(positions)
    at = build.reshape(build.cast(positions, INT64), (count,))
    values = build.reshape(node, (build.size(node),))
    length = values.shape[0]
    if not at_least(length, 1):
        return
    if length == 1 or not at_least(length, 2):
        values = build.view(values, (), ((0, 0, None),))
    elif at_least(length, count):
        values = build.view(values, (count,), ((0, 1, 0),))
    else:
        values = build.gather(values, (count,), (("index", 0),), _over_and_over(count, length))
    size = dim_node(build.size(a.node))
    if mode == "wrap":
        at = call("remainder", at, size)
    elif mode == "clip":
        at = call("minimum", call("maximum", at, 0), call("subtract", size, 1))
    axes, inner = [], Tracer(at)
    for n in reversed(a.node.shape[1:]):
        # A negative position stays one of the first axis, and what is outside is outside there.
        axes.append(inner % number(n))
        inner = inner // number(n)
    setitem(a, (inner, *reversed(axes)), Tracer(values))


def _operands(name: str, a: Any, mask: Any, values: Any) -> tuple[Node, Node]:
    """The mask in the array's shape, and the values of its dtype: a scalar, or one axis of them."""
    if not isinstance(a, Tracer) or a.kind != "array" or not a.node.ndim:
        raise NotTraceable(f"np.{name} into an array that is not traced")
    check_owned(a)
    x, where = a.node, build.cast(strong(mask), BOOL)
    pairs = zip(where.shape, x.shape, strict=False)
    if where.ndim != x.ndim or not all(build.solver().equal(d, n) for d, n in pairs):
        if not build.solver().equal(build.size(where), build.size(x)):
            raise ShapeError(f"{name}: mask and data must be the same size")
        where = build.reshape(where, x.shape)
    v = _converted(name, values, x.dtype)
    return where, build.reshape(v, (build.size(v),)) if v.ndim else v


def _converted(name: str, values: Any, dtype: np.dtype[Any]) -> Node:
    """What is put by masks, as `dtype`: NumPy casts scalars, and arrays where that is safe."""
    if isinstance(values, (list, tuple)):
        v = strong(_taken(values, dtype))
        if values and not np.can_cast(v.dtype, dtype, "safe"):
            raise NotTraceable(f"np.{name} of traced values of another type is not compiled")
        return build.cast(v, dtype)
    if not is_scalar(values) and not is_number(values):
        check_cast(strong(values).dtype, dtype, "safe")
    return _cast(name, values, dtype)


def _cast(name: str, values: Any, dtype: np.dtype[Any]) -> Node:
    """A number of Python's as NumPy takes it into the `dtype`; anything else is cast."""
    if is_number(values):
        return value_of(values, dtype)
    v = strong(values)
    if v.dtype.kind == "c" and dtype.kind not in "cb":
        raise NotTraceable(f"np.{name} of complex numbers into a real array is not compiled")
    return build.cast(v, dtype)


def _taken(values: Any, dtype: np.dtype[Any]) -> Any:
    """A list of Python's numbers, each as NumPy takes it into the `dtype`; others as they are."""
    if not all(map(is_number, values)):
        return values
    return [Tracer(value_of(v, dtype), "scalar") for v in values]


def _over_and_over(count: Dim, length: Dim) -> Node:
    """0, 1, … `length` - 1, 0, 1, …"""
    return build.cast(call("remainder", build.iota(count), dim_node(length)), INT64)
