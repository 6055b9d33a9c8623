"""``scipy.fft``'s transforms into cosines and sines, by Fourier transforms of twice the length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.arrays import fourier
from tracejit.arrays.common import at_least, axis_index, axis_tuple, call, length, span
from tracejit.arrays.linalg import numpy
from tracejit.arrays.scipyfft import FFT
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.trace.tracer import Tracer, as_array, number

_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
_NORMS = {None: "backward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _turns(count: Dim, start: float, over: Any, dtype: Any) -> Any:
    """``exp(-i pi (k + start) / over)`` for as many `k`."""
    angle = (Tracer(build.cast(span(count), np.dtype(float))) + start) * (math.pi / over)
    return (numpy.cos(angle) - 1j * numpy.sin(angle)).astype(dtype)


def _transformed(x: Any, kind: int, sine: bool) -> Any:
    """The transform along the last axis, without a factor."""
    n = x.node.shape[-1]
    size = number(n)
    pair = np.dtype("F" if x.node.dtype.char == "f" else "D")
    doubled = number(dims.mul(n, 2))
    if kind == 1 and sine:
        zero = numpy.zeros_like(x[..., :1])
        odd = numpy.concatenate([zero, x, zero, -x[..., ::-1]], axis=-1)
        return -numpy.imag(fourier.rfft(odd))[..., 1:-1]
    if kind == 1:
        even = numpy.concatenate([x, x[..., 1:-1][..., ::-1]], axis=-1)
        return numpy.real(fourier.rfft(even))
    if kind == 2:
        found = fourier.rfft(x, doubled)
        if sine:
            return -2 * numpy.imag(found[..., 1:] * _turns(n, 1.0, doubled, pair))
        return 2 * numpy.real(found[..., :-1] * _turns(n, 0.0, doubled, pair))
    if kind == 3 and sine:
        signs = numpy.where(Tracer(call("equal", call("remainder", span(n), 2), 0)), 1.0, -1.0)
        return _transformed(x[..., ::-1], 3, False) * signs.astype(x.node.dtype)
    shifted = fourier.fft(x * _turns(n, 0.0, doubled, pair), doubled)[..., :size]
    if kind == 3:
        return numpy.real(2 * shifted) - x[..., :1]
    quarter = shifted * _turns(n, 0.5, doubled, pair)
    return -2 * numpy.imag(quarter) if sine else 2 * numpy.real(quarter)


def _along(x: Any, kind: Any, n: Any, axis: int, norm: Any, orthogonal: Any, sine: bool) -> Any:
    """The transform along an axis, of `n` elements."""
    if kind not in _INVERSE:
        raise ValueError(f"Type {kind!r} not supported")
    if norm not in _NORMS:
        raise ValueError(f"Invalid norm value {norm!r}, should be 'backward', 'ortho' or 'forward'")
    lines = numpy.moveaxis(x, axis, -1)
    if n is not None:
        lines = _of_length(lines, length(n))
    points = lines.node.shape[-1]
    if not at_least(points, 2 if kind == 1 and not sine else 1):
        raise ValueError("invalid number of data points specified")
    orthogonal = norm == "ortho" if orthogonal is None else orthogonal
    root = np.sqrt(np.array(2, lines.node.dtype))[()]
    ends = _ends(kind, sine) if orthogonal else ((), ())
    lines = _scaled(lines, ends[0], root)
    found = _scaled(_transformed(lines, kind, sine), ends[1], 1 / root)
    if norm in ("ortho", "forward"):
        whole = 2.0 * (number(points) + (0 if kind != 1 else 1 if sine else -1))
        factor = 1 / numpy.sqrt(whole) if norm == "ortho" else 1 / whole
        found = found * factor
    return numpy.moveaxis(found.astype(x.node.dtype), -1, axis)


def _of_length(x: Any, n: Dim) -> Any:
    own = x.node.shape[-1]
    if at_least(own, n):
        return x[..., : number(n)]
    shape = (*x.node.shape[:-1], dims.sub(n, own))
    rest = build.full(shape, build.constant(0, x.node.dtype))
    return Tracer(build.concatenate([x.node, rest], x.node.ndim - 1))


def _ends(kind: int, sine: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The places that are scaled before and after, so that the transform is orthogonal."""
    end = -1 if sine else 0
    return {1: ((), ()) if sine else ((0, -1), (0, -1)), 2: ((), (end,)), 3: ((end,), ())}.get(
        kind, ((), ())
    )


def _scaled(x: Any, places: Sequence[int], factor: Any) -> Any:
    if places:
        x = x.copy()
        for k in places:
            x[..., k] *= factor
    return x


def _operand(x: Any, overwrite_x: Any, workers: Any) -> Any:
    if overwrite_x or workers is not None:
        raise NotTraceable("a transform with overwrite_x= or workers= is not compiled")
    operand = as_array(x)
    if operand.node.dtype.kind == "c" or operand.node.dtype.char == "e":
        raise NotTraceable(f"cosine transforms of {operand.node.dtype.name} are not compiled")
    return operand if operand.node.dtype.char == "f" else operand.astype(float)


def _add(name: str, sine: bool, inverse: bool) -> None:
    def kind_and_norm(kind: Any, norm: Any) -> tuple[Any, Any]:
        if not inverse or kind not in _INVERSE or norm not in _NORMS:
            return kind, norm
        return _INVERSE[kind], _NORMS[norm] if norm is not None else "forward"

    def transform(
        x: Any, type: Any = 2, n: Any = None, axis: Any = -1, norm: Any = None,
        overwrite_x: Any = False, workers: Any = None, orthogonalize: Any = None,
    ) -> Any:  # fmt: skip
        operand = _operand(x, overwrite_x, workers)
        kind, way = kind_and_norm(type, norm)
        k = axis_index(axis, operand.node.ndim)
        return _along(operand, kind, n, k, way, orthogonalize, sine)

    def transform_of_several(
        x: Any, type: Any = 2, s: Any = None, axes: Any = None, norm: Any = None,
        overwrite_x: Any = False, workers: Any = None, *, orthogonalize: Any = None,
    ) -> Any:  # fmt: skip
        operand = _operand(x, overwrite_x, workers)
        if s is not None:
            raise NotTraceable(f"scipy.fft.{name}n with s= is not compiled", "slice the array")
        kind, way = kind_and_norm(type, norm)
        ndim = operand.node.ndim
        for k in axis_tuple(range(ndim) if axes is None else axes, ndim):
            operand = _along(operand, kind, None, k, way, orthogonalize, sine)
        return operand

    transforms: dict[str, Callable[..., Any]] = {name: transform, f"{name}n": transform_of_several}
    FFT.update(transforms)


for _name, _sine, _inverse in (
    ("dct", False, False), ("idct", False, True), ("dst", True, False), ("idst", True, True),
):  # fmt: skip
    _add(_name, _sine, _inverse)
