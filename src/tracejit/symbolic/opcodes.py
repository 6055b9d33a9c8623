"""The table of symbolic ops: what each is in terms of NumPy's functions.

An implementation gets the static data of an application and the values of its operands. These are
traced values while a function is compiled, and arrays where it runs in plain NumPy; the functions
of NumPy that it calls take both. So nothing is implemented here that the traced functions do not
have already.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import condition
from tracejit.capture import tables  # noqa: F401 — which are filled
from tracejit.capture.namespace import replacement
from tracejit.errors import ShapeError
from tracejit.ir import build, dims, ops
from tracejit.ir.node import Node, make
from tracejit.trace.equality import LateLength
from tracejit.trace.tracer import Tracer, number, view_of

#: NumPy as a traced function sees it: creation functions take traced lengths.
xp: Any = replacement(np)


@dataclass(frozen=True)
class Opcode:
    """`evaluate(attr, *values)` gives the value, or a tuple of `outputs` values.

    `types(attr, inputs)` gives the outputs' types where they are not to be inferred.
    `connection(attr, reached)` gives the positions of the operands that have a gradient where the
    outputs at the keys of `reached` have one; the values say why one is not defined, or "". Without
    it all operands have. `sides(attr)` gives the positions of groups of operands, the last ones, of
    which one is computed: in their place `evaluate` gets a function of no arguments for each.
    `targets(attr)` gives the positions of the operands that derivatives are taken by.
    """

    evaluate: Callable[..., Any]
    types: Callable[..., list[Any]] | None = None
    connection: Callable[..., dict[int, str]] | None = None
    sides: Callable[..., tuple[range, ...]] | None = None
    targets: Callable[..., range] | None = None


OPS: dict[str, Opcode] = {}


def opcode(
    name: str, types: Any = None, connection: Any = None, sides: Any = None, targets: Any = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the implementation of op `name`."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        assert name not in OPS
        OPS[name] = Opcode(function, types, connection, sides, targets)
        return function

    return declare


# Elementwise -----------------------------------------------------------------------------------


@opcode("elemwise")
def _elemwise(attr: Any, *values: Any) -> Any:
    """attr: (row of the elementwise table, dtype, the operands' broadcast patterns)."""
    name, dtype, patterns = attr
    row = ops.ELEMENTWISE[name]
    if not any(isinstance(v, Tracer) for v in values):
        _check_lengths([np.shape(v) for v in values], patterns)
        return _reference(row, dtype, values)
    nodes = [node_of(v) for v in values]
    shape = _common_shape(nodes, patterns)
    operands = [_stretched(n, p, shape) for n, p in zip(nodes, patterns, strict=True)]
    if row is ops.CAST:
        return _result(build.cast(operands[0], np.dtype(dtype)))
    return _result(build.apply(row, operands, np.dtype(dtype)))


def _reference(row: ops.Elementwise, dtype: str, values: Any) -> Any:
    with np.errstate(all="ignore"):
        if row is ops.CAST:
            return np.asarray(values[0]).astype(dtype)
        if row is ops.WHERE:
            return np.where(*values)
        if row in (ops.REAL, ops.IMAG):
            return getattr(np, row.name)(values[0])
        result = row.ufunc(*values)
    return result[row.output] if row.ufunc.nout > 1 else result


def _mismatch(first: int, second: int, axis: int, a: Any, b: Any) -> ShapeError:
    return ShapeError(
        f"Input dimension mis-match. (input[{first}].shape[{axis}] = {a}, "
        f"input[{second}].shape[{axis}] = {b})"
    )


def _check_lengths(shapes: list[tuple[int, ...]], patterns: Any) -> None:
    for axis in range(len(patterns[0])):
        full = [k for k, p in enumerate(patterns) if not p[axis]]
        for k in full[1:]:
            if shapes[k][axis] != shapes[full[0]][axis]:
                raise _mismatch(full[0], k, axis, shapes[full[0]][axis], shapes[k][axis])


def _common_shape(nodes: list[Node], patterns: Any) -> tuple[dims.Dim, ...]:
    """The shape of an elementwise result: axes that do not broadcast must agree."""
    shape: list[dims.Dim] = []
    solver = build.solver()
    for axis in range(len(patterns[0])):
        full = [k for k, p in enumerate(patterns) if not p[axis]]
        if not full:
            shape.append(1)
            continue
        length = nodes[full[0]].shape[axis]
        for k in full[1:]:
            other = nodes[k].shape[axis]
            same = _agree(length, other)
            if same is None and solver.value(length) is None:
                length = other  # which may be known, as it is not by an array's content
            elif same is False:
                raise _mismatch(full[0], k, axis, solver.value(length), solver.value(other))
        shape.append(length)
    return tuple(shape)


def _agree(a: dims.Dim, b: dims.Dim) -> bool | None:
    """Whether lengths are equal; None where only a call's arrays tell."""
    try:
        return build.solver().equal(a, b)
    except LateLength as refusal:
        refusal.forget()
        return None


def _stretched(node: Node, pattern: tuple[bool, ...], shape: tuple[dims.Dim, ...]) -> Node:
    """An operand in the shape of the result: what has another length ends the call."""
    if not node.ndim or node.shape == shape:
        return node
    index: list[build.Index] = []
    for k, (b, have, want) in enumerate(zip(pattern, node.shape, shape, strict=True)):
        if b:
            index.append((0, 0, None))
        elif have is want or _agree(have, want) is not None:
            index.append((0, 1, k))
        else:
            same = condition("equal", have, want)
            start = late.given(dims.as_node(0), [same])
            build.solver().noted(start, 1, [start, dims.sub(0, start)])
            index.append((start, 1, k))
    return build.view(node, shape, tuple(index))


# Shapes ----------------------------------------------------------------------------------------


@opcode("dimshuffle")
def _dimshuffle(attr: Any, x: Any) -> Any:
    """attr: the order, an axis or "x" an entry."""
    kept = [k for k in attr if k != "x"]
    dropped = tuple(k for k in range(np.ndim(x)) if k not in kept)
    if dropped:
        x = np.squeeze(x, dropped)
    place = {k: i for i, k in enumerate(sorted(kept))}
    if [place[k] for k in kept] != list(range(len(kept))):
        x = np.transpose(x, [place[k] for k in kept])
    new = tuple(i for i, k in enumerate(attr) if k == "x")
    return np.expand_dims(x, new) if new else x


@opcode("shape_i")
def _shape_i(attr: Any, x: Any) -> Any:
    """attr: the axis."""
    return np.shape(x)[attr]


@opcode("make_vector")
def _make_vector(attr: Any, *values: Any) -> Any:
    """attr: the dtype."""
    if not any(isinstance(v, Tracer) for v in values):
        return np.array([np.asarray(v) for v in values], attr).reshape(len(values))
    if not values:
        return xp.zeros(0, attr)
    cells = [build.expand_dims(build.cast(node_of(v), np.dtype(attr)), (0,)) for v in values]
    return Tracer(build.concatenate(cells, 0))


@opcode("reshape")
def _reshape(attr: Any, x: Any, *lengths: Any) -> Any:
    """attr: the broadcast pattern of the result."""
    shape = tuple(map(length_of, lengths))
    result = np.reshape(x, shape)
    return _with_ones(result, attr)


@opcode("rebroadcast")
def _rebroadcast(attr: Any, x: Any) -> Any:
    """attr: the broadcast pattern of the result. Axes that newly broadcast must have length 1."""
    return _with_ones(x, attr)


def _with_ones(x: Any, pattern: tuple[bool, ...]) -> Any:
    """`x`, whose axes that broadcast must have length 1."""
    if not isinstance(x, Tracer):
        for axis, b in enumerate(pattern):
            if b and x.shape[axis] != 1:
                raise _no_one(axis, x.shape[axis])
        return x
    shape = list(x.node.shape)
    for axis, b in enumerate(pattern):
        if b and shape[axis] != 1:
            if not build.solver().equal(shape[axis], 1):
                raise _no_one(axis, build.solver().value(shape[axis]))
            shape[axis] = 1
    index = tuple((0, 1, k) for k in range(len(shape)))
    return view_of(x, lambda n: build.view(n, tuple(shape), index))


def _no_one(axis: int, length: Any) -> ShapeError:
    return ShapeError(f"Dimension {axis} was declared broadcastable, but has length {length}")


@opcode("specify_shape", types=lambda attr, inputs: [inputs[0].type])
def _specify_shape(attr: Any, x: Any, *lengths: Any) -> Any:
    """`x`, which must have the given lengths."""
    for axis, (have, value) in enumerate(zip(np.shape(x), lengths, strict=True)):
        want = length_of(value)
        if have != want:
            raise ShapeError(f"Dimension {axis} has length {have}, not {want}")
    return x


@opcode("join")
def _join(attr: Any, *parts: Any) -> Any:
    """attr: (axis, broadcast pattern of the result)."""
    axis, pattern = attr
    ones = [tuple(b and k != axis for k, b in enumerate(pattern))] * len(parts)
    return np.concatenate([_with_ones(p, o) for p, o in zip(parts, ones, strict=True)], axis)


@opcode("alloc")
def _alloc(attr: Any, x: Any, *lengths: Any) -> Any:
    """attr: the operand's broadcast pattern, with leading axes."""
    shape = tuple(map(length_of, lengths))
    if not isinstance(x, Tracer) and not any(isinstance(n, Tracer) for n in lengths):
        _check_alloc(np.shape(x), attr[len(attr) - np.ndim(x) :], shape)
        return np.broadcast_to(x, shape).copy()
    node = node_of(x)
    target = tuple(dims.from_node(node_of(n)) if isinstance(n, Tracer) else n for n in shape)
    lead = len(target) - node.ndim
    index: list[build.Index] = []
    for k, d in enumerate(node.shape):
        if attr[lead + k]:
            index.append((0, 0, None))
            continue
        if not build.solver().equal(d, target[lead + k]):
            a, b = (build.solver().value(v) for v in (d, target[lead + k]))
            raise ShapeError(f"Alloc: axis {lead + k} of the value has length {a}, not {b}")
        index.append((0, 1, lead + k))
    return Tracer(build.view(node, target, tuple(index)))


def _check_alloc(shape: Any, pattern: Any, target: Any) -> None:
    lead = len(target) - len(shape)
    for k, (n, b) in enumerate(zip(shape, pattern, strict=True)):
        if not b and n != target[lead + k]:
            raise ShapeError(
                f"Alloc: axis {lead + k} of the value has length {n}, not {target[lead + k]}"
            )


# Functions of NumPy ----------------------------------------------------------------------------


@opcode("numpy")
def _numpy(attr: Any, *values: Any) -> Any:
    """attr: (function's name, positional arguments, keywords), operands by `Operand`.

    A name with a point is one in a module of NumPy's or SciPy's: "linalg.inv", "scipy.linalg.expm".
    """
    name, args, kwargs = attr
    traced = any(isinstance(v, Tracer) for v in values)
    function = getattr(_module_of(name, traced), name.rpartition(".")[2])
    return function(
        *(_filled(a, values) for a in args), **{k: _filled(v, values) for k, v in kwargs}
    )


def _module_of(name: str, traced: bool) -> Any:
    """The module that a function is in; as a traced function sees it, or as it is."""
    path = name.rpartition(".")[0]
    if not path:
        return xp if traced else np
    if not path.startswith("scipy"):
        path = f"numpy.{path}"
    module = importlib.import_module(path)
    return replacement(module) if traced else module


@dataclass(frozen=True)
class Operand:
    """Stands for operand `index` in static arguments; a `length` is an int to NumPy."""

    index: int
    length: bool = False


@dataclass(frozen=True)
class Items:
    """A list in static arguments."""

    items: tuple[Any, ...]


def _filled(item: Any, values: Any) -> Any:
    if isinstance(item, Operand):
        value = values[item.index]
        return length_of(value) if item.length else value
    if isinstance(item, Items):
        return [_filled(i, values) for i in item.items]
    if isinstance(item, tuple):
        return tuple(_filled(i, values) for i in item)
    if isinstance(item, slice):
        return slice(*(_filled(i, values) for i in (item.start, item.stop, item.step)))
    return item


@opcode("method")
def _method(attr: Any, *values: Any) -> Any:
    """attr: (name, positional arguments, keywords) of a method of the first operand."""
    name, args, kwargs = attr
    return getattr(values[0], name)(
        *(_filled(a, values) for a in args), **{k: _filled(v, values) for k, v in kwargs}
    )


# Helpers ---------------------------------------------------------------------------------------


def node_of(value: Any) -> Node:
    """The node of a value; a Python number or array of this trace becomes one."""
    if isinstance(value, Tracer):
        return value.node
    array = np.asarray(value)
    if array.ndim:
        node: Node = build.solver().array_input(array).node
        return node
    return build.constant(array[()], array.dtype)


def _result(node: Node) -> Tracer:
    return Tracer(node, "array" if node.shape else "scalar")


def length_of(value: Any) -> Any:
    """A value as a length: a traced integer scalar becomes a traced Python number."""
    if not isinstance(value, Tracer):
        return int(np.asarray(value)[()])
    node = value.node
    if node.op is ops.CONST:
        return int(build.constant_value(node))
    if value.kind == "number" or (node.op is ops.CAST and node.args[0].type == dims.INT_SCALAR):
        return number(dims.from_node(node if value.kind == "number" else node.args[0]))
    if node.op is ops.CAST and node.args[0].dtype.kind in "iu" and node.dtype.itemsize >= 4:
        node = node.args[0]  # of int32 to int64: the same number
    return number(make(ops.CAST, (node,), None, dims.INT_SCALAR, node.origin))


__all__ = ["OPS", "Items", "Opcode", "Operand", "length_of", "node_of", "opcode", "xp"]
