"""What a person is told: conditions as text, compiled paths, and why a call traced again."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.ir.build import constant_value
from tracejit.ir.node import Node, Origin

_INFIX = {
    **ops.COMPARISONS,
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "divide": "/",
    "floor_divide": "//",
    "remainder": "%",
    "power": "**",
    "logical_and": "and",
    "logical_or": "or",
}
_NEGATED = {
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
}


#: Operations inside of one another that a person reads; where an operand comes twice, texts double.
_MOST_DEEP = 6


def scalar_text(node: Node | int, names: Mapping[str, str] | None = None) -> str:
    """A scalar expression over sizes and numbers as Python text: ``x.shape[0] == n + 1``.

    `names` gives the user's spelling of input names.
    """
    return _text(node, names or {}, 0)[0]


def _text(node: Node | int, names: Mapping[str, str], depth: int) -> tuple[str, str]:
    """(text, operator): the operator says whether brackets are needed."""
    if isinstance(node, int):
        return str(node), ""
    if depth > _MOST_DEEP:
        return "…", ""
    op = node.op
    if op is ops.INPUT:
        return names.get(node.attr[0], node.attr[0]), ""
    if op is ops.CONST:
        return str(constant_value(node)), ""
    if op is ops.DIM:
        source, axis, _ = node.attr
        return f"{names.get(source, source)}.shape[{axis}]", ""
    if op is ops.POLY:
        return _poly_text(node, names, depth), "+" if len(node.attr) > 1 else "*"
    if op is ops.CAST:
        return _text(node.args[0], names, depth + 1)
    if op.name == "logical_not":
        inner = node.args[0]
        sign = _INFIX.get(inner.op.name, "")
        if sign in _NEGATED:
            a, b = (_bracketed(_text(x, names, depth + 1)) for x in inner.args)
            return f"{a} {_NEGATED[sign]} {b}", _NEGATED[sign]
        return f"not {_bracketed(_text(inner, names, depth + 1))}", "not"
    parts = [_text(a, names, depth + 1) for a in node.args]
    sign = _INFIX.get(op.name, "")
    if sign and len(parts) == 2:
        return f"{_bracketed(parts[0])} {sign} {_bracketed(parts[1])}", sign
    return f"{op.name}({', '.join(text for text, _ in parts)})", ""


def _bracketed(part: tuple[str, str]) -> str:
    return f"({part[0]})" if part[1] else part[0]


def _poly_text(node: Node, names: Mapping[str, str], depth: int) -> str:
    text = ""
    for monomial, factor in node.attr:
        parts = [_bracketed(_text(node.args[i], names, depth + 1)) for i in monomial]
        size = abs(factor)
        if size != 1 or not parts:
            parts.insert(0, str(size))
        sign = "-" if factor < 0 else "+"
        term = " * ".join(parts)
        text = (f"-{term}" if factor < 0 else term) if not text else f"{text} {sign} {term}"
    return text


def class_text(value: object) -> str:
    """What a value is, for people: of what a trace has in place of another one, what that is."""
    return getattr(type(value), "__tracejit_shown__", f"a {type(value).__name__}")


def value_text(value: Any) -> str:
    """One value on one short line: arrays by dtype and shape."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    text = repr(value).removeprefix("np.")
    return text if len(text) <= 60 else f"{text[:57]}..."


def source_line(origin: Origin | None) -> str:
    """The user's line of source, stripped; empty where it cannot be had."""
    return linecache.getline(origin.file, origin.line).strip() if origin else ""


def place_text(origin: Origin | None) -> list[str]:
    """``File …, line …, in …`` and the line itself, as Python's own tracebacks have it."""
    if origin is None:
        return []
    lines = [f'  File "{origin.file}", line {origin.line}, in {origin.function}']
    source = source_line(origin)
    return [*lines, f"    {source}"] if source else lines


def message(
    title: str, origin: Origin | None, reason: str = "", operands: str = "", hint: str = ""
) -> str:
    """What went wrong, where, on what, and the way out: at most 12 lines."""
    lines = [title, *place_text(origin)]
    for label, text in (("reason", reason), ("operands", operands), ("way out", hint)):
        if text:
            lines.append(f"  {label}: {text}")
    return "\n".join(lines[:12])


def log(text: str) -> None:
    """One event of the debug ladder, on standard error."""
    for line in text.splitlines():
        print(f"tracejit: {line}", file=sys.stderr)


def first_failed(checks: Iterable[Any], evaluate: Callable[[Node], Any]) -> Any:
    """The first check that these arguments fail, or None."""
    for check in checks:
        try:
            if not evaluate(check.condition):
                return check
        except Exception:  # it is about what there is no more
            continue
    return None


def failed_check(
    checks: Iterable[Any],
    evaluate: Callable[[Node], Any],
    names: Mapping[str, str],
) -> str | None:
    """The first check that these arguments fail, with the values that it compared."""
    for check in checks:
        try:
            if evaluate(check.condition):
                continue
            shown = ", ".join(
                f"{scalar_text(node, names)} = {value_text(evaluate(node))}"
                for node in _operands(check.condition)
            )
        except Exception:
            continue
        where = f" (line {check.origin.line})" if check.origin else ""
        return f"{check.reason} no longer holds{where}: now {shown}"
    return None


def _operands(condition: Node) -> list[Node]:
    """The dimensions and inputs that a condition depends on, each once."""
    from tracejit.ir.node import postorder

    return [n for n in postorder([condition]) if n.op in (ops.DIM, ops.INPUT)]
