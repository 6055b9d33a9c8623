"""Numba's compiler, with a wrapper of ours around each function (see `cpu.enter`)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core import types
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering
from numba.np.numpy_support import as_dtype

from tracejit.cpu.enter import entrance, slots

#: What is returned where an array that the function needs could not be made: NumPy may raise.
_FAILED = 2


def _loads(ty: Any, at: int) -> tuple[list[str], list[str]]:
    """Statements that load an argument from slot `at` on, and its parts as Numba has them."""
    if not isinstance(ty, types.Array):
        dtype = as_dtype(ty)
        parts = 2 if dtype.kind == "c" else 1
        size = dtype.itemsize // parts
        kind = {4: "float", 8: "double"}[size] if dtype.kind in "fc" else f"i{8 * size}"
        lines, names = [], []
        for k in range(parts):
            names.append(f"{kind} %s{at}.{k}")
            lines += _load(f"%s{at}.{k}", kind, 8 * at + k * size)
        return lines, names
    names = [f"%s{at + k}" for k in range(slots(ty))]
    lines = _load(names[0], "ptr", 8 * at)
    for k, name in enumerate(names[1:], at + 1):
        lines += _load(name, "i64", 8 * k)
    items = "1"
    for k, name in enumerate(names[1 : 1 + ty.ndim]):
        lines.append(f"%n{at}.{k} = mul i64 {items}, {name}")
        items = f"%n{at}.{k}"
    # Nobody counts references: the caller has one for as long as the call takes.
    size = as_dtype(ty.dtype).itemsize
    head = ["ptr null", "ptr null", f"i64 {items}", f"i64 {size}", f"ptr {names[0]}"]
    return lines, head + [f"i64 {name}" for name in names[1:]]


def _load(name: str, kind: str, offset: int) -> list[str]:
    return [
        f"{name}.at = getelementptr i8, ptr %slots, i64 {offset}",
        f"{name} = load {kind}, ptr {name}.at",
    ]


def _program(name: str, function: str, signature: tuple[Any, ...]) -> str:
    """The text of ``i64 name(i64 *slots)``, which calls `function`."""
    lines: list[str] = []
    arguments = ["ptr %code", "ptr %exception"]
    slot = 0
    for ty in signature:
        loads, parts = _loads(ty, slot)
        slot += slots(ty)
        lines += loads
        arguments += parts
    kinds = ", ".join(part.split()[0] for part in arguments)
    body = "\n  ".join(lines)
    return f"""
declare i32 @"{function}"({kinds})
define i64 @"{name}"(ptr %slots) {{
  %code = alloca i64
  %exception = alloca ptr
  {body}
  %status = call i32 @"{function}"({", ".join(arguments)}) noinline
  %done = icmp eq i32 %status, 0
  %found = load i64, ptr %code
  %result = select i1 %done, i64 %found, i64 {_FAILED}
  ret i64 %result
}}
"""


class _Lower(Lower):
    def create_cpython_wrapper(self, release_gil: bool = False) -> None:
        """Put our wrapper where Numba would put its own."""
        if not _is_code(self.fndesc.restype):
            super().create_cpython_wrapper(release_gil)
            return
        text = _program(
            self.fndesc.llvm_cpython_wrapper_name, self.fndesc.llvm_func_name, self.fndesc.argtypes
        )
        module = llvm.parse_assembly(text)
        module.verify()
        self.library.add_llvm_module(module)


def _is_code(ty: Any) -> bool:
    """Whether a function returns just a number; one that makes arrays returns them after it."""
    return bool(types.unliteral(ty) == types.int64)


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


def python_callable(dispatcher: Any, effort: int = 2) -> Callable[..., Any]:
    """What Python calls the only signature of `dispatcher` by; `effort` as in `entrance`.

    Called with arguments of any other type, it gives the code for a miss and converts nothing. A
    function that returns just a code is called by `cpu.enter`, and has its dispatcher in
    ``__self__``, whose own call must not be used; another's is the dispatcher.
    """
    (overload,) = dispatcher.overloads.values()
    fndesc = overload.fndesc
    if not _is_code(fndesc.restype):
        # Numba asks for code for types that it has none for, and calls what it is given.
        dispatcher._compile_for_args = lambda *args: lambda *args: (1,)
        return dispatcher
    program = overload.library.get_pointer_to_function(fndesc.llvm_cpython_wrapper_name)
    return entrance(dispatcher.py_func.__name__, program, fndesc.argtypes, dispatcher, effort)
