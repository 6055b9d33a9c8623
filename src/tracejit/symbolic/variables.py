"""Tensor variables: symbolic arrays. What one does with them is in `operators`."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.graph import Apply, Constant, Variable


class TensorOperators:
    """What variables of a `TensorType` share; `operators` gives it operators and methods."""

    __array_priority__ = 1000
    type: Any
    owner: Apply | None

    @property
    def dtype(self) -> str:
        """The name of the dtype."""
        name: str = self.type.dtype
        return name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        count: int = self.type.ndim
        return count

    @property
    def broadcastable(self) -> tuple[bool, ...]:
        """Which axes have length 1 and broadcast."""
        pattern: tuple[bool, ...] = self.type.broadcastable
        return pattern

    # ``==`` is identity, so that variables can be keys; elementwise it is ``T.eq``.

    def __hash__(self) -> int:
        return id(self) >> 4

    def __eq__(self, other: object) -> bool:
        return self is other


_tensor_py_operators = TensorOperators


class TensorVariable(TensorOperators, Variable):
    """A symbolic array."""

    __hash__ = TensorOperators.__hash__


class TensorConstant(TensorOperators, Constant):
    """A symbolic array with a fixed value."""

    __hash__ = TensorOperators.__hash__

    @property
    def value(self) -> np.ndarray:
        """The value, which may not be written to."""
        return self.data
