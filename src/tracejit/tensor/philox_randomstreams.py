"""``PhiloxRandomStreams``: random variables that are computed where they are used.

Element i of a draw is a function of the variable's key, the number of the draw, and i. So a draw
fuses into the loop that reads it, needs no memory, and has the same numbers in any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng import philox
from tracejit.symbolic.shared import TensorSharedVariable
from tracejit.symbolic.type import TensorType
from tracejit.tensor.random_variables import RandomVariables


class PhiloxStateType(TensorType):
    """The type of a variable's state: its key, and the number of its next draw."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("uint64", (False,))

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """`value` as two words of 64 bits. TypeError for anything else."""
        state = super().filter(value, strict, allow_downcast)
        if state.shape != (2,):
            raise TypeError(f"a state of Philox is a key and a number, not {state.shape} words")
        return state

    def __reduce__(self) -> Any:
        return PhiloxStateType, ()


class PhiloxRandomStreams(RandomVariables):
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
        return np.array([philox.bits(self._seed, 2**64 - 1, number)[0], 0], np.uint64)

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """The variable that ``op(state, *args)`` draws, from a new state."""
        state = TensorSharedVariable(PhiloxStateType(), self._start(len(self.state_updates)))
        state.tag.is_rng = True
        after, out = op(state, *args, **kwargs)
        out.rng, out.update = state, (state, after)
        self.state_updates.append(out.update)
        state.default_update = after
        return out


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


__all__ = ["CURAND_RandomStreams", "PhiloxRandomStreams"]
