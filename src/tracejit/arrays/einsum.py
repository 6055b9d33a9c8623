"""``np.einsum``: diagonals by views, contractions by matrix products, the rest by broadcasting."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.arrays.common import call, check_cast, dtype_argument, strong
from tracejit.arrays.linear import product
from tracejit.errors import ShapeError
from tracejit.ir import build, dims
from tracejit.ir.alias import Step
from tracejit.ir.node import Node
from tracejit.trace.tables import implements
from tracejit.trace.tracer import Tracer, as_array, supported, value, view_of


@implements(np.einsum)
def einsum(
    *operands: Any,
    out: Any = None,
    dtype: Any = None,
    casting: str = "safe",
    optimize: Any = False,
    **other: Any,
) -> Tracer:
    """``np.einsum`` with subscripts in a string, or as lists of axes."""
    if isinstance(operands[0], str):
        text, arrays = operands[0].replace(" ", ""), list(operands[1:])
    else:
        text, arrays = _from_lists(operands)
    nodes = [strong(a) for a in arrays]
    inputs, output = _parse(text, [n.ndim for n in nodes])
    if len(nodes) == 1 and set(output) == set(inputs[0]):
        # Nothing to add up: a view, which may be written to.
        def nodes_of(x: Node) -> Node:
            x, labels = _distinct(x, inputs[0])
            return build.transpose(x, [labels.index(label) for label in output])

        take = functools.partial(np.einsum, text)
        return view_of(as_array(arrays[0]), Step(nodes_of, take), read_only=True)
    if dtype is None:
        target = supported(np.result_type(*[n.dtype for n in nodes]))
    else:
        target = dtype_argument(dtype)
    for n in nodes:
        check_cast(n.dtype, target, casting)
    terms = [
        _distinct(build.cast(n, target), labels) for n, labels in zip(nodes, inputs, strict=True)
    ]
    _check_lengths(terms)
    while len(terms) > 1:
        (x, left), (y, right) = terms[:2]
        needed = set(output).union(*(labels for _, labels in terms[2:]))
        terms[:2] = [_pair(x, left, y, right, needed)]
    x, labels = terms[0]
    x, labels = _summed(x, labels, set(output))
    return value(build.transpose(x, [labels.index(label) for label in output]))


def _from_lists(operands: Sequence[Any]) -> tuple[str, list[Any]]:
    """``einsum(a, [0, 1], b, [1, 2], [0, 2])`` as subscripts."""
    pairs = list(operands)
    output = pairs.pop() if len(pairs) % 2 else None
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

    def word(axes: Any) -> str:
        return "".join("..." if k is Ellipsis else letters[k] for k in axes)

    text = ",".join(word(axes) for axes in pairs[1::2])
    return text + ("" if output is None else "->" + word(output)), pairs[::2]


Labels = list[str]


def _parse(text: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result; ``...`` becomes labels "0", "1", ….

    Ellipsis axes are numbered from the right, since they broadcast.
    """
    left, arrow, right = text.partition("->")
    words = left.split(",")
    if len(words) != len(ranks):
        more = "more" if len(words) < len(ranks) else "fewer"
        raise ValueError(
            f"{more} operands provided to einstein sum function than specified in the subscripts "
            "string"
        )
    inputs: list[Labels] = []
    widest = 0
    for word, rank in zip(words, ranks, strict=True):
        before, dots, after = word.partition("...")
        extra = rank - len(before) - len(after)
        if extra < 0 or (extra and not dots):
            which = "too many" if extra < 0 else "not enough"
            raise ValueError(
                f"einstein sum subscripts string contains {which} subscripts for operand "
                f"{len(inputs)}"
            )
        if not (before + after).isalpha() and before + after:
            raise ValueError("invalid subscript in einstein sum subscripts string")
        widest = max(widest, extra)
        inputs.append([*before, *(str(k) for k in range(extra - 1, -1, -1)), *after])
    dotted = [str(k) for k in range(widest - 1, -1, -1)]
    if arrow:
        before, dots, after = right.partition("...")
        if widest and not dots:
            raise ValueError(
                "output has ellipsis dimensions that are not in the output subscripts: "
                "einstein sum subscripts string included no '...'"
            )
        output = [*before, *(dotted if dots else []), *after]
    else:
        counts: dict[str, int] = {}
        for label in left.replace("...", "").replace(",", ""):
            counts[label] = counts.get(label, 0) + 1
        output = [*dotted, *sorted(label for label, n in counts.items() if n == 1)]
    known = {label for labels in inputs for label in labels}
    for label in output:
        if label not in known:
            raise ValueError(
                f"einstein sum subscripts string included output subscript '{label}' which never "
                "appeared in an input"
            )
        if output.count(label) > 1:
            raise ValueError(
                f"einstein sum subscripts string includes output subscript '{label}' multiple times"
            )
    return inputs, output


def _distinct(x: Node, labels: Labels) -> tuple[Node, Labels]:
    """`x` with each repeated label made one axis: a diagonal."""
    if len(set(labels)) == len(labels):
        return x, labels
    names = list(dict.fromkeys(labels))
    shape = [x.shape[labels.index(name)] for name in names]
    for d, label in zip(x.shape, labels, strict=True):
        if not build.solver().equal(shape[names.index(label)], d):
            sizes = [build.solver().value(v) for v in (shape[names.index(label)], d)]
            raise ShapeError(
                f"dimensions in single operand for collapsing index '{label}' don't match "
                f"({sizes[0]} != {sizes[1]})"
            )
    index = tuple((0, 1, names.index(label)) for label in labels)
    return build.view(x, tuple(shape), index), names


def _check_lengths(terms: Sequence[tuple[Node, Labels]]) -> None:
    """Every label has one length, or 1."""
    lengths: dict[str, dims.Dim] = {}
    for x, labels in terms:
        for d, label in zip(x.shape, labels, strict=True):
            old = lengths.get(label, 1)
            if build.solver().value(old) == 1:
                lengths[label] = d
            elif build.solver().value(d) != 1 and not build.solver().equal(old, d):
                raise ShapeError(
                    "operands could not be broadcast together with remapped shapes "
                    "[original->remapped]: "
                    + " ".join(str(tuple(map(build.solver().value, t.shape))) for t, _ in terms)
                )


def _summed(x: Node, labels: Labels, needed: set[str]) -> tuple[Node, Labels]:
    gone = tuple(k for k, label in enumerate(labels) if label not in needed)
    name = "any" if x.dtype == np.bool_ else "sum"
    return build.reduce(name, x, gone), [label for label in labels if label in needed]


def _pair(x: Node, left: Labels, y: Node, right: Labels, needed: set[str]) -> tuple[Node, Labels]:
    """The product of two operands, summed over the labels that nobody else needs."""
    x, left = _summed(x, left, needed.union(right))
    y, right = _summed(y, right, needed.union(left))
    shared = [label for label in left if label in right]
    over = [label for label in shared if label not in needed]
    size_x, size_y = (
        dict(zip(names, n.shape, strict=True)) for names, n in ((left, x), (right, y))
    )
    # Without rows and columns of its own a product is a sum, which fuses.
    outer = any(label not in shared for label in (*left, *right))
    agree = all(build.solver().equal(size_x[label], size_y[label]) for label in over)
    if over and outer and agree:
        return _by_matmul(x, left, y, right, shared, over)
    labels = [*left, *(label for label in right if label not in left)]
    result = call("multiply", _spread(x, left, labels), _spread(y, right, labels))
    return _summed(result, labels, needed)


def _spread(x: Node, names: Labels, labels: Labels) -> Node:
    """`x` with its axes in the order of `labels`, and axes of length 1 for the missing."""
    order = [names.index(label) for label in labels if label in names]
    x = build.transpose(x, order)
    return build.expand_dims(x, [k for k, label in enumerate(labels) if label not in names])


def _by_matmul(
    x: Node, left: Labels, y: Node, right: Labels, shared: Labels, over: Labels
) -> tuple[Node, Labels]:
    stack = [label for label in shared if label not in over]
    rows = [label for label in left if label not in shared]
    columns = [label for label in right if label not in shared]
    a = build.transpose(x, [left.index(label) for label in (*stack, *rows, *over)])
    b = build.transpose(y, [right.index(label) for label in (*stack, *over, *columns)])
    n, m = len(stack), len(rows)
    height, width = a.shape[n : n + m], b.shape[n + len(over) :]
    inner = dims.product(a.shape[n + m :])
    a = build.reshape(a, (*a.shape[:n], dims.product(height), inner))
    b = build.reshape(b, (*b.shape[:n], inner, dims.product(width)))
    result = product(a, b)
    return build.reshape(result, (*result.shape[:n], *height, *width)), [*stack, *rows, *columns]
