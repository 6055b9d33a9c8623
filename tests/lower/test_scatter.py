"""Writes at positions: what ``x[key] = y`` and ``np.add.at(x, key, y)`` make of a copy of `x`."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T

X = np.arange(24.0).reshape(4, 6)
ROWS = np.array([2, 0, 2, -1])
KEYS = {
    "row": lambda r, m: 1,
    "last column": lambda r, m: (slice(None), -1),
    "slice": lambda r, m: (slice(1, 3), slice(None, None, 2)),
    "reversed": lambda r, m: (slice(None, None, -1), slice(4, 1, -1)),
    "ellipsis": lambda r, m: (Ellipsis, 0),
    "new axis": lambda r, m: (slice(None), None, 2),
    "rows": lambda r, m: r,
    "rows and a slice": lambda r, m: (r, slice(1, None)),
    "columns": lambda r, m: (slice(None), r),
    "pairs": lambda r, m: (r, r),
    "apart": lambda r, m: (r, None, r),
    "mask": lambda r, m: m,
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "int8", "complex128"])
@pytest.mark.parametrize("mode", ["set", "add"])
def test_numpys_values(mode, dtype, compiled):
    """All keys in one program, so that there is one compile a dtype."""
    keys = KEYS if dtype == "float64" else dict(list(KEYS.items())[2::4])
    x, y = T.tensor(dtype, (False, False)), T.tensor(dtype, ())
    r, m = T.lvector(), T.tensor("bool", (False, False))
    put = T.set_subtensor if mode == "set" else T.inc_subtensor
    outputs = [put(x[key(r, m)], y) for key in keys.values()]
    f = tracejit.function([x, y, r, m], outputs, on_unused_input="ignore")
    data, value = X.astype(dtype), np.array(3, dtype)
    with tracejit.config(compile=compiled, check=True):
        got = f(data, value, ROWS, X > 7)
    for name, result in zip(keys, got, strict=True):
        want, place = data.copy(), keys[name](ROWS, X > 7)
        if mode == "set":
            want[place] = value
        else:
            np.add.at(want, place, value)
        np.testing.assert_array_equal(result, want, err_msg=name)
        assert result.dtype == data.dtype
    assert f.stats.fallbacks == 0 and f.stats.compiles <= compiled


def test_an_index_out_of_bounds_is_numpys_error():
    x, i = T.dvector("x"), T.lvector("i")
    f = tracejit.function([x, i], T.inc_subtensor(x[i], 1.0))
    np.testing.assert_array_equal(f(np.zeros(3), np.array([0, -1, 0])), [2, 0, 1])
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.zeros(3), np.array([3]))


def test_the_last_of_several_stays():
    x, y, i = T.dvector("x"), T.dvector("y"), T.lvector("i")
    f = tracejit.function([x, y, i], T.set_subtensor(x[i], y))
    at = np.zeros(1000, np.int64)
    assert f(np.zeros(2), np.arange(1000.0), at).tolist() == [999, 0]


def test_a_scatter_is_two_loops_and_one_over_its_places():
    x, i = T.dmatrix("x"), T.lvector("i")
    f = tracejit.function([x, i], T.inc_subtensor(x[i], 1.0) * 2)
    f(X, ROWS)
    assert (f.stats.loops, f.stats.temporaries) == (3, 0), f.source()
