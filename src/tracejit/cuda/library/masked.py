"""What masks pick: how many there are, where they are, and what lies there.

A mask is looked through in tiles, by a block of threads each. First the true elements of each tile
are counted; then these counts are added up, so that each tile knows how many come before; then each
thread knows where the elements go that it picks.
"""

from __future__ import annotations

import textwrap

#: Threads of a block, and the elements of a tile: each thread takes so many that are neighbours.
THREADS, TILE, _EACH = 256, 2048, 8

#: Of `c`, which each thread has: in `part`, the sum of those of the threads up to it.
SUMS = """\
part[t] = c
together()
for step in range(8):
    far = 1 << step
    before = 0
    if t >= far:
        before = part[t - far]
    together()
    part[t] = part[t] + before
    together()
"""

_COUNTED = f"""\
first = tile * {TILE} + t * {_EACH}
last = imin(first + {_EACH}, mask.shape[0])
c = 0
for k in span(first, last):
    if mask[k]:
        c = c + 1
"""


def _kernel(name: str, parameters: str, *body: str) -> str:
    """The text of a kernel whose threads have numbers in `part`."""
    head = f'shared_l = shared("l", {THREADS})\n\ndef {name}({parameters}):\n'
    lines = ["part = shared_l()", "t = thread()", *body]
    return head + textwrap.indent("\n".join(lines), "    ") + "\n"


def _each(body: str) -> str:
    return "for tile in over_groups(counts.shape[0] - 1):\n" + textwrap.indent(body, "    ")


#: ``count(mask, counts)``: how many are true in each tile.
COUNT = _kernel(
    "count",
    "mask, counts",
    _each(
        f"{_COUNTED}{SUMS}if t == {THREADS - 1}:\n    counts[tile] = part[t]\ntogether()\n",
    ),
)
#: ``add_up(counts)``: how many are true before each tile, and, last, in all; one block.
ADD_UP = _kernel(
    "add_up",
    "counts",
    "tiles = counts.shape[0] - 1",
    "total = 0",
    f"for row in range((tiles + {THREADS - 1}) >> 8):",
    f"    tile = row * {THREADS} + t",
    "    c = 0",
    "    if tile < tiles:",
    "        c = counts[tile]",
    textwrap.indent(SUMS, "    "),
    "    if tile < tiles:",
    "        counts[tile] = total + (part[t] - c)",
    f"    total = total + part[{THREADS - 1}]",
    "    together()",
    "if t == 0:",
    "    counts[tiles] = total",
)


def picked(name: str, parameters: str, do: str) -> str:
    """A kernel that does something for the true elements, `k` of the mask, `rank` of these."""
    loop = "for k in span(first, last):\n    if mask[k]:\n"
    loop += textwrap.indent(do, "        ") + "\n        rank = rank + 1\n"
    rank = "rank = counts[tile] + (part[t] - c)\n"
    return _kernel(
        name, f"mask, counts, {parameters}", _each(f"{_COUNTED}{SUMS}{rank}{loop}together()\n")
    )


def positions(ndim: int) -> str:
    """``positions(mask, counts, out, *lengths)``: where a mask of `ndim` axes is true, as rows."""
    if ndim == 1:
        return picked("positions", "out", "out[rank] = k")
    lengths = [f"n{axis}" for axis in range(1, ndim)]
    lines, rest = [], "k"
    for axis in range(ndim - 1, 0, -1):
        lines.append(f"rest{axis} = idiv({rest}, n{axis})")
        lines.append(f"out[rank * {ndim} + {axis}] = {rest} - rest{axis} * n{axis}")
        rest = f"rest{axis}"
    lines.append(f"out[rank * {ndim}] = {rest}")
    return picked("positions", ", ".join(["out", *lengths]), "\n".join(lines))


def _moved(target: str, source: str, rows: bool) -> str:
    """An element, or a row of so many, from one place to another."""
    if not rows:
        return f"out[{target}] = x[{source}]"
    return f"for j in range(row):\n    out[{target} * row + j] = x[{source} * row + j]"


def compress(rows: bool) -> str:
    """``compress(mask, counts, x, out[, row])``: what an array has where the mask is true."""
    parameters = "x, out, row" if rows else "x, out"
    return picked("compress", parameters, _moved("rank", "k", rows))


def put(rows: bool, again: bool) -> str:
    """``put(mask, counts, x, out[, row])``: elements of `x`, in order, where the mask is true.

    Where there are fewer, they are put `again`.
    """
    parameters = "x, out, row" if rows else "x, out"
    source = "rank"
    if again:
        source = "rank % imax(x.shape[0], 1)"
    end = "(source + 1) * row" if rows else "source + 1"
    body = textwrap.indent(_moved("k", "source", rows), "    ")
    return picked("put", parameters, f"source = {source}\nif {end} <= x.shape[0]:\n{body}")


def put_number(rows: bool) -> str:
    """``put_number(mask, x, out[, row])``: a number where the mask is true."""
    if not rows:
        body, parameters = "            out[k] = x\n", "mask, x, out"
    else:
        body = "            for j in range(row):\n                out[k * row + j] = x\n"
        parameters = "mask, x, out, row"
    return (
        f"def put_number({parameters}):\n"
        "    for k in over_x(mask.shape[0]):\n"
        f"        if mask[k]:\n{body}"
    )
