"""What a loop carries from step to step: variables, and arrays that are written into."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tracejit.errors import NotTraceable, OverBudget
from tracejit.ir import build, dims, ops
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import Node
from tracejit.ir.region import Check, regions_of
from tracejit.ir.rules import roles
from tracejit.trace import expectations
from tracejit.trace.bits import atom_bits
from tracejit.trace.effects import State, Variables
from tracejit.trace.growth import Growth
from tracejit.trace.integers import LARGEST, bound, small
from tracejit.trace.lists import listed
from tracejit.trace.memory import Group, Log, Memory, SharedWrite, name, put
from tracejit.trace.mixed import Mixed
from tracejit.trace.owners import (
    Values,
    has_views,
    is_array,
    is_listed,
    memory_of,
    placed,
)
from tracejit.trace.pieces import (
    Found,
    Structured,
    alike,
    by_value,
    conjunction,
    copy_of,
    is_doubtful,
    kept_or_not,
    may_be,
    nothing,
    of_lists,
    traced,
    value_of,
)
from tracejit.trace.ranges import Steps
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap

#: Steps after which arrays that change their variables are back, at most.
LONGEST = 4
#: What a carried number of Python's may grow by at each step, where it is not tested: a number
#: that is known, and one of so many bits. More could leave 64 bits.
GROWTH, SMALL_BITS = 1 << 20, 31
#: The same, of a loop inside of others: no program does so many steps that this adds up to it.
COUNTED = 1 << 12


class Unsettled(BaseException):  # no handler of the user's is for it
    """A value has another type after a step than before it."""


class Entered(BaseException):
    """Whose array a variable has depends on whether a loop does a step at all."""


class Exchanged(BaseException):
    """Arrays change their variables at each step, and come back after so many."""

    def __init__(self, period: int) -> None:
        self.period = period
        #: The number of the first step that is left, and how many there are.
        self.rest: tuple[Dim, Dim] = 0, 0


class Carried(NamedTuple):
    """What a loop carries: variables, by their places, and arrays; starts and placeholders.

    Lists may hold the arrays of variables at `listed` places. What `grows` is known at each step.
    """

    places: list[int]
    arrays: list[Any]
    starts: list[Tracer]
    params: list[Node]
    listed: dict[int, Tracer]
    grows: Growth

    def of_variables(self) -> list[Tracer]:
        """Where the variables start."""
        return self.starts[: len(self.places)]


def settled(
    trace: Trace,
    run: Callable[[], None],
    variables: Variables,
    held: Sequence[Any],
    skipped: bool,
    body: object,
    steps: Steps | None = None,
) -> tuple[Carried, Found]:
    """What a body carries, and what it makes of that; it may be `skipped`, and do no step.

    Raises `Exchanged` where arrays change their variables, and the `steps` are counted.
    """
    before, names = variables.get(), variables.shared()
    places = [k for k, v in enumerate(before) if is_array(v) and variables.names[k] in names]
    common = {k: Group() for k in places}
    at_top = skipped and trace.decisions.are_possible()
    kept = variables.read | variables.live if skipped else variables.read
    trends, known_arrays = expectations.recalled(trace, body, variables, kept, (*before, *held))
    starts = [_start(k, before[k], before[k], variables, kept) for k in trends]
    starts += [Tracer(a.node) for a in known_arrays]
    params = [placeholder(s.node.type) for s in starts]
    grows, expected = Growth(steps, skipped), bool(params)
    carried = Carried([*trends], known_arrays, starts, params, {}, grows)
    trends = {k: trend for k, trend in trends.items() if trend}
    named: Mapping[Memory, Group] = {}
    while True:
        state = State(trace)
        own = [memory_of(before[k]) for k in carried.places]  # of these there are placeholders
        named = {memory: group for memory, group in named.items() if memory not in own}
        try:
            found = _with(trace, carried, run, variables, held, trends, common, named)
        except NotTraceable as problem:
            if not expected and isinstance(problem, SharedWrite) and common:
                problem.forget()
                state.restore()
                raise Entered if at_top else Unsettled from None
            if not expected or isinstance(problem, OverBudget):
                raise
            problem.forget()
            found = None
        if expected and (found is None or not _is_as_expected(carried, found)):
            state.restore()
            grows = Growth(steps, skipped)
            carried, trends, expected = Carried([], [], [], [], {}, grows), {}, False
            continue
        assert found is not None
        expected, named = False, found.named
        if steps is not None and all(s.kind != "array" for s in carried.of_variables()):
            _tell_exchanged(found)
        known = carried.grows.noted(trace, found.arrays)
        found = found._replace(arrays=carried.grows.others(found.arrays))
        found = _as_values(found, carried, before, variables)
        fresh = [k for k in found.values if k not in carried.places]
        # Whose array a variable gets is written into, or kept: it has one more place.
        fresh += [j for j in found.moved.values() if j not in (*carried.places, *fresh)]
        arrays = [a for a, _ in found.arrays.values() if all(a is not c for c in carried.arrays)]
        held_by_lists = _listed(carried, found)
        if known and not fresh and not arrays and not held_by_lists:
            _require_private(found, before, variables, {*common} & {*carried.places}, at_top)
            bounds = _require_settled(carried, found, variables, trace)
            if _go_on(carried, found, trends):
                numbers = {
                    k: (start.node.type, trends.get(k, 0))
                    for k, start in zip(carried.places, carried.starts, strict=False)
                    if start.kind != "array"
                }
                expectations.note(trace, body, variables, numbers, carried.arrays)
                name(named)
                for k, group in common.items():
                    if group.has(found.values.get(k)):
                        may_be(found.values[k], before[k])
                return carried, found._replace(checks=(*found.checks, *bounds))
        state.restore()
        places, every = [*carried.places, *fresh], [*carried.arrays, *arrays]
        starts = list(carried.starts[: len(carried.places)])
        starts += [
            _start(k, before[k], found.values.get(k, before[k]), variables, kept) for k in fresh
        ]
        trends |= {k: t for k in fresh if (t := expectations.trend(before[k], found.values.get(k)))}
        starts += [Tracer(a.node) for a in every]
        params = [placeholder(s.node.type) for s in starts]
        carried = Carried(
            places, every, starts, params, carried.listed | held_by_lists, carried.grows
        )


def _listed(carried: Carried, found: Found) -> dict[int, Tracer]:
    """Values that lists hold from a step on, of variables of which that was not known."""
    return {
        k: value
        for k, value in found.values.items()
        if k not in carried.listed and is_array(value) and is_listed(value)
    }


def _is_as_expected(carried: Carried, found: Found) -> bool:
    """Whether all that was expected to change does."""
    numbers = all(k in found.values for k in carried.places)
    return numbers and all(id(a) in found.arrays for a in carried.arrays)


def _go_on(carried: Carried, found: Found, trends: dict[int, int]) -> bool:
    """Whether numbers have the trends that they were traced with: others are left out."""
    lost = []
    for k, param in zip(carried.places, carried.params, strict=False):
        if k in trends and k in found.values:
            change = dims.sub(dims.from_node(wrap(found.values[k]).node), param)
            if not (isinstance(change, int) and change * trends[k] >= 0):
                lost.append(k)
    for k in lost:
        del trends[k]
    return not lost


def _with(
    trace: Trace,
    carried: Carried,
    run: Callable[[], None],
    variables: Variables,
    held: Any,
    trends: Mapping[int, int],
    common: Mapping[int, Group],
    named: Mapping[Memory, Group],
) -> Found:
    """What a body makes of the placeholders.

    Numbers with a trend are on one side of where they start. Arrays of `common` places, which
    others may have too, are of these groups and not written into, nor are those that are `named` by
    a step before.
    """
    before, saved = variables.get(), [(a, a.node) for a in carried.arrays]
    known, count = Values(before), len(carried.places)
    for k, param, start in zip(carried.places, carried.params, carried.starts, strict=False):
        known[k] = placed(of_lists(Tracer(param, start.kind), carried.listed.get(k), before[k]))
        if is_array(before[k]) and has_views(before[k]):
            copy_of(known[k], before[k])
        if k in common:
            listed(known[k], common[k])
    around = [(log, dict(log.around)) for log in trace.logs]
    for array, param in zip(carried.arrays, carried.params[count:], strict=True):
        for log, _ in around:
            log.around.setdefault(id(array), array.node)
        put(array, param)
    variables.set(known)
    carried.grows.begin()
    log = Log(region=False)
    trace.logs.append(log)
    name(named)
    ints = {p for p in carried.params if p.type == INT_SCALAR}
    trace.carried |= ints
    facts = [
        dims.mul(trends[k], dims.sub(param, dims.from_node(start.node)))
        for k, param, start in zip(carried.places, carried.params, carried.starts, strict=False)
        if k in trends
    ]
    try:
        del known  # who has an array is counted
        with trace.facts.known(facts):
            found = traced(trace, run, variables, held)
        return _by_value(carried, found, variables.get())._replace(named=log.unname())
    finally:
        log.unname()
        trace.logs.remove(log)
        trace.carried -= ints
        for array, node in saved:
            put(array, node)
        for log, content in around:
            log.around = content
        carried.grows.end()
        variables.set(before)


def _by_value(carried: Carried, found: Found, handles: Sequence[Any]) -> Found:
    """What is written into the arrays of places, as what these come to."""
    values, arrays, touched = dict(found.values), dict(found.arrays), set[int]()
    for k in carried.places:
        memory = memory_of(handles[k])
        written = arrays.pop(id(memory), None) if memory is not None else None
        if written is not None:
            touched.add(k)
            values.setdefault(k, of_lists(Tracer(written[1]), handles[k]))
    return found._replace(values=values, arrays=arrays, touched=frozenset(touched))


def _as_values(
    found: Found, carried: Carried, before: Sequence[Any], variables: Variables
) -> Found:
    """What is returned, by value where it may be one of several arrays."""
    several = {
        k: v
        for k, v in found.fixed.items()
        if k in carried.places or not (before[k] is variables.unbound or before[k] is v[0])
    }
    arrays = [array for array, _ in several.values()]
    if len({id(a.memory or a) for a in arrays}) < len(arrays):
        raise NotTraceable("which of several arrays is returned depends on values")
    values = {**found.values, **{k: by_value(*v) for k, v in several.items()}}
    fixed = {k: v for k, v in found.fixed.items() if k not in several}
    return found._replace(values=values, fixed=fixed)


def _tell_exchanged(found: Found) -> None:
    """Raise `Exchanged` where variables only exchange their arrays."""
    moved = found.moved
    if not moved or {*moved} != {*moved.values()}:
        return
    periods = []
    for k in moved:
        count, at = 1, moved[k]
        while at != k:
            count, at = count + 1, moved[at]
        periods.append(count)
    if math.lcm(*periods) <= LONGEST:
        raise Exchanged(math.lcm(*periods))


def _require_private(
    found: Found, before: Sequence[Any], variables: Variables, common: set[int], at_top: bool
) -> None:
    """Unsettled, or `Entered`, where what happens to an array somebody else may see."""
    gone = common & {*found.moved.values(), *found.touched}
    gone |= {k for k in common if id(memory_of(before[k])) in found.arrays}
    if gone:
        raise Entered if at_top else Unsettled
    if at_top and any(k in found.values and variables.names[k] in variables.live for k in common):
        raise Entered


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
        if isinstance(before, Mixed):
            raise Structured(place, before.classes)
        return small(value_of(before, name, variables))
    return nothing(value_of(after, name, variables), name)


def _require_settled(
    carried: Carried, found: Found, variables: Variables, trace: Trace
) -> list[Check]:
    """Unsettled where a type changes; what must hold of numbers that may grow."""
    whole = frozenset(carried.params) | trace.carried
    bounds = []
    for k, start in zip(carried.places, carried.starts, strict=False):
        if k not in found.values:
            continue
        value = value_of(found.values[k], variables.names[k], variables)
        if not alike(trace, value, start):
            raise Unsettled
        if value.node.type == INT_SCALAR and not _stays_small(value.node, whole):
            bounds.append(bound(value.node))
    return bounds


def _stays_small(
    result: Node,
    carried: frozenset[Node],
    sizes: Mapping[Node, int] = MappingProxyType({}),
    most: int = GROWTH,
) -> bool:
    """Whether a number of Python's is one of the `carried` ones, or small, and little besides.

    `sizes` are those of the parameters of a region, in bits.
    """
    if result.op is ops.CONST:
        return abs(int(build.constant_value(result))) <= most
    terms = dims.poly(dims.from_node(result))
    if abs(terms.pop((), 0)) > most:
        return False
    grown = small = 0
    for monomial, factor in terms.items():
        [atom, *others] = monomial
        if others:
            return False
        if (sizes[atom] if atom in sizes else atom_bits(atom)) <= SMALL_BITS:
            small += abs(factor)
        elif factor > 0 and (
            atom in carried or (atom.op is ops.ITEM and _is_chosen(atom, carried, sizes))
        ):
            grown += factor
        else:
            return False
    return grown <= 1 and small <= (most == GROWTH)


def _is_chosen(result: Node, carried: frozenset[Node], sizes: Mapping[Node, int]) -> bool:
    """Whether a number is what a branch or a loop gives that adds little to a small one."""
    node, k = result.args[0], result.attr
    parts, regions = roles(node), regions_of(node)
    first = len(regions[-1].params) - len(parts.captures)
    inner = [
        {p: c for p, c in zip(region.params[first:], parts.captures, strict=True)
         if c.type == INT_SCALAR}
        for region in regions
    ]  # fmt: skip
    known = [
        {p: sizes[c] if c in sizes else atom_bits(c) for p, c in pairs.items()} for pairs in inner
    ]
    if node.op is ops.COND:
        return all(
            _stays_small(
                region.results[k], frozenset(p for p, c in pairs.items() if c in carried), bits
            )
            for region, pairs, bits in zip(regions, inner, known, strict=True)
        )
    if k >= len(parts.carried) or not _stays_small(parts.carried[k], carried, sizes):
        return False
    own = frozenset(regions[-1].params[k : k + 1])
    return _stays_small(regions[-1].results[k], own, known[-1], COUNTED)


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


def take(
    trace: Trace,
    items: Sequence[Node],
    carried: Carried,
    found: Found,
    variables: Variables,
    skipped: bool,
) -> Sequence[Node]:
    """Let variables and arrays have what a loop has come to; the items that are left."""
    now, common = variables.get(), variables.shared() if skipped else ()
    count = len(carried.places)
    for k, (array, _) in found.fixed.items():
        now[k] = array
    for k, item, start in zip(carried.places, items, carried.starts, strict=False):
        kept = is_array(now[k]) and variables.names[k] in common
        maybe = is_array(found.values.get(k)) and is_doubtful(found.values[k])
        had, value = now[k], found.values.get(k)
        now[k] = of_lists(Tracer(item, start.kind), value, had if skipped else None)
        if item.type == INT_SCALAR:
            trace.noted(item, LARGEST.bit_length() - 1)
        if kept or maybe:
            kept_or_not(now[k], had if kept else None, maybe)
    variables.set(now)
    for array, item in zip(carried.arrays, items[count:], strict=False):
        build.solver().wrote(array)
        put(array, item)
    carried.grows.take()
    return items[count + len(carried.arrays) :]
