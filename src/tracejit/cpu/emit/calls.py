"""Calls of compiled code for whole arrays: products of matrices, sorts, random numbers, ufuncs."""

from __future__ import annotations

from collections.abc import Callable

from tracejit.cpu.emit import expressions
from tracejit.cpu.emit.accumulate import Version
from tracejit.cpu.emit.block import Block, Line
from tracejit.cpu.emit.emitting import Emitting
from tracejit.cpu.passes.phases import BY_STREAMS
from tracejit.intrinsics.blocks import BLOCK
from tracejit.ir import dims, ops
from tracejit.ir.node import Node
from tracejit.lower.control import LEFT
from tracejit.lower.placement import in_memory, matrix_source
from tracejit.lower.program import Computation, Kind


class Calls:
    """Emits the calls of a program."""

    def __init__(self, emitter: Emitting) -> None:
        self.e = emitter

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
        self.e.headers[name] = f'{name} = matmul_loop("{char}{char}->{char}")'
        batch = [self.e.fresh("i") for _ in range(c.value.ndim - 2)]
        block = self.e.path[-1]
        for var, d in zip(batch, c.value.shape, strict=False):
            inner = Block(f"for {var} in range({self.e.dim(d)}):")
            block.body.append(inner)
            block = inner
        operands = [self._matrix(x, batch) for x in (a, b)]
        block.add(f"{name}({', '.join(operands)}, {_part(out.name, batch)})", c.value.origin)
        for copy in self.e.program.buffers[c.target][1:]:
            block.add(f"{copy.name}[{', '.join([*batch, ':', ':'])}] = {_part(out.name, batch)}")

    def _ufunc(self, c: Computation) -> None:
        op = c.value.op
        assert isinstance(op, ops.Elementwise)
        name, module, ufunc, types = expressions.loop_name(op, c.value)
        self.e.headers[f"{name}_over"] = (
            f'{name}_over = ufunc_over("{module}", "{ufunc}", "{types}")'
        )
        operands = [self.flat(a) if a.ndim else self.e.value(a, ()) for a in c.value.args]
        out = self.e.program.buffers[c.target][0]
        operands.append(self.e.flat_name(out.name, c.target.ndim))
        self.e.path[-1].add(f"{name}_over({', '.join(operands)})", c.value.origin)

    def _count(self, c: Computation) -> None:
        """How many elements of a mask are true, in a register."""
        name = self.e.fresh("v")
        self.e.path[-1].add(
            f"{name} = count_true({self._elements(c.value.args[0])})", c.value.origin
        )
        self.e.store(c, name, ())

    def _positions(self, c: Computation) -> None:
        """Where a mask is true, row by row where it has several axes."""
        [mask] = c.value.args
        *outer, length = map(self.e.dim, mask.shape)
        function = f"positions_{mask.ndim}"
        self.e.headers[function] = f"{function} = positions({mask.ndim})"
        found, rows = self.e.fresh("v"), [self.e.fresh("i") for _ in outer]
        flags, out = self._elements(mask), self._elements(c.target)
        block, row = self.e.path[-1], ""
        block.add(f"{found} = 0")
        for var, count in zip(rows, outer, strict=True):
            inner = Block(f"for {var} in range({count}):")
            block.body.append(inner)
            block = inner
            row = f"({row}) * {count} + {var}" if row else var
        first = f"({row}) * {length}" if row else "0"
        operands = [flags, first, length, out, found, *rows]
        block.add(f"{found} = {function}({', '.join(operands)})", c.value.origin)

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
            operands = ", ".join([*where, self.e.value(y, ())])
            self.e.path[-1].add(f"put_number({operands})", c.value.origin)
            return
        function = "put_true_again" if c.value.attr else "put_true"
        self._masked(function, c, [*where, self._elements(y)])

    def _masked(self, function: str, c: Computation, operands: list[str]) -> None:
        mask = c.value.args[0]
        if inner := () if c.value.attr == "again" else c.value.args[1].shape[mask.ndim :]:
            function += "_rows"
            operands.append(self.e.dim(dims.product(inner)))
        self.e.path[-1].add(f"{function}({', '.join(operands)})", c.value.origin)

    def _elements(self, node: Node) -> str:
        """The elements of an array in memory, or of a part of one, as an array of one axis."""
        if node.op is ops.RESHAPE:
            return self._elements(node.args[0])
        if node.op is ops.VIEW:
            return self._strip(node)
        return self.e.flat_name(self.e.array_name(node), node.ndim)

    def _strip(self, node: Node) -> str:
        """What a view along one axis of an array sees."""
        [base] = node.args
        axis, step = next((k, step) for k, (_, step, of) in enumerate(node.attr[1]) if of == 0)
        make = f"strip_{base.ndim}_{axis}_{step}".replace("-", "m")
        self.e.headers[make] = f"{make} = strip({base.ndim}, {axis}, {step})"
        starts = [self.e.dim(start) for start, _, _ in node.attr[1]]
        operands = [self.e.array_name(base), self.e.dim(node.shape[0]), *starts]
        name = self.e.fresh("s")
        self.e.path[-1].add(f"{name} = {make}({', '.join(operands)})", node.origin)
        return name

    def _draw(self, c: Computation) -> None:
        """Numbers of a distribution into the target, and the state after them into its own."""
        name, shape = c.value.attr
        self.e.headers[f"draw_{name}"] = f'draw_{name} = draw("{name}")'
        state, *parameters = c.value.args
        operands = [
            self.e.array_name(state),
            self._state_after(c),
            self.e.flat_name(self.e.program.buffers[c.target][0].name, c.value.ndim),
            self.e.dim(shape[-1]),
        ]
        for p in parameters:
            operands.append(self.flat(p) if p.ndim else self.e.value(p, ()))
        if name in BY_STREAMS:
            operands += ["first", "last"] if self.e.ranged is c else ["0", "-1"]
        self.e.trap(f"draw_{name}({', '.join(operands)})", len(self.e.path) - 1)

    def draw_blocks(self, c: Computation, version: Version, extent: str) -> None:
        """Numbers for each block of a loop, and the state after the last."""
        name = c.value.attr[0]
        for part in ("begin", "block"):
            self.e.headers[f"{name}_{part}"] = f'{name}_{part} = draw("{name}_{part}")'
        state, after = self.e.array_name(c.value.args[0]), self._state_after(c)
        block = self.e.path[-1]
        block.body.insert(len(block.body) - 1, Line(f"{name}_begin({state}, {after})"))
        out = self.e.program.buffers[c.target][0].name
        left = f"imin({extent} - {version.start}, {BLOCK})"
        line = Line(f"{name}_block({after}, {out}, {left})", c.value.origin)
        version.blocks[0].body.insert(0, line)

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
        self.e.headers[function] = f'{function} = {name}_rows("{char}", "{kind}")'
        out = self.e.program.buffers[c.target][0]
        operands = [
            self.flat(x),
            self.e.dim(x.shape[-1]),
            self.e.flat_name(out.name, x.ndim),
        ]
        self.e.path[-1].add(f"{function}({', '.join(operands)})", c.value.origin)

    def _middle(self, c: Computation) -> None:
        """The middle elements of the operand's rows into the target."""
        [x] = c.value.args
        numbers, char = c.value.attr, x.dtype.char
        function = f"middle_{char}{'_numbers' if numbers else ''}"
        self.e.headers[function] = f'{function} = middle_rows("{char}", {numbers})'
        out = self.e.program.buffers[c.target][0]
        operands = [
            self.flat(x),
            self.e.dim(x.shape[-1]),
            self.e.flat_name(out.name, c.value.ndim),
        ]
        self.e.path[-1].add(f"{function}({', '.join(operands)})", c.value.origin)

    def flat(self, operand: Node) -> str:
        """The elements of an operand, which is contiguous in memory."""
        node = in_memory(operand)
        return self.e.flat_name(self.e.array_name(node), node.ndim)

    def _matrix(self, node: Node, batch: list[str]) -> str:
        source, transposed = matrix_source(node)
        name = self.e.array_name(source)
        return f"{_part(name, batch)}.T" if transposed else _part(name, batch)


def _part(name: str, batch: list[str]) -> str:
    return f"{name}[{', '.join(batch)}, :, :]" if batch else name


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
    ops.DRAW: Calls._draw,
    ops.ADVANCE: Calls._left,
    LEFT: Calls._left,
}
