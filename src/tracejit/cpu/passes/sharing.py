"""Loops of a kernel that several threads may share: their iterations need nothing of each other.

A program with branches and loops, or one that writes into arguments, is one function, which goes
through its statements in order. Its loops over arrays are looked at as they have been emitted:

    for i0 in range(v0):                    if v9 >= 131072:
        for i1 in range(v1):                    for i0 in shared(range(v0), v9):
            b0[i0 + 1, i1] = …                      …
                                            else:
                                                for i0 in range(v0): …

A loop is shared where each array that it writes has an axis along which every iteration keeps to
places of its own, whatever it reads or writes there; and where no name outlives an iteration but by
what comes last in it: a total that takes what the iteration gives. That is done afterwards, in
order, so the bits are those of one thread. The chunks of a loop are iterations like others.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence

from tracejit.cpu.compiling.estimate import costs
from tracejit.intrinsics.blocks import BLOCK, LINE
from tracejit.ir.convolutions import FILTERS
from tracejit.lower.emit.emitting import FALSE
from tracejit.lower.kernel.rename import renamed, replaced
from tracejit.lower.kernel.statements import (
    Assign,
    Binary,
    Block,
    Call,
    Constant,
    Do,
    Element,
    Expr,
    Factory,
    For,
    Forever,
    Group,
    If,
    Kernel,
    Length,
    Part,
    Return,
    Shared,
    Statement,
    Store,
    Transposed,
)
from tracejit.lower.kernel.verify import assigned, every, names, operands, read_by
from tracejit.rng.table import SAMPLED

#: The parameter that says how many threads there are, and what a kernel shares its loops by.
THREADS, TEAM = "threads", "team_run"
#: How the names of functions begin that do some units of a convolution.
CONVOLVE = "convolve_"
#: What an iteration takes at least: all that is cheap as much, so that where one loop over an array
#: is shared, others are, and each thread finds in its processor's cache what it has left there.
USUAL = 16
#: Elements of a piece that is copied at a time, from one to the other.
_PIECE, _COPIED = 1 << 12, ("piece_start", "piece_end")
#: What a loop is taken to do where only an iteration around knows how often.
_SOME = 8
_VIEWS = ("flat", "shaped_")
#: Loops that may be shared, and steps of those that have a number of their own.
_KINDS, _STEPS = ("range", "span", "blocks"), {"block": BLOCK, "line": LINE, "again": 0}
#: Names of arrays; those of arguments may also be numbers'.
_MEMORY = re.compile(r"[bps]\d")


def shared(kernel: Kernel, least: int) -> Kernel | None:
    """`kernel` with loops that threads share, how many it is told; None where there are none.

    Loops are shared from `least` additions on.
    """
    sharing = _Sharing(kernel, least)
    body = sharing.block(kernel.body)
    if not sharing.count:
        return None
    at = len(kernel.parameters) - ("late" in kernel.parameters)
    parameters = [*kernel.parameters[:at], THREADS, *kernel.parameters[at:]]
    return Kernel(parameters, {**kernel.factories, TEAM: Factory("team", ())}, body)


class _Sharing:
    """Goes through a kernel, and makes its loops shared ones."""

    def __init__(self, kernel: Kernel, least: int) -> None:
        self.least, self.count = least, 0
        self.times: Counter[str] = Counter(kernel.parameters)
        self.values: dict[str, Expr] = {}
        self.arrays: set[str] = set()
        for s in every(kernel.body):
            if isinstance(s, Assign):
                self.times[s.name] += 1
                self.values[s.name] = s.value
            for e in read_by(s):
                self._note(e)
        self.values = {name: e for name, e in self.values.items() if self.times[name] == 1}

    def _note(self, e: Expr) -> None:
        """Take note of what is read as an array."""
        if isinstance(e, Element | Part | Transposed | Length):
            self.arrays |= names(e.array)
        for each in operands(e):
            self._note(each)

    def block(self, block: Block) -> Block:
        """A block with its loops shared."""
        return Block([self._statement(s) for s in block.statements()])

    def _statement(self, s: Statement) -> Statement:
        if isinstance(s, Do) and s.call.function == "copy_range":
            self.count += 1
            return self._copy(s)
        if isinstance(s, Do) and s.call.function.startswith(CONVOLVE):
            self.count += 1
            return self._convolution(s)
        if not isinstance(s, Block):
            return s
        if isinstance(s, For) and s.kind in _KINDS and (found := self._shared(s)) is not None:
            return found
        body = self.block(s).body
        if isinstance(s, For):
            return For(body, index=s.index, kind=s.kind, operands=s.operands)
        if isinstance(s, If):
            otherwise = None if s.otherwise is None else self.block(s.otherwise)
            return If(body, test=s.test, otherwise=otherwise)
        return Forever(body) if isinstance(s, Forever) else Block(body)

    def _copy(self, s: Do) -> If:
        """The same for a copy of what lies alike in memory: a piece each."""
        *arrays, first, last = s.call.operands
        start, end = _COPIED
        body = Block([Assign(start, Binary("+", Binary("*", "piece", _PIECE), first))])
        body.assign(end, Call("imin", (Binary("+", start, _PIECE), last)))
        body.add(Do(Call("copy_range", (*arrays, start, end)), s.origin))
        count = last if first == 0 else Binary("-", last, first)
        pieces = Binary(">>", Binary("+", count, _PIECE - 1), _PIECE.bit_length() - 1)
        work = _times(count, USUAL)
        made = Shared(
            body.body, index="piece", kind="range", operands=(pieces,), work=work, then=Block(),
            kept={},
        )  # fmt: skip
        return If([made], test=Binary(">=", work, self.least), otherwise=Block([s]))

    def _convolution(self, s: Do) -> If:
        """The same for a convolution: a unit each."""
        *operands, _, _ = s.call.operands
        sizes = operands[3:]
        groups, batch, channels, _, _, _, filters, *lengths = sizes[:13]
        blocks = Group(Binary(">>", Binary("+", filters, FILTERS - 1), FILTERS.bit_length() - 1))
        units = _times(_times(groups, batch), blocks)
        work = functools.reduce(_times, (units, channels, *lengths))
        call = Call(s.call.function, (*operands, "unit", Binary("+", "unit", 1)))
        made = Shared(
            [Do(call, s.origin)], index="unit", kind="range", operands=(units,), work=work,
            then=Block(), kept={},
        )  # fmt: skip
        return If([made], test=Binary(">=", work, self.least), otherwise=Block([s]))

    def _shared(self, s: For) -> If | None:
        """Both ways to go through a loop; None where there is only one."""
        try:
            made = _Iterations(self, s).shared()
        except _DependentError:
            return None
        self.count += 1
        return If([made], test=Binary(">=", made.work, self.least), otherwise=Block([s]))


class _DependentError(Exception):
    """Iterations need something of each other."""


#: A place along an axis: the factor of the iteration, the rest, and a number that is added.
_Form = tuple[int, frozenset[tuple[Expr, int]], int]


class _Iterations:
    """What the iterations of a loop read and write."""

    def __init__(self, kernel: _Sharing, loop: For) -> None:
        self.kernel, self.loop = kernel, loop
        statements = list(loop.statements())
        times = Counter(s.name for s in every(loop) if isinstance(s, Assign))
        self.totals = {name for name, count in times.items() if count < kernel.times[name]}
        at = len(statements)
        while at and isinstance(s := statements[at - 1], Assign) and s.name in self.totals:
            at -= 1
        self.body, self.last = Block(statements[:at]), Block(statements[at:])
        self.inside = assigned(loop) | {s.index for s in every(loop) if isinstance(s, For)}
        self.inside.add(loop.index)
        #: What counts the places of one iteration.
        self.own: set[str] = set() if loop.kind == "blocks" else {loop.index}
        #: Multiples of the iteration; where its places begin, with where they end; and of blocks of
        #: them, with what that is counted from.
        self.multiples: dict[str, Expr] = {}
        self.begins: dict[str, Expr] = {}
        self.blocks: dict[str, str] = {}
        if loop.kind == "blocks":
            self.begins[loop.index] = loop.operands[0]
        #: Names of all iterations that tell whether something has happened in any.
        self.flags = {
            s.name
            for s in every(self.body)
            if isinstance(s, Assign) and s.name in self.totals and _is_flag(s)
        }
        self.totals -= self.flags
        #: By memory: by which name it is reached, where, and whether it is written.
        self.reached: dict[str, list[tuple[str, list[_Form | None]]]] = {}
        self.written: set[str] = set()

    def shared(self) -> Shared:
        """The loop as a shared one."""
        self._look(self.body)
        if self.body.is_empty() or not all(map(self._keeps_apart, self.written)):
            raise _DependentError
        body, then, kept = self.body, Block(), {}
        for k, flag in enumerate(sorted(self.flags)):
            own = f"{flag}_own"
            body = Block([Assign(own, FALSE), renamed(body, {flag: own})])
            kept[f"k{k}"] = own
            then.assign(flag, Call("bit_or", (flag, f"k{k}")))
        given: dict[str, str] = {}
        for s in self.last.statements():
            assert isinstance(s, Assign)
            for name in sorted(names(s.value) & self.inside - self.totals - {self.loop.index}):
                if name not in given:
                    given[name] = f"k{len(kept)}"
                    kept[given[name]] = name
            then.assign(s.name, replaced(s.value, given), s.origin)
        loop = self.loop
        work = _times(self._count(loop), self._step(self.body))
        return Shared(
            body.body, index=loop.index, kind=loop.kind, operands=loop.operands,
            work=work, then=then, kept=kept,
        )  # fmt: skip

    # What keeps apart --------------------------------------------------------------------------

    def _look(self, block: Block) -> None:
        """Take note of what a block reads and writes."""
        for s in block.statements():
            read = read_by(s)
            if isinstance(s, Return | Do | Forever):
                raise _DependentError
            if isinstance(s, Assign):
                if s.name in self.flags and _is_flag(s):
                    assert isinstance(s.value, Call)
                    read = s.value.operands[1:]
                elif s.name in self.totals | self.flags:
                    raise _DependentError
                self._bounds(s.name, s.value)
            elif isinstance(s, Store):
                self._reach(s.element, writes=True)
                read = *s.element.index, s.value
            elif isinstance(s, For):
                self._enter(s)
            for e in read:
                self._read(e)
            if isinstance(s, Block):
                self._look(s)
                if isinstance(s, If) and s.otherwise is not None:
                    self._look(s.otherwise)

    def _read(self, e: Expr) -> None:
        if isinstance(e, str) and e in self.totals | self.flags:
            raise _DependentError
        if isinstance(e, Element):
            self._reach(e, writes=False)
        is_view = isinstance(e, Call) and e.function.startswith(_VIEWS)
        if isinstance(e, Call) and not is_view:
            sampled = e.function.removeprefix("philox_") in SAMPLED  # which may raise
            if sampled or any(map(self._is_array, e.operands)):
                raise _DependentError
        for each in operands(e):
            self._read(each)

    def _is_array(self, e: Expr) -> bool:
        if isinstance(e, str):
            return e in self.kernel.arrays or _MEMORY.match(e) is not None
        return isinstance(e, Part | Transposed)

    def _reach(self, e: Element, writes: bool) -> None:
        """Take note of an element that is read or written."""
        array: Expr = e.array
        index: list[Expr] = [*e.index]
        values = self.kernel.values
        while True:
            if isinstance(array, Transposed):
                array, index = array.array, index[::-1]
            elif isinstance(array, Part):
                index[:0] = array.index
                array = array.array
            elif isinstance(array, str) and isinstance(part := values.get(array), Part):
                array = part
            else:
                break
        assert isinstance(array, str)
        memory = array
        while isinstance(view := values.get(memory), Call | Transposed | Part):
            of = view.operands if isinstance(view, Call) else (view.array,)
            several = set().union(*(names(e) for e in of if self._is_array(e)))
            if len(several) > 1:
                raise _DependentError
            if not several:
                break
            [memory] = several
        if memory in self.inside or self.kernel.times[memory] > 1:
            raise _DependentError
        self.reached.setdefault(memory, []).append((array, list(map(self._form, index))))
        if writes:
            self.written.add(memory)

    def _keeps_apart(self, memory: str) -> bool:
        """Whether iterations have places of their own along an axis of what is written."""
        reached = self.reached[memory]
        ways = {(name, len(forms)) for name, forms in reached}
        return len(ways) == 1 and any(
            _are_apart(along) for along in zip(*(forms for _, forms in reached), strict=True)
        )

    # Places --------------------------------------------------------------------------------------

    def _bounds(self, name: str, value: Expr) -> None:
        """Take note of where the places of an iteration begin and end."""
        if self.kernel.times[name] > 1:
            return
        if isinstance(value, Call) and value.function == "imin":
            start, length = _sum(value.operands[0])
            if start in self.multiples and self.multiples[start] == length:
                self.begins[start] = name
            return
        start, block = _sum(value)
        if isinstance(block, str) and self.blocks.get(block) == start:
            self.begins[name] = self.begins[start]
        elif self.loop.kind == "range" and isinstance(value, Binary):
            index, length = value.left, value.right
            if (value.sign, index) == ("*", self.loop.index) and not names(length) & self.inside:
                self.multiples[name] = length

    def _enter(self, inner: For) -> None:
        """Take note of a loop inside that is over places of the iteration alone."""
        if inner.kind == "blocks":
            for start, end in self.begins.items():
                if inner.operands == (Binary("-", end, start),):
                    self.blocks[inner.index] = start
        elif inner.kind in ("span", "block", "again"):
            first, last = inner.operands
            if isinstance(first, str) and self.begins.get(first) == last:
                self.own.add(inner.index)

    def _form(self, e: Expr) -> _Form | None:
        """A place in terms of the iteration; None where it is not told so."""
        if isinstance(e, int):
            return 0, frozenset(), e
        if isinstance(e, Group):
            return self._form(e.inner)
        if isinstance(e, str) and e in self.own:
            return 1, frozenset(), 0
        if not names(e) & self.inside:
            return 0, frozenset([(e, 1)]), 0
        if isinstance(e, str):
            value = self.kernel.values.get(e)
            return None if value is None else self._form(value)
        if not isinstance(e, Binary):
            return None
        left, right = self._form(e.left), self._form(e.right)
        if left is None or right is None:
            return None
        if e.sign in "+-":
            return _added(left, right, 1 if e.sign == "+" else -1)
        if e.sign == "*" and left[:2] == (0, frozenset()):
            return _added((0, frozenset(), 0), right, left[2])
        if e.sign == "<<" and right[:2] == (0, frozenset()):
            return _added((0, frozenset(), 0), left, 1 << right[2])
        return None

    # Work ----------------------------------------------------------------------------------------

    def _step(self, block: Block) -> Expr:
        """What an iteration has to do, in additions."""
        work = self._work(block)
        innermost = not any(isinstance(s, For) for s in every(block))
        return max(work, USUAL) if innermost and isinstance(work, int) else work

    def _work(self, block: Block) -> Expr:
        """What a block has to do, in additions."""
        total: Expr = 0
        for s in block.statements():
            own: Expr = sum(map(_cost, read_by(s)))
            if isinstance(s, For):
                own = _times(self._count(s), self._step(s))
            elif isinstance(s, Block):
                own = self._work(s)
                if isinstance(s, If) and s.otherwise is not None:
                    own = _plus(own, self._work(s.otherwise))
            total = _plus(total, own)
        return total

    def _count(self, loop: For) -> Expr:
        """How many iterations a loop has, in terms of what is known before."""
        if loop.kind in _STEPS:
            return _STEPS[loop.kind]
        first, *last = loop.operands
        count: Expr = Binary("-", last[0], first) if last else first
        if names(count) & self.inside:
            chunk = loop.index in self.own or loop.index in self.blocks
            count = next(iter(self.multiples.values()), _SOME) if chunk else _SOME
        size = {"blocks": BLOCK, "lines": LINE}.get(loop.kind, 1)
        if size == 1:
            return count
        return Binary(">>", Binary("+", count, size - 1), size.bit_length() - 1)


def _is_flag(s: Assign) -> bool:
    e = s.value
    return isinstance(e, Call) and e.function == "bit_or" and e.operands[0] == s.name


def _sum(e: Expr) -> tuple[str, Expr]:
    """A name, and what is added to it, where an expression is that."""
    if isinstance(e, Binary) and e.sign == "+" and isinstance(e.left, str):
        return e.left, e.right
    return "", 0


def _are_apart(along: Sequence[_Form | None]) -> bool:
    """Whether places along an axis are an iteration's own."""
    known = [form for form in along if form is not None]
    factors, rests = {f for f, _, _ in known}, {rest for _, rest, _ in known}
    if len(known) < len(along) or len(factors) > 1 or len(rests) > 1:
        return False
    [factor] = factors
    places = [number for _, _, number in known]
    return max(places) - min(places) < abs(factor)


def _added(a: _Form, b: _Form, times: int) -> _Form:
    rest = Counter(dict(a[1]))
    for e, factor in b[1]:
        rest[e] += factor * times
    left = frozenset((e, factor) for e, factor in rest.items() if factor)
    return a[0] + b[0] * times, left, a[2] + b[2] * times


def _cost(e: Expr) -> int:
    """What an expression costs, in additions; places take nothing."""
    if isinstance(e, str | int | Constant | Element | Length):
        return int(isinstance(e, Element))
    own = costs().get(e.function, 1) if isinstance(e, Call) else int(isinstance(e, Binary))
    return own + sum(map(_cost, operands(e)))


def _plus(a: Expr, b: Expr) -> Expr:
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    return b if a == 0 else a if b == 0 else Binary("+", a, b)


def _times(a: Expr, b: Expr) -> Expr:
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    return b if a == 1 else a if b == 1 else Binary("*", a, b)
