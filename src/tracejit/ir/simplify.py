"""The simplifier: rewrites that are exact in IEEE arithmetic, NaN and signed zero included."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node, make
from tracejit.ir.simplify_control import simplified
from tracejit.ir.uses import uses


def simplify(graph: Graph) -> Graph:
    """`graph` with every rule applied once, operands first.

    Needs: nothing. Guarantees: the same values to the bit, and no more nodes than before.
    """
    read = cache(lambda: uses(graph.roots()))

    def rule(node: Node, before: Node) -> Node:
        if node.op.regions:
            return simplified(node, read().get(before, set()), _simplify)
        return _simplify(node)

    return rebuild(graph, rule)


def _simplify(node: Node) -> Node:
    rule = _RULES.get(node.op.name)
    simpler = rule(node) if rule else None
    return node if simpler is None else simpler


def _scalar(node: Node) -> complex | float | int | None:
    """The number that a constant, or a constant filling an array, holds."""
    if node.op is ops.VIEW and not node.args[0].ndim:
        node = node.args[0]
    return build.constant_value(node).item() if node.op is ops.CONST else None


def _same(node: Node, operand: Node) -> Node:
    """`operand` where it has the node's shape, else broadcast to it."""
    return operand if operand.shape == node.shape else build.broadcast_to(operand, node.shape)


def _multiply(node: Node) -> Node | None:
    a, b = node.args
    if node.dtype.kind != "c":
        if _scalar(b) == 1:  # x * 1 -> x
            return _same(node, a)
        if _scalar(a) == 1:  # 1 * x -> x
            return _same(node, b)
    return None


def _divide(node: Node) -> Node | None:
    a, b = node.args
    if node.dtype.kind != "f":
        return None
    value = _scalar(b)
    if value == 1:  # x / 1 -> x
        return _same(node, a)
    if isinstance(value, float) and value and np.isfinite(value):
        mantissa, _ = np.frexp(value)
        with np.errstate(all="ignore"):
            inverse = node.dtype.type(1) / node.dtype.type(value)
        if (
            abs(mantissa) == 0.5
            and np.isfinite(inverse)
            and abs(inverse) >= np.finfo(node.dtype).tiny
        ):
            # x / 2**k -> x * 2**-k
            factor = build.constant(inverse, node.dtype)
            return make(ops.ELEMENTWISE["multiply"], (a, factor), None, node.type, node.origin)
    return None


def _subtract(node: Node) -> Node | None:
    a, b = node.args
    value = _scalar(b)
    if value == 0 and not np.signbit(np.real(value)) and node.dtype.kind != "c":  # x - 0 -> x
        return _same(node, a)
    return None


def _add(node: Node) -> Node | None:
    if node.dtype.kind in "iu":
        a, b = node.args
        if _scalar(b) == 0:  # n + 0 -> n
            return _same(node, a)
        if _scalar(a) == 0:  # 0 + n -> n
            return _same(node, b)
    return None


def _logaddexp(node: Node) -> Node | None:
    a, b = node.args
    if a is b and node.dtype.char in "fd":  # log(2 exp(x)) -> x + log(2), as NumPy's function says
        two = build.constant(np.log(2.0) if node.op.name == "logaddexp" else 1.0, node.dtype)
        return make(ops.ELEMENTWISE["add"], (a, two), None, node.type, node.origin)
    return None


def _negative(node: Node) -> Node | None:
    (a,) = node.args
    if a.op is node.op:  # -(-x) -> x
        return a.args[0]
    return None


def _cast(node: Node) -> Node | None:
    (a,) = node.args
    if a.dtype == node.dtype and a.type.weak == node.type.weak:
        return a
    if a.op is ops.CAST and not node.type.weak and _widens(a.args[0], a):
        # (narrow -> wide) -> any  is  narrow -> any
        inner = a.args[0]
        if inner.dtype == node.dtype and not inner.type.weak:
            return inner
        if inner.dtype.kind == a.dtype.kind == node.dtype.kind != "f":
            return make(ops.CAST, (inner,), None, node.type, node.origin)
    return None


def _widens(narrow: Node, wide: Node) -> bool:
    """Whether every value of the narrow dtype survives the wide one."""
    return np.can_cast(narrow.dtype, wide.dtype, "safe") and not (
        narrow.dtype.kind in "iu" and narrow.dtype.itemsize == 8 and wide.dtype.kind in "fc"
    )


def _where(node: Node) -> Node | None:
    condition, a, b = node.args
    value = _scalar(condition)
    if value is not None:  # where(True, a, b) -> a
        return _same(node, a if value else b)
    if a is b:
        return _same(node, a)
    if condition.op.name == "isnan" and condition.args[0] is b and node.dtype.kind == "f":
        # where(isnan(x), -inf, x) -> fmax(x, -inf): an extreme of that is vectorised
        bound = _scalar(a)
        if bound is not None and np.isinf(bound) and b.shape == node.shape:
            row = ops.ELEMENTWISE["fmax" if np.real(bound) < 0 else "fmin"]
            return make(row, (b, a), None, node.type, node.origin)
    return None


def _logical_not(node: Node) -> Node | None:
    (a,) = node.args
    if a.op is node.op and a.args[0].dtype == node.dtype:  # not not b -> b
        return a.args[0]
    return None


def _view(node: Node) -> Node | None:
    """A view of a view is one view; one of everything in place is none.

    What lies in one part of a concatenation is a view of that part.
    """
    [joined], (shape, index) = node.args, node.attr
    if joined.op is ops.CONCATENATE:
        axis = joined.attr[0]
        start, _, along = index[axis]
        for part in joined.args if along is None else ():
            inside = dims.sub(start, part.shape[axis])
            if not isinstance(start, int) or not isinstance(inside, int):
                break
            if inside < 0:
                inner = (*index[:axis], (start, 0, None), *index[axis + 1 :])
                return build.view(part, shape, inner)
            start = inside
    return build.view(joined, shape, index)


def _reshape(node: Node) -> Node | None:
    """A reshape whose lengths have turned out to be the operand's, but for ones, is a view."""
    return build.reshape(node.args[0], node.shape)


def _identity(node: Node) -> Node | None:
    return node.args[0]


def _item(node: Node) -> Node | None:
    """One of several values that are known by themselves."""
    [several] = node.args
    return several.args[node.attr] if several.op is ops.TUPLE else None


def _poly(node: Node) -> Node | None:
    dim = dims.from_poly(dims.poly(node))
    return dims.as_node(dim)


_RULES: dict[str, Callable[[Node], Node | None]] = {
    "multiply": _multiply,
    "divide": _divide,
    "subtract": _subtract,
    "add": _add,
    "logaddexp": _logaddexp,
    "logaddexp2": _logaddexp,
    "negative": _negative,
    "cast": _cast,
    "where": _where,
    "logical_not": _logical_not,
    "view": _view,
    "reshape": _reshape,
    "positive": _identity,
    **dict.fromkeys(ops.MARKS, _identity),
    "custom": _identity,
    "item": _item,
    "poly": _poly,
}
