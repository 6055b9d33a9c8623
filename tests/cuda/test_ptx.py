"""What PTX has in it, and what it must not have: the CPU's numbers by the GPU's instructions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import tracejit
from tracejit.errors import DeviceError

pytest.importorskip("cuda.bindings.nvvm")
X, F = np.arange(1.0, 9.0), np.arange(1.0, 9.0, dtype=np.float32)


@pytest.mark.parametrize("cc", [(8, 0), (9, 0), (10, 0)])
def test_architectures(cc: tuple[int, int]) -> None:
    found = tracejit.cuda.ptx(lambda x, y: np.exp(x) / y, X, X, cc=cc)
    [text] = found.values()
    assert f".target sm_{cc[0]}{cc[1]}" in text


@pytest.mark.parametrize("x", [X, F], ids=["float64", "float32"])
def test_nothing_is_approximate(x: Any) -> None:
    def f(x: Any) -> Any:
        y = x * x + 1  # not fused
        return y / x + np.sqrt(x) * y - np.floor(x)

    [text] = tracejit.cuda.ptx(f, x).values()
    assert not re.search(r"\.approx|\.ftz|\.full|\.local", text)
    assert "fma" not in text
    assert "div.rn" in text and "sqrt.rn" in text


def test_sums_of_products_are_as_written() -> None:
    """Only where our own functions ask for it are a product and a sum one instruction."""
    [text] = tracejit.cuda.ptx(lambda x: np.exp(x), X).values()
    assert "fma.rn.f64" in text


def test_machine_code() -> None:
    from tracejit.cuda.machine.ptx import cubin

    [text] = tracejit.cuda.ptx(lambda x: np.log(x) * np.tanh(x), X).values()
    code, said = cubin(text, (9, 0), ["-verbose"])
    assert code[:4] == b"\x7fELF"
    assert "0 bytes spill stores, 0 bytes spill loads" in said


def test_architectures_that_are_too_old() -> None:
    with pytest.raises(DeviceError, match=r"compute capability 7\.5: 8\.0 is the oldest"):
        tracejit.cuda.ptx(lambda x: x + 1, X, cc=(7, 5))


def test_what_has_no_kernel() -> None:
    with pytest.raises(tracejit.UnsupportedError, match="no kernel for log"):
        tracejit.cuda.ptx(lambda x: np.log(x), X + 1j)


def test_no_gpu() -> None:
    from tracejit.cuda.device.nvidia import Nvidia

    try:
        Nvidia()
    except DeviceError as error:
        assert "driver" in str(error) or "GPU" in str(error)
