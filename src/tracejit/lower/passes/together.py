"""Which sums of rows are best taken for several rows at a time: they share what they read."""

from __future__ import annotations

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program

#: Operations beyond which a value is not repeated.
_MOST_OPERATIONS = 6


def jams(inner: Loop, loop: Loop, program: Program) -> bool:
    """Whether several steps of `loop`, were there only `inner` in it, would be taken at a time."""
    c = only_sum(inner, program)
    return c is not None and shares_reads(c, loop, inner)


def only_sum(inner: Loop, program: Program) -> Computation | None:
    """The sum that is all that `inner` computes, or None."""
    (c,) = inner.items if len(inner.items) == 1 else (None,)
    return c if isinstance(c, Computation) and _sums_over(c, inner, program) else None


def _sums_over(c: Computation, inner: Loop, program: Program) -> bool:
    """Whether `c` is a floating sum over `inner` alone, of values that are cheap to write down."""
    if c.kind is not Kind.REDUCE or not _is_plain(c, program):
        return False
    return not inner.has(Flat) and c.reduced == (c.order[c.loops.index(inner)],)


def _is_plain(c: Computation, program: Program) -> bool:
    """Whether `c` is a floating sum of values that are cheap to write down several times."""
    return c.target.op.name == "sum" and c.target.dtype.char in "fd" and are_cheap([c], program)


def are_cheap(reduced: list[Computation], program: Program) -> bool:
    """Whether what is reduced is cheap to write down several times."""
    written: set[Node] = set()
    for c in reduced:
        stored = program.stored.keys() - {c.target}
        points = access.walk(c.value, access.identity(len(c.domain)), stored)
        written.update(n for n, _ in points if n not in stored and n.ndim)
    return sum(isinstance(n.op, ops.Elementwise) for n in written) <= _MOST_OPERATIONS


def shares_reads(c: Computation, outer: Loop, inner: Loop) -> bool:
    """Whether `c` reads something at every step of `outer`, and other things at one step."""
    row, column = (c.order[c.loops.index(loop)] for loop in (outer, inner))
    axes = [
        {e.axis for e in index if isinstance(e, Entry)}
        for _, index in c.reads
        if not isinstance(index, access._Flat)
    ]
    return any(column in a and row not in a for a in axes) and any(row in a for a in axes)
