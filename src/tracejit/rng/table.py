"""The distributions: what each draws, and from which parameters. One row each.

A generator lists the rows that it has; `reference` says how NumPy's ``RandomState`` draws them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: What a row gives: a number an element of the result, a row of numbers for each index of all axes
#: but the last, or numbers that depend on each other.
ELEMENT, ROW, WHOLE = "element", "row", "whole"


@dataclass(frozen=True)
class Distribution:
    """A row: kinds of parameters and result ("f" float64, "i" int64, "w" int32, "F" chances).

    `reference` draws `shape` numbers from a ``RandomState``.
    """

    name: str
    parameters: str
    result: str
    form: str = ELEMENT
    generator: str = "mt19937"
    reference: Callable[..., Any] | None = None

    def pairs(self, parameters: Sequence[Any]) -> Iterator[tuple[Any, str]]:
        """Parameters and their kinds."""
        return zip(parameters, self.parameters, strict=True)

    def shapes(self, parameters: Sequence[Any]) -> list[Any]:
        """Of each parameter, the axes that the result's broadcast with."""
        return [p.shape[:-1] if k == "F" else p.shape for p, k in self.pairs(parameters)]

    def draw(self, state: np.random.RandomState, shape: tuple[int, ...], *parameters: Any) -> Any:
        """Numbers from NumPy's own generator."""
        if self.reference is not None:
            return self.reference(state, shape, *parameters)
        return getattr(state, self.name)(*parameters, size=shape)


def _permutations(state: np.random.RandomState, shape: tuple[int, ...], n: Any) -> Any:
    rows = [state.permutation(int(n)) for _ in range(int(np.prod(shape[:-1])))]
    return np.array(rows, np.int64).reshape(shape)


def _multinomials(state: np.random.RandomState, shape: tuple[int, ...], n: Any, p: Any) -> Any:
    counts = np.broadcast_to(n, shape[:-1])
    chances = np.broadcast_to(p, shape)
    found = np.empty(shape, np.int64)
    for index in np.ndindex(*shape[:-1]):
        found[index] = state.multinomial(int(counts[index]), chances[index])
    return found


def _integers(state: np.random.RandomState, shape: tuple[int, ...], low: Any, high: Any) -> Any:
    return state.randint(low, np.asarray(high) + 1, size=shape, dtype=np.int64)


def _choice(replace: bool, weighed: bool) -> Callable[..., Any]:
    def draw(state: np.random.RandomState, shape: tuple[int, ...], n: Any, *p: Any) -> Any:
        return state.choice(int(n), size=shape, replace=replace, p=p[0] if weighed else None)

    return draw


DISTRIBUTIONS: dict[str, Distribution] = {
    row.name: row
    for row in (
        Distribution("random_sample", "", "f"),
        Distribution("uniform", "ff", "f"),
        Distribution("standard_normal", "", "f"),
        Distribution("normal", "ff", "f"),
        Distribution("lognormal", "ff", "f"),
        Distribution("exponential", "f", "f"),
        Distribution("gamma", "ff", "f"),
        Distribution("beta", "ff", "f"),
        Distribution("standard_t", "f", "f"),
        Distribution("weibull", "f", "f"),
        Distribution("gumbel", "ff", "f"),
        Distribution("laplace", "ff", "f"),
        Distribution("logistic", "ff", "f"),
        Distribution("poisson", "f", "i"),
        Distribution("binomial", "if", "i"),
        Distribution("negative_binomial", "ff", "i"),
        Distribution("geometric", "f", "i"),
        Distribution("randint", "ii", "i"),
        Distribution("random_integers", "ii", "i", reference=_integers),
        Distribution("permutation", "i", "i", ROW, reference=_permutations),
        Distribution("multinomial", "iF", "i", ROW, reference=_multinomials),
        Distribution("mrg31k3p", "", "w", generator="mrg31k3p"),
        Distribution("choice", "i", "i", WHOLE, reference=_choice(True, False)),
        Distribution("choice_weighed", "iF", "i", WHOLE, reference=_choice(True, True)),
        Distribution("choice_distinct", "i", "i", WHOLE, reference=_choice(False, False)),
        Distribution("choice_distinct_weighed", "iF", "i", WHOLE, reference=_choice(False, True)),
    )
}
