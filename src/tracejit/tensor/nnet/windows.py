"""The ops of windows: convolutions and pools, over images of a batch, channels and some axes.

Both are made of the IR's ops alone: see `ir.convolutions`. A pool of tiles that do not overlap is
one over two more axes; others are made of slices, one for each place in a window, or where there
are many of those, or nobody knows how many, of all windows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.arrays.common import at_least, call, same
from tracejit.errors import ShapeError
from tracejit.ir import build, convolutions, dims, matrices, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.rules.convolution import convolved
from tracejit.ir.types import INT64
from tracejit.symbolic.opcodes import Operand, length_of, node_of, opcode
from tracejit.trace.tracer import Tracer

#: Places in a window up to which each has a slice of its own.
_FEW = 32

# Convolutions -------------------------------------------------------------------------------------


@opcode("convolve")
def _convolve(attr: Any, x: Any, w: Any) -> Any:
    """attr: (border mode, steps, spreads, groups, whether filters are not shared by places).

    The filters are not turned.
    """
    mode, steps, spreads, groups, unshared = attr
    count = len(steps)
    images, filters = np.shape(x), np.shape(w)
    lengths = filters[-count:]
    channels = filters[1 + count if unshared else 1]
    if not _agree(images[1], channels * groups):
        raise ShapeError(
            f"images have {_told(images[1])} channels, and filters {_told(channels)} in each of "
            f"{groups} groups"
        )
    if _mod(filters[0], groups):
        raise ValueError("the number of filters is no multiple of num_groups")
    reaches = [(n - 1) * s + 1 for n, s in zip(lengths, spreads, strict=True)]
    margins = [_margins(m, r) for m, r in zip(mode, reaches, strict=True)]
    whole = [n + a + b for n, (a, b) in zip(images[2:], margins, strict=True)]
    for have, reach in zip(whole, reaches, strict=True):
        if not have >= reach:
            raise ShapeError(f"filters reach over {_told(reach)} places, of {_told(have)}")
    places = [
        n - r + 1 if s == 1 else (n - r) // s + 1
        for n, r, s in zip(whole, reaches, steps, strict=True)
    ]
    ones = (1,) * (3 - count)
    given = (*ones, *places), (*ones, *steps), (*ones, *spreads)
    starts = [a for a, _ in margins]
    split = groups, channels, filters[0] // groups
    if not isinstance(x, Tracer) and not isinstance(w, Tracer):
        return _of_arrays(x, w, [*zip(starts, whole, strict=True)], given, split, unshared)
    return _of_nodes(node_of(x), node_of(w), [_dims(starts), _dims(whole)], given, split, unshared)


def _margins(mode: Any, reach: Any) -> tuple[Any, Any]:
    """How many zeros there are before and after an axis."""
    if mode == "full":
        return reach - 1, reach - 1
    if mode == "half":
        return reach // 2, reach // 2
    return mode


def _agree(a: Any, b: Any) -> bool:
    return build.solver().equal(*_dims((a, b))) if _is_traced(a, b) else a == b


def _mod(a: Any, b: int) -> bool:
    return b != 1 and bool(a % b != 0)


def _is_traced(*values: Any) -> bool:
    return any(isinstance(v, Tracer) for v in values)


def _told(n: Any) -> Any:
    return build.solver().value(*_dims((n,))) if isinstance(n, Tracer) else n


def _dims(lengths: Sequence[Any]) -> list[Dim]:
    """Lengths that a trace has as Python numbers, as the IR has them."""
    return [dims.from_node(n.node) if isinstance(n, Tracer) else int(n) for n in lengths]


def _of_arrays(
    x: Any, w: Any, wide: Sequence[tuple[int, int]], given: Any, split: Any, unshared: bool
) -> Any:
    """Of NumPy's arrays."""
    groups, channels, _ = split
    if any(start or n != whole for (start, whole), n in zip(wide, x.shape[2:], strict=True)):
        inner = tuple(slice(s, s + n) for (s, _), n in zip(wide, x.shape[2:], strict=True))
        around = np.zeros((*x.shape[:2], *(whole for _, whole in wide)), x.dtype)
        around[(slice(None), slice(None), *inner)] = x
        x = around
    ones = (1,) * (3 - len(wide))
    places, steps, spreads = given
    count = len(wide)
    x = x.reshape(x.shape[0], groups, channels, *ones, *x.shape[2:]).swapaxes(0, 1)
    if not unshared:
        w = w.reshape(groups, -1, channels, *ones, *w.shape[2:])
        found = convolved(x, w, places, steps, spreads).swapaxes(0, 1)
        return np.ascontiguousarray(found).reshape(found.shape[0], -1, *places[3 - count :])
    w = w.reshape(groups, w.shape[0] // groups, *places, channels, *ones, *w.shape[-count:])
    result = np.zeros((x.shape[1], groups, w.shape[1], *places), x.dtype)
    for place in np.ndindex(*places):
        at = tuple(
            slice(p * s, p * s + (n - 1) * d + 1, d)
            for p, s, d, n in zip(place, steps, spreads, w.shape[-3:], strict=True)
        )
        window = x[(slice(None), slice(None), slice(None), *at)]
        part = w[(slice(None), slice(None), *place)]
        found = np.einsum("gncijk,gocijk->ngo", window, part)
        result[(slice(None), slice(None), slice(None), *place)] = found
    return result.reshape(x.shape[1], -1, *places[3 - count :])


def _of_nodes(
    x: Node, w: Node, wide: Sequence[list[Dim]], given: Any, split: Any, unshared: bool
) -> Tracer:
    """Of traced arrays."""
    groups, (channels, filters) = split[0], _dims(split[1:])
    count = len(wide[0])
    ones = (1,) * (3 - count)
    places, steps, spreads = tuple(_dims(given[0])), given[1], given[2]
    batch = x.shape[0]
    x = build.reshape(x, (batch, groups, channels, *ones, *x.shape[2:]))
    x = build.transpose(x, (1, 0, 2, 3, 4, 5))
    starts, whole = ((*(n,) * (3 - count), *d) for n, d in zip((0, 1), wide, strict=True))
    x = _padded(x, whole, starts)
    if unshared:
        found = _of_own_filters(x, w, places, steps, spreads, (filters, channels), count)
    else:
        w = build.reshape(w, (groups, filters, channels, *ones, *w.shape[2:]))
        found = convolutions.convolve(x, w, places, steps, spreads)
    found = build.transpose(found, (1, 0, 2, 3, 4, 5))
    return Tracer(build.reshape(found, (batch, dims.mul(groups, filters), *places[3 - count :])))


def _padded(x: Node, lengths: Sequence[Dim], starts: Sequence[Dim]) -> Node:
    """`x` of six axes in zeros. What is put there is differentiated as the parts of a whole."""
    if all(a == 0 and n == d for a, n, d in zip(starts, lengths, x.shape[3:], strict=True)):
        return x
    form = x
    for axis, start, length in zip(convolutions.AXES, starts, lengths, strict=True):
        after = dims.sub(dims.sub(length, start), x.shape[axis])
        parts = [_zeros(form, axis, start), form, _zeros(form, axis, after)]
        form = build.concatenate([p for p in parts if p.shape[axis] != 0], axis)
    return matrices.with_form(convolutions.spaced(x, lengths, starts, (1, 1, 1)), form)


def _zeros(x: Node, axis: int, count: Dim) -> Node:
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    return build.full(shape, build.constant(0, x.dtype))


def _of_own_filters(
    x: Node, w: Node, places: Any, steps: Any, spreads: Any, sizes: Any, count: int
) -> Node:
    """Each place has filters of its own: a product of matrices there."""
    (filters, channels), (groups, batch) = sizes, x.shape[:2]
    ones = (1,) * (3 - count)
    lengths = (*ones, *w.shape[-count:])
    windows = _windows(x, (0, 1, 2), convolutions.AXES, places, steps, lengths, spreads)
    inner = dims.product((channels, *lengths))
    left = build.transpose(windows, (0, 3, 4, 5, 1, 2, 6, 7, 8))
    left = build.reshape(left, (groups, *places, batch, inner))
    right = build.reshape(w, (groups, filters, *places, inner))
    right = build.transpose(right, (0, 2, 3, 4, 5, 1))
    return build.transpose(build.matmul(left, right), (0, 4, 5, 1, 2, 3))


def _windows(
    x: Node, kept: Sequence[int], axes: Sequence[int], places: Sequence[Dim],
    steps: Sequence[Dim], lengths: Sequence[Dim], spreads: Sequence[int],
) -> Node:  # fmt: skip
    """All windows along `axes`: the axes that are kept, those of places, those inside."""
    shape = (*(x.shape[k] for k in kept), *places, *lengths)
    picks: list[tuple[str, int]] = [("axis", k) for k in kept]
    index = []
    for k in range(len(axes)):
        picks.append(("index", k))
        inside = build.view(build.iota(lengths[k]), shape, ((0, 1, len(kept) + len(axes) + k),))
        start = build.view(build.iota(places[k]), shape, ((0, 1, len(kept) + k),))
        step = build.cast(dims.as_node(steps[k]), INT64)
        moved = call("multiply", inside, build.constant(spreads[k], INT64))
        index.append(call("add", call("multiply", start, step), moved))
    return build.gather(x, shape, tuple(picks), *index)


# Pools --------------------------------------------------------------------------------------------


@opcode("pool")
def _pool(attr: Any, x: Any, *values: Any) -> Any:
    """attr: (mode, whether borders are ignored, sizes, steps, margins): over the last axes.

    Numbers are ints or stand for operands.
    """
    mode, ignored, *numbers = attr
    sizes, steps, margins = (
        [length_of(values[n.index]) if isinstance(n, Operand) else n for n in each]
        for each in numbers
    )
    lengths = np.shape(x)[-len(sizes) :]
    if not isinstance(x, Tracer) and not _is_traced(*values):
        places = [
            _places(*each, ignored) for each in zip(lengths, sizes, steps, margins, strict=True)
        ]
        return _pool_of_array(mode, x, sizes, steps, margins, places)
    places = [_places(*each, ignored) for each in zip(lengths, sizes, steps, margins, strict=True)]
    return _Pool(mode, node_of(x), *map(_dims, (sizes, steps, margins, places))).made()


def _places(length: Any, size: Any, step: Any, margin: Any, ignored: bool) -> Any:
    """How many windows there are along an axis."""
    length = length + 2 * margin
    if ignored:
        return (length - size) // step + 1 if length >= size else 0
    if step >= size:
        return (length - 1) // step + 1 if length >= 1 else 0
    return (length - 1 - size) // step + 2 if length - 1 >= size else 1


def _pool_of_array(
    mode: str, x: Any, sizes: Sequence[int], steps: Sequence[int], margins: Sequence[int],
    places: Sequence[int],
) -> Any:  # fmt: skip
    """Of an array of NumPy's."""
    lead, lengths = x.shape[: -len(sizes)], x.shape[-len(sizes) :]
    result = np.zeros((*lead, *places), x.dtype)
    for place in np.ndindex(*places):
        bounds, count = [], 1
        for p, n, size, step, m in zip(place, lengths, sizes, steps, margins, strict=True):
            first, last = p * step - m, min(p * step + size, n + 2 * m) - m
            count *= last - first
            bounds.append((max(first, 0), min(last, n)))
        window = x[(..., *(slice(*b) for b in bounds))]
        axes = tuple(range(len(lead), x.ndim))
        if mode == "max":
            value = window.max(axes)
        else:
            value = window.sum(axes, dtype=x.dtype)
            count = math.prod(b - a for a, b in bounds) if mode == "average_exc_pad" else count
            value = value if mode == "sum" else value / x.dtype.type(count)
        result[(..., *place)] = value
    return result


class _Pool:
    """A pool of a traced array."""

    def __init__(
        self, mode: str, x: Node, sizes: Sequence[Dim], steps: Sequence[Dim],
        margins: Sequence[Dim], places: Sequence[Dim],
    ) -> None:  # fmt: skip
        self.mode, self.x, self.places = mode, x, tuple(places)
        self.sizes, self.steps, self.margins = sizes, steps, margins
        self.rank = len(sizes)
        self.lead = x.ndim - self.rank
        self.lengths = x.shape[self.lead :]

    def made(self) -> Tracer:
        """The result."""
        row = "maximum" if self.mode == "max" else "add"
        tiles = self._tiles()
        if tiles is not None:
            found, form = tiles
            value = matrices.with_form(self._combined(row, found), form)
        else:
            wide = self._wide()
            if self._are_few():
                parts = self._slices(wide)
                value = self._combined(row, parts)
                if self.mode == "max":
                    value = matrices.with_form(
                        value, self._combined("add", [_where_equal(p, value) for p in parts])
                    )
            else:
                value = self._of_windows(wide)
        if self.mode.startswith("average"):
            value = call("divide", value, build.broadcast_to(self._counts(), value.shape))
        return Tracer(value)

    def _are_few(self) -> bool:
        """Whether each place in a window is to have a slice of its own."""
        known = [n for n in (*self.sizes, *self.steps) if isinstance(n, int)]
        return len(known) == 2 * self.rank and math.prod(known[: self.rank]) <= _FEW

    def _insides(self) -> list[tuple[int, ...]]:
        """The places in a window, whose lengths are known."""
        return list(np.ndindex(*(n for n in self.sizes if isinstance(n, int))))

    def _combined(self, row: str, parts: Sequence[Node]) -> Node:
        total = parts[0]
        for p in parts[1:]:
            total = call(row, total, p)
        return total

    def _tiles(self) -> tuple[list[Node], Node] | None:
        """The parts of tiles that are all of the array, and what the sum is differentiated by."""
        fits = all(
            m == 0 and isinstance(n, int) and n == s and same(dims.mul(p, n), d)
            for m, n, s, p, d in zip(
                self.margins, self.sizes, self.steps, self.places, self.lengths, strict=True
            )
        )
        if not fits or not self._are_few():
            return None
        pairs = [d for pair in zip(self.places, self.sizes, strict=True) for d in pair]
        whole = build.reshape(self.x, (*self.x.shape[: self.lead], *pairs))
        shape = (*self.x.shape[: self.lead], *self.places)
        parts = []
        for inside in self._insides():
            index: list[build.Index] = [(0, 1, k) for k in range(self.lead)]
            for k, at in enumerate(inside):
                index += [(0, 1, self.lead + k), (at, 0, None)]
            parts.append(build.view(whole, shape, tuple(index)))
        axes = tuple(self.lead + 2 * k + 1 for k in range(self.rank))
        if self.mode != "max":
            return parts, build.reduce("sum", whole, axes)
        most = build.expand_dims(self._combined("maximum", parts), axes)
        chosen = _where_equal(whole, build.broadcast_to(most, whole.shape))
        return parts, build.reduce("sum", chosen, axes)

    def _wide(self) -> Node:
        """The array with all that windows reach over: zeros, or what is never the largest."""
        x = self.x
        if self.mode == "max":
            outside = build.constant(ops.identity("max", x.dtype), x.dtype)
        else:
            outside = build.constant(0, x.dtype)
        for k in range(self.rank):
            axis, margin = self.lead + k, self.margins[k]
            reach = dims.add(dims.mul(dims.sub(self.places[k], 1), self.steps[k]), self.sizes[k])
            after = dims.sub(dims.sub(reach, margin), x.shape[axis])
            parts = [x]
            for at, count in ((0, margin), (None, after)):
                if count == 0 or not at_least(count, 1):
                    continue
                shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
                parts.insert(len(parts) if at is None else at, build.full(shape, outside))
            x = build.concatenate(parts, axis)
        return x

    def _slices(self, wide: Node) -> list[Node]:
        """A slice for each place in a window."""
        shape = (*wide.shape[: self.lead], *self.places)
        index = [(0, 1, k) for k in range(self.lead)]
        return [
            build.view(
                wide,
                shape,
                (*index, *((at, self.steps[k], self.lead + k) for k, at in enumerate(inside))),  # type: ignore[arg-type]
            )
            for inside in self._insides()
        ]

    def _of_windows(self, wide: Node) -> Node:
        """A reduction of all windows."""
        kept, axes = range(self.lead), range(self.lead, wide.ndim)
        ones = (1,) * self.rank
        windows = _windows(wide, kept, axes, self.places, self.steps, self.sizes, ones)
        inside = tuple(range(wide.ndim, windows.ndim))
        if self.mode != "max":
            return build.reduce("sum", windows, inside)
        most = build.reduce("max", windows, inside)
        spread = build.view(most, windows.shape, tuple((0, 1, k) for k in range(most.ndim)))
        return matrices.with_form(most, build.reduce("sum", _where_equal(windows, spread), inside))

    def _counts(self) -> Node:
        """How many elements windows have."""
        total = build.constant(1, INT64)
        for k in range(self.rank):
            place = build.iota(self.places[k])
            size, step, margin, length = (
                build.cast(dims.as_node(d), INT64)
                for d in (self.sizes[k], self.steps[k], self.margins[k], self.lengths[k])
            )
            first = call("multiply", place, step)
            end = call("add", length, call("multiply", margin, build.constant(2, INT64)))
            last = call("minimum", call("add", first, size), end)
            if self.mode == "average_exc_pad":
                first = call("maximum", first, margin)
                last = call("minimum", last, call("add", length, margin))
            each = call("subtract", last, first)
            each = build.view(each, self.places, ((0, 1, k),))
            total = call("multiply", total, each)
        return build.cast(total, self.x.dtype)


def _where_equal(x: Node, y: Node) -> Node:
    """`x` where it is `y`, else 0: all of the largest have the derivative."""
    zero = build.constant(x.dtype.type(0), x.dtype)
    return build.where(call("equal", x, y), x, zero)
