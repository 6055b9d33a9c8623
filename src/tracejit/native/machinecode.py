"""Functions in machine code, and the files' content that another process makes them of.

An object file is linked by an engine of its own, which frees it with the last who holds it. Nothing
here needs Numba, which takes longer to import than all else that a program from the cache needs.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import llvmlite.binding as llvm

from tracejit.native import symbols
from tracejit.native.entry import make_entry
from tracejit.native.llvm import engine
from tracejit.native.parameters import Signature


class Compiled:
    """A function of one `signature` at an address; `held` must live as long as it does."""

    def __init__(self, symbol: str, address: int, signature: Signature, held: Any) -> None:
        self.symbol, self.address = symbol, address
        self.signature, self.held = signature, held

    def callable(self, effort: int = 2, late: int = 0) -> Callable[..., Any]:
        """What Python calls it by, and nothing but its signature (see `make_entry`).

        It has this in ``__self__.compiled``.
        """
        return make_entry("entry", self.address, self.signature, self, effort, late)


def dumped(symbol: str, code: bytes, names: Iterable[str]) -> bytes:
    """What `loaded` makes the function of in another process: an object file that calls `names`."""
    return pickle.dumps((symbol, code, symbols.needed(names)))


def loaded(symbol: str, content: bytes, signature: Signature) -> Compiled:
    """The function that `dumped` gave.

    ValueError where that was another's, LookupError where something that it calls is not there.
    """
    named, code, needed = pickle.loads(content)
    if named != symbol:
        raise ValueError("the machine code is another program's")
    for name, way, told in needed:
        symbols.give(name, way, *told)
    linker = engine("")
    linker.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    linker.finalize_object()
    address: int = linker.get_function_address(symbol)
    if not address:
        raise ValueError("the machine code has another name")
    return Compiled(symbol, address, signature, linker)
