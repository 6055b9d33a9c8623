"""More functions of ``scipy.linalg`` over traced values: factors, bands, matrices of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import linalg
from tracejit.arrays.common import at_least, call, dim_node, same, span
from tracejit.arrays.gufuncs import called
from tracejit.arrays.linalg import numpy
from tracejit.arrays.scipylinalg import (
    LINALG,
    common,
    epsilon,
    linalg_function,
    of_any,
    operand,
    plain,
    square,
)
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, matrices
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT64, INT64
from tracejit.trace.tracer import Tracer, as_array, value

_INT32 = np.dtype(np.int32)


# Eigenvalues --------------------------------------------------------------------------------------


@of_any
def eigh(
    a: Any, b: Any = None, *, lower: Any = True, eigvals_only: Any = False,
    overwrite_a: Any = False, overwrite_b: Any = False, type: Any = 1, check_finite: Any = True,
    subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    """``scipy.linalg.eigh`` of a matrix, by the routine that SciPy calls: signs are its."""
    plain("eigh", b=b, overwrite_a=overwrite_a, subset_by_index=subset_by_index)
    plain("eigh", subset_by_value=subset_by_value, driver=driver)
    x = square("eigh", a, check_finite, single=True)
    triangle = "L" if lower else "U"
    if eigvals_only:
        return linalg.eigvalsh(Tracer(x), triangle)
    n, char = x.shape[0], x.dtype.char
    real = char.lower()
    zero = build.constant(0.0, np.dtype(real))
    if char in "DF":
        sizes = {"t": dims.mul(n, 2), "w": dims.mul(n, 33), "u": dims.mul(n, 24),
                 "v": dims.mul(n, 10)}  # fmt: skip
        row, types = f"heevr_{triangle}", f"{char}{real}->{char}i{real}{char}i{char}{real}i"
    else:
        sizes = {"t": dims.mul(n, 2), "w": dims.mul(n, 33), "v": dims.mul(n, 10)}
        row, types = f"syevr_{triangle}", f"{real * 2}->{real}i{real * 2}i{real}i"
    (_, _, w, v, *_), _ = called(row, types, (matrices.turned(x), zero), **sizes)
    v = matrices.turned(v)
    if build.solver().is_differentiated(x):
        form_w, form_v = linalg.eigh(Tracer(x), triangle)
        products = numpy.real(numpy.sum(numpy.conjugate(form_v) * Tracer(v), axis=0))
        form = form_v * numpy.where(products < 0, -1.0, 1.0)
        w, v = matrices.with_form(w, form_w.node), matrices.with_form(v, form.node)
    return value(w), value(v)


@of_any
def eigvalsh(a: Any, b: Any = None, **options: Any) -> Any:
    """``scipy.linalg.eigvalsh``."""
    return LINALG["eigh"](a, b, eigvals_only=True, **options)


# Factors ------------------------------------------------------------------------------------------


@linalg_function
def lu(
    a: Any, permute_l: Any = False, overwrite_a: Any = False, check_finite: Any = True,
    p_indices: Any = False,
) -> Any:  # fmt: skip
    """``scipy.linalg.lu`` of a matrix."""
    plain("lu", overwrite_a=overwrite_a)
    x = operand("lu", a, check_finite, 2)
    rows, columns = x.shape
    wide = not at_least(rows, columns)
    least = rows if wide else columns
    if same(rows, 1) and same(columns, 1):
        raise NotTraceable("scipy.linalg.lu of one element is not compiled")
    char = x.dtype.char
    (factors, pivots), _ = called("getrf_any", f"{char}->{char}i", (matrices.turned(x),), p=least)
    packed = matrices.turned(factors)
    left = matrices.first_columns(packed, least)
    lower = call("add", matrices.lower(left, False), _identity(rows, least, x.dtype))
    upper = matrices.upper(matrices.first_rows(packed, least))
    order = _order(pivots, rows)
    inverse = Tracer(build.cast(numpy.argsort(order).node, _INT32))
    if permute_l:
        return value(lower)[inverse], value(upper)
    if p_indices:
        return inverse, value(lower), value(upper)
    # Row `order[k]` of the matrix is row `k` of the product of the factors.
    at = call("equal", build.expand_dims(inverse.node, (1,)), build.expand_dims(span(rows), (0,)))
    return value(build.cast(at, FLOAT64)), value(lower), value(upper)


def _identity(rows: Any, columns: Any, dtype: np.dtype[Any]) -> Node:
    at = call("equal", build.expand_dims(span(rows), (1,)), build.expand_dims(span(columns), (0,)))
    return build.cast(at, dtype)


def _order(pivots: Node, rows: Any) -> Tracer:
    """The rows in the order that exchanges leave them in."""
    line = build.expand_dims(build.cast(span(rows), FLOAT64), (0,))
    [found], _ = called("laswp", "dii->d", (line, pivots, build.constant(1, _INT32)))
    return Tracer(build.cast(build.squeeze(found, (0,)), INT64))


# Bands --------------------------------------------------------------------------------------------


def _band(ab: Any, b: Any, check: Any, name: str) -> tuple[Node, Node, Node]:
    """A band, the right sides, and those as rows."""
    x, y = common(operand(name, ab, check, 2), operand(name, b, check, 1, 2))
    if not same(x.shape[1], y.shape[0]):
        raise ValueError("shapes of ab and b are not compatible.")
    if y.ndim == 1:
        return x, y, build.expand_dims(y, (0,))
    return x, y, matrices.turned(y)


def _columns(found: Node, y: Node) -> Any:
    return value(build.squeeze(found, (0,)) if y.ndim == 1 else matrices.turned(found))


@linalg_function
def solve_banded(
    l_and_u: Any, ab: Any, b: Any, overwrite_ab: Any = False, overwrite_b: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    """``scipy.linalg.solve_banded``."""
    plain("solve_banded", overwrite_ab=overwrite_ab, overwrite_b=overwrite_b)
    low, high = (int(k) for k in l_and_u)
    x, y, rows = _band(ab, b, check_finite, "solve_banded")
    if not same(x.shape[0], low + high + 1):
        raise ValueError(
            "invalid values for the number of lower and upper diagonals: "
            f"l+u+1 ({low + high + 1}) does not equal ab.shape[0]"
        )
    if build.solver().is_differentiated(x) or build.solver().is_differentiated(y):
        raise NotTraceable("derivatives of solve_banded are not compiled", "scipy.linalg.solve")
    char = x.dtype.char
    fill = build.full((x.shape[1], low), build.constant(0, x.dtype))
    packed = build.concatenate([fill, matrices.turned(x)], 1)
    kl, ku = (build.constant(k, _INT32) for k in (low, high))
    (factors, pivots), _ = called("gbtrf", f"{char}ii->{char}i", (packed, kl, ku), p=x.shape[1])
    [found], _ = called("gbtrs", f"{char}iii{char}->{char}", (factors, kl, ku, pivots, rows))
    return _columns(found, y)


@linalg_function
def solveh_banded(
    ab: Any, b: Any, overwrite_ab: Any = False, overwrite_b: Any = False, lower: Any = False,
    check_finite: Any = True,
) -> Any:  # fmt: skip
    """``scipy.linalg.solveh_banded``."""
    plain("solveh_banded", overwrite_ab=overwrite_ab, overwrite_b=overwrite_b)
    x, y, rows = _band(ab, b, check_finite, "solveh_banded")
    if build.solver().is_differentiated(x) or build.solver().is_differentiated(y):
        raise NotTraceable("derivatives of solveh_banded are not compiled", "scipy.linalg.solve")
    char, way = x.dtype.char, "L" if lower else "U"
    width = build.cast(call("subtract", dim_node(x.shape[0]), 1), _INT32)
    [factors], _ = called(f"pbtrf_{way}", f"{char}i->{char}", (matrices.turned(x), width))
    [found], _ = called(f"pbtrs_{way}", f"{char}i{char}->{char}", (factors, width, rows))
    return _columns(found, y)


# Least squares and spaces -------------------------------------------------------------------------


@linalg_function
def lstsq(
    a: Any, b: Any, cond: Any = None, overwrite_a: Any = False, overwrite_b: Any = False,
    check_finite: Any = True, lapack_driver: Any = None,
) -> Any:  # fmt: skip
    """``scipy.linalg.lstsq`` by the routine that SciPy chooses."""
    driver = None if lapack_driver == "gelsd" else lapack_driver
    plain("lstsq", overwrite_a=overwrite_a, overwrite_b=overwrite_b, lapack_driver=driver)
    x, y = common(operand("lstsq", a, check_finite, 2), operand("lstsq", b, check_finite, 1, 2))
    if not same(x.shape[0], y.shape[0]):
        raise ValueError("Shape mismatch: a and b should have the same number of rows")
    limit = epsilon.get() if cond is None else cond
    solution, residuals, rank, s = linalg.lstsq(Tracer(x), Tracer(y), limit)
    if same(residuals.node.shape[0], 0):
        residuals = residuals.astype(x.dtype)
    elif y.ndim == 1:
        residuals = residuals[0]
    whole = Tracer(build.weak(build.cast(rank.node, INT64)), "number")
    return solution, residuals, whole, s


@of_any
def orth(A: Any, rcond: Any = None) -> Any:
    """``scipy.linalg.orth``: as many vectors as the rank is."""
    u, s, _ = LINALG["svd"](A, full_matrices=False)
    return u[:, : _rank(A, s, rcond)]


@of_any
def null_space(
    A: Any, rcond: Any = None, *, overwrite_a: Any = False, check_finite: Any = True,
    lapack_driver: Any = "gesdd",
) -> Any:  # fmt: skip
    """``scipy.linalg.null_space``: the vectors beyond the rank."""
    _, s, v = LINALG["svd"](A, True, True, overwrite_a, check_finite, lapack_driver)
    return numpy.conjugate(v[_rank(A, s, rcond) :, :].T)


def _rank(a: Any, s: Any, rcond: Any) -> Any:
    """How many singular values count."""
    shape = as_array(a).node.shape
    most = shape[0] if at_least(*shape) else shape[1]
    if rcond is None:
        rcond = value(call("multiply", dim_node(most), float(np.finfo(s.node.dtype).eps)))
    return numpy.sum(s > numpy.max(s) * rcond)


# Matrices of vectors ------------------------------------------------------------------------------


def _vector(name: str, x: Any) -> Any:
    found = as_array(x)
    if found.node.ndim != 1:
        raise NotTraceable(f"scipy.linalg.{name} of {found.node.ndim} dimensions is not compiled")
    return found


def _picked(values: Any, rows: Node, columns: Node, way: str, start: Any) -> Any:
    down = build.expand_dims(rows, (1,))
    places = call("add", call(way, down, build.expand_dims(columns, (0,))), dim_node(start))
    shape = (rows.shape[0], columns.shape[0])
    return value(build.gather(values.node, shape, (("index", 0),), places))


def hankel(c: Any, r: Any = None) -> Any:
    """``scipy.linalg.hankel`` of vectors."""
    first = _vector("hankel", c)
    row = numpy.zeros_like(first) if r is None else _vector("hankel", r)
    values = numpy.concatenate([first, row[1:]])
    rows, columns = (span(v.node.shape[0]) for v in (first, row))
    return _picked(values, rows, columns, "add", 0)


def circulant(c: Any) -> Any:
    """``scipy.linalg.circulant`` of a vector."""
    first = _vector("circulant", c)
    n = first.node.shape[0]
    values = numpy.concatenate([first[1:], first])
    return _picked(values, span(n), span(n), "subtract", dims.sub(n, 1))


LINALG["hankel"], LINALG["circulant"] = hankel, circulant
