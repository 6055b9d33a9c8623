"""The interpreter of programs as a target: its entries are plain Python."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.call.arguments import storage_of
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.lower.buffers import name_memory
from tracejit.lower.interpret import evaluate
from tracejit.lower.program import Buffer, Program
from tracejit.lower.target import Costs, Launch, Made, Passes, Source
from tracejit.lower.text import to_text

#: What an entry returns.
DONE, MISSED, REFUSED = 0, 1, 2


@dataclass(frozen=True)
class ProgramSource(Source):
    """The text of a program, with the program itself."""

    program: Program | None = None


class Reference:
    """Adds nothing to what all targets share."""

    costs = Costs()
    passes = Passes()

    def render(self, program: Program) -> ProgramSource:
        given, late, _ = name_memory(program)
        text = to_text(program)
        origins = [None] * len(text.splitlines())
        return ProgramSource(text, origins, given, [b for b in late if b.output], program)

    def seconds(self, source: Source) -> float:
        return 0.0

    def compile(self, source: Source, graph: Graph, layouts: Mapping[str, str]) -> tuple[Any, bool]:
        return functools.partial(_run, source, layouts), True

    def launch(self, made: Made) -> Launch | None:
        return None


def _run(source: ProgramSource, layouts: Mapping[str, str], *arguments: Any) -> Any:
    """The code of a call; the late results, or None, where there are some."""
    assert source.program is not None
    inputs = source.program.graph.inputs
    code, results = REFUSED, dict[int, Any]()
    try:
        pairs = zip(inputs, arguments[: len(inputs)], strict=True)
        env = {node.attr[0]: _value(node, given, layouts[node.attr[0]]) for node, given in pairs}
        found = evaluate(source.program, env)
        code = MISSED if found is None else DONE
        for node, value in zip(source.program.graph.outputs, found or [], strict=not code):
            results.update((id(b), value) for b in source.program.buffers.get(node, ()))
    except TypeError:
        code = MISSED
    except (IndexError, ValueError):
        pass
    for buffer, memory in zip(source.buffers, arguments[len(inputs) :], strict=True):
        if not code and buffer.output:
            memory.view(buffer.node.dtype)[...] = _laid_out(buffer, results[id(buffer)])
    if source.late:
        return None if code else tuple(_laid_out(b, results[id(b)]) for b in source.late)
    return code


def _value(node: Node, given: Any, layout: str) -> Any:
    """An argument as an input; TypeError where it is another."""
    if not layout:  # float16 travels as float32
        return given if node.type.weak else node.dtype.type(given)
    given = given.view(np.float16) if node.dtype.char == "e" else given
    if (given.dtype, given.ndim, storage_of(given)) != (node.dtype, node.ndim, layout):
        raise TypeError(f"not an array for {node!r}")
    return given


def _laid_out(buffer: Buffer, value: Any) -> np.ndarray:
    """A result as it lies in its memory."""
    array = np.asarray(value, buffer.node.dtype)
    return array.T if buffer.layout == "F" else array
