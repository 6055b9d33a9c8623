"""Fusion: computations are placed in loops, one after another.

Each joins the deepest existing loops of its own extents in which everything it reads is complete,
or complete at this very iteration; where none fits, it gets new loops at the end. So siblings share
a pass, and a reduction's consumer over the reduced axis starts the next pass inside the same outer
loop.
"""

from __future__ import annotations

from functools import cached_property

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.inplace import in_memory_of, memory_taken, readers_of
from tracejit.lower.materialise import own_cost
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program
from tracejit.lower.writes import are_late, never_meet, place_of, reads_of


def fuse(program: Program, largest_body: int) -> None:
    """Place all computations of `program`, in order.

    Needs: none is placed yet. Guarantees: each is placed once, after what it reads; what a loop
    computes at a point costs about `largest_body` at most.
    """
    for computations in program.stored.values():
        for c in computations:
            _Placer(program, c, largest_body).place()


class _Placer:
    """Places one computation into a program's tree."""

    def __init__(self, program: Program, computation: Computation, largest_body: int) -> None:
        self.program, self.c, self.largest_body = program, computation, largest_body
        self.cost = self._cost()
        self.inputs: set[Computation] = {
            d for node in self._producers() for d in program.stored.get(node, ())
        }
        #: Where in an array, which elements are overwritten, and what reads these before.
        self.overwritten = _overwrites(computation, program)
        self.readers: set[Computation] = set()
        if self.overwritten is not None:
            x = memory_taken(computation.target, program)
            x = computation.target.args[0] if computation.target.op is ops.ASSIGN else x
            self.readers = readers_of(x, program) - {computation}
            self.versions = in_memory_of(x, program)

    def _producers(self) -> set[Node]:
        """The stored nodes that must be complete, or complete enough, before ours is computed."""
        found = {
            access.memory_of(node, self.c.target, self.program.stored) for node, _ in self.c.reads
        }
        found.update(self.scalars)
        return found

    @cached_property
    def scalars(self) -> set[Node]:
        """Stored nodes read through extents, starts and library operands."""
        c = self.c
        roots: list[Node] = [d for d in (*c.domain, *c.target.shape) if isinstance(d, Node)]
        if isinstance(c.offset, Node):
            roots.append(c.offset)
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            roots.extend(c.value.args)
            roots.extend(d for a in c.value.args for d in a.dims)  # where a part of one begins
            return self._stored_below(roots)
        stored = self.program.stored
        points = access.walk(c.value, access.identity(len(c.domain)), stored)
        for p in c.positions:
            points += access.walk(p, access.identity(p.ndim), stored)
        for node, index in points:
            roots.extend(node.dims)
            if not isinstance(index, access._Flat):
                roots.extend(
                    e.start for e in index if isinstance(e, Entry) and isinstance(e.start, Node)
                )
        return self._stored_below(roots)

    def _stored_below(self, roots: list[Node]) -> set[Node]:
        """The stored nodes that `roots` reach first."""
        c = self.c
        found: set[Node] = set()
        stack, seen = list(roots), set(roots)
        while stack:
            node = stack.pop()
            if node in self.program.stored and node is not c.target:
                found.add(node)
                continue
            for arg in node.args:
                if arg not in seen:
                    seen.add(arg)
                    stack.append(arg)
        return found

    def place(self) -> None:
        """Join existing loops as deep as legal, then open new ones."""
        c = self.c
        items = self.program.items
        joined: list[Loop] = []
        late = c.target.op is ops.ASSIGN and are_late(self.program.graph)
        alone = late or (c.kind is Kind.SCATTER and self.overwritten is None)
        for axis in c.order if not alone else ():
            loop = self._join(items, axis)
            if loop is None:
                break
            joined.append(loop)
            items = loop.items
        if joined and not self._worth_joining(joined):
            joined, items = [], self.program.items
        c.loops = joined
        for axis in c.order[len(joined) :]:
            loop = Loop(c.domain[axis])
            items.append(loop)
            items = loop.items
            c.loops.append(loop)
        items.append(c)
        if c.loops:
            c.loops[-1].cost += self.cost

    def _worth_joining(self, joined: list[Loop]) -> bool:
        """Sharing only outer loops pays where something computed there is used."""
        if joined and joined[-1].cost and joined[-1].cost + self.cost > 2 * self.largest_body:
            return False
        complete = len(joined) == len(self.c.order)
        if complete and not any(isinstance(i, Loop) for i in joined[-1].items):
            return True
        return any(joined[0] in d.loops for d in self.inputs)

    def _cost(self) -> int:
        """What our computation costs at each point."""
        found, stack = {self.c.value}, [self.c.value]
        while stack:
            for arg in stack.pop().args:
                if arg not in found and arg not in self.program.stored:
                    found.add(arg)
                    stack.append(arg)
        return sum(map(own_cost, found))

    def _join(self, items: list[Loop | Computation], axis: int) -> Loop | None:
        """The last of `items` that can hold our loop over `axis`."""
        after = -1
        for position, item in enumerate(items):
            before = (*self.inputs, *self.readers)
            if any(item is d or (isinstance(item, Loop) and item in d.loops) for d in before):
                after = position
        extent = self.c.domain[axis]
        if axis in self.c.reduced and self._searches_memory(self.c):
            return None
        for position in range(len(items) - 1, -1, -1):
            item = items[position]
            if not isinstance(item, Loop) or item.has(Flat):
                continue
            if item.extent is not extent and item.extent != extent:
                continue
            if position < after or not self._same_style(item):
                continue
            if position == after and not self._complete_at(item, axis):
                continue
            return item
        return None

    def _same_style(self, loop: Loop) -> bool:
        """Serial computations stay out of loops that vectorise."""
        others = [i for i in loop.items if isinstance(i, Computation)]
        return all(
            self._is_serial(o) == self._is_serial(self.c) and not self._searches_memory(o)
            for o in others
        )

    def _is_serial(self, c: Computation) -> bool:
        if c.kind is Kind.SCATTER:
            return _overwrites(c, self.program) is None
        return c.kind in (Kind.ARG, Kind.SCAN)

    def _searches_memory(self, c: Computation) -> bool:
        """Whether `c` looks for a position in what lies in memory, by a loop that it has alone."""
        node = c.value
        while node.op in (ops.VIEW, ops.CAST) and node not in self.program.stored:
            node = node.args[0]
        known = node in self.program.stored or node.op in (ops.INPUT, ops.RESHAPE)
        return c.kind is Kind.ARG and known

    def _complete_at(self, loop: Loop, axis: int) -> bool:
        """Whether all we read of what `loop` computes is complete at the same iteration."""
        for d in self.inputs:
            if loop not in d.loops:
                continue
            where = d.order[d.loops.index(loop)]
            if d.partial or d.kind is Kind.SCATTER or where in d.reduced:
                return False
            place = d.kept.index(where)
            if d.target in self.scalars:
                return False
            for node, index in self.c.reads:
                if access.memory_of(node, self.c.target, self.program.stored) is not d.target:
                    continue
                if node is not d.target:  # another shape of it
                    return False
                if isinstance(index, access._Flat) or index[place] != Entry(0, 1, axis):
                    return False
        return all(self._has_read(d, loop, axis) for d in self.readers if loop in d.loops)

    def _has_read(self, d: Computation, loop: Loop, axis: int) -> bool:
        """Whether `d` reads what an iteration of `loop` overwrites in this iteration, or never."""
        assert self.overwritten is not None
        where = d.order[d.loops.index(loop)]
        k = next(k for k, e in enumerate(self.overwritten) if e.axis == axis)
        for node, index in reads_of(self.versions, d.reads, d.target):
            if isinstance(index, access._Flat) or node not in self.versions:
                return False
            same = index[k] == self.overwritten[k]._replace(axis=where)
            if not same and not never_meet(index, self.overwritten):
                return False
        return True


def _overwrites(c: Computation, program: Program) -> tuple[Entry, ...] | None:
    """Where a computation writes into an array that is there, each iteration in its own place."""
    axes = range(len(c.domain))
    if c.target.op is ops.ASSIGN:
        return tuple(Entry(0, 1, k) for k in axes)
    if c.kind is not Kind.SCATTER or c.target not in program.inplace:
        return None
    mode, checked = c.target.attr
    places = [place_of(position) for position in c.positions]
    found = tuple(place for place in places if place is not None)
    own = sorted(e.axis for e in found if e.axis is not None and e.step)
    if mode != "set" or any(checked) or len(found) < len(places) or own != list(axes):
        return None
    return found
