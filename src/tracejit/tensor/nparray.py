"""NumPy's own functions as ops of the symbolic graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import Items, Operand


class _NumpyOp:
    """``numpy_op(name, args, kwargs)`` applies NumPy's function `name` to symbolic operands."""

    def __call__(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None = None,
        lengths: bool = False,
        types: Any = None,
    ) -> Any:
        """The result, or a list of several. With `lengths`, integer scalars are Python ints."""
        operands: list[Variable] = []
        slots = tuple(_slotted(a, operands, lengths) for a in args)
        keywords = tuple((k, _slotted(v, operands, lengths)) for k, v in (kwargs or {}).items())
        results = apply("numpy", operands, (name, slots, keywords), types)
        return results[0] if len(results) == 1 else results

    def attr(self, name: str, arity: int) -> Any:
        """The static data of ``name(*operands)``."""
        return name, tuple(Operand(k) for k in range(arity)), ()


numpy_op = _NumpyOp()


def _slotted(item: Any, operands: list[Variable], lengths: bool) -> Any:
    if isinstance(item, Variable):
        scalar = item.type.ndim == 0 and item.type.numpy_dtype.kind in "iu"
        if item not in operands:
            operands.append(item)
        return Operand(operands.index(item), lengths and scalar)
    if isinstance(item, list):
        return Items(tuple(_slotted(i, operands, lengths) for i in item))
    if isinstance(item, tuple):
        return tuple(_slotted(i, operands, lengths) for i in item)
    if isinstance(item, np.ndarray):
        return _slotted(as_tensor_variable(item), operands, lengths)
    return item
