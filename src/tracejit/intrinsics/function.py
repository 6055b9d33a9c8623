"""Functions whose machine code is made here, for one signature, by Numba's means.

Python calls one by an entry (`native.entry`), which gives it its arguments in slots of memory, and
other machine code by its address.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import callconv, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.imputils import builtin_registry
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.cpython import builtins, numbers

from tracejit.intrinsics.library import Library, library
from tracejit.native import locks
from tracejit.native.machinecode import Compiled, dumped
from tracejit.native.parameters import Signature
from tracejit.native.slots import INT, load, type_of

#: What is returned where an array that the function needs could not be made: NumPy may raise.
_FAILED = 2
#: What Numba knows of numbers is registered where these are imported.
_REGISTERED = builtins, numbers
#: The type of a function: ``i64 program(i64 *slots)``.
KIND = ir.FunctionType(INT, [INT.as_pointer()])
#: Builds the body of a function, which returns an int64 as Numba's functions do: from the contexts
#: for types and for instructions, the builder, and the arguments' types and values.
Body = Callable[[Any, Any, ir.IRBuilder, "list[tuple[Any, ir.Value]]"], None]


locks.register(global_compiler_lock._lock, exclusive=True)


class Built(Compiled):
    """A function that was compiled here, of a module of Numba's engine."""

    def __init__(self, library: Library, symbol: str, signature: Signature, held: Any) -> None:
        super().__init__(symbol, library.get_pointer_to_function(symbol), signature, held)
        self.library = library

    def llvm(self) -> str:
        """Its instructions, as LLVM has optimised them."""
        text: str = self.library.get_llvm_str()
        return text

    def assembly(self) -> str:
        """Its machine code as text."""
        text: str = self.library.get_asm_str()
        return text

    def dumped(self) -> bytes | None:
        """What `machinecode.loaded` makes it of; None if it has addresses of this process."""
        if self.library.has_dynamic_globals:
            return None
        return dumped(self.symbol, self.library.code(), self.library.undefined())


@global_compiler_lock
def compiled(symbol: str, signature: Signature, body: Body, held: Any = None) -> Built:
    """The function `symbol` whose instructions `body` builds."""
    cpu_target.target_context.install_registry(builtin_registry)
    rtsys.initialize(cpu_target.target_context)
    try:
        return _compiled(symbol, signature, body, held)
    except Exception:
        if _load_all.cache_info().currsize:
            raise
        _load_all()
        return _compiled(symbol, signature, body, held)


@functools.cache
def _load_all() -> None:
    """Load all that Numba has rules and instructions for.

    That takes a quarter of a process's first compilation, and SciPy with it. Most kernels need what
    Numba knows of numbers and arrays alone.
    """
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()


def _nothing() -> None:
    """Do nothing."""


def _compiled(symbol: str, signature: Signature, body: Body, held: Any) -> Built:
    typingctx, target = cpu_target.typing_context, cpu_target.target_context
    model = callconv.create_error_model("numpy", target)
    context = target.subtarget(enable_nrt=True, error_model=model)
    context.refresh = _nothing  # which every array asks for
    made = library(context.codegen(), symbol)
    module = made.create_ir_module(symbol)
    with context.push_code_library(made):
        inner = _inner(context, module, symbol)
        b = ir.IRBuilder(inner.append_basic_block("entry"))
        start = inner.append_basic_block("start")
        context.call_conv.init_call_helper(b)
        values = load(context, b, signature, inner.args[2])
        kinds = map(type_of, signature)
        before = b.block
        b.position_at_end(start)
        body(typingctx, context, b, list(zip(kinds, values, strict=True)))
        b.position_at_end(before)
        b.branch(start)
        _outer(module, symbol, inner)
    made.add_ir_module(module)
    made.finalize()
    return Built(made, symbol, signature, held)


def _inner(context: Any, module: ir.Module, symbol: str) -> ir.Function:
    """The function as Numba calls its own: places for result and exception, a status."""
    kind = context.call_conv.get_function_type(types.int64, ())
    kind = ir.FunctionType(kind.return_type, [*kind.args, INT.as_pointer()])
    function = ir.Function(module, kind, f"{symbol}.body")
    function.linkage = "internal"
    function.attributes.add("noinline")
    for where in function.args[:2]:
        where.add_attribute("noalias")
    return function


def _outer(module: ir.Module, symbol: str, inner: ir.Function) -> None:
    """The function by its address: the result, or the code for a failure."""
    function = ir.Function(module, KIND, symbol)
    b = ir.IRBuilder(function.append_basic_block())
    code = b.alloca(INT)
    exception = b.alloca(inner.args[1].type.pointee)
    status = b.call(inner, [code, exception, function.args[0]])
    done = b.icmp_signed("==", status, status.type(0))
    b.ret(b.select(done, b.load(code), INT(_FAILED)))


def call(b: ir.IRBuilder, function: Compiled, slots: ir.Value) -> ir.Value:
    """Call a compiled function, by its address, with these slots."""
    return b.call(b.inttoptr(INT(function.address), KIND.as_pointer()), [slots])
