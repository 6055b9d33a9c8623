"""``RandomStreams``: random variables whose generators are shared variables, as Theano's were."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng import words
from tracejit.symbolic.shared import SharedVariable, shared_constructor
from tracejit.tensor.random_variables import RandomVariables
from tracejit.tensor.raw_random import RandomStateType, random_state_type


class RandomStateSharedVariable(SharedVariable):
    """A generator that stays between calls: NumPy's ``RandomState`` (MT19937)."""

    def get_value(self, borrow: bool = False, return_internal_type: bool = False) -> Any:
        """The generator, as a ``numpy.random.RandomState`` of the caller's own.

        To seed or move it has no effect here until it is given back by `set_value`.
        """
        return words.to_random_state(self.container.value)


@shared_constructor
def random_state_constructor(
    value: Any, name: str | None = None, strict: bool = False, allow_downcast: bool | None = None,
    borrow: bool = False,
) -> RandomStateSharedVariable:  # fmt: skip
    """A shared generator of a ``numpy.random.RandomState``."""
    if not isinstance(value, np.random.RandomState):
        raise TypeError()
    return RandomStateSharedVariable(random_state_type, value, name)


class RandomStreams(RandomVariables):
    """A family of random streams: each random variable made here has a generator of its own.

    The numbers are those of NumPy's ``RandomState``, to the last bit; the seed of each variable is
    drawn from a generator seeded by `seed`. A function that is compiled from such a variable draws
    it once a call, and moves its generator, unless ``no_default_updates`` says otherwise. Functions
    that share a variable share its stream.

    >>> import tracejit
    >>> from tracejit.tensor.shared_randomstreams import RandomStreams
    >>> draw = tracejit.function([], RandomStreams(seed=123).uniform((1,)))
    >>> draw(), draw()
    (array([0.72803009]), array([0.59044123]))
    """

    def __init__(self, seed: int | None = None) -> None:
        self.state_updates: list[tuple[Any, Any]] = []
        self.default_instance_seed = seed
        self.gen_seedgen = np.random.RandomState(seed)

    def updates(self) -> list[tuple[Any, Any]]:
        """Pairs of a generator and its state after a draw, one for each variable."""
        return list(self.state_updates)

    def seed(self, seed: int | None = None) -> None:
        """Seed each variable's generator anew, from a generator seeded by `seed`.

        Without one by the seed that this object was made with. Later variables go on in its own
        sequence of seeds.
        """
        source = np.random.RandomState(self.default_instance_seed if seed is None else seed)
        for generator, _ in self.state_updates:
            one = int(source.randint(2**30))
            generator.set_value(np.random.RandomState(one), borrow=True)

    def __getitem__(self, item: Any) -> np.random.RandomState:
        """The generator behind a variable's ``rng``. KeyError for another object's."""
        for generator, _ in self.state_updates:
            if item is generator:
                state: np.random.RandomState = generator.get_value(borrow=True)
                return state
        raise KeyError(item)

    def __setitem__(self, item: Any, value: Any) -> None:
        if not isinstance(item, SharedVariable):
            raise TypeError(item)
        for generator, _ in self.state_updates:
            if item is generator:
                generator.set_value(value, borrow=True)
                return
        raise KeyError(item)

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """The variable that ``op(generator, *args)`` draws, from a new generator."""
        seed = int(self.gen_seedgen.randint(2**30))
        generator = RandomStateSharedVariable(random_state_type, np.random.RandomState(seed))
        generator.tag.is_rng = True
        after, out = op(generator, *args, **kwargs)
        out.rng, out.update = generator, (generator, after)
        self.state_updates.append(out.update)
        generator.default_update = after
        return out


__all__ = ["RandomStateSharedVariable", "RandomStateType", "RandomStreams"]
