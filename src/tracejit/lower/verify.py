"""The verifier of programs: rules that every program obeys between two passes."""

from __future__ import annotations

from collections.abc import Iterator

from tracejit.errors import InvalidGraphError
from tracejit.ir import dims, ops
from tracejit.lower.access import memory_of
from tracejit.lower.placement import placement
from tracejit.lower.program import Computation, Flat, Kind, Loop, Program


def verify(program: Program, after: str = "schedule") -> None:
    """Raise InvalidGraphError, naming the pass, unless `program` is well formed.

    Checked: every stored node is computed, and by nothing else; a computation lies in its loops,
    whose iterations are its domain's; what it reads has been completed before it, or at the same
    iteration; what is read by its position in memory is in C order; outputs and what is read as a
    whole have memory, but for scalars of regions.
    """
    _verify(program, after, inside=False)


def _verify(program: Program, after: str, inside: bool) -> None:
    problem = next(_problems(program, inside), None)
    if problem is not None:
        raise InvalidGraphError(f"after {after}: {problem}")
    for control in program.controls.values():
        for each in control.programs:
            _verify(each, after, inside=True)


def _problems(program: Program, inside: bool) -> Iterator[str]:
    # What a step of several repeats is checked as the step itself.
    placed = [(c, loops) for c, loops in _placed(program) if not _repeats(c, loops)]
    places: dict[int, tuple[int, tuple[Loop, ...]]] = {}
    for position, (c, loops) in enumerate(placed):
        if id(c) in places:
            yield f"{c.target!r} is computed twice"
        places[id(c)] = position, loops
        if c not in program.stored.get(c.target, ()):
            yield f"{c.target!r} is computed and not stored"
    for node, computations in program.stored.items():
        for c in computations:
            if id(c) not in places:
                yield f"{node!r} is never computed"
    for c, loops in placed:
        yield from _nest_problems(c, loops)
        yield from _memory_problems(c, program)
        for node, index in c.reads:
            source = memory_of(node, c.target, program.stored)
            for d in program.stored.get(source, ()):
                if d is c or id(d) not in places or program.inplace.get(c.target) is source:
                    continue
                yield from _order_problems(c, places[id(c)], d, places[id(d)], index)
    outputs = set(program.graph.outputs)
    for node, buffers in program.buffers.items():
        register = inside and not node.ndim
        if node in outputs and not register and not any(b.is_callers for b in buffers):
            yield f"output {node!r} has no memory of the caller's"


def _placed(program: Program) -> Iterator[tuple[Computation, tuple[Loop, ...]]]:
    """The computations in order of execution, each with the loops around it."""
    stack: list[tuple[Loop | Computation, tuple[Loop, ...]]]
    stack = [(item, ()) for item in reversed(program.items)]
    while stack:
        item, loops = stack.pop()
        if isinstance(item, Computation):
            yield item, loops
        else:
            inner = (*loops, item)
            stack += [(i, inner) for i in reversed(item.items)]
            stack += [(draw, inner) for draw in reversed(item.draws)]


def _repeats(c: Computation, loops: tuple[Loop, ...]) -> bool:
    """Whether `c` is of a loop's next step (`Loop.copies`)."""
    return any(own in loop.copies for own in c.loops for loop in loops)


def _nest_problems(c: Computation, loops: tuple[Loop, ...]) -> Iterator[str]:
    if c.kind in (Kind.MATMUL, Kind.LIBRARY):
        return
    around = [loop for loop in loops if not loop.style.is_blocked()]
    own = [loop for loop in c.loops if not loop.style.is_blocked()]
    if any(a is not b for a, b in zip(around, own, strict=False)):
        yield f"{c.target!r} lies in other loops than its own"
    if len(around) == 1 and around[0].has(Flat):
        extents: tuple[dims.Dim, ...] = (dims.product(c.domain),)
    else:
        extents = tuple(c.domain[k] for k in c.order)
    if tuple(loop.extent for loop in around) != extents:
        yield f"{c.target!r} is computed by loops that are not its domain's"


def _memory_problems(c: Computation, program: Program) -> Iterator[str]:
    """What is wrong with the memory order of what `c` reads."""
    flat = {memory_of(n, c.target, program.stored) for n, _ in c.reads if n.op is ops.RESHAPE}
    if c.kind is Kind.LIBRARY:
        placed = placement(c.value)
        flat.update(set(placed.flat(c.value)) - set(placed.strided(c.value)))
    for node in flat:
        if node.ndim and program.memory.get(node, "C") != "C":
            yield f"{c.target!r} reads {node!r} by position, which is not in C order"


def _order_problems(
    c: Computation,
    at: tuple[int, tuple[Loop, ...]],
    d: Computation,
    before: tuple[int, tuple[Loop, ...]],
    index: object,
) -> Iterator[str]:
    """What is wrong with the order in which `c` reads what `d` computes."""
    if before[0] >= at[0]:
        yield f"{c.target!r} reads {d.target!r} before it is computed"
        return
    shared = [loop for loop in at[1] if loop in before[1] and not loop.style.is_blocked()]
    if any(loop.has(Flat) for loop in shared) or not isinstance(index, tuple):
        return
    for loop in shared:
        if loop not in d.loops or loop not in c.loops:
            continue
        axis = d.order[d.loops.index(loop)]
        mine = c.order[c.loops.index(loop)]
        if axis in d.reduced:
            yield f"{c.target!r} reads {d.target!r}, which its loop still reduces"
            continue
        entry = index[d.kept.index(axis)] if d.kept.index(axis) < len(index) else None
        if getattr(entry, "axis", None) != mine or getattr(entry, "start", None) != 0:
            yield f"{c.target!r} reads another iteration of {d.target!r}"
