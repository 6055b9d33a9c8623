"""The least and the greatest value of a length that depends on the number of a step.

How many elements of a mask are true is bounded by its size, so such a length is known before, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.inequalities import Ranges, reaches
from tracejit.ir.node import Node

_KNOWN = _FLOOR, _REST, _MAXIMUM, _MINIMUM = tuple(
    ops.ELEMENTWISE[name] for name in ("floor_divide", "remainder", "maximum", "minimum")
)


def most(d: Dim, ranges: Ranges) -> Dim | None:
    """What `d` never exceeds where its atoms have their `ranges`, without these; None if unknown.

    The atoms of products with one in `ranges` are not negative, nor is what it ranges over.
    """
    return _bound(d, ranges, True)


def _bound(d: Dim, ranges: Ranges, upper: bool) -> Dim | None:
    total: Dim = 0
    for monomial, factor in dims.poly(d).items():
        bound = _of_product(monomial, ranges, upper == (factor > 0))
        if bound is None:
            return None
        total = dims.add(total, dims.mul(factor, bound))
    return total


def _of_product(monomial: Sequence[Node], ranges: Ranges, upper: bool) -> Dim | None:
    inside = [atom for atom in monomial if _is_counted(atom) or reaches(atom, ranges)]
    others = [atom for atom in monomial if atom not in inside]
    if len(monomial) > 1 and inside and not all(map(_is_natural, others)):
        return None
    result: Dim = dims.product(others)
    for atom in inside:
        bound = _of_atom(atom, ranges, upper)
        if bound is None or (len(monomial) > 1 and not _is_natural_within(atom, ranges)):
            return None
        result = dims.mul(result, bound)
    return result


def _of_atom(atom: Node, ranges: Ranges, upper: bool) -> Dim | None:
    if atom in ranges:
        return ranges[atom][upper]
    if _is_counted(atom):
        [mask] = atom.args[0].args
        return _bound(dims.product(mask.shape), ranges, True) if upper else 0
    if atom.op not in _KNOWN:
        return None
    first, second = map(dims.from_node, atom.args)
    if atom.op in (_MAXIMUM, _MINIMUM):
        return _of_extreme(first, second, ranges, upper, atom.op is _MAXIMUM)
    if isinstance(second, int) and second <= 0:
        return None
    if atom.op is _REST:
        natural = isinstance(second, int) or (second.op is ops.DIM and not reaches(second, ranges))
        return None if not natural else dims.sub(second, 1) if upper else 0
    bound = _bound(first, ranges, upper) if isinstance(second, int) else None
    return None if bound is None else dims.floordiv(bound, second)


def _of_extreme(a: Dim, b: Dim, ranges: Ranges, upper: bool, maximum: bool) -> Dim | None:
    """A bound of the greater of two, or of the smaller one."""
    bounds = [_bound(d, ranges, upper) for d in (a, b)]
    known = [bound for bound in bounds if bound is not None]
    if upper != maximum:  # each is a bound
        return min(known, key=lambda d: len(dims.poly(d)), default=None)
    if len(known) < 2:
        return None
    return (dims.maximum if maximum else dims.minimum)(*known)


def _is_natural(atom: Node) -> bool:
    """Whether an atom is the length of an axis."""
    return atom.op is ops.DIM


def _is_natural_within(atom: Node, ranges: Ranges) -> bool:
    """Whether an atom is the number of a step, from 0 on, or of elements."""
    return _is_counted(atom) or (atom in ranges and ranges[atom][0] == 0)


def _is_counted(atom: Node) -> bool:
    """Whether an atom is how many elements of a mask are true, as a length."""
    return atom.op is ops.CAST and atom.args[0].op is ops.COUNT
