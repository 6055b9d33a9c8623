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
from tracejit.cuda.machine.dialect import for_nvvm
from tracejit.cuda.machine.ptx import versions
from tracejit.intrinsics import grid
from tracejit.intrinsics.build import LOOPS, Builder, Value
from tracejit.lower.kernel.statements import Kernel

_TRIPLE = "nvptx64-nvidia-cuda"
_LAYOUT = (
    "e-p:64:64:64-i1:8:8-i8:8:8-i16:16:16-i32:32:32-i64:64:64-i128:128:128-f32:32:32-f64:64:64-"
    "v16:16:16-v32:32:32-v64:64:64-v128:128:128-n16:32:64"
)
_INT = ir.IntType(64)


class KernelBuilder(Builder):
    """Builds a kernel for a grid of threads, which returns nothing."""

    loops: Mapping[str, Any] = {
        **LOOPS,
        **{f"over_{axis}": grid.over(axis) for axis in "xyz"},
        **shared.LOOPS,
    }

    def leave(self, code: ir.Value) -> None:
        self.b.ret_void()


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
    version: Callable[[], tuple[int, ...]] = versions,
) -> str:
    """The text of a module that has `kernel` as the function `name`.

    Its parameters have the Numba types of the `signature`, and `functions` are what it calls.
    """
    typingctx, context = cpu_target.typing_context, cpu_target.target_context
    typingctx.refresh()
    context.refresh()
    module = ir.Module("tracejit")
    module.triple, module.data_layout = _TRIPLE, _LAYOUT
    given = [kind for ty in signature for kind in _parameters(context, ty)]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), given), name)
    b = ir.IRBuilder(function.append_basic_block("entry"))
    rest = iter(function.args)
    arguments = [_argument(context, b, ty, rest) for ty in signature]
    KernelBuilder(context, typingctx, b, kernel, functions, arguments).build()
    if not b.block.is_terminated:
        b.ret_void()
    for_nvvm(module)
    one = ir.Constant(ir.IntType(32), 1)
    module.add_named_metadata("nvvm.annotations", module.add_metadata([function, "kernel", one]))
    numbers = [ir.Constant(ir.IntType(32), n) for n in version()]
    module.add_named_metadata("nvvmir.version", module.add_metadata(numbers))
    return str(module)


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
