"""``tracejit.function``: which front end compiles what it is given."""

from __future__ import annotations

import types
from typing import Any

import tracejit.cpu
import tracejit.cuda  # noqa: F401
from tracejit.call.function import Function
from tracejit.call.function import function as decorated
from tracejit.native.apart import imported


def function(f: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Compile a function of NumPy arrays, or the outputs of a symbolic graph.

    **Of a Python function**, ``function(f, *, name=None, on_unsupported=None, stabilise=False,
    convert_arrays=False, device=None)``, also as decorator, with or without options. `name` is
    shown in messages; `on_unsupported` ("warn" or "error") overrides the setting of
    ``tracejit.config`` for this function; `stabilise` computes formulas that overflow or cancel in
    a better form, and not as NumPy would. `convert_arrays` takes ``np.asarray(a)`` in place of an
    argument `a`, or a part of one, that is no array but converts to one (a Series of pandas, a
    tensor of another library). It changes what the function computes: the operators and methods
    are those of arrays, so that ``s.std()`` divides by n and not n - 1, NaN is not skipped, labels
    are not aligned, and results are arrays. Without it, a call with such an argument runs in plain
    Python. `device` is where it runs, "cpu", "cuda", "cuda:1" and so on, in place of that of
    ``tracejit.config``.

    Arguments may be arrays of any shape and layout, of bool, integer, float or complex dtype up to
    128 bits, NumPy scalars, Python numbers, and tuples, lists, dicts, named tuples and dataclasses
    of them. Other values (strings, None, flags, functions) select a compiled version by equality.
    Results have the structure that the function returned, and the types NumPy would have given.

    On a GPU, arguments that are arrays of NumPy's are uploaded, device arrays
    (`tracejit.cuda.DeviceArray`), and those of other libraries with ``__cuda_array_interface__``,
    are used where they lie. What is written into an argument reaches it, wherever it is. Arrays and
    NumPy's scalars in the result become device arrays, which stay there; Python's numbers are read
    back, and a view of an argument is one of that. Plain NumPy computes on what is downloaded for
    it. `DeviceError` for an argument on another device, and where there is no GPU; MemoryError
    where its memory ends: then all arguments and shared variables are as they were.

    What cannot be compiled runs in plain NumPy with an `UnsupportedWarning`, or raises
    `UnsupportedError`. Errors of shapes, axes and dtypes are `ShapeError`, `AxisError` and
    `DTypeError`, subclasses of what NumPy raises. TypeError for what is no Python function,
    ValueError for another `on_unsupported` or `device`.

    >>> import numpy as np
    >>> import tracejit
    >>> @tracejit.function
    ... def norm(x):
    ...     return np.sqrt((x * x).sum())
    >>> norm(np.array([3.0, 4.0]))
    np.float64(5.0)

    **Of symbolic variables**, ``function(inputs, outputs=None, mode=None, updates=None,
    givens=None, no_default_updates=False, name=None, allow_input_downcast=None, profile=None,
    on_unused_input="raise")`` with a list of inputs, as Theano has it. `updates` pairs shared
    variables with their new values, which are all computed from the old ones; `givens` replaces
    variables. Returns a `SymbolicFunction`.

    >>> import tracejit.tensor as T
    >>> x = T.dscalar("x")
    >>> total = tracejit.shared(0.0)
    >>> add = tracejit.function([x], total, updates=[(total, total + x)])
    >>> add(2), add(3), total.get_value()
    (array(0.), array(2.), array(5.))
    """
    if isinstance(f, types.FunctionType) and not args and not kwargs:
        return Function(f)
    if args or "outputs" in kwargs or "inputs" in kwargs or isinstance(f, (list, tuple)):
        imported("tracejit.tensor")  # which gives variables their operators
        symbolic_function = imported("tracejit.symbolic.function").symbolic_function
        inputs = kwargs.pop("inputs") if "inputs" in kwargs else f
        return symbolic_function(inputs, *args, **kwargs)
    return decorated(f, **kwargs)


__all__ = ["Function", "function"]
