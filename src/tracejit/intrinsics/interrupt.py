"""What a loop asks between its steps: whether a signal handler has ended it."""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from tracejit.intrinsics.define import define
from tracejit.native import symbols

_SYMBOL = "tracejit_pause"
_INT = ir.IntType(64)


@functools.cache
def pause() -> Any:
    """The intrinsic ``pause(steps)``: after how many steps it is to be asked again, or -1.

    `steps` are those since it was asked last.
    """
    symbols.give(_SYMBOL, "pause")

    def emit(b: ir.IRBuilder, ty: Any, steps: ir.Value) -> ir.Value:
        kind = ir.FunctionType(_INT, [_INT])
        return b.call(cgutils.get_or_insert_function(b.module, kind, _SYMBOL), [steps])

    return define("pause", 1, lambda ty: ty if ty == types.int64 else None, emit)
