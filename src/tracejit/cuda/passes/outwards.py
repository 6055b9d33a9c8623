"""Loops whose iterations do not know each other go outside of those that go one after the other."""

from __future__ import annotations

import itertools

from tracejit.cuda.passes.spread import are_alone
from tracejit.lower.program import Computation, Loop, Plain, Program


def alone_outwards(program: Program) -> None:
    """Turn perfect nests so that the loops that threads may share are the outermost ones.

    Needs memory, and no style in such a nest. Guarantees: each iteration that needs others comes
    after them; of the loops outside, and of those inside, the order is as it was.
    """
    for k, item in enumerate(program.items):
        loops = _chain(item)
        alone = [loop for loop in loops if are_alone(loop, loops[0], program)]
        rest = [loop for loop in loops if loop not in alone]
        if alone and rest and loops[: len(alone)] != alone:
            program.items[k] = _nested([*alone, *rest], loops[-1].items)


def _chain(item: Loop | Computation) -> list[Loop]:
    """The loops of a nest, if each holds the next one and nothing else; the last, computations."""
    found: list[Loop] = []
    while isinstance(item, Loop):
        if type(item.style) is not Plain:
            return []
        found.append(item)
        if len(item.items) != 1 and any(isinstance(i, Loop) for i in item.items):
            return []
        item = item.items[0]
    return found


def _nested(loops: list[Loop], inside: list[Loop | Computation]) -> Loop:
    """The same loops inside of each other in another order, around what was in the last one."""
    cost = max(loop.cost for loop in loops)
    for loop, inner in itertools.pairwise(loops):
        loop.items, loop.cost = [inner], 0
    loops[-1].items, loops[-1].cost = inside, cost
    for c in inside:
        assert isinstance(c, Computation)
        axis_of = {id(loop): axis for axis, loop in zip(c.order, c.loops, strict=True)}
        c.loops = list(loops)
        c.order = tuple(axis_of[id(loop)] for loop in loops)
    return loops[0]
