"""Loops gone back over: what they carried at each step, kept or computed again.

Values that a step back reads are kept of each step, or with checkpoints of the first step of each
segment alone: of ``n`` steps there are ``sqrt(n)`` segments. Going back, the steps of a segment are
done again from there, and keep what they read, one segment's at a time. Source of the method:
Griewank and Walther, *Evaluating Derivatives*, 2nd edition, chapter 12.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tracejit.ir import build, dims
from tracejit.ir.closing import Body, opened, placeholder
from tracejit.ir.control import items, steps_of, together
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.invariant import around
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import regions_of
from tracejit.ir.rewrite import replaced
from tracejit.ir.rules.record import Roles, Walk, zeros
from tracejit.ir.types import FLOAT64, INT64


class Loop(NamedTuple):
    """A scan that is open: its placeholders, and a step."""

    carried: list[Node]
    number: Node
    elements: list[Node]
    captures: list[Node]
    step: Body

    @classmethod
    def of(cls, node: Node, parts: Roles) -> Loop:
        """`node`, opened."""
        params = [placeholder(type) for type in parts.given]
        count, length = len(parts.carried), len(parts.sequences)
        step = opened(regions_of(node)[0], params)
        elements = params[count + 1 : count + 1 + length]
        return cls(params[:count], params[count], elements, params[count + 1 + length :], step)


class Back(NamedTuple):
    """A step back: what it carries, from `starts` on, and its results.

    They are made of these placeholders, of those of the loop, of `place`, the step's number, and of
    cotangents that are `given`.
    """

    starts: Sequence[Node]
    params: Sequence[Node]
    place: Node
    results: Sequence[Node]
    given: Sequence[Node]


def replayed(node: Node, parts: Roles, loop: Loop, back: Back, walk: Walk) -> list[Node]:
    """What is left of `back` after the first step."""
    return _Replay(node, parts, loop, back, walk).done()


class _Replay:
    def __init__(self, node: Node, parts: Roles, loop: Loop, back: Back, walk: Walk) -> None:
        assert parts.steps is not None and node.several is not None
        self.node, self.parts, self.loop, self.back, self.walk = node, parts, loop, back, walk
        self.steps: Dim = parts.steps
        self.several = len(node.several)
        reached = set(postorder(back.results))
        self.read = [k for k, p in enumerate(loop.carried) if p in reached]

    def done(self) -> list[Node]:
        if not self.read or not self.walk.checkpoint:
            return self.through(self.kept())
        return self.by_segments()

    # All is kept ---------------------------------------------------------------------------------

    def kept(self) -> list[Node]:
        """Stacks of the carried values that are read."""
        if not self.read:
            return []
        loop = self.loop
        step = self.forwards(
            loop.number, [*loop.step.results, *(loop.carried[k] for k in self.read)]
        )
        params = [*loop.carried, loop.number, *loop.elements]
        found = self.scan(self.parts.carried, self.parts.control[0], params, step, sequences=True)
        self.walk.join(self.node, together(found[: self.several]))
        return found[self.several :]

    def through(self, stacks: Sequence[Node]) -> list[Node]:
        """All steps back."""
        turn = placeholder(INT_SCALAR)
        place = dims.sub(dims.sub(self.steps, 1), turn)
        pairs = zip(self.read, stacks, strict=False)  # without stacks nothing is read
        known = {self.loop.carried[k]: self.value(s, place, k) for k, s in pairs}
        step = self.backwards(place, self.back.params, known)
        params = [*self.back.params, turn]
        return self.scan(self.back.starts, dims.as_node(self.steps), params, step, stacks)

    # Segments ------------------------------------------------------------------------------------

    def by_segments(self) -> list[Node]:
        loop, length = self.loop, root(self.steps)
        count = dims.floordiv(dims.add(self.steps, dims.sub(length, 1)), length)
        needed = self.needed()
        kept = self.checkpoints(needed, length, count)
        buffers = [
            zeros((length, *loop.carried[k].shape), loop.carried[k].dtype) for k in self.read
        ]
        own = [placeholder(b.type) for b in buffers]
        params = [placeholder(p.type) for p in self.back.params]
        turn = placeholder(INT_SCALAR)
        segment = dims.sub(dims.sub(count, 1), turn)
        first, steps = self.segment(segment, length)
        starts = [self.value(stack, segment, k) for k, stack in zip(needed, kept, strict=True)]
        filled = self.again(needed, starts, own, first, steps)
        found = self.segment_back(params, filled, first, steps)
        body = Body((*found, *filled))
        new = self.scan(
            [*self.back.starts, *buffers], dims.as_node(count), [*params, *own, turn], body, kept
        )
        return new[: len(params)]

    def needed(self) -> list[int]:
        """The carried values by which those that are read can be computed again."""
        loop, found = self.loop, set(self.read)
        while True:
            roots = [loop.step.results[k] for k in found]
            reached = set(postorder(roots))
            more = {k for k, p in enumerate(loop.carried) if p in reached} - found
            if not more:
                return sorted(found)
            found |= more

    def segment(self, number: Dim, length: Dim) -> tuple[Dim, Dim]:
        """The first step of a segment, and how many there are."""
        first = dims.mul(number, length)
        return first, _minimum(length, dims.sub(self.steps, first))

    def checkpoints(self, needed: list[int], length: Dim, count: Dim) -> list[Node]:
        """Stacks of the values `needed` at the first step of each segment."""
        loop = self.loop
        carried = len(loop.carried)
        whole = self.several == carried
        kept = list(range(carried)) if whole else needed
        number, step = placeholder(INT_SCALAR), placeholder(INT_SCALAR)
        first, steps = self.segment(number, length)
        outer = {k: placeholder(loop.carried[k].type) for k in kept}
        inner = [loop.carried[k] for k in kept]
        body = self.forwards(
            dims.as_node(dims.add(first, step)), [loop.step.results[k] for k in kept]
        )
        ends = self.scan(list(outer.values()), dims.as_node(steps), [*inner, step], body)
        made = Body((*ends, *(outer[k] for k in needed)))
        starts = [self.parts.carried[k] for k in kept]
        found = self.scan(starts, dims.as_node(count), [*outer.values(), number], made)
        if whole:
            self.walk.join(self.node, together(found[:carried]))
        return found[len(kept) :]

    def again(
        self, needed: list[int], starts: list[Node], own: list[Node], first: Dim, steps: Dim
    ) -> list[Node]:
        """The values that are read at each step of a segment, put into buffers."""
        loop, step = self.loop, placeholder(INT_SCALAR)
        buffers = [placeholder(b.type) for b in own]
        results = [
            *(loop.step.results[k] for k in needed),
            *(written(b, loop.carried[k], step) for k, b in zip(self.read, buffers, strict=True)),
        ]
        body = self.forwards(dims.as_node(dims.add(first, step)), results)
        params = [*(loop.carried[k] for k in needed), *buffers, step]
        found = self.scan([*starts, *own], dims.as_node(steps), params, body, [*starts, *own])
        return found[len(needed) :]

    def segment_back(
        self, starts: Sequence[Node], buffers: Sequence[Node], first: Dim, steps: Dim
    ) -> list[Node]:
        """The steps of a segment back."""
        turn = placeholder(INT_SCALAR)
        at = dims.sub(dims.sub(steps, 1), turn)
        known = {
            self.loop.carried[k]: self.value(b, at, k)
            for k, b in zip(self.read, buffers, strict=True)
        }
        body = self.backwards(dims.add(first, at), self.back.params, known)
        return self.scan(starts, dims.as_node(steps), [*self.back.params, turn], body, buffers)

    # Parts ---------------------------------------------------------------------------------------

    def forwards(self, index: Node, results: Sequence[Node]) -> Body:
        """A step that gives these results."""
        loop = self.loop
        table = dict(zip(loop.captures, self.parts.captures, strict=True))
        if index is not loop.number:
            table |= self.rows(dims.from_node(index))
            table[loop.number] = index
        return Body(tuple(results), loop.step.checks).replaced(table)

    def backwards(self, place: Dim, params: Sequence[Node], known: Mapping[Node, Node]) -> Body:
        loop, number = self.loop, dims.as_node(place)
        table = dict(zip(loop.captures, self.parts.captures, strict=True))
        table |= self.rows(place) | dict(known)
        table |= {loop.number: number, self.back.place: number}
        return Body(tuple(replaced(self.back.results, table)))

    def rows(self, place: Dim) -> dict[Node, Node]:
        pairs = zip(self.loop.elements, self.parts.sequences, strict=True)
        return {element: row(sequence, place) for element, sequence in pairs}

    def value(self, stack: Node, place: Dim, k: int) -> Node:
        """What was carried at a place, from a stack of it."""
        found = row(stack, place)
        return build.weak(found) if self.loop.carried[k].type.weak else found

    def scan(
        self,
        starts: Sequence[Node],
        count: Node,
        params: Sequence[Node],
        body: Body,
        given: Sequence[Node] = (),
        sequences: bool = False,
    ) -> list[Node]:
        """The items of a scan with these placeholders; what is `given` is known before."""
        read = self.parts.sequences if sequences else ()
        known = set(postorder([count, *self.node.args, *self.back.given, *given]))
        outside = around(body, params, known)
        return items(steps_of(starts, count, read, params, body, outside, self.node.origin))


def row(x: Node, place: Dim) -> Node:
    """An element of a sequence."""
    index: tuple[build.Index, ...] = ((place, 0, None), *((0, 1, k) for k in range(x.ndim - 1)))
    return build.view(x, x.shape[1:], index)


def written(x: Node, y: Node, place: Node) -> Node:
    """`x` with `y` for an element."""
    y = build.cast(y, x.dtype)
    at = dims.from_node(place)
    first = build.view(build.iota(x.shape[0]), y.shape, ((at, 0, None),))
    rest = [build.view(build.iota(d), y.shape, ((0, 1, k),)) for k, d in enumerate(x.shape[1:])]
    return build.scatter(x, y, [first, *rest], [False] * x.ndim, "set")


def root(steps: Dim) -> Dim:
    """How many steps a segment has."""
    if isinstance(steps, int):
        return max(math.isqrt(max(steps - 1, 0)) + 1, 1)
    real = build.elementwise("sqrt", build.cast(steps, FLOAT64))
    whole = build.cast(build.elementwise("ceil", real), INT64)
    least = build.constant(1, np.int64)
    return dims.from_node(build.weak(build.elementwise("maximum", whole, least)))


def _minimum(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return dims.from_node(
        build.weak(build.elementwise("minimum", dims.as_node(a), dims.as_node(b)))
    )
