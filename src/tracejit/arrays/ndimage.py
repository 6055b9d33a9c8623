"""What ``scipy.ndimage`` does in C, of traced arrays: sums, extremes and ranks of windows.

SciPy's Python code above it is traced as it is written. Values are of double precision, as there,
and are added in the same order. Places whose windows lie inside the array read it as it is; around
the others an array is made of its borders.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.arrays.common import at_least, broadcast, call, dim_node, is_empty, select, span
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.scalars import held
from tracejit.ir.types import BOOL, FLOAT64, INT64
from tracejit.trace.tracer import Tracer, as_array

#: By the names of its functions in C: SciPy is not imported for them.
NDIMAGE: dict[str, Callable[..., None]] = {}
RANKS: dict[str, Callable[..., None]] = {}
#: Elements of a window whose sum, or whose rank, is written out.
_LONGEST, _MOST_RANKED = 200, 49
_EPSILON = float(np.finfo(np.float64).eps)
NEAREST, WRAP, REFLECT, MIRROR, CONSTANT = range(5)

#: What makes values of an array whose axis is longer than they are, and how many there are.
Formula = Callable[[Node, Dim], Node]


def _in_c(function: Callable[..., None]) -> Callable[..., None]:
    NDIMAGE[function.__name__] = function
    return function


@dataclass(frozen=True)
class Edge:
    """How an array goes on beyond its border: SciPy's code of a mode, and a constant."""

    mode: int
    value: Node

    def before(self, x: Node, axis: int, count: int) -> Node:
        """What stands before the first element of an axis that is longer than `count`."""
        last = dims.sub(x.shape[axis], count)
        return self._part(x, axis, count, {
            NEAREST: (0, 0), WRAP: (last, 1), REFLECT: (count - 1, -1), MIRROR: (count, -1),
        })  # fmt: skip

    def after(self, x: Node, axis: int, count: int) -> Node:
        """What stands after the last one."""
        last = dims.sub(x.shape[axis], 1)
        return self._part(x, axis, count, {
            NEAREST: (last, 0), WRAP: (0, 1), REFLECT: (last, -1), MIRROR: (dims.sub(last, 1), -1),
        })  # fmt: skip

    def _part(self, x: Node, axis: int, count: int, ways: dict[int, tuple[Dim, int]]) -> Node:
        if self.mode == CONSTANT:
            return build.full((*x.shape[:axis], count, *x.shape[axis + 1 :]), self.value)
        return part(x, axis, *ways[self.mode], count)

    def around(self, x: Node, axis: int, before: int, after: int) -> Node:
        """The array with what stands before and after it."""
        if at_least(x.shape[axis], max(before, after) + 1):
            parts = [x]
            if before:
                parts.insert(0, self.before(x, axis, before))
            if after:
                parts.append(self.after(x, axis, after))
            return build.concatenate(parts, axis)
        return self._gathered(x, axis, before, after)

    def _gathered(self, x: Node, axis: int, before: int, after: int) -> Node:
        """The same of few elements, which come again and again."""
        n = x.shape[axis]
        length = dims.add(n, before + after)
        at, size = span(length, -before), dim_node(n)
        inside = call("logical_and", call("greater_equal", at, 0), call("less", at, size))
        last = call("subtract", size, 1)
        if self.mode == WRAP:
            at = call("remainder", at, size)
        elif self.mode in (REFLECT, MIRROR):
            mirror = self.mode == MIRROR
            period = call("multiply", last if mirror else size, 2)
            at = call("remainder", at, call("maximum", period, 1))
            turned = call("subtract", call("subtract", period, at), 0 if mirror else 1)
            at = select(call("less", at, size), at, turned)
        at = call("minimum", call("maximum", at, 0), last)
        shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        picks = tuple(("index", 0) if k == axis else ("axis", k) for k in range(x.ndim))
        found = build.gather(x, shape, picks, _across(at, shape, axis))
        if self.mode != CONSTANT:
            return found
        value = build.broadcast_to(self.value, shape)
        return select(_across(inside, shape, axis), found, value)


def _across(line: Node, shape: tuple[Dim, ...], axis: int) -> Node:
    """A vector along one of the axes of `shape`."""
    return build.view(line, shape, ((0, 1, axis),))


def part(x: Node, axis: int, start: Dim, step: int, count: Dim) -> Node:
    """`count` elements along an axis; one again and again where `step` is 0."""
    shape = (*x.shape[:axis], count, *x.shape[axis + 1 :])
    own = (start, step, axis if step else None)
    return build.view(x, shape, tuple(own if k == axis else (0, 1, k) for k in range(x.ndim)))


def along(x: Node, axis: int, before: int, after: int, edge: Edge, formula: Formula) -> Node:
    """`formula` of the windows along an axis."""
    n, width = x.shape[axis], before + after
    if not at_least(n, width + 1):
        return formula(edge.around(x, axis, before, after), n)
    parts = [formula(x, dims.sub(n, width))]
    if before:
        first = [edge.before(x, axis, before), part(x, axis, 0, 1, width)]
        parts.insert(0, formula(build.concatenate(first, axis), before))
    if after:
        last = [part(x, axis, dims.sub(n, width), 1, width), edge.after(x, axis, after)]
        parts.append(formula(build.concatenate(last, axis), after))
    return build.concatenate(parts, axis)


# Operands and results -----------------------------------------------------------------------------


def _operand(x: Any) -> Node:
    node = as_array(x).node
    if node.dtype.kind not in "biuf" or node.dtype.char == "e":
        raise NotTraceable(f"scipy.ndimage of {node.dtype.name} is not compiled", "use float64")
    return build.cast(node, FLOAT64)


def _edge(mode: Any, cval: Any) -> Edge:
    value = build.cast(as_array(cval).node, FLOAT64)
    return Edge({5: WRAP, 6: CONSTANT}.get(mode, mode), value)


def _write(output: Any, node: Node) -> None:
    """Let `output` hold double precision, converted as C does it."""
    dtype = output.node.dtype
    if dtype.kind not in "iuf" or dtype.char == "e":
        raise NotTraceable(f"scipy.ndimage with results of {dtype.name} is not compiled")
    if dtype.kind == "u":
        down = call("negative", build.cast(call("negative", node), INT64))
        node = select(call("greater", node, -1.0), build.cast(node, dtype), build.cast(down, dtype))
    output[...] = Tracer(build.cast(node, dtype))


def _number(x: Any) -> int:
    """A length that decides which program it is."""
    return int(x.concrete() if isinstance(x, Tracer) else x)


def _known(x: Node) -> np.ndarray | None:
    """The values of an array that only constants tell."""
    found = build.solver().fixed(x)
    return None if found is None else np.asarray(found)


def _shape(x: Node) -> tuple[int, ...]:
    """The lengths of a window, which decide which program it is."""
    found = []
    for d in x.shape:
        length = build.solver().value(d)
        if length is None or not build.solver().equal(d, length):
            raise NotTraceable("a window whose size values tell is not compiled")
        found.append(length)
    return tuple(found)


def _require_numbers(input: Any, x: Node) -> None:
    """No NaN, whose order SciPy leaves open."""
    if as_array(input).node.dtype.kind == "f":
        numbers = call("logical_not", call("isnan", x))
        holds = held(build.reduce("all", numbers, tuple(range(x.ndim))))
        build.solver().require(holds, holds, holds)


# Sums ---------------------------------------------------------------------------------------------


@_in_c
def correlate1d(
    input: Any, weights: Any, axis: Any, output: Any, mode: Any, cval: Any, origin: Any
) -> None:
    """Sums of products along an axis."""
    x, w = _operand(input), as_array(weights).node
    [size] = _shape(w)
    if size > _LONGEST:
        raise NotTraceable(f"a sum of {size} products is not compiled")
    if is_empty(x.shape):
        return
    taken = [part_of_vector(w, k) for k in range(size)]
    known, half, origin = _known(w), size // 2, _number(origin)

    def in_turn(x: Node, count: Dim) -> Node:
        total = call("multiply", part(x, axis, size - 1, 1, count), taken[-1])
        for k in range(size - 1):
            total = call("add", total, call("multiply", part(x, axis, k, 1, count), taken[k]))
        return total

    def by_pairs(x: Node, count: Dim, sign: Node) -> Node:
        total = call("multiply", part(x, axis, half, 1, count), taken[half])
        for k in range(half):
            other = call("multiply", part(x, axis, size - 1 - k, 1, count), sign)
            both = call("add", part(x, axis, k, 1, count), other)
            total = call("add", total, call("multiply", both, taken[k]))
        return total

    def formula(x: Node, count: Dim) -> Node:
        if size % 2 == 0 or (known is None and output.node.dtype.kind == "f"):
            return in_turn(x, count)  # to rounding, where SciPy might find pairs
        sign = _symmetry(taken)
        if (told := build.solver().fixed(sign)) is not None:
            return by_pairs(x, count, build.constant(told, FLOAT64)) if told else in_turn(x, count)
        pairs, others = by_pairs(x, count, sign), in_turn(x, count)
        return select(*broadcast(call("not_equal", sign, 0.0), pairs, others))

    edge = _edge(mode, cval)
    _write(output, along(x, axis, half + origin, size - half - 1 - origin, edge, formula))


def part_of_vector(w: Node, k: int) -> Node:
    """An element: a constant, where it is known."""
    values = _known(w)
    if values is not None:
        return build.constant(float(values[k]), FLOAT64)
    return build.cast(build.view(w, (), ((k, 0, None),)), FLOAT64)


def _symmetry(weights: Sequence[Node]) -> Node:
    """1 where weights are the same from either end, -1 where they have another sign; else 0."""
    result = build.constant(0.0, FLOAT64)
    for name, sign in (("add", -1.0), ("subtract", 1.0)):
        differ: Node = build.constant(False, BOOL)
        for k in range(len(weights) // 2):
            far = call("absolute", call(name, weights[-1 - k], weights[k]))
            differ = call("logical_or", differ, call("greater", far, _EPSILON))
        result = select(differ, result, build.constant(sign, FLOAT64))
    return result


@_in_c
def uniform_filter1d(
    input: Any, size: Any, axis: Any, output: Any, mode: Any, cval: Any, origin: Any
) -> None:
    """Means along an axis, of sums that are each made of the one before."""
    x, size, origin = _operand(input), _number(size), _number(origin)
    if is_empty(x.shape):
        return
    half, n = size // 2, x.shape[axis]
    line = _edge(mode, cval).around(x, axis, half + origin, size - half - 1 - origin)
    start = part(build.accumulate("add", part(line, axis, 0, 1, size), axis), axis, size - 1, 1, 1)
    rest = dims.sub(n, 1)
    steps = call("subtract", part(line, axis, size, 1, rest), part(line, axis, 0, 1, rest))
    sums = build.accumulate("add", build.concatenate([start, steps], axis), axis)
    _write(output, call("divide", sums, float(size)))


@_in_c
def correlate(input: Any, weights: Any, output: Any, mode: Any, cval: Any, origins: Any) -> None:
    """Sums of products over windows."""
    x, w = _operand(input), as_array(weights).node
    shape, known = _shape(w), _known(w)
    if math.prod(shape) > _LONGEST:
        raise NotTraceable(f"a sum of {math.prod(shape)} products is not compiled")
    if is_empty(x.shape):
        return
    places = [k for k in np.ndindex(*shape) if known is None or abs(known[k]) > _EPSILON]
    zero = build.constant(0.0, FLOAT64)

    def total(at: Callable[[tuple[int, ...]], Node]) -> Node:
        result = zero
        for k in places:
            if known is not None:
                term = call("multiply", at(k), float(known[k]))
            else:
                own = build.cast(build.view(w, (), tuple((i, 0, None) for i in k)), FLOAT64)
                counts = call("greater", call("absolute", own), _EPSILON)
                value = call("multiply", at(k), own)
                term = select(*broadcast(counts, value, zero))
            result = call("add", result, term)
        return result

    _write(output, _over_windows(x, shape, origins, _edge(mode, cval), total))


def _over_windows(
    x: Node, shape: tuple[int, ...], origins: Any, edge: Edge,
    formula: Callable[[Callable[[tuple[int, ...]], Node]], Node],
) -> Node:  # fmt: skip
    """`formula` of what reads an element of each window."""
    before = [s // 2 + _number(o) for s, o in zip(shape, origins, strict=True)]
    after = [s - 1 - b for s, b in zip(shape, before, strict=True)]
    for axis in range(1, x.ndim):
        x = edge.around(x, axis, before[axis], after[axis])
    others = [dims.sub(n, s - 1) for n, s in zip(x.shape, shape, strict=True)][1:]

    def of(x: Node, count: Dim) -> Node:
        counts = (count, *others)

        def at(k: tuple[int, ...]) -> Node:
            return build.view(x, counts, tuple((start, 1, a) for a, start in enumerate(k)))

        return build.broadcast_to(formula(at), counts)

    return along(x, 0, before[0], after[0], edge, of)


# Order --------------------------------------------------------------------------------------------


@_in_c
def min_or_max_filter1d(
    input: Any, size: Any, axis: Any, output: Any, mode: Any, cval: Any, origin: Any, minimum: Any
) -> None:
    """Extremes along an axis; of equal ones the last."""
    x, size, origin = _operand(input), _number(size), _number(origin)
    if is_empty(x.shape):
        return
    _require_numbers(input, x)

    def formula(x: Node, count: Dim) -> Node:
        # Windows of 1, 2, 4, … elements, of which two make one.
        width, total = 1, x
        while width < size:
            step = min(width, size - width)
            length = dims.add(count, size - width - step)
            first, second = (part(total, axis, k, 1, length) for k in (0, step))
            later = call("less_equal" if minimum else "greater_equal", second, first)
            total = select(later, second, first)
            width += step
        return total

    half = size // 2
    edge = _edge(mode, cval)
    _write(output, along(x, axis, half + origin, size - half - 1 - origin, edge, formula))


@_in_c
def min_or_max_filter(
    input: Any, footprint: Any, structure: Any, output: Any, mode: Any, cval: Any, origins: Any,
    minimum: Any,
) -> None:  # fmt: skip
    """Extremes over windows, of values that a structure is added to; of equal ones the first."""
    x = _operand(input)
    shape, places = _footprint(footprint)
    if is_empty(x.shape):
        return
    heights = None if structure is None else as_array(structure).node

    def extreme(at: Callable[[tuple[int, ...]], Node]) -> Node:
        result: Node | None = None
        for k in places:
            value = at(k)
            if heights is not None:
                own = build.view(heights, (), tuple((i, 0, None) for i in k))
                value = call("add", value, build.cast(own, FLOAT64))
            if result is None:
                result = value
                continue
            better = call("less" if minimum else "greater", value, result)
            result = select(better, value, result)
        assert result is not None
        return result

    _write(output, _over_windows(x, shape, origins, _edge(mode, cval), extreme))


def _footprint(footprint: Any) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The shape of a window, and the places in it that count."""
    node = as_array(footprint).node
    shape, known = _shape(node), _known(node)
    if known is None or known.size > _LONGEST:
        raise NotTraceable("this footprint is not compiled", "make it a constant")
    return shape, [k for k in np.ndindex(*shape) if known[k]]


@_in_c
def rank_filter(
    input: Any, rank: Any, footprint: Any, output: Any, mode: Any, cval: Any, origins: Any
) -> None:
    """Of the elements of each window, in order, the one of a rank."""
    shape, places = _footprint(footprint)
    _ranked(input, _number(rank), shape, places, output, mode, cval, origins)


def _ranked(
    input: Any, rank: int, shape: tuple[int, ...], places: Sequence[tuple[int, ...]],
    output: Any, mode: Any, cval: Any, origins: Any,
) -> None:  # fmt: skip
    if len(places) > _MOST_RANKED:
        raise NotTraceable(f"ranks of {len(places)} elements are not compiled")
    x = _operand(input)
    if is_empty(x.shape):
        return
    _require_numbers(input, x)
    chosen = _selection(len(places), rank)

    def ranked(at: Callable[[tuple[int, ...]], Node]) -> Node:
        lines = [at(k) for k in places]
        for i, j in chosen:
            less = call("less", lines[j], lines[i])
            lines[i], lines[j] = select(less, lines[j], lines[i]), select(less, lines[i], lines[j])
        return lines[rank]

    _write(output, _over_windows(x, shape, origins, _edge(mode, cval), ranked))


def _selection(n: int, rank: int) -> list[tuple[int, int]]:
    """Pairs of places to put in order, after which the one of a rank is where it belongs.

    They are those of a merge exchange (Batcher 1968; Knuth, TAOCP 5.2.2 M) that it depends on.
    """
    pairs = []
    t = max((n - 1).bit_length(), 1)
    p = 1 << (t - 1)
    while p > 0:
        q, r, d = 1 << (t - 1), 0, p
        while True:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1
    wanted, kept = {rank}, []
    for i, j in reversed(pairs):
        if i in wanted or j in wanted:
            wanted |= {i, j}
            kept.append((i, j))
    return kept[::-1]


def _of_line(
    input: Any, rank: Any, size: Any, output: Any, mode: Any, cval: Any, origin: Any
) -> None:
    """`rank_filter` of a vector, for which SciPy has another function."""
    width = _number(size)
    origin = origin[0] if isinstance(origin, (list, tuple)) else origin
    if not at_least(as_array(input).node.shape[0], width):
        raise NotTraceable("ranks in windows that are longer than the array are not compiled")
    places = list(itertools.product(range(width)))
    _ranked(input, _number(rank), (width,), places, output, mode, cval, [origin])


RANKS["rank_filter"] = _of_line
