"""Batch normalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.tensor import basic, elementwise, reductions


def batch_normalization(
    inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem"
) -> Any:
    """``(inputs - mean) * (gamma / std) + beta``.

    Both values of `mode`, "low_mem" and "high_mem", compile to one loop. ValueError for others.
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError('mode must be either "low_mem", "high_mem"')
    centred = elementwise.sub(inputs, mean)
    return elementwise.add(elementwise.mul(centred, elementwise.true_div(gamma, std)), beta)


def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: float = 1e-4,
    running_average_factor: Any = 0.1, running_mean: Any = None, running_var: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """`inputs` normalized by their mean and variance over `axes`, and the means and inverse

    standard deviations; then, if both are given, the new `running_mean` and `running_var`. `axes`
    are "per-activation" (0), "spatial" (all but 1) or a tuple; parameters have as many axes as
    `inputs`, or only those that are left. ValueError for other ranks.
    """
    x = as_tensor_variable(inputs)
    over = _axes(axes, x.ndim)
    given = [gamma, beta]
    if (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be given or both be None")
    if running_mean is not None:
        given += [running_mean, running_var]
    (scale, shift, *running), short = _parameters(given, over, x.ndim)
    mean = reductions.mean(x, over, keepdims=True)
    var = reductions.var(x, over, keepdims=True)
    inverse = elementwise.inv(elementwise.sqrt(var + _epsilon(epsilon, var.dtype)))
    results = [mean, inverse]
    if running:
        factor = cast(as_tensor_variable(running_average_factor), running[0].dtype)
        wide = "float32" if var.dtype == "float16" else var.dtype
        count = reductions.count_of(x, over, wide)
        unbiased = cast(elementwise.mul(elementwise.true_div(count, count - 1), var), var.dtype)
        for old, new in zip(running, (mean, unbiased), strict=True):
            mixed = old * (1 - factor) + new * factor
            results.append(basic.patternbroadcast(mixed, old.broadcastable))
    if short:
        kept = [k for k in range(x.ndim) if k not in over]
        results = [basic.dimshuffle(r, kept) for r in results]
    return (x - mean) * (scale * inverse) + shift, *results


def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation",
    epsilon: float = 1e-4,
) -> Any:  # fmt: skip
    """`inputs` normalized by a given mean and variance; see `batch_normalization_train`."""
    x = as_tensor_variable(inputs)
    given, _ = _parameters([gamma, beta, mean, var], _axes(axes, x.ndim), x.ndim)
    scale, shift, centre, spread = given
    return (x - centre) * (
        scale / elementwise.sqrt(spread + _epsilon(epsilon, spread.dtype))
    ) + shift


def _axes(axes: Any, ndim: int) -> tuple[int, ...]:
    if isinstance(axes, str):
        if axes not in ("per-activation", "spatial"):
            raise ValueError(f"invalid axes: {axes}")
        axes = (0,) if axes == "per-activation" else (0, *range(2, ndim))
    if not isinstance(axes, (tuple, list)):
        raise ValueError(f"invalid axes: {axes}")
    found = tuple(sorted(int(a) for a in axes))
    if not found:
        raise ValueError("there should be at least one normalization axis")
    if found[0] < 0 or found[-1] >= ndim:
        raise ValueError(f"axes should be less than ndim (<{ndim}), but {axes} given")
    return found


def _parameters(given: list[Any], axes: tuple[int, ...], ndim: int) -> tuple[list[Any], bool]:
    """Parameters that broadcast over `axes`; and whether they came without these."""
    found = [as_tensor_variable(p) for p in given]
    short = found[0].ndim != ndim
    expected = ndim - len(axes) if short else ndim
    if any(p.ndim != expected for p in found):
        raise ValueError(
            "gamma and beta dimensionality must match the number of non-normalized axes, or have "
            f"the same number of dimensions as the inputs; got {[p.ndim for p in found]}"
        )
    if not short:
        return [basic.addbroadcast(p, *axes) for p in found], False
    places = iter(range(expected))
    order = ["x" if k in axes else next(places) for k in range(ndim)]
    return [basic.dimshuffle(p, order) for p in found], True


def _epsilon(value: float, dtype: str) -> Any:
    number = np.dtype(config.floatX).type(value)
    if number < 1e-5:
        raise ValueError(f"epsilon must be at least 1e-5, got {number}")
    return constant(number, dtype=dtype)


__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train"]
