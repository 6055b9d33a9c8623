"""Formulas with a kink, whose function has none: they are differentiated as the function.

``maximum(x, 0) + log1p(exp(-abs(x)))`` is smooth at 0, though ``maximum`` and ``abs`` are not: any
choice of a slope for each alone would be wrong for another formula. Values are computed as they are
written; the rules apply to what is differentiated. Each rule's docstring is its law.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.graph import with_operands
from tracejit.ir.node import Node
from tracejit.ir.stabilise import STABLE, Rewriter, Rules, call, negated, number, rewritten


def differentiable(outputs: Sequence[Node], opaque: Iterable[Node] = ()) -> list[Node]:
    """`outputs` in stable and in smooth forms; no rule looks into an `opaque` node."""
    return rewritten(outputs, _Smooth(set(opaque), _RULES))


#: How many terms of a sum are looked at.
_TERMS = 12
#: How many functions of an absolute value are looked through.
_DEPTH = 8

Term = tuple[bool, Node]


class _Smooth(Rewriter):
    """The rules for kinks, beside the stable forms."""

    def _even(self, node: Node) -> Node | None:
        """``square(abs(u))`` is ``square(u)``; so for ``cos``, ``cosh``, even powers."""
        u = self._under(node.args[0], "absolute")
        if u is None or u.shape != node.shape or u.dtype.kind != "f":
            return None
        if node.op.name == "power":
            exponent = number(node.args[1])
            if exponent is None or exponent % 2:
                return None
            return call("power", u, node.args[1])
        return call(node.op.name, u)

    def _of_sizes(self, node: Node) -> Node | None:
        """``abs(u) * abs(u)`` is ``square(u)``; ``sign(u) * f(abs(u))`` is by the side of `u`."""
        a, b = node.args
        if a is b:
            u = self._under(a, "absolute")
            return call("square", u) if u is not None and u.dtype.kind == "f" else None
        for sign, other in ((a, b), (b, a)):
            u = self._under(sign, "sign")
            if u is not None and u.shape == node.shape:
                return self._turned(other, u)
        return None

    def _copysign(self, node: Node) -> Node | None:
        """``copysign(f(abs(u)), u)`` is by the side of `u`."""
        value, u = node.args
        return self._turned(value, u) if u.shape == node.shape else None

    def _turned(self, value: Node, u: Node) -> Node | None:
        """``sign(u) * value`` where `value` is ``f(abs(u))``: odd, and so without a kink at 0."""
        chain: list[Node] = []
        inner = value
        while inner.op.name != "absolute" or inner.args[0] is not u:
            varying = [a for a in inner.args if number(a) is None]
            known = isinstance(inner.op, ops.Elementwise) and inner not in self.opaque
            if not known or len(varying) != 1 or len(chain) == _DEPTH or inner.shape != u.shape:
                return None
            chain.append(inner)
            inner = varying[0]
        below = call("less", u, build.constant(0, u.dtype))
        new = {inner: build.where(below, negated(u), u)}
        for outer in reversed(chain):
            new[outer] = with_operands(outer, new)
        return build.where(below, negated(new[value]), new[value])

    def _sinc(self, node: Node) -> Node | None:
        """``sin(u) / u``, which is 1 at 0, is ``0F1(3/2; -u**2 / 4)`` near there."""
        v = self._under(node.args[0], "sin")
        if v is None or v is not node.args[1] or v.dtype.itemsize < 4:
            return None
        if v.op is ops.WHERE and number(v.args[2]) is not None and _is_not_zero(*v.args[:2]):
            v = v.args[1]  # NumPy's sinc: a small number is in the place of 0
        half, quarter, order = (build.constant(c, v.dtype) for c in (0.5, -0.25, 1.5))
        near = call("less", call("absolute", v), half)
        series = call("hyp0f1", order, call("multiply", call("square", v), quarter))
        away = build.where(near, half, v)
        return build.where(near, series, call("divide", call("sin", away), away))

    # Sums --------------------------------------------------------------------------------------

    def _total(self, node: Node) -> Node | None:
        """``maximum(p, q) + log1p(exp(-abs(p - q)))`` is ``logaddexp(p, q)``, also with other

        terms between; ``maximum(p, q) + minimum(p, q)`` is ``p + q``.
        """
        terms = self._signed(node, _TERMS)
        extremes = [self._extreme(t) for t in terms]
        for k, first in enumerate(extremes):
            if first is None:
                continue
            for j, (sign, term) in enumerate(terms):
                other = extremes[j]
                if j > k and other is not None and _turned_over(first, other):
                    plus = first[0]
                    both = [(plus, build.cast(t, node.dtype)) for t in first[2:]]
                    return _sum([*_without(terms, k, j), *both])
                gap = self._soft(term)
                if gap is not None and (sign == first[0]) == (first[1] == "maximum"):
                    found = _smoothed(first, gap, node.dtype)
                    if found is not None:
                        return _sum([*_without(terms, k, j), (sign, found)])
        return None

    def _extreme(self, term: Term) -> tuple[bool, str, Node, Node] | None:
        """A term as a maximum or minimum of two: (added, which, p, q)."""
        plus, t = term[0], _uncast(term[1])
        if t in self.opaque:
            return None
        if t.op.name == "absolute" and t.dtype.kind == "f":
            return plus, "maximum", t.args[0], negated(t.args[0])
        if t.op.name in ("maximum", "minimum"):
            p, q = t.args
            for a, b in ((p, q), (q, p)):  # max(-u, 0) is -min(u, 0)
                if a.op.name == "negative" and number(b) == 0 and a not in self.opaque:
                    which = "minimum" if t.op.name == "maximum" else "maximum"
                    return not plus, which, a.args[0], b
            return plus, t.op.name, p, q
        u = self._rectified(t)
        return None if u is None else (plus, "maximum", u, build.constant(0, u.dtype))

    def _rectified(self, t: Node) -> Node | None:
        """`u` where `t` is ``where(u > 0, u, 0)`` or ``0.5 * (u + abs(u))``."""
        if t.op is ops.WHERE:
            test, a, b = t.args
            above = test.op.name in ("greater", "greater_equal") and test.args[0] is a
            below = test.op.name in ("less", "less_equal") and test.args[0] is b
            if above and number(test.args[1]) == 0 and number(b) == 0:
                return a
            if below and number(test.args[1]) == 0 and number(a) == 0:
                return b
        if t.op.name == "multiply":
            for half, s in (t.args, t.args[::-1]):
                if number(half) == 0.5 and s.op.name == "add" and s not in self.opaque:
                    for u, size in (s.args, s.args[::-1]):
                        if size.op.name == "absolute" and size.args[0] is u:
                            return u
        return None

    def _soft(self, t: Node) -> tuple[Node, float] | None:
        """``(u, c)`` where `t` is ``log1p(exp(-c * abs(u)))``, in its stable form."""
        t = _uncast(t)
        if t in self.opaque or t.op.name != "logaddexp" or number(t.args[0]) != 0:
            return None
        factor, size = -1.0, t.args[1]
        if size.op.name == "negative":
            size = size.args[0]
        else:
            factor = 1.0
        if size.op.name == "multiply":
            for c, other in (size.args, size.args[::-1]):
                if number(c) is not None:
                    factor, size = factor * (number(c) or 0.0), other
                    break
        u = self._under(size, "absolute")
        return None if u is None or factor >= 0 else (u, -factor)


def _is_not_zero(test: Node, u: Node) -> bool:
    if test.op is ops.CAST:
        return test.args[0] is u
    return test.op.name == "not_equal" and test.args[0] is u and number(test.args[1]) == 0


def _uncast(t: Node) -> Node:
    """`t` before casts between floats."""
    while t.op is ops.CAST and t.args[0].dtype.kind == "f":
        t = t.args[0]
    return t


def _without(terms: list[Term], *places: int) -> list[Term]:
    return [t for k, t in enumerate(terms) if k not in places]


def _sum(terms: list[Term]) -> Node:
    terms = sorted(terms, key=lambda t: not t[0])  # what is added first
    plus, result = terms[0]
    result = result if plus else negated(result)
    for plus, term in terms[1:]:
        result = call("add" if plus else "subtract", result, term)
    return result


def _turned_over(a: tuple[bool, str, Node, Node], b: tuple[bool, str, Node, Node]) -> bool:
    """Whether one is the maximum and the other the minimum of the same two, with one sign."""
    same = {a[2], a[3]} == {b[2], b[3]} or (a[2] is b[2] and number(a[3]) == 0 == number(b[3]))
    return a[0] == b[0] and a[1] != b[1] and same


def _smoothed(
    extreme: tuple[bool, str, Node, Node], gap: tuple[Node, float], dtype: np.dtype[Any]
) -> Node | None:
    """``logaddexp(p, q)``, or of their negatives, where ``abs(p - q)`` is the gap."""
    _, which, p, q = extreme
    if not _is_gap(p, q, *gap):
        return None
    p, q = build.cast(p, dtype), build.cast(q, dtype)
    return call("logaddexp", *((p, q) if which == "maximum" else (negated(p), negated(q))))


def _is_gap(p: Node, q: Node, u: Node, c: float) -> bool:
    """Whether ``abs(p - q)`` is ``c * abs(u)``."""
    same = {u, negated(u)}
    if number(q) == 0 or number(p) == 0:
        return c == 1 and (p if number(q) == 0 else q) in same
    if negated(p) is q or negated(q) is p:
        return c == 2 and p in same
    u = u.args[0] if u.op.name == "negative" else u
    return c == 1 and u.op.name == "subtract" and set(u.args) == {p, q}


_RULES: Rules = dict(STABLE)
for _name, _rules in {
    **dict.fromkeys(("square", "cos", "cosh", "power"), (_Smooth._even,)),
    "multiply": (_Smooth._of_sizes,),
    "copysign": (_Smooth._copysign,),
    "divide": (_Smooth._sinc,),
    **dict.fromkeys(("add", "subtract"), (_Smooth._total,)),
}.items():
    _RULES[_name] = (*STABLE.get(_name, ()), *_rules)  # type: ignore[index]
