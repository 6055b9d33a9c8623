"""The least and the greatest value of a length that depends on the number of a step."""

from __future__ import annotations

from collections.abc import Sequence

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.inequalities import Ranges, reaches
from tracejit.ir.node import Node

_FLOOR, _REST = (ops.ELEMENTWISE[name] for name in ("floor_divide", "remainder"))


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
    inside = [atom for atom in monomial if reaches(atom, ranges)]
    others = [atom for atom in monomial if not reaches(atom, ranges)]
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
    if atom.op not in (_FLOOR, _REST) or atom.args[1].op is not ops.CONST:
        return None
    size = int(build.constant_value(atom.args[1]))
    if size <= 0:
        return None
    if atom.op is _REST:
        return size - 1 if upper else 0
    bound = _bound(dims.from_node(atom.args[0]), ranges, upper)
    return None if bound is None else dims.floordiv(bound, size)


def _is_natural(atom: Node) -> bool:
    """Whether an atom is the length of an axis."""
    return atom.op is ops.DIM


def _is_natural_within(atom: Node, ranges: Ranges) -> bool:
    """Whether an atom is the number of a step, from 0 on."""
    return atom in ranges and ranges[atom][0] == 0
