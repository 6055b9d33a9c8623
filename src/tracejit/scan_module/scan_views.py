"""Loops of the usual kinds: ``map``, ``reduce``, ``foldl`` and ``foldr``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracejit.scan_module.scan import scan


def map(
    fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, truncate_gradient: int = -1,
    go_backwards: bool = False, mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`fn` of each element, and updates: `scan` without anything from step to step.

    >>> import tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> squares, _ = tracejit.map(lambda v: v**2, x)
    >>> tracejit.function([x], squares)([1, 2, 3])
    array([1., 4., 9.])
    """
    return scan(fn, sequences, [], non_sequences, None, truncate_gradient, go_backwards, mode, name)


def reduce(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None,
    go_backwards: bool = False, mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """What `fn` of an element and the result of the step before comes to, and updates.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dvector("x")
    >>> total, _ = tracejit.reduce(lambda v, before: before + v, x, np.float64(0))
    >>> tracejit.function([x], total)([1, 2, 3])
    array(6.)
    """
    found, updates = scan(
        fn, sequences, outputs_info, non_sequences, None, -1, go_backwards, mode, name
    )
    if isinstance(found, (list, tuple)):
        return [x[-1] for x in found], updates
    return found[-1], updates


def foldl(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None,
    mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`reduce` from the first element on."""
    return reduce(fn, sequences, outputs_info, non_sequences, False, mode, name)


def foldr(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None,
    mode: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """`reduce` from the last element on."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, mode, name)


__all__ = ["foldl", "foldr", "map", "reduce"]
