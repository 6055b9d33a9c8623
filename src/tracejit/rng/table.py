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


#: The dtypes of kinds of parameters and results.
KINDS: dict[str, np.dtype[Any]] = {
    "f": np.dtype(np.float64),
    "F": np.dtype(np.float64),
    "i": np.dtype(np.int64),
    "w": np.dtype(np.int32),
}


@dataclass(frozen=True)
class Distribution:
    """A row: kinds of parameters and result ("f" float64, "i" int64, "w" int32, "F" chances).

    `domain` tests the parameters, of any kind of number or array; NumPy has the word on those that
    it refuses. `reference` draws `shape` numbers from a ``RandomState``.
    """

    name: str
    parameters: str
    result: str
    domain: str | None = None
    form: str = ELEMENT
    generator: str = "mt19937"
    reference: Callable[..., Any] | None = None

    def refuse(self, *parameters: Any) -> None:
        """Raise NumPy's error where parameters are outside of the domain."""
        if self.domain is not None and not np.all(eval(f"lambda {self.domain}")(*parameters)):
            shape = np.broadcast_shapes(*map(np.shape, parameters))
            given = [np.asarray(p, KINDS[k])[()] for p, k in self.pairs(parameters)]
            self.draw(np.random.RandomState(0), shape, *given)
            raise ValueError(f"{self.name}: a parameter is not in the distribution's domain")

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
    found = np.empty(shape, np.int64)
    for index in np.ndindex(*shape[:-1]):
        found[index] = state.permutation(int(n))
    return found


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


_PCG64 = "random", "normal", "exponential"
DISTRIBUTIONS: dict[str, Distribution] = {
    row.name: row
    for row in (
        Distribution("random_sample", "", "f"),
        Distribution("uniform", "ff", "f", "a, b: abs(b - a) < 1e400"),
        Distribution("standard_normal", "", "f"),
        Distribution("normal", "ff", "f", "a, b: b >= 0"),
        Distribution("lognormal", "ff", "f", "a, b: b >= 0"),
        Distribution("exponential", "f", "f", "a: a >= 0"),
        Distribution("gamma", "ff", "f", "a, b: (a >= 0) & (b >= 0)"),
        Distribution("beta", "ff", "f", "a, b: (a > 0) & (b > 0)"),
        Distribution("standard_t", "f", "f", "a: a > 0"),
        Distribution("weibull", "f", "f", "a: a >= 0"),
        Distribution("gumbel", "ff", "f", "a, b: b >= 0"),
        Distribution("laplace", "ff", "f", "a, b: b >= 0"),
        Distribution("logistic", "ff", "f", "a, b: b >= 0"),
        Distribution("poisson", "f", "i", "a: (a >= 0) & (a <= 9.2e18)"),
        Distribution("binomial", "if", "i", "a, b: (a >= 0) & (b >= 0) & (b <= 1)"),
        Distribution("negative_binomial", "ff", "i", "a, b: (a > 0) & (b > 0) & (b <= 1)"),
        Distribution("geometric", "f", "i", "a: (a > 0) & (a <= 1)"),
        Distribution("randint", "ii", "i", "a, b: a < b"),
        Distribution("random_integers", "ii", "i", "a, b: a <= b", reference=_integers),
        Distribution("permutation", "i", "i", form=ROW, reference=_permutations),
        Distribution("multinomial", "iF", "i", form=ROW, reference=_multinomials),
        *(Distribution(f"pcg64_{n}", "", "f", generator="pcg64") for n in _PCG64),
        Distribution("pcg64_integers", "ii", "i", "a, b: a <= b", generator="pcg64"),
        Distribution("mrg31k3p", "", "w", generator="mrg31k3p"),
        Distribution("mrg31k3p_unit", "", "f", generator="mrg31k3p"),
        Distribution("choice", "i", "i", form=WHOLE, reference=_choice(True, False)),
        Distribution("choice_weighed", "iF", "i", form=WHOLE, reference=_choice(True, True)),
        Distribution("choice_distinct", "i", "i", form=WHOLE, reference=_choice(False, False)),
        Distribution(
            "choice_distinct_weighed", "iF", "i", form=WHOLE, reference=_choice(False, True)
        ),
    )
}

#: Distributions whose numbers Philox makes by rejection, from as many words as it takes.
SAMPLED = "gamma beta standard_t poisson binomial negative_binomial randint random_integers".split()
