"""Functions of ``scipy.fft`` over traced values: NumPy's transforms, which are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.arrays import fourier
from tracejit.arrays.common import axis_tuple
from tracejit.errors import NotTraceable
from tracejit.trace.tracer import as_array

#: By name: SciPy is not imported for them.
FFT: dict[str, Callable[..., Any]] = {}


def _of_one_axis(name: str) -> None:
    own = getattr(fourier, name)

    def transform(
        x: Any, n: Any = None, axis: Any = -1, norm: Any = None, overwrite_x: Any = False,
        workers: Any = None, *, plan: Any = None,
    ) -> Any:  # fmt: skip
        _plain(x, overwrite_x, workers, plan)
        return own(x, n, axis, norm)

    FFT[name] = transform


def _of_several(name: str, axes: tuple[int, ...] | None) -> None:
    own, two = getattr(fourier, name), axes

    def transform(
        x: Any, s: Any = None, axes: Any = two, norm: Any = None, overwrite_x: Any = False,
        workers: Any = None, *, plan: Any = None,
    ) -> Any:  # fmt: skip
        _plain(x, overwrite_x, workers, plan)
        if s is not None and axes is None:
            axes = tuple(range(-len(s), 0))
        if axes is not None:
            axis_tuple(axes, as_array(x).node.ndim)  # it may not be twice
        return own(x, s, axes, norm)

    FFT[name] = transform


def _plain(x: Any, overwrite_x: Any, workers: Any, plan: Any) -> None:
    if overwrite_x or plan is not None or workers is not None:
        raise NotTraceable("a transform with overwrite_x=, workers= or plan= is not compiled")
    if as_array(x).node.dtype.char in "e":
        raise NotTraceable("a transform of float16 in SciPy is not compiled", "use float32")


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _of_one_axis(_name)
for _name in ("fft2", "ifft2", "rfft2", "irfft2"):
    _of_several(_name, (-2, -1))
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _of_several(_name, None)


def _frequencies(name: str) -> None:
    own = getattr(fourier, name)

    def frequencies(n: Any, d: Any = 1.0, *, xp: Any = None, device: Any = None) -> Any:
        if xp is not None:
            raise NotTraceable(f"scipy.fft.{name} of another library is not compiled")
        return own(n, d, device)

    FFT[name] = frequencies


for _name in ("fftfreq", "rfftfreq"):
    _frequencies(_name)
FFT["fftshift"], FFT["ifftshift"] = fourier.fftshift, fourier.ifftshift
