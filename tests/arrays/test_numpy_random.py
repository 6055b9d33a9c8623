"""NumPy's random module in decorated functions: the numbers, and the state that is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.random import default_rng, rand

import tracejit

X = np.arange(6.0)
normal_of = np.random.normal


def same(found: Any, expected: Any) -> None:
    """Equal, class by class, generators by their states."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, (tuple, list)):
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            same(a, b)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, np.random.Generator):
        assert str(found.bit_generator.state) == str(expected.bit_generator.state)
    elif isinstance(expected, np.random.RandomState):
        same(found.get_state(), expected.get_state())
    else:
        assert found == expected


def agrees(f: Any, *args: Any, modes: tuple[bool, ...] = (False, True)) -> Any:
    """`f` decorated and plain, of a global generator in the same states: results and states."""
    before = np.random.get_state()
    try:
        for compiled in modes:
            with tracejit.config(compile=compiled, check=True):
                g = tracejit.function(f)
                for k in range(3):
                    given = [[a.copy() if hasattr(a, "copy") else a for a in args] for _ in "ab"]
                    np.random.seed(k)
                    want = f(*given[0]), np.random.get_state(), given[0]
                    np.random.seed(k)
                    same((g(*given[1]), np.random.get_state(), given[1]), want)
                assert g.stats.traces == 1 and g.stats.fallbacks == 0
    finally:
        np.random.set_state(before)
    return g


def methods_of_the_module(x):
    return (
        x + np.random.rand(6), np.random.normal(size=x.shape), np.random.randint(0, 9, size=3),
        np.random.randn(2, 3), np.random.sample(3), np.random.ranf(), np.random.exponential(2.0, 3),
        np.random.multivariate_normal(np.zeros(2), np.eye(2)), np.random.random(), rand(2),
        normal_of(3.0, 0.5), np.random.binomial(10, 0.3, 4), np.random.poisson(3.0, 2),
    )  # fmt: skip


def seeded(x):
    np.random.seed(5)
    a = x + np.random.randn(6)
    np.random.seed([1, 2])
    return a, np.random.uniform(), np.random.random(2)


def state_and_back(x):
    state = np.random.get_state()
    a = np.random.rand(2)
    np.random.set_state(state)
    return a - np.random.rand(2), state


def orders(x):
    y = x * 2
    np.random.shuffle(y)
    z = (x + 1).reshape(3, 2)
    np.random.shuffle(z)
    return (
        y, z, np.random.permutation(x + 1), np.random.choice(x + 1, 3), np.random.permutation(4),
        np.random.choice(5, 2, replace=False), np.random.choice(x * 3, (2, 2), p=np.full(6, 1 / 6)),
        np.random.choice(["a", "b"]) if len(x) > 100 else 0,
    )  # fmt: skip


def in_place(x):
    np.random.shuffle(x)
    return x[0]


def made(x):
    r, g = np.random.RandomState(3), np.random.Generator(np.random.PCG64(4))
    m = np.random.Generator(np.random.MT19937(1))
    return r.rand(3), g.normal(), m.random(2), r, g, np.random.default_rng([1, 2]).random()


def made_by_seed(x, seed):
    rng = default_rng(seed)
    y = x.copy()
    rng.shuffle(y)
    return rng.normal(size=6) + x, rng.integers(0, 10, 4), rng, y, rng.permutation(y)


@pytest.mark.parametrize(
    "f", [methods_of_the_module, seeded, state_and_back, orders, in_place, made]
)
def test_numbers_and_states(f):
    agrees(f, X)


def test_generators_of_a_seed_that_is_an_argument():
    agrees(made_by_seed, X, 3)
    f = tracejit.function(made_by_seed)
    for seed in (1, 2, 1):
        same(f(X, seed), made_by_seed(X, seed))
    assert f.stats.traces == 1


def test_without_a_seed_numbers_differ():
    f = tracejit.function(lambda x: x + np.random.default_rng().random(6))
    assert (f(X) != f(X)).any() and f.stats.traces == 1


class Walker:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.x = np.zeros(3)

    def step(self):
        self.x = self.x + self.rng.normal(size=3)
        return self.x


def test_a_generator_that_is_an_attribute():
    f = tracejit.function(Walker.step)
    one, two = Walker(1), Walker(1)
    for _ in range(3):
        same(f(one), two.step())
        same(one.rng, two.rng)
    one.rng, two.rng = np.random.default_rng(5), np.random.default_rng(5)
    same(f(one), two.step())
    assert f.stats.traces == 1


@pytest.mark.parametrize("draws", [0, 1])
def test_exceptions_leave_the_state_that_numpy_leaves(draws):
    def f(x, k):
        if draws:
            x = x + np.random.rand(6)
        y = x[k]
        return y + np.random.rand()

    g = tracejit.function(f)
    g(X, np.array(3))
    states = []
    for h in (f, g):
        np.random.seed(1)
        with pytest.raises(IndexError):
            h(X, np.array(9))
        states.append(np.random.get_state())
    same(*states)
