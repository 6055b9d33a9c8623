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

from tracejit.arrays.common import condition, same
from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL, COMPLEX128, FLOAT64, INT64
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
#: What an argument may be at most, as the trace's guards say, a length, anything that is no sum or
#: product of others, and a number.
ARGUMENT_BITS, LENGTH_BITS, ATOM_BITS, INT_BITS = 31, 30, 62, 62
#: What a loop comes to, which grows by little at each step.
CARRIED_BITS = 60
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
    if ufunc in DIVISIONS and kind != "c" and _is_zero(operands[1]):
        return python(1 if kind == "i" else 1.0, 0 if kind == "i" else 0.0)
    if _beyond(operands):
        return _concretised(python, args)
    if ufunc in COMPARISONS and (kind != "c" or ufunc in EQUALITY):
        row = ops.ELEMENTWISE[ufunc.__name__]
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
            return _weak(ufunc, _alike(operands, "i"), "i")
    elif kind == "f" and ufunc in _FLOAT:
        return _weak(ufunc, _alike(operands, "f"), "f")
    elif kind == "c" and ufunc in _COMPLEX and not (ufunc is np.divide and _is_zero(operands[1])):
        return _weak(ufunc, _alike(operands, "c"), "c")
    return _concretised(python, args)


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
    if not build.solver().truth(condition("greater_equal", dims.from_node(exponent), 0)):
        return None
    odd = dims.mod(dims.from_node(exponent), 2)
    return _result(dims.as_node(1 if base == 1 else dims.sub(1, dims.mul(2, odd))))


def _power_of_two(exponent: Node) -> Tracer | None:
    """``1 << exponent``; None where Python must see the exponent."""
    truth = build.solver().truth
    length = dims.from_node(exponent)
    if not (truth(condition("greater_equal", length, 0)) and truth(condition("less", length, 61))):
        return None
    return _weak(np.left_shift, (dims.as_node(1), exponent), "i")


def _float_power(base: Node, exponent: Node) -> Tracer | None:
    """Python's ``**`` of floats; None where it gives a complex number or may raise."""
    zero = build.constant(0.0)
    if not _ask("greater", base, zero):
        if exponent.op is not ops.CONST or not float(build.constant_value(exponent)).is_integer():
            return None
        if build.constant_value(exponent) < 0 and _ask("equal", base, zero):
            return None
    result = make(
        ops.ELEMENTWISE["power"], (base, exponent), None, _weak_type("f"), build.solver().origin()
    )
    return _result(result) if _ask("isfinite", result) else None


def _ask(name: str, *operands: Node) -> bool:
    """Whether the test of that name holds; the trace holds as long as the answer does."""
    return build.solver().truth(_node(ops.ELEMENTWISE[name], operands, ArrayType(BOOL)))


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


def _is_zero(x: Any) -> bool:
    if not isinstance(x, Node):
        return bool(x == 0)
    if x.dtype.kind == "i":
        return same(dims.from_node(x), 0)
    zero = build.constant(DTYPES[x.dtype.kind].type(0), x.dtype, weak=True)
    return build.solver().truth(make(ops.ELEMENTWISE["equal"], (x, zero), None, ArrayType(BOOL)))


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
        sign = build.solver().truth(condition("greater_equal", args[0], 0))
        result = args[0] if sign else dims.mul(-1, args[0])
    elif ufunc is np.floor_divide:
        result = dims.floordiv(*args)
    elif ufunc is np.remainder:
        result = dims.mod(*args)
    elif ufunc is np.power and isinstance(args[1], int):
        result = dims.product([args[0]] * args[1])
    return result if result is not None and _fits(result) else None


def _fits(d: Dim) -> bool:
    """Whether `d` stays within 64 bits; remembered as a check, where larger arguments might not."""
    if _bits(d, ATOM_BITS) <= INT_BITS:
        return True
    atoms = {atom for monomial in dims.poly(d) for atom in monomial}
    bits = ATOM_BITS
    while bits > 1 and _bits(d, bits) > INT_BITS:
        bits -= 1
    if _bits(d, bits) > INT_BITS:
        return False
    for atom in sorted(atoms, key=lambda a: a.serial):
        if _atom_bits(atom) > bits:
            below = build.solver().truth(condition("less", atom, 1 << bits))
            if not below or not build.solver().truth(condition("greater", atom, -(1 << bits))):
                return False
    return True


def _bits(d: Dim, most: int) -> int:
    """A bound on the size of `d`, in bits, where no atom has more than `most`."""
    if isinstance(d, int):
        return d.bit_length()
    bound = sum(
        abs(factor) << sum(min(_atom_bits(atom), most) for atom in monomial)
        for monomial, factor in dims.poly(d).items()
    )
    return bound.bit_length()


def _atom_bits(atom: Node) -> int:
    """A bound on what is no sum or product."""
    if atom.op is ops.DIM:
        return LENGTH_BITS
    if atom.op is ops.CAST and atom.args[0].dtype == BOOL:
        return 1
    if atom.op is ops.ITEM or build.solver().is_carried(atom):
        return CARRIED_BITS
    if atom.op is ops.INPUT or atom.op is ops.CAST:
        return ARGUMENT_BITS
    bounds = [_bits(dims.from_node(a), ATOM_BITS) for a in atom.args if a.dtype.kind == "i"]
    return min(max(bounds, default=INT_BITS), ATOM_BITS)


def _concretised(python: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The operation over the numbers at hand, under a guard; a plain Python number."""
    return python(*[a.concrete() if isinstance(a, Tracer) else a for a in args])


# Conversions ------------------------------------------------------------------------------------


@method("whole")
def whole(rounding: str, x: Tracer) -> Tracer | None:
    """`x` rounded to a Python int by a row of the op table; None where Python must see `x`."""
    if x.kind == "number" and x.node.dtype.kind in "ib":
        return _result(dims.as_node(_as_dim(operand(_as_int(x)))))
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
    """``int``, ``float`` or ``complex`` of a traced value."""
    if cls is int:
        result = whole("trunc", x)
    elif x.kind == "number" and x.node.dtype.kind in "ib":
        result = _result(_alike([operand(_as_int(x))], "f")[0])
    else:
        node = _known_float(x)
        result = None if node is None else _result(node)
    if result is None:
        return cls(x)
    return result if cls is not complex else _result(_alike([result.node], "c")[0])


def _known_float(x: Tracer) -> Node | None:
    """The Python float for a number or a NumPy scalar that depends on no array, and is not
    differentiated."""
    node = x.node
    if node.shape or x.kind == "array" or node.dtype.kind != "f" or node.op is ops.CONST:
        return None
    if not build.solver().is_known(node):
        return None
    return node if node.type.weak else build.weak(build.cast(node, FLOAT64))
