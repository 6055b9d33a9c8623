"""Filters and convolutions of ``scipy.signal``: its Python code as written, and loops of ours."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal as ss
from library_calls import flat, met, outcome

import tracejit
from tracejit.testing import check_grads

RNG = np.random.default_rng(0)
B, A = ss.butter(3, 0.4)
ARGUMENTS = {
    "v": RNG.normal(size=30), "w": RNG.normal(size=5), "x": RNG.normal(size=(6, 9)),
    "i": RNG.integers(0, 9, 12), "z": RNG.normal(size=4) + 1j, "b": B, "a": A,
    "sos": ss.butter(4, 0.3, output="sos"),
}  # fmt: skip

CALLS = """
ss.lfilter(b, a, v)
ss.lfilter(b, a, x, axis=0)
ss.lfilter(b, a, x[::-1, ::2])
ss.lfilter(b, [1.0], v)
ss.lfilter([0.5], [2.0, -0.5], v)
ss.lfilter(b, a, v, zi=np.ones(3))
ss.lfilter(b, a, x, zi=np.ones((6, 3)))
ss.lfilter(b, a, x, axis=0, zi=np.ones((3, 9)))
ss.lfilter(b.astype('f'), a.astype('f'), x.astype('f'))
ss.lfilter(b, a, i)
ss.lfilter(b, a, z)
ss.lfilter(b, a, v[:1])
ss.lfilter(b, a, v[:0])
ss.sosfilt(sos, v)
ss.sosfilt(sos, x, axis=0)
ss.sosfilt(sos, x, zi=np.ones((2, 6, 2)))
ss.sosfilt(sos, x.astype('f'))
ss.sosfilt(sos, i)
ss.lfiltic(b, a, v[:3])
ss.lfiltic(b, a, v[:2], v[:2])
ss.lfiltic(b, [1.0], i)
ss.lfilter(b, a, v[9:], zi=ss.lfiltic(b, a, v[:3]))
ss.savgol_filter(v, 5, 2)
ss.savgol_filter(x, 5, 3, deriv=1, delta=0.5)
ss.savgol_filter(x, 5, 3, axis=0)
ss.savgol_filter(v, 5, 2, mode='mirror')
ss.savgol_filter(v, 4, 2, mode='constant', cval=1)
ss.savgol_filter(i, 5, 2)
ss.savgol_filter(x.astype('f'), 5, 1)
ss.detrend(v)
ss.detrend(x, axis=0)
ss.detrend(x, type='constant')
ss.detrend(i)
ss.detrend(x.astype('f'))
ss.hilbert(v)
ss.hilbert(x, axis=0)
ss.hilbert(x, N=5)
ss.convolve(v, w)
ss.convolve(v, w, 'same')
ss.convolve(v, w, 'valid')
ss.convolve(w, v, 'valid')
ss.convolve(v, w, 'same', method='fft')
ss.convolve(v, z)
ss.convolve(i, i)
ss.convolve(i, i, method='fft')
ss.convolve(x, x[:2, :3])
ss.correlate(v, w)
ss.correlate(v, z, 'same', 'direct')
ss.correlate(x, x[:2, :3], 'same')
ss.correlate(x + 1j, x[:2, :3] * 1j, 'full', 'direct')
ss.correlate(x[:2, :3], x, 'valid', 'direct')
ss.convolve2d(x, x[:3, :4])
ss.convolve2d(x, x[:2, :4], 'same', 'symm')
ss.convolve2d(x, x[:3, :3], 'valid')
ss.convolve2d(x[:2, :2], x[:3, :3], 'valid')
ss.correlate2d(x, x[:2, :4], 'same', 'wrap')
ss.correlate2d(x, x[:2, :4] * 1j, boundary='fill', fillvalue=2)
ss.fftconvolve(v, w)
ss.fftconvolve(x, x[:3, :3], 'valid')
ss.fftconvolve(x, x[:, :3], 'same', axes=1)
ss.fftconvolve(v, z)
ss.fftconvolve(v.astype('f'), w.astype('f'))
ss.get_window('hann', 9) * v[:9]
ss.get_window(('kaiser', 4.0), 9) * v[:9]
ss.windows.hamming(9) * v[:9]
ss.firwin(9, 0.3) * v[:9]
ss.lfilter(*ss.butter(3, 0.3), v)
ss.sosfilt(ss.butter(4, 0.3, output='sos'), v)
ss.medfilt(v, 3)
"""
WRONG = """
ss.lfilter([], a, v)
ss.lfilter(b, [0.0, 1.0], v)
ss.lfilter(b[None], a, v)
ss.lfilter(b, a, v, zi=np.ones(5))
ss.sosfilt(sos[:, :5], v)
ss.sosfilt(sos * 2, v)
ss.sosfilt(sos, v, axis=1)
ss.sosfilt(sos, x, zi=np.ones((2, 6, 3)))
ss.savgol_filter(v, 5, 5)
ss.savgol_filter(v[:3], 5, 2)
ss.savgol_filter(v, 5, 2, mode='none')
ss.detrend(v, type='none')
ss.hilbert(z)
ss.hilbert(v, N=0)
ss.convolve(v, x)
ss.convolve(v, w, 'none')
ss.convolve(x[:2], x[:, :3], 'valid')
ss.fftconvolve(x, x[:2], axes=1)
ss.convolve2d(v, v)
ss.convolve2d(x, x, boundary='none')
"""


def function(expression):
    scope = {"ss": ss, "np": np}
    exec(f"def f({', '.join(ARGUMENTS)}): return {expression}", scope)
    return scope["f"]


def check(f, *args, compile=False):
    found = met(f, *args, compile=compile)
    if found is None:
        return
    got, want = found
    for x, y in zip(flat(got), flat(want), strict=True):
        assert (type(x), x.dtype, x.shape) == (type(y), y.dtype, y.shape)
        rtol = 1e-5 if x.dtype.char in "fF" else 1e-12
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


def listed(text):
    return text.strip().split("\n")


@pytest.mark.parametrize("expression", listed(CALLS))
def test_calls(expression):
    check(function(expression), *ARGUMENTS.values())


@pytest.mark.parametrize("expression", listed(WRONG))
def test_what_scipy_raises(expression):
    f = function(expression)
    assert isinstance(outcome(f, *ARGUMENTS.values()), type)
    check(f, *ARGUMENTS.values())


def filtered(b, a, sos, v, x):
    y, state = ss.lfilter(b, a, v, zi=np.zeros(3))
    return y, state, ss.sosfilt(sos, x), ss.lfilter(b, a, x, axis=0)


@pytest.mark.parametrize("length", [1, 2, 3000])
def test_filters_are_loops(length):
    """Of each step the bits are SciPy's."""
    b, a, sos = ARGUMENTS["b"], ARGUMENTS["a"], ARGUMENTS["sos"]
    v, x = RNG.normal(size=length), RNG.normal(size=(4, length))
    got = tracejit.function(filtered, on_unsupported="error")(b, a, sos, v, x)
    for y, want in zip(got, filtered(b, a, sos, v, x), strict=True):
        np.testing.assert_array_equal(y, want)


@pytest.mark.parametrize("expression", [
    "ss.savgol_filter(x, 5, 2)", "ss.hilbert(v)", "ss.convolve2d(x, x[:3, :3], 'same')",
    "ss.fftconvolve(v, w, 'same')", "ss.detrend(x)",
])  # fmt: skip
def test_compiled(expression):
    check(function(expression), *ARGUMENTS.values(), compile=True)


def test_transforms_of_what_is_not_finite_are_scipys():
    f = tracejit.function(lambda v, w: ss.convolve(v, w, method="fft"), on_unsupported="warn")
    v, w = ARGUMENTS["v"].copy(), ARGUMENTS["w"]
    with tracejit.config(compile=False):
        f(v, w)
        v[0] = np.nan
        with pytest.warns() as told:
            np.testing.assert_array_equal(f(v, w), np.full(34, np.nan))
    assert {w.category for w in told} == {RuntimeWarning, tracejit.UnsupportedWarning}


@pytest.mark.parametrize("compile", [False, True])
def test_filters_to_and_fro(compile):
    f = lambda v: ss.filtfilt(B, A, v)  # noqa: E731
    check(f, ARGUMENTS["v"], compile=compile)


@pytest.mark.parametrize("f", [
    lambda v: ss.find_peaks(v)[0] + 1, lambda v: ss.welch(v, nperseg=8)[1] + 1,
    lambda v: ss.periodogram(v)[1] + 1, lambda v: ss.upfirdn([1.0, 2.0], v) + 1,
    lambda v: ss.detrend(v, bp=[0, 9]) + 1,
])  # fmt: skip
def test_what_is_a_host_call(f):
    v = ARGUMENTS["v"]
    with pytest.warns(tracejit.UnsupportedWarning):
        got = tracejit.function(f, on_unsupported="warn")(v)
    np.testing.assert_array_equal(got, f(v))


def test_derivatives():
    v, w, b = RNG.normal(size=12), RNG.normal(size=4), np.array([0.3, 0.2])
    a = np.array([1.0, -0.4])
    with tracejit.config(compile=False):
        check_grads(lambda v, b, a: ss.lfilter(b, a, v), [v, b, a], rtol=1e-5, atol=1e-5)
        check_grads(lambda v, w: ss.fftconvolve(v, w), [v, w], rtol=1e-5, atol=1e-5)
        check_grads(lambda v: ss.savgol_filter(v, 5, 2), [v], rtol=1e-5, atol=1e-5)
