"""The verifier of kernels: each rule finds what breaks it, and lets the rest be."""

from __future__ import annotations

import numpy as np
import pytest
from handwritten import parsed

import tracejit
from tracejit.errors import InvalidGraphError
from tracejit.lower.kernel.statements import Binary, Block, Element, Kernel, Return, Store, Unary
from tracejit.lower.kernel.verify import verify

GOOD = {
    "places": """
    v0 = 0.0
    for i0 in range(9):
        v0 = v0 + x0[i0]
    b0[0] = v0
""",
    "a branch": """
    if x0[0] > 0.0:
        v0 = 1.0
    else:
        v0 = 2.0
    b0[0] = v0
""",
    "a branch that leaves": """
    if x0[0] > 0.0:
        return 1
    else:
        v0 = 2.0
    b0[0] = v0
""",
    "a loop without end": """
    while True:
        v0 = x0[0]
        if v0 > 0.0:
            break
    b0[0] = v0
""",
}
WRONG = {
    "v0 has no value": "    b0[0] = v0\n",
    "v1 has no value": "    for i0 in range(3):\n        v1 = x0[i0]\n    b0[0] = v1\n",
    "v2 has no value": "    if x0[0] > 0.0:\n        v2 = 1.0\n    b0[0] = v2\n",
    "v3 has no value": """
    while True:
        if x0[0] > 0.0:
            break
        v3 = 1.0
    b0[0] = v3
""",
    "i0 has no value": "    for i0 in range(i0):\n        b0[i0] = 1.0\n",
    "i1 is the index of an open loop": "    for i1 in range(3):\n        i1 = 2\n",
    "i2 is the index of two loops": """
    for i2 in range(3):
        for i2 in range(3):
            b0[i2] = 1.0
""",
    "nothing comes to Store": "    if x0[0] > 0.0:\n        return 1\n        b0[0] = 1.0\n",
    "there is no loop to leave": "    break\n",
}


def kernel(body: str, end: str = "    return 0\n") -> Kernel:
    return parsed(f"def entry(x0, b0):\n{body}{end}")


@pytest.mark.parametrize("name", GOOD)
def test_what_is_well_formed(name: str) -> None:
    verify(kernel(GOOD[name]))


@pytest.mark.parametrize("problem", WRONG)
def test_what_is_not(problem: str) -> None:
    with pytest.raises(InvalidGraphError, match=f"the kernel: {problem}"):
        verify(kernel(WRONG[problem]))


def test_a_kernel_ends_with_a_code() -> None:
    with pytest.raises(InvalidGraphError, match="does not end with a code"):
        verify(kernel("    b0[0] = 1.0\n", end=""))


def test_what_only_objects_can_have() -> None:
    def of(value: object) -> Kernel:
        store = Store(Element("b0", (0,)), value)  # type: ignore[arg-type]
        return Kernel(["b0", "c"], {}, Block([store, Return(0)]))

    for value, problem in (
        (Binary("**", "c", "c"), r"\*\* is no operator"),
        (Unary("+", "c"), r"\+ is no operator of one value"),
        (Element(3, (0,)), "int is no array"),
    ):
        with pytest.raises(InvalidGraphError, match=problem):
            verify(of(value))
    with pytest.raises(InvalidGraphError, match="two parameters have one name"):
        verify(Kernel(["a", "a"], {}, Block([Return(0)])))


def test_a_jam_that_is_guarded_puts_back_its_own_sums() -> None:
    def f(x):
        return np.sin(x.reshape(-1, 30) + x[:30]).sum(axis=1)

    g, x = tracejit.function(f), np.linspace(0, 1, 210)
    x[40] = 1e9
    with tracejit.config(check=True):
        np.testing.assert_allclose(g(x), f(x), rtol=1e-12)
