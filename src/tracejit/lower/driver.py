"""The driver: one generated Python function between the user's call and the compiled entry.

It runs the caller's guards, allocates outputs and temporaries (NumPy's allocator asks for huge
pages, Numba's does not), calls the entry and shapes the results. Everything else is done when it
is made, so that a call costs what it must.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.errors import MISS
from tracejit.ir import alias, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node, postorder
from tracejit.lower.program import Buffer
from tracejit.lower.scalars import DIVISION, Scalars, polynomial
from tracejit.native import pool
from tracejit.plan.text import (
    SAVED,
    DrawText,
    Parameters,
    make_function,
    note_states,
    put_back,
    state_of,
)

#: Prefix of every name in a driver that is not the user's.
OURS = "_tjx_"
#: From so many additions on a call is a large one: they take some 25 µs.
LARGE_WORK = 1 << 19
#: From so many on there may be arrays that are worth kept memory.
SOME_WORK = pool.LEAST // 16
#: From so many bytes on it pays to let buffers share memory.
LARGE = 1 << 18


class Driver:
    """Text of a driver under construction."""

    def __init__(self, graph: Graph, inputs: Sequence[str]) -> None:
        self.graph = graph
        self.names = {node.attr[0]: name for node, name in zip(graph.inputs, inputs, strict=True)}
        self.namespace: dict[str, Any] = {
            f"{OURS}{name}": value
            for name, value in {
                "empty": np.empty,
                "len": len,
                "large": pool.empty,
                "miss": MISS,
                "float32": np.float32,
                "uint16": np.dtype(np.uint16),
            }.items()
        }
        self.lines: list[str] = []
        self.before: list[str] = []
        self.drawing: list[str] = []
        self.miss = f"{OURS}miss"
        self.known: dict[Node, str] = {}
        vectors = {node.attr[0] for node in graph.inputs if node.ndim == 1}
        self.scalars = Scalars(self.names, vectors, self.namespace, OURS)

    def argument(self, node: Node, is_array: bool) -> str:
        """The text of an input as the entry takes it: float16 travels as bits, or as float32."""
        name = self.names[node.attr[0]]
        if node.dtype.char == "e":
            return f"{name}.view({OURS}uint16)" if is_array else f"{OURS}float32({name})"
        return name

    def target(self, buffer: Buffer) -> str:
        """The text of a buffer as the entry takes it."""
        half = buffer.node.dtype.char == "e"
        return f"{OURS}{buffer.name}" + (f".view({OURS}uint16)" if half else "")

    def dim(self, d: Dim) -> str:
        """The text of a dimension, from the inputs' shapes and numbers."""
        if isinstance(d, int):
            return str(d)
        waiting = [d]
        while waiting:
            node = waiting[-1]
            operands = self._operands(node)
            if not set(operands) <= self.known.keys():
                waiting += [a for a in operands if a not in self.known]
                continue
            waiting.pop()
            if node not in self.known:
                self.known[node] = self._scalar(node, [self.known[a] for a in operands])
        return self.known[d]

    def _operands(self, node: Node) -> tuple[Node, ...]:
        """The operands of which `node` gets the texts."""
        if node.op is ops.POLY:
            return node.args
        # By zero, NumPy's integers give a number.
        signs = ops.COMPARISONS | (DIVISION if node.type.weak else {})
        signed = node.op.name in signs and all(a.dtype.kind in "biu" for a in node.args)
        return node.args if signed and self.scalars.limit(node) is None else ()

    def _scalar(self, node: Node, operands: Sequence[str]) -> str:
        if node.op is ops.DIM:
            name, axis, _ = node.attr
            one = axis == 0 and any(i.attr[0] == name and i.ndim == 1 for i in self.graph.inputs)
            text = self.names[name]
            return f"{OURS}len({text})" if one else f"{text}.shape[{axis}]"
        if node.op is ops.INPUT:
            return self.names[node.attr[0]]
        if node.op is ops.CONST:
            return str(evaluate([node], {})[0])
        if node.op is ops.POLY:
            return polynomial(node, operands)
        limit = self.scalars.limit(node)
        if limit is not None:
            return self.scalars.name(node, limit)
        if operands:
            return f"({operands[0]} {(ops.COMPARISONS | DIVISION)[node.op.name]} {operands[1]})"
        name = f"{OURS}scalar{len(self.namespace)}"
        used = sorted({n.attr[0] for n in postorder([node]) if n.op in (ops.INPUT, ops.DIM)})
        self.namespace[name] = lambda *values: evaluate(
            [node], dict(zip(used, values, strict=True))
        )[0]
        return f"{name}({', '.join(self.names[key] for key in used)})"

    def shape(self, dims: tuple[Dim, ...]) -> str:
        """The text of a shape: an input's own where it is the same."""
        for node in self.graph.inputs:
            if node.ndim and node.shape == dims and any(isinstance(d, Node) for d in dims):
                return f"{self.names[node.attr[0]]}.shape"
        items = ", ".join(map(self.dim, dims))
        return items if len(dims) == 1 else f"({items})"

    def tell_halves_apart(self, layouts: Mapping[str, str]) -> None:
        """Guard float16 arrays: the entry sees their bits only, as it would another array's."""
        for node in self.graph.inputs:
            if node.dtype.char == "e" and layouts[node.attr[0]]:
                dtype = f"{self.names[node.attr[0]]}.dtype"
                self.lines.append(f"if {dtype}.char != 'e' or not {dtype}.isnative:")
                self.lines.append(f"    return {OURS}miss")

    def _form(self, buffer: Buffer) -> tuple[str, str]:
        """The texts of a buffer's shape and dtype."""
        dtype = buffer.node.dtype
        name = f"{OURS}dtype_{dtype.name}"
        self.namespace.setdefault(name, dtype)
        # A Fortran array is the transpose of a C array, whose type does not depend on its lengths.
        shape = buffer.shape[::-1] if buffer.layout == "F" else buffer.shape
        return self.shape(shape), name

    def allocate(self, buffers: Sequence[Buffer], indent: str = "", some: bool = False) -> None:
        """Allocate buffers; with `some`, where work is known, large ones over kept memory."""
        texts = [(f"{indent}{OURS}{b.name} = ", ", ".join(self._form(b))) for b in buffers]
        if not some or not texts:
            self.lines += [f"{name}{OURS}empty({form})" for name, form in texts]
            return
        choices = [self._large(b) for b in buffers]
        self.lines += [
            f"{indent}if {OURS}work > {SOME_WORK}:",
            *(f"    {n}{large}({f})" for (n, f), large in zip(texts, choices, strict=True)),
            f"{indent}else:",
            *(f"    {name}{OURS}empty({form})" for name, form in texts),
        ]

    def _large(self, buffer: Buffer) -> str:
        """What allocates a buffer that may be large."""
        size = "*".join([*map(self.dim, buffer.shape), str(buffer.node.dtype.itemsize)])
        return f"({OURS}large if {size} >= {pool.LEAST} else {OURS}empty)"

    def recycle(self, buffers: Sequence[Buffer]) -> list[str]:
        """Take arrays for scalars that nobody gets to see; the lines that keep them for later.

        Where another thread was faster the list is empty, which is a miss like any other.
        """
        lines = []
        for buffer in buffers:
            name = f"{OURS}{buffer.name}"
            free = f"{name}_free"
            self.namespace[free] = []
            new = f"{OURS}empty({', '.join(self._form(buffer))})"
            self.lines.append(f"{name} = {free}.pop() if {free} else {new}")
            lines.append(f"{free}.append({name})")
        return lines

    def share(self, arena: Sequence[Buffer]) -> None:
        """Allocate temporaries that are never in use together: large ones in one block."""
        sizes = ["*".join([*map(self.dim, b.shape), str(b.node.dtype.itemsize)]) for b in arena]
        size, memory = f"{OURS}size", f"{OURS}memory"
        self.namespace[f"{OURS}byte"] = np.dtype(np.uint8)
        self.lines += [
            f"{size} = max({', '.join(sizes)})",
            f"if {size} > {LARGE}:",
            f"    {memory} = {OURS}large({size}, {OURS}byte)",
        ]
        for buffer, count in zip(arena, sizes, strict=True):
            shape, dtype = self._form(buffer)
            text = f"{memory}[:{count}].view({dtype}).reshape({shape})"
            self.lines.append(f"    {OURS}{buffer.name} = {text}")
        self.lines.append("else:")
        for buffer in arena:
            self.allocate([buffer], "    ")

    def reuse(self, buffer: Buffer, container: str) -> None:
        """Take a container's spare array for a buffer, unless somebody else refers to it.

        Those who do not are the container, the local name and getrefcount's argument.
        """
        shape = ", ".join(map(self.dim, buffer.shape))
        self.namespace[f"{OURS}getrefcount"] = sys.getrefcount
        name = f"{OURS}{buffer.name}"
        self.lines.append(f"{name} = {container}.spare")
        # All values of a container have its rank: a scalar's spare has the shape.
        fits = f"{name}.shape != ({shape},) or " if buffer.shape else ""
        self.lines.append(f"if {name} is None or {fits}{OURS}getrefcount({name}) != 3:")
        self.allocate([buffer], "    ")

    def result(self, buffer: Buffer, kind: str) -> str:
        """The text of an output as NumPy would have returned it."""
        text = f"{OURS}{buffer.name}"
        if buffer.layout == "F":
            text += ".T"
        index = "0" if buffer.is_passing else "()"
        return {"scalar": f"{text}[{index}]", "number": f"{text}.item()"}.get(kind, text)

    def twice(self, text: str) -> str:
        """The text of an array that another result is as well."""
        return f"{text}.copy()"

    def shown(self, text: str, kind: str) -> str:
        """The text of an array as its user gets it: of the program's own, or an "alias"."""
        return text

    def stored(self, text: str, on_device: bool, name: str) -> str:
        """The text of a state's new value, which is in the buffer `name`."""
        return text

    def view(self, view: alias.View, outputs: Sequence[str], made: dict[Any, str]) -> list[str]:
        """Statements that make a view; `made` gets the names, and has those of earlier ones."""
        lines = []
        key: Any = view.base
        text = self.names[key] if isinstance(key, str) else outputs[key]
        for link in view.links:
            key = key, link.key
            if key not in made:
                made[key] = f"{OURS}view{len(made)}"
                lines.append(f"{made[key]} = {self._taken(text, link)}")
            text = made[key]
        made[view] = text
        return lines

    def _taken(self, base: str, link: alias.Link) -> str:
        node = link.node
        if node is None:
            take = link.step.take
            if take is None:
                return f"{base}[...]"
            name = f"{OURS}take{len(self.namespace)}"
            self.namespace[name] = take
            return f"{name}({', '.join([base, *map(self.dim, link.step.lengths)])})"
        if node.op is ops.RESHAPE:
            return f"{base}.reshape(({''.join(f'{self.dim(d)}, ' for d in node.shape)}))"
        if node.op is not ops.VIEW:
            return f"{base}.{node.op.name}"
        parts, order = alias.slicing(node)
        if parts:
            base += f"[{', '.join(map(self._part, parts))}]"
        return f"{base}.transpose({', '.join(map(str, order))})" if order else base

    def _part(self, part: Any) -> str:
        """The text of an entry of an index."""
        if part is None or part is Ellipsis:
            return "None" if part is None else "..."
        if isinstance(part, slice):
            return ":" if part.step is None else f"::{part.step}"
        if not isinstance(part, tuple):
            return self.dim(part)
        first, stop, by = self.dim(part[0]), self.dim(part[1]), part[2]
        if by < 0:  # before the first is none, as -1 is the last
            stop = f"({stop} if {stop} >= 0 or {stop} == {first} else None)"
        return f"{first}:{stop}:{by}"

    def much(self, works: Sequence[Dim], least: int = LARGE_WORK) -> str:
        """The text of whether there is much to do: more than `least` additions."""
        work: Dim = functools.reduce(dims.add, works) if works else 0
        if isinstance(work, Node):
            self._name_lengths(work)
        self.lines.append(f"{OURS}work = {self.dim(work)}")
        return f"{OURS}work > {least}"

    def _name_lengths(self, d: Node) -> None:
        """Name the lengths in `d` of arrays of several axes: each ``shape`` is a tuple anew."""
        lengths = [node for node in postorder([d]) if node.op is ops.DIM]
        named: dict[Node, str] = {}
        count = 0
        for array in self.graph.inputs:
            own = [node for node in lengths if node.attr[0] == array.attr[0]]
            if len(own) < 2:
                continue
            names = [f"{OURS}n{count + axis}" for axis in range(array.ndim)]
            count += array.ndim
            self.lines.append(f"{', '.join(names)} = {self.names[array.attr[0]]}.shape")
            named |= {node: names[node.attr[1]] for node in own}
        if named:
            self.known = named

    def draw(self, draws: Sequence[DrawText]) -> None:
        """Have NumPy's generators draw; their states are put back where the entry is for others.

        The entry tells dtypes and layouts apart, and so only after the draws.
        """
        if not draws:
            return
        for check in self.graph.checks:
            text = f"if not {self.dim(check.condition)}: return {OURS}miss"
            self.before += [*self.scalars.statements(), text]
        self.namespace[f"{OURS}state_of"] = state_of
        self.namespace[f"{OURS}put_back"] = put_back
        self.drawing = [
            note_states(draws, f"{OURS}state_of"),
            *(draw.line(self._known) for draw in draws),
        ]
        self.miss = f"{OURS}put_back({SAVED}) or {OURS}miss"

    def _known(self, node: Node) -> str:
        """A local variable for what a draw is given: to find it fails for other arguments."""
        name = f"{OURS}given{len(self.before)}"
        text = self.names[node.attr[0]] if node.op is ops.INPUT else self.dim(node)
        self.before += [*self.scalars.statements(), f"{name} = {text}"]
        return name

    def _leaving(self, line: str) -> str:
        return line.replace(f"return {OURS}miss", f"return {self.miss}")

    def make(
        self,
        parameters: Parameters,
        prologue: Sequence[str],
        body: list[str],
        result: str,
        namespace: dict[str, Any],
        locks: str = "",
    ) -> Callable[..., Any]:
        """Compile the driver; `locks` are held for the whole call."""
        # Arguments of other ranks or sizes, or 0: no guard has been passed yet.
        other = "except (ValueError, IndexError, AttributeError, TypeError, ZeroDivisionError):"
        lines = list(prologue)
        self.lines = [*self.scalars.statements(), *self.lines]
        if self.drawing:
            lines += ["try:", *(f"    {line}" for line in self.before or ["pass"])]
            lines += [other, f"    return {OURS}miss", *self.drawing]
        lines += [
            "try:",
            *(f"    {self._leaving(line)}" for line in self.lines or ["pass"]),
            other,
            f"    return {self.miss}",
            *map(self._leaving, body),
            f"return {result}",
        ]
        return make_function(parameters, lines, {**self.namespace, **namespace}, locks)
