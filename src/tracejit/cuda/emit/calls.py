"""What a program does by whole arrays: kernels that are written as text, one after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from tracejit.cuda.emit.draws import draw
from tracejit.cuda.emit.launching import Launching, Operand
from tracejit.cuda.emit.ordering import emit_sort
from tracejit.cuda.library import masked, products
from tracejit.cuda.library.external import has
from tracejit.cuda.library.gufuncs import WAYS
from tracejit.cuda.packages import lacking
from tracejit.cuda.source import ParameterKind, scalar_kind
from tracejit.ir import dims, ops
from tracejit.ir.gufuncs import extents, row_of
from tracejit.ir.node import Node
from tracejit.lower.control import LEFT
from tracejit.lower.emit.expressions import loop_name, storage, stored
from tracejit.lower.kernel.statements import (
    Binary,
    Call,
    Element,
    Expr,
    Factory,
    Group,
)
from tracejit.lower.placement import in_memory, matrix_source
from tracejit.lower.program import Computation, Kind
from tracejit.lower.results import RESULT, results

_INT = np.dtype(np.int64)
_NUMBER = ParameterKind(_INT)
#: The kinds of sorts that leave equal elements in order, as all of ours do.
_STABLE = ("stable", "mergesort")
#: The dtypes whose products are those of cuBLAS, where it is there.
_BY_CUPY = "efdFD"
_COUNTS = ParameterKind(_INT, 1, "C", True)


class Calls:
    """Emits, for the host's function, what computes whole arrays."""

    def __init__(self, emitter: Launching) -> None:
        self.e = emitter
        #: By the node that says whether a call of a library's worked, the name of what denies it.
        self.failed: dict[Node, str] = {}

    def call(self, c: Computation) -> None:
        """Emit what computes `c`; NotTraceable where there is nothing that does."""
        if c.kind is Kind.MATMUL:
            self._matmul(c)
            return
        CALLS.get(c.value.op, Calls._ufunc)(self, c)

    def _gufunc(self, c: Computation) -> None:
        """A row of `ir/gufuncs.py`, by CuPy's: all results of the call, and whether it worked."""
        node = c.value
        row, (name, types, _, _) = row_of(node), node.attr
        way = WAYS.get(name)
        if way is None:
            raise lacking(f"LAPACK's {row.of}")
        if not has(*way.place):
            raise lacking(way.function, row.module)
        given, sizes = extents(node)
        operands: list[Operand] = []
        for a in node.args:
            if a.ndim:
                operands.append(self._flat(in_memory(a)))
            else:
                operands.append((self.e.value(a, ()), scalar_kind(a.dtype)))
        *found, worked = results(node)
        operands += [self._flat(out, written=True) for out in found]
        operands += [(self.e.dim(d), _NUMBER) for d in sizes]
        self.e.remark(f"{way.function} is CuPy's: its bits are not the CPU's")
        chars = types.replace("->", "") + _INT.char * len(sizes)
        failed = self.e.library(way.place, chars, operands, name, given)
        if row.raises:
            self.e.trap(failed, len(self.e.path) - 1)
            self.failed[worked] = failed

    def _result(self, c: Computation) -> None:
        """A result, which the call before it leaves; of a number, whether that worked."""
        if c.value in self.failed:
            worked = self.e.fresh("v")
            self.e.path[-1].assign(worked, Call("logical_not", (self.failed[c.value],)))
            self.e.store(c, worked, ())

    def _host(self, c: Computation) -> None:
        """Python's functions have no arrays of a device."""
        raise lacking(f"{c.value.attr.name}, a function of Python's,")

    def _ufunc(self, c: Computation) -> None:
        """A ufunc without an expression, by CuPy's."""
        op = c.value.op
        if not isinstance(op, ops.Elementwise):
            raise lacking(op.name)
        _, module, ufunc, types = loop_name(op, c.value)
        if op.ufunc.nout > 1 or not has(module, ufunc):
            raise lacking(ufunc, module if op.ufunc.nout == 1 else "")
        operands: list[Operand] = []
        for a in c.value.args:
            if a.ndim:
                operands.append(self._elements(in_memory(a)))
            else:
                operands.append((self.e.value(a, ()), scalar_kind(a.dtype)))
        operands.append(self._elements(c.target, written=True))
        self.e.remark(f"{ufunc} is CuPy's: its bits are not the CPU's")
        self.e.library((module, ufunc), types.replace("->", ""), operands)

    # Products --------------------------------------------------------------------------------

    def _matmul(self, c: Computation) -> None:
        a, b = c.value.args
        batch, dtype = c.value.ndim - 2, c.value.dtype
        target = self.e.array(c.target), ParameterKind(storage(dtype), c.value.ndim, "A", True)
        matrices = [self._matrix(a), self._matrix(b), target]
        if dtype.char in _BY_CUPY and has("numpy", "matmul"):
            self.e.remark("products of matrices are CuPy's (cuBLAS): their bits are not the CPU's")
            self.e.library(("numpy", "matmul"), 3 * dtype.char, matrices)
            return
        if dtype.kind in "fc":
            self.e.remark("products of matrices are kernels of ours: their bits are not the CPU's")
        rows, inner, columns = (self.e.dim(d) for d in (a.shape[-2], a.shape[-1], b.shape[-1]))
        lengths = [self.e.dim(d) for d in c.value.shape[:-2]]
        if b.shape[-1] == 1 and _is_by_rows(a):
            text, groups = products.by_rows(dtype, batch), [rows]
        elif b.shape[-1] == 1 or a.shape[-2] == 1:
            column = b.shape[-1] == 1
            text = products.by_slices(dtype, batch, column)
            groups = [_divided(rows if column else columns, products.BESIDE)]
        else:
            text = products.tiled(dtype, batch)
            groups = [_divided(n, products.TILE) for n in (rows, columns)]
        count = functools.reduce(lambda a, b: Binary("*", Group(a), b), [*lengths, *groups])
        numbers = [(n, _NUMBER) for n in (rows, inner, columns, *lengths)]
        self.e.launch(text, (count, 1, 1), [*matrices, *numbers], products.THREADS)

    def _matrix(self, node: Node) -> Operand:
        """A stack of matrices where it lies in memory."""
        source, kind = matrix_source(node), ParameterKind(storage(node.dtype), node.ndim, "A")
        if source is node:
            return self.e.array(node), kind
        entries = [(step, -1 if axis is None else axis) for _, step, axis in node.attr[1]]
        arguments = (node.ndim, *(n for entry in entries for n in entry))
        name = f"affine_{'_'.join(map(str, arguments))}".replace("-", "m")
        numbers = [*node.shape, *(start for start, _, _ in node.attr[1])]
        operands = tuple(map(self.e.dim, numbers))
        return self.e.view(node, name, Factory("affine", arguments), operands), kind

    # Sorts -----------------------------------------------------------------------------------

    def _sort(self, c: Computation) -> None:
        """Rows of the operand, sorted, or the positions that sort them."""
        [x] = c.value.args
        source, target = in_memory(x), self.e.program.buffers[c.target][0]
        rows = self.e.flat(self.e.array(source), source.ndim)
        size, length = self._named(self._size(x)), self._named(self.e.dim(x.shape[-1]))
        result = self.e.flat(target.name, c.value.ndim)
        positions = c.value.op is ops.ARGSORT
        if positions and c.value.attr not in _STABLE:
            self.e.remark("argsort leaves equal elements in order: kind='stable', on a GPU")
        emit_sort(self.e, rows, x.dtype, size, length, result, positions)

    def _named(self, e: Expr) -> Expr:
        """A number of the host's by a name."""
        name = self.e.fresh("v")
        self.e.path[-1].assign(name, e)
        return name

    # Masks -----------------------------------------------------------------------------------

    def _counts(self, mask: Node, flags: Operand) -> Operand:
        """How many elements of a mask are true before each of its tiles, and, last, in all."""
        known = self.e.found(mask)
        if known is None:
            tiles = _divided(self._size(mask), masked.TILE)
            name = self.e.fresh("v")
            self.e.path[-1].assign(name, tiles)
            known = self.e.temporary("l", Binary("+", name, 1))
            counts = (known, _COUNTS)
            self.e.launch(masked.COUNT, (name, 1, 1), [flags, counts], masked.THREADS)
            self.e.launch(masked.ADD_UP, (1, 1, 1), [counts], masked.THREADS)
            self.e.find(mask, known)
        return known, _COUNTS

    def _count(self, c: Computation) -> None:
        """How many elements of a mask are true: read back."""
        [mask] = c.value.args
        counts, _ = self._counts(mask, self._elements(mask))
        name = self.e.fresh("v")
        tiles = _divided(self._size(mask), masked.TILE)
        self.e.path[-1].assign(name, Element(counts, (tiles,)), c.value.origin)
        self.e.store(c, name, ())

    def _picked(self, c: Computation, text: str, mask: Node, operands: Sequence[Operand]) -> None:
        flags = self._elements(mask)
        counts = self._counts(mask, flags)
        tiles = _divided(self._size(mask), masked.TILE)
        self.e.launch(text, (tiles, 1, 1), [flags, counts, *operands], masked.THREADS)

    def _positions(self, c: Computation) -> None:
        """Where a mask is true, row by row where it has several axes."""
        [mask] = c.value.args
        lengths = [(self.e.dim(d), _NUMBER) for d in mask.shape[1:]]
        operands = [self._elements(c.target, written=True), *lengths]
        self._picked(c, masked.positions(mask.ndim), mask, operands)

    def _compress(self, c: Computation) -> None:
        """What an array has where a mask is true."""
        mask, x = c.value.args
        row = self._row(c)
        operands = [self._elements(x), self._elements(c.target, written=True), *row]
        self._picked(c, masked.compress(bool(row)), mask, operands)

    def _place(self, c: Computation) -> None:
        """What is put where a mask is true, into the copy of the array."""
        mask, _, y = c.value.args
        row, out = self._row(c), self._elements(c.target, written=True)
        if y.ndim:
            text = masked.put(bool(row), bool(c.value.attr))
            self._picked(c, text, mask, [self._elements(y), out, *row])
            return
        number = stored(self.e.value(y, ()), y.dtype), ParameterKind(storage(y.dtype))
        text, counts = masked.put_number(bool(row)), (self._size(mask), 1, 1)
        self.e.launch(text, counts, [self._elements(mask), number, out, *row])

    def _row(self, c: Computation) -> list[Operand]:
        """How many elements lie at each of a mask, where there are several."""
        mask, x = c.value.args[:2]
        inner = () if c.value.attr == "again" else x.shape[mask.ndim :]
        return [(self.e.dim(dims.product(inner)), _NUMBER)] if inner else []

    def _size(self, node: Node) -> Expr:
        return self.e.dim(dims.product(node.shape))

    def _elements(self, node: Node, written: bool = False) -> Operand:
        """The elements of an array in memory, or of a part of one, as an array of one axis."""
        if node.op is ops.RESHAPE:
            return self._elements(node.args[0], written)
        if node.op is ops.VIEW:
            return self._strip(node), ParameterKind(storage(node.dtype), 1, "A")
        flat = self.e.flat(self.e.array(node), node.ndim)
        known = self.e.kinds.get(flat) if isinstance(flat, str) else None
        layout = known.layout if known and node.ndim == 1 else "C"  # a caller's may have gaps
        return flat, ParameterKind(storage(node.dtype), 1, layout, written)

    def _flat(self, node: Node, written: bool = False) -> Operand:
        """The elements of what is contiguous in memory, as an array of one axis."""
        flat = self.e.flat(self.e.array(node), node.ndim)
        return flat, ParameterKind(storage(node.dtype), 1, "C", written)

    def _strip(self, node: Node) -> Expr:
        """What a view along one axis of an array sees."""
        [base] = node.args
        axis, step = next((k, step) for k, (_, step, of) in enumerate(node.attr[1]) if of == 0)
        return self.e.view(
            node,
            f"strip_{base.ndim}_{axis}_{step}".replace("-", "m"),
            Factory("strip", (base.ndim, axis, step)),
            (self.e.dim(node.shape[0]), *(self.e.dim(start) for start, _, _ in node.attr[1])),
        )

    def _draw(self, c: Computation) -> None:
        draw(self.e, c)

    def _left(self, c: Computation) -> None:
        """What a computation before it leaves."""


def _divided(n: Expr, width: int) -> Expr:
    """How many parts of a width, a power of two, there are of `n`."""
    return Binary(">>", Group(Binary("+", n, width - 1)), width.bit_length() - 1)


def _is_by_rows(node: Node) -> bool:
    """Whether the elements of a matrix's rows lie side by side, or nearer than those of columns."""
    source = matrix_source(node)
    if source is node:
        return True
    _, step, axis = node.attr[1][-1]
    return bool(step) and axis == node.ndim - 1


#: What emits the kernels for an op.
CALLS: dict[ops.Op, Callable[[Calls, Computation], None]] = {
    ops.SORT: Calls._sort,
    ops.ARGSORT: Calls._sort,
    ops.COUNT: Calls._count,
    ops.POSITIONS: Calls._positions,
    ops.NONZERO: Calls._positions,
    ops.COMPRESS: Calls._compress,
    ops.PLACE: Calls._place,
    ops.DRAW: Calls._draw,
    ops.ADVANCE: Calls._left,
    ops.GUFUNC: Calls._gufunc,
    ops.HOST: Calls._host,
    RESULT: Calls._result,
    LEFT: Calls._left,
}
