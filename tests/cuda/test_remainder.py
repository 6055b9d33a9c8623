"""The remainder of a division on a GPU is exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_kernels import on_device

WIDTHS: list[tuple[Any, Any, int]] = [(np.uint64, np.float64, 52), (np.uint32, np.float32, 23)]


@pytest.mark.parametrize(("word", "kind", "stored"), WIDTHS, ids=["float64", "float32"])
def test_all_kinds_of_numbers(word: Any, kind: Any, stored: int) -> None:
    rng = np.random.default_rng(0)
    n, most = 20_000, np.iinfo(word).max
    x, y = (rng.integers(0, most, n, dtype=word, endpoint=True) for _ in range(2))
    small = word((1 << stored) - 1)
    y[:5000] &= small  # below the normal numbers
    x[:2000] &= small
    y[10_000:15_000] = x[10_000:15_000] - word(3) * rng.integers(0, 1 << 20, 5000).astype(word)
    y[:5] = [0, 1, 2, 3, 4]
    a, b = x.view(kind), y.view(kind)
    got = on_device(lambda a, b: np.fmod(a, b), a, b)
    with np.errstate(all="ignore"):
        want = np.fmod(a, b)
    right = (got.view(word) == want.view(word)) | (np.isnan(got) & np.isnan(want))
    assert right.all()
