"""Text of one scalar operation: constants, and rows of the op table over kernel scalars."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node

_WIDE = frozenset("efdlqLQ")
#: Rows whose float16 result needs no rounding: it is one of the operands, or exact.
_EXACT_IN_HALF = frozenset(
    "negative positive absolute fabs maximum minimum fmax fmin sign copysign floor ceil trunc "
    "rint where conjugate order_c order_f".split()
)


def storage(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the array that a kernel is given: float16 travels as its bits."""
    return np.dtype(np.uint16) if dtype.char == "e" else dtype


def cast_name(dtype: np.dtype[Any]) -> str:
    """The runtime function that converts a kernel scalar to `dtype`."""
    return "to_half" if dtype.char == "e" else f"to_{dtype.name}"


def constant_text(node: Node) -> str:
    """A constant node as an expression of exactly its kernel type."""
    return scalar_text(build.constant_value(node), node.dtype)


def scalar_text(value: Any, dtype: np.dtype[Any]) -> str:
    """`value` as an expression of the kernel type of `dtype`."""
    if dtype.kind == "b":
        return str(bool(value))
    if dtype.kind == "c":
        parts = f"complex({_float(value.real)}, {_float(value.imag)})"
        return parts if dtype.itemsize == 16 else f"complex64({parts})"
    if dtype.kind == "f":
        text = _float(value)
        return text if dtype.itemsize == 8 else f"float32({text})"
    text = str(int(value)) if value >= 0 else f"({int(value)})"
    return text if dtype.char in "lq" else f"{dtype.name}({text})"


def _float(value: Any) -> str:
    number = float(value)
    text = repr(number)
    return f"({text})" if text.startswith("-") else text


def loop_name(row: ops.Elementwise, node: Node) -> tuple[str, str, str, str]:
    """Name, module, ufunc and type string of the ufunc loop that computes `node`."""
    dtypes = build.resolve(row.ufunc, tuple(a.dtype for a in node.args))
    chars = "".join(d.char for d in dtypes)
    types = f"{chars[: row.nin]}->{chars[row.nin :]}"
    ufunc = row.reference_name or row.name
    return f"{ufunc}_{chars.replace('?', 't')}", row.module, ufunc, types


def uses_loop(row: ops.Elementwise, node: Node) -> bool:
    """Whether `node` is computed by its ufunc's own loop."""
    return row is not ops.WHERE and row.called(a.dtype.kind for a in node.args)


def expression(row: ops.Elementwise, node: Node, operands: list[str], near: bool = False) -> str:
    """The expression of `node` over the texts of its operands; `near` tells that none is far."""
    if row is ops.CAST:
        if node.args[0].dtype == node.dtype:
            return operands[0]
        return f"{cast_name(node.dtype)}({operands[0]})"
    if uses_loop(row, node):
        call = f"{loop_name(row, node)[0]}({', '.join(operands)})"
        return f"{call}[{row.output}]" if row.ufunc.nout > 1 else call
    assert row.cpu is not None
    first = node.args[0].dtype.char
    same = all(a.dtype.char == first for a in node.args)
    template = row.wide if row.wide and same and first in _WIDE else row.cpu
    if near and row.near:
        template = row.near
    text = template.format(*operands)
    if node.dtype.char == "e" and row.name not in _EXACT_IN_HALF:
        return f"half_round({text})"
    return text


def combine_text(reduction: ops.Reduction, dtype: np.dtype[Any], a: str, b: str) -> str | None:
    """The expression that combines an accumulator with a value; None where a loop is needed."""
    if reduction.cpu is not None and dtype.kind in reduction.cpu_kinds:
        return reduction.cpu.format(a, b)
    row = ops.ELEMENTWISE[reduction.combine]
    if row.cpu is None or dtype.kind not in row.cpu_kinds:
        return None
    return row.cpu.format(a, b)
