"""Sorts of rows in memory, as kernels and what launches them."""

from __future__ import annotations

import numpy as np

from tracejit.cuda.emit.launching import Launching
from tracejit.cuda.library import sorts
from tracejit.cuda.source import ParameterKind
from tracejit.lower.emit.expressions import storage
from tracejit.lower.kernel.statements import Binary, Call, Expr, Group

_NUMBER = ParameterKind(np.dtype(np.int64))
_PLACES = _NUMBER._replace(ndim=1, layout="C", written=True)


def emit_sort(
    host: Launching,
    x: Expr,
    dtype: np.dtype,
    size: Expr,
    length: Expr,
    result: Expr,
    positions: bool = False,
) -> Expr:
    """Emit a sort of rows of a `length` in an array of a `size` into the `result`.

    Or, of `positions`, of where the elements were. It gives the array of the sorted elements.
    """
    keys = ParameterKind(storage(dtype), 1, "C", True)
    tiles, groups = host.fresh("v"), host.fresh("v")
    width = sorts.TILE
    count = Binary(">>", Group(Binary("+", length, width - 1)), width.bit_length() - 1)
    host.path[-1].assign(tiles, count)
    rows = Call("idiv", (size, Call("imax", (length, 1))))
    host.path[-1].assign(groups, Binary("*", rows, tiles))
    out = host.temporary(dtype.char, size) if positions else result
    names = {
        "x": x,
        "size": size,
        "length": length,
        "tiles": tiles,
        "groups": groups,
        "out": out,
        "spare": host.temporary(dtype.char, size),
        **{name: host.fresh("v") for name in ("odd", "shift")},
    }
    first = keys._replace(written=False)
    kinds, moved = [first, _NUMBER, _NUMBER, _NUMBER, keys], [first, _NUMBER, _NUMBER, keys]
    if positions:
        names |= {"places": result, "other": host.temporary("l", size)}
        kinds.append(_PLACES)
        moved += [_PLACES._replace(written=False), _PLACES]
    tile = host.written_kernel(sorts.tiles(dtype, positions), kinds, width)
    merge = host.written_kernel(sorts.merge(dtype, positions), moved)
    host.script(sorts.script(tile, merge, names, positions))
    return out
