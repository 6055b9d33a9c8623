"""Pools: the largest elements of windows, their sums, their means."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import Operand
from tracejit.symbolic.type import TensorType
from tracejit.tensor import basic, elementwise, gradient
from tracejit.tensor.nnet import windows  # noqa: F401 — which declares the op

_MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def pool_2d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None,
    pad: Any = (0, 0), mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """What windows of `ws` rows and columns over the last two axes hold: the largest ("max"), the

    "sum", or the mean, over zeros around too ("average_inc_pad") or not ("average_exc_pad").

    Windows are `stride` apart, or else side by side, and `pad` rows and columns are put around.
    With `ignore_border`, windows that reach beyond the end are left out; else they hold what there
    is. The derivative of a maximum goes to all of the largest.

    >>> import numpy as np, tracejit, tracejit.tensor as T
    >>> x = T.dmatrix()
    >>> f = tracejit.function([x], T.signal.pool.pool_2d(x, (2, 2), ignore_border=True))
    >>> f(np.arange(16.0).reshape(4, 4))
    array([[ 5.,  7.],
           [13., 15.]])
    """
    old = ("ds", ds), ("st", st), ("padding", padding)
    ws, stride, pad = _renamed((ws, stride, pad), (None, None, (0, 0)), old)
    return _pool(2, input, ws, ignore_border, stride, pad, mode)


def pool_3d(
    input: Any, ws: Any = None, ignore_border: bool | None = None, stride: Any = None,
    pad: Any = (0, 0, 0), mode: str = "max", ds: Any = None, st: Any = None, padding: Any = None,
) -> Any:  # fmt: skip
    """`pool_2d` over the last three axes."""
    old = ("ds", ds), ("st", st), ("padding", padding)
    ws, stride, pad = _renamed((ws, stride, pad), (None, None, (0, 0, 0)), old)
    return _pool(3, input, ws, ignore_border, stride, pad, mode)


def _renamed(new: Sequence[Any], defaults: Sequence[Any], old: Any) -> list[Any]:
    """The arguments by their new names; those by old ones warn."""
    found = []
    for name, value, default, (former, given) in zip(
        ("ws", "stride", "pad"), new, defaults, old, strict=True
    ):
        if given is not None:
            if value is not default and value != default:
                raise ValueError(
                    f"You can't provide a tuple value to both {name!r} and {former!r}."
                )
            warnings.warn(
                f"DEPRECATION: the {former!r} parameter is not going to exist anymore as it is "
                f"going to be replaced by the parameter {name!r}.",
                DeprecationWarning, stacklevel=3,
            )  # fmt: skip
            value = given
        found.append(value)
    if found[0] is None:
        raise ValueError("You must provide a tuple value for the window size.")
    return found


def _pool(
    count: int, x: Any, ws: Any, ignored: bool | None, stride: Any, pad: Any, mode: str
) -> Any:
    x = as_tensor_variable(x)
    if x.ndim < count:
        raise NotImplementedError(f"pool_{count}d requires a dimension >= {count}")
    if ignored is None:
        warnings.warn(
            f"pool_{count}d() will have the parameter ignore_border default value changed to True "
            "(currently False): add the parameter",
            UserWarning, stacklevel=3,
        )  # fmt: skip
        ignored = False
    return Pool(ignored, mode, count)(x, ws, stride, pad)


class Pool:
    """``Pool(ignore_border, mode, ndim)(x, ws, stride, pad)``: see `pool_2d`."""

    __props__ = ("ignore_border", "mode", "ndim")

    def __init__(self, ignore_border: bool = False, mode: str = "max", ndim: int = 2) -> None:
        if mode not in _MODES:
            raise ValueError(
                "Pool mode parameter only support 'max', 'sum', 'average_inc_pad' and "
                f"'average_exc_pad'. Got {mode}"
            )
        self.ignore_border, self.mode, self.ndim = bool(ignore_border), mode, ndim

    def __call__(self, x: Any, ws: Any, stride: Any = None, pad: Any = None) -> Any:
        x = as_tensor_variable(x)
        if x.ndim < self.ndim:
            raise TypeError("Padding works only with arrays of as many axes as windows")
        operands: list[Variable] = [x]
        sizes = self._numbers("ws", ws, operands)
        steps = sizes if stride is None else self._numbers("stride", stride, operands)
        margins = self._numbers("pad", (0,) * self.ndim if pad is None else pad, operands)
        if any(m != 0 for m in margins):
            if not self.ignore_border:
                raise NotImplementedError("padding works only with ignore_border=True")
            known = [(m, n) for m, n in zip(margins, sizes, strict=True) if _are_ints(m, n)]
            if any(m >= n for m, n in known):
                raise NotImplementedError("padding must be smaller than strides")
        if any(isinstance(n, int) and n < 1 for n in (*sizes, *steps)):
            raise ValueError("the sizes and the steps of windows are at least 1")
        attr = (self.mode, self.ignore_border, sizes, steps, margins)
        pattern = (*x.broadcastable[: -self.ndim], *(False,) * self.ndim)
        if np.dtype(x.dtype).kind not in "f" and self.mode.startswith("average"):
            raise TypeError(f"the mean of {x.dtype} is none: cast it to floats")
        return apply("pool", operands, attr, [TensorType(x.dtype, pattern)])[0]

    def _numbers(self, name: str, values: Any, operands: list[Variable]) -> tuple[Any, ...]:
        """One number for each axis: an int, or an operand."""
        if isinstance(values, (int, np.integer)):
            values = (values,) * self.ndim
        elif isinstance(values, (Variable, np.ndarray)):
            vector = as_tensor_variable(values)
            if vector.ndim != 1:
                raise TypeError(f"Pool {name} parameter must be a vector")
            values = [vector[k] for k in range(self.ndim)]
        values = tuple(values)
        if len(values) != self.ndim:
            raise ValueError(f"{name} must have {self.ndim} elements, not {len(values)}")
        found: list[Any] = []
        for n in values:
            v = as_tensor_variable(n)
            if np.dtype(v.dtype).kind not in "iu":
                raise TypeError(f"Pool {name} parameters must be ints.")
            try:
                found.append(int(basic.get_scalar_constant_value(v)))
            except basic.NotScalarConstantError:
                operands.append(v)
                found.append(Operand(len(operands) - 1 - 1))
        return tuple(found)

    @staticmethod
    def out_shape(
        imgshape: Any, ws: Any = None, ignore_border: bool = False, stride: Any = None,
        pad: Any = None, ndim: int = 2,
    ) -> list[Any]:  # fmt: skip
        """The shape of a pool's result, of ints or of symbolic lengths."""
        stride = ws if stride is None else stride
        pad = (0,) * ndim if pad is None else pad
        if len(imgshape) < ndim:
            raise TypeError(f"imgshape must have at least {ndim} dimensions")
        each = zip(tuple(imgshape)[-ndim:], ws, stride, pad, strict=True)
        return [*tuple(imgshape)[:-ndim], *(_places(*one, ignore_border) for one in each)]


def _are_ints(*values: Any) -> bool:
    return all(isinstance(v, int) for v in values)


def _places(length: Any, size: Any, step: Any, margin: Any, ignored: bool) -> Any:
    length = length + 2 * margin
    symbolic = any(isinstance(n, Variable) for n in (length, size, step))
    largest = elementwise.maximum if symbolic else max
    if ignored:
        return largest((length - size) // step + 1, 0)
    alone = (length - 1) // step + 1
    over = largest((length - 1 - size) // step + 1, 0) + 1
    if symbolic:
        return elementwise.switch(elementwise.ge(step, size), alone, over)
    return alone if step >= size else over


def max_pool_2d_same_size(input: Any, patch_size: Any) -> Any:
    """`input` with zeros but where it is the largest of its tile of `patch_size`, and not beyond

    the tiles that fit.
    """
    x = as_tensor_variable(input)
    y = Pool(True)(x, patch_size)
    return gradient.Lop(y, x, y)


def max_pool_3d_same_size(input: Any, patch_size: Any) -> Any:
    """`max_pool_2d_same_size` over three axes."""
    x = as_tensor_variable(input)
    y = Pool(True, ndim=3)(x, patch_size)
    return gradient.Lop(y, x, y)


__all__ = ["Pool", "max_pool_2d_same_size", "max_pool_3d_same_size", "pool_2d", "pool_3d"]
