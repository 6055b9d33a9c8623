"""What a loop carries from step to step: variables, and arrays that are written into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR
from tracejit.ir.node import Node
from tracejit.ir.region import Check, regions_of
from tracejit.ir.rules import roles
from tracejit.trace.effects import State, Variables
from tracejit.trace.memory import put
from tracejit.trace.pieces import Found, conjunction, nothing, traced, value_of
from tracejit.trace.trace import Trace, condition
from tracejit.trace.tracer import Tracer, wrap

#: What a carried number of Python's may grow by at each step: more could leave 64 bits.
GROWTH = 1 << 20
#: The same, of a loop inside of others: no program does so many steps that this adds up to it.
COUNTED = 1 << 12
#: What a number that grows otherwise may be at most.
LARGEST = 1 << 60


class Unsettled(BaseException):  # no handler of the user's is for it
    """A value has another type after a step than before it."""


class Carried(NamedTuple):
    """What a loop carries: variables, by their places, and arrays; starts and placeholders."""

    places: list[int]
    arrays: list[Any]
    starts: list[Tracer]
    params: list[Node]


def settled(
    trace: Trace,
    run: Callable[[], None],
    variables: Variables,
    held: Sequence[Any],
    skipped: bool,
) -> tuple[Carried, Found]:
    """What a body carries, and what it makes of that; it may be `skipped`, and do no step."""
    before = variables.get()
    kept = variables.read | variables.live if skipped else variables.read
    carried = Carried([], [], [], [])
    while True:
        state = State(trace)
        found = _with(trace, carried, run, variables, held)
        fresh = [
            k
            for k in found.values
            if k not in carried.places and variables.names[k] in variables.read | variables.live
        ]
        arrays = [a for a, _ in found.arrays.values() if all(a is not c for c in carried.arrays)]
        if not fresh and not arrays:
            bounds = _require_settled(carried, found, variables, trace)
            return carried, found._replace(checks=(*found.checks, *bounds))
        state.restore()
        places, every = [*carried.places, *fresh], [*carried.arrays, *arrays]
        starts = list(carried.starts[: len(carried.places)])
        starts += [_start(k, before[k], found.values[k], variables, kept) for k in fresh]
        starts += [Tracer(a.node) for a in every]
        params = [placeholder(s.node.type) for s in starts]
        carried = Carried(places, every, starts, params)


def _with(
    trace: Trace, carried: Carried, run: Callable[[], None], variables: Variables, held: Any
) -> Found:
    """What a body makes of the placeholders."""
    before, saved = variables.get(), [(a, a.node) for a in carried.arrays]
    known, count = list(before), len(carried.places)
    for k, param, start in zip(carried.places, carried.params, carried.starts, strict=False):
        known[k] = Tracer(param, start.kind)
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        put(array, param)
    variables.set(known)
    ints = {p for p in carried.params if p.type == INT_SCALAR}
    trace.carried |= ints
    try:
        found = traced(trace, run, variables, held)
        own = [known[k].memory for k in carried.places]
        if any(a is m for a, _ in found.arrays.values() for m in own):
            raise NotTraceable(
                "in a loop an array is written into, and its variable becomes another one",
                "write into it alone: x[...] = y",
            )
        return found
    finally:
        trace.carried -= ints
        for array, node in saved:
            put(array, node)
        variables.set(before)


def _start(
    place: int, before: Any, after: Any, variables: Variables, kept: frozenset[str]
) -> Tracer:
    """Where a variable starts: at nothing in particular, unless it is one whose value is `kept`.

    What a rewritten function returns is read only after it has been assigned.
    """
    name = variables.names[place]
    if name in kept and not (name.startswith(".") and before is variables.unbound):
        if isinstance(before, Tracer) and before.kind == "array":
            return Tracer(before.node)  # a value: whoever else has that array keeps it
        return value_of(before, name, variables)
    return nothing(value_of(after, name, variables), name)


def _require_settled(
    carried: Carried, found: Found, variables: Variables, trace: Trace
) -> list[Check]:
    """Unsettled where a type changes; what must hold of numbers that may grow."""
    whole = (frozenset(carried.params) | trace.carried) - trace.counts
    bounds = []
    for k, start in zip(carried.places, carried.starts, strict=False):
        if k not in found.values:
            continue
        value = value_of(found.values[k], variables.names[k], variables)
        if (value.kind, value.node.type) != (start.kind, start.node.type):
            raise Unsettled
        if value.node.type == INT_SCALAR and not _stays_small(value.node, whole, trace):
            bounds.append(_bound(value.node, trace))
    return bounds


def _bound(number: Node, trace: Trace) -> Check:
    """That a number of Python's is far from 64 bits after a step."""
    limits = (condition("less", number, LARGEST), condition("greater", number, -LARGEST))
    small = build.elementwise("logical_and", *limits)
    return Check(small, "an integer of Python's stays within 60 bits", trace.origin())


def _stays_small(result: Node, carried: frozenset[Node], trace: Trace, most: int = GROWTH) -> bool:
    """Whether a number of Python's is one of the `carried` ones, or small, and little besides."""
    if result.op is ops.CONST:
        return abs(int(build.constant_value(result))) <= most
    numbers = {steps.number for steps in trace.steps}
    terms = dims.poly(dims.from_node(result))
    if abs(terms.pop((), 0)) > most:
        return False
    grown = small = 0
    for monomial, factor in terms.items():
        [atom, *others] = monomial
        if others or (factor < 0 and atom in carried):
            return False
        if atom in carried or (atom.op is ops.ITEM and _is_chosen(atom, carried, trace)):
            grown += factor
        elif atom.op in (ops.DIM, ops.INPUT) or atom in numbers:
            small += abs(factor)
        else:
            return False
    return grown <= 1 and small <= (most == GROWTH)


def _is_chosen(result: Node, carried: frozenset[Node], trace: Trace) -> bool:
    """Whether a number is what a branch or a loop gives that adds little to a small one."""
    node, k = result.args[0], result.attr
    parts, regions = roles(node), regions_of(node)
    if node.op is ops.COND:
        return all(
            _stays_small(
                region.results[k],
                frozenset(
                    p for p, c in zip(region.params, parts.captures, strict=True) if c in carried
                ),
                trace,
            )
            for region in regions
        )
    if k >= len(parts.carried) or not _stays_small(parts.carried[k], carried, trace):
        return False
    own = frozenset(regions[-1].params[k : k + 1])
    return _stays_small(regions[-1].results[k], own, trace, COUNTED)


def results_of(carried: Carried, found: Found) -> list[Node]:
    """What the carried values are after a step."""
    count = len(carried.places)
    results = [
        wrap(found.values[k]).node if k in found.values else param
        for k, param in zip(carried.places, carried.params, strict=False)
    ]
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        written = found.arrays.get(id(array))
        results.append(param if written is None else written[1])
    return results


class Required(NamedTuple):
    """One more carried value, where there are checks: whether all have held so far."""

    starts: list[Node]
    params: list[Node]
    results: list[Node]

    def take(self, trace: Trace, items: Sequence[Node]) -> None:
        """Require what is left of the items of a loop."""
        for ok in items:
            trace.require(ok, ok, ok)


def required(found: Found) -> Required:
    """What must hold at each step, as a value that is carried."""
    if not found.checks:
        return Required([], [], [])
    start = conjunction(())
    ok = placeholder(start.type)
    holds = build.elementwise("logical_and", ok, conjunction(found.checks))
    return Required([start], [ok], [holds])


def take(items: Sequence[Node], carried: Carried, variables: Variables) -> Sequence[Node]:
    """Let variables and arrays have what a loop has come to; the items that are left."""
    now = variables.get()
    count = len(carried.places)
    for k, item, start in zip(carried.places, items, carried.starts, strict=False):
        now[k] = Tracer(item, start.kind)
    variables.set(now)
    for array, item in zip(carried.arrays, items[count:], strict=False):
        build.solver().wrote(array)
        put(array, item)
    return items[count + len(carried.arrays) :]
