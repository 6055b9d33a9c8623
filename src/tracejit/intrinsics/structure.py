"""Loops and places of a kernel, as intrinsics that its statements stand for.

A loop is a call that opens it and one that closes it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.intrinsics.blocks import BLOCK, LINE
from tracejit.intrinsics.define import define
from tracejit.intrinsics.partial import (
    Update,
    keep_in_memory,
)

_INT = ir.IntType(64)
_ZERO, _ONE = _INT(0), _INT(1)
_NOTHING = ir.Constant(ir.IntType(1), 0)
_TRAPPING = {"sdiv", "udiv", "srem", "urem"}
#: Vectors that a loop works on at a time, up to so many elementary functions: one alone waits for
#: itself, a polynomial's steps being one after the other, and LLVM sees only that registers are
#: few. (Black and Scholes' formula with four: 6.1 ns an element in the cache instead of 8.)
_INTERLEAVED = ((4, 4), (12, 2))
#: Bytes where the code of a loop of scalars begins: a processor keeps decoded code by such lines.
_CODE_LINE = 64
#: Instructions of a loop, at most, that fills a whole vector with truth values at a time.
_FEW = 24
#: Vectors at a time of an extreme, and the most for so many in one loop.
EXTREMES = {"rmax": 4, "rmin": 4, "rmax_row": 2, "rmin_row": 2}
_MOST_EXTREMES = 4


# Loops ---------------------------------------------------------------------------------------


@dataclass
class _Open:
    """A loop that is open, and what is known of its body."""

    before: ir.Block
    index: ir.Value
    count: ir.Value
    body: ir.Block
    after: ir.Block
    #: From one index to the next.
    step: ir.Value = _ONE
    #: How many elements it must be vectorised for, if it must, and vectors at a time.
    lanes: int | None = None
    vectors: int = 1
    #: Whether it seldom runs.
    rare: bool = False
    #: How many elementary functions stand in it, and vectors at a time that are best for one.
    functions: int = 0
    alone: int = 0
    #: What it adds up, or multiplies, in partial results (see `partial`), and how many these are.
    sums: list[Update] = field(default_factory=list)
    partial: int = 0
    #: Whether they are made of whole rounds, or of the part of one that is left.
    round: str = ""
    #: Its floating extremes, and how many vectors of them at a time.
    extremes: int = 0
    extreme_vectors: int = 0
    #: Whether operands lie in memory with gaps between them.
    strided: bool = False
    #: Bits of the widest elements that are loaded and stored.
    loaded: int = 0
    stored: int = 0
    #: Whether its iterations are those of whole blocks, mostly.
    whole: bool = False
    #: Whether a place is assigned what LLVM knows as no reduction.
    serial: bool = False
    #: Whether there is no loop in it.
    innermost: bool = True
    #: Whether how often it runs follows from constants.
    fixed: bool = False

    def hints(self, large: bool, vectorisable: bool) -> tuple[tuple[str, int], ...]:
        """What LLVM is told about vectorising it.

        All about a `large` one: to try all widths takes as long as all the rest. Nothing about one
        that is not `vectorisable`: LLVM would complain.
        """
        if self.rare:  # what compiles fastest
            return ("vectorize.width", 1), ("interleave.count", 1), ("unroll.count", 1)
        if not vectorisable:
            return ()
        functions = self.functions // max(self.extremes, 1)
        count = next((n for most, n in _INTERLEAVED if functions <= most), 1)
        count = self.alone if self.functions == 1 else count
        if self.sums and self.round:
            lanes, part = self.lanes or self.partial // 2, self.round == "part"
            return (
                ("vectorize.width", lanes),
                ("interleave.count", self.partial // lanes),
                ("vectorize.predicate.enable", int(part)),
                *((("unroll.count", 1),) if part else ()),
            )
        if self.lanes:
            lanes, count = self.lanes, self.vectors
        elif self.extremes:
            lanes = self.partial // 2
            count = count if functions else self.extreme_vectors
            # What is left of a short row is computed one element after the other.
            one = large or self.extremes > _MOST_EXTREMES or (functions and not self.whole)
            count = 1 if one else count
        elif large:
            return (
                ("vectorize.width", _vector_width()),
                ("interleave.count", 1),
                # A second loop, of what is left of whole vectors, takes as long to compile.
                ("vectorize.predicate.enable", int(not self._divides_integers())),
            )
        elif self.functions:
            return (("interleave.count", count),)
        elif self.strided:
            return (("vectorize.width", 1),)  # to gather them takes longer than the rest
        elif self.stored == 8 < self.loaded and len(self.body.instructions) <= _FEW:
            # By the operands' width, a few truth values would be stored at a time.
            return ("vectorize.width", 8 * _vector_width()), ("interleave.count", 1)
        else:
            return ()
        return ("vectorize.width", lanes), ("interleave.count", count)

    def _divides_integers(self) -> bool:
        """Whether it does what may trap for elements that there are not."""
        return any(i.opname in _TRAPPING for i in self.body.instructions)

    def has_no_mask(self) -> bool:
        """Whether it may have part of a vector, and does what is done for whole ones only."""
        return self.round == "part" and (self.lanes is not None or self._divides_integers())


#: The open loops of a function under construction, outermost first.
_open: WeakKeyDictionary[ir.Function, list[_Open]] = WeakKeyDictionary()


def innermost(b: ir.IRBuilder) -> _Open | None:
    """The loop that was opened last."""
    opened = _open.get(b.function)
    return opened[-1] if opened else None


def begin(
    b: ir.IRBuilder, last: ir.Value, guarded: bool, first: ir.Value = _ZERO, step: ir.Value = _ONE
) -> ir.Value:
    """Open a loop over indices from `first` up to `last`, at least one unless `guarded`."""
    function = b.function
    body, after = (function.append_basic_block(f"loop.{part}") for part in ("body", "after"))
    before = b.block
    if guarded:
        b.cbranch(b.icmp_signed(">", last, first), body, after)
    else:
        b.branch(body)
    b.position_at_end(body)
    index = b.phi(_INT)
    index.add_incoming(first, before)
    fixed = isinstance(last, ir.Constant)
    _push(function, _Open(before, index, last, body, after, step, fixed=fixed))
    return index


def _push(function: ir.Function, loop: _Open) -> None:
    around = _open.setdefault(function, [])
    if around:
        around[-1].innermost = False
    around.append(loop)


def widen(b: ir.IRBuilder, lanes: int, vectors: int = 1) -> None:
    """Have the innermost open loop vectorised for `lanes` elements: it calls a function of them."""
    if loop := innermost(b):
        loop.lanes, loop.vectors = lanes, vectors


def is_scalar(b: ir.IRBuilder) -> bool:
    """Whether no vector goes through the innermost open loop: it seldom runs, or is a GPU's."""
    loop = innermost(b)
    return (loop is not None and loop.rare) or b.module.triple.startswith("nvptx")


def note_function(b: ir.IRBuilder, vectors: int) -> None:
    """Take note of an elementary function, fastest with so many vectors at a time, in a loop."""
    if loop := innermost(b):
        loop.functions += 1
        loop.alone = vectors


def _end(b: ir.IRBuilder, large: bool) -> ir.Value:
    loop = _open[b.function].pop()
    following = b.add(loop.index, loop.step, flags=("nuw", "nsw"))
    loop.index.add_incoming(following, b.block)
    vectorisable = not loop.serial and _is_plain(b.function, loop.body)
    close = None
    if loop.sums and loop.round and (loop.rare or not vectorisable or loop.has_no_mask()):
        vectorisable = False
        close = keep_in_memory(b, loop.sums, loop.index, loop.before, loop.partial)
    hints = loop.hints(large, vectorisable)
    count = loop.count
    if hints and not loop.fixed:
        with b.goto_block(loop.before):
            count = opaque(b, count)
    branch = b.cbranch(b.icmp_signed("<", following, count), loop.body, loop.after)
    if hints:
        hint(b.module, branch, *hints)
    b.position_at_end(loop.after)
    if close:
        close()
    return _NOTHING


def _is_plain(function: ir.Function, body: ir.Block) -> bool:
    """Whether an open loop has no branches, and calls no function but those of vectors too."""
    blocks = function.basic_blocks
    return len(blocks) == blocks.index(body) + 2 and all(
        getattr(instruction.callee, "name", "").startswith("llvm.")
        or any("vector-function-abi-variant" in a for a in instruction.attributes)
        for instruction in body.instructions
        if isinstance(instruction, ir.CallInstr)
    )


def hint(module: ir.Module, branch: Any, *hints: tuple[str, int]) -> None:
    """Tell LLVM how to vectorise a loop, by the branch that closes it."""
    nodes = [
        module.add_metadata([f"llvm.loop.{name}", ir.Constant(ir.IntType(32), number)])
        for name, number in hints
    ]
    loop = ir.MDValue(module, [], name=str(len(module.metadata)))
    loop.operands = (loop, *nodes)  # its first operand is itself, so that no two are one
    branch.set_metadata("llvm.loop", loop)


@functools.cache
def _vector_width() -> int:
    """How many float64 numbers a vector register holds."""
    features = llvm.get_host_cpu_features()
    return 8 if features.get("avx512f") else 4 if features.get("avx") else 2


def _blocks(b: ir.IRBuilder, ty: Any, length: ir.Value) -> ir.Value:
    shift = ir.Constant(_INT, BLOCK.bit_length() - 1)
    count = b.lshr(b.add(length, ir.Constant(_INT, BLOCK - 1)), shift)
    return b.shl(begin(b, count, guarded=True), shift, flags=("nuw", "nsw"))


def extent_of(
    b: ir.IRBuilder, kind: str, operands: Sequence[ir.Value]
) -> tuple[ir.Value, ir.Value]:
    """Where a loop of a kind begins, and how many iterations it has."""
    if kind == "range":
        return _ZERO, operands[0]
    start, last = operands
    count = b.sub(last, start)
    if kind != "span":
        whole = ir.Constant(_INT, BLOCK)
        count = b.select(b.icmp_signed("<", count, whole), count, whole)
    return start, count


def _block(b: ir.IRBuilder, ty: Any, start: ir.Value, length: ir.Value) -> ir.Value:
    start, count = extent_of(b, "block", (start, length))
    # Counted from 0, so that LLVM sees that no index is negative, and vectorises.
    index = b.add(start, begin(b, count, guarded=False), flags=("nuw", "nsw"))
    loop = _open[b.function][-1]
    loop.fixed = isinstance(length, ir.Constant)
    loop.whole = not loop.fixed or length.constant >= BLOCK
    return index


def begin_rounds(b: ir.IRBuilder, count: ir.Value, partial: int, alone: bool) -> ir.Value:
    """Open a loop of so many iterations, which fill rounds of `partial` ones, one at least.

    No vectors go through it where it goes `alone`.
    """
    index = begin(b, count, guarded=False)
    loop = _open[b.function][-1]
    loop.round, loop.partial, loop.fixed, loop.rare = "whole", partial, True, alone
    return index


def begin_rest(
    b: ir.IRBuilder, count: ir.Value, partial: int, together: bool, alone: bool
) -> ir.Value:
    """Open a loop of fewer iterations than `partial`: one round if `together`, else one by one."""
    index = begin(b, count, guarded=False)
    loop = _open[b.function][-1]
    loop.round, loop.partial = "part" if together else "", partial
    loop.rare = alone or not together
    return index


def has_functions(b: ir.IRBuilder) -> bool:
    """Whether an elementary function stands in the innermost open loop."""
    loop = innermost(b)
    return loop is not None and loop.functions > 0


def opaque(b: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """The count of a loop as a number of which LLVM knows nothing.

    Where it knows the bits of ``7 - k``, the last step is that where ``i ^ k`` is 7: its vectoriser
    finds no count in that, and says so.
    """
    same = b.asm(ir.FunctionType(_INT, [_INT]), "", "=r,0", [count], side_effect=False)
    same.attributes.add("readnone")
    same.attributes.add("nounwind")
    return same


def _block_again(b: ir.IRBuilder, ty: Any, start: ir.Value, length: ir.Value) -> ir.Value:
    index = _block(b, ty, start, length)
    _open[b.function][-1].rare = True
    return index


def _span(b: ir.IRBuilder, ty: Any, first: ir.Value, last: ir.Value) -> ir.Value:
    return b.add(first, begin(b, b.sub(last, first), guarded=True), flags=("nuw", "nsw"))


def _position(*operands: Any) -> Any:
    return types.int64 if all(ty == types.int64 for ty in operands) else None


def _lines(b: ir.IRBuilder, ty: Any, length: ir.Value) -> ir.Value:
    shift = ir.Constant(_INT, LINE.bit_length() - 1)
    return b.shl(begin(b, b.lshr(length, shift), guarded=True), shift, flags=("nuw", "nsw"))


def _line(b: ir.IRBuilder, ty: Any, start: ir.Value) -> ir.Value:
    return b.add(start, begin(b, ir.Constant(_INT, LINE), guarded=False), flags=("nuw", "nsw"))


loop_range = define("loop_range", 1, _position, lambda b, ty, n: begin(b, n, guarded=True))
loop_span = define("loop_span", 2, _position, _span)
loop_blocks = define("loop_blocks", 1, _position, _blocks)
loop_again = define("loop_again", 2, _position, _block_again)
loop_block = define("loop_block", 2, _position, _block)
loop_lines = define("loop_lines", 1, _position, _lines)
loop_line = define("loop_line", 1, _position, _line)


@intrinsic
def loop_end(typingctx: Any) -> Any:
    """Close the loop that was opened last."""
    return types.boolean(), lambda context, builder, signature, args: _end(builder, False)


@intrinsic
def loop_end_large(typingctx: Any) -> Any:
    """Close the loop that was opened last, which has very many statements."""
    return types.boolean(), lambda context, builder, signature, args: _end(builder, True)


@dataclass
class _Forever(_Open):
    """A loop that is left from inside, which no vector goes through."""

    serial: bool = True


def _begin_forever(b: ir.IRBuilder) -> ir.Value:
    body, after = (b.append_basic_block(f"loop.{part}") for part in ("body", "after"))
    nothing = ir.Constant(_INT, 0)
    _push(b.function, _Forever(b.block, nothing, nothing, body, after))
    return _NOTHING


def _forever_body(b: ir.IRBuilder) -> ir.Value:
    loop = _open[b.function][-1]
    b.branch(loop.body)
    b.position_at_end(loop.body)
    return _NOTHING


def _end_forever(b: ir.IRBuilder) -> ir.Value:
    loop = _open[b.function].pop()
    branch = b.branch(loop.body)
    if loop.innermost:
        hint(b.module, branch, ("align", _CODE_LINE))
    b.position_at_end(loop.after)
    return _NOTHING


def _leave(b: ir.IRBuilder) -> ir.Value:
    b.branch(_open[b.function][-1].after)
    return _NOTHING


@intrinsic
def loop_forever(typingctx: Any) -> Any:
    """Open a loop that is only left from inside; what comes before its body is done once."""
    return types.boolean(), lambda context, builder, signature, args: _begin_forever(builder)


@intrinsic
def loop_body(typingctx: Any) -> Any:
    """Begin what a loop that is only left from inside does again and again."""
    return types.boolean(), lambda context, builder, signature, args: _forever_body(builder)


@intrinsic
def loop_again_forever(typingctx: Any) -> Any:
    """Close the loop that was opened last, which goes on for ever."""
    return types.boolean(), lambda context, builder, signature, args: _end_forever(builder)


@intrinsic
def loop_leave(typingctx: Any) -> Any:
    """Leave the loop that was opened last."""
    return types.boolean(), lambda context, builder, signature, args: _leave(builder)
