"""Reading by ints, slices, ``None``, ``...``, masks and integer arrays, on symbolic dimensions.

Which side of a bound an argument is on is decided for the arguments at hand, under a guard, so that
``x[1:-1]`` has the length ``n - 2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import (
    at_least,
    compared,
    condition,
    dim_node,
    length,
    require_positions,
    same,
    span,
)
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.build import Index
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, INT64
from tracejit.trace.mixed import Mixed
from tracejit.trace.tables import METHODS, method
from tracejit.trace.tracer import Tracer, solver_value, view_of, wrap


@dataclass
class _Layout:
    """The basic part of an index as a view, and the axes of the view that arrays index."""

    shape: list[Dim]
    index: list[tuple[Dim, Dim, int | None]]
    #: Axis of the view -> integer index array.
    arrays: dict[int, Node]
    #: Those axes whose positions lie on them: a mask's.
    masked: set[int]
    #: Whether a slice, None or ``...`` stands between two index arrays.
    apart: bool


#: How many elements of an array become a list.
_LISTED = 64


@method("item")
def item(x: Tracer, *args: Any) -> Any:
    """The one element, or that at an index, as a Python number."""
    if args:
        x = getitem(x, args[0] if len(args) == 1 and isinstance(args[0], tuple) else args)
    elif x.node.shape:
        if not all(same(d, 1) for d in x.node.shape):
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        x = getitem(x, (0,) * x.node.ndim)
    kind = x.node.dtype.kind
    return METHODS["convert"]({"b": bool, "f": float, "c": complex}.get(kind, int), x)


@method("only")
def only(x: Tracer) -> Tracer:
    """The one element of an array of known length 1; another array itself."""
    one = x.node.shape and all(isinstance(d, int) and d == 1 for d in x.node.shape)
    return getitem(x, (0,) * x.node.ndim) if one else x


@method("tolist")
def tolist(x: Tracer) -> Any:
    """The elements as Python numbers, in lists, where these are short."""
    if not x.node.shape:
        return item(x)
    size = build.solver().value(build.size(x.node))
    if size is None or size > _LISTED:
        raise NotTraceable(
            "an array of many elements becomes a list", "compute with the array itself"
        )
    return [tolist(getitem(x, k)) for k in range(solver_value(x.node.shape[0]))]


@method("getitem")
def getitem(x: Tracer, key: Any) -> Tracer:
    """``x[key]``."""
    one = alone(key if isinstance(key, tuple) else (key,))
    if one is not None:
        rest, mask, at = one
        wide = getitem(x, rest)
        return getitem(wide, (*[slice(None)] * axis_of(wide, rest, at), mask))
    if x.kind == "scalar" and not (key is None or key is Ellipsis or isinstance(key, tuple)):
        raise IndexError("invalid index to scalar variable.")
    entries = expand(key if isinstance(key, tuple) else (key,), x.node.ndim)
    if any(isinstance(e, Node) for e in entries):
        # Where there is an index array, ints are index arrays too, with no axes.
        layout = _layout(x.node, entries)
        source = build.view(x.node, tuple(layout.shape), _affine(layout))
        node = _gather(source, layout)
        copied = node.shape or any(e is Ellipsis for e in entries)
        return Tracer(node, "array" if copied else "scalar")
    shape, index = basic_index(x.node, entries)
    if not shape and not any(e is Ellipsis for e in entries):
        return Tracer(build.view(x.node, shape, index), "scalar")
    if x.kind == "scalar":
        return Tracer(build.view(x.node, shape, index))
    return view_of(x, lambda n: build.view(n, shape, index))


def _truth(k: Any) -> bool:
    traced = isinstance(k, Tracer) and k.node.dtype == BOOL and not k.node.ndim
    return isinstance(k, (bool, np.bool_)) or traced


def alone(key: tuple[Any, ...]) -> tuple[tuple[Any, ...], Tracer, int] | None:
    """What an index of one truth value and slices is: an axis of one more, and a mask of that."""
    places = [n for n, k in enumerate(key) if _truth(k)]
    basic = [k is None or k is Ellipsis or isinstance(k, slice) or _truth(k) for k in key]
    if len(places) != 1 or not all(basic):
        return None
    [at] = places
    mask = build.expand_dims(build.cast(wrap(key[at]).node, BOOL), (0,))
    return (*key[:at], None, *key[at + 1 :]), Tracer(mask), at


def axis_of(x: Tracer, key: tuple[Any, ...], at: int) -> int:
    """The axis of `x` that an entry of an index without integers has become."""
    if not any(k is Ellipsis for k in key[:at]):
        return at
    after = key[at:]
    return x.node.ndim - len(after)


def basic_index(x: Node, entries: Sequence[Any]) -> tuple[tuple[Dim, ...], tuple[Index, ...]]:
    """The shape and the index map of the view that entries without arrays describe."""
    layout = _layout(x, entries)
    return tuple(layout.shape), _affine(layout)


def _affine(layout: _Layout) -> tuple[Index, ...]:
    """The index map of a view."""
    index: list[Index] = []
    for start, step, k in layout.index:
        if not isinstance(step, int):
            raise NotTraceable(
                "a slice is read whose step only the values of arrays tell",
                "write into it: x[a::k] = y",
            )
        index.append((start, step, k))
    return tuple(index)


def is_strided(e: Any) -> bool:
    """Whether an entry is a slice whose step only the values of arrays tell."""
    if not isinstance(e, slice) or not isinstance(e.step, Tracer):
        return False
    return e.step.node.dtype.kind in "iu" and build.solver().value(length(e.step)) is None


def expand(key: tuple[Any, ...], ndim: int) -> list[Any]:
    """The entries of an index: ints as dims, slices, None, Ellipsis, integer array nodes, masks.

    NumPy's scalars are looked up in a loop that may be vectorised, if each gives an element.
    """
    viewing = build.solver().may_go_back() or len(key) < ndim
    entries = [_entry(k, viewing) for k in key]
    taken = 0
    for e in entries:
        if isinstance(e, Node):
            taken += e.ndim if e.dtype == BOOL else 1
        elif e is not None and e is not Ellipsis:
            taken += 1
    if sum(e is Ellipsis for e in entries) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if taken > ndim:
        raise IndexError(
            f"too many indices for array: array is {ndim}-dimensional, but {taken} were indexed"
        )
    return entries


@dataclass(frozen=True)
class _Int:
    at: Dim


def _entry(k: Any, viewing: bool) -> Any:
    if k is None or k is Ellipsis or isinstance(k, slice):
        return k
    if isinstance(k, Mixed):
        k = k.index()
    if isinstance(k, (bool, np.bool_)):
        raise NotTraceable("an index of a single bool is not compiled")
    if isinstance(k, (int, np.integer)):
        return _Int(int(k))
    if isinstance(k, (list, tuple, range)) and not k:
        k = build.solver().array_input(np.zeros(0, np.intp))
    if isinstance(k, (Tracer, list, tuple, range, np.ndarray)):
        v = wrap(k)
        if v.kind == "number" and v.node.dtype.kind == "i":
            return _Int(dims.from_node(v.node))
        if v.kind == "scalar" and v.node.dtype.kind in "iu" and viewing:
            return _Int(dims.from_node(late.of_index(v.node)))
        if v.node.dtype == BOOL:
            if not v.node.ndim:
                raise NotTraceable("an index of a single bool is not compiled")
            return v.node
        if v.node.dtype.kind in "iu" and not v.node.type.weak:
            return v.node
        if v.kind == "array":
            raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if hasattr(k, "__index__") and not isinstance(k, Tracer):
        return _Int(k.__index__())
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or "
        "boolean arrays are valid indices"
    )


def _layout(x: Node, entries: Sequence[Any]) -> _Layout:
    """The view and the index arrays that `entries` describe."""
    used = sum(
        (e.ndim if isinstance(e, Node) and e.dtype == BOOL else 1)
        for e in entries
        if e is not None and e is not Ellipsis
    )
    result = _Layout([], [], {}, set(), False)
    # Compared by identity: entries may be nodes.
    full = list(entries) if any(e is Ellipsis for e in entries) else [*entries, Ellipsis]
    axis, seen = 0, 0
    for e in full:
        if isinstance(e, (Node, _Int)):
            seen = 3 if seen == 2 else max(seen, 1)
        elif seen == 1:
            seen = 2
        if e is None:
            result.shape.append(1)
        elif e is Ellipsis:
            for _ in range(x.ndim - used):
                _take_all(result, x.shape[axis])
                axis += 1
        elif isinstance(e, slice):
            start, step, count = _bounds(e, x.shape[axis])
            result.index.append((start, step, len(result.shape)))
            result.shape.append(count)
            axis += 1
        elif isinstance(e, _Int):
            result.index.append((int_index(e.at, x.shape[axis], axis), 0, None))
            axis += 1
        else:
            for array in _index_arrays(e, x, axis):
                result.arrays[len(result.shape)] = array
                if e.dtype == BOOL:
                    result.masked.add(len(result.shape))
                _take_all(result, x.shape[axis])
                axis += 1
    result.apart = seen == 3
    return result


def _take_all(layout: _Layout, count: Dim) -> None:
    layout.index.append((0, 1, len(layout.shape)))
    layout.shape.append(count)


def _index_arrays(e: Node, x: Node, axis: int) -> list[Node]:
    """The integer arrays of an index array; one an axis for a mask."""
    if e.dtype != BOOL:
        return [e]
    check_mask(e, x, axis)
    positions = build.nonzero(e)
    count = positions.shape[0]
    return [build.view(positions, (count,), ((0, 1, 0), (k, 0, None))) for k in range(e.ndim)]


def check_mask(e: Node, x: Node, axis: int) -> None:
    """IndexError where the mask `e` does not fit the axes of `x` from `axis` on."""
    for k, d in enumerate(e.shape):
        if build.solver().is_late(x.shape[axis + k], d):
            fits = condition("equal", x.shape[axis + k], d)
            build.solver().require(fits, fits, fits)
            continue
        if not build.solver().equal(x.shape[axis + k], d):
            size, masked = (build.solver().value(v) for v in (x.shape[axis + k], d))
            raise IndexError(
                f"boolean index did not match indexed array along axis {axis + k}; size of axis "
                f"is {size} but size of corresponding boolean axis is {masked}"
            )


def _gather(source: Node, layout: _Layout) -> Node:
    """`source` read at arrays, whose broadcast axes come first, or in place of the indexed."""
    arrays, apart = layout.arrays, layout.apart
    try:
        common = build.broadcast_shapes([a.shape for a in arrays.values()])
    except ValueError as error:
        shapes = " ".join(
            str(tuple(build.solver().value(d) for d in a.shape)).replace(" ", "")
            for a in arrays.values()
        )
        raise IndexError(
            f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes} "
        ) from error
    rest = [k for k in range(source.ndim) if k not in arrays]
    before = 0 if apart else sum(k < min(arrays) for k in rest)
    shape = (
        *(source.shape[k] for k in rest[:before]),
        *common,
        *(source.shape[k] for k in rest[before:]),
    )
    place = {k: i if i < before else i + len(common) for i, k in enumerate(rest)}
    picks = []
    indices: list[Node] = []
    for k in range(source.ndim):
        if k in arrays:
            picks.append(("index", len(indices)))
            array = arrays[k]
            # Right-aligned with `common`, which the axes after it must not shift.
            after = len(rest) - before if array.ndim else 0
            indices.append(build.expand_dims(array, [array.ndim + j for j in range(after)]))
        else:
            picks.append(("axis", place[k]))
    result = build.gather(source, shape, tuple(picks), *indices)
    for k, array in arrays.items():
        if k not in layout.masked:
            require_positions(result, array, source.shape[k], common)
    return result


def scatter(x: Tracer, key: Any, y: Node, mode: str) -> Node:
    """`x` with `y` put ("set") or added ("add") at ``x[key]``, as a new array.

    `y` is cast to the dtype of `x`, and broadcast as in ``x[key] = y``. Raises what NumPy raises.
    """
    entries = expand(key if isinstance(key, tuple) else (key,), x.node.ndim)
    layout = _layout(x.node, entries)
    arrays, shape = layout.arrays, tuple(layout.shape)
    place = {k: k for k in range(len(shape))}
    after = 0
    if arrays:
        common = build.broadcast_shapes([a.shape for a in arrays.values()])
        rest = [k for k in range(len(shape)) if k not in arrays]
        before = 0 if layout.apart else sum(k < min(arrays) for k in rest)
        after = len(rest) - before
        place = {k: i if i < before else i + len(common) for i, k in enumerate(rest)}
        kept = [shape[k] for k in rest]
        shape = (*kept[:before], *common, *kept[before:])
    value = into_shape(build.cast(y, x.node.dtype), shape)
    positions: list[Node] = []
    checked: list[bool] = []
    for start, step, k in layout.index:
        if k is not None and k in arrays:
            at = build.cast(arrays[k], INT64)
            at = build.expand_dims(at, [at.ndim + j for j in range(after if at.ndim else 0)])
            positions.append(build.broadcast_to(at, shape))
        elif k is None:
            positions.append(dim_node(start))
        else:
            along = span(shape[place[k]], start, step)
            positions.append(build.view(along, shape, ((0, 1, place[k]),)))
        checked.append(k is not None and k in arrays)
    result = build.scatter(x.node, value, positions, checked, mode)
    for k, array in arrays.items():
        if k not in layout.masked:
            require_positions(result, array, layout.shape[k], common)
    return result


def into_shape(y: Node, shape: tuple[Dim, ...]) -> Node:
    """`y` broadcast to `shape`; leading axes of length 1 that it has too many are dropped."""
    extra = y.ndim - len(shape)
    if extra > 0 and all(d == 1 for d in y.shape[:extra]):
        y = build.squeeze(y, range(extra))
    return build.broadcast_to(y, shape)


@method("place")
def place(k: Any, n: Dim) -> Dim:
    """The position that an index of one element names in a list of `n` elements."""
    entry = _entry(k, viewing=True)
    if not isinstance(entry, _Int):
        raise TypeError("list indices must be integers or slices")
    return int_index(entry.at, n, 0)


def int_index(i: Dim, n: Dim, axis: int) -> Dim:
    """The position that index `i` names on an axis of length `n`; IndexError beyond it."""
    positive = compared("greater_equal", i, 0)
    if positive is not None:
        at = i if positive else dims.add(n, i)
        fits = compared("less", at, n) if positive else compared("greater_equal", at, 0)
        if fits:
            return at
        positive = fits
    if positive is None:
        return late.position(i, n)
    known, size = build.solver().value(i), build.solver().value(n)
    raise IndexError(f"index {known} is out of bounds for axis {axis} with size {size}")


def _bounds(s: slice, n: Dim) -> tuple[Dim, Dim, Dim]:
    """`slice_bounds`, where the step may be traced."""
    if not is_strided(s):
        return slice_bounds(s, n)
    start, stop = (None if d is None else length(d) for d in (s.start, s.stop))
    return late.strided(start, stop, length(s.step), n)


def slice_bounds(s: slice, n: Dim) -> tuple[Dim, int, Dim]:
    """``(start, step, count)`` of a slice of an axis of length `n`, by Python's rules."""
    step = 1 if s.step is None else s.step.__index__()
    if step == 0:
        raise ValueError("slice step cannot be zero")
    ends = [None if d is None else length(d) for d in (s.start, s.stop)]
    if any(build.solver().is_open(d) for d in (*ends, n) if d is not None):
        place, count = late.bounds(ends[0], ends[1], step, n)
        return place, step, count
    top = n if step > 0 else dims.sub(n, 1)
    bottom: Dim = 0 if step > 0 else -1
    first, final = (bottom, top) if step > 0 else (top, bottom)
    start = first if s.start is None else _from_end(length(s.start), n)
    stop = final if s.stop is None else _from_end(length(s.stop), n)
    low, high = (start, stop) if step > 0 else (stop, start)
    if s.start is not None or s.stop is not None:
        # The distance first: where it is known to be non-negative, the bounds often are as well.
        if not at_least(high, low):
            return 0, step, 0
        below = low is not bottom and not at_least(low, bottom)
        above = high is not top and not at_least(top, high)
        if below:
            low = bottom
            high = high if at_least(high, bottom) else bottom
        if above:
            high = top
            low = low if at_least(top, low) else top
    distance = dims.sub(high, low)
    size = abs(step)
    count = distance if size == 1 else dims.floordiv(dims.add(distance, size - 1), size)
    return (low if step > 0 else high), step, count


def _from_end(bound: Dim, n: Dim) -> Dim:
    return bound if at_least(bound, 0) else dims.add(n, bound)
