"""Random variables over an explicit state, under Theano's names: ``uniform(state, size, …)``.

A draw takes a state and gives the state after it and the numbers, which are those of NumPy's
``RandomState`` in that state. Whoever keeps states from call to call (`shared_randomstreams`) makes
the first the default update of a shared variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tracejit.config import config
from tracejit.ir import build
from tracejit.rng import words
from tracejit.rng.table import DISTRIBUTIONS, ELEMENT, KINDS, ROW
from tracejit.symbolic.convert import as_tensor_variable, cast
from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import node_of, opcode
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.tensor import basic, philox
from tracejit.tensor.draws import row_length, spread
from tracejit.tensor.draws import shape as shape_of
from tracejit.trace.tracer import Tracer


class RandomStateType(TensorType):
    """The type of generator states: for users a ``numpy.random.RandomState``, inside its words."""

    def __init__(self) -> None:
        super().__init__("uint32", (False,))

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """The words of a ``RandomState``. TypeError for anything else."""
        if isinstance(value, np.random.RandomState):
            return words.to_words(value)
        held = isinstance(value, np.ndarray) and value.dtype == np.uint32
        if not (held and value.shape == (words.SIZE,)):
            raise TypeError(f"a numpy.random.RandomState is needed, not {type(value).__name__}")
        return value

    def is_valid_value(self, value: Any) -> bool:
        """Whether `value` is a generator."""
        return isinstance(value, np.random.RandomState)

    @staticmethod
    def values_eq(a: np.random.RandomState, b: np.random.RandomState) -> bool:
        """Whether two generators are in one state, what waits for the next normal included."""
        return np.array_equal(words.to_words(a), words.to_words(b))

    def clone(self, dtype: Any = None, broadcastable: Any = None) -> RandomStateType:
        """This type: there is no other dtype."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RandomStateType)

    def __hash__(self) -> int:
        return hash(RandomStateType)

    def __repr__(self) -> str:
        return "RandomStateType"

    def __reduce__(self) -> Any:
        return RandomStateType, ()


random_state_type = RandomStateType()


# Evaluation ------------------------------------------------------------------------------------


@opcode("random")
def _random(attr: Any, state: Any, *operands: Any) -> Any:
    """attr: (distribution, how many operands are lengths, or None for no size, dtype).

    Operands: the state, the lengths, the parameters.
    """
    name, count, dtype = attr
    lengths, given = operands[: count or 0], operands[count or 0 :]
    row = DISTRIBUTIONS[name]
    if not isinstance(state, Tracer):
        arrays = [np.asarray(p, KINDS[k]) for p, k in row.pairs(given)]
        shape = shape_of(lengths, count, row.shapes(arrays), np.broadcast_shapes)
        if row.form == ROW:
            shape = (*shape, row_length(arrays[-1], given[-1]))
        values, after = words.draw(name, np.asarray(state), shape, *(a[()] for a in arrays))
        return after, values.astype(dtype)
    nodes = [build.cast(node_of(p), KINDS[k]) for p, k in row.pairs(given)]
    shape = shape_of(lengths, count, row.shapes(nodes), lambda *s: build.broadcast_shapes(s))
    if row.form == ROW:
        length = row_length(nodes[-1], given[-1])
        wide = {"F": (*shape, length)}
        nodes = [
            n if k == "F" and n.ndim == 1 else spread(n, wide.get(k, shape), name)
            for n, k in row.pairs(nodes)
        ]
        shape = (*shape, length)
    elif row.form == ELEMENT:
        nodes = [spread(n, shape, name) for n in nodes]
    if name == "uniform":
        values, after = _uniform(node_of(state), shape, nodes)
    else:
        values, after = build.draw(name, node_of(state), shape, nodes, KINDS[row.result])
    values = build.cast(values, np.dtype(dtype))
    return Tracer(after), Tracer(values, "array" if shape else "scalar")


def _uniform(state: Any, shape: Any, bounds: Any) -> tuple[Any, Any]:
    """Numbers in [0, 1), scaled as NumPy does, which may be in the loop that needs them."""
    values, after = build.draw("random_sample", state, shape, (), KINDS["f"])
    low, high = philox.in_domain(DISTRIBUTIONS["uniform"], bounds)
    wide = build.elementwise("subtract", high, low)
    scaled = build.elementwise("multiply", wide, values)
    return build.elementwise("add", low, scaled), after


# Building --------------------------------------------------------------------------------------


def draw(
    name: str,
    state: Any,
    size: Any,
    parameters: Sequence[Any],
    ndim: int | None = None,
    dtype: Any = None,
    open_axes: bool = False,
) -> tuple[Any, Any]:
    """The state after a draw, and the numbers, as symbolic variables.

    `size` is a tuple of ints and integer scalars, an integer vector (which needs `ndim`), or None
    for the parameters' own shape. `dtype` None is floatX, or wider where the parameters are. The
    numbers' axes broadcast where their length is known to be 1, unless `open_axes`.
    """
    row = DISTRIBUTIONS[name]
    given = [as_tensor_variable(p) for p in parameters]
    shapes = [p.broadcastable[:-1] if k == "F" else p.broadcastable for p, k in row.pairs(given)]
    if dtype is None:
        dtypes = [np.dtype(config.floatX), *(p.type.numpy_dtype for p in given)]
        dtype = np.result_type(*dtypes).name
    entries, pattern = _size(size, ndim, shapes, name)
    if open_axes:
        pattern = (False,) * len(pattern)
    if row.form == ROW:
        pattern = (*pattern, False)
    if philox.fuses(name, state):
        return philox.draw(name, state, entries, given, TensorType(dtype_name(dtype), pattern))
    types = [state.type, TensorType(dtype_name(dtype), pattern)]
    attr = name, None if entries is None else len(entries), dtype_name(dtype)
    after, values = apply("random", [state, *(entries or ()), *given], attr, types)
    return after, values


def _size(
    size: Any, ndim: int | None, shapes: Sequence[tuple[bool, ...]], name: str
) -> tuple[list[Any] | None, tuple[bool, ...]]:
    """The lengths that `size` means, None for the parameters', and the pattern of the result."""
    most = max(map(len, shapes), default=0)
    if size is None:
        if ndim is not None and ndim != most:
            raise ValueError(f"{name}: ndim={ndim}, but the parameters have {most} axes")
        wide = [(True,) * (most - len(s)) + s for s in shapes]
        if not shapes:
            raise TypeError(f"{name}: without parameters, a size is needed")
        return None, tuple(all(column) for column in zip(*wide, strict=True))
    unknown = isinstance(size, Variable) and size.type.ndim == 1
    if unknown and ndim is None and basic.static_length(size) is None:
        raise ValueError(f"{name}: a symbolic size needs ndim: its length is not known")
    entries = basic.lengths(size, ndim if unknown and not isinstance(size, Constant) else None)
    if ndim is not None and len(entries) != ndim:
        raise ValueError(f"{name}: ndim={ndim}, but size has {len(entries)} entries")
    if most > len(entries):
        raise ValueError(f"{name}: size has {len(entries)} entries, the parameters {most} axes")
    return entries, tuple(basic.ones_of(entries))


# Theano's functions ------------------------------------------------------------------------------


def uniform(
    random_state: Any, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """Numbers from `low` up to but not including `high`."""
    return draw("uniform", random_state, size, (low, high), ndim, dtype)


def normal(
    random_state: Any, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
    dtype: Any = None,
) -> Any:  # fmt: skip
    """Normal numbers of mean `avg` and deviation `std`."""
    return draw("normal", random_state, size, (avg, std), ndim, dtype)


def binomial(
    random_state: Any, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
    dtype: Any = "int64", prob: Any = None,
) -> Any:  # fmt: skip
    """How many of `n` trials of chance `p` succeed."""
    chance = p if prob is None else prob
    return draw("binomial", random_state, size, (n, chance), ndim, dtype, open_axes=True)


def random_integers(
    random_state: Any, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
    dtype: Any = "int64",
) -> Any:  # fmt: skip
    """Integers from `low` to `high`, both included."""
    return draw("random_integers", random_state, size, (low, high), ndim, dtype)


def poisson(
    random_state: Any, size: Any = None, lam: Any = None, ndim: int | None = None,
    dtype: Any = "int64",
) -> Any:  # fmt: skip
    """Poisson numbers of mean `lam`."""
    if lam is None:
        raise TypeError("poisson: the mean lam is needed")
    return draw("poisson", random_state, size, (lam,), ndim, dtype)


def permutation(
    random_state: Any, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
) -> Any:
    """A permutation of 0 … `n` - 1 along a last axis, one for each index of `size`."""
    shape = () if size is None else size
    return draw("permutation", random_state, shape, (n,), ndim, dtype)


def multinomial(
    random_state: Any, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5),
    ndim: int | None = None, dtype: Any = "int64",
) -> Any:  # fmt: skip
    """How many of `n` trials end in each of the classes of chances `pvals`, along a last axis."""
    return draw("multinomial", random_state, size, (n, pvals), ndim, dtype)


def choice(
    random_state: Any, size: Any = None, a: Any = 2, replace: Any = True, p: Any = None,
    ndim: int | None = None, dtype: Any = None,
) -> Any:  # fmt: skip
    """Elements of `a`, or of 0 … `a` - 1, with chances `p`; without `replace` none twice.

    The dtype is int64, unless the elements of `a` are no integers.
    """
    if size is None:
        raise TypeError("choice: a size is needed")
    among = as_tensor_variable(a)
    if among.ndim > 1:
        raise ValueError("choice: a has more than one axis")
    p = _chances(p)
    if isinstance(replace, Variable):
        replace = basic.get_scalar_constant_value(replace)
    name = f"choice{'' if replace else '_distinct'}{'' if p is None else '_weighed'}"
    count = basic.shape_i(among, 0) if among.ndim else among
    parameters = (count,) if p is None else (count, p)
    if dtype is None:
        whole = not among.ndim or np.dtype(among.dtype).kind in "iub"
        dtype = "int64" if whole else among.dtype
    kind = "int64" if among.ndim else dtype
    after, places = draw(name, random_state, size, parameters, ndim, kind)
    return after, cast(among[places], dtype) if among.ndim else places


def _chances(p: Any) -> Any:
    """Chances as a vector, None without them: so a 0 and an empty list say it, too."""
    if not isinstance(p, Variable):
        scalar = p is None or np.ndim(p) == 0
        if (scalar and not p) or np.size(p) == 0:
            return None
    p = as_tensor_variable(p)
    if p.ndim != 1:
        raise ValueError(f"choice: p is a vector of chances, not an array of {p.ndim} axes")
    return p


class RandomFunction:
    """A method of ``RandomState`` as Theano's op: ``op(state, size, …)`` is the state and numbers.

    `outtype` is the type of the numbers, which have `ndim_added` axes besides those of the size.
    LookupError for a method that no table has.
    """

    def __init__(self, fn: Any, outtype: Any, inplace: bool = False, ndim_added: int = 0) -> None:
        name = fn if isinstance(fn, str) else fn.__name__
        if name not in DISTRIBUTIONS:
            raise LookupError(f"RandomState.{name} is not among {', '.join(sorted(DISTRIBUTIONS))}")
        self.fn, self.outtype, self.inplace, self.ndim_added = name, outtype, inplace, ndim_added

    def __call__(self, r: Any, shape: Any, *args: Any) -> list[Any]:
        """The state after the draw, and the numbers."""
        ndim = None if shape is None else self.outtype.ndim - self.ndim_added
        return list(draw(self.fn, r, shape, args, ndim, self.outtype.dtype))


def random_function(fn: Any, dtype: str, *rfargs: Any, ndim_added: int = 0) -> Any:
    """A function ``f(state, size, …)`` of a method of ``RandomState``, with these defaults."""

    def call(r: Any, shape: Sequence[Any], *args: Any) -> list[Any]:
        kind = TensorType(dtype, (False,) * (len(shape) + ndim_added))
        return RandomFunction(fn, kind, ndim_added=ndim_added)(
            r, shape, *args, *rfargs[len(args) :]
        )

    return call


__all__ = [
    "RandomFunction",
    "RandomStateType",
    "binomial",
    "choice",
    "draw",
    "multinomial",
    "normal",
    "permutation",
    "poisson",
    "random_function",
    "random_integers",
    "random_state_type",
    "uniform",
]
