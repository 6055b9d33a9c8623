"""Calls of NumPy's functions as text, compared with NumPy: interpreted, and some compiled too."""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tracejit

RNG = np.random.default_rng(0)
#: What expressions name: `x`, `y`, `f` (float32), `m` (a mask), `z` (complex) are 4 × 5 arrays, `v`
#: and `w` vectors, `s` is in order, `i` and `j` are small integers, `u` is uint8, `n` an int.
ARRAYS: dict[str, Any] = {
    "x": RNG.normal(size=(4, 5)), "y": RNG.normal(size=(4, 5)), "v": RNG.normal(size=7),
    "w": RNG.normal(size=4), "i": np.array([2, 0, 1, 2, 2, 3]), "j": np.array([0, 3, 3, 1, 2, 2]),
    "m": RNG.random((4, 5)) > 0.5, "z": RNG.normal(size=(4, 5)) + 1j * RNG.normal(size=(4, 5)),
    "s": np.sort(RNG.normal(size=9)), "n": 3, "u": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "f": RNG.normal(size=(4, 5)).astype("f"),
}  # fmt: skip
_folder = tempfile.TemporaryDirectory(prefix="tracejit-calls-")


def function(text: str) -> tuple[Callable[..., Any], list[str]]:
    """The function of what `text` names: an expression, or statements that return something."""
    names = [name for name in ARRAYS if re.search(rf"\b{name}\b", text)]
    body = text if "return" in text else f"return {text}"
    path = Path(_folder.name) / f"call_{len(list(Path(_folder.name).iterdir()))}.py"
    path.write_text(f"def f({', '.join(names)}):\n    {body}\n", encoding="utf-8")
    import scipy.special

    scope: dict[str, Any] = {"np": np, "scipy": scipy, "__name__": "calls"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), scope)
    f: Callable[..., Any] = scope["f"]
    return f, names


def arguments(names: Sequence[str], layout: str = "C") -> list[Any]:
    """Fresh arguments; arrays of several axes in C order, in Fortran order, or with gaps."""
    found = []
    for name in names:
        x = ARRAYS[name]
        if isinstance(x, np.ndarray):
            x = x.copy()
            if layout == "F":
                x = np.asfortranarray(x)
            elif layout == "A":
                x = np.repeat(x, 2, axis=-1)[..., ::2]
            elif layout == "R":
                x = x[::-1].copy()[::-1]
        found.append(x)
    return found


def check(text: str, compiled: bool = False, layout: str = "C") -> None:
    """Compare a call with NumPy's: values, dtypes, shapes, classes, exceptions; what it writes."""
    f, names = function(text)
    g = tracejit.function(f, on_unsupported="error")
    want_args, got_args = arguments(names, layout), arguments(names, layout)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            want, error = f(*want_args), None
        except Exception as e:
            want, error = None, e
        with tracejit.config(compile=compiled, check=not compiled):
            if error is not None:
                try:
                    g(*got_args)
                except type(error):
                    return
                except Exception as other:
                    raise AssertionError(f"{other!r}, and NumPy {error!r}") from other
                raise AssertionError(f"NumPy raises {error!r}")
            got = g(*got_args)
    same(got, want)
    for a, b in zip(got_args, want_args, strict=True):
        same(a, b)


def same(got: Any, want: Any) -> None:
    """Compare results: floats nearly, since sums have an order of their own."""
    assert type(got) is type(want), (type(got), type(want))
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, (np.ndarray, np.generic)):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if want.dtype.kind in "fc":
            half = want.dtype.itemsize // (2 if want.dtype.kind == "c" else 1)
            rtol = {2: 5e-3, 4: 2e-5}.get(half, 1e-12)
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
        else:
            np.testing.assert_array_equal(got, want)
    else:
        assert got == want or (got != got and want != want)
