"""docs/operations.md is what the tables say, and every row of the tables is compiled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tracejit.ir import build, ops
from tracejit.ir.types import DTYPES

TOOLS = Path(__file__).resolve().parent.parent / "tools"
REAL = [d for d in DTYPES if d.kind != "c"]


@pytest.fixture(scope="module")
def op_table() -> Iterator[Any]:
    sys.path.insert(0, str(TOOLS))
    try:
        import op_table

        yield op_table
    finally:
        sys.path.remove(str(TOOLS))


#: What is Python's for some dtypes or values, and told by the page.
OPEN = {"average", "histogram2d", "histogramdd", "roots"}


def test_the_page_is_up_to_date(op_table: Any) -> None:
    assert op_table.PAGE.read_text(encoding="utf-8") == op_table.page(), (
        "run python tools/op_table.py, and look at the difference"
    )


@pytest.mark.parametrize("rows", ["elementwise", "special", "reduction", "function"])
def test_every_row_is_compiled_for_every_real_dtype(op_table: Any, rows: str) -> None:
    """In every layout: a cell is one only if the layouts agree."""
    rows = getattr(op_table, f"{rows}_rows")()
    assert len(rows) >= 18
    allowed = {*op_table.COMPILED, op_table.NONE}
    for row in rows:
        for column, cell in row.cells.items():
            if column != "complex" and row.name not in OPEN:
                assert set(cell.split(" or ")) <= allowed, f"{row.name}, {column}: {cell}"


@pytest.mark.parametrize("name", ["numpy.linalg", "numpy.fft"])
def test_every_function_of_a_module_is_compiled(op_table: Any, name: str) -> None:
    module = np.linalg if name == "numpy.linalg" else np.fft
    functions = {n for n in module.__all__ if n not in ("LinAlgError", "test")}
    assert {row.name for row in op_table.library_rows(name)} == functions
    for row in op_table.library_rows(name):
        for column, cell in row.cells.items():
            assert cell in (*op_table.COMPILED, op_table.NONE), f"{row.name}, {column}: {cell}"


def test_every_statement_that_writes_is_compiled_but_those_that_the_page_names(
    op_table: Any,
) -> None:
    others = {"x.reshape(-1)[i] = h", "x.real = y"}
    rows = {row.name: set(row.cells.values()) for row in op_table.write_rows()}
    assert {n for n, cells in rows.items() if not cells <= {"inline", "loop", "–"}} == others


def test_rows_are_compiled_wherever_numpy_has_a_loop(op_table: Any) -> None:
    """What the page calls "no loop" is asked from NumPy here."""
    cells = {row.name: row.cells for row in op_table.elementwise_rows()}
    columns = {name: column for column, names in op_table.COLUMNS.items() for name in names}
    asked = 0
    for row in ops.ELEMENTWISE.values():
        if row.module != "numpy" or row in (ops.CAST, ops.WHERE, ops.REAL, ops.IMAG):
            continue
        for dtype in REAL:
            try:
                build.resolve(row.ufunc, (dtype,) * row.nin)
            except TypeError:
                continue
            asked += 1
            assert cells[row.ufunc.__name__][columns[dtype.name]] in op_table.COMPILED
    assert asked > 600


def test_every_function_of_the_tables_has_a_line(op_table: Any) -> None:
    shown = {row.name for row in op_table.function_rows()}
    shown |= {row.name for row in op_table.elementwise_rows()}
    shown |= {row.name for row in op_table.reduction_rows()}
    for name in op_table.LIBRARIES:
        shown |= {row.name for row in op_table.library_rows(name)}
    called = filter(callable, (*op_table.FUNCTIONS, *op_table.CREATORS))
    for function in called:
        name = op_table.ALIASES.get(function.__name__, function.__name__)
        assert name in shown or not hasattr(np, name), name


def test_a_cell_is_found_by_trying(op_table: Any) -> None:
    double = np.dtype(np.float64)
    assert op_table._expression("x + y", double) == op_table.INLINE
    assert op_table._expression("np.nextafter(x, y)", double) == op_table.LOOP
    assert op_table._expression("x.T", double) == op_table.VIEW
    assert op_table._expression("x.ndim", double) == op_table.FIXED
    assert op_table._expression("~x", double) == op_table.NONE
    assert op_table._expression("np.array2string(x)", double).startswith("falls back: ")
