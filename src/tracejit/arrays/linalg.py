"""``np.linalg``: what NumPy's own loops compute, by the cases of ``numpy/linalg/_linalg.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tracejit.arrays.common import at_least, call, dim_node, is_empty, same
from tracejit.arrays.gufuncs import called
from tracejit.errors import DTypeError, NotTraceable, ShapeError
from tracejit.ir import build, dims, matrices
from tracejit.ir.dims import Dim
from tracejit.ir.gufuncs import GUFUNCS
from tracejit.ir.node import Node
from tracejit.ir.rules.linear import factors
from tracejit.ir.scalars import held
from tracejit.ir.types import FLOAT32, FLOAT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, number, value

#: NumPy's functions, over traced values, and its classes of results.
numpy: Any = np
RESULTS: Any = np.linalg._linalg

_COMPLEX = {"f": "F", "d": "D"}


class Dtypes:
    """In which dtypes NumPy computes, and gives its results: those of real and complex numbers."""

    def __init__(self, *arrays: Node) -> None:
        result: np.dtype[Any] = FLOAT32
        for a in arrays:
            if a.dtype.char == "e":
                raise DTypeError(f"array type {a.dtype.name} is unsupported in linalg")
            if a.dtype.char not in "fF":
                result = FLOAT64
        self.is_complex = any(a.dtype.kind == "c" for a in arrays)
        self.char = "D" if self.is_complex else "d"
        self.real = result
        self.result = np.dtype(_COMPLEX[result.char]) if self.is_complex else result

    def types(self, text: str) -> str:
        """Types of a loop, where "x" is what it computes in."""
        return text.replace("x", self.char)

    def taken(self, a: Node) -> Node:
        """An operand in what is computed in."""
        return build.cast(a, np.dtype(self.char))


def stacked(a: Any, square: bool = True) -> Tracer:
    """An array of matrices; LinAlgError where it is none."""
    x = as_array(a)
    if x.node.ndim < 2:
        raise np.linalg.LinAlgError(
            f"{x.node.ndim}-dimensional array given. Array must be at least two-dimensional"
        )
    if square and not same(*x.node.shape[-2:]):
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")
    return x


def decided(truth: Node, reason: str, hint: str) -> bool:
    """What `truth` is for the arguments at hand, which is required of others."""
    try:
        return build.solver().truth(truth)
    except NotTraceable as problem:
        if problem.may_raise:
            raise
        problem.forget()
        raise NotTraceable(reason, hint) from None


def aligned(core: Any, other: Any) -> None:
    """ValueError where two core dimensions differ."""
    if not build.solver().equal(core, other):
        raise ShapeError("operands have a mismatch in their core dimensions")


@implements(np.linalg.solve)
def solve(a: Any, b: Any) -> Tracer:
    """``np.linalg.solve``."""
    x, y = stacked(a).node, as_array(b).node
    if not y.ndim:
        raise ShapeError("solve: Input operand 1 does not have enough dimensions")
    of = Dtypes(x, y)
    vector = y.ndim == 1
    aligned(x.shape[-1], y.shape[-1] if vector else y.shape[-2])
    row = "solve1" if vector else "solve"
    [found], _ = called(row, of.types("xx->x"), (of.taken(x), of.taken(y)))
    return Tracer(build.cast(found, of.result))


@implements(np.linalg.inv)
def inv(a: Any) -> Tracer:
    """``np.linalg.inv``."""
    return _of_matrix("inv", a)


def _of_matrix(row: str, a: Any) -> Tracer:
    """A matrix of a square one."""
    x = stacked(a).node
    of = Dtypes(x)
    [found], _ = called(row, of.types("x->x"), (of.taken(x),))
    return value(build.cast(found, of.result))


@implements(np.linalg.cholesky)
def cholesky(a: Any, /, *, upper: Any = False) -> Tracer:
    """``np.linalg.cholesky``."""
    return _of_matrix("cholesky_up" if upper else "cholesky_lo", a)


@implements(np.linalg.det)
def det(a: Any) -> Tracer:
    """``np.linalg.det``."""
    return _of_matrix("det", a)


@implements(np.linalg.slogdet)
def slogdet(a: Any) -> Any:
    """``np.linalg.slogdet``."""
    x = stacked(a).node
    of = Dtypes(x)
    (sign, size), _ = called("slogdet", of.types("x->xd"), (of.taken(x),))
    return RESULTS.SlogdetResult(
        value(build.cast(sign, of.result)), value(build.cast(size, of.real))
    )


# Factors ------------------------------------------------------------------------------------------


@implements(np.linalg.qr)
def qr(a: Any, mode: Any = "reduced") -> Any:
    """``np.linalg.qr``."""
    if mode not in ("reduced", "complete", "r", "raw"):
        if mode in ("f", "full", "e", "economic"):
            raise NotTraceable(f"np.linalg.qr(mode={mode!r}) is deprecated", "mode='reduced'")
        raise ValueError(f"Unrecognized mode '{mode}'")
    x = stacked(a, square=False).node
    of = Dtypes(x)
    operand = of.taken(x)
    rows, columns = x.shape[-2:]
    is_wide = not at_least(rows, columns)
    least = rows if is_wide else columns
    (packed, tau), _ = called("qr_r_raw", of.types("x->xx"), (operand,), p=least)
    if mode == "raw":
        return tuple(value(build.cast(n, of.result)) for n in (matrices.turned(packed), tau))
    is_complete = mode == "complete" and not (is_wide or same(rows, columns))
    parts = [matrices.upper(packed if is_complete else matrices.first_rows(packed, least))]
    if mode != "r":
        row = "qr_complete" if is_complete else "qr_reduced"
        [q], _ = called(row, of.types("xx->x"), (packed, tau))
        parts.insert(0, q)
    if not is_complete:
        forms = factors(operand, is_wide)[-len(parts) :]
        parts = [matrices.with_form(n, form) for n, form in zip(parts, forms, strict=True)]
    found = [value(build.cast(n, of.result)) for n in parts]
    return found[0] if mode == "r" else RESULTS.QRResult(*found)


def _triangle(uplo: Any) -> str:
    chosen = uplo.upper()
    if chosen not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return "lo" if chosen == "L" else "up"


@implements(np.linalg.eigvalsh)
def eigvalsh(a: Any, UPLO: Any = "L") -> Tracer:
    """``np.linalg.eigvalsh``."""
    triangle = _triangle(UPLO)
    x = stacked(a).node
    of = Dtypes(x)
    [w], _ = called(f"eigvalsh_{triangle}", of.types("x->d"), (of.taken(x),))
    return value(build.cast(w, of.real))


@implements(np.linalg.eigh)
def eigh(a: Any, UPLO: Any = "L") -> Any:
    """``np.linalg.eigh``."""
    triangle = _triangle(UPLO)
    x = stacked(a).node
    of = Dtypes(x)
    (w, v), _ = called(f"eigh_{triangle}", of.types("x->dx"), (of.taken(x),))
    return RESULTS.EighResult(value(build.cast(w, of.real)), value(build.cast(v, of.result)))


def all_finite(x: Node) -> Node:
    """`x`, of which NumPy raises where it is not finite: LAPACK must not see that."""
    finite = held(build.reduce("all", call("isfinite", x), tuple(range(x.ndim))))
    build.solver().require(finite, finite, finite)
    return build.where(finite, x, build.constant(0, x.dtype))


def _eigen(row: str, a: Any) -> tuple[list[Node], Dtypes]:
    """What a row gives of general matrices, in the dtypes of the result.

    Eigenvalues of real matrices are real in NumPy if all of them are: the values decide the dtype.
    """
    x = stacked(a).node
    of = Dtypes(x)
    results = "D" * len(GUFUNCS[row].cores[1])
    found, _ = called(row, of.types(f"x->{results}"), (of.taken(all_finite(x)),))
    pair = np.dtype("F" if of.real == FLOAT32 else "D")
    if of.is_complex:
        return [build.cast(n, pair) for n in found], of
    [w, *_] = found
    real = call("equal", build.imag(w), 0.0)
    if decided(
        build.reduce("all", real, tuple(range(real.ndim))),
        "whether all eigenvalues are real decides the dtype of the result",
        f"np.linalg.{row} of a complex array has complex results",
    ):
        return [build.cast(build.real(n), of.real) for n in found], of
    return [build.cast(n, pair) for n in found], of


@implements(np.linalg.eigvals)
def eigvals(a: Any) -> Tracer:
    """``np.linalg.eigvals``."""
    [w], _ = _eigen("eigvals", a)
    return value(w)


@implements(np.linalg.eig)
def eig(a: Any) -> Any:
    """``np.linalg.eig``."""
    (w, v), _ = _eigen("eig", a)
    return RESULTS.EigResult(value(w), value(v))


@implements(np.linalg.svd)
def svd(a: Any, full_matrices: Any = True, compute_uv: Any = True, hermitian: Any = False) -> Any:
    """``np.linalg.svd``."""
    if hermitian:
        return _svd_of_hermitian(a, compute_uv)
    x = stacked(a, square=False).node
    of = Dtypes(x)
    least = x.shape[-2] if not at_least(x.shape[-2], x.shape[-1]) else x.shape[-1]
    if not compute_uv:
        [s], _ = called("svd", of.types("x->d"), (of.taken(x),), p=least)
        return value(build.cast(s, of.real))
    row = "svd_f" if full_matrices else "svd_s"
    (u, s, v), _ = called(row, of.types("x->xdx"), (of.taken(x),), p=least)
    return RESULTS.SVDResult(
        value(build.cast(u, of.result)),
        value(build.cast(s, of.real)),
        value(build.cast(v, of.result)),
    )


def _svd_of_hermitian(a: Any, compute_uv: Any) -> Any:
    if not compute_uv:
        return numpy.sort(numpy.abs(eigvalsh(a)))[..., ::-1]
    w, u = eigh(a)
    sign, s = numpy.copysign(1.0, w), numpy.abs(w)
    order = numpy.argsort(s)[..., ::-1]
    sign, s = (numpy.take_along_axis(x, order, axis=-1) for x in (sign, s))
    u = numpy.take_along_axis(u, order[..., None, :], axis=-1)
    v = numpy.conjugate(numpy.swapaxes(u * sign[..., None, :], -1, -2))
    return RESULTS.SVDResult(u, s, v)


@implements(np.linalg.svdvals)
def svdvals(x: Any, /) -> Tracer:
    """``np.linalg.svdvals``."""
    result: Tracer = svd(x, compute_uv=False)
    return result


# Least squares ------------------------------------------------------------------------------------


@implements(np.linalg.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: Any = False, *, rtol: Any = np._NoValue) -> Tracer:
    """``np.linalg.pinv``."""
    x = as_array(a)
    if rcond is None:
        rcond = 1e-15 if rtol is np._NoValue else rtol
    elif rtol is not np._NoValue:
        raise ValueError("`rtol` and `rcond` can't be both set.")
    rows, columns = x.node.shape[-2:]
    if rcond is None:
        largest = rows if at_least(rows, columns) else columns
        rcond = number(largest) * np.finfo(x.node.dtype).eps
    if is_empty(x.node.shape) and is_empty((rows, columns)):
        return numpy.zeros_like(numpy.swapaxes(x, -1, -2))
    u, s, v = svd(numpy.conjugate(x), full_matrices=False, hermitian=hermitian)
    cutoff = as_array(rcond)[..., None] * numpy.max(s, axis=-1, keepdims=True)
    inverse = numpy.where(s > cutoff, numpy.divide(1, s), numpy.zeros_like(s))
    result = numpy.matmul(
        numpy.swapaxes(v, -1, -2), numpy.multiply(inverse[..., None], numpy.swapaxes(u, -1, -2))
    )
    operand = build.cast(x.node, result.node.dtype)
    return value(matrices.with_derivative("pinv", result.node, (operand,)))


class LeastSquares(NamedTuple):
    """Solutions, residuals (as if the rank were full), the rank, singular values; their dtypes.

    `narrow` says whether there are no more rows than columns: then there are no residuals.
    """

    solution: Node
    residuals: Node
    rank: Node
    values: Node
    of: Dtypes
    columns: Dim
    narrow: bool


def least_squares(a: Any, b: Any, rcond: Any = None, derivable: bool = False) -> LeastSquares:
    """What ``np.linalg.lstsq`` computes, for columns of `b`; `derivable` if it will be."""
    x, y = as_array(a).node, as_array(b).node
    derivable = derivable or any(map(build.solver().is_differentiated, (x, y)))
    if y.ndim == 1:
        y = build.expand_dims(y, (1,))
    for operand in (x, y):
        if operand.ndim != 2:
            raise np.linalg.LinAlgError(
                f"{operand.ndim}-dimensional array given. Array must be two-dimensional"
            )
    (rows, columns), count = x.shape, y.shape[1]
    if not build.solver().equal(rows, y.shape[0]):
        raise np.linalg.LinAlgError("Incompatible dimensions")
    of = Dtypes(x, y)
    nothing = is_empty((count,))
    if nothing:  # which LAPACK does not take
        y = build.full((rows, 1), build.constant(0, y.dtype))
    least, largest = (rows, columns) if not at_least(rows, columns) else (columns, rows)
    if rcond is None:
        rcond = value(call("multiply", dim_node(largest), np.finfo(of.char).eps))
    limit = build.cast(as_array(rcond).node, FLOAT64)
    if limit.ndim:
        raise NotTraceable("least squares with several rcond are not compiled")
    (solution, residuals, rank, s), _ = called(
        "lstsq", of.types("xxd->xdid"), (of.taken(x), of.taken(y), limit), p=least
    )
    if derivable:
        solution, residuals, s = _differentiable(of, x, y, limit, (solution, residuals, s))
    if is_empty((rows,)):
        solution = build.full(solution.shape, build.constant(0, solution.dtype))
    if nothing:
        solution = matrices.first_columns(solution, count)
        residuals = build.view(residuals, (count,), ((0, 1, 0),))
    narrow = at_least(columns, rows)
    return LeastSquares(solution, residuals, rank, s, of, columns, narrow)


@implements(np.linalg.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """``np.linalg.lstsq``."""
    solution, residuals, rank, s, of, columns, narrow = least_squares(a, b, rcond)
    full = not narrow
    if full:
        full = decided(
            call("equal", rank, build.cast(dims.as_node(columns), rank.dtype)),
            "whether the rank is full decides the shape of the residuals",
            "np.linalg.pinv(a) @ b",
        )
    if not full:
        residuals = build.view(residuals, (0,), ((0, 1, 0),))
    if as_array(b).node.ndim == 1:
        solution = build.squeeze(solution, (1,))
    return (
        value(build.cast(solution, of.result)), value(build.cast(residuals, of.real)),
        value(rank), value(build.cast(s, of.real)),
    )  # fmt: skip


def _differentiable(
    of: Dtypes, x: Node, y: Node, limit: Node, results: Sequence[Node]
) -> list[Node]:
    """The solution, the residuals and the singular values, with what they are differentiated by."""
    a, b = (Tracer(of.taken(n)) for n in (x, y))
    solution = numpy.matmul(pinv(a, Tracer(limit, "scalar")), b)
    error = numpy.matmul(a, solution) - b
    residuals = numpy.sum(numpy.real(error * numpy.conjugate(error)), axis=0)
    forms = (solution, residuals, svdvals(a))
    return [matrices.with_form(n, form.node) for n, form in zip(results, forms, strict=True)]
