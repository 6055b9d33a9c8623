"""Whether arrays that are written into share memory, with others or among their own elements."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np


def apart(x: np.ndarray, others: Iterable[Any]) -> bool:
    """Whether `x` has elements of its own, in memory that the arrays among `others` have not."""
    return distinct(x) and not any(
        np.may_share_memory(x, y) for y in others if isinstance(y, np.ndarray)
    )


def distinct(x: np.ndarray) -> bool:
    """Whether no two elements of `x` are one, as far as is seen axis by axis.

    >>> distinct(np.zeros((3, 4))[::-1, ::2]), distinct(np.broadcast_to(np.zeros(4), (3, 4)))
    (True, False)
    """
    if x.flags.forc:
        return True
    axes = [(abs(s), n) for s, n in zip(x.strides, x.shape, strict=True) if n > 1]
    return all(s >= x.itemsize for s, _ in axes) and all(
        s >= t * m or t >= s * n for (s, n), (t, m) in itertools.combinations(axes, 2)
    )
