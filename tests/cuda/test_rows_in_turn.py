"""Rows of memory that the steps of a loop use in turn: chunks, which run at once, have one each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same
from translated import Fault

import tracejit
from tracejit.theano.flags import change_flags

pytest.importorskip("cuda.bindings.nvvm")


def shares(x: Any, b: Any) -> Any:
    """Rows are stored, read again, and added up by columns."""
    s = np.exp(x + b)
    p = s / s.sum(axis=1, keepdims=True)
    return p.sum(axis=0), np.log(p).sum()


def arguments(dtype: Any, n: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(n)
    return rng.normal(size=(n, 10)).astype(dtype), rng.normal(size=10).astype(dtype)


#: Teams of one block, and of several.
SIZES = [(np.float64, 5_000), (np.float32, 40_000)]


@pytest.mark.parametrize("dtype, n", SIZES)
def test_bits(dtype: Any, n: int) -> None:
    args = arguments(dtype, n)
    before = DRIVER.launches
    got = on_device(shares, *args)
    assert DRIVER.launches > before
    for a, b in zip(got, on_device(shares, *args, device="cpu"), strict=True):
        same(a, b)


def test_blocks_that_share_a_row_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver of these tests sees that blocks write to each other's memory."""
    monkeypatch.setattr("tracejit.cuda.emit.host.rows_in_turn", lambda loop, program: [])
    f = tracejit.function(lambda x, b: shares(x, b), on_unsupported="error")
    with change_flags(device="fake"), pytest.raises(Fault, match="blocks touch an element"):
        f(*arguments(np.float32, 40_000))
