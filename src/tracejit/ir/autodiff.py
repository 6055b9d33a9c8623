"""Differentiation of the array IR: one reverse walk, by the rules of its ops.

The cotangent of a node has its shape and dtype. Source of the method: Griewank and Walther,
*Evaluating Derivatives*, 2nd edition, chapter 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard
from weakref import WeakValueDictionary

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, ops
from tracejit.ir.batch import batched
from tracejit.ir.cotangent import Cotangent, total
from tracejit.ir.derivatives import Missing, has_derivative, operand_cotangents
from tracejit.ir.node import Node, make, postorder
from tracejit.ir.types import INT64

#: What a rule gives: the cotangent of each operand, or None.
Cotangents = Sequence[Node | Missing | None]
Rule = Callable[[Node, Node], Cotangents]


class NoDerivativeError(NotTraceable):
    """An op through which a gradient is asked for, and that has no derivative."""


def is_continuous(node: Node) -> bool:
    """Whether a node's values have derivatives: floats and complex numbers."""
    return node.dtype.kind in "fc"


def vjp(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    wrt: Sequence[Node],
    constants: Iterable[Node] = (),
    known: int = 0,
    forward: bool = False,
) -> list[Node | None]:
    """The cotangents of the nodes `wrt`, where `outputs` have the given ones.

    Nothing flows through `constants`, nor beyond the nodes `wrt`. None where nothing arrives. The
    last `known` outputs have the given cotangents and no others. With `forward` limits that a
    gradient has on its way back do not hold: the result is linear in the cotangents. Raises
    NoDerivativeError where a rule is missing on the way.
    """
    first = len(outputs) - known
    given = dict(zip(outputs[first:], cotangents[first:], strict=True))
    stopped = set(constants)
    targets = set(wrt)
    blocked = stopped - targets
    order = postorder(outputs)
    active: set[Node] = set()
    for node in order:
        reached = node not in stopped and any(a in active for a in node.args)
        if node in targets or (reached and node not in blocked and is_continuous(node)):
            active.add(node)
    found: dict[Node, list[Cotangent]] = {}
    for node, seed in zip(outputs, cotangents, strict=True):
        if node in active:
            found.setdefault(node, []).append(Cotangent(seed))
    arrived: dict[Node, Cotangent] = {}
    for node in reversed(order):
        if node not in active or node not in found:
            continue
        terms = found.pop(node)
        g = arrived[node] = Cotangent(given[node]) if node in given else total(terms)
        if node in stopped or not any(a in active for a in node.args):
            continue
        clipped = node.op is ops.MARKS["clip_gradient"]
        rule = _passed if forward and clipped else _rule(node)
        for operand, h in zip(node.args, _pulled(node, g, rule), strict=False):
            if h is None or operand not in active:
                continue
            if isinstance(h, Missing):
                raise NoDerivativeError(
                    f"the derivative of {node.op.name} with respect to its operand "
                    f"{node.args.index(operand)} is not known",
                    "take it out of what is differentiated",
                )
            found.setdefault(operand, []).append(_fitted(h, operand))
    return [arrived[node].settled() if node in arrived else None for node in wrt]


def _pulled(node: Node, g: Cotangent, rule: Rule) -> Sequence[Cotangent | Missing | None]:
    """The cotangents of the operands of `node`, by its rule."""
    if isinstance(node.op, ops.Elementwise):
        return [h if not isinstance(h, Node) else g.passed(node, h) for h in rule(node, g.value)]
    masks: Cotangents = (None,) * len(node.args)
    if g.mask is not None and node.op.name in _MASKED:
        masks = [g.mask] * len(node.args) if not g.mask.ndim else rule(node, g.mask)
    found = rule(node, g.settled())
    return [
        h if not isinstance(h, Node)
        else Cotangent(h, m) if _is_mask(m) else Cotangent(h).passed(node, h)
        for h, m in zip(found, masks, strict=False)
    ]  # fmt: skip


def _is_mask(found: Node | Missing | None) -> TypeGuard[Node]:
    """Whether a rule has given the mask of an operand: what it scatters is none."""
    return isinstance(found, Node) and found.op is not ops.SCATTER


def jacobian(y: Node, wrt: Sequence[Node], constants: Iterable[Node] = ()) -> list[Node]:
    """The derivatives of every element of `y` with respect to each of `wrt`.

    Of shape ``y.shape + x.shape``: one walk back, batched over the rows of the identity.
    """
    count = dims.product(y.shape)
    seed = make(ops.INPUT, (), ("cotangent", y.shape, id(y)), y.type)
    found = vjp([y], [seed], wrt, constants)
    rows = build.reshape(_identity(count, y.dtype), (count, *y.shape))
    reached = [g for g in found if g is not None]
    many = iter(batched(reached, {seed: rows}, count))
    return [
        build.reshape(next(many), (*y.shape, *x.shape))
        if g is not None
        else _zeros((*y.shape, *x.shape), y.dtype)
        for g, x in zip(found, wrt, strict=True)
    ]


def _identity(count: dims.Dim, dtype: np.dtype[Any]) -> Node:
    row, column = (build.view(build.iota(count), (count, count), ((0, 1, k),)) for k in (0, 1))
    return build.cast(build.elementwise("equal", row, column), dtype)


def _fitted(g: Cotangent, operand: Node) -> Cotangent:
    """A cotangent in its operand's shape and dtype: scalars that were spread are summed."""
    if not operand.ndim and g.value.ndim:
        g = g.summed(tuple(range(g.value.ndim)))
    value = g.value
    if operand.ndim and not value.ndim:
        value = build.full(operand.shape, value)
    if value.dtype.kind == "c" and operand.dtype.kind != "c":
        value = build.real(value)
    if is_continuous(operand):
        value = build.cast(value, operand.dtype)
    return Cotangent(value, g.mask, g.clean)


def _rule(node: Node) -> Rule:
    if isinstance(node.op, ops.Elementwise):
        if node.op is ops.CAST:
            return _passed
        if has_derivative(node):
            return operand_cotangents
    rule = _RULES.get(node.op.name)
    if rule is None:
        raise NoDerivativeError(
            f"{node.op.name} has no derivative", "take it out of what is differentiated"
        )
    return rule


def _passed(node: Node, g: Node) -> Cotangents:
    return (g,)


def _stopped(node: Node, g: Node) -> Cotangents:
    return (None,)


def _scaled(node: Node, g: Node) -> Cotangents:
    return (build.elementwise("multiply", g, build.constant(node.attr, g.dtype)),)


def _clipped(node: Node, g: Node) -> Cotangents:
    low, high = (build.constant(v, g.dtype) for v in node.attr)
    return (build.elementwise("minimum", build.elementwise("maximum", g, low), high),)


# Reductions ------------------------------------------------------------------------------------


def _spread(g: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """A cotangent of a reduction over `axes`, at every element of `x`."""
    kept = [k for k in range(x.ndim) if k not in axes]
    return build.view(g, x.shape, tuple((0, 1, k) for k in kept))


def _of_sum(node: Node, g: Node) -> Cotangents:
    return (_spread(g, node.args[0], node.attr),)


def _of_prod(node: Node, g: Node) -> Cotangents:
    """By the products of what comes before and after, so that factors may be 0."""
    x, axes = node.args[0], node.attr
    kept = [k for k in range(x.ndim) if k not in axes]
    order = [*kept, *axes]
    count = dims.product(x.shape[k] for k in axes)
    moved = build.transpose(x, order)
    rows = build.reshape(moved, (*(x.shape[k] for k in kept), count))
    last = len(kept)
    after = build.flip(_product_before(build.flip(rows, (last,)), last), (last,))
    slope = build.elementwise("multiply", _product_before(rows, last), after)
    inverse = [order.index(k) for k in range(x.ndim)]
    back = build.transpose(build.reshape(slope, moved.shape), inverse)
    return (build.elementwise("multiply", _spread(g, x, axes), back),)


def _product_before(x: Node, axis: int) -> Node:
    """At each position along `axis` the product of all before it."""
    n = x.shape[axis]
    one = build.full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), build.constant(1, x.dtype))
    shifted = build.concatenate([one, x], axis)
    index = tuple((0, 1, k) for k in range(x.ndim))
    shape = (*x.shape[:axis], n, *x.shape[axis + 1 :])
    return build.scan("multiply", build.view(shifted, shape, index), axis)


def _of_extreme(node: Node, g: Node) -> Cotangents:
    """Every element that ties for the extreme one gets the whole cotangent."""
    x, axes = node.args[0], node.attr
    at = build.elementwise("equal", x, _spread(node, x, axes))
    zero = build.constant(0, g.dtype)
    return (build.where(at, _spread(g, x, axes), zero),)


# Structure -------------------------------------------------------------------------------------


def _zeros(shape: tuple[dims.Dim, ...], dtype: np.dtype[Any]) -> Node:
    return build.full(shape, build.constant(0, dtype))


def _of_view(node: Node, g: Node) -> Cotangents:
    """Repeated axes are summed; what a slice leaves out is zero."""
    x, index = node.args[0], node.attr[1]
    used = [k for _, step, k in index if k is not None and step]
    unused = tuple(k for k in range(g.ndim) if k not in used)
    if unused:
        g = build.reduce("any" if g.dtype.kind == "b" else "sum", g, unused)
    place = {k: i for i, k in enumerate(k for k in range(node.ndim) if k in used)}
    if len(set(used)) != len(used) or any(abs(s) > 1 for _, s, k in index if k is not None):
        return (_scattered(x, g, index, place),)
    # One operand axis after the other, in the operand's order.
    shape: list[dims.Dim] = []
    back: list[build.Index] = [(0, 0, None)] * g.ndim
    for _, step, k in index:
        if k is None or not step:
            shape.append(1)
            continue
        source = place[k]
        length = g.shape[source]
        back[source] = (0, 1, len(shape)) if step > 0 else (dims.sub(length, 1), -1, len(shape))
        shape.append(length)
    g = build.view(g, tuple(shape), tuple(back))
    for axis, (start, step, k) in enumerate(index):
        length = g.shape[axis]
        first = start if k is None or step >= 0 else dims.sub(dims.add(start, 1), length)
        g = _padded(g, axis, first, x.shape[axis])
    return (g,)


def _padded(g: Node, axis: int, start: dims.Dim, length: dims.Dim) -> Node:
    """`g` with zeros before and after along `axis`."""
    known = build.solver().canonical
    after = dims.sub(known(length), known(dims.add(start, g.shape[axis])))
    parts = []
    for count in (start, None, after):
        if count is None:
            parts.append(g)
        elif count != 0:
            shape = (*g.shape[:axis], count, *g.shape[axis + 1 :])
            parts.append(_zeros(shape, g.dtype))
    return build.concatenate(parts, axis) if len(parts) > 1 else g


def _scattered(x: Node, g: Node, index: Sequence[build.Index], place: dict[int, int]) -> Node:
    positions = []
    for start, step, k in index:
        if k is None or not step:
            positions.append(build.cast(dims.as_node(start), np.dtype(np.int64)))
            continue
        at = build.iota(g.shape[place[k]])
        scale = build.cast(dims.as_node(step), at.dtype)
        offset = build.cast(dims.as_node(start), at.dtype)
        at = build.elementwise("add", build.elementwise("multiply", at, scale), offset)
        positions.append(build.view(at, g.shape, ((0, 1, place[k]),)))
    return build.scatter(_zeros(x.shape, g.dtype), g, positions, [False] * len(positions), "add")


def _of_reshape(node: Node, g: Node) -> Cotangents:
    return (build.reshape(g, node.args[0].shape),)


def _of_gather(node: Node, g: Node) -> Cotangents:
    """Repeated positions add up."""
    x, *indices = node.args
    positions, checked = [], []
    for kind, k in node.attr[1]:
        checked.append(kind == "index")
        if kind == "index":
            positions.append(indices[k])
        else:
            positions.append(build.view(build.iota(node.shape[k]), node.shape, ((0, 1, k),)))
    return (build.scatter(_zeros(x.shape, g.dtype), g, positions, checked, "add"),)


def _of_scatter(node: Node, g: Node) -> Cotangents:
    _, y, *positions = node.args
    mode, checked = node.attr
    picks = tuple(("index", k) for k in range(len(positions)))
    shape = y.shape
    wide = [p if p.ndim else build.full(shape, p) for p in positions]
    taken = build.gather(g, shape, picks, *wide)
    kept = g
    if mode == "set":
        kept = build.scatter(g, _zeros(shape, g.dtype), positions, checked, "set")
    if mode == "set" and any(checked):  # the last of several at one place has stayed
        numbers = build.reshape(build.iota(dims.product(shape)), shape)
        marks = build.full(node.shape, build.constant(-1, np.int64))
        there = build.scatter(marks, numbers, positions, checked, "set")
        stayed = build.elementwise("equal", build.gather(there, shape, picks, *wide), numbers)
        taken = build.where(stayed, taken, build.constant(0, g.dtype))
    return (kept, taken)


def _of_concatenate(node: Node, g: Node) -> Cotangents:
    axis = node.attr[0]
    parts, start = [], 0
    offset: dims.Dim = start
    for part in node.args:
        index = tuple((offset, 1, k) if k == axis else (0, 1, k) for k in range(g.ndim))
        parts.append(build.view(g, part.shape, index))
        offset = dims.add(offset, part.shape[axis])
    return parts


def _of_scan(node: Node, g: Node) -> Cotangents:
    name, axis = node.attr
    x = node.args[0]

    def after(h: Node) -> Node:
        """The sum of `h` from each position on."""
        return build.flip(build.scan("add", build.flip(h, (axis,)), axis), (axis,))

    if name == "add":
        return (after(g),)
    if name != "multiply":
        raise NoDerivativeError(f"a running {name} has no derivative", "use a sum or a product")
    # Up to the first 0 by division; at it, with a 1 in its place; after it, 0.
    zero, one = (build.constant(v, x.dtype) for v in (0, 1))
    is_zero = build.elementwise("equal", x, zero)
    count = build.scan("add", build.cast(is_zero, x.dtype), axis)
    before = build.elementwise("equal", count, zero)
    first = build.elementwise("logical_and", is_zero, build.elementwise("equal", count, one))
    filled = build.where(first, one, x)
    product = build.scan("multiply", filled, axis)
    at_first = after(build.elementwise("multiply", g, product))
    safe = build.where(is_zero, one, x)
    ahead = build.elementwise("divide", after(build.elementwise("multiply", g, node)), safe)
    fast = build.where(before, ahead, build.where(first, at_first, zero))
    exact = _products_without(x, g, axis)
    # What is differentiated again is the exact form; what is computed is the fast one.
    return (make(ops.STRUCTURAL["custom"], (fast, exact), ops.EXACT, fast.type, node.origin),)


def _products_without(x: Node, g: Node, axis: int) -> Node:
    """For each element the sum of the cotangents of later products, each without the element.

    It takes the square of the length in memory, and may be differentiated where elements are 0.
    """
    n, last = x.shape[axis], x.ndim
    wide = (*x.shape, n)
    same = tuple((0, 1, k) for k in range(last))
    place, left = (build.view(build.iota(n), wide, ((0, 1, k),)) for k in (axis, last))
    one, zero = (build.constant(v, x.dtype) for v in (1, 0))
    rest = build.where(build.elementwise("equal", place, left), one, build.view(x, wide, same))
    products = build.elementwise(
        "multiply", build.view(g, wide, same), build.scan("multiply", rest, axis)
    )
    later = build.where(build.elementwise("greater_equal", place, left), products, zero)
    total = build.reduce("sum", later, (axis,))
    return build.transpose(total, [*range(axis), last - 1, *range(axis, last - 1)])


def _of_sort(node: Node, g: Node) -> Cotangents:
    """Back to where each element came from."""
    x = node.args[0]
    last = x.ndim - 1
    places = build.sort(x, last, node.attr, positions=True)
    positions = [build.view(build.iota(x.shape[k]), x.shape, ((0, 1, k),)) for k in range(last)]
    checked = [False] * x.ndim
    return (build.scatter(_zeros(x.shape, g.dtype), g, [*positions, places], checked, "set"),)


def _of_middle(node: Node, g: Node) -> Cotangents:
    """Back to where the two elements came from."""
    x, shape = node.args[0], node.shape[:-1]
    last = len(shape)
    order = build.sort(x, last, positions=True)
    count = build.cast(dims.as_node(x.shape[-1]), INT64)
    if node.attr:
        number = build.elementwise("logical_not", build.elementwise("isnan", x))
        count = build.reduce("sum", build.cast(number, INT64), (last,))
    picks = (*(("axis", k) for k in range(last)), ("index", 0))
    positions = [build.view(build.iota(d), shape, ((0, 1, k),)) for k, d in enumerate(shape)]
    result = _zeros(x.shape, g.dtype)
    for k, less in enumerate((1, 0)):
        at = build.elementwise("subtract", count, build.constant(less, INT64))
        at = build.elementwise("floor_divide", at, build.constant(2, INT64))
        at = build.elementwise("maximum", at, build.constant(0, INT64))
        place = build.gather(order, shape, picks, at)
        part = build.view(g, shape, (*((0, 1, j) for j in range(last)), (k, 0, None)))
        result = build.scatter(result, part, [*positions, place], [False] * x.ndim, "add")
    return (result,)


def _transposed(x: Node) -> Node:
    order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
    return build.transpose(x, order)


def _of_matmul(node: Node, g: Node) -> Cotangents:
    a, b = node.args
    return build.matmul(g, _transposed(b)), build.matmul(_transposed(a), g)


#: Rules of users, by the number that a "custom" node carries; they live as long as their trace.
custom_rules: WeakValueDictionary[int, CustomRule] = WeakValueDictionary()


class CustomRule:
    """A user's rule: from the cotangent of a result to those of the arguments."""

    def __init__(self, pull: Callable[[Node], Cotangents]) -> None:
        self.pull = pull


def _of_custom(node: Node, g: Node) -> Cotangents:
    if node.attr == ops.EXACT:
        return (None, g)
    return (None, *custom_rules[node.attr].pull(g))


#: Structure whose rules are those of masks, too.
_MASKED = frozenset("sum view reshape concatenate".split())

_RULES: dict[str, Rule] = {
    "custom": _of_custom,
    "mark": _passed,
    "stop_gradient": _stopped,
    "scale_gradient": _scaled,
    "clip_gradient": _clipped,
    "sum": _of_sum,
    "prod": _of_prod,
    "max": _of_extreme,
    "min": _of_extreme,
    "fmax_reduce": _of_extreme,
    "fmin_reduce": _of_extreme,
    "view": _of_view,
    "reshape": _of_reshape,
    "gather": _of_gather,
    "scatter": _of_scatter,
    "concatenate": _of_concatenate,
    "scan": _of_scan,
    "sort": _of_sort,
    "middle": _of_middle,
    "matmul": _of_matmul,
}
