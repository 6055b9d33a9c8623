"""A piece of a function, traced for what it does, and then undone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast
from weakref import ReferenceType, ref

import numpy as np

from tracejit.errors import NotTraceable, OverBudget, PieceRaises
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.region import Check
from tracejit.ir.scalars import held
from tracejit.trace.attributes import Attributes
from tracejit.trace.effects import (
    Changed,
    Containers,
    Elements,
    Form,
    Slots,
    State,
    Variables,
    contents,
    fill,
)
from tracejit.trace.explain import class_text
from tracejit.trace.lists import listed
from tracejit.trace.memory import Group, Log, Memory, name, put
from tracejit.trace.owners import has_views, is_array, may_be_known, memory_of
from tracejit.trace.tables import SEVERAL
from tracejit.trace.trace import Trace
from tracejit.trace.tracer import Tracer, wrap

F = TypeVar("F", bound=Callable[..., Any])


class Undo:
    """What there is at a place, to go back to."""

    def __init__(self, trace: Trace, variables: Variables, held: Sequence[Any] = ()) -> None:
        self.trace, self.variables = trace, variables
        self.before, self.log, self.state = variables.get(), Log(region=False), State(trace)
        #: What lists and dicts held: steps that are done by themselves change them.
        around = trace.capture.objects.attributes() if trace.capture else []
        seen = (*held, *self.before, *around)
        self.contents = contents(v for v in seen if v is not variables.unbound)
        trace.logs.append(self.log)

    def all(self) -> None:
        """Go back; NotTraceable where something has happened that cannot be undone."""
        self.state.require_pure()
        for array, node in reversed(self.log.before.values()):
            put(array, node)
        self.log.before.clear()
        self.log.added.clear()
        self.log.unname()
        for container, before in self.contents:
            if getattr(container, "store", None) is None:  # else arrays have what it holds
                fill(container, before)
        self.variables.set(self.before)
        self.state.restore()

    def close(self) -> None:
        """What follows cannot be undone by this."""
        self.trace.logs.remove(self.log)
        note_added(self.trace, [self.log.added])


def note_added(
    trace: Trace, sides: Sequence[Mapping[int, tuple[Any, Dim | None]]], times: Dim | None = 1
) -> None:
    """Note by how many elements lists grow: at most as much as on one of the sides, so often."""
    if not trace.logs:
        return
    for key, grown in {k: g for side in sides for k, (g, _) in side.items()}.items():
        most: Dim | None = 0
        for side in sides:
            _, count = side.get(key, (grown, 0))
            most = None if most is None or count is None else dims.maximum(most, count)
        most = None if most is None or times is None else dims.mul(most, times)
        trace.logs[-1].more(grown, most)


class Structured(BaseException):
    """A variable has values of parts: each of these is to have a place."""

    def __init__(self, place: int, form: Form) -> None:
        self.place, self.form = place, form


def by_parts(f: F) -> F:
    """`f` with a place for each part of the variables' values."""

    @functools.wraps(f)
    def call(trace: Trace, *args: Any) -> Any:
        *others, variables, held = args
        first = original = variables
        containers: list[Any] = []
        # What is within a loop is traced several times: what was found is found at once then.
        codes = [a.__code__ for a in others if callable(a) and hasattr(a, "__code__")]
        known: list[Structured] = trace.learned.setdefault((*codes, variables.names), [])
        split = variables
        for found in known:
            value = split.get()[found.place]
            if value is not split.unbound and found.form.parts(value) is None:
                known, split = [], variables  # the same code, of other values
                break
            split = split.split(found.place, found.form)
        variables = split
        while True:
            undo = Undo(trace, variables, held)
            try:
                return f(trace, *others, variables, held)
            except Structured as found:
                undo.all()  # steps may have been done by themselves
                known.append(found.with_traceback(None))
                variables = variables.split(found.place, found.form)
            except Changed as changed:
                undo.all()
                container = changed.container
                # More attributes of an object are its elements than were known before.
                more = isinstance(container, Attributes)
                if more and any(container is c for c in first.containers):
                    raise
                if any(container is c for c in variables.containers) and not more:
                    raise NotTraceable("a container changes where a value is asked for") from None
                if all(container is not c for c in containers):
                    containers.append(container)
                known, original = [], first
                for container in containers:
                    slots = Slots(container)
                    trace.wrote(slots)
                    original = original.holding(slots)
                variables = original
            except BaseException:
                if variables.containers:
                    variables.set(undo.before)
                raise
            finally:
                undo.close()

    return cast(F, call)


class Found(NamedTuple):
    """What a piece changes: places of variables and their values, arrays and their nodes.

    A variable may have the array that another one had before: `moved` has the places of both.
    Of the variables at `touched` places the arrays are written into. By its end arrays may be
    `named` anew. What the function returns at places of `fixed` is just that array, with the node
    that it has then. By how many elements lists grow is `added`.
    `result` is what it returns, and `checks` must hold where it runs. One that always raises has
    another exception than NotTraceable.
    """

    values: dict[int, Any]
    arrays: dict[int, tuple[Any, Node]]
    moved: Mapping[int, int] = MappingProxyType({})
    result: Any = None
    checks: tuple[Check, ...] = ()
    error: Exception | None = None
    touched: frozenset[int] = frozenset()
    fixed: Mapping[int, tuple[Any, Node]] = MappingProxyType({})
    added: Mapping[int, tuple[Any, Dim | None]] = MappingProxyType({})
    named: Mapping[Memory, Group] = MappingProxyType({})


@by_parts
def tried(trace: Trace, piece: Callable[[], Any], variables: Variables, held: Sequence[Any]) -> int:
    """Trace a piece, and undo all of it. How many operations it makes."""
    state = State(trace)
    try:
        traced(trace, piece, variables, held)
    except PieceRaises:
        pass  # as it does where it runs
    finally:
        made = trace.budget.made
        state.restore()
    return made - state.made


def attempted(trace: Trace, run: Callable[[], Any], variables: Variables) -> NotTraceable | None:
    """Do something; or undo it, where it cannot be traced, and say why."""
    undo = Undo(trace, variables)
    try:
        run()
    except NotTraceable as problem:
        if isinstance(problem, OverBudget):
            raise
        problem.forget()
        undo.all()
        return problem
    finally:
        undo.close()
    return None


def traced(
    trace: Trace,
    piece: Callable[[], Any],
    variables: Variables,
    held: Sequence[Any],
    naming: bool = False,
) -> Found:
    """What a piece does, which is then undone, but for the questions that have been asked.

    By `naming` variables may become arrays that have a name already: all of them are read only.
    """
    before, log, state = variables.get(), Log(), State(trace)
    since = log.since
    everywhere = trace.capture.held() if trace.capture else []
    seen = (v for v in (*held, *before, *everywhere) if v is not variables.unbound)
    met = trace.capture.meeting() if trace.capture else tuple
    containers = Containers(seen, variables.containers, met)
    trace.logs.append(log)
    try:
        result = _run(piece)
        state.require_pure()
        after = variables.get()
        # An array of around that is met for the first time is as old as all others.
        written = {
            k: (a, a.node)
            for k, (a, _) in log.before.items()
            if a.born < since or getattr(a, "outside", "")
        }
        nodes = [v.node if isinstance(v, Tracer) else None for v in after]
        parts = list(result) if type(result) is tuple else [result]
        finals = [v.node if is_array(v) else None for v in parts]
    finally:
        checks = state.take_requirements()
        container, resized = containers.restore()
        trace.logs.pop()
        for array, node in reversed(log.before.values()):
            if array.born < since or getattr(array, "outside", ""):  # others are what they came to
                put(array, node)
        variables.set(before)
        containers.restore()  # what constructs inside have noted was of a later time
    if resized:
        raise NotTraceable(
            f"a loop or a branch changes a {resized}",
            "use arrays of a known length: out[k] = value",
        )
    if container is not None:
        raise Changed(container)
    changed = {k: v for k, v in enumerate(after) if v is not before[k] and variables.matters(k)}
    for k, v in changed.items():
        if type(v) is tuple:
            raise Structured(k, Elements(len(v)))
        if type(v) in SEVERAL:
            raise Structured(k, v.form)
    returned = {k for k in changed if variables.names[k].startswith(".")}
    named = [v if n[0] != "." else None for v, n in zip(before, variables.names, strict=True)]
    fixed: dict[int, tuple[Any, Node]] = {}
    for k in returned:
        v, final = changed[k], nodes[k]
        if final is None or not is_array(v) or v.born >= since:
            continue
        if all(v is not b for b in named):
            if may_be_known(v) or (trace.capture is not None and trace.capture.holds(v)):
                fixed[k] = v, final
            changed[k] = copy_of(Tracer(final), v)
    copied = [id(after[k]) for k in returned if is_array(after[k]) and k not in fixed]
    if len({*copied}) < len(copied):
        raise NotTraceable("an array is returned twice, as a branch or a loop goes")
    changed = {k: v for k, v in changed.items() if k not in fixed}
    if naming:
        parts = _name_results(parts, finals, changed, since)
        result = tuple(parts) if type(result) is tuple else parts[0]
        _name(changed, nodes, named, returned, since)
    moved = _moved(changed, named, returned, parts, since)
    for k, v in changed.items():
        if (final := nodes[k]) is not None and (k in moved or (is_array(v) and not has_views(v))):
            # What it came to, of an array that is written into too.
            changed[k] = of_lists(Tracer(final), v)
    return Found(changed, written, moved, result, checks, fixed=fixed, added=log.added)


def _run(piece: Callable[[], Any]) -> Any:
    try:
        return piece()
    except NotTraceable:
        raise
    except Exception as error:
        raise PieceRaises(error) from error


def may_be(value: Tracer, array: Tracer) -> Tracer:
    """A value that is an array or not: as of what lists may hold, neither is written any more."""
    if array.memory is None:
        array.memory = Memory(array)
    group = Group()
    name({array.memory: group})
    result: Tracer = listed(value, group)
    return result


def kept_or_not(value: Tracer, before: Any, doubted: bool = False) -> Tracer:
    """A value may be the array that a variable had `before`, which others have too.

    It may be another one that is not known, if it is `doubted`.
    """
    if doubted or not is_array(before) or has_views(before):
        doubtful(value)
    return of_lists(may_be(value, before), before) if is_array(before) else value


def copy_of(value: Tracer, array: Tracer) -> Tracer:
    """A value in place of an array, which nobody writes into before it is returned."""
    memory = array.memory
    return _copy_of(value, ref(memory or array), *(memory.copies if memory is not None else ()))


def _copy_of(value: Tracer, *arrays: ReferenceType[Any]) -> Tracer:
    if value.memory is None:
        value.memory = Memory(value)
    # One each: both sides of a branch may have the same.
    known = {id(reference): reference for reference in (*value.memory.copies, *arrays)}
    value.memory.copies = tuple(known.values())
    return value


def given(value: Any, written: bool) -> Any:
    """What a function returns, to another one that may have it `written` or to the caller."""
    if type(value) is tuple:
        return tuple(given(part, written) for part in value)
    memory = memory_of(value)
    for reference in memory.copies if memory is not None else ():
        array = reference()
        if isinstance(array, Memory):
            array = next(iter(array.handles.values()), None)
        if array is not None and (written or has_views(array)):
            value = kept_or_not(value, array)
    return value


def of_lists(array: Tracer, *others: Any) -> Tracer:
    """An array that may be one of the others, and so one that lists hold."""
    for memory in filter(None, map(memory_of, others)):
        if memory.listed is not None:
            listed(array, memory.listed)
        if memory.copies:
            _copy_of(array, *memory.copies)
    return array


def by_value(array: Any, node: Node) -> Tracer:
    """A value in place of an array that is returned, where another one may be too."""
    value = Tracer(node)
    return copy_of(doubtful(value) if has_views(array) else value, array)


def _name(
    changed: dict[int, Any],
    nodes: Sequence[Node | None],
    before: Sequence[Any],
    returned: set[int],
    since: int,
) -> None:
    """Let what becomes an array that has a name already have its value."""
    kept = {id(v) for k, v in enumerate(before) if k in changed}
    for k, v in changed.items():
        node = nodes[k]
        if k in returned or node is None or not is_array(v):
            continue
        others = sum(v is other for other in changed.values()) > 1
        if others or (v.born < since and id(v) not in kept):
            changed[k] = kept_or_not(Tracer(node), v)


def _name_results(
    results: Sequence[Any],
    nodes: Sequence[Node | None],
    changed: Mapping[int, Any],
    since: int,
) -> list[Any]:
    """The same of what a piece returns."""
    found = []
    for v, node in zip(results, nodes, strict=True):
        known = node is not None and (v.born < since or has_views(v))
        others = sum(v is other for other in (*changed.values(), *results)) > 1
        if node is not None and (known or others):
            v = kept_or_not(Tracer(node), v)
        found.append(v)
    return found


def _moved(
    changed: Mapping[int, Any],
    before: Sequence[Any],
    returned: set[int],
    results: Sequence[Any],
    since: int,
) -> dict[int, int]:
    """The places of variables whose array another variable had, and of those.

    NotTraceable for another array that has a name, by which it could be written into; nothing is
    written after it is `returned`.
    """
    named = [v for k, v in changed.items() if k not in returned]
    arrays = [v for v in (*named, *results) if is_array(v)]
    moved = {}
    for k, v in changed.items():
        if is_array(v) and v.born < since:
            moved[k] = next((j for j, b in enumerate(before) if b is v), -1)
    kept = {id(v) for k, v in enumerate(before) if k not in changed and is_array(v)}
    twice = len({id(a) for a in arrays}) < len(arrays) or any(id(a) in kept for a in arrays)
    is_old = any(is_array(v) and v.born < since for v in results)
    if twice or is_old or -1 in moved.values():
        raise NotTraceable(
            "in a loop or a branch a variable becomes another array that has a name already",
            "copy it: x = y.copy(), or write into it: x[...] = y",
        )
    return moved


def value_of(value: Any, name: str, variables: Variables) -> Tracer:
    """A value that is carried, or that a branch gives."""
    if value is variables.unbound or value is None:
        raise NotTraceable(
            f"{name} may have no value after a branch or a loop", "give it one before"
        )
    if not isinstance(value, (Tracer, int, float, complex)):
        raise NotTraceable(f"{name} is {class_text(value)}, which a loop cannot carry")
    tracer = wrap(value)
    if tracer.kind == "array" and has_views(tracer) and not is_doubtful(tracer):
        raise NotTraceable(
            f"{name} is another array after a branch or a step", f"write into it: {name}[...] = x"
        )
    return tracer


def is_doubtful(array: Tracer) -> bool:
    """Whether an array is what a variable has after a branch or a loop that may have kept it."""
    return array.memory is not None and array.memory.doubtful


def doubtful(array: Tracer) -> Tracer:
    """The array, of which it is not known which one it is."""
    array.memory = Memory(array)
    array.memory.doubtful = True
    return array


def alike(trace: Trace, a: Tracer, b: Tracer, asking: bool = False) -> bool:
    """Whether values are of one kind and type, where lengths that are known to be equal are one.

    By `asking` of lengths that are equal for the arguments at hand it is required.
    """
    if (a.kind, a.node.dtype, a.node.type.weak) != (b.kind, b.node.dtype, b.node.type.weak):
        return False
    shapes = [[trace.canonical(d) for d in v.node.shape] for v in (a, b)]
    if shapes[0] == shapes[1] or not asking or a.node.ndim != b.node.ndim:
        return shapes[0] == shapes[1]
    sizes = [[trace.value(d) for d in shape] for shape in shapes]
    known = None not in sizes[0] and sizes[0] == sizes[1]
    pairs = list(zip(*shapes, strict=True))
    if not known or any(d.op is not ops.DIM for pair in pairs for d in pair if isinstance(d, Node)):
        return False
    return all(trace.equal(x, y) for x, y in pairs)


def nothing(like: Tracer, name: str) -> Tracer:
    """A value of a type that nobody reads."""
    node = like.node
    if any(build.solver().value(d) is None for d in node.shape):
        raise NotTraceable(f"{name}, of an unknown length, is read after a loop or a branch")
    zero = build.constant(node.dtype.type(0).item(), node.dtype, node.type.weak)
    return Tracer(build.broadcast_to(zero, node.shape), like.kind)


def canonical(trace: Trace, *groups: Sequence[Node]) -> list[list[Node]]:
    """Groups of nodes, with what others stand for replaced."""
    nodes = iter(trace.settled([node for group in groups for node in group]))
    return [[next(nodes) for _ in group] for group in groups]


def nodes_of(trace: Trace, values: Iterable[Any]) -> set[Node]:
    """The nodes of traced values among these, also as `canonical` has them."""
    nodes = [v.node for v in values if isinstance(v, Tracer)]
    return {*nodes, *canonical(trace, nodes)[0]}


def conjunction(checks: Sequence[Check]) -> Node:
    """Whether all checks hold."""
    result = build.constant(True, np.bool_)
    result = make(ops.CONST, (), result.attr, ArrayType(result.dtype))
    for check in checks:
        result = build.elementwise("logical_and", result, held(check.condition))
    return result
