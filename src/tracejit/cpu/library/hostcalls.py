"""Calls of Python's functions from kernels (`native/hostcalls.py`), and what they have given."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.np.arrayobj import make_array

from tracejit.cpu.library.loops import _INTP, _slot_type, _store
from tracejit.intrinsics.define import define
from tracejit.native import symbols

__all__ = ["host_call", "host_result"]

_SYMBOL = "tracejit_host_call"


@functools.cache
def host_call(operands: str) -> Any:
    """An intrinsic that calls a function, for operands of these dtypes and ranks ("d2 l0").

    Its operands are the callee's number, the call's place, where lengths go, the operands, all flat
    arrays in C order but for scalars, and the lengths of their axes. The value is what
    `native.hostcalls` says.
    """
    symbols.give(_SYMBOL, "host_call")
    forms = operands.split()
    dtypes = [np.dtype(form[0]) for form in forms]
    ranks = [int(form[1:]) for form in forms]

    def result(*operands: Any) -> Any:
        whole = all(ty == types.int64 for ty in (*operands[:2], *operands[3 + len(forms) :]))
        return types.int64 if whole else None

    def emit(context: Any, b: ir.IRBuilder, tys: Any, *operands: ir.Value) -> ir.Value:
        number, place, out, *rest = operands
        values, lengths = rest[: len(forms)], rest[len(forms) :]
        places = [_address(context, b, tys[2], out)]
        for ty, value, dtype, rank in zip(tys[3:], values, dtypes, ranks, strict=False):
            if rank:
                places.append(_address(context, b, ty, value))
                continue
            with b.goto_entry_block():
                slot = b.alloca(_slot_type(context, dtype))
            _store(context, b, dtype, value, slot)
            places.append(b.ptrtoint(slot, _INTP))
        return _called(b, [number, place, *places, *lengths])

    count = 3 + len(forms) + sum(ranks)
    return define(
        f"host_call[{' '.join(forms)}]", count, result, emit, all_types=True, with_context=True
    )


def host_result() -> Any:
    """The intrinsic ``host_result(given, which, out)``: puts one result of a call into an array.

    `given` is what the call has filled with lengths.
    """
    symbols.give(_SYMBOL, "host_call")

    def result(given: Any, which: Any, out: Any) -> Any:
        fits = isinstance(given, types.Array) and isinstance(out, types.Array)
        return types.int64 if fits and which == types.int64 else None

    def emit(
        context: Any, b: ir.IRBuilder, tys: Any, given: ir.Value, which: ir.Value, out: ir.Value
    ) -> ir.Value:
        place = b.load(make_array(tys[0])(context, b, given).data)
        array = make_array(tys[2])(context, b, out)
        size = b.mul(array.nitems, array.itemsize)
        return _called(b, [_INTP(0), place, which, b.ptrtoint(array.data, _INTP), size])

    return define("host_result", 3, result, emit, all_types=True, with_context=True)


def _address(context: Any, b: ir.IRBuilder, ty: Any, array: ir.Value) -> ir.Value:
    return b.ptrtoint(make_array(ty)(context, b, array).data, _INTP)


def _called(b: ir.IRBuilder, record: list[ir.Value]) -> ir.Value:
    """Call for a record of numbers."""
    with b.goto_entry_block():
        memory = b.alloca(ir.ArrayType(_INTP, len(record)))
    for k, value in enumerate(record):
        b.store(value, cgutils.gep_inbounds(b, memory, 0, k))
    kind = ir.FunctionType(_INTP, [_INTP.as_pointer()])
    function = cgutils.get_or_insert_function(b.module, kind, _SYMBOL)
    return b.call(function, [cgutils.gep_inbounds(b, memory, 0, 0)])
