"""What follows from inequalities of whole numbers, lengths among them.

An inequality is a polynomial that is not negative, for all values that its atoms may have at once.
A monomial counts as an unknown of its own. There are two questions, and a way for each:

* `follows`: does this hold by what is known of just these numbers? It is asked of each position and
  bound that is traced, dozens of times a line, and mostly in vain: a few facts are added up.
* `remaining`: must this hold at every step of the loops around, or what would have to hold of the
  lengths outside? The ranges of the steps, and what quotients, remainders and extremes are, become
  a system, of which all that is not known outside is eliminated, by Fourier's and Motzkin's method.
  It finds all that follows from the system, and takes some milliseconds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from tracejit.ir import dims, ops
from tracejit.ir.dims import Dim, Poly
from tracejit.ir.lengths import non_negative
from tracejit.ir.node import Node, postorder

Monomial = tuple[Node, ...]
#: The least and the greatest value of an atom.
Ranges = Mapping[Node, tuple[Dim, Dim]]
#: So many inequalities are looked at, and so many atoms that are one of two; no more.
_MOST, _CHOICES = 160, 4
#: How many facts are added up, at most.
_ADDED = 4
_FLOOR, _REST, _MAXIMUM, _MINIMUM = (
    ops.ELEMENTWISE[name] for name in ("floor_divide", "remainder", "maximum", "minimum")
)


def remaining(
    goal: Dim,
    ranges: Ranges,
    unknown: Callable[[Node], bool],
    assumed: Sequence[Poly] = (),
    is_length: Callable[[Node], bool] = lambda atom: atom.op is ops.DIM,
) -> Iterator[list[Poly]]:
    """For each of some cases, polynomials of known atoms: `goal` is never negative there if one is.

    One without atoms shows it for all arguments. Atoms within `ranges` have the values that these
    allow, those that are no `unknown` have one, and what `is_length` has none below 0.
    """
    system = [dims.poly(dims.sub(-1, goal)), *assumed]
    facts, choices = _facts(system, ranges, is_length)
    system += facts
    for case in itertools.product((0, 1), repeat=len(choices)):
        chosen = [fact for atom, k in zip(choices, case, strict=True) for fact in _chosen(atom, k)]
        yield _eliminated([*system, *chosen], unknown, is_length)


def never_negative(goal: Dim, ranges: Ranges, assumed: Sequence[Poly] = ()) -> bool:
    """Whether a length or a difference of some is never negative, whatever the arguments are."""
    return all(map(_contradicts, remaining(goal, ranges, lambda atom: True, assumed)))


def _contradicts(left: Sequence[Poly]) -> bool:
    return any(not terms.keys() - {()} for terms in left)


def follows(d: Dim, about: Mapping[Node, Sequence[Dim]], added: int = _ADDED) -> bool:
    """Whether `d` is not negative, as so many facts show: those `about` an atom, by the atom."""
    if non_negative(d):
        return True
    if not added or isinstance(d, int):
        return False
    terms = dims.poly(d)
    for monomial, factor in terms.items():
        if not monomial or (factor > 0 and _is_natural_product(monomial)):
            continue
        # What is in the way must be made up for, by one fact or another.
        for fact in dict.fromkeys(f for atom in monomial for f in about.get(atom, ())):
            own = dims.poly(fact).get(monomial, 0)
            if own and factor % own == 0 and factor // own > 0:
                rest = dims.sub(d, dims.mul(factor // own, fact))
                simpler = len(dims.poly(rest)) <= len(terms) + 1
                if simpler and follows(rest, about, added - 1):
                    return True
        return False
    return False


def _is_natural_product(monomial: Monomial) -> bool:
    """Whether a product is never negative: of what is not, and of squares."""
    return all(non_negative(atom) or monomial.count(atom) % 2 == 0 for atom in monomial)


# Facts --------------------------------------------------------------------------------------------


def _facts(
    system: Sequence[Poly], ranges: Ranges, is_length: Callable[[Node], bool]
) -> tuple[list[Poly], list[Node]]:
    """What is known of the atoms of a system, and of its products; atoms that are one of two."""
    found: list[Poly] = []
    choices: list[Node] = []
    seen: set[object] = set()
    stack = [m for terms in system for m in terms]
    while stack:
        monomial = stack.pop()
        new: list[Poly] = []
        if len(monomial) > 1 and monomial not in seen:
            seen.add(monomial)
            new += _of_product(monomial, ranges, is_length)
        for atom in monomial:
            if atom not in seen:
                seen.add(atom)
                new += _of_atom(atom, ranges, is_length)
                choices += [atom] if atom.op in (_MAXIMUM, _MINIMUM) else []
                if is_length(atom):
                    found.append({(atom,): 1})
        found += new
        stack += [m for terms in new for m in terms]
    return found, choices[:_CHOICES]


def _of_atom(atom: Node, ranges: Ranges, is_length: Callable[[Node], bool]) -> list[Poly]:
    if atom in ranges:
        low, high = ranges[atom]
        return [dims.poly(dims.sub(atom, low)), dims.poly(dims.sub(high, atom))]
    if atom.op not in (_FLOOR, _REST, _MAXIMUM, _MINIMUM):
        return []
    first, second = map(dims.from_node, atom.args)
    if atom.op in (_MAXIMUM, _MINIMUM):
        beyond = [dims.sub(atom, d) for d in (first, second)]
        sign = 1 if atom.op is _MAXIMUM else -1
        return [dims.poly(dims.mul(sign, d)) for d in beyond]
    if isinstance(second, int):
        if second <= 0:
            return []
    elif atom.op is _FLOOR or not is_length(second):  # by 0, no one divides
        return []
    rest: Dim = atom if atom.op is _REST else dims.sub(first, dims.mul(second, atom))
    found = [rest, dims.sub(dims.sub(second, 1), rest)]
    if atom.op is _REST and never_negative(first, ranges):
        found.append(dims.sub(first, rest))
    return [dims.poly(d) for d in found]


def _chosen(atom: Node, k: int) -> list[Poly]:
    """What holds where an extreme is its operand `k`."""
    one, other = map(dims.from_node, (atom.args[k], atom.args[1 - k]))
    sign = 1 if atom.op is _MAXIMUM else -1
    same, beyond = dims.sub(one, atom), dims.mul(sign, dims.sub(one, other))
    return [dims.poly(same), dims.poly(dims.mul(-1, same)), dims.poly(beyond)]


def _of_product(
    monomial: Monomial, ranges: Ranges, is_length: Callable[[Node], bool]
) -> list[Poly]:
    """The bounds of an atom, times the others, which are not negative."""
    for k, atom in enumerate(monomial):
        others = monomial[:k] + monomial[k + 1 :]
        if atom in ranges and all(is_length(a) or _is_natural(a, ranges) for a in others):
            rest = dims.product(others)
            low, high = ranges[atom]
            bounds = (dims.sub(atom, low), dims.sub(high, atom))
            return [dims.poly(dims.mul(bound, rest)) for bound in bounds]
    return [{monomial: 1}] if all(map(is_length, monomial)) else []


def _is_natural(atom: Node, ranges: Ranges) -> bool:
    low = ranges[atom][0] if atom in ranges else -1
    return isinstance(low, int) and low >= 0


# Elimination --------------------------------------------------------------------------------------


def _eliminated(
    system: Iterable[Poly], unknown: Callable[[Node], bool], is_length: Callable[[Node], bool]
) -> list[Poly]:
    """What a system says of the monomials without unknown atoms."""
    known: dict[Monomial, bool] = {}

    def is_open(monomial: Monomial) -> bool:
        if monomial not in known:
            known[monomial] = any(map(unknown, monomial))
        return known[monomial]

    rows = _strongest(system, is_length)
    while True:
        count: dict[Monomial, list[int]] = {}
        for row in rows:
            for monomial, factor in row.items():
                if monomial and is_open(monomial):
                    count.setdefault(monomial, [0, 0])[factor > 0] += 1
        if not count:
            return rows
        least = min(count, key=lambda m: (count[m][0] * count[m][1] - sum(count[m]), -len(m)))
        lower = [row for row in rows if row.get(least, 0) > 0]
        upper = [row for row in rows if row.get(least, 0) < 0]
        joined = [_sum(a, -b[least], b, a[least]) for a in lower for b in upper]
        rows = _strongest([*(row for row in rows if least not in row), *joined], is_length)
        if len(rows) > _MOST:
            return []


def _sum(a: Poly, p: int, b: Poly, q: int) -> Poly:
    """``p * a + q * b``, without what cancels."""
    terms = {monomial: p * factor for monomial, factor in a.items()}
    for monomial, factor in b.items():
        terms[monomial] = terms.get(monomial, 0) + q * factor
    return {monomial: factor for monomial, factor in terms.items() if factor}


def _strongest(system: Iterable[Poly], is_length: Callable[[Node], bool]) -> list[Poly]:
    """The inequalities in lowest terms, of those that differ by a number the strongest."""
    found: dict[frozenset[tuple[Monomial, int]], Poly] = {}
    for terms in system:
        shared = math.gcd(*(factor for monomial, factor in terms.items() if monomial))
        if not shared:
            if terms.get((), 0) < 0:
                return [terms]  # which cannot be
            continue
        row = {monomial: factor // shared for monomial, factor in terms.items()}
        key = frozenset((m, factor) for m, factor in row.items() if m)
        sums = len(key) > 1 and row.get((), 0) >= 0 and all(factor > 0 for _, factor in key)
        if sums and all(is_length(atom) for monomial, _ in key for atom in monomial):
            continue
        if key not in found or row.get((), 0) < found[key].get((), 0):
            found[key] = row
    return list(found.values())


def reaches(node: Node, atoms: Iterable[Node]) -> bool:
    """Whether a node is computed from one of these."""
    return not set(atoms).isdisjoint(postorder([node]))
