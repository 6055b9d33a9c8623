"""sin, cos and tan.

x = k pi/2 + r by Cody and Waite in three steps with fma (exact in the first one), then
minimax polynomials for sin(r) and cos(r) after fdlibm's scheme. Arguments too large for this
are handed one by one to the C library: the result passes through a function that does so, and
whose vector forms, made known to LLVM's vectoriser, test all elements at once.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from tracejit.cpu import vecmath_tables as tables
from tracejit.cpu.vecmath_builder import BINARY64, Bits, Format, Real, new_function
from tracejit.cpu.vecmath_exp import fast_two_sum, two_sum

TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
HALF_PI = tuple(
    map(
        float.fromhex,
        ("0x1.921fb54442d18p+0", "0x1.1a62633145c07p-54", "-0x1.f1976b7ed8fbcp-110"),
    )
)
# Within these limits r is as exact as the polynomials: a float64 this small is not near enough
# to a multiple of pi/2 to cancel the third step; a float32 never is, and k is exact.
LIMIT = {64: 2.0**19, 32: 2.0**40}
LANES = (2, 4, 8)  # of float64, in which all is computed, in vectors of up to 512 bits


def sin(x: Real) -> Real:
    """The sine of an angle in radians."""
    wide = x.to(BINARY64)
    tiny = x.absolute() < 2.0 ** -(x.form.mantissa // 2 + 2)  # keeps -0 and subnormal numbers
    near = tiny.select(x, _by_quadrant(wide, x.form.width, 0).to(x.form))
    return _far(x, near, "sin")


def cos(x: Real) -> Real:
    """The cosine of an angle in radians."""
    near = _by_quadrant(x.to(BINARY64), x.form.width, 1).to(x.form)
    return _far(x, near, "cos")


def tan(x: Real) -> Real:
    """The tangent: the quotient of both, to two units in the last place."""
    wide = x.to(BINARY64)
    quadrant, sine, cosine = _reduced(wide, x.form.width)
    odd = (quadrant & 1).nonzero()
    near = (odd.select(-cosine, sine) / odd.select(sine, cosine)).to(x.form)
    tiny = x.absolute() < 2.0 ** -(x.form.mantissa // 2 + 2)
    return _far(x, tiny.select(x, near), "tan")


def _by_quadrant(x: Real, width: int, quarter_turns: int) -> Real:
    """sin(x + quarter_turns pi/2) in float64, to the accuracy of ``width`` bits."""
    quadrant, sine, cosine = _reduced(x, width)
    quadrant = quadrant + quarter_turns
    odd = (quadrant & 1).nonzero()
    return (odd.select(cosine, sine).bits() ^ _sign(quadrant)).real()


def _reduced(x: Real, width: int) -> tuple[Bits, Real, Real]:
    """The nearest quarter turn of x, and sine and cosine of what is left, in float64."""
    shift = 1.5 * 2.0**52
    shifted = x.fma(TWO_OVER_PI, shift)
    quadrant = shifted.bits()
    k = shifted - shift
    head = k.fma(-HALF_PI[0], x)
    product = k * -HALF_PI[1]
    r, low = two_sum(head, product)
    z = r.square()
    sine, cosine = z.polynomial(tables.SIN[width]), z.polynomial(tables.COS[width])
    if width == 64:
        low = k.fma(-HALF_PI[2], low + k.fma(-HALF_PI[1], -product))
        half = z * 0.5
        sine = r + (r * z).fma(sine, (-half).fma(low, low))
        one, lost = fast_two_sum(r.constant(1.0), -half)
        cosine = one + z.square().fma(cosine, (-r).fma(low, lost))
    else:
        sine = (r * z).fma(sine, r)
        cosine = z.square().fma(cosine, z.fma(-0.5, 1.0))
    return quadrant, sine, cosine


def _sign(quadrant: Bits) -> Bits:
    """The sign bit of the lower half turn."""
    return (quadrant & 2) << (quadrant.form.width - 2)


def _far(x: Real, near: Real, name: str) -> Real:
    """``near`` within the limit, the C library's function beyond it."""
    module, width = x.builder.module, x.form.width
    repair = _repair(module, name, x.form)
    # LLVM's loop vectoriser replaces the call by one of these.
    variants = ",".join(
        f"_ZGV_LLVM_N{lanes}vv_{repair.name}({_vector_repair(module, repair, lanes, width).name})"
        for lanes in LANES
    )
    call = x.builder.call(repair, [x.value, near.value])
    # llvmlite's attribute sets are Python sets that know only some of LLVM's names.
    set.add(call.attributes, f'"vector-function-abi-variant"="{variants}"')
    return x.wrap(call)


def _repair(module: Any, name: str, form: Format) -> Any:
    """The function (x, near) -> near, or the C library's value where |x| is beyond the limit."""
    own_name = f"tracejit_{name}{form.width}_repair"
    if own_name in module.globals:
        return module.globals[own_name]
    scalar = ir.FunctionType(BINARY64.float_type, [BINARY64.float_type])
    library = module.globals.get(name) or ir.Function(module, scalar, name)
    kind = ir.FunctionType(form.float_type, [form.float_type] * 2)
    function = new_function(module, own_name, kind)
    x, near = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    argument = Real(builder, form, x)
    beyond = argument.absolute() > LIMIT[form.width]
    with builder.if_then(beyond.value, likely=False):
        far = builder.call(library, [argument.to(BINARY64).value])
        builder.ret(Real(builder, BINARY64, far).to(form).value)
    builder.ret(near)
    return function


def _vector_repair(module: Any, repair: Any, lanes: int, width: int) -> Any:
    """``repair`` for a vector: one test for all lanes, then lane by lane if need be."""
    name = f"{repair.name}_{lanes}"
    if name in module.globals:
        return module.globals[name]
    element = repair.args[0].type
    vector = ir.VectorType(element, lanes)
    function = new_function(module, name, ir.FunctionType(vector, [vector, vector]))
    x, near = function.args
    start, lane_by_lane, done = (function.append_basic_block() for _ in range(3))

    builder = ir.IRBuilder(start)

    def outside(sign: str, limit: float) -> Any:
        limits = ir.Constant(vector, [ir.Constant(element, limit)] * lanes)
        return builder.fcmp_ordered(sign, x, limits)

    beyond = builder.or_(outside(">", LIMIT[width]), outside("<", -LIMIT[width]))
    packed = ir.IntType(lanes)
    beyond = builder.bitcast(beyond, packed)
    builder.cbranch(builder.icmp_unsigned("==", beyond, packed(0)), done, lane_by_lane)

    builder.position_at_end(lane_by_lane)
    index_type = ir.IntType(32)
    index, partial = builder.phi(index_type), builder.phi(vector)
    value = builder.call(
        repair, [builder.extract_element(x, index), builder.extract_element(near, index)]
    )
    updated = builder.insert_element(partial, value, index)
    following = builder.add(index, index_type(1))
    builder.cbranch(builder.icmp_unsigned("<", following, index_type(lanes)), lane_by_lane, done)
    for phi, first, later in ((index, index_type(0), following), (partial, near, updated)):
        phi.add_incoming(first, start)
        phi.add_incoming(later, lane_by_lane)

    builder.position_at_end(done)
    result = builder.phi(vector)
    result.add_incoming(near, start)
    result.add_incoming(updated, lane_by_lane)
    builder.ret(result)
    return function
