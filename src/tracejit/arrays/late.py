"""Numbers that only the values of arrays tell, as Python's numbers, positions and bounds.

They are computed. What must hold of them, for NumPy and Python to raise nothing and for 64 bits to
hold them, is tested where they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracejit.arrays.common import compared, condition
from tracejit.ir import build, dims, ops, scalars
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.node import Node, make
from tracejit.ir.types import FLOAT64
from tracejit.trace.bits import INT_BITS, bits_of
from tracejit.trace.facts import whole

#: The bits of the integer dtypes that are sure to fit.
_BITS = {"b": 7, "h": 15, "i": 31, "B": 8, "H": 16, "I": 32}


def given(value: Node, holds: Iterable[Node]) -> Node:
    """`value`, where all of these boolean scalars hold: else the call is begun anew by NumPy."""
    tests = list(dict.fromkeys(holds))
    if not tests:
        return value
    every = tests[0]
    for test in tests[1:]:
        every = build.elementwise("logical_and", every, test)
    result = scalars.given(value, every)
    build.solver().require(result, every, every)
    return result


def of_integer(x: Node) -> Node:
    """A scalar of NumPy's integers as one of Python's."""
    number = whole(x)
    if x.type == INT_SCALAR:
        return number
    bits = _BITS.get(x.dtype.char)
    if bits is None:
        bits = INT_BITS
        tests = [build.elementwise("less", x, build.constant(2**bits, x.dtype))]
        if x.dtype.kind == "i":
            tests.append(build.elementwise("greater", x, build.constant(-(2**bits), x.dtype)))
        number = given(number, tests)
    build.solver().noted(number, bits)
    return number


def of_index(x: Node) -> Node:
    """A scalar of NumPy's integers as one that is compared with the bounds of an axis at once."""
    if x.dtype.kind == "u" and x.dtype.char not in _BITS:
        return of_integer(x)
    number = whole(x)
    build.solver().noted(number, _BITS.get(x.dtype.char, 64))
    return number


def of_float(x: Node) -> Node:
    """A whole float as an integer of Python's."""
    limit = 2.0**INT_BITS
    tests = [
        build.elementwise(name, x, build.constant(bound, FLOAT64))
        for name, bound in (("less", limit), ("greater", -limit))
    ]
    number = given(make(ops.CAST, (given(x, tests),), None, INT_SCALAR, x.origin), ())
    build.solver().noted(number, INT_BITS)
    return number


def position(i: Dim, n: Dim) -> Dim:
    """The place on an axis of `n` elements that `i` names, counted from the end where negative.

    Where it is none, NumPy raises.
    """
    positive, below = compared("greater_equal", i, 0), compared("less", i, n)
    tests = []
    at = i
    if positive is not True:
        fits = compared("greater_equal", i, dims.mul(-1, n))
        tests += [] if fits is True else [condition("greater_equal", i, dims.mul(-1, n))]
        at = _from_end(i, n, positive)
    if below is not True and positive is not False:
        tests.append(condition("less", i, n))
    if not tests:  # it is one here, if nowhere else
        return at
    node = given(dims.as_node(at), tests)
    build.solver().noted(node, bits_of(n), [node, dims.sub(dims.sub(n, 1), node)])
    return node


def _from_end(i: Dim, n: Dim, positive: bool | None) -> Dim:
    if positive is not None:
        return i if positive else dims.add(i, n)
    negative = condition("less", i, 0)
    return make(
        ops.WHERE,
        (negative, dims.as_node(dims.add(i, n)), dims.as_node(i)),
        None,
        INT_SCALAR,
        build.solver().origin(),
    )


def bounds(start: Dim | None, stop: Dim | None, step: int, n: Dim) -> tuple[Dim, Dim]:
    """The first place, and the number of places, of a slice of an axis of `n` elements."""
    low, high = (0, n) if step > 0 else (-1, dims.sub(n, 1))
    first, last = (low, high) if step > 0 else (high, low)

    def end(d: Dim | None, default: Dim) -> Dim:
        if d is None:
            return default
        at = _from_end(d, n, compared("greater_equal", d, 0))
        return larger(smaller(at, high), low)

    ends = [end(start, first), end(stop, last)]
    distance = dims.sub(ends[1], ends[0]) if step > 0 else dims.sub(ends[0], ends[1])
    size = abs(step)
    count = distance if size == 1 else dims.floordiv(dims.add(distance, size - 1), size)
    return ends[0], larger(count, 0)


def strided(start: Dim | None, stop: Dim | None, step: Dim, n: Dim) -> tuple[Dim, Dim, Dim]:
    """First place, step and number of places of a slice whose step is tested to be positive."""
    if compared("greater", step, 0) is not True:
        node = given(dims.as_node(step), [condition("greater", step, 0)])
        build.solver().noted(node, bits_of(step), [dims.sub(node, 1)])
        step = node
    first, distance = bounds(start, stop, 1, n)
    count = dims.floordiv(dims.add(distance, dims.sub(step, 1)), step)
    return first, step, count


def larger(a: Dim, b: Dim) -> Dim:
    """The larger of two numbers."""
    return _one_of("maximum", a, b, compared("greater_equal", a, b))


def smaller(a: Dim, b: Dim) -> Dim:
    """The smaller of two numbers."""
    return _one_of("minimum", a, b, compared("less_equal", a, b))


def _one_of(name: str, a: Dim, b: Dim, first: bool | None) -> Dim:
    if first is not None:
        return a if first else b
    operands = dims.as_node(a), dims.as_node(b)
    result = make(ops.ELEMENTWISE[name], operands, None, INT_SCALAR, build.solver().origin())
    beyond = [dims.sub(result, d) if name == "maximum" else dims.sub(d, result) for d in (a, b)]
    build.solver().noted(result, max(bits_of(a), bits_of(b)), beyond)
    return result
