"""``PhiloxRandomStreams``: random variables that are computed where they are used.

Element i of a draw is a function of the variable's key, the number of the draw, and i. So a draw
fuses into the loop that reads it, needs no memory, and has the same numbers in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit.tensor as T
from tracejit.config import config
from tracejit.ir import build, dims, ops
from tracejit.rng import philox
from tracejit.sharedvalue import shared
from tracejit.tensor import basic
from tracejit.tensor.elemwise import as_tensor_variable, cast, constant
from tracejit.tensor.gradient import undefined_grad
from tracejit.tensor.infer import apply
from tracejit.tensor.opcodes import length_of, node_of, opcode
from tracejit.tensor.type import TensorType, dtype_name
from tracejit.variable import Variable as Traced

_U64, _I64, _F64 = (np.dtype(d) for d in (np.uint64, np.int64, np.float64))


@opcode("philox")
def _philox(attr: Any, state: Any, *lengths: Any) -> Any:
    """attr: the dtype. Operands: (key, number of the draw), the lengths.

    Results: the state after the draw, and two independent arrays of numbers in [0, 1).
    """
    if not isinstance(state, Traced):
        return _drawn(attr, np.asarray(state), tuple(map(int, lengths)))
    found = [length_of(n) for n in lengths]
    shape = tuple(n if isinstance(n, int) else dims.from_node(n.node) for n in found)
    node = node_of(state)
    key, draw = (build.view(node, (), ((k, 0, None),)) for k in (0, 1))
    index: Any = build.constant(0, np.int64)
    for axis, n in enumerate(shape):
        along = build.view(build.iota(n), shape, ((0, 1, axis),))
        length = build.cast(dims.as_node(n), _I64)
        index = build.elementwise("add", build.elementwise("multiply", index, length), along)
    places = build.cast(index, _U64)
    bits, scale = (40, 2.0**-24) if attr == "float32" else (11, 2.0**-53)
    results = []
    for half in ("philox_high", "philox_low"):
        number = build.apply(ops.PHILOX[half], (key, draw, places), _U64)
        few = build.elementwise("right_shift", number, build.constant(bits, np.uint64))
        unit = build.cast(build.cast(few, _I64), np.dtype(attr))
        unit = build.elementwise("multiply", unit, build.constant(scale, np.dtype(attr)))
        results.append(Traced(unit, "array" if shape else "scalar"))
    second = build.cast(
        build.elementwise("equal", build.iota(2), build.constant(1, np.int64)), _U64
    )
    second = build.view(second, node.shape, ((0, 1, 0),))
    return Traced(build.elementwise("add", node, second)), *results


def _drawn(dtype: str, state: Any, shape: tuple[int, ...]) -> Any:
    places = np.arange(int(np.prod(shape)), dtype=np.uint64).reshape(shape)
    bits, scale = (40, 2.0**-24) if dtype == "float32" else (11, 2.0**-53)
    results = []
    for half in (philox.philox_high, philox.philox_low):
        few = half(state[0], state[1], places) >> np.uint64(bits)
        results.append(few.astype(dtype) * np.dtype(dtype).type(scale))
    return state + np.array([0, 1], np.uint64), *results


class PhiloxRandomStreams:
    """A family of random variables over the counter-based generator Philox4x32-10.

    Each variable has a key of its own, made from `seed` and its number. Its draws are counted in a
    shared variable, and fuse with what uses them: a draw that is averaged at once takes no memory.
    The numbers do not depend on the number of threads, the order of a loop, or the device.

    >>> import tracejit
    >>> srng = tracejit.PhiloxRandomStreams(seed=1)
    >>> mean = tracejit.function([], srng.normal((1_000_000,)).mean())
    >>> abs(mean()) < 0.01, mean.stats.temporaries
    (np.True_, 0)
    """

    def __init__(self, seed: int = 12345) -> None:
        self.default_instance_seed = _checked(seed)
        self._seed = self.default_instance_seed
        self.state_updates: list[tuple[Any, Any]] = []

    def updates(self) -> list[tuple[Any, Any]]:
        """Pairs of a state and the state after a draw, one for each variable."""
        return list(self.state_updates)

    def seed(self, seed: int | None = None) -> None:
        """Start all variables anew, from `seed` or the one that this object was made with."""
        self._seed = self.default_instance_seed if seed is None else _checked(seed)
        for k, (state, _) in enumerate(self.state_updates):
            state.set_value(self._start(k), borrow=True)

    def _start(self, number: int) -> np.ndarray:
        """The state of variable `number` before its first draw."""
        return np.array([philox.philox_high(self._seed, 2**64 - 1, number), 0], np.uint64)

    def _units(self, size: Any, ndim: int | None, dtype: str) -> tuple[Any, Any, Any]:
        """A new variable's two arrays of numbers in [0, 1), and what it updates."""
        entries = basic.lengths((size,) if isinstance(size, int) else size, ndim)
        pattern = basic.ones_of(entries)
        state = shared(self._start(len(self.state_updates)), borrow=True)
        types = [state.type, TensorType(dtype, pattern), TensorType(dtype, pattern)]
        after, u, v = apply("philox", [state, *entries], dtype, types)
        state.tag.is_rng = True
        state.default_update = after
        self.state_updates.append((state, after))
        return u, v, (state, after)

    def _drawn(
        self, formula: Any, size: Any, parameters: tuple[Any, ...], ndim: Any, dtype: Any
    ) -> Any:
        """The variable ``formula(u, v, *parameters)``."""
        given = [as_tensor_variable(p) for p in parameters]
        if size is None:
            longest = max(given, key=lambda p: p.ndim, default=as_tensor_variable(0))
            size = tuple(basic.shape_i(longest, k) for k in range(longest.ndim))
        if dtype is None:
            found = [np.dtype(config.floatX), *(p.type.numpy_dtype for p in given)]
            dtype = np.result_type(*found).name
        kind = dtype_name(dtype)
        unit = kind if kind in ("float32", "float64") else "float64"
        u, v, update = self._units(size, ndim, unit)
        fitting = [undefined_grad(cast(p, unit)) for p in given]
        out = cast(formula(u, v, *fitting), kind)
        if out is u:
            out = basic.tensor_copy(u)
        out.rng, out.update = update[0], update
        return out

    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Numbers from `low` up to but not including `high`."""
        formula = lambda u, v, a, b: a + (b - a) * u  # noqa: E731
        return self._drawn(formula, size, (low, high), ndim, dtype)

    def random_sample(self, size: Any = (), ndim: int | None = None, dtype: Any = None) -> Any:
        """Numbers from 0 up to but not including 1."""
        return self._drawn(lambda u, v: u, size, (), ndim, dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Normal numbers of mean `avg` and deviation `std`, by Box and Muller (1958)."""
        return self._drawn(lambda u, v, m, s: m + s * _normal(u, v), size, (avg, std), ndim, dtype)

    def standard_normal(self, size: Any = (), ndim: int | None = None, dtype: Any = None) -> Any:
        """Normal numbers of mean 0 and deviation 1."""
        return self._drawn(_normal, size, (), ndim, dtype)

    def lognormal(
        self, size: Any = None, mean: Any = 0.0, sigma: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Exponentials of normal numbers of mean `mean` and deviation `sigma`."""
        formula = lambda u, v, m, s: T.exp(m + s * _normal(u, v))  # noqa: E731
        return self._drawn(formula, size, (mean, sigma), ndim, dtype)

    def exponential(
        self, size: Any = None, scale: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Exponential numbers of mean `scale`."""
        return self._drawn(lambda u, v, s: -s * T.log(1 - u), size, (scale,), ndim, dtype)

    def weibull(
        self, size: Any = None, a: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Weibull numbers of shape `a`."""
        return self._drawn(lambda u, v, a: (-T.log(1 - u)) ** (1 / a), size, (a,), ndim, dtype)

    def gumbel(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Gumbel numbers of mode `loc`."""
        formula = lambda u, v, m, s: m - s * T.log(-T.log(_open(u)))  # noqa: E731
        return self._drawn(formula, size, (loc, scale), ndim, dtype)

    def laplace(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Laplace numbers of mean `loc`."""

        def formula(u: Any, v: Any, m: Any, s: Any) -> Any:
            side = _open(u) - 0.5
            return m - s * T.sgn(side) * T.log(1 - 2 * abs(side))

        return self._drawn(formula, size, (loc, scale), ndim, dtype)

    def logistic(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Logistic numbers of mean `loc`."""

        def formula(u: Any, v: Any, m: Any, s: Any) -> Any:
            inner = _open(u)
            return m + s * (T.log(inner) - T.log(1 - inner))

        return self._drawn(formula, size, (loc, scale), ndim, dtype)

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
        dtype: Any = "int64", prob: Any = None,
    ) -> Any:  # fmt: skip
        """Ones with chance `p`, else zeros. NotImplementedError for more than one trial."""
        if not (isinstance(n, (int, np.integer)) and n == 1):
            raise NotImplementedError(
                "PhiloxRandomStreams.binomial of several trials: use RandomStreams"
            )
        chance = p if prob is None else prob
        return self._drawn(lambda u, v, p: T.lt(u, p), size, (chance,), ndim, dtype)

    def geometric(
        self, size: Any = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """How many trials of chance `p` it takes to the first success."""

        def formula(u: Any, v: Any, p: Any) -> Any:
            return T.maximum(T.ceil(T.log(1 - u) / T.log1p(-p)), 1.0)

        return self._drawn(formula, size, (p,), ndim, dtype)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """Integers from `low` to `high`, both included; they differ by less than 2**53."""
        formula = lambda u, v, a, b: a + T.floor(u * (b - a + 1))  # noqa: E731
        return self._drawn(formula, size, (low, high), ndim, dtype)

    def randint(
        self, size: Any = None, low: Any = 0, high: Any = None, ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """Integers from `low` up to but not including `high`; from 0 to `low` without one."""
        low, high = (0, low) if high is None else (low, high)
        formula = lambda u, v, a, b: a + T.floor(u * (b - a))  # noqa: E731
        return self._drawn(formula, size, (low, high), ndim, dtype)


class CURAND_RandomStreams(PhiloxRandomStreams):
    """The interface that Theano had for cuRAND, over Philox4x32-10; it needs no GPU.

    Its numbers are not cuRAND's.
    """

    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Numbers from `low` up to but not including `high`."""
        return super().uniform(_tuple(size), low, high, ndim, dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Normal numbers of mean `avg` and deviation `std`."""
        return super().normal(_tuple(size), avg, std, ndim, dtype)


def _tuple(size: Any) -> Any:
    if size is not None and not isinstance(size, tuple):
        raise TypeError(f"size is a tuple of ints and integer variables, not {size!r}")
    return size


def _checked(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"a seed is an int, not {seed!r}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"a seed is below 2**64 and not negative: {seed}")
    return int(seed)


def _normal(u: Any, v: Any) -> Any:
    angle = constant(2 * np.pi, dtype=v.dtype) * v
    return T.sqrt(-2.0 * T.log(1 - u)) * T.cos(angle)


def _open(u: Any) -> Any:
    """`u` without 0: its least value becomes half a step."""
    return T.maximum(u, constant(2.0**-54 if u.dtype == "float64" else 2.0**-25, dtype=u.dtype))


__all__ = ["CURAND_RandomStreams", "PhiloxRandomStreams"]
