"""Derivatives of nodes: the one walk of gradients by name (`tensor`) and by transform."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from tracejit.ir import build
from tracejit.ir.autodiff import Walk, jacobian, jvp, vjp
from tracejit.ir.cancel import cancelled
from tracejit.ir.node import Node
from tracejit.ir.rewrite import joined
from tracejit.ir.smooth import differentiable
from tracejit.ir.stacks import last_rows
from tracejit.trace.tracer import Tracer

#: A node, or none.
N = TypeVar("N", Node, Node | None)


def _formulas(
    outputs: Sequence[Node], targets: Sequence[Node], stopped: Iterable[Node], cancelling: bool
) -> tuple[list[Node], list[Node], list[Node]]:
    """What is differentiated: stable and smooth forms, of symbolic graphs without what cancels.

    And what by, and where nothing flows through, over the same lengths.
    """
    groups = [list(outputs), list(targets), list(stopped)]
    nodes = iter(build.solver().settled([n for group in groups for n in group]))
    ys, xs, ends = ([next(nodes) for _ in group] for group in groups)
    ys = last_rows(ys, {*xs, *ends})
    return differentiable(cancelled(ys, xs) if cancelling else ys, xs), xs, ends


def pulled(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    targets: Sequence[Node],
    stopped: Iterable[Node] = (),
    known: int = 0,
    cancelling: bool = False,
    checkpoint: bool = True,
) -> list[Node | None]:
    """The cotangents of `targets`, where `outputs` have the given ones; see `autodiff.vjp`.

    A scalar is the cotangent of every element.
    """
    ys, xs, ends = _formulas(outputs, targets, stopped, cancelling)
    seeds = [
        build.cast(g if g.ndim == y.ndim else build.full(y.shape, g), y.dtype)
        for g, y in zip(cotangents, ys, strict=True)
    ]
    walk = Walk(checkpoint)
    return _done(vjp(ys, seeds, xs, ends, known, walk), walk)


def pushed(
    outputs: Sequence[Node],
    targets: Sequence[Node],
    points: Sequence[Node],
    cancelling: bool = False,
) -> list[Node | None]:
    """The derivatives of `outputs` where `targets` move along `points`; see `autodiff.jvp`."""
    walk = Walk()
    ys, xs, _ = _formulas(outputs, targets, (), cancelling)
    return _done(jvp(ys, xs, points, walk), walk)


def rows(
    outputs: Sequence[Node],
    targets: Sequence[Node],
    stopped: Sequence[Node] = (),
    cancelling: bool = False,
    checkpoint: bool = True,
) -> list[list[Node]]:
    """For each of `outputs` the derivatives of every element, by each of `targets`."""
    walk = Walk(checkpoint)
    ys, xs, ends = _formulas(outputs, targets, stopped, cancelling)
    found = [jacobian(y, xs, ends, walk) for y in ys]
    every = iter(_done([g for gs in found for g in gs], walk))
    return [[next(every) for _ in gs] for gs in found]


def _done(found: Sequence[N], walk: Walk) -> list[N]:
    """What a walk has found, over what loops have become parts of; the trace is told of these."""
    nodes = iter(joined([g for g in found if g is not None], walk.joined))
    build.solver().joined.update(walk.joined)
    return [g if g is None else next(nodes) for g in found]


def value_of(g: Node | None, x: Node, dtype: np.dtype[Any] | None = None) -> Tracer:
    """What Python gets of a cotangent of `x`; None is zero. Of this dtype, or that of `x`."""
    dtype = x.dtype if dtype is None else dtype
    found = build.full(x.shape, build.constant(0, dtype)) if g is None else g
    return Tracer(build.cast(found, dtype), "array" if found.ndim else "scalar")
