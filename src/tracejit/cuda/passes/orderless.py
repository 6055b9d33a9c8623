"""Which reductions of everything may be done in any order, so that all threads take part.

Each thread reduces some of the elements, a block its threads' parts, and one block those of all.
"""

from __future__ import annotations

from tracejit.cuda.passes.spread import are_alone
from tracejit.ir import ops
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


def running_in_any_order(nest: Loop, program: Program) -> list[Computation]:
    """The running reductions of a loop that parts of it may do by themselves, if all else may."""
    inside = [c for c in nest.items if isinstance(c, Computation)]
    scans = [c for c in inside if c.kind is Kind.SCAN]
    if len(inside) < len(nest.items) or not scans or not all(map(_is_exact, scans)):
        return []
    return scans if are_alone(nest, nest, program, scans) else []


def _is_exact(c: Computation) -> bool:
    """Whether a running reduction is along the only axis, and of no order."""
    return len(c.domain) == 1 and c.target.dtype.kind in "biu" and running_from(c) is not None


def running_from(c: Computation) -> str | None:
    """The reduction that a running one is of."""
    name = c.target.attr[0]
    return next((r.name for r in ops.REDUCTIONS.values() if r.combine == name), None)
