"""Comparisons of lengths: what is compared, and the answers that hold for all arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}
#: What holds where a comparison does not; of numbers that are no NaN.
NEGATED = {
    "equal": "not_equal",
    "not_equal": "equal",
    "less": "greater_equal",
    "less_equal": "greater",
    "greater": "less_equal",
    "greater_equal": "less",
}


def sides(test: Node) -> tuple[Dim, Dim] | None:
    """The two lengths or Python ints that `test` compares, or None."""
    if test.op.name not in _COMPARE:
        return None
    found: list[Dim] = []
    for node in test.args:
        if node.op is ops.CAST and node.dtype == dims.INT_SCALAR.dtype:
            node = node.args[0] if node.args[0].type == dims.INT_SCALAR else node
        if node.op is ops.CONST and node.dtype == dims.INT_SCALAR.dtype:
            found.append(int(build.constant_value(node)))
        elif node.type == dims.INT_SCALAR:
            found.append(node)
        else:
            return None
    return found[0], found[1]


def not_negative(name: str, difference: Dim) -> list[Dim]:
    """What is not negative where a comparison of a difference of whole numbers with 0 holds.

    >>> not_negative("greater", 3), not_negative("not_equal", 3)
    ([2], [])
    """
    other = dims.mul(-1, difference)
    return {
        "less": [dims.sub(other, 1)],
        "less_equal": [other],
        "greater": [dims.sub(difference, 1)],
        "greater_equal": [difference],
        "equal": [difference, other],
        "not_equal": [],
    }[name]


def non_negative(d: Dim) -> bool:
    """Whether `d` cannot be negative, whatever the arguments: a length, or a sum of them."""
    if isinstance(d, int):
        return d >= 0
    if d.op is ops.DIM:
        return True
    if d.op is ops.POLY:
        return all(factor >= 0 for _, factor in d.attr) and all(map(non_negative, d.args))
    if d.op is ops.CAST:
        # A count of elements, or a truth value.
        return d.args[0].op is ops.REDUCTIONS["sum"] or d.args[0].dtype.char in "?BHI"
    every = _OF_NATURALS.get(d.op.name)
    return every is not None and every(non_negative(dims.from_node(a)) for a in d.args)


#: What is not negative, of operands of which all are not, or any.
_OF_NATURALS = {
    **dict.fromkeys(("maximum", "bitwise_and"), any),
    **dict.fromkeys("minimum floor_divide remainder bitwise_or bitwise_xor".split(), all),
}


def certain(name: str, difference: Dim) -> bool | None:
    """The answer to a comparison of `difference` with 0 that holds for all arguments, if any."""
    terms = dims.poly(difference)
    low = terms.pop((), 0)
    if not terms:
        return bool(_COMPARE[name](low, 0))
    if not all(atom.op is ops.DIM for monomial in terms for atom in monomial):
        return None
    # Lengths of axes are not negative: the difference is at least, or at most, `low`.
    if all(c > 0 for c in terms.values()):
        if low > 0:
            return name in ("greater", "greater_equal", "not_equal")
        if low == 0 and name in ("greater_equal", "less"):
            return name == "greater_equal"
    elif all(c < 0 for c in terms.values()):
        if low < 0:
            return name in ("less", "less_equal", "not_equal")
        if low == 0 and name in ("less_equal", "greater"):
            return name == "less_equal"
    return None
