"""Comparisons of lengths: what is certain of them, and what they say, against small values."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from tracejit.ir import dims, lengths
from tracejit.ir.dims import Dim
from tracejit.ir.interpret import evaluate

N, M = dims.dim("x", 0), dims.dim("x", 1)
SIZES = list(itertools.product(range(4), repeat=2))


def value(d: Dim, n: int, m: int) -> int:
    return int(evaluate([dims.as_node(d)], {"x": np.empty((n, m))})[0])


def some(rng: random.Random) -> Dim:
    """A length, or a difference of some."""
    atoms = (N, M, dims.mul(N, M), dims.floordiv(N, 2), dims.mod(M, 3), dims.maximum(N, M))
    result: Dim = rng.randint(-3, 3)
    for atom in rng.sample(atoms, rng.randint(0, 2)):
        result = dims.add(result, dims.mul(rng.randint(-2, 2), atom))
    return result


@pytest.mark.parametrize("seed", range(80))
@pytest.mark.parametrize("name", lengths.NEGATED)
def test_what_is_certain_is_so(name: str, seed: int) -> None:
    d = some(random.Random(seed))
    certain, says = lengths.certain(name, d), lengths.not_negative(name, d)
    denied = lengths.not_negative(lengths.NEGATED[name], d)
    for n, m in SIZES:
        now = value(d, n, m)
        answer = bool(getattr(np, name)(now, 0))
        assert certain is None or certain == answer
        assert all(value(fact, n, m) >= 0 for fact in (says if answer else denied))
        assert not (lengths.non_negative(d) and now < 0)


def test_one_inequality_says_all_but_of_equality() -> None:
    for name in lengths.NEGATED:
        count = {"equal": 2, "not_equal": 0}.get(name, 1)
        assert len(lengths.not_negative(name, N)) == count
