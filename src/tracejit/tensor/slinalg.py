"""Linear algebra, under the names of ``theano.tensor.slinalg``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays import linalg
from tracejit.arrays.common import is_empty
from tracejit.arrays.exponential import exponential
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import opcode
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, creation, elementwise, products
from tracejit.tensor.nparray import numpy_op
from tracejit.trace.tracer import Tracer

_STRUCTURES = ("general", "symmetric", "lower_triangular", "upper_triangular")


def _floats(x: Any, *ranks: int) -> Any:
    x = as_tensor_variable(x)
    if x.ndim not in ranks:
        raise AssertionError(f"an operand has {x.ndim} axes")
    return cast(x, "float64") if np.dtype(x.dtype).kind in "biu" else x


def _wide(x: Any) -> Any:
    """In double precision, in which all is computed."""
    return cast(x, "complex128" if np.dtype(x.dtype).kind == "c" else "float64")


# Cholesky's factors -------------------------------------------------------------------------------


@opcode("cholesky", types=lambda attr, inputs: [inputs[0].type])
def _cholesky(attr: Any, x: Any) -> Any:
    """attr: (whether lower, whether to raise)."""
    lower, raises = attr
    if isinstance(x, Tracer):
        return np.linalg.cholesky(x, upper=not lower)
    try:
        return np.linalg.cholesky(x, upper=not lower)
    except np.linalg.LinAlgError:
        if raises:
            raise
        return np.full(x.shape, np.nan, x.dtype)


class Cholesky:
    """``Cholesky(lower)(x)``: a triangle `L` with ``L @ L.T = x``, or `U` with ``U.T @ U = x``.

    Only that triangle of `x` is read, and has a derivative. LinAlgError where `x` is not positive
    definite; with ``on_error="nan"``, nan.
    """

    __props__ = ("lower", "destructive", "on_error")

    def __init__(
        self, lower: bool = True, destructive: bool = False, on_error: str = "raise"
    ) -> None:
        if on_error not in ("raise", "nan"):
            raise ValueError('on_error must be one of "raise" or "nan"')
        self.lower, self.destructive, self.on_error = lower, destructive, on_error

    def __call__(self, x: Any) -> Any:
        x = _floats(x, 2)
        kind = TensorType(x.dtype, (False, False))
        return apply("cholesky", [x], (bool(self.lower), self.on_error == "raise"), [kind])[0]


cholesky = Cholesky()

# Equations ----------------------------------------------------------------------------------------


class Solve:
    """``Solve(A_structure, lower)(A, b)``: the solution of ``A @ x = b`` for a vector or a matrix.

    `A_structure` is "general", "symmetric", "lower_triangular" or "upper_triangular". Of a triangle
    and of a symmetric matrix the half that `lower` names is read.
    """

    __props__ = ("A_structure", "lower", "overwrite_A", "overwrite_b")

    def __init__(
        self, A_structure: str = "general", lower: bool = False, overwrite_A: bool = False,
        overwrite_b: bool = False,
    ) -> None:  # fmt: skip
        if A_structure not in _STRUCTURES:
            raise ValueError("Invalid matrix structure argument", A_structure)
        self.A_structure, self.lower = A_structure, lower
        self.overwrite_A, self.overwrite_b = overwrite_A, overwrite_b

    def __call__(self, A: Any, b: Any) -> Any:
        a, y = _floats(A, 2), _floats(b, 1, 2)
        dtype = np.result_type(np.dtype(a.dtype), np.dtype(y.dtype)).name
        a, y = _wide(a), _wide(y)
        wide = np.result_type(np.dtype(a.dtype), np.dtype(y.dtype)).name
        kinds = [TensorType(wide, (False,) * y.ndim)]
        if self.A_structure.endswith("triangular"):
            lower = self.A_structure == "lower_triangular"
            options = {"lower": lower}
            found = numpy_op("scipy.linalg.solve_triangular", (a, y), options, types=kinds)
        else:
            if self.A_structure == "symmetric":
                a = _mirrored(a, self.lower)
            found = numpy_op("linalg.solve", (a, y), types=kinds)
        return cast(found, dtype)


def _mirrored(a: Any, lower: bool) -> Any:
    """The symmetric matrix of which one half is read."""
    half = creation.triangle(a, 0 if lower else -1, lower)
    other = creation.triangle(a, -1 if lower else 0, lower)
    return elementwise.add(half, basic.dimshuffle(other, (1, 0)))


solve = Solve()
solve_symmetric = Solve("symmetric")
solve_lower_triangular = Solve("lower_triangular", lower=True)
solve_upper_triangular = Solve("upper_triangular", lower=False)

# Eigenvalues --------------------------------------------------------------------------------------


class Eigvalsh:
    """``Eigvalsh(lower)(a, b)``: the eigenvalues of a symmetric matrix, the smallest first.

    Or of ``a @ v = w * b @ v`` for a positive definite `b`. One half of each is read.
    """

    __props__ = ("lower",)

    def __init__(self, lower: bool = True) -> None:
        if lower not in (True, False):
            raise AssertionError("lower is a bool")
        self.lower = lower

    def __call__(self, a: Any, b: Any = None) -> Any:
        a = _floats(a, 2)
        dtype, triangle = a.dtype, "L" if self.lower else "U"
        if b is not None and not _is_none(b):
            b = _floats(b, 2)
            dtype = np.result_type(np.dtype(dtype), np.dtype(b.dtype)).name
            factor = Cholesky(self.lower)(_wide(b))
            factor = factor if self.lower else basic.dimshuffle(factor, (1, 0))
            half = solve_lower_triangular(factor, _mirrored(_wide(a), self.lower))
            a = solve_lower_triangular(factor, basic.dimshuffle(half, (1, 0)))
        kinds = [TensorType("float64", (False,))]
        found = numpy_op("linalg.eigvalsh", (_wide(a),), {"UPLO": triangle}, types=kinds)
        return cast(found, dtype)


def _is_none(b: Any) -> bool:
    return getattr(b, "data", b) is None


def eigvalsh(a: Any, b: Any = None, lower: bool = True) -> Any:
    """``Eigvalsh(lower)(a, b)``."""
    return Eigvalsh(lower)(a, b)


# Others -------------------------------------------------------------------------------------------


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product of matrices, or of a vector and a matrix. TypeError for two vectors."""
    a, b = as_tensor_variable(a), as_tensor_variable(b)
    if a.ndim + b.ndim <= 2:
        raise TypeError(
            f"kron: inputs dimensions must sum to 3 or more. You passed {a.ndim} and {b.ndim}."
        )
    whole = products.outer(a, b)
    lengths = [basic.shape_i(v, k) for v in (a, b) for k in range(v.ndim)]
    whole = basic.reshape(whole, lengths)
    if whole.ndim == 3:
        return basic.flatten(basic.dimshuffle(whole, (1, 0, 2)))
    moved = basic.dimshuffle(whole, (0, 2, 1, *range(3, whole.ndim)))
    rows, across = lengths[0] * lengths[2], lengths[1] * lengths[3]
    return basic.reshape(moved, [rows, across])


@opcode("expm", types=lambda attr, inputs: [inputs[0].type])
def _expm(attr: Any, x: Any) -> Any:
    """Of a matrix, in double precision."""
    if not isinstance(x, Tracer):
        import scipy.linalg

        return scipy.linalg.expm(x)
    if is_empty(linalg.stacked(x).node.shape):
        return x
    return exponential(x)


class Expm:
    """``Expm()(x)``: the exponential of a square matrix."""

    __props__ = ()

    def __call__(self, A: Any) -> Any:
        a = _floats(A, 2)
        return apply("expm", [a], None, [TensorType(a.dtype, (False, False))])[0]


def expm(A: Any) -> Any:
    """The exponential of a square matrix."""
    return Expm()(A)


__all__ = [
    "Cholesky",
    "Eigvalsh",
    "Expm",
    "Solve",
    "cholesky",
    "eigvalsh",
    "expm",
    "kron",
    "solve",
    "solve_lower_triangular",
    "solve_symmetric",
    "solve_upper_triangular",
]
