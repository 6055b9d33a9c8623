"""Stabilising rewrites: formulas that overflow or cancel become functions that do not.

Mathematically they change nothing; in floating point they give the right value where the formula
as written gives nan, an infinity, or few correct digits. They apply to symbolic graphs and to what
is differentiated, never to a traced function's own results. Each rule's docstring is its law.

Patterns are found through views, reshapes and constants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tracejit.ir import build, ops
from tracejit.ir.graph import with_operands
from tracejit.ir.marks import marked
from tracejit.ir.node import Node, postorder

Rule = Callable[[Any, Node], Node | None]
Rules = Mapping[str, tuple[Rule, ...]]


def stabilised(outputs: Sequence[Node], opaque: Iterable[Node] = ()) -> list[Node]:
    """`outputs` with every rule applied, operands first; no rule looks into an `opaque` node."""
    return rewritten(outputs, Rewriter(set(opaque), STABLE))


def rewritten(outputs: Sequence[Node], rewriter: Rewriter) -> list[Node]:
    """`outputs` with the rules of `rewriter` applied, operands first."""
    new: dict[Node, Node] = {node: node for node in rewriter.opaque}
    for node in postorder(outputs):
        if node not in new:
            new[node] = rewriter.rewritten(with_operands(node, new))
    return [new[node] for node in outputs]


def number(node: Node) -> float | None:
    """The number that a constant, or an array filled with one, holds."""
    if node.op is ops.VIEW and not node.args[0].ndim:
        node = node.args[0]
    if node.op is not ops.CONST or node.dtype.kind not in "biuf":
        return None
    return float(build.constant_value(node))


def call(name: str, *operands: Node) -> Node:
    if name in ("expit", "erf", "erfc", "log_ndtr", "hyp0f1"):
        import scipy.special

        row = ops.row_of(getattr(scipy.special, name))
        assert row is not None
        name = row.name
    return build.elementwise(name, *operands)


def negated(x: Node) -> Node:
    """``-x``, without two signs in a row."""
    return x.args[0] if x.op.name == "negative" else call("negative", x)


def softplus(x: Node) -> Node:
    return call("logaddexp", build.constant(0, x.dtype), x)


def _is_maximum(node: Node) -> bool:
    """Whether `node` is a maximum over axes, spread again."""
    while node.op in (ops.VIEW, ops.RESHAPE):
        node = node.args[0]
    return node.op.name == "max" or (node.op is ops.WHERE and node.args[1].op.name == "max")


class Rewriter:
    """The stable forms; `rules` look into all nodes but the `opaque` ones."""

    def __init__(self, opaque: set[Node], rules: Rules) -> None:
        self.opaque = opaque
        self.rules = rules

    def rewritten(self, node: Node) -> Node:
        """`node` by its rules, one after the other until none applies."""
        for _ in range(8):  # the longest chain of rules is four
            if node.several is not None or node.dtype.kind != "f" or node in self.opaque:
                return node
            for rule in self.rules.get(node.op.name, ()):
                found = rule(self, node)
                if found is not None:
                    node = found
                    break
            else:
                return node
        return node

    # Looking at operands ---------------------------------------------------------------------

    def _under(self, node: Node, name: str) -> Node | None:
        """The operand `u` where `node` is ``name(u)``, seen through a view or reshape of it."""
        if node in self.opaque:
            return None
        if node.op.name == name:
            return node.args[0]
        if node.op in (ops.VIEW, ops.RESHAPE) and node.ndim:
            inner = self._under(node.args[0], name)
            if inner is None:
                return None
            if node.op is ops.RESHAPE:
                return build.reshape(inner, node.shape)
            return build.view(inner, *node.attr) if inner.ndim or not node.args[0].ndim else inner
        return None

    def _terms(self, node: Node, name: str) -> tuple[Node, Node] | None:
        """The operands of a node of that name, each in the node's own shape."""
        if node in self.opaque or node.op.name != name:
            return None
        a, b = node.args
        return a, b

    def _signed(
        self, node: Node, most: int, plain: Callable[[Node], Node] = lambda t: t
    ) -> list[tuple[bool, Node]]:
        """The terms of a sum, `most` of them, each with its sign (True: added) and made `plain`."""
        todo: list[tuple[bool, Node]] = [(True, node)]
        found: list[tuple[bool, Node]] = []
        while todo:
            plus, t = todo.pop()
            t = plain(t)
            name = t.op.name
            more = t not in self.opaque and len(todo) + len(found) < most
            if more and name in ("add", "subtract"):
                todo += [(plus == (name == "add"), t.args[1]), (plus, t.args[0])]
            elif more and name == "negative":
                todo.append((not plus, t.args[0]))
            else:
                found.append((plus, t))
        return found

    def _one_and(self, node: Node) -> Node | None:
        """`u` where `node` is ``1 + u`` or ``u + 1``."""
        found = self._terms(node, "add")
        if found is None:
            return None
        for one, other in (found, found[::-1]):
            if number(one) == 1 and other.shape == node.shape:
                return other
        return None

    def _one_minus(self, node: Node) -> Node | None:
        """`u` where `node` is ``1 - u``."""
        found = self._terms(node, "subtract")
        if found and number(found[0]) == 1 and found[1].shape == node.shape:
            return found[1]
        return None

    # Rules -----------------------------------------------------------------------------------

    def _logistic(self, node: Node) -> Node | None:
        """``c / (1 + exp(u))`` is ``c * expit(-u)``; ``exp(u) / (1 + exp(u))`` is ``expit(u)``."""
        a, b = node.args
        u = self._one_and(b)
        u = self._under(u, "exp") if u is not None else None
        if u is None or u.shape != node.shape:
            return None
        above = self._under(a, "exp")
        if above is u:
            return call("expit", u)
        sigmoid = call("expit", negated(u))
        return sigmoid if number(a) == 1 else call("multiply", a, sigmoid)

    def _reciprocal(self, node: Node) -> Node | None:
        """``reciprocal(1 + exp(u))`` is ``expit(-u)``."""
        u = self._one_and(node.args[0])
        u = self._under(u, "exp") if u is not None else None
        return None if u is None else call("expit", negated(u))

    def _product(self, node: Node) -> Node | None:
        """``exp(u) * expit(-u)`` is ``expit(u)``."""
        for a, b in (node.args, node.args[::-1]):
            u, v = self._under(a, "exp"), self._under(b, "expit")
            if u is not None and v is not None and (negated(v) is u or negated(u) is v):
                return call("expit", u)
        return None

    def _difference(self, node: Node) -> Node | None:
        """``1 - expit(u)`` is ``expit(-u)``, ``1 - erf(u)`` is ``erfc(u)``, and the reverse;
        ``exp(u) - 1`` is ``expm1(u)``."""
        u = self._one_minus(node)
        if u is not None:
            for name, other in (("expit", "expit"), ("erf", "erfc"), ("erfc", "erf")):
                inner = self._under(u, name)
                if inner is not None:
                    return call(other, negated(inner) if name == "expit" else inner)
            return None
        a, b = node.args
        inner = self._under(a, "exp")
        if inner is not None and number(b) == 1 and inner.shape == node.shape:
            return call("expm1", inner)
        return None

    def _sum(self, node: Node) -> Node | None:
        """``exp(u) + -1`` is ``expm1(u)``, ``erf(u) + 1`` is ``erfc(-u)``."""
        for a, b in (node.args, node.args[::-1]):
            inner = self._under(a, "erf") if number(b) == 1 else None
            if inner is not None and inner.shape == node.shape:
                return call("erfc", negated(inner))
            inner = self._under(a, "exp")
            if inner is not None and number(b) == -1 and inner.shape == node.shape:
                return call("expm1", inner)
        return None

    def _log_of_function(self, node: Node) -> Node | None:
        """``log(expit(u))`` is ``-log(1 + exp(-u))``; ``log(erfc(u))`` is
        ``log_ndtr(-u * sqrt(2)) + log(2)``; ``log(exp(u))`` is ``u``."""
        x = node.args[0]
        u = self._under(x, "expit")
        if u is not None:
            return call("negative", softplus(negated(u)))
        u = self._under(x, "erfc")
        if u is not None:
            root, log2 = (build.constant(v, u.dtype) for v in (-(2.0**0.5), 0.6931471805599453))
            return call("add", call("log_ndtr", call("multiply", u, root)), log2)
        return self._under(x, "exp")

    def _log_of_sum(self, node: Node) -> Node | None:
        """``log(1 + u)`` is ``log1p(u)``, ``log(1 - u)`` is ``log1p(-u)``, and
        ``log(exp(a) + exp(b))`` is ``logaddexp(a, b)``."""
        x = node.args[0]
        u = self._one_and(x)
        if u is not None:
            return call("log1p", u)
        u = self._one_minus(x)
        if u is not None:
            return call("log1p", negated(u))
        found = self._terms(x, "add")
        if found is not None:
            a, b = (self._under(t, "exp") for t in found)
            if a is not None and b is not None:
                return call("logaddexp", a, b)
        return None

    def _log_of_total(self, node: Node) -> Node | None:
        """``log(sum(exp(u)))`` is ``m + log(sum(exp(u - m)))`` with the maximum ``m`` of ``u``."""
        total = node.args[0]
        if total in self.opaque or total.op.name != "sum":
            return None
        u = self._under(total.args[0], "exp")
        if u is None or (u.op.name == "subtract" and _is_maximum(u.args[1])):
            return None
        axes = total.attr
        top = build.reduce("max", u, axes)
        finite = build.where(call("isfinite", top), top, build.constant(0, top.dtype))
        # Whatever is subtracted and added again: it has no part in the derivative.
        finite = marked(finite, "stop_gradient")
        kept = tuple(k for k in range(u.ndim) if k not in axes)
        spread = build.view(finite, u.shape, tuple((0, 1, k) for k in kept))
        rest = build.reduce("sum", call("exp", call("subtract", u, spread)), axes)
        return call("add", finite, call("log", rest))

    def _log_of_quotient(self, node: Node) -> Node | None:
        """``log(exp(u) / v)`` is ``u - log(v)``: the logarithm of a softmax."""
        found = self._terms(node.args[0], "divide")
        if found is None:
            return None
        u = self._under(found[0], "exp")
        if u is None or u.shape != node.shape:
            return None
        return call("subtract", u, self._log_inside(found[1]))

    def _log_inside(self, v: Node) -> Node:
        """``log(v)``, taken before a view spreads its operand."""
        if v.op in (ops.VIEW, ops.RESHAPE) and v not in self.opaque:
            inner = self._log_inside(v.args[0])
            if v.op is ops.RESHAPE:
                return build.reshape(inner, v.shape)
            return build.view(inner, *v.attr) if inner.ndim else build.full(v.shape, inner)
        return self.rewritten(call("log", v))

    def _log_of_picked(self, node: Node) -> Node | None:
        """``log(p[i])`` is ``log(p)[i]`` where ``log(p)`` has a better form (a softmax)."""
        x = node.args[0]
        if (
            x in self.opaque
            or x.op not in (ops.GATHER, ops.VIEW, ops.RESHAPE)
            or not x.args[0].ndim
        ):
            return None
        inner = x.args[0]
        plain = call("log", inner)
        better = self.rewritten(plain)
        if better is plain:
            return None
        if x.op is ops.RESHAPE:
            return build.reshape(better, x.shape)
        if x.op is ops.VIEW:
            return build.view(better, *x.attr)
        return build.gather(better, x.attr[0], x.attr[1], *x.args[1:])

    def _log1p(self, node: Node) -> Node | None:
        """``log1p(exp(u))`` is ``logaddexp(0, u)``, and ``log1p(-expit(u))`` is
        ``-logaddexp(0, u)``."""
        x = node.args[0]
        u = self._under(x, "exp")
        if u is not None:
            return softplus(u)
        inner = self._under(x, "negative")
        u = self._under(inner, "expit") if inner is not None else None
        return None if u is None else call("negative", softplus(u))


STABLE: Rules = {
    "divide": (Rewriter._logistic,),
    "reciprocal": (Rewriter._reciprocal,),
    "multiply": (Rewriter._product,),
    "subtract": (Rewriter._difference,),
    "add": (Rewriter._sum,),
    "log": (
        Rewriter._log_of_function,
        Rewriter._log_of_sum,
        Rewriter._log_of_total,
        Rewriter._log_of_quotient,
        Rewriter._log_of_picked,
    ),
    "log1p": (Rewriter._log1p,),
}
