"""What programs do with boolean masks, as cases: a name, a function, its inputs at a size.

A mask matters by where it is true: at random, seldom, nowhere, almost everywhere, in runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """`function` of what `inputs` gives for so many elements."""

    name: str
    function: Callable[..., Any]
    inputs: Callable[[int], tuple[Any, ...]]


DTYPES = ("float64", "float32", "int64", "complex128")
#: Elements of a row, where masks take rows.
ROW = 10


def _runs(rng: np.random.Generator, n: int) -> np.ndarray:
    lengths = rng.integers(20, 200, n // 20 + 2)
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)[:n]


#: Masks of so many elements, by what they are like.
MASKS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "random": lambda rng, n: rng.random(n) < 0.5,
    "sparse": lambda rng, n: rng.random(n) < 0.01,
    "empty": lambda rng, n: np.zeros(n, bool),
    "full": lambda rng, n: rng.random(n) < 0.99,
    "runs": _runs,
}


def numbers(rng: np.random.Generator, n: int, dtype: str) -> np.ndarray:
    """Normally distributed numbers, as a dtype."""
    x = rng.standard_normal(n) * 10
    return (x + 1j * rng.standard_normal(n) if dtype.startswith("c") else x).astype(dtype)


def _flat(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    def inputs(n: int) -> tuple[Any, ...]:
        rng = np.random.default_rng(0)
        return numbers(rng, n, dtype), MASKS[mask](rng, n)

    return inputs


def _values(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    def inputs(n: int) -> tuple[Any, ...]:
        x, m = _flat(mask, dtype)(n)
        return x, m, numbers(np.random.default_rng(1), int(m.sum()), dtype)

    return inputs


def _square(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    def inputs(n: int) -> tuple[Any, ...]:
        x, m = _flat(mask, dtype)(n // ROW * ROW)
        return x.reshape(-1, ROW), m.reshape(-1, ROW)

    return inputs


def _rows(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    def inputs(n: int) -> tuple[Any, ...]:
        rng = np.random.default_rng(0)
        x = numbers(rng, n // ROW * ROW, dtype).reshape(-1, ROW)
        return x, MASKS[mask](rng, len(x))

    return inputs


def _compared(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    """Numbers that are positive where a mask is true."""

    def inputs(n: int) -> tuple[Any, ...]:
        x, m = _flat(mask, dtype)(n)
        x = np.abs(x) + 1
        return (np.where(m, x, -x).astype(dtype),)

    return inputs


def _only_mask(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    return lambda n: _flat(mask, dtype)(n)[1:]


def _only_square(mask: str, dtype: str) -> Callable[[int], tuple[Any, ...]]:
    return lambda n: _square(mask, dtype)(n)[1:]


def set_number(x: Any, m: Any) -> Any:
    """``z[m] = 2``."""
    z = x.copy()
    z[m] = 2
    return z


def set_values(x: Any, m: Any, v: Any) -> Any:
    """``z[m] = v``."""
    z = x.copy()
    z[m] = v
    return z


def doubled(x: Any, m: Any) -> Any:
    """``z[m] *= 2``."""
    z = x.copy()
    z[m] *= 2
    return z


def added(x: Any, m: Any) -> Any:
    """``z[m] += x[m]``."""
    z = x.copy()
    z[m] += x[m]
    return z


def placed(x: Any, m: Any, v: Any) -> Any:
    """``np.place(z, m, v)``."""
    z = x.copy()
    np.place(z, m, v)
    return z


def put_by_mask(x: Any, m: Any) -> Any:
    """``np.putmask(z, m, x)``."""
    z = x + x
    np.putmask(z, m, x)
    return z


#: Functions of an array and a mask, by how they are written; where their operands come from.
FUNCTIONS: list[tuple[str, Callable[..., Any], Callable[..., Any]]] = [
    ("x[m]", lambda x, m: x[m], _flat),
    ("x[m].sum()", lambda x, m: x[m].sum(), _flat),
    ("x[m] + 1", lambda x, m: x[m] + 1, _flat),
    ("x[x > 0]", lambda x: x[x > 0], _compared),
    ("x[x > 0].sum()", lambda x: x[x > 0].sum(), _compared),
    ("np.compress(m, x)", lambda x, m: np.compress(m, x), _flat),
    ("np.extract(m, x)", lambda x, m: np.extract(m, x), _flat),
    ("x[M]", lambda x, m: x[m], _square),
    ("x[rows]", lambda x, m: x[m], _rows),
    ("x[m] = 2", set_number, _flat),
    ("x[m] = v", set_values, _values),
    ("x[m] *= 2", doubled, _flat),
    ("x[m] += x[m]", added, _flat),
    ("x[M] = 2", set_number, _square),
    ("x[M] *= 2", doubled, _square),
    ("x[rows] *= 2", doubled, _rows),
    ("np.place(x, m, v)", placed, _values),
    ("np.putmask(x, m, x)", put_by_mask, _flat),
]
#: Functions of a mask alone.
SEARCHES: list[tuple[str, Callable[..., Any], Callable[..., Any]]] = [
    ("np.nonzero(m)", lambda m: np.nonzero(m), _only_mask),
    ("np.flatnonzero(m)", lambda m: np.flatnonzero(m), _only_mask),
    ("np.where(m)", lambda m: np.where(m), _only_mask),
    ("np.argwhere(m)", lambda m: np.argwhere(m), _only_mask),
    ("np.count_nonzero(m)", lambda m: np.count_nonzero(m), _only_mask),
    ("np.nonzero(M)", lambda m: np.nonzero(m), _only_square),
    ("np.argwhere(M)", lambda m: np.argwhere(m), _only_square),
]

CASES: list[Case] = [
    Case(f"{name}, {mask}, {dtype}", function, inputs(mask, dtype))
    for name, function, inputs in FUNCTIONS
    for mask in MASKS
    for dtype in DTYPES
] + [
    Case(f"{name}, {mask}", function, inputs(mask, "float64"))
    for name, function, inputs in SEARCHES
    for mask in MASKS
]
