"""A kernel as a module for NVVM: what it is given, and its instructions by our intrinsics.

An array is its address, its lengths, and, where it may have gaps, its strides in bytes; a scalar is
itself, a bool or a half as the number that it is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from tracejit.cuda.machine import shared
from tracejit.cuda.machine.dialect import Instructions, for_nvvm
from tracejit.cuda.machine.pairs import Pairs, by_pairs
from tracejit.cuda.machine.ptx import versions
from tracejit.cuda.machine.teams import TeamBuilder
from tracejit.cuda.machine.vectors import Pack, are_aligned
from tracejit.cuda.passes.pairs import KIND as KIND_OF_PAIRS
from tracejit.cuda.passes.vectors import KIND, WIDTHS, Arrays, accesses
from tracejit.intrinsics import grid, structure
from tracejit.intrinsics.build import LOOPS, Builder, Value
from tracejit.intrinsics.philox import MAKES
from tracejit.lower.kernel.statements import Call, Element, For, Kernel, Store

_TRIPLE = "nvptx64-nvidia-cuda"
_LAYOUT = (
    "e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32-f64:64:64-"
    "v16:16:16-v32:32:32-v64:64:64-v128:128:128-n16:32:64"
)
_INT = ir.IntType(64)
#: Of a loop that goes through memory by few threads, one after the other: so many loads at a time.
_AHEAD = 16


class KernelBuilder(TeamBuilder):
    """Builds a kernel for a grid of threads, which returns nothing."""

    vectors = False
    loops: Mapping[str, Any] = {
        **LOOPS,
        **{f"over_{axis}": grid.over(axis) for axis in "xyz"},
        **shared.LOOPS,
        "ahead": structure.loop_range,
    }
    #: What the loop by vectors that is open loads and stores.
    pack: Pack | None = None
    #: What the loop by pairs that is open has drawn.
    pairs: Pairs | None = None

    def leave(self, code: ir.Value) -> None:
        self.b.ret_void()

    def _for(self, s: For) -> None:
        width = next((n for n in WIDTHS if s.kind == f"{KIND}{n}"), 0)
        if width:
            self._by_vectors(s, width)
            return
        if s.kind == KIND_OF_PAIRS:
            by_pairs(self, s)
            return
        super()._for(s)

    def end(self, s: For) -> None:
        closed = self.b.block
        super().end(s)
        if s.kind.startswith("over"):
            # A thread takes a few steps; LLVM would divide, to take four at a time.
            structure.hint(self.b.module, closed.terminator, ("unroll.count", 1))
        elif s.kind == "ahead":
            structure.hint(self.b.module, closed.terminator, ("unroll.count", _AHEAD))

    def _by_vectors(self, s: For, width: int) -> None:
        """Build a loop that goes by vectors, and the one of what is left."""
        arrays = {name: ty for name, (ty, _) in self.env.items() if isinstance(ty, types.Array)}
        accessed = accesses(s, Arrays(self.kernel.body, arrays))
        assert accessed is not None
        b, start = self.b, (types.int64, _INT(0))
        count = self.value(s.operands[0])[1]
        self.env[s.index] = start
        whole = b.and_(count, _INT(-width))
        whole = b.select(are_aligned(self, accessed, width), whole, _INT(0))
        first = grid.begin(b, "x", b.lshr(whole, _INT(width.bit_length() - 1)))
        first = b.mul(first, _INT(width), flags=("nuw", "nsw"))
        self.env[s.index] = types.int64, first
        self.pack = Pack(self, accessed, width)
        for lane in range(width):
            self.pack.lane = lane
            self.env[s.index] = types.int64, b.add(first, _INT(lane), flags=("nuw", "nsw"))
            self.iteration(s)
        self.pack.end()
        self.pack = None
        self.end(s)
        self.env[s.index] = types.int64, grid.begin(b, "x", count, whole)
        self.iteration(s)
        self.end(s)

    def _element(self, e: Element) -> Value:
        if self.pack is not None and e in self.pack.loads:
            return self.pack.load(e)
        return super()._element(e)

    def _called(self, e: Call) -> Value:
        if self.pairs is not None and e.function in MAKES:
            return self.pairs.drawn(self, e)
        return super()._called(e)

    def _store(self, s: Store) -> None:
        if self.pack is not None and s.element in self.pack.stores:
            self.pack.store(s.element, self.value(s.value))
            return
        super()._store(s)


KernelBuilder.statement_of = {
    **Builder.statement_of,
    For: KernelBuilder._for,
    Store: KernelBuilder._store,
}
KernelBuilder.expression_of = {
    **Builder.expression_of,
    Call: KernelBuilder._called,
    Element: KernelBuilder._element,
}


def words(kind: Any) -> int:
    """How many parameters an argument of a Numba type takes."""
    if not isinstance(kind, types.Array):
        return 1
    return 1 + kind.ndim * (1 if kind.layout == "C" else 2)


@global_compiler_lock
def module_text(
    name: str,
    kernel: Kernel,
    functions: Mapping[str, Any],
    signature: Sequence[Any],
    team: int = 1,
    version: Callable[[], tuple[int, ...]] = versions,
) -> str:
    """The text of a module that has `kernel` as the function `name`.

    Its parameters have the Numba types of the `signature`, and `functions` are what it calls. The
    work of a thread is that of a `team` of so many.
    """
    typingctx, context = cpu_target.typing_context, cpu_target.target_context
    typingctx.refresh()
    context.refresh()
    module = ir.Module("tracejit")
    module.triple, module.data_layout = _TRIPLE, _LAYOUT
    given = [kind for ty in signature for kind in _parameters(context, ty)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), given), name)
    b = Instructions(function.append_basic_block("entry"))
    _tell_constant(function, signature)
    rest = iter(function.args)
    arguments = [_argument(context, b, ty, rest) for ty in signature]
    builder = KernelBuilder(context, typingctx, b, kernel, functions, arguments)
    builder.team = team
    builder.build()
    if not b.block.is_terminated:
        b.ret_void()
    for_nvvm(module)
    one = ir.Constant(ir.IntType(32), 1)
    module.add_named_metadata("nvvm.annotations", module.add_metadata([function, "kernel", one]))
    numbers = [ir.Constant(ir.IntType(32), n) for n in version()]
    module.add_named_metadata("nvvmir.version", module.add_metadata(numbers))
    return str(module)


def _tell_constant(function: ir.Function, signature: Sequence[Any]) -> None:
    """Say which memory nothing writes while the kernel runs, so that its loads need no coherence.

    It is that of arrays that the whole program only reads.
    """
    place = 0
    for ty in signature:
        if isinstance(ty, types.Array) and not ty.mutable:
            # llvmlite knows only the first one.
            set.update(function.args[place].attributes, ("noalias", "readonly"))
        place += words(ty)


def _parameters(context: Any, ty: Any) -> list[ir.Type]:
    if not isinstance(ty, types.Array):
        return [context.get_data_type(ty)]
    return [context.get_data_type(ty.dtype).as_pointer(), *[_INT] * (words(ty) - 1)]


def _argument(context: Any, b: ir.IRBuilder, ty: Any, rest: Any) -> Value:
    """The value of an argument, of the parameters that are left."""
    if not isinstance(ty, types.Array):
        return ty, context.data_model_manager[ty].from_data(b, next(rest))
    array = context.make_array(ty)(context, b)
    array.data = next(rest)
    lengths = [next(rest) for _ in range(ty.ndim)]
    size = _INT(context.get_abi_sizeof(context.get_data_type(ty.dtype)))
    if ty.layout == "C":
        strides, step = [], size
        for length in reversed(lengths):
            strides.append(step)
            step = b.mul(step, length)
        strides.reverse()
    else:
        strides = [next(rest) for _ in range(ty.ndim)]
    several = types.UniTuple(types.int64, ty.ndim)
    array.shape = context.make_tuple(b, several, lengths)
    array.strides = context.make_tuple(b, several, strides)
    array.itemsize = size
    nitems = _INT(1)
    for length in lengths:
        nitems = b.mul(nitems, length)
    array.nitems = nitems
    return ty, array._getvalue()
