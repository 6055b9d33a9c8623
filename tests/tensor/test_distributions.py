"""Goodness of fit: every distribution of every family, over a million numbers of a fixed seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats

import tracejit
from tracejit import MRG_RandomStreams, PhiloxRandomStreams, RandomStreams

COUNT = 1_000_000
LEAST = 1e-4
Row = tuple[Callable[[Any, Any], Any], Any]

CONTINUOUS: dict[str, Row] = {
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
DISCRETE: dict[str, Row] = {
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

#: What MRG_RandomStreams has.
MRG = {name: CONTINUOUS[name] for name in ("uniform", "normal")} | {
    "float32 uniform": (
        lambda s, n: s.uniform(n, dtype="float32"), scipy.stats.uniform()
    ),
}  # fmt: skip
CASES = [
    *(
        (family, name, row)
        for family in (RandomStreams, PhiloxRandomStreams)
        for name, row in CONTINUOUS.items()
    ),
    *((MRG_RandomStreams, name, row) for name, row in MRG.items()),
]
COUNTED = [
    *(
        (family, name, row)
        for family in (RandomStreams, PhiloxRandomStreams)
        for name, row in DISCRETE.items()
    ),
    (MRG_RandomStreams, "binomial", DISCRETE["binomial"]),
]


def drawn(family, make):
    with tracejit.config(on_unsupported="error"):
        f = tracejit.function([], make(family(11), (COUNT,)))
        numbers = f()
    assert f.stats.fallbacks == 0
    return numbers


def check_moments(numbers, law):
    assert abs(numbers.mean(dtype=float) - law.mean()) < 6 * law.std() / np.sqrt(COUNT)
    fourth = float(law.stats(moments="k")) + 3
    assert abs(numbers.var(dtype=float) / law.var() - 1) < 6 * np.sqrt((fourth - 1) / COUNT)


@pytest.mark.parametrize(
    "family, name, row",
    CASES,
    ids=lambda v: getattr(v, "__name__", v) if not isinstance(v, tuple) else "",
)
def test_continuous_distributions(family, name, row):
    """By Kolmogorov and Smirnov."""
    make, law = row
    numbers = drawn(family, make)
    assert scipy.stats.kstest(numbers.astype(float), law.cdf).pvalue > LEAST
    check_moments(numbers, law)


@pytest.mark.parametrize(
    "family, name, row",
    COUNTED,
    ids=lambda v: getattr(v, "__name__", v) if not isinstance(v, tuple) else "",
)
def test_discrete_distributions(family, name, row):
    """By chi-squared, with what is rare as one class."""
    make, law = row
    numbers = drawn(family, make)
    values = np.arange(int(law.ppf(1e-5)), int(law.ppf(1 - 1e-5)) + 1)
    expected = law.pmf(values) * COUNT
    values, expected = values[expected > 20], expected[expected > 20]
    seen = np.array([(numbers == v).sum() for v in values])
    if COUNT - expected.sum() > 20:
        seen, expected = (
            np.append(seen, COUNT - seen.sum()),
            np.append(expected, COUNT - expected.sum()),
        )
    assert scipy.stats.chisquare(seen, expected / expected.sum() * seen.sum()).pvalue > LEAST
    check_moments(numbers, law)


def test_truncated_normal_of_mrg():
    """Theano's way of drawing again is not quite that of the law: what it promises is tested."""
    numbers = drawn(MRG_RandomStreams, lambda s, n: s.truncated_normal(n, 1.0, 2.0))
    scale = 2 / scipy.stats.truncnorm(-2, 2).std()
    assert abs(numbers - 1).max() <= 2 * scale
    assert abs(numbers.mean() - 1) < 0.01 and abs(numbers.std() / 2 - 1) < 0.02


def test_multinomial_of_mrg():
    """One trial of each row, by chi-squared."""
    chances = np.array([0.1, 0.2, 0.3, 0.4])
    rows = np.tile(chances, (100_000, 1))
    found = tracejit.function([], MRG_RandomStreams(5).multinomial(pvals=rows))()
    assert (found.sum(axis=1) == 1).all()
    assert scipy.stats.chisquare(found.sum(axis=0), chances * 100_000).pvalue > LEAST


@pytest.mark.parametrize(
    "family", [RandomStreams, MRG_RandomStreams, PhiloxRandomStreams], ids=lambda f: f.__name__
)
def test_variables_of_one_family_are_not_correlated(family):
    """The largest of half a million correlations is what chance makes it."""
    many, count = 1_000, 2_000
    srng = family(17)
    rows = np.array([_values(srng.uniform((count,)), count) for _ in range(many)])
    rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    off = (rows @ rows.T / count)[np.triu_indices(many, 1)] * np.sqrt(count)
    # Pairs of independent rows: about normal numbers of deviation 1.
    assert abs(off).max() < scipy.stats.norm.isf(LEAST / 2 / off.size)
    assert abs(off.std() - 1) < 0.02 and abs(off.mean()) < 0.02


def _values(variable, count):
    """What a variable draws first, by the interpreter: a thousand functions need no compiler."""
    with tracejit.config(compile=False):
        return tracejit.function([], variable)()


ALL = {**CONTINUOUS, **DISCRETE} | {
    "randint of many": (lambda s, n: s.randint(n, -(2**62), 2**62), None),
    "permutation": (lambda s, n: s.permutation(n, 7), None),
    "multinomial": (lambda s, n: s.multinomial(n, 20, [0.2, 0.3, 0.5]), None),
    "choice of distinct": (lambda s, n: s.choice(n, 1_000, replace=False), None),
    "shuffled": (lambda s, n: s.shuffle_row_elements(np.arange(30.0).reshape(5, 6)), None),
    "float32 normal": (lambda s, n: s.normal(n, 1.0, 2.0, dtype="float32"), None),
}


@pytest.mark.parametrize("name", ALL)
def test_philox_compiled_as_interpreted(name):
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
