"""Questions about the number of a loop's step, answered for all its steps at once.

A body is traced once. What Python asks of lengths and positions there must have one answer for
every step: a comparison that is linear in the number has, if it has the same at the first step and
at the last. So it is asked there, of what is around the loop, under guards as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tracejit.errors import NotTraceable
from tracejit.ir import dims, lengths, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder

#: The answer to a comparison of a length with 0, under a guard.
Ask = Callable[[str, Dim], bool]


class Steps(NamedTuple):
    """The number of a step, a placeholder, and what it is at the first step and at the last."""

    number: Node
    first: Dim
    last: Dim


def reaches(node: Node, placeholders: frozenset[Node]) -> bool:
    """Whether a node is computed from one of these."""
    return not placeholders.isdisjoint(postorder([node]))


def truth(test: Node, steps: Steps, ask: Ask) -> bool:
    """The answer to a comparison of lengths that depends on the number of a step."""
    sides = lengths.sides(test)
    if sides is None:
        raise _changing(test)
    difference = dims.sub(*sides)
    first, last = (_at(difference, steps, end) for end in (steps.first, steps.last))
    name = test.op.name
    if name in ("equal", "not_equal"):
        apart = (ask("less", first) and ask("less", last)) or (
            ask("greater", first) and ask("greater", last)
        )
        if not apart:
            raise _changing(test)
        return name == "not_equal"
    answer = ask(name, first)
    if answer != ask(name, last):
        raise _changing(test)
    return answer


def _at(difference: Dim, steps: Steps, place: Dim) -> Dim:
    """A length that is linear in the number of a step, at a `place`."""
    result: Dim = 0
    for monomial, factor in dims.poly(difference).items():
        others = [atom for atom in monomial if atom is not steps.number]
        if len(monomial) - len(others) > 1 or any(
            reaches(atom, frozenset([steps.number])) for atom in others
        ):
            raise _changing(dims.as_node(difference))
        term = dims.product([factor, *others])
        if len(others) < len(monomial):
            term = dims.mul(term, place)
        result = dims.add(result, term)
    return result


def _changing(node: Node) -> NotTraceable:
    what = "a comparison" if node.op is not ops.POLY else "a length"
    return NotTraceable(
        f"{what} in a loop has not the same answer at each step",
        "write the first or last steps out, before or after the loop",
    )
