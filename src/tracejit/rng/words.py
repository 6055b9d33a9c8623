"""A ``RandomState`` as an array of words, and back; draws of the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng import mrg31k3p
from tracejit.rng.table import DISTRIBUTIONS

#: As in `mt19937`, which is only imported to compile.
SIZE = 628


def to_words(state: np.random.RandomState) -> np.ndarray:
    """The state as 628 uint32."""
    kind, key, position, waits, waiting = state.get_state(legacy=True)
    if kind != "MT19937":
        raise TypeError(f"a RandomState over MT19937 is needed, not over {kind}")
    words = np.empty(SIZE, np.uint32)
    words[:624], words[624], words[625] = key, position, waits
    words[626:].view(np.float64)[0] = waiting
    return words


def to_random_state(words: np.ndarray) -> np.random.RandomState:
    """A new ``RandomState`` in the state that `words` hold."""
    state = np.random.RandomState(np.random.MT19937(0))
    waiting = float(np.ascontiguousarray(words[626:]).view(np.float64)[0])
    state.set_state(("MT19937", words[:624], int(words[624]), int(words[625]), waiting))
    return state


def draw(name: str, words: np.ndarray, shape: tuple[int, ...], *parameters: Any) -> Any:
    """Numbers of a distribution, and the state after them."""
    if DISTRIBUTIONS[name].generator == "mrg31k3p":
        numbers, after = mrg31k3p.draw(words, int(np.prod(shape)))
        return numbers.reshape(shape), after
    state = to_random_state(words)
    values = DISTRIBUTIONS[name].draw(state, shape, *parameters)
    return np.asarray(values), to_words(state)
