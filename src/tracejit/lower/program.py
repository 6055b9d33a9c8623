"""The loop IR: what is stored, the loops that compute it, and the arrays it lives in.

A `Program` is a tree. The root and every `Loop` hold items in order of execution: inner loops and
`Computation`s. A computation evaluates one IR node (with everything inlined below it) at every
point of its domain and stores, reduces or scans it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol, TypeVar

from tracejit.ir import convolutions, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph
from tracejit.ir.node import Node, postorder
from tracejit.ir.rules import roles
from tracejit.ir.scalars import GIVEN
from tracejit.lower.access import Access, Entry
from tracejit.lower.control import LEFT

#: What a point of a loop costs beside its operations, and one of a library's, in additions.
MEMORY_COST, LIBRARY_COST = 2, 20


class Kind(Enum):
    """What a computation does with the value at each point of its domain."""

    MAP = "map"  # store it
    REDUCE = "reduce"  # combine it into a scalar accumulator over the innermost loops
    SWEEP = "sweep"  # combine it into an array of accumulators, in memory order
    ARG = "arg"  # keep the position of the extreme one
    SCAN = "scan"  # combine it with the one before and store
    SCATTER = "scatter"  # put it, or add it, where positions say
    MATMUL = "matmul"  # no loops of ours: a library call
    LIBRARY = "library"  # the same, over whole arrays: a sort, a ufunc without an expression


#: What a call of compiled code computes.
_WHOLE = (Kind.MATMUL, Kind.LIBRARY)


@dataclass(frozen=True)
class Style:
    """How a loop goes through its iterations, which its target may have chosen.

    One `of` another does as that does, but for what it changes. Its methods are all that the
    neutral parts ask of a style, whatever it is.
    """

    of: Style | None = None

    def words(self, name: Callable[[Node], str]) -> list[str]:
        """What it adds to the text of a loop."""
        return self.of.words(name) if self.of else []

    def together(self) -> tuple[Loop, ...]:
        """The loops whose next steps are taken with each step of its own, in order."""
        return self.of.together() if self.of else ()

    def computes(self) -> tuple[Computation, ...]:
        """What it computes as it goes, beside the items of its loop."""
        return self.of.computes() if self.of else ()

    def is_blocked(self) -> bool:
        """Whether its loop goes by blocks, and each block through the loops inside, in turn."""
        return self.of is not None and self.of.is_blocked()

    def run(self, loop: Loop, first: int, last: int, runner: Runner) -> None:
        """What it means: the iterations of `loop` from `first` up to `last`."""
        if self.of:
            self.of.run(loop, first, last, runner)
            return
        for position in range(first, last):
            runner.step(loop, {loop: position})


class Plain(Style):
    """One iteration after the other."""


class Flat(Style):
    """Over all axes at once of what lies alike in memory."""

    def words(self, name: Callable[[Node], str]) -> list[str]:
        return ["flat"]


class Runner(Protocol):
    """What runs loops, for styles to say what they mean."""

    def step(self, loop: Loop, places: Mapping[Loop, int]) -> None:
        """The items of `loop`, once, where it and its copies are at `places`."""

    def begin(self, loop: Loop) -> None:
        """What is reduced over `loop` starts anew."""

    def compute(self, c: Computation) -> None:
        """All of a computation that has no loops."""


S = TypeVar("S", bound=Style)


@dataclass(eq=False)
class Loop:
    """A loop of `extent` iterations over `items`, which it goes through in a `style`.

    `cost` is what its own computations cost at each point, in additions.
    """

    extent: Dim
    items: list[Loop | Computation] = field(default_factory=list)
    cost: int = 0
    style: Style = Plain()  # noqa: RUF009 (it is frozen)

    def get(self, kind: type[S]) -> S | None:
        """Its style of a kind: the one it has, or one that this is of."""
        style: Style | None = self.style
        while style is not None and not isinstance(style, kind):
            style = style.of
        return style

    def has(self, kind: type[Style]) -> bool:
        """Whether it has a style of a kind."""
        return self.get(kind) is not None

    @property
    def copies(self) -> tuple[Loop, ...]:
        """The loops whose next steps are taken with each step of its own."""
        return self.style.together()

    @property
    def draws(self) -> tuple[Computation, ...]:
        """What its style computes as it goes."""
        return self.style.computes()

    @property
    def members(self) -> list[Loop]:
        """The loops over its iterations: itself, or those inside of one that goes by blocks."""
        blocked = self.style.is_blocked()
        return [i for i in self.items if isinstance(i, Loop)] if blocked else [self]


@dataclass(eq=False)
class Computation:
    """Computes `value` over `domain` into the stored node `target`.

    `order` lists the domain's axes from the outermost loop in; `loops` are those loops once
    placed. `reduced` are the axes that do not appear in the target, whose other axes are
    `kept` in order. `offset` displaces the store along `axis` (a part of a concatenation). The
    `positions` of a scatter say where its values go.
    """

    kind: Kind
    target: Node
    value: Node
    domain: tuple[Dim, ...]
    order: tuple[int, ...]
    reduced: tuple[int, ...] = ()
    axis: int = 0
    offset: Dim = 0
    partial: bool = False
    positions: tuple[Node, ...] = ()
    loops: list[Loop] = field(default_factory=list)
    reads: list[Access] = field(default_factory=list)

    @property
    def kept(self) -> tuple[int, ...]:
        """The domain axes that the target has."""
        return tuple(k for k in range(len(self.domain)) if k not in self.reduced)


@dataclass(eq=False)
class Buffer:
    """Memory for a stored node: all of it, or only what one iteration of outer loops needs.

    What is `kept` would be in a register, but for an entry that is called several times. Where
    there is a `home`, it is that input's memory. One that is made at each step of a loop has its
    place in a `room` around, of the greatest size.
    """

    node: Node
    shape: tuple[Dim, ...]
    axes: tuple[int, ...]
    layout: str = "C"
    output: bool = False
    late: bool = False
    kept: bool = False
    home: str = ""
    name: str = ""
    room: Buffer | None = None

    @property
    def is_callers(self) -> bool:
        """Whether the caller sees what is in it."""
        return self.output or bool(self.home)

    @property
    def is_passing(self) -> bool:
        """Whether it is one element for a scalar, taken out of it after the call."""
        return self.output and bool(self.shape) and not self.axes


class Window(NamedTuple):
    """Memory for a block of so many elements of a node, while a loop runs."""

    loop: Loop
    length: int


class Panel(NamedTuple):
    """Memory for what a few steps touch of an array, of lines that go side by side.

    The array is that of a parameter. Step ``k`` touches, along the last axis, what lies from
    ``base + sign * k + low`` to ``high`` there, and writes from the first to the last `written`.
    What it reads has not been written by these steps where it `loads`. `lines` are the places along
    the other axes.
    """

    param: int
    lines: tuple[Entry, ...]
    base: Dim
    sign: int
    low: int
    high: int
    written: tuple[int, int] | None
    loads: bool


class Lines(NamedTuple):
    """Loops that go around a loop of steps, whose body had them: their lengths.

    Of the last one ``1 << beside`` iterations go side by side. The arrays of the parameters
    `fetched` are read a few rows at a time. With `panels`, some steps are done at a time; where
    they are `padded`, for as many lines as there may be: what is in place of others is the last.
    """

    extents: tuple[Dim, ...]
    beside: int = 0
    fetched: tuple[int, ...] = ()
    panels: tuple[Panel, ...] = ()
    padded: bool = False


class Strip(NamedTuple):
    """Items of a program, from the `first` up to the `last`, that go by the same lines in turn."""

    first: int
    last: int
    lines: Lines


@dataclass(eq=False)
class Control:
    """A branch or a loop: a program for each of its regions.

    What these need as `memory` is made once, before: their buffers, and those around that stand for
    them. Of buffers of their `own` nobody knows before how large they are: each run makes them.
    """

    node: Node
    programs: tuple[Program, ...]
    memory: list[tuple[Buffer, Buffer]]
    own: list[Buffer] = field(default_factory=list)
    #: Of a loop, what goes around it instead of inside.
    lines: Lines | None = None


@dataclass(eq=False)
class Program:
    """A scheduled graph: `items` in order, `buffers` by stored node, `layouts` by input name,
    `memory` order of every input and stored node. Of the graph's outputs it computes `outputs`.

    Of `buffers[node]` every entry is written; readers use the first. A stored node without one
    lives in a scalar. `inplace` names what a result overwrites. Buffers of one of the `arenas` are
    never in use together. Of the nodes of `windows` a block is in memory, while their loop runs.
    `strips` go by lines.
    `parts` hold a part of a reduction, by its node, where that is an array. `controls` are what its
    branches and loops run. Where `required` is false, the entry is for other arguments.
    """

    graph: Graph
    items: list[Loop | Computation]
    stored: dict[Node, list[Computation]]
    buffers: dict[Node, list[Buffer]]
    layouts: dict[str, str]
    memory: dict[Node, str]
    inplace: dict[Node, Node] = field(default_factory=dict)
    arenas: list[list[Buffer]] = field(default_factory=list)
    windows: dict[Node, Window] = field(default_factory=dict)
    parts: dict[Node, Buffer] = field(default_factory=dict)
    controls: dict[Node, Control] = field(default_factory=dict)
    strips: list[Strip] = field(default_factory=list)
    outputs: frozenset[Node] = frozenset()
    required: Node | None = None

    def decisions(self) -> list[Node]:
        """What has been decided by the values of arrays, of all that is `required` of them.

        NumPy raises where the rest is false, which is tested where it is computed.
        """
        found: list[Node] = []
        if (node := self.required) is None:
            return found
        tested = {n.args[1] for n in self.graph.nodes() if n.op is GIVEN}
        while node.op.name == "logical_and" and node not in tested:
            node, last = node.args
            found.append(last)
        return [n for n in (node, *found[::-1]) if n not in tested]

    def conditions(self, late: bool = False) -> list[Node]:
        """What is checked before any work, or, in a region, `late`, of what has been computed."""
        found = [check.condition for check in self.graph.checks]
        return [n for n in found if late != self.stored.keys().isdisjoint(postorder([n]))]

    def turns(self) -> list[tuple[int, int, Lines | None]]:
        """From where to where its items come one after another, and the lines that they go by."""
        found: list[tuple[int, int, Lines | None]] = []
        for strip in (*self.strips, Strip(len(self.items), len(self.items), Lines(()))):
            done = found[-1][1] if found else 0
            found += [(k, k + 1, None) for k in range(done, strip.first)]
            found += [strip] if strip.first < strip.last else []
        return found

    def all_loops(self) -> list[Loop]:
        """Every loop, outer before inner."""
        found: list[Loop] = []
        stack = [i for i in reversed(self.items) if isinstance(i, Loop)]
        while stack:
            loop = stack.pop()
            found.append(loop)
            stack.extend(i for i in reversed(loop.items) if isinstance(i, Loop))
        return found

    @property
    def nests(self) -> int:
        """Number of outermost loops."""
        return sum(isinstance(i, Loop) for i in self.items)

    @property
    def passes(self) -> int:
        """Number of innermost loops: passes over memory."""
        return sum(not any(isinstance(i, Loop) for i in loop.items) for loop in self.all_loops())

    @property
    def temporaries(self) -> int:
        """Number of arrays that are no outputs."""
        unique = {id(b): b for bs in self.buffers.values() for b in bs}
        inside = sum(len(control.memory) for control in self.controls.values())
        return sum(not b.is_callers for b in unique.values()) + len(self.parts) + inside


#: What numbers of steps are made of that are known before any.
_KNOWN = (ops.INPUT, ops.DIM, ops.CONST, ops.POLY)


def known_steps(program: Program) -> Dim:
    """How many steps its loops of regions have, those inside of others not counted.

    What only values tell is not counted.
    """
    return _known(roles(control.node).steps for control in program.controls.values())


def known_places(program: Program) -> Dim:
    """How many elements it puts where positions say, as far as that is known before."""
    each = (c for computations in program.stored.values() for c in computations)
    return _known(dims.product(c.domain) for c in each if c.kind is Kind.SCATTER)


def _known(found: Iterable[Dim | None]) -> Dim:
    """The sum of the numbers that are known before anything is done."""
    total: Dim = 0
    for d in found:
        if d is not None and _is_known(d):
            total = dims.add(total, d)
    return total


def _is_known(d: Dim) -> bool:
    return all(n.op in _KNOWN for n in postorder([dims.as_node(d)]))


def known_work(program: Program) -> Dim | None:
    """What the items of a program have to do, in additions; None where only values tell."""
    works = [work_of(item) for item in program.items]
    return _known(works) if all(map(_is_known, works)) else None


def has_loops(program: Program) -> bool:
    """Whether a program goes through anything more than once, or calls what may."""
    for item in program.items:
        control = None if isinstance(item, Loop) else program.controls.get(item.target)
        if control is not None and control.node.op is ops.COND:
            if any(map(has_loops, control.programs)):
                return True
        elif (
            control is not None
            or isinstance(item, Loop)
            or (item.kind in _WHOLE and item.target.op is not LEFT)
        ):
            return True
    return False


def work_of(item: Loop | Computation) -> Dim:
    """What an item of a program has to do, in additions, loads and stores."""
    if isinstance(item, Computation) and item.value.op is ops.CONVOLUTION:
        return convolutions.work(item.value)
    if isinstance(item, Computation):
        return dims.mul(dims.product(item.value.shape), LIBRARY_COST)
    inner = [work_of(i) for i in item.items if isinstance(i, Loop)]
    own = MEMORY_COST + item.cost if len(inner) < len(item.items) else 0
    once: Dim = own
    for each in inner:
        once = dims.add(once, each)
    return once if item.style.is_blocked() else dims.mul(item.extent, once)


def is_formula(node: Node) -> bool:
    """Whether a node is a scalar that is computed again where it is read, even if it is stored."""
    again = isinstance(node.op, ops.Elementwise) or node.op in (ops.CONST, ops.DIM, ops.POLY)
    return again and not node.ndim


def computations_of(item: Loop | Computation) -> list[Computation]:
    """What an item computes."""
    return computations_in(item) if isinstance(item, Loop) else [item]


def computations_in(loop: Loop) -> list[Computation]:
    """The computations inside `loop`, in order."""
    return in_order(loop.items)


def in_order(items: Sequence[Loop | Computation], drawing: bool = False) -> list[Computation]:
    """The computations of these items, in order; where loops draw, the draws if `drawing`."""
    found: list[Computation] = []
    stack = list(reversed(items))
    while stack:
        item = stack.pop()
        if isinstance(item, Computation):
            found.append(item)
        else:
            stack.extend(reversed((*item.draws, *item.items) if drawing else item.items))
    return found
