"""The interpreter of programs: what a schedule means, point by point, in Python and NumPy.

It is slow, and the oracle of the tests: a pass that makes a wrong program shows here, without
anything being emitted or compiled. Floating sums are made in the order of the loops.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.ir.dims import Dim
from tracejit.ir.interpret import elementwise
from tracejit.ir.node import Node
from tracejit.ir.rules import RULES
from tracejit.lower.control import LEFT, is_run, results
from tracejit.lower.program import Buffer, Computation, Flat, Kind, Loop, Program
from tracejit.lower.results import RESULT, original

Index = tuple[int, ...]


def evaluate(program: Program, env: Mapping[str, Any]) -> list[Any] | None:
    """The outputs of `program`, with its inputs taken from `env` by name.

    An output that it does not compute is None; so is all where one of the graph's checks fails.
    Raises IndexError for a position that is out of range, and what NumPy raises for a value.

    >>> from tracejit.ir import build, dims
    >>> from tracejit.ir.graph import Graph
    >>> from tracejit.lower.registry import target
    >>> from tracejit.lower.schedule import schedule
    >>> x = build.input("x", np.dtype(np.float64), (dims.dim("x", 0),))
    >>> program = schedule(Graph((x,), (build.reduce("sum", x, (0,)),)), {"x": "C"}, target())
    >>> evaluate(program, {"x": np.arange(4.0)})
    [np.float64(6.0)]
    """
    with np.errstate(all="ignore"):
        try:
            return _run(program, env)
        except _MissedError:
            return None


class _MissedError(Exception):
    """A check that fails, of a graph or of a region."""


def _run(program: Program, env: Mapping[str, Any]) -> list[Any]:
    machine = _Machine(program, env)
    machine.check(program.conditions())
    for item in program.items:
        machine.item(item)
    machine.check(program.conditions(late=True))
    outputs, computed = program.graph.outputs, program.outputs
    return [machine.result(node) if node in computed else None for node in outputs]


class _Machine:
    """The memory of a run, and where its loops are."""

    def __init__(self, program: Program, env: Mapping[str, Any]) -> None:
        self.program, self.env = program, env
        self.memory: dict[int, np.ndarray] = {}
        #: What is in no memory: the value of this iteration.
        self.registers: dict[Node, Any] = {}
        self.at: dict[Loop, int] = {}
        #: What a reduction has come to, by the place in its result.
        self.sums: dict[Node | Computation, dict[Index, Any]] = {}

    def check(self, conditions: Sequence[Node]) -> None:
        """Raise where one of these does not hold."""
        if not all(self.value(condition, ()) for condition in conditions):
            raise _MissedError

    # Loops -----------------------------------------------------------------------------------

    def item(self, item: Loop | Computation) -> None:
        if isinstance(item, Computation):
            self.compute(item)
            return
        self.begin(item)
        item.style.run(item, 0, self.length(item.extent), self)

    def step(self, loop: Loop, places: Mapping[Loop, int]) -> None:
        """The items of `loop`, once, where it and its copies are at `places`."""
        self.at.update(places)
        for item in loop.items:
            self.item(item)
        for each in places:
            del self.at[each]

    def begin(self, loop: Loop) -> None:
        """The reductions over `loop` and what is inside of it start anew."""
        stack: list[Loop | Computation] = list(loop.items)
        while stack:
            item = stack.pop()
            if isinstance(item, Loop):
                stack += item.items
                continue
            over = _outermost_reduced(item)
            if over is None or over is loop or over in loop.copies:
                self.sums[_key(item)] = {}
                self._start(item)

    def _start(self, c: Computation) -> None:
        """What a reduction to a scalar in no memory is where there are no elements."""
        if c.kind is Kind.REDUCE and not self.program.buffers[c.target]:
            self.registers[c.target] = ops.identity(c.target.op.name, c.target.dtype)

    # Values ----------------------------------------------------------------------------------

    def length(self, d: Dim) -> int:
        """The value of a dimension."""
        return int(self.value(d, ())) if isinstance(d, Node) else d

    def value(self, node: Node, at: Index, target: Node | None = None) -> Any:
        """The element of `node` at `at`: of memory, unless it is the `target` being computed."""
        if node in self.program.stored and node is not target:
            return self._load(node, at)
        op = node.op
        if op is ops.INPUT:
            x = self.env[node.attr[0]]
            return np.asarray(x)[at] if node.ndim else x
        if op is ops.IOTA:
            return np.int64(at[0])
        if op is ops.VIEW:
            inner = tuple(
                self.length(start) + (step * at[axis] if axis is not None and step else 0)
                for start, step, axis in node.attr[1]
            )
            return self.value(node.args[0], inner)
        if op is ops.RESHAPE:
            shape, of = self.shape(node), self.shape(node.args[0])
            flat = int(np.ravel_multi_index(at, shape)) if at else 0
            return self.value(node.args[0], tuple(map(int, np.unravel_index(flat, of))))
        if op is ops.GATHER:
            x, *indices = node.args
            picks = [
                int(self.value(indices[k], at)) if kind == "index" else at[k]
                for kind, k in node.attr[1]
            ]
            return self.value(x, _wrapped(picks, self.shape(x)))
        if op is ops.SEARCH:
            x, sought = node.args
            found = np.searchsorted(self.whole(x), self.value(sought, at), node.attr)
            return np.int64(found)
        args = [self.value(a, at if a.ndim else ()) for a in node.args]
        if isinstance(op, ops.Elementwise):
            result = elementwise(node, op, args)
            return np.asarray(result)[()] if not node.type.weak else np.asarray(result).item()
        return RULES[op].evaluate(node, args, dict(zip(node.args, args, strict=True)), self.env)

    def shape(self, node: Node) -> Index:
        """The lengths of `node`."""
        return tuple(map(self.length, node.shape))

    def result(self, node: Node) -> Any:
        """An output, as its type is."""
        found = self.whole(node)[()]
        return found.item() if node.type.weak else found

    def whole(self, node: Node) -> Any:
        """All of `node`, as a library reads it."""
        if node in self.program.stored:
            buffers = self.program.buffers[node]
            return self._array(buffers[0]) if buffers else np.asarray(self.registers[node])
        if node.op is ops.INPUT:
            return np.asarray(self.env[node.attr[0]])
        shape = self.shape(node)
        found = np.empty(shape, node.dtype)
        for at in np.ndindex(shape):
            found[at] = self.value(node, at)
        return found

    # Memory ----------------------------------------------------------------------------------

    def _array(self, buffer: Buffer) -> np.ndarray:
        found = self.memory.get(id(buffer))
        if buffer.home:
            return np.asarray(self.env[buffer.home])
        if found is None:
            shape = tuple(self.length(buffer.node.shape[k]) for k in buffer.axes)
            op, dtype = buffer.node.op, buffer.node.dtype
            empty = isinstance(op, ops.Reduction) and op not in ops.ARG_REDUCTIONS
            start = ops.identity(op.name, dtype) if empty else 0  # of what has no elements
            found = self.memory[id(buffer)] = np.full(shape, start, dtype)
        return found

    def _load(self, node: Node, at: Index) -> Any:
        buffers = self.program.buffers[node]
        if node in self.program.windows:
            return self.registers[node][at]
        if not buffers:
            return self.registers[node]
        found = self._array(buffers[0])[tuple(at[k] for k in buffers[0].axes)]
        return found.item() if node.type.weak else found

    def _store(self, node: Node, at: Index, value: Any) -> None:
        self.registers[node] = value
        for buffer in self.program.buffers[node]:
            self._array(buffer)[tuple(at[k] for k in buffer.axes)] = value

    # Computations ----------------------------------------------------------------------------

    def compute(self, c: Computation) -> None:
        """A computation at the iteration at hand, or all of one that has no loops."""
        if c.kind in (Kind.MATMUL, Kind.LIBRARY):
            self._call(c)
            return
        if any(loop not in self.at for loop in c.loops):
            return  # of a step that is not taken
        at = self._domain_index(c)
        own = c.target if c.value is c.target else None
        if c.kind is Kind.SCATTER:
            self._scatter(c, at)
            return
        value = self.value(c.value, at if c.value.ndim else (), own)
        kept = tuple(at[k] for k in c.kept)
        if c.kind is Kind.MAP:
            self._map(c, at, value)
        elif c.kind is Kind.SCAN:
            if at[c.axis]:
                before = self._load(c.target, (*at[: c.axis], at[c.axis] - 1, *at[c.axis + 1 :]))
                combine = ops.ELEMENTWISE[c.target.attr[0]].ufunc
                value = combine(before, c.target.dtype.type(value))
            self._store(c.target, at, value)
        elif c.kind is Kind.ARG:
            self._extreme(c, at, kept, value)
        else:
            self._reduce(c, kept, value)

    def _domain_index(self, c: Computation) -> Index:
        """Where in its domain a computation is."""
        domain = tuple(map(self.length, c.domain))
        if c.loops and c.loops[0].has(Flat):
            return tuple(map(int, np.unravel_index(self.at[c.loops[0]], domain)))
        place = dict(zip(c.order, (self.at[loop] for loop in c.loops), strict=True))
        return tuple(place[k] for k in range(len(domain)))

    def _map(self, c: Computation, at: Index, value: Any) -> None:
        if c.partial:
            moved = list(at)
            if at:
                moved[c.axis] += self.length(c.offset)
            at = tuple(moved)
        if c.target.op is ops.RESHAPE and c.partial:
            inner = self.shape(c.target.args[0])
            flat = int(np.ravel_multi_index(at, inner))
            at = tuple(map(int, np.unravel_index(flat, self.shape(c.target))))
        self._store(c.target, at, value)

    def _reduce(self, c: Computation, kept: Index, value: Any) -> None:
        op = c.target.op
        assert isinstance(op, ops.Reduction)
        dtype = c.target.dtype
        before = self.sums[_key(c)].get(kept, ops.identity(op.name, dtype))
        combine = ops.ELEMENTWISE[op.combine].ufunc
        result = np.asarray(combine(before, value)).astype(dtype)[()]
        self.sums[_key(c)][kept] = result
        self._store(c.target, kept, result)

    def _extreme(self, c: Computation, at: Index, kept: Index, value: Any) -> None:
        lengths = [self.length(c.domain[k]) for k in c.reduced]
        place = int(np.ravel_multi_index([at[k] for k in c.reduced], lengths))
        best = self.sums[_key(c)].get(kept)
        better = best is None
        if best is not None and best[0] == best[0]:
            pair = [best[0], value]
            better = bool((np.argmax if c.target.op.name == "argmax" else np.argmin)(pair))
        if better:
            self.sums[_key(c)][kept] = value, place
        self._store(c.target, kept, np.int64(self.sums[_key(c)][kept][1]))

    def _scatter(self, c: Computation, at: Index) -> None:
        mode, _ = c.target.attr
        value = self.value(c.value, at if c.value.ndim else ())
        places = [int(self.value(p, at if p.ndim else ())) for p in c.positions]
        place = _wrapped(places, self.shape(c.target))
        if mode != "set":
            value = ops.ELEMENTWISE[mode].ufunc(self._load(c.target, place), value)
        self._store(c.target, place, value)

    def _call(self, c: Computation) -> None:
        node, values = c.value, _Whole(self)
        if is_run(node):
            self._control(node, values)
            return
        if node.op is LEFT:
            return
        node = original(node) if node.op is RESULT else node
        args = [values[a] for a in node.args]
        if node.op is ops.PLACE:  # into the copy that has been made
            args[1] = self.whole(node)
        if isinstance(node.op, ops.Elementwise):
            result = elementwise(node, node.op, args)
        else:
            result = RULES[node.op].evaluate(node, args, values, self.env)
        result = np.asarray(result, node.dtype)
        self.registers[c.value] = result if node.ndim else result[()]
        if c.value not in self.program.windows:
            for buffer in self.program.buffers[c.value]:
                self._array(buffer)[...] = result

    def _control(self, run: Node, values: Mapping[Node, Any]) -> None:
        """A branch or a loop, by the meaning of its op; carried arrays are written in place."""
        control = self.program.controls[run]
        regions = [functools.partial(self._region, each) for each in control.programs]
        args = [*regions, *(values[a] for a in control.node.args)]
        found = RULES[control.node.op].evaluate(control.node, args, values, self.env)
        for node, value in zip(results(run), found, strict=True):
            if node not in self.program.stored:
                continue
            self.registers[node] = value
            for buffer in self.program.buffers[node]:
                self._array(buffer)[...] = value

    def _region(self, program: Program, *args: Any) -> list[Any]:
        inputs = program.graph.inputs
        return _run(program, {p.attr[0]: a for p, a in zip(inputs, args, strict=True)})


class _Whole(dict[Node, Any]):
    """All of the nodes that somebody asks for."""

    def __init__(self, machine: _Machine) -> None:
        super().__init__()
        self.machine = machine

    def __missing__(self, node: Node) -> Any:
        value = self.machine.whole(node)
        self[node] = value = value if node.ndim else self.machine.value(node, ())
        return value


def _outermost_reduced(c: Computation) -> Loop | None:
    """The outermost of the loops over which `c` reduces."""
    if c.loops and c.loops[0].has(Flat):
        return c.loops[0]
    return next((loop for k, loop in zip(c.order, c.loops, strict=True) if k in c.reduced), None)


def _key(c: Computation) -> Node | Computation:
    """What accumulates: in a sweep all steps do so in one array; else each on its own."""
    return c.target if c.kind is Kind.SWEEP else c


def _wrapped(places: Sequence[int], lengths: Index) -> Index:
    """Positions that may count from the end."""
    for place, length in zip(places, lengths, strict=True):
        if not -length <= place < length:
            raise IndexError(f"index {place} is out of bounds for length {length}")
    return tuple(p + n if p < 0 else p for p, n in zip(places, lengths, strict=True))
