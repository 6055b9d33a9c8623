"""Values taken for others of their size."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.np.numpy_support import from_dtype

from tracejit.intrinsics.define import define, kind

_NAMES = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64".split()


def _as(name: str) -> Any:
    target = from_dtype(np.dtype(name))
    floats = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}

    def result(x: Any) -> Any:
        fits = kind(x) in ("i", "u", "f") and x.bitwidth == target.bitwidth
        return target if fits else None

    def emit(b: ir.IRBuilder, ty: Any, x: ir.Value) -> ir.Value:
        return b.bitcast(x, floats.get(target, ir.IntType(target.bitwidth)))

    return define(f"bits_as_{name}", 1, result, emit)


globals().update({f"bits_as_{name}": _as(name) for name in _NAMES})
__all__ = [f"bits_as_{name}" for name in _NAMES]
