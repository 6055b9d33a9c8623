"""Messages, word for word: twenty wrong programs, and what cannot be compiled.

``pytest --update-golden tests/test_errors.py`` rewrites ``golden/errors.txt``; read the difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage

import tracejit

V = np.arange(3.0)
M = np.arange(6.0).reshape(2, 3)
I8 = np.arange(3, dtype=np.int8)
MESSAGES: dict[str, str] = {}


def shapes_of_sum(x, y):
    return x + y


def shapes_of_where(x, y):
    return np.where(x > 0, x, y)


def shapes_in_helper(x, y):
    return shapes_of_sum(x * 2, y)


def shapes_of_concatenate(x, y):
    return np.concatenate([x, y])


def shape_of_reshape(x):
    return x.reshape(4, 2)


def shapes_of_matmul(x, y):
    return x @ y


def shape_of_broadcast(x):
    return np.broadcast_to(x, (2, 4))


def axis_of_sum(x):
    return np.sum(x, axis=2)


def axis_of_argmax(x):
    return x.argmax(axis=-2)


def axes_repeated(x):
    return x.sum(axis=(0, 0))


def axes_of_transpose(x):
    return np.transpose(x, (0, 0))


def dtype_of_invert(x):
    return ~x


def dtype_of_shift(x, y):
    return x << y


def dtype_of_inplace(x):
    y = x * 1
    y += 0.5
    return y


def integer_too_large(x):
    return x + 300


def negative_power(x, k):
    return x**k


def too_many_indices(x):
    return x[0, 0, 0]


def index_out_of_bounds(x):
    return x[5]


def maximum_of_nothing(x):
    return x.max()


def users_own(x):
    raise LookupError("the user's own")


def unknown_argument(x):
    return x


WRONG: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = [
    (shapes_of_sum, (V, np.arange(4.0)), {}),
    (shapes_of_where, (V, M.T), {}),
    (shapes_in_helper, (M, np.arange(2.0)), {}),
    (shapes_of_concatenate, (M, np.ones((2, 4))), {}),
    (shape_of_reshape, (M,), {}),
    (shapes_of_matmul, (M, M), {}),
    (shape_of_broadcast, (V,), {}),
    (axis_of_sum, (M,), {}),
    (axis_of_argmax, (V,), {}),
    (axes_repeated, (M,), {}),
    (axes_of_transpose, (M,), {}),
    (dtype_of_invert, (V,), {}),
    (dtype_of_shift, (I8, V), {}),
    (dtype_of_inplace, (I8,), {}),
    (integer_too_large, (I8,), {}),
    (negative_power, (I8, -1), {}),
    (too_many_indices, (M,), {}),
    (index_out_of_bounds, (V,), {}),
    (maximum_of_nothing, (V[:0],), {}),
    (users_own, (V,), {}),
    (unknown_argument, (V,), {"scale": 2}),
]


def branch_on_data(x):
    if sorted([*x, *x, *x])[0] > 0:
        return x
    return -x


def loop_on_data(x):
    found = []
    while x.sum() > 1:
        x = x / 2
        found.insert(0, x)
    return found


def erf_of_element(x):
    return math.erf(x[0]) * x


def converts(x):
    return x + scipy.ndimage.spline_filter(x, 2)


def list_of_array(x):
    return np.tile(x, 200).tolist()


def writes(x):
    y = np.outer(x, x).T
    z = y.reshape(-1)
    z[0] = 1
    return y


def draws(x):
    return x + len(np.random.bytes(3))


def reads_instance(x):
    return x * STATE.scale


class State(set):
    scale = 2.0


STATE = State()
COUNT = 0


def counts(x):
    global COUNT
    COUNT += 1
    return x * COUNT


def uncompiled(x):
    return np.array2string(x[:2, :2] + np.eye(2))


def takes_masked(x):
    return x + 1


def takes_strings(x):
    return x


def takes_object(x, o):
    return x * o.scale


UNSUPPORTED: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (branch_on_data, (V,)),
    (loop_on_data, (V,)),
    (erf_of_element, (V,)),
    (converts, (V,)),
    (list_of_array, (V,)),
    (writes, (V,)),
    (draws, (V,)),
    (reads_instance, (V,)),
    (counts, (V,)),
    (uncompiled, (M,)),
    (takes_masked, (np.ma.masked_array([1.0, 2.0], [True, False]),)),
    (takes_strings, (np.array(["a"]),)),
    (takes_object, (V, STATE)),
]


def message(error: BaseException) -> str:
    notes = getattr(error, "__notes__", [])
    text = "\n".join([str(error), *notes]).replace(str(Path(__file__).parent), "…")
    assert len(text.splitlines()) <= 12
    assert not any(word in text.lower() for word in ("numba", "llvm"))
    return f"{type(error).__name__}: {text}"


@pytest.mark.parametrize(("f", "args", "kwargs"), WRONG, ids=lambda v: getattr(v, "__name__", ""))
def test_wrong_programs_raise_numpys_class(f, args, kwargs):
    with pytest.raises(Exception) as plain:
        f(*args, **kwargs)
    with tracejit.config(compile=False), pytest.raises(plain.type) as caught:
        tracejit.function(f)(*args, **kwargs)
    MESSAGES[f.__name__] = message(caught.value)
    if isinstance(caught.value, tracejit.TracejitError):
        assert f"line {_line(f)}" in str(caught.value) or f is shapes_in_helper
        assert str(plain.value).strip() in str(caught.value)
    else:
        assert str(caught.value) == str(plain.value)


def _line(f: Callable[..., Any]) -> int:
    return next(iter(n for *_, n in reversed(list(f.__code__.co_lines())) if n is not None))


@pytest.mark.parametrize(("f", "args"), UNSUPPORTED, ids=lambda v: getattr(v, "__name__", ""))
def test_what_is_not_compiled_says_so(f, args):
    with tracejit.config(compile=False), pytest.raises(tracejit.UnsupportedError) as caught:
        tracejit.function(f)(*args)
    MESSAGES[f.__name__] = message(caught.value)
    expected = f(*args)
    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(tracejit.UnsupportedWarning) as warned:
        result = g(*args)
    text = str(warned[0].message).replace(" here; what is around it is compiled", "")
    assert text == str(caught.value)
    if f not in (draws, counts):
        np.testing.assert_array_equal(result, expected)


def test_messages(golden):
    """Last: every message that the tests above have met."""
    if len(MESSAGES) == len(WRONG) + len(UNSUPPORTED):
        golden("errors.txt", "\n\n".join(f"{k}\n{v}" for k, v in MESSAGES.items()))
