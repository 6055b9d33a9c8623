"""The order of sums: partial results that each loop has alike, whatever is computed in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sums

import tracejit

LENGTHS = (1, 3, 15, 16, 17, 31, 33, 100, 511, 512, 513, 529, 1000, 8192, 8193, 20_000)
#: What is summed, and whether it calls elementary functions.
VALUES: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "plain": (lambda x: x + 1, False),
    "strided": (lambda x: x[::-1] - 1, False),
    "one function": (lambda x: np.exp(x), True),
    "several": (lambda x: np.exp(x) + np.log1p(x * x) + np.tanh(x), True),
    "far arguments": (lambda x: np.sin(1e9 * x), True),
    "many": (lambda x: sum((np.exp(x + k) for k in range(9)), x), True),
    "a choice": (lambda x: np.where(x > 0, x, 2 * x + 1), False),
    "a division of integers": (lambda x: x + np.arange(len(x)) // 3, False),
    "what may raise": (lambda x: x[np.arange(len(x)) % len(x)] + 1, False),
}


def numbers(dtype: str, n: int) -> np.ndarray:
    rng = np.random.default_rng(n)
    return (rng.normal(size=n) * rng.choice([1, 4, 1e-3], n)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", VALUES)
def test_sums_of_vectors(name: str, dtype: str) -> None:
    values, functions = VALUES[name]

    @tracejit.function(on_unsupported="error")
    def total(x: Any) -> Any:
        return values(x).sum()

    each = tracejit.function(values, on_unsupported="error")
    for n in LENGTHS:
        x = numbers(dtype, n)
        terms = np.asarray(each(x))
        if terms.dtype != np.dtype(dtype):  # float32 with int64
            continue
        assert total(x) == sums.whole(terms, functions), n


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("functions", [False, True])
@pytest.mark.parametrize("length", [1, 3, 17, 100, 512, 700])
def test_sums_of_rows(length: int, functions: bool, dtype: str) -> None:
    def values(x: Any) -> Any:
        return np.exp(x) if functions else x + 1

    x = numbers(dtype, 37 * length).reshape(37, length)
    terms = tracejit.function(values)(x)
    got = tracejit.function(lambda x: values(x).sum(1), on_unsupported="error")(x)
    for one, row in zip(got, terms, strict=True):
        assert one == sums.row(row, functions)


def test_several_sums_in_a_loop() -> None:
    """What else a loop adds up, finds and stores does not matter."""

    @tracejit.function(on_unsupported="error")
    def several(x: Any) -> Any:
        y = x + 1
        return y.sum(), (y + 2).sum(), y.max(), (y > 0).sum(), y.min(), (y - x).sum(), y

    for n in LENGTHS:
        x = numbers("float64", n)
        first, second, *_ = several(x)
        y = x + 1
        assert first == sums.whole(y, False) and second == sums.whole(y + 2, False)


def test_chunks_of_very_many() -> None:
    """There are no more than 1024 chunks, which are longer then."""
    x = numbers("float32", 9_000_000)
    total = tracejit.function(lambda x: x.sum(), on_unsupported="error")
    assert total(x) == sums.whole(x, False)


def by_blocks(x: np.ndarray, count: int, op: np.ufunc, start: Any) -> Any:
    """A product, or a complex sum: blocks go on with what those before have given."""
    total = start
    for k in range(0, len(x), sums.BLOCK):
        part = x[k : k + sums.BLOCK]
        whole = len(part) // count * count
        rounds = part[:whole].reshape(-1, count)
        if whole:
            partial = op.reduce(np.concatenate([[[total, *[op.identity] * (count - 1)]], rounds]))
            while len(partial) > 1:
                partial = op(partial[: len(partial) // 2], partial[len(partial) // 2 :])
            total = partial[0]
        for v in part[whole:]:
            total = op(total, v)
    return total


def test_products_and_complex_sums() -> None:
    product = tracejit.function(lambda x: x.prod(), on_unsupported="error")
    total = tracejit.function(lambda x: (x + 1).sum(), on_unsupported="error")
    for n in (n for n in LENGTHS if n <= sums.CHUNK):
        x = 1 + numbers("float64", n) / 100
        assert product(x) == by_blocks(x, 16, np.multiply, 1.0), n
        z = x + 1j * x[::-1]
        assert total(z) == by_blocks(z + 1, 16, np.add, 0j), n
