"""Writes into arrays that views share, without side effects.

Arrays are values. An array and its views are handles of one memory; each
knows the steps that lead from the base to it. A write makes a new value for the base, and every
handle that is still in use gets the value that its steps find there. What the memory of an argument
is at the end, the program puts into the caller's array.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any
from weakref import ReferenceType, WeakValueDictionary

import numpy as np

from tracejit.errors import ByLayout, NotTraceable
from tracejit.ir import bits, build, dims, ops, scalars
from tracejit.ir.alias import Step
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.requirements import tested_by

Path = tuple[Step, ...]
#: Numbers arrays in the order in which they are made.
births = itertools.count()


class Group:
    """Lists that may hold the same arrays."""

    __slots__ = ("_part",)

    def __init__(self) -> None:
        self._part: Group | None = None

    def all(self) -> Group:
        """What stands for it, and for those that it has been joined with."""
        group = self
        while group._part is not None:
            group = group._part
        return group

    def has(self, value: Any) -> bool:
        """Whether a value is an array of the group."""
        memory = getattr(value, "memory", None)
        return bool(memory and memory.listed and memory.listed.all() is self.all())

    def joined(self, other: Group | None) -> Group:
        """One of both from here on."""
        one = self.all()
        if other is not None and other.all() is not one:
            other.all()._part = one
        return one


class SharedWrite(NotTraceable):
    """An array is written into that may be another one, too: one is not told from the other."""

    def __init__(self) -> None:
        super().__init__(
            "an array is written into that a list, or another variable, may have",
            "let that have a copy: x.copy()",
        )


class Memory:
    """A base array, and the handles that see it: an array of its own and the views of it.

    Of a `whole` one it is known that its elements have no gaps between them, in C order, or that it
    is a vector; of one that is `contiguous`, the first. One
    `outside` is the caller's: the input of this name, an argument or what is captured. A `doubtful`
    one may be another array, as a branch or a loop went: it is read, and neither written nor given.
    One that is `listed` may be held by the lists of a group, or be another array of it, and is not
    written. What a function returns from inside of a loop or a branch is a value: which arrays it
    may be, or memories, is in `copies`: who has an array is counted.
    """

    __slots__ = (
        "__weakref__", "born", "contiguous", "copies", "doubtful", "handles", "listed", "node",
        "outside", "start", "whole",
    )  # fmt: skip

    def __init__(self, first: Any, whole: bool = False, outside: str = "") -> None:
        self.born: int = first.born
        self.start: Node = first.node
        self.node: Node = first.node
        self.outside = outside
        self.doubtful = False
        self.contiguous = whole or (not outside and self.node.ndim <= 1)
        self.listed: Group | None = None
        self.copies: tuple[ReferenceType[Any], ...] = ()
        self.whole = whole or self.node.ndim <= 1
        self.handles: WeakValueDictionary[int, Any] = WeakValueDictionary({id(first): first})

    def see(self, handle: Any, path: Path) -> None:
        """Let `handle` be what `path` leads to."""
        handle.memory, handle.path = self, path
        self.handles[id(handle)] = handle

    def require_certain(self) -> None:
        """NotTraceable where it may be another array."""
        if self.doubtful:
            raise NotTraceable(
                "which array a variable has depends on how a branch or a loop went, and it is "
                "written into or returned",
                "copy it before: x = x.copy()",
            )

    def _may_copy(self, path: Path) -> bool:
        """Whether NumPy makes a copy somewhere on `path`, or may: a reshape of what has gaps."""
        node, whole, packed = _positions(self.node, 0), self.whole, self.contiguous
        for step in path:
            if step.order and not (packed and (step.order == "C" or node.ndim < 2)):
                return True
            following = step(node)
            reshaped = following.op is ops.RESHAPE and following is not node
            if reshaped and not whole:
                return True
            whole = whole and (reshaped or following is node)
            packed = packed and (reshaped or following is node or _is_run(following))
            node = following
        return False

    def write(self, target: Any, node: Node) -> None:
        """Let what the handle `target` sees have the value `node`, of its shape and dtype."""
        self.require_certain()
        if self.listed is not None:
            raise SharedWrite
        others = [h for h in self.handles.values() if h is not target]
        if not others and not target.path:
            build.solver().wrote(self)
            self.node = target.node = node
            return
        if not others and not self.outside and not build.solver().may_go_back():
            self.node = target.node = node
            target.path = ()
            return
        if any(self._may_copy(h.path) for h in (target, *others)):
            raise ByLayout(
                "in-place write into an array that may share its memory with a reshaped one",
                "reshape a copy: x.copy().reshape(...)",
            )
        build.solver().wrote(self)
        through = through_reshapes(self.node, target.path, node)
        if through is not None:
            self.node, target.node = through, follow(target.path, through)
            tested_by(build.solver().requirements, node, through)
        else:
            self.node = written(self.node, target.path, node) if target.path else node
            target.node = node
        for handle in others:
            handle.node = follow(handle.path, self.node)


def _is_run(view: Node) -> bool:
    """Whether a view of a vector is of elements one after the other."""
    index: list[Any] = list(view.attr[1]) if view.op is ops.VIEW else []
    return len(index) == view.ndim == 1 and index[0][1] == 1


def input_name(variable: Any) -> str:
    """The name of the input that a traced value is, also where it has been written into since."""
    name: str = variable.node.attr[0] if variable.memory is None else variable.memory.outside
    return name


def follow(path: Path, node: Node) -> Node:
    """What `path` leads to from `node`."""
    for step in path:
        node = step(node)
    return node


#: Steps that lead to one part of complex numbers.
_PARTS: tuple[Any, ...] = (build.real, build.imag)


def written(base: Node, path: Path, node: Node) -> Node:
    """`base`, where what `path` leads to is `node`."""
    taken = next((k for k, step in enumerate(path) if isinstance(step.nodes, bits.Taken)), None)
    if taken is not None:
        whole, after = follow(path[:taken], base), path[taken + 1 :]
        new = written(path[taken](whole), after, node) if after else node
        made = bits.taken(new, whole.dtype)
        return written(base, path[:taken], made) if taken else made
    part = next((k for k, step in enumerate(path) if step.nodes in _PARTS), None)
    if part is not None:
        whole = follow(path[:part], base)
        parts = [build.real(whole), build.imag(whole)]
        own = _PARTS.index(path[part].nodes)
        after = path[part + 1 :]
        parts[own] = written(parts[own], after, node) if after else node
        made = build.apply(scalars.COMPLEX, parts, whole.dtype)
        return written(base, path[:part], made) if part else made
    if not base.ndim:
        return build.reshape(node, ())
    positions = [follow(path, _positions(base, k)) for k in range(base.ndim)]
    return build.scatter(base, node, positions, [False] * base.ndim, "set")


def through_reshapes(base: Node, path: Path, node: Node) -> Node | None:
    """`base` with the elements that `node` has put into a reshaped array; None for other nodes.

    So a few elements are written where they lie, and not all that there are of the array.
    """
    if node.op is not ops.SCATTER or not path:
        return None
    views = [base]
    for step in path:
        if step.take is not None or isinstance(step.nodes, bits.Taken):
            return None
        views.append(step(views[-1]))
    source, y, *places = node.args
    checked = set(node.attr[1])
    # Reshapes are merged: the last is one of the base.
    reshaped = views[-1].op is ops.RESHAPE and views[-1].args[0] is base
    if source is not views[-1] or not reshaped or len(checked) > 1 or base.ndim < 2:
        return None
    at = places[0]
    if len(places) > 1:
        if checked != {False}:  # a place counted from the end is one of its own axis
            return None
        for n, place in zip(source.shape[1:], places[1:], strict=True):
            at = build.elementwise("multiply", at, dims.as_node(n))
            at = build.elementwise("add", at, place)
    found: list[Node] = []
    for n in base.shape[:0:-1]:  # a negative place stays one of the first axis
        found.append(build.elementwise("remainder", at, dims.as_node(n)))
        at = build.elementwise("floor_divide", at, dims.as_node(n))
    positions = [build.broadcast_to(p, y.shape) if y.ndim else p for p in (at, *reversed(found))]
    return build.scatter(base, y, positions, [*checked] * base.ndim, node.attr[0])


def _positions(base: Node, axis: int) -> Node:
    """The place of each element along an axis of `base`."""
    if not base.ndim:
        return build.constant(0, np.int64)
    return build.view(build.iota(base.shape[axis]), base.shape, ((0, 1, axis),))


class Log:
    """The arrays that are written into while it is open, with the nodes that they had before."""

    def __init__(self, region: bool = True) -> None:
        #: Whether what is traced becomes part of a region, if it is not undone; and since when.
        self.region = region
        self.since = next(births)
        #: Lists, and by how many elements they grow, if that is known.
        self.added: dict[int, tuple[Any, Dim | None]] = {}
        self.before: dict[int, tuple[Any, Node]] = {}
        #: The nodes of arrays that have a placeholder now, which this does not know of.
        self.around: dict[int, Node] = {}
        #: The memories that may have another name now, with the groups of before.
        self.named: list[tuple[Memory, Group | None]] = []

    def more(self, grown: Any, count: Dim | None) -> None:
        """A list grows by so many elements."""
        _, known = self.added.get(id(grown), (grown, 0))
        total = None if known is None or count is None else dims.add(known, count)
        self.added[id(grown)] = grown, total

    def unname(self) -> dict[Memory, Group]:
        """Let memories have the names that they had; the groups that these may be of now."""
        found = {memory: memory.listed for memory, _ in self.named if memory.listed is not None}
        for memory, group in reversed(self.named):
            memory.listed = group
        self.named.clear()
        return found

    def note(self, array: Any) -> None:
        """`array` is about to be written into."""
        node = self.around.get(id(array), array.node)
        self.before.setdefault(id(array), (array, node))


def name(groups: Mapping[Memory, Group]) -> None:
    """Let memories be of these groups, until that is undone."""
    for memory, group in groups.items():
        for log in build.solver().logs:
            if memory.born < log.since:  # what is made since is gone with it, or its result
                log.named.append((memory, memory.listed))
        memory.listed = group.joined(memory.listed)


def put(array: Any, node: Node) -> None:
    """Let an array have the value `node`, for all who see it."""
    array.node = node
    if isinstance(array, Memory):
        for handle in array.handles.values():
            handle.node = follow(handle.path, node)
