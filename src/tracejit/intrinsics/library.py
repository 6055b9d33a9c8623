"""A function's module as machine code, by Numba's engine: optimised once, and kept as an object."""

from __future__ import annotations

import itertools
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

    def code(self) -> bytes:
        """Its object file."""
        found: bytes = self._get_compiled_object()
        return found

    def undefined(self) -> list[str]:
        """The names of what it calls and does not have."""
        module = self._final_module
        used = itertools.chain(module.functions, module.global_variables)
        return [v.name for v in used if v.is_declaration and not v.name.startswith("llvm.")]


def library(codegen: Any, name: str) -> Library:
    """A new library whose object is kept."""
    made = Library(codegen, name)
    made.enable_object_caching()
    return made
