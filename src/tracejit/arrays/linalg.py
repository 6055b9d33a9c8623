"""``np.linalg``: what NumPy's own loops compute, by the cases of ``numpy/linalg/_linalg.py``."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.arrays.common import same
from tracejit.arrays.gufuncs import called
from tracejit.errors import DTypeError, ShapeError
from tracejit.ir import build
from tracejit.ir.node import Node
from tracejit.ir.types import FLOAT32, FLOAT64
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, value

_COMPLEX = {"f": "F", "d": "D"}


class Dtypes:
    """In which dtypes NumPy computes, and gives its results: those of real and complex numbers."""

    def __init__(self, *arrays: Node) -> None:
        result = FLOAT32
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
    return np.linalg._linalg.SlogdetResult(
        value(build.cast(sign, of.result)), value(build.cast(size, of.real))
    )
