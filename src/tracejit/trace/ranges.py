"""Questions about the numbers of loops' steps, answered for all steps at once.

A body is traced once. What Python asks of lengths and positions there must have one answer for
every step. It has, if the opposite contradicts what is known: the ranges of the steps, and what the
branches around have asked. What is left of that, once the numbers of steps are eliminated, is about
lengths around the loops, and is asked of them, under guards as ever. Where the answer changes from
one step to the next, the loop is divided there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from tracejit.errors import NotTraceable
from tracejit.ir import dims, lengths, ops
from tracejit.ir.dims import INT_SCALAR, Dim, Poly
from tracejit.ir.inequalities import reaches, remaining
from tracejit.ir.node import Node, postorder
from tracejit.ir.region import Check


class Steps(NamedTuple):
    """The number of a step, a placeholder, and what it is at the first step and at the last."""

    number: Node
    first: Dim
    last: Dim


class Divided(BaseException):  # no handler of the user's is for it
    """A loop must be divided before its step of a number: the answer to a test changes there."""

    def __init__(self, number: Node, at: Dim, test: Node) -> None:
        self.number, self.at, self.test = number, at, test


class Asked(Protocol):
    """What is known of the lengths around all loops."""

    steps: list[Steps]
    #: What holds where the piece that is traced runs.
    assumed: list[Node]

    def value(self, a: Dim) -> int | None:
        """The length for the arguments at hand."""

    def compared(self, name: str, difference: Dim) -> bool:
        """The answer to a comparison of a length with 0, under a guard."""


def depends(node: Node, steps: Sequence[Steps]) -> bool:
    """Whether a node is computed from the number of a step."""
    return bool(steps) and reaches(node, [s.number for s in steps])


def is_told(d: Dim, steps: Sequence[Steps]) -> bool:
    """Whether a length is computed from numbers of steps, and besides from what is known."""
    if not isinstance(d, Node):
        return False
    numbers = {s.number for s in steps}
    leaves = [n for n in postorder([d]) if not n.args]
    known = (n in numbers or n.op in (ops.DIM, ops.CONST) or _is_number(n) for n in leaves)
    return not numbers.isdisjoint(leaves) and all(known)


def undivided(test: Node, asked: Asked) -> Callable[[], bool | None] | None:
    """`always`, for a test by which no loop may be divided; None for others."""
    sides = lengths.sides(test)
    if not depends(test, asked.steps) or (sides and _divides(dims.sub(*sides), asked)):
        return None
    return lambda: always(test, asked)


def _divides(d: Dim, asked: Asked) -> bool:
    """Whether a loop may be divided by a length: it and the loop's steps are told before."""
    around = [s.last for s in asked.steps if isinstance(d, Node) and depends(d, [s])]
    return is_told(d, asked.steps) and all(
        asked.value(last) is not None or is_told(last, asked.steps) for last in around
    )


def _is_number(node: Node) -> bool:
    """Whether a leaf is an argument that is a number of Python's: placeholders have no trace."""
    return node.op is ops.INPUT and node.type == INT_SCALAR and node.attr[2] > 0


def truth(test: Node, asked: Asked) -> bool:
    """The answer to a comparison of lengths that depends on the number of a step.

    Divided where it changes from one step to another.
    """
    answer = always(test, asked)
    if answer is None:
        sides = lengths.sides(test)
        if sides is None:
            raise changing(test)
        raise _divided(test, dims.sub(*sides), asked)
    return answer


def always(test: Node, asked: Asked) -> bool | None:
    """The answer that a comparison of lengths has at every step, if it has one."""
    sides = lengths.sides(test) if depends(test, asked.steps) else None
    if sides is None:
        return None
    difference = dims.sub(*sides)
    if not isinstance(difference, Node) or not depends(difference, asked.steps):
        return asked.compared(test.op.name, difference)
    name = test.op.name
    if name in ("equal", "not_equal"):
        if any(holds(d, asked) for d in (dims.sub(difference, 1), dims.sub(-1, difference))):
            return name == "not_equal"
        both = holds(difference, asked) and holds(dims.mul(-1, difference), asked)
        return name == "equal" if both else None
    [positive] = lengths.not_negative(name, difference)
    if holds(positive, asked):
        return True
    return False if holds(dims.sub(-1, positive), asked) else None


def holds(goal: Dim, asked: Asked) -> bool:
    """Whether a length is never negative, at no step; what that needs becomes a guard."""
    ranges = {s.number: (s.first, s.last) for s in asked.steps}

    def is_length(atom: Node) -> bool:
        if atom.op is ops.DIM:
            return True
        value = asked.value(atom)
        return value is not None and value >= 0 and asked.compared("greater_equal", atom)

    def is_unknown(atom: Node) -> bool:
        return asked.value(atom) is None

    cases = remaining(goal, ranges, is_unknown, _assumed(asked), is_length)
    return all(_is_negative(left, asked) for left in cases)


def _is_negative(left: Sequence[Poly], asked: Asked) -> bool:
    """Whether one of these lengths is negative, under a guard where that depends on arguments."""
    lengths_left = [dims.from_poly(terms) for terms in sorted(left, key=len)]
    if any(isinstance(d, int) and d < 0 for d in lengths_left):
        return True
    for d in lengths_left:
        value = asked.value(d)
        if value is not None and value < 0 and asked.compared("less", d):
            return True
    return False


def _assumed(asked: Asked) -> list[Poly]:
    """What holds where the piece runs, as inequalities."""
    found: list[Poly] = []
    stack = list(asked.assumed)
    while stack:
        test = stack.pop()
        if test.op.name == "logical_and":
            stack += test.args
            continue
        sides = lengths.sides(test)
        if sides is not None:
            found += map(dims.poly, lengths.not_negative(test.op.name, dims.sub(*sides)))
    return found


def attempted(
    ask: Callable[[], bool | None], checks: list[Check], tables: tuple[dict[Any, Any], ...]
) -> bool | None:
    """An answer; None where there is none, and nothing has been found out by asking for it."""
    known, before = len(checks), [dict(table) for table in tables]
    try:
        answer = ask()
    except NotTraceable as refusal:
        refusal.forget()
        answer = None
    if answer is None:
        del checks[known:]
        for table, content in zip(tables, before, strict=True):
            table.clear()
            table.update(content)
    return answer


def _divided(test: Node, difference: Dim, asked: Asked) -> BaseException:
    """That a loop is divided where the answer to a comparison with 0 changes."""
    if test.op.name in ("equal", "not_equal"):
        goal = dims.sub(difference, 1) if holds(difference, asked) else difference
    else:
        [goal] = lengths.not_negative(test.op.name, difference)
    assert isinstance(goal, Node)
    inner = next(s for s in reversed(asked.steps) if depends(goal, [s]))
    terms = dims.poly(goal)
    factor = terms.pop((inner.number,), 0)
    rest = dims.from_poly(terms)
    if not factor or (isinstance(rest, Node) and depends(rest, [inner])):
        return changing(test)
    if factor > 0:  # from the first step on at which it is not negative
        at = dims.mul(-1, dims.floordiv(rest, factor))
    else:
        at = dims.add(dims.floordiv(rest, -factor), 1)
    return Divided(inner.number, at, test)


def changing(node: Node) -> NotTraceable:
    """That a loop is no region, as one of its questions has several answers."""
    what = "a comparison" if node.op is not ops.POLY else "a length"
    return NotTraceable(
        f"{what} in a loop has not the same answer at each step",
        "write the first or last steps out, before or after the loop",
    )
