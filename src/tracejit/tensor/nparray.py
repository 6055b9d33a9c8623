"""NumPy's own functions as symbolic ones: ``np.exp(x)`` and ``np.tile(x, 2)`` build the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.ir import ops
from tracejit.tensor.elemwise import as_tensor_variable, cast, elemwise
from tracejit.tensor.graph import Variable
from tracejit.tensor.infer import apply
from tracejit.tensor.opcodes import Items, Slot


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
        return name, tuple(Slot(k) for k in range(arity)), ()


numpy_op = _NumpyOp()


def _slotted(item: Any, operands: list[Variable], lengths: bool) -> Any:
    if isinstance(item, Variable):
        scalar = item.type.ndim == 0 and item.type.numpy_dtype.kind in "iu"
        if item not in operands:
            operands.append(item)
        return Slot(operands.index(item), lengths and scalar)
    if isinstance(item, list):
        return Items(tuple(_slotted(i, operands, lengths) for i in item))
    if isinstance(item, tuple):
        return tuple(_slotted(i, operands, lengths) for i in item)
    if isinstance(item, np.ndarray):
        return _slotted(as_tensor_variable(item), operands, lengths)
    return item


def ufunc(function: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: Any) -> Any:
    """What a ufunc of NumPy's or SciPy's gives for symbolic operands."""
    if method == "__call__":
        dtype = kwargs.pop("dtype", None)
        if kwargs:
            raise TypeError(f"np.{function.__name__} of a symbolic variable takes no {set(kwargs)}")
        if function is np.matmul:
            return numpy_op("matmul", tuple(as_tensor_variable(i) for i in inputs))
        row = ops.row_of(function)
        if row is None:
            return NotImplemented
        result = elemwise(row.name, *inputs)
        return result if dtype is None else cast(result, dtype)
    if method == "reduce" and function in _REDUCTIONS:
        from tracejit.tensor import reductions

        reduce = getattr(reductions, _REDUCTIONS[function])
        return reduce(inputs[0], axis=kwargs.get("axis", 0), keepdims=kwargs.get("keepdims", False))
    return NotImplemented


_REDUCTIONS = {
    np.add: "sum",
    np.multiply: "prod",
    np.maximum: "max",
    np.minimum: "min",
    np.logical_and: "all",
    np.logical_or: "any",
}


def function(f: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What a function of NumPy's gives for symbolic operands."""
    from tracejit.arrays import FUNCTIONS

    name: str = f.__name__
    if f not in FUNCTIONS or getattr(np, name, None) is not f:
        raise TypeError(f"np.{name} does not take symbolic variables: use tracejit.tensor")
    return numpy_op(name, args, dict(kwargs), lengths=True)
