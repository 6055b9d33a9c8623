"""Formulas: expressions with places for operands, as the tables of ops have them in text.

    select({0} > 0, {0}, multiply({1}, 2.0))

They are read once each, by rules for what may stand in them: calls, operators of Python's, numbers.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

from tracejit.lower.kernel.statements import Binary, Call, Constant, Expr, Unary
from tracejit.lower.kernel.text import BINDS, NOT

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:e[-+]?\d+)?)|(?P<name>\{\w+\}|\w+)"
    r"|(?P<sign><<|>>|//|[<>=!]=|[-+*/%<>(),]))"
)
_NAMED: Mapping[str, Expr] = {
    "inf": Constant(math.inf, np.dtype(float)),
    "nan": Constant(math.nan, np.dtype(float)),
    "True": Constant(True, np.dtype(bool)),
    "False": Constant(False, np.dtype(bool)),
}
_DTYPES = {
    name: np.dtype(name)
    for name in "int8 int16 int32 uint8 uint16 uint32 uint64 float32 complex64".split()
}


def fill(text: str, *operands: Expr, **named: Expr) -> Expr:
    """The expression of a formula for some operands: of ``{0}`` the first, of ``{name}`` its."""
    values = {f"{{{name}}}": operand for name, operand in named.items()}
    values.update((f"{{{k}}}", operand) for k, operand in enumerate(operands))
    return _filled(read(text), values)


def _filled(e: Expr, values: Mapping[str, Expr]) -> Expr:
    if isinstance(e, str):
        return values.get(e, e)
    if isinstance(e, Call):
        return Call(e.function, tuple(_filled(o, values) for o in e.operands))
    if isinstance(e, Binary):
        return Binary(e.sign, _filled(e.left, values), _filled(e.right, values))
    if isinstance(e, Unary):
        return Unary(e.sign, _filled(e.operand, values))
    return e


def called(text: str) -> list[str]:
    """The functions that a formula calls."""
    return re.findall(r"\b(\w+)\(", text)


@functools.cache
def read(text: str) -> Expr:
    """The expression that a formula is; its operands are names in braces."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise SyntaxError(f"{text!r} is no formula from {text[at:]!r} on")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    reader = _Reader(text, [*tokens, ("end", "")])
    return reader.whole()


class _Reader:
    """Reads an expression from tokens, by how tight operators bind."""

    def __init__(self, text: str, tokens: Sequence[tuple[str, str]]) -> None:
        self.text, self.tokens, self.at = text, tokens, 0

    def whole(self) -> Expr:
        e = self.expression(0)
        if self.tokens[self.at][0] != "end":
            raise self.error()
        return e

    def error(self) -> SyntaxError:
        at = min(self.at, len(self.tokens) - 1)
        return SyntaxError(f"{self.text!r} is no formula: {self.tokens[at][1]!r} in it")

    def next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self, sign: str) -> bool:
        """Go past a sign, if it comes next."""
        found = self.tokens[self.at][1] == sign
        self.at += found
        return found

    def expression(self, least: int) -> Expr:
        """An expression of operators that bind as tight as `least` at the least."""
        e = Unary("not", self.expression(NOT)) if self.skip("not") else self.operand()
        while (binds := BINDS.get(sign := self.tokens[self.at][1], -1)) >= least:
            self.at += 1
            e = Binary(sign, e, self.expression(binds + 1))
        return e

    def operand(self) -> Expr:
        kind, token = self.next()
        if kind == "number":
            return int(token) if token.isdigit() else Constant(float(token), np.dtype(float))
        if kind == "name":
            if token in _NAMED:
                return _NAMED[token]
            return self.called(token) if self.skip("(") else token
        if token == "-":
            return _negative(self.operand())
        if token == "(":
            e = self.expression(0)
            if self.skip(")"):
                return e
        raise self.error()

    def called(self, function: str) -> Expr:
        operands: list[Expr] = []
        while not self.skip(")"):
            operands.append(self.expression(0))
            if not self.skip(",") and self.tokens[self.at][1] != ")":
                raise self.error()
        if function in _DTYPES and isinstance(operands[0], int | Constant):
            [number] = operands
            value = number.value if isinstance(number, Constant) else number
            return Constant(value, _DTYPES[function])
        return Call(function, tuple(operands))


def _negative(e: Expr) -> Expr:
    if isinstance(e, Constant):
        return Constant(-e.value, e.dtype)
    return -e if isinstance(e, int) else Unary("-", e)
