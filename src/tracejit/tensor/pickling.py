"""Pickles and deep copies of variables and functions: rows of plain data, however deep the graph.

A row is an op's name, its static data, and where its operands are: a leaf, or an output of an
earlier row. Leaves are pickled as objects, so that variables which are pickled together share them;
an application that is met twice, over the same leaves, is restored once. Scalar constants, of which
there may be as many as applications, are pickled as data.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from tracejit.ir.node import Origin
from tracejit.symbolic.function import SymbolicFunction
from tracejit.symbolic.graph import Apply, Constant, Variable, leaves, toposort
from tracejit.symbolic.io import Slot
from tracejit.symbolic.program import SymbolicProgram
from tracejit.symbolic.shared import SharedVariable
from tracejit.symbolic.state import Threaded

#: Tells the applications of this process, and those it forks, from those of others.
_PROCESS = os.urandom(8).hex()
_restored: WeakValueDictionary[Any, Apply] = WeakValueDictionary()
_constants: WeakValueDictionary[Any, Constant] = WeakValueDictionary()
#: Attributes of variables that are restored otherwise, or not worth it.
_KNOWN = frozenset(
    "type owner index name origin data strict allow_downcast container _eval_functions".split()
)
_SIMPLE = _KNOWN | {"tag"}


class Rows:
    """The graph of some outputs as data: `rows`, `leaves`, and the `places` of the outputs.

    A leaf is a variable, or of a scalar constant (class, type, bytes, name, which one it was).

    Types and origins, of which there are few, are numbered. `uid` tells graphs of this process from
    others.
    """

    __slots__ = ("leaves", "origins", "places", "rows", "types", "uid")

    def __init__(self, rows: Any, leaves: Any, places: Any, types: Any, origins: Any, uid: str):
        self.rows, self.leaves, self.places = rows, leaves, places
        self.types, self.origins, self.uid = types, origins, uid

    def __reduce__(self) -> Any:
        return Rows, tuple(
            getattr(self, k) for k in ("rows", "leaves", "places", "types", "origins", "uid")
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Rows:
        found = [v if isinstance(v, tuple) else copy.deepcopy(v, memo) for v in self.leaves]
        return Rows(self.rows, found, self.places, self.types, self.origins, self.uid)


def rows_of(outputs: Sequence[Variable]) -> Rows:
    """The graph of `outputs` as data."""
    found = leaves(outputs)
    place: dict[Variable, Any] = {v: -1 - k for k, v in enumerate(found)}
    types: dict[Any, int] = {}
    origins: dict[Any, int] = {}
    coded = [_coded(v, types) for v in found]
    rows = []
    for k, node in enumerate(toposort(outputs)):
        made = [(type(v), types.setdefault(v.type, len(types)), v.name) for v in node.outputs]
        operands = [place[v] for v in node.inputs]
        origin = tuple(node.origin) if node.origin else None
        number = origins.setdefault(origin, len(origins))
        rows.append((node.opcode, node.attr, operands, made, number, node.serial))
        for j, v in enumerate(node.outputs):
            place[v] = (k, j)
    uid = f"{_PROCESS}-{os.getpid()}"
    return Rows(rows, coded, [place[v] for v in outputs], list(types), list(origins), uid)


def _coded(v: Variable, types: dict[Any, int]) -> Any:
    if not isinstance(v, Constant) or v.data.ndim or vars(v.tag) or not vars(v).keys() <= _SIMPLE:
        return v
    kind = types.setdefault(v.type, len(types))
    return type(v), kind, v.data.tobytes(), v.name, id(v)


def _decoded(coded: Any, data: Rows) -> Constant:
    cls, number, value, name, which = coded
    kind = data.types[number]
    key = (data.uid, cls, kind, value, name, which)
    constant = _constants.get(key)
    if constant is None:
        array = np.frombuffer(value, kind.numpy_dtype).reshape(())
        constant = _constants[key] = cls(kind, array, name)
    return constant


def from_rows(data: Rows) -> list[Variable]:
    """The outputs whose graph `rows_of` has described."""
    nodes: list[Apply] = []
    types = data.types
    found = [_decoded(v, data) if isinstance(v, tuple) else v for v in data.leaves]
    origins = [Origin(*origin) if origin else None for origin in data.origins]

    def at(place: Any) -> Variable:
        return found[-1 - place] if isinstance(place, int) else nodes[place[0]].outputs[place[1]]

    for op, attr, operands, made, origin, serial in data.rows:
        inputs = [at(p) for p in operands]
        key = (data.uid, serial, *map(id, inputs))
        node = _restored.get(key)
        if node is None:
            node = _restored[key] = Apply(op, inputs, attr, origins[origin])
            node.outputs = tuple(
                cls(types[kind], node, k, name) for k, (cls, kind, name) in enumerate(made)
            )
        nodes.append(node)
    return [at(p) for p in data.places]


def _output(data: Rows) -> Variable:
    return from_rows(data)[0]


def _leaf(cls: type, kind: Any, name: str | None) -> Variable:
    variable: Variable = cls(kind, name=name)
    return variable


def _constant(cls: type, kind: Any, data: Any, name: str | None) -> Constant:
    constant: Constant = cls(kind, data, name)
    constant.data.flags.writeable = False
    return constant


def _shared(cls: type, kind: Any, container: Any, name: Any, strict: Any, downcast: Any) -> Any:
    return cls(kind, None, name, strict, downcast, container)


def reduce_variable(v: Variable) -> Any:
    """What ``__reduce__`` gives for a variable.

    Attributes that it was given, its tag and its default update may refer to the variable itself:
    they are pickled after it.
    """
    extra = {k: value for k, value in vars(v).items() if k not in _KNOWN}
    if not vars(v.tag):
        del extra["tag"]
    if v.owner is not None:
        return _output, (rows_of([v]),), extra or None
    if isinstance(v, Constant):
        return _constant, (type(v), v.type, v.data, v.name), extra or None
    if isinstance(v, SharedVariable):
        args = (type(v), v.type, v.container, v.name, v.strict, v.allow_downcast)
        return _shared, args, extra
    return _leaf, (type(v), v.type, v.name), extra or None


def reduce_function(f: Any) -> Any:
    """What ``__reduce__`` gives for a symbolic function."""
    threaded = f.program.threaded
    targets = [s for s, _ in threaded.updates]
    graph = rows_of([*threaded.outputs, *(u for _, u in threaded.updates)])
    return _function, (
        graph, f.program.inputs, targets, threaded.states, list(f.program.public), f.program.mode,
        [(s.spec, s.container, s.default) for s in f.slots], f.containers, f.shared_variables,
        f.structure, f.name, f.mode, f.updating,
    )  # fmt: skip


def _function(
    graph: Rows, inputs: Any, targets: Any, states: Any, public: Any, program_mode: str, slots: Any,
    containers: Any, shared_variables: Any, structure: Any, name: Any, mode: str, updating: bool,
) -> Any:  # fmt: skip
    values = from_rows(graph)
    count = len(values) - len(targets)
    updates = list(zip(targets, values[count:], strict=True))
    program = SymbolicProgram(
        inputs, Threaded(values[:count], updates, states), program_mode, set(public)
    )
    f = SymbolicFunction(
        program,
        [Slot(*s) for s in slots],
        containers,
        shared_variables,
        structure,
        name,
        mode,
        None,
    )
    f.updating = updating
    return f


setattr(Variable, "__reduce__", reduce_variable)  # noqa: B010
setattr(SymbolicFunction, "__reduce__", reduce_function)  # noqa: B010
