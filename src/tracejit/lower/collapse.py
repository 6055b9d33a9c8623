"""Perfect nests over what lies alike in memory, as one flat loop."""

from __future__ import annotations

from tracejit.ir import dims, ops
from tracejit.lower import access
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program


def collapse(program: Program) -> None:
    """Make one flat loop of a perfect nest whose arrays are all contiguous and of its shape."""
    for position, item in enumerate(program.items):
        if not isinstance(item, Loop):
            continue
        chain = [item]
        while len(chain[-1].items) == 1 and isinstance(chain[-1].items[0], Loop):
            chain.append(chain[-1].items[0])
        computations = chain[-1].items
        if len(chain) < 2 or not all(
            isinstance(c, Computation) and _flat(c, chain, program) for c in computations
        ):
            continue
        flat = Loop(dims.product(loop.extent for loop in chain), list(computations), style=Flat())
        program.items[position] = flat
        for c in computations:
            assert isinstance(c, Computation)
            c.loops = [flat]


def _flat(c: Computation, chain: list[Loop], program: Program) -> bool:
    axes = tuple(range(len(c.domain)))
    if len(axes) != len(chain) or c.partial or c.order not in (axes, axes[::-1]):
        return False
    layout = "C" if c.order == axes else "F"
    if c.kind is not Kind.MAP and not (c.kind is Kind.REDUCE and c.reduced == axes):
        return False
    if c.kind is Kind.MAP and program.memory[c.target] != layout:
        return False
    full = access.identity(len(axes))
    keep = set(program.stored) - ({c.value} if c.value is c.target else set())
    for node, index in access.walk(c.value, full, keep):
        if index not in (full, ()):
            return False
        in_memory = node in keep or node.op is ops.INPUT
        if in_memory and node.ndim and program.memory[node] != layout:
            return False
        if node in keep:
            continue
        if node.ndim and node.op in (ops.IOTA, ops.GATHER, ops.RESHAPE):
            return False
        if node.op is ops.VIEW and node.args[0].ndim:
            return False
    return True
