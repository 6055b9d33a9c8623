"""Derivatives of nodes: the one walk of gradients by name (`tensor`) and by transform."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.autodiff import jacobian, vjp
from tracejit.ir.cancel import cancelled
from tracejit.ir.node import Node, make
from tracejit.ir.smooth import differentiable
from tracejit.trace.tracer import Tracer

#: Serial numbers of nodes that are to be told from all else.
serial = itertools.count()


def _formulas(outputs: Sequence[Node], targets: Sequence[Node], cancelling: bool) -> list[Node]:
    """What is differentiated: stable and smooth forms, of symbolic graphs without what cancels."""
    return differentiable(cancelled(outputs, targets) if cancelling else outputs, targets)


def pulled(
    outputs: Sequence[Node],
    cotangents: Sequence[Node],
    targets: Sequence[Node],
    stopped: Iterable[Node] = (),
    known: int = 0,
    cancelling: bool = False,
) -> list[Node | None]:
    """The cotangents of `targets`, where `outputs` have the given ones; see `autodiff.vjp`.

    A scalar is the cotangent of every element.
    """
    ys = _formulas(outputs, targets, cancelling)
    seeds = [
        build.cast(g if g.ndim == y.ndim else build.full(y.shape, g), y.dtype)
        for g, y in zip(cotangents, ys, strict=True)
    ]
    return vjp(ys, seeds, targets, stopped, known)


def pushed(
    outputs: Sequence[Node],
    targets: Sequence[Node],
    points: Sequence[Node],
    cancelling: bool = False,
) -> list[Node | None]:
    """The derivatives of `outputs` where `targets` move along `points`.

    The pull-back is linear in its cotangent; the derivative of that map, at any cotangent, is the
    push-forward.
    """
    ys = _formulas(outputs, targets, cancelling)
    dummies = [
        make(ops.INPUT, (), (f"cotangent {k}", y.shape, next(serial)), y.type)
        for k, y in enumerate(ys)
    ]
    back = vjp(ys, dummies, targets, forward=True)
    pairs = [(g, p) for g, p in zip(back, points, strict=True) if g is not None]
    seeds = [build.broadcast_to(build.cast(p, g.dtype), g.shape) for g, p in pairs]
    return vjp([g for g, _ in pairs], seeds, dummies)


def rows(
    outputs: Sequence[Node],
    targets: Sequence[Node],
    stopped: Sequence[Node] = (),
    cancelling: bool = False,
) -> list[list[Node]]:
    """For each of `outputs` the derivatives of every element, by each of `targets`."""
    return [jacobian(y, targets, stopped) for y in _formulas(outputs, targets, cancelling)]


def value_of(g: Node | None, x: Node, dtype: np.dtype[Any] | None = None) -> Tracer:
    """What Python gets of a cotangent of `x`; None is zero. Of this dtype, or that of `x`."""
    dtype = x.dtype if dtype is None else dtype
    found = build.full(x.shape, build.constant(0, dtype)) if g is None else g
    return Tracer(build.cast(found, dtype), "array" if found.ndim else "scalar")
