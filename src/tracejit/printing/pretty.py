"""Expressions as mathematics: ``theano.printing.pp``."""

from __future__ import annotations

import numpy as np

from tracejit.symbolic.graph import Apply, Constant, Variable, toposort

_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "floor_divide": "//",
    "remainder": "%", "power": "**", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip


def pp(variable: Variable) -> str:
    """An expression as mathematics: ``(x + sqr(y))``."""
    text: dict[Variable, str] = {}
    for node in toposort([variable]):
        operands = [text.get(v, _leaf(v)) for v in node.inputs]
        for v in node.outputs:
            text[v] = _formula(node, operands, v)
    return text.get(variable, _leaf(variable))


pprint = pp


def _leaf(v: Variable) -> str:
    if isinstance(v, Constant) and not v.name:
        return np.array2string(v.data, threshold=4)
    return str(v)


def _formula(node: Apply, operands: list[str], v: Variable) -> str:
    name = node.attr[0] if node.opcode in ("elemwise", "reduce", "numpy") else node.opcode
    if node.opcode == "elemwise" and name in _INFIX:
        return f"({operands[0]} {_INFIX[name]} {operands[1]})"
    if node.opcode == "dimshuffle":
        return operands[0]
    if node.opcode == "elemwise" and name == "cast":
        name = v.type.dtype
    elif node.opcode == "elemwise" and name == "negative":
        return f"(-{operands[0]})"
    return f"{name}({', '.join(operands)})"


__all__ = ["pp", "pprint"]
