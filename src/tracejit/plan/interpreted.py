"""Calls whose graph the interpreter runs, node by node."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.errors import MISS
from tracejit.ir import alias, interpret
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import Node
from tracejit.plan.callplan import CallPlan
from tracejit.plan.memory import apart
from tracejit.plan.text import SAVED, commit, make_function, note_states, put_back, state_of


class Interpreted:
    """A graph that the interpreter runs: what ``compile=False`` gives in place of machine code."""

    loops = passes = temporaries = 0
    compiled = False

    def __init__(self, graph: Graph) -> None:
        # What only derivatives see is not computed.
        self.graph = graph = rebuild(
            graph, lambda node, _: node.args[0] if node.op.name == "custom" else node
        )
        self.source = ""
        self.seconds: dict[str, float] = {}
        self.remarks: list[str] = []
        self._kinds: Sequence[str] = ()
        self._views: Mapping[int, alias.View] = {}
        self._names = [node.attr[0] for node in graph.inputs]
        self._types = [(node.dtype, node.ndim) for node in graph.inputs]

    def driver(self, plan: CallPlan) -> Callable[..., Any]:
        """The function of the plan, as of `Executable.driver`."""
        inputs, states, draws = plan.inputs, plan.states, plan.draws
        self._kinds, self._views, self._numbers = plan.kinds, plan.views, plan.numbers
        outputs = [f"_tj_o{k}" for k in range(len(self.graph.outputs))]
        targets = {draw.target for draw in draws}
        known = _listed(["None" if i in targets else i for i in inputs])
        nodes = [node for draw in draws for node in draw.nodes]
        lines = list(plan.prologue)
        if draws:
            values = [f"_tj_v{k}" for k in range(len(nodes))]
            names = iter(values)
            lines += [
                f"_tj_v = _tj_known({known})",
                "if _tj_v is MISS: return MISS",
                f"{_listed(values)} = _tj_v" if values else "pass",
                note_states(draws, "_tj_state_of"),
                *(draw.line(lambda node: next(names)) for draw in draws),
            ]
        miss = f"_tj_put_back({SAVED}) or MISS" if draws else "MISS"
        texts = dict(zip(self._names, inputs, strict=True))
        writes = {
            k: texts[node.args[0].attr[0]]
            for k, node in enumerate(self.graph.outputs)
            if plan.kinds[k] == "write"
        }
        if writes:
            for x in writes.values():
                others = _listed([y for y in inputs if y != x and y not in targets])
                lines.append(f"if not _tj_apart({x}, {others}): return {miss}")
        lines += [
            f"_tj_o = _tj_run({_listed(inputs)})",
            f"if _tj_o is MISS: return {miss}",
            f"{_listed(outputs)} = _tj_o" if outputs else "pass",
            *(
                f"if not {outputs[k]}: return {miss}"
                for k, kind in enumerate(plan.kinds)
                if kind == "required"
            ),
            *(f"_tj_copyto({x}, {outputs[k]})" for k, x in writes.items()),
            f"{_listed(outputs)} = _tj_viewed({_listed(inputs)}, {_listed(outputs)})"
            if plan.views
            else "pass",
            commit(states, outputs[len(outputs) - len(states) :]) if states else "pass",
            f"return {plan.result(outputs)}",
        ]
        scope = {
            **plan.namespace,
            "MISS": MISS,
            "_tj_run": self._run,
            "_tj_viewed": self._viewed,
            "_tj_known": lambda inputs: self._known(inputs, nodes),
            "_tj_state_of": state_of,
            "_tj_put_back": put_back,
            "_tj_copyto": np.copyto,
            "_tj_apart": apart,
        }
        return make_function(plan.parameters, lines, scope, plan.locks)

    def _valid(self, inputs: tuple[Any, ...]) -> dict[str, Any] | None:
        """The inputs by name, or None where the graph is not valid for them."""
        for value, (dtype, ndim) in zip(inputs, self._types, strict=True):
            if isinstance(value, np.ndarray) and (
                value.dtype != dtype or value.dtype.num != dtype.num or value.ndim != ndim
            ):
                return None
        env = dict(zip(self._names, inputs, strict=True))
        checks = [c.condition for c in self.graph.checks]
        return env if all(interpret.evaluate(checks, env)) else None

    def _known(self, inputs: tuple[Any, ...], nodes: Sequence[Node]) -> Any:
        """Values of `nodes` before draws, or MISS where the graph is not valid for these inputs."""
        env = self._valid(inputs)
        if env is None:
            return MISS
        found = [interpret.evaluate([node], env)[0] for node in nodes]
        return [
            np.asarray(v).item() if node.type.weak else v
            for node, v in zip(nodes, found, strict=True)
        ]

    def _run(self, inputs: tuple[Any, ...]) -> Any:
        """Values of the outputs, or MISS where the graph is not valid for these inputs."""
        env = self._valid(inputs)
        if env is None:
            return MISS
        try:
            values = interpret.evaluate(self.graph.outputs, env)
        except (ValueError, IndexError):  # NumPy raises for these values: let it
            return MISS
        return [_as_kind(v, kind) for v, kind in zip(values, self._kinds, strict=True)]

    def _viewed(self, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> list[Any]:
        """The `outputs`, views made of inputs that have been written: a reshape may copy."""
        env = dict(zip(self._names, inputs, strict=True))
        made: dict[Any, Any] = dict(enumerate(outputs))
        for k, view in self._views.items():
            made[k] = alias.evaluate(view, env, made, self._numbers)
        return [made[k] for k in range(len(outputs))]


def _listed(names: Sequence[str]) -> str:
    """The text of a tuple."""
    return f"({''.join(f'{name}, ' for name in names)})"


def _as_kind(value: Any, kind: str) -> Any:
    if kind in ("array", "alias", "write"):  # of an input, it might be written before it is read
        return np.array(value)
    value = np.asarray(value)[()]
    return value.item() if kind == "number" else value
