"""What follows from inequalities of lengths, and bounds of lengths, against all small values."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from tracejit.ir import dims
from tracejit.ir.bounds import most
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.inequalities import follows, never_negative, remaining
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import Node

N, M = dims.dim("x", 0), dims.dim("x", 1)
S, T = placeholder(INT_SCALAR), placeholder(INT_SCALAR)
#: A triangle: 0 <= S < N, and 0 <= T < S.
TRIANGLE: dict[Node, tuple[Dim, Dim]] = {S: (0, dims.sub(N, 1)), T: (0, dims.sub(S, 1))}


def linear(i: int = 0, j: int = 0, n: int = 0, one: int = 0) -> Dim:
    """``i * S + j * T + n * N + one``."""
    result: Dim = one
    for factor, atom in ((i, S), (j, T), (n, N)):
        result = dims.add(result, dims.mul(factor, atom))
    return result


def value(d: Dim, i: int, j: int, n: int, m: int = 3) -> int:
    env = {S.attr[0]: i, T.attr[0]: j, "x": np.empty((n, m))}
    return int(evaluate([dims.as_node(d)], env)[0])


@pytest.mark.parametrize(
    "goal",
    [
        linear(n=1, i=-1, one=-1), linear(i=1, j=-1, one=-1), linear(n=1, j=-1, one=-2),
        linear(i=2, j=-1), dims.sub(N, dims.floordiv(S, 2)), dims.sub(S, dims.floordiv(S, 3)),
        dims.sub(1, dims.mod(S, 2)), dims.sub(dims.mul(N, M), dims.mul(S, M)),
        dims.sub(dims.mul(M, S), dims.mul(M, T)), dims.floordiv(dims.sub(N, S), 2),
        dims.maximum(0, dims.sub(S, 3)), dims.sub(S, dims.maximum(dims.sub(S, 3), 0)),
        dims.sub(N, dims.minimum(N, dims.add(S, 9))),
        dims.sub(dims.minimum(N, dims.add(S, 3)), dims.maximum(0, dims.sub(S, 2))),
        dims.sub(dims.sub(N, 1), dims.mod(dims.add(S, T), N)),
        dims.sub(dims.add(S, 1), dims.mod(dims.add(S, 1), N)),
    ],
)  # fmt: skip
def test_what_holds_at_every_step(goal: Dim) -> None:
    assert never_negative(goal, TRIANGLE)


@pytest.mark.parametrize(
    "goal", [linear(i=1, one=-2), linear(n=1, i=-1, one=-2), linear(j=2, i=-1), linear(n=-1, i=1)]
)
def test_what_does_not(goal: Dim) -> None:
    assert not never_negative(goal, TRIANGLE)


def test_what_is_left_is_of_lengths_around() -> None:
    """``S <= M``, where S goes up to N: if N - 1 <= M."""
    goal = dims.sub(M, S)
    [left] = remaining(goal, TRIANGLE, lambda atom: atom in TRIANGLE)
    assert dims.poly(dims.sub(dims.sub(N, M), 2)) in left


@pytest.mark.parametrize("seed", range(250))
def test_nothing_is_taken_for_proven_that_fails(seed: int) -> None:
    rng = random.Random(seed)
    goal = linear(*(rng.randint(-2, 2) for _ in range(3)), one=rng.randint(-2, 3))
    if rng.random() < 0.4:
        inner = linear(*(rng.randint(-2, 2) for _ in range(3)), one=rng.randint(-2, 2))
        other = linear(*(rng.randint(-1, 1) for _ in range(3)), one=rng.randint(-2, 2))
        atoms = dims.floordiv(inner, 2), dims.mod(inner, 3), dims.maximum(inner, other)
        atom = rng.choice((*atoms, dims.minimum(inner, other), dims.mod(inner, N)))
        goal = dims.add(goal, dims.mul(rng.choice((-1, 1)), atom))
    last = linear(i=rng.choice((0, 1)), n=rng.choice((0, 1)), one=rng.randint(-2, 2))
    ranges = {S: (0, dims.sub(N, rng.randint(0, 2))), T: (0, last)}
    proven, bound = never_negative(goal, ranges), most(goal, {T: ranges[T]})
    for n, i, j in itertools.product(range(1, 6), range(7), range(12)):
        if i > value(ranges[S][1], i, j, n) or j > value(last, i, j, n):
            continue
        now = value(goal, i, j, n)
        assert not proven or now >= 0
        assert bound is None or now <= value(bound, i, 99, n)


def about(facts: list[Dim]) -> dict[Node, list[Dim]]:
    """Facts by what they are about."""
    found: dict[Node, list[Dim]] = {}
    for fact in facts:
        for atom in {a for monomial in dims.poly(fact) for a in monomial}:
            found.setdefault(atom, []).append(fact)
    return found


def test_what_follows_from_a_few_facts() -> None:
    facts = about([S, dims.sub(T, S), linear(n=1, j=-1, one=-1), dims.mul(S, dims.sub(T, M))])
    assert follows(linear(n=1, i=-1, one=-1), facts)  # S <= T <= N - 1
    assert follows(linear(i=2, j=3), facts)
    assert follows(dims.mul(S, dims.sub(dims.add(T, 1), M)), facts)
    assert not follows(linear(n=1, j=-1, one=-2), facts)
    assert not follows(linear(n=1, i=-1, one=-1), facts, added=1)
    assert not follows(linear(n=1, i=-1, one=-1), about([S]))


@pytest.mark.parametrize("seed", range(250))
def test_nothing_follows_that_fails(seed: int) -> None:
    rng = random.Random(seed)

    def some() -> Dim:
        d = linear(*(rng.randint(-2, 2) for _ in range(3)), one=rng.randint(-2, 3))
        return dims.add(d, dims.mul(rng.randint(-1, 1), dims.mul(S, rng.choice((S, T, N)))))

    facts, goal = [some() for _ in range(rng.randint(1, 4))], rng.choice((some(), 0))
    for fact in facts:
        goal = dims.add(goal, dims.mul(rng.randint(0, 2), fact))
    goal = dims.sub(goal, rng.choice((0, 0, 0, 1)))
    if not follows(goal, about([f for f in facts if isinstance(f, Node)])):
        return
    for n, i, j in itertools.product(range(4), range(-4, 5), range(-4, 5)):
        if all(value(f, i, j, n) >= 0 for f in facts):
            assert value(goal, i, j, n) >= 0
