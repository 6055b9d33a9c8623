"""What kernels are made of: expressions over scalars and array elements, and statements.

A kernel is one function over arrays and scalars. Its text (`lower.kernel.text`) is the source that
a user is shown; a back end makes instructions of the objects.

    name = factory(…)              `Factory`  before the function: a function for a dtype, a rank
    v = f(a, b), v = a + b         `Assign`   a name is assigned once, or it is a place
    b[i, j] = v                    `Store`    an index counts from 0 and is in bounds
    f(a, b)                        `Do`       a call for what it does
    for i in range(n):             `For`      or `span`, `blocks`, `block`, `again`, `lines`, `line`
    for i in shared(range(n), w):  `Shared`   iterations that several threads may do at once
    while True:, break             `Forever`, `Leave`
    if c:, else:                   `If`
    return code                    `Return`

A name that is assigned more than once is a place: a variable, which keeps its type. Names have no
declared types: a value has the type that what computes it gives, and nothing is converted, so all
types follow from those of the parameters and the constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tracejit.ir.node import Origin

# Expressions -----------------------------------------------------------------------------------


class Expression:
    """What is computed, as a value: equal where its parts are. Nothing changes one."""

    # A dataclass takes 0.4 ms to define: as long as it takes to emit a small program twice.
    __slots__: tuple[str, ...] = ()

    def _parts(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((type(self), self._parts()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._parts()))})"


class Constant(Expression):
    """A Python number as a value of a dtype."""

    __slots__ = ("dtype", "value")

    def __init__(self, value: Any, dtype: np.dtype[Any]) -> None:
        self.value = value
        self.dtype = dtype


class Call(Expression):
    """A function of values: one of the target's, or what a factory has made."""

    __slots__ = ("function", "operands")

    def __init__(self, function: str, operands: tuple[Expr, ...]) -> None:
        self.function = function
        self.operands = operands


class Unary(Expression):
    """``not`` or ``-`` of a value."""

    __slots__ = ("operand", "sign")

    def __init__(self, sign: str, operand: Expr) -> None:
        self.sign = sign
        self.operand = operand


class Binary(Expression):
    """An operator of Python's between two values of one type, which a bare number takes on."""

    __slots__ = ("left", "right", "sign")

    def __init__(self, sign: str, left: Expr, right: Expr) -> None:
        self.sign = sign
        self.left = left
        self.right = right


class Group(Expression):
    """An expression that its text has in parentheses, needed or not."""

    __slots__ = ("inner",)

    def __init__(self, inner: Expr) -> None:
        self.inner = inner


class Element(Expression):
    """An element of an array."""

    __slots__ = ("array", "index")

    def __init__(self, array: Expr, index: tuple[Expr, ...]) -> None:
        self.array = array
        self.index = index


class Part(Expression):
    """What an array has at an index for its first axes, and all of its last `rest` ones."""

    __slots__ = ("array", "index", "rest")

    def __init__(self, array: Expr, index: tuple[Expr, ...], rest: int) -> None:
        self.array = array
        self.index = index
        self.rest = rest


class Transposed(Expression):
    """An array with its axes reversed."""

    __slots__ = ("array",)

    def __init__(self, array: Expr) -> None:
        self.array = array


class Length(Expression):
    """The length of an array along an axis."""

    __slots__ = ("array", "axis")

    def __init__(self, array: Expr, axis: int) -> None:
        self.array = array
        self.axis = axis


class Output(Expression):
    """One of several results of a call."""

    __slots__ = ("call", "number")

    def __init__(self, call: Call, number: int) -> None:
        self.call = call
        self.number = number


#: A name is a string; a position, a length or a number of them is an integer.
Expr = (
    str
    | int
    | Constant
    | Call
    | Unary
    | Binary
    | Group
    | Element
    | Part
    | Transposed
    | Length
    | Output
)


# Statements ------------------------------------------------------------------------------------


class Assign:
    """Give a name a value: its only one, or a place its next."""

    __slots__ = ("name", "origin", "value")

    def __init__(self, name: str, value: Expr, origin: Origin | None = None) -> None:
        self.name, self.value, self.origin = name, value, origin


class Store:
    """Put a value where an element is."""

    __slots__ = ("element", "origin", "value")

    def __init__(self, element: Element, value: Expr, origin: Origin | None = None) -> None:
        self.element, self.value, self.origin = element, value, origin


class Do:
    """A call for what it does."""

    __slots__ = ("call", "origin")

    def __init__(self, call: Call, origin: Origin | None = None) -> None:
        self.call, self.origin = call, origin


class Return:
    """Leave the function with a code."""

    __slots__ = ("code", "origin")

    def __init__(self, code: Expr, origin: Origin | None = None) -> None:
        self.code, self.origin = code, origin


class Leave:
    """End the innermost `Forever`."""

    __slots__ = ("origin",)

    def __init__(self, origin: Origin | None = None) -> None:
        self.origin = origin


class Block:
    """Statements in order; a block among them that is nothing else has theirs."""

    __slots__ = ("body",)

    def __init__(self, body: list[Statement] | None = None) -> None:
        self.body: list[Statement] = [] if body is None else body

    def add(self, statement: Statement) -> None:
        """Append a statement."""
        self.body.append(statement)

    def assign(self, name: str, value: Expr, origin: Origin | None = None) -> None:
        """Append an assignment."""
        self.body.append(Assign(name, value, origin))

    def insert(self, statement: Statement, inner: Block | None) -> None:
        """Put a statement before the open block `inner`, or at the end."""
        if inner is None:
            self.body.append(statement)
        else:
            # An open block is the last of its parent's items.
            self.body.insert(len(self.body) - 1, statement)

    def statements(self) -> Iterator[Statement]:
        """Its statements, without blocks that have none."""
        for s in self.body:
            if not isinstance(s, Block):
                yield s
            elif type(s) is Block:
                yield from s.statements()
            elif not s.is_empty():
                yield s

    def is_empty(self) -> bool:
        """Whether nothing is done."""
        return not any(True for _ in self.statements())


class For(Block):
    """Its statements for each value of `index` that `kind` gives for some operands.

    `range` counts to its operand, `span` from the first to the second; `blocks` steps by blocks,
    and `block` goes through one, from its first index to the loop's end, as does `again`; `lines`
    and `line` do so by lines of the cache.
    """

    __slots__ = ("index", "kind", "operands")

    def __init__(
        self,
        body: list[Statement] | None = None,
        *,
        index: str,
        kind: str,
        operands: tuple[Expr, ...],
    ) -> None:
        super().__init__(body)
        self.index, self.kind, self.operands = index, kind, operands


class Shared(For):
    """A `range`, `span` or `blocks` whose iterations need nothing of each other.

    All of them have `work` to do together. After them, `then` is done for each, in order: there
    names have the values that others, which they are `kept` for, had at the end of the iteration.
    """

    __slots__ = ("kept", "then", "work")

    def __init__(
        self,
        body: list[Statement] | None = None,
        *,
        index: str,
        kind: str,
        operands: tuple[Expr, ...],
        work: Expr,
        then: Block,
        kept: dict[str, str],
    ) -> None:
        super().__init__(body, index=index, kind=kind, operands=operands)
        self.work, self.then, self.kept = work, then, kept


class Forever(Block):
    """Its statements again and again, until one leaves."""

    __slots__ = ()


class If(Block):
    """Its statements where `test` is true, and those of `otherwise` where it is not."""

    __slots__ = ("otherwise", "test")

    def __init__(
        self,
        body: list[Statement] | None = None,
        *,
        test: Expr,
        otherwise: Block | None = None,
    ) -> None:
        super().__init__(body)
        self.test, self.otherwise = test, otherwise

    def is_empty(self) -> bool:
        return Block.is_empty(self) and (self.otherwise is None or self.otherwise.is_empty())


Statement = Assign | Store | Do | Return | Leave | Block


class Factory(NamedTuple):
    """A function for `arguments` (a dtype's character, a rank), which `function` makes."""

    function: str
    arguments: tuple[str | int | bool, ...]


class Kernel(NamedTuple):
    """A function of `parameters`, which calls the target's functions and those of `factories`."""

    parameters: list[str]
    factories: dict[str, Factory]
    body: Block


#: The dtypes of Python's own numbers.
BARE = frozenset(map(np.dtype, (bool, int, float, complex)))


def bare(e: Expr) -> Any:
    """The value of a number that has no dtype of its own; None for another expression."""
    if isinstance(e, Constant):
        return e.value if e.dtype in BARE else None
    return e if isinstance(e, int) else None


def plus(a: Expr, b: Expr) -> Expr:
    """The sum of two numbers, added up from the left."""
    if isinstance(b, Binary) and b.sign in "+-":
        return Binary(b.sign, plus(a, b.left), b.right)
    return Binary("+", a, b)
