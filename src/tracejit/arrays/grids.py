"""Grids of numbers, which NumPy makes of slices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tracejit.arrays.common import (
    at_least,
    call,
    coerce,
    common_dtype,
    length,
    span,
    whole_number,
)
from tracejit.arrays.ranges import arange, python_number
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.trace.tables import creates
from tracejit.trace.tracer import Tracer, operand, supported


def _bounds(part: slice) -> tuple[Any, Any, Any]:
    """Start, stop and step, with NumPy's defaults."""
    if not isinstance(part, slice) or part.stop is None:
        raise TypeError("a grid is made of slices with an end")
    return (
        0 if part.start is None else part.start,
        part.stop,
        1 if part.step is None else part.step,
    )


def _is_count(step: Any) -> bool:
    """Whether a step is a number of points: an imaginary number of Python's or NumPy's."""
    return isinstance(step, (complex, np.complexfloating))


def _steps(start: Any, stop: Any, step: Any) -> tuple[Any, int]:
    """The distance of points of which there are so many, and how many these are."""
    count = int(abs(step))
    return (1 if count == 1 else (stop - start) / float(count - 1)), count


def _line(part: slice, dtype: np.dtype[Any], sparse: bool) -> Node:
    """The numbers along one axis of a grid."""
    start, stop, step = _bounds(part)
    if _is_count(step):
        step, count = _steps(start, stop, step)
        return _points(count, start, step, dtype)
    if dtype.kind not in "iu":
        low, high, by = (python_number(x) for x in (start, stop, step))
        whole = math.ceil((high - low) / by)
        if whole < 0 and not sparse:
            raise ValueError("negative dimensions are not allowed")
        return _points(max(whole, 0), start, step, dtype)
    low, by = length(start), whole_number(step)
    return build.cast(span(_count(low, length(stop), by, sparse), low, by), dtype)


def _count(low: Dim, high: Dim, step: int, sparse: bool) -> Dim:
    """How many steps there are, rounded up."""
    if step == 0:
        raise ZeroDivisionError("division by zero")
    distance, size = dims.sub(high, low) if step > 0 else dims.sub(low, high), abs(step)
    above = dims.add(distance, size - 1)
    if not at_least(above, 0):
        if not sparse:
            raise ValueError("negative dimensions are not allowed")
        return 0
    return dims.floordiv(above, size)


def _points(count: int, start: Any, step: Any, dtype: np.dtype[Any]) -> Node:
    ramp = build.cast(build.iota(count), dtype)
    scaled = call("multiply", ramp, build.cast(coerce(operand(step), dtype), dtype))
    return call("add", scaled, build.cast(coerce(operand(start), dtype), dtype))


def _grid(key: Any, sparse: bool) -> Any:
    """``np.mgrid``, or ``np.ogrid`` where `sparse`."""
    if not isinstance(key, tuple):
        start, stop, step = _bounds(key)
        if not _is_count(step):
            return arange(start, stop, step)
        dtype = supported(common_dtype(*map(operand, (start, stop, abs(step)))))
        step, count = _steps(start, stop, step)
        return Tracer(_points(count, start, step, dtype))
    if not key:
        raise NotTraceable("a grid without axes is not compiled")
    numbers = [0]
    for part in key:
        start, stop, step = _bounds(part)
        numbers += [start, stop, abs(step) if _is_count(step) else step]
    dtype = supported(common_dtype(*map(operand, numbers)))
    lines = [_line(part, dtype, sparse) for part in key]
    shape = tuple(line.shape[0] for line in lines)
    spread = [
        build.expand_dims(line, [axis for axis in range(len(lines)) if axis != k])
        for k, line in enumerate(lines)
    ]
    if sparse:
        return tuple(map(Tracer, spread))
    whole = [build.expand_dims(build.broadcast_to(x, shape), (0,)) for x in spread]
    return Tracer(build.concatenate(whole, 0))


@creates(np.mgrid)
def mgrid(key: Any) -> Tracer:
    """``np.mgrid``."""
    grid: Tracer = _grid(key, sparse=False)
    return grid


@creates(np.ogrid)
def ogrid(key: Any) -> Any:
    """``np.ogrid``."""
    return _grid(key, sparse=True)
