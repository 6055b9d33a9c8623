"""Checks of symbolic gradients against differences of values, as ``theano.gradient`` had them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.symbolic import elementwise
from tracejit.symbolic.function import symbolic_function
from tracejit.symbolic.type import TensorType
from tracejit.tensor import gradient, reductions

#: The step of a difference and the tolerance of a comparison, by dtype of the points.
_EPS = {"float16": 1e-1, "float32": 3e-4, "float64": 1e-6}
_TOLERANCE = {"float16": 5e-2, "float32": 1e-2, "float64": 1e-4}


class GradientError(AssertionError):
    """A gradient that differs from the differences of the values.

    `arg` is the argument's position, `err_pos` the flat position of the largest error in it,
    `abs_err` and `rel_err` the errors there.
    """

    def __init__(
        self, arg: int, err_pos: int, abs_err: float, rel_err: float, abs_tol: float, rel_tol: float
    ) -> None:
        super().__init__(
            f"the gradient of argument {arg} differs at flat position {err_pos}: absolute error "
            f"{abs_err:.3g} (allowed {abs_tol:.3g}), relative error {rel_err:.3g} (allowed "
            f"{rel_tol:.3g})"
        )
        self.arg, self.err_pos = arg, err_pos
        self.abs_err, self.rel_err = abs_err, rel_err
        self.abs_tol, self.rel_tol = abs_tol, rel_tol


class numeric_grad:
    """The gradient of `f` at the arrays `pt`, by central differences of width `eps`.

    `f` takes as many arrays as `pt` has and gives a scalar. `gf` is the gradient: an array for an
    array, a list for a list.
    """

    type_eps = _EPS

    def __init__(self, f: Callable[..., Any], pt: Any, eps: float | None = None) -> None:
        packed = not isinstance(pt, (list, tuple))
        points = [np.array(p) for p in ([pt] if packed else pt)]
        if eps is None:
            eps = max(_EPS[p.dtype.name] for p in points)
        found = []
        for point in points:
            slope = np.zeros_like(point)
            for place in np.ndindex(point.shape):
                kept = point[place]
                point[place] = high = kept + eps
                above = np.asarray(f(*points), np.float64)
                point[place] = low = kept - eps
                below = np.asarray(f(*points), np.float64)
                width = float(point.dtype.type(high)) - float(point.dtype.type(low))
                slope[place] = (above - below) / width
                point[place] = kept
            found.append(slope)
        self.gf: Any = found[0] if packed else found

    @staticmethod
    def abs_rel_err(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The absolute and the relative error of each element of `a` against `b`."""
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        error = np.abs(a - b)
        return error, error / np.maximum(np.abs(a) + np.abs(b), 1e-8)

    def max_err(
        self, g_pt: Sequence[np.ndarray], abs_tol: float, rel_tol: float
    ) -> tuple[int, int, float, float]:
        """Where `g_pt` differs most: argument, flat position, absolute and relative error.

        What counts of an element is the lesser of its errors, each over its tolerance.
        """
        worst: tuple[float, tuple[int, int, float, float]] = (-1.0, (0, 0, 0.0, 0.0))
        gf = self.gf if isinstance(self.gf, list) else [self.gf]
        for arg, (a, b) in enumerate(zip(gf, g_pt, strict=True)):
            if not a.size:
                continue
            if a.shape != b.shape:
                raise ValueError(f"argument {arg} has shape {a.shape}, its gradient {b.shape}")
            absolute, relative = self.abs_rel_err(a, b)
            least = 1e-200  # a tolerance of 0 allows no error
            size = np.minimum(absolute / max(abs_tol, least), relative / max(rel_tol, least))
            size = np.where(np.isnan(size), np.inf, size).ravel()
            place = int(np.argmax(size))
            if size[place] > worst[0]:
                at = arg, place, float(absolute.flat[place]), float(relative.flat[place])
                worst = float(size[place]), at
        return worst[1]


def verify_grad(
    fun: Callable[..., Any], pt: Sequence[Any], n_tests: int = 2, rng: Any = None,
    eps: float | None = None, out_type: str | None = None, abs_tol: float | None = None,
    rel_tol: float | None = None, mode: Any = None, cast_to_output_type: bool = False,
) -> None:  # fmt: skip
    """Raise GradientError where the gradient of `fun` at `pt` differs from differences of values.

    `fun` takes symbolic variables, one for each float array of `pt`, and gives one; it is
    multiplied by `n_tests` random arrays drawn from `rng` (a `numpy.random.RandomState`, needed)
    and summed. An element is wrong where both its absolute and its relative error exceed their
    tolerances, which go by dtype unless given, as does the step `eps`. `out_type` is the dtype of
    the output where that is not the points'; `cast_to_output_type` makes the random arrays of it.

    Raises TypeError for points that are not floats, ValueError without `rng`.

    >>> import numpy as np, tracejit.tensor as T
    >>> rng = np.random.RandomState(42)
    >>> T.verify_grad(lambda x: T.tanh(x) ** 2, [np.array([0.5, -1.0])], rng=rng)
    """
    if rng is None:
        raise ValueError("rng must be an instance of numpy.random.RandomState, for repeatability")
    points = [np.array(p) for p in pt]
    for place, point in enumerate(points):
        if point.dtype.name not in _EPS:
            raise TypeError(f"verify_grad needs float arrays; point {place} is {point.dtype}")
    loosest = max((p.dtype.name for p in points), key=lambda name: _EPS[name])
    if out_type is not None and out_type in _EPS and _EPS[out_type] > _EPS[loosest]:
        loosest = out_type
    eps = _EPS[loosest] if eps is None else eps
    abs_tol = _TOLERANCE[loosest] if abs_tol is None else abs_tol
    rel_tol = _TOLERANCE[loosest] if rel_tol is None else rel_tol

    inputs = [
        TensorType(p.dtype.name, [n == 1 for n in p.shape])(f"input {k}")
        for k, p in enumerate(points)
    ]
    output = fun(*inputs)
    if isinstance(output, (list, tuple)):
        raise NotImplementedError("can't (yet) autotest gradient of fun with multiple outputs")
    weights = TensorType(output.dtype, output.broadcastable)("projection")
    cost = reductions.sum(elementwise.apply_row("multiply", weights, output))
    options: dict[str, Any] = {"on_unused_input": "ignore", "mode": mode}
    value_of = symbolic_function([*inputs], output, **options)
    cost_of = symbolic_function([*inputs, weights], cost, **options)
    slopes = gradient.grad(cost, inputs, disconnected_inputs="ignore")
    slope_of = symbolic_function([*inputs, weights], slopes, **options)
    shape = np.shape(value_of(*points))
    kind = output.dtype if cast_to_output_type else loosest
    for _ in range(n_tests):
        drawn = np.asarray(rng.random_sample(shape) + 0.5, kind).astype(output.dtype)
        numeric = numeric_grad(lambda *p, w=drawn: cost_of(*p, w), points, eps)
        found = slope_of(*points, drawn)
        arg, place, absolute, relative = numeric.max_err(found, abs_tol, rel_tol)
        if not (absolute <= abs_tol or relative <= rel_tol):
            raise GradientError(arg, place, absolute, relative, abs_tol, rel_tol)


__all__ = ["GradientError", "numeric_grad", "verify_grad"]
