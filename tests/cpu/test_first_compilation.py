"""The first compilation of a process loads no more of Numba than it needs."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import sys
import numba, numpy as np, tracejit
x = np.linspace(1, 2, 6).reshape(2, 3)
with tracejit.config(cache=False, threads=1):
    f = tracejit.function({function}, on_unsupported="error")
    np.testing.assert_allclose(f(x), ({function})(x), rtol=1e-15)
assert f.stats.fallbacks == 0
"""
FUNCTIONS = {
    "arithmetic": "lambda x: x / 3 - x.sum(axis=0)",
    "integers": "lambda x: x.astype(np.int32) // 2 % 5",
    "complex numbers": "lambda x: (x * 1j).conj() / (x + 2j)",
    "masks": "lambda x: np.where(x > 1.5, x, np.nan)[x > 1.2]",
    "half precision": "lambda x: x.astype(np.float16) + np.float16(0.5)",
}


def run(source: str) -> None:
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scipy_is_not_loaded(name):
    source = START.format(function=FUNCTIONS[name])
    run(f"{source}\nassert 'scipy.linalg' not in sys.modules")


def test_numba_is_whole_for_its_own_functions():
    run(
        START.format(function=FUNCTIONS["arithmetic"])
        + """
@numba.njit
def product(a, b):
    return np.dot(a, b) + np.linalg.det(a)

a = np.array([[2.0, 1.0], [0.0, 3.0]])
np.testing.assert_allclose(product(a, a), a @ a + 6)
g = tracejit.function(lambda x: np.exp(x) @ x.T, on_unsupported="error")
np.testing.assert_allclose(g(x), np.exp(x) @ x.T, rtol=1e-14)
"""
    )


def test_a_kernel_that_needs_more_finds_it():
    run(
        """
import math
import numpy as np
from numba import types
from tracejit.intrinsics import function
from tracejit.native.parameters import Number

def body(typingctx, context, b, arguments):
    kind = typingctx.resolve_value_type(math.gcd)
    signature = kind.get_call_type(typingctx, (types.int64, types.int64), {})
    values = [value for _, value in arguments]
    found = context.get_function(kind, signature)(b, values)
    context.call_conv.return_value(b, found)

gcd = function.compiled("gcd_of_two", (Number(np.dtype("i8")),) * 2, body).callable()
assert gcd(12, 18) == 6
assert function._load_all.cache_info().currsize == 1
"""
    )
