"""Functions of ``scipy.linalg`` over traced values.

Results are SciPy's to rounding: NumPy's loops call the same routines of LAPACK's. Those of single
precision are computed in double precision, and rounded. What is not here, and options that are not,
run in SciPy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import numpy as np

from tracejit.arrays import linalg
from tracejit.arrays.common import at_least, call, dim_node, is_empty, same, strong
from tracejit.arrays.gufuncs import called
from tracejit.arrays.linalg import all_finite, numpy
from tracejit.arrays.norms import norm as numpy_norm
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, matrices
from tracejit.ir.node import Node
from tracejit.ir.scalars import held
from tracejit.ir.types import COMPLEX128, FLOAT64
from tracejit.trace.tracer import Tracer, as_array, value

#: By name: SciPy is not imported for them.
LINALG: dict[str, Callable[..., Any]] = {}


#: The machine epsilon of the operands at hand.
epsilon: ContextVar[float] = ContextVar("epsilon", default=float(np.finfo(np.float64).eps))
_SINGLE = {"d": np.dtype("f"), "D": np.dtype("F")}


def linalg_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare what stands for SciPy's function of this name."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _are_single([*args, *kwargs.values()]):
            return function(*args, **kwargs)
        token = epsilon.set(float(np.finfo(np.float32).eps))
        try:
            found = function(*map(_doubled, args), **{k: _doubled(v) for k, v in kwargs.items()})
        finally:
            epsilon.reset(token)
        return _rounded(found)

    LINALG[function.__name__] = run
    return run


_linalg = linalg_function


def of_any(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare one that computes in the dtype that it is given."""
    LINALG[function.__name__] = function
    return function


def _are_single(values: list[Any]) -> bool:
    """Whether all arrays are of single precision: those in tuples but for pivots."""
    chars = []
    for v in values:
        for part in v if isinstance(v, tuple) else (v,):
            if isinstance(part, np.ndarray) or (isinstance(part, Tracer) and part.kind == "array"):
                dtype = as_array(part).node.dtype
                if part is v or dtype.kind != "i":
                    chars.append(dtype.char)
    return bool(chars) and all(c in "fF" for c in chars)


def _doubled(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_doubled, x))
    wide = isinstance(x, (Tracer, np.ndarray)) and as_array(x).node.dtype.char in "fF"
    if not wide:
        return x
    node = as_array(x).node
    return Tracer(build.cast(node, COMPLEX128 if node.dtype.kind == "c" else FLOAT64))


def _rounded(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(_rounded, x))
    if not isinstance(x, Tracer) or x.kind == "number" or x.node.dtype.char not in _SINGLE:
        return x
    return Tracer(build.cast(x.node, _SINGLE[x.node.dtype.char]), x.kind)


def plain(name: str, **options: Any) -> None:
    """Refuse options that are given."""
    for option, chosen in options.items():
        if chosen is not None and chosen is not False:
            raise NotTraceable(f"scipy.linalg.{name} with {option}= is not compiled")


def operand(name: str, x: Any, check: Any, *ranks: int, single: bool = False) -> Node:
    """An array in double precision, or of a single one as it is, which is finite."""
    node = as_array(x).node
    if node.dtype.char == "e":
        raise NotTraceable("scipy.linalg of float16 is not compiled", "use float64")
    if node.dtype.char in "?bBhH":  # which SciPy takes in one precision or the other
        raise NotTraceable("scipy.linalg of small integers is not compiled", "use float64")
    if node.ndim not in ranks:
        raise NotTraceable(f"scipy.linalg.{name} of {node.ndim} dimensions is not compiled")
    if is_empty(node.shape):
        raise NotTraceable(f"scipy.linalg.{name} of no elements is not compiled")
    if not (single and node.dtype.char in "fF"):
        node = build.cast(node, COMPLEX128 if node.dtype.kind == "c" else FLOAT64)
    return all_finite(node) if check else node


def square(name: str, x: Any, check: Any, single: bool = False) -> Node:
    """A matrix of as many rows as columns."""
    node = operand(name, x, check, 2, single=single)
    if not same(*node.shape):
        raise ValueError("expected square matrix")
    return node


def common(*nodes: Node) -> list[Node]:
    dtype = build.result_type(*nodes)
    return [build.cast(n, dtype) for n in nodes]


@of_any
def det(a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    """``scipy.linalg.det``, which is of double precision."""
    return linalg.det(Tracer(square("det", _doubled(a), check_finite)))


@_linalg
def inv(
    a: Any, overwrite_a: Any = False, check_finite: Any = True, *, assume_a: Any = None,
    lower: Any = False,
) -> Any:  # fmt: skip
    """``scipy.linalg.inv`` of what is far from singular: SciPy warns of others."""
    plain("inv", assume_a=assume_a, overwrite_a=overwrite_a)
    x = square("inv", a, check_finite)
    result = linalg.inv(Tracer(x))
    sizes = (numpy_norm(Tracer(n), 1).node for n in (x, result.node))
    _far_from_singular(call("reciprocal", call("multiply", *sizes)))
    return result


def _far_from_singular(rcond: Node) -> None:
    """SciPy warns of matrices whose condition number is beyond that of rounding."""
    holds = call("greater", rcond, 4 * epsilon.get())
    build.solver().require(holds, holds, holds)


@_linalg
def solve(
    a: Any, b: Any, lower: Any = False, overwrite_a: Any = False, overwrite_b: Any = False,
    check_finite: Any = True, assume_a: Any = None, transposed: Any = False,
) -> Any:  # fmt: skip
    """``scipy.linalg.solve`` of general matrices that are far from singular."""
    general = None if assume_a == "gen" else assume_a
    plain("solve", assume_a=general, overwrite_a=overwrite_a, overwrite_b=overwrite_b)
    plain("solve", transposed=transposed, lower=lower)
    x, y = common(square("solve", a, check_finite), operand("solve", b, check_finite, 1, 2))
    linalg.aligned(x.shape[0], y.shape[0])
    char = x.dtype.char
    (factors, pivots), _ = called("getrf", f"{char}->{char}i", (matrices.turned(x),), p=x.shape[0])
    n = x.shape[0]
    work = {"u": dims.mul(n, 2 if char == "D" else 4), "v": dims.mul(n, 2) if char == "D" else n}
    size = numpy_norm(Tracer(x), 1).node
    (rcond, *_), _ = called("gecon", f"{char}d->d{char}{'d' if char == 'D' else 'i'}",
                            (factors, size), **work)  # fmt: skip
    _far_from_singular(rcond)
    result = _by_rows("getrs", (factors, pivots), y)
    row = ("solve1" if y.ndim == 1 else "solve", f"{char}{char}->{char}", x, y)
    return value(matrices.with_form(result, matrices.gufunc(*row)[0]))


def _by_rows(row: str, factors: tuple[Node, ...], b: Node) -> Node:
    """Solutions for a vector, or for columns, of which LAPACK has rows."""
    vector = b.ndim == 1
    rows = build.expand_dims(b, (0,)) if vector else matrices.turned(b)
    char = b.dtype.char
    types = "".join(f.dtype.char for f in factors)
    [found], _ = called(row, f"{types}{char}->{char}", (*factors, rows))
    return build.squeeze(found, (0,)) if vector else matrices.turned(found)


@_linalg
def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: Any = False, unit_diagonal: Any = False,
    overwrite_b: Any = False, check_finite: Any = True,
) -> Any:  # fmt: skip
    """``scipy.linalg.solve_triangular``."""
    plain("solve_triangular", overwrite_b=overwrite_b)
    x = square("solve_triangular", a, check_finite)
    x, y = common(x, operand("solve_triangular", b, check_finite, 1, 2))
    linalg.aligned(x.shape[0], y.shape[0])
    return value(_triangular(x, y, trans, lower, unit_diagonal))


def _triangular(x: Node, y: Node, trans: Any, lower: Any, unit: Any) -> Node:
    way = {0: "N", 1: "T", 2: "C"}.get(trans, trans)
    if way not in ("N", "T", "C"):
        raise NotTraceable(f"scipy.linalg.solve_triangular(trans={trans!r}) is not compiled")
    # In C order LAPACK sees the matrix transposed.
    row = f"trtrs_{'U' if lower else 'L'}{'T' if way == 'N' else 'N'}{'U' if unit else 'N'}"
    if way != "C":
        return _by_rows(row, (x,), y)
    return matrices.conjugate(_by_rows(row, (x,), matrices.conjugate(y)))


@_linalg
def cholesky(a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    """``scipy.linalg.cholesky``."""
    plain("cholesky", overwrite_a=overwrite_a)
    return linalg.cholesky(Tracer(square("cholesky", a, check_finite)), upper=not lower)


@_linalg
def cho_factor(
    a: Any, lower: Any = False, overwrite_a: Any = False, check_finite: Any = True
) -> Any:
    """``scipy.linalg.cho_factor``: beyond the factor is what was there."""
    plain("cho_factor", overwrite_a=overwrite_a)
    x = square("cho_factor", a, check_finite)
    factor = linalg.cholesky(Tracer(x), upper=not lower).node
    rest = matrices.upper(x, False) if lower else matrices.lower(x, False)
    return value(call("add", factor, rest)), bool(lower)


@_linalg
def cho_solve(c_and_lower: Any, b: Any, overwrite_b: Any = False, check_finite: Any = True) -> Any:
    """``scipy.linalg.cho_solve``."""
    plain("cho_solve", overwrite_b=overwrite_b)
    c, lower = c_and_lower
    x, y = common(square("cho_solve", c, check_finite), operand("cho_solve", b, check_finite, 1, 2))
    linalg.aligned(x.shape[0], y.shape[0])
    first, last = ("N", "C") if lower else ("C", "N")
    return value(_triangular(x, _triangular(x, y, first, lower, False), last, lower, False))


@_linalg
def lu_factor(a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    """``scipy.linalg.lu_factor`` of what is not singular: SciPy warns of others."""
    plain("lu_factor", overwrite_a=overwrite_a)
    x = operand("lu_factor", a, check_finite, 2)
    char, (rows, columns) = x.dtype.char, x.shape
    least = rows if not at_least(rows, columns) else columns
    turned = matrices.turned(x)
    (factors, pivots), _ = called("getrf", f"{char}->{char}i", (turned,), p=least)
    one = build.constant(1, pivots.dtype)
    return value(matrices.turned(factors)), value(call("subtract", pivots, one))


@_linalg
def lu_solve(
    lu_and_piv: Any, b: Any, trans: Any = 0, overwrite_b: Any = False, check_finite: Any = True
) -> Any:
    """``scipy.linalg.lu_solve``."""
    plain("lu_solve", overwrite_b=overwrite_b)
    lu, pivots = lu_and_piv
    x, y = common(square("lu_solve", lu, check_finite), operand("lu_solve", b, check_finite, 1, 2))
    linalg.aligned(x.shape[0], y.shape[0])
    if trans not in (0, 1):
        raise NotTraceable("scipy.linalg.lu_solve with this trans= is not compiled")
    places = as_array(pivots).node
    linalg.aligned(x.shape[0], places.shape[0])
    inside = call(
        "logical_and", call("greater_equal", places, 0), call("less", places, dim_node(x.shape[0]))
    )
    every = held(build.reduce("all", inside, (0,)))
    build.solver().require(every, every, every)
    places = build.where(every, build.cast(places, np.dtype(np.int32)), build.constant(0, np.int32))
    places = call("add", places, build.constant(1, places.dtype))
    row = "getrs_turned" if trans else "getrs"
    return value(_by_rows(row, (matrices.turned(x), places), y))


@of_any
def svd(
    a: Any, full_matrices: Any = True, compute_uv: Any = True, overwrite_a: Any = False,
    check_finite: Any = True, lapack_driver: Any = "gesdd",
) -> Any:  # fmt: skip
    """``scipy.linalg.svd``, of single precision by its own routine: it decides the signs."""
    plain("svd", overwrite_a=overwrite_a)
    if lapack_driver != "gesdd":
        raise NotTraceable("scipy.linalg.svd with another driver is not compiled")
    x = operand("svd", a, check_finite, 2, single=True)
    if x.dtype.char in "dD" or not compute_uv:
        found = linalg.svd(Tracer(x), full_matrices, compute_uv)
        return tuple(found) if compute_uv else found
    char, least = x.dtype.char, x.shape[0] if not at_least(*x.shape) else x.shape[1]
    row = "svd_f" if full_matrices else "svd_s"
    found, _ = called(row, f"{char}->{char}f{char}", (x,), p=least)
    return tuple(map(value, found))


@_linalg
def svdvals(a: Any, overwrite_a: Any = False, check_finite: Any = True) -> Any:
    """``scipy.linalg.svdvals``."""
    return svd(a, compute_uv=False, overwrite_a=overwrite_a, check_finite=check_finite)


@_linalg
def qr(
    a: Any, overwrite_a: Any = False, lwork: Any = None, mode: Any = "full", pivoting: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    """``scipy.linalg.qr`` without pivots, of all columns or the least that are needed."""
    plain("qr", overwrite_a=overwrite_a, pivoting=pivoting)
    x = operand("qr", a, check_finite, 2)
    if mode not in ("full", "economic"):
        raise NotTraceable(f"scipy.linalg.qr(mode={mode!r}) is not compiled")
    return tuple(linalg.qr(Tracer(x), "complete" if mode == "full" else "reduced"))


@_linalg
def eig(
    a: Any, b: Any = None, left: Any = False, right: Any = True, overwrite_a: Any = False,
    overwrite_b: Any = False, check_finite: Any = True, homogeneous_eigvals: Any = False,
) -> Any:  # fmt: skip
    """``scipy.linalg.eig``: eigenvalues are complex, vectors real if all of those are."""
    plain("eig", b=b, left=left, overwrite_a=overwrite_a, homogeneous_eigvals=homogeneous_eigvals)
    x = Tracer(square("eig", a, check_finite))
    if not right:
        return value(build.cast(linalg.eigvals(x).node, COMPLEX128))
    w, v = linalg.eig(x)
    return value(build.cast(w.node, COMPLEX128)), v


@_linalg
def eigvals(
    a: Any, b: Any = None, overwrite_a: Any = False, check_finite: Any = True,
    homogeneous_eigvals: Any = False,
) -> Any:  # fmt: skip
    """``scipy.linalg.eigvals``."""
    return eig(a, b, False, False, overwrite_a, False, check_finite, homogeneous_eigvals)


@_linalg
def pinv(
    a: Any, *, atol: Any = None, rtol: Any = None, return_rank: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    """``scipy.linalg.pinv`` by its own limit of small singular values."""
    plain("pinv", atol=atol, return_rank=return_rank)
    x = operand("pinv", a, check_finite, 2)
    if rtol is None:
        most = x.shape[0] if at_least(*x.shape) else x.shape[1]
        rtol = Tracer(call("multiply", dim_node(most), epsilon.get()), "scalar")
    return linalg.pinv(Tracer(x), rtol=rtol)


@of_any
def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: Any = False, check_finite: Any = True
) -> Any:
    """``scipy.linalg.norm``."""
    x = strong(a)
    found = numpy_norm(Tracer(all_finite(x) if check_finite else x), ord, axis, keepdims)
    # What SciPy asks BLAS or LAPACK for is a number of Python's.
    asked = (None, 2) if x.ndim == 1 else (1, np.inf) if x.ndim == 2 else ()
    if axis is None and not keepdims and x.dtype.char in "fdFD" and ord in asked:
        return Tracer(build.weak(build.cast(found.node, FLOAT64)), "number")
    return found


@of_any
def block_diag(*arrs: Any) -> Any:
    """``scipy.linalg.block_diag``."""
    blocks = [numpy.atleast_2d(as_array(a)) for a in arrs]
    if any(a.node.ndim > 2 for a in blocks) or not blocks:
        raise NotTraceable("scipy.linalg.block_diag of these arrays is not compiled")
    dtype = build.result_type(*(a.node for a in blocks))
    width: dims.Dim = 0
    for a in blocks:
        width = dims.add(width, a.node.shape[1])
    rows = []
    before: dims.Dim = 0
    for a in blocks:
        height, own = a.node.shape
        after = dims.sub(dims.sub(width, before), own)
        zero = build.constant(0, dtype)
        parts = [build.full((height, before), zero), build.cast(a.node, dtype),
                 build.full((height, after), zero)]  # fmt: skip
        rows.append(build.concatenate(parts, 1))
        before = dims.add(before, own)
    return value(build.concatenate(rows, 0))


@of_any
def toeplitz(c: Any, r: Any = None) -> Any:
    """``scipy.linalg.toeplitz`` of vectors."""
    first = as_array(c)
    row = numpy.conjugate(first) if r is None else as_array(r)
    if first.node.ndim != 1 or row.node.ndim != 1:
        raise NotTraceable("scipy.linalg.toeplitz of arrays is not compiled")
    values = numpy.concatenate([first[::-1], row[1:]]).node
    rows, columns = first.node.shape[0], row.node.shape[0]
    shape = (rows, columns)
    down, across = (build.view(build.iota(d), shape, ((0, 1, k),)) for k, d in enumerate(shape))
    start = dim_node(dims.sub(rows, 1))
    places = call("add", call("subtract", across, down), start)
    return value(build.gather(values, shape, (("index", 0),), places))
