"""Teams: threads of a warp that do the work of one thread together.

    for i in teams(n):              a team an iteration; what stands in it, all of its threads do
        v = sum_open(0.0)
        for k in blocks(m):
            for j in team_block(k, m):      a thread an iteration
                v = sum_add(v, x[i, j])     each thread adds to its own partial result
            v = sum_block(v)                which are one behind the loop, and the same for all
        b[i] = v                    one thread stores, and the others wait

Where a sum is over everything, the teams of a block take a chunk, each a block of it in turn:

    for i in over_groups(n):        a block of threads an iteration
        v = sum_open(0.0)
        for k in team_blocks(m):            a team an iteration
            for j in team_block(k, m):
                v = sum_add(v, x[j])
            v = sum_teams(v, k, m)          what the teams have is added in the order of the blocks

Or they share what is done in a chunk, part by part (`emit/blocks.py`):

        for j in team_span(first, last):    a team an iteration
        for j in thread_span(first, last):  a thread an iteration

So a team's partial results are those of a CPU's vectors (`intrinsics.partial`): a team has as many
threads as there are. In loops that are not shared, a team's threads go through all iterations.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.cuda.machine.shared import shared_memory, wait_for_block
from tracejit.cuda.passes.teams import THREADS
from tracejit.intrinsics import places, structure
from tracejit.intrinsics.blocks import BLOCK
from tracejit.intrinsics.build import Builder
from tracejit.intrinsics.grid import register
from tracejit.intrinsics.partial import ORDERED, Partial, partial_numbers, set_aside
from tracejit.intrinsics.sums import with_part_added
from tracejit.lower.kernel.statements import Assign, Call, Expr, For, Statement, Store
from tracejit.lower.kernel.verify import every

_INT, _WORD, _BIT = ir.IntType(64), ir.IntType(32), ir.IntType(1)
#: What may be taken in any order, and what then leaves it as it is; None: itself.
_ANY_ORDER: Mapping[str, int | None] = {
    "rmax": None, "rmin": None, "imax": None, "imin": None, "logical_or": None,
    "logical_and": None, "bit_or": None, "bit_and": None, "bit_xor": 0, "radd": 0, "rmul": 1,
}  # fmt: skip
#: Modes of the instruction that exchanges values.
_FROM, _ACROSS = 0, 3


class Pending(NamedTuple):
    """A value that is left of a row, kept until it is its turn: a place, and what is done to it."""

    place: tuple[Any, ir.Value]
    update: Any
    operands: list[tuple[Any, ir.Value]]


def _sum_of_teams(s: Statement) -> str:
    """The name of the sum to which a statement adds what the teams of a block have; or none."""
    if not (isinstance(s, Assign) and isinstance(s.value, Call)):
        return ""
    return s.name if s.value.function.startswith("sum_teams") else ""


def _is_first(b: ir.IRBuilder, team: int) -> ir.Value:
    """Whether a thread is its team's first one: asked anew, or loops are made for either."""
    asked = b.asm(ir.FunctionType(_WORD, ()), "mov.u32 $0, %laneid;", "=r", (), True)
    return b.icmp_unsigned("==", b.and_(asked, _WORD(team - 1)), _WORD(0))


def _number(b: ir.IRBuilder, team: int) -> ir.Value:
    """The number of a team in its block."""
    return b.lshr(register(b, "tid.x"), _INT(team.bit_length() - 1))


def _kept(b: ir.IRBuilder, team: int, value: ir.Value) -> ir.Value:
    """Where the values of all teams of a block are, for all to see."""
    kept = shared_memory(b, _stored(value.type), THREADS // team)
    with b.if_then(_is_first(b, team)):
        stored = b.zext(value, _stored(value.type)) if value.type == _BIT else value
        b.store(stored, b.gep(kept, [_number(b, team)]))
    wait_for_block(b)
    return kept


def _stored(kind: ir.Type) -> ir.Type:
    return ir.IntType(8) if kind == _BIT else kind


def _taken(b: ir.IRBuilder, kept: ir.Value, number: int, kind: ir.Type) -> ir.Value:
    """The value of a team."""
    value = b.load(b.gep(kept, [_INT(number)]))
    return b.trunc(value, kind) if kind == _BIT else value


@functools.cache
def sum_teams(team: int) -> Any:
    """The intrinsic ``sum_teams(total, start, last)``: what the teams of a block have of a sum.

    Teams of so many threads have the blocks one after another, this one that from `start` on; those
    before `last` are added to the total in their order.
    """

    @intrinsic
    def sum_teams(typingctx: Any, total: Any, start: Any, last: Any) -> Any:
        def codegen(context: Any, b: ir.IRBuilder, signature: Any, args: Any) -> Any:
            total, start, last = args
            part = b.extract_value(total, 0)
            kept = _kept(b, team, part)
            first = b.sub(start, b.mul(_number(b, team), _INT(BLOCK)))
            for k in range(THREADS // team):
                more = with_part_added(b, total, _taken(b, kept, k, part.type))
                there = b.icmp_signed("<", b.add(first, _INT(k * BLOCK)), last)
                total = _chosen(b, there, more, total)
            wait_for_block(b)  # before these are others
            return b.insert_value(total, ir.Constant(part.type, 0.0), 0)

        return total(total, start, last), codegen

    return sum_teams


def _chosen(b: ir.IRBuilder, test: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    """A choice between two numbers, or two structures of numbers."""
    if x.type in (ir.FloatType(), ir.DoubleType()):
        return b.select(test, x, y)
    for k in range(len(x.type)):
        one = b.select(test, *(b.extract_value(v, k) for v in (x, y)))
        x = b.insert_value(x, one, k)
    return x


class TeamBuilder(Builder):
    """Builds kernels for teams of `team` threads; one of one thread is a thread like any other."""

    team = 1
    #: How many teams there are in a block, where these work together.
    teams = 1
    #: Whether the open loop's iterations are shared by the threads of a team.
    sharing = False
    #: Whether it is a thread's turn to have what the open loop adds up, where threads take turns.
    turn: ir.Value | None = None
    #: What is left for later, where that is what a loop does.
    pending: list[Pending] | None = None

    def _for(self, s: For) -> None:
        if s.kind == "teams":
            self._loop(s, self._over_teams(self.value(s.operands[0])[1]))
        elif s.kind in ("team", "team_block"):
            self._shared_loop(s)
        elif s.kind == "team_blocks":
            self._blocks_of_teams(s)
        elif s.kind == "team_span":
            shift = _INT(self.team.bit_length() - 1)
            teams = self.b.lshr(register(self.b, "ntid.x"), shift)
            self._span(s, _number(self.b, self.team), teams)
        elif s.kind == "thread_span":
            self.sharing = True
            self._span(s, register(self.b, "tid.x"), register(self.b, "ntid.x"))
            self.sharing = False
        else:
            super()._for(s)

    def _span(self, s: For, own: ir.Value, step: ir.Value) -> None:
        """Iterations that the teams, or the threads, of a block share: from `own` on, by steps."""
        start, count = structure.extent_of(self.b, "span", [self.value(o)[1] for o in s.operands])
        index = structure.begin(self.b, count, guarded=True, first=own, step=step)
        self.env[s.index] = types.int64, self.b.add(start, index, flags=("nuw", "nsw"))
        self.iteration(s)
        self.end(s)

    # Threads ---------------------------------------------------------------------------------

    def _lane(self) -> ir.Value:
        """The number of a thread in its team."""
        return self.b.and_(register(self.b, "laneid"), _INT(self.team - 1))

    def _mask(self) -> ir.Value:
        """The bits of a team's threads among those of their warp."""
        if self.team == 32:
            return _WORD(-1)
        first = self.b.and_(register(self.b, "laneid"), _INT(32 - self.team))
        return self.b.shl(_WORD((1 << self.team) - 1), self.b.trunc(first, _WORD))

    def _over_teams(self, count: ir.Value) -> ir.Value:
        b, shift = self.b, _INT(self.team.bit_length() - 1)
        width = register(b, "ntid.x")
        thread = b.add(b.mul(register(b, "ctaid.x"), width), register(b, "tid.x"))
        first, step = b.lshr(thread, shift), b.lshr(b.mul(register(b, "nctaid.x"), width), shift)
        return structure.begin(b, count, guarded=True, first=first, step=step)

    def _wait(self) -> None:
        """Go on when all threads of the team are here, and see what they have stored."""
        kind = ir.FunctionType(ir.VoidType(), [_WORD])
        self.b.call(self._of_all("llvm.nvvm.bar.warp.sync", kind), [self._mask()])

    def _of_all(self, name: str, kind: ir.FunctionType) -> ir.Function:
        """A function that all threads call at one place, which must not become several."""
        function = self.b.module.declare_intrinsic(name, (), kind)
        set.add(function.attributes, "convergent")  # llvmlite does not know it
        return function

    def _exchanged(self, x: ir.Value, mode: int, lane: ir.Value | int) -> ir.Value:
        """The value of another thread of the team: of number `lane`, or across so many."""
        b = self.b
        if isinstance(x.type, ir.LiteralStructType):
            for k in range(len(x.type.elements)):
                x = b.insert_value(x, self._exchanged(b.extract_value(x, k), mode, lane), k)
            return x
        whole = x.type
        floating = {ir.DoubleType(): _INT, ir.FloatType(): _WORD}.get(whole)
        bits = b.bitcast(x, floating) if floating else x
        if bits.type.width == 64:
            words = [b.trunc(b.lshr(bits, _INT(at)), _WORD) for at in (0, 32)]
            low, high = (b.zext(self._word(w, mode, lane), _INT) for w in words)
            found = b.or_(low, b.shl(high, _INT(32)))
        else:
            word = bits if bits.type == _WORD else b.zext(bits, _WORD)
            found = self._word(word, mode, lane)
            found = found if bits.type == _WORD else b.trunc(found, bits.type)
        return b.bitcast(found, whole) if floating else found

    def _word(self, x: ir.Value, mode: int, lane: ir.Value | int) -> ir.Value:
        kind = ir.FunctionType(ir.LiteralStructType([_WORD, _BIT]), [_WORD] * 5)
        at = _WORD(lane) if isinstance(lane, int) else self.b.trunc(lane, _WORD)
        within = _WORD(((32 - self.team) << 8) | 31)
        given = self.b.call(
            self._of_all("llvm.nvvm.shfl.sync.i32", kind),
            [self._mask(), _WORD(mode), x, at, within],
        )
        return self.b.extract_value(given, 0)

    # Loops that a team shares ----------------------------------------------------------------

    def _shared_loop(self, s: For) -> None:
        b = self.b
        kind = {"team": "span", "team_block": "block"}[s.kind]
        start, count = structure.extent_of(b, kind, [self.value(o)[1] for o in s.operands])
        if self.teams > 1:  # of which the last ones may have nothing to do
            count = b.select(b.icmp_signed("<", count, _INT(0)), _INT(0), count)
        ordered = self._updated(s)
        others = self._in_any_order(s, ordered)
        starts = [b.load(place) for _, (_, place) in others]
        for (operation, (_, place)), value in zip(others, starts, strict=True):
            neutral = _ANY_ORDER[operation]
            if neutral is not None:
                other = ir.Constant(value.type, neutral)
                b.store(b.select(self._is_first(), value, other), place)
        threads = min((p.results for p in ordered), default=self.team)
        self.sharing = True
        if ordered:
            self._partial(s, start, count, ordered, threads)
        else:
            self._each_a_thread(s, start, count, self.team)
        self.sharing = False
        for operation, (ty, place) in others:
            self._across(operation, ty, place)
        if any(isinstance(inner, Store) for inner in every(s)):
            self._wait()

    def _is_first(self) -> ir.Value:
        return _is_first(self.b, self.team)

    def _each_a_thread(self, s: For, start: ir.Value, count: ir.Value, threads: int) -> bool:
        """Iterations that so many threads share; whether elementary functions stand in them."""
        b, lane = self.b, self._lane()
        first = lane
        if threads < self.team:  # the others have nothing to do
            first = b.select(b.icmp_unsigned("<", lane, _INT(threads)), lane, count)
        index = structure.begin(b, count, guarded=True, first=first, step=_INT(threads))
        self.env[s.index] = types.int64, b.add(start, index, flags=("nuw", "nsw"))
        self.iteration(s)
        functions = structure.has_functions(b)
        self.end(s)
        return functions

    def _partial(
        self, s: For, start: ir.Value, count: ir.Value, ordered: list[Partial], threads: int
    ) -> None:
        """A loop of sums: whole rounds, and the elements that are left."""
        b = self.b
        whole = b.and_(count, _INT(-threads))
        self._begin_others(ordered)
        together = self._each_a_thread(s, start, whole, threads)
        self._halve(ordered, threads)
        rest, start = b.sub(count, whole), b.add(start, whole)
        with b.if_then(b.icmp_signed(">", rest, _INT(0))):
            if together:
                close = set_aside(b, ordered)
                self._each_a_thread(s, start, rest, threads)
                self._halve(ordered, threads)
                close()
                return
            self.pending = []
            self._each_a_thread(s, start, rest, threads)
            pending, self.pending = self.pending, None
            self._one_by_one(pending, rest)

    def _in_rounds(self, s: For, updated: list[Partial]) -> None:
        """A loop of sums that all threads go through: each has a partial result in its turn."""
        b, count_of = self.b, min(p.results for p in updated)
        if self.team < count_of:
            super()._in_rounds(s, updated)
            return
        start, count = structure.extent_of(b, s.kind, [self.value(o)[1] for o in s.operands])
        whole = b.and_(count, _INT(-count_of))
        self._begin_others(updated)
        together = self._in_turn(s, start, whole, count_of)
        self._halve(updated, count_of)
        rest, start = b.sub(count, whole), b.add(start, whole)
        with b.if_then(b.icmp_signed(">", rest, _INT(0))):
            close = set_aside(b, updated) if together else None
            self._in_turn(s, start, rest, count_of if together else 0)
            if close:
                self._halve(updated, count_of)
                close()

    def _in_turn(self, s: For, start: ir.Value, count: ir.Value, threads: int) -> bool:
        """Iterations whose sums so many threads take in turn; whether functions stand in them."""
        b = self.b
        index = structure.begin(b, count, guarded=True)
        around, self.turn = self.turn, None
        if threads:
            self.turn = b.icmp_unsigned("==", self._lane(), b.and_(index, _INT(threads - 1)))
        self.env[s.index] = types.int64, b.add(start, index, flags=("nuw", "nsw"))
        self.iteration(s)
        functions = structure.has_functions(b)
        self.end(s)
        self.turn = around
        return functions

    def _begin_others(self, ordered: list[Partial]) -> None:
        """Let the partial results of all threads but the first begin with nothing."""
        for p in ordered:
            value = self.b.load(p.place)
            self.b.store(self.b.select(self._is_first(), value, p.others(self.b, value)), p.place)

    def _halve(self, ordered: list[Partial], threads: int) -> None:
        """Make one of the partial results of so many threads, for all of the team."""
        b = self.b
        for p in ordered:
            value, half = b.load(p.place), threads // 2
            while half:
                other = p.each(b, value, lambda x, to=half: self._exchanged(x, _ACROSS, to))
                value = p.combined(b, value, other)
                half //= 2
            if threads < self.team:
                value = p.each(b, value, lambda x: self._exchanged(x, _FROM, 0))
            b.store(value, p.place)

    def _one_by_one(self, pending: list[Pending], count: ir.Value) -> None:
        """Update places by what threads have kept, in their order."""
        index = structure.begin(self.b, count, guarded=True)
        for place, update, operands in pending:
            given = [(ty, self.b.load(kept)) for ty, kept in operands]
            taken = [(ty, self._exchanged(value, _FROM, index)) for ty, value in given]
            self.call(update, [place, *taken])
        self.call(structure.loop_end, [])

    def _across(self, operation: str, ty: Any, place: ir.Value) -> None:
        """Make one of what all threads of the team have found."""
        half = self.team // 2
        while half:
            value = self.b.load(place)
            other = self._exchanged(value, _ACROSS, half)
            both = self.call(self.namespace[operation], [(ty, value), (ty, other)])
            self.b.store(both[1], place)
            half //= 2

    def _in_any_order(
        self, s: For, ordered: Iterable[Partial]
    ) -> list[tuple[str, tuple[Any, ir.Value]]]:
        """What else a loop reduces: the operation, and the place's type and address."""
        found: dict[str, tuple[str, tuple[Any, ir.Value]]] = {}
        taken = {id(p.place) for p in ordered}
        for each in every(s):
            if not isinstance(each, Assign) or each.name not in self.places:
                continue
            if each.name not in self.env or id(self.env[each.name][1]) in taken:
                continue
            value = each.value
            known = isinstance(value, Call) and value.function in _ANY_ORDER
            if not known or value.operands[0] != each.name:  # type: ignore[union-attr]
                raise TypeError(f"a team cannot share what assigns {each.name}")
            kind, place = self.env[each.name]
            found[each.name] = value.function, (kind.dtype, place)  # type: ignore[union-attr]
        return list(found.values())

    # Teams of a block ------------------------------------------------------------------------

    def _blocks_of_teams(self, s: For) -> None:
        b = self.b
        self.teams = THREADS // self.team
        totals = {name for inner in every(s) if (name := _sum_of_teams(inner))}
        taken = [Partial(self.env[name][1], "", None) for name in totals]
        others = self._in_any_order(s, taken)
        first = b.icmp_unsigned("==", _number(b, self.team), _INT(0))
        for operation, (_, place) in others:
            neutral = _ANY_ORDER[operation]
            if neutral is not None:
                value = b.load(place)
                b.store(b.select(first, value, ir.Constant(value.type, neutral)), place)
        length, step = self.value(s.operands[0])[1], _INT(self.teams * BLOCK)
        base = structure.begin(b, length, guarded=True, step=step)
        own = b.mul(_number(b, self.team), _INT(BLOCK))
        self.env[s.index] = types.int64, b.add(base, own, flags=("nuw", "nsw"))
        self.iteration(s)
        self.end(s)
        for operation, (ty, place) in others:
            kind = place.type.pointee
            kept = _kept(b, self.team, b.load(place))
            value = _taken(b, kept, 0, kind)
            for k in range(1, self.teams):
                given = [(ty, value), (ty, _taken(b, kept, k, kind))]
                value = self.call(self.namespace[operation], given)[1]
            b.store(value, place)
        if others:
            wait_for_block(b)  # before these are others
        self.teams = 1

    # What one thread does --------------------------------------------------------------------

    def _put(self, name: str, value: Expr) -> None:
        ordered = isinstance(value, Call) and value.function in ORDERED
        kind = self.env[name][0].dtype if name in self.env else None
        if not ordered or not partial_numbers(kind):
            super()._put(name, value)
            return
        assert isinstance(value, Call)
        if self.pending is None:
            place, turn = self.env[name][1], None if self.sharing else self.turn
            before = self.b.load(place)
            super()._put(name, value)
            if turn is not None:
                self.b.store(_chosen(self.b, turn, self.b.load(place), before), place)
            return
        operands = []
        for ty, operand in map(self.value, value.operands[1:]):
            with self.b.goto_entry_block():
                kept = self.b.alloca(operand.type)
            self.b.store(operand, kept)
            operands.append((ty, kept))
        update = places.updating(self.namespace[value.function])
        self.pending.append(Pending(self.env[name], update, operands))

    def _store(self, s: Store) -> None:
        if self.team == 1 or self.sharing:
            super()._store(s)
            return
        self._wait()  # for those that read what was there
        with self.b.if_then(self._is_first()):
            super()._store(s)
        self._wait()
