"""Calls of compiled code for whole arrays: products of matrices, sorts, random numbers, ufuncs."""

from __future__ import annotations

from collections.abc import Callable

from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.passes.phases import BY_STREAMS
from tracejit.cpu.passes.sharing import CONVOLVE
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import dims, ops
from tracejit.ir.gufuncs import extents, row_of
from tracejit.ir.node import Node
from tracejit.lower.control import LEFT
from tracejit.lower.emit import expressions
from tracejit.lower.emit.accumulate import Version
from tracejit.lower.kernel.statements import (
    Binary,
    Block,
    Call,
    Do,
    Expr,
    Factory,
    For,
    Group,
    If,
    Part,
    Return,
    Transposed,
)
from tracejit.lower.placement import images, in_memory, is_transpose, matrix_axes, matrix_source
from tracejit.lower.program import Computation, Kind
from tracejit.lower.results import RESULT, results
from tracejit.native.interrupts import INTERRUPTED


class Calls:
    """Emits the calls of a program."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter
        #: What tells that a call has failed, by the node that tells that it worked.
        self.failed: dict[Node, Expr] = {}

    def call(self, c: Computation) -> None:
        """Emit the call that computes `c`."""
        if c.kind is Kind.MATMUL:
            self._matmul(c)
        else:
            CALLS.get(c.value.op, Calls._ufunc)(self, c)

    def _matmul(self, c: Computation) -> None:
        a, b = c.value.args
        out = self.e.program.buffers[c.target][0]
        char = c.value.dtype.char
        name = f"matmul_{char.replace('?', 't')}"
        matrices = [self._matrix(x) for x in (a, b)]
        self.e.factories[name] = Factory("matmul_loop", (f"{char}{char}->{char}",))
        batch = [self.e.fresh("i") for _ in range(c.value.ndim - 2)]
        extents = [self.e.dim(d) for d in c.value.shape[:-2]]
        block = self.e.path[-1]
        for var, extent in zip(batch, extents, strict=True):
            inner = For(index=var, kind="range", operands=(extent,))
            block.add(inner)
            block = inner
        operands = [*(named(batch, block) for named in matrices), _part(out.name, batch)]
        block.add(Do(Call(name, tuple(operands)), c.value.origin))

    def _ufunc(self, c: Computation) -> None:
        op = c.value.op
        assert isinstance(op, ops.Elementwise)
        name, module, ufunc, types = expressions.loop_name(op, c.value)
        self.e.factories[f"{name}_over"] = Factory("ufunc_over", (module, ufunc, types))
        operands = [self.flat(a) if a.ndim else self.e.value(a, ()) for a in c.value.args]
        out = self.e.program.buffers[c.target][0]
        operands.append(self.e.flat(out.name, c.target.ndim))
        self._do(c, f"{name}_over", *operands)

    def _do(self, c: Computation, function: str, *operands: Expr) -> None:
        """Call what computes `c`."""
        self.e.path[-1].add(Do(Call(function, operands), c.value.origin))

    def _gufunc(self, c: Computation) -> None:
        """The loop of a generalised ufunc: all results of the call, and whether it worked."""
        node = c.value
        row, (name, types, _, _) = row_of(node), node.attr
        given, sizes = extents(node)
        operands = [self.flat(a) if a.ndim else self.e.value(a, ()) for a in node.args]
        *found, worked = results(node)
        for out in found:
            given += "s"
            operands.append(self.e.flat(self.e.program.buffers[out][0].name, out.ndim))
        operands += map(self.e.dim, sizes)
        function = f"{name}_{types.replace('->', '_')}_{given}"
        self.e.factories[function] = Factory("gufunc", (name, types, given))
        call = Call(function, tuple(operands))
        if not row.raises:
            self.e.path[-1].add(Do(call, node.origin))
            return
        failed = self.e.fresh("v")
        self.e.path[-1].assign(failed, call, node.origin)
        self.e.trap(failed, len(self.e.path) - 1)
        self.failed[worked] = failed

    def _result(self, c: Computation) -> None:
        """A result, which the call before it leaves; of a number, whether that worked."""
        if c.value in self.failed:
            worked = self.e.fresh("v")
            self.e.path[-1].assign(worked, Call("logical_not", (self.failed[c.value],)))
            self.e.store(c, worked, ())

    def _host(self, c: Computation) -> None:
        """Call a function of Python's; leave where it raises."""
        node, callee = c.value, c.value.attr
        forms = [f"{dtype.char}{ndim}" for dtype, ndim in callee.operands]
        name = "_".join(["host", *forms]).replace("?", "t")
        self.e.factories[name] = Factory("host_call", (" ".join(forms),))
        operands = [self.flat(a) if a.ndim else self.e.value(a, ()) for a in node.args]
        lengths = [self.e.dim(d) for a in node.args for d in a.shape]
        out = self.e.program.buffers[c.target][0].name
        code = self.e.fresh("v")
        call = Call(name, (callee.number, int(code[1:]), out, *operands, *lengths))
        block = self.e.path[-1]
        block.assign(code, call, node.origin)
        block.add(If([Return(INTERRUPTED)], test=Binary("<", code, 0)))
        failed = self.e.fresh("v")
        block.assign(failed, Binary(">", code, 0))
        self.e.trap(failed, len(self.e.path) - 1)

    def _hosted(self, c: Computation) -> None:
        """What a call has given, into the target."""
        given = c.value.args[0]
        self.e.factories["host_result"] = Factory("host_result", ())
        out = self.e.flat(self.e.program.buffers[c.target][0].name, c.value.ndim)
        self._do(c, "host_result", self.e.array(given), c.value.attr[0], out)

    def _count(self, c: Computation) -> None:
        """How many elements of a mask are true, in a register."""
        name = self.e.fresh("v")
        count = Call("count_true", (self._elements(c.value.args[0]),))
        self.e.path[-1].assign(name, count, c.value.origin)
        self.e.store(c, name, ())

    def _positions(self, c: Computation) -> None:
        """Where a mask is true, row by row where it has several axes."""
        [mask] = c.value.args
        *outer, length = map(self.e.dim, mask.shape)
        function = f"positions_{mask.ndim}"
        self.e.factories[function] = Factory("positions", (mask.ndim,))
        found, rows = self.e.fresh("v"), [self.e.fresh("i") for _ in outer]
        flags, out = self._elements(mask), self._elements(c.target)
        block = self.e.path[-1]
        row: Expr | None = None
        block.assign(found, 0)
        for var, count in zip(rows, outer, strict=True):
            inner = For(index=var, kind="range", operands=(count,))
            block.add(inner)
            block = inner
            row = var if row is None else Binary("+", Binary("*", Group(row), count), var)
        first = 0 if row is None else Binary("*", Group(row), length)
        call = Call(function, (flags, first, length, out, found, *rows))
        block.assign(found, call, c.value.origin)

    def _compress(self, c: Computation) -> None:
        """What an array has where a mask is true."""
        mask, x = c.value.args
        operands = [self._elements(mask), self._elements(x), self._elements(c.target)]
        self._masked("compress", c, operands)

    def _place(self, c: Computation) -> None:
        """What is put where a mask is true, into the copy of the array."""
        mask, _, y = c.value.args
        where = [self._elements(mask), self._elements(c.target)]
        if not y.ndim:
            self._do(c, "put_number", *where, self.e.value(y, ()))
            return
        function = "put_true_again" if c.value.attr else "put_true"
        self._masked(function, c, [*where, self._elements(y)])

    def _masked(self, function: str, c: Computation, operands: list[Expr]) -> None:
        mask = c.value.args[0]
        if inner := () if c.value.attr == "again" else c.value.args[1].shape[mask.ndim :]:
            function += "_rows"
            operands.append(self.e.dim(dims.product(inner)))
        self._do(c, function, *operands)

    def _elements(self, node: Node) -> Expr:
        """The elements of an array in memory, or of a part of one, as an array of one axis."""
        if node.op is ops.RESHAPE:
            return self._elements(node.args[0])
        if node.op is ops.VIEW:
            return self._strip(node)
        return self.e.flat(self.e.array(node), node.ndim)

    def _strip(self, node: Node) -> Expr:
        """What a view along one axis of an array sees."""
        [base] = node.args
        axis, step = next((k, step) for k, (_, step, of) in enumerate(node.attr[1]) if of == 0)
        make = f"strip_{base.ndim}_{axis}_{step}".replace("-", "m")
        self.e.factories[make] = Factory("strip", (base.ndim, axis, step))
        starts = [self.e.dim(start) for start, _, _ in node.attr[1]]
        call = Call(make, (self.e.array(base), self.e.dim(node.shape[0]), *starts))
        name = self.e.fresh("s")
        self.e.path[-1].assign(name, call, node.origin)
        return name

    def _draw(self, c: Computation) -> None:
        """Numbers of a distribution into the target, and the state after them into its own."""
        name, shape = c.value.attr
        self.e.factories[f"draw_{name}"] = Factory("draw", (name,))
        state, *parameters = c.value.args
        operands = [
            self.e.array(state),
            self._state_after(c),
            self.e.flat(self.e.program.buffers[c.target][0].name, c.value.ndim),
            self.e.dim(shape[-1]),
        ]
        for p in parameters:
            operands.append(self.flat(p) if p.ndim else self.e.value(p, ()))
        if name in BY_STREAMS:
            operands += ["first", "last"] if self.e.ranged is c else [0, -1]
        self.e.trap(Call(f"draw_{name}", tuple(operands)), len(self.e.path) - 1)

    def draw_blocks(self, c: Computation, version: Version, extent: Expr) -> None:
        """Numbers for each block of a loop, and the state after the last."""
        name = c.value.attr[0]
        for part in ("begin", "block"):
            self.e.factories[f"{name}_{part}"] = Factory("draw", (f"{name}_{part}",))
        state, after = self.e.array(c.value.args[0]), self._state_after(c)
        block = self.e.path[-1]
        block.insert(Do(Call(f"{name}_begin", (state, after))), version.blocks[0])
        out = self.e.program.buffers[c.target][0].name
        left = Call("imin", (Binary("-", extent, version.start), BLOCK))
        drawn = Do(Call(f"{name}_block", (after, out, left)), c.value.origin)
        version.blocks[0].body.insert(0, drawn)

    def _left(self, c: Computation) -> None:
        """A state, which the draw before it leaves."""

    def _state_after(self, c: Computation) -> str:
        after = next(
            n for n in self.e.program.stored if n.op is ops.ADVANCE and n.args == (c.value,)
        )
        return self.e.program.buffers[after][0].name

    def _sort(self, c: Computation) -> None:
        """Rows of the operand, sorted into the target."""
        [x] = c.value.args
        name, kind, char = c.value.op.name, c.value.attr, x.dtype.char
        function = f"{name}_{kind}_{char.replace('?', 't')}"
        self.e.factories[function] = Factory(f"{name}_rows", (char, kind))
        self._rows(c, function)

    def _middle(self, c: Computation) -> None:
        """The middle elements of the operand's rows into the target."""
        x, *places = c.value.args
        numbers, char = c.value.attr, x.dtype.char
        if not places:
            function = f"middle_{char}{'_numbers' if numbers else ''}"
            self.e.factories[function] = Factory("middle_rows", (char, numbers))
            self._rows(c, function)
            return
        self.e.factories[f"ranked_{char}"] = Factory("middle_rows", (char, numbers, True))
        self._rows(c, f"ranked_{char}", *(self.e.value(p, ()) for p in places))

    def _correlate(self, c: Computation) -> None:
        """Sums of products of a vector with each part of another one."""
        x, weights = map(self.flat, c.value.args)
        char = c.value.dtype.char
        function = f"correlate_{char.replace('?', 't')}"
        self.e.factories[function] = Factory("correlate", (char,))
        left = self.e.dim(c.value.attr[0])
        self._do(c, function, x, weights, self.e.program.buffers[c.target][0].name, left)

    def _convolution(self, c: Computation) -> None:
        """Sums of products of filters with windows; some of the images where threads share them."""
        x, w = c.value.args
        shape, steps, spreads, by = c.value.attr
        char = c.value.dtype.char
        forms = ["_".join(map(str, numbers)) for numbers in (steps, spreads)]
        function = f"{CONVOLVE}{char}_{by}_{'_by_'.join(forms)}"
        self.e.factories[function] = Factory("convolve", (char, by, *forms))
        lengths = (*x.shape, w.shape[1], *w.shape[3:], *shape[3:])
        arrays, apart = [], []
        for operand in (x, w):
            source, is_turned = images(operand)
            arrays.append(self.e.flat(self.e.array(source), source.ndim))
            image = dims.product(operand.shape[3:])
            steps_of = [dims.mul(image, operand.shape[2]), image]
            if is_turned:
                steps_of = [image, dims.mul(image, operand.shape[1])]
            apart += steps_of
        out = self.e.flat(self.e.program.buffers[c.target][0].name, c.value.ndim)
        part: list[Expr] = ["first", "last"] if self.e.ranged is c else [0, -1]
        operands = [*arrays, out, *map(self.e.dim, (*lengths, *apart)), *part]
        self._do(c, function, *operands)

    def _rows(self, c: Computation, function: str, *others: Expr) -> None:
        """Call a function of the operand's rows, which fills those of the target."""
        x = c.value.args[0]
        out = self.e.program.buffers[c.target][0]
        rows, length = self.flat(x), self.e.dim(x.shape[-1])
        self._do(c, function, rows, length, self.e.flat(out.name, c.value.ndim), *others)

    def flat(self, operand: Node) -> Expr:
        """The elements of an operand, which is contiguous in memory."""
        node = in_memory(operand)
        return self.e.flat(self.e.array(node), node.ndim)

    def _matrix(self, node: Node) -> Callable[[list[str], Block], Expr]:
        """What names the matrix that an operand is at a place of its stack, in a block."""
        source = matrix_source(node)
        array = self.e.array(source)
        if source is node:
            return lambda batch, block: _part(array, batch)
        if is_transpose(node):
            return lambda batch, block: Transposed(array)
        axes = tuple(n for axis in matrix_axes(node) for n in axis or (-1, 0))
        make = f"slab_{source.ndim}_{'_'.join(map(str, axes))}".replace("-", "m")
        self.e.factories[make] = Factory("slab", (source.ndim, *axes))
        lengths = [self.e.dim(d) for d in node.shape[-2:]]
        starts = [self.e.dim(start) for start, _, _ in node.attr[1]]

        def named(batch: list[str], block: Block) -> Expr:
            places = []
            for start, (_, step, axis) in zip(starts, node.attr[1], strict=True):
                at = start
                if step and axis < len(batch):
                    more = batch[axis] if step == 1 else Binary("*", batch[axis], step)
                    at = more if start == 0 else Binary("+", start, more)
                places.append(at)
            name = self.e.fresh("s")
            block.assign(name, Call(make, (array, *lengths, *places)), node.origin)
            return name

        return named


def _part(array: Expr, batch: list[str]) -> Expr:
    return Part(array, tuple(batch), 2) if batch else array


#: What emits the call of compiled code for an op; for an elementwise one it is its ufunc's loop.
CALLS: dict[ops.Op, Callable[[Calls, Computation], None]] = {
    ops.COUNT: Calls._count,
    ops.POSITIONS: Calls._positions,
    ops.NONZERO: Calls._positions,
    ops.COMPRESS: Calls._compress,
    ops.PLACE: Calls._place,
    ops.SORT: Calls._sort,
    ops.ARGSORT: Calls._sort,
    ops.MIDDLE: Calls._middle,
    ops.CORRELATE: Calls._correlate,
    ops.CONVOLUTION: Calls._convolution,
    ops.DRAW: Calls._draw,
    ops.ADVANCE: Calls._left,
    LEFT: Calls._left,
    ops.GUFUNC: Calls._gufunc,
    RESULT: Calls._result,
    ops.HOST: Calls._host,
    ops.HOSTED: Calls._hosted,
}
