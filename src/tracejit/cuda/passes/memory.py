"""What has memory of its own: scalars that a kernel leaves for another, or for the host."""

from __future__ import annotations

from collections.abc import Iterator

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower.access import memory_of
from tracejit.lower.program import (
    Buffer,
    Computation,
    Kind,
    Loop,
    Program,
    computations_of,
    is_formula,
)


def no_parts(program: Program) -> None:
    """Ask for no memory for what a chunk gives: it is made for all chunks at a time."""
    program.parts.clear()


def scalars_in_memory(program: Program) -> None:
    """Give memory of its own to each scalar that a loop leaves, or that is made of old elements.

    Others are computed where they are read. An item is a kernel, and knows no names of others: so
    what has been read of memory that a later item overwrites has to be kept.
    """
    for item in program.items:
        if isinstance(item, Loop):
            for node in _scalars_of(item):
                if not is_formula(node):
                    _keep(node, program)
    overwritten: set[str | int] = set()
    for item in reversed(program.items):
        for c in computations_of(item):
            alone = isinstance(item, Computation) and not c.target.ndim and c.kind is Kind.MAP
            again = is_formula(c.target) and overwritten.isdisjoint(_read(c, program))
            if alone and not again:
                _keep(c.target, program)
            overwritten |= {b.home or id(b) for b in program.buffers.get(c.target, ())}


def is_kept(node: Node, program: Program) -> bool:
    """Whether a scalar has memory of its own."""
    return not node.ndim and any(not b.output for b in program.buffers.get(node, ()))


def _keep(node: Node, program: Program) -> None:
    buffers = program.buffers.get(node, [])
    if not is_kept(node, program):
        program.buffers[node] = [Buffer(node, (), ()), *buffers]


def _read(c: Computation, program: Program) -> Iterator[str | int]:
    """The memory that a computation reads."""
    for read, _ in c.reads:
        node = memory_of(read, c.target, program.stored)
        if node.op is ops.INPUT:
            yield node.attr[0]
        else:
            yield from (b.home or id(b) for b in program.buffers.get(node, ()))


def _scalars_of(loop: Loop) -> list[Node]:
    """The scalars that are computed over a whole nest."""
    found: list[Node] = []
    stack: list[Loop | Computation] = [loop]
    while stack:
        item = stack.pop()
        if isinstance(item, Loop):
            stack += item.items
        elif not item.target.ndim:
            found.append(item.target)
    return found
