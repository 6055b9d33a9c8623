"""``MRG_RandomStreams``: streams and numbers of MRG31k3p, as Theano has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.gradient import NullTypeGradError
from tracejit.rng import mrg31k3p
from tracejit.sandbox.multinomial import ChoiceFromUniform, MultinomialFromUniform
from tracejit.sandbox.rng_mrg import MRG_RandomStreams, guess_n_streams

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "spec" / "mrg31k3p_samples.txt"
M1, M2 = 2**31 - 1, 2**31 - 21069


def power(matrix, n, m):
    """A matrix of Python's integers to a power, modulo `m`."""
    result = [[int(i == j) for j in range(3)] for i in range(3)]
    while n:
        if n & 1:
            result = times(result, matrix, m)
        matrix, n = times(matrix, matrix, m), n >> 1
    return result


def times(a, b, m):
    return [[sum(a[i][k] * b[k][j] for k in range(3)) % m for j in range(3)] for i in range(3)]


A = [[0, 2**22, 129], [1, 0, 0], [0, 1, 0]]
B = [[2**15, 0, 32769], [1, 0, 0], [0, 1, 0]]


def ahead(state, steps):
    """The state after any number of steps, by the definition of the two recurrences."""
    first, second = power(A, steps, M1), power(B, steps, M2)
    x = [sum(first[i][k] * state[k] for k in range(3)) % M1 for i in range(3)]
    return x + [sum(second[i][k] * state[3 + k] for k in range(3)) % M2 for i in range(3)]


def number(state):
    return (state[0] - state[3] if state[0] > state[3] else state[0] - state[3] + M1) * 2.0**-31


def samples():
    """Twelve streams of seven substreams of five numbers, from one big-integer definition."""
    return [
        number(ahead([12345] * 6, stream * 2**134 + sub * 2**72 + k))
        for stream in range(12)
        for sub in range(7)
        for k in range(1, 6)
    ]


def test_the_reference_is_theanos_file():
    if SAMPLES.exists():
        assert samples() == np.loadtxt(SAMPLES).tolist()
    assert samples()[:2] == [0.7353244530968368, 0.6142074400559068]


def test_all_420_samples():
    want = np.array(samples()).reshape(12, 7, 5)
    state = np.full(6, 12345, np.int32)
    for stream in range(12):
        for sub, first in enumerate(mrg31k3p.substreams(state, 7)):
            numbers, _ = mrg31k3p.draw(first[None], 5)
            assert (numbers * mrg31k3p.NORM).tolist() == want[stream, sub].tolist()
        state = mrg31k3p.jumped(state, mrg31k3p.VARIABLE)


def test_the_same_by_compiled_variables():
    want = np.array(samples()).reshape(12, 7, 5)
    srng = MRG_RandomStreams(12345)
    for stream in range(12):
        f = tracejit.function([], srng.uniform((7,), nstreams=7))
        got = np.stack([f() for _ in range(5)], axis=1)
        np.testing.assert_array_equal(got, want[stream])
        assert f.stats.fallbacks == 0


def test_streams_of_a_variable():
    assert mrg31k3p.substreams(mrg31k3p.check_seed(234), 2)[1].tolist() == [
        704833060, 506023153, 12815654, 2123355916, 1966261459, 499152958,
    ]  # fmt: skip
    states = mrg31k3p.substreams(mrg31k3p.check_seed(234), 100)
    for k in (2, 3, 17, 99):
        assert states[k].tolist() == ahead([234] * 6, k * 2**72)


@pytest.mark.parametrize("streams, count", [(1, 9), (4, 4), (33, 200), (300, 1000), (600, 0)])
def test_element_i_comes_from_stream_i(streams, count):
    """Compiled as interpreted, states of streams that were used more often included."""
    srng = MRG_RandomStreams(99)
    n = T.lscalar("n")
    u = srng.uniform((n,), nstreams=streams)
    [(start, *_)] = srng.state_updates
    states = start.get_value()
    f = tracejit.function([n], u)
    want, after = mrg31k3p.draw(states, count)
    np.testing.assert_array_equal(f(count), want * mrg31k3p.NORM)
    np.testing.assert_array_equal(start.get_value(), after)


def test_the_tutorials_graph():
    for seed, want in ((123, [0.23648804426193237, 0.2352812890894711, 0.4424143899232149]),
                       (987, [0.8976723556406796, 0.8879888812080026])):  # fmt: skip
        f = tracejit.function([], MRG_RandomStreams(seed).uniform((1,)))
        assert [f()[0] for _ in want] == want


def test_a_normal_variable_after_a_uniform_one():
    srng = MRG_RandomStreams(234)
    f, g = (tracejit.function([], v) for v in (srng.uniform((2, 2)), srng.normal((2, 2))))
    assert f().tolist() == [
        [0.44990408420562744, 0.3062468161806464], [0.7898354828357697, 0.8255442692898214],
    ]  # fmt: skip
    assert f()[0, 1] == 0.0780163542367518
    want = [[1.845479515372751, 0.20941533042761604], [0.8900613988762003, 1.1886310593153528]]
    np.testing.assert_allclose(g(), want, rtol=1e-15)
    assert g.stats.fallbacks == 0


def test_seeding_and_updates():
    srng = MRG_RandomStreams(5)
    u, n = srng.uniform((3,)), srng.normal((4,))
    f = tracejit.function([], [u, n])
    first = [v.tolist() for v in f()]
    assert [v.tolist() for v in f()] != first
    srng.seed()
    assert [v.tolist() for v in f()] == first
    other = MRG_RandomStreams(6)
    g = tracejit.function([], [other.uniform((3,)), other.normal((4,))])
    srng.seed(6)
    assert [v.tolist() for v in f()] == [v.tolist() for v in g()]
    assert all(len(update) == 4 for update in srng.updates())
    h = tracejit.function([], u * 1, updates=srng.updates())
    assert h().tolist() != h().tolist()
    assert srng.rstate.shape == (6,)


def test_streams_by_size():
    srng = MRG_RandomStreams()
    sizes = {(2, 2): 4, (7,): 1, (10, 20): 33, (500, 50): 4166, (): 1, (10**6,): 15360}
    assert {size: srng.n_streams(size) for size in sizes} == sizes
    assert srng.n_streams((T.iscalar(), 2)) == srng.n_streams(T.lvector()) == 15360


def test_dtypes():
    srng = MRG_RandomStreams(3)
    numbers, _ = mrg31k3p.draw(mrg31k3p.substreams(mrg31k3p.check_seed(3), 1), 7)
    u = tracejit.function([], srng.uniform((7,), dtype="float32"))()
    want = numbers.astype(np.float32) * np.float32(4.6566126e-10)
    assert u.dtype == np.float32 and u.tolist() == want.tolist() and u.max() < 1
    half = tracejit.function([], srng.uniform((50,), dtype="float16"))()
    assert half.dtype == np.float16 and half.min() > 0 and half.max() < 1


def test_other_distributions():
    srng = MRG_RandomStreams(11)
    chances = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
    b = tracejit.function([], srng.binomial((20_000,), p=0.3))()
    assert b.dtype == np.int64 and set(b) == {0, 1} and abs(b.mean() - 0.3) < 0.02
    m = tracejit.function([], srng.multinomial(pvals=chances, n=5000))()
    assert (m.sum(axis=1) == 5000).all() and abs(m / 5000 - chances).max() < 0.03
    c = tracejit.function([], srng.choice(size=2, p=np.full((4, 3), 1 / 3), replace=False))()
    assert c.shape == (4, 2) and (c[:, 0] != c[:, 1]).all()
    f = tracejit.function([], srng.truncated_normal((20_001,), avg=1.0, std=2.0))
    t = f()
    assert t.shape == (20_001,) and f.stats.fallbacks == 0
    assert abs(t - 1).max() <= 2 * 2 / 0.87962566103423978
    assert abs(t.std() - 2) < 0.05 and abs(t.mean() - 1) < 0.05


def test_truncation_draws_again_what_it_must_and_no_more():
    """One number more for each that lies beyond, from its own streams, in order."""
    srng = MRG_RandomStreams(11)
    f = tracejit.function([], srng.truncated_normal((1_000,), std=0.87962566103423978))
    states = [s.get_value() for s, *_ in srng.state_updates]
    got = f()
    u = mrg31k3p.draw(states[0], 1_000)[0] * mrg31k3p.NORM
    radius, angle = np.sqrt(-2 * np.log(u[:500])), 2 * np.pi * u[500:]
    parts, wrong = [], []
    for way in (np.cos(angle), np.sin(angle)):
        z = radius * way
        wrong.append(np.abs(z) > 2)
        parts.append((z[~wrong[-1]], way[wrong[-1]]))
    again = mrg31k3p.draw(states[1], int(sum(map(np.sum, wrong))))[0] * mrg31k3p.NORM
    lower = np.e**-2
    radii = np.sqrt(-2 * np.log(again * (1 - lower) + lower))
    first = int(wrong[0].sum())
    want = np.concatenate([
        parts[0][0], radii[:first] * parts[0][1], parts[1][0], radii[first:] * parts[1][1],
    ])  # fmt: skip
    np.testing.assert_allclose(got, want, rtol=1e-13)
    used = (srng.state_updates[1][0].get_value() != states[1]).any(axis=1)
    assert used.sum() == len(again)


@pytest.mark.parametrize("call, error", [
    (lambda: MRG_RandomStreams(0), ValueError),
    (lambda: MRG_RandomStreams(M2), ValueError),
    (lambda: MRG_RandomStreams([0, 0, 0, 1, 1, 1]), ValueError),
    (lambda: MRG_RandomStreams([1, 1, 1, 1, 1, M2]), ValueError),
    (lambda: MRG_RandomStreams("seed"), TypeError),
    (lambda: MRG_RandomStreams([1, 2]), TypeError),
    (lambda: MRG_RandomStreams().uniform([2, 2]), TypeError),
    (lambda: MRG_RandomStreams().uniform((0, 2)), ValueError),
    (lambda: MRG_RandomStreams().uniform((2.0,)), TypeError),
    (lambda: MRG_RandomStreams().normal((2,), dtype="int32"), TypeError),
    (lambda: MRG_RandomStreams().uniform((2,), nonsense=1), TypeError),
    (lambda: MRG_RandomStreams().binomial((2,), n=3), NotImplementedError),
    (lambda: MRG_RandomStreams().multinomial(), TypeError),
    (lambda: MRG_RandomStreams().multinomial(size=(2,), pvals=np.ones((1, 1))), ValueError),
    (lambda: MRG_RandomStreams().choice(p=np.ones((1, 1))), NotImplementedError),
])  # fmt: skip
def test_refusals(call, error):
    with pytest.raises(error):
        call()


def test_parameters_have_no_derivative():
    low = T.dscalar("low")
    with pytest.raises(NullTypeGradError):
        T.grad(MRG_RandomStreams(3).uniform((3,), low=low).sum(), low)


def test_classes_of_uniform_numbers():
    p, u = T.dmatrix("p"), T.dvector("u")
    chances = np.array([[0.2, 0.8], [0.9, 0.1]])
    counts = MultinomialFromUniform("auto")(p, u, 2)
    f = tracejit.function([p, u], counts)
    np.testing.assert_array_equal(f(chances, [0.1, 0.95, 0.3, 0.5]), [[1, 1], [1, 1]])
    distinct = tracejit.function([p, u], ChoiceFromUniform("int64")(p, u, 2))
    np.testing.assert_array_equal(distinct(chances, [0.1, 0.95, 0.3, 0.5]), [[0, 1], [1, 0]])
    assert guess_n_streams((10, 10)) == 16 and guess_n_streams((2, 2)) == 4
    with pytest.warns(UserWarning, match="#streams"):
        assert guess_n_streams(p.shape, warn=True) == 60 * 256
