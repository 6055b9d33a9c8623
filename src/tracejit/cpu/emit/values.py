"""Values of nodes at index vectors: what is known, what is loaded, and where it is computed.

A statement goes into the outermost open block in which all that it uses is defined, just before
the block inside it that is open: so what does not change in a loop is computed before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tracejit.cpu.emit import expressions
from tracejit.cpu.emit.block import Block
from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.lower import access
from tracejit.lower.access import Dynamic, Entry, Index, Point
from tracejit.lower.program import Buffer, Computation, Loop, Program

_NOWHERE: Mapping[int, str] = MappingProxyType({})


class Values:
    """The open blocks from the function's body inwards, and the names known in them."""

    def __init__(self, program: Program, around: Values | None = None) -> None:
        self.program = program
        #: Of a region's program: what emits the block around it, and the whole function.
        self.around = around
        self.root: Values = self if around is None else around.root
        self.body = Block()
        self.path: list[Block] = [self.body]
        self.depth_of: dict[Loop, int] = {}
        self.var_of: dict[Loop, str] = {}
        #: Where the blocks begin that loops run over.
        self.starts: dict[Loop, str] = {}
        self.loops: dict[int, Loop] = {}
        #: How deep the program's outermost items lie.
        self.outermost = 1
        self.count: dict[str, int] = dict.fromkeys(("v", "i", "s", "c", "met"), 0)
        self.allocated: set[str] = set()
        self.headers: dict[str, str] = {}
        if around is not None:
            self.count, self.allocated, self.headers = (
                around.count,
                around.allocated,
                around.headers,
            )
        self.names: dict[str, str] = {}
        #: Lengths of parameters in terms of what is around, and arrays that only this block has.
        self.lengths: dict[Node, Dim] = {}
        self.own: set[str] = set()
        self.flat_names: dict[str, str] = {}
        #: Calls whose arguments have been found to be near ones (see `guards`).
        self.near: set[Point] = set()
        #: How many conditions there are under which NumPy raises, and loops that might not end.
        self.traps = self.endless = 0
        self.current: Computation | None = None

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
        if op is ops.DIM and self.around is not None and node in self.lengths:
            return self.around.dim(self.lengths[node]), 0, True
        if op is ops.DIM:
            return f"{self.names[node.attr[0]]}.shape[{node.attr[1]}]", 0, False
        if op is ops.RESHAPE:
            return self._reshape(node, index)
        if op is ops.IOTA:
            assert isinstance(index, tuple)
            return self.index_text(index[0]), self.depth(index), False
        points = access.operands(node, index)
        operands = [self.value(*p) for p in points]
        depth = max((self._depth_known(*p) for p in points), default=0)
        if op is ops.VIEW:
            return operands[0], depth, True
        if op is ops.POLY:
            return self._poly(node, operands), depth, False
        if op is ops.GATHER:
            return self._gather(node, index, operands)
        assert isinstance(op, ops.Elementwise)
        if expressions.uses_loop(op, node):
            self.use_loop(*expressions.loop_name(op, node))
        if op.trap and node.args[0].dtype.kind in op.trap_kinds:
            self.trap(op.trap.format(*operands), depth)
        # What belongs before the loop is no part of what is done again.
        near = (node, index) in self.near and depth == len(self.path) - 1
        return expressions.expression(op, node, operands, near), depth, False

    def use_loop(self, name: str, module: str, ufunc: str, types: str) -> None:
        """Declare a ufunc's loop at the head of the file."""
        self.headers[name] = f'{name} = ufunc_loop("{module}", "{ufunc}", "{types}")'

    def _depth_known(self, node: Node, index: Index) -> int:
        for depth, block in enumerate(self.path):
            if (node, index) in block.known:
                return depth
        return 0

    def trap(self, condition: str, depth: int) -> None:
        self.root.traps += 1
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
        text = f"{self.flat_name(self.array_name(base), base.ndim)}[{self.position(node, index)}]"
        if node.dtype.char == "e":
            text = f"half_load({text})"
        return text, self.depth(index), False

    def position(self, node: Node, index: Index) -> str:
        """The place of an element of `node` in contiguous memory."""
        if not isinstance(index, tuple):
            return self.flat_var()
        terms = []
        for entry, stride in zip(index, dims.strides(node.shape), strict=True):
            text = self.index_text(entry)
            if text != "0":
                terms.append(text if stride == 1 else f"({text}) * {self.dim(stride)}")
        return " + ".join(terms) or "0"

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
            self.trap(f"outside({position}, {length})", depth)
            wrapped = self.fresh("v")
            self.path[depth].insert(f"{wrapped} = wrap({position}, {length})", node.origin, inner)
            parts.append(wrapped)
        if base.op is not ops.INPUT:  # the buffer may be what an outer iteration needs
            parts = [parts[k] for k in self.program.buffers[base][0].axes]
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
        used = [self.outermost - 1]
        for entry in index:
            if isinstance(entry, Dynamic):
                used.append(self._depth_known(entry.node, entry.at))
            elif entry.axis is not None:
                used.append(self.depth_of[self.loops[entry.axis]])
        return max(used)

    def index_text(self, entry: Entry | Dynamic) -> str:
        """The value of one entry of an index vector."""
        if isinstance(entry, Dynamic):
            return self.value(entry.node, entry.at)
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
        if self.around is not None and name not in self.own:
            return self.around.flat_name(name, ndim)
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

    def element(self, buffer: Buffer, index: Index, moved: Mapping[int, str] = _NOWHERE) -> str:
        """An element of a buffer, which may lack the axes of shared loops.

        `moved` gives the position along some axes instead of `index`.
        """
        if (window := self.program.windows.get(buffer.node)) is not None:
            return f"{buffer.name}[{self.var_of[window.loop]} - {self.starts[window.loop]}]"
        if not isinstance(index, tuple):
            return self.subscript(buffer.name, buffer.node, index)
        kept = [moved[k] if k in moved else self.index_text(index[k]) for k in buffer.axes]
        if buffer.layout == "F":  # its memory is a C array with the axes reversed
            kept.reverse()
        return f"{buffer.name}[{', '.join(kept) or ('0' if buffer.is_passing else '()')}]"

    def fresh(self, kind: str) -> str:
        """A new name."""
        self.count[kind] += 1
        return f"{kind}{self.count[kind] - 1}"


def _found_in(positions: Node, length: Dim) -> bool:
    """Whether `positions` are what ``nonzero`` found along an axis of that `length`."""
    found = positions.args[0] if positions.op is ops.VIEW else positions
    if found.op is ops.POSITIONS:
        return found.args[0].shape[0] == length
    if positions is found or found.op is not ops.NONZERO:
        return False
    column, _, axis = positions.attr[1][1]
    mask = positions.args[0].args[0]
    return axis is None and isinstance(column, int) and mask.shape[column] == length
