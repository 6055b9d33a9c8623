"""Philox4x32-10: known answers, fused draws, the same numbers in any order; distributions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import CURAND_RandomStreams, PhiloxRandomStreams
from tracejit.gradient import NullTypeGradError
from tracejit.rng import philox, philox_reference


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
        bits = philox_reference.philox_word(key, draw, places)
        want = (bits >> np.uint64(11)).astype(float) * 2.0**-53
        np.testing.assert_array_equal(f(rows), want)
    assert f.stats.traces == 1 and f.stats.fallbacks == 0


@pytest.mark.cpu
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


@pytest.mark.parametrize("mode", [None, "FAST_COMPILE"])
@pytest.mark.parametrize("name, good", [("normal", 1.0), ("gamma", 2.0), ("binomial", 0.5)])
def test_parameters_broadcast(name, good, mode):
    """Against each other, and to the size; an axis of length 1 need not be known as such."""
    srng, v = PhiloxRandomStreams(3), T.dvector("v")
    column, row = np.ones((2, 1), int), np.full(3, good)
    for size in (None, (2, 3), (4, 2, 3)):
        f = tracejit.function([], getattr(srng, name)(size, column, row), mode=mode)
        assert f().shape == (size or (2, 3))
    f = tracejit.function([v], getattr(srng, name)((3,), 1, v), mode=mode)
    assert f(row[:1]).shape == f(row).shape == (3,)
    for size in ((3,), (1,)):
        f = tracejit.function([v], getattr(srng, name)(size, 1, v), mode=mode)
        with pytest.raises(ValueError, match="size does not match"):
            f(row[:2])


def test_threads_do_not_change_the_numbers():
    found = []
    for threads in (1, 2):
        with tracejit.config(threads=threads):
            f = tracejit.function([], PhiloxRandomStreams(5).normal((300_000,)))
            found.append(f())
    np.testing.assert_array_equal(*found)


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
