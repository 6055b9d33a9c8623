"""The combined multiple recursive generator MRG31k3p, with streams by jumping ahead.

Pierre L'Ecuyer and Renée Touzin, *Fast combined multiple recursive generators with multipliers of
the form a = ±2^q ± 2^r*, Proceedings of the 2000 Winter Simulation Conference. Streams, substreams
and numbers are those of Theano's ``MRG_RandomStreams``.

A state is an array (streams, 6) of int32: the last three numbers of each of two recurrences, the
newest first. Element i of a result comes from stream i modulo their number.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

M1, M2 = 2**31 - 1, 2147462579
NORM = 4.656612873077392578125e-10  # 2**-31
#: Streams that threads do not part: the numbers of each stand next to the others' in memory.
GROUP = 64
#: Newest first: what a step makes of the last three numbers.
_FIRST = ((0, 2**22, 2**7 + 1), (1, 0, 0), (0, 1, 0))
_SECOND = ((2**15, 0, 2**15 + 1), (1, 0, 0), (0, 1, 0))
#: How far the streams of one variable, and the variables, are apart: powers of 2.
SUBSTREAM, VARIABLE = 72, 134

Matrix = tuple[tuple[int, ...], ...]


def _product(a: Matrix, b: Matrix, m: int) -> Matrix:
    columns = list(zip(*b, strict=True))
    return tuple(
        tuple(sum(x * y for x, y in zip(row, c, strict=True)) % m for c in columns) for row in a
    )


@cache
def _jump(power: int) -> tuple[Matrix, Matrix]:
    """The matrices of ``2**power`` steps."""
    if power == 0:
        return _FIRST, _SECOND
    a, b = _jump(power - 1)
    return _product(a, a, M1), _product(b, b, M2)


def jumped(states: np.ndarray, power: int) -> np.ndarray:
    """States (…, 6) after ``2**power`` steps each."""
    parts = []
    halves = states[..., :3], states[..., 3:]
    for matrix, m, half in zip(_jump(power), (M1, M2), halves, strict=True):
        x = half.astype(np.uint64)
        rows = [
            sum((np.uint64(a) * x[..., k] % np.uint64(m) for k, a in enumerate(row)), np.uint64(0))
            for row in matrix
        ]
        parts += [row % np.uint64(m) for row in rows]
    return np.stack(parts, axis=-1).astype(np.int32)


def substreams(first: np.ndarray, count: int) -> np.ndarray:
    """The states (count, 6) of so many streams, each ``2**72`` steps after the one before."""
    states = np.asarray(first, np.int32)[None]
    power = SUBSTREAM
    while len(states) < count:  # twice as many each time: jumps are the same for all of them
        states = np.concatenate([states, jumped(states, power)])
        power += 1
    return np.ascontiguousarray(states[:count])


def draw(states: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Integers (count,) from 1 to M1 inclusive, and the states after them."""
    x = states.astype(np.int64)
    out = np.empty(count, np.int32)
    for start in range(0, count, len(states)):
        used = min(len(states), count - start)
        s = x[:used]
        first = (s[:, 1] * 2**22 + s[:, 2] * (2**7 + 1)) % M1
        second = (s[:, 3] * 2**15 + s[:, 5] * (2**15 + 1)) % M2
        s[:, 1:3], s[:, 4:6] = s[:, 0:2].copy(), s[:, 3:5].copy()
        s[:, 0], s[:, 3] = first, second
        out[start : start + used] = np.where(first <= second, first - second + M1, first - second)
    return out, x.astype(np.int32)


def check_seed(seed: Any) -> np.ndarray:
    """A state (6,) of an int, which stands for six of them, or of six ints.

    ValueError for zeros and for numbers that are too large, TypeError for anything else.
    """
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        if seed == 0:
            raise ValueError("seed should not be 0", seed)
        if not 0 < seed < M2:
            raise ValueError(f"seed should be less than {M2}", seed)
        return np.full(6, seed, np.int32)
    if not isinstance(seed, (list, tuple, np.ndarray)) or len(seed) != 6:
        raise TypeError("seed should be 1 integer or 6 integers")
    numbers = np.array([[int(v) for v in seed]], object)
    check_states(numbers)
    state: np.ndarray = numbers[0].astype(np.int32)
    return state


def check_states(states: np.ndarray) -> None:
    """ValueError unless each row (6,) is a state of the generator."""
    for part, m, which in ((states[:, :3], M1, "first"), (states[:, 3:], M2, "last")):
        zero = ~(part != 0).any(axis=1)
        if zero.any():
            bad = states[zero.argmax()].tolist()
            raise ValueError(f"The {which} 3 values of seed should not be all 0", bad)
        large = ((part < 0) | (part >= m)).any(axis=1)
        if large.any():
            bad = states[large.argmax()].tolist()
            raise ValueError(f"The {which} 3 values of seed should be less than {m}", bad)
