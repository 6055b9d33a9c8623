"""Formulas of the op tables: what they are read as, and what is no formula."""

from __future__ import annotations

import numpy as np
import pytest

from tracejit.ir import ops
from tracejit.lower.kernel.formula import called, fill, read
from tracejit.lower.kernel.read import expression
from tracejit.lower.kernel.statements import Binary, Call, Constant, Unary
from tracejit.lower.kernel.text import Text


@pytest.mark.parametrize(
    "text",
    [
        "a + b * c - d",
        "a * (b + c) / d",
        "a - (b - c)",
        "a << 2 >> b",
        "(a + 7) >> 3",
        "f(a, g(b, 1), -2.5) + 1",
        "f()",
        "not a < b and c >= 0 or d != e",
        "not (a and b)",
        "-f(a)",
        "float32(0.5) * a",
        "select(a == 0, nan, inf)",
        "a // b % c",
        "1e-3 * a",
    ],
)
def test_what_python_reads(text: str) -> None:
    assert repr(read(text)) == repr(expression(text))


def test_operands_by_number_and_by_name() -> None:
    assert fill("power({0}, {1}) < {0}", "v0", 2) == Binary("<", Call("power", ("v0", 2)), "v0")
    assert fill("{count} - 1", count="v3") == Binary("-", "v3", 1)
    assert fill("not {0}", "c") == Unary("not", "c") and fill("{0}", 5) == 5
    assert read("int8(-3)") == Constant(-3, np.dtype("i1"))


@pytest.mark.parametrize("text", ["", "a +", "f(a", "a b", "(a", "f(a b)", "a ? b", "a[0]", ")"])
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(SyntaxError, match="no formula"):
        read(text)


def test_every_row_has_formulas() -> None:
    for row in ops.ELEMENTWISE.values():
        for formula in filter(None, (row.cpu, row.wide, row.near, row.far, row.trap)):
            text = Text()
            text.expression(read(formula))
            assert set(called(formula)) == set(text.calls)
