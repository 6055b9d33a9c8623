"""Cancelling what undoes itself: ``x * y / y``, ``exp(log(x))`` and ``x + y - y`` are ``x``.

Mathematically that changes nothing, but at special values (where ``y`` is 0) and in rounding it
does: these are Theano's canonical forms, for symbolic graphs alone. What a function refuses stays
nan: ``exp(log(x))`` of a negative number. Each rule's docstring is its law.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.ir.stabilise import Rewriter, Rules, call, negated, number, rewritten


def cancelled(outputs: Sequence[Node], opaque: Iterable[Node] = ()) -> list[Node]:
    """`outputs` with every rule applied, operands first; no rule looks into an `opaque` node."""
    return rewritten(outputs, _Cancel(set(opaque), _RULES))


#: How many terms or factors are looked at.
_MOST = 24
#: What a factor is raised to, where it is a root or a power of its operand.
_POWERS = {"square": 2.0, "sqrt": 0.5, "reciprocal": -1.0}

Test = Callable[[Node], Node]


def _above(low: float) -> Test:
    return lambda u: call("greater_equal", u, build.constant(low, u.dtype))


def _within_one(u: Node) -> Node:
    return call("less_equal", call("absolute", u), build.constant(1, u.dtype))


#: Outer function, inner function: where the operand must lie, if not anywhere.
_INVERSES: dict[tuple[str, str], Test | None] = {
    ("exp", "log"): _above(0),
    ("log", "exp"): None,
    ("exp2", "log2"): _above(0),
    ("log2", "exp2"): None,
    ("expm1", "log1p"): _above(-1),
    ("log1p", "expm1"): None,
    ("square", "sqrt"): _above(0),
    ("sinh", "arcsinh"): None,
    ("arcsinh", "sinh"): None,
    ("cosh", "arccosh"): _above(1),
    ("tanh", "arctanh"): _within_one,
    ("arctanh", "tanh"): None,
    ("deg2rad", "rad2deg"): None,
    ("rad2deg", "deg2rad"): None,
    ("radians", "degrees"): None,
    ("degrees", "radians"): None,
    ("reciprocal", "reciprocal"): None,
    ("negative", "negative"): None,
}
#: Pairs that leave the size of the operand.
_SIZES = {("sqrt", "square"), ("arccosh", "cosh")}


class _Cancel(Rewriter):
    """The rules."""

    def _inverse(self, node: Node) -> Node | None:
        """``f(g(u))`` is ``u`` where `f` undoes `g`, and nan where `g` has no value."""
        inner = node.args[0]
        if inner in self.opaque or not inner.args or inner.args[0].several is not None:
            return None
        if inner.args[0].dtype != node.dtype:
            return None
        u, pair = inner.args[0], (node.op.name, inner.op.name)
        if pair in _SIZES:
            return call("absolute", u)
        if pair == ("exp", "log1p"):
            return _where_defined(call("add", u, build.constant(1, u.dtype)), _above(0))
        if pair not in _INVERSES:
            return None
        test = _INVERSES[pair]
        return u if test is None else _where_defined(u, test)

    # Products ----------------------------------------------------------------------------------

    def _product(self, node: Node) -> Node | None:
        """A factor and its reciprocal, or powers of one factor of opposite signs, are one power;

        a product with 0 is 0.
        """
        if any(
            number(a) == 0 for a in (node.args if node.op.name == "multiply" else node.args[:1])
        ):
            return _filled(node, 0)
        if node.op.name == "multiply" and node.args[0] is node.args[1]:
            root = self._under(node.args[0], "sqrt")
            return None if root is None else _where_defined(root, _above(0))
        factors = self._factors(node)
        powers: dict[Node, list[float]] = {}
        for base, power in factors:
            powers.setdefault(base, []).append(power)
        opposite = [b for b, p in powers.items() if min(p) < 0 < max(p)]
        if not opposite:
            return None
        merged = dict.fromkeys(opposite, 0.0)
        for base in opposite:
            merged[base] = sum(powers[base])
        left = [(b, p) for b, p in factors if b not in merged]
        left += [(b, p) for b, p in merged.items() if p]
        above = [_power(b, p) for b, p in left if p > 0]
        below = [_power(b, -p) for b, p in left if p < 0]
        result = _joined("multiply", above) if above else build.constant(1, node.dtype)
        if below:
            result = call("divide", result, _joined("multiply", below))
        return _shaped(result, node)

    def _factors(self, node: Node) -> list[tuple[Node, float]]:
        """The factors of a product, each with its power."""
        todo = [(node, 1.0)]
        found: list[tuple[Node, float]] = []
        while todo:
            t, p = todo.pop()
            t = _plain(t)
            name = t.op.name
            more = t not in self.opaque and t.dtype == node.dtype and t.args
            if not more or len(todo) + len(found) >= _MOST:
                found.append((t, p))
            elif name == "multiply" and p == int(p):
                todo += [(t.args[1], p), (t.args[0], p)]
            elif name == "divide" and p == int(p):
                todo += [(t.args[1], -p), (t.args[0], p)]
            elif name in _POWERS and (p == int(p) or name != "square"):
                todo.append((t.args[0], p * _POWERS[name]))
            elif name == "power" and p == int(p) and number(t.args[1]) not in (None, 0):
                todo.append((t.args[0], p * (number(t.args[1]) or 0.0)))
            else:
                found.append((t, p))
        return found

    # Sums --------------------------------------------------------------------------------------

    def _sum(self, node: Node) -> Node | None:
        """A term and its negative are 0."""
        terms = self._signed(node, _MOST, _plain)
        signed = set(terms)
        if not any((not plus, t) in signed for plus, t in terms):
            return None
        left: list[tuple[bool, Node]] = []
        for plus, t in terms:
            if (not plus, t) in left:
                left.remove((not plus, t))
            else:
                left.append((plus, t))
        if not left:
            return _filled(node, 0)
        left.sort(key=lambda term: not term[0])  # what is added first
        plus, result = left[0]
        result = result if plus else negated(result)
        for plus, t in left[1:]:
            result = call("add" if plus else "subtract", result, t)
        return _shaped(result, node)

    def _powered(self, node: Node) -> Node | None:
        """``u ** 0`` is 1, ``u ** 1`` is `u`, and ``sqrt(u) ** 2`` is `u`."""
        base, exponent = node.args[0], number(node.args[1])
        if exponent == 0:
            return _filled(node, 1)
        if exponent == 1:
            return _shaped(base, node)
        root = self._under(base, "sqrt") if exponent == 2 else None
        return None if root is None else _shaped(_where_defined(root, _above(0)), node)


def _plain(t: Node) -> Node:
    """`t` without a view that only gives its lengths the names of others that are equal."""
    known = build.solver().canonical
    while t.op is ops.VIEW and t.attr[1] == tuple((0, 1, k) for k in range(t.ndim)):
        inner = t.args[0]
        if list(map(known, inner.shape)) != list(map(known, t.shape)):
            break
        t = inner
    return t


def _where_defined(u: Node, test: Test) -> Node:
    """`u` with the derivative 1, but nan where `test` fails."""
    zero, nan = (build.constant(v, u.dtype) for v in (0.0, np.nan))
    return call("add", u, build.where(test(u), zero, nan))


def _filled(node: Node, value: float) -> Node:
    return _shaped(build.constant(value, node.dtype), node)


def _shaped(x: Node, node: Node) -> Node:
    """`x` in the shape and dtype of `node`."""
    x = build.cast(x, node.dtype)
    return x if x.shape == node.shape else build.broadcast_to(x, node.shape)


def _joined(name: str, parts: Sequence[Node]) -> Node:
    result = parts[0]
    for part in parts[1:]:
        result = call(name, result, part)
    return result


def _power(base: Node, power: float) -> Node:
    if power == 1:
        return base
    if power in (2.0, 0.5):
        return call("square" if power == 2 else "sqrt", base)
    return call("power", base, build.constant(power, base.dtype))


_RULES: Rules = {
    **dict.fromkeys({outer for outer, _ in (*_INVERSES, *_SIZES)}, (_Cancel._inverse,)),
    "negative": (_Cancel._inverse, _Cancel._sum),
    "reciprocal": (_Cancel._inverse, _Cancel._product),
    **dict.fromkeys(("multiply", "divide"), (_Cancel._product,)),
    **dict.fromkeys(("add", "subtract"), (_Cancel._sum,)),
    "power": (_Cancel._powered,),
}
