"""A reduction from outside: a row over an elementwise one."""

from __future__ import annotations

import numpy as np
import pytest
from plugged import compiled_source, plugged

from tracejit.ir import ops

#: Without a row, it is the last of a running reduction.
NORM = ops.Reduction(name="norm", combine="hypot", identity=0)
X = np.linspace(-2, 3, 24).reshape(4, 6)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_is_compiled_as_a_reduction(axis: int, dtype: type) -> None:
    def norms(x):
        return np.hypot.reduce(x * 2, axis=axis) + 1

    x, rtol = X.astype(dtype), 16 * float(np.finfo(dtype).eps)
    running = compiled_source(norms, x, rtol=rtol)
    assert "select(" in running
    with plugged():
        ops.add(NORM)
        source = compiled_source(norms, x, rtol=rtol)
        assert "hypot(" in source and "select(" not in source
    assert compiled_source(norms, x, rtol=rtol) == running


def test_several_axes_and_none() -> None:
    def norms(x):
        return np.hypot.reduce(x, axis=None), np.hypot.reduce(x[:0], axis=0)

    with plugged():
        ops.add(NORM)
        compiled_source(lambda x: norms(x)[0], X, rtol=1e-14)
        compiled_source(lambda x: norms(x)[1], X)
