"""How ops are scheduled: one record a structural op, and one for each kind of the others.

What a record means is what `materialise`, `schedule` and `buffers` make of it; what an op reads at
a point is in `access`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tracejit.ir import build, ops
from tracejit.ir.node import Node, make
from tracejit.ir.squeezed import is_same
from tracejit.lower import computations, control, results
from tracejit.lower.computations import Maker

#: Some operands of a node.
Operands = Callable[[Node], tuple[Node, ...]]


def _none(node: Node) -> tuple[Node, ...]:
    return ()


def _arrays(node: Node) -> tuple[Node, ...]:
    return tuple(a for a in node.args if a.ndim)


def _first(node: Node) -> tuple[Node, ...]:
    return node.args[:1]


def _matrices(node: Node) -> tuple[Node, ...]:
    return tuple(map(matrix_source, node.args))


def _sources(node: Node) -> tuple[Node, ...]:
    """What the operands of a call are made of without moving anything."""
    return tuple(map(in_memory, node.args))


def _of_images(node: Node) -> tuple[Node, ...]:
    """What the images and filters of a convolution are made of."""
    return tuple(images(a)[0] for a in node.args)


def _arrays_but_parts(node: Node) -> tuple[Node, ...]:
    """The arrays among these, without parts of inputs that are read where they lie."""
    return tuple(in_memory(a) for a in node.args if a.ndim and not is_part(node, a))


def _state_after(node: Node) -> tuple[Node, ...]:
    return (make(ops.ADVANCE, (node,), None, node.args[0].type),)


def _one_axis(node: Node) -> tuple[Node, ...]:
    """The compressed array, if it has one axis."""
    return tuple(a for a in node.args[1:] if a.ndim == 1)


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How a node of an op is scheduled.

    `computations`  what computes it where it is stored
    `stored`        whether it lives in memory, whoever reads it
    `register`      whether a call gives it as a scalar, in no memory
    `cost`          what it costs to look an element up again, in additions
    `memory`        the operands that it needs in memory, as they are
    `in_order`      whether these are stored in C order for it
    `flat`          those that it reads as contiguous memory in C order
    `strided`       of these, the ones that it reads whatever their stride
    `parts`         whether it reads parts of inputs where they lie
    `whole`         what a call reads, all of it
    `written_by`    the nodes whose computation writes it, too
    `leaves`        what its computation writes beside it, whether or not it is asked for
    """

    computations: Maker = computations.mapped
    stored: bool = False
    register: bool = False
    cost: int = 0
    memory: Operands = _none
    in_order: bool = False
    flat: Operands = _none
    strided: Operands = _none
    parts: bool = False
    whole: Operands = _none
    written_by: Operands = _none
    leaves: Operands = _none


_INLINED = Placement()
_REDUCTION = Placement(stored=True, computations=computations.reduced)
_CALL = Placement(
    stored=True,
    flat=_arrays_but_parts,
    whole=_sources,
    computations=computations.called,
)
_LEFT = replace(_CALL, register=True, flat=_none, whole=_first, written_by=_first)
_MASKED = replace(_CALL, parts=True)
_RUN = Placement(
    stored=True,
    register=True,
    memory=_arrays,
    in_order=True,
    whole=_arrays,
    leaves=control.arrays_left,
    computations=computations.called,
)

PLACEMENTS: dict[ops.Op, Placement] = {
    **dict.fromkeys((ops.INPUT, ops.CONST, ops.DIM, ops.POLY, ops.IOTA, ops.VIEW), _INLINED),
    ops.STRUCTURAL["custom"]: _INLINED,
    ops.RESHAPE: Placement(flat=_arrays, computations=computations.filled),
    ops.GATHER: Placement(memory=_first, in_order=True, cost=ops.DIVISION),
    ops.ASSIGN: Placement(stored=True, computations=computations.assigned),
    ops.CONCATENATE: Placement(stored=True, computations=computations.joined),
    ops.ACCUMULATE: Placement(stored=True, computations=computations.scanned),
    ops.SCATTER: Placement(stored=True, computations=computations.scattered),
    ops.MATMUL: Placement(
        stored=True,
        memory=_matrices,
        whole=_matrices,
        computations=computations.multiplied,
    ),
    ops.SORT: _CALL,
    ops.ARGSORT: _CALL,
    ops.MIDDLE: _CALL,
    ops.CORRELATE: _CALL,
    ops.CONVOLUTION: replace(_CALL, flat=_of_images, whole=_of_images),
    ops.SEARCH: Placement(memory=_first, in_order=True, cost=4 * ops.TRANSCENDENTAL),
    ops.GUFUNC: replace(_CALL, leaves=results.arrays_left),
    results.RESULT: _LEFT,
    ops.HOST: _CALL,
    ops.HOSTED: replace(_CALL, flat=_none, whole=_first, computations=computations.hosted),
    ops.DRAW: replace(_CALL, leaves=_state_after),
    ops.ADVANCE: replace(_CALL, written_by=_first),
    ops.NONZERO: _MASKED,
    ops.COUNT: replace(_MASKED, register=True),
    ops.POSITIONS: _MASKED,
    ops.COMPRESS: replace(_MASKED, strided=_one_axis),
    ops.PLACE: replace(_MASKED, computations=computations.placed),
    control.START: Placement(stored=True, computations=computations.started),
    control.LEFT: _LEFT,
    **dict.fromkeys(control.RUNS.values(), _RUN),
}


def placement(node: Node) -> Placement:
    """How `node` is scheduled."""
    if isinstance(node.op, ops.Reduction):
        return _REDUCTION
    if isinstance(node.op, ops.Elementwise):
        return _CALL if _is_called(node, node.op) else _INLINED
    return PLACEMENTS[node.op]


def _is_called(node: Node, op: ops.Elementwise) -> bool:
    """Whether NumPy's own loop is called for an array, as there is no expression for its dtypes.

    The call costs little, and NumPy's loops are good; one scalar at a time it would cost ten times
    the work.
    """
    if not node.ndim or op is ops.WHERE:
        return False
    return op.called(a.dtype.kind for a in node.args) and op.ufunc.nout == 1


def op_cost(node: Node) -> int:
    """What it costs to compute a value of `node`, without its operands, in additions."""
    if not isinstance(node.op, ops.Elementwise):
        return 0
    if node.op.name == "absolute" and node.args[0].dtype.kind == "c":
        return ops.TRANSCENDENTAL
    return node.op.cost


def is_part(node: Node, x: Node) -> bool:
    """Whether `x` is a part of an input, which `node` reads where it lies."""
    return placement(node).parts and x.op in (ops.VIEW, ops.RESHAPE)


def in_memory(node: Node) -> Node:
    """What a call reads for an operand: for a reshape what it is made of, as nothing moves."""
    while (node.op is ops.RESHAPE or is_same(node)) and node.args[0].ndim:
        node = node.args[0]
    return node


def images(node: Node) -> tuple[Node, bool]:
    """What a convolution reads for an operand, and whether its second and third axis are exchanged

    there: of an array as it lies, nothing moves.
    """
    if node.op is ops.VIEW and node.args[0].ndim:
        turned = build.transpose(node, (0, 2, 1, 3, 4, 5))
        if is_same(turned) or turned.op is not ops.VIEW:
            source = turned.args[0] if turned.op is ops.VIEW else turned
            return in_memory(source), True
    return in_memory(node), False


def matrix_source(node: Node) -> Node:
    """The array that a matmul reads for this operand: what a view is of, if it lies there."""
    if node.op is not ops.VIEW:
        return node
    [x] = node.args
    if is_transpose(node):
        return x
    if not x.ndim or is_diagonal(node) or not (x.op is ops.INPUT or placement(x).stored):
        return node
    sides = matrix_axes(node)
    if any(side is None and d != 1 for side, d in zip(sides, node.shape[-2:], strict=True)):
        return node
    # Along one axis BLAS needs neighbours; those of a vector may have gaps.
    side_by_side = None in sides or (x.ndim - 1, 1) in sides
    return x if side_by_side and all(s is None or s[1] > 0 for s in sides) else node


def is_transpose(node: Node) -> bool:
    """Whether a view is all of a matrix, transposed."""
    index, [x] = node.attr[1], node.args
    return index == ((0, 1, 1), (0, 1, 0)) and node.shape == x.shape[::-1]


def is_diagonal(node: Node) -> bool:
    """Whether a view goes along two axes of an array at once."""
    axes = [axis for _, step, axis in node.attr[1] if step]
    return len(set(axes)) < len(axes)


def matrix_axes(node: Node) -> tuple[tuple[int, int] | None, ...]:
    """The axes of an array, with steps, that are the rows and the columns of a view of it.

    None for one that is of no axis.
    """
    found: dict[int | None, tuple[int, int]] = {}
    for k, (_, step, axis) in enumerate(node.attr[1]):
        if step:
            found[axis] = k, step
    return found.get(node.ndim - 2), found.get(node.ndim - 1)
