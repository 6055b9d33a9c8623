"""Shapes and dtypes of random draws, symbolic or not."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.ir import dims
from tracejit.tensor.opcodes import length_of

#: The dtypes of kinds of parameters and results (see `rng.table`).
KINDS: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.float64),
    "F": np.dtype(np.float64),
    "i": np.dtype(np.int64),
    "w": np.dtype(np.int32),
}


def shape(lengths: Any, count: int | None, shapes: Any, broadcast: Any) -> Any:
    """What the lengths say, or the parameters' shape."""
    return broadcast((), *shapes) if count is None else tuple(map(length_from, lengths))


def row_length(parameter: Any, given: Any) -> Any:
    """How long the rows are: the number of chances, or the parameter itself."""
    return parameter.shape[-1] if parameter.ndim else length_from(given)


def length_from(value: Any) -> Any:
    found = length_of(value)
    return found if isinstance(found, int) else dims.from_node(found.node)
