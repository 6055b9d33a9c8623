"""Philox4x32-10: known answers, fused draws, the same numbers in any order; distributions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.stats

import tracejit
import tracejit.tensor as T
from tracejit import CURAND_RandomStreams, PhiloxRandomStreams
from tracejit.gradient import NullTypeGradError
from tracejit.rng import philox


@pytest.mark.parametrize("counter, key, want", [
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
])  # fmt: skip
def test_known_answers(counter, key, want):
    """The vectors of the authors' library Random123."""
    assert [int(w) for w in philox.rounds(*(np.uint64(w) for w in (*counter, *key)))] == [
        int(w, 16) for w in want.split()
    ]


def test_an_element_is_a_function_of_its_place():
    """Compiled as in NumPy, for any shape, and whatever else is drawn."""
    srng = PhiloxRandomStreams(7)
    key = srng._start(0)[0]
    n = T.lscalar("n")
    f = tracejit.function([n], srng.uniform((n, 3)))
    for draw, rows in enumerate((4, 1, 50)):
        # A row begins at a multiple of what a loop makes at a time.
        places = 2 * philox.HALF * np.arange(rows)[:, None] + np.arange(3)
        bits = philox.philox_word(key, draw, places)
        want = (bits >> np.uint64(11)).astype(float) * 2.0**-53
        np.testing.assert_array_equal(f(rows), want)
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


def test_a_draw_fuses_with_what_uses_it():
    srng = PhiloxRandomStreams(3)
    z = srng.normal((100_000,))
    price = T.maximum(100 * T.exp(0.2 * z - 0.02) - 100, 0).mean()
    f = tracejit.function([], price)
    assert abs(f() - 7.9656) < 0.15
    assert f.stats.temporaries == 0 and f.stats.loops == 2  # the draw's, and the state's
    with tracejit.config(compile=False):
        g = tracejit.function([], price, no_default_updates=True)
        h = tracejit.function([], price, no_default_updates=True)
        np.testing.assert_allclose(g(), h())


def test_threads_do_not_change_the_numbers():
    found = []
    for threads in (1, 2):
        with tracejit.config(threads=threads):
            f = tracejit.function([], PhiloxRandomStreams(5).normal((300_000,)))
            found.append(f())
    np.testing.assert_array_equal(*found)


DRAWS = {
    "uniform": (lambda s, n: s.uniform(n, -1.0, 3.0), scipy.stats.uniform(-1, 4)),
    "normal": (lambda s, n: s.normal(n, 1.0, 2.0), scipy.stats.norm(1, 2)),
    "standard_normal": (lambda s, n: s.standard_normal(n), scipy.stats.norm()),
    "lognormal": (lambda s, n: s.lognormal(n, 0.5, 0.7), scipy.stats.lognorm(0.7, 0, np.exp(0.5))),
    "exponential": (lambda s, n: s.exponential(n, 2.0), scipy.stats.expon(0, 2)),
    "weibull": (lambda s, n: s.weibull(n, 1.5), scipy.stats.weibull_min(1.5)),
    "gumbel": (lambda s, n: s.gumbel(n, 1.0, 2.0), scipy.stats.gumbel_r(1, 2)),
    "laplace": (lambda s, n: s.laplace(n, 1.0, 2.0), scipy.stats.laplace(1, 2)),
    "logistic": (lambda s, n: s.logistic(n, 1.0, 2.0), scipy.stats.logistic(1, 2)),
    "gamma": (lambda s, n: s.gamma(n, 2.5, 2.0), scipy.stats.gamma(2.5, 0, 2)),
    "gamma below 1": (lambda s, n: s.gamma(n, 0.4, 2.0), scipy.stats.gamma(0.4, 0, 2)),
    "beta": (lambda s, n: s.beta(n, 2.0, 3.5), scipy.stats.beta(2, 3.5)),
    "beta below 1": (lambda s, n: s.beta(n, 0.5, 0.7), scipy.stats.beta(0.5, 0.7)),
    "standard_t": (lambda s, n: s.standard_t(n, 7.0), scipy.stats.t(7)),
}
COUNTS = {
    "binomial": (lambda s, n: s.binomial(n, p=0.3), scipy.stats.bernoulli(0.3)),
    "binomial of many": (lambda s, n: s.binomial(n, 90, 0.6), scipy.stats.binom(90, 0.6)),
    "binomial of few": (lambda s, n: s.binomial(n, 9, 0.6), scipy.stats.binom(9, 0.6)),
    "negative_binomial": (lambda s, n: s.negative_binomial(n, 3, 0.4), scipy.stats.nbinom(3, 0.4)),
    "poisson": (lambda s, n: s.poisson(n, 3.5), scipy.stats.poisson(3.5)),
    "poisson of many": (lambda s, n: s.poisson(n, 40.0), scipy.stats.poisson(40)),
    "choice": (lambda s, n: s.choice(n, 7), scipy.stats.randint(0, 7)),
    "choice weighed": (
        lambda s, n: s.choice(n, 3, p=[0.1, 0.3, 0.6]),
        scipy.stats.rv_discrete(values=([0, 1, 2], [0.1, 0.3, 0.6])),
    ),
    "geometric": (lambda s, n: s.geometric(n, 0.2), scipy.stats.geom(0.2)),
    "random_integers": (lambda s, n: s.random_integers(n, 2, 9), scipy.stats.randint(2, 10)),
    "randint": (lambda s, n: s.randint(n, 7), scipy.stats.randint(0, 7)),
}


@pytest.mark.parametrize("name", DRAWS)
def test_continuous_distributions(name):
    """By Kolmogorov and Smirnov, over a million numbers."""
    make, law = DRAWS[name]
    f = tracejit.function([], make(PhiloxRandomStreams(11), (1_000_000,)))
    numbers = f()
    assert numbers.dtype == np.float64 and f.stats.fallbacks == 0
    assert scipy.stats.kstest(numbers, law.cdf).pvalue > 1e-4
    assert abs(numbers.mean() - law.mean()) < 6 * law.std() / 1_000


@pytest.mark.parametrize("name", COUNTS)
def test_discrete_distributions(name):
    make, law = COUNTS[name]
    numbers = tracejit.function([], make(PhiloxRandomStreams(11), (1_000_000,)))()
    values = np.arange(int(law.ppf(1e-5)), int(law.ppf(1 - 1e-5)) + 1)
    inside = np.isin(numbers, values)
    seen = np.array([(numbers == v).sum() for v in values])
    expected = law.pmf(values)
    assert inside.mean() > 1 - 1e-4
    assert scipy.stats.chisquare(seen, expected / expected.sum() * seen.sum()).pvalue > 1e-4


def test_variables_are_independent():
    srng = PhiloxRandomStreams(2)
    rows = [srng.uniform((1_000,)) for _ in range(40)]
    values = np.array(tracejit.function([], rows, mode="FAST_COMPILE")())
    off = np.corrcoef(values) - np.eye(40)
    assert abs(off).max() < 5 / np.sqrt(1_000)


def test_seeds_and_states():
    srng = PhiloxRandomStreams(2)
    u, n = srng.uniform((3,)), srng.normal((2,))
    f = tracejit.function([], [u, n])
    first = [v.tolist() for v in f()]
    assert [v.tolist() for v in f()] != first
    srng.seed()
    assert [v.tolist() for v in f()] == first
    srng.seed(9)
    assert [v.tolist() for v in f()] != first
    assert [state for state, _ in srng.updates()] == [u.rng, n.rng]
    for seed, error in ((-1, ValueError), (2**64, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(error):
            PhiloxRandomStreams(seed)


def test_float32_and_half():
    srng = PhiloxRandomStreams(2)
    f = tracejit.function([], [srng.uniform((9,), dtype=d) for d in ("float32", "float16")])
    a, b = f()
    assert (a.dtype, b.dtype) == (np.float32, np.float16) and a.max() < 1


ALL = {**DRAWS, **COUNTS} | {
    "randint of many": (lambda s, n: s.randint(n, -(2**62), 2**62), None),
    "permutation": (lambda s, n: s.permutation(n, 7), None),
    "multinomial": (lambda s, n: s.multinomial(n, 20, [0.2, 0.3, 0.5]), None),
    "choice of distinct": (lambda s, n: s.choice(n, 1_000, replace=False), None),
    "shuffled": (lambda s, n: s.shuffle_row_elements(np.arange(30.0).reshape(5, 6)), None),
    "float32 normal": (lambda s, n: s.normal(n, 1.0, 2.0, dtype="float32"), None),
}


@pytest.mark.parametrize("name", ALL)
def test_compiled_as_interpreted(name):
    """Three draws of each, and no call leaves compiled code."""
    make, _ = ALL[name]
    with tracejit.config(on_unsupported="error"):
        f = tracejit.function([], make(PhiloxRandomStreams(4), (37,)))
        compiled = [f() for _ in range(3)]
    with tracejit.config(compile=False):
        g = tracejit.function([], make(PhiloxRandomStreams(4), (37,)))
        interpreted = [g() for _ in range(3)]
    assert f.stats.fallbacks == 0
    for a, b in zip(compiled, interpreted, strict=True):
        assert a.dtype == b.dtype and a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5 if a.dtype == np.float32 else 1e-13, atol=1e-13)
    assert (compiled[0] != compiled[1]).any()


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_numbers_read_in_another_order(kind):
    """Backwards, by steps, from an odd place on, and through indices."""
    draw = lambda: getattr(PhiloxRandomStreams(4), kind)((1_000,))  # noqa: E731
    whole = tracejit.function([], draw())()
    places = np.array([999, 3, 3, 500])
    for view in (lambda x: x[::-1], lambda x: x[::3], lambda x: x[5:777], lambda x: x[places]):
        f = tracejit.function([], 1 * view(draw()))
        np.testing.assert_allclose(f(), view(whole), rtol=1e-14)


def test_rows_and_sets():
    srng = PhiloxRandomStreams(4)
    rows, counts = srng.permutation((500,), 9), srng.multinomial((500,), 20, [0.2, 0.3, 0.5])
    some, weighed = (srng.choice((40,), 60, replace=False, p=p) for p in (None, np.ones(60) / 60))
    rows, counts, some, weighed = tracejit.function([], [rows, counts, some, weighed])()
    np.testing.assert_array_equal(np.sort(rows), np.tile(np.arange(9), (500, 1)))
    assert len(np.unique(rows, axis=0)) > 490
    assert (counts.sum(axis=1) == 20).all()
    assert abs(counts.mean(axis=0) - [4, 6, 10]).max() < 0.5
    assert len(set(some)) == len(set(weighed)) == 40


@pytest.mark.parametrize("draw, message", [
    (lambda s, x: s.normal((3,), 0.0, x), "scale < 0"),
    (lambda s, x: s.normal((3,), 0.0, x * np.ones(3)), "scale < 0"),
    (lambda s, x: s.gamma((3,), x), "shape < 0"),
    (lambda s, x: s.poisson((3,), x), "lam < 0"),
    (lambda s, x: s.binomial((3,), 5, x), "p < 0"),
    (lambda s, x: s.binomial((3,), 1, x), "p < 0"),
    (lambda s, x: s.geometric((3,), x), "p "),
    (lambda s, x: s.uniform((3,), 0.0, T.switch(x < 0, np.inf, 1.0)), "bounds"),
    (lambda s, x: s.randint((3,), 0, T.cast(x, "int64")), "low >= high"),
])  # fmt: skip
def test_parameters_that_numpy_refuses(draw, message):
    """NumPy's own error, and nothing has moved."""
    x = T.dscalar("x")
    variable = draw(PhiloxRandomStreams(4), x)
    f = tracejit.function([x], variable)
    good = f(1.0)
    before = variable.rng.get_value()
    with pytest.raises((ValueError, OverflowError), match=message):
        f(-1.0)
    np.testing.assert_array_equal(variable.rng.get_value(), before)
    assert good.shape == (3,)


def test_a_draw_counts_once_for_each_of_eight_threads():
    variable = PhiloxRandomStreams(4).uniform((3,))
    f = tracejit.function([], variable)
    f()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: tuple(f()), range(800)))
    assert len(set(found)) == 800 and variable.rng.get_value()[1] == 801


def test_curands_interface():
    srng = CURAND_RandomStreams(234)
    u, n = srng.uniform((2, 2)), srng.normal((4,), avg=1.0)
    f = tracejit.function([], [u, n])
    assert f()[0].shape == (2, 2) and f()[1].shape == (4,)
    with pytest.raises(TypeError, match="tuple"):
        srng.uniform([2, 2])


def test_refusals():
    srng = PhiloxRandomStreams(2)
    mean = T.dscalar("mean")
    with pytest.raises(NullTypeGradError):
        T.grad(srng.normal((3,), avg=mean).sum(), mean)
