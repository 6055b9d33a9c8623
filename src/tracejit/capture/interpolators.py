"""Objects of ``scipy.interpolate`` that were made outside: their arrays are read at each call."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tracejit.arrays.common import is_empty
from tracejit.capture.namespace import replacement
from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.scalars import held
from tracejit.trace.tracer import as_array

#: NumPy, whose functions take traced values.
_np: Any = replacement(np)
_PIECEWISE = ("PPoly", "CubicSpline", "CubicHermiteSpline", "PchipInterpolator",
              "Akima1DInterpolator")  # fmt: skip


class Interpolator:
    """What stands for one: it is called, and nothing else."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise NotTraceable(
            f"{name} of a {self._name} is not compiled", "call it outside and pass the result"
        )


class _Reader:
    """Reads attributes of an object that the caller has, by an expression."""

    def __init__(self, capture: Any, value: Any, expression: str, path: str) -> None:
        self._capture, self._value = capture, value
        self._expression, self._path = expression, path

    def fixed(self, name: str) -> Any:
        """What decides which program it is."""
        found = getattr(self._value, name)
        if type(found) not in (bool, int, str, tuple, type(None)):
            raise NotTraceable(f"{self._path}.{name} is a {type(found).__name__}")
        self._capture.guard(found, f"{self._expression}.{name}", f"{self._path}.{name}")
        return found

    def told(self, text: str, found: Any) -> Any:
        """The same of what an expression over attributes, which begins with a dot, gives."""
        self._capture.guard(found, f"{self._expression}{text}", f"{self._path}{text}")
        return found

    def array(self, name: str) -> Any:
        """An array, or a number or several, which are read at each call."""
        found = getattr(self._value, name)
        return self._capture.read(found, f"{self._expression}.{name}", f"{self._path}.{name}")


def outside(capture: Any, value: Any, expression: str, path: str) -> Interpolator | None:
    """What stands for an interpolator that was made outside; None for another value."""
    cls = type(value)
    if not cls.__module__.startswith("scipy.interpolate."):
        return None
    reader = _Reader(capture, value, expression, path)
    known = cls.__name__ in ("interp1d", "RegularGridInterpolator", *_PIECEWISE)
    if not known:
        return None
    reader.told(".__class__", cls)
    if cls.__name__ in _PIECEWISE:
        return Piecewise(reader)
    if cls.__name__ == "RegularGridInterpolator":
        return Grid(reader)
    way = value._call.__name__
    if way not in ("_call_linear", "_call_linear_np"):
        return None
    reader.told("._call.__name__", way)
    return Linear(reader, way == "_call_linear_np")


def _points(x: Any) -> Any:
    found = as_array(x)
    if found.node.dtype.kind == "c" or found.node.dtype.char == "e":
        raise NotTraceable(f"interpolation at {found.node.dtype.name} is not compiled")
    if is_empty(found.node.shape):
        raise NotTraceable("interpolation at no points is not compiled")
    return found.astype(float)


def _require_all(holds: Any) -> None:
    """SciPy raises for others."""
    node = held(as_array(_np.all(holds)).node)
    build.solver().require(node, node, node)


def _interval(grid: Any, x: Any) -> Any:
    """The interval of each point: the first or the last for those outside."""
    at = _np.searchsorted(grid, x, side="right") - 1
    return _np.clip(at, 0, grid.shape[0] - 2)


class Piecewise(Interpolator):
    """Polynomials between break points."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__("piecewise polynomial")
        self._x, self._c = reader.array("x"), reader.array("c")
        self._extrapolate, self._axis = reader.fixed("extrapolate"), reader.fixed("axis")

    def __call__(self, x: Any, nu: Any = 0, extrapolate: Any = None) -> Any:
        points, c, grid = _points(x), self._c, self._x
        extrapolate = self._extrapolate if extrapolate is None else extrapolate
        if not isinstance(nu, int) or nu < 0:
            raise NotTraceable("derivatives whose order is no number known are not compiled")
        if extrapolate == "periodic":
            points = grid[0] + (points - grid[0]) % (grid[-1] - grid[0])
        at = _interval(grid, points)
        more = (1,) * (c.ndim - 2)
        s = (points - grid[at]).reshape(points.shape + more)
        degree = build.solver().value(c.node.shape[0])
        if degree is None or not build.solver().equal(c.node.shape[0], degree):
            raise NotTraceable("a degree that values tell is not compiled")
        total: Any = _np.zeros((), c.dtype)
        power: Any = _np.ones(())
        for k in range(nu, degree):
            factor = 1.0
            for j in range(k, k - nu, -1):
                factor *= j
            total = total + c[degree - k - 1][at] * power * factor
            power = power * s
        total = total + _np.zeros(points.shape + more, c.dtype)
        inside = points == points
        if not extrapolate or extrapolate == "periodic":
            inside = inside & (points >= grid[0]) & (points <= grid[-1])
        total = _np.where(inside.reshape(points.shape + more), total, _np.nan)
        return _np.moveaxis(total, _range(0, points.ndim), _range(self._axis, points.ndim))


def _range(start: int, count: int) -> list[int]:
    return list(range(start, start + count))


class Linear(Interpolator):
    """``interp1d`` by straight lines."""

    def __init__(self, reader: _Reader, plain: bool) -> None:
        super().__init__("interp1d")
        self._x, self._y = reader.array("x"), reader.array("y" if plain else "_y")
        self._plain = plain
        self._extrapolate, self._raises = reader.fixed("_extrapolate"), reader.fixed("bounds_error")
        self._axis, self._shape = reader.fixed("_y_axis"), reader.fixed("_y_extra_shape")
        if not self._extrapolate:
            self._below = reader.array("_fill_value_below")
            self._above = reader.array("_fill_value_above")

    def __call__(self, x: Any) -> Any:
        points, grid = _points(x), self._x
        flat = points.reshape(-1)
        below, above = flat < grid[0], flat > grid[-1]
        if self._plain:
            found = _np.interp(flat, grid, self._y)[:, None]
        else:
            high = _np.clip(_np.searchsorted(grid, flat), 1, grid.shape[0] - 1)
            low = high - 1
            slope = (self._y[high] - self._y[low]) / (grid[high] - grid[low])[:, None]
            found = slope * (flat - grid[low])[:, None] + self._y[low]
        if not self._extrapolate:
            if self._raises:
                _require_all(~(below | above))
            found = _np.where(below[:, None], self._below, found)
            found = _np.where(above[:, None], self._above, found)
        found = found.reshape(points.shape + self._shape)
        if self._axis and points.ndim:
            places = _range(0, points.ndim), _range(self._axis, points.ndim)
            return _np.moveaxis(found, *places)
        return found


class Grid(Interpolator):
    """``RegularGridInterpolator`` by straight lines."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__("RegularGridInterpolator")
        self._grid, self._values = reader.array("grid"), reader.array("values")
        self._method, self._raises = reader.fixed("method"), reader.fixed("bounds_error")
        self._fill = reader.array("fill_value")

    def __call__(self, xi: Any, method: Any = None, *, nu: Any = None) -> Any:
        if (self._method if method is None else method) != "linear" or nu is not None:
            raise NotTraceable("interpolation on a grid other than by lines is not compiled")
        count = len(self._grid)
        if isinstance(xi, tuple):
            parts = [_points(p) for p in _np.broadcast_arrays(*map(as_array, xi))]
        else:
            points = _points(xi)
            if points.ndim < 2 or build.solver().value(points.node.shape[-1]) != count:
                raise NotTraceable("points of other than rows of coordinates are not compiled")
            _same(points.node.shape[-1], count)
            parts = [points[..., k] for k in range(count)]
        if len(parts) != count:
            raise NotTraceable("as many coordinates as the grid has axes are asked for")
        steps = []
        inside: Any = True
        for x, grid in zip(parts, self._grid, strict=True):
            at = _interval(grid, x)
            share = (x - grid[at]) / (grid[at + 1] - grid[at])
            steps.append(((at, 1 - share), (at + 1, share)))
            inside = inside & (x >= grid[0]) & (x <= grid[-1])
        total: Any = 0.0
        more = (1,) * (self._values.ndim - count)
        for corner in itertools.product(*steps):
            weight: Any = 1.0
            for _, share in corner:
                weight = weight * share
            term = self._values[tuple(at for at, _ in corner)]
            total = total + term * weight.reshape(weight.shape + more)
        numbers = parts[0] == parts[0]
        for x in parts[1:]:
            numbers = numbers & (x == x)
        if self._raises:
            _require_all(inside)
        elif self._fill is not None:
            wide = (inside | ~numbers).reshape(inside.shape + more)
            total = _np.where(wide, total, self._fill)
        return total


def _same(length: Any, count: int) -> None:
    if not build.solver().equal(length, count):
        raise NotTraceable("points of another number of coordinates are not compiled")
