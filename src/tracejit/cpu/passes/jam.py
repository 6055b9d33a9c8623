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
from tracejit.lower.passes.together import are_cheap, only_sum, shares_reads
from tracejit.lower.program import Computation, Kind, Loop, Program

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


def jam(program: Program) -> None:
    """Jam the loops around sums.

    Guarantees: every element is computed by the same operations in the same order as before.
    """
    for inner in program.all_loops():
        _jam_sweep(inner, program)
        c = only_sum(inner, program)
        if c is None:
            continue
        around: list[Loop] = []
        child = inner
        for loop in reversed(c.loops[: c.loops.index(inner)]):
            if loop.items != [child] or len(around) == 2:
                break
            if shares_reads(c, loop, inner):
                around.append(loop)
            child = loop
        factors = (_INNER, _OUTER) if len(around) == 2 else (_ONE,)
        jammed = [c]
        for loop, factor in zip(around, factors, strict=False):
            steps = _jam(loop, factor, remainder=len(around) == 1)
            jammed = [_moved(d, loop, to) for to in steps for d in jammed]
        inner.items[:] = jammed


def _jam_sweep(inner: Loop, program: Program) -> None:
    """Let sums of rows, products and extremes take several rows at a time."""
    sweeps = [c for c in inner.items if isinstance(c, Computation) and c.kind is Kind.SWEEP]
    if any(c.target.dtype.char == "e" for c in sweeps):
        return  # it is rounded at each step
    if not sweeps or len(sweeps) < len(inner.items) or not are_cheap(sweeps, program):
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


def _moved(c: Computation, loop: Loop, to: Loop) -> Computation:
    """`c` at the step of `to` instead of `loop`'s."""
    if to is loop:
        return c
    return replace(c, loops=[to if each is loop else each for each in c.loops])
