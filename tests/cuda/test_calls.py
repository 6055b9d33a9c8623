"""Sorts and what is made of them on a GPU; what has no kernel is refused by its name."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy_stand_in
import numpy as np
import pytest
from test_kernels import DRIVER, on_device, same, sample

import tracejit
from tracejit.theano.flags import change_flags

LENGTHS = [0, 1, 2, 255, 256, 257, 1000, 3000]


def agrees(f: Callable[..., Any], *args: Any) -> None:
    before = DRIVER.launches
    got, want = on_device(f, *args), f(*args)
    assert got is not None and (DRIVER.launches > before or not args[0].size)
    several = isinstance(want, tuple)
    for a, b in zip(got, want, strict=True) if several else [(got, want)]:
        same(a, b)
    assert DRIVER.used == 0


def ordered(x):
    return np.sort(x), np.argsort(x, kind="stable")


@pytest.mark.parametrize("length", LENGTHS)
def test_lengths(length: int) -> None:
    agrees(ordered, np.random.default_rng(length).integers(0, 50, length))


@pytest.mark.parametrize("char", "dfeDFbBiQ?")
def test_dtypes(char: str) -> None:
    """Zeros with signs are equal to a sort: they are left out."""
    x = sample(char, np.random.default_rng(0), 700)
    x = np.where(x == 0, np.ones((), x.dtype), x)
    agrees(lambda x: np.argsort(x, kind="stable"), x)
    got, want = on_device(lambda x: np.sort(x), x), np.sort(x)
    same(got, want)


def test_complex_numbers_without_parts() -> None:
    parts = [np.nan, 1.0, 2.0, -np.inf, np.inf]
    z = np.array([complex(a, b) for a in parts for b in parts] * 3)
    agrees(lambda z: np.argsort(z, kind="stable"), np.random.default_rng(0).permutation(z))


def test_rows_and_axes() -> None:
    x = np.random.default_rng(1).normal(size=(7, 300, 3))
    agrees(lambda x: (np.sort(x), np.sort(x, axis=1), np.argsort(x, axis=0)), x)


def test_medians() -> None:
    x = np.random.default_rng(2).normal(size=(9, 101))
    x[3, 4] = np.nan
    agrees(lambda x: (np.median(x, axis=1), np.median(x[:, :4])), x)
    agrees(lambda x: np.nanmedian(x, axis=1), x)


def test_order_of_what_is_computed() -> None:
    x = np.random.default_rng(3).normal(size=500)
    agrees(lambda x: np.sort(x * 2)[::-1][:10] + x[np.argsort(-x)][:10], x)


def test_what_has_no_kernel() -> None:
    def f(x):
        return np.sort(x) + np.nextafter(x, 0)

    with pytest.raises(tracejit.UnsupportedError, match=r"no kernel for nextafter") as raised:
        tracejit.cuda.ptx(f, np.arange(3.0))
    assert "tracejit[cuda13]" in str(raised.value)


def test_scalars_without_an_expression() -> None:
    with pytest.raises(tracejit.UnsupportedError, match=r"no kernel for nextafter"):
        tracejit.cuda.ptx(lambda x, y: x * np.nextafter(y, 0.0), np.arange(3.0), 2.0)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is called of a stand-in for CuPy."""
    calls: list[str] = []
    for name, module in cupy_stand_in.modules(calls).items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def with_cupy(f: Callable[..., Any], *args: Any) -> tuple[Any, str]:
    """What a function gives that nobody has compiled before, and its explanation."""
    with change_flags(device="fake"):
        own = tracejit.function(f, on_unsupported="error")
        return own(*args), own.explain()


def test_products_by_cupy(cupy: list[str]) -> None:
    x = np.random.default_rng(4).normal(size=(20, 30))
    got, told = with_cupy(lambda x: np.tanh(x @ x.T) + 1, x)
    np.testing.assert_allclose(got, np.tanh(x @ x.T) + 1, atol=1e-12)
    assert cupy == ["matmul"]
    assert "products of matrices are CuPy's (cuBLAS): their bits are not the CPU's" in told
    batch = np.stack([x, x + 1]).astype(np.float16)
    got, _ = with_cupy(lambda x: x @ x[0].T, batch)
    np.testing.assert_array_equal(got, batch @ batch[0].T)
    numbers = np.arange(12).reshape(3, 4)
    whole, _ = with_cupy(lambda x: x @ x.T, numbers)
    np.testing.assert_array_equal(whole, numbers @ numbers.T)
    assert cupy == ["matmul"] * 2, "products of integers are ours"


def test_ufuncs_by_cupy(cupy: list[str]) -> None:
    x = np.random.default_rng(5).normal(size=(20, 30))
    got, told = with_cupy(lambda x: np.nextafter(x * 2, 1.5) * 3, x)
    same(got, np.nextafter(x * 2, 1.5) * 3)
    assert cupy == ["nextafter"] and "nextafter is CuPy's: its bits are not the CPU's" in told


def test_products_of_ours_are_told() -> None:
    x = np.random.default_rng(6).normal(size=(5, 4))
    got, told = with_cupy(lambda x: x @ x.T - 1, x)
    np.testing.assert_allclose(got, x @ x.T - 1, rtol=1e-12)
    assert "products of matrices are kernels of ours" in told


def test_kinds_of_sorts_are_told() -> None:
    x = np.arange(700) % 3
    for f, told in (
        (lambda x: np.argsort(x), True),
        (lambda x: np.argsort(x, kind="stable"), False),
        (lambda x: np.sort(x), False),
    ):
        result, text = with_cupy(f, x)
        got = np.asarray(result)
        assert ("argsort leaves equal elements in order" in text) == told
        if x.dtype == got.dtype:
            np.testing.assert_array_equal(x[got] if got.max() > 2 else got, np.sort(x))


def test_one_module_imports_cupy() -> None:
    source = Path(tracejit.__file__).parent
    text = {p.name: p.read_text(encoding="utf-8") for p in source.rglob("*.py")}
    naming = [name for name, lines in text.items() if re.search(r"""import.*\bcupy\b""", lines)]
    assert naming == ["external.py"]
