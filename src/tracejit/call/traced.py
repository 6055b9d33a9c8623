"""The program that a trace of a function gives: its graph, and how its result is built."""

from __future__ import annotations

import functools
import types
from collections.abc import Sequence
from operator import methodcaller
from typing import Any

import numpy as np

from tracejit.arrays.dates import Dates
from tracejit.arrays.lists import arrays_of
from tracejit.call.arguments import Description
from tracejit.call.changes import Changes
from tracejit.call.compiled import Compiled
from tracejit.call.order import require_order
from tracejit.call.overlaps import captured
from tracejit.call.sharing import shared
from tracejit.capture.capture import Capture
from tracejit.errors import NotTraceable, take_refusal
from tracejit.ir import alias, ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node, make
from tracejit.ir.stabilise import stabilised
from tracejit.plan.memory import distinct
from tracejit.plan.prologue import is_length
from tracejit.plan.structure import (
    ARRAY,
    SCALAR,
    Leaf,
    Spec,
    Static,
    Tree,
    children_of,
    flatten,
)
from tracejit.trace.elements import made_by
from tracejit.trace.explain import class_text
from tracejit.trace.lists import TracedList
from tracejit.trace.memory import Memory
from tracejit.trace.mixed import Mixed
from tracejit.trace.requirements import Requirement, rewritten, unread
from tracejit.trace.tracer import Tracer


class Overlapping(NotTraceable):
    """A function is found to write, and some of its arguments share memory: trace it again.

    So do some of what it has `met`.
    """

    def __init__(self, met: list[tuple[str, np.ndarray]]) -> None:
        super().__init__("arguments share memory, and one of them is written into")
        self.met = met


class TraceResult:
    """What a trace gave: the graph, its outputs' kinds, and text that builds the result."""

    def __init__(self, graph: Graph, kinds: list[str], spec: Spec, leaves: list[Any]) -> None:
        self.graph = graph
        self.kinds = kinds
        self.spec = spec
        self.leaves = leaves
        self.inputs: list[str] = []
        self.views: dict[int, alias.View] = {}
        #: The numbers of views that are outputs.
        self.numbers: dict[Node, int] = {}
        #: Containers of the caller's that the call changes: the result has their new contents too.
        self.changes: Changes | None = None
        #: Containers whose new values are the last outputs.
        self.states: list[Any] = []


def run_trace(fn: Compiled, description: Description, capture: Capture) -> TraceResult:
    """Run the traced copy of `fn` over variables for these arguments."""
    description.mirror()
    leaves, names, signature = iter(description.values), list[str](), description.signature
    if fn._paths.write:
        others = [*captured(fn.__wrapped__), *description.met]
        capture.sliced.related = description.related_with(others)
    copy = capture.function(fn.__wrapped__)
    capture.arguments = names
    for k, dates in description.dated.items():
        capture.dated[id(dates)] = description.values[k]
        capture.dated[id(description.values[k])] = dates.dtype
    arguments = [
        capture.rebuild(spec, leaves, names, name, value, local)
        for name, local, spec, value in zip(
            signature.names, signature.locals, description.specs, description.bound, strict=True
        )
    ]
    result = signature.recall(copy, *arguments)
    swallowed = take_refusal()
    if swallowed is not None:
        raise swallowed
    changes = Changes(capture)
    values: list[Tracer] = []
    places: dict[int, int] = {}
    texts: list[Any] = []
    lists: list[TracedList] = []
    met: set[int] = set()

    def output(value: Tracer) -> int:
        if id(value) not in places:
            places[id(value)] = len(values)
            values.append(value)
        return places[id(value)]

    def leaf(value: Any, path: str) -> Leaf | None:
        record = capture.objects.record(value)
        if record is not None:
            changes.meet(record)
            texts.append(("text", record.name))
            return ARRAY
        dates = value if isinstance(value, Dates) else None
        value = value if dates is None else dates.ticks
        known = capture.handles.get(id(value))
        if known is not None:
            texts.append(("input", known[1]))
            return ARRAY
        if dates is not None:
            texts.append(("dates", (methodcaller("view", dates.dtype), output(dates.ticks))))
            return ARRAY
        if isinstance(value, Mixed):
            parts = [output(part) for part in (value.is_first, *value.values)]
            texts.append(("made", (value.classes.made, *parts)))
            return ARRAY
        if id(value) in capture.containers:
            texts.append(("text", capture.containers[id(value)]))
            return ARRAY
        if isinstance(value, (list, dict)):
            if id(value) in met:
                raise NotTraceable(
                    f"{path} is {class_text(value)} that is in the result already, as one object",
                    "return a copy, or return it once",
                )
            met.add(id(value))
        if isinstance(value, TracedList) and value.store is not None:
            lists.append(value)
            parts = [output(part) for part in arrays_of(value)]
            texts.append(("made", (made_by(value.store.form), *parts)))
            return ARRAY
        if isinstance(value, Tracer):
            if value.kind == "number" and is_length(value.node):
                texts.append(("length", value.node))
            else:
                texts.append(("output", output(value)))
            return ARRAY
        if isinstance(value, np.generic):
            texts.append(("value", value))
            return SCALAR
        if isinstance(value, np.ndarray):
            raise NotTraceable(
                f"{path} is an array that was made without traced values, and would be frozen",
                "make it outside the function",
            )
        if children_of(value) is None:
            original = capture.original(value)
            if original is value and isinstance(value, (types.FunctionType, functools.partial)):
                raise NotTraceable(f"{path} is a function made inside the traced one")
            bound = isinstance(value, (types.MethodType, types.BuiltinMethodType))
            owner = value.__self__ if bound else None
            if isinstance(owner, (list, dict, set, Tracer)):
                raise NotTraceable(f"{path} is a method of {class_text(owner)}")
            if original is not value or (callable(value) and not isinstance(value, type)):
                texts.append(("value", original))
                return SCALAR
        return None

    parts_of = [flatten(result, "the result", leaf)]
    for change in changes.found:  # which may become more
        parts_of += [flatten(value, change.path, leaf) for value in change.contents]
    whole = Tree("tuple", tuple, (), tuple(parts_of)) if changes else parts_of[0]
    spec = _with_original_classes(whole, capture)
    capture.require_kept()
    _require_alone(values, lists, capture)
    views, bases = shared(values)
    written = [m for m in capture.trace.memories.values() if m.node is not m.start]
    if written:
        _require_apart(fn, description, capture, written)
    given = {view.base for view in views.values()} | {m.outside for m in written}
    given |= {name for kind, name in texts if kind == "input"}
    _require_own(given, description, capture)
    outputs = [*(v.node for v in values), *bases]
    kinds = ["alias" if k in views else v.kind for k, v in enumerate(values)]
    kinds += ["array"] * (len(outputs) - len(kinds))
    numbers = {d: len(outputs) + k for k, d in enumerate(alias.computed(views.values()))}
    outputs += numbers
    kinds += ["number"] * len(numbers)
    contents = [m.node for m in written]
    if fn._within is not None:
        new = [v.node for k, v in enumerate(values) if v.kind == "array" and k not in views]
        require_order(new, capture.trace.values)
    requirements: Sequence[Requirement] = list(capture.trace.requirements)
    if fn.stabilise:
        stable, requirements = rewritten([*outputs, *contents], requirements, stabilised)
        outputs, contents = stable[: len(outputs)], stable[len(outputs) :]
    changed = [s for s in capture.states.values() if s.changed]
    computed = [node for k, node in enumerate(outputs) if k not in views] + contents
    required = unread(requirements, [*computed, *(s.node for s in changed)])
    if required is not None:
        outputs, kinds = [*outputs, required], [*kinds, "required"]
    outputs += [
        make(ops.ASSIGN, (m.start, node), required is not None, m.start.type, node.origin)
        for m, node in zip(written, contents, strict=True)
    ]
    kinds += ["write"] * len(written)
    graph = capture.trace.graph([*outputs, *(s.node for s in changed)])
    program = TraceResult(graph, [*kinds, *("array" for _ in changed)], spec, texts)
    program.inputs, program.changes = names, changes
    program.views, program.numbers = views, numbers
    program.states = [s.container for s in changed]
    return program


def _require_alone(values: Sequence[Tracer], lists: Sequence[TracedList], capture: Capture) -> None:
    """NotTraceable where an array that is returned may also be one that a list holds.

    An argument's array is the caller's, returned or not.
    """
    returned = {id(v.memory): v.memory for v in values if v.memory is not None}
    groups = [m.listed.all() for m in returned.values() if m.listed is not None]
    groups += [one.group.all() for one in lists if one.holds_arrays()]
    others = [m for m in capture.trace.memories.values() if id(m) not in returned]
    around = {id(m.listed.all()) for m in others if m.listed is not None}
    found = {id(group) for group in groups}
    repeats = any(one.repeats for one in lists)
    if len(found) < len(groups) or found & around or repeats:
        raise NotTraceable(
            "an array is returned that a list may hold, or is an element of a returned list",
            "append a copy: x.copy()",
        )


def _require_apart(
    fn: Compiled, description: Description, capture: Capture, written: Sequence[Memory]
) -> None:
    """NotTraceable where an array that is written into shares memory with another input.

    Where it is known how they do, they are one input, once a function is known to write.
    """
    told, fn._paths.write = fn._paths.write, True
    values = capture.trace.values
    read = [(capture.trace.names[n], x) for n, x in values.items() if type(x) is np.ndarray]
    seen = {id(x) for _, x in [*description.met, *captured(fn.__wrapped__)]}
    new = [(n, x) for n, x in read if id(x) not in seen and n not in description.paths]
    for memory in written:
        x = values[memory.outside]
        others = [n for n, y in values.items() if n != memory.outside and _may_share(x, y)]
        if not others and distinct(x):
            continue
        if not told or new:
            raise Overlapping(new)
        pair = [capture.trace.names[n] for n in (memory.outside, *others[:1])]
        shared = " and ".join(pair) if others else f"elements of {pair[0]}"
        raise NotTraceable(
            f"{shared} share memory, and what is there is written into",
            "pass arrays that do not overlap, or a copy of one",
        )
    if not told and description.overlaps:
        raise Overlapping(new)
    if description.converting:
        raise NotTraceable(
            "it writes into an argument, which may be an object that only converts to an array",
            "leave convert_arrays out, and pass arrays",
        )


def _may_share(x: Any, y: Any) -> bool:
    return isinstance(y, np.ndarray) and np.may_share_memory(x, y)


def _require_own(names: set[Any], description: Description, capture: Capture) -> None:
    """NotTraceable where a result has the memory of an input that stands for another array."""
    for name in names:
        value = capture.trace.values.get(name)
        if type(value) is np.memmap or any(value is array for array in description.replaced):
            raise NotTraceable(
                f"it returns, or writes into, the memory of {capture.trace.names[name]}, which is "
                "a memory map or not aligned",
                "return a copy",
            )


def _with_original_classes(spec: Spec, capture: Capture) -> Spec:
    if not isinstance(spec, Tree):
        return spec
    children = tuple(_with_original_classes(c, capture) for c in spec.children)
    keys = spec.keys
    if spec.kind == "dict":
        keys = tuple(Static(capture.original(k.value)) for k in spec.keys)
    return spec._replace(cls=capture.original(spec.cls), keys=keys, children=children)
