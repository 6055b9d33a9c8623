"""Philox4x32-10 as instructions in the loop that needs the numbers (see `rng.philox`).

One block of four words makes two numbers, whose places are `HALF` apart. The loop vectoriser is
given a function for `LANES` elements, which makes each block once where the places follow one
another from a multiple of `LANES` on, as they do in a loop over a draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from tracejit.intrinsics.define import define, kind
from tracejit.intrinsics.structure import widen
from tracejit.intrinsics.vecmath import tables
from tracejit.intrinsics.vecmath.builder import BINARY64, Format, Real, new_function, vectors
from tracejit.intrinsics.vecmath.functions import FORMATS
from tracejit.intrinsics.vecmath.log import log_of_normal
from tracejit.rng.philox import HALF, MULTIPLIERS, ROUNDS, WEYL

LANES = 2 * HALF
_INT = BINARY64.int_type

#: (builder, format, first 64 bits of a block, the others) -> the block's two numbers
Make = Callable[[ir.IRBuilder, Format, ir.Value, ir.Value], tuple[ir.Value, ir.Value]]


def _splat(b: ir.IRBuilder, value: ir.Value, ty: ir.Type) -> ir.Value:
    """`value` in every lane of a vector type; itself for a scalar one."""
    if value.type == ty:
        return value
    one = b.insert_element(ir.Constant(ty, ir.Undefined), value, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), ty.count), 0)
    return b.shuffle_vector(one, one, places)


def _block(
    b: ir.IRBuilder, form: Format, key: ir.Value, draw: ir.Value, place: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """The four words of the block of a place, as two of 64 bits; `key` and `draw` are scalars."""
    return block_of(b, key, draw, b.and_(place, form.int_type(2**64 - 1 - HALF)), form)


def block_of(
    b: ir.IRBuilder, key: ir.Value, draw: ir.Value, place: ir.Value, form: Format = BINARY64
) -> tuple[ir.Value, ir.Value]:
    """The four words of a block, as two of 64 bits."""
    ty = form.int_type
    low, shift = ty(0xFFFFFFFF), ty(32)
    draw_halves = (b.and_(draw, _INT(0xFFFFFFFF)), b.lshr(draw, _INT(32)))
    c = [b.and_(place, low), b.lshr(place, shift), *(_splat(b, d, ty) for d in draw_halves)]
    keys = b.and_(key, _INT(0xFFFFFFFF)), b.lshr(key, _INT(32))
    for r in range(ROUNDS):
        p, q = b.mul(ty(MULTIPLIERS[0]), c[0]), b.mul(ty(MULTIPLIERS[1]), c[2])
        first, second = (
            _splat(b, b.and_(b.add(k, _INT(r * w & 0xFFFFFFFF)), _INT(0xFFFFFFFF)), ty)
            for k, w in zip(keys, WEYL, strict=True)
        )
        c = [
            b.xor(b.xor(b.lshr(q, shift), c[1]), first),
            b.and_(q, low),
            b.xor(b.xor(b.lshr(p, shift), c[3]), second),
            b.and_(p, low),
        ]
    return b.or_(b.shl(c[0], shift), c[1]), b.or_(b.shl(c[2], shift), c[3])


def _word(
    b: ir.IRBuilder, form: Format, high: ir.Value, low: ir.Value
) -> tuple[ir.Value, ir.Value]:
    return high, low


def _normal(
    b: ir.IRBuilder, form: Format, high: ir.Value, low: ir.Value
) -> tuple[ir.Value, ir.Value]:
    """By Box and Muller: a radius from the one half of the block, an angle from the other."""
    ty, real = form.int_type, form.float_type
    few = b.add(b.lshr(high, ty(11)), ty(1))
    unit = Real(b, form, b.fmul(b.uitofp(few, real), real(2.0**-53)))  # in (0, 1]
    radius = (log_of_normal(unit) * -2.0).sqrt()
    # The angle in units of a quarter turn: a whole number, and a rest that is exact.
    quadrant = b.lshr(b.add(low, ty(1 << 61)), ty(62))
    rest = b.sitofp(b.sub(low, b.shl(quadrant, ty(62))), real)
    angle = Real(b, form, rest) * (2 * math.pi * 2.0**-64)
    z = angle.square()
    sine = (angle * z).fma(z.polynomial(tables.SIN[64]), angle)
    cosine = z.square().fma(z.polynomial(tables.COS[64]), z.fma(-0.5, 1.0))
    odd = b.icmp_unsigned("!=", b.and_(quadrant, ty(1)), ty(0))
    both = []
    for first, second, turned in ((cosine, sine, 1), (sine, cosine, 0)):
        size = b.bitcast(b.select(odd, second.value, first.value), ty)
        sign = b.shl(b.and_(b.add(quadrant, ty(turned)), ty(2)), ty(62))
        both.append((radius * Real(b, form, b.bitcast(b.xor(size, sign), real))).value)
    return both[0], both[1]


def _element(b: ir.IRBuilder, make: Make, operands: Any) -> ir.Value:
    """The number of one place."""
    pair = make(b, BINARY64, *_block(b, BINARY64, *operands))
    odd = b.icmp_unsigned("!=", b.and_(operands[2], _INT(HALF)), _INT(0))
    return b.select(odd, pair[1], pair[0])


def _scalar(module: ir.Module, name: str, make: Make, result: ir.Type) -> ir.Function:
    """The function of (key, draw, place)."""
    if name in module.globals:
        return module.globals[name]
    function = new_function(module, name, ir.FunctionType(result, [_INT] * 3))
    b = ir.IRBuilder(function.append_basic_block())
    b.ret(_element(b, make, function.args))
    return function


def _run(module: ir.Module, name: str, make: Make, result: ir.Type) -> ir.Function:
    """The function for `LANES` places from one on, which is given."""
    if name in module.globals:
        return module.globals[name]
    wide = ir.VectorType(result, LANES)
    function = new_function(module, name, ir.FunctionType(wide, [_INT] * 3))
    key, draw, place = function.args
    start, fast, slow = (function.append_basic_block() for _ in range(3))
    b = ir.IRBuilder(start)
    offset = b.and_(place, _INT(LANES - 1))
    b.cbranch(b.icmp_unsigned("==", offset, _INT(0)), fast, slow)

    b.position_at_end(fast)
    form = vectors(BINARY64, HALF)
    few = ir.Constant(form.int_type, [_INT(k) for k in range(HALF)])
    places = b.add(_splat(b, place, form.int_type), few)
    low, high = make(b, form, *_block(b, form, key, draw, places))
    order = [ir.IntType(32)(k) for k in range(LANES)]
    b.ret(b.shuffle_vector(low, high, ir.Constant(ir.VectorType(ir.IntType(32), LANES), order)))

    b.position_at_end(slow)
    _one_by_one(b, make, wide, lambda k: (key, draw, b.add(place, b.zext(k, _INT))))
    return function


def _any(module: ir.Module, name: str, make: Make, result: ir.Type) -> ir.Function:
    """The function of `LANES` keys, draws and places."""
    if name in module.globals:
        return module.globals[name]
    many, wide = ir.VectorType(_INT, LANES), ir.VectorType(result, LANES)
    function = new_function(module, name, ir.FunctionType(wide, [many] * 3))
    b = ir.IRBuilder(function.append_basic_block())
    _one_by_one(b, make, wide, lambda k: [b.extract_element(a, k) for a in function.args])
    return function


def _one_by_one(b: ir.IRBuilder, make: Make, wide: ir.VectorType, operands: Any) -> None:
    """Return the numbers of ``operands(k)`` in each lane k."""
    lane, start = ir.IntType(32), b.block
    loop, done = b.append_basic_block(), b.append_basic_block()
    b.branch(loop)
    b.position_at_end(loop)
    index, partial = b.phi(lane), b.phi(wide)
    updated = b.insert_element(partial, _element(b, make, operands(index)), index)
    following = b.add(index, lane(1))
    b.cbranch(b.icmp_unsigned("<", following, lane(LANES)), loop, done)
    for phi, first, later in (
        (index, lane(0), following),
        (partial, ir.Constant(wide, ir.Undefined), updated),
    ):
        phi.add_incoming(first, start)
        phi.add_incoming(later, loop)
    b.position_at_end(done)
    b.ret(updated)


def _define(name: str, result: Any, make: Make) -> Any:
    number = BINARY64.float_type if result in FORMATS else _INT

    def typing(typingctx: Any, key: Any, draw: Any, place: Any) -> Any:
        if any(ty != types.uint64 for ty in (key, draw, place)):
            return None

        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
            module = builder.module
            scalar = _scalar(module, f"tracejit_{name}", make, number)
            variants = ",".join(
                f"_ZGV_LLVM_N{LANES}{operands}_{scalar.name}({function.name})"
                for operands, function in (
                    ("uul", _run(module, f"tracejit_{name}_run", make, number)),
                    ("vvv", _any(module, f"tracejit_{name}_any", make, number)),
                )
            )
            call = builder.call(scalar, args)
            # llvmlite's attribute sets are Python sets that know only some of LLVM's names.
            set.add(call.attributes, f'"vector-function-abi-variant"="{variants}"')
            widen(builder, LANES)
            return call

        return result(key, draw, place), codegen

    typing.__name__ = typing.__qualname__ = name
    return intrinsic(typing)


philox_word = _define("philox_word", types.uint64, _word)
philox_normal = _define("philox_normal", types.float64, _normal)


def _of_block(name: str, number: int) -> Any:
    def result(key: Any, draw: Any, block: Any) -> Any:
        return key if {key, draw, block} == {types.uint64} else None

    def emit(b: ir.IRBuilder, ty: Any, *operands: ir.Value) -> ir.Value:
        return block_of(b, *operands)[number]

    return define(name, 3, result, emit)


#: The two words of a block of a draw of a key.
philox_first, philox_second = _of_block("philox_first", 0), _of_block("philox_second", 1)


def _in_domain(x: Any, good: Any) -> Any:
    return x if kind(x) and good == types.boolean else None


def _checked(b: ir.IRBuilder, ty: Any, x: ir.Value, good: ir.Value) -> ir.Value:
    return b.select(good, x, ir.Constant(x.type, 1))


#: A parameter, or 1 where it is no good: a sampler must come to an end with it.
checked = define("checked", 2, _in_domain, _checked)

__all__ = ["checked", "philox_first", "philox_normal", "philox_second", "philox_word"]
