"""Less used functions that are in ``theano.tensor`` itself, or in ``theano.tensor.xlogx``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.symbolic.elementwise import apply_row, upgrade_to_float
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, creation, elementwise, joining, products, reductions, subtensor
from tracejit.tensor.nparray import numpy_op

# Elementwise --------------------------------------------------------------------------------------


def _special(name: str, *args: Any) -> Any:
    """A function of ``scipy.special``, which is imported for it."""
    import scipy.special

    row = ops.row_of(getattr(scipy.special, name, None) or getattr(scipy.special._ufuncs, name))
    assert row is not None
    return apply_row(row.name, *args)


def _floats(*args: Any) -> list[Any]:
    """Operands of which integers become floats, of one dtype."""
    found = [as_tensor_variable(a) for a in args]
    found = [
        cast(v, upgrade_to_float(v.dtype)) if np.dtype(v.dtype).kind in "biu" else v for v in found
    ]
    dtype = np.result_type(*(np.dtype(v.dtype) for v in found)).name
    return [cast(v, dtype) for v in found]


def jv(v: Any, x: Any) -> Any:
    """The Bessel function of the first kind of order `v`; it has a derivative by `x`."""
    return _special("jv", *_floats(v, x))


def iv(v: Any, x: Any) -> Any:
    """The modified Bessel function of the first kind of order `v`; it has one by `x`."""
    return _special("iv", *_floats(v, x))


def polygamma(n: Any, x: Any) -> Any:
    """The derivative `n` of `psi`, of a natural number `n`; it has a derivative by `x`."""
    n, x = _floats(n, x)
    one = constant(1, dtype=n.dtype)
    sign = elementwise.cos(elementwise.mul(n + one, constant(np.pi, dtype=n.dtype)))
    scale = elementwise.mul(elementwise.round(sign), elementwise.gamma(n + one))
    zeta = _special("_zeta", n + one, x)
    return elementwise.switch(
        elementwise.eq(n, 0), elementwise.psi(x), elementwise.mul(scale, zeta)
    )


def tri_gamma(x: Any) -> Any:
    """The second derivative of `gammaln`."""
    (x,) = _floats(x)
    return _special("_zeta", constant(2, dtype=x.dtype), x)


def gammainc(k: Any, x: Any) -> Any:
    """The regularized lower incomplete gamma function."""
    return _special("gammainc", *_floats(k, x))


def gammaincc(k: Any, x: Any) -> Any:
    """The regularized upper incomplete gamma function."""
    return _special("gammaincc", *_floats(k, x))


def gammal(k: Any, x: Any) -> Any:
    """The lower incomplete gamma function."""
    k, x = _floats(k, x)
    return elementwise.mul(gammainc(k, x), elementwise.gamma(k))


def gammau(k: Any, x: Any) -> Any:
    """The upper incomplete gamma function."""
    k, x = _floats(k, x)
    return elementwise.mul(gammaincc(k, x), elementwise.gamma(k))


def chi2sf(x: Any, k: Any) -> Any:
    """The chance that a variable of the chi-squared distribution of `k` exceeds `x`."""
    x, k = _floats(x, k)
    half = constant(0.5, dtype=x.dtype)
    return gammaincc(elementwise.mul(k, half), elementwise.mul(x, half))


def xlogx(x: Any) -> Any:
    """``x * log(x)``, and 0 at 0."""
    (x,) = _floats(x)
    zero = constant(0, dtype=x.dtype)
    return elementwise.switch(elementwise.eq(x, 0), zero, elementwise.mul(x, elementwise.log(x)))


def xlogy0(x: Any, y: Any) -> Any:
    """``x * log(y)``, and 0 where `x` is 0."""
    x, y = _floats(x, y)
    zero = constant(0, dtype=x.dtype)
    return elementwise.switch(elementwise.eq(x, 0), zero, elementwise.mul(x, elementwise.log(y)))


def round_half_to_even(x: Any) -> Any:
    """Rounded to integers, halves to even ones."""
    return elementwise.round(x, "half_to_even")


def round_half_away_from_zero(x: Any) -> Any:
    """Rounded to integers, halves away from zero."""
    return elementwise.round(x, "half_away_from_zero")


# Order --------------------------------------------------------------------------------------------


def inverse_permutation(perm: Any) -> Any:
    """For each number its place in a permutation, or in each row of permutations."""
    perm = as_tensor_variable(perm)
    length = basic.shape_i(perm, perm.ndim - 1)
    places = cast(creation.arange(length), perm.dtype)
    return permute_row_elements(places, perm, inverse=True)


def permute_row_elements(x: Any, y: Any, inverse: bool = False) -> Any:
    """Each row of `x` in the order that a row of `y` has: ``x[…, y]``; or back.

    Either may be one row for all. TypeError where `y` has no integers.
    """
    x, y = as_tensor_variable(x), as_tensor_variable(y)
    if np.dtype(y.dtype).kind not in "iu":
        raise TypeError(f"a permutation has integers, not {y.dtype}")
    if not (x.ndim and y.ndim):
        raise TypeError("permute_row_elements() takes arrays of one axis or more")
    ndim = max(x.ndim, y.ndim)
    x, y = (basic.shape_padleft(v, ndim - v.ndim) if v.ndim < ndim else v for v in (x, y))
    pattern = [a and b for a, b in zip(x.broadcastable, y.broadcastable, strict=True)]
    lengths = [basic.shape_i(y if xb else x, k) for k, xb in enumerate(x.broadcastable)]
    if not all(x.broadcastable[k] == y.broadcastable[k] for k in range(ndim - 1)):
        x, y = (_spread(v, lengths, pattern) for v in (x, y))
    key = [
        basic.dimshuffle(creation.arange(n), ["x" if j != k else 0 for j in range(ndim)])
        for k, n in enumerate(lengths[:-1])
    ]
    key.append(y)
    if not inverse:
        return x[tuple(key)]
    empty = creation.zeros_like(x)
    return subtensor.set_subtensor(empty[tuple(key)], x)


def _spread(v: Any, lengths: list[Any], pattern: list[bool]) -> Any:
    """An array over all rows."""
    own = basic.shape_i(v, v.ndim - 1)
    whole = creation.alloc(v, *lengths[:-1], own)
    return basic.patternbroadcast(whole, [*pattern[:-1], whole.broadcastable[-1]])


# Statistics ---------------------------------------------------------------------------------------


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None,
) -> Any:  # fmt: skip
    """The covariances of the rows of `m`, or of its columns unless `rowvar`: as `numpy.cov`.

    `y` has further ones. Weights are not there, as in Theano: NotImplementedError.
    """
    if fweights is not None:
        raise NotImplementedError("fweights are not implemented")
    if aweights is not None:
        raise NotImplementedError("aweights are not implemented")
    if ddof is not None and ddof != int(ddof):
        raise ValueError("ddof must be integer")
    x = _rows(m, rowvar)
    if y is not None:
        x = joining.concatenate([x, _rows(y, rowvar)], axis=0)
    ddof = (0 if bias else 1) if ddof is None else int(ddof)
    count = cast(basic.shape_i(x, 1), x.dtype) - constant(ddof, dtype=x.dtype)
    centred = elementwise.sub(x, reductions.mean(x, axis=1, keepdims=True))
    total = products.dot(centred, basic.dimshuffle(elementwise.conj(centred), (1, 0)))
    return basic.squeeze(elementwise.true_div(total, count))


def _rows(m: Any, rowvar: bool) -> Any:
    (m,) = _floats(m)
    if m.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if m.ndim < 2:
        return basic.shape_padleft(m, 2 - m.ndim)
    return m if rowvar or m.broadcastable[0] else basic.dimshuffle(m, (1, 0))


def bartlett(M: Any) -> Any:
    """The window of Bartlett's of `M` numbers, as float64: as `numpy.bartlett`."""
    count = as_tensor_variable(M)
    if count.ndim:
        raise TypeError("bartlett only works on scalar input")
    if np.dtype(count.dtype).kind not in "iu":
        raise TypeError("bartlett only works on integer input")
    n = creation.arange(elementwise.maximum(cast(count, "int64"), np.int64(0)))
    last = cast(count, "float64") - 1.0
    twice = elementwise.mul(cast(n, "float64"), 2.0)
    ramp = 1.0 - elementwise.abs_(
        elementwise.true_div(twice - last, elementwise.maximum(last, 1.0))
    )
    return elementwise.switch(elementwise.gt(last, 0.0), ramp, constant(1.0, dtype="float64"))


# Places -------------------------------------------------------------------------------------------


def unravel_index(indices: Any, dims: Any, order: str = "C", ndim: int | None = None) -> Any:
    """The places along each axis of an array of `dims` of its elements by number: a tuple.

    ValueError at run time for one beyond it.
    """
    places, lengths = _integers(indices), _lengths(dims, order, ndim)
    kinds = [TensorType("int64", places.broadcastable)] * len(lengths)
    found = numpy_op("unravel_index", (places, lengths, order), lengths=True, types=kinds)
    return tuple(found) if len(kinds) > 1 else (found,)


def ravel_multi_index(
    multi_index: Any, dims: Any, mode: str = "raise", order: str = "C", ndim: int | None = None
) -> Any:
    """The numbers of elements of an array of `dims`, whose places along each axis are given.

    ValueError at run time for one beyond an axis, in mode "raise"; "wrap" and "clip" move it.
    """
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"mode must be raise, wrap or clip, not {mode!r}")
    if not isinstance(multi_index, (tuple, list)):
        raise TypeError("multi_index must be a tuple or a list.")
    parts, lengths = tuple(map(_integers, multi_index)), _lengths(dims, order, ndim)
    pattern = [
        all(v.broadcastable[k - v.ndim] for v in parts if k >= longest - v.ndim)
        for longest in [max(v.ndim for v in parts)]
        for k in range(longest)
    ]
    args = (parts, lengths, mode, order)
    kind = [TensorType("int64", pattern)]
    return numpy_op("ravel_multi_index", args, lengths=True, types=kind)


def _integers(v: Any) -> Any:
    v = as_tensor_variable(v)
    if np.dtype(v.dtype).kind not in "iu":
        raise TypeError(f"only int indices permitted, not {v.dtype}")
    return cast(v, "int64")


def _lengths(dims: Any, order: str, ndim: int | None) -> tuple[Any, ...]:
    if order not in ("C", "F"):
        raise ValueError(f"order must be C or F, not {order!r}")
    if isinstance(dims, (tuple, list)):
        return tuple(_integers(d) for d in dims)
    vector = _integers(dims)
    if vector.ndim != 1:
        raise TypeError("dims must be a 1D array")
    count = ndim if ndim is not None else basic.static_length(vector)
    if count is None:
        raise ValueError("You must provide the argument ndim: the length of dims is not known")
    return tuple(vector[k] for k in range(count))


__all__ = [
    "bartlett",
    "chi2sf",
    "cov",
    "gammainc",
    "gammaincc",
    "gammal",
    "gammau",
    "inverse_permutation",
    "iv",
    "jv",
    "permute_row_elements",
    "polygamma",
    "ravel_multi_index",
    "round_half_away_from_zero",
    "round_half_to_even",
    "tri_gamma",
    "unravel_index",
]
