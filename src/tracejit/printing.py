"""Symbolic graphs as text, under the names of ``theano.printing``."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply, Constant, Variable, toposort
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.theano.names import absent
from tracejit.trace.tracer import Tracer

_INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "floor_divide": "//",
    "remainder": "%", "power": "**", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip


def _roots(obj: Any) -> list[Variable]:
    if isinstance(obj, Variable):
        return [obj]
    if isinstance(obj, Apply):
        return list(obj.outputs)
    if isinstance(obj, (list, tuple)):
        return [v for item in obj for v in _roots(item)]
    outputs = getattr(obj, "outputs", None)
    if outputs is None:
        raise TypeError(f"debugprint() prints variables, lists of them and functions, not {obj!r}")
    return list(outputs)


def debugprint(
    obj: Any, depth: int = -1, print_type: bool = False, file: TextIO | str | None = None
) -> str | None:
    """Print the graph of a variable, a list of them or a function: an application a line.

    Operands are indented below what uses them; what has been printed is only named again. `depth`
    limits the nesting. With ``file="str"`` the text is returned instead.
    """
    names: dict[Variable, str] = {}
    lines: list[str] = []
    stack = [(v, 0) for v in reversed(_roots(obj))]
    while stack:
        v, level = stack.pop()
        known = v in names
        label = names.setdefault(v, f"id {len(names)}")
        text = str(v) if v.owner is None else v.owner.label()
        kind = f" <{v.type}>" if print_type else ""
        lines.append(f"{' |' * level}{text} [{label}]{kind}")
        if v.owner is not None and not known and (depth < 0 or level + 1 < depth):
            stack += [(i, level + 1) for i in reversed(v.owner.inputs)]
    text = "\n".join(lines)
    if file == "str":
        return text
    print(text, file=sys.stdout if file is None or isinstance(file, str) else file)
    return None


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


@opcode("print", types=lambda attr, inputs: [inputs[0].type])
def _print(attr: Any, x: Any) -> Any:
    """attr: (message, attributes to print)."""
    if isinstance(x, Tracer):
        raise NotTraceable("a value is printed at each call", "return it, and print it outside")
    text, names = attr
    for name in names:
        value = getattr(x, name)
        print(text, name, "=", value() if callable(value) else value)
    return x


class Print:
    """``Print("message")(x)`` is `x`, whose value is printed whenever it is computed.

    A function that prints runs in plain NumPy.
    """

    def __init__(self, message: str = "", attrs: tuple[str, ...] = ("__str__",)) -> None:
        self.message, self.attrs = message, tuple(attrs)

    def __call__(self, x: Any) -> Any:
        return apply("print", [as_tensor_variable(x)], (self.message, self.attrs))[0]


def min_informative_str(obj: Any) -> str:
    """A graph as text, an application or a leaf a line, with letters by which to tell them."""
    known: dict[int, str] = {}
    lines: list[str] = []
    stack = [(obj, 0)]
    while stack:
        v, level = stack.pop()
        if id(v) in known:
            lines.append(f"{' ' * level}<{known[id(v)]}>")
            continue
        known[id(v)] = tag = _letters(len(known))
        named = getattr(v, "name", None)
        owner = None if named else getattr(v, "owner", None)
        text = named or ("<ndarray>" if hasattr(v, "__array__") else str(owner.op if owner else v))
        lines.append(f"{' ' * level}{tag}. {text}")
        if owner is not None:
            stack += [(u, level + 1) for u in reversed(owner.inputs)]
    return "\n".join(lines)


def var_descriptor(obj: Any) -> str:
    """A graph as one line, which tells graphs that compute something else: ``A=add(B=x,C=y)``."""
    known: dict[Any, str] = {}

    def letter(v: Any) -> str:
        return known.setdefault(v, _letters(len(known)))

    text: dict[Any, str] = {}
    order = toposort([obj])
    for node in reversed(order):
        for v in (*node.outputs, *node.inputs):
            letter(v)
    letter(obj)
    seen: set[Any] = set()
    for node in order:
        parts = []
        for v in node.inputs:
            parts.append(
                f"<{letter(v)}>" if v in seen else text.get(v) or f"{letter(v)}={_leaf(v)}"
            )
            seen.add(v)
        for v in node.outputs:
            text[v] = f"{letter(v)}={node.op}({','.join(parts)})"
    return text.get(obj) or f"{letter(obj)}={_leaf(obj)}"


def _letters(number: int) -> str:
    """A, B, … Z, AA, AB, …"""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("A") + digit) + text
    return text


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    return absent("tracejit.printing", name)


__all__ = ["Print", "debugprint", "min_informative_str", "pp", "pprint", "var_descriptor"]
