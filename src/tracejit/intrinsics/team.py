"""The call by which machine code shares the parts of a loop with the team's threads."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from tracejit.native import symbols

_SYMBOL = "tracejit_team_run"
_INT = ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
#: The type of what does one part: of what it needs, and the part's number.
PART = ir.FunctionType(ir.VoidType(), [_BYTES, _INT])


@functools.cache
def team() -> Any:
    """What emits a call of ``run(function, context, parts, threads)``."""
    symbols.give(_SYMBOL, "team")
    kind = ir.FunctionType(ir.VoidType(), [PART.as_pointer(), _BYTES, _INT, _INT])

    def run(b: ir.IRBuilder, *operands: ir.Value) -> None:
        b.call(cgutils.get_or_insert_function(b.module, kind, _SYMBOL), operands)

    return run
