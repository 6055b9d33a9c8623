"""A ``RandomState`` as an array of words, and back; draws of the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.rng import mrg31k3p
from tracejit.rng.table import DISTRIBUTIONS, KINDS

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


def from_generator(generator: np.random.Generator) -> np.ndarray:
    """The state of a ``Generator`` over PCG64 as 6 int64."""
    state: Any = generator.bit_generator.state
    numbers, low = state["state"], (1 << 64) - 1
    parts = [n >> s & low for n in (numbers["state"], numbers["inc"]) for s in (64, 0)]
    return np.array([*parts, state["has_uint32"], state["uinteger"]], np.uint64).view(np.int64)


def put_into_generator(generator: np.random.Generator, words: np.ndarray) -> None:
    """Let a ``Generator`` over PCG64 have the state that `words` hold."""
    a, b, c, d, waits, waiting = map(int, words.view(np.uint64))
    generator.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": a << 64 | b, "inc": c << 64 | d},
        "has_uint32": waits,
        "uinteger": waiting,
    }


def to_generator(words: np.ndarray) -> np.random.Generator:
    """A new ``Generator`` in the state that `words` hold."""
    generator = np.random.Generator(np.random.PCG64(0))
    put_into_generator(generator, words)
    return generator


def put_into_random_state(state: np.random.RandomState, words: np.ndarray) -> None:
    """Let a ``RandomState`` have the state that `words` hold."""
    state.set_state(to_random_state(words).get_state(legacy=True))


#: What a ``Generator`` draws, by the names of distributions.
_OF_GENERATOR: dict[str, Any] = {
    "pcg64_random": lambda g, shape: g.random(shape),
    "pcg64_normal": lambda g, shape: g.standard_normal(shape),
    "pcg64_exponential": lambda g, shape: g.standard_exponential(shape),
    "pcg64_integers": lambda g, shape, a, b: g.integers(a, b, shape, endpoint=True),
}


def draw(name: str, words: np.ndarray, shape: tuple[int, ...], *parameters: Any) -> Any:
    """Numbers of a distribution, and the state after them."""
    if DISTRIBUTIONS[name].generator == "mrg31k3p":
        size = np.empty(shape, np.bool_).size  # which raises for a negative length
        numbers, after = mrg31k3p.draw(words, size)
        unit = name == "mrg31k3p_unit"
        return (numbers * mrg31k3p.NORM if unit else numbers).reshape(shape), after
    if words.dtype == np.int64:
        generator = to_generator(words)
        values = _OF_GENERATOR[name](generator, shape, *parameters)
        return np.asarray(values), from_generator(generator)
    if words.dtype == np.uint64:
        return _draw_compiled(name, words, shape, parameters)
    state = to_random_state(words)
    values = DISTRIBUTIONS[name].draw(state, shape, *parameters)
    return np.asarray(values), to_words(state)


def _draw_compiled(name: str, state: np.ndarray, shape: Any, parameters: Any) -> Any:
    """Numbers of Philox, whose samplers exist only as compiled code."""
    from tracejit.rng.fill import draw

    row = DISTRIBUTIONS[name]
    out, new = np.empty(shape, KINDS[row.result]), np.empty_like(state)
    given = [np.ascontiguousarray(p).reshape(-1) if np.ndim(p) else p[()] for p in parameters]
    if draw(name)(state, new, out.reshape(-1), shape[-1] if shape else 1, *given):
        row.draw(np.random.RandomState(0), shape, *parameters)
        raise ValueError(f"{name}: a parameter is not in the distribution's domain")
    return out, new
