"""Which places of an array entries of index vectors name: whether two of them ever are one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tracejit.ir import dims
from tracejit.ir.closing import placeholder
from tracejit.ir.dims import INT_SCALAR, Dim
from tracejit.ir.interpret import evaluate
from tracejit.lower.access import Dynamic, Entry, apart, identity

N, K, S = dims.dim("x", 0), *(placeholder(INT_SCALAR) for _ in range(2))
#: ``0 <= S < K``: the step of an inner loop.
RANGES = {S: (0, dims.sub(K, 1))}
ABOVE = dims.sub(dims.sub(N, K), 1)


def at(start: Dim, step: int = 0, axis: int | None = None) -> Entry:
    return Entry(start, step, axis)


@pytest.mark.parametrize(
    "a, b, domain",
    [
        (at(K), at(dims.add(K, 1), 1, 0), (ABOVE,)),  # a[k], a[k + 1:]
        (at(0, 1, 0), at(K), (K,)),  # x[:k], x[k]
        (at(0, 1, 0), at(K, 1, 1), (K, ABOVE)),  # x[:k], x[k:]
        (at(dims.sub(K, 1), -1, 0), at(K, 1, 0), (K,)),  # x[k - 1::-1], x[k:]
        (at(0, 2, 0), at(1, 2, 1), (N, N)),  # x[::2], x[1::2]
        (at(S), at(K), ()),  # q[:, i], q[:, j]
        (at(3), at(5), ()),
    ],
)
def test_places_that_never_meet(a: Entry, b: Entry, domain: tuple[Dim, ...]) -> None:
    assert apart(a, b, domain, RANGES) and apart(b, a, domain, RANGES)


def test_places_that_may_meet() -> None:
    assert not apart(at(K), at(K, 1, 0), (N,), RANGES)
    assert not apart(at(S), at(dims.sub(K, 1)), (), RANGES)
    assert not apart(at(0, 2, 0), at(1, 3, 1), (N, N), RANGES)
    looked_up = Dynamic(N, identity(1))
    assert not apart(looked_up, at(K), (N,), RANGES) and not apart(at(K), None, (), RANGES)


@pytest.mark.parametrize("seed", range(120))
def test_nothing_is_taken_for_apart_that_meets(seed: int) -> None:
    rng = random.Random(seed)

    def length() -> Dim:
        return rng.choice((K, ABOVE, N, S, dims.add(S, 1), 2))

    def start() -> Dim:
        return dims.add(rng.choice((0, K, S, K)), rng.randint(-1, 2))

    domain = (length(), length())
    a, b = (at(start(), rng.choice((-2, -1, 1, 1, 2)), k) for k in (0, 1))
    b = rng.choice((b, at(start())))
    if not apart(a, b, domain, RANGES):
        return
    for n in range(6):
        for k in range(n):
            for s in range(k):
                env = {"x": np.empty(n), K.attr[0]: k, S.attr[0]: s}
                assert not places(a, domain, env) & places(b, domain, env)


def places(entry: Entry, domain: tuple[Dim, ...], env: dict[str, object]) -> set[int]:
    def number(d: Dim) -> int:
        return int(evaluate([dims.as_node(d)], env)[0])

    count = 1 if entry.axis is None else number(domain[entry.axis])
    return {number(entry.start) + entry.step * i for i in range(count)}
