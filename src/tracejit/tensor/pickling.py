"""Pickles and deep copies of variables and functions: rows of plain data, however deep the graph.

A row is an op's name, its static data, and where its operands are: a leaf, or an output of an
earlier row. Leaves are pickled as objects, so that variables which are pickled together share them;
an application that is met twice, over the same leaves, is restored once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

from tracejit.tensor.graph import Apply, Constant, Variable, leaves, toposort

#: Tells the applications of this process from those of others.
_PROCESS = os.urandom(8).hex()
_restored: WeakValueDictionary[Any, Apply] = WeakValueDictionary()

Rows = tuple[list[Any], list[Variable], list[Any]]


def rows_of(outputs: Sequence[Variable]) -> Rows:
    """(rows, leaves, places of the outputs) of the graph of `outputs`."""
    found = leaves(outputs)
    place: dict[Variable, Any] = {v: -1 - k for k, v in enumerate(found)}
    rows = []
    for k, node in enumerate(toposort(outputs)):
        types = [(type(v), v.type, v.name) for v in node.outputs]
        operands = [place[v] for v in node.inputs]
        origin = tuple(node.origin) if node.origin else None
        rows.append((node.op, node.attr, operands, types, origin, (_PROCESS, node.serial)))
        for j, v in enumerate(node.outputs):
            place[v] = (k, j)
    return rows, found, [place[v] for v in outputs]


def from_rows(data: Rows) -> list[Variable]:
    """The outputs whose graph `rows_of` has described."""
    from tracejit.ir.node import Origin

    rows, found, places = data
    nodes: list[Apply] = []

    def at(place: Any) -> Variable:
        return found[-1 - place] if isinstance(place, int) else nodes[place[0]].outputs[place[1]]

    for op, attr, operands, types, origin, uid in rows:
        inputs = [at(p) for p in operands]
        key = (tuple(uid), *map(id, inputs))
        node = _restored.get(key)
        if node is None:
            node = Apply(op, inputs, attr, Origin(*origin) if origin else None)
            node.outputs = tuple(
                cls(kind, node, k, name) for k, (cls, kind, name) in enumerate(types)
            )
            _restored[key] = node
        nodes.append(node)
    return [at(p) for p in places]


def _output(data: Rows) -> Variable:
    return from_rows(data)[0]


def _leaf(cls: type, kind: Any, name: str | None, tag: dict[str, Any]) -> Variable:
    variable: Variable = cls(kind, name=name)
    vars(variable.tag).update(tag)
    return variable


def _constant(cls: type, kind: Any, data: Any, name: str | None) -> Constant:
    constant: Constant = cls(kind, data, name)
    constant.data.flags.writeable = False
    return constant


def _shared(cls: type, kind: Any, container: Any, name: Any, strict: Any, downcast: Any) -> Any:
    return cls(kind, None, name, strict, downcast, container)


def reduce_variable(v: Variable) -> Any:
    """What ``__reduce__`` gives for a variable."""
    from tracejit.sharedvalue import SharedVariable

    if v.owner is not None:
        return _output, (rows_of([v]),)
    if isinstance(v, Constant):
        return _constant, (type(v), v.type, v.data, v.name)
    if isinstance(v, SharedVariable):
        args = (type(v), v.type, v.container, v.name, v.strict, v.allow_downcast)
        # The update may refer to the variable itself: it is pickled after it.
        return _shared, args, {"default_update": v.default_update}
    return _leaf, (type(v), v.type, v.name, dict(vars(v.tag)))


def reduce_function(f: Any) -> Any:
    """What ``__reduce__`` gives for a symbolic function."""
    threaded = f.plan.threaded
    targets = [s for s, _ in threaded.updates]
    graph = rows_of([*threaded.outputs, *(u for _, u in threaded.updates)])
    return _function, (
        graph, f.plan.inputs, targets, threaded.states, f.plan.public, f.plan.mode,
        [(s.spec, s.container, s.default) for s in f.slots], f.containers, f.shared_variables,
        f.structure, f.name, f.mode, f.updating,
    )  # fmt: skip


def _function(
    graph: Rows, inputs: Any, targets: Any, states: Any, public: Any, plan_mode: str, slots: Any,
    containers: Any, shared_variables: Any, structure: Any, name: Any, mode: str, updating: bool,
) -> Any:  # fmt: skip
    from tracejit.state import Threaded
    from tracejit.symbolic import Slot, SymbolicFunction
    from tracejit.symbolic_call import Plan

    values = from_rows(graph)
    count = len(values) - len(targets)
    updates = list(zip(targets, values[count:], strict=True))
    plan = Plan(inputs, Threaded(values[:count], updates, states), plan_mode, set(public))
    f = SymbolicFunction(
        plan, [Slot(*s) for s in slots], containers, shared_variables, structure, name, mode, None
    )
    f.updating = updating
    return f
