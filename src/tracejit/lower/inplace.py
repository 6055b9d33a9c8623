"""Scatters that need no copy: they write into their first operand, where nothing reads it later."""

from __future__ import annotations

from collections.abc import Container

from tracejit.ir import ops
from tracejit.ir.node import Node, postorder
from tracejit.lower.access import memory_of, read_for
from tracejit.lower.placement import placement
from tracejit.lower.program import Computation, Kind, Program
from tracejit.lower.writes import OVERWRITING, are_late, is_unharmed, place_of, versions, written


def write_in_place(program: Program) -> None:
    """Drop the copy of each scatter, and of each start of a loop, that may overwrite its operand.

    Needs: the computations in order, before they are placed in loops; outputs keep their memory.
    Guarantees: `program.inplace` names the operand whose memory the result takes over. That is an
    input's only for what is there at the end.
    """
    place = {node: k for k, node in enumerate(program.stored)}
    kept = {start: left for left, start in program.inplace.items()}
    writes = {} if are_late(program.graph) else written(program.graph)
    ends = {n: x for x, node in writes.items() for n in versions(node.args[1])}
    readers: dict[Node, list[Computation]] = {node: [] for node in (*program.stored, *writes)}
    for computations in program.stored.values():
        for c in computations:
            for node in read_by(c, readers):
                readers[node].append(c)
    for node, computations in program.stored.items():
        if node.op not in OVERWRITING:
            continue
        copy, *after = computations
        x = copy.value
        if x not in readers or x in program.outputs or x in program.inplace.values():
            continue
        late = any(n in place for d in x.shape if isinstance(d, Node) for n in postorder([d]))
        done = all(
            r is copy
            or place[r.target] < place[node]
            or (r in after and _reads_first(r, x, program))
            for r in readers[x]
        )
        taken = memory_taken(x, program)
        callers = taken.op is ops.INPUT
        if not done or late or (callers and ends.get(node) is not taken):
            continue
        version = kept.get(node, node)
        last = callers and writes[taken].args[1] is version
        read_late = not last and any(map(_is_late, readers[version]))
        if callers and (read_late or version in program.outputs):
            continue
        # Whatever the order of an input is, the elements that are put there are put one by one.
        one_by_one = callers and node.op is ops.SCATTER
        if one_by_one or program.memory[x] == program.memory[node] == "C":
            program.inplace[node] = x
            program.memory[node] = program.memory[x]
            program.stored[node] = after
            for c in after:
                c.reads += [r for r in copy.reads if r not in c.reads]
    for x, node in writes.items():
        if memory_taken(node.args[1], program) is x:
            program.stored[node] = []  # it is there already


def _is_late(c: Computation) -> bool:
    """Whether a computation is among the last, in no order that is known yet."""
    return c.target.op is ops.ASSIGN


def _reads_first(c: Computation, x: Node, program: Program) -> bool:
    """Whether a scatter reads of `x` only the element that it writes then."""
    if c.value.op is ops.PLACE:  # whose mask is read a word ahead
        return all(node is not x for node, _ in read_for(c.value.args[2:], program.stored))
    if not c.domain:
        return True
    place = tuple(map(place_of, c.positions))
    return all(
        node is x and is_unharmed(index, place, c.domain, program.graph.ranges)
        for node, index in c.reads
        if memory_of(node, c.target, (x,)) is x
    )


def memory_taken(node: Node, program: Program) -> Node:
    """What `node` overwrites in place, as far as that goes; itself where it does not."""
    while node in program.inplace:
        node = program.inplace[node]
    return node


def readers_of(x: Node, program: Program) -> set[Computation]:
    """What reads the memory of an input."""
    versions = in_memory_of(x, program)
    return {c for cs in program.stored.values() for c in cs if read_by(c, versions)}


def in_memory_of(x: Node, program: Program) -> set[Node]:
    """An input, and the versions of it that take over its memory."""
    return {x, *(node for node in program.inplace if memory_taken(node, program) is x)}


def read_by(c: Computation, known: Container[Node]) -> set[Node]:
    """Those of the `known` nodes that a computation reads in memory."""
    found = {memory_of(node, c.target, known) for node, _ in c.reads}
    if c.kind in (Kind.MATMUL, Kind.LIBRARY):
        found.update(placement(c.value).whole(c.value))
    return {node for node in found if node in known}
