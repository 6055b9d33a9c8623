"""Which loops of a kernel threads share; that it means the same, in whatever order they go."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tracejit.cpu.passes.sharing import TEAM, THREADS, shared
from tracejit.intrinsics.blocks import BLOCK
from tracejit.lower.kernel.interpret import run
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    Factory,
    For,
    Forever,
    If,
    Kernel,
    Leave,
    Part,
    Return,
    Statement,
    Store,
    Transposed,
)
from tracejit.lower.kernel.text import Text
from tracejit.lower.kernel.verify import verify

SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.LShift: "<<", ast.RShift: ">>"}
SIGNS |= {ast.Lt: "<", ast.Gt: ">"}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "imin": min, "imax": max, "idiv": operator.floordiv, "rmax": max, "radd": operator.add,
    "bit_or": operator.or_, "sqrt": np.sqrt, "flat": np.ravel, "team": lambda: None,
    "outside": lambda k, n: not 0 <= k < n, "wrap": lambda k, n: k % n, "total": np.sum,
    "clear": lambda x: x.fill(0), "temporary": lambda c, n: np.empty,
}  # fmt: skip
LOOPS: dict[str, Any] = {
    "range": range,
    "span": range,
    "blocks": lambda n: range(0, n, BLOCK),
    "block": lambda first, n: range(first, min(first + BLOCK, n)),
}


def kernel(text: str) -> Kernel:
    """The kernel of a function's text."""
    body = block(ast.parse(text).body)
    body.add(Return(0))
    parameters = ["x", "y", "b", "n", "m", "k", "at"]
    return Kernel(parameters, {"fresh": Factory("temporary", ("d", 1))}, body)


def block(body: list[Any]) -> Block:
    return Block([statement(s) for s in body])


def statement(s: Any) -> Statement:
    if isinstance(s, ast.For):
        operands = tuple(map(expression, s.iter.args))
        return For(block(s.body).body, index=s.target.id, kind=s.iter.func.id, operands=operands)
    if isinstance(s, ast.While):
        return Forever(block(s.body).body)
    if isinstance(s, ast.Break):
        return Leave()
    if isinstance(s, ast.If):
        otherwise = block(s.orelse) if s.orelse else None
        return If(block(s.body).body, test=expression(s.test), otherwise=otherwise)
    if isinstance(s, ast.Return):
        return Return(expression(s.value))
    if isinstance(s, ast.Expr):
        return Do(expression(s.value))
    target, value = s.targets[0], expression(s.value)
    return Assign(target.id, value) if isinstance(target, ast.Name) else Store(
        expression(target), value
    )  # fmt: skip


def expression(e: Any) -> Any:
    if isinstance(e, ast.Name):
        return e.id
    if isinstance(e, ast.Constant):
        return e.value if type(e.value) is int else Constant(e.value, np.dtype(type(e.value)))
    if isinstance(e, ast.BinOp):
        return Binary(SIGNS[type(e.op)], expression(e.left), expression(e.right))
    if isinstance(e, ast.Compare):
        return Binary(SIGNS[type(e.ops[0])], expression(e.left), expression(e.comparators[0]))
    if isinstance(e, ast.Call):
        return Call(e.func.id, tuple(map(expression, e.args)))
    if isinstance(e, ast.Attribute):
        return Transposed(expression(e.value))
    index = e.slice.elts if isinstance(e.slice, ast.Tuple) else [e.slice]
    places: tuple[Expr, ...] = tuple(expression(i) for i in index if not isinstance(i, ast.Slice))
    array = expression(e.value)
    rest = len(index) - len(places)
    return Part(array, places, rest) if rest else Element(array, places)


def arguments() -> list[Any]:
    rng = np.random.default_rng(5)
    x, y, b = rng.uniform(-1, 1, (3, 9, 7))
    return [x, y, b, 7, 5, 2, rng.integers(0, 7, 7)]


def text_of(k: Kernel) -> str:
    text = Text()
    text.block(k.body)
    return "\n".join(text.lines)


SHARED = {
    "rows": """
for i in range(n):
    for j in range(m):
        b[i + 1, j] = x[i, j] + x[i + 2, j]
""",
    "in place": """
for i in range(n):
    for j in range(m):
        u = i + 1
        x[u, j] = x[1 + i, j + 1] + y[k, j]
""",
    "columns": """
for j in range(m):
    for i in range(n):
        b[k, j] = radd(b[k, j], x[i, j])
""",
    "backwards": """
for i in range(n):
    b[n - i, 0] = b[n - i, 1]
""",
    "a row of an array": """
for i in range(n):
    s = b[i + 1, :]
    r = x[k, :]
    for j in range(m):
        s[j] = s[j + 1] + r[j]
""",
    "transposed": """
for i in range(m):
    for j in range(n):
        b.T[i, j] = b[j + 1, i]
""",
    "two at a time": """
for i in range(k):
    g = i << 1
    for j in range(m):
        b[g, j] = x[g, j]
        b[g + 1, j] = b[g, j] + x[g + 1, j]
""",
    "a total": """
t = 0.5
for i in range(n):
    v = 0.0
    for j in range(m):
        v = radd(v, x[i, j])
    t = radd(t, v)
b[0, 0] = t
""",
    "a total and a map": """
t = 0.5
q = 0.25
for i in range(n):
    v = x[i, 0]
    b[i, 1] = v
    t = rmax(t, v)
    q = radd(q, v + 1.0)
b[0, 0] = t
b[0, 1] = q
""",
    "chunks": """
t = 0.5
length = imax(idiv(m, 2), 1)
count = idiv(n + length - 1, length)
for c in range(count):
    start = c * length
    end = imin(start + length, n)
    v = 0.0
    for i in span(start, end):
        for j in range(m):
            v = radd(v, x[i, j])
            b[i + 1, j] = y[i, j]
    t = radd(t, v)
b[0, 0] = t
""",
    "blocks of a chunk": """
length = 3
count = idiv(n + length - 1, length)
for c in range(count):
    start = c * length
    end = imin(start + length, n)
    for base in blocks(end - start):
        first = start + base
        for i in block(first, end):
            b[i, 0] = sqrt(y[i, 0] + 1.0)
""",
    "blocks": """
for base in blocks(n):
    for i in block(base, n):
        b[i, 0] = sqrt(y[i, 0] + 1.0)
""",
    "something may happen": """
bad = False
for i in range(n):
    place = at[i]
    bad = bit_or(bad, outside(place, m))
    inside = wrap(place, m)
    b[i, 0] = x[inside, 0]
b[8, 6] = radd(b[8, 6], bad)
""",
    "in a loop": """
for step in range(k):
    for i in range(n):
        b[i + 1, step] = x[i, 0]
    x[0, 0] = b[3, 0]
""",
    "after a test": """
if x[0, 0] > y[0, 0]:
    for i in range(n):
        b[i, 0] = x[i, 0]
else:
    for i in range(n):
        b[i, 0] = y[i, 0]
""",
    "a branch inside": """
for i in range(n):
    if x[i, 0] > 0.0:
        b[i, 0] = x[i, 0]
    else:
        b[i, 1] = y[i, 0]
""",
}
#: Those whose text is kept.
GOLDEN = ("rows", "a total", "chunks", "something may happen")
NOT_SHARED = {
    "a recurrence": """
for i in range(n):
    b[i + 1, 0] = b[i, 0] + x[i, 0]
""",
    "the next is read": """
for i in range(n):
    b[i, 0] = b[i + 1, 0] + x[i, 0]
""",
    "one place": """
for i in range(n):
    b[0, 0] = x[i, 0]
""",
    "another row is read": """
for i in range(n):
    b[i, 0] = b[k, 0] + x[i, 0]
""",
    "a row some rows on": """
for i in range(n):
    b[i, 0] = b[i + k, 0] + x[i, 0]
""",
    "places from memory": """
for i in range(n):
    place = at[i]
    b[place, 0] = x[i, 0]
""",
    "a place of both": """
for i in range(n - 3):
    for j in range(m - 2):
        b[i + j, 0] = x[i, j]
""",
    "every second": """
for i in range(k):
    b[2 * i, 0] = x[i, 0]
    b[2 * i + 2, 0] = y[i, 0]
""",
    "a total that is read": """
t = 0.0
for i in range(n):
    b[i, 0] = t
    t = radd(t, x[i, 0])
""",
    "a total at each element": """
t = 0.0
for i in range(n):
    for j in range(m):
        t = radd(t, x[i, j])
""",
    "it returns": """
for i in range(n):
    if x[i, 0] > 9.0:
        return 1
    b[i, 0] = x[i, 0]
""",
    "a call for what it does": """
for i in range(n):
    clear(b)
    b[i, 0] = 1.0
""",
    "a call reads an array": """
for i in range(n):
    b[i, 0] = total(b)
""",
    "flat and not": """
f = flat(b)
for i in range(n):
    f[i] = 1.0
    b[i, 0] = 2.0
""",
    "memory of its own": """
for i in range(n):
    s = fresh(n)
    s[0] = x[i, 0]
    b[i, 0] = s[0]
""",
    "an endless loop": """
for i in range(n):
    while True:
        break
    b[i, 0] = x[i, 0]
""",
    "chunks that overlap": """
for c in range(k):
    start = c * 2
    end = imin(start + 3, n)
    for i in span(start, end):
        b[i, 0] = b[i, 0] + 1.0
""",
}


def outcome(k: Kernel, extra: list[Any]) -> list[bytes]:
    given = arguments()
    code = run(k, [*given, *extra], FUNCTIONS, LOOPS)
    return [bytes([code]), *(np.asarray(a).tobytes() for a in given)]


@pytest.mark.parametrize("name", SHARED)
def test_shared(name: str, golden: Callable[[str, str], None]) -> None:
    k = kernel(SHARED[name])
    verify(k)
    before = text_of(k)
    made = shared(k, 1)
    assert made is not None
    verify(made)
    assert made.parameters[-1] == THREADS and TEAM in made.factories
    assert outcome(made, [2]) == outcome(k, [])
    assert text_of(k) == before
    large = shared(k, 1 << 40)
    assert large is not None and outcome(large, [2]) == outcome(k, [])
    if name in GOLDEN:
        golden(f"passes/sharing_{name.replace(' ', '_')}.txt", text_of(made))


@pytest.mark.parametrize("name", NOT_SHARED)
def test_not_shared(name: str) -> None:
    k = kernel(NOT_SHARED[name])
    verify(k)
    made = shared(k, 1)
    if made is not None:  # a loop inside of it
        assert ": shared" not in text_of(made)
        assert outcome(made, [2]) == outcome(k, [])
        outermost = next(s for s in made.body.statements() if isinstance(s, For | If))
        assert isinstance(outermost, For)


def test_cells_stay_last() -> None:
    k = kernel(SHARED["rows"])
    made = shared(k._replace(parameters=[*k.parameters, "late"]), 1)
    assert made is not None and made.parameters[-2:] == [THREADS, "late"]


def test_nothing_to_share() -> None:
    assert shared(kernel("b[0, 0] = x[0, 0]"), 1) is None
