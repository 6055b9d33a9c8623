"""Write docs/operations.md: what is compiled, for which dtypes, and what falls back.

    python tools/op_table.py          write the page
    python tools/op_table.py --check  fail where the page is not what this would write

Each cell is found by tracing a small example, scheduling it for arrays in C order, in Fortran order
and strided, and looking at the source that would be compiled. Nothing is compiled.
"""

from __future__ import annotations

import argparse
import contextlib
import linecache
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.fft
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.signal
import scipy.spatial.distance
import scipy.special
import scipy.stats
from op_examples import (
    ALIASES,
    EXAMPLES,
    FALLBACKS,
    FFT,
    LINALG,
    REDUCE_ONLY,
    SCIPY_DISTANCE,
    SCIPY_FFT,
    SCIPY_INTEGRATE,
    SCIPY_LINALG,
    SCIPY_NDIMAGE,
    SCIPY_SIGNAL,
    SCIPY_STATS,
    WRITES,
)

import tracejit
from tracejit.arrays import CREATORS, FUNCTIONS
from tracejit.call.sharing import shared
from tracejit.call.slow import path_for
from tracejit.capture.namespace import replacement
from tracejit.cpu.emit.emitter import emit
from tracejit.cpu.target import CPU
from tracejit.errors import NotTraceable, UnsupportedError, take_refusal
from tracejit.ir import build, interpret, ops
from tracejit.ir.graph import Graph
from tracejit.ir.simplify import simplify
from tracejit.ir.types import DTYPES
from tracejit.lower.executable import _own_outputs
from tracejit.lower.kernel.verify import verify
from tracejit.lower.program import Program
from tracejit.lower.registry import register, target
from tracejit.lower.schedule import schedule
from tracejit.plan.prologue import is_length
from tracejit.theano.flags import change_flags
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
LAYOUTS = "CFA"

#: The columns: dtypes that are one column, and the dtype that stands for it in the longer tables.
COLUMNS: dict[str, tuple[str, ...]] = {
    "bool": ("bool",),
    "int": ("int64", "int32", "int16", "int8"),
    "uint": ("uint8", "uint16", "uint32", "uint64"),
    "float16": ("float16",),
    "float32": ("float32",),
    "float64": ("float64",),
    "complex": ("complex128", "complex64"),
}
NONE, INLINE, LOOP, VIEW, FIXED = "–", "inline", "loop", "view", "fixed"
#: What a cell may hold beside a reason for falling back.
COMPILED = (INLINE, LOOP, VIEW, FIXED)
#: Headers by which a kernel calls NumPy's or SciPy's loops.
CALLS = ("ufunc_loop(", "ufunc_over(", "matmul_loop(", "sort_rows(", "gufunc(")

assert sorted(d for c in COLUMNS.values() for d in c) == sorted(d.name for d in DTYPES)


@dataclass
class Row:
    """One line of a table: the name shown, and a cell for each column."""

    name: str
    cells: dict[str, str] = field(default_factory=dict)


# One cell -----------------------------------------------------------------------------------------


def examples(dtype: np.dtype[Any]) -> dict[str, np.ndarray]:
    """The arguments of examples: `x`, `y` of the dtype, indices `i`, a mask `m`, rows `v`, `w`."""
    x = (np.arange(12).reshape(3, 4) % 5).astype(dtype)
    return {
        "x": x,
        "y": (x + dtype.type(1)).astype(dtype),
        "v": x[0].copy(),
        "w": x[1].copy(),
        "s": x[:, :3].copy(),
        "m": np.arange(12).reshape(3, 4) % 2 == 0,
        "i": np.array([2, 0, 1]),
        "k": np.ones((3, 4), np.int64),
        "h": x[:, 1].copy(),
    }


def traced(
    call: Callable[..., Any], arrays: dict[str, np.ndarray]
) -> tuple[Graph, frozenset[int]] | None:
    """The graph of ``call(**arrays)`` and which outputs are views of arguments.

    None where the result is made of dtypes, ranks and sizes alone.
    Raises NotTraceable where the call falls back.
    """
    trace = Trace()
    trace.decisions.first_part = lambda truth: interpret.evaluate([truth], trace.values)[0]
    variables = {name: trace.input(array, name) for name, array in arrays.items()}
    take_refusal()
    with build.use_solver(trace):
        result = call(**variables)
        refusal = take_refusal()
        if refusal is not None:
            raise refusal
        found = [v for v in _variables(result) if v.kind != "number" or not is_length(v.node)]
        views, bases = shared(found)
    if not found:
        return None
    return trace.graph([*(v.node for v in found), *bases]), frozenset(views)


def _variables(result: Any) -> Iterator[Tracer]:
    if isinstance(result, Tracer):
        yield result
    elif isinstance(result, (tuple, list)):
        for item in result:
            yield from _variables(item)


def scheduled(graph: Graph, aliases: frozenset[int], layout: str) -> Program:
    """The loop program of a graph whose array inputs have `layout`."""
    graph = _own_outputs(simplify(graph), aliases)
    layouts = {
        node.attr[0]: "C" if layout == "F" and node.ndim == 1 else layout for node in graph.inputs
    }
    return schedule(graph, layouts, target(), aliases)


def verdict(call: Callable[..., Any], arrays: dict[str, np.ndarray]) -> str:
    """How ``call(**arrays)`` is carried out: one of COMPILED, or why it falls back."""
    try:
        found = traced(call, arrays)
    except NotTraceable as refusal:
        return f"falls back: {refusal.reason}"
    if found is None:
        return FIXED
    graph, aliases = found
    if len(aliases) == len(graph.outputs):
        return VIEW
    answers = {_program_verdict(scheduled(graph, aliases, layout)) for layout in LAYOUTS}
    # A product with a vector is a sum along the rows of memory, and a library's call across them.
    assert len(answers) == 1 or answers == {INLINE, LOOP}, f"the layouts differ: {answers}"
    return LOOP if LOOP in answers else answers.pop()


def _program_verdict(program: Program) -> str:
    source = emit(program)
    verify(source.kernel)
    return LOOP if any(call in source.text for call in CALLS) else INLINE


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Examples divide by zero, and SciPy deprecates some of its loops."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# Elementwise rows -------------------------------------------------------------------------------


def operand_dtypes(ufunc: np.ufunc, dtype: np.dtype[Any]) -> list[np.dtype[Any]] | None:
    """The dtypes of operands for which `ufunc` has a loop, as many as can be being `dtype`."""
    choices = [[dtype] * ufunc.nin]
    for types in ufunc.types:
        left = types.split("->")[0]
        if any(c in "lqi" for c in left) and any(c not in "lqi" for c in left):
            choices.append([np.dtype(np.int64) if c in "lqi" else dtype for c in left])
    for choice in choices:
        try:
            found = ufunc.resolve_dtypes((*choice, *(None,) * ufunc.nout))
        except TypeError:
            continue
        if all(d in DTYPES for d in found):
            return choice
    return None


def ufunc_verdict(ufunc: np.ufunc, dtype: np.dtype[Any]) -> str:
    """The cell of a ufunc."""
    with quiet():
        operands = operand_dtypes(ufunc, dtype)
    if operands is None:
        return NONE
    names = [f"a{k}" for k in range(ufunc.nin)]
    arrays = {n: np.ones((3, 4), d) for n, d in zip(names, operands, strict=True)}
    return verdict(lambda **a: ufunc(*a.values()), arrays)


def _column(names: tuple[str, ...], answer: Callable[[np.dtype[Any]], str]) -> str:
    """One cell for several dtypes: their common answer, or each answer with its dtypes."""
    by_answer: dict[str, list[str]] = {}
    for name in names:
        by_answer.setdefault(answer(np.dtype(name)), []).append(name)
    if len(by_answer) == 1:
        return next(iter(by_answer))
    return "; ".join(f"{a} ({', '.join(n)})" for a, n in by_answer.items())


def row_of(name: str, answer: Callable[[np.dtype[Any]], str], every: bool = False) -> Row:
    """A row by its answer for a dtype: for every dtype, or for the first of each column."""
    row = Row(name)
    for column, names in COLUMNS.items():
        row.cells[column] = _column(names if every else names[:1], answer)
    return row


def numpy_ufuncs() -> dict[str, np.ufunc]:
    """NumPy's ufuncs by name, each once."""
    found: dict[str, np.ufunc] = {}
    for name in sorted(dir(np)):
        ufunc = getattr(np, name)
        if isinstance(ufunc, np.ufunc) and ufunc not in found.values():
            found[ufunc.__name__ if hasattr(np, ufunc.__name__) else name] = ufunc
    return dict(sorted(found.items()))


def special_ufuncs() -> dict[str, np.ufunc]:
    """The ufuncs of scipy.special with one output and a loop for float64, which NumPy lacks."""
    found = {}
    for name in sorted(dir(scipy.special)):
        ufunc = getattr(scipy.special, name)
        if not isinstance(ufunc, np.ufunc) or ufunc.nout != 1 or ufunc in found.values():
            continue
        with quiet():
            if operand_dtypes(ufunc, np.dtype(np.float64)) is not None:
                found[name] = ufunc
    return found


@cache
def elementwise_rows() -> list[Row]:
    """NumPy's ufuncs, and what is elementwise beside them."""
    rows = [
        row_of(name, lambda d, u=ufunc: ufunc_verdict(u, d), every=True)  # type: ignore[misc]
        for name, ufunc in numpy_ufuncs().items()
        if ufunc.signature is None
    ]
    for name in ("astype", "where", "real", "imag"):
        rows.append(row_of(name, lambda d, n=name: _example(n, d), every=True))  # type: ignore[misc]
    return [row for row in rows if set(row.cells.values()) != {NONE}]  # isnat takes dates alone


@cache
def special_rows() -> list[Row]:
    """The functions of scipy.special."""
    return [
        row_of(name, lambda d, u=ufunc: ufunc_verdict(u, d))  # type: ignore[misc]
        for name, ufunc in special_ufuncs().items()
    ]


# Reductions and functions -------------------------------------------------------------------------


def _example(name: str, dtype: np.dtype[Any]) -> str:
    return _expression(EXAMPLES.get(name, f"np.{name}(x)"), dtype)


#: What examples name.
MODULES: dict[str, Any] = {
    "np": np,
    "sl": scipy.linalg,
    "sf": scipy.fft,
    "nd": scipy.ndimage,
    "ss": scipy.signal,
    "st": scipy.stats,
    "si": scipy.integrate,
    "sd": scipy.spatial.distance,
}


def _expression(text: str, dtype: np.dtype[Any]) -> str:
    """The cell of an expression over `examples`."""
    code = compile(text, "<example>", "eval")
    arrays = {k: a for k, a in examples(dtype).items() if k in code.co_names}
    with quiet():
        try:
            eval(code, {**MODULES, "dtype": dtype}, dict(arrays))
        except np.linalg.LinAlgError:
            pass  # it is for other values
        except (TypeError, OverflowError, RuntimeError, ValueError):
            return NONE
    modules = {name: replacement(module) for name, module in MODULES.items()}

    def call(**variables: Tracer) -> Any:
        return eval(code, {**modules, "dtype": dtype}, variables)

    with quiet():
        found = verdict(call, arrays)
        return _decorated(text, arrays) if found.startswith("falls back") else found


def _decorated(text: str, arrays: dict[str, np.ndarray]) -> str:
    """The cell of an expression that a trace alone does not get through: with regions, and parts.

    That takes a function with a source.
    """
    lines = [f"def f({', '.join(arrays)}):\n", f"    return {text}\n"]
    file = f"<example {text}>"
    linecache.cache[file] = len("".join(lines)), None, lines, file
    scope: dict[str, Any] = dict(MODULES)
    exec(compile("".join(lines), file, "exec"), scope)
    own = tracejit.function(scope["f"], on_unsupported="error")
    try:
        with tracejit.config(compile=False):
            path: Any = path_for(own, (), arrays)
    except UnsupportedError as error:
        return f"falls back: {_told(error)['reason']}"
    answers = {_program_verdict(scheduled(path.graph, frozenset(), n)) for n in LAYOUTS}
    return LOOP if LOOP in answers else INLINE


@cache
def reduction_rows() -> list[Row]:
    """The rows of the reduction table, over the inner axis, the outer one and all."""
    rows = []
    for reduction in ops.REDUCTIONS.values():
        if reduction in ops.ARG_REDUCTIONS:
            text, name = f"np.{reduction.name}(x, axis=AXIS)", reduction.name
        else:
            name = f"{reduction.combine}.reduce"
            text = f"np.{reduction.combine}.reduce(x, axis=AXIS)"
        rows.append(_reduction(name, text))
    for name in REDUCE_ONLY:
        rows.append(_reduction(f"{name}.reduce", f"np.{name}.reduce(x, axis=AXIS)"))
    return sorted(rows, key=lambda row: row.name)


def _reduction(name: str, text: str) -> Row:
    def answer(dtype: np.dtype[Any]) -> str:
        axes = ("0", "1", "None") if name.split(".")[0] not in REDUCE_ONLY else ("0", "1")
        answers = {_expression(text.replace("AXIS", axis), dtype) for axis in axes}
        return answers.pop() if len(answers) == 1 else " or ".join(sorted(answers))

    return row_of(name, answer, every=True)


#: What is indexed, and not called.
GRIDS = {"mgrid", "ogrid"}


@cache
def function_rows() -> list[Row]:
    """NumPy's functions, generalised ufuncs included."""
    own = ("numpy.linalg", "numpy.fft")
    found = {
        f.__name__ for f in (*FUNCTIONS, *CREATORS) if callable(f) and f.__module__ not in own
    } | GRIDS
    names = {n for n in found if hasattr(np, n) or n in EXAMPLES}
    names |= {n for n, u in numpy_ufuncs().items() if u.signature is not None}
    names -= {"where", "real", "imag", "astype", "argmax", "argmin"}
    names = {ALIASES.get(n, n) for n in names}
    return [
        row_of(name, lambda d, n=name: _example(n, d))  # type: ignore[misc]
        for name in sorted(names)
    ]


@cache
def library_rows(name: str) -> list[Row]:
    """The rows of another module's functions, each of an example."""
    return [
        row_of(function, lambda d, t=text: _expression(t, d))  # type: ignore[misc]
        for function, text in LIBRARIES[name].items()
    ]


#: The modules that have tables of their own, with the examples of their functions.
LIBRARIES = {
    "numpy.linalg": LINALG,
    "numpy.fft": FFT,
    "scipy.linalg": SCIPY_LINALG,
    "scipy.fft": SCIPY_FFT,
    "scipy.ndimage": SCIPY_NDIMAGE,
    "scipy.signal": SCIPY_SIGNAL,
    "scipy.stats": SCIPY_STATS,
    "scipy.integrate": SCIPY_INTEGRATE,
    "scipy.spatial.distance": SCIPY_DISTANCE,
}

# Writes -----------------------------------------------------------------------------------------


@cache
def write_rows() -> list[Row]:
    """The rows of the table of statements."""
    register("source", Source)
    return [row_of(text, lambda d, t=text: _statement(t, d)) for text in WRITES]  # type: ignore[misc]


def _statement(text: str, dtype: np.dtype[Any]) -> str:
    """The cell of a statement that writes into `x`: for three layouts of that, one answer."""
    given = examples(dtype)
    code = compile(text, "<example>", "exec")
    names = [n for n in given if n in code.co_names]
    scope: dict[str, Any] = {"np": np}
    exec(f"def f({', '.join(names)}):\n    {text}\n", scope)
    answers = []
    for layout in LAYOUTS:
        arrays = {n: given[n].copy() for n in names}
        arrays["x"] = _laid_out(arrays["x"], layout)
        with quiet():
            try:
                scope["f"](**{n: a.copy() for n, a in arrays.items()})
            except TypeError:
                return NONE
            answers.append(_written(scope["f"], arrays))
    first, *others = dict.fromkeys(answers)
    assert len(others) <= 1, f"the layouts differ: {answers}"
    return f"{first} in C order, else {others[0]}" if others else first


def _laid_out(x: np.ndarray, layout: str) -> np.ndarray:
    if layout == "A":
        return np.repeat(x, 2, axis=1)[:, ::2]
    return np.array(x, order="F" if layout == "F" else "C")


class Source(CPU):
    """The CPU, for which source is written and nothing compiled."""

    def compile(self, *_: Any) -> tuple[Any, bool]:
        return None, False


def _written(function: Callable[..., Any], arrays: dict[str, np.ndarray]) -> str:
    own = tracejit.function(function, on_unsupported="error")
    try:
        with change_flags(device="source"):
            path: Any = path_for(own, (), arrays)
    except UnsupportedError as error:
        return f"falls back: {_told(error)['reason']}"
    text = path.executable.emitted.text
    return LOOP if any(call in text for call in CALLS) else INLINE


def _told(error: UnsupportedError) -> dict[str, str]:
    """What an error says: the reason, and the way out."""
    return dict(
        line.strip().split(": ", 1)
        for line in str(error).splitlines()
        if line.startswith(("  reason: ", "  way out: "))
    )


# Falling back -------------------------------------------------------------------------------------


def refusal_of(body: str) -> tuple[str, str]:
    """(reason, way out) of a function with this body that takes ``x``."""
    scope: dict[str, Any] = {"np": np, "scipy": scipy, "math": math}
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    exec(compile(f"def f(x):\n{lines}", "<example>", "exec"), scope)
    f = tracejit.function(scope["f"], on_unsupported="error")
    with tracejit.config(compile=False, debug=0, check=False), quiet():
        try:
            f(np.arange(12.0).reshape(3, 4))
        except UnsupportedError as error:
            found = _told(error)
            return found["reason"], found.get("way out", "")
    return "", ""


def missing_functions() -> list[str]:
    """NumPy functions that dispatch, and that no table has."""
    found = []
    for name in sorted(dir(np)):
        f = getattr(np, name)
        if hasattr(f, "_implementation") and f not in FUNCTIONS and f not in CREATORS:
            found.append(name)
    return found


def missing_special() -> list[str]:
    """Ufuncs of scipy.special that no row of ours has."""
    compiled = set(special_ufuncs().values())
    everything = {name: getattr(scipy.special, name) for name in sorted(dir(scipy.special))}
    others = {n: u for n, u in everything.items() if isinstance(u, np.ufunc) and u not in compiled}
    return [n for n, u in others.items() if ops.rows_of(u) is None]


# The page ---------------------------------------------------------------------------------------


class Notes:
    """Reasons for falling back, numbered as they are met."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cell(self, text: str) -> str:
        """A cell for the page: a reason becomes the number of a note."""
        before, refused, reason = text.partition("falls back: ")
        if not refused:
            return text
        number = self.numbers.setdefault(reason, len(self.numbers) + 1)
        return f"{before}falls back [{number}]"


def table(rows: list[Row], notes: Notes) -> list[str]:
    """Rows as a Markdown table."""
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for row in rows:
        cells = " | ".join(notes.cell(row.cells[c]) for c in COLUMNS)
        lines.append(f"| `{row.name}` | {cells} |")
    return lines


def _wrapped(names: list[str], width: int = 98) -> list[str]:
    lines, line = [], ""
    for k, name in enumerate(names):
        word = f"`{name}`" + ("," if k + 1 < len(names) else ".")
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]


HEAD = f"""\
# What is compiled, and what falls back

Written by `python tools/op_table.py`; a test compares. Every cell comes from tracing an example and
scheduling it three times, for arrays in C order, in Fortran order and with other strides. The three
agreed in every cell, so that layouts have no columns of their own.

* `{INLINE}`: expressions of ours in the compiled loop; fused with what is around it.
* `{LOOP}`: at least one step calls NumPy's or SciPy's own compiled loop. Over arrays that is a pass
  of its own over memory in C order; an operand in another layout is copied first.
* `{VIEW}`: index arithmetic. A result that is such a view of an argument is NumPy's view.
* `{FIXED}`: answered from dtypes, ranks and sizes.
* `{NONE}`: NumPy has no loop for the dtype, and its error is raised.
* `falls back [n]`: the call runs in plain NumPy, for the reason with that number below.

`int` stands for int64 to int8, `uint` for uint8 to uint64, `complex` for complex128 and complex64.
Elementwise functions and reductions were tried with all of them, the other tables with the first.
All operands have the column's dtype, unless the function has loops for integers only at some place.

What *inline* gives in accuracy is in [numerics.md](numerics.md).
"""

WRITES_HEAD = """\
Statements that write into an argument `x`, which is in C order, in Fortran order, or a part of a
larger array. Writes into arrays that the function has made, into captured ones and views of either
are compiled alike; the caller's array holds the result.
"""

OTHERS = """\
Arguments that are subclasses of arrays (masked arrays, matrices), arrays of other dtypes (text,
objects, records, long double, swapped bytes) and instances of classes that are neither
dataclasses nor named tuples fall back too. Dates and durations have
[a list of their own](compiles.md#dates-and-durations).
"""


def page() -> str:
    """The page."""
    notes = Notes()
    lines = [HEAD, "## Elementwise functions", ""]
    lines += [*table(elementwise_rows(), notes), ""]
    lines += ["## Reductions", "", "Over the last axis, the first, and all.", ""]
    lines += [*table(reduction_rows(), notes), ""]
    lines += ["## Functions", ""]
    shown = [f"`{EXAMPLES[row.name]}`" for row in function_rows() if row.name in EXAMPLES]
    lines += [
        "Each was tried in one form; other arguments can change the answer. Where that form is not",
        f"just `f(x)`, it was one of these: {', '.join(shown)}.",
        "",
    ]
    lines += [*table(function_rows(), notes), ""]
    for name in LIBRARIES:
        shown = [f"`{text}`" for text in LIBRARIES[name].values()]
        lines += [f"## {name}", "", f"Tried were {', '.join(shown)}.", ""]
        lines += [*table(library_rows(name), notes), ""]
    lines += ["## Writes", "", *WRITES_HEAD.splitlines(), ""]
    lines += [*table(write_rows(), notes), ""]
    lines += ["## scipy.special", "", "Functions with one output and a loop for float64.", ""]
    lines += [*table(special_rows(), notes), ""]
    lines += ["## What falls back", ""]
    if notes.numbers:
        lines += ["From the tables above:", ""]
        lines += [f"{number}. {reason}" for reason, number in notes.numbers.items()]
        lines += [""]
    lines += ["| in a function of `x` | reason | way out |", "|---|---|---|"]
    for body in FALLBACKS:
        reason, hint = refusal_of(body)
        assert reason, f"this does not fall back: {body}"
        code = "; ".join(f"`{line}`" for line in body.replace("|", "\\|").split("\n"))
        lines.append(f"| {code} | {reason} | {hint} |")
    lines += ["", OTHERS]
    lines += ["NumPy's functions that no table has:", "", *_wrapped(missing_functions()), ""]
    lines += ["Ufuncs of scipy.special that no table has:", "", *_wrapped(missing_special()), ""]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    text = page()
    if check:
        same = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE}: {'up to date' if same else 'out of date: run python tools/op_table.py'}")
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
