"""The derivatives of Fourier transforms, which are linear."""

from __future__ import annotations

from tracejit.ir import build, dims, ops
from tracejit.ir import matrices as m
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.rules.linear import Pull
from tracejit.ir.rules.record import Cotangents, zeros
from tracejit.ir.types import BOOL, INT64


def _fitted(x: Node, length: Dim, most: Dim) -> Node:
    """The first elements along the last axis, of `most` that there are; zeros after these."""
    index = tuple((0, 1, k) for k in range(x.ndim))
    if length == most:
        return x
    if build.solver().truth(_at_most(length, most)):
        return build.view(x, (*x.shape[:-1], length), index)
    rest = zeros((*x.shape[:-1], dims.sub(length, most)), x.dtype)
    return build.concatenate([x, rest], x.ndim - 1)


def _at_most(a: Dim, b: Dim) -> Node:
    sides = dims.as_node(a), dims.as_node(b)
    return make(ops.ELEMENTWISE["less_equal"], sides, None, ArrayType(BOOL))


def _transform(name: str, x: Node, factor: Node, points: Dim) -> Node:
    [found] = m.gufunc(name, f"x{factor.dtype.char}->x", x, factor, m=points)
    return found


def _as_forward(name: str) -> Pull:
    """The matrix of the transform is symmetric."""

    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        x, factor = node.args
        points = y.shape[-1]
        return _fitted(_transform(name, g, factor, points), x.shape[-1], points), None

    return pull


def _real(odd: bool) -> Pull:
    def pull(node: Node, y: Node, g: Node) -> Cotangents:
        x, factor = node.args
        points = dims.sub(dims.mul(y.shape[-1], 2), 1 if odd else 2)
        h = build.real(_transform("fft", g, factor, points))
        return _fitted(h, x.shape[-1], points), None

    return pull


def _irfft(node: Node, y: Node, g: Node) -> Cotangents:
    """Each number but the first, and the last of an even count, stands for two."""
    x, factor = node.args
    points = y.shape[-1]
    half = dims.add(dims.floordiv(points, 2), 1)
    h = _transform("ifft", build.cast(g, x.dtype), factor, points)
    h = build.view(h, (*h.shape[:-1], half), tuple((0, 1, k) for k in range(h.ndim)))
    place = build.iota(half)
    ends = [
        build.elementwise("equal", n, build.cast(dims.as_node(d), INT64))
        for n, d in ((place, 0), (build.elementwise("add", place, place), points))
    ]
    one, two = (build.constant(n, factor.dtype) for n in (1, 2))
    weight = build.where(build.elementwise("logical_or", *ends), one, two)
    h = build.elementwise("multiply", h, build.broadcast_to(weight, h.shape))
    return _fitted(h, x.shape[-1], half), None


PULLS: dict[str, Pull] = {
    "fft": _as_forward("fft"),
    "ifft": _as_forward("ifft"),
    "rfft_n_even": _real(odd=False),
    "rfft_n_odd": _real(odd=True),
    "irfft": _irfft,
}
