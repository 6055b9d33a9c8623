"""What teams of threads do together, and how many threads these have; see `machine.teams`."""

from __future__ import annotations

from tracejit.cuda.passes.spread import are_alone
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program, computations_in
from tracejit.lower.styles import Chunk

#: Threads of a team: as many as a sum has partial results.
_SINGLE, _DOUBLE = 32, 16
#: Threads of a block whose teams work together.
THREADS = 256


def team_of(item: Loop | Computation) -> int:
    """How many threads do the work of one in the kernel of `item`; 1: each is alone.

    Those of several rows share a warp, where all sums are of float64.
    """
    if not isinstance(item, Loop):
        return 1
    sums = [c for c in computations_in(item) if _is_ordered(c)]
    if not sums:
        return _SINGLE if item.has(Chunk) or _reduces_rows(item) else 1
    double = all(c.target.dtype.char in "dD" for c in sums)
    return _DOUBLE if double else _SINGLE


def _reduces_rows(nest: Loop) -> bool:
    """Whether rows are reduced in innermost loops of a nest, to what a team's threads may combine.

    Columns are not: threads side by side, one each, read neighbours.
    """
    inside = computations_in(nest)
    reduced = [c for c in inside if c.kind in (Kind.REDUCE, Kind.ARG)]
    return bool(reduced) and all(
        _may_be_shared(c)
        and len(c.domain) > 1
        and not c.loops[0].has(Flat)
        and c.reduced == (len(c.domain) - 1,) == c.order[-1:]
        for c in reduced
    )


def is_shared(loop: Loop, program: Program) -> bool:
    """Whether a team's threads may share the iterations of a loop, an innermost one."""
    inside = computations_in(loop)
    if any(isinstance(item, Loop) for item in loop.items) or loop.draws:
        return False
    reduced = [c for c in inside if c.kind is Kind.REDUCE and c.loops[-1] is loop]
    reduced = [c for c in reduced if c.loops[0].has(Flat) or c.order[-1] in c.reduced]
    return are_alone(loop, loop, program, reduced) and all(
        c.kind in (Kind.MAP, Kind.SWEEP, Kind.SCATTER) or _may_be_shared(c) for c in inside
    )


def _is_ordered(c: Computation) -> bool:
    """Whether a reduction rounds, so that its bits depend on the order."""
    kind, name = c.target.dtype.kind, c.target.op.name
    return c.kind is Kind.REDUCE and kind in "fc" and name in ("sum", "prod")


#: What threads may combine in any order, beside sums in that of partial results.
_COMBINED = ("any", "all", "or_reduce", "and_reduce", "xor_reduce")


def _may_be_shared(c: Computation) -> bool:
    """Whether what threads have reduced apart is one afterwards: a complex product is not."""
    name, kind, char = c.target.op.name, c.target.dtype.kind, c.target.dtype.char
    if c.kind is not Kind.REDUCE:
        return False
    if name == "prod":
        return kind != "c" and char != "e"  # which is rounded at each step
    return name in _COMBINED or name == "sum" or (name in ("max", "min") and kind != "c")
