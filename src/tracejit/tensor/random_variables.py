"""The distributions that a family of random variables has, whatever its generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.symbolic.graph import Variable
from tracejit.symbolic.type import dtype_name
from tracejit.tensor import basic, raw_random
from tracejit.tensor.creation import arange
from tracejit.tensor.traced_streams import DrawsInTraces


class RandomVariables(DrawsInTraces):
    """Distributions, by the names of Theano and NumPy; `gen` gives each variable its generator.

    `size` is a tuple of ints and symbolic integers, a symbolic vector of them (with `ndim`), or
    None for the shape of the parameters, which may be numbers, arrays or symbolic.
    """

    def gen(self, op: Any, *args: Any, **kwargs: Any) -> Any:
        """The variable that ``op(generator, *args)`` draws, from a new generator."""
        raise NotImplementedError

    def uniform(
        self, size: Any = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Numbers from `low` up to but not including `high`."""
        return self.gen(raw_random.uniform, size, low, high, ndim=ndim, dtype=dtype)

    def normal(
        self, size: Any = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Normal numbers of mean `avg` and deviation `std`."""
        return self.gen(raw_random.normal, size, avg, std, ndim=ndim, dtype=dtype)

    def binomial(
        self, size: Any = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None,
        dtype: Any = "int64", prob: Any = None,
    ) -> Any:  # fmt: skip
        """How many of `n` trials of chance `p` succeed."""
        return self.gen(raw_random.binomial, size, n, p, ndim=ndim, dtype=dtype, prob=prob)

    def random_integers(
        self, size: Any = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """Integers from `low` to `high`, both included."""
        return self.gen(raw_random.random_integers, size, low, high, ndim=ndim, dtype=dtype)

    def choice(
        self, size: Any = None, a: Any = 2, replace: bool = True, p: Any = None,
        ndim: int | None = None, dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Elements of `a`, or of 0 … `a` - 1, with chances `p`; without `replace` none twice.

        They are int64, unless the elements of `a` are no integers.
        """
        return self.gen(raw_random.choice, size, a, replace, p, ndim=ndim, dtype=dtype)

    def poisson(
        self, size: Any = None, lam: Any = None, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """Poisson numbers of mean `lam`."""
        return self.gen(raw_random.poisson, size, lam, ndim=ndim, dtype=dtype)

    def permutation(
        self, size: Any = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """A permutation of 0 … `n` - 1 along a last axis, one for each index of `size`."""
        return self.gen(raw_random.permutation, size, n, ndim=ndim, dtype=dtype)

    def multinomial(
        self, size: Any = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """How many of `n` trials end in each class of chances `pvals`, along a last axis."""
        return self.gen(raw_random.multinomial, size, n, pvals, ndim=ndim, dtype=dtype)

    def shuffle_row_elements(self, input: Any) -> Any:
        """`input` with the elements of its last axis shuffled; ``.permutation`` says how."""
        x = as_tensor_variable(input)
        lead = tuple(basic.shape_i(x, k) for k in range(x.ndim - 1))
        order = self.permutation(lead, basic.shape_i(x, x.ndim - 1), ndim=x.ndim - 1)
        shuffled = x[(*_positions(x), order)]
        shuffled.permutation = order
        return shuffled

    # Beyond Theano's ------------------------------------------------------------------------------

    def _draw(self, name: str, size: Any, parameters: Any, ndim: Any, dtype: Any) -> Any:
        return self.gen(
            lambda generator: raw_random.draw(name, generator, size, parameters, ndim, dtype)
        )

    def random_sample(self, size: Any = None, ndim: int | None = None, dtype: Any = None) -> Any:
        """Numbers from 0 up to but not including 1."""
        return self._draw("random_sample", () if size is None else size, (), ndim, dtype)

    def standard_normal(self, size: Any = None, ndim: int | None = None, dtype: Any = None) -> Any:
        """Normal numbers of mean 0 and deviation 1."""
        return self._draw("standard_normal", () if size is None else size, (), ndim, dtype)

    def exponential(
        self, size: Any = None, scale: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Exponential numbers of mean `scale`."""
        return self._draw("exponential", size, (scale,), ndim, dtype)

    def gamma(
        self, size: Any = None, shape: Any = 1.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Gamma numbers of mean ``shape * scale``."""
        return self._draw("gamma", size, (shape, scale), ndim, dtype)

    def beta(
        self, size: Any = None, a: Any = 1.0, b: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Beta numbers of mean ``a / (a + b)``."""
        return self._draw("beta", size, (a, b), ndim, dtype)

    def gumbel(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Gumbel numbers of mode `loc`."""
        return self._draw("gumbel", size, (loc, scale), ndim, dtype)

    def laplace(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Laplace numbers of mean `loc`."""
        return self._draw("laplace", size, (loc, scale), ndim, dtype)

    def logistic(
        self, size: Any = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Logistic numbers of mean `loc`."""
        return self._draw("logistic", size, (loc, scale), ndim, dtype)

    def lognormal(
        self, size: Any = None, mean: Any = 0.0, sigma: Any = 1.0, ndim: int | None = None,
        dtype: Any = None,
    ) -> Any:  # fmt: skip
        """Exponentials of normal numbers of mean `mean` and deviation `sigma`."""
        return self._draw("lognormal", size, (mean, sigma), ndim, dtype)

    def geometric(
        self, size: Any = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64"
    ) -> Any:
        """How many trials of chance `p` it takes to the first success."""
        return self._draw("geometric", size, (p,), ndim, dtype)

    def negative_binomial(
        self, size: Any = None, n: Any = 1.0, p: Any = 0.5, ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """How many trials of chance `p` fail before `n` succeed."""
        return self._draw("negative_binomial", size, (n, p), ndim, dtype)

    def standard_t(
        self, size: Any = None, df: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Numbers of Student's distribution with `df` degrees of freedom."""
        return self._draw("standard_t", size, (df,), ndim, dtype)

    def weibull(
        self, size: Any = None, a: Any = 1.0, ndim: int | None = None, dtype: Any = None
    ) -> Any:
        """Weibull numbers of shape `a`."""
        return self._draw("weibull", size, (a,), ndim, dtype)

    def randint(
        self, size: Any = None, low: Any = 0, high: Any = None, ndim: int | None = None,
        dtype: Any = "int64",
    ) -> Any:  # fmt: skip
        """Integers from `low` up to but not including `high`; from 0 to `low` without one.

        They are drawn as int64. ValueError for bounds that are not of a narrower `dtype`; symbolic
        bounds need one that holds any int64, or a float.
        """
        low, high = (0, low) if high is None else (low, high)
        _check_bounds(low, high, np.dtype(dtype_name(dtype)))
        return self._draw("randint", size, (low, high), ndim, dtype)


def _check_bounds(low: Any, high: Any, dtype: np.dtype[Any]) -> None:
    """Raise unless integers from `low` to `high` - 1 are of an integer `dtype`."""
    if dtype.kind not in "iub" or dtype == np.int64:
        return
    if isinstance(low, Variable) or isinstance(high, Variable):
        raise TypeError(f"randint: bounds are symbolic, and might not fit {dtype}: cast the result")
    least, most = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if np.any(np.asarray(low) < least):
        raise ValueError(f"low is out of bounds for {dtype}")
    if np.any(np.asarray(high) > most + 1):
        raise ValueError(f"high is out of bounds for {dtype}")


def _positions(x: Any) -> list[Any]:
    """For each axis but the last its positions, so that they broadcast against all of `x`."""
    return [
        basic.dimshuffle(arange(basic.shape_i(x, k)), [0 if j == k else "x" for j in range(x.ndim)])
        for k in range(x.ndim - 1)
    ]
