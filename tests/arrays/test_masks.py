"""What masks and repetitions cost: passes and temporaries, with NumPy's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from devices import on_cpu

import tracejit


def test_the_modulus_in_a_mask_is_computed_once():
    """It is needed to count the elements and to find them."""
    f = tracejit.function(lambda c: c[abs(c) < 1])
    c = np.exp(np.linspace(-1, 1, 999)) * (0.6 - 0.8j)
    np.testing.assert_array_equal(f(c), f.__wrapped__(c))
    assert f.source(c).count("= absolute(") == 1


@pytest.mark.parametrize("times", [1, 3, (1, 4), (3, 1), (2, 2), 0, 20])
def test_tile(times):
    """Repeated along one axis a few times, without a temporary."""
    f = tracejit.function(lambda x: np.tile(x, times))
    x = np.arange(12.0).reshape(3, 4)
    for a in (x, np.asfortranarray(x), x[:, ::-2], x[:1], x[0], x > 5, x + 1j):
        with tracejit.config(compile=False):
            np.testing.assert_array_equal(f(a), f.__wrapped__(a))
    if times in (3, (3, 1)):
        np.testing.assert_array_equal(f(x), f.__wrapped__(x))
        assert "flat(" not in f.source(x)


# What masks pick, and what is written where they are true ---------------------------------------

RNG = np.random.default_rng(0)
LENGTHS = (0, 2, 5, 63, 64, 65, 127, 128, 129, 1000)
DTYPES = ("float64", "float32", "float16", "int64", "int8", "bool", "complex64", "complex128")


def masks(n: int) -> list[np.ndarray]:
    """Masks of `n` elements: none, all, few, half, all but few; and in runs."""
    some = [RNG.random(n) < p for p in (0.0, 0.02, 0.5, 0.98, 1.0)]
    return [*some, np.repeat(RNG.random(n // 50 + 1) < 0.5, 50)[:n]]


def numbers(shape: tuple[int, ...], dtype: str = "float64") -> np.ndarray:
    x = RNG.standard_normal(shape) * 10
    return (x + 1j * RNG.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)


def same(a: np.ndarray, b: np.ndarray) -> None:
    """Values, dtype and shape; and memory of their own, as NumPy's results have it."""
    np.testing.assert_array_equal(a, b)
    assert (a.dtype, a.shape, type(a)) == (b.dtype, b.shape, type(b))
    if isinstance(a, np.ndarray):
        assert a.flags.owndata and a.base is None and a.flags.writeable


def agrees(f: Any, *args: Any) -> None:
    """As in NumPy, error and all; the arguments are as before."""
    before = [np.array(a) for a in args]
    try:
        want = f.__wrapped__(*args)
    except Exception as error:
        with pytest.raises(type(error)) as raised:
            f(*args)
        assert str(raised.value).startswith(str(error))
    else:
        for a, b in zip(
            *(r if isinstance(r, tuple) else (r,) for r in (f(*args), want)), strict=True
        ):
            same(a, b)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_picked(dtype):
    """One program for all lengths, without a loop: the mask is read a word at a time."""
    f = tracejit.function(lambda x, m: x[m])
    for n in LENGTHS:
        for m in masks(n):
            agrees(f, numbers((n,), dtype), m)
    assert f.stats.traces == 1
    source = f.source(numbers((9,), dtype), masks(9)[2])
    if on_cpu():
        assert "for " not in source and "compress(x1, x0, b0)" in source


def test_what_is_true_is_not_zero():
    """Of bytes that are no truth values, too."""
    m = RNG.integers(0, 3, 200).astype(np.uint8)
    m[0] = 255
    x, strange = numbers((200,)), m.view(bool)
    for f in (lambda x, m: x[m], lambda x, m: np.nonzero(m)[0], lambda x, m: np.count_nonzero(m)):
        np.testing.assert_array_equal(tracejit.function(f)(x, strange), f(x, m != 0))


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a[::2],
        lambda a: a[::-1],
        lambda a: a[::-3],
        lambda a: np.broadcast_to(a[3], a.shape),
        lambda a: a.reshape(-1, 10).T[1],
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "complex64", "int8"])
def test_picked_with_gaps(layout, dtype):
    """Neither is copied before."""
    f = tracejit.function(lambda x, m: x[m])
    g = tracejit.function(lambda x, m, v: write(x, m, v))
    for m in masks(1000):
        a = layout(numbers((1000,), dtype))
        for mask in (m[: len(a)], layout(m)):
            agrees(f, a, mask)
            agrees(g, a, mask, numbers((int(mask.sum()),), dtype))
    if on_cpu():
        assert "for " not in f.source(layout(numbers((1000,))), m[: len(a)])


def test_parts_are_read_where_they_lie():
    """Columns, slices, all elements of a matrix: what is picked of a view is read there."""

    def f(x, m, k):
        y = x[:, 2]
        return (
            y[m],
            x[3, ::-1][m[:6]],
            y[k:][m[k:]],
            y[::3][m[::3]],
            np.extract(x > 0, x),
            x[1:].T[m[:6]],
        )

    def whole(x, m):
        return x.ravel()[m.ravel()], np.flatnonzero(m), np.extract(m, x.T)

    g, h = tracejit.function(f), tracejit.function(whole)
    x = numbers((40, 6))
    for a in (x, np.asfortranarray(x), x[::-1], x[:, ::-1]):
        for m in masks(40):
            for k in (0, 5):
                for p, q in zip(g(a, m, k), f(a, m, k), strict=True):
                    np.testing.assert_array_equal(p, q)
        for m in masks(240):
            for p, q in zip(h(a, m.reshape(40, 6)), whole(a, m.reshape(40, 6)), strict=True):
                np.testing.assert_array_equal(p, q)
    only = tracejit.function(lambda x, m: x[:, 2][m])
    agrees(only, x, masks(40)[2])
    assert (only.stats.loops, only.stats.temporaries) == (0, 0)


def test_picked_by_a_condition():
    """The condition is computed once, by the one loop there is."""
    f = tracejit.function(lambda x: x[x > 0])
    for n in LENGTHS:
        agrees(f, numbers((n,)))
        agrees(f, np.full(n, np.nan))
    assert (f.stats.loops, f.stats.traces) == (1, 1)
    g = tracejit.function(lambda x, y: (x[x > y], y[x > y], (x > y).sum()))
    agrees(g, numbers((300,)), numbers((300,)))
    if on_cpu():
        assert (
            g.stats.loops == 1 and g.source(numbers((3,)), numbers((3,))).count("count_true(") == 1
        )


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(7, 9), (40, 64), (3, 5, 8), (0, 4), (6, 0)])
def test_picked_from_several_axes(order, shape):
    """By masks of all axes, of the first, of the last, and of some in between."""
    x = np.asarray(numbers(shape), order=order)
    everywhere = tracejit.function(lambda x, m: x[m])
    first = tracejit.function(lambda x, m: x[m])
    last = tracejit.function(lambda x, m: x[..., m])
    both = tracejit.function(lambda x, m: (np.nonzero(m), np.argwhere(m), x[np.nonzero(m)])[2])
    for m in masks(x.size):
        agrees(everywhere, x, m.reshape(shape, order="F"))
        agrees(both, x, np.asarray(m.reshape(shape), order=order))
    for m in masks(shape[0]):
        agrees(first, x, m)
    for m in masks(shape[-1]):
        agrees(last, x, m)
    if x.ndim == 3:
        middle = tracejit.function(lambda x, m: x[:, m])
        agrees(middle, x, RNG.random(shape[1:]) < 0.5)


def test_rows():
    """Whole rows are copied, without a loop of ours."""
    f = tracejit.function(lambda x, m: x[m])
    for columns in (2, 3, 10):
        for m in masks(200):
            agrees(f, numbers((200, columns)), m)
    assert f.stats.traces == 1
    if on_cpu():
        assert "compress_rows(" in f.source(numbers((9, 3)), masks(9)[2])


@pytest.mark.parametrize(
    "f",
    [
        lambda m: np.nonzero(m),
        lambda m: np.where(m),
        lambda m: np.argwhere(m),
        lambda m: np.flatnonzero(m),
        lambda m: np.count_nonzero(m),
        lambda m: m.sum(),
    ],
)
def test_positions(f):
    f = tracejit.function(f)
    for n in LENGTHS:
        for m in masks(n):
            check_positions(f, m)
            check_positions(f, m[::-2])
    for shape in ((8, 16), (5, 3, 7), (2, 0)):
        for m in masks(int(np.prod(shape))):
            check_positions(f, m.reshape(shape))
    assert f.stats.traces <= 5


def check_positions(f: Any, m: np.ndarray) -> None:
    got, want = f(m), f.__wrapped__(m)
    for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (got, want)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_positions_are_written_at_once():
    f = tracejit.function(lambda m: np.nonzero(m))
    f(masks(100)[2])
    assert (f.stats.loops, f.stats.temporaries) == (0, 0)


@pytest.mark.parametrize("f", [np.compress, np.extract], ids=["compress", "extract"])
def test_compress_and_extract(f):
    g = tracejit.function(lambda m, x: f(m, x))
    for m in masks(300):
        agrees(g, m, numbers((300,)))
        agrees(g, m, numbers((20, 15)))
        agrees(g, m.astype(float), numbers((300,)))
    agrees(g, masks(200)[2], numbers((300,)))
    if on_cpu():
        assert "compress(" in g.source(m, numbers((300,)))


def test_sums_of_what_is_picked():
    """To the bit what the sum of the picked elements is."""
    f, whole = tracejit.function(lambda x, m: x[m].sum()), tracejit.function(lambda y: y.sum())
    for n in (5, 1000, 100_000):
        for m in masks(n):
            x = numbers((n,))
            assert f(x, m) == whole(x[m])
    g = tracejit.function(lambda x, m: (x[m] * x[m] + 1).mean())
    np.testing.assert_allclose(g(x, m), g.__wrapped__(x, m))
    if on_cpu():
        assert f.stats.temporaries == 1


EXTREMES = {
    "min": (lambda x: x[x > 0].min(), True),
    "max": (lambda x: (x[x > 0] * 2).max(), True),
    "positions": (lambda x: np.nonzero(x > 0)[0].max(), True),
    "up to one": (lambda x: x[: np.argmax(x > 0)].min(), False),
    "of rows": (lambda x: np.stack([x, -x])[:, x > 0].max(axis=1), True),
    "where": (lambda x: x[x > 0].argmax() + np.argmin((x * x)[x > 0]), True),
    "where in rows": (lambda x: np.stack([x, -x])[:, x > 0].argmin(axis=1), True),
}


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", [float, np.int32])
def test_extremes_of_what_is_picked(name, dtype):
    """Of nothing there is none: NumPy's exception."""
    function, of_negative_raises = EXTREMES[name]
    f = tracejit.function(function, on_unsupported="error")
    x = np.array([-3, 4, 2, -7, 9], dtype)
    for _ in range(2):
        got, want = f(x), function(x)
        np.testing.assert_array_equal(got, want)
        assert (type(got), got.dtype) == (type(want), want.dtype)
        for empty in (-abs(x), x[:0]) if of_negative_raises else (abs(x),):
            with pytest.raises(ValueError, match=r"no identity|of an empty sequence") as theirs:
                function(empty)
            with pytest.raises(ValueError) as ours:
                f(empty)
            assert str(ours.value) == str(theirs.value)
    assert f.stats.compiles >= 1 and f.stats.loops >= 1


def test_the_median_of_what_is_picked():
    f = tracejit.function(lambda x: np.median(x[x > 0]), on_unsupported="warn")
    x = np.array([-3.0, 4, 2, -7, 9])
    assert f(x) == 4 and f(x[:3]) == 3 and f.stats.fallbacks == 0
    with pytest.warns(RuntimeWarning), pytest.warns(tracejit.UnsupportedWarning):
        assert np.isnan(f(-abs(x)))  # NumPy warns


def test_what_is_picked_is_computed_in_place():
    f = tracejit.function(lambda x, m: np.exp(x[m]) + 1)
    x, m = numbers((1000,)), masks(1000)[2]
    np.testing.assert_allclose(f(x, m), f.__wrapped__(x, m))
    assert (f.stats.loops, f.stats.temporaries) == (1, 0)


def test_masks_of_other_shapes():
    """IndexError, in NumPy's words."""
    f = tracejit.function(lambda x, m: x[m])
    g = tracejit.function(lambda x, m: write(x, m, 0.0))
    for shape, of in (((5,), (6,)), ((5,), (4,)), ((5, 4), (4,)), ((5, 4), (5, 3)), ((5,), (5, 1))):
        agrees(f, numbers(shape), np.ones(of, bool))
        agrees(g, numbers(shape), np.zeros(of, bool))


# Writes ------------------------------------------------------------------------------------------


def write(x: Any, key: Any, value: Any) -> Any:
    z = x.copy()
    z[key] = value
    return z


def doubled(x: Any, m: Any) -> Any:
    z = x + x
    z[m] *= 2
    return z


def added(x: Any, m: Any) -> Any:
    z = x.copy()
    z[m] += x[m] * 3
    return z


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_for_a_mask(dtype):
    """In their order, without a copy of the array, by one program."""
    f = tracejit.function(write)
    for n in LENGTHS[3:]:
        for m in masks(n):
            if m.sum() != 1:
                agrees(f, numbers((n,), dtype), m, numbers((int(m.sum()),), dtype))
    assert (f.stats.traces, f.stats.loops, f.stats.temporaries) == (1, 1, 0)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_a_complex_number_for_a_mask(dtype):
    """By a call, without a temporary; where the mask is computed, in the loop that does so."""

    def f(x, m, k):
        z = x.copy()
        z[m] = 2
        w = x * 1
        w[m] = k
        return z, w

    g = tracejit.function(f)
    for n in LENGTHS:
        for m in masks(n):
            x = numbers((n,), dtype)
            for got, want in zip(g(x, m, 1 - 2j), f(x, m, 1 - 2j), strict=True):
                np.testing.assert_array_equal(got, want)
                assert got.dtype == want.dtype
    x = numbers((40,), dtype)
    if on_cpu():
        assert g.source(x, x.real > 0, 1j).count("put_number(") == 2 and g.stats.temporaries == 0
    agrees(
        tracejit.function(lambda x, m: write(x, m, 1j)),
        numbers((5, 8), dtype),
        x.reshape(5, 8).real > 0,
    )
    computed = tracejit.function(lambda x: write(x, abs(x) < 1, 0))
    agrees(computed, x)
    assert "put_number" not in computed.source(x) and computed.stats.loops == 1


def test_values_of_another_number():
    """ValueError; nothing is read beyond them, and a shared variable is as before."""
    f = tracejit.function(write)
    x, m = numbers((100,)), masks(100)[2]
    v = numbers((int(m.sum()),))
    agrees(f, x, m, v)
    for given in (v[:-1], v[:2], v[:0], np.append(v, [1.0, 2.0]), v[None], v[:1], v[0]):
        agrees(f, x, m, given)
    agrees(f, x, m & False, v)
    agrees(f, x, m, v)
    assert f.stats.fallbacks == 0
    with tracejit.config(compile=False):
        g = tracejit.function(write)
        for given in (v, v[:-1], v[:0], np.append(v, 1.0)):
            agrees(g, x, m, given)


def test_values_for_masks_of_several_axes():
    f = tracejit.function(write)
    x = numbers((20, 6))
    for m in masks(120):
        m = m.reshape(20, 6)
        agrees(f, x, m, numbers((int(m.sum()),)))
        agrees(f, np.asfortranarray(x), m, numbers((int(m.sum()) + 2,)))
    rows = masks(20)[2]
    count = int(rows.sum())
    for shape in (
        (count, 6),
        (6,),
        (count, 1),
        (1, 6),
        (1, 1),
        (count + 2, 6),
        (count, 5),
        (count,),
    ):
        agrees(f, x, rows, numbers(shape))
    columns = tracejit.function(lambda x, m, v: write(x, (slice(None), m), v))
    for shape in ((20, 3), (3,), (20, 1), (20, 4), (2,)):
        agrees(columns, x, np.array([True, False, True, False, True, False]), numbers(shape))


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "complex128", "int8"])
@pytest.mark.parametrize("f", [doubled, added])
def test_written_again(f, dtype):
    """Cheap enough to be computed everywhere, in the loop that makes the array."""
    g = tracejit.function(f)
    for n in LENGTHS:
        for m in masks(n):
            agrees(g, numbers((n,), dtype), m)
    assert (g.stats.traces, g.stats.loops, g.stats.temporaries) == (1, 1, 0)


def test_what_costs_much_is_computed_where_the_mask_is_true():
    def f(x, m):
        z = x.copy()
        z[m] = np.exp(z[m]) / x[m]
        return z

    g = tracejit.function(f)
    for m in masks(500):
        x = numbers((500,))
        np.testing.assert_allclose(g(x, m), f(x, m), rtol=1e-14)
    if on_cpu():
        assert "put_true(" in g.source(x, m)


def test_powers_are_refused_only_where_the_mask_is_true():
    """An integer to a negative power."""

    def f(x, k, m):
        z = x.copy()
        z[m] = x[m] ** k[m]
        return z

    g = tracejit.function(f)
    x, k = np.arange(1, 7), np.array([1, -1, 2, -2, 3, 0])
    agrees(g, x, k, k >= 0)
    agrees(g, x, k, k >= -1)


def test_rows_are_written():
    def f(x, m):
        z = x.copy()
        z[m] *= 2
        z[~m] = x[0]
        return z

    g = tracejit.function(f)
    for m in masks(50):
        agrees(g, numbers((50, 7)), m)
    assert g.stats.traces == 1


@pytest.mark.parametrize("name", ["place", "putmask"])
def test_values_over_and_over(name):
    def f(x, m, v):
        z = x.copy()
        getattr(np, name)(z, m, v)
        return z

    def numbers_of_python(x, m):
        z = x.copy()
        getattr(np, name)(z, m, [1, 2, 3])
        return z

    g, h = tracejit.function(f), tracejit.function(numbers_of_python)
    for shape in ((300,), (20, 15)):
        x = numbers(shape)
        for m in masks(300):
            m = m.reshape(shape)
            values = (
                0,
                2.5,
                np.float32(1),
                x[:0],
                numbers((3,)),
                numbers((400,)),
                numbers((2, 5)),
                x,
            )
            for v in (*values, m, np.arange(3)):
                agrees(g, x, m, v)
            agrees(g, x, m.ravel(), numbers((3,)))
            agrees(g, x, m.astype(int), numbers((3,)))
            agrees(h, x, m)
    agrees(g, x.astype(np.float32), m, x)
    agrees(g, x, m[:-1], x)


def test_values_in_turn_at_positions():
    def f(x, i, v):
        z = x.copy()
        np.put(z, i, v)
        z[::-1].put(i, v, mode="wrap")
        np.put(z.T, i, v, "clip")
        return z

    g = tracejit.function(f)
    for x in (numbers((6,)), numbers((2, 3)), np.arange(24).reshape(2, 3, 4), numbers((6, 1))):
        for i in ([0], [1, -1, 1], [[0, 5], [-6, 2]], 3):
            at = np.array(i)
            for v in (7, 2.5, np.array([1.0, 2]), np.arange(40), np.array([3]), x[:0], True):
                agrees(g, x, at, v)
    assert not g.stats.fallbacks

    def of_python(x):
        z = x.copy()
        np.put(z, [0, 1, 2], [1.7, 2])
        return z

    h = tracejit.function(of_python)
    for x in (np.zeros(4), np.zeros((2, 2), int)):
        agrees(h, x)
    short = tracejit.function(f)
    for bad in (np.array([0, 6]), np.array([-7])):
        with pytest.raises(IndexError, match="out of bounds"):
            short(np.zeros(6), bad, 1)


def test_what_is_written_into_itself():
    def reversed_(x, m):
        z = x * 2
        np.putmask(z, m, z[::-1])
        return z

    def whole(x, m):
        z = x * 2
        z[m] = z
        return z

    def cleared(x, m):
        z = x > 0
        z[z] = False
        z[z | m] = m[z | m]
        return z

    x = numbers((300,))
    for f in (reversed_, whole, cleared):
        for m in masks(300):
            if m.sum() != 1:
                agrees(tracejit.function(f), x, m)

    def placed(x, m):
        z = x * 2
        np.place(z, m, z[1:])
        return z

    def placed_whole(x, m):
        z = x * 2
        np.place(z, m, z)
        return z

    for f in (placed, placed_whole):
        with pytest.raises(tracejit.UnsupportedError, match="into itself"):
            tracejit.function(f)(x, m)


def test_arrays_beside_what_is_picked():
    """One element for each that is true; how many there are is seen when the program runs."""

    def increased(x, m, v):
        z = x.copy()
        z[m] += v
        return z

    def product(x, m, v):
        return v * x[m] - 1

    def copied(x, m, v):
        z = v * 2
        z[:] = x[m]
        return z

    def two(x, m, v):
        return x[m] + v[v > 0]

    x, m = numbers((300,)), masks(300)[2]
    v = np.abs(numbers((int(m.sum()),))) + 1
    for f in (increased, product, copied, two):
        g = tracejit.function(f)
        for mask in (m, m & False, m | True):
            for given in (v, v[:-1], np.append(v, 1.0), v[:1], v[:0], numbers((300,))):
                if f is not two or (len(given) > 1 and mask.any()):
                    agrees(g, x, mask, given)
        assert g.stats.fallbacks == 0


# Derivatives -------------------------------------------------------------------------------------


def test_gradients_through_masks():
    rng = np.random.default_rng(3)
    x, v = rng.random(50) + 1, rng.random(50)
    m = rng.random(50) < 0.4
    picked = tracejit.grad(lambda x, m: (x[m] ** 2).sum())
    np.testing.assert_allclose(picked(x, m), np.where(m, 2 * x, 0))
    chosen = tracejit.grad(lambda x: (x[x > 1.5] ** 3).sum())
    np.testing.assert_allclose(chosen(x), np.where(x > 1.5, 3 * x**2, 0))

    def total(x, m, v):
        z = x * 1
        z[m] = v
        return (z**2).sum()

    values = v[: int(m.sum())]
    by_array, by_values = (tracejit.grad(total, argnums=k)(x, m, values) for k in (0, 2))
    np.testing.assert_allclose(by_array, np.where(m, 0, 2 * x))
    np.testing.assert_allclose(by_values, 2 * values)
    again = tracejit.grad(lambda x, m: (doubled(x, m) ** 2).sum())
    np.testing.assert_allclose(again(x, m), np.where(m, 32 * x, 8 * x))


@pytest.mark.parametrize(
    "shape", [(0,), (7,), (512,), (70_000,), (3, 0), (40, 50), (6, 700), (2, 3, 900)]
)
def test_what_is_true_is_counted(shape):
    """In small numbers, by blocks, however it lies in memory; all of it is more than one holds."""
    x = np.random.default_rng(1).random(shape) < 0.9
    axes = (None, *range(x.ndim), (0, -1) if x.ndim > 1 else 0)
    f = tracejit.function(
        lambda x: [(np.count_nonzero(x, a), x.sum(a), (x == 0).sum(a)) for a in axes]
    )
    for y in (x, x[::-1], x[..., ::-2], x.T, np.ones_like(x), x.astype(np.int8) * 3):
        for got, want in zip(f(y), f.__wrapped__(y), strict=True):
            for mine, numpys in zip(got, want, strict=True):
                np.testing.assert_array_equal(mine, numpys)
                assert np.asarray(mine).dtype == np.asarray(numpys).dtype
    g = tracejit.function(lambda x: np.count_nonzero(x))
    assert g(x) == np.count_nonzero(x)
    if on_cpu():
        assert "count_true(" in g.source(x)
    rows = tracejit.function(lambda x: np.count_nonzero(x, -1))
    if on_cpu():
        assert "int16(0)" in rows.source(x) or x.ndim == 1


@pytest.mark.parametrize("expression", [
    "np.tile(x, (2, 3))", "np.tile(x, (2, 1, 3))", "np.repeat(x, 3)", "np.repeat(x, 2, axis=0)",
    "np.repeat(x + 1, 3, axis=1)", "np.roll(x, 5)", "np.roll(x, -5)",
    "np.tile(x[:, ::-2], (3, 2))",
])  # fmt: skip
def test_repetitions_are_written_where_they_belong(expression):
    f = tracejit.function(eval(f"lambda x: {expression}", {"np": np}))
    real = np.arange(12.0).reshape(3, 4)
    for x in (real, np.arange(70, dtype="h").reshape(7, 10), np.eye(4) * 1j, real.astype("e")):
        for a in (x, np.asfortranarray(x), x[::-1, ::2]):
            with tracejit.config(compile=False):
                plain = f(a)
            got, want = f(a), f.__wrapped__(a)
            np.testing.assert_array_equal(got, want)
            np.testing.assert_array_equal(plain, want)
            assert got.flags.c_contiguous and got.dtype == want.dtype
    g = tracejit.function(f.__wrapped__)
    g(np.arange(12.0).reshape(3, 4))
    assert g.stats.temporaries == 0


def test_a_repetition_that_is_read_again_is_in_memory():
    def function(x):
        y = np.repeat(np.exp(x), 3)
        return y, y[1:] - y[:-1], np.roll(x, 3)[::-1].copy(), np.tile(y, (2, 2)).sum()

    f = tracejit.function(function)
    for got, want in zip(f(np.arange(9.0)), function(np.arange(9.0)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)


# where= ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b != 0),
        lambda a, b: np.sqrt(a, out=np.full(a.shape, -1, "f"), where=a > 0, casting="same_kind"),
        lambda a, b: np.add(a, b, out=(a.copy(),), where=b[:, :1] > 0),
        lambda a, b: np.add(a[0], b[0], out=np.ones(a.shape), where=b > 0),
        lambda a, b: np.log(a, np.zeros(a.shape), where=b[0] != 0),
    ],
)
def test_where_keeps_what_out_holds(f):
    rng = np.random.default_rng(2)
    a, b = rng.random((5, 4)), rng.integers(-1, 2, (5, 4)).astype(float)
    g = tracejit.function(f)
    got, want = g(a, b), f(a, b)
    np.testing.assert_allclose(got, want, rtol=1e-14)
    assert got.dtype == want.dtype and g.stats.loops == 1


@pytest.mark.parametrize(
    "f",
    [
        lambda a, k: np.add(a, 1, out=np.zeros(4), where=k),
        lambda a, k: np.add(a, 1, out=np.zeros(4), where=(a > 0)[:, None]),
    ],
)
def test_where_that_is_no_mask_runs_in_numpy(f):
    g = tracejit.function(f)
    with pytest.raises(tracejit.UnsupportedError, match="where="):
        g(np.arange(4.0), np.arange(4))


def test_powers_are_tested_only_where_they_are_computed():
    def f(k):
        return np.power(k, -k, out=np.zeros(4, int), where=k < 0)

    g = tracejit.function(f)
    for k in (np.arange(4), np.array([-1, -2, 3, -3])):
        np.testing.assert_array_equal(g(k), f(k))


@pytest.mark.cpu
def test_a_count_of_values_is_tested_by_a_code_of_the_entry() -> None:
    @tracejit.function
    def f(x: Any, m: Any, v: Any) -> Any:
        z = x.copy()
        z[m] = v
        return z

    x, m = np.arange(6.0), np.arange(6) % 2 == 0
    np.testing.assert_array_equal(f(x, m, np.array([7.0, 8.0, 9.0])), [7, 1, 8, 3, 9, 5])
    source = f.source(x, m, np.array([7.0, 8.0, 9.0]))
    assert "def entry(x0, x1, x2, b0):" in source  # no array for the answer
    with pytest.raises(ValueError, match="2 input values to the 3 output values"):
        f(x, m, np.array([7.0, 8.0]))
