"""Views and reshapes: the same elements at other indices. Parts joined to a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.record import (
    Batched,
    Cotangents,
    Env,
    Rule,
    Values,
    batched_or_spread,
    length_of,
    other_dtype,
    several_dtypes,
    shape_of,
    zeros,
)


def _view(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return _apply_view(
        np.asarray(args[0]),
        shape_of(node.attr[0], values),
        [(length_of(start, values), step, axis) for start, step, axis in node.attr[1]],
    )


def _apply_view(
    x: Any, shape: tuple[int, ...], index: Iterable[tuple[int, int, int | None]]
) -> np.ndarray:
    """The affine view of `x` that a view node describes, without a copy."""
    if 0 in shape:
        return np.empty(shape, x.dtype)
    strides = [0] * len(shape)
    corner = []
    for (start, step, axis), stride in zip(index, x.strides, strict=True):
        corner.append(start)
        if axis is not None:
            strides[axis] += step * stride
    base = x[(*corner, ...)] if corner else x
    return np.lib.stride_tricks.as_strided(base, shape, strides, writeable=False)


def _view_problem(node: Node) -> str | None:
    shape, index = node.attr
    axes = [axis for *_, axis in index if axis is not None]
    if len(index) != node.args[0].ndim or shape != node.shape or any(a >= len(shape) for a in axes):
        return "index map does not fit"
    return other_dtype(node)


def _view_text(names: Any, node: Node) -> str:
    return "[" + ", ".join(map(names.index, node.attr[1])) + "]"


def _view_batch(node: Node, new: Batched, count: Dim) -> Node:
    moved = ((start, step, k if k is None else k + 1) for start, step, k in node.attr[1])
    return build.view(new[node.args[0]], (count, *node.shape), ((0, 1, 0), *moved))


def _view_pull(node: Node, g: Node) -> Cotangents:
    """Repeated axes are summed; what a slice leaves out is zero."""
    x, index = node.args[0], node.attr[1]
    used = [k for _, step, k in index if k is not None and step]
    unused = tuple(k for k in range(g.ndim) if k not in used and g.shape[k] != 1)
    if unused:
        g = build.reduce("any" if g.dtype.kind == "b" else "sum", g, unused)
    left = [k for k in range(node.ndim) if k not in unused]
    g = build.squeeze(g, [i for i, k in enumerate(left) if k not in used])
    place = {k: i for i, k in enumerate(k for k in range(node.ndim) if k in used)}
    if len(set(used)) != len(used) or any(abs(s) > 1 for _, s, k in index if k is not None):
        return (_scattered(x, g, index, place),)
    # One operand axis after the other, in the operand's order.
    shape: list[dims.Dim] = []
    back: list[build.Index] = [(0, 0, None)] * g.ndim
    for _, step, k in index:
        if k is None or not step:
            shape.append(1)
            continue
        source = place[k]
        length = g.shape[source]
        back[source] = (0, 1, len(shape)) if step > 0 else (dims.sub(length, 1), -1, len(shape))
        shape.append(length)
    g = build.view(g, tuple(shape), tuple(back))
    firsts = [
        start if k is None or step >= 0 else dims.sub(dims.add(start, 1), g.shape[axis])
        for axis, (start, step, k) in enumerate(index)
    ]
    margins = narrow(x.shape, g.shape)
    if margins is not None and any(margins):
        return (_framed(g, x.shape, firsts, margins),)
    for axis, first in enumerate(firsts):
        g = _padded(g, axis, first, x.shape[axis])
    return (g,)


#: How much of an axis is a margin, at most, at both ends together.
_NARROW = 16


def narrow(whole: Sequence[Dim], part: Sequence[Dim]) -> list[int] | None:
    """How many elements a part leaves out along each axis, where these are a few at the margins."""
    known = build.solver().canonical
    found = [dims.sub(known(n), known(m)) for n, m in zip(whole, part, strict=True)]
    margins = [d for d in found if isinstance(d, int) and 0 <= d <= _NARROW]
    return margins if len(margins) == len(found) and len(margins) else None


def _framed(g: Node, shape: tuple[Dim, ...], firsts: Sequence[Dim], margins: Sequence[int]) -> Node:
    """`g` in an array of zeros, seen in the zeros around it that all its places in there share."""
    wide = [axis for axis, m in enumerate(margins) if m]
    if len(wide) == 1:
        [axis] = wide
        edge = zeros((*g.shape[:axis], margins[axis], *g.shape[axis + 1 :]), g.dtype)
        frame = build.concatenate([edge, g, edge], axis)
    else:
        around = tuple(dims.add(d, 2 * m) for d, m in zip(g.shape, margins, strict=True))
        positions = [
            build.view(build.iota(d), g.shape, ((m, 1, axis),))
            for axis, (d, m) in enumerate(zip(around, margins, strict=True))
        ]
        frame = build.scatter(zeros(around, g.dtype), g, positions, [False] * g.ndim, "set")
    starts = (dims.sub(m, first) if m else 0 for m, first in zip(margins, firsts, strict=True))
    return build.view(frame, shape, tuple((s, 1, axis) for axis, s in enumerate(starts)))


def _padded(g: Node, axis: int, start: dims.Dim, length: dims.Dim) -> Node:
    """`g` with zeros before and after along `axis`."""
    known = build.solver().canonical
    after = dims.sub(known(length), known(dims.add(start, g.shape[axis])))
    parts = []
    for count in (start, None, after):
        if count is None:
            parts.append(g)
        elif count != 0:
            shape = (*g.shape[:axis], count, *g.shape[axis + 1 :])
            parts.append(zeros(shape, g.dtype))
    return build.concatenate(parts, axis) if len(parts) > 1 else g


def _scattered(x: Node, g: Node, index: Sequence[build.Index], place: dict[int, int]) -> Node:
    positions = []
    for start, step, k in index:
        if k is None or not step:
            positions.append(build.cast(dims.as_node(start), np.dtype(np.int64)))
            continue
        at = build.iota(g.shape[place[k]])
        scale = build.cast(dims.as_node(step), at.dtype)
        offset = build.cast(dims.as_node(start), at.dtype)
        at = build.elementwise("add", build.elementwise("multiply", at, scale), offset)
        positions.append(build.view(at, g.shape, ((0, 1, place[k]),)))
    return build.scatter(zeros(x.shape, g.dtype), g, positions, [False] * len(positions), "add")


def _reshape(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return args[0].reshape(shape_of(node.attr, values))


def _reshape_lengths(node: Node) -> str | None:
    same = dims.product(node.args[0].shape) == dims.product(node.shape)
    return None if same else "size is not the operand's"


def _reshape_batch(node: Node, new: Batched, count: Dim) -> Node:
    return build.reshape(new[node.args[0]], (count, *node.shape))


def _reshape_pull(node: Node, g: Node) -> Cotangents:
    return (build.reshape(g, node.args[0].shape),)


def _concatenate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.concatenate(args, axis=node.attr[0])


def _concatenate_lengths(node: Node) -> str | None:
    axis = node.attr[0]
    total: Dim = 0
    for part in node.args:
        total = dims.add(total, part.shape[axis])
    return None if total == node.shape[axis] else "length is not the sum of the parts'"


def _concatenate_batch(node: Node, new: Batched, count: Dim) -> Node:
    return build.concatenate(
        [batched_or_spread(a, new, count) for a in node.args], node.attr[0] + 1
    )


def _concatenate_pull(node: Node, g: Node) -> Cotangents:
    axis = node.attr[0]
    parts, start = [], 0
    offset: dims.Dim = start
    for part in node.args:
        index = tuple((offset, 1, k) if k == axis else (0, 1, k) for k in range(g.ndim))
        parts.append(build.view(g, part.shape, index))
        offset = dims.add(offset, part.shape[axis])
    return parts


RULES = {
    ops.VIEW: Rule(
        evaluate=_view,
        problem=_view_problem,
        static=_view_text,
        batch=_view_batch,
        pull=_view_pull,
        masked=True,
    ),
    ops.RESHAPE: Rule(
        evaluate=_reshape,
        problem=other_dtype,
        lengths=_reshape_lengths,
        static=lambda names, node: "",
        batch=_reshape_batch,
        pull=_reshape_pull,
        masked=True,
    ),
    ops.CONCATENATE: Rule(
        evaluate=_concatenate,
        problem=several_dtypes,
        lengths=_concatenate_lengths,
        batch=_concatenate_batch,
        pull=_concatenate_pull,
        masked=True,
    ),
}
