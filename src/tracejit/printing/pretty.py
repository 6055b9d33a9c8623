"""Expressions as mathematics: ``theano.printing.pp``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.graph import Apply, Constant, Variable, toposort
from tracejit.symbolic.opcodes import Operand
from tracejit.tensor.scalarops import NAMES

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
        return _shuffled(node, operands[0])
    if node.opcode == "subtensor":
        return f"{operands[0]}[{_index(node.attr, operands[1:])}]"
    if node.opcode == "reduce" and len(node.attr[1]) < node.inputs[0].type.ndim:
        axes = ", ".join(map(str, node.attr[1]))
        return f"{name}({operands[0]}, axis={axes if len(node.attr[1]) == 1 else f'({axes})'})"
    if node.opcode == "elemwise" and name == "cast":
        name = v.type.dtype
    elif node.opcode == "elemwise" and name == "negative":
        return f"(-{operands[0]})"
    name = NAMES.get(name, name) if node.opcode == "elemwise" else name
    return f"{name}({', '.join(operands)})"


def _shuffled(node: Apply, x: str) -> str:
    """Axes in another order; those that are put in and dropped, which broadcast, are not told."""
    order = [k for k in node.attr if k != "x"]
    if order == sorted(order):
        return x
    if len(order) == len(node.attr) and order == sorted(order, reverse=True):
        return f"{x}.T"
    return f"{x}.dimshuffle({', '.join(repr(k) for k in node.attr)})"


def _index(entries: tuple[Any, ...], operands: list[str]) -> str:
    """The text of an index, whose operands have these texts."""

    def text(entry: Any) -> str:
        if isinstance(entry, Operand):
            return operands[entry.index]
        if isinstance(entry, slice):
            ends = ["" if e is None else text(e) for e in (entry.start, entry.stop)]
            step = "" if entry.step is None else f":{text(entry.step)}"
            return f"{ends[0]}:{ends[1]}{step}"
        return "..." if entry is Ellipsis else str(entry)

    return ", ".join(map(text, entries))


__all__ = ["pp", "pprint"]
