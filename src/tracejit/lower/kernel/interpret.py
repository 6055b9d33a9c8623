"""The interpreter of kernels: what one means, statement by statement, over arrays of NumPy's.

It is slow, and what a kernel is compared with that a back end has compiled.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    For,
    Forever,
    Group,
    If,
    Kernel,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Shared,
    Store,
    Transposed,
    Unary,
    bare,
)

Loops = Mapping[str, Callable[..., Iterable[int]]]

#: What loops go through, by their kind; a target may have others.
LOOPS: Loops = MappingProxyType({"range": range, "span": range})
_SIGNS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": np.divide,
    "//": np.floor_divide, "%": np.remainder, "<<": operator.lshift, ">>": operator.rshift,
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip


def run(
    kernel: Kernel,
    arguments: Sequence[Any],
    functions: Mapping[str, Callable[..., Any]],
    loops: Loops = LOOPS,
) -> int:
    """The code that a kernel returns for some arguments, into which it may write.

    `functions` are those that it calls; factories are called for what they make.

    >>> body = Block([Store(Element("b0", (0,)), Call("exp", (Element("x0", (0,)),))), Return(0)])
    >>> x, b = np.zeros(1), np.empty(1)
    >>> run(Kernel(["x0", "b0"], {}, body), [x, b], {"exp": np.exp}), b
    (0, array([1.]))
    """
    made = {
        name: functions[factory.function](*factory.arguments)
        for name, factory in kernel.factories.items()
    }
    names = dict(zip(kernel.parameters, arguments, strict=True))
    machine = _Machine(names, {**functions, **made}, loops)
    with np.errstate(all="ignore"):
        try:
            machine.block(kernel.body)
        except _Returned as returned:
            return returned.code
    raise AssertionError("a kernel ends with a code")


class _Returned(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


class _Left(Exception):
    """An endless loop is left."""


class _Machine:
    """The values that names have."""

    def __init__(
        self, names: dict[str, Any], functions: Mapping[str, Callable[..., Any]], loops: Loops
    ) -> None:
        self.names, self.functions, self.loops = names, functions, loops

    def block(self, block: Block) -> None:
        """All of a block's statements."""
        for s in block.statements():
            _STATEMENTS[type(s)](self, s)

    def _assign(self, s: Assign) -> None:
        self.names[s.name] = self.value(s.value)

    def _store(self, s: Store) -> None:
        value = self.value(s.value)
        self.value(s.element.array)[self._index(s.element.index)] = value

    def _do(self, s: Do) -> None:
        self.value(s.call)

    def _return(self, s: Return) -> None:
        raise _Returned(int(self.value(s.code)))

    def _leave(self, s: Leave) -> None:
        raise _Left

    def _for(self, s: For) -> None:
        for place in self.loops[s.kind](*map(self.value, s.operands)):
            self.names[s.index] = place
            self.block(s)

    def _shared(self, s: Shared) -> None:
        places = list(self.loops[s.kind](*map(self.value, s.operands)))
        kept = {}
        for place in reversed(places):  # as threads may
            self.names[s.index] = place
            self.block(s)
            kept[place] = {name: self.names[inner] for name, inner in s.kept.items()}
        for place in places:
            self.names |= {s.index: place, **kept[place]}
            self.block(s.then)

    def _forever(self, s: Forever) -> None:
        try:
            while True:
                self.block(s)
        except _Left:
            pass

    def _if(self, s: If) -> None:
        if self.value(s.test):
            self.block(s)
        elif s.otherwise is not None:
            self.block(s.otherwise)

    # Expressions -----------------------------------------------------------------------------

    def value(self, e: Expr) -> Any:
        """The value of an expression: a scalar of NumPy's, an integer, or an array."""
        if isinstance(e, str):
            return self.names[e]
        return e if isinstance(e, int) else _EXPRESSIONS[type(e)](self, e)

    def _index(self, index: tuple[Expr, ...]) -> tuple[Any, ...]:
        return tuple(map(self.value, index))

    def _constant(self, e: Constant) -> Any:
        return e.dtype.type(e.value)

    def _call(self, e: Call) -> Any:
        return self.functions[e.function](*map(self.value, e.operands))

    def _unary(self, e: Unary) -> Any:
        value = self.value(e.operand)
        return np.logical_not(value) if e.sign == "not" else -value

    def _binary(self, e: Binary) -> Any:
        # Beside a value, NumPy lets a number of Python's take on its dtype.
        number = bare(e.left), bare(e.right)
        one = (number[0] is None) != (number[1] is None)
        left, right = (
            n if one and n is not None else self.value(o)
            for n, o in zip(number, (e.left, e.right), strict=True)
        )
        return _SIGNS[e.sign](left, right)

    def _group(self, e: Group) -> Any:
        return self.value(e.inner)

    def _element(self, e: Element) -> Any:
        return self.value(e.array)[self._index(e.index)]

    def _part(self, e: Part) -> Any:
        return self.value(e.array)[self._index(e.index)]

    def _transposed(self, e: Transposed) -> Any:
        return self.value(e.array).T

    def _length(self, e: Length) -> Any:
        return self.value(e.array).shape[e.axis]

    def _output(self, e: Output) -> Any:
        return self._call(e.call)[e.number]


_STATEMENTS: dict[type, Callable[[_Machine, Any], None]] = {
    Assign: _Machine._assign,
    Store: _Machine._store,
    Do: _Machine._do,
    Return: _Machine._return,
    Leave: _Machine._leave,
    For: _Machine._for,
    Shared: _Machine._shared,
    Forever: _Machine._forever,
    If: _Machine._if,
}
_EXPRESSIONS: dict[type, Callable[[_Machine, Any], Any]] = {
    Constant: _Machine._constant,
    Call: _Machine._call,
    Unary: _Machine._unary,
    Binary: _Machine._binary,
    Group: _Machine._group,
    Element: _Machine._element,
    Part: _Machine._part,
    Transposed: _Machine._transposed,
    Length: _Machine._length,
    Output: _Machine._output,
}
