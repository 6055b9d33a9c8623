"""What has memory of its own: scalars that a kernel leaves for another, or for the host."""

from __future__ import annotations

from tracejit.ir.node import Node
from tracejit.lower.program import Buffer, Computation, Loop, Program, is_formula


def no_parts(program: Program) -> None:
    """Ask for no memory for what a chunk gives: it is made for all chunks at a time."""
    program.parts.clear()


def scalars_in_memory(program: Program) -> None:
    """Give each scalar that a loop leaves memory of its own."""
    for item in program.items:
        if not isinstance(item, Loop):
            continue
        for node in _scalars_of(item):
            buffers = program.buffers[node]
            if all(b.output for b in buffers) and not is_formula(node):
                program.buffers[node] = [Buffer(node, (), ()), *buffers]


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
