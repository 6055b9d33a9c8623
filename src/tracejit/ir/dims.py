"""Dimensions in normal form: polynomials with integer coefficients over atoms.

A dimension is a Python int or a weak int64 scalar node. Sums and products of dimensions become
one ``poly`` node whose terms are sorted, so equal dimensions are the same object and comparing
them is ``is``. Anything else (``n // 2``) is an atom.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracejit.ir import ops
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import INT64

Dim = int | Node
#: A monomial is a sorted tuple of atoms, with repeats; a polynomial maps it to its factor.
Poly = dict[tuple[Node, ...], int]

INT_SCALAR = ArrayType(INT64, (), weak=True)


def _order(atom: Node) -> tuple[bool, object]:
    """Atoms sort by name where they have one: text must not depend on what was made first."""
    return (False, atom.attr) if atom.op is ops.DIM else (True, atom.serial)


def dim(source: str, axis: int, token: int = 0) -> Node:
    """The length of axis `axis` of the input named `source` of trace `token`."""
    return make(ops.DIM, (), (source, axis, token), INT_SCALAR)


def poly(value: Dim) -> Poly:
    """`value` as a polynomial."""
    if isinstance(value, int):
        return {(): value} if value else {}
    if value.op is ops.POLY:
        return {tuple(value.args[i] for i in monomial): factor for monomial, factor in value.attr}
    return {(value,): 1}


def from_poly(terms: Poly) -> Dim:
    """The dimension whose polynomial is `terms`."""
    terms = {m: c for m, c in terms.items() if c}
    if not terms:
        return 0
    if len(terms) == 1:
        ((monomial, factor),) = terms.items()
        if not monomial:
            return factor
        if factor == 1 and len(monomial) == 1:
            return monomial[0]
    atoms = sorted({atom for monomial in terms for atom in monomial}, key=_order)
    place = {atom: i for i, atom in enumerate(atoms)}
    attr = sorted(
        ((tuple(place[a] for a in monomial), factor) for monomial, factor in terms.items()),
        key=lambda term: (-len(term[0]), term[0]),
    )
    return make(ops.POLY, tuple(atoms), tuple(attr), INT_SCALAR)


def add(a: Dim, b: Dim) -> Dim:
    """`a + b`."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    terms = poly(a)
    for monomial, factor in poly(b).items():
        terms[monomial] = terms.get(monomial, 0) + factor
    return from_poly(terms)


def mul(a: Dim, b: Dim) -> Dim:
    """`a * b`."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    terms: Poly = {}
    for left, p in poly(a).items():
        for right, q in poly(b).items():
            monomial = tuple(sorted(left + right, key=_order))
            terms[monomial] = terms.get(monomial, 0) + p * q
    return from_poly(terms)


def sub(a: Dim, b: Dim) -> Dim:
    """`a - b`."""
    return add(a, mul(-1, b))


def product(dims: Iterable[Dim]) -> Dim:
    """The product of `dims`; 1 for none."""
    result: Dim = 1
    for d in dims:
        result = mul(result, d)
    return result


def exact_div(a: Dim, b: Dim) -> Dim | None:
    """`a / b` where every term of `a` is a multiple of the one-term `b`, else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    divisor = poly(b)
    if len(divisor) != 1:
        return 1 if a is b else None
    ((atoms, factor),) = divisor.items()
    terms: Poly = {}
    for monomial, c in poly(a).items():
        rest = list(monomial)
        for atom in atoms:
            if atom not in rest:
                return None
            rest.remove(atom)
        if c % factor:
            return None
        terms[tuple(rest)] = c // factor
    return from_poly(terms)


def floordiv(a: Dim, b: Dim) -> Dim:
    """`a // b`, an atom unless it divides."""
    return _division(ops.ELEMENTWISE["floor_divide"], a, b)


def mod(a: Dim, b: Dim) -> Dim:
    """`a % b`, an atom unless both are ints."""
    if isinstance(a, int) and isinstance(b, int):
        return a % b
    return _division(ops.ELEMENTWISE["remainder"], a, b)


def maximum(a: Dim, b: Dim) -> Dim:
    """The greater one, an atom unless their difference is known."""
    return _extreme("maximum", a, b)


def minimum(a: Dim, b: Dim) -> Dim:
    """The smaller one, an atom unless their difference is known."""
    return _extreme("minimum", a, b)


def _extreme(name: str, a: Dim, b: Dim) -> Dim:
    difference = sub(a, b)
    if isinstance(difference, int):
        return a if (difference > 0) == (name == "maximum") else b
    return make(ops.ELEMENTWISE[name], (as_node(a), as_node(b)), None, INT_SCALAR)


def _division(op: ops.Op, a: Dim, b: Dim) -> Dim:
    if op.name == "floor_divide":
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        quotient = exact_div(a, b)
        if quotient is not None:
            return quotient
    return make(op, (as_node(a), as_node(b)), None, INT_SCALAR)


def as_node(value: Dim) -> Node:
    """`value` as a node: an int becomes a weak constant."""
    if isinstance(value, Node):
        return value
    return make(ops.CONST, (), INT64.type(value).tobytes(), INT_SCALAR)


def from_node(node: Node) -> Dim:
    """A weak integer node as a dimension: a constant becomes an int."""
    if node.op is ops.CONST:
        return int.from_bytes(node.attr, "little", signed=True)
    return node


def strides(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """C-order strides of `shape`, in elements."""
    steps: list[Dim] = []
    step: Dim = 1
    for d in reversed(shape):
        steps.append(step)
        step = mul(step, d)
    return tuple(reversed(steps))
