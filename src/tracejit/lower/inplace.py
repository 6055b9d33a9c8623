"""Scatters that need no copy: they write into their first operand, where nothing reads it later."""

from __future__ import annotations

from typing import cast

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.lower.access import Entry, identity, memory_of, view_index
from tracejit.lower.placement import placement
from tracejit.lower.program import Computation, Kind, Program


def write_in_place(program: Program) -> None:
    """Drop the copy of each scatter whose first operand may be overwritten.

    Needs: the computations in order, before they are placed in loops; outputs keep their memory.
    Guarantees: `program.inplace` names the operand whose memory the result takes over.
    """
    place = {node: k for k, node in enumerate(program.stored)}
    readers: dict[Node, list[Computation]] = {node: [] for node in program.stored}
    for computations in program.stored.values():
        for c in computations:
            for node in read_by(c, program):
                readers[node].append(c)
    for node, computations in program.stored.items():
        copy, *scatter = computations
        if not scatter or node.op not in (ops.SCATTER, ops.PLACE):
            continue
        x = copy.value
        if x not in program.stored or x in program.outputs or x in program.inplace.values():
            continue
        late = any(n in place for d in x.shape if isinstance(d, Node) for n in postorder([d]))
        done = all(
            r is copy or place[r.target] < place[node] or (r is scatter[0] and _reads_first(r, x))
            for r in readers[x]
        )
        if done and not late and program.memory[x] == program.memory[node] == "C":
            program.inplace[node] = x
            program.stored[node] = scatter
            scatter[0].reads += [r for r in copy.reads if r not in scatter[0].reads]


def _reads_first(c: Computation, x: Node) -> bool:
    """Whether a scatter reads of `x` only the element that it writes then."""
    if c.value.op is ops.PLACE:  # whose mask is read a word ahead
        return c.value.args[2] is not x
    if not c.domain:
        return True
    written = tuple(map(_entry, c.positions))
    return all(
        node is x and index == written
        for node, index in c.reads
        if memory_of(node, c.target, (x,)) is x
    )


def _entry(position: Node) -> Entry | None:
    """Where an axis is written, as an entry of an index vector; None where it is looked up."""
    if position.op is ops.IOTA:
        return Entry(0, 1, 0)
    if position.op is not ops.VIEW or position.args[0].op is not ops.IOTA:
        return None
    [entry] = cast(tuple[Entry], view_index(position, identity(position.ndim)))
    return entry


def read_by(c: Computation, program: Program) -> set[Node]:
    """The stored nodes that a computation reads."""
    found = {memory_of(node, c.target, program.stored) for node, _ in c.reads}
    if c.kind in (Kind.MATMUL, Kind.LIBRARY):
        found.update(placement(c.value).whole(c.value))
    return found & set(program.stored)
