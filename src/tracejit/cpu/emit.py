"""Numba source of a program: one function, one operation a statement, each name assigned once.

The names are canonical and no line of the user's appears, so that equal computations have equal
source; where each statement comes from is kept beside it. For ``1 / (1 + np.exp(-x))``:

    @njit(…)
    def entry(x0, b0):
        if (x0.shape[0] == 1):
            return 1
        v0 = x0.shape[0]
        for i0 in range(v0):
            v1 = x0[i0]
            v2 = negative(v1)
            v3 = exp(v2)
            v4 = 1.0 + v3
            v5 = 1.0 / v4
            b0[i0] = v5
        return 0
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tracejit.cpu import expressions
from tracejit.cpu.accumulate import Accumulators
from tracejit.cpu.block import Block, Line
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node, Origin
from tracejit.lower import access
from tracejit.lower.access import FLAT, Dynamic, Entry, Index, Point
from tracejit.lower.materialise import matrix_source
from tracejit.lower.program import Buffer, Computation, Kind, Loop, Program

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2


@dataclass(frozen=True)
class Source:
    """Emitted source, with the origin of each of its lines.

    `parameters` are the entry's: inputs by name, then buffers. `late` buffers are allocated
    inside and returned after the code.
    """

    text: str
    origins: list[Origin | None]
    inputs: list[str]
    buffers: list[Buffer]
    late: list[Buffer] = field(default_factory=list)


def emit(program: Program) -> Source:
    """The source of `program`."""
    return Emitter(program).emit()


class Emitter:
    """Walks a program's tree; holds the open blocks from the function's body inwards."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.body = Block()
        self.path: list[Block] = [self.body]
        self.depth_of: dict[Loop, int] = {}
        self.var_of: dict[Loop, str] = {}
        self.loops: dict[int, Loop] = {}
        self.count = {"v": 0, "i": 0}
        self.imports: set[str] = set()
        self.headers: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.flat_names: dict[str, str] = {}
        self.traps = False
        self.current: Computation | None = None
        self.accumulators = Accumulators(self)

    # The whole function ----------------------------------------------------------------------

    def emit(self) -> Source:
        """Emit everything."""
        graph = self.program.graph
        for k, node in enumerate(graph.inputs):
            self.names[node.attr[0]] = f"x{k}"
        unique = {id(b): b for bs in self.program.buffers.values() for b in bs}
        early = [b for b in unique.values() if not b.late]
        late = [b for b in unique.values() if b.late]
        ordered = [b for b in early if b.output] + [b for b in early if not b.output]
        for k, buffer in enumerate([*ordered, *late]):
            buffer.name = f"b{k}"
        returned = [b for b in late if b.output]
        self._checks(returned)
        for item in self.program.items:
            self._item(item)
        if self.traps:
            self.body.body.insert(self.start, Line("bad = False"))
            self.body.add("if bad:")
            self.body.add(f"    {self._return(REFUSED, returned)}")
        self.body.add(self._return(DONE, returned))
        parameters = [f"x{k}" for k in range(len(graph.inputs))] + [b.name for b in ordered]
        lines = self.body.lines(1)
        head = self._head(parameters)
        text = "\n".join([*head, *(t for t, _ in lines)]) + "\n"
        origins = [*(None for _ in head), *(o for _, o in lines)]
        return Source(text, origins, [i.attr[0] for i in graph.inputs], ordered, returned)

    def _head(self, parameters: list[str]) -> list[str]:
        text = "\n".join(t for t, _ in self.body.lines())
        words = set(_words(text))
        runtime = sorted(words & _runtime_names())
        lines = ["import numpy as np"] if "np." in text else []
        numba = sorted(words & _NUMBA_NAMES)
        if words & {"inf", "nan"}:
            lines.append("from math import inf, nan")
        if numba:
            lines.append(f"from numba import {', '.join(numba)}")
        if runtime or self.headers:
            names = sorted({*runtime, *(h.split("(")[0].split()[-1] for h in self.headers.values())})
            lines.append(f"from tracejit.cpu.runtime import {', '.join(names)}")
        if lines:
            lines.append("")
        lines.extend(self.headers[k] for k in sorted(self.headers))
        if self.headers:
            lines.append("")
        lines.append("")
        lines.append(f"def entry({', '.join(parameters)}):")
        return lines

    def _return(self, code: int, late: list[Buffer]) -> str:
        if not late:
            return f"return {code}"
        if code == DONE:
            return f"return {code}, {', '.join(map(self._returned, late))}"
        # Numba wants one type for all returns: empty arrays of the same types.
        empty = [f"np.empty({_tuple(['0'] * len(b.shape))}, {_np(b)})" for b in late]
        return f"return {code}, {', '.join(empty)}"

    def _returned(self, buffer: Buffer) -> str:
        if buffer.node.op is ops.NONZERO:
            return f"{buffer.name}[:{self.dim(buffer.shape[0])}]"
        return buffer.name

    def _checks(self, returned: list[Buffer]) -> None:
        """Leave before any work where the arguments are not those that the trace was for."""
        conditions = []
        for node in self.program.graph.inputs:
            name = self.names[node.attr[0]]
            for axis, d in enumerate(node.shape):
                if isinstance(d, int):
                    conditions.append(f"({name}.shape[{axis}] != {d})")
                elif d.op is ops.DIM and d.attr == (node.attr[0], axis):
                    conditions.append(f"({name}.shape[{axis}] == 1)")
        for check in self.program.graph.checks:
            if _about_length_one(check.condition):
                continue  # as above
            text = self.value(check.condition, ())
            conditions.append(f"(not {text})")
        if conditions:
            self.body.add(f"if {' or '.join(conditions)}:")
            self.body.add(f"    {self._return(MISSED, returned)}")
        self.start = len(self.body.body)

    # Loops -----------------------------------------------------------------------------------

    def _item(self, item: Loop | Computation) -> None:
        if isinstance(item, Computation):
            self._computation(item)
        else:
            self._loop(item)

    def _loop(self, loop: Loop) -> None:
        inside = computations_in(loop)
        if len(self.path) == 1:
            self._allocate(inside)
        extent = self.dim(loop.extent)
        var = self.fresh("i")
        self.var_of[loop] = var
        self.accumulators.before(loop, inside)
        self.loops[id(loop)] = loop
        for version in self.accumulators.versions(loop, inside, var, extent):
            self.path.extend(version.blocks)
            self.depth_of[loop] = len(self.path) - 1
            for item in loop.items:
                self._item(item)
            self.path.pop()
            version.close()
            del self.path[len(self.path) - len(version.blocks) + 1 :]
            del self.depth_of[loop]
        self.accumulators.after(loop, inside)

    def _allocate(self, inside: list[Computation]) -> None:
        """Allocate the arrays whose size is known only now, before the nest that fills them."""
        for c in inside:
            for buffer in self.program.buffers[c.target]:
                if buffer.late and self.allocated(buffer):
                    extents = [self.dim(d) for d in buffer.shape]
                    if c.kind is Kind.NONZERO:  # a row to write to after the last one found
                        extents[0] += " + 1"
                    shape = _tuple(extents)
                    self.path[-1].add(f"{buffer.name} = np.empty({shape}, {_np(buffer)})")

    def allocated(self, buffer: Buffer) -> bool:
        """Whether `buffer` has still to be allocated; it counts as allocated from now on."""
        known: Point = (buffer.node, (("late", buffer.name),))  # type: ignore[assignment]
        if known in self.body.known:
            return False
        self.body.known[known] = buffer.name
        return True

    def _computation(self, c: Computation) -> None:
        if c.kind in (Kind.MATMUL, Kind.UFUNC):
            self._allocate([c])
            self._matmul(c) if c.kind is Kind.MATMUL else self._ufunc(c)
            return
        if not c.loops:
            self._allocate([c])
        self.current = c
        index = self.index_of(c)
        point = (c.value, index)
        if self.accumulators.takes_product(c) and self._known(*point) is None:
            factors = [self.value(a, index) for a in c.value.args]
            self.accumulators.step_product(c, factors[0], factors[-1])
            self.current = None
            return
        if c.value is c.target and c.value.op is not ops.CONST:
            value = self._compute(*point)
        else:
            value = self.value(*point)
        if c.kind is Kind.MAP:
            self.store(c, value, index)
        else:
            self.accumulators.step(c, value, index)
        self.current = None

    def index_of(self, c: Computation) -> Index:
        """The index vector of a computation's domain over the open loops."""
        if c.loops and c.loops[0].flat:
            return FLAT
        loop_of = {axis: loop for axis, loop in zip(c.order, c.loops, strict=True)}
        return tuple(Entry(0, 1, id(loop_of[k])) for k in range(len(c.domain)))

    def target_index(self, c: Computation, index: Index) -> Index:
        """Where in the target the element at `index` of the domain goes."""
        if index is FLAT:
            return FLAT if not c.reduced else ()
        assert isinstance(index, tuple)
        kept = [index[k] for k in c.kept]
        if c.partial:
            entry = kept[c.axis]
            assert isinstance(entry, Entry)
            kept[c.axis] = entry._replace(start=dims.add(entry.start, c.offset))
        return tuple(kept)

    def store(self, c: Computation, value: str, index: Index) -> None:
        """Store `value` as the element of the target, and remember that it is known here."""
        where = self.target_index(c, index)
        if not c.partial:
            self.path[-1].known[(c.target, where)] = value
        for buffer in self.program.buffers[c.target]:
            text = f"half_store({value})" if c.target.dtype.char == "e" else value
            self.path[-1].add(f"{self.element(buffer, where)} = {text}", c.target.origin)

    def _matmul(self, c: Computation) -> None:
        a, b = c.value.args
        out = self.program.buffers[c.target][0]
        char = c.value.dtype.char
        name = f"matmul_{char}"
        self.headers[name] = f'{name} = matmul_loop("{char}{char}->{char}")'
        batch = [self.fresh("i") for _ in range(c.value.ndim - 2)]
        block = self.path[-1]
        for var, d in zip(batch, c.value.shape, strict=False):
            inner = Block(f"for {var} in range({self.dim(d)}):")
            block.body.append(inner)
            block = inner
        operands = [self._matrix(x, batch) for x in (a, b)]
        block.add(f"{name}({', '.join(operands)}, {_part(out.name, batch)})", c.value.origin)
        for copy in self.program.buffers[c.target][1:]:
            block.add(f"{_part(copy.name, batch)}[:, :] = {_part(out.name, batch)}")

    def _ufunc(self, c: Computation) -> None:
        op = c.value.op
        assert isinstance(op, ops.Elementwise)
        name, module, ufunc, types = expressions.loop_name(op, c.value)
        self.headers[f"{name}_over"] = f'{name}_over = ufunc_over("{module}", "{ufunc}", "{types}")'
        operands = [
            self.flat_name(self.array_name(a), a.ndim) if a.ndim else self.value(a, ())
            for a in c.value.args
        ]
        out = self.program.buffers[c.target][0]
        operands.append(self.flat_name(out.name, c.target.ndim))
        self.path[-1].add(f"{name}_over({', '.join(operands)})", c.value.origin)

    def _matrix(self, node: Node, batch: list[str]) -> str:
        source, transposed = matrix_source(node)
        name = self.array_name(source)
        return f"{_part(name, batch)}.T" if transposed else _part(name, batch)

    def array_name(self, node: Node) -> str:
        """The array that holds an input or a stored node."""
        if node.op is ops.INPUT:
            return self.names[node.attr[0]]
        buffer = self.program.buffers[node][0]
        return f"{buffer.name}.T" if buffer.layout == "F" else buffer.name

    # Values ----------------------------------------------------------------------------------

    def value(self, node: Node, index: Index) -> str:
        """The text of `node` at `index`: a name, or a constant; computed where it is not known."""
        known = self._known(node, index)
        if known is not None:
            return known
        stack: list[Point] = [(node, index)]
        while stack:
            point = stack[-1]
            if self._known(*point) is not None:
                stack.pop()
                continue
            children = [] if self._in_memory(point[0]) else access.operands(*point)
            missing = [p for p in children if self._known(*p) is None]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            self._compute(*point)
        result = self._known(node, index)
        assert result is not None
        return result

    def _in_memory(self, node: Node) -> bool:
        """Whether `node` is read where it was stored; a scalar formula is only computed again."""
        formula = isinstance(node.op, ops.Elementwise) or node.op in (ops.DIM, ops.POLY)
        return node in self.program.stored and not (formula and not node.ndim)

    def _known(self, node: Node, index: Index) -> str | None:
        if node.op is ops.CONST:
            return expressions.constant_text(node)
        for block in self.path:
            name = block.known.get((node, index))
            if name is not None:
                return name
        return None

    def _compute(self, node: Node, index: Index) -> str:
        """Emit the statement of `node` at `index`, whose operands are known or asked for."""
        text, depth, is_name = self._statement(node, index)
        if is_name:
            name = text
        else:
            name = self.fresh("v")
            inner = self.path[depth + 1] if depth + 1 < len(self.path) else None
            self.path[depth].insert(f"{name} = {text}", node.origin, inner)
        self.path[depth].known[(node, index)] = name
        return name

    def _statement(self, node: Node, index: Index) -> tuple[str, int, bool]:
        """Expression, depth of the block it belongs to, and whether it is a name already."""
        op = node.op
        current = self.current is not None and self.current.target is node
        if self._in_memory(node) and not (current and self.current.value is node):  # type: ignore[union-attr]
            return self._load(node, index)
        if op is ops.INPUT:
            if not node.ndim and node.attr[0] not in self.array_inputs():
                return self.names[node.attr[0]], 0, True
            return self._load(node, index)
        if op is ops.DIM:
            return f"{self.names[node.attr[0]]}.shape[{node.attr[1]}]", 0, False
        if op is ops.RESHAPE:
            return self._reshape(node, index)
        if op is ops.IOTA:
            assert isinstance(index, tuple)
            return self.index_text(index[0]), self.depth(index), False
        points = access.operands(node, index)
        operands = [self.value(*p) for p in points]
        depth = max([self.depth(index), *(self._depth_known(*p) for p in points)])
        if op is ops.VIEW:
            return operands[0], self._depth_known(*points[0]), True
        if op is ops.POLY:
            return self._poly(node, operands), max(map(self._known_at, points), default=0), False
        if op is ops.GATHER:
            return self._gather(node, index, operands)
        assert isinstance(op, ops.Elementwise)
        depth = max(map(self._known_at, points), default=0)
        if expressions.uses_loop(op, node):
            self.use_loop(*expressions.loop_name(op, node))
        if op.trap and node.args[0].dtype.kind in op.trap_kinds:
            self._trap(op.trap.format(*operands), depth)
        return expressions.expression(op, node, operands), depth, False

    def use_loop(self, name: str, module: str, ufunc: str, types: str) -> None:
        """Declare a ufunc's loop at the head of the file."""
        self.headers[name] = f'{name} = ufunc_loop("{module}", "{ufunc}", "{types}")'

    def _known_at(self, point: Point) -> int:
        return self._depth_known(*point)

    def _depth_known(self, node: Node, index: Index) -> int:
        for depth, block in enumerate(self.path):
            if (node, index) in block.known:
                return depth
        return 0

    def _trap(self, condition: str, depth: int) -> None:
        self.traps = True
        inner = self.path[depth + 1] if depth + 1 < len(self.path) else None
        self.path[depth].insert(f"bad = bit_or(bad, {condition})", None, inner)

    def array_inputs(self) -> set[str]:
        """Names of the inputs that are arrays, 0-d ones included."""
        return {n for n, layout in self.program.layouts.items() if layout}

    def _load(self, node: Node, index: Index) -> tuple[str, int, bool]:
        if node.op is ops.INPUT:
            text = self.subscript(self.names[node.attr[0]], node, index)
        else:
            text = self.element(self.program.buffers[node][0], index)
        if node.dtype.char == "e":
            text = f"half_load({text})"
        return text, self.depth(index), False

    def _reshape(self, node: Node, index: Index) -> tuple[str, int, bool]:
        """An element of a reshaped array: its linear position in the operand's memory."""
        base = node.args[0]
        name = self.array_name(base)
        if isinstance(index, tuple):
            terms = []
            for entry, stride in zip(index, dims.strides(node.shape), strict=True):
                text = self.index_text(entry)
                if text != "0":
                    terms.append(text if stride == 1 else f"({text}) * {self.dim(stride)}")
            position = " + ".join(terms) or "0"
        else:
            position = self.flat_var()
        text = f"{self.flat_name(name, base.ndim)}[{position}]"
        if node.dtype.char == "e":
            text = f"half_load({text})"
        return text, self.depth(index), False

    def _gather(self, node: Node, index: Index, operands: list[str]) -> tuple[str, int, bool]:
        base = node.args[0]
        name = self.array_name(base)
        where = access.gather_index(node, index)
        assert isinstance(where, tuple)
        depth = max(self.depth(index), *(self._depth_known(a, index) for a in node.args[1:]))
        inner = self.path[depth + 1] if depth + 1 < len(self.path) else None
        parts = []
        for axis, entry in enumerate(where):
            if isinstance(entry, Entry):
                parts.append(self.index_text(entry))
                continue
            length = self.dim(base.shape[axis])
            position = operands[node.args[1:].index(entry.node)]
            if _found_in(entry.node, base.shape[axis]):
                parts.append(position)
                continue
            self._trap(f"outside({position}, {length})", depth)
            wrapped = self.fresh("v")
            self.path[depth].insert(f"{wrapped} = wrap({position}, {length})", node.origin, inner)
            parts.append(wrapped)
        text = f"{name}[{', '.join(parts) or '()'}]"
        if node.dtype.char == "e":
            text = f"half_load({text})"
        return text, depth, False

    def _poly(self, node: Node, operands: list[str]) -> str:
        terms = []
        for monomial, factor in node.attr:
            parts = [operands[i] for i in monomial]
            if factor != 1 or not parts:
                parts.insert(0, str(factor) if factor >= 0 else f"({factor})")
            terms.append(" * ".join(parts))
        return " + ".join(terms)

    # Indices ---------------------------------------------------------------------------------

    def depth(self, index: Index) -> int:
        """The depth of the innermost open loop that `index` uses."""
        if not isinstance(index, tuple):
            return len(self.path) - 1
        used = [0]
        for entry in index:
            if isinstance(entry, Dynamic):
                used.append(self._depth_known(entry.node, entry.index))
            elif entry.axis is not None:
                used.append(self.depth_of[self.loops[entry.axis]])
        return max(used)

    def index_text(self, entry: Entry | Dynamic) -> str:
        """One subscript."""
        if isinstance(entry, Dynamic):
            return self.value(entry.node, entry.index)
        if entry.axis is None:
            return self.dim(entry.start)
        var = self.var_of[self.loops[entry.axis]]
        term = var if entry.step == 1 else f"{entry.step} * {var}"
        if isinstance(entry.start, int):
            if entry.start == 0:
                return term
            sign = "+" if entry.start > 0 else "-"
            return f"{term} {sign} {abs(entry.start)}"
        return f"{self.dim(entry.start)} + {term}"

    def dim(self, d: Dim) -> str:
        """A dimension as text: a literal, or a name computed in the function's body."""
        return str(d) if isinstance(d, int) else self.value(d, ())

    def flat_var(self) -> str:
        """The variable of the flat loop that is open."""
        assert self.current is not None
        return self.var_of[self.current.loops[0]]

    def flat_name(self, name: str, ndim: int) -> str:
        """A flat view of array `name`, made at the head of the function."""
        if ndim == 1:
            return name
        if name not in self.flat_names:
            self.flat_names[name] = f"{name}_flat"
            inner = self.path[1] if len(self.path) > 1 else None
            self.path[0].insert(f"{name}_flat = flat({name})", None, inner)
        return self.flat_names[name]

    def subscript(self, name: str, node: Node, index: Index) -> str:
        """An element of an array that has all the axes of `node`."""
        if not isinstance(index, tuple):
            return f"{self.flat_name(name, node.ndim)}[{self.flat_var()}]"
        return f"{name}[{', '.join(map(self.index_text, index)) or '()'}]"

    def element(self, buffer: Buffer, index: Index) -> str:
        """An element of a buffer, which may lack the axes of shared loops."""
        if not isinstance(index, tuple):
            return self.subscript(buffer.name, buffer.node, index)
        kept = [index[k] for k in buffer.axes]
        if buffer.layout == "F":  # its memory is a C array with the axes reversed
            kept.reverse()
        return f"{buffer.name}[{', '.join(map(self.index_text, kept)) or '()'}]"

    def fresh(self, kind: str) -> str:
        """A new name."""
        self.count[kind] += 1
        return f"{kind}{self.count[kind] - 1}"


def _about_length_one(condition: Node) -> bool:
    """Whether a check is ``length != 1`` of an input's axis."""
    if condition.op.name != "not_equal":
        return False
    length, one = condition.args
    return length.op is ops.DIM and one.op is ops.CONST and build.constant_value(one) == 1


def _found_in(positions: Node, length: Dim) -> bool:
    """Whether `positions` are what ``nonzero`` found along an axis of that `length`."""
    if positions.op is not ops.VIEW or positions.args[0].op is not ops.NONZERO:
        return False
    column, _, axis = positions.attr[1][1]
    mask = positions.args[0].args[0]
    return axis is None and isinstance(column, int) and mask.shape[column] == length


def computations_in(loop: Loop) -> list[Computation]:
    """The computations inside `loop`, in order."""
    found: list[Computation] = []
    stack: list[Loop | Computation] = list(reversed(loop.items))
    while stack:
        item = stack.pop()
        if isinstance(item, Computation):
            found.append(item)
        else:
            stack.extend(reversed(item.items))
    return found


_NUMBA_NAMES = frozenset(
    "int8 int16 int32 uint8 uint16 uint32 uint64 float32 complex64".split()
)


def _runtime_names() -> frozenset[str]:
    global _names
    if not _names:
        from tracejit.cpu import runtime

        _names = frozenset(n for n in vars(runtime) if not n.startswith("_")) - {"annotations"}
    return _names


_names: frozenset[str] = frozenset()


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


def _np(buffer: Buffer) -> str:
    dtype = expressions.storage(buffer.node.dtype)
    return "np.bool_" if dtype.kind == "b" else f"np.{dtype.name}"


def _part(name: str, batch: list[str]) -> str:
    return f"{name}[{', '.join(batch)}]" if batch else name
