"""What is known of whole numbers where it is traced: differences that are not negative there.

A loop knows that the number of its step is one of its steps', a side of a branch what decided for
it, and a number of `given` what it was tested for. So most positions need no test. This is where it
is kept, and where a test says what follows from it; what follows of that is proven in
`ir/inequalities.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tracejit.ir import build, dims, lengths, ops
from tracejit.ir.closing import opened
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.inequalities import follows
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.region import regions_of
from tracejit.ir.scalars import GIVEN
from tracejit.ir.types import INT64


class Facts:
    """Whole numbers that are known not to be negative."""

    def __init__(self) -> None:
        self._about: dict[Node, list[Dim]] = {}

    def __bool__(self) -> bool:
        return bool(self._about)

    @contextmanager
    def known(self, facts: Iterable[Dim]) -> Iterator[None]:
        """Take these for granted inside."""
        added = [(atom, fact) for fact in facts for atom in _atoms(fact)]
        for atom, fact in added:
            self._about.setdefault(atom, []).append(fact)
        try:
            yield
        finally:
            for atom, fact in reversed(added):
                about = self._about[atom]
                del about[len(about) - 1 - about[::-1].index(fact)]

    def note(self, number: Node, facts: Iterable[Dim]) -> None:
        """Know these of a number wherever it is computed: where it is not, nothing of any other."""
        about = self._about.setdefault(number, [])
        about += [f for f in dict.fromkeys(facts) if isinstance(f, Node) and f not in about]

    def answer(self, test: Node) -> bool | None:
        """The answer to a comparison of whole numbers, where it is certain."""
        sides = lengths.sides(test)
        if sides is None:
            return None
        a, b = sides
        name, less, more = test.op.name, dims.sub(b, a), dims.sub(a, b)
        if name in ("less", "greater_equal"):
            found = self._sign(more)
        elif name in ("greater", "less_equal"):
            found = self._sign(less)
        elif self.holds(dims.sub(more, 1)) or self.holds(dims.sub(less, 1)):
            return name == "not_equal"
        else:
            return None
        return found if found is None else found == (name in ("greater_equal", "less_equal"))

    def _sign(self, d: Dim) -> bool | None:
        if self.holds(d):
            return True
        return False if self.holds(dims.sub(-1, d)) else None

    def holds(self, d: Dim) -> bool:
        """Whether `d` is certainly not negative."""
        return follows(d, self._about)


class Knowing(build.Solver):
    """A solver that knows of numbers which only the values of arrays tell."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.sizes: dict[Node, int] = {}
        self.extents: dict[Node, tuple[int, int]] = {}

    def bits(self, number: Node) -> int | None:
        """A bound on a number that an array tells, or a loop comes to."""
        return self.sizes.get(number)

    def noted(self, number: Node, bits: int, facts: Iterable[Dim] = ()) -> None:
        """Know this of a number."""
        self.sizes[number] = bits
        self.facts.note(number, facts)

    def within(self, number: Node, low: int, high: int) -> None:
        """Know of a number that it is from `low` to `high` wherever it is computed."""
        self.extents[number] = low, high
        bits = max(low.bit_length(), high.bit_length())
        self.noted(number, bits, [dims.sub(number, low), dims.sub(high, number)])

    def extent(self, d: Dim) -> tuple[int, int] | None:
        """Between what a number is, if that is known of it wherever it is computed."""
        return self.extents.get(d) if isinstance(d, Node) else (d, d)


def _atoms(fact: Dim) -> list[Node]:
    return list(dict.fromkeys(atom for monomial in dims.poly(fact) for atom in monomial))


def whole(x: Node) -> Node:
    """A scalar of NumPy's integers as a number of Python's."""
    return x if x.type == INT_SCALAR else make(ops.CAST, (x,), None, INT_SCALAR, x.origin)


def consequences(test: Node, answer: bool) -> list[Dim]:
    """What is not negative where `test` has this answer."""
    found: list[Dim] = []
    stack = [(test, answer)]
    while stack:
        node, holds = stack.pop()
        name = node.op.name
        if name == "logical_not":
            stack.append((node.args[0], not holds))
        elif name == ("logical_and" if holds else "logical_or"):
            stack += [(a, holds) for a in node.args]
        elif node.op is GIVEN or (node.op is ops.CAST and node.args[0].dtype == node.dtype):
            stack.append((node.args[0], holds))
        elif node.op is ops.WHERE and _plain(node.args[1]) is _plain(node.args[2]):
            stack.append((node.args[1], holds))
        elif node.op is ops.ITEM and node.args[0].op is ops.COND:
            stack += _of_branch(node.args[0], node.attr, holds)
        else:
            found += _compared(node, holds)
    return [fact for fact in found if isinstance(fact, Node)]


def _plain(node: Node) -> Node:
    """A truth value, be it Python's or NumPy's."""
    while node.op is ops.CAST and node.args[0].dtype == node.dtype:
        node = node.args[0]
    return node


def _of_branch(branch: Node, place: int, holds: bool) -> list[tuple[Node, bool]]:
    """What else is so where a branch has given this answer, as the other side never does."""
    predicate, *captures = branch.args
    for k, region in enumerate(regions_of(branch)):
        other = region.results[place]
        if other.op is ops.CONST and bool(build.constant_value(other)) is not holds:
            side = opened(regions_of(branch)[1 - k], captures)
            return [(predicate, k == 1), (side.results[place], holds)]
    return []


def _compared(test: Node, holds: bool) -> list[Dim]:
    name = test.op.name
    if name not in lengths.NEGATED or not all(_is_whole(a) for a in test.args):
        return []
    difference = dims.sub(*map(_side, test.args))
    return lengths.not_negative(name if holds else lengths.NEGATED[name], difference)


def _is_whole(node: Node) -> bool:
    return node.type in (INT_SCALAR, ArrayType(INT64))


def _side(node: Node) -> Dim:
    if node.op is ops.CAST and node.args[0].type == INT_SCALAR:
        node = node.args[0]
    return dims.from_node(node if node.op is ops.CONST else whole(node))
