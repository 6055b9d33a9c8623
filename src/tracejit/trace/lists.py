"""Lists that a traced function makes: Python's, as long as it is known what they hold.

A list that a loop makes longer, or whose elements a traced number names, holds its elements in
arrays, and their number: values that loops and branches carry as they carry arrays that are written
into (`growing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.alias import Step
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.bits import bits_of
from tracejit.trace.elements import Like, holds_arrays, like, widened
from tracejit.trace.memory import Group, Memory, births, name, written
from tracejit.trace.tables import METHODS
from tracejit.trace.tracer import Tracer, number, solver_value, wrap


class Grown(BaseException):  # no handler of the user's is for it
    """A piece changes a list that is not ready for it, to hold a value besides.

    It does so in so many pieces.
    """

    def __init__(self, changed: TracedList, *values: Any) -> None:
        self.list, self.values = changed, values
        self.depth = sum(log.region for log in build.solver().logs)


class Cell:
    """The elements of a list, or a part of each, side by side."""

    __slots__ = ("born", "node")

    def __init__(self, node: Node) -> None:
        self.born = next(births)
        self.node = node


class Count:
    """How many elements a list has, of so many that it has room for."""

    __slots__ = ("_node", "born", "room")

    def __init__(self, count: Dim, room: Dim | None) -> None:
        self.born = next(births)
        self.room = room
        self.node = dims.as_node(count)

    @property
    def node(self) -> Node:
        """The number."""
        return self._node

    @node.setter
    def node(self, node: Node) -> None:
        self._node = node
        if isinstance(dims.from_node(node), Node) and node.op is not ops.POLY:
            known = [node] if self.room is None else [node, dims.sub(self.room, node)]
            bits = 30 if self.room is None else bits_of(self.room)
            build.solver().noted(node, bits, [k for k in known if isinstance(k, Node)])


class Store:
    """The elements of a list in arrays; without room, it is only told how many there would be."""

    def __init__(self, form: Like, count: Dim, room: Dim | None, cells: list[Node]) -> None:
        self.form, self.room = form, room
        self.count = Count(count, room)
        self.cells = [Cell(node) for node in cells]
        #: Whether it has been asked for what it holds; whether the room may not be enough.
        self.read = self.tested = False

    def put(self, at: Dim, value: Any) -> None:
        """Let the element at a place be `value`, which is like the others."""
        parts = self.form.parts(value)
        for cell, part in zip(self.cells, parts, strict=self.room is not None):
            build.solver().wrote(cell)
            cell.node = written(cell.node, (_at(cell.node, at),), part)

    def get(self, at: Dim) -> Any:
        """The element at a place."""
        self.read = True
        if self.room is None:
            return self.form.whole(_filled(*leaf) for leaf in self.form.leaves())
        return self.form.whole(_at(cell.node, at)(cell.node) for cell in self.cells)

    def set_count(self, count: Dim) -> None:
        """Let there be so many elements."""
        build.solver().wrote(self.count)
        self.count.node = dims.as_node(count)

    def larger(self, form: Like, room: Dim | None) -> Store:
        """The same, of what may be more, with room for so many more; with none, if unknown."""
        assert self.room is not None
        count = dims.from_node(self.count.node)
        if room is None:
            return Store(form, count, None, [])
        cells = widened(self.form, form, iter([cell.node for cell in self.cells]))
        rests = [_filled(node.dtype, (room, *node.shape[1:])) for node in cells]
        pairs = zip(cells, rests, strict=True)
        joined = [build.concatenate([*pair], 0) if room != 0 else pair[0] for pair in pairs]
        return Store(form, count, dims.add(self.room, room), joined)


def store_of(form: Like, values: list[Any], room: Dim | None) -> Store:
    """A store of these elements, with `room` for so many more."""
    if room is None:
        return Store(form, len(values), None, [])
    parts = zip(*map(form.parts, values), strict=True) if values else [()] * len(form.leaves())
    cells = []
    for (dtype, shape), own in zip(form.leaves(), parts, strict=True):
        rest = _filled(dtype, (room, *shape))
        cells.append(build.concatenate([*(build.expand_dims(p, (0,)) for p in own), rest], 0))
    return Store(form, len(values), dims.add(len(values), room), cells)


def _filled(dtype: Any, shape: tuple[Dim, ...]) -> Node:
    return build.full(shape, build.constant(dtype.type(0), dtype))


def _first(cell: Node, count: Dim) -> tuple[Any, Any]:
    """The shape and the index of the first elements."""
    return (count, *cell.shape[1:]), tuple((0, 1, k) for k in range(cell.ndim))


def _at(cell: Node, at: Dim) -> Step:
    """The step from all elements to that at a place."""
    index = ((at, 0, None), *((0, 1, k) for k in range(cell.ndim - 1)))
    shape = cell.shape[1:]
    return Step(lambda n: build.view(n, shape, index))


def _python(name: str) -> Any:
    """A method as Python's, of a list that is in no arrays."""
    python = getattr(list, name)

    def call(self: TracedList, *args: Any, **kwargs: Any) -> Any:
        if self.store is not None:
            raise NotTraceable(f"list.{name} of a list that a loop has changed")
        return python(self, *args, **kwargs)

    return call


class TracedList(list[Any]):
    """A list that the traced function has made."""

    __slots__ = ("__weakref__", "born", "group", "iterated", "ready", "repeats", "store")
    __tracejit_class__ = list

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__(values)
        self.born = next(births)
        self.store: Store | None = None
        #: Whether it is ready for the loop that is traced; how many loops go over it.
        self.ready, self.iterated = False, 0
        #: What tells which arrays it may hold.
        self.group = Group()
        #: Whether several elements, in arrays, may be one array.
        self.repeats = False

    # What a loop may change, and undo

    @property
    def node(self) -> Any:
        """All that it is."""
        return self.store, self.held() if self.store is None else []

    @node.setter
    def node(self, known: Any) -> None:
        self.store, values = known
        list.clear(self)
        list.extend(self, values)

    def held(self) -> list[Any]:
        """The elements that are in no arrays."""
        return [list.__getitem__(self, k) for k in range(list.__len__(self))]

    def as_held(self) -> list[Any]:
        """A copy of what it holds."""
        return self.held()

    def twin(self) -> TracedList:
        """Another list of the same elements, which are in arrays."""
        other = TracedList()
        other.store, other.group, other.repeats = self.store, self.group, self.repeats
        return other

    def holds_arrays(self) -> bool:
        """Whether some of what it holds, in arrays, are arrays."""
        return self.store is not None and holds_arrays(self.store.form)

    def _taken(self, value: Any) -> Any:
        """A new element, which may be in here already."""
        self.repeats |= self.group.has(value)
        return listed(value, self.group)

    def is_around(self) -> bool:
        """Whether it is older than a piece that is open."""
        return any(log.region and log.since > self.born for log in build.solver().logs)

    def prepare(self, form: Like, room: Dim | None) -> None:
        """Have `room` for so many more elements in arrays; with none, only tell how many come."""
        build.solver().wrote(self)
        if self.store is None:
            values = [self._taken(value) for value in self.held()]
            list.clear(self)
            self.store = store_of(form, values, room)
        else:
            self.store = self.store.larger(form, room)

    def form_with(self, values: Sequence[Any], form: Any = None) -> Any:
        """What the elements and these values are like."""
        if self.store is None:
            return like([*self.held(), *values], form)
        return like(values, self.store.form if form is None else form)

    # Reading

    @property
    def length(self) -> Dim:
        """How many elements there are."""
        return list.__len__(self) if self.store is None else dims.from_node(self.store.count.node)

    def __len__(self) -> int:
        return solver_value(self.length)

    def __bool__(self) -> bool:
        return bool(number(self.length) > 0)

    def __iter__(self) -> Iterator[Any]:
        if self.store is not None:
            yield from (self[k] for k in range(len(self)))
        k = 0
        while self.store is None and k < list.__len__(self):
            yield list.__getitem__(self, k)
            k += 1
            if self.store is not None:
                raise NotTraceable("a list changes in a loop that goes over it")

    def __getitem__(self, key: Any) -> Any:
        if self.store is None and not self._is_named(key):
            found = list.__getitem__(self, key)
            return TracedList(found) if isinstance(key, slice) else found
        store = self._stored()
        if isinstance(key, slice):
            return self._part(store, key)
        return listed(store.get(self._place(key)), self.group)

    def _part(self, store: Store, key: slice) -> TracedList:
        """The list of a slice, also in arrays."""
        if store.room is None:
            raise NotTraceable("a slice of a list in a loop that makes it longer")
        whole = (build.view(cell.node, *_first(cell.node, self.length)) for cell in store.cells)
        cells = [METHODS["getitem"](Tracer(node), key).node for node in whole]
        count = cells[0].shape[0]
        other = TracedList()
        other.store, other.group = Store(store.form, count, count, cells), self.group
        return other

    def __setitem__(self, key: Any, value: Any) -> None:
        if self.store is None and not self._is_named(key):
            list.__setitem__(self, key, value)
            return
        store = self._stored(value)
        store.put(self._place(key), self._taken(value))

    def _is_named(self, key: Any) -> bool:
        """Whether a number names an element that only the values of arrays, or steps, tell."""
        is_number = isinstance(key, Tracer) and key.kind != "array" and key.node.dtype.kind in "iu"
        return is_number and not build.solver().is_known(key.node)

    def _place(self, key: Any) -> Dim:
        if isinstance(key, slice) or not hasattr(key, "__index__"):
            raise NotTraceable("a slice of a list that a loop has changed is given elements")
        place: Dim = METHODS["place"](key, self.length)
        return place

    def _stored(self, *values: Any) -> Store:
        """The elements in arrays, ready to hold `values`."""
        if self.is_around() and not self.ready and (self.store is None or values):
            raise Grown(self, *values)
        if self.store is None:
            self.prepare(self.form_with(values), 0)
        assert self.store is not None
        form = self.form_with(values)
        if form != self.store.form:
            if self.ready:
                raise Grown(self, *values)
            self.prepare(form, 0)
        return self.store

    # Growing

    def append(self, value: Any) -> None:
        """``list.append``."""
        if self.store is None and not self.is_around():
            list.append(self, value)
            return
        if self.iterated:
            raise NotTraceable("a list grows in a loop that goes over it")
        store, logs = self._stored(value), build.solver().logs
        if not self.ready:
            self.prepare(store.form, 1)
        store, count = self.store or store, self.length
        if store.tested and store.room is not None:
            count = METHODS["place"](number(count), store.room)
        store.put(count, self._taken(value))
        store.set_count(dims.add(count, 1))
        if logs:
            logs[-1].more(self, 1)

    def extend(self, values: Iterable[Any]) -> None:
        """``list.extend``."""
        for value in list(values):
            self.append(value)

    def __iadd__(self, values: Iterable[Any]) -> TracedList:  # type: ignore[misc]
        self.extend(values)
        return self

    def pop(self, *at: Any) -> Any:
        """``list.pop``, of the last element where the list is in arrays."""
        if self.store is None and not self.is_around():
            return list.pop(self, *at)
        if self.iterated or (at and at != (-1,)):
            raise NotTraceable("an element is taken out of a list that a loop changes")
        if self.is_around() and not self.ready:
            raise Grown(self)
        store, last = self._stored(), self._place(-1)
        value = listed(store.get(last), self.group)
        store.set_count(last)
        return value

    def __add__(self, other: Any) -> TracedList:
        return TracedList([*self, *other]) if isinstance(other, list) else NotImplemented

    def __radd__(self, other: Any) -> TracedList:
        return TracedList([*other, *self]) if isinstance(other, list) else NotImplemented

    def __mul__(self, count: Any) -> TracedList:
        return TracedList([*self] * count)

    __rmul__ = __mul__

    def copy(self) -> TracedList:
        """``list.copy``."""
        return TracedList(self)

    # NumPy

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return METHODS["of_list"](getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return METHODS["of_list"](function, args, kwargs)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise NotTraceable("a list of a traced function is pickled or copied deeply")

    insert, remove, clear, sort, reverse, __delitem__, __imul__ = (
        _python(name)
        for name in ("insert", "remove", "clear", "sort", "reverse", "__delitem__", "__imul__")
    )
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__, __contains__, __repr__, index, count = (
        _python(name)
        for name in (
            "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__",
            "__repr__", "index", "count",
        )
    )  # fmt: skip
    __reversed__ = _python("__reversed__")
    __hash__ = None


def listed(value: Any, group: Group) -> Any:
    """A value that a list of the group holds: an array is there by reference, so it stays as is."""
    if type(value) is tuple:
        for element in value:
            listed(element, group)
    elif isinstance(value, Tracer) and value.kind == "array":
        if value.memory is None:
            value.memory = Memory(value)
        name({value.memory: group})
    return value


def any_in(values: TracedList) -> Tracer:
    """Whether a list holds anything."""
    return wrap(number(values.length) > 0)


@contextmanager
def going_over(values: Iterable[Any]) -> Iterator[None]:
    """Lists among these values must not grow meanwhile."""
    lists = [v for v in values if isinstance(v, TracedList)]
    for one in lists:
        one.iterated += 1
    try:
        yield
    finally:
        for one in lists:
            one.iterated -= 1
