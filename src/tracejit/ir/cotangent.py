"""Cotangents that know where they are zero.

What `where`, a maximum or a minimum does not choose has the cotangent zero, and so has all that it
is computed from, however steep that is there: ``where(x > 0, sqrt(x), 0)`` has the slope 0 at 0,
and not ``0 * inf``. A cotangent therefore carries a mask through the rules, and zeros are put in
where values are added up: one choice at the end of a chain of rules, in the place of one at its
beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracejit.ir import build, ops
from tracejit.ir.node import Node

#: Ops whose rule gives zero for zero, whatever the operands are.
_LINEAR = frozenset("add subtract negative positive conjugate cast real imag".split()) | {
    row.name for row in ops.ORDERED.values()
}


@dataclass(frozen=True, slots=True)
class Cotangent:
    """A `value` that counts where `mask` holds (None: everywhere), and is zero elsewhere.

    The mask is a boolean node of the value's shape, or a scalar. A `clean` value is zero there
    itself; another may be anything.
    """

    value: Node
    mask: Node | None = None
    clean: bool = True

    def settled(self) -> Node:
        """The value with its zeros."""
        if self.mask is None or self.clean:
            return self.value
        return build.where(self.mask, self.value, build.constant(0, self.value.dtype))

    def summed(self, axes: tuple[int, ...]) -> Cotangent:
        """The sum over `axes`."""
        mask = self.mask
        if mask is not None and mask.ndim:
            mask = build.reduce("any", mask, axes)
        return Cotangent(build.reduce("sum", self.settled(), axes), mask)

    def passed(self, node: Node, g: Node) -> Cotangent:
        """`g`, what the rule of `node` makes of this value."""
        mask, clean = self.mask, self.clean and _is_linear(node)
        choice = _choice(g)
        if choice is not None:
            chosen, g = choice
            mask = chosen if mask is None else build.elementwise("logical_and", mask, chosen)
            clean = False
        return Cotangent(g, mask, clean or mask is None)


def _is_linear(node: Node) -> bool:
    if node.op.name in ("multiply", "divide"):
        return any(_is_constant(a) for a in node.args[-2 if node.op.name == "multiply" else -1 :])
    return node.op.name in _LINEAR


def _is_constant(node: Node) -> bool:
    while node.op is ops.VIEW:
        node = node.args[0]
    return node.op is ops.CONST


def _is_zero(node: Node) -> bool:
    while node.op is ops.VIEW:
        node = node.args[0]
    return node.op is ops.CONST and not build.constant_value(node)


def _choice(g: Node) -> tuple[Node, Node] | None:
    """Of ``where(mask, value, 0)``, or with its operands turned, mask and value."""
    if g.op is not ops.WHERE:
        return None
    condition, a, b = g.args
    if _is_zero(b):
        value = a
    elif _is_zero(a):
        condition, value = build.elementwise("logical_not", condition), b
    else:
        return None
    return condition, build.broadcast_to(value, g.shape)


def total(terms: Sequence[Cotangent]) -> Cotangent:
    """The sum of the cotangents that arrive at a node."""
    if len(terms) == 1:
        return terms[0]
    value = terms[0].settled()
    for term in terms[1:]:
        value = added(value, term.settled())
    return Cotangent(value, _either([t.mask for t in terms]))


def added(a: Node, b: Node) -> Node:
    """The sum of two arrays; what one scatters into zeros is scattered into the other."""
    for x, y in ((a, b), (b, a)):
        if y.op is ops.SCATTER and y.attr[0] == "add" and _is_zero(y.args[0]):
            return build.scatter(x, y.args[1], y.args[2:], y.attr[1], "add")
    return build.elementwise("add", a, b)


def _either(masks: Sequence[Node | None]) -> Node | None:
    """Where one of `masks` holds; None where that is known to be everywhere."""
    left: list[Node] = []
    for mask in masks:
        if mask is None:
            return None
        while (other := next((m for m in left if _joined(m, mask)), None)) is not None:
            left.remove(other)
            [mask] = _joined(other, mask)  # type: ignore[misc]
            if mask is None:
                return None
        left.append(mask)
    result = left[0]
    for mask in left[1:]:
        result = build.elementwise("logical_or", result, mask)
    return result


def _joined(a: Node, b: Node) -> list[Node | None] | None:
    """What "a or b" is where that is simple: one of them, a factor of both, or [None] for true."""
    if a is b:
        return [a]
    if _opposite(a, b):
        return [None]
    if a.op.name == b.op.name == "logical_and":
        if a.args[0] is b.args[0] and _opposite(a.args[1], b.args[1]):
            return [a.args[0]]
        if a.args[1] is b.args[1] and _opposite(a.args[0], b.args[0]):
            return [a.args[1]]
    return None


def _opposite(a: Node, b: Node) -> bool:
    return any(x.op.name == "logical_not" and x.args[0] is y for x, y in ((a, b), (b, a)))
