"""``np.fft``: NumPy's own transforms, called from compiled programs."""

from __future__ import annotations

import numpy as np
import pytest
from library_calls import check, function, listed, outcome

import tracejit

RNG = np.random.default_rng(1)
X = RNG.normal(size=(5, 8, 3))
Z = X + 1j * RNG.normal(size=X.shape)
V = RNG.normal(size=9)


EXPRESSIONS = """
np.fft.fft(x)  np.fft.fft(z, axis=0)  np.fft.fft(v, 4)  np.fft.fft(v, 20)  np.fft.fft(z[0], axis=-2)
np.fft.ifft(z)  np.fft.ifft(x, 7, 1)  np.fft.fft(z, norm='ortho')  np.fft.ifft(z, norm='forward')
np.fft.fft(z, norm='forward')  np.fft.ifft(z, norm='ortho')  np.fft.fft(z, norm='backward')
np.fft.rfft(x)  np.fft.rfft(x, axis=1)  np.fft.rfft(v, 6)  np.fft.rfft(v, 13, norm='ortho')
np.fft.irfft(z)  np.fft.irfft(z, axis=1)  np.fft.irfft(v)  np.fft.irfft(z, 9, 0, 'forward')
np.fft.hfft(z)  np.fft.hfft(v, 5, norm='ortho')  np.fft.ihfft(v)  np.fft.ihfft(x, 4, 1, 'forward')
np.fft.fft2(x)  np.fft.ifft2(z, axes=(0, 1))  np.fft.fft2(z, (4, 9), norm='ortho')
np.fft.fftn(x)  np.fft.ifftn(z, axes=(2, 0))  np.fft.fftn(x, (3, -1), (1, 2))
np.fft.fftn(x, axes=())
np.fft.rfft2(x)  np.fft.rfftn(x)  np.fft.rfftn(x, axes=(1, 0))  np.fft.rfftn(x, (4, 4), axes=(0, 1))
np.fft.irfft2(z)  np.fft.irfftn(z)  np.fft.irfftn(z, (6, 7), (2, 1), 'ortho')
np.fft.fftshift(x)  np.fft.ifftshift(v)  np.fft.fftshift(z, axes=1)  np.fft.ifftshift(x, (0, 2))
np.fft.fftfreq(len(v), 0.1) * v  np.fft.fftfreq(8) + x[0, :, 0]  np.fft.rfftfreq(9, d=2) + v[:5]
np.fft.fftfreq(v.size, v[0])  np.fft.rfftfreq(x.shape[1])[:3] * v[:3]
np.fft.fft(v[:1])  np.fft.fft(x[:0])  np.fft.irfft(v[:2])  np.fft.fft(np.fft.ifft(z).real)
np.fft.fft(v * np.nan)  np.fft.fft(np.where(v > 0, np.inf, v))  np.fft.rfft(-0.0 * v)
np.fft.ifft(np.fft.fft(v) * np.fft.fft(v[::-1])).real
"""
WRONG = """
np.fft.fft(v, 0)  np.fft.fft(x[:, :0], axis=1)  np.fft.fft(v, axis=1)  np.fft.fft(v[0])
np.fft.fft(v, norm='x')  np.fft.ifft(v, norm='x')  np.fft.rfft(z)  np.fft.fft(v, 1.5)
np.fft.fftn(x, (1, 2), (0,))  np.fft.irfft(v[:1])  np.fft.hfft(v, norm=1)  np.fft.fftfreq(1.5) + v
"""


@pytest.mark.parametrize("expression", [*listed(EXPRESSIONS), *listed(WRONG)])
def test_every_function(expression):
    f = function(expression, "x, z, v")
    assert isinstance(outcome(f, X, Z, V), type) == (expression in WRONG)
    check(f, X, Z, V)


@pytest.mark.parametrize("expression", [
    "np.fft.fft(z, axis=0)", "np.fft.rfft(v, 6)", "np.fft.irfftn(z)", "np.fft.fftshift(x, axes=1)",
    "np.fft.ihfft(x, 4, 1, 'forward')", "np.fft.fftfreq(len(v), v[0])", "np.fft.rfft2(x)",
    "np.fft.fft(v, 0)",
])  # fmt: skip
def test_compiled(expression):
    check(function(expression, "x, z, v"), X, Z, V, compile=True)


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "rfftn"])
@pytest.mark.parametrize("char", "?bHlLefdFD")
def test_dtypes(name, char):
    """Float32 stays single; in which precision NumPy computes, NumPy says."""
    x = (10 * X[0] if char in "?bHlLefd" else Z[0]).astype(char)
    check(lambda x: getattr(np.fft, name)(x), x)
    check(lambda x: getattr(np.fft, name)(x, norm="ortho"), x)


@pytest.mark.parametrize("layout", [
    lambda x: np.asfortranarray(x), lambda x: x[::-1], lambda x: x[:, ::-2],
    lambda x: x.swapaxes(0, 2),
])  # fmt: skip
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layouts(layout, axis):
    check(
        lambda x, k=axis: np.fft.fft(x, axis=k) + np.fft.rfft(x.real, 4, axis=k)[0, 0, 0], layout(Z)
    )


def test_sizes_of_one_parity_are_one_program():
    f = tracejit.function(lambda x: np.fft.irfft(np.fft.rfft(x)), on_unsupported="error")
    for n in (8, 16, 100, 2, 9, 31, 64):
        x = RNG.normal(size=n)
        np.testing.assert_array_equal(f(x), np.fft.irfft(np.fft.rfft(x)))
    assert f.stats.compiles == 2


@pytest.mark.parametrize("compile", [False, True])
def test_results_are_written_where_out_says(compile):
    def f(x):
        out = np.empty(x.shape, complex)
        same = np.fft.fft(x, out=out)
        same += 1
        return out

    check(f, Z, compile=compile)
    g = tracejit.function(lambda x: np.fft.fftn(x, out=np.zeros(x.shape, complex)))
    with pytest.raises(tracejit.UnsupportedError, match="out="):
        g(Z)


@pytest.mark.parametrize("compile", [False, True])
def test_convolutions_in_a_loop(compile):
    def f(rows, kernel):
        result = np.zeros(rows.shape)
        for k in range(len(rows)):
            result[k] = np.fft.irfft(np.fft.rfft(rows[k]) * np.fft.rfft(kernel), kernel.size)
        return result

    with tracejit.config(compile=compile):
        g = tracejit.function(f, on_unsupported="error")
        rows, kernel = RNG.normal(size=(30, 12)), RNG.normal(size=12)
        np.testing.assert_allclose(g(rows, kernel), f(rows, kernel), rtol=1e-12, atol=1e-13)
