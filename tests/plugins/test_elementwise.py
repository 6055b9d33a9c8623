"""An elementwise op from outside: a row, and a line for its derivative."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from plugged import compiled_source, plugged

import tracejit
from tracejit.errors import UnsupportedError
from tracejit.ir import derivatives, ops

#: Without a row of its own, SciPy's loop is called for it.
XLOGY = ops.Elementwise(
    name="xlogy",
    module="scipy.special",
    cpu="select(logical_or({0} != 0, isnan({1})), multiply({0}, log({1})), absolute({0}))",
    cpu_kinds="f",
    cost=ops.TRANSCENDENTAL,
)
X = np.array([0.0, -0.0, 0.0, 0.0, 2.0, -3.0, np.inf, np.nan])
Y = np.array([0.0, 2.0, np.nan, np.inf, 5.0, 0.5, 3.0, 1.0])


def entropy(x, y):
    return scipy.special.xlogy(x, y) + 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_is_compiled_by_its_expression(dtype: type) -> None:
    x, y = X.astype(dtype), Y.astype(dtype)
    rtol = 4 * float(np.finfo(dtype).eps)
    assert "xlogy" in compiled_source(entropy, x, y, rtol=rtol)
    with plugged():
        ops.add(XLOGY)
        source = compiled_source(entropy, x, y, rtol=rtol)
        assert "xlogy" not in source and "log(" in source
    assert "xlogy" in compiled_source(entropy, x, y, rtol=rtol)


def test_a_row_has_numpys_dtypes() -> None:
    with plugged():
        ops.add(XLOGY)
        assert "to_float64" in compiled_source(entropy, np.arange(4), Y[4:8], rtol=1e-15)


def test_a_derivative_is_a_line() -> None:
    def total(x):
        return scipy.special.struve(1.0, x).sum()

    x, h = np.array([0.5, 1.5, 4.0]), 1e-6
    with pytest.raises(UnsupportedError, match="struve has no derivative"):
        tracejit.grad(total)(x)
    with plugged():
        derivatives.RULES["struve"] = "missing; g * (special_struve(a - 1, b) - a * y / b)"
        slopes = [scipy.special.struve(1.0, x + s * h) for s in (1, -1)]
        np.testing.assert_allclose(
            tracejit.grad(total)(x), (slopes[0] - slopes[1]) / (2 * h), rtol=1e-8
        )
    with pytest.raises(UnsupportedError, match="struve has no derivative"):
        tracejit.grad(total)(x)
