"""A term of a product of matrices, added to a sum: rounded once, as BLAS does it on a GPU."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from tracejit.intrinsics.define import NUMBER, complex_pair, complex_parts, define, kind, same


def _fused(b: ir.IRBuilder, x: ir.Value, y: ir.Value, total: ir.Value) -> ir.Value:
    function = ir.FunctionType(x.type, [x.type] * 3)
    return b.call(b.module.declare_intrinsic("llvm.fma", [x.type], function), [x, y, total])


def _add_product(b: ir.IRBuilder, ty: Any, total: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
    match kind(ty):
        case "b":
            return b.or_(total, b.and_(x, y))
        case "f":
            return _fused(b, x, y, total)
        case "c":
            (real, imag), (u, v), (p, q) = (complex_parts(b, z) for z in (total, x, y))
            minus = b.fsub(ir.Constant(v.type, -0.0), v)
            real = _fused(b, minus, q, _fused(b, u, p, real))
            imag = _fused(b, v, p, _fused(b, u, q, imag))
            return complex_pair(b, real, imag)
    return b.add(total, b.mul(x, y))


#: ``add_product(total, x, y)``: ``total + x * y``; of truth values, whether one of both is.
add_product = define("add_product", 3, same(NUMBER), _add_product)

__all__ = ["add_product"]
