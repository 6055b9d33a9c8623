"""The interpreter of kernels as a target: its entries are plain Python over NumPy's scalars."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reference.functions import FUNCTIONS
from tracejit.call.arguments import storage_of
from tracejit.ir import ops
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import elementwise
from tracejit.ir.node import Node
from tracejit.ir.rules import RULES
from tracejit.lower.control import LEFT
from tracejit.lower.emit import emitter
from tracejit.lower.emit.expressions import storage
from tracejit.lower.kernel.interpret import run
from tracejit.lower.kernel.statements import Call, Do, Expr, Transposed
from tracejit.lower.kernel.text import Text, factory_text
from tracejit.lower.program import Computation, Program
from tracejit.lower.target import Costs, Launch, Made, Passes, Source

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2


@dataclass(frozen=True)
class KernelSource(Source):
    """A kernel, and the calls for whole arrays that it makes."""

    calls: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


class Reference:
    """Adds nothing to what all targets share, but that NumPy is called for whole arrays."""

    costs = Costs()
    passes = Passes()
    residence = None

    def render(self, program: Program) -> KernelSource:
        e = Emitter(program)
        kernel, text = e.kernel(), Text()
        text.block(kernel.body)
        head = [factory_text(name, made) for name, made in sorted(kernel.factories.items())]
        head.append(f"def entry({', '.join(kernel.parameters)}):")
        origins = [*(None for _ in head), *text.origins]
        body = "\n".join([*head, *text.lines, ""])
        return KernelSource(kernel, body, origins, e.given, e.returned, e.calls)

    def seconds(self, source: Source) -> float:
        return 0.0

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        return functools.partial(_run, source, graph, layouts), True

    def launch(self, made: Made) -> Launch | None:
        return None


class Emitter(emitter.Emitter):
    """Calls the interpreter of graphs for what is no loop."""

    def __init__(self, program: Program, around: Any = None) -> None:
        super().__init__(program, around)
        self.calls: dict[str, Callable[..., Any]] = {} if around is None else around.root.calls

    def call(self, c: Computation) -> None:
        if c.value.op is LEFT:
            return
        leaves = list(dict.fromkeys(self._leaves(c.value)))
        name = f"call{len(self.calls)}"
        buffers = self.program.buffers[c.target]
        self.calls[name] = functools.partial(_call, c.value, leaves, len(buffers))
        operands = [self.array(n) if self._is_array(n) else self.value(n, ()) for n in leaves]
        operands += [Transposed(b.name) if b.layout == "F" else b.name for b in buffers]
        call = Call(name, tuple(operands))
        if c.target.ndim:
            self.path[-1].add(Do(call, c.value.origin))
            return
        result: Expr = self.fresh("v")
        self.path[-1].assign(result, call, c.value.origin)
        self.store(c, result, ())

    def _is_array(self, node: Node) -> bool:
        return bool(node.ndim) or (node.op is ops.INPUT and node.attr[0] in self.array_inputs())

    def _leaves(self, node: Node) -> Iterator[Node]:
        """Inputs and stored nodes that a node is computed from, and the lengths that it needs."""
        around = [d for d in (*node.shape, *_dims(node.attr)) if isinstance(d, Node)]
        for a in (*node.args, *around):
            if a.op is ops.INPUT or not a.ndim or a in self.program.stored:
                yield a
                if a.op is ops.DRAW:  # which its state after it is computed from
                    yield from self._leaves(a)
            else:
                yield from self._leaves(a)


def _dims(attr: Any) -> Iterator[Node]:
    """The dimensions in an attribute."""
    if isinstance(attr, Node):
        yield attr
    elif isinstance(attr, tuple):
        for each in attr:
            yield from _dims(each)


class _Values(dict[Node, Any]):
    """What nodes are, from what some of them are."""

    def __missing__(self, node: Node) -> Any:
        args = [self[a] for a in node.args]
        if isinstance(node.op, ops.Elementwise):
            found = elementwise(node, node.op, args)
        else:
            found = RULES[node.op].evaluate(node, args, self, {})
        self[node] = found = np.asarray(found, node.dtype)
        return found


def _call(node: Node, leaves: list[Node], outputs: int, *operands: Any) -> Any:
    """Compute a node, of its leaves and of the arrays that take it; the value of a scalar."""
    values = _Values()
    made = operands[len(operands) - outputs :] if outputs else ()
    for leaf, value in zip(leaves, operands, strict=False):
        values[leaf] = _taken(leaf, value)
    args = [values[a] for a in node.args]
    if node.op is ops.PLACE:  # into the copy that has been made
        args[1] = _taken(node, made[0])
    if isinstance(node.op, ops.Elementwise):
        result = elementwise(node, node.op, args)
    else:
        result = RULES[node.op].evaluate(node, args, values, {})
    result = np.asarray(result, node.dtype)
    for out in made:
        out[...] = result.view(storage(node.dtype))
    return result[()]


def _taken(node: Node, value: Any) -> Any:
    """What a kernel has for a node, as the interpreter of graphs has it."""
    if node.dtype.char == "e" and isinstance(value, np.ndarray) and value.dtype == np.uint16:
        return value.view(np.float16)
    return np.asarray(value, node.dtype)[()]


def _run(source: KernelSource, graph: Graph, layouts: Mapping[str, str], *arguments: Any) -> Any:
    """The code of a call; the late results, or None, where there are some."""
    late: dict[int, np.ndarray] = {}
    code = REFUSED
    try:
        count = len(graph.inputs)
        given = [
            _value(node, x, layouts[node.attr[0]])
            for node, x in zip(graph.inputs, arguments[:count], strict=True)
        ]
        values = [*given, *arguments[count:], *([late] if source.late else [])]
        code = run(source.kernel, values, {**FUNCTIONS, **source.calls})
    except TypeError:
        code = MISSED
    except (IndexError, ValueError):
        pass
    if source.late:
        return None if code else tuple(late[k] for k, _ in enumerate(source.late, 1))
    return code


def _value(node: Node, given: Any, layout: str) -> Any:
    """An argument as an input; TypeError where it is another."""
    dtype = storage(node.dtype)
    if not layout:  # float16 travels as float32
        return (np.float32 if node.dtype.char == "e" else dtype.type)(given)
    if (given.dtype, given.ndim, storage_of(given)) != (dtype, node.ndim, layout):
        raise TypeError(f"not an array for {node!r}")
    return given
