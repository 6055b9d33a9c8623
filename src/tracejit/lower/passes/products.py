"""Products with a vector as sums of products, which take part in the loops around them.

A library's call reads the matrix once for each product, waits for nothing else to be done with its
rows, and its threads are not ours. As sums, what a row gives is used while the row is in the cache,
and a second product over the same rows, as gradients have it, does not read them from memory again.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracejit.ir import build, ops
from tracejit.ir.dims import Dim
from tracejit.ir.graph import Graph, rebuild
from tracejit.ir.node import ArrayType, Node, make
from tracejit.lower.placement import is_transpose


def products_as_sums(graph: Graph, layouts: Mapping[str, str]) -> Graph:
    """`graph` with sums for products of two vectors, also many, and of a matrix and a vector.

    Guarantees: of matrices only those of float32 or float64 are replaced, where one axis of the
    result is known to have length 1, and neither the other one nor the one summed over is. What
    adds up whole rows of memory is replaced where sums of these rows are taken as well: alone, the
    library's threads are faster.
    """
    products = {n: _reads(n, layouts) for n in graph.nodes() if _takes_vector(n)}
    summed = {matrix for matrix, along in products.values() if along}
    chosen = {n for n, (matrix, _) in products.items() if matrix in summed}
    chosen |= {n for n in graph.nodes() if _is_of_vectors(n)}
    if not chosen:
        return graph

    def rule(node: Node, before: Node) -> Node:
        if node.op is ops.VIEW and node.args[0].op is ops.VIEW:
            return build.view(node.args[0], *node.attr)
        return _sum(node) if before in chosen else node

    return rebuild(graph, rule)


def _is_of_vectors(node: Node) -> bool:
    if node.op is not ops.MATMUL or node.shape[-2:] != (1, 1):
        return False
    return node.dtype.kind in "iufc" and node.dtype.char != "e"


def _takes_vector(node: Node) -> bool:
    if node.op is not ops.MATMUL or node.ndim != 2 or node.dtype.char not in "fd":
        return False
    rows, columns = node.shape
    return node.args[0].shape[1] != 1 and (rows == 1) != (columns == 1)


def _reads(node: Node, layouts: Mapping[str, str]) -> tuple[Node, bool]:
    """The matrix of a product, and whether it is summed along what is contiguous in memory."""
    first = node.shape[1] == 1
    matrix = node.args[0 if first else 1]
    transposed = matrix.op is ops.VIEW and is_transpose(matrix)
    matrix = matrix.args[0] if transposed else matrix
    fortran = matrix.op is ops.INPUT and layouts[matrix.attr[0]] == "F"
    return matrix, first != (transposed != fortran)


def _sum(node: Node) -> Node:
    a, b = node.args
    rows, columns = node.shape[-2:]
    length = a.shape[-1]
    shape: tuple[Dim, ...]
    kept: tuple[int, ...]
    if rows == columns == 1:
        summed = node.ndim - 2
        shape, kept = (*node.shape[:summed], length), tuple(range(summed))
        stack: tuple[build.Index, ...] = tuple((0, 1, k) for k in kept)
        factors = (
            build.view(a, shape, (*stack, (0, 0, None), (0, 1, summed))),
            build.view(b, shape, (*stack, (0, 1, summed), (0, 0, None))),
        )
    elif columns == 1:
        shape, summed, kept = (rows, length), 1, (0,)
        factors = a, build.view(b, shape, ((0, 1, 1), (0, 0, None)))
    else:
        shape, summed, kept = (length, columns), 0, (1,)
        factors = build.view(a, shape, ((0, 0, None), (0, 1, 0))), b
    full, part = (ArrayType(node.dtype, s) for s in (shape, tuple(shape[k] for k in kept)))
    product = make(ops.ELEMENTWISE["multiply"], factors, None, full, node.origin)
    total = make(ops.REDUCTIONS["sum"], (product,), (summed,), part, node.origin)
    return build.view(total, node.shape, tuple((0, 1, k) for k in kept))
