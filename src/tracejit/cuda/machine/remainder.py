"""The remainder of a division of floating numbers, which is exact: by subtraction, bit by bit.

The exponents' difference is how often the dividend is doubled, less the divisor where it holds it.
"""

from __future__ import annotations

from llvmlite import ir

_STORED = {64: 52, 32: 23}
_DEFINED = ir.Constant(ir.IntType(1), 0)


def exact_remainder(function: ir.Function) -> None:
    """Give ``fmod``, or ``fmodf``, its instructions."""
    function.name = f"tracejit_{function.name}"
    function.linkage = "internal"
    x, y = function.args
    wide = 64 if isinstance(x.type, ir.DoubleType) else 32
    word, stored = ir.IntType(wide), _STORED[wide]
    sign = word(1 << (wide - 1))
    infinite = word(((1 << (wide - 1 - stored)) - 1) << stored)
    start, special, plain, step, last = (function.append_basic_block() for _ in range(5))

    b = ir.IRBuilder(start)
    bits, other = (b.bitcast(v, word) for v in (x, y))
    size, least = (b.and_(v, b.not_(sign)) for v in (bits, other))
    none = b.or_(
        b.icmp_unsigned("==", least, word(0)),
        b.or_(
            b.icmp_unsigned(">=", size, infinite),
            b.icmp_unsigned(">", least, infinite),
        ),
    )
    b.cbranch(b.or_(none, b.icmp_unsigned("<", size, least)), special, plain)

    b.position_at_end(special)
    nan = b.fdiv(b.fmul(x, y), b.fmul(x, y))
    b.ret(b.select(none, nan, x))

    b.position_at_end(plain)
    (top, scale), (bottom, unit) = (_parts(b, v, stored) for v in (size, least))
    count = b.sub(scale, unit)
    b.branch(step)

    b.position_at_end(step)
    left, times = b.phi(word), b.phi(word)
    less = b.sub(left, bottom)
    held = b.select(b.icmp_unsigned(">=", left, bottom), less, left)
    done = b.icmp_unsigned("==", times, word(0))
    doubled, fewer = b.shl(held, word(1)), b.sub(times, word(1))
    b.cbranch(b.or_(done, b.icmp_unsigned("==", held, word(0))), last, step)
    for phi, first, later in ((left, top, doubled), (times, count, fewer)):
        phi.add_incoming(first, plain)
        phi.add_incoming(later, step)

    b.position_at_end(last)
    shift = b.sub(b.ctlz(held, _DEFINED), word(wide - 1 - stored))
    normal, exponent = b.shl(held, shift), b.sub(unit, shift)
    whole = b.icmp_signed(">=", exponent, word(1))
    mantissa = b.and_(normal, word((1 << stored) - 1))
    small = b.lshr(normal, b.select(whole, word(0), b.sub(word(1), exponent)))
    found = b.select(whole, b.or_(mantissa, b.shl(exponent, word(stored))), small)
    found = b.select(b.icmp_unsigned("==", held, word(0)), word(0), found)
    b.ret(b.bitcast(b.or_(found, b.and_(bits, sign)), x.type))


def _parts(b: ir.IRBuilder, size: ir.Value, stored: int) -> tuple[ir.Value, ir.Value]:
    """The mantissa of a finite number, not 0, with its highest bit; and its exponent.

    That of a number below the normal ones is less than 1, and as an integer may be negative.
    """
    word = size.type
    exponent = b.lshr(size, word(stored))
    normal = b.icmp_unsigned("!=", exponent, word(0))
    mantissa = b.and_(size, word((1 << stored) - 1))
    mantissa = b.select(normal, b.or_(mantissa, word(1 << stored)), mantissa)
    shift = b.sub(b.ctlz(mantissa, _DEFINED), word(word.width - 1 - stored))
    return b.shl(mantissa, shift), b.sub(b.select(normal, exponent, word(1)), shift)
