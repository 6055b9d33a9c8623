"""Evaluating a symbolic graph: over traced values, which compiles it, or over arrays, in NumPy."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Check
from tracejit.ir.marks import marked
from tracejit.ir.node import Origin
from tracejit.symbolic.graph import Apply, Constant, Variable, leaves, toposort
from tracejit.symbolic.opcodes import OPS
from tracejit.symbolic.type import TensorType
from tracejit.trace.trace import Trace, condition, scalar_text
from tracejit.trace.tracer import Tracer

#: Serial numbers of marks; those of transformed functions are positive.
_serials = itertools.count(-1, -1)


class SymbolicTrace(Trace):
    """A trace whose inputs have the broadcast patterns of types, whatever their lengths are."""

    def __init__(self) -> None:
        super().__init__()
        self.place: Origin | None = None

    def origin(self) -> Origin | None:
        """The line of the user's that made the application at hand."""
        return self.place

    def typed_input(self, value: Any, path: str, pattern: Sequence[bool]) -> Tracer:
        """The variable for an argument or a state: an array, or a NumPy scalar."""
        name = self._unique(path)
        shape: tuple[Dim, ...] = tuple(
            1 if b else dims.dim(name, axis, self.token) for axis, b in enumerate(pattern)
        )
        node = build.input(name, value.dtype, shape)
        self._register(node, value, path)
        variable = Tracer(node, "array" if shape else "scalar", owned=False)
        if shape:
            self._arrays[id(value)] = value, variable
        return variable

    def _ones(self) -> list[Check]:
        """Only axes that broadcast must have length 1."""
        checks = []
        for node in self.inputs:
            name = node.attr[0]
            for axis, d in enumerate(node.shape):
                if d == 1 and name not in self.constants:
                    test = condition("equal", dims.dim(name, axis, self.token), 1)
                    checks.append(Check(test, scalar_text(test, self.names)))
        return checks


def constant_value(constant: Constant, trace: Trace | None) -> Any:
    """The value of a constant: in a trace, scalars are constants and arrays hidden inputs."""
    data: np.ndarray = constant.data
    if trace is None:
        return data
    if not data.ndim:
        return Tracer(build.constant(data[()], data.dtype), "scalar")
    return trace.array_input(data)


def replay(
    outputs: Sequence[Variable], values: Mapping[Variable, Any], trace: SymbolicTrace | None = None
) -> list[Any]:
    """The values of `outputs` where leaves have the given `values`.

    With a `trace`, which must be in force, they are traced values. Exceptions carry the
    application that raised as ``__tracejit_apply__``.
    """
    env: dict[Variable, Any] = dict(values)

    def value(v: Variable) -> Any:
        if v not in env:
            assert isinstance(v, Constant), v
            env[v] = constant_value(v, trace)
        return env[v]

    order = toposort(outputs, env)
    targets = _targets(order) if trace is not None else set()
    for v in targets.intersection(env):
        env[v] = _apart(env[v])
    late = sides_of(order, outputs)
    last = _last_uses(order, outputs, late) if trace is None else {}
    for node in order:
        if node in late:
            continue
        if trace is not None:
            trace.place = node.origin
        groups = _groups(node)
        plain = node.inputs[: groups[0].start] if groups else node.inputs
        sides = [Side(node.inputs[g.start : g.stop], env, trace) for g in groups]
        _run(node, [*map(value, plain), *sides], env)
        for v in targets.intersection(node.outputs):
            env[v] = _apart(env[v])
        for v in last.get(node, ()):
            env.pop(v, None)
    return [value(v) for v in outputs]


def run(node: Apply, operands: list[Any], env: dict[Variable, Any]) -> None:
    """Evaluate one application into `env`."""
    groups = _groups(node)
    if groups:
        known = dict(zip(node.inputs, operands, strict=True))
        sides = [Side(node.inputs[g.start : g.stop], known, None) for g in groups]
        operands = [*operands[: groups[0].start], *sides]
    _run(node, operands, env)


def _run(node: Apply, operands: list[Any], env: dict[Variable, Any]) -> None:
    try:
        result = OPS[node.opcode].evaluate(node.attr, *operands)
    except Exception as error:
        if (
            getattr(error, "__tracejit_apply__", None) is None
        ):  # else a step of a loop has raised it
            error.__tracejit_apply__ = node  # type: ignore[attr-defined]
        raise
    results = result if isinstance(result, (tuple, list)) else (result,)
    for v, r in zip(node.outputs, results, strict=False):
        is_array = not isinstance(r, Tracer) and isinstance(v.type, TensorType)
        env[v] = np.asarray(r, v.type.numpy_dtype) if is_array else r


def _targets(order: Iterable[Apply]) -> set[Variable]:
    """The variables that derivatives are taken by."""
    rules = ((node, OPS[node.opcode].targets) for node in order)
    return {node.inputs[k] for node, rule in rules if rule is not None for k in rule(node.attr)}


def _apart(value: Any) -> Any:
    """A value that derivatives are taken by: views of a view are else views of its base."""
    if not isinstance(value, Tracer) or value.node.op not in (ops.VIEW, ops.RESHAPE):
        return value
    return Tracer(marked(value.node, "mark", next(_serials)), value.kind)


# Sides ------------------------------------------------------------------------------------------


def _groups(node: Apply) -> tuple[range, ...]:
    sides = OPS[node.opcode].sides
    return () if sides is None else sides(node.attr)


class Side:
    """Operands of an application that are computed when this is called, of what is in `env`."""

    def __init__(
        self, variables: Sequence[Variable], env: dict[Variable, Any], trace: SymbolicTrace | None
    ) -> None:
        self.variables, self.env, self.trace = variables, env, trace

    def __call__(self) -> list[Any]:
        return replay(self.variables, self.env, self.trace)

    def around(self) -> list[Any]:
        """The values that are known already, and are read."""
        return [self.env[v] for v in leaves(self.variables, self.env) if v in self.env]


def sides_of(order: Sequence[Apply], outputs: Sequence[Variable]) -> dict[Apply, Apply]:
    """The applications that only one side of another one reads, and that one."""
    found: dict[Apply, Apply] = {}
    if not any(OPS[node.opcode].sides for node in order):
        return found
    users: dict[Variable, list[tuple[Apply, int]]] = {}
    for node in order:
        for k, v in enumerate(node.inputs):
            users.setdefault(v, []).append((node, k))
    kept = set(outputs)
    for place, node in reversed(list(enumerate(order))):
        for group in () if node in found else _groups(node):
            own: set[Apply] = set()
            for inner in reversed(order[:place]):
                uses = [use for v in inner.outputs for use in users.get(v, ())]
                if not kept.isdisjoint(inner.outputs) or not uses:
                    continue
                if all(u in own or (u is node and k in group) for u, k in uses):
                    own.add(inner)
            found |= dict.fromkeys(own, node)
    return found


def _last_uses(
    order: Sequence[Apply], outputs: Sequence[Variable], late: Mapping[Apply, Apply]
) -> dict[Apply, list[Variable]]:
    """For each application the variables that nothing after it reads: they need not be kept.

    What is `late` reads them with the application that it is a side of.
    """
    last: dict[Variable, Apply] = {}
    place = {node: k for k, node in enumerate(order)}
    for node in order:
        user = late.get(node, node)
        for v in node.inputs:
            if v.owner is not None and (v not in last or place[last[v]] < place[user]):
                last[v] = user
    kept = set(outputs)
    found: dict[Apply, list[Variable]] = {}
    for v, node in last.items():
        if v not in kept:
            found.setdefault(node, []).append(v)
    return found
