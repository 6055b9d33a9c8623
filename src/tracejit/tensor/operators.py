"""Python's operators and ndarray's methods of tensor variables, which build the symbolic graph.

They are installed here, above the functions that they call and below which variables are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracejit.symbolic.convert import AsTensorError, cast
from tracejit.symbolic.variables import TensorOperators
from tracejit.tensor import (
    basic,
    creation,
    elementwise,
    extra_ops,
    joining,
    products,
    protocols,
    reductions,
    sorting,
    subtensor,
)

_COMPARISONS = frozenset("less less_equal greater greater_equal".split())


def _binary(function: Any) -> tuple[Any, Any]:
    """The operator of `function`, and its reflection."""

    def forward(self: Any, other: Any) -> Any:
        try:
            return function(self, other)
        except (AsTensorError, NotImplementedError):
            return NotImplemented

    def reflected(self: Any, other: Any) -> Any:
        try:
            return function(other, self)
        except (AsTensorError, NotImplementedError):
            return NotImplemented

    return forward, reflected


def _ordering(function: Any) -> Any:
    return _binary(function)[0]


class _Methods(TensorOperators):
    """The operators and methods."""

    __add__, __radd__ = _binary(elementwise.add)
    __sub__, __rsub__ = _binary(elementwise.sub)
    __mul__, __rmul__ = _binary(elementwise.mul)
    __truediv__, __rtruediv__ = _binary(elementwise.true_div)
    __floordiv__, __rfloordiv__ = _binary(elementwise.int_div)
    __mod__, __rmod__ = _binary(elementwise.mod)
    __pow__, __rpow__ = _binary(elementwise.pow)
    __divmod__, __rdivmod__ = _binary(elementwise.divmod)
    __and__, __rand__ = _binary(elementwise.and_)
    __or__, __ror__ = _binary(elementwise.or_)
    __xor__, __rxor__ = _binary(elementwise.xor)
    __lt__ = _ordering(elementwise.lt)
    __le__ = _ordering(elementwise.le)
    __gt__ = _ordering(elementwise.gt)
    __ge__ = _ordering(elementwise.ge)
    __matmul__, __rmatmul__ = _binary(products.dot)

    def __neg__(self) -> Any:
        return elementwise.neg(self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return elementwise.abs_(self)

    def __invert__(self) -> Any:
        return elementwise.invert(self)

    def __ceil__(self) -> Any:
        return elementwise.ceil(self)

    def __floor__(self) -> Any:
        return elementwise.floor(self)

    def __trunc__(self) -> Any:
        return elementwise.trunc(self)

    def __bool__(self) -> bool:
        owner = self.owner
        if owner is not None and owner.opcode == "elemwise" and owner.attr[0] in _COMPARISONS:
            raise TypeError(
                "Variables do not support boolean operations. Use T.switch(condition, a, b), or "
                "T.and_ and T.or_ to combine conditions."
            )
        return True

    # NumPy -----------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return protocols.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return protocols.function(function, args, kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "a symbolic variable has no value: compile it with function([...], variable), or give "
            "its inputs values with variable.eval({...})"
        )

    def __float__(self) -> float:
        raise TypeError("a symbolic variable has no value: use T.cast(x, 'float64') to convert it")

    def __int__(self) -> int:
        raise TypeError("a symbolic variable has no value: use T.cast(x, 'int64') to convert it")

    __index__ = __int__

    # Structure -------------------------------------------------------------------------------

    @property
    def shape(self) -> Any:
        """The shape as a symbolic vector of int64."""
        return basic.shape(self)

    @property
    def size(self) -> Any:
        """The number of elements, symbolic."""
        return basic.size(self)

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return basic.transpose(self)

    @property
    def real(self) -> Any:
        """The real part."""
        return elementwise.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return elementwise.imag(self)

    def __getitem__(self, key: Any) -> Any:
        return subtensor.getitem(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "symbolic variables are not changed in place: "
            "use x = T.set_subtensor(x[index], value) or T.inc_subtensor"
        )

    def __iter__(self) -> Iterator[Any]:
        length = basic.static_length(self)
        if length is None:
            raise TypeError(
                "TensorType does not support iteration: the length of the first axis is not known. "
                "Did you use Python's sum() or max() instead of T.sum() or T.max()? Use scan() to "
                "loop over it."
            )
        return (self[k] for k in range(length))

    def dimshuffle(self, *pattern: Any) -> Any:
        """Axes in a new order; "x" is a new one that broadcasts."""
        if len(pattern) == 1 and isinstance(pattern[0], (list, tuple)):
            pattern = tuple(pattern[0])
        return basic.dimshuffle(self, pattern)

    def flatten(self, ndim: int = 1) -> Any:
        """With `ndim` axes: the trailing ones become one."""
        return basic.flatten(self, ndim)

    def reshape(self, shape: Any, ndim: int | None = None) -> Any:
        """The same elements under another shape; one length may be -1."""
        return basic.reshape(self, shape, ndim)

    def ravel(self) -> Any:
        """As a vector."""
        return basic.flatten(self)

    def transpose(self, *axes: Any) -> Any:
        """Axes permuted, or reversed."""
        if len(axes) == 1 and isinstance(axes[0], (list, tuple)):
            axes = tuple(axes[0])
        return basic.transpose(self, axes or None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """Two axes exchanged."""
        return basic.swapaxes(self, axis1, axis2)

    def squeeze(self) -> Any:
        """Without the axes that broadcast."""
        return basic.squeeze(self)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        """The diagonal."""
        return creation.diagonal(self, offset, axis1, axis2)

    def astype(self, dtype: Any) -> Any:
        """As another dtype."""
        return cast(self, dtype)

    def copy(self, name: str | None = None) -> Any:
        """A variable that always has the same value."""
        return basic.tensor_copy(self, name)

    def dot(self, other: Any) -> Any:
        """The dot product."""
        return products.dot(self, other)

    def fill(self, value: Any) -> Any:
        """An array of this shape that holds `value`."""
        return creation.fill(self, value)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        """Elements repeated."""
        return joining.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
        """Elements at `indices`."""
        return subtensor.take(self, indices, axis, mode)

    def choose(self, choices: Any, out: None = None, mode: str = "raise") -> Any:
        """Of `choices`, at each place the one that the element here says."""
        return subtensor.choose(self, choices, out, mode)

    def compress(self, a: Any, axis: int | None = None) -> Any:
        """The slices of `a` along `axis` where this vector is not zero."""
        return extra_ops.compress(self, a, axis)

    def searchsorted(self, v: Any, side: str = "left", sorter: Any = None) -> Any:
        """Where to insert each of `v` into this sorted vector."""
        return extra_ops.searchsorted(self, v, side, sorter)

    def nonzero(self, return_matrix: bool = False) -> Any:
        """The positions of the elements that are not zero."""
        return subtensor.nonzero(self, return_matrix)

    def nonzero_values(self) -> Any:
        """The elements that are not zero."""
        return subtensor.nonzero_values(self)

    def zeros_like(self, dtype: Any = None) -> Any:
        """Zeros of this shape."""
        return creation.zeros_like(self, dtype)

    def ones_like(self, dtype: Any = None) -> Any:
        """Ones of this shape."""
        return creation.ones_like(self, dtype)

    def clip(self, a_min: Any, a_max: Any) -> Any:
        """Limited to an interval."""
        return elementwise.clip(self, a_min, a_max)

    def conj(self) -> Any:
        """The complex conjugate."""
        return elementwise.conj(self)

    conjugate = conj

    def round(self, mode: str | None = None) -> Any:
        """Rounded to integers."""
        return elementwise.round(self, mode)

    def trace(self) -> Any:
        """The sum of the diagonal."""
        return reductions.trace(self)

    def sort(self, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
        """Sorted along an axis."""
        return sorting.sort(self, axis, kind, order)

    def argsort(self, axis: int | None = -1, kind: str = "quicksort", order: Any = None) -> Any:
        """The order that sorts."""
        return sorting.argsort(self, axis, kind, order)

    def norm(self, L: Any, axis: Any = None, keepdims: bool = False) -> Any:
        """The `L`-norm."""
        return reductions.norm(self, L, axis, keepdims)

    sum, prod, mean, var, std, min, max, argmin, argmax, any, all, ptp, cumsum, cumprod = (
        getattr(reductions, name)
        for name in "sum prod mean var std min max argmin argmax any all ptp cumsum cumprod".split()
    )

    exp, exp2, expm1, log, log2, log10, log1p, sqrt = (
        getattr(elementwise, name) for name in "exp exp2 expm1 log log2 log10 log1p sqrt".split()
    )
    sin, cos, tan, arcsin, arccos, arctan = (
        getattr(elementwise, name) for name in "sin cos tan arcsin arccos arctan".split()
    )
    sinh, cosh, tanh, arcsinh, arccosh, arctanh = (
        getattr(elementwise, name) for name in "sinh cosh tanh arcsinh arccosh arctanh".split()
    )
    ceil, floor, trunc, deg2rad, rad2deg = (
        getattr(elementwise, name) for name in "ceil floor trunc deg2rad rad2deg".split()
    )

    def get_scalar_constant_value(self) -> Any:
        """The value of a constant scalar expression."""
        return basic.get_scalar_constant_value(self)


for _name, _method in vars(_Methods).items():
    if _name not in ("__module__", "__doc__", "__dict__", "__weakref__"):
        setattr(TensorOperators, _name, _method)
