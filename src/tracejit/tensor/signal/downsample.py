"""The old names of pools."""

from __future__ import annotations

from typing import Any

from tracejit.tensor.signal.pool import Pool, max_pool_2d_same_size, pool_2d


def max_pool_2d(
    input: Any, ds: Any, ignore_border: bool | None = None, st: Any = None,
    padding: Any = (0, 0), mode: str = "max",
) -> Any:  # fmt: skip
    """`pool.pool_2d` by the names that its arguments had."""
    return pool_2d(input, ds, ignore_border, st, padding, mode)


DownsampleFactorMax = Pool

__all__ = ["DownsampleFactorMax", "max_pool_2d", "max_pool_2d_same_size"]
