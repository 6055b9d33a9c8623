"""How CuPy computes the rows of `ir/gufuncs.py`, and when NumPy is asked instead.

CuPy need not raise where NumPy does. So what may raise there is NumPy's where an operand or a
result is not finite, or where CuPy tells that it has failed: NumPy raises then, or gives its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.ir.gufuncs import GUFUNCS, Gufunc

#: The lengths of core dimensions by name.
Lengths = Mapping[str, int]


class ByCuPy(NamedTuple):
    """How a row is computed by a function of CuPy's, which has NumPy's or SciPy's name.

    ``run(cupy, function, lengths, *operands)`` gives the results; ``good(cupy, *results)``, if it
    is given, whether they are what NumPy would not raise for.
    """

    function: str
    run: Callable[..., Sequence[Any]]
    good: Callable[..., Any] | None = None

    @property
    def place(self) -> tuple[str, str]:
        """The module and the name of the function."""
        module, _, name = self.function.rpartition(".")
        return module, name


def compute(
    cupy: Any,
    errstate: Callable[..., Any],
    function: Any,
    name: str,
    given: str,
    arguments: Sequence[Any],
) -> bool:
    """Compute a row into its results; whether NumPy has to be asked, so that it raises.

    The arguments are as those of the CPU's call: flat operands and results, the length of the
    stack, and those of core dimensions.
    """
    row, way = GUFUNCS[name], WAYS[name]
    inputs, outputs = row.cores
    count = len(inputs) + len(outputs)
    stack, *numbers = (int(n) for n in arguments[count:])
    lengths = dict(zip(row.symbols, numbers, strict=True))
    outer = (stack,) if "s" in given else ()
    results = [
        out.reshape((*outer, *(lengths[s] for s in core)))
        for out, core in zip(arguments[len(inputs) : count], outputs, strict=True)
    ]
    operands = []
    for a, core, how in zip(arguments, inputs, given, strict=False):
        shape = tuple(lengths[s] for s in core)
        if how != "n":
            a = a.reshape((*outer, *shape) if how == "s" else shape)
        if how == "o" and outer and core:
            a = cupy.ascontiguousarray(cupy.broadcast_to(a, (*outer, *shape)))
        operands.append(a)
    if not any(out.size for out in results):
        return False
    if any(not a.size for a in operands):
        _of_nothing(cupy, row, operands, results)
        return False
    try:
        with errstate(linalg="raise"):
            found = way.run(cupy, function, lengths, *operands)
    except np.linalg.LinAlgError:
        return True
    for out, result in zip(results, found, strict=True):
        out[...] = result
    if not row.raises:
        return False
    if not all(bool(cupy.isfinite(x).all()) for x in (*operands, *results)):
        return True
    return way.good is not None and not bool(way.good(cupy, *results))


def _of_nothing(cupy: Any, row: Gufunc, operands: Sequence[Any], results: Sequence[Any]) -> None:
    """What NumPy gives for matrices without elements: nothing is moved there."""
    types = "".join(x.dtype.char for x in operands) + "->" + "".join(x.dtype.char for x in results)
    here = [np.empty(a.shape, a.dtype) if not a.size else np.asarray(a) for a in operands]
    found = row.run(here, types, [x.shape for x in results])
    for out, result in zip(results, found, strict=True):
        out[...] = cupy.asarray(result)


# Linear algebra -----------------------------------------------------------------------------------


def _turned(x: Any) -> Any:
    return x.swapaxes(-1, -2)


def _adjoint(x: Any) -> Any:
    return _turned(x).conj()


def _diagonal(cupy: Any, x: Any) -> Any:
    return cupy.diagonal(x, axis1=-2, axis2=-1)


def _solve1(cupy: Any, solve: Any, n: Lengths, a: Any, b: Any) -> list[Any]:
    return [solve(a, b[..., None])[..., 0]]


def _inv_or_nan(cupy: Any, slogdet: Any, n: Lengths, a: Any) -> list[Any]:
    singular = (slogdet(a)[0] == 0)[..., None, None]
    one = cupy.eye(n["m"], dtype=a.dtype)
    return [cupy.where(singular, np.nan, cupy.linalg.inv(cupy.where(singular, one, a)))]


def _upper_cholesky(cupy: Any, cholesky: Any, n: Lengths, a: Any) -> list[Any]:
    return [_adjoint(cholesky(cupy.ascontiguousarray(_adjoint(a))))]


def _is_positive(cupy: Any, found: Any) -> Any:
    return (_diagonal(cupy, found).real > 0).all()


def _qr(cupy: Any, qr: Any, n: Lengths, a: Any) -> list[Any]:
    packed, tau = qr(a, mode="raw")
    return [_turned(packed), tau]


def _reflected(cupy: Any, matmul: Any, n: Lengths, packed: Any, tau: Any) -> list[Any]:
    """The product of Householder's reflections, ``1 - v t v*``, of which `t` is triangular.

    Its inverse has the products of the vectors above the diagonal, and 1 / tau on it.
    """
    count = tau.shape[-1]
    columns = count if "k" in n else n["m"]
    none = (tau == 0)[..., None, :]
    v = cupy.tril(packed[..., :count], -1) + cupy.eye(n["m"], count, dtype=packed.dtype)
    v = cupy.where(none, 0, v)
    scale = cupy.where(none, 1, 1 / cupy.where(none, 1, tau[..., None, :]))
    inverse = cupy.triu(matmul(_adjoint(v), v), 1) + scale * cupy.eye(count, dtype=packed.dtype)
    right = cupy.ascontiguousarray(_adjoint(v)[..., :columns])
    one = cupy.eye(n["m"], columns, dtype=packed.dtype)
    return [one - matmul(v, cupy.linalg.solve(inverse, right))]


def _singular_values(cupy: Any, svd: Any, n: Lengths, a: Any) -> list[Any]:
    return [svd(a, compute_uv=False)]


def _svd(full: bool) -> Callable[..., Sequence[Any]]:
    def run(cupy: Any, svd: Any, n: Lengths, a: Any) -> Sequence[Any]:
        found: Sequence[Any] = svd(a, full_matrices=full)
        return found

    return run


def _least_squares(cupy: Any, svd: Any, n: Lengths, a: Any, b: Any, rcond: Any) -> list[Any]:
    """The solution, the residuals, the rank and the singular values, as LAPACK's ``gelsd``."""
    u, s, v = svd(a, full_matrices=False)
    limit = cupy.where(rcond < 0, np.finfo(s.dtype).eps, rcond) * s.max()
    kept = s > limit
    inverse = cupy.where(kept, 1 / cupy.where(kept, s, 1), 0)
    x = cupy.matmul(_adjoint(v), inverse[:, None] * cupy.matmul(_adjoint(u), b))
    residuals = (abs(b - cupy.matmul(a, x)) ** 2).sum(axis=0)
    return [x, residuals, kept.sum(), s]


def _eigen(triangle: str, several: bool) -> Callable[..., Sequence[Any]]:
    def run(cupy: Any, eigen: Any, n: Lengths, a: Any) -> Sequence[Any]:
        found = eigen(a, UPLO=triangle)
        return found if several else [found]

    return run


def _one(cupy: Any, function: Any, n: Lengths, *operands: Any) -> list[Any]:
    """The one result of a function of the operands."""
    return [function(*operands)]


def _several(cupy: Any, function: Any, n: Lengths, *operands: Any) -> Sequence[Any]:
    """The results of a function of the operands."""
    found: Sequence[Any] = function(*operands)
    return found


# Routines of LAPACK's, which see matrices transposed ----------------------------------------------


def _each(run: Callable[..., Sequence[Any]]) -> Callable[..., Sequence[Any]]:
    """What goes through a stack of matrices, of which SciPy's functions take one."""

    def go(cupy: Any, function: Any, n: Lengths, a: Any, *others: Any) -> Sequence[Any]:
        if a.ndim == 2:
            return run(cupy, function, n, a, *others)
        found = [
            run(cupy, function, n, *parts)
            for parts in zip(a, *(x if np.ndim(x) else [x] * len(a) for x in others), strict=True)
        ]
        return [cupy.stack([cupy.asarray(x) for x in each]) for each in zip(*found, strict=True)]

    return go


def _triangular(name: str) -> ByCuPy:
    kind, turned, unit = tuple(name[-3:])

    def run(cupy: Any, solve: Any, n: Lengths, a: Any, b: Any) -> list[Any]:
        if unit == "N" and not bool((cupy.diagonal(a) != 0).all()):
            raise np.linalg.LinAlgError
        options = {"trans": int(turned == "T"), "lower": kind == "L", "unit_diagonal": unit == "U"}
        return [_turned(solve(_turned(a), _turned(b), **options))]

    return ByCuPy("scipy.linalg.solve_triangular", _each(run))


def _factors(cupy: Any, lu_factor: Any, n: Lengths, a: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy is asked, and warns
        factors, pivots = lu_factor(_turned(a))
    return [_turned(factors), pivots + 1]


def _has_no_zero(cupy: Any, factors: Any, pivots: Any) -> Any:
    return (_diagonal(cupy, factors) != 0).all()


def _by_factors(trans: int) -> ByCuPy:
    def run(cupy: Any, lu_solve: Any, n: Lengths, a: Any, pivots: Any, b: Any) -> list[Any]:
        return [_turned(lu_solve((_turned(a), pivots - 1), _turned(b), trans=trans))]

    return ByCuPy("scipy.linalg.lu_solve", _each(run))


def _reciprocal_condition(cupy: Any, solve: Any, n: Lengths, a: Any, size: Any) -> list[Any]:
    """What LAPACK estimates: from the inverse itself, up to the order of its columns."""
    one = cupy.eye(n["m"], dtype=a.dtype)
    inverse = solve(_turned(a), one, lower=True, unit_diagonal=True)
    inverse = solve(_turned(a), inverse, lower=False)
    return [1 / (size * abs(inverse).sum(axis=0).max()), 0, 0]  # and its work


# Fourier ------------------------------------------------------------------------------------------


def _fourier(name: str, points: Callable[[int], int], norm: str | None = None) -> ByCuPy:
    """A transform without a factor, and then the one that is given."""

    def run(cupy: Any, transform: Any, n: Lengths, x: Any, factor: Any) -> list[Any]:
        found = transform(x, n=points(n["m"]), axis=-1, norm=norm)
        if np.ndim(factor):
            return [found * factor[..., None]]
        return [found if isinstance(factor, np.generic) and factor == 1 else found * factor]

    return ByCuPy(f"numpy.fft.{name}", run)


def _linear(name: str, run: Callable[..., Sequence[Any]], good: Any = None) -> ByCuPy:
    return ByCuPy(f"numpy.linalg.{name}", run, good)


#: By the name of a row.
WAYS: dict[str, ByCuPy] = {
    "solve": _linear("solve", _one),
    "solve1": _linear("solve", _solve1),
    "inv": _linear("inv", _one),
    "inv_or_nan": _linear("slogdet", _inv_or_nan),
    "det": _linear("det", _one),
    "slogdet": _linear("slogdet", _several),
    "cholesky_lo": _linear("cholesky", _one, _is_positive),
    "cholesky_up": _linear("cholesky", _upper_cholesky, _is_positive),
    "qr_r_raw": _linear("qr", _qr),
    "qr_reduced": ByCuPy("numpy.matmul", _reflected),
    "qr_complete": ByCuPy("numpy.matmul", _reflected),
    "svd": _linear("svd", _singular_values),
    "svd_s": _linear("svd", _svd(full=False)),
    "svd_f": _linear("svd", _svd(full=True)),
    "eigh_lo": _linear("eigh", _eigen("L", several=True)),
    "eigh_up": _linear("eigh", _eigen("U", several=True)),
    "eigvalsh_lo": _linear("eigvalsh", _eigen("L", several=False)),
    "eigvalsh_up": _linear("eigvalsh", _eigen("U", several=False)),
    "eig": _linear("eig", _several),
    "eigvals": _linear("eigvals", _one),
    "lstsq": _linear("svd", _least_squares),
    **{name: _triangular(name) for name in GUFUNCS if name.startswith("trtrs_")},
    "getrf": ByCuPy("scipy.linalg.lu_factor", _each(_factors), _has_no_zero),
    "getrs": _by_factors(0),
    "getrs_turned": _by_factors(1),
    "gecon": ByCuPy("scipy.linalg.solve_triangular", _each(_reciprocal_condition)),
    "fft": _fourier("fft", lambda m: m),
    "ifft": _fourier("ifft", lambda m: m, "forward"),
    "rfft_n_even": _fourier("rfft", lambda m: 2 * m - 2),
    "rfft_n_odd": _fourier("rfft", lambda m: 2 * m - 1),
    "irfft": _fourier("irfft", lambda m: m, "forward"),
}
