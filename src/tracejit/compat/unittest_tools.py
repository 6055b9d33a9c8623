"""Helpers of tests, under the names of ``theano.tests.unittest_tools``."""

from __future__ import annotations

import functools
import unittest
from collections.abc import Callable
from typing import Any
from unittest import SkipTest

import numpy as np

from tracejit.config import config
from tracejit.tensor.verify import verify_grad as _verify_grad


def fetch_seed(pseed: Any = None) -> Any:
    """`pseed`, or the seed that ``config.unittests.rseed`` names; None for "random"."""
    seed = pseed or config.unittests.rseed
    if seed == "random":
        return None
    return int(seed) if seed else None


def seed_rng(pseed: Any = None) -> Any:
    """Seed NumPy's global generator by `fetch_seed`, and give the seed."""
    seed = fetch_seed(pseed)
    np.random.seed(seed)
    return seed


def verify_grad(op: Any, pt: Any, n_tests: int = 2, rng: Any = None, *args: Any, **kw: Any) -> None:
    """`T.verify_grad` with a seeded generator."""
    if rng is None:
        seed_rng()
        rng = np.random
    _verify_grad(op, pt, n_tests, rng, *args, **kw)


verify_grad.E_grad = AssertionError  # type: ignore[attr-defined]


def assert_allclose(expected: Any, value: Any, rtol: Any = None, atol: Any = None) -> None:
    """AssertionError unless two arrays are near each other, as near as their dtypes let them be."""
    a, b = np.asarray(expected), np.asarray(value)
    narrow = any(x.dtype in (np.float32, np.complex64) for x in (a, b))
    loose = 1e-5 if narrow else 1e-8
    np.testing.assert_allclose(
        b, a, rtol=loose * 10 if rtol is None else rtol, atol=loose if atol is None else atol
    )


def different_seed(f: Callable[..., Any]) -> Callable[..., Any]:
    """A test that is run again, once, with another seed where it fails."""

    @functools.wraps(f)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return f(*args, **kwargs)
        except AssertionError:
            np.random.seed((fetch_seed() or 0) + 1)
            return f(*args, **kwargs)

    return run


class InferShapeTester(unittest.TestCase):
    """Tests of ops that know the shapes of their results."""

    def setUp(self) -> None:
        """Seed the generator."""
        seed_rng()

    def _compile_and_check(
        self, inputs: Any, outputs: Any, numeric_inputs: Any, cls: Any = None,
        excluding: Any = None, warn: bool = True, check_topo: bool = True,
    ) -> None:  # fmt: skip
        from tracejit.symbolic.function import symbolic_function

        values = symbolic_function(inputs, outputs, on_unused_input="ignore")(*numeric_inputs)
        shapes = symbolic_function(inputs, [v.shape for v in outputs], on_unused_input="ignore")
        for value, shape in zip(values, shapes(*numeric_inputs), strict=True):
            assert np.shape(value) == tuple(shape), (np.shape(value), shape)


__all__ = [
    "InferShapeTester",
    "SkipTest",
    "assert_allclose",
    "different_seed",
    "fetch_seed",
    "seed_rng",
    "verify_grad",
]
