"""Details of Theano's behaviour that programs rely on."""

from __future__ import annotations

import importlib
import itertools
import warnings

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import UnsupportedError, UnsupportedWarning
from tracejit.sandbox.rng_mrg import MRG_RandomStreams
from tracejit.tensor.shared_randomstreams import RandomStreams
from tracejit.trace.origin import is_internal, user_origin

# Random variables --------------------------------------------------------------------------------


@pytest.mark.parametrize("nothing", [None, 0, 0.0, False, [], (), np.array([])])
def test_no_chances_are_all_that_is_empty_or_zero(nothing):
    r = tracejit.function([], RandomStreams(1).choice((11, 8), 10, 1, nothing))()
    plain = tracejit.function([], RandomStreams(1).choice((11, 8), 10))()
    np.testing.assert_array_equal(r, plain)


def test_chances_are_a_vector():
    for wrong in (0.5, [[0.5, 0.5]], T.dscalar(), T.dmatrix()):
        with pytest.raises(ValueError, match="p is a vector"):
            RandomStreams(1).choice((3,), 2, True, wrong)
    drawn = tracejit.function([], RandomStreams(1).choice((50,), 2, T.constant(1), [0.0, 1.0]))()
    assert drawn.tolist() == [1] * 50
    distinct = tracejit.function([], RandomStreams(1).choice((5,), 5, 0))()
    assert sorted(distinct) == [0, 1, 2, 3, 4]


DRAWS = {
    "uniform": (), "normal": (), "binomial": (), "random_integers": (), "poisson": (3.0,),
    "choice": (5,), "permutation": (4,), "multinomial": (), "exponential": (), "randint": (0, 5),
}  # fmt: skip


@pytest.mark.parametrize(
    "streams", [RandomStreams, tracejit.PhiloxRandomStreams, MRG_RandomStreams]
)
def test_a_size_whose_length_is_known_needs_no_ndim(streams):
    x = T.dmatrix("x")
    drawn = streams(1)
    names = ("uniform", "normal", "binomial") if streams is MRG_RandomStreams else tuple(DRAWS)
    sizes = (
        (x.shape, (2, 3)), (T.shape(x), (2, 3)), (x.shape[:1], (2,)), (x.shape + 1, (3, 4)),
        (T.stack([x.shape[1], 2]), (3, 2)), (x.sum(axis=1).shape, (2,)),
        (T.concatenate([x.shape, x.shape[:1]]), (2, 3, 2)),
    )  # fmt: skip
    with tracejit.config(compile=False):
        for name in names:
            for size, want in sizes:
                v = getattr(drawn, name)(size, *DRAWS[name])
                found = tracejit.function([x], v)(np.ones((2, 3))).shape
                assert found[: len(want)] == want
                assert v.ndim == len(found)
        with pytest.raises(ValueError, match="ndim"):
            drawn.uniform(T.lvector())
        assert drawn.uniform(T.lvector(), ndim=3).ndim == 3


# The compiler refuses ----------------------------------------------------------------------------


@pytest.fixture
def no_compiler(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("Failed in nopython mode pipeline")

    monkeypatch.setattr("tracejit.cpu.compiling.build.built", refuse)
    with tracejit.config(cache=False):
        yield


_numbers = itertools.count(1)


def _unlike():
    """A number that no compiled program has yet."""
    return 0.123 + next(_numbers) * 1e-7


@pytest.mark.cpu
def test_a_symbolic_function_that_the_compiler_refuses_runs_in_numpy(no_compiler):
    x, c = T.dvector("x"), _unlike()
    f = tracejit.function([x], [x * c, T.grad((x * x * c).sum(), x)])
    with tracejit.config(on_unsupported="warn"), pytest.warns(UnsupportedWarning) as told:
        value, slope = f(np.ones(3))
    np.testing.assert_allclose(value, c)
    np.testing.assert_allclose(slope, 2 * c)
    assert len(told) == 1
    assert "nopython" not in str(told[0].message)
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning
        f(np.ones(5))
        f(np.ones(4)[::2])
    g = tracejit.function([x], x * _unlike())
    with tracejit.config(on_unsupported="error"), pytest.raises(UnsupportedError) as refused:
        g(np.ones(3))
    assert "nopython" not in str(refused.value)


@pytest.mark.cpu
def test_states_are_updated_where_the_compiler_refuses(no_compiler):
    state = tracejit.shared(np.zeros(2))
    f = tracejit.function([], state.sum(), updates=[(state, state + _unlike() * 0 + 1)])
    with tracejit.config(on_unsupported="warn"), pytest.warns(UnsupportedWarning):
        assert [float(f()) for _ in range(3)] == [0.0, 2.0, 4.0]


@pytest.mark.cpu
def test_decorated_functions_and_derivatives_run_where_the_compiler_refuses(no_compiler):
    c = _unlike()
    f = tracejit.function(lambda x: x * c)
    slope = tracejit.grad(lambda x: (x * x * c).sum())
    state = tracejit.shared(np.zeros(2))

    @tracejit.function
    def step(x):
        state.set_value(state + x * c)
        return x.sum() * c

    with tracejit.config(on_unsupported="warn"):
        for call, want in ((f, [c, c]), (slope, [2 * c, 2 * c]), (step, 2 * c)):
            with pytest.warns(UnsupportedWarning) as told:
                np.testing.assert_allclose(call(np.ones(2)), want)
            assert "nopython" not in str(told[0].message)
            assert len(told) == 1
    np.testing.assert_allclose(state.get_value(), [c, c])


# float16 -----------------------------------------------------------------------------------------


def test_float16_is_accumulated_in_float32():
    x = T.vector("x", dtype="float16")
    many = np.ones(100_000, np.float16)
    cases = (
        (T.mean(x), 1), (T.mean(x, keepdims=True), 1), (T.mean(x, dtype="float16"), 1),
        (T.var(x), 0), (T.std(x), 0), (T.var(x, ddof=1), 0), (T.prod(x), 1), (x.norm(2), 316.25),
        (T.logsumexp(x), 12.516), (T.sum(x), np.inf), (x.mean(), 1),
    )  # fmt: skip
    with np.errstate(over="ignore"), tracejit.config(compile=False):
        for v, want in cases:
            got = tracejit.function([x], v)(many)
            assert got.dtype == v.dtype == "float16"
            np.testing.assert_allclose(np.float64(got), want, rtol=1e-3)
        assert tracejit.function([x], T.sum(x, dtype="float32"))(many) == 100_000
    assert tracejit.function([x], T.mean(x))(many) == 1.0
    assert T.mean(x).name == "mean"


def test_float16_whose_squares_are_none():
    x = T.vector("x", dtype="float16")
    wide = np.array([30_000, -30_000, 0], np.float16)
    with tracejit.config(compile=False):
        np.testing.assert_allclose(T.std(x).eval({x: wide}), np.std(wide.astype(float)), rtol=1e-3)
        m = T.matrix("m", dtype="float16")
        p = T.nnet.softmax(m)
        assert p.dtype == "float16"
        rows = np.zeros((1, 100_000), np.float16)
        np.testing.assert_allclose(p.eval({m: rows}), np.float16(1e-5), rtol=1e-2)


def test_what_sums_are_added_in():
    i, f, d = T.vector(dtype="int8"), T.fvector(), T.dvector()
    with tracejit.config(compile=False):
        assert T.sum(i, dtype="float32").eval({i: np.full(300, 100, np.int8)}) == 30_000
        assert T.sum(d, dtype="float16").eval({d: np.array([1e8, 1.0, -1e8])}) == 1.0
        assert T.sum(i, acc_dtype="float64").dtype == "int64"
    for x, acc in ((f, "float16"), (d, "float32"), (T.lvector(), "int32"), (f, "int64")):
        with pytest.raises(TypeError, match="acc_dtype"):
            T.sum(x, acc_dtype=acc)


# What cancels ------------------------------------------------------------------------------------

AT = {
    "x": np.array([0.1, 0.0, -2.0, 3e-320]),
    "y": np.array([0.0, 3, 0.1, 2]),
    "z": np.array([5.0, 2, 3, -1]),
}
ONES = [1.0] * 4

# Expression: (value, its derivative by x), of the points above.
CANCELS = {
    "T.exp(T.log(x))": (lambda x, y, z: np.where(x < 0, np.nan, x), ONES),
    "T.log(T.exp(x))": (lambda x, y, z: x, ONES),
    "T.exp(T.log1p(x))": (lambda x, y, z: np.where(x < -1, np.nan, x + 1), ONES),
    "T.expm1(T.log1p(x))": (lambda x, y, z: np.where(x < -1, np.nan, x), ONES),
    "T.log1p(T.expm1(x))": (lambda x, y, z: x, ONES),
    "T.sinh(T.arcsinh(x))": (lambda x, y, z: x, ONES),
    "T.arctanh(T.tanh(x))": (lambda x, y, z: x, ONES),
    "T.tanh(T.arctanh(x))": (lambda x, y, z: np.where(np.abs(x) > 1, np.nan, x), ONES),
    "T.arccosh(T.cosh(x))": (lambda x, y, z: np.abs(x), [1, 0, -1, 1]),
    "T.cosh(T.arccosh(x + 1))": (lambda x, y, z: np.where(x < 0, np.nan, x + 1), ONES),
    "T.deg2rad(T.rad2deg(x))": (lambda x, y, z: x, ONES),
    "x * T.exp(-y) / T.exp(-y)": (lambda x, y, z: x, ONES),
    "x * y / y": (lambda x, y, z: x, ONES),
    "x / y * y": (lambda x, y, z: x, ONES),
    "x * (y / x)": (lambda x, y, z: y, [0.0] * 4),
    "x * y / (y * z)": (lambda x, y, z: x / z, [0.2, 0.5, 1 / 3, -1]),
    "x / x": (lambda x, y, z: 0 * x + 1, [0.0] * 4),
    "2 * x / 2": (lambda x, y, z: x, ONES),
    "x**3 / x": (lambda x, y, z: x**2, [0.2, 0, -4, 0]),
    "x / T.sqr(x) * z * x": (lambda x, y, z: z, [0.0] * 4),
    "T.inv(T.inv(x))": (lambda x, y, z: x, ONES),
    "1 / (1 / x)": (lambda x, y, z: x, ONES),
    "(-x) / (-z)": (lambda x, y, z: x / z, [0.2, 0.5, 1 / 3, -1]),
    "T.sqr(T.sqrt(x))": (lambda x, y, z: np.where(x < 0, np.nan, x), ONES),
    "T.sqrt(x) ** 2": (lambda x, y, z: np.where(x < 0, np.nan, x), ONES),
    "T.sqrt(x) * T.sqrt(x)": (lambda x, y, z: np.where(x < 0, np.nan, x), ONES),
    "T.sqrt(T.sqr(x))": (lambda x, y, z: np.abs(x), [1, 0, -1, 1]),
    "(x + y) - y": (lambda x, y, z: x, ONES),
    "x - y + y": (lambda x, y, z: x, ONES),
    "y - (x + y)": (lambda x, y, z: -x, [-1.0] * 4),
    "x + 1e300 - 1e300": (lambda x, y, z: x, ONES),
    "-(-x)": (lambda x, y, z: x, ONES),
    "x - x": (lambda x, y, z: 0 * x, [0.0] * 4),
    "(x * y + z) - x * y": (lambda x, y, z: z, [0.0] * 4),
    "x * 0": (lambda x, y, z: 0 * x, [0.0] * 4),
    "0 / x": (lambda x, y, z: 0 * x, [0.0] * 4),
    "x**0": (lambda x, y, z: 0 * x + 1, [0.0] * 4),
    "x.sum() * x / x.sum()": (lambda x, y, z: x, ONES),
    "(x.dimshuffle('x', 0) * y.dimshuffle(0, 'x') / y.dimshuffle(0, 'x'))[0]": (
        lambda x, y, z: x, ONES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", CANCELS)
def test_what_undoes_itself_cancels(text):
    value, slope = CANCELS[text]
    x, y, z = T.dvectors("x", "y", "z")
    v = eval(text, {"T": T, "x": x, "y": y, "z": z})
    options = {"mode": "FAST_COMPILE", "on_unused_input": "ignore"}
    got = tracejit.function([x, y, z], v, **options)(**AT)
    np.testing.assert_array_equal(got, value(**AT))
    d = T.grad(v.sum(), x, disconnected_inputs="ignore")
    got = tracejit.function([x, y, z], d, **options)(**AT)
    np.testing.assert_allclose(got, slope, rtol=1e-14, atol=1e-300)


def test_the_derivative_of_x_log_x_at_zero():
    x = T.dvector("x")
    for log, unit in ((T.log, 1.0), (T.log2, np.log(2)), (T.log10, np.log(10))):
        d = tracejit.function([x], T.grad((log(x) * x).sum(), x), mode="FAST_COMPILE")
        np.testing.assert_allclose(d(np.array([0.0, 1.0])), [-np.inf, 1 / unit], rtol=1e-15)


def test_nothing_cancels_in_decorated_functions_nor_without_stabilisation():
    f = tracejit.function(lambda x, y: (x * y / y, np.exp(np.log(x)), x + y - y))
    a, b = np.array([2.0, 0.3]), np.array([0.0, 1e17])
    with np.errstate(all="ignore"):
        for got, want in zip(f(a, b), (a * b / b, np.exp(np.log(a)), a + b - b), strict=True):
            np.testing.assert_allclose(got, want, rtol=3e-16)
        x, y = T.dvectors("x", "y")
        with tracejit.change_flags(stabilise=False):
            g = tracejit.function([x, y], x * y / y, mode="FAST_COMPILE")
            np.testing.assert_array_equal(g(a, b), a * b / b)


def test_what_is_only_nearly_the_same_does_not_cancel():
    x, y = T.dvectors("x", "y")
    at = np.array([1.0, 2.0, 4.0])
    for v, want in (
        (x * y[1:] / y[:-1], [2.0, 4.0]), (x + y[1:] - y[:-1], [2.0, 4.0]),
        (x * T.cast(x[0] * 0 + 3, "float32") / 3.0, [1.0, 2.0]),
        (x / T.sqrt(x) / x, [1.0, 2.0**-0.5]), (x - x[::-1], [-1.0, 1.0]),
    ):  # fmt: skip
        got = tracejit.function([x, y], v, on_unused_input="ignore", mode="FAST_COMPILE")
        np.testing.assert_allclose(got(at[:2], at), want)


def test_what_cancels_is_not_computed():
    x, y = T.dvectors("x", "y")
    f = tracejit.function([x, y], x * T.exp(y) / T.exp(y) + T.exp(T.log(x)))
    np.testing.assert_array_equal(f(np.ones(3), np.full(3, 1e9)), [2.0] * 3)
    assert "exp" not in f.source()


# Indices -----------------------------------------------------------------------------------------


def test_ranges_are_indices():
    p, y = T.dmatrix("p"), T.lvector("y")
    at, labels = np.arange(9.0).reshape(3, 3), np.array([0, 1, 1])
    cases = (
        (p[range(3), y], at[range(3), labels]), (p[range(0, 3, 2)], at[range(0, 3, 2)]),
        (p[range(2, -1, -1), range(3)], at[range(2, -1, -1), range(3)]),
        (p[:, range(1)], at[:, range(1)]), (p[range(0)], at[0:0]),
        (T.set_subtensor(p[range(3), y], 0.0).sum(), 25.0), (T.log(p + 1)[range(3), y], None),
    )  # fmt: skip
    for v, want in cases:
        got = tracejit.function([p, y], v, on_unused_input="ignore")(at, labels)
        np.testing.assert_array_equal(
            got, np.log(at + 1)[range(3), labels] if want is None else want
        )


# Test values -------------------------------------------------------------------------------------


def test_test_values_are_computed_as_the_graph_is_built():
    w = tracejit.shared(np.arange(3.0))
    with tracejit.change_flags(compute_test_value="raise"):
        x = T.dvector("x")
        with pytest.raises(ValueError, match=r"input 0 \(x\) of Op .* missing default value"):
            x + 1
        x.tag.test_value = np.array([1.0, 2.0, 3.0])
        y = (x * w).sum() + 1
        assert y.tag.test_value == 9.0
        slope = T.grad(y, x)
        np.testing.assert_array_equal(slope.tag.test_value, [0, 1, 2])
        x.tag.test_value = np.ones(2)
        with pytest.raises(ValueError, match="mis-match"):
            x + w
        x.tag.test_value = np.ones((2, 2))
        with pytest.raises(TypeError, match="dimensions"):
            x + 1


def test_what_is_done_about_a_missing_test_value():
    x = T.dvector("x")
    for how in ("off", "ignore"):
        with tracejit.change_flags(compute_test_value=how):
            assert not hasattr((x + 1).tag, "test_value")
    with tracejit.change_flags(compute_test_value="warn"):
        with pytest.warns(UserWarning, match="missing default value") as told:
            y = x + 1
        assert told[0].filename == __file__
        assert not hasattr(y.tag, "test_value")
    x.tag.test_value = np.zeros(2)
    with tracejit.change_flags(compute_test_value="ignore"):
        np.testing.assert_array_equal((x + 1).tag.test_value, [1, 1])
    assert not hasattr((x + 1).tag, "test_value")
    with pytest.raises(ValueError, match="compute_test_value"):
        tracejit.config.compute_test_value = "often"


def test_get_test_value():
    from tracejit.gof.op import get_test_value  # as programs of Theano's import it

    x = T.dvector("x")
    with pytest.raises(AttributeError):
        get_test_value(x)
    x.tag.test_value = [1, 2]
    assert get_test_value(x).dtype == np.float64
    assert get_test_value(3) == 3
    assert get_test_value(tracejit.shared(2.0)) == 2.0


def test_a_random_variable_with_a_test_value_keeps_its_stream():
    with tracejit.change_flags(compute_test_value="raise"):
        v = RandomStreams(123).uniform((1,)) * 1
        assert v.tag.test_value.shape == (1,)
        assert tracejit.function([], v)() == pytest.approx(0.72803009)


# The demo ----------------------------------------------------------------------------------------


def test_the_demos_lines_are_the_users():
    file = importlib.import_module("tracejit.demo.jobs").__file__
    assert not is_internal(file)
    assert is_internal(tracejit.__file__)
    assert user_origin().file == __file__
    inside = eval(compile("origin()", file, "eval"), {"origin": user_origin})
    assert inside.file == file


def test_a_warning_inside_the_demo_names_its_line():
    """The function of a text that stands in the demo's file, line by line."""
    file = importlib.import_module("tracejit.demo.jobs").__file__
    text = "\n\ndef job(x):\n    y = x * 2\n    return y if x[0] > 0 else -y\n"
    space = {}
    exec(compile(text, file, "exec"), space)
    job = tracejit.function(space["job"])
    with tracejit.config(on_unsupported="warn"), pytest.warns(UnsupportedWarning) as told:
        assert job(np.ones(2)).tolist() == [2, 2]
    assert f'{file}", line 5' in str(told[0].message)


# What expressions give in Theano itself -----------------------------------------------------------


def test_constants_take_the_dtype_of_what_they_are_put_into():
    x, i = T.fvector(), T.ivector()
    for v, a, values in (
        (x, np.zeros(4, "f"), ([1.0, 2.0, 0.1], 0.1, np.float64(0.1), T.constant(0.1))),
        (i, np.zeros(4, "i"), ([1, 2, 3], 1 << 20, np.int64(1 << 20), [1 << 40, 2, 3])),
    ):
        for value, change in itertools.product(values, (T.set_subtensor, T.inc_subtensor)):
            y = change(v[:3], value)
            want = a.copy()
            want[:3] = np.asarray(getattr(value, "data", value)).astype(a.dtype)
            found = tracejit.function([v], y, mode="FAST_COMPILE")(a)
            assert found.dtype == y.dtype == a.dtype
            np.testing.assert_array_equal(found, want)
    with pytest.raises(TypeError, match="cast"):
        T.set_subtensor(x[:3], T.dvector())
    with pytest.raises(TypeError, match="cast"):
        T.set_subtensor(i[:3], 0.5)


def test_what_is_no_number_in_masks_and_comparisons():
    m, a, b = T.dmatrix(), T.dscalar(), T.dscalar()
    nothing = np.full((2, 2), np.nan)
    with tracejit.config(compile=False):
        assert np.isnan(tracejit.function([m], T.tril(m) + T.triu(m))(nothing)).all()
        f = tracejit.function([a, b], [T.largest(a, b), T.smallest(a, b)])
        for pair, want in (((np.nan, 1.0), 1.0), ((1.0, np.nan), np.nan)):
            np.testing.assert_array_equal(f(*pair), [want, want])
        np.testing.assert_array_equal(f(2.0, 1.0), [2.0, 1.0])
        x = np.arange(12.0).reshape(3, 4)
        for k in (-1, 0, 2):
            g = tracejit.function([m], [T.tril(m, k), T.triu(m, k)])
            np.testing.assert_array_equal(g(x)[0], np.tril(x, k))
            np.testing.assert_array_equal(g(x)[1], np.triu(x, k))


def test_which_axes_broadcast():
    r = T.frow()
    assert T.diag(r).broadcastable == (False,)
    assert r[0:1].broadcastable == r[0:5].broadcastable == r[::-1].broadcastable == (True, False)
    assert r[1:].broadcastable == r[: T.iscalar()].broadcastable == (False, False)
    assert T.roll(r, 1, 0).broadcastable == (False, False)
    assert T.diff(r, axis=1).broadcastable == (True, False)
    assert T.squeeze(r).broadcastable == (False,)


def test_derivatives_of_what_has_none():
    v, u = T.dvectors("v", "u")
    for y in (T.argmax(v), T.eq(v, 1.0)):
        found = T.Rop(y, v, u)
        assert found.dtype == "float64"
        assert not tracejit.function([v, u], found, on_unused_input="ignore")(
            np.ones(2), np.ones(2)
        ).any()
    with pytest.raises(TypeError, match="floats"):
        T.round(T.ivector())
    x = T.dscalar()
    slope = tracejit.function([x], T.grad(T.nnet.hard_sigmoid(x), x))
    assert [float(slope(k)) for k in (-2.5, 0.0, 2.5, 3.0)] == [0.2, 0.2, 0.0, 0.0]
