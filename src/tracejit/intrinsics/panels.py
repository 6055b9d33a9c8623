"""Panels: what lies across the rows of an array, side by side in memory of its own.

A panel has a row for each of a few places along the array's last axis, and a column for each of
the lines that go side by side. Four by four elements are turned in registers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.intrinsics.blocks import LINE_BYTES
from tracejit.intrinsics.define import define
from tracejit.lower.interchange import SIDE_BY_SIDE

#: Lines that go side by side.
LANES = 1 << SIDE_BY_SIDE
#: Bytes that are fetched while others are worked on, at most: more would not stay until then; and
#: how far ahead along a row where there are more.
_MOST, _AHEAD = 1 << 16, 1 << 10
#: Elements that are turned at a time, each way.
_TILE = 4
_INT, _FLAG, _BYTE = ir.IntType(64), ir.IntType(32), ir.IntType(8)
_BYTES = _BYTE.as_pointer()


@functools.cache
def pack(ndim: int) -> Any:
    """The intrinsic ``pack(panel, array, *line, lines, place, row, count, ahead)``.

    So many rows of a panel become what an array of `ndim` axes has for some lines, from one on;
    the panel's first row is for a place of its last axis. Where `ahead` is 1 or -1, what follows is
    fetched, or what goes before. The last line stands for those that are missing in the panel.
    """
    return _mover(f"pack_{ndim}", ndim, _filler)


@functools.cache
def unpack(ndim: int) -> Any:
    """The intrinsic ``unpack(panel, array, *line, lines, place, row, count, ahead)``, back."""
    return _mover(f"unpack_{ndim}", ndim, _emptier)


def _mover(name: str, ndim: int, function: Callable[[Any, int], ir.Function]) -> Any:
    def result(panel: Any, array: Any, *numbers: Any) -> Any:
        fits = isinstance(panel, types.Array) and isinstance(array, types.Array)
        fits = fits and array.ndim == ndim and panel.dtype == array.dtype
        return types.boolean if fits and all(ty == types.int64 for ty in numbers) else None

    def emit(
        context: Any,
        b: ir.IRBuilder,
        tys: Any,
        panel: ir.Value,
        array: ir.Value,
        *numbers: ir.Value,
    ) -> ir.Value:
        to, of = (
            context.make_array(ty)(context, b, a)
            for ty, a in zip(tys, (panel, array), strict=False)
        )
        line, (lines, place, row, count, ahead) = numbers[: ndim - 1], numbers[ndim - 1 :]
        size = context.get_abi_sizeof(of.data.type.pointee)
        strides = cgutils.unpack_tuple(b, of.strides, ndim)
        start = b.bitcast(of.data, _BYTES)
        for i, stride in zip(line, strides, strict=False):
            start = b.gep(start, [b.mul(i, stride)])
        start = b.gep(start, [b.mul(b.add(place, row), _INT(size))])
        rows = b.gep(b.bitcast(to.data, _BYTES), [b.mul(row, _INT(LANES * size))])
        whole = b.mul(_INT(LANES), strides[-2])
        few = b.icmp_unsigned("<=", whole, _INT(_MOST))
        far = b.select(few, whole, b.mul(ahead, _INT(_AHEAD)))
        far = b.select(b.icmp_signed("==", ahead, _INT(0)), _INT(0), far)
        b.call(function(b.module, size), [rows, start, strides[-2], lines, count, far])
        return ir.Constant(ir.IntType(1), 0)

    return define(name, 6 + ndim, result, emit, all_types=True, with_context=True)


# The functions that do so, one of each kind in a module -----------------------------------------


def _filler(module: Any, size: int) -> ir.Function:
    """``fill(panel, array, stride, lines, count, ahead)``, for elements of so many bytes."""

    def tile(m: _Moves, line: ir.Value, place: ir.Value) -> None:
        found = [m.load(m.array(line, place, t), _TILE) for t in range(_TILE)]
        for t, vector in enumerate(_turned(m.b, found)):
            m.store(vector, m.panel(line, place, t))

    def one(m: _Moves, line: ir.Value, place: ir.Value) -> None:
        m.store(m.load(m.array(line, place), 1), m.panel(line, place))

    return _function(module, "fill", size, tile, one, pads=True)


def _emptier(module: Any, size: int) -> ir.Function:
    """``empty(panel, array, stride, lines, count, ahead)``, for elements of so many bytes."""

    def tile(m: _Moves, line: ir.Value, place: ir.Value) -> None:
        found = [m.load(m.panel(line, place, t), _TILE) for t in range(_TILE)]
        for t, vector in enumerate(_turned(m.b, found)):
            m.store(vector, m.array(line, place, t))

    def one(m: _Moves, line: ir.Value, place: ir.Value) -> None:
        m.store(m.load(m.panel(line, place), 1), m.array(line, place))

    return _function(module, "empty", size, tile, one)


_Move = Callable[["_Moves", ir.Value, ir.Value], None]


class _Moves:
    """Addresses, loads and stores of a function that moves elements of `size` bytes."""

    def __init__(self, b: ir.IRBuilder, size: int, panel: ir.Value, array: ir.Value, stride: Any):
        self.b, self.size, self.stride = b, size, stride
        self.start, self.rows = array, panel

    def array(self, line: ir.Value, place: ir.Value, more: int = 0) -> ir.Value:
        """The address of a line's element, so many lines further on."""
        b = self.b
        along = b.mul(b.add(line, _INT(more)), self.stride)
        return b.gep(self.start, [b.add(along, b.mul(place, _INT(self.size)))])

    def panel(self, line: ir.Value, place: ir.Value, more: int = 0) -> ir.Value:
        """The address of a line's element in the panel, so many places further on."""
        b = self.b
        row = b.mul(b.add(place, _INT(more)), _INT(LANES))
        return b.gep(self.rows, [b.mul(b.add(row, line), _INT(self.size))])

    def load(self, address: ir.Value, count: int) -> ir.Value:
        element: ir.Type = ir.IntType(8 * self.size)
        kind = ir.VectorType(element, count) if count > 1 else element
        return self.b.load(self.b.bitcast(address, kind.as_pointer()), align=1)

    def store(self, value: ir.Value, address: ir.Value) -> None:
        self.b.store(value, self.b.bitcast(address, value.type.as_pointer()), align=1)


def _turned(b: ir.IRBuilder, rows: Sequence[ir.Value]) -> list[ir.Value]:
    """The columns of four vectors of four."""

    def mixed(x: ir.Value, y: ir.Value, *lanes: int) -> ir.Value:
        return b.shuffle_vector(x, y, ir.Constant(ir.VectorType(_FLAG, _TILE), list(lanes)))

    low = [mixed(rows[k], rows[k + 1], 0, 4, 2, 6) for k in (0, 2)]
    high = [mixed(rows[k], rows[k + 1], 1, 5, 3, 7) for k in (0, 2)]
    return [mixed(*pair, *lanes) for lanes in ((0, 1, 4, 5), (2, 3, 6, 7)) for pair in (low, high)]


def _function(
    module: Any, name: str, size: int, tile: _Move, one: _Move, pads: bool = False
) -> ir.Function:
    """What moves all, by tiles as far as there are whole ones."""
    name = f"tracejit_{name}_panel_{size}"
    if name in module.globals:
        return module.globals[name]
    kind = ir.FunctionType(ir.VoidType(), [_BYTES, _BYTES, *[_INT] * 4])
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    function.attributes.add("optsize")  # tiles are vectors already; the rest is little
    panel, array, stride, lines, count, ahead = function.args
    for pointer in (panel, array):
        pointer.add_attribute("noalias")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    moves = _Moves(b, size, panel, array, stride)
    whole, rest = _INT(0), _INT(0)
    if size in (4, 8):
        whole, rest = (b.and_(n, _INT(-_TILE)) for n in (lines, count))
        with cgutils.for_range_slice(b, _INT(0), whole, _INT(_TILE), inc=True) as (line, _):
            with cgutils.for_range_slice(b, _INT(0), rest, _INT(_TILE), inc=True) as (place, _):
                _fetch(moves, line, place, ahead)
                tile(moves, line, place)
            with cgutils.for_range_slice(b, rest, count, _INT(1), inc=True) as (place, _):
                for t in range(_TILE):
                    one(moves, b.add(line, _INT(t)), place)
    with (
        cgutils.for_range_slice(b, whole, lines, _INT(1), inc=True) as (line, _),
        cgutils.for_range_slice(b, _INT(0), count, _INT(1), inc=True) as (place, _),
    ):
        one(moves, line, place)
    if pads:
        _pad(moves, lines, count)
    b.ret_void()
    return function


def _pad(m: _Moves, lines: ir.Value, count: ir.Value) -> None:
    """Repeat the last line of a panel in place of those that there are not."""
    b = m.b
    last = b.sub(lines, _INT(1))
    with (
        cgutils.for_range_slice(b, lines, _INT(LANES), _INT(1), inc=True) as (line, _),
        cgutils.for_range_slice(b, _INT(0), count, _INT(1), inc=True) as (place, _),
    ):
        m.store(m.load(m.panel(last, place), 1), m.panel(line, place))


def _fetch(m: _Moves, line: ir.Value, place: ir.Value, ahead: ir.Value) -> None:
    """Have lines of the cache fetched that lie ahead of a tile, each once."""
    b = m.b
    kind = ir.FunctionType(ir.VoidType(), [_BYTES, _FLAG, _FLAG, _FLAG])
    touch = b.module.declare_intrinsic("llvm.prefetch", [_BYTES], kind)
    first = b.icmp_unsigned("==", b.and_(place, _INT(LINE_BYTES // m.size - 1)), _INT(0))
    with b.if_then(first):
        for t in range(_TILE):
            b.call(touch, [b.gep(m.array(line, place, t), [ahead]), _FLAG(0), _FLAG(2), _FLAG(1)])
