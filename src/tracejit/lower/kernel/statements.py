"""What kernels are made of: expressions over scalars and array elements, and statements.

A kernel is one function over arrays and scalars. Its text (`lower.kernel.text`) is the source that
a user is shown; a back end makes instructions of the objects.

    name = factory(…)              `Factory`  before the function: a function for a dtype, a rank
    v = f(a, b), v = a + b         `Assign`   a name is assigned once, or it is a place
    b[i, j] = v                    `Store`    an index counts from 0 and is in bounds
    f(a, b)                        `Do`       a call for what it does
    for i in range(n):             `For`      or `span`, `blocks`, `block`, `again`, `lines`, `line`
    while True:, break             `Forever`, `Leave`
    if c:, else:                   `If`
    return code                    `Return`

A name that is assigned more than once is a place: a variable, which keeps its type. Names have no
declared types: a value has the type that what computes it gives, and nothing is converted, so all
types follow from those of the parameters and the constants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracejit.ir.node import Origin

# Expressions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Constant:
    """A Python number as a value of a dtype."""

    value: Any
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of values: one of the target's, or what a factory has made."""

    function: str
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """``not`` or ``-`` of a value."""

    sign: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator of Python's between two values of one type, which a bare number takes on."""

    sign: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Group:
    """An expression that its text has in parentheses, needed or not."""

    inner: Expr


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array."""

    array: Expr
    index: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """What an array has at an index for its first axes, and all of its last `rest` ones."""

    array: Expr
    index: tuple[Expr, ...]
    rest: int


@dataclass(frozen=True, slots=True)
class Transposed:
    """An array with its axes reversed."""

    array: Expr


@dataclass(frozen=True, slots=True)
class Length:
    """The length of an array along an axis."""

    array: Expr
    axis: int


@dataclass(frozen=True, slots=True)
class Output:
    """One of several results of a call."""

    call: Call
    number: int


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


@dataclass(eq=False, slots=True)
class Assign:
    """Give a name a value: its only one, or a place its next."""

    name: str
    value: Expr
    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Store:
    """Put a value where an element is."""

    element: Element
    value: Expr
    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Do:
    """A call for what it does."""

    call: Call
    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Return:
    """Leave the function with a code."""

    code: Expr
    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Leave:
    """End the innermost `Forever`."""

    origin: Origin | None = None


@dataclass(eq=False, slots=True)
class Block:
    """Statements in order; a block among them that is nothing else has theirs."""

    body: list[Statement] = field(default_factory=list)

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


@dataclass(eq=False, slots=True, kw_only=True)
class For(Block):
    """Its statements for each value of `index` that `kind` gives for some operands.

    `range` counts to its operand, `span` from the first to the second; `blocks` steps by blocks,
    and `block` goes through one, from its first index to the loop's end, as does `again`; `lines`
    and `line` do so by lines of the cache.
    """

    index: str
    kind: str
    operands: tuple[Expr, ...]


@dataclass(eq=False, slots=True)
class Forever(Block):
    """Its statements again and again, until one leaves."""


@dataclass(eq=False, slots=True, kw_only=True)
class If(Block):
    """Its statements where `test` is true, and those of `otherwise` where it is not."""

    test: Expr
    otherwise: Block | None = None

    def is_empty(self) -> bool:
        return Block.is_empty(self) and (self.otherwise is None or self.otherwise.is_empty())


Statement = Assign | Store | Do | Return | Leave | Block


@dataclass(frozen=True, slots=True)
class Factory:
    """A function for `arguments` (a dtype's character, a rank), which `function` makes."""

    function: str
    arguments: tuple[str | int | bool, ...]


@dataclass(eq=False, slots=True)
class Kernel:
    """A function of `parameters`, which calls the target's functions and those of `factories`."""

    parameters: list[str] = field(default_factory=list)
    factories: dict[str, Factory] = field(default_factory=dict)
    body: Block = field(default_factory=Block)


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
