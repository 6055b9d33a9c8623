"""A function of NumPy's from outside: one over traced values, in NumPy's terms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from plugged import compiled_source, plugged

import tracejit
from tracejit.errors import UnsupportedError
from tracejit.trace.tables import FUNCTIONS, implements

X = np.linspace(0, 3, 20)


@pytest.fixture(autouse=True)
def without_ours() -> Iterator[None]:
    """As if it were not compiled yet."""
    with mock.patch.dict(FUNCTIONS):
        del FUNCTIONS[np.trapezoid]
        yield


def area(y, x):
    return np.trapezoid(y * y, x) + np.trapezoid(y, dx=0.5)


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """``np.trapezoid`` of traced values."""
    y = np.moveaxis(y, axis, -1)
    widths = dx if x is None else np.diff(x)
    return (widths * (y[..., 1:] + y[..., :-1]) / 2.0).sum(-1)


def test_a_function_is_compiled() -> None:
    with pytest.raises(UnsupportedError, match="trapezoid is not compiled"):
        tracejit.function(area, on_unsupported="error")(X, X)
    with plugged():
        implements(np.trapezoid)(trapezoid)
        source = compiled_source(area, np.sin(X), X, rtol=1e-14)
        assert "trapezoid" not in source and "sum" in source
        slopes = tracejit.grad(area)(np.sin(X), X)
        h = np.zeros(20)
        h[7] = 1e-6
        slope = (area(np.sin(X) + h, X) - area(np.sin(X) - h, X)) / 2e-6
        assert slopes[7] == pytest.approx(slope)
    with pytest.raises(UnsupportedError, match="trapezoid is not compiled"):
        tracejit.function(area, on_unsupported="error")(X, X)


def test_axes_and_dtypes() -> None:
    with plugged():
        implements(np.trapezoid)(trapezoid)
        rows = X.reshape(4, 5).astype(np.float32)
        compiled_source(lambda y: np.trapezoid(y, axis=0), rows, rtol=1e-6)
        compiled_source(lambda y: np.trapezoid(y, np.arange(5)), rows, rtol=1e-6)
