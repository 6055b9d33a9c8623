"""The traced value: a handle over a node, with NumPy's operators, attributes and protocols.

A `Tracer` stands where NumPy would hold an array, a NumPy scalar or a Python number (its
`kind`). It is a handle, never the node: an in-place operator on an array that the traced function
made itself gives the handle a new node.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from tracejit.errors import NotTraceable
from tracejit.ir import build, ops
from tracejit.ir.alias import Step
from tracejit.ir.dims import Dim
from tracejit.ir.node import Node
from tracejit.ir.types import canonical_dtype
from tracejit.trace.budget import ELEMENTS
from tracejit.trace.memory import Memory, Path, births

Kind = Literal["array", "scalar", "number"]
#: What an operation gets for an operand: a node, or a Python number not yet given a dtype.
Operand = Node | int | float | complex

PYTHON_TYPES: dict[str, type] = {"b": bool, "i": int, "f": float, "c": complex}
CHOICE = "use np.where to choose between values, or whole-array operations"


class _Method:
    """An ndarray method that is a function of the table with `self` as its first argument.

    Python numbers have few of them. A NumPy scalar's method gives a scalar where the result is 0-d.
    """

    def __init__(self, function: Callable[..., Any] | str) -> None:
        self.function = function

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, obj: Tracer | None, owner: Any = None) -> Any:
        if obj is None:
            return self
        if obj.kind == "number" and not hasattr(PYTHON_TYPES[obj.node.dtype.kind], self.name):
            raise AttributeError("a Python number has no such attribute")
        if obj.kind == "scalar" and not hasattr(np.generic, self.name):
            dtype = obj.node.dtype.name
            raise AttributeError(f"'numpy.{dtype}' object has no attribute {self.name!r}")
        return self.of(obj, self.function)

    def of(self, obj: Tracer, name: Any) -> Any:
        """What is called for the method of `obj`."""
        implementation = METHODS[name] if isinstance(name, str) else FUNCTIONS[name]
        if obj.kind == "scalar":
            return functools.partial(_scalar_method, implementation, obj)
        return functools.partial(implementation, obj)


class _Attribute(_Method):
    """An ndarray attribute, computed like a method without arguments."""

    def __get__(self, obj: Tracer | None, owner: Any = None) -> Any:
        return self if obj is None else super().__get__(obj, owner)()

    def __set__(self, obj: Tracer, value: Any) -> None:
        METHODS["setattr"](obj, self.name, value)


def _scalar_method(function: Callable[..., Any], x: Tracer, *args: Any, **kwargs: Any) -> Any:
    result = function(x, *args, **kwargs)
    if isinstance(result, Tracer) and result.kind == "array" and not result.node.shape:
        return Tracer(result.node, "scalar")
    return result


def _operators(ufunc: np.ufunc) -> tuple[Any, Any, Any]:
    """The operator of `ufunc`, its reflection and its in-place form."""

    def forward(self: Tracer, other: Any) -> Any:
        return METHODS["operator"](ufunc, self, other)

    def reflected(self: Tracer, other: Any) -> Any:
        return METHODS["operator"](ufunc, other, self)

    def inplace(self: Tracer, other: Any) -> Any:
        if self.kind != "array":
            return METHODS["operator"](ufunc, self, other)
        return METHODS["update"](ufunc, self, other)

    return forward, reflected, inplace


def _comparison(ufunc: np.ufunc) -> Any:
    return _operators(ufunc)[0]


class Tracer:
    """A traced value of `kind` "array", "scalar" (a NumPy scalar) or "number" (a Python number).

    `owned` is False for what is read-only or cannot be followed, into which an in-place operator
    must not write. Whose memory an array has, its `memory` says.
    """

    __slots__ = ("__weakref__", "born", "kind", "memory", "node", "owned", "path")

    __array_priority__ = 1000.0

    def __init__(self, node: Node, kind: Kind = "array", owned: bool = True) -> None:
        self.born = next(births)
        self.node = node
        self.kind: Kind = kind
        self.owned = owned
        self.memory: Memory | None = None
        self.path: Path = ()

    # Operators ----------------------------------------------------------------------------------

    __add__, __radd__, __iadd__ = _operators(np.add)
    __sub__, __rsub__, __isub__ = _operators(np.subtract)
    __mul__, __rmul__, __imul__ = _operators(np.multiply)
    __truediv__, __rtruediv__, __itruediv__ = _operators(np.divide)
    __floordiv__, __rfloordiv__, __ifloordiv__ = _operators(np.floor_divide)
    __mod__, __rmod__, __imod__ = _operators(np.remainder)
    __pow__, __rpow__, __ipow__ = _operators(np.power)
    __matmul__, __rmatmul__, __imatmul__ = _operators(np.matmul)
    __and__, __rand__, __iand__ = _operators(np.bitwise_and)
    __or__, __ror__, __ior__ = _operators(np.bitwise_or)
    __xor__, __rxor__, __ixor__ = _operators(np.bitwise_xor)
    __lshift__, __rlshift__, __ilshift__ = _operators(np.left_shift)
    __rshift__, __rrshift__, __irshift__ = _operators(np.right_shift)
    __divmod__, __rdivmod__, _ = _operators(np.divmod)
    __lt__ = _comparison(np.less)
    __le__ = _comparison(np.less_equal)
    __gt__ = _comparison(np.greater)
    __ge__ = _comparison(np.greater_equal)
    __eq__ = _comparison(np.equal)
    __ne__ = _comparison(np.not_equal)

    def __neg__(self) -> Any:
        return METHODS["unary"](np.negative, self)

    def __pos__(self) -> Any:
        return METHODS["unary"](np.positive, self)

    def __abs__(self) -> Any:
        return METHODS["unary"](np.absolute, self)

    def __invert__(self) -> Any:
        return METHODS["unary"](np.invert, self)

    # Protocols of NumPy -------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not SEVERAL.isdisjoint(map(type, inputs)):
            return NotImplemented  # theirs
        return UFUNC_METHODS[method](ufunc, *inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not SEVERAL.isdisjoint(types) and func not in WRITERS:
            return NotImplemented  # theirs
        implementation = FUNCTIONS.get(func) or METHODS["written"](func)
        if implementation is None:
            name = f"{getattr(func, '__module__', 'numpy')}.{func.__name__}"
            raise NotTraceable(f"{name} is not compiled")
        return implementation(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise NotTraceable(
            "a traced array is converted to a concrete one",
            "call NumPy's functions on the array itself",
        )

    def __getattr__(self, name: str) -> Any:
        # Only names that the class does not define come here.
        of_arrays = np.generic if self.kind == "scalar" else np.ndarray
        known = PYTHON_TYPES[self.node.dtype.kind] if self.kind == "number" else of_arrays
        if name.startswith("__") or not hasattr(known, name):
            shown = self._python_name() if self.kind != "array" else "numpy.ndarray"
            raise AttributeError(f"{shown!r} object has no attribute {name!r}")
        if self.kind == "number":
            return getattr(self.concrete(), name)
        if name in METHODS:
            return _Method(name).of(self, name)
        raise NotTraceable(f"ndarray.{name} is not compiled")

    # Attributes and methods of ndarray ----------------------------------------------------------

    shape, ndim, size, dtype, T, mT, real, imag, itemsize, nbytes, flat = map(
        _Attribute, "shape ndim size dtype T mT real imag itemsize nbytes flat".split()
    )
    #: What copies of a library's functions, which copy what is not contiguous, find as ``flags``.
    flags_of_copies = SimpleNamespace(contiguous=True)
    sum, prod, min, max, mean, var, std, any, all, argmin, argmax, argsort, cumsum, cumprod = (
        _Method(function)
        for function in (
            np.sum, np.prod, np.min, np.max, np.mean, np.var, np.std, np.any, np.all,
            np.argmin, np.argmax, np.argsort, np.cumsum, np.cumprod,
        )
    )  # fmt: skip
    round, take, repeat, dot, ravel, squeeze, swapaxes, diagonal, trace, nonzero = (
        _Method(function)
        for function in (
            np.round, np.take, np.repeat, np.dot, np.ravel, np.squeeze, np.swapaxes,
            np.diagonal, np.trace, np.nonzero,
        )
    )  # fmt: skip
    conj, conjugate = _Method("conj"), _Method("conjugate")

    # Containers ---------------------------------------------------------------------------------

    def __len__(self) -> int:
        self._need_axis("len() of unsized object", "object of type {} has no len()")
        return solver_value(self.node.shape[0])

    def __iter__(self) -> Iterator[Tracer]:
        self._need_axis("iteration over a 0-d array", "{} object is not iterable")
        length = solver_value(self.node.shape[0])
        build.solver().unroll(length)
        if length > ELEMENTS:
            raise NotTraceable(
                f"a Python loop over the {length} elements of an array is not compiled",
                "use whole-array operations",
            )
        return (self[i] for i in range(length))

    def _need_axis(self, array: str, other: str) -> None:
        if not self.node.shape:
            name = repr(self._python_name())
            raise TypeError(array if self.kind == "array" else other.format(name))

    def _python_name(self) -> str:
        """The name of the class that NumPy's value would have."""
        if self.kind == "number":
            return PYTHON_TYPES[self.node.dtype.kind].__name__
        return f"numpy.{self.node.dtype.type.__name__}"

    def __contains__(self, value: Any) -> bool:
        self._need_axis("iteration over a 0-d array", "argument of type {} is not iterable")
        return bool((self == value).any())

    def __getitem__(self, key: Any) -> Tracer:
        if self.kind == "number":
            raise TypeError(f"{self._python_name()!r} object is not subscriptable")
        result: Tracer = METHODS["getitem"](self, key)
        return result

    def __setitem__(self, key: Any, value: Any) -> None:
        METHODS["setitem"](self, key, value)

    # Conversions to Python ----------------------------------------------------------------------

    def concrete(self) -> Any:
        """The Python number for the arguments at hand, under a guard; else NotTraceable."""
        if self.node.shape:
            raise NotTraceable("Python asks for the value of a traced array", CHOICE)
        if self.node.op is ops.CONST:
            return build.constant_value(self.node).item()
        return build.solver().concrete(self.node)

    def __bool__(self) -> bool:
        if self.kind == "number" and self.node.type.weak and self.node.op is not ops.CONST:
            # Ask the question, not the value: the guard is then true of more arguments.
            return bool(self != 0)
        return bool(METHODS["only"](self).concrete())

    def __int__(self) -> int:
        return int(self.concrete())

    def __float__(self) -> float:
        return float(self.concrete())

    def __complex__(self) -> complex:
        return complex(self.concrete())

    def __index__(self) -> int:
        if self.node.dtype.kind not in "iu" and not (
            self.kind == "number" and self.node.dtype.kind == "b"
        ):
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return int(self.concrete())

    def __round__(self, digits: Any = None) -> Any:
        self._need_rule("__round__", np.generic)
        if self.kind != "number" and digits is not None:
            return self.round(digits)
        whole = METHODS["whole"]("rint", self) if digits is None else None
        return round(self.concrete(), digits) if whole is None else whole

    def __trunc__(self) -> Any:
        self._need_rule("__trunc__", float)
        return self._whole("trunc", math.trunc)

    def __floor__(self) -> Any:
        return self._whole("floor", math.floor)

    def __ceil__(self) -> Any:
        return self._whole("ceil", math.ceil)

    def _whole(self, rounding: str, python: Callable[[Any], Any]) -> Any:
        whole = METHODS["whole"](rounding, self)
        return python(self.concrete()) if whole is None else whole

    def _need_rule(self, name: str, kind: type) -> None:
        """TypeError as Python has it for NumPy's values, of which those of class `kind` have it."""
        cls = np.ndarray if self.kind == "array" else self.node.dtype.type
        if self.kind != "number" and (not issubclass(cls, kind) or cls is np.bool_):
            raise TypeError(f"type numpy.{cls.__name__} doesn't define {name} method")

    def __hash__(self) -> int:
        if self.kind == "array":
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return hash(build.solver().spelled(self.node))

    def __repr__(self) -> str:
        return repr(self._shown())

    def __str__(self) -> str:
        return str(self._shown())

    def __format__(self, spec: str) -> str:
        return format(self._shown(), spec)

    def _shown(self) -> Any:
        """The number whose text is asked for. Text of an array would freeze its values."""
        if self.kind == "number":
            return build.solver().spelled(self.node)
        raise NotTraceable(
            "the text of a traced array is asked for", "print or format what the function returns"
        )

    def __reduce__(self) -> Any:
        raise NotTraceable("a traced value is pickled", "pickle what the function returns")

    def __copy__(self, memo: Any = None) -> Tracer:
        return Tracer(self.node, self.kind)

    __deepcopy__ = __copy__


# Wrapping ---------------------------------------------------------------------------------------


#: What a class of numbers does by rules of its own, where it defines one of these.
_RULES = [
    f"__{prefix}{name}__"
    for name in (
        "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift"
    ).split()
    for prefix in ("", "r")
] + [
    f"__{name}__"
    for name in (
        "neg pos abs invert lt le gt ge eq ne bool int float complex index round trunc floor ceil "
        "array array_ufunc array_function"
    ).split()
]  # fmt: skip


def plain_number(x: Any) -> Any:
    """A number of a subclass of int, float or complex as the plain one that Python computes with.

    Other values come back themselves. NotTraceable where the subclass has rules of its own.
    """
    cls = type(x)
    if cls in (int, float, complex, bool) or isinstance(x, np.generic):
        return x
    base = next((b for b in (int, float, complex) if isinstance(x, b)), None)
    if base is None:
        return x
    own = cls.__mro__[: cls.__mro__.index(base)]
    if any(rule in vars(c) for c in own for rule in _RULES):
        raise NotTraceable(
            f"a {cls.__name__}, a subclass of {base.__name__} with its own rules, meets a traced "
            "value",
            f"use {base.__name__}(…) of it where a plain number will do",
        )
    number: Any = base.__pos__(x)
    return number


def operand(x: Any) -> Operand:
    """What an operation gets for `x`: a node, or a Python number that takes the dtype it meets."""
    if isinstance(x, Tracer):
        node = x.node
        if node.type.weak and node.op is ops.CONST:
            number: int | float | complex = build.constant_value(node).item()
            return number
        return node
    if type(x) is bool:
        return build.constant(x, np.bool_)
    if isinstance(x, np.generic):
        return build.constant(x, supported(x.dtype))
    if type(x) in (int, float, complex):
        number = x
        return number
    return wrap(x).node


def wrap(x: Any) -> Tracer:
    """`x` as a Tracer: a Tracer itself, a Python number, a NumPy scalar, a nested list."""
    if isinstance(x, Tracer):
        return x
    if isinstance(x, np.generic):
        return Tracer(build.constant(x, supported(x.dtype)), "scalar")
    if isinstance(x, bool):
        return Tracer(build.constant(x, np.bool_), "number")
    if isinstance(x, (int, float, complex)):
        plain = plain_number(x)
        if plain is not x:  # NumPy makes an array of a subclass's: it is not weak
            return Tracer(build.constant(plain, np.dtype(type(plain))), "scalar")
        if isinstance(x, int) and not -(2**63) <= x < 2**63:
            raise NotTraceable(f"the Python integer {x} is beyond 64 bits")
        return Tracer(build.constant(x), "number")
    if isinstance(x, (list, tuple, range)):
        array: Tracer = CREATORS[np.array](x)
        return array
    if isinstance(x, np.ndarray):
        known = build.solver().known_array(x)
        if known is None:
            raise NotTraceable(
                "a concrete array of unknown origin meets a traced one", "pass it as an argument"
            )
        result: Tracer = known
        return result
    if type(x) in SEVERAL:
        x.python_type()  # which says why it is not known
    raise NotTraceable(f"a {type(x).__name__} meets a traced array")


def as_array(x: Any) -> Tracer:
    """`wrap`, with a Python number as the 0-d array that NumPy makes of it."""
    v = wrap(x)
    if v.kind != "number":
        return v
    return Tracer(build.cast(v.node, v.node.dtype))


def value(node: Node) -> Tracer:
    """The result of a computation: a NumPy scalar where it has no axes."""
    return Tracer(node, "array" if node.shape else "scalar")


def number(length: Dim | float) -> Tracer:
    """A dimension, or a Python number, as a traced Python number."""
    if isinstance(length, Node):
        return Tracer(length, "number")
    return wrap(length)


def view_of(base: Tracer, step: Callable[[Node], Node], read_only: bool = False) -> Tracer:
    """What `step` makes of `base`, as a view: the two handles share their memory.

    A function of nodes may only slice, reorder axes, reshape, or take the real or imaginary part;
    for others NumPy's own way is given (`Step`). `read_only` ones are not written to.
    """
    step = step if isinstance(step, Step) else Step(step)
    node = step(base.node)
    if base.kind != "array" and node.shape:
        base = Tracer(base.node)  # NumPy makes an array of a scalar first
    kind: Kind = "array" if node.shape or base.kind == "array" else "scalar"
    result = Tracer(node, kind, (base.owned or base.kind != "array") and not read_only)
    if result.kind == "array" and base.kind == "array":
        if base.memory is None:
            base.memory = Memory(base)
        base.memory.see(result, (*base.path, step))
    return result


def supported(dtype: Any) -> np.dtype[Any]:
    """`dtype` as one that traced arrays may have; NotTraceable for the others."""
    found = canonical_dtype(dtype)
    if found is None:
        named = np.dtype(dtype)
        name = named.type.__name__ if named.char in "lLqQ" else named
        raise NotTraceable(f"dtype {name} is not compiled")
    return found


def solver_value(length: Dim) -> int:
    """The length for the arguments at hand, under a guard."""
    return length if isinstance(length, int) else int(build.solver().concrete(length))


def is_number(x: Any) -> bool:
    """Whether `x` is, or stands for, a Python number."""
    if isinstance(x, Tracer):
        return x.kind == "number"
    return isinstance(x, (int, float, complex)) and not isinstance(x, np.generic)


# The implementations import this module, so they are loaded after it is complete.
from tracejit.trace.tables import CREATORS, FUNCTIONS, METHODS, SEVERAL, UFUNC_METHODS, WRITERS  # noqa: E402

__all__ = ["CREATORS", "FUNCTIONS", "Tracer", "as_array", "operand", "wrap"]
