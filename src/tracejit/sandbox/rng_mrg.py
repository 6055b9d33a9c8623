"""``MRG_RandomStreams``: random variables over MRG31k3p, with Theano's streams and numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import tracejit.tensor as T
from tracejit.config import config
from tracejit.rng import mrg31k3p
from tracejit.sandbox.multinomial import counts, distinct
from tracejit.symbolic.convert import as_tensor_variable, cast, constant
from tracejit.symbolic.graph import Constant, Variable
from tracejit.symbolic.shared import TensorSharedVariable
from tracejit.symbolic.type import TensorType, dtype_name
from tracejit.tensor import basic, raw_random
from tracejit.tensor.gradient_marks import fixed_parameter
from tracejit.tensor.traced_streams import DrawsInTraces

#: Streams of a variable whose size is not known when it is made.
MOST_STREAMS = 60 * 256
#: The deviation of a standard normal number that is kept between -2 and 2.
_KEPT_DEVIATION = 0.87962566103423978


class MRGStateType(TensorType):
    """The type of a variable's state: six numbers for each of its streams."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("int32", (False, False))

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """`value` as a matrix of int32. TypeError and ValueError for what is no state."""
        states = super().filter(value, strict, allow_downcast)
        if states.shape[1] != 6 or not len(states):
            raise TypeError(f"a state has 6 numbers a stream, not the shape {states.shape}")
        mrg31k3p.check_states(states)
        return states

    def __reduce__(self) -> Any:
        return MRGStateType, ()


class MRG_RandomStreams(DrawsInTraces):
    """A family of random variables over the generator MRG31k3p, many streams each.

    Numbers, streams and seeds are Theano's. A variable's state is a shared matrix, one row a
    stream; element i of its numbers comes from stream i modulo their number. Streams of a variable
    are 2**72 steps apart, variables 2**134. `seed` is an int, or six.

    >>> import tracejit
    >>> from tracejit.sandbox.rng_mrg import MRG_RandomStreams
    >>> tracejit.function([], MRG_RandomStreams(seed=123).uniform((1,)))()
    array([0.23648804])
    """

    def __init__(self, seed: Any = 12345) -> None:
        self.state_updates: list[tuple[Any, Any, Any, Any]] = []
        self.default_instance_seed = seed
        self.set_rstate(seed)

    def set_rstate(self, seed: Any) -> None:
        """Let `seed` be the state that the next variable starts from."""
        self.rstate = mrg31k3p.check_seed(seed)

    def seed(self, seed: Any = None) -> None:
        """Seed all variables anew, in the order in which they were made.

        Without one by the seed that this object was made with.
        """
        self.set_rstate(self.default_instance_seed if seed is None else seed)
        for state, _, size, nstreams in self.state_updates:
            count = self.n_streams(size) if nstreams is None else nstreams
            state.set_value(self.get_substream_rstates(count), borrow=True)

    def inc_rstate(self) -> None:
        """Move to where the next variable starts."""
        self.rstate = mrg31k3p.jumped(self.rstate, mrg31k3p.VARIABLE)

    def get_substream_rstates(
        self, n_streams: int, dtype: Any = None, inc_rstate: bool = True
    ) -> np.ndarray:
        """The states (n_streams, 6) of a new variable's streams."""
        if not isinstance(n_streams, (int, np.integer)) or n_streams <= 0:
            raise ValueError(f"nstreams is a positive int, not {n_streams!r}")
        states = mrg31k3p.substreams(self.rstate, int(n_streams))
        if inc_rstate:
            self.inc_rstate()
        return states

    def n_streams(self, size: Any) -> int:
        """How many streams a variable of a size gets."""
        known = isinstance(size, (tuple, list)) and all(
            isinstance(n, (int, np.integer)) for n in size
        )
        if not known:
            return MOST_STREAMS
        count = int(np.prod(size))
        return min(count // 6 if count > 6 else count, MOST_STREAMS)

    def updates(self) -> list[tuple[Any, Any, Any, Any]]:
        """For each variable its state, the state after a draw, its size, and its streams."""
        return list(self.state_updates)

    def pretty_return(
        self, node_rstate: Any, new_rstate: Any, sample: Any, size: Any, nstreams: Any
    ) -> Any:
        """`sample`, with its state beside it, and that state with its default update."""
        sample.rstate, sample.update = node_rstate, (node_rstate, new_rstate)
        self.state_updates.append((node_rstate, new_rstate, size, nstreams))
        node_rstate.default_update = new_rstate
        return sample

    # Distributions ------------------------------------------------------------------------------

    def uniform(
        self, size: Any, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
        dtype: Any = None, nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Numbers between `low` and `high`, neither included.

        `size` is a tuple of ints and symbolic integers, or a symbolic vector of them with `ndim`.
        ValueError for lengths that are not positive, TypeError for other sizes.
        """
        _only_target(kwargs)
        plain = all(isinstance(v, (int, float)) for v in (low, high)) and (low, high) == (0, 1)
        low, high = as_tensor_variable(low), as_tensor_variable(high)
        kind = _float_type(dtype, low, high)
        low, high = (fixed_parameter(cast(v, kind)) for v in (low, high))
        _check_size(size)
        states = self.get_substream_rstates(self.n_streams(size) if nstreams is None else nstreams)
        state = TensorSharedVariable(MRGStateType(), states)
        state.tag.is_rng = True
        if kind == "float64":
            after, numbers = raw_random.draw("mrg31k3p_unit", state, size, (), ndim, kind)
        else:
            after, numbers = raw_random.draw("mrg31k3p", state, size, (), ndim, "int32")
            numbers = _unit(numbers, kind)
        sample = self.pretty_return(state, after, numbers, size, nstreams)
        return sample if plain else sample * (high - low) + low

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
        dtype: Any = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Ones with chance `p`, else zeros; only for one trial."""
        if not _is_one(n):
            raise NotImplementedError("MRG_RandomStreams.binomial with n > 1")
        p = fixed_parameter(as_tensor_variable(p))
        if size is None:
            size = tuple(basic.shape_i(p, k) for k in range(p.ndim))
        return cast(self.uniform(size, ndim=ndim, nstreams=nstreams, **kwargs) < p, dtype)

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None,
        dtype: Any = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """How many of `n` trials end in each class, one row for each row of the matrix `pvals`."""
        if pvals is None:
            raise TypeError("You have to specify pvals")
        pvals = fixed_parameter(as_tensor_variable(pvals))
        if size is not None:
            raise ValueError("multinomial: leave size out, pvals say it")
        if ndim is not None:
            raise ValueError("multinomial: leave ndim out, pvals say it")
        if pvals.ndim != 2:
            raise NotImplementedError("multinomial is only implemented for pvals.ndim = 2")
        rows, trials = basic.shape_i(pvals, 0), as_tensor_variable(n)
        unit = self.uniform((rows * trials,), ndim=1, nstreams=nstreams, **kwargs)
        return cast(counts(pvals, unit, trials), dtype)

    def choice(
        self, size: Any = 1, a: Any = None, replace: bool = True, p: Any = None,
        ndim: int | None = None, dtype: Any = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """`size` different classes for each row of the chances `p`; only without `replace`."""
        if replace:
            raise NotImplementedError("MRG_RandomStreams.choice only works without replacement")
        if a is not None:
            raise TypeError("For now, a has to be None in MRG_RandomStreams.choice")
        if p is None:
            raise TypeError("For now, p has to be specified in MRG_RandomStreams.choice")
        p = fixed_parameter(as_tensor_variable(p))
        if ndim is not None:
            raise ValueError("ndim argument to MRG_RandomStreams.choice is not used")
        if p.ndim != 2:
            raise NotImplementedError("choice is only implemented for p.ndim = 2")
        rows = basic.shape_i(p, 0)
        count = int(T.get_scalar_constant_value(as_tensor_variable(size)))
        unit = self.uniform((rows * count,), ndim=1, nstreams=nstreams, **kwargs)
        return cast(distinct(p, unit, count), dtype)

    def multinomial_wo_replacement(
        self, size: Any = None, n: Any = 1, pvals: Any = None, ndim: int | None = None,
        dtype: Any = "int64", nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Deprecated: use `choice`."""
        warnings.warn(
            "MRG_RandomStreams.multinomial_wo_replacement() is deprecated: use choice()",
            DeprecationWarning,
            stacklevel=2,
        )
        if size is not None:
            raise ValueError("size in multinomial_wo_replacement() has to be None")
        return self.choice(n, None, False, pvals, ndim, dtype, nstreams, **kwargs)

    def normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: Any = None, nstreams: int | None = None, truncate: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Normal numbers, by the method of Box and Muller (1958).

        With `truncate` those further than two deviations from the mean are drawn again.
        """
        avg, std = as_tensor_variable(avg), as_tensor_variable(std)
        kind = _float_type(dtype, avg, std)
        avg, std = (fixed_parameter(cast(v, kind)) for v in (avg, std))
        _check_size(size)
        lengths = basic.lengths(size, ndim)
        count = _product(lengths)
        even = count + count % 2 * (count > 0)
        streams = MOST_STREAMS if nstreams is None else nstreams
        unit = self.uniform((even,), ndim=1, dtype=kind, nstreams=streams, **kwargs)
        half = even // 2
        radius = T.sqrt(-2.0 * T.log(unit[:half]))
        angle = constant(2.0 * np.pi, dtype=kind) * unit[half:]
        across, along = T.cos(angle), T.sin(angle)
        if truncate:
            flat = self._kept(radius, across, along, kind, streams, kwargs)
        else:
            flat = T.concatenate([radius * across, radius * along])
        shaped = T.reshape(flat[:count], lengths, ndim=len(lengths))
        return cast(shaped * std + avg, kind)

    def _kept(
        self, radius: Any, across: Any, along: Any, kind: str, streams: int, kwargs: Any
    ) -> Any:
        """Both halves, where what lies beyond 2 has another radius, which keeps it within.

        In each half what was kept comes first. Only as many numbers are drawn again as are needed.
        """
        flat, way = T.concatenate([radius * across, radius * along]), T.concatenate([across, along])
        wrong = T.or_(flat < -2.0, flat > 2.0)
        count = basic.shape_i(T.nonzero(wrong)[0], 0)
        lower = constant(1.0 / np.e**2, dtype=kind)
        again = self.uniform(
            (count,), low=lower, high=1.0, ndim=1, dtype=kind, nstreams=streams, **kwargs
        )
        radii = T.sqrt(-2.0 * T.log(again))
        # One more, which is there where nothing was wrong.
        spare = T.concatenate([radii, T.ones((1,), dtype=kind)])
        rank = T.switch(wrong, T.cumsum(cast(wrong, "int64")) - 1, count)
        fixed = T.switch(wrong, spare[rank] * way, flat)
        half = basic.shape_i(radius, 0)
        parts = [(fixed[:half], wrong[:half]), (fixed[half:], wrong[half:])]
        return T.concatenate([z[T.argsort(w, kind="stable")] for z, w in parts])

    def truncated_normal(
        self, size: Any, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: Any = None, nstreams: int | None = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Normal numbers within two deviations of their mean; `std` is what they have then."""
        std = as_tensor_variable(std) / constant(_KEPT_DEVIATION, dtype=_float_type(dtype))
        return self.normal(size, avg, std, ndim, dtype, nstreams, truncate=True, **kwargs)


def guess_n_streams(size: Any, warn: bool = False) -> int:
    """How many streams a variable of a size gets; of one that is not known, most, with a warning.

    >>> guess_n_streams((10, 10))
    16
    """
    count = MRG_RandomStreams().n_streams(size)
    if warn and count == MOST_STREAMS and not isinstance(size, (tuple, list)):
        text = f"MRG_RandomStreams Can't determine #streams from size ({size}), guessing {count}"
        warnings.warn(text, stacklevel=3)
    return count


def _float_type(dtype: Any, *operands: Any) -> str:
    if dtype is None:
        found = [np.dtype(config.floatX), *(v.type.numpy_dtype for v in operands)]
        return str(np.result_type(*found).name)
    if not dtype_name(dtype).startswith("float"):
        raise TypeError(f"these numbers are of a float dtype, not {dtype_name(dtype)}: cast them")
    return dtype_name(dtype)


def _unit(numbers: Any, dtype: str) -> Any:
    """Integers of the generator as numbers between 0 and 1, in the way of each dtype."""
    if dtype == "float16":
        return cast((cast(T.bitwise_and(numbers, 0x7FFF), "float32") + 1) * 3.0458e-05, dtype)
    if dtype == "float32":
        return cast(numbers, dtype) * constant(np.float32(4.6566126e-10))
    return cast(numbers, dtype) * constant(mrg31k3p.NORM, dtype=dtype)


def _only_target(kwargs: dict[str, Any]) -> None:
    """`target` says where Theano kept the numbers; there is one place here."""
    kwargs.pop("target", None)
    if kwargs:
        raise TypeError(f"unexpected keyword argument {next(iter(kwargs))!r}")


def _check_size(size: Any) -> None:
    if isinstance(size, tuple):
        for n in size:
            if not isinstance(n, (int, np.integer, Variable)):
                raise TypeError("size must be a tuple of int or Variable", size)
            if isinstance(n, (int, np.integer)) and n <= 0:
                raise ValueError("The specified size contains a dimension with value <= 0", size)
    elif not (isinstance(size, Variable) and size.type.ndim == 1):
        raise TypeError("size must be a tuple of int or a Theano Variable with 1 dimension", size)


def _is_one(n: Any) -> bool:
    return isinstance(n, (int, np.integer)) and n == 1


def _product(lengths: list[Any]) -> Any:
    if all(isinstance(n, Constant) for n in lengths):
        return int(np.prod([int(n.data) for n in lengths]))
    result: Any = 1
    for n in lengths:
        result = n * result
    return result


__all__ = ["MRG_RandomStreams"]
