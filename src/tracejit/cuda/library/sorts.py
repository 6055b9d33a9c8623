"""Sorts of rows: tiles in shared memory, then merges of runs that become twice as long each time.

An element's place in a merge is its place in its own run, and how many of the other run come
before, which it searches for. Of equal ones those of the first run come first: the sort is stable.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np

from tracejit.lower.emit.expressions import storage

#: Elements of a tile, and threads of a block: each has one of them.
TILE = 256


def _search(keys: str, offset: str, dtype: np.dtype) -> str:
    """What finds the `rank` of `mine` in two runs of ``1 << shift``; it is `at` its place there."""
    mine, other = "mine", "theirs"
    if dtype.char == "e":
        mine, other = "half_load(mine)", "half_load(theirs)"
    return f"""\
run = at >> shift
pair = run >> 1
odd = run - pair * 2
start = imin((run + 1 - 2 * odd) << shift, count)
low = start
high = imin(start + (1 << shift), count)
while True:
    if low >= high:
        break
    middle = (low + high) >> 1
    theirs = {keys}[{offset}middle]
    ahead = sorts_before({other}, {mine}) or (odd == 1 and not sorts_before({mine}, {other}))
    if ahead:
        low = middle + 1
    else:
        high = middle
rank = (pair << (shift + 1)) + (at - (run << shift)) + (low - start)
"""


def _indented(text: str, depth: int) -> str:
    return textwrap.indent(text, "    " * depth)


def tiles(dtype: np.dtype, positions: bool) -> str:
    """``sort_tiles(x, length, tiles, groups, out[, places])``: each tile of each row, sorted.

    With `positions`, what was where in its row goes into `places`.
    """
    char = dtype.char
    zero = "False" if dtype.kind == "b" else f"{storage(dtype).name}(0)"
    factories = [f'shared_{char.replace("?", "t")} = shared("{char}", {TILE})']
    if positions:
        factories.append(f'shared_places = shared("l", {TILE})')
    text = (
        "\n".join(factories)
        + f"""

def sort_tiles(x, length, tiles, groups, out{", places" if positions else ""}):
    p = shared_{char.replace("?", "t")}()
    {"q = shared_places()" if positions else ""}
    at = thread()
    for group in over_groups(groups):
        row = idiv(group, tiles)
        first = (group - row * tiles) * {TILE}
        count = imin({TILE}, length - first)
        base = row * length + first
        mine = {zero}
        place = first + at
        if at < count:
            mine = x[base + at]
            p[at] = mine
        together()
        for shift in range(8):
{_indented(_search("p", "", dtype), 3)}            together()
            if at < count:
                p[rank] = mine
                {"q[rank] = place" if positions else ""}
            together()
            if at < count:
                mine = p[at]
                {"place = q[at]" if positions else ""}
        if at < count:
            out[base + at] = mine
            {"places[base + at] = place" if positions else ""}
        together()
"""
    )
    return text


def merge(dtype: np.dtype, positions: bool) -> str:
    """``merge(keys, length, shift, out[, places, moved])``: runs of ``1 << shift``, by twos."""
    return f"""\
def merge(keys, count, shift, out{", places, moved" if positions else ""}):
    for i in over_x(keys.shape[0]):
        row = idiv(i, count)
        base = row * count
        at = i - base
        mine = keys[i]
{_indented(_search("keys", "base + ", dtype), 2)}        out[base + rank] = mine
        {"moved[base + rank] = places[i]" if positions else ""}
"""


def script(tile: str, merge: str, names: Mapping[str, object], positions: bool) -> str:
    """What the host does: the launches of these kernels, until runs are as long as rows.

    It begins in such memory that what comes last is in the result. The `names` are those of the
    host's values.
    """
    first, second = ("{out}, {places}", "{spare}, {other}") if positions else ("{out}", "{spare}")
    there, back = (
        ("{out}, {length}, {shift}, {spare}", "{spare}, {length}, {shift}, {out}")
        if not positions
        else (
            "{out}, {length}, {shift}, {spare}, {places}, {other}",
            "{spare}, {length}, {shift}, {out}, {other}, {places}",
        )
    )
    text = f"""\
{{odd}} = 0
{{shift}} = 8
while True:
    if (1 << {{shift}}) >= {{length}}:
        break
    {{odd}} = 1 - {{odd}}
    {{shift}} = {{shift}} + 1
if {{odd}} == 1:
    {tile}({{groups}}, 1, 1, {{x}}, {{length}}, {{tiles}}, {{groups}}, {second})
else:
    {tile}({{groups}}, 1, 1, {{x}}, {{length}}, {{tiles}}, {{groups}}, {first})
{{shift}} = 8
while True:
    if (1 << {{shift}}) >= {{length}}:
        break
    if {{odd}} == 1:
        {merge}({{size}}, 1, 1, {back})
    else:
        {merge}({{size}}, 1, 1, {there})
    {{odd}} = 1 - {{odd}}
    {{shift}} = {{shift}} + 1
"""
    return text.format_map(names)
