"""Products of matrices: by tiles in shared memory, four by four elements of which are a thread's.

Products with vectors are sums that a block of threads shares. The order of a sum is that of its
terms in each tile, or in each thread, whatever the grid is: the same bits at each run.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: Threads of a block; the rows and columns of a tile, and how many terms it has at a time.
THREADS, TILE, TERMS = 256, 64, 16
#: How many elements a block computes that goes through the terms by so many slices.
BESIDE, SLICES = 32, 8
_EACH = TILE // 16


class Numbers(NamedTuple):
    """How products are computed for a dtype: in shared memory it is another one for float16."""

    char: str
    zero: str
    load: str
    store: str


def numbers(dtype: np.dtype) -> Numbers:
    """How products of a dtype are computed."""
    char = dtype.char
    if dtype.kind == "b":
        return Numbers(char, "False", "{}", "{}")
    if char == "e":
        return Numbers("f", "float32(0.0)", "half_load({})", "half_store({})")
    return Numbers(char, f"{dtype.name}(0)", "{}", "{}")


def _at(array: str, place: Sequence[str], i: str, j: str) -> str:
    """The text of an element of a stack of matrices."""
    return f"{array}[{', '.join([*place, i, j])}]"


def _tile_of(batch: int, count: str) -> tuple[list[str], list[str]]:
    """The statements that find a group's place in the stack from `rest`; and the names of it."""
    places, lines = [], []
    rest = count
    for axis in range(batch - 1, 0, -1):
        lines.append(f"rest{axis} = idiv({rest}, n{axis})")
        lines.append(f"at{axis} = {rest} - rest{axis} * n{axis}")
        rest = f"rest{axis}"
    places = [rest, *(f"at{axis}" for axis in range(1, batch))] if batch else []
    return lines, places


def _head(name: str, kind: Numbers, shared: int, batch: int) -> list[str]:
    several = [f"n{axis}" for axis in range(batch)]
    parameters = ["a", "b", "out", "rows", "inner", "columns", *several]
    return [
        f'shared_{kind.char.replace("?", "t")} = shared("{kind.char}", {shared})',
        "",
        f"def {name}({', '.join(parameters)}):",
    ]


def _groups(batch: int, inner: str) -> str:
    return " * ".join([*(f"n{axis}" for axis in range(batch)), inner])


def _text(head: list[str], body: Sequence[str]) -> str:
    return "\n".join(head) + "\n" + textwrap.indent("\n".join(body), "    ") + "\n"


def _in(depth: int, lines: Sequence[str]) -> list[str]:
    return ["    " * depth + line for line in lines]


def tiled(dtype: np.dtype, batch: int) -> str:
    """``matmul(a, b, out, rows, inner, columns, *lengths)`` for stacks of `batch` axes."""
    kind = numbers(dtype)
    width = TERMS + 1  # so that a column lies in all banks
    make = f"shared_{kind.char.replace('?', 't')}()"
    head = _head("matmul", kind, TILE * width, batch)
    find, place = _tile_of(batch, "rest_down")
    each = range(_EACH)
    totals = [(m, n) for m in each for n in each]
    x = kind.load.format(_at("a", place, "i", "k"))
    y = kind.load.format(_at("b", place, "term", "j"))
    load = []
    for m in each:
        load += [
            f"i = first_row + r + {16 * m}",
            "k = step * 16 + s",
            f"v = {kind.zero}",
            "if i < rows and k < inner:",
            f"    v = {x}",
            f"p[(r + {16 * m}) * {width} + s] = v",
            "term = step * 16 + r",
            f"j = first_column + s + {16 * m}",
            f"w = {kind.zero}",
            "if term < inner and j < columns:",
            f"    w = {y}",
            f"q[(s + {16 * m}) * {width} + r] = w",
        ]
    terms = [f"x{m} = p[(r + {16 * m}) * {width} + n]" for m in each]
    terms += [f"y{n} = q[(s + {16 * n}) * {width} + n]" for n in each]
    terms += [f"total{m}{n} = add_product(total{m}{n}, x{m}, y{n})" for m, n in totals]
    store = []
    for m, n in totals:
        target = ", ".join([*place, f"first_row + r + {16 * m}", f"first_column + s + {16 * n}"])
        store += [
            f"if first_row + r + {16 * m} < rows and first_column + s + {16 * n} < columns:",
            f"    out[{target}] = {kind.store.format(f'total{m}{n}')}",
        ]
    return _text(
        head,
        [
            f"p = {make}",
            f"q = {make}",
            "t = thread()",
            "r = t >> 4",
            "s = t - r * 16",
            f"down = (rows + {TILE - 1}) >> 6",
            f"across = (columns + {TILE - 1}) >> 6",
            f"for group in over_groups({_groups(batch, 'down * across')}):",
            *_in(
                1,
                [
                    "rest_across = idiv(group, across)",
                    f"first_column = (group - rest_across * across) * {TILE}",
                    "rest_down = idiv(rest_across, down)",
                    f"first_row = (rest_across - rest_down * down) * {TILE}",
                    *find,
                    *(f"total{m}{n} = {kind.zero}" for m, n in totals),
                    "for step in range((inner + 15) >> 4):",
                    *_in(1, [*load, "together()", f"for n in range({TERMS}):", *_in(1, terms)]),
                    "    together()",
                    *store,
                ],
            ),
        ],
    )


def by_rows(dtype: np.dtype, batch: int) -> str:
    """The same for one column, where the terms of a row lie side by side: a block for each row."""
    kind = numbers(dtype)
    head = _head("matvec", kind, THREADS, batch)
    find, place = _tile_of(batch, "rest")
    x = kind.load.format(_at("a", place, "i", "k"))
    y = kind.load.format(_at("b", place, "k", "0"))
    adding = []
    half = THREADS // 2
    one = "logical_or({}, {})" if dtype.kind == "b" else "{} + {}"
    while half:
        adding += [
            f"if t < {half}:",
            f"    p[t] = {one.format('p[t]', f'p[t + {half}]')}",
            "together()",
        ]
        half //= 2
    target = ", ".join([*place, "i", "0"])
    return _text(
        head,
        [
            f"p = shared_{kind.char.replace('?', 't')}()",
            "t = thread()",
            f"for group in over_groups({_groups(batch, 'rows')}):",
            *_in(
                1,
                [
                    "rest = idiv(group, rows)",
                    "i = group - rest * rows",
                    *find,
                    f"total = {kind.zero}",
                    "for k in over_threads(inner):",
                    f"    total = add_product(total, {x}, {y})",
                    "p[t] = total",
                    "together()",
                    *adding,
                    "if t == 0:",
                    f"    out[{target}] = {kind.store.format('p[0]')}",
                    "together()",
                ],
            ),
        ],
    )


def by_slices(dtype: np.dtype, batch: int, column: bool) -> str:
    """The same for one `column`, or else one row, where neighbouring elements' terms are such.

    A block computes some elements, and its threads have a slice of the terms of one each.
    """
    kind = numbers(dtype)
    head = _head("skinny", kind, THREADS, batch)
    find, place = _tile_of(batch, "rest")
    i, j = ("e", "0") if column else ("0", "e")
    x = kind.load.format(_at("a", place, i, "k"))
    y = kind.load.format(_at("b", place, "k", j))
    one = "logical_or({}, {})" if dtype.kind == "b" else "{} + {}"
    target = ", ".join([*place, i, j])
    return _text(
        head,
        [
            f"p = shared_{kind.char.replace('?', 't')}()",
            "t = thread()",
            f"slice = t >> {BESIDE.bit_length() - 1}",
            f"count = {'rows' if column else 'columns'}",
            f"across = (count + {BESIDE - 1}) >> {BESIDE.bit_length() - 1}",
            f"for group in over_groups({_groups(batch, 'across')}):",
            *_in(
                1,
                [
                    "rest = idiv(group, across)",
                    f"e = (group - rest * across) * {BESIDE} + (t - slice * {BESIDE})",
                    *find,
                    f"total = {kind.zero}",
                    "if e < count:",
                    f"    for turn in range((inner - slice + {SLICES - 1}) >> 3):",
                    f"        k = turn * {SLICES} + slice",
                    f"        total = add_product(total, {x}, {y})",
                    "p[t] = total",
                    "together()",
                    "if slice == 0 and e < count:",
                    f"    for other in span(1, {SLICES}):",
                    f"        total = {one.format('total', f'p[other * {BESIDE} + t]')}",
                    f"    out[{target}] = {kind.store.format('total')}",
                    "together()",
                ],
            ),
        ],
    )
