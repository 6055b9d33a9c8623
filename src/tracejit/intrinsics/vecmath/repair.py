"""Elementary functions of arguments that the vector code cannot take.

They are handed one by one to a function of ours in float64, which may take its time: the result
passes through a function that does so, and whose vector forms, made known to LLVM's vectoriser,
test all elements at once.
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
Define = Callable[[Real], Real]


def repaired(x: Real, near: Real, name: str, far: Test, define: Define) -> Real:
    """``near``, and what `define` makes of `x` as a float64 where `far` holds."""
    module = x.builder.module
    repair = _repair(module, name, x.form, far, define)
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


def _alone(module: Any, name: str, define: Define) -> Any:
    """The function of a float64 that `define` makes."""
    own_name = f"tracejit_far_{name}"
    if own_name in module.globals:
        return module.globals[own_name]
    kind = ir.FunctionType(BINARY64.float_type, [BINARY64.float_type])
    function = new_function(module, own_name, kind)
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(define(Real(builder, BINARY64, function.args[0])).value)
    return function


def _repair(module: Any, name: str, form: Format, far: Test, define: Define) -> Any:
    """The function (x, near) -> near, or what `define` makes where `far` holds for x."""
    own_name = f"tracejit_{name}{form.width}_repair"
    if own_name in module.globals:
        return module.globals[own_name]
    alone = _alone(module, name, define)
    kind = ir.FunctionType(form.float_type, [form.float_type] * 2)
    function = new_function(module, own_name, kind)
    x, near = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    argument = Real(builder, form, x)
    with builder.if_then(far(argument).value, likely=False):
        value = builder.call(alone, [argument.to(BINARY64).value])
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
