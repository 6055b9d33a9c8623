"""The text of kernels: operators, numbers, blocks; and that what is printed is what was meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from handwritten import parsed

import tracejit
from tracejit.ir.node import Origin
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
    Group,
    If,
    Kernel,
    Leave,
    Length,
    Output,
    Part,
    Return,
    Store,
    Transposed,
    Unary,
    plus,
)
from tracejit.lower.kernel.text import Text, factory_text


def binary(sign: str, left: Expr, right: Expr) -> Binary:
    return Binary(sign, left, right)


def number(value: Any, dtype: str) -> Constant:
    return Constant(value, np.dtype(dtype))


@pytest.mark.parametrize(
    "expression, text",
    [
        (binary("+", binary("+", "a", "b"), "c"), "a + b + c"),
        (binary("+", "a", binary("+", "b", "c")), "a + (b + c)"),
        (binary("-", "a", binary("-", "b", "c")), "a - (b - c)"),
        (binary("*", binary("+", "a", "b"), "c"), "(a + b) * c"),
        (binary("+", binary("*", "a", "b"), 1), "a * b + 1"),
        (binary("/", "a", binary("*", "b", "c")), "a / (b * c)"),
        (binary(">>", binary("+", "a", 3), 2), "(a + 3) >> 2"),
        (binary("<<", binary(">>", "a", 2), 2), "a >> 2 << 2"),
        (binary("+", "a", binary("<<", "b", 2)), "a + (b << 2)"),
        (binary("<", binary("+", "a", "b"), "c"), "a + b < c"),
        (binary("==", binary("<", "a", "b"), "c"), "(a < b) == c"),
        (binary("and", binary("<", "a", 1), binary("<", "b", 1)), "a < 1 and b < 1"),
        (binary("and", binary("or", "a", "b"), "c"), "(a or b) and c"),
        (Unary("not", binary("<", "a", "b")), "not a < b"),
        (Unary("not", binary("and", "a", "b")), "not (a and b)"),
        (Unary("-", binary("+", "a", "b")), "-(a + b)"),
        (binary("*", -1, "i0"), "-1 * i0"),
        (binary("*", Group("i0"), "v0"), "(i0) * v0"),
        (Element("x", ("i", binary("-", "j", 1))), "x[i, j - 1]"),
        (Element("x", ()), "x[()]"),
        (Part("x", ("i",), 2), "x[i, :, :]"),
        (Transposed(Part("x", ("i",), 2)), "x[i, :, :].T"),
        (Length("x", 1), "x.shape[1]"),
        (Output(Call("modf", ("a",)), 1), "modf(a)[1]"),
        (number(-2.5, "f8"), "(-2.5)"),
        (number(float("inf"), "f4"), "float32(inf)"),
        (number(True, "?"), "True"),
        (number(-3, "i8"), "(-3)"),
        (number(7, "u1"), "uint8(7)"),
        (number(1 - 2j, "c16"), "complex(1.0, (-2.0))"),
        (number(1j, "c8"), "complex64(complex(0.0, 1.0))"),
    ],
)
def test_expressions(expression: Expr, text: str) -> None:
    assert Text().expression(expression) == text


def test_sums_are_added_up_from_the_left() -> None:
    assert plus("a", plus("b", binary("-", "c", 1))) == binary(
        "-", binary("+", binary("+", "a", "b"), "c"), 1
    )


def test_statements_with_their_origins() -> None:
    origin = Origin("here.py", 3, "f")
    step = For([Assign("v1", Element("x", ("i",)), origin)], index="i", kind="range", operands=(9,))
    step.add(Do(Call("put", ("v1",))))
    step.add(Block([Store(Element("b", ("i",)), "v1", origin)]))
    either = If([Leave()], test="v2", otherwise=Block([Assign("v3", 1)]))
    text = Text()
    text.block(Block([step, Forever([either]), Return(0)]))
    assert text.lines == [
        "    for i in range(9):",
        "        v1 = x[i]",
        "        put(v1)",
        "        b[i] = v1",
        "    while True:",
        "        if v2:",
        "            break",
        "        else:",
        "            v3 = 1",
        "    return 0",
    ]
    assert [k for k, o in enumerate(text.origins) if o] == [1, 3] and text.origins[1] is origin
    assert text.calls == {"put": 1}


def test_blocks_without_statements_have_no_text() -> None:
    text = Text()
    empty = For(
        [If([Block()], test="c", otherwise=Block())], index="i", kind="range", operands=(1,)
    )
    text.block(Block([empty, Block([Block()]), Return(0)]))
    assert text.lines == ["    return 0"] and empty.is_empty()


def test_a_statement_goes_before_the_open_block() -> None:
    block, inner = Block(), For(index="i", kind="range", operands=(2,))
    block.add(inner)
    block.insert(Assign("a", 1), inner)
    block.insert(Assign("b", 2), None)
    assert [type(s) for s in block.body] == [Assign, For, Assign]


def test_factories() -> None:
    made = Factory("middle_rows", ("d", True))
    assert factory_text("middle_d", made) == 'middle_d = middle_rows("d", True)'


def programs() -> dict[str, Any]:
    """Functions with their arguments, of all kinds of statements."""
    x, m = np.linspace(-1, 2, 40), np.linspace(-1, 2, 60).reshape(12, 5)

    def branch(x: Any) -> Any:
        y = x.copy()
        for k in range(3, len(x)):
            y[k] = y[k - 1] * 0.5 if x[k] > 0 else x[k]
        return y

    return {
        "map": (lambda x: 1 / (1 + np.exp(-x)), x),
        "guarded": (lambda m: np.sin(m).sum(axis=1), m),
        "mean": (lambda m: (m - m.mean(axis=0)) / m.std(axis=0), m),
        "reshape": (lambda m: m[:, ::-1].reshape(-1)[3:] * 2, m),
        "extremes": (lambda m: (m.argmax(axis=0), (m * 2).argmin(axis=1), m.max()), m),
        "running": (lambda m: (np.cumsum(m, axis=0), np.cumprod(m, axis=1)), m),
        "gather": (lambda x: x[np.array([3, -1, 0])] + x[x > 0].sum(), x),
        "sorted": (lambda m: (np.sort(m, axis=1), np.median(m)), m),
        "halves": (lambda m: (m.astype(np.float16) * 3).sum(), m),
        "loop": (branch, x),
        "product": (lambda m: m @ m.T, m),
    }


@pytest.mark.parametrize("name", programs())
def test_the_text_of_a_kernel_is_the_kernel(name: str) -> None:
    """It is read back as Python is: statements and operators are where they were."""
    function, *arguments = programs()[name]
    f = tracejit.function(function)
    with tracejit.config(check=True):
        f(*arguments)
    emitted = f._paths[-1].executable.emitted
    printed, again = Text(), Text()
    printed.block(emitted.kernel.body)
    assert emitted.text.endswith("\n".join([*printed.lines, ""]))
    again.block(parsed(emitted.text).body)
    plain = [line.replace("(", "").replace(")", "") for line in printed.lines]
    assert [line.replace("(", "").replace(")", "") for line in again.lines] == plain
    assert again.calls == printed.calls


def test_a_kernel_is_a_function_of_its_parameters() -> None:
    kernel = parsed("def entry(x0, b0):\n    b0[0] = x0[0]\n    return 0\n")
    assert isinstance(kernel, Kernel) and kernel.parameters == ["x0", "b0"]
