"""NumPy's protocols of symbolic variables: ``np.exp(x)`` and ``np.tile(x, 2)`` build the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tracejit.arrays import FUNCTIONS
from tracejit.ir import ops
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.elementwise import apply_row
from tracejit.tensor import reductions
from tracejit.tensor.nparray import numpy_op


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
        result = apply_row(row.name, *inputs)
        return result if dtype is None else cast(result, dtype)
    if method == "reduce" and function in _REDUCTIONS:
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
    name: str = f.__name__
    if f not in FUNCTIONS or getattr(np, name, None) is not f:
        raise TypeError(f"np.{name} does not take symbolic variables: use tracejit.tensor")
    return numpy_op(name, args, dict(kwargs), lengths=True)
