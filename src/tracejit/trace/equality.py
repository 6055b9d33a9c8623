"""Lengths that are equal: one stands for the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, postorder
from tracejit.ir.rewrite import replaced, with_operands
from tracejit.ir.types import BOOL


def tests_of_ones(
    inputs: Iterable[Node], token: int, substitutions: Mapping[Node, Dim]
) -> Iterator[Node]:
    """That axes of length 1 have it, and no others have."""
    for node in inputs:
        for axis, d in enumerate(node.shape):
            length = dims.dim(node.attr[0], axis, token)
            target = substitutions.get(length, 1)
            stands = target != 1 and (isinstance(target, int) or target.op is ops.DIM)
            if isinstance(d, int) or not stands:  # else it is no more 1 than what stands for it
                name = "equal" if isinstance(d, int) else "not_equal"
                operands = (length, dims.as_node(1))
                yield build.apply(ops.ELEMENTWISE[name], operands, BOOL)


def pairs_between(
    a: Dim, b: Dim, value: Callable[[Dim], int | None]
) -> list[tuple[Node, Node]] | None:
    """Lengths of axes by which `a` and `b` would be one, if these were equal, as they are here."""
    if isinstance(a, int) or isinstance(b, int):
        return None
    first, second = ([n for n in postorder([d]) if n.op is ops.DIM] for d in (a, b))
    table = {
        y: x
        for y in second
        if y not in first
        for x in first
        if x not in second and value(x) == value(y)
    }
    [other] = replaced([b], table)
    return [(x, y) for y, x in table.items()] if table and other is a else None


class EqualLengths:
    """What stands for what: `substitutions`, which this fills; `order` is that of the inputs."""

    def __init__(self, substitutions: dict[Node, Dim], order: Mapping[str, int]) -> None:
        self.substitutions = substitutions
        self.order = order

    def canonical(self, a: Dim) -> Dim:
        """`a` with every length replaced by the one that stands for it."""
        if isinstance(a, int) or not self.substitutions:
            return a
        new: dict[Node, Node] = {}
        for node in postorder([a]):
            target = self.substitutions.get(node)
            new[node] = with_operands(node, new) if target is None else dims.as_node(target)
        return dims.from_node(new[a])

    def unify(self, a: Dim, b: Dim) -> None:
        """From here on one of `a` and `b` (canonical, equal for these arguments) is the other."""
        terms = dims.poly(dims.sub(a, b))
        shared = math.gcd(*terms.values())
        terms = {monomial: c // shared for monomial, c in terms.items()}
        best: Node | None = None
        for monomial, factor in terms.items():
            if len(monomial) == 1 and abs(factor) == 1:
                (atom,) = monomial
                others = [x for m in terms if m != monomial for x in m]
                if atom.op is not ops.INPUT and atom not in postorder(others):
                    best = atom if best is None else max(best, atom, key=self._rank)
        if best is not None:
            factor = terms.pop((best,))
            self._substitute(best, dims.mul(-factor, dims.from_poly(terms)))
            return
        for whole, other in ((b, a), (a, b)):
            if isinstance(whole, Node) and whole.op is not ops.INPUT:
                reached = postorder([other]) if isinstance(other, Node) else []
                if whole not in reached:
                    self._substitute(whole, other)
                    return

    def _rank(self, atom: Node) -> tuple[int, int, int]:
        """What is derived gives way first, then the lengths of later inputs."""
        if atom.op is ops.DIM:
            return (0, self.order[atom.attr[0]], atom.attr[1])
        return (1, atom.serial, 0)

    def _substitute(self, key: Node, target: Dim) -> None:
        self.substitutions[key] = target
        for old, other in list(self.substitutions.items()):
            if old is not key:
                self.substitutions[old] = self.canonical(other)


class LateLength(NotTraceable):
    """A length that an array's content tells is compared with another."""

    def __init__(self) -> None:
        super().__init__(
            "the length of an array depends on data, and must equal another length",
            "use np.where(mask, a, b) in place of a[mask], or index both sides by one mask",
        )
