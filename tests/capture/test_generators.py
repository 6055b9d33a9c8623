"""NumPy's generators and families of random variables in decorated functions."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit import (
    MRG_RandomStreams,
    PhiloxRandomStreams,
    RandomStreams,
    UnsupportedError,
    UnsupportedWarning,
)

BITS = [np.random.PCG64, np.random.Philox, np.random.MT19937, np.random.SFC64]
X = np.arange(5.0)


@pytest.fixture(params=[True, False], ids=["compiled", "interpreted"], autouse=True)
def compiled(request):
    with tracejit.config(compile=request.param, check=True, on_unsupported="error"):
        yield


def pair(make=lambda: np.random.default_rng(3)):
    return make(), make()


def agree(f, rng, plain, *args):
    """One call draws as plain NumPy does, and leaves the generator where that does."""
    got, want = f(rng, *args), f.__wrapped__(plain, *args)
    for g, w in zip(np.atleast_1d(got), np.atleast_1d(want), strict=True):
        np.testing.assert_array_equal(g, w)
        assert g.dtype == w.dtype
    assert rng.random_sample() == plain.random_sample() if hasattr(rng, "seed") else (
        rng.random() == plain.random()
    )  # fmt: skip


@pytest.mark.parametrize("bits", BITS)
def test_an_argument_draws_as_numpy_does(bits):
    @tracejit.function
    def f(rng, x, s):
        a = rng.normal(0.0, s, size=x.shape)
        b = rng.integers(0, 10, size=(3, x.shape[0]), dtype=np.int32)
        return x * a + rng.random() + b.sum(axis=0) + rng.uniform(-s, s)

    rng, plain = pair(lambda: np.random.Generator(bits(3)))
    for n in (4, 7, 1):
        agree(f, rng, plain, np.arange(float(n)), 2.0)
    assert f.stats.traces == 2 and f.stats.fallbacks == 0  # a length of 1 is a case of its own


ELEMENTS: dict[str, tuple[Any, ...]] = {
    "standard_normal": (), "normal": (1.0, 2.0), "uniform": (1.0, 2.0), "exponential": (2.0,),
    "standard_exponential": (), "standard_gamma": (2.0,), "gamma": (2.0, 3.0), "beta": (2.0, 3.0),
    "binomial": (9, 0.4), "negative_binomial": (3, 0.4), "chisquare": (3.0,), "f": (3.0, 4.0),
    "geometric": (0.3,), "gumbel": (1.0, 2.0), "hypergeometric": (5, 6, 7), "laplace": (1.0, 2.0),
    "logistic": (1.0, 2.0), "lognormal": (1.0, 0.5), "logseries": (0.5,), "pareto": (3.0,),
    "noncentral_chisquare": (3.0, 1.0), "noncentral_f": (3.0, 4.0, 1.0), "poisson": (3.0,),
    "power": (3.0,), "rayleigh": (2.0,), "standard_cauchy": (), "standard_t": (3.0,),
    "triangular": (0.0, 1.0, 2.0), "vonmises": (0.0, 1.0), "wald": (1.0, 2.0), "weibull": (2.0,),
    "zipf": (3.0,),
}  # fmt: skip


@pytest.mark.parametrize("make", [
    lambda: np.random.default_rng(3), lambda: np.random.RandomState(3)
], ids=["Generator", "RandomState"])  # fmt: skip
def test_every_distribution(make):
    """In one function: alone, with a size, and with an array of parameters."""

    @tracejit.function
    def f(rng, x):
        found = []
        for name, parameters in ELEMENTS.items():
            draw = getattr(rng, name)
            found += [draw(*parameters) + x[0], draw(*parameters, size=(2, 3)) * 1]
            if parameters and name != "hypergeometric":
                found.append(draw(parameters[0], *parameters[1:], size=x.shape) * 1)
        return found

    rng, plain = make(), make()
    for _ in range(2):
        got, want = f(rng, X), f.__wrapped__(plain, X)
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)
            assert np.asarray(g).dtype == np.asarray(w).dtype
    assert f.stats.traces == 1


def test_rows_choices_and_permutations():
    @tracejit.function
    def f(rng, x, p, n):
        return (
            rng.multinomial(10, p, size=4) + 0,
            rng.multinomial(10, p) + 0,
            rng.dirichlet(p, size=n) + 0,
            rng.choice(n, size=3, replace=False) + 0,
            rng.choice(x, size=(2, 2), p=p) + 0,
            rng.choice(x) + 0,
            rng.permutation(x) + 0,
            rng.permutation(n) + 0,
        )

    rng, plain = pair()
    for n in (9, 12):
        got, want = (g(r, X, np.ones(5) / 5, n) for g, r in ((f, rng), (f.__wrapped__, plain)))
        for g, w in zip(got, want, strict=True):
            np.testing.assert_array_equal(g, w)
    assert f.stats.traces == 1


def test_parameters_that_are_arguments_and_lengths():
    @tracejit.function
    def f(rng, mean, scale, n):
        return rng.normal(mean, scale) + rng.normal(mean, 2 * n, size=(n, mean.shape[0]))[n - 1]

    for n in (3, 8):
        agree(f, *pair(), X, np.ones(5), n)
    assert f.stats.traces == 1


def test_random_states_of_the_legacy_kind():
    @tracejit.function
    def f(rng, x):
        a = rng.rand(2, 5) + rng.randn(5)
        return a + rng.randint(0, 9, size=5) + rng.random_sample(5) + rng.standard_normal() + x

    rng, plain = pair(lambda: np.random.RandomState(5))
    for _ in range(2):
        np.testing.assert_array_equal(f(rng, X), f.__wrapped__(plain, X))
    same = zip(rng.get_state()[1:], plain.get_state()[1:], strict=True)
    assert all(np.array_equal(a, b) for a, b in same)


def test_arguments_of_another_kind_draw_once():
    """The path of the last call finds out late that it is for others; nothing is lost."""

    @tracejit.function
    def f(rng, x):
        return x * rng.random(x.shape[-1:]) + rng.random()

    rng, plain = pair()
    wide = np.arange(12.0).reshape(4, 3)
    kinds = (X, np.float32(X), np.float16(X), np.arange(5), wide, wide[:, ::2], wide.T, X[:1], X)
    for x in (*kinds, *kinds):
        agree(f, rng, plain, x)


@dataclass
class Model:
    rng: Any
    w: Any


shared_rng = np.random.default_rng(8)


def test_one_inside_a_structure_and_a_captured_one():
    @tracejit.function
    def inside(model, x):
        return x * model.w + model.rng.random(x.shape)

    @tracejit.function
    def captured(x):
        return x + shared_rng.random(x.shape)

    rng, plain = pair()
    for _ in range(2):
        got = inside(Model(rng, 2.0), X)
        np.testing.assert_array_equal(got, X * 2.0 + plain.random(5))
    want = np.random.default_rng()
    want.bit_generator.state = shared_rng.bit_generator.state
    for _ in range(2):
        np.testing.assert_array_equal(captured(X), X + want.random(5))
    assert captured.stats.traces == 1


def test_a_generator_is_returned_as_it_is_and_two_may_be_one():
    @tracejit.function
    def f(a, b):
        return a, a.random() - b.random()

    rng, plain = pair()
    returned, difference = f(rng, rng)
    assert returned is rng and difference == plain.random() - plain.random()


def test_after_an_error_the_state_is_where_numpy_leaves_it():
    @tracejit.function
    def f(rng, x, k):
        return x[k] + rng.random(x.shape)[k]

    rng, plain = pair()
    assert f(rng, X, np.array(2)) == X[2] + plain.random(5)[2]
    for g, r in ((f, rng), (f.__wrapped__, plain)):
        with pytest.raises(IndexError):
            g(r, X, np.array(9))
    assert rng.bit_generator.state == plain.bit_generator.state


def test_parameters_that_numpy_refuses():
    @tracejit.function
    def f(rng, x, s):
        return x + rng.normal(0.0, s, size=x.shape)

    rng, plain = pair()
    f(rng, X, 1.0)
    plain.normal(size=5)
    with pytest.raises(ValueError, match="scale < 0"):
        f(rng, X, -1.0)
    assert rng.bit_generator.state == plain.bit_generator.state
    with pytest.raises(ValueError, match="scale < 0"):
        tracejit.function(f.__wrapped__)(rng, X, -1.0)


@pytest.mark.parametrize("draw, reason", [
    (lambda rng, x: rng.normal(x * 2, 1.0), "computed here"),
    (lambda rng, x: rng.normal(rng.random(), 1.0), "drawn here"),
    (lambda rng, x: rng.shuffle([1, 2]), "is compiled of arrays"),
    (lambda rng, x: rng.bytes(3), "not compiled"),
    (lambda rng, x: rng.random(5, out=x), "out="),
    (lambda rng, x: x if rng.random() > 0.5 else -x, "decides"),
    (lambda rng, x: rng.permutation(x, axis=1), "axis"),
])  # fmt: skip
def test_what_is_refused(draw, reason):
    with pytest.raises(UnsupportedError, match=reason):
        tracejit.function(draw)(np.random.default_rng(3), np.ones((5, 5)))


def test_what_is_refused_runs_in_numpy():
    @tracejit.function(on_unsupported="warn")
    def f(rng, x):
        return rng.normal(x * 2, 1.0)

    rng, plain = pair()
    with pytest.warns(UnsupportedWarning, match="computed here"):
        np.testing.assert_array_equal(f(rng, X), plain.normal(X * 2, 1.0))
    assert rng.bit_generator.state == plain.bit_generator.state


def test_what_has_no_draw_says_what_to_do():
    @tracejit.function(on_unsupported="warn")
    def f(x):
        return x + len(np.random.bytes(3))

    with pytest.warns(UnsupportedWarning, match="default_rng"):
        np.testing.assert_array_equal(f(X), X + 3)
    with pytest.raises(UnsupportedError, match="default_rng"):
        tracejit.function(f.__wrapped__)(X)


# Families of random variables ---------------------------------------------------------------------

FAMILIES = [RandomStreams, MRG_RandomStreams, PhiloxRandomStreams]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_draws_as_its_symbolic_variables(family):
    srng, want = family(7), family(7)

    @tracejit.function
    def f(x, sigma):
        return x + srng.normal(x.shape, 0.0, sigma), srng.uniform((2, 2)).sum()

    g = tracejit.function([], [want.normal((5,), 0.0, 2.0), want.uniform((2, 2)).sum()])
    for _ in range(3):
        for a, b in zip(f(0 * X, 2.0), g(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)
    # A trace for another dtype goes on with the same generators.
    for a, b in zip(f(np.float32(0 * X), 2.0), g(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    assert f.stats.traces == 2 and f.stats.fallbacks == 0
    for s in (srng, want):
        s.seed(9)
    np.testing.assert_allclose(f(0 * X, 2.0)[0], g()[0], rtol=1e-12)
    symbolic = family(7).uniform((3,))
    assert tracejit.function([], symbolic, updates=srng.updates())().shape == (3,)


def test_a_loop_draws_anew_and_sizes_change():
    srng = PhiloxRandomStreams(1)

    @tracejit.function
    def f(x):
        total = x
        for _ in range(3):
            total = total + srng.uniform(x.shape)
        return total

    for n in (4, 9):
        numbers = f(np.zeros(n))
        assert len(set(numbers)) == n and numbers.max() > 1
    assert f.stats.traces == 1 and len(srng.state_updates) == 3


def test_functions_have_variables_of_their_own():
    srng = RandomStreams(1)

    def draw():
        return srng.uniform((3,))

    f, g = tracejit.function(draw), tracejit.function(lambda: srng.uniform((3,)))
    assert f().tolist() != g().tolist()


def test_an_error_leaves_the_generators_where_they_were():
    srng = RandomStreams(1)

    @tracejit.function
    def f(x, k):
        return x[k] + srng.uniform((3,))

    f(X, np.array(1))
    (generator, _), = srng.state_updates  # fmt: skip
    before = generator.get_value().get_state()[1:3]
    with pytest.raises(IndexError, match="index 9 is out of bounds"):
        f(X, np.array(9))
    after = generator.get_value().get_state()[1:3]
    assert np.array_equal(before[0], after[0]) and before[1] == after[1]


def test_eight_threads_draw_each_number_once():
    srng = PhiloxRandomStreams(1)

    @tracejit.function
    def f():
        return srng.uniform(())

    f()
    found: list[float] = []
    threads = [
        threading.Thread(target=lambda: found.extend(float(f()) for _ in range(50)))
        for _ in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(set(found)) == 400


def test_what_families_refuse():
    srng = RandomStreams(1)

    @tracejit.function
    def f(x):
        srng.seed(3)
        return x

    with pytest.raises(UnsupportedError, match="seed"):
        f(X)


@pytest.mark.parametrize("family", [RandomStreams, PhiloxRandomStreams, MRG_RandomStreams])
def test_a_family_made_inside_is_refused(family):
    """NumPy cannot run such a function either, so that a warning would not do."""

    @tracejit.function(on_unsupported="warn")
    def f(x):
        return x + family(3).uniform((5,))

    for _ in range(2):
        with pytest.raises(UnsupportedError, match=f"{family.__name__}, is made inside"):
            f(X)


@pytest.mark.parametrize("family", [RandomStreams, PhiloxRandomStreams])
@pytest.mark.parametrize("method, bad, text", [
    ("normal", -1.0, "scale < 0"), ("gamma", -1.0, "scale < 0"), ("binomial", 2.0, "p > 1"),
])  # fmt: skip
def test_parameters_that_are_refused_raise_what_numpy_raises(family, method, bad, text):
    srng = family(1)

    @tracejit.function
    def f(scale):
        return getattr(srng, method)((3,), 1, scale)

    first = f(0.5)
    with pytest.raises(ValueError, match=text) as error:
        f(bad)
    assert "test_generators.py" in error.value.__notes__[0]
    assert f.stats.compiles <= 1 and not (f(0.5) == first).all()


@pytest.mark.parametrize("family", [RandomStreams, PhiloxRandomStreams])
def test_to_look_at_a_program_draws_nothing(family):
    srng = family(1)
    f = tracejit.function(lambda x: srng.uniform((3,)) + x)
    g = tracejit.function(lambda x, rng: rng.random(3) + x)
    rng = np.random.default_rng(3)
    f.graph(1.0), g.graph(1.0, rng)
    [(state, _)] = srng.updates()
    before = state.container.value.copy()
    f.source(1.0), g.source(1.0, rng)
    np.testing.assert_array_equal(state.container.value, before)
    assert rng.random() == np.random.default_rng(3).random()
    f(1.0)
    assert not np.array_equal(state.container.value, before) and f.stats.traces == 1


# Derivatives --------------------------------------------------------------------------------------

PHILOX, MT = PhiloxRandomStreams(1), RandomStreams(1)


def test_gradients_of_functions_that_draw():
    """One draw serves the value and its derivative."""
    rng, plain = pair()
    srng = PhiloxRandomStreams(1)

    def loss(w, rng):
        return (w * rng.standard_normal(3) * srng.uniform((3,))).sum()

    value, gradient = tracejit.value_and_grad(loss)(np.ones(3), rng)
    np.testing.assert_allclose(value, gradient.sum())
    plain.standard_normal(3)
    assert rng.random() == plain.random()


@pytest.mark.parametrize("loss", [
    lambda m: PHILOX.normal((3,), m).sum(),
    lambda m: PHILOX.gamma((3,), m + 1).sum(),
    lambda m: PHILOX.uniform((3,), m, m + 1.0).sum(),
    lambda m: MT.uniform((3,), m, m + 1.0).sum(),
    lambda m: shared_rng.normal(m, 1.0, 3).sum(),
], ids=["normal", "gamma", "uniform", "mt19937", "numpy"])  # fmt: skip
def test_parameters_have_no_derivative(loss):
    with pytest.raises(tracejit.TracejitError):
        tracejit.grad(loss)(0.5)


def test_vjp_refuses_what_its_pull_would_draw_again():
    srng = PhiloxRandomStreams(1)
    for f in (lambda w: w * srng.normal((3,)), lambda w: w * shared_rng.random(3)):
        with pytest.raises(UnsupportedError, match="draws or updates"):
            tracejit.vjp(f, np.ones(3))
