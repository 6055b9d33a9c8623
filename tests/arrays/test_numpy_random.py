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


# Loops and branches -------------------------------------------------------------------------------


MAKE = {
    "default_rng": lambda: np.random.default_rng(3),
    "RandomState": lambda: np.random.RandomState(3),
}


def walked(rng, n):
    x = np.zeros(3)
    for _ in range(n):
        x = x + rng.normal(size=3)
    return x


def estimated(rng, n):
    inside = 0
    for _ in range(n):
        if rng.random() ** 2 + rng.random() ** 2 < 1:
            inside += 1
    return 4 * inside / max(n, 1)


def accepted(rng, n):
    x, places, count = 0.0, np.empty(n), 0
    for k in range(n):
        y = x + rng.normal(0.0, 0.5)
        if rng.uniform() < np.exp(-0.5 * (y * y - x * x)):
            x = y
            count += 1
        places[k] = x
    return places, count


def arrivals(rng, n):
    t, k = 0.0, 0
    while t < n:
        t += rng.exponential(2.0)
        k += 1
    return k, t


def chosen(rng, n):
    counts = np.zeros(10, int)
    weights = np.linspace(0, 1, 7) * 2
    total = 0.0
    for _ in range(n):
        counts[rng.choice(10)] += 1
        total += rng.choice(weights)
    return counts, total, rng.choice(10)


def mixed(rng, n):
    a, total = rng.normal(size=4), 0.0
    for k in range(n):
        if a[k % 4] > 0:
            total += rng.standard_exponential()
        else:
            total += rng.standard_normal() * 2
    return total, rng.random(3), rng


def nested(rng, n):
    s = np.zeros((4, 2))
    for i in range(n):
        for j in range(4):
            s[j] += rng.uniform(-1, i + 1.0, size=2)
    return s


@pytest.mark.parametrize("make", list(MAKE))
@pytest.mark.parametrize("f", [walked, estimated, accepted, arrivals, chosen, mixed, nested])
def test_draws_in_loops_and_branches(f, make):
    with tracejit.config(compile=False, check=True):
        g = tracejit.function(f)
        one, two = MAKE[make](), MAKE[make]()
        for n in (0, 1, 2, 60, 75):
            same((g(one, n), one), (f(two, n), two))
        assert g.stats.fallbacks == 0


def everything(rng, n):
    x, k = np.zeros(2), np.zeros(5, int)
    for i in range(n):
        x += rng.normal(0.0, 1.0 + i, size=2) + rng.uniform(-1.0, 1.0) + rng.exponential(0.5)
        if rng.random() < 0.4:
            k[rng.choice(5)] += 1
    return x, k, rng.random()


@pytest.mark.parametrize("make", list(MAKE))
def test_draws_of_compiled_loops(make):
    g = tracejit.function(everything)
    one, two = MAKE[make](), MAKE[make]()
    for n in (100, 200):
        same((g(one, n), one), (everything(two, n), two))
    assert g.stats.fallbacks == 0 and g.stats.compiles <= 2


def test_the_global_generator_in_a_loop():
    def f(n):
        total = 0.0
        for _ in range(n):
            total += np.random.rand() * np.random.standard_normal()
        return total

    agrees(f, 70, modes=(False,))


def test_integers_of_all_ranges():
    ends = [(0, 10), (-5, -4), (0, 2**32), (-7, 2**31 + 5), (-3, 2**40), (0, 2**31)]

    def f(rng, n, low, high):
        total = np.zeros(n, np.int64)
        for k in range(n):
            total[k] = rng.integers(low, high)
        return total

    with tracejit.config(compile=False):
        g = tracejit.function(f)
        for low, high in ends:
            one, two = MAKE["default_rng"](), MAKE["default_rng"]()
            same((g(one, 60, np.int64(low), np.int64(high)), one), (f(two, 60, low, high), two))


@pytest.mark.parametrize("name", ["random", "normal", "exponential", "integers"])
def test_compiled_numbers_are_numpys(name):
    from tracejit.rng import words
    from tracejit.rng.fill import draw

    generator = np.random.default_rng(5)
    generator.integers(3)  # 32 bits wait
    state, count = words.from_generator(generator), 100_000
    given = (-3, 2**33) if name == "integers" else ()
    want, after = words.draw(f"pcg64_{name}", state, (count,), *given)
    out, new = np.empty_like(want), np.empty_like(state)
    assert not draw(f"pcg64_{name}")(state, new, out, count, *given)
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(new, after)


def test_what_numpy_refuses_in_a_loop_it_refuses():
    def f(rng, n, scale):
        total = 0.0
        for k in range(n):
            total += rng.normal(0.0, scale - k)
        return total

    g = tracejit.function(f)
    with tracejit.config(compile=False):
        one, two = MAKE["default_rng"](), MAKE["default_rng"]()
        same(g(one, 60, 100.0), f(two, 60, 100.0))
        for h, rng in ((g, one), (f, two)):
            with pytest.raises(ValueError, match="scale < 0"):
                h(rng, 60, 30.0)
        same(one, two)


def test_what_is_not_drawn_in_loops_is_refused():
    def f(rng, n):
        total = 0.0
        for _ in range(n):
            total += rng.gamma(2.0)
        return total

    with pytest.raises(tracejit.UnsupportedError):
        tracejit.function(f)(MAKE["default_rng"](), 1000)

    def later(rng, n):
        total = 0.0
        while total < n:
            total += rng.random()
        return total + rng.gamma(2.0)

    with pytest.raises(tracejit.UnsupportedError, match="a loop or a branch that draws"):
        tracejit.function(later)(MAKE["default_rng"](), np.float64(100))


class Chain:
    def __init__(self):
        self.rng, self.x, self.taken = np.random.default_rng(2), np.zeros(2), 0

    def run(self, n):
        for _ in range(n):
            new = self.x + 0.1 * self.rng.standard_normal(2)
            if self.rng.random() < 0.5:
                self.x[...] = new
                self.taken += 1


def test_objects_that_draw_in_loops():
    with tracejit.config(compile=False):
        f = tracejit.function(Chain.run)
        one, two = Chain(), Chain()
        for n in (80, 90):
            f(one, n)
            two.run(n)
            same((one.x, one.taken, one.rng), (two.x, two.taken, two.rng))
        assert f.stats.fallbacks == 0
