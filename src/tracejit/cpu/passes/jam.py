"""Unroll and jam: several rows of a sum at a time, where they share what they read or write.

Pairwise distances read a point once for several others. What bounds such a loop is not arithmetic
but loads, of vectors from the first cache and of rows from the second: two points of the inner loop
share the first, four of the outer one the second. (1,000 by 1,000 points of 64 numbers: 7.8 ms one
pair at a time, 6.9 by two inner points, 4.0 by four outer and two inner ones.) A sum of rows goes
through its accumulators once for several rows, and so does an extreme.
"""

from __future__ import annotations

from dataclasses import replace

from tracejit.cpu.styles import Jam
from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Entry
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program

#: Steps at a time, powers of two: of a single loop, and of the outer and inner one of two.
_ONE, _OUTER, _INNER = 4, 4, 2
#: Elements from which on a matrix comes from memory, and rows are taken one by one: several at a
#: time are no pattern for the processor to fetch ahead by, unless they are so long that each is
#: one. (`x @ w`, 100,000 by 100: 2.6 ms one by one, 7.4 four at a time. Of rows of 100 that take 1
#: MB together: 53 and 68 GB/s.)
FAR, LONG = 1 << 20, 1 << 10
#: Reductions of which several rows are taken at a time, by the kinds of their elements: no floating
#: products, which could be reordered then.
_SWEPT = {
    "sum": "fiuc", "prod": "iuc", "max": "fiucb", "min": "fiucb", "any": "b", "all": "b",
}  # fmt: skip
#: Operations beyond which a value is not repeated.
_MOST_OPERATIONS = 6


def jam(program: Program) -> None:
    """Jam the loops around sums.

    Guarantees: every element is computed by the same operations in the same order as before.
    """
    for inner in program.all_loops():
        _jam_sweep(inner, program)
        c = _only_sum(inner, program)
        if c is None:
            continue
        around: list[Loop] = []
        child = inner
        for loop in reversed(c.loops[: c.loops.index(inner)]):
            if loop.items != [child] or len(around) == 2:
                break
            if _shares_reads(c, loop, inner):
                around.append(loop)
            child = loop
        factors = (_INNER, _OUTER) if len(around) == 2 else (_ONE,)
        jammed = [c]
        for loop, factor in zip(around, factors, strict=False):
            steps = _jam(loop, factor, remainder=len(around) == 1)
            jammed = [_moved(d, loop, to) for to in steps for d in jammed]
        inner.items[:] = jammed


def jams(inner: Loop, loop: Loop, program: Program) -> bool:
    """Whether several steps of `loop`, were there only `inner` in it, would be taken at a time."""
    c = _only_sum(inner, program)
    return c is not None and _shares_reads(c, loop, inner)


def _jam_sweep(inner: Loop, program: Program) -> None:
    """Let sums of rows, products and extremes take several rows at a time."""
    sweeps = [c for c in inner.items if isinstance(c, Computation) and c.kind is Kind.SWEEP]
    if any(c.target.dtype.char == "e" for c in sweeps):
        return  # it is rounded at each step
    if not sweeps or len(sweeps) < len(inner.items) or not _are_cheap(sweeps, program):
        return
    if any(c.target.dtype.kind not in _SWEPT.get(c.target.op.name, "") for c in sweeps):
        return
    rows = sweeps[0].loops[0]
    if rows.items == [inner] and all(c.loops == [rows, inner] for c in sweeps):
        steps = _jam(rows, _ONE, remainder=True)
        inner.items[:] = [_moved(c, rows, to) for to in steps for c in sweeps]


def _jam(loop: Loop, factor: int, remainder: bool) -> tuple[Loop, ...]:
    """Let `loop` take `factor` steps at a time; the loops that stand for them."""
    copies = tuple(Loop(loop.extent) for _ in range(factor - 1))
    loop.style = Jam(loop.style, copies, remainder)
    return (loop, *copies)


def _only_sum(inner: Loop, program: Program) -> Computation | None:
    """The sum that is all that `inner` computes, or None."""
    (c,) = inner.items if len(inner.items) == 1 else (None,)
    return c if isinstance(c, Computation) and _sums_over(c, inner, program) else None


def _moved(c: Computation, loop: Loop, to: Loop) -> Computation:
    """`c` at the step of `to` instead of `loop`'s."""
    if to is loop:
        return c
    return replace(c, loops=[to if each is loop else each for each in c.loops])


def _sums_over(c: Computation, inner: Loop, program: Program) -> bool:
    """Whether `c` is a floating sum over `inner` alone, of values that are cheap to write down."""
    if c.kind is not Kind.REDUCE or not _is_plain(c, program):
        return False
    return not inner.has(Flat) and c.reduced == (c.order[c.loops.index(inner)],)


def _is_plain(c: Computation, program: Program) -> bool:
    """Whether `c` is a floating sum of values that are cheap to write down several times."""
    return c.target.op.name == "sum" and c.target.dtype.char in "fd" and _are_cheap([c], program)


def _are_cheap(reduced: list[Computation], program: Program) -> bool:
    """Whether what is reduced is cheap to write down several times."""
    written: set[Node] = set()
    for c in reduced:
        stored = program.stored.keys() - {c.target}
        points = access.walk(c.value, access.identity(len(c.domain)), stored)
        written.update(n for n, _ in points if n not in stored and n.ndim)
    return sum(isinstance(n.op, ops.Elementwise) for n in written) <= _MOST_OPERATIONS


def _shares_reads(c: Computation, outer: Loop, inner: Loop) -> bool:
    """Whether `c` reads something at every step of `outer`, and other things at one step."""
    row, column = (c.order[c.loops.index(loop)] for loop in (outer, inner))
    axes = [
        {e.axis for e in index if isinstance(e, Entry)}
        for _, index in c.reads
        if not isinstance(index, access._Flat)
    ]
    return any(column in a and row not in a for a in axes) and any(row in a for a in axes)
