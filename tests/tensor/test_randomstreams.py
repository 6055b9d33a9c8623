"""``RandomStreams``: NumPy's legacy numbers to the last bit, and states that stay between calls."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from devices import on_cpu

import tracejit
import tracejit.tensor as T
from tracejit import MRG_RandomStreams, PhiloxRandomStreams
from tracejit.gradient import NullTypeGradError
from tracejit.rng import words
from tracejit.rng.table import DISTRIBUTIONS
from tracejit.tensor import raw_random
from tracejit.tensor.shared_randomstreams import RandomStreams

CHANCES = np.array([0.2, 0.3, 0.1, 0.25, 0.15])
#: Parameters of each distribution, several where it has several methods.
PARAMETERS = {
    "random_sample": [()],
    "uniform": [(-2.0, 3.0)],
    "standard_normal": [()],
    "normal": [(1.0, 2.0)],
    "lognormal": [(0.1, 0.5)],
    "exponential": [(2.0,)],
    "gamma": [(0.3, 2.0), (1.0, 1.0), (2.5, 0.5), (0.0, 1.0)],
    "beta": [(0.5, 0.7), (2.0, 3.0), (0.01, 0.02)],
    "standard_t": [(3.0,)],
    "weibull": [(0.0,), (1.5,)],
    "gumbel": [(1.0, 2.0)],
    "laplace": [(1.0, 2.0)],
    "logistic": [(1.0, 2.0)],
    "poisson": [(0.0,), (3.0,), (25.0,), (1e4,)],
    "binomial": [(1, 0.5), (10, 0.3), (100, 0.7), (1000, 0.5), (100_000, 0.37), (9, 1.0), (0, 0.5)],
    "negative_binomial": [(3.0, 0.4), (20.0, 0.1)],
    "geometric": [(0.5,), (0.1,), (0.001,), (1.0,)],
    "randint": [(0, 10), (-5, 2**33), (3, 4), (0, 2**32), (-(2**62), 2**62)],
    "random_integers": [(0, 10), (-5, 2**33), (3, 3)],
    "permutation": [(5,), (1,)],
    "multinomial": [(9, CHANCES), (0, CHANCES), (9, np.array([0.0, 0.4, 0.0, 0.6, 0.0]))],
    "choice": [(7,)],
    "choice_weighed": [(5, CHANCES)],
    "choice_distinct": [(60,)],
    "choice_distinct_weighed": [(60, np.arange(60.0) / 1770)],
}  # fmt: skip
LEGACY = [n for n, row in DISTRIBUTIONS.items() if row.generator == "mt19937"]


def drawn(name, parameters, size):
    """Two draws of a function, and the state after them."""
    state = tracejit.shared(np.random.RandomState(7))
    after, values = raw_random.draw(name, state, size, parameters, dtype=_dtype(name))
    f = tracejit.function([], values, updates=[(state, after)])
    return f, f(), f(), state.get_value()


def _dtype(name):
    return {"f": "float64", "i": "int64"}[DISTRIBUTIONS[name].result]


@pytest.mark.parametrize("name", LEGACY)
def test_numbers_are_numpys_to_the_bit(name):
    """Compiled, with nothing left to NumPy; and what waits in the state is the same, too."""
    for parameters in PARAMETERS[name]:
        size = (10, 5) if DISTRIBUTIONS[name].form != "row" else (10,)
        reference = np.random.RandomState(7)
        shape = size if DISTRIBUTIONS[name].form != "row" else (10, _row(parameters))
        want = [DISTRIBUTIONS[name].draw(reference, shape, *parameters) for _ in range(2)]
        f, first, second, state = drawn(name, parameters, size)
        np.testing.assert_array_equal(first, want[0])
        np.testing.assert_array_equal(second, want[1])
        assert raw_random.random_state_type.values_eq(state, reference)
        assert f.stats.traces == 1 and f.stats.fallbacks == 0
        emitted = "random_sample_block" if name == "uniform" else f"draw_{name}"
        assert not on_cpu() or f"{emitted}(" in f.source()
        with tracejit.config(compile=False):
            _, again, _, _ = drawn(name, parameters, size)
        np.testing.assert_array_equal(again, want[0])


def _row(parameters):
    return len(CHANCES) if len(parameters) == 2 else parameters[0]


def test_every_row_is_tested():
    assert set(PARAMETERS) == set(LEGACY)


@pytest.mark.parametrize("name, parameters", [
    ("uniform", (np.array([[0.0], [5.0]]), np.array([1.0, 2.0, 7.0]))),
    ("normal", (np.arange(6.0).reshape(2, 3), 0.5)),
    ("gamma", (np.array([0.5, 1.0, 4.0]), 2.0)),
    ("binomial", (np.array([3, 100, 1000]), np.array([[0.1], [0.6]]))),
    ("poisson", (np.array([[0.5, 3.0, 30.0], [1.0, 12.0, 0.0]]),)),
])  # fmt: skip
@pytest.mark.parametrize("size", [None, (2, 3)])
def test_array_parameters(name, parameters, size):
    reference = np.random.RandomState(7)
    shape = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    if size is not None:
        shape = size
    method = getattr(reference, name)
    want = method(*parameters, size=shape)
    f, first, _, _ = drawn(name, parameters, size)
    np.testing.assert_array_equal(first, want)
    assert first.shape == shape and f.stats.fallbacks == 0


# The tutorial --------------------------------------------------------------------------------


@pytest.fixture
def streams():
    srng = RandomStreams(seed=234)
    return srng, srng.uniform((2, 2)), srng.normal((2, 2))


def test_the_tutorials_numbers(streams):
    srng, u, n = streams
    f = tracejit.function([], u)
    g = tracejit.function([], n, no_default_updates=True)
    nearly_zeros = tracejit.function([], u + u - 2 * u)
    assert f().tolist() == [
        [0.12672381400898758, 0.9709159656786431],
        [0.13989097862581312, 0.887548254199325],
    ]
    assert f()[0, 0] == 0.3197141503373775
    assert g().tolist() == g().tolist() == [
        [0.3732844727674915, -0.6574667187293483],
        [-0.3630237287579288, -0.9748462455013606],
    ]  # fmt: skip
    generator = u.rng.get_value(borrow=True)
    generator.seed(89234)
    u.rng.set_value(generator, borrow=True)
    assert f()[0, 0] == 0.28439104826995065
    srng.seed(902340)
    before = u.rng.get_value().get_state()
    assert abs(nearly_zeros()).max() < 1e-15  # this moves u's generator
    v1 = f()
    assert v1[0, 0] == 0.5025809024247715
    generator = u.rng.get_value(borrow=True)
    generator.set_state(before)
    u.rng.set_value(generator, borrow=True)
    v2, v3 = f(), f()
    assert v2[0, 0] == 0.33919835277152444
    assert v3.tolist() == v1.tolist() != v2.tolist()


def test_a_variable_is_drawn_once_a_call(streams):
    _, u, _ = streams
    f = tracejit.function([], [u, u * 1, u - u])
    first, second, zero = f()
    assert first.tolist() == second.tolist() and not zero.any()
    assert not on_cpu() or f.source().count(" random_sample_block(") == 1


def test_copying_states_between_graphs():
    class Graph:
        def __init__(self, seed):
            self.rng = RandomStreams(seed)
            self.y = self.rng.uniform(size=(1,))

    g1, g2 = Graph(123), Graph(987)
    f1, f2 = tracejit.function([], g1.y), tracejit.function([], g2.y)
    assert (f1()[0], f2()[0]) == (0.7280300912545745, 0.5505676910023921)
    for one, other in zip(g1.rng.state_updates, g2.rng.state_updates, strict=True):
        other[0].set_value(one[0].get_value())
    assert f1()[0] == f2()[0] == 0.5904412261514114


def test_one_variable_a_distribution():
    """The numbers of each distribution behind the first seed of RandomStreams(234)."""
    draws = {
        "binomial": (lambda s: s.binomial((6,)), [0, 1, 0, 1, 0, 0]),
        "normal": (
            lambda s: s.normal((3,)),
            [-0.26708241854610476, -1.9933232181910319, -0.46045026247789167],
        ),
        "random_integers": (lambda s: s.random_integers((6,), 0, 9), [4, 6, 9, 0, 7, 6]),
        "choice": (lambda s: s.choice((6,), 10), [4, 6, 9, 0, 7, 6]),
        "poisson": (lambda s: s.poisson((6,), 5.0), [4, 4, 8, 4, 4, 9]),
        "permutation": (lambda s: s.permutation((2,), 5), [[3, 0, 1, 2, 4], [0, 3, 1, 4, 2]]),
        "multinomial": (
            lambda s: s.multinomial((2,), 3, [0.2, 0.3, 0.5]), [[0, 3, 0], [0, 2, 1]],
        ),
    }  # fmt: skip
    for make, want in draws.values():
        assert tracejit.function([], make(RandomStreams(234)))().tolist() == want


def test_masks_of_the_loop_tutorial():
    rows = tracejit.function([], RandomStreams(1234).binomial((2,)))
    masks = ["".join(map(str, rows())) for _ in range(10)]
    assert masks == "10 01 00 11 10 01 01 01 00 11".split()


def test_rows_are_shuffled_as_numpy_shuffles_them():
    x = T.dmatrix("x")
    shuffled = RandomStreams(234).shuffle_row_elements(x)
    f = tracejit.function([x], [shuffled, shuffled.permutation])
    values = np.arange(15.0).reshape(3, 5)
    got, order = f(values)
    reference = np.random.RandomState(133003720)
    want = values.copy()
    for row in want:
        reference.shuffle(row)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.take_along_axis(values, order, 1), want)


# Sizes, dtypes, refusals ----------------------------------------------------------------------


def test_symbolic_sizes():
    n, x = T.iscalar("n"), T.dmatrix("x")
    srng = RandomStreams(1)
    f = tracejit.function([n, x], [srng.normal((n, 3)), srng.uniform(x.shape, ndim=2)])
    for count, rows in ((2, 4), (7, 3)):
        a, b = f(count, np.ones((rows, 2)))
        assert a.shape == (count, 3) and b.shape == (rows, 2)
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


def test_dtypes_and_patterns():
    srng = RandomStreams(1)
    assert srng.uniform((1, 3)).broadcastable == (True, False)
    assert srng.binomial((1, 3)).broadcastable == (False, False)
    assert srng.uniform((3,), low=T.fvector()).dtype == "float64"
    assert srng.binomial((3,), dtype="int8").dtype == "int8"
    with tracejit.change_flags(floatX="float32"):
        u = RandomStreams(5).uniform((4,))
        got = tracejit.function([], u)()
    want = np.random.RandomState(np.random.RandomState(5).randint(2**30)).uniform(size=4)
    assert got.dtype == np.float32 and got.tolist() == want.astype(np.float32).tolist()


@pytest.mark.parametrize("make, error, text", [
    (lambda s: s.uniform((2, 3), ndim=1), ValueError, "ndim=1, but size has 2"),
    (lambda s: s.uniform(T.lvector("n")), ValueError, "needs ndim"),
    (lambda s: s.normal((3,), avg=np.ones((2, 3))), ValueError, "parameters 2 axes"),
    (lambda s: s.choice(None, 3), TypeError, "size is needed"),
    (lambda s: s.uniform((2.5,)), TypeError, "integers"),
    (lambda s: s.poisson((3,)), TypeError, "lam is needed"),
    (lambda s: s.randint((3,), 0, 200, dtype="int8"), ValueError, "high is out of bounds for int8"),
    (lambda s: s.randint((3,), -1, 2, dtype="uint8"), ValueError, "low is out of bounds for uint8"),
    (lambda s: s.randint((3,), 0, T.lscalar(), dtype="int32"), TypeError, "cast the result"),
])  # fmt: skip
def test_refusals(make, error, text):
    with pytest.raises(error, match=text):
        make(RandomStreams(1))


@pytest.mark.parametrize("mode", [None, "FAST_COMPILE"])
@pytest.mark.parametrize("family", [RandomStreams, PhiloxRandomStreams, MRG_RandomStreams])
@pytest.mark.parametrize("method", ["uniform", "normal", "permutation"])
def test_sizes_that_are_none(family, method, mode):
    draw, n, size = getattr(family(1), method, None), T.lscalar("n"), T.lvector("size")
    if draw is None:
        assert (family, method) == (MRG_RandomStreams, "permutation")
        return
    f = tracejit.function([n], draw((n,)), mode=mode)
    with pytest.raises(ValueError, match="negative dimensions"):
        f(-1)
    assert len(f(0)) == 0
    g = tracejit.function([size], draw(size, ndim=2), mode=mode)
    with pytest.raises(ValueError, match="length 3, not 2"):
        g([2, 3, 4])
    if (family, method) != (MRG_RandomStreams, "normal"):  # whose reshape is not compiled
        assert g([2, 3]).shape[:2] == (2, 3)


def test_choices_of_numbers_are_these_numbers():
    srng = RandomStreams(1)
    whole = srng.choice((20,), np.array([5, 6], np.int32))
    assert whole.dtype == "int64" and srng.choice((2,), [0.5, 1.5], dtype="int64").dtype == "int64"
    assert set(tracejit.function([], srng.choice((20,), [0.5, 1.5]))()) == {0.5, 1.5}
    assert srng.choice((3,), 5.0).dtype == "int64"  # of 0 … 4, whatever says how many


def test_a_state_is_one_of_its_generator(tmp_path):
    """`set_value` and `load` take no other, and leave what is there."""
    philox, mrg, mt = (
        family(1) for family in (PhiloxRandomStreams, MRG_RandomStreams, RandomStreams)
    )
    for srng in (philox, mrg, mt):
        srng.uniform((20,))
    bad = [
        (philox, np.zeros(3, np.uint64), TypeError),
        (mrg, np.ones((2, 5), np.int32), TypeError),
        (mrg, np.ones((0, 6), np.int32), TypeError),
        (mrg, np.zeros((2, 6), np.int32), ValueError),
        (mrg, np.full((2, 6), -1, np.int32), ValueError),
    ]
    for srng, value, error in bad:
        [(state, *_)] = srng.updates()
        before = state.get_value()
        with pytest.raises(error):
            state.set_value(value)
        np.testing.assert_array_equal(state.get_value(), before)
    tracejit.save(tmp_path / "mt.npz", {"s": mt})
    for srng in (philox, mrg):
        with pytest.raises(TypeError):
            tracejit.load(tmp_path / "mt.npz", {"s": srng})
        again = pickle.loads(pickle.dumps(srng.updates()[0][0]))
        assert type(again.type) is type(srng.updates()[0][0].type)


@pytest.mark.parametrize("make", [
    lambda s: s.normal((3,), std=-1.0),
    lambda s: s.exponential((3,), np.array([1.0, -2.0, 1.0])),
    lambda s: s.binomial((3,), 5, 1.5),
    lambda s: s.geometric((3,), 0.0),
    lambda s: s.poisson((3,), -2.0),
    lambda s: s.randint((3,), 5, 2),
    lambda s: s.random_integers((3,), 5, 2),
    lambda s: s.multinomial((2,), 5, [0.9, 0.9, 0.1]),
    lambda s: s.choice((9,), 4, replace=False),
    lambda s: s.choice((3,), 4, p=[0.5, 0.5]),
    lambda s: s.choice((3,), 3, replace=False, p=[0.5, 0.5, 0.0]),
])  # fmt: skip
def test_parameters_that_numpy_refuses_leave_the_state(make):
    srng = RandomStreams(3)
    f = tracejit.function([], make(srng))
    [(generator, _)] = srng.updates()
    before = words.to_words(generator.get_value())
    with pytest.raises(ValueError):
        f()
    assert (words.to_words(generator.get_value()) == before).all()


def test_a_size_that_does_not_fit_the_parameters_leaves_the_state():
    x = T.dvector("x")
    u = RandomStreams(3).normal((4,), avg=x)
    f = tracejit.function([x], u)
    before = words.to_words(u.rng.get_value())
    with pytest.raises(ValueError):
        f(np.ones(3))
    assert (words.to_words(u.rng.get_value()) == before).all()
    assert f(np.zeros(4)).shape == (4,)


def test_parameters_have_no_derivative():
    mean = T.dscalar("mean")
    x = RandomStreams(1).normal((3,), avg=mean)
    with pytest.raises(NullTypeGradError, match="random variable has no derivative"):
        T.grad(x.sum(), mean)
    assert T.grad((x * mean).sum() * 0 + (mean**2), mean, consider_constant=[x]).ndim == 0


# States ------------------------------------------------------------------------------------------


def test_some_updates_may_be_left_out(streams):
    _, u, n = streams
    f = tracejit.function([], [u, n], no_default_updates=[u.rng])
    (u1, n1), (u2, n2) = f(), f()
    assert u1.tolist() == u2.tolist() and n1.tolist() != n2.tolist()
    explicit = tracejit.function([], u, updates=[u.update])
    assert explicit().tolist() != explicit().tolist()


def test_streams_by_their_generators(streams):
    srng, u, _ = streams
    assert srng[u.rng].get_state()[1].tolist() == u.rng.get_value().get_state()[1].tolist()
    srng[u.rng] = np.random.RandomState(5)
    assert tracejit.function([], u)()[0, 0] == np.random.RandomState(5).uniform()
    assert srng.updates() == srng.state_updates and srng.updates() is not srng.state_updates
    with pytest.raises(KeyError):
        srng[tracejit.shared(1.0)]


def test_pickling_and_saving(streams, tmp_path):
    srng, u, n = streams
    f = tracejit.function([], [u, n])
    f()
    copies = pickle.loads(pickle.dumps((srng, u, n)))
    g = tracejit.function([], list(copies[1:]))
    tracejit.save(tmp_path / "streams.npz", {"streams": srng})
    want = [v.tolist() for v in f()]
    assert [v.tolist() for v in g()] == want
    tracejit.load(tmp_path / "streams.npz", {"streams": srng})
    assert [v.tolist() for v in f()] == want
    with np.load(tmp_path / "streams.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["streams.0", "streams.1"]
    with pytest.raises(KeyError, match="streams"):
        tracejit.load(tmp_path / "streams.npz", {"others": srng})
    program = (
        "import pickle, sys, tracejit\n"
        "u, n = pickle.load(sys.stdin.buffer)\n"
        "print(tracejit.function([], u)().tolist())"
    )
    data = pickle.dumps((u, n))
    here = tracejit.function([], u)().tolist()
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True)
    assert done.stdout.decode().strip() == str(here), done.stderr.decode()


def test_threads_draw_each_number_once(streams):
    _, u, _ = streams
    f = tracejit.function([], u)
    reference = u.rng.get_value()
    f()
    reference.uniform(size=4)
    found: list[list[float]] = [[] for _ in range(8)]

    def work(mine):
        for _ in range(50):
            mine.append(f()[0, 0])

    threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    numbers = sorted(v for mine in found for v in mine)
    assert numbers == sorted(reference.uniform(size=(400, 4))[:, 0])


def test_a_draw_is_a_chain_of_states():
    """Two draws after each other from one state, in one function."""
    state = tracejit.shared(np.random.RandomState(7))
    middle, a = raw_random.uniform(state, (2,))
    end, b = raw_random.normal(middle, (3,))
    f = tracejit.function([], [a, b], updates=[(state, end)])
    reference = np.random.RandomState(7)
    for _ in range(2):
        x, y = f()
        np.testing.assert_array_equal(x, reference.uniform(size=2))
        np.testing.assert_array_equal(y, reference.normal(size=3))
    assert f.stats.fallbacks == 0


BLOCKS = [(0,), (1,), (511,), (512,), (513,), (3_000,), (37, 31), (2, 3, 700)]


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
def test_uniform_numbers_are_drawn_in_the_loop_that_needs_them(shape):
    """A block at a time, in order, from any place of the generator's own blocks."""
    srng = RandomStreams(5)
    u = srng.uniform(shape, -1.0, 2.0)
    generator = u.rng.get_value()
    generator.randint(0, 9)  # an odd number of words
    u.rng.set_value(generator)
    f = tracejit.function([], [(2 * u).sum(), u + 1] if len(shape) < 3 else u * u)
    for _ in range(3):
        want = generator.uniform(-1.0, 2.0, shape)
        got = f()
        if len(shape) < 3:
            np.testing.assert_allclose(got[0], (2 * want).sum(), rtol=1e-12, atol=1e-12)
            np.testing.assert_array_equal(got[1], want + 1)
        else:
            np.testing.assert_array_equal(got, want * want)
    assert raw_random.random_state_type.values_eq(u.rng.get_value(), generator)
    if on_cpu():
        assert f.source().count(" random_sample_block(") == 1 and f.stats.temporaries == 1
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


@pytest.mark.parametrize("use", [
    lambda u: u[::-1] * 2,
    lambda u: [u.sum(), (u - u.mean()) ** 2],
    lambda u: T.sort(u),
    lambda u: u.reshape((100, 20)).sum(axis=1),
], ids=["backwards", "twice", "sorted", "as rows"])  # fmt: skip
def test_numbers_that_are_read_otherwise_are_stored(use):
    srng = RandomStreams(5)
    u = srng.random_sample((2_000,))
    want = u.rng.get_value().random_sample(2_000)
    f, x = tracejit.function([], use(u)), T.dvector()
    got, expected = f(), tracejit.function([x], use(x))(want)
    for a, b in zip(np.atleast_1d(got[0]), np.atleast_1d(expected[0]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    np.testing.assert_allclose(got[-1], expected[-1], rtol=1e-13)
    assert "random_sample_block" not in f.source() and f.stats.fallbacks == 0
