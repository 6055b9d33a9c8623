"""Values of nodes at index vectors: what is known, what is loaded, and where it is computed.

A statement goes into the outermost open block in which all that it uses is defined, just before
the block inside it that is open: so what does not change in a loop is computed before it.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.scalars import GIVEN
from tracejit.lower import access
from tracejit.lower.access import Dynamic, Entry, Index, Point
from tracejit.lower.emit import expressions
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Element,
    Expr,
    Factory,
    Group,
    If,
    Length,
    Return,
    Statement,
    Transposed,
    plus,
)
from tracejit.lower.program import Buffer, Computation, Loop, Program, is_formula

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2
_NOWHERE: Mapping[int, Expr] = MappingProxyType({})

_INT = np.dtype(np.int64)
#: The first position: as a number, and as a value of the program's.
_ZERO = (0, Constant(0, _INT))


class Values:
    """The open blocks from the function's body inwards, and the names known in them."""

    def __init__(self, program: Program, around: Values | None = None) -> None:
        self.program = program
        #: Of a region's program: what emits the block around it, and the whole function.
        self.around = around
        self.root: Values = self if around is None else around.root
        self.body = Block()
        self.path: list[Block] = [self.body]
        #: The names, or constants, of values that blocks have computed.
        self.known: dict[Block, dict[Point, Expr]] = defaultdict(dict)
        #: Conditions for which the entry has been left, by the blocks that do so.
        self.refused: dict[Block, set[Expr]] = defaultdict(set)
        self.depth_of: dict[Loop, int] = {}
        self.var_of: dict[Loop, str] = {}
        #: Where the blocks begin that loops run over.
        self.starts: dict[Loop, Expr] = {}
        self.loops: dict[int, Loop] = {}
        #: How deep the program's outermost items lie.
        self.outermost = 1
        self.count: dict[str, int] = dict.fromkeys(("v", "i", "s", "c", "met"), 0)
        self.allocated: set[str] = set()
        self.factories: dict[str, Factory] = {}
        if around is not None:
            self.count, self.allocated, self.factories = (
                around.count,
                around.allocated,
                around.factories,
            )
        #: What inputs are: names, or in a region constants.
        self.names: dict[str, Expr] = {}
        #: Lengths of parameters in terms of what is around, and arrays that only this block has.
        self.lengths: dict[Node, Dim] = {}
        self.own: set[str] = set()
        self.flat_names: dict[str, str] = {}
        #: Arrays of which a part is packed: the panel, and which line and place come first in it.
        self.panels: dict[str, tuple[str, Expr, Expr]] = {}
        #: Calls whose arguments have been found to be near ones (see `guards`).
        self.near: set[Point] = set()
        #: How many conditions there are under which NumPy raises, and loops that might not end.
        self.traps = self.endless = 0
        #: Where in its body statements belong that are for all of it.
        self.start = 0
        self.current: Computation | None = None

    def array(self, node: Node) -> Expr:
        """The array that holds an input or a stored node."""
        if node.op is ops.INPUT:
            return self.names[node.attr[0]]
        buffer = self.program.buffers[node][0]
        return Transposed(buffer.name) if buffer.layout == "F" else buffer.name

    def home(self, buffer: Buffer) -> str:
        """The name of a buffer: of an input's memory that of the input."""
        name = self.names[buffer.home] if buffer.home else buffer.name
        assert isinstance(name, str)
        return name

    # Values ----------------------------------------------------------------------------------

    def value(self, node: Node, index: Index) -> Expr:
        """`node` at `index`: a name, or a constant; computed where it is not known."""
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
        """Whether `node` is read where it was stored."""
        return node in self.program.stored and not is_formula(node)

    def _known(self, node: Node, index: Index) -> Expr | None:
        if node.op is ops.CONST:
            return expressions.constant(node)
        for block in self.path:
            name = self.known[block].get((node, index))
            if name is not None:
                return name
        return None

    def is_known(self, node: Node, index: Index) -> bool:
        """Whether `node` at `index` has a name, or is a constant."""
        return self._known(node, index) is not None

    def _compute(self, node: Node, index: Index) -> Expr:
        """Emit the statement of `node` at `index`, whose operands are known or asked for."""
        value, depth, is_known = self._computed(node, index)
        if not is_known:
            name = self.fresh("v")
            self.insert(depth, Assign(name, value, node.origin))
            value = name
        self.known[self.path[depth]][(node, index)] = value
        return value

    def open(self, block: Block) -> None:
        """Open a block at the end of the innermost open one."""
        self.path[-1].add(block)
        self.path.append(block)

    def insert(self, depth: int, statement: Statement) -> None:
        """Put a statement into the open block at a depth, before what is open inside of it."""
        inner = self.path[depth + 1] if depth + 1 < len(self.path) else None
        self.path[depth].insert(statement, inner)

    def _computed(self, node: Node, index: Index) -> tuple[Expr, int, bool]:
        """Expression, depth of the block it belongs to, and whether it needs no name."""
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
            return Length(self.names[node.attr[0]], node.attr[1]), 0, False
        if op is ops.RESHAPE:
            return self._reshape(node, index)
        if op is ops.IOTA:
            assert isinstance(index, tuple)
            return self.position_at(index[0]), self.depth(index), False
        points = access.operands(node, index)
        operands = [self.value(*p) for p in points]
        depth = max((self._depth_known(*p) for p in points), default=0)
        if op is ops.VIEW:
            return operands[0], depth, True
        if op is ops.POLY:
            return self._poly(node, operands), depth, False
        if op is ops.GATHER:
            return self._gather(node, index, operands)
        if op is ops.SEARCH:
            call = Call(f"search_{node.attr}", (self.array(node.args[0]), *operands))
            return call, max(self.depth(index), depth), False
        assert isinstance(op, ops.Elementwise)
        if expressions.uses_loop(op, node):
            self.use_loop(*expressions.loop_name(op, node))
        if op.trap and node.args[0].dtype.kind in op.trap_kinds:
            self.trap(fill(op.trap, *operands), depth, op is GIVEN)
        # What belongs before the loop is no part of what is done again.
        near = (node, index) in self.near and depth == len(self.path) - 1
        return expressions.expression(op, node, operands, near), depth, False

    def use_loop(self, name: str, module: str, ufunc: str, types: str) -> None:
        """Declare a ufunc's loop at the head of the file."""
        self.factories[name] = Factory("ufunc_loop", (module, ufunc, types))

    def _depth_known(self, node: Node, index: Index) -> int:
        for depth, block in enumerate(self.path):
            if (node, index) in self.known[block]:
                return depth
        return 0

    def trap(self, condition: Expr, depth: int, at_once: bool = False) -> None:
        """Take note of a condition under which NumPy raises, for the end: so loops are vectorised.

        For scalars of regions, or `at_once`, the entry is left where the condition holds: so no
        step goes on with what is none, and LLVM knows that it does not hold from there on.
        """
        if at_once or (self.around is not None and not depth):
            if not self._is_refused(condition):
                self.refused[self.path[depth]].add(condition)
                self.insert(depth, If([Return(REFUSED)], test=condition))
            return
        self.root.traps += 1
        self.insert(depth, Assign("bad", Call("bit_or", ("bad", condition))))

    def _is_refused(self, condition: Expr) -> bool:
        """Whether the entry has been left where a condition holds, before the open blocks.

        It must be one of names that are assigned once.
        """
        names = condition.operands if isinstance(condition, Call) else (condition,)
        if any(not isinstance(name, str) or name.startswith("c") for name in names):
            return False
        if any(condition in self.refused[block] for block in self.path):
            return True
        return self.around is not None and self.around._is_refused(condition)

    def array_inputs(self) -> set[str]:
        """Names of the inputs that are arrays, 0-d ones included."""
        return {n for n, layout in self.program.layouts.items() if layout}

    def _load(self, node: Node, index: Index) -> tuple[Expr, int, bool]:
        if node.op is ops.INPUT:
            element = self.subscript(self.names[node.attr[0]], node, index)
        else:
            element = self.element(self.program.buffers[node][0], index)
        return expressions.loaded(element, node.dtype), self.depth(index), False

    def _reshape(self, node: Node, index: Index) -> tuple[Expr, int, bool]:
        """An element of a reshaped array: its linear position in the operand's memory."""
        base = node.args[0]
        flat = self.flat(self.array(base), base.ndim)
        element = Element(flat, (self.position(node, index),))
        return expressions.loaded(element, node.dtype), self.depth(index), False

    def position(self, node: Node, index: Index) -> Expr:
        """The place of an element of `node` in contiguous memory."""
        if not isinstance(index, tuple):
            return self.flat_var()
        place: Expr | None = None
        for entry, stride in zip(index, dims.strides(node.shape), strict=True):
            at = self.position_at(entry)
            if at not in _ZERO:
                term = at if stride == 1 else Binary("*", Group(at), self.dim(stride))
                place = term if place is None else plus(place, term)
        return 0 if place is None else place

    def _gather(self, node: Node, index: Index, operands: Sequence[Expr]) -> tuple[Expr, int, bool]:
        base = node.args[0]
        where = access.gather_index(node, index)
        assert isinstance(where, tuple)
        depth = max(self.depth(index), *(self._depth_known(a, index) for a in node.args[1:]))
        places: list[Expr] = []
        for axis, entry in enumerate(where):
            if isinstance(entry, Entry):
                places.append(self.position_at(entry))
                continue
            length = self.dim(base.shape[axis])
            position = operands[node.args[1:].index(entry.node)]
            if not _found_in(entry.node, base.shape[axis]):
                self.trap(Call("outside", (position, length)), depth)
                wrapped = self.fresh("v")
                call = Call("wrap", (position, length))
                self.insert(depth, Assign(wrapped, call, node.origin))
                position = wrapped
            places.append(position)
        if base.op is not ops.INPUT:  # the buffer may be what an outer iteration needs
            places = [places[k] for k in self.program.buffers[base][0].axes]
        element = Element(self.array(base), tuple(places))
        return expressions.loaded(element, node.dtype), depth, False

    def _poly(self, node: Node, operands: Sequence[Expr]) -> Expr:
        total: Expr | None = None
        for monomial, factor in node.attr:
            factors = [operands[i] for i in monomial]
            if factor != 1 or not factors:
                factors.insert(0, expressions.scalar(factor, _INT))
            term = functools.reduce(lambda a, b: Binary("*", a, b), factors)
            total = term if total is None else Binary("+", total, term)
        assert total is not None
        return total

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

    def position_at(self, entry: Entry | Dynamic) -> Expr:
        """The value of one entry of an index vector."""
        if isinstance(entry, Dynamic):
            return self.value(entry.node, entry.at)
        if entry.axis is None:
            return self.dim(entry.start)
        var = self.var_of[self.loops[entry.axis]]
        term: Expr = var if entry.step == 1 else Binary("*", entry.step, var)
        if not isinstance(entry.start, int):
            return Binary("+", self.dim(entry.start), term)
        if entry.start == 0:
            return term
        return Binary("+" if entry.start > 0 else "-", term, abs(entry.start))

    def dim(self, d: Dim) -> Expr:
        """A dimension: a number, or a name computed in the function's body."""
        return d if isinstance(d, int) else self.value(d, ())

    def flat_var(self) -> str:
        """The variable of the flat loop that is open."""
        assert self.current is not None
        return self.var_of[self.current.loops[0]]

    def flat(self, array: Expr, ndim: int) -> Expr:
        """A flat view of an array, made at the head of the function."""
        if ndim == 1:
            return array
        assert isinstance(array, str)
        if self.around is not None and array not in self.own:
            return self.around.flat(array, ndim)
        if array not in self.flat_names:
            name = self.flat_names[array] = f"{array}_flat"
            self.insert(0, Assign(name, Call("flat", (array,))))
        return self.flat_names[array]

    def subscript(self, array: Expr, node: Node, index: Index) -> Element:
        """An element of an array that has all the axes of `node`."""
        if not isinstance(index, tuple):
            return Element(self.flat(array, node.ndim), (self.flat_var(),))
        return self.placed(array, tuple(map(self.position_at, index)))

    def placed(self, array: Expr, at: tuple[Expr, ...]) -> Element:
        """An element of an array, which may be in a panel."""
        if not isinstance(array, str) or array not in self.panels:
            return Element(array, at)
        panel, line, place = self.panels[array]
        return Element(panel, (Binary("-", at[-1], place), Binary("-", at[-2], line)))

    def element(
        self, buffer: Buffer, index: Index, moved: Mapping[int, Expr] = _NOWHERE
    ) -> Element:
        """An element of a buffer, which may lack the axes of shared loops.

        `moved` gives the position along some axes instead of `index`.
        """
        if (window := self.program.windows.get(buffer.node)) is not None:
            place = Binary("-", self.var_of[window.loop], self.starts[window.loop])
            return Element(buffer.name, (place,))
        if not isinstance(index, tuple):
            return self.subscript(buffer.name, buffer.node, index)
        kept = [moved[k] if k in moved else self.position_at(index[k]) for k in buffer.axes]
        if buffer.layout == "F":  # its memory is a C array with the axes reversed
            kept.reverse()
        return self.placed(buffer.name, tuple(kept) or ((0,) if buffer.is_passing else ()))

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
