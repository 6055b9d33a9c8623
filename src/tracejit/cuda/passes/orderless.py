"""Which reductions of everything may be done in any order, so that all threads take part.

Each thread reduces some of the elements, a block its threads' parts, and one block those of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.cuda.passes.spread import are_alone
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower.access import memory_of
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, computations_in

#: Reductions whose result is the same to the bit in any order, by the kinds of dtypes. (Of zeros
#: with signs, the largest is one with a plus, in any order.)
_ANY_ORDER = {
    "sum": "biu",
    "prod": "biu",
    "max": "biuf",
    "min": "biuf",
    "fmax_reduce": "biuf",
    "fmin_reduce": "biuf",
    "any": "biufc",
    "all": "biufc",
    "or_reduce": "biu",
    "and_reduce": "biu",
    "xor_reduce": "biu",
    "argmax": "biufc",
    "argmin": "biufc",
}


def in_any_order(nest: Loop, program: Program) -> tuple[list[Loop], list[Computation]]:
    """The outermost loops of a nest that threads may share, and what is reduced over them all.

    None where something else in the nest needs an order, or nothing is reduced.
    """
    inside = computations_in(nest)
    reduced = [c for c in inside if c.kind in (Kind.REDUCE, Kind.ARG)]
    if not reduced or not all(_is_whole(c) and c.loops[0] is nest for c in reduced):
        return [], []
    loops: list[Loop] = []
    loop: Loop | None = nest
    while loop is not None and are_alone(loop, nest, program, reduced):
        loops.append(loop)
        [*rest] = loop.items
        loop = rest[0] if len(rest) == 1 and isinstance(rest[0], Loop) else None
    if any(c.kind is Kind.ARG and len(c.loops) > len(loops) for c in reduced):
        return [], []  # whose positions would be counted otherwise
    return (loops, reduced) if loops else ([], [])


def _is_whole(c: Computation) -> bool:
    """Whether a reduction is over all of its loops, in their order, and of no order itself."""
    kinds = _ANY_ORDER.get(c.target.op.name, "")
    whole = c.loops[0].has(Flat) or (len(c.reduced) == len(c.domain) and not c.partial)
    in_order = c.kind is Kind.REDUCE or c.order == tuple(sorted(c.order))
    return c.value.dtype.kind in kinds and whole and in_order


def running(nest: Loop, program: Program) -> list[Computation]:
    """The running reductions of a loop along the only axis, if threads may share all else."""
    inside = [c for c in nest.items if isinstance(c, Computation)]
    scans = [c for c in inside if c.kind is Kind.SCAN]
    others = all(c.kind is Kind.MAP for c in inside if c not in scans)
    if len(inside) < len(nest.items) or not others or any(len(c.domain) != 1 for c in scans):
        return []
    return scans if are_alone(nest, nest, program, scans) else []


def are_in_any_order(nest: Loop, scans: Sequence[Computation], program: Program) -> bool:
    """Whether parts of a loop may do its running reductions by themselves.

    None may be of another one.
    """
    made: set[Node] = set()
    for c in computations_in(nest):
        read = {memory_of(node, c.target, program.buffers) for node, _ in c.reads}
        if c in scans and (not _is_exact(c) or read & made):
            return False
        if c in scans or read & made:
            made.add(c.target)
    return True


def _is_exact(c: Computation) -> bool:
    """Whether a running reduction is of no order; float16 is computed in another dtype."""
    name, dtype = running_from(c), c.target.dtype
    return name is not None and dtype.kind in _ANY_ORDER.get(name, "") and dtype.char != "e"


def running_from(c: Computation) -> str | None:
    """The reduction that a running one is of."""
    name = c.target.attr[0]
    return next((r.name for r in ops.REDUCTIONS.values() if r.combine == name), None)
