"""A driver whose program has its arrays on a device: results and new states stay there.

Buffers are shadows (`target.Residence`), which nothing in a driver reads. A few are the host's,
into which the entry downloads before anything of the call is to be seen: numbers of Python's, and
new values of states that are kept on the host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import alias, ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node
from tracejit.lower.driver import OURS, Driver
from tracejit.lower.program import Buffer
from tracejit.lower.target import Residence
from tracejit.plan.callplan import CallPlan


def kept_by_host(
    plan: CallPlan, outputs: Sequence[Node], buffers: Mapping[Node, Sequence[Buffer]]
) -> set[str]:
    """The names of the buffers that are the host's."""
    results = outputs[: len(outputs) - len(plan.states)]
    found = set()
    for node, kind in zip(outputs, plan.kinds, strict=True):
        if kind == "number" and buffers[node][0].is_passing:
            found.add(buffers[node][0].name)
    for node, state in zip(outputs[len(results) :], plan.states, strict=True):
        if not is_on_device(plan, state) and outputs.count(node) == 1:
            found.add(buffers[node][0].name)
    return found


def is_on_device(plan: CallPlan, state: str) -> bool:
    """Whether a state's container has its value on a device."""
    return bool(plan.namespace[state].device)


class ResidentDriver(Driver):
    """Text of a driver whose buffers are on a device, but for those that are `hosts`."""

    def __init__(
        self, graph: Graph, inputs: Sequence[str], residence: Residence, hosts: set[str]
    ) -> None:
        super().__init__(graph, inputs)
        self.hosts = hosts
        self.namespace |= {f"{OURS}empty": residence.empty, f"{OURS}host": np.empty}
        for name in ("made", "wrap", "scalar", "number", "copy", "reshaped", "stepped"):
            self.namespace[f"{OURS}{name}"] = getattr(residence, name)
        self.namespace[f"{OURS}down"] = residence.host

    def allocate(self, buffers: Sequence[Buffer], indent: str = "", some: bool = False) -> None:
        """Allocate buffers, where each belongs."""
        for b in buffers:
            empty = "host" if b.name in self.hosts else "empty"
            form = ", ".join(self._form(b))
            self.lines.append(f"{indent}{OURS}{b.name} = {OURS}{empty}({form})")

    def recycle(self, buffers: Sequence[Buffer]) -> list[str]:
        """Allocate arrays of one element: the pool keeps their memory."""
        self.allocate(buffers)
        return []

    def share(self, arena: Sequence[Buffer]) -> None:
        """Allocate each alone: what the pool gives to one, it gives to the next when that goes."""
        self.allocate(arena)

    def result(self, buffer: Buffer, kind: str) -> str:
        """The text of an output: a shadow, or a value that is as its user gets it."""
        text = f"{OURS}{buffer.name}"
        if kind == "number":
            return f"{OURS}number({text})"
        if kind == "scalar":
            return f"{text}[0]" if buffer.name in self.hosts else f"{OURS}scalar({text})"
        return super().result(buffer, kind)

    def twice(self, text: str) -> str:
        """The text of an array that another result is as well."""
        return f"{OURS}copy({text})"

    def shown(self, text: str, kind: str) -> str:
        """The text of an array as its user gets it."""
        return f"{OURS}{'wrap' if kind == 'alias' else 'made'}({text})"

    def stored(self, text: str, on_device: bool, name: str) -> str:
        """The text of a state's new value."""
        if name in self.hosts:
            return text
        return (
            self.shown(text, "array") if on_device else f"{OURS}down({self.shown(text, 'array')})"
        )

    def _taken(self, base: str, link: alias.Link) -> str:
        node = link.node
        if node is None and link.step.take is not None:
            name = f"{OURS}take{len(self.namespace)}"
            self.namespace[name] = link.step.take
            operands = [base, name, *map(self.dim, link.step.lengths)]
            return f"{OURS}stepped({', '.join(operands)})"
        if node is not None and node.op is ops.RESHAPE:
            lengths = "".join(f"{self.dim(d)}, " for d in node.shape)
            return f"{OURS}reshaped({base}, ({lengths}))"
        return super()._taken(base, link)


def constants_of(plan: CallPlan) -> dict[int, Any]:
    """The inputs that are arrays of the program's own, by their positions."""
    found = {k: plan.namespace.get(text) for k, text in enumerate(plan.inputs)}
    return {k: array for k, array in found.items() if type(array) is np.ndarray}
