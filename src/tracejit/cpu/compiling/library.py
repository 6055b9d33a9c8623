"""A function's module as machine code, by Numba's engine: optimised once, and kept as an object."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from numba.core.codegen import JITCodeLibrary


class Library(JITCodeLibrary):
    """A module of which LLVM's passes run once.

    Numba has them run three times: over each function, then over the module without effort, and
    then in full, so that what counts references can be taken away in between. Nothing counts any in
    a kernel, and what the last ones make of it is as good without the others. It also looks through
    a module once more after them, and copies it into another.
    """

    def add_ir_module(self, ir_module: Any) -> None:
        """Take the one module that there is."""
        module = llvm.parse_assembly(str(ir_module))
        module.name = ir_module.name
        module.data_layout = self._codegen._data_layout
        module.verify()
        self._final_module = module

    def finalize(self) -> None:
        """Make machine code of it, and of those compiled by Numba that it calls."""
        for called in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(called._reload_init)
            self._final_module.link_in(called._get_module_for_linking(), preserve=True)
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)
        self._finalize_final_module()


def library(codegen: Any, name: str) -> Library:
    """A new library whose object is kept."""
    made = Library(codegen, name)
    made.enable_object_caching()
    return made


def kept(made: Library) -> bytes:
    """The machine code of a library, of which `found` makes one."""
    code: bytes = made._get_compiled_object()
    return code


def found(codegen: Any, symbol: str, code: bytes) -> Library:
    """The library of the function `symbol` of whose library `kept` gave this."""
    made = library(codegen, symbol)
    made._set_compiled_object(code)
    made._finalize_final_module()
    codegen._engine._defined_symbols.add(symbol)
    return made
