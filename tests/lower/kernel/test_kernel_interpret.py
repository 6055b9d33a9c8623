"""What kernels mean: their interpreter against what the CPU makes of them, and by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference  # noqa: F401 (which registers itself)
from handwritten import kernel, parsed
from reference.functions import FUNCTIONS
from test_kernel_text import programs

import tracejit
from tracejit.lower.kernel.interpret import run
from tracejit.lower.kernel.statements import (
    Assign,
    Block,
    Call,
    Constant,
    Element,
    Factory,
    Kernel,
    Return,
    Store,
)
from tracejit.native.parameters import Array

KERNELS = {
    "places and branches": """
    v0 = 0.0
    for i0 in range(x0.shape[0]):
        v1 = x0[i0]
        if v1 > 0.5:
            v0 = radd(v0, v1)
        else:
            v0 = v0 - 2.0
        b0[i0] = v0
""",
    "a loop that is left": """
    v0 = 1.0
    while True:
        if v0 > 20.0:
            break
        v0 = v0 * 3.0
    b0[0] = v0
    for i0 in span(1, x0.shape[0]):
        b0[i0] = x0[i0]
""",
    "a code": """
    if not x0.shape[0] == 99:
        return 2
""",
    "bare numbers": """
    for i0 in range(x0.shape[0]):
        v0 = to_float32(x0[i0])
        v1 = v0 * 0.1
        b0[i0] = to_float64(v1) + to_float64((i0 << 2) - 1)
""",
}


@pytest.mark.parametrize("name", KERNELS)
def test_what_is_compiled_does_the_same(name: str) -> None:
    text = f"""
from tracejit.cpu.runtime import radd, to_float32, to_float64
def entry(x0, b0):{KERNELS[name]}
    return 0
"""
    array = Array(np.dtype(float), 1, "C")
    x, mine, compiled = np.linspace(0, 1, 7), np.zeros(7), np.zeros(7)
    code = kernel(text, array, array)(x, compiled)
    assert run(parsed(text), [x, mine], FUNCTIONS) == code
    np.testing.assert_array_equal(mine, compiled)


def test_factories_and_constants() -> None:
    store = Store(Element("b", (1,)), Call("f", (Constant(300, np.dtype("i2")),)))
    body = Block([Assign("late", 3), store, Return(7)])
    made = Kernel(["b"], {"f": Factory("times", (2,))}, body)
    b = np.zeros(2, np.int16)
    assert run(made, [b], {"times": lambda n: lambda v: v * n}) == 7
    assert b.tolist() == [0, 600]


@pytest.mark.parametrize("name", programs())
def test_programs(name: str) -> None:
    """A function, by the kernel that every target may start from."""
    function, *arguments = programs()[name]
    with tracejit.change_flags(device="reference"), tracejit.config(check=True):
        f = tracejit.function(function)
        assert_close(f(*arguments), function(*arguments))
    assert f.stats.fallbacks == 0


def assert_close(found: Any, want: Any) -> None:
    if isinstance(want, tuple):
        for one, other in zip(found, want, strict=True):
            assert_close(one, other)
        return
    assert np.asarray(found).dtype == np.asarray(want).dtype
    np.testing.assert_allclose(found, want, rtol=1e-3 if found.dtype == np.float16 else 1e-12)
