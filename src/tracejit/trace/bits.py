"""How large whole numbers may be, in bits: none of Python's may leave what 64 hold."""

from __future__ import annotations

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL

#: What an argument may be at most, as the trace's guards say, a length, anything that is no sum or
#: product of others, and a number.
ARGUMENT_BITS, LENGTH_BITS, ATOM_BITS, INT_BITS = 31, 30, 62, 62
#: What a loop comes to, which grows by little at each step.
CARRIED_BITS = 60


def bits_of(d: Dim, most: int = ATOM_BITS) -> int:
    """A bound on the size of `d`, in bits, where no atom has more than `most`."""
    if isinstance(d, int):
        return d.bit_length()
    bound = sum(
        abs(factor) << sum(min(atom_bits(atom), most) for atom in monomial)
        for monomial, factor in dims.poly(d).items()
    )
    return bound.bit_length()


def atom_bits(atom: Node) -> int:
    """A bound on what is no sum or product."""
    known = build.solver().bits(atom)
    if known is not None:
        return known
    if atom.op is ops.DIM:
        return LENGTH_BITS
    if atom.op is ops.CAST and atom.args[0].dtype == BOOL:
        return 1
    if atom.op is ops.ITEM or build.solver().is_carried(atom):
        return CARRIED_BITS
    if atom.op is ops.INPUT or atom.op is ops.CAST:
        return ARGUMENT_BITS
    bits = _computed_bits(atom)
    build.solver().noted(atom, bits)  # an atom may be reached in many ways
    return bits


def _computed_bits(atom: Node) -> int:
    numbers = [dims.from_node(a) for a in atom.args if a.dtype.kind == "i"]
    if atom.op.name == "left_shift":  # of 1, by less than 61
        return ATOM_BITS
    if atom.op.name == "remainder":
        return bits_of(numbers[1])
    if atom.op.name == "bitwise_and" and (least := [k for d in numbers if (k := _positive(d))]):
        return min(least)
    return min(max(map(bits_of, numbers), default=INT_BITS), ATOM_BITS)


def _positive(d: Dim) -> int:
    """The bits of a number that is known, and positive; else 0."""
    return d.bit_length() if isinstance(d, int) and d > 0 else 0
