"""Loops that the threads of a grid share, and where a thread is in it.

A grid has up to three axes; the last axis of an array is its first, "x", so that threads side by
side touch elements side by side.
"""

from __future__ import annotations

import functools
from typing import Any

from llvmlite import ir
from numba.core import types

from tracejit.intrinsics import structure
from tracejit.intrinsics.define import define

_INT = ir.IntType(64)
_NUMBER = ir.IntType(32)


def register(b: ir.IRBuilder, name: str) -> ir.Value:
    """One of the hardware's numbers: ``tid.x``, ``ntid.x``, ``ctaid.x``, ``nctaid.x``."""
    kind = ir.FunctionType(_NUMBER, ())
    read = b.module.declare_intrinsic(f"llvm.nvvm.read.ptx.sreg.{name}", (), kind)
    return b.zext(b.call(read, ()), _INT)


def begin(b: ir.IRBuilder, axis: str, count: ir.Value, start: ir.Value | None = None) -> ir.Value:
    """Open a loop from `start`, or 0, up to `count`, shared along an axis; a thread's index."""
    width = register(b, f"ntid.{axis}")
    at = b.mul(register(b, f"ctaid.{axis}"), width, flags=("nuw", "nsw"))
    first = b.add(at, register(b, f"tid.{axis}"), flags=("nuw", "nsw"))
    if start is not None:
        first = b.add(start, first, flags=("nuw", "nsw"))
    step = b.mul(register(b, f"nctaid.{axis}"), width, flags=("nuw", "nsw"))
    return structure.begin(b, count, guarded=True, first=first, step=step)


@functools.cache
def over(axis: str) -> Any:
    """The intrinsic that opens a loop of so many iterations, shared along an axis of the grid."""

    def result(count: Any) -> Any:
        return types.int64 if count == types.int64 else None

    return define(f"loop_over_{axis}", 1, result, lambda b, ty, n: begin(b, axis, n))
