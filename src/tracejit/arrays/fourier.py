"""``np.fft``: NumPy's own transforms along one axis, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    axis_index,
    call,
    dim_node,
    length,
    refuse_others,
    same,
    span,
)
from tracejit.arrays.gufuncs import called, ufunc_of
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.tables import creates, implements
from tracejit.trace.tracer import Tracer, as_array, number, value

_DIRECTIONS = {"backward": "forward", None: "forward", "ortho": "ortho", "forward": "backward"}
_NORMS = 'should be "backward","ortho" or "forward".'


def _swapped(norm: Any) -> Any:
    if norm not in _DIRECTIONS:
        raise ValueError(f"Invalid norm value {norm}; {_NORMS}")
    return _DIRECTIONS[norm]


def transformed(x: Node, n: Dim, axis: int, real: bool, forward: bool, norm: Any) -> Node:
    """The transform of `x` along an axis, of `n` points, as NumPy computes it."""
    if not at_least(n, 1):
        known = build.solver().value(n)
        raise ValueError(f"Invalid number of FFT data points ({known}) specified.")
    norm = norm if forward else _swapped(norm)
    if norm not in _DIRECTIONS:
        raise ValueError(f"Invalid norm value {norm}; {_NORMS}")
    part = np.result_type(x.dtype.type(0).real.dtype, 1.0)
    factor = build.constant(1, part)
    told: Any = int  # Python's 1 has no dtype of its own
    if norm in ("ortho", "forward"):
        count = build.cast(dim_node(n), part)
        factor, told = call("reciprocal", call("sqrt", count) if norm == "ortho" else count), part
    name, points = "irfft" if real else "fft" if forward else "ifft", n
    if real and forward:
        name = "rfft_n_even" if same(dims.mod(n, 2), 0) else "rfft_n_odd"
        points = dims.add(dims.floordiv(n, 2), 1)
    left = part if real and not forward else np.result_type(x.dtype, 1j)
    wanted = ufunc_of(name).resolve_dtypes((x.dtype, told, left), casting="same_kind")
    rows = build.transpose(x, [*(k for k in range(x.ndim) if k != axis), axis])
    operands = [build.cast(a, d) for a, d in zip((rows, factor), wanted, strict=False)]
    taken, scale, loop = (d.char for d in wanted)
    [found], _ = called(name, f"{taken}{scale}->{loop}", operands, m=points)
    result = build.cast(found, left)
    last = x.ndim - 1
    if axis == last:
        return result
    # As NumPy's, it lies as it would along the last axis.
    return build.ordered(build.transpose(result, [*range(axis), last, *range(axis, last)]), "C")


def _one(a: Any, n: Any, axis: Any, norm: Any, real: bool, forward: bool) -> Tracer:
    x = as_array(a).node
    k = axis_index(axis, x.ndim)
    if n is not None:
        points = length(n)
    else:
        points = x.shape[k]
        if real and not forward:
            points = dims.mul(dims.sub(points, 1), 2)
    return Tracer(transformed(x, points, k, real, forward, norm))


def _along(function: Any, real: bool, forward: bool) -> Callable[..., Tracer]:
    """What traces a transform along one axis."""

    def run(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Tracer:
        return _one(a, n, axis, norm, real, forward)

    run.__name__, run.__doc__ = function.__name__, f"``np.fft.{function.__name__}``."
    return implements(function)(run)


fft, ifft = _along(np.fft.fft, False, True), _along(np.fft.ifft, False, False)
rfft, irfft = _along(np.fft.rfft, True, True), _along(np.fft.irfft, True, False)


@implements(np.fft.hfft)
def hfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.hfft``."""
    return irfft(value(call("conjugate", as_array(a).node)), n, axis, _swapped(norm))


@implements(np.fft.ihfft)
def ihfft(a: Any, n: Any = None, axis: Any = -1, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.ihfft``."""
    return value(call("conjugate", rfft(a, n, axis, _swapped(norm)).node))


# Several axes -------------------------------------------------------------------------------------


def _points_and_axes(x: Tracer, s: Any, axes: Any) -> tuple[list[Any], list[Any]]:
    """How many points along which axes; None for as many as there are."""
    if s is None:
        chosen = list(range(x.node.ndim)) if axes is None else list(axes)
        points: list[Any] = [None] * len(chosen)
        return points, [axis_index(k, x.node.ndim) for k in chosen]
    points = list(s)
    if axes is None or any(n is None for n in points):
        raise NotTraceable(
            "a Fourier transform of s= without axes, or of None in it, is deprecated"
        )
    chosen = list(axes)
    if len(points) != len(chosen):
        raise ValueError("Shape and axes have different lengths.")
    lengths = zip(points, chosen, strict=True)
    return [number(x.node.shape[k]) if _is_all(n) else n for n, k in lengths], chosen


def _is_all(n: Any) -> bool:
    return isinstance(n, int) and n == -1


def _several(function: Callable[..., Tracer], a: Any, s: Any, axes: Any, norm: Any) -> Tracer:
    """A transform along each axis, the last one first."""
    x = as_array(a)
    for n, k in zip(*map(reversed, _points_and_axes(x, s, axes)), strict=True):
        x = function(x, n, k, norm)
    return x


@implements(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.fftn``."""
    return _several(fft, a, s, axes, norm)


@implements(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.ifftn``."""
    return _several(ifft, a, s, axes, norm)


@implements(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.fft2``."""
    return _several(fft, a, s, axes, norm)


@implements(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.ifft2``."""
    return _several(ifft, a, s, axes, norm)


@implements(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.rfftn``."""
    x = as_array(a)
    points, chosen = _points_and_axes(x, s, axes)
    x = rfft(x, points[-1], chosen[-1], norm)
    for n, k in zip(reversed(points[:-1]), reversed(chosen[:-1]), strict=True):
        x = fft(x, n, k, norm)
    return x


@implements(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.rfft2``."""
    return rfftn(a, s, axes, norm)


@implements(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Tracer:
    """``np.fft.irfftn``."""
    x = as_array(a)
    points, chosen = _points_and_axes(x, s, axes)
    for n, k in zip(points[:-1], chosen[:-1], strict=True):
        x = ifft(x, n, k, norm)
    return irfft(x, points[-1], chosen[-1], norm)


@implements(np.fft.irfft2)
def irfft2(
    a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None
) -> Tracer:
    """``np.fft.irfft2``."""
    return irfftn(a, s, axes, norm)


# Frequencies --------------------------------------------------------------------------------------


def _count(n: Any) -> Dim:
    if not isinstance(n, (int, np.integer, Tracer)):
        raise ValueError("n should be an integer")
    return length(n)


@creates(np.fft.fftfreq)
def fftfreq(n: Any, d: Any = 1.0, device: Any = None) -> Any:
    """``np.fft.fftfreq``."""
    refuse_others({"device": device})
    step = 1.0 / (n * d)
    count = _count(n)
    negative = dims.floordiv(count, 2)  # the last ones
    k = span(count)
    first = dim_node(dims.sub(count, negative))
    return (
        value(build.where(call("less", k, first), k, call("subtract", k, dim_node(count)))) * step
    )


@creates(np.fft.rfftfreq)
def rfftfreq(n: Any, d: Any = 1.0, device: Any = None) -> Any:
    """``np.fft.rfftfreq``."""
    refuse_others({"device": device})
    step = 1.0 / (n * d)
    return value(span(dims.add(dims.floordiv(_count(n), 2), 1))) * step


def _shifted(x: Any, axes: Any, back: bool) -> Tracer:
    x = as_array(x)
    shape = x.node.shape
    if axes is None:
        axes = tuple(range(len(shape)))
    one = not isinstance(axes, (tuple, list))
    places = [axis_index(k, len(shape)) for k in ((axes,) if one else axes)]
    shifts = [dims.floordiv(shape[k], 2) for k in places]
    shifts = [dims.mul(n, -1) if back else n for n in shifts]
    result: Tracer = np.roll(x, tuple(map(number, shifts)), tuple(places))
    return result


@implements(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Tracer:
    """``np.fft.fftshift``."""
    return _shifted(x, axes, back=False)


@implements(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Tracer:
    """``np.fft.ifftshift``."""
    return _shifted(x, axes, back=True)
