"""Numba's compiler, with a wrapper of ours around each function (see `native.entry`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import cgutils
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from tracejit.native.entry import make_entry
from tracejit.native.slots import INT, load

#: What is returned where an array that the function needs could not be made: NumPy may raise.
_FAILED = 2


#: An entry as LLVM has it: where its code and an exception go, and the slots of its arguments.
_ENTRY = """
declare i32 @"{function}"(ptr, ptr, ptr)
define i64 @"{name}"(ptr %slots) {{
  %code = alloca i64
  %exception = alloca ptr
  %status = call i32 @"{function}"(ptr %code, ptr %exception, ptr %slots) noinline
  %done = icmp eq i32 %status, 0
  %found = load i64, ptr %code
  %result = select i1 %done, i64 %found, i64 {failed}
  ret i64 %result
}}
"""


def function_type(context: Any, fndesc: Any) -> ir.FunctionType:
    """The type of a function that takes its arguments in slots (see `native.slots`)."""
    kind = context.call_conv.get_function_type(fndesc.restype, ())
    return ir.FunctionType(kind.return_type, [*kind.args, INT.as_pointer()])


def call_entry(context: Any, b: ir.IRBuilder, compiled: Any, slots: ir.Value) -> ir.Value:
    """Call a compiled function by its address; what it returns, or the code for a failure."""
    kind = function_type(context, compiled.fndesc)
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    code = cgutils.alloca_once(b, INT)
    exception = cgutils.alloca_once(b, kind.args[1].pointee)
    status = b.call(b.inttoptr(INT(address), kind.as_pointer()), [code, exception, slots])
    done = b.icmp_signed("==", status, status.type(0))
    return b.select(done, b.load(code), INT(_FAILED))


class _Lower(Lower):
    """Numba's lowering of a function, but that its arguments come in slots."""

    def setup_function(self, fndesc: Any) -> None:
        """Declare the function, and begin it."""
        kind = function_type(self.context, fndesc)
        self.function = ir.Function(self.module, kind, fndesc.mangled_name)
        for where in self.function.args[:2]:
            where.add_attribute("noalias")
        self.entry_block = self.function.append_basic_block("entry")
        self.builder = ir.IRBuilder(self.entry_block)
        self.call_helper = self.call_conv.init_call_helper(self.builder)

    def extract_function_arguments(self) -> list[Any]:
        """The arguments' values, at the beginning of the function."""
        self.fnargs = load(self.context, self.builder, self.fndesc.argtypes, self.function.args[2])
        return self.fnargs

    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Put our wrapper where Numba would put its own."""
        module = llvm.parse_assembly(
            _ENTRY.format(
                function=self.fndesc.llvm_func_name,
                name=self.fndesc.llvm_cpython_wrapper_name,
                failed=_FAILED,
            )
        )
        module.verify()
        self.library.add_llvm_module(module)


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    _name = "tracejit_lowering"

    @property
    def lowering_class(self) -> Any:
        return _Lower


class _Compiler(CompilerBase):
    def define_pipelines(self) -> list[Any]:
        """Numba's passes, with our wrapper."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (_Lowering if made is NativeLowering else made, name) for made, name in manager.passes
        ]
        manager.finalize()
        return [manager]


#: Makes a dispatcher for `python_callable`. Without the C-callable wrapper, which nobody calls, a
#: compile is a seventh shorter.
njit: Any = functools.partial(
    numba.njit, nogil=True, error_model="numpy", no_cfunc_wrapper=True, pipeline_class=_Compiler
)


def python_callable(dispatcher: Any, effort: int = 2, late: int = 0) -> Callable[..., Any]:
    """What Python calls the only signature of `dispatcher` by; `effort`, `late` as in `make_entry`.

    Called with arguments of any other type, it converts nothing. It has its dispatcher in
    ``__self__``, whose own call must not be used.
    """
    (overload,) = dispatcher.overloads.values()
    fndesc = overload.fndesc
    program = overload.library.get_pointer_to_function(fndesc.llvm_cpython_wrapper_name)
    name = dispatcher.py_func.__name__
    return make_entry(name, program, fndesc.argtypes, dispatcher, effort, late)
