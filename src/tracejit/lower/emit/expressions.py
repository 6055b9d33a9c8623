"""One scalar operation as an expression: constants, and rows of the op table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.lower.kernel.formula import fill
from tracejit.lower.kernel.statements import Call, Constant, Expr, Output

_WIDE = frozenset("efdlqLQ")
#: Rows whose float16 result needs no rounding: it is one of the operands, or exact.
_EXACT_IN_HALF = frozenset(
    "negative positive absolute fabs maximum minimum fmax fmin sign copysign floor ceil trunc "
    "rint where conjugate order_c order_f".split()
)
#: The dtypes that kernels compute in, where they are others than those of arrays.
_SCALAR: Mapping[str, np.dtype[Any]] = {
    "e": np.dtype(np.float32),
    "q": np.dtype(np.int64),
    "Q": np.dtype(np.uint64),
}
_NUMBER = {"b": bool, "i": int, "u": int, "f": float, "c": complex}


def storage(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the array that a kernel is given: float16 travels as its bits."""
    return np.dtype(np.uint16) if dtype.char == "e" else dtype


def cast_name(dtype: np.dtype[Any]) -> str:
    """The runtime function that converts a kernel scalar to `dtype`."""
    return "to_half" if dtype.char == "e" else f"to_{dtype.name}"


def constant(node: Node) -> Constant:
    """A constant node as an expression of exactly its kernel type."""
    return scalar(build.constant_value(node), node.dtype)


def scalar(value: Any, dtype: np.dtype[Any]) -> Constant:
    """`value` as an expression of the kernel type of `dtype`."""
    return Constant(_NUMBER[dtype.kind](value), _SCALAR.get(dtype.char, dtype))


def loaded(element: Expr, dtype: np.dtype[Any]) -> Expr:
    """What is loaded of an array of `dtype`, as a kernel scalar."""
    return Call("half_load", (element,)) if dtype.char == "e" else element


def stored(value: Expr, dtype: np.dtype[Any]) -> Expr:
    """A kernel scalar as what is stored in an array of `dtype`."""
    return Call("half_store", (value,)) if dtype.char == "e" else value


def rounded(value: Expr, dtype: np.dtype[Any]) -> Expr:
    """A result in a kernel scalar's precision in that of `dtype`."""
    return Call("half_round", (value,)) if dtype.char == "e" else value


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


def expression(
    row: ops.Elementwise, node: Node, operands: Sequence[Expr], near: bool = False
) -> Expr:
    """The expression of `node` over its operands; `near` tells that none is far."""
    if row is ops.CAST:
        if node.args[0].dtype == node.dtype:
            return operands[0]
        return Call(cast_name(node.dtype), tuple(operands))
    if uses_loop(row, node):
        call = Call(loop_name(row, node)[0], tuple(operands))
        return Output(call, row.output) if row.ufunc.nout > 1 else call
    assert row.cpu is not None
    first = node.args[0].dtype.char
    same = all(a.dtype.char == first for a in node.args)
    formula = row.wide if row.wide and same and first in _WIDE else row.cpu
    if near and row.near:
        formula = row.near
    value = fill(formula, *operands)
    return value if row.name in _EXACT_IN_HALF else rounded(value, node.dtype)


def combined(reduction: ops.Reduction, dtype: np.dtype[Any], a: Expr, b: Expr) -> Expr | None:
    """What combines an accumulator with a value; None where a loop is needed."""
    if reduction.cpu is not None and dtype.kind in reduction.cpu_kinds:
        return fill(reduction.cpu, a, b)
    row = ops.ELEMENTWISE[reduction.combine]
    if row.cpu is None or dtype.kind not in row.cpu_kinds:
        return None
    return fill(row.cpu, a, b)
