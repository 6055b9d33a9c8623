"""Price a million European calls, and read what the compiler made of it.

Run: python examples/black_scholes.py
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import scipy.special

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def normal_cdf(z: Array) -> Array:
    return (1 + scipy.special.erf(z / np.sqrt(2))) / 2


def price(spot: Array, strike: Array, years: float, rate: float, sigma: float) -> Array:
    d1 = (np.log(spot / strike) + (rate + sigma * sigma / 2) * years) / (sigma * np.sqrt(years))
    d2 = d1 - sigma * np.sqrt(years)
    return spot * normal_cdf(d1) - strike * np.exp(-rate * years) * normal_cdf(d2)


def main() -> None:
    rng = np.random.default_rng(0)
    spot, strike = rng.uniform(50.0, 150.0, (2, 1_000_000))
    compiled = tracejit.function(price, on_unsupported="error")

    for sigma in (0.1, 0.2, 0.3):  # a new number is a new argument, not a new program
        expected = price(spot, strike, 1.5, 0.02, sigma)
        np.testing.assert_allclose(
            compiled(spot, strike, 1.5, 0.02, sigma), expected, rtol=1e-9, atol=1e-9
        )
    assert compiled.stats.compiles == 1

    for name, function in (("NumPy", price), ("tracejit", compiled)):
        start = time.perf_counter()
        function(spot, strike, 1.5, 0.02, 0.3)
        print(f"{name:<9}{1e3 * (time.perf_counter() - start):8.1f} ms")
    print(compiled.source(spot, strike, 1.5, 0.02, 0.3))


if __name__ == "__main__":
    main()
