"""Where the elements of sparse matrices lie: of integers alone, by NumPy, called from programs.

A result is the places of its elements, and which elements of the operands each is made of; its
values are computed in the graph, which so has derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.sparse.type import scipy_sparse
from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Apply
from tracejit.symbolic.op import Op
from tracejit.symbolic.type import TensorType

Vectors = Sequence[np.ndarray]


class Structure(Op):
    """A function of vectors of integers in the table `FUNCTIONS`; `options` are its constants."""

    __props__ = ("name", "options")

    def __init__(self, name: str, *options: Any) -> None:
        self.name, self.options = name, options
        self.count, self.compute = FUNCTIONS[name]

    def __str__(self) -> str:
        return f"sparse.{self.name}"

    def make_node(self, *vectors: Any) -> Apply:
        """The application: results are vectors."""
        made = [as_tensor_variable(v) for v in vectors]
        kind = TensorType("int32", (False,))
        return Apply(self, made, [kind() for _ in range(self.count)])

    def perform(self, node: Any, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """By the table."""
        found = self.compute(*self.options, *inputs)
        for cell, value in zip(output_storage, found, strict=True):
            cell[0] = np.asarray(value).astype(np.int32)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Integers have no gradient."""
        return [[False] * len(node.outputs) for _ in node.inputs]


def _keys(indices: np.ndarray, indptr: np.ndarray, minor: int) -> np.ndarray:
    """The places of elements as numbers, in the order of a sorted matrix."""
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return major.astype(np.int64) * minor + indices


def _places(keys: np.ndarray, major: int, minor: int) -> tuple[np.ndarray, np.ndarray]:
    """indices and indptr of sorted, different places."""
    minor = max(1, minor)
    indptr = np.searchsorted(keys, np.arange(major + 1, dtype=np.int64) * minor)
    return keys % minor, indptr


def _lengths(format: str, shape: np.ndarray) -> tuple[int, int]:
    rows, columns = map(int, shape)
    return (rows, columns) if format == "csr" else (columns, rows)


def _same_shape(a: np.ndarray, b: np.ndarray) -> None:
    if tuple(a) != tuple(b):
        raise ValueError(f"inconsistent shapes: {tuple(map(int, a))} and {tuple(map(int, b))}")


def _union(format: str, ia: Any, pa: Any, sa: Any, ib: Any, pb: Any, sb: Any) -> Vectors:
    """indices, indptr, and where each element of both operands goes."""
    _same_shape(sa, sb)
    major, minor = _lengths(format, sa)
    a, b = _keys(ia, pa, minor), _keys(ib, pb, minor)
    keys = np.union1d(a, b)
    return *_places(keys, major, minor), np.searchsorted(keys, a), np.searchsorted(keys, b)


def _intersection(format: str, ia: Any, pa: Any, sa: Any, ib: Any, pb: Any, sb: Any) -> Vectors:
    """indices, indptr; the elements of both that are used, and where they go."""
    _same_shape(sa, sb)
    major, minor = _lengths(format, sa)
    a, b = _keys(ia, pa, minor), _keys(ib, pb, minor)
    keys = np.intersect1d(a, b)
    used = [np.flatnonzero(np.isin(k, keys)) for k in (a, b)]
    places = (np.searchsorted(keys, k[u]) for k, u in zip((a, b), used, strict=True))
    first, second = places
    return *_places(keys, major, minor), used[0], first, used[1], second


def _product(ia: Any, pa: Any, sa: Any, ib: Any, pb: Any, sb: Any) -> Vectors:
    """Of csr matrices: indices, indptr; pairs of elements, and where their products go."""
    if int(sa[1]) != int(sb[0]):
        raise ValueError(f"dimension mismatch: {tuple(map(int, sa))} and {tuple(map(int, sb))}")
    rows, columns = int(sa[0]), int(sb[1])
    row = np.repeat(np.arange(rows), np.diff(pa))
    counts = np.diff(pb)[ia]
    first = np.repeat(np.arange(len(ia)), counts)
    ends = np.cumsum(counts)
    offset = np.arange(len(first)) - np.repeat(ends - counts, counts)
    second = pb[ia][first] + offset
    keys = row[first].astype(np.int64) * max(1, columns) + ib[second]
    kept, places = np.unique(keys, return_inverse=True)
    return *_places(kept, rows, columns), first, second, places


def _other(format: str, indices: Any, indptr: Any, shape: Any) -> Vectors:
    """indices and indptr in the other format, and which element comes where."""
    _, minor = _lengths(format, shape)
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((major, indices))
    return major[order], np.searchsorted(indices[order], np.arange(minor + 1)), order


def _numbered(format: str, vectors: Vectors, start: int = 0) -> Any:
    """A matrix whose elements are their own numbers, from `start` + 1 on."""
    make = getattr(scipy_sparse(), f"{format}_matrix")
    indices, indptr, shape = vectors
    keys = _keys(indices, indptr, max(1, _lengths(format, shape)[1]))
    if len(np.unique(keys)) != len(keys):
        raise ValueError("a sparse matrix has two elements at one place: sum_duplicates joins them")
    numbers = np.arange(start + 1, start + len(indices) + 1)
    return make((numbers, indices, indptr), shape=tuple(map(int, shape)))


def _read(matrix: Any, format: str) -> Vectors:
    matrix = matrix.asformat(format)
    return matrix.indices, matrix.indptr, matrix.data - 1, np.array(matrix.shape)


def _part(format: str, key: Any, *vectors: Any) -> Vectors:
    """indices, indptr, elements and shape of an index; arrays in it come first."""
    count = sum(k is ARRAY for k in key)
    arrays = iter(vectors[:count])
    index = tuple(next(arrays) if k is ARRAY else slice(*k) if type(k) is tuple else k for k in key)
    return _read(_numbered(format, vectors[count:])[index], format)


#: Stands for an array in an index.
ARRAY = "array"


def _stacked(how: str, format: str, formats: Sequence[str], *vectors: Any) -> Vectors:
    """indices, indptr, elements and shape of matrices beside or below each other."""
    start, blocks = 0, []
    for k, own in enumerate(formats):
        parts = vectors[3 * k : 3 * k + 3]
        blocks.append(_numbered(own, parts, start))
        start += len(parts[0])
    return _read(getattr(scipy_sparse(), how)(blocks), format)


def _sorted(format: str, indices: Any, indptr: Any, shape: Any) -> Vectors:
    """indices in order, and which element comes where."""
    major = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((indices, major))
    return indices[order], order


#: name → how many results there are, and the function.
FUNCTIONS: dict[str, tuple[int, Callable[..., Vectors]]] = {
    "union": (4, _union),
    "intersection": (6, _intersection),
    "product": (5, _product),
    "other": (3, _other),
    "part": (4, _part),
    "stacked": (4, _stacked),
    "sorted": (2, _sorted),
}

__all__ = ["ARRAY", "Structure"]
