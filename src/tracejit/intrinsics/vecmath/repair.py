"""Elementary functions of arguments that the vector code cannot take.

They are handed one by one to the C library: the result passes through a function that does so, and
whose vector forms, made known to LLVM's vectoriser, test all elements at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from tracejit.intrinsics import structure
from tracejit.intrinsics.vecmath.builder import BINARY64, Format, Mask, Real, new_function, vectors

#: Elements of the vectors that LLVM may choose, of up to 512 bits, by the width of one.
LANES = {64: (2, 4, 8), 32: (2, 4, 8, 16)}

Test = Callable[[Real], Mask]


def repaired(x: Real, near: Real, name: str, far: Test) -> Real:
    """``near``, and the C library's function `name` of `x` where `far` holds."""
    module = x.builder.module
    repair = _repair(module, name, x.form, far)
    call = x.builder.call(repair, [x.value, near.value])
    if structure.is_scalar(x.builder):
        return x.wrap(call)
    # LLVM's loop vectoriser replaces the call by one of these.
    variants = ",".join(
        f"_ZGV_LLVM_N{lanes}vv_{repair.name}({vector.name})"
        for lanes in LANES[x.form.width]
        for vector in [_of_vectors(module, repair, x.form, lanes, far)]
    )
    # llvmlite's attribute sets are Python sets that know only some of LLVM's names.
    set.add(call.attributes, f'"vector-function-abi-variant"="{variants}"')
    return x.wrap(call)


def _repair(module: Any, name: str, form: Format, far: Test) -> Any:
    """The function (x, near) -> near, or the C library's value where `far` holds for x."""
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
    with builder.if_then(far(argument).value, likely=False):
        value = builder.call(library, [argument.to(BINARY64).value])
        builder.ret(Real(builder, BINARY64, value).to(form).value)
    builder.ret(near)
    return function


def _of_vectors(module: Any, repair: Any, form: Format, lanes: int, far: Test) -> Any:
    """``repair`` for a vector: one test for all lanes, then lane by lane if need be."""
    name = f"{repair.name}_{lanes}"
    if name in module.globals:
        return module.globals[name]
    form = vectors(form, lanes)
    vector = form.float_type
    function = new_function(module, name, ir.FunctionType(vector, [vector, vector]))
    x, near = function.args
    start, lane_by_lane, done = (function.append_basic_block() for _ in range(3))

    builder = ir.IRBuilder(start)
    packed = ir.IntType(lanes)
    beyond = builder.bitcast(far(Real(builder, form, x)).value, packed)
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
