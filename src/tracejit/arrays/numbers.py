"""Arithmetic of traced Python numbers: Python's rules, lengths in normal form.

Ints are dimensions (polynomials), so that ``n - 1`` is a length like any other. Floats and complex
numbers are weak nodes. Where Python would raise, or leave what 64 bits hold, the number is asked
for under a guard.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays import late
from tracejit.arrays.common import condition, decided
from tracejit.ir import build, dims, ops, scalars
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL, COMPLEX128, FLOAT64, INT64
from tracejit.trace.bits import ARGUMENT_BITS, ATOM_BITS, INT_BITS, atom_bits, bits_of
from tracejit.trace.tables import method
from tracejit.trace.tracer import Tracer, operand, plain_number, wrap

PYTHON: dict[np.ufunc, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.floor_divide: operator.floordiv,
    np.remainder: operator.mod,
    np.power: operator.pow,
    np.divmod: divmod,
    np.matmul: operator.matmul,
    np.bitwise_and: operator.and_,
    np.bitwise_or: operator.or_,
    np.bitwise_xor: operator.xor,
    np.left_shift: operator.lshift,
    np.right_shift: operator.rshift,
    np.less: operator.lt,
    np.less_equal: operator.le,
    np.greater: operator.gt,
    np.greater_equal: operator.ge,
    np.equal: operator.eq,
    np.not_equal: operator.ne,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.absolute: operator.abs,
    np.invert: operator.invert,
}
COMPARISONS = (
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
)  # fmt: skip
EQUALITY = (np.equal, np.not_equal)
BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor)
SHIFTS = (np.left_shift, np.right_shift)
DIVISIONS = (np.divide, np.floor_divide, np.remainder)
DTYPES = {"i": INT64, "f": FLOAT64, "c": COMPLEX128}


def arithmetic(ufunc: np.ufunc, *args: Any) -> Any:
    """Python's operator for `ufunc` over numbers, of which at least one is traced."""
    python = PYTHON[ufunc]
    args = tuple(map(plain_number, args))
    operands = [operand(x) for x in map(_as_int, args)]
    if not any(isinstance(x, Node) for x in operands):
        return python(*operands)
    kinds = "".join(_kind(a) for a in args)
    if ufunc is np.divmod:
        return arithmetic(np.floor_divide, *args), arithmetic(np.remainder, *args)
    if kinds == "bb" and ufunc in BITWISE:
        both = [wrap(a).node for a in args]
        return _result(build.apply(ops.ELEMENTWISE[ufunc.__name__], both, BOOL))
    kind = "c" if "c" in kinds else "f" if "f" in kinds else "i"
    if ufunc in DIVISIONS:
        divisor = _not_zero(operands[1])
        if divisor is None:
            return _concretised(python, args) if kind == "c" else python(*_ZERO_DIVISION[kind])
        operands[1] = divisor
    if _beyond(operands):
        return _concretised(python, args)
    if ufunc is np.divide or (ufunc in COMPARISONS and kind == "f"):
        operands = [_exact(x) for x in operands]
    if ufunc in COMPARISONS and (kind != "c" or ufunc in EQUALITY):
        row = ops.ELEMENTWISE[ufunc.__name__]
        if kind == "f" and ufunc not in EQUALITY:
            compared = _size_compared(row.name, *_alike(operands, kind))
            if compared is not None:
                return _result(compared)
        return _result(
            make(row, _alike(operands, kind), None, ArrayType(BOOL), build.solver().origin())
        )
    if ufunc is np.power and kind == "i":
        power = _power_of_constant(operands)
        if power is not None:
            return power
    if ufunc in SHIFTS and kind != "i":
        return _concretised(python, args)
    if ufunc is np.left_shift and isinstance(operands[1], Node):
        power = _power_of_two(operands[1])
        return _concretised(python, args) if power is None else power * args[0]
    if ufunc is np.right_shift and isinstance(operands[1], Node):
        count = _within(dims.from_node(operands[1]), 0, 1 << ARGUMENT_BITS)
        if count is not None:
            return _weak(ufunc, (_alike([operands[0]], "i")[0], dims.as_node(count)), "i")
    if ufunc in SHIFTS and isinstance(operands[1], int) and 0 <= operands[1] <= 30:
        factor = 1 << operands[1]
        if ufunc is np.left_shift:
            return arithmetic(np.multiply, args[0], factor)
        return arithmetic(np.floor_divide, args[0], factor)
    if ufunc is np.power and kind != "c" and not (kind == "i" and _small_power(operands[1])):
        floats = kind == "f" or (isinstance(operands[1], int) and operands[1] < 0)
        result = _float_power(*_alike(operands, "f")) if floats else None
        return _concretised(python, args) if result is None else result
    if kind == "i":
        whole = _integer(ufunc, [_as_dim(x) for x in operands])
        if whole is not None:
            return _result(dims.as_node(whole))
        if ufunc is np.divide:
            return _weak(ufunc, _alike(operands, "f"), "f")
        if ufunc in BITWISE:
            result = _weak(ufunc, _alike(operands, "i"), "i")
            for x in operands if ufunc is np.bitwise_and else ():
                _up_to(result.node, x)
            return result
    elif kind == "f" and ufunc in _FLOAT:
        return _weak(ufunc, _alike(operands, "f"), "f")
    elif kind == "c" and ufunc in _COMPLEX:
        return _weak(ufunc, _alike(operands, "c"), "c")
    elif kind == "c" and ufunc is np.absolute:
        [z] = _alike(operands, "c")
        size = _size_of(z)
        return _concretised(python, args) if size is None else size
    return _concretised(python, args)


_ZERO_DIVISION = {"i": (1, 0), "f": (1.0, 0.0)}
_COMPLEX = (np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive)
_FLOAT = (*_COMPLEX, np.floor_divide, np.remainder, np.absolute)


def _small_power(exponent: Any) -> bool:
    return isinstance(exponent, int) and 0 <= exponent <= 12


def _power_of_constant(operands: list[Any]) -> Tracer | None:
    """1, -1 and 2 to an int that is not negative, nor too large; else None."""
    base, exponent = operands
    if base == 2 and isinstance(exponent, Node):
        return _power_of_two(exponent)
    if base not in (1, -1) or not isinstance(exponent, Node):
        return None
    count = _within(dims.from_node(exponent), 0, 1 << INT_BITS)
    if count is None:
        return None
    odd = dims.mod(count, 2)
    return _result(dims.as_node(1 if base == 1 else dims.sub(1, dims.mul(2, odd))))


def _power_of_two(exponent: Node) -> Tracer | None:
    """``1 << exponent``; None where Python must see the exponent."""
    count = _within(dims.from_node(exponent), 0, 61)
    if count is None:
        return None
    return _weak(np.left_shift, (dims.as_node(1), dims.as_node(count)), "i")


def _within(d: Dim, low: int, high: int) -> Dim | None:
    """A number, tested to be so large at least, and less than `high`; None where it is not."""
    tests = []
    for name, limit in (("greater_equal", low), ("less", high)):
        known = decided(name, d, limit)
        if known is False:
            return None
        tests += [condition(name, d, limit)] if known is None else []
    if not tests:
        return d
    result = late.given(dims.as_node(d), tests)
    # Of `d` nothing is noted: it may be read before this is tested.
    build.solver().noted(result, (high - 1).bit_length(), [dims.sub(result, low)])
    return result


def _exact(x: Any) -> Any:
    """A number of which a float holds every digit."""
    if not isinstance(x, Node) or x.dtype.kind != "i" or bits_of(dims.from_node(x)) <= 53:
        return x
    d = _within(dims.from_node(x), 1 - (1 << 53), 1 << 53)
    return dims.as_node(dims.from_node(x) if d is None else d)


def _float_power(base: Node, exponent: Node) -> Tracer | None:
    """Python's ``**`` of floats; None where it gives a complex number or may raise."""
    zero = build.constant(0.0)
    tests: list[Node] = []

    def ask(name: str, *operands: Node) -> bool:
        """Whether a test holds, for all that is known: it is made where it is not."""
        test = _node(ops.ELEMENTWISE[name], operands, ArrayType(BOOL))
        known = build.solver().answer(test)
        tests.extend([test] if known is None else [])
        return known is not False

    constant = exponent.op is ops.CONST
    if constant and float(build.constant_value(exponent)).is_integer():
        if build.constant_value(exponent) < 0 and not ask("not_equal", base, zero):
            return None
    elif not ask("greater", base, zero):
        return None
    result = make(
        ops.ELEMENTWISE["power"], (base, exponent), None, _weak_type("f"), build.solver().origin()
    )
    return _result(late.given(result, tests)) if ask("isfinite", result) else None


def _as_int(x: Any) -> Any:
    """A bool as the int that Python's arithmetic takes it for."""
    if isinstance(x, Tracer) and x.node.dtype == BOOL:
        return Tracer(make(ops.CAST, (x.node,), None, dims.INT_SCALAR), "number")
    return int(x) if isinstance(x, bool) else x


def _as_dim(x: Any) -> Dim:
    return dims.from_node(x) if isinstance(x, Node) else int(x)


def _kind(x: Any) -> str:
    if isinstance(x, Tracer):
        return x.node.dtype.kind
    return {bool: "b", int: "i", float: "f", complex: "c"}[type(x)]


def _result(node: Node) -> Tracer:
    return Tracer(node, "number")


def _node(op: ops.Op, args: tuple[Node, ...], type: ArrayType) -> Node:
    return make(op, args, None, type, build.solver().origin())


def _weak(ufunc: np.ufunc, args: tuple[Node, ...], kind: str) -> Tracer:
    return _result(_node(ops.ELEMENTWISE[ufunc.__name__], args, _weak_type(kind)))


def _weak_type(kind: str) -> ArrayType:
    return ArrayType(DTYPES[kind], (), weak=True)


def _alike(operands: list[Any], kind: str) -> tuple[Node, ...]:
    """`operands` as weak nodes of one kind."""
    result = []
    for x in operands:
        if not isinstance(x, Node):
            result.append(build.constant(DTYPES[kind].type(x), DTYPES[kind], weak=True))
        elif x.dtype.kind != kind:
            result.append(_node(ops.CAST, (x,), _weak_type(kind)))
        else:
            result.append(x)
    return tuple(result)


def _not_zero(x: Any) -> Any:
    """A divisor, which is tested where only the values of arrays tell; None where it is 0."""
    if not isinstance(x, Node):
        return x if x != 0 else None
    if x.dtype.kind == "i":
        other = decided("not_equal", dims.from_node(x), 0)
    else:
        zero = build.constant(DTYPES[x.dtype.kind].type(0), x.dtype, weak=True)
        test = make(ops.ELEMENTWISE["not_equal"], (x, zero), None, ArrayType(BOOL))
        other = build.solver().answer(test)
    if other is None:
        test = condition("not_equal", x, 0) if x.dtype.kind == "i" else test
        return late.given(x, [test])
    return x if other else None


def _size_of(z: Node) -> Tracer | None:
    """``abs`` of a complex number; None where Python says what it is, or raises."""
    parts = [build.elementwise("positive", part(z)) for part in (build.real, build.imag)]
    size = build.elementwise("hypot", *parts)
    finite = build.elementwise("isfinite", size)
    known = build.solver().answer(finite)
    if known is None:
        size = late.given(size, [build.apply(scalars.SIZE_FITS, parts, BOOL)])
    return _result(build.weak(size)) if known is not False else None


def _parts_of_size(x: Node) -> tuple[tuple[Node, ...], Node] | None:
    """The parts of the complex number whose size a number is, and what was tested of them."""
    tested = None
    while x.op in (scalars.GIVEN, ops.CAST) and x.dtype == FLOAT64:
        tested = x.args[1] if x.op is scalars.GIVEN else tested
        x = x.args[0]
    return (x.args, tested) if x.op is ops.ELEMENTWISE["hypot"] and tested is not None else None


def _size_compared(name: str, a: Node, b: Node) -> Node | None:
    """A comparison of a complex number's size, which no root is taken for."""
    if _parts_of_size(b) is not None:
        name, a, b = _MIRRORED[name], b, a
    found = _parts_of_size(a)
    if found is None:
        return None
    parts, tested = found
    return scalars.given(build.apply(scalars.SIZE_COMPARED[name], (*parts, b), BOOL), tested)


_MIRRORED = {
    "less": "greater",
    "less_equal": "greater_equal",
    "greater": "less",
    "greater_equal": "less_equal",
}


def _beyond(operands: list[Any]) -> bool:
    """Whether a constant leaves what a weak 64-bit node holds."""
    return any(isinstance(x, int) and abs(x) >= 2**INT_BITS for x in operands)


def _integer(ufunc: np.ufunc, args: list[Dim]) -> Dim | None:
    """The result in normal form; None where it has none or may leave 64 bits."""
    result: Dim | None = None
    if ufunc is np.add:
        result = dims.add(*args)
    elif ufunc is np.subtract:
        result = dims.sub(*args)
    elif ufunc is np.multiply:
        result = dims.mul(*args)
    elif ufunc is np.negative:
        result = dims.mul(-1, args[0])
    elif ufunc is np.positive:
        result = args[0]
    elif ufunc is np.invert:
        result = dims.sub(-1, args[0])
    elif ufunc is np.absolute:
        result = late.larger(args[0], dims.mul(-1, args[0]))
    elif ufunc is np.floor_divide:
        result = dims.floordiv(*args)
    elif ufunc is np.remainder:
        result = dims.mod(*args)
        _up_to(result, dims.sub(args[1], 1))
    elif ufunc is np.power and isinstance(args[1], int):
        result = dims.product([args[0]] * args[1])
    return None if result is None else _fitting(result)


def _up_to(d: Dim, most: object) -> None:
    """Know of a number that it is from 0 to `most`, if that is known and not negative."""
    if isinstance(d, Node) and isinstance(most, int) and most >= 0:
        build.solver().within(d, 0, most)


def _fitting(d: Dim) -> Dim | None:
    """`d`, which must stay within 64 bits; None where it may not.

    That is remembered as a check where larger arguments might leave them, and tested where only
    the values of arrays tell.
    """
    if bits_of(d) <= INT_BITS:
        return d
    atoms = {atom for monomial in dims.poly(d) for atom in monomial}
    bits = ATOM_BITS
    while bits > 1 and bits_of(d, bits) > INT_BITS:
        bits -= 1
    if bits_of(d, bits) > INT_BITS:
        return None
    tests = []
    for atom in sorted(atoms, key=lambda a: a.serial):
        if atom_bits(atom) > bits:
            for name, limit in (("less", 1 << bits), ("greater", -(1 << bits))):
                test = condition(name, atom, limit)
                known = build.solver().answer(test)
                if known is False:
                    return None
                tests += [test] if known is None else []
    if not tests:
        return d
    result = late.given(dims.as_node(d), tests)
    facts = [dims.sub(result, d), dims.sub(d, result)]
    squares = [a for monomial in dims.poly(d) for a in monomial if monomial == (a, a)]
    facts += [dims.sub(dims.mul(a, a), a) for a in squares]  # of whole numbers
    build.solver().noted(result, INT_BITS, facts)
    return result


def _concretised(python: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The operation over the numbers at hand, under a guard; a plain Python number."""
    return python(*[a.concrete() if isinstance(a, Tracer) else a for a in args])


# Conversions ------------------------------------------------------------------------------------


@method("whole")
def whole(rounding: str, x: Tracer) -> Tracer | None:
    """`x` rounded to a Python int by a row of the op table; None where Python must see `x`."""
    node = x.node
    if x.kind == "number" and node.dtype.kind in "ib":
        return _result(dims.as_node(_as_dim(operand(_as_int(x)))))
    if not _is_open(node):
        return _known_whole(rounding, x)
    if node.dtype.kind in "biu":
        return _result(late.of_integer(build.cast(node, INT64) if node.dtype == BOOL else node))
    if node.dtype.kind != "f":
        return None
    rounded = _node(ops.ELEMENTWISE[rounding], (_as_float(node),), _weak_type("f"))
    return _result(late.of_float(rounded))


def _known_whole(rounding: str, x: Tracer) -> Tracer | None:
    node = _known_float(x)
    if node is None:
        return None
    for name, limit in (("less", 2.0**ARGUMENT_BITS), ("greater", -(2.0**ARGUMENT_BITS))):
        bound = build.constant(limit, FLOAT64, weak=True)
        if not build.solver().truth(_node(ops.ELEMENTWISE[name], (node, bound), ArrayType(BOOL))):
            return None
    rounded = _node(ops.ELEMENTWISE[rounding], (node,), _weak_type("f"))
    return _result(_node(ops.CAST, (rounded,), dims.INT_SCALAR))


@method("convert")
def convert(cls: type, x: Tracer) -> Any:
    """``bool``, ``int``, ``float`` or ``complex`` of a traced value."""
    if (known := build.solver().fixed(x.node)) is not None and not x.node.ndim:
        return cls(np.asarray(known).item())
    kind = x.node.dtype.kind
    result: Tracer | None
    if cls is bool:
        return _truth_of(x)
    if cls is int:
        result = whole("trunc", x)
    elif x.kind == "number" and kind in "ib":
        result = _result(_alike([operand(_as_int(x))], "f")[0])
    elif _is_open(x.node):
        if kind == "c":
            return _result(build.weak(build.cast(x.node, COMPLEX128))) if cls is complex else cls(x)
        result = _result(_as_float(x.node))
    else:
        node = _known_float(x)
        result = None if node is None else _result(node)
    if result is None:
        return cls(x)
    return result if cls is not complex else _result(_alike([result.node], "c")[0])


@method("complex")
def complex_of(real: Any, imag: Any) -> Any:
    """``complex(real, imag)`` of real numbers, one of which is traced."""
    parts = [wrap(x) for x in (real, imag)]
    if any(p.node.shape or p.node.dtype.kind not in "biuf" for p in parts):
        return complex(*(p.concrete() for p in parts))
    node = build.apply(scalars.COMPLEX, [_as_float(p.node) for p in parts], COMPLEX128)
    return _result(build.weak(node))


def _truth_of(x: Tracer) -> Any:
    """``bool(x)``, as a truth value of Python's."""
    if not _is_open(x.node):
        return bool(x)
    node = x.node
    if node.dtype != BOOL:
        zero = build.constant(node.dtype.type(0), node.dtype)
        node = build.apply(ops.ELEMENTWISE["not_equal"], (node, zero), BOOL)
    return _result(node)


def _is_open(node: Node) -> bool:
    """Whether only the values of arrays tell what a scalar is."""
    solver = build.solver()
    return not node.shape and not solver.is_known(node) and not solver.is_differentiated(node)


def _as_float(node: Node) -> Node:
    """A real scalar as a float of Python's."""
    return node if node.type == _weak_type("f") else build.weak(build.cast(node, FLOAT64))


def _known_float(x: Tracer) -> Node | None:
    """The Python float for a number or a NumPy scalar that depends on no array, and is not
    differentiated."""
    node = x.node
    if node.shape or x.kind == "array" or node.dtype.kind != "f" or node.op is ops.CONST:
        return None
    if not build.solver().is_known(node):
        return None
    return _as_float(node)
