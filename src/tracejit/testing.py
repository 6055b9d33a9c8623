"""Checks of derivatives, for users' own tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tracejit.call.function import Function
from tracejit.plan.structure import Leaf, flatten, unflatten
from tracejit.transform.functions import jvp, pullback, vjp


def _leaves(value: Any, what: str) -> tuple[Any, list[np.ndarray]]:
    found: list[np.ndarray] = []

    def leaf(item: Any, path: str) -> Leaf | None:
        if isinstance(item, (np.ndarray, np.generic, float, complex)):
            found.append(np.asarray(item))
            return Leaf("array")
        return None

    return flatten(value, what, leaf), found


def _moved(value: Any, directions: Sequence[np.ndarray], step: float) -> Any:
    spec, leaves = _leaves(value, "an argument")
    return unflatten(spec, iter([x + step * d for x, d in zip(leaves, directions, strict=True)]))


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("fwd", "rev"),
    eps: float = 1e-4,
    atol: float = 1e-6,
    rtol: float = 1e-6,
    seed: int = 0,
) -> None:
    """Raise AssertionError where derivatives of `f` at `args` differ from those of its values.

    Values are compared along random directions, by fourth-order central differences of width `eps`:
    "fwd" checks `jvp`, "rev" `vjp`, and with `order` 2 the function that `vjp` gives as well.
    Arguments and results are floats or float64 arrays, or nested tuples, lists, dicts and
    dataclasses of them. Raises ValueError for another mode.

    >>> import numpy as np
    >>> from tracejit.testing import check_grads
    >>> check_grads(lambda x, y: np.sin(x) * y, (np.linspace(0, 1, 5), 2.0))
    """
    for mode in modes:
        if mode not in ("fwd", "rev"):
            raise ValueError(f"modes are 'fwd' and 'rev', not {mode!r}")
    rng = np.random.default_rng(seed)
    plain: Any = f.__wrapped__ if isinstance(f, Function) else f
    args = tuple(args)
    directions = [
        tuple(rng.standard_normal(x.shape) for x in _leaves(a, "an argument")[1]) for a in args
    ]
    tangents = tuple(
        unflatten(_leaves(a, "an argument")[0], iter(d))
        for a, d in zip(args, directions, strict=True)
    )

    def at(step: float) -> list[np.ndarray]:
        moved = [_moved(a, d, step) for a, d in zip(args, directions, strict=True)]
        return _leaves(Function(plain)(*moved), "the result")[1]

    weights = ((1, 2 / 3), (2, -1 / 12))
    numeric = [np.zeros(np.shape(y)) for y in at(0.0)]
    for k, w in weights:
        for total, up, down in zip(numeric, at(k * eps), at(-k * eps), strict=True):
            total += w * (up - down) / eps
    result, pull = vjp(plain, *args)
    spec, outputs = _leaves(result, "the result")
    seeds = [rng.standard_normal(y.shape) for y in outputs]
    if "fwd" in modes:
        tangent = _leaves(jvp(plain, args, tangents)[1], "the tangent")[1]
        for got, want in zip(tangent, numeric, strict=True):
            np.testing.assert_allclose(got, want, rtol, atol, err_msg="jvp against differences")
    if "rev" in modes:
        cotangents = pull(unflatten(spec, iter(seeds)))
        moved = sum(
            float((c * d).sum())
            for a, ds in zip(cotangents, directions, strict=True)
            for c, d in zip(_leaves(a, "a cotangent")[1], ds, strict=True)
        )
        along = sum(float((s * n).sum()) for s, n in zip(seeds, numeric, strict=True))
        np.testing.assert_allclose(moved, along, rtol, atol, err_msg="vjp against differences")
    if order > 1:
        cotangent = unflatten(spec, iter(seeds))
        further = (order - 1, modes, eps, atol * 10, rtol * 10, seed + 1)
        check_grads(pullback(plain), (cotangent, *args), *further)


__all__ = ["check_grads"]
