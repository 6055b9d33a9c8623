"""The rest of NumPy's namespace, against NumPy."""

from __future__ import annotations

import calls
import numpy as np
import pytest

import tracejit

#: What is searched, counted and put in order.
SEARCHES = """
np.argpartition(v, 3)[3]
np.average(x, axis=0, weights=w, returned=True)
np.average(x, axis=1, weights=v[:5])
np.average(x, weights=y)
np.average(x, weights=y*0)
np.bincount(i - 1)
np.bincount(i)
np.bincount(i, minlength=4).reshape(2, 2)
np.bincount(i, minlength=9)
np.bincount(i, v[:6])
np.bincount(i, v[:6], minlength=2) * np.arange(4)
np.bincount(i[:0], minlength=3)
np.bincount(x[0])
np.corrcoef(x)
np.corrcoef(x, y, rowvar=False)
np.cov(v, aweights=v*v)
np.cov(w, v[:4], bias=True)
np.cov(x)
np.cov(x, rowvar=False, ddof=0)
np.digitize(x, [-1.0, 0.0, 2.0])
np.digitize(x, [2.0, 0.0, -1.0])
np.digitize(x, s)
np.digitize(x, s[::-1], right=True)
np.digitize(x, v)
np.histogram(f, 7, density=True)
np.histogram(i*0, 5)
np.histogram(i, 5)
np.histogram(u, 7)
np.histogram(x)
np.histogram(x*0)
np.histogram(x, 5, weights=i.sum()*(x>0))
np.histogram(x, bins=4, range=(-1, 1))
np.histogram(x, bins=[-1, 0, 1], density=True)
np.histogram(x, bins=n)
np.histogram(x, bins=s)
np.histogram(x, bins=s, weights=y)
np.histogram(x, bins=v)
np.histogram(x, weights=y)
np.histogram(x/0, 5)
np.histogram_bin_edges(x, 6)
np.intersect1d(i, j)
np.intersect1d(i, j, return_indices=True)
np.isin(i, [1, 2], invert=True)
np.isin(i, [])
np.isin(i, j)
np.isin(np.array([np.nan,1]), x)
np.isin(u, 3)
np.isin(x, y)
np.lexsort((i, j))
np.lexsort((x, y), axis=0)
np.lexsort([i, i[::-1]])
np.lexsort(x)
np.median(x, axis=0, out=y[0]); return y
np.pad(x, 1, mode='median')
np.partition(x, 2)
np.partition(x, 9)
np.searchsorted(i.cumsum(), 3.5)
np.searchsorted(s, 0.3)
np.searchsorted(s, x)
np.searchsorted(s, x, side='right')
np.searchsorted(u[0], j)
np.searchsorted(v, x, sorter=np.argsort(v))
np.setxor1d(i, j)
np.sort(x, axis=0)[np.searchsorted(x[:,0].copy()*0, 0)]
np.sort_complex(x)
np.sort_complex(z)
np.union1d(i, j)
np.union1d(v, s)
np.unique(i)
np.unique(i, return_index=True, return_inverse=True, return_counts=True)
np.unique(m)
np.unique(np.round(x), axis=0, return_counts=True, return_index=True, return_inverse=True)
np.unique(np.round(x), axis=1)
np.unique(np.where(x > 0, np.nan, x))
np.unique(np.where(x > 0, np.nan, x), equal_nan=False, return_counts=True)
np.unique(x > 0, axis=0)
np.unique(x)
np.unique(z, return_inverse=True)
np.unique_all(i)
np.unique_counts(i)
np.unique_inverse(i)
s.searchsorted(s)
x.partition(1, axis=0); return x[1]
"""
#: What NumPy writes in Python, and what goes along a line.
FUNCTIONS = """
np.apply_over_axes(np.sum, x, [0,1])
np.array_equiv(x, x[:1])
np.bartlett(n)
np.blackman(len(v))
np.block([[x, y], [y, x]])
np.clip(x, 0, 1, out=y)
np.common_type(x, f)
np.convolve(f[0], f[1], 'valid')
np.convolve(f[0].astype('e'), f[1].astype('e'), 'full')
np.convolve(i, j)
np.convolve(m[0], m[1])
np.convolve(v, w)
np.convolve(v[:5], w, 'same')
np.convolve(w, v, 'same')
np.correlate(v, w)
np.correlate(w, v, 'full')
np.correlate(z[0], z[1,:3], 'same')
np.cross(x[0,:3], y[:, :3])
np.cross(x[:, :3], y[:, :3])
np.cumulative_prod(v)
np.cumulative_sum(v)
np.cumulative_sum(x)
np.cumulative_sum(x, axis=1, include_initial=True)
np.delete(v, -1)
np.delete(v, 9)
np.delete(v, i)
np.delete(x, 1)
np.delete(x, [0, 2], axis=0)
np.delete(x, m[0], axis=1)
np.delete(x, slice(0,2), axis=1)
np.diag_indices(3)
np.diag_indices_from(x[:, :4])
np.diagflat(x, 1)
np.ediff1d(x, to_end=[1.0, 2.0], to_begin=0)
np.geomspace(1, 100, 5)*w[0]
np.geomspace(n, 100.0, 5)
np.geomspace(w[0]*w[0]+1, 100.0, 5)
np.gradient(i)
np.gradient(v)
np.gradient(v, 2.0)
np.gradient(x)
np.gradient(x, 1.0, s[:5], edge_order=2)
np.gradient(x, axis=1)
np.hamming(n)
np.hanning(len(v)) * v
np.i0(x)
np.insert(v, 1, 5.0)
np.insert(v, [1, 3], [2.0, 3.0])
np.insert(x, 1, w, axis=1)
np.insert(x, [1,2], 7, axis=0)
np.interp(0.3, s, s*s)
np.interp(i, j.cumsum(), j)
np.interp(np.array([np.nan, 1.0]), s, s)
np.interp(x, s, s*1j+1)
np.interp(x, s, s*s, left=-9, right=9.0)
np.interp(x, s, s, period=1.5)
np.interp(x, s, y[0].repeat(2)[:9])
np.interp(x, s[:1], s[:1])
np.isneginf(x/0)
np.isposinf(x/0)
np.kaiser(len(v), 14.0)*v
np.kaiser(n, 2.5)
np.logspace(0, 2, 5)
np.logspace(w[0], 2.0, 5)
np.nan_to_num(x/0, copy=False)
np.nan_to_num(x/0, nan=3.0)
np.nan_to_num(z/0)
np.pad(i, 1, mode='mean')
np.pad(v, (1, n))
np.pad(v, (2,1), mode='wrap')
np.pad(v, 12, mode='reflect', reflect_type='odd')
np.pad(v, 2)
np.pad(v, 2, mode='empty')[2:-2]
np.pad(v, 2, mode='linear_ramp', end_values=(5, -4))
np.pad(v, 3, mode='symmetric')
np.pad(x, ((1,2),(0,3)), constant_values=5)
np.pad(x, 1, mode='edge')
np.pad(x, 1, mode='maximum')
np.pad(x, 1, mode='mean')
np.pad(x, 1, mode='minimum', stat_length=2)
np.pad(x, 2, mode='reflect')
np.piecewise(v, [v < 0, v >= 0], [lambda t: -t, lambda t: t*2])
np.piecewise(x, [x < 0, x >= 0], [-1, 1])
np.poly(w)
np.polyadd(v, w)
np.polyder(v)
np.polyder(v, 2)
np.polyint(v)
np.polyint(v, k=3.0)
np.polysub(w, v)
np.polyval([1, 2, 3], x)
np.polyval(v, x)
np.put_along_axis(x, np.argmax(x, axis=1)[:, None], 9.0, axis=1); return x
np.resize(v, (3, 4))
np.resize(v, 3)
np.resize(x, (n, n))
np.trapezoid(v)
np.trapezoid(x, dx=0.5, axis=0)
np.trapezoid(x, s[:5])
np.tril_indices(4)
np.tril_indices_from(x)
np.trim_zeros(i, 'f')
np.trim_zeros(np.where(v > 0, v, 0))
np.triu_indices(n, 1)
np.triu_indices_from(x, 1)
np.unwrap(i, period=4)
np.unwrap(np.cumsum(v)*3)
np.unwrap(x*10, axis=0)
np.vander(v)
np.vander(w, 3, increasing=True)
x[np.triu_indices(4, 1)]
"""
#: Parts of complex numbers, and indices of one truth value.
PARTS = """
np.i0(x[0,0])
np.real_if_close(x)
x.imag = 2; return x
x.real = 2; return x
x[..., x[0,0] > 0]
x[:, True]
x[False]
x[False] = 4.0; return x
x[True]
x[True] = 4.0; return x
x[x[0, 0] > 0] = 4.0; return x
y = z[::2].T; y.imag = 2; return z
z.imag[1:] = 3; return z
z.real += 1; return z
z.real = x; return z
"""

#: Quantiles by all methods.
QUANTILES = """
np.percentile(x, 30)
np.percentile(x, [10, 50, 99.5], axis=0)
np.percentile(x, [10, 50, 99.5, 0, 100], axis=1)
np.percentile(x, v[0]*v[0]*10)
np.quantile(v, 0.25)
np.quantile(v, 1)
np.quantile(v, 2)
np.quantile(f, 0.3)
np.quantile(f, np.array([0.3, .9]))
np.quantile(f, np.float32(0.3), axis=1)
np.quantile(x, [0.1, 0.5], axis=1, keepdims=True)
np.quantile(x, 0.3, axis=(0,1), keepdims=True)
np.quantile(i, 0.3)
np.quantile(u, [0.3, 0.9], axis=0)
np.quantile(x>0, 0.3)
np.quantile(x, [[0.1, .2],[.3,.5]], axis=1)
np.quantile(np.where(x > 1, np.nan, x), 0.3, axis=1)
np.quantile(np.where(x > 1, np.nan, x), [.1,.2,.3,.4,.5], axis=0)
np.quantile(v, 0.4, method='lower')
np.quantile(v, [0.4, 0.5], method='higher')
np.quantile(v, 0.4, method='nearest')
np.quantile(v, 0.4, method='midpoint')
np.quantile(x, 0.4, axis=1, method='inverted_cdf')
np.quantile(x, [0.4, .7], axis=1, method='averaged_inverted_cdf')
np.quantile(x, 0.4, axis=1, method='closest_observation')
np.quantile(x, 0.4, axis=1, method='interpolated_inverted_cdf')
np.quantile(x, [.0, 0.4, .99, 1.0], axis=0, method='hazen')
np.quantile(x, 0.4, axis=1, method='weibull')
np.quantile(x, 0.9, axis=1, method='median_unbiased')
np.quantile(x, 0.01, axis=1, method='normal_unbiased')
np.quantile(x, 0.01, axis=1, method='nosuch')
np.quantile(v, 0.4, weights=v*v, method='inverted_cdf')
np.quantile(x, [0.4, .9], axis=1, weights=y*y, method='inverted_cdf')
np.quantile(x, 0.4, axis=0, weights=w*w, method='inverted_cdf')
np.quantile(x, 0.4, axis=0, weights=w, method='inverted_cdf')
np.nanpercentile(np.where(m, x, np.nan), 30, axis=0)
np.nanpercentile(np.where(m, x, np.nan), [30, 50, 60, 99], axis=1)
np.nanquantile(np.where(m, x, np.nan), 0.3)
np.nanquantile(np.where(x > -9, np.nan, x), 0.3)
np.nanquantile(np.where(m, f, np.float32(np.nan)), 0.3, axis=1)
np.nanquantile(np.where(m, f, np.float32(np.nan)), [0.3], axis=1)
np.nanquantile(i, 0.3)
np.nanquantile(np.where(m, x, np.nan), 0.3, axis=1, method='nearest', keepdims=True)
np.quantile(x, 0.3, axis=1, out=w); return w
np.percentile(f, 50, axis=1, out=w); return w
"""
#: Methods of ufuncs, functions of SciPy's, elements taken for others.
UFUNCS = """
np.flatnonzero(v > 0)
np.lib.stride_tricks.sliding_window_view(v, 3)
np.lib.stride_tricks.sliding_window_view(x, (2, 2))
np.lib.stride_tricks.sliding_window_view(x, n, axis=1).sum(axis=-1)
np.add(x, 1, where=m)[m]
np.sqrt(np.abs(x), where=m)[m]
np.power(x, 2, where=m, out=np.zeros_like(x))
np.power(i, j, where=j > 0, out=np.zeros_like(i))
np.divide(x, y, where=m, out=x*0)
np.divmod(x, y, where=m, out=(x*0, y*0))
np.add(x, y, out=x, where=m); return x
np.negative.at(i, j); return i
np.negative.at(v, 0); return v
np.sqrt.at(v, slice(0, 3)); return v
np.add.reduceat(v, [0, 2, 4])
np.add.reduceat(x, [0, 3, 1], axis=1)
np.maximum.reduceat(x, [0, 2])
np.add.reduceat(v, j)
np.multiply.reduceat(i, [0, 3])
np.logical_or.reduceat(m, [0, 2], axis=1)
np.add.reduceat(v, [9])
np.add.reduceat(u, [0, 1])
np.floor_divide.reduce(i[::-1]+1)
np.power.accumulate(v*v)
np.subtract.accumulate(v)
np.minimum.accumulate(x, axis=1)
np.subtract.outer(v, w)
np.divide.reduce(v)
np.arctan2.accumulate(v)
np.fmod.reduce(v)
np.subtract.reduce(v, keepdims=True)
np.copysign.reduce(v)
np.hypot.reduce(x, axis=0)
np.bitwise_or.reduceat(i, [0, 2])
np.greater.outer(i, j)
np.logaddexp2.reduce(v)
x.view(np.int64)
x.view('f8')
f.view(np.int32)
f.view(np.uint32) >> 23
x.view(np.uint64).view(np.float64)
x[0].view(np.int64)[1:]
m.view(np.uint8)
m.view(np.int8).sum()
u.view(bool)
a = x.view(np.int64); a[0] = 0; return x
np.sum(x.flat)
np.float64(3).view(np.int64) + i
scipy.special.sici(x)
scipy.special.airy(x)
scipy.special.ellipj(v, 0.3)
scipy.special.fresnel(x)
scipy.special.shichi(x)[1] * 2
scipy.special.polygamma(1, x*x+1)
scipy.special.polygamma(0, x*x+1)
scipy.special.polygamma(i, v[:6]*v[:6]+1)
scipy.special.zeta(x*x+2)
scipy.special.zeta(2, x*x+2)
scipy.special.comb(i, j)
scipy.special.comb(9, i)
scipy.special.comb(i, 2, repetition=True)
scipy.special.perm(5, i)
scipy.special.factorial(i)
scipy.special.factorial(v*v)
scipy.special.multigammaln(x*x+3, 2)
scipy.special.logsumexp(x)
scipy.special.logsumexp(x, axis=1, b=y*y)
scipy.special.softmax(x, axis=1)
scipy.special.log_softmax(x, axis=1)
scipy.special.sinc(x)
scipy.special.expit(x)
scipy.special.digamma(x)
scipy.special.betaln(x*x, y*y)
scipy.special.erfinv(x/9)
"""
#: Places, repeats, bits, loops that NumPy goes through for the user, polynomials.
LOOPS = """
np.histogram2d(v, v*v)
np.histogram2d(v, v*v, bins=4, range=[[-3, 3], [0, 3]])
np.histogramdd(x[:,:2], bins=3, range=[[-1,1],[-2,2]], density=True)
np.histogramdd(x, 2)
np.histogramdd(f, 2)
np.histogramdd(u, 3)
np.histogramdd(np.stack([i, j], 1), (2, 3))
np.histogramdd(np.stack([i, j*0], 1), 2, weights=v[:6])
np.histogramdd(m, 2)
np.histogramdd(x[:,:0], 2)
np.histogramdd(x/0, 2)
np.histogramdd(x[:0], 2)
np.histogram2d(i, j, 3)
np.roots(v)
np.roots(w)
np.roots(f[0])
np.roots(z[0])
np.roots(i + 1)
np.roots(v[:1])
np.roots(v[:2])
np.roots(v[:0])
np.roots([1, v[0], 2])
np.roots(3.0) + v
np.roots(x)
np.average(f)
np.average(f, axis=0)
np.average(f, axis=(0, 1), returned=True)
np.average(f.astype('e'), axis=1, returned=True, keepdims=True)
np.average(z, returned=True)
np.average(m)
np.average(u, axis=0, returned=True)
np.average([x, y], 0)
np.average(x, axis=3)
np.setdiff1d(i, j)
np.ravel_multi_index((i, j), (4, 5))
np.ravel_multi_index((i, j), (4, 5), order='F')
np.ravel_multi_index((i, j), (2, 5))
np.ravel_multi_index((i, j), (2, 3), mode=('wrap', 'clip'))
np.ravel_multi_index(np.array([i, j]), (4, 5))
np.unravel_index(i, (2, 3))
np.unravel_index(i*7, (2, 3))
np.unravel_index(np.argmax(x), x.shape)
np.unravel_index(i, (2, n), order='F')
np.choose(i, [v[:6], v[1:], i, 0])
np.choose(i, x[:, :1])
np.choose(i, [v[:6], v[1:]])
np.choose(i, [v[:6], v[1:]], mode='wrap')
i.choose([v[:6], v[1:]], mode='clip')
np.choose(m, [x, y])
np.repeat(x, [1, 2, 0, 3], axis=0)
np.repeat(v, i.repeat(2)[:7])
np.repeat(x, w.astype(int)**2, axis=0)
np.repeat(x, i[:5] - 1, axis=1)
np.repeat(i, i)
v[:6].repeat(i)
np.packbits(m)
np.packbits(m, axis=1)
np.packbits(m, axis=0, bitorder='little')
np.packbits(i)
np.packbits(x)
np.unpackbits(u)
np.unpackbits(u, axis=1)
np.unpackbits(u, axis=0, bitorder='little')
np.unpackbits(u, axis=1, count=5)
np.unpackbits(u, axis=1, count=-5)
np.unpackbits(u, axis=1, count=50)
np.unpackbits(np.packbits(m, axis=1), axis=1, count=5) > 0
np.min_scalar_type(x)
np.min_scalar_type(3)
np.einsum_path('ij,kj->ik', x, y)
np.r_[x[0], 1]
np.r_[v, 0, w]
np.c_[v, v*2]
np.r_['-1', x, y]
np.r_[1:5, v]
np.r_[0:1:5j, v]
x[np.s_[1:3, ::2]]
np.c_[x, w]
np.polymul(v, w)
np.polydiv(v, w)
np.apply_along_axis(np.sum, 1, x)
np.apply_along_axis(lambda r: r*2 - r[0], 0, x)
np.apply_along_axis(lambda r: r.sum(), 0, x)
np.vectorize(abs)(x)
np.vectorize(lambda a, b: a if a > b else b)(x, y)
np.vectorize(lambda a: a * 2 + 1)(i)
np.fromfunction(lambda a, b: a + b, (n, 4))
np.array_split(v, [2, n])
np.trim_zeros(i)
np.tril_indices(n)
np.indices((n, 4))
np.block([x, y])
np.block([[x], [y]])
np.block([1, v])
np.nan_to_num(f)
np.require(x, requirements='C')
np.mask_indices(n, np.triu)
np.shares_memory(x*1, y*1)
np.may_share_memory(x, x*2)
np.require(x, 'f', ['F'])
np.polynomial.polynomial.polyval(x, v)
np.polynomial.chebyshev.chebval(x, v)
np.polynomial.legendre.legval(x, v)
np.polynomial.hermite.hermval(x, v)
np.polynomial.hermite_e.hermeval(x, v)
np.polynomial.laguerre.lagval(x, v)
np.polynomial.polynomial.polyval2d(v, v, x)
np.polynomial.polynomial.polyvander(v, 3)
np.polynomial.chebyshev.chebvander(v, 3)
np.polynomial.polynomial.polyder(v)
np.polynomial.polynomial.polyint(v)
np.histogram(x, bins=s)[0][i]
"""
#: Nothing, one element, and what NumPy refuses.
EDGES = """
np.logaddexp.reduce(v)
np.bincount(np.array([], int))
np.histogram(np.array([], float), 3)
np.histogram(x[:0], 3)
np.histogram(x[:0], 3, range=(0, 1))
np.unique(x[:0])
np.interp(x[:0], s, s)
np.searchsorted(s[:0], x)
np.convolve(v[:1], w[:1])
np.percentile(v[:1], 30)
np.percentile(x[:, :1], 30, axis=1)
np.gradient(v[:2])
np.gradient(v[:1])
np.pad(v[:1], 2, mode='reflect')
np.pad(x[:0], 1)
np.trapezoid(v[:1])
np.cov(v[:1])
np.delete(v[:1], 0)
np.insert(v[:0], 0, 1.0)
np.repeat(v[:0], i[:0])
np.unwrap(v[:0])
np.ediff1d(v[:0])
np.block([v[:0], w])
np.lexsort((i[:0],))
np.isin(x[:0], x)
np.digitize(x[:0], s)
np.packbits(m[:0])
np.apply_along_axis(np.sum, 0, x[:0])
np.apply_along_axis(np.sum, 0, x[:, :0])
np.vectorize(abs)(x[:0])
np.vectorize(abs, otypes=[float])(x[:0])
np.cumulative_sum(v[:0], include_initial=True)
np.sort_complex(v[:0])
np.polyval(v[:0], x)
np.interp(x, s, s*1j, left=1j)
np.average(v[:0])
np.histogram(np.array([np.nan, 1.0])*v[0], 3)
np.argpartition(x, [1, 2], axis=0)[1] * 0
np.partition(x, -1)[:, -1]
np.searchsorted(x, v)
np.searchsorted(s, v, side='middle')
np.interp(x, x, x)
np.bincount(i, weights=v)
np.unravel_index(3, (2, 2))
np.unravel_index(5, (2, 2))
np.choose(i, [])
np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
np.insert(v, 99, 1.0)
np.delete(x, [[0]], axis=0)
np.r_[v, x]
np.cross(x, y)
np.digitize(x, z)
np.cov(x, weights=1)
np.pad(v, -1)
np.pad(v, 1, mode='nosuch')
np.kaiser(0, 2.0) * 1
np.hanning(n - 3)
np.hanning(n - 2)
np.unique(x[:0], return_inverse=True, return_counts=True, return_index=True)
np.unique(i[:0], return_counts=True, axis=0)
"""
#: ``out=``, lists of traced numbers, constants.
LISTS = """
np.ptp(x, axis=1, out=w); return w
np.trace(x[:, :4], out=w[0]); return w
np.fix(x, out=y); return y
np.choose(m, [x, x], out=y); return y
np.nanmax(x, axis=1, out=w); return w
np.nansum(x, axis=1, out=w); return w
np.nanmean(np.where(m, x, np.nan), axis=1, out=w); return w
np.nanstd(x, axis=1, out=w); return w
np.nanvar(x, 1, None, w); return w
np.nanprod(x, axis=1, out=w); return w
np.cumulative_sum(v, out=s[:7]); return s
np.argmax(x, axis=1, out=i[:4]); return i
np.nancumsum(x, axis=1, out=y); return y
np.nanmedian(x, axis=1, out=w); return w
np.logical_and(x>0, m, out=m); return m
np.matmul(x, y.T, out=x[:, :4] * 1)
np.searchsorted(s, s, 'left').sum(out=w[0])
x.astype(float, copy=False)
x.astype('f', copy=False)
x.astype(int, copy=False, order='F')
x.astype(np.float64, copy=True)
a = x.astype(float, copy=False); a[0] = 1; return x
np.concatenate([[x[0, 0]], v])
np.concatenate([[[x[0, 0], 1, 2, 3, 4]], x])
np.maximum([x[0,0], 1], [2, x[0, 1]])
np.dot([x[0,0], 1], [2, x[0, 1]])
np.linalg.norm([x[0,0], x[0,1]])
np.mean([x[0,0], x[0,1], 3])
np.argmax([x[0,0], x[0,1], 3])
np.where([x[0,0] > 0, True], 1, 2)
np.stack([[x[0,0], 1], [2, 3]])
np.array([[x[0,0], 1], [2, 3]]).T
np.minimum.reduce([x[0,0], x[0,1]])
np.add.reduce([x[0,0], x[0,1]])
np.add.accumulate([x[0,0], x[0,1]])
np.add.outer([x[0,0], 1], v)
np.multiply.outer(range(3), v)
np.arange(3) * v[:3] + np.ones(3)[::-1]
np.linspace(0, 1, 5)[1:].sum() * x
np.eye(4) @ x
np.tri(4) @ x
np.array([1, 2, 3]).cumsum() * v[:3]
(np.arange(6).reshape(2, 3) % 2 == 0).sum() + v
v[np.array([0, 2])] + np.array([1, 2])[np.argsort([2, 1])]
np.kron(np.eye(2), x)
np.outer(np.arange(3), v)
np.full(3, 2.0) ** 2 * v[:3]
np.unique([3, 1, 3]) * v[:2]
np.diag([1.0, 2, 3, 4]) @ x
np.vander([1, 2, 3, 4]) @ x
np.meshgrid([1, 2], [3, 4])[0] * v[0]
np.isclose([1.0, 2.0], [1.0, 2.1]) | m[0, :2]
np.array([[1, 2], [3, 4]]) @ v[:2]
np.indices((4, 5))[0] * x
np.triu(np.ones((4, 4))) @ x
k = np.array([1.0, 2.0]); k[0] = v[0]; return k
k = np.indices((2, 2)); k[0] = 7; return k * v[0]
np.ones(3).astype(int)[0] + n
np.zeros(n)[:2] + v[:2]
"""
EVERY = (SEARCHES, FUNCTIONS, PARTS, QUANTILES, UFUNCS, LOOPS, EDGES, LISTS)


def lines(*texts: str) -> list[str]:
    return [line for text in texts for line in text.strip().splitlines()]


@pytest.mark.parametrize("call", lines(*EVERY))
def test_interpreted(call: str) -> None:
    calls.check(call)


@pytest.mark.parametrize("call", lines(*EVERY)[::8])
def test_compiled(call: str) -> None:
    calls.check(call, compiled=True)


@pytest.mark.parametrize("layout", "FAR")
@pytest.mark.parametrize("call", lines(*EVERY)[::17])
def test_layouts(call: str, layout: str) -> None:
    calls.check(call, layout=layout)


DTYPES = "?bBhHiIlLefdFD"


@pytest.mark.parametrize("char", DTYPES)
def test_searches_over_dtypes(char: str) -> None:
    """NaN is the last of all numbers; equal ones have two sides."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 9, 40).astype(char)
    if char in "efdFD":
        x[:3] = np.nan
    a, v = np.sort(x[:25]), x[10:].reshape(5, 6)

    def f(a, v):
        return (
            np.searchsorted(a, v), a.searchsorted(v, "right"), np.isin(v, a), np.unique(v),
            np.searchsorted(a[:0], v), np.searchsorted(a[:1], v[:0]),
        )  # fmt: skip

    g = tracejit.function(f, on_unsupported="error")
    for compiled in (False, True):
        with tracejit.config(compile=compiled):
            calls.same(g(a, v), f(a, v))
    strided = np.repeat(a, 2)[::2]
    calls.same(g(strided, v.T), f(strided, v.T))


@pytest.mark.parametrize("char", DTYPES)
def test_correlations_over_dtypes(char: str) -> None:
    """Blocks of places, what is left of them, and both ends."""
    rng = np.random.default_rng(2)

    def f(a, v):
        return [np.convolve(a, v, mode) for mode in ("full", "same", "valid")] + [
            np.correlate(a, v, mode) for mode in ("full", "same", "valid")
        ]

    g = tracejit.function(f, on_unsupported="error")
    for n, m in ((1, 1), (3, 7), (70, 5), (200, 31)):
        a, v = (rng.integers(-4, 5, k).astype(char) for k in (n, m))
        calls.same(g(a, v), f(a, v))
    one = np.ones(5, char)
    with pytest.raises(ValueError):
        g(one[:0], one)


def test_infinities_only_meet_what_there_is() -> None:
    a, v = np.array([np.inf, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, np.inf])

    def f(a, v):
        return np.convolve(a, v), np.correlate(a, v, "same")

    with np.errstate(all="ignore"):
        calls.same(tracejit.function(f, on_unsupported="error")(a, v), f(a, v))


@pytest.mark.parametrize("f", [
    lambda x: np.interp(x[:6], np.arange(5.0), x[2:7]).sum(),
    lambda x: (np.convolve(x, x[:3]) ** 2).sum(),
    lambda x: (np.convolve(x[:2], x, "same") ** 2).sum(),
    lambda x: (np.cumulative_sum(x, include_initial=True) ** 2).sum(),
    lambda x: (np.pad(x, 2, mode="reflect") ** 3).sum(),
    lambda x: (np.gradient(x) ** 2).sum(),
    lambda x: np.trapezoid(x * x, np.arange(7.0)),
    lambda x: np.cov(x, x[::-1] ** 2).sum(),
    lambda x: np.average(x, weights=x * x),
    lambda x: np.polyval(x, 0.5),
    lambda x: np.histogram(np.arange(7.0), 3, weights=x)[0][1] * 2,
])  # fmt: skip
def test_derivatives(f) -> None:
    x = np.array([0.3, 1.7, -0.4, 2.2, 0.9, 3.1, -1.2])
    tracejit.testing.check_grads(f, (x,))


def test_constants_are_known() -> None:
    """What NumPy makes of constants is one: Python may ask for it."""

    def f(x):
        w = np.hanning(5)
        total = 0.0
        for v in np.array([1.0, 2.0]):
            if v > 1:
                total = total + x * v
        return x * w, total, x * float(w[1]), x + np.indices((2, 5))[1], int(np.argmax(w)) + len(x)

    x = np.arange(5.0)
    calls.same(tracejit.function(f, on_unsupported="error")(x), f(x))


def test_lists_of_traced_numbers() -> None:
    def f(x, a):
        return (
            np.sqrt([[a, x[0]]]), np.add([a, 1], [x[1], 2]), np.concatenate([[a], x, [1.0]]),
            np.maximum.reduce(x), np.hypot([a, a], x[:2]), np.sort([a, 0.5, x[2]]),
            np.vstack([[a, 1.0], x[:2]]), np.interp([a], x, x), np.cross([a, 1, 2], x[:3]),
        )  # fmt: skip

    x = np.arange(1.0, 6.0)
    calls.same(tracejit.function(f, on_unsupported="error")(x, 2.5), f(x, 2.5))


def larger(a: float, b: float) -> float:
    return a if a > b else a * b


VECTORIZED = np.vectorize(larger)
TYPED = np.vectorize(lambda a: a + 1, otypes=[float])


@np.vectorize
def both(a: int) -> tuple[int, bool]:
    return a * 2, a > 0


def test_functions_made_by_vectorize_outside() -> None:
    def f(x, y):
        return VECTORIZED(x, y), TYPED(x), both(x), VECTORIZED(x, 2)

    g = tracejit.function(f, on_unsupported="error")
    x, y = np.arange(-6.0, 6).reshape(3, 4), np.linspace(-1, 1, 4)
    for rows in (3, 1):
        calls.same(g(x[:rows], y), f(x[:rows], y))


@pytest.mark.parametrize("char", "efd")
def test_quantiles_of_many(char: str) -> None:
    """Rows that are gone through, with NaN, with equal elements, in order."""

    def f(x):
        return (
            np.quantile(x, 0.3), np.percentile(x, [2, 50, 98], axis=1),
            np.percentile(x, [1, 2, 3, 50, 98], axis=0), np.nanquantile(x, 0.9, axis=1),
            np.quantile(x, 0.3, method="nearest", axis=1),
        )  # fmt: skip

    g = tracejit.function(f, on_unsupported="error")
    x = np.random.default_rng(3).normal(size=(7, 3_001)).astype(char)
    x[1] = np.sort(x[1])
    x[2] = x[2] > 0
    calls.same(g(x), f(x))
    x[4, 5] = np.nan
    calls.same(g(x), f(x))
    calls.same(g(x.T.copy().T), f(x))
