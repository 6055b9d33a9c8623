"""Linear algebra, under the names of ``theano.tensor.nlinalg``: functions, and classes of ops.

What a class makes is called with matrices, as an op is: ``MatrixInverse()(x)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import linalg
from tracejit.arrays.gufuncs import called
from tracejit.errors import DTypeError
from tracejit.ir import build
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor import creation, elementwise, products, reductions
from tracejit.tensor.nparray import numpy_op
from tracejit.trace.tracer import Tracer, value


def _matrix(x: Any) -> Any:
    """A matrix of floats: integers become float64."""
    x = as_tensor_variable(x)
    if x.ndim != 2:
        raise AssertionError(f"linear algebra is for matrices, not for arrays of {x.ndim} axes")
    if x.dtype == "float16":
        raise DTypeError("linear algebra is not for float16")
    return cast(x, "float64") if np.dtype(x.dtype).kind in "biu" else x


class _Op:
    """What is called with one matrix, and computed by a function of ``np.linalg``.

    `ranks` are those of the results, and `real` whether these are of complex matrices too.
    """

    function = ""
    ranks: tuple[int, ...] = (2,)
    real: tuple[bool, ...] = (False,)
    __props__: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """Keywords of the function."""
        return {}

    def __call__(self, x: Any) -> Any:
        x = _matrix(x)
        kinds = [
            TensorType(_real_dtype(x.dtype) if real else x.dtype, (False,) * rank)
            for rank, real in zip(self.ranks, self.real, strict=True)
        ]
        return numpy_op(f"linalg.{self.function}", (x,), self.options(), types=kinds)


def _real_dtype(dtype: str) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


class MatrixInverse(_Op):
    """The inverse of a square matrix; LinAlgError where there is none."""

    function = "inv"


class MatrixPinv(_Op):
    """The pseudo-inverse of a matrix."""

    function = "pinv"


class Det(_Op):
    """The determinant of a square matrix."""

    function = "det"
    ranks = (0,)


class SVD(_Op):
    """``[U, s, V]`` of a matrix; or the singular values alone, unless `compute_uv`."""

    function = "svd"
    __props__ = ("full_matrices", "compute_uv")

    def __init__(self, full_matrices: bool = True, compute_uv: bool = True) -> None:
        self.full_matrices, self.compute_uv = bool(full_matrices), bool(compute_uv)
        self.ranks = (2, 1, 2) if self.compute_uv else (1,)
        self.real = (False, True, False) if self.compute_uv else (True,)

    def options(self) -> dict[str, Any]:
        return {"full_matrices": self.full_matrices, "compute_uv": self.compute_uv}


class Eigh(_Op):
    """Eigenvalues, the smallest first, and vectors of a symmetric matrix, of which one triangle

    is read: "L" or "U".
    """

    function = "eigh"
    ranks = (1, 2)
    real = (True, False)
    __props__ = ("UPLO",)

    def __init__(self, UPLO: str = "L") -> None:
        if UPLO not in ("L", "U"):
            raise AssertionError(f"UPLO is 'L' or 'U', not {UPLO!r}")
        self.UPLO = UPLO

    def options(self) -> dict[str, Any]:
        return {"UPLO": self.UPLO}


class Eig(_Op):
    """Eigenvalues and vectors of a matrix whose eigenvalues are real."""

    def __call__(self, x: Any) -> Any:
        x = _matrix(x)
        kinds = [TensorType(x.dtype, (False,)), TensorType(x.dtype, (False, False))]
        return apply("eig", [x], None, kinds)


@opcode("eig")
def _eig(attr: Any, x: Any) -> Any:
    """Values and vectors, whose imaginary parts are required to be zero."""
    if not isinstance(x, Tracer):
        w, v = np.linalg.eig(x)
        if np.iscomplexobj(w) and not np.iscomplexobj(x):
            raise ValueError("eig() of a matrix whose eigenvalues are no real numbers")
        return w, v
    node = linalg.stacked(x).node
    of = linalg.Dtypes(node)
    found, _ = called("eig", of.types("x->DD"), (of.taken(linalg.all_finite(node)),))
    if of.is_complex:
        return tuple(value(build.cast(n, node.dtype)) for n in found)
    zero = build.constant(0.0, np.dtype(float))
    real = build.elementwise("equal", build.imag(found[0]), build.broadcast_to(
        zero, found[0].shape
    ))  # fmt: skip
    every = build.reduce("all", real, (0,))
    build.solver().require(every, every, every)
    return tuple(value(build.cast(build.real(n), node.dtype)) for n in found)


class QRFull(_Op):
    """The factors of a matrix in a mode of ``np.linalg.qr``."""

    function = "qr"
    __props__ = ("mode",)

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.ranks = (2,) if mode == "r" else (2, 1) if mode == "raw" else (2, 2)
        self.real = (False,) * len(self.ranks)

    def options(self) -> dict[str, Any]:
        return {"mode": self.mode}


QRIncomplete = QRFull


class AllocDiag:
    """``AllocDiag(offset)(v)``: a matrix with a vector on a diagonal, and zeros elsewhere."""

    __props__ = ("offset", "axis1", "axis2")

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> None:
        if (axis1, axis2) not in ((0, 1), (1, 0)):
            raise ValueError("a diagonal of a matrix is along its two axes")
        self.offset, self.axis1, self.axis2 = offset, axis1, axis2

    def __call__(self, diag: Any) -> Any:
        v = as_tensor_variable(diag)
        if v.ndim != 1:
            raise TypeError("AllocDiag() takes a vector")
        return creation.diag(v, self.offset if self.axis1 < self.axis2 else -self.offset)


class ExtractDiag:
    """``ExtractDiag(offset)(x)``: the diagonal of an array over two axes."""

    __props__ = ("offset", "axis1", "axis2", "view")

    def __init__(self, offset: int = 0, axis1: int = 0, axis2: int = 1, view: bool = False) -> None:
        self.offset, self.axis1, self.axis2, self.view = offset, axis1, axis2, view

    def __call__(self, x: Any) -> Any:
        return creation.diagonal(x, self.offset, self.axis1, self.axis2)


class lstsq:
    """``lstsq()(x, y, rcond)``: solutions, residuals, the rank and the singular values.

    There are residuals if `x` has full rank, and more rows than columns.
    """

    __props__ = ()

    def __call__(self, x: Any, y: Any, rcond: Any) -> list[Any]:
        x, y, rcond = _matrix(x), as_tensor_variable(y), as_tensor_variable(rcond)
        if y.ndim not in (1, 2) or rcond.ndim != 0:
            raise TypeError("lstsq() takes a matrix, a vector or a matrix, and a number")
        dtype = np.result_type(np.dtype(x.dtype), np.dtype(y.dtype)).name
        kinds = [
            TensorType(dtype, y.broadcastable), TensorType(dtype, (False,)),
            TensorType("int64", ()), TensorType(dtype, (False,)),
        ]  # fmt: skip
        kinds[0] = TensorType(dtype, (False,) * y.ndim)
        return apply("lstsq", [cast(x, dtype), cast(y, dtype), cast(rcond, "float64")], None, kinds)


@opcode("lstsq")
def _lstsq(attr: Any, x: Any, y: Any, rcond: Any) -> Any:
    if not any(isinstance(v, Tracer) for v in (x, y, rcond)):
        solution, residuals, rank, s = np.linalg.lstsq(x, y, rcond)
        return solution, residuals, np.int64(rank), s
    found = linalg.least_squares(x, y, rcond, derivable=True)
    residuals, rank = found.residuals, build.cast(found.rank, np.dtype(np.int64))
    if found.narrow:
        residuals = build.view(residuals, (0,), ((0, 1, 0),))
    solution = found.solution
    if np.ndim(y) == 1:
        solution = build.squeeze(solution, (1,))
    results = [
        Tracer(build.cast(solution, found.of.result)), Tracer(build.cast(residuals, found.of.real)),
        value(rank), Tracer(build.cast(found.values, found.of.real)),
    ]  # fmt: skip
    if not found.narrow:
        columns = np.shape(x)[1]
        full = np.equal(np.full_like(results[1], results[2], dtype=np.int64), columns)
        results[1] = results[1][full]
    return tuple(results)


class TensorInv:
    """``TensorInv(ind)(x)``: see `tensorinv`."""

    __props__ = ("ind",)

    def __init__(self, ind: int = 2) -> None:
        self.ind = ind

    def __call__(self, a: Any) -> Any:
        x = as_tensor_variable(a)
        kind = TensorType(x.dtype, (False,) * x.ndim)
        return numpy_op("linalg.tensorinv", (x, self.ind), types=[kind])


class TensorSolve:
    """``TensorSolve(axes)(a, b)``: see `tensorsolve`."""

    __props__ = ("axes",)

    def __init__(self, axes: Any = None) -> None:
        self.axes = axes

    def __call__(self, a: Any, b: Any) -> Any:
        x, y = as_tensor_variable(a), as_tensor_variable(b)
        axes = None if self.axes is None else tuple(np.atleast_1d(self.axes).tolist())
        dtype = np.result_type(np.dtype(x.dtype), np.dtype(y.dtype)).name
        kind = TensorType(dtype, (False,) * (x.ndim - y.ndim))
        return numpy_op("linalg.tensorsolve", (x, y, axes), types=[kind])


matrix_inverse = MatrixInverse()
pinv = MatrixPinv()
det = Det()
eig = Eig()
alloc_diag = AllocDiag()
extract_diag = ExtractDiag()


def eigh(a: Any, UPLO: str = "L") -> Any:
    """``Eigh(UPLO)(a)``."""
    return Eigh(UPLO)(a)


def svd(a: Any, full_matrices: Any = 1, compute_uv: Any = 1) -> Any:
    """``SVD(full_matrices, compute_uv)(a)``."""
    return SVD(bool(full_matrices), bool(compute_uv))(a)


def qr(a: Any, mode: str = "reduced") -> Any:
    """The factors ``[q, r]`` of a matrix: "reduced", "complete", or `r` alone ("r")."""
    if mode not in ("reduced", "complete", "r", "raw"):
        raise ValueError(f"unknown mode {mode!r}")
    return QRFull(mode)(a)


def slogdet(a: Any) -> Any:
    """The sign of the determinant of a matrix, and the logarithm of its absolute value."""
    x = _matrix(a)
    kinds = [TensorType(d, ()) for d in (x.dtype, _real_dtype(x.dtype))]
    return numpy_op("linalg.slogdet", (x,), types=kinds)


def matrix_dot(*args: Any) -> Any:
    """The product of several matrices, from left to right."""
    result = args[0]
    for a in args[1:]:
        result = products.dot(result, a)
    return result


def matrix_power(M: Any, n: int) -> Any:
    """A square matrix to the integer power `n`."""
    x = _matrix(M)
    kind = TensorType(x.dtype, (False, False))
    return numpy_op("linalg.matrix_power", (x, int(n)), types=[kind])


def diag(x: Any) -> Any:
    """The diagonal of a matrix, or a matrix with the diagonal `x`. TypeError for other ranks."""
    x = as_tensor_variable(x)
    if x.ndim not in (1, 2):
        raise TypeError("diag requires vector or matrix argument", x)
    return creation.diag(x)


def trace(X: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return reductions.sum(extract_diag(X))


def norm(x: Any, ord: Any) -> Any:
    """The norm of a vector or a matrix: `ord` is a number, "fro", "inf" or "-inf", or None."""
    x = as_tensor_variable(x)
    size = elementwise.abs_(x)
    if x.ndim == 0:
        raise ValueError("'axis' entry is out of bounds.")
    if x.ndim > 2:
        raise NotImplementedError("We don't support norm with ndim > 2")
    if ord is None or (x.ndim == 2 and ord == "fro"):
        return elementwise.sqrt(reductions.sum(elementwise.sqr(size)))
    if x.ndim == 2:
        ways = {"inf": ("max", 1), "-inf": ("min", 1), 1: ("max", 0), -1: ("min", 0)}
        if ord not in ways:
            raise ValueError(f"there is no norm {ord!r} of matrices")
        extreme, axis = ways[ord]
        return getattr(reductions, extreme)(reductions.sum(size, axis))
    if ord in ("inf", "-inf"):
        return (reductions.max if ord == "inf" else reductions.min)(size)
    if isinstance(ord, str):
        raise ValueError("Invalid norm order for vectors.")
    if ord == 0:
        return reductions.sum(elementwise.neq(x, 0))
    total = reductions.sum(elementwise.abs_(elementwise.pow(x, ord)))
    return elementwise.pow(total, 1.0 / ord)


def tensorinv(a: Any, ind: int = 2) -> Any:
    """The inverse of a tensor for products over `ind` axes: as `numpy.linalg.tensorinv`."""
    return TensorInv(ind)(a)


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """The solution of ``tensordot(a, x, x.ndim) = b``: as `numpy.linalg.tensorsolve`."""
    return TensorSolve(axes)(a, b)


__all__ = [
    "SVD",
    "AllocDiag",
    "Det",
    "Eig",
    "Eigh",
    "ExtractDiag",
    "MatrixInverse",
    "MatrixPinv",
    "QRFull",
    "QRIncomplete",
    "TensorInv",
    "TensorSolve",
    "alloc_diag",
    "det",
    "diag",
    "eig",
    "eigh",
    "extract_diag",
    "lstsq",
    "matrix_dot",
    "matrix_inverse",
    "matrix_power",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "svd",
    "tensorinv",
    "tensorsolve",
    "trace",
]
