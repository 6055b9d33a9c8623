"""How operands lie in memory: the same bits, and vectors also where there are gaps."""

from __future__ import annotations

import platform
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
import scipy.special

import tracejit
from tracejit.lower import executable
from tracejit.lower.driver import Driver
from tracejit.lower.executable import Executable

LENGTHS = (5, 31, 33, 100, 513, 1200, 20_000)


def of_a_line(x: np.ndarray) -> Iterator[np.ndarray]:
    """The elements of `x` with gaps, backwards in memory, and off the usual alignment."""
    for step in (2, 3, -1):
        wide = np.zeros(x.size * abs(step), x.dtype)[::step]
        wide[:] = x
        yield wide
    shifted = np.zeros(x.size + 1, x.dtype)[1:]
    shifted[:] = x
    yield shifted


def of_rows(x: np.ndarray) -> Iterator[np.ndarray]:
    """The elements of `x` in rows that lie apart, and with gaps in the rows."""
    rows, length = x.shape
    for made in (np.zeros((rows, length + 3), x.dtype), np.zeros((rows, 2 * length), x.dtype)):
        placed = made[:, :length] if made.shape[1] < 2 * length else made[:, ::2]
        placed[:] = x
        yield placed
    yield np.broadcast_to(x, (rows, length))


LINES: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "sum of exp": lambda x: np.exp(x).sum(),
    "norm": lambda x: np.sqrt(((x - 1) ** 2).sum()),
    "product": lambda x: (1 + x / 1000).prod(),
    "variance": lambda x: (x.mean(), x.var()),
    "complex": lambda x: (x + 1j * x).sum(),
    "row": lambda x: x.reshape(1, -1).sum(axis=1),
    "extremes of zeros": lambda x: ((x * 0).max(), (x * 0).min()),
}
ROWS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda x: x.sum(axis=1),
    "squares": lambda x: (x * x).sum(axis=1),
    "exponentials": lambda x: np.exp(x - x.max(axis=1, keepdims=True)).sum(axis=1),
    "variances": lambda x: x.var(axis=1),
    "extremes of zeros": lambda x: ((x * 0).max(axis=1), (x * 0).min(axis=1)),
}


def bits(result: Any) -> list[bytes]:
    return [np.asarray(r).tobytes() for r in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", LINES)
def test_sums_of_a_line_have_the_same_bits(name: str, dtype: Any) -> None:
    f = tracejit.function(LINES[name], on_unsupported="error")
    for length in LENGTHS:
        x = np.random.default_rng(length).normal(size=length).astype(dtype)
        expected = bits(f(x))
        assert all(bits(f(other)) == expected for other in of_a_line(x)), length


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ROWS)
def test_sums_of_rows_have_the_same_bits(name: str, dtype: Any) -> None:
    f = tracejit.function(ROWS[name], on_unsupported="error")
    for length in LENGTHS[:-1]:
        x = np.random.default_rng(length).normal(size=(21, length)).astype(dtype)
        expected = bits(f(x))
        assert all(bits(f(other)) == expected for other in of_rows(x)), length


@pytest.mark.cpu
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64")
    or not llvm.get_host_cpu_features().get("fma", False),
    reason="reads the assembly of x86-64 with FMA",
)
@pytest.mark.parametrize(
    ("name", "instruction"),
    [("exp", r"vfmadd\d+pd\s.*%[yz]mm"), ("sum", r"vaddpd\s.*%[yz]mm"),
     ("max", r"vmaxpd\s.*%[yz]mm")],
)  # fmt: skip
def test_functions_and_sums_of_strided_lines_are_vectors(
    name: str, instruction: str, monkeypatch: Any
) -> None:
    """LLVM would compile vectors for a stride of one byte, and scalars for every other."""
    made: list[Any] = []

    def noting(*arguments: Any) -> Any:
        made.append(Executable(*arguments))
        return made[-1]

    monkeypatch.setattr(executable, "Executable", noting)
    function = {"exp": np.exp, "sum": np.sum, "max": np.max}[name]
    f = tracejit.function(lambda x: function(x + 0.75), on_unsupported="error")
    with tracejit.config(threads=1, cache=False):
        f(np.linspace(0, 1, 2000)[::2])
    assembly = made[-1].entry.__self__.compiled.assembly()
    assert re.search(instruction, assembly)
    # An extreme does not look at the signs of zeros.
    assert not re.search(r"vpmov[dq]2m", assembly)


@pytest.mark.cpu
def test_llvm_has_nothing_to_say(capfd: pytest.CaptureFixture[str]) -> None:
    """It complains of loops that it is told to vectorise and cannot."""
    x = np.linspace(0.1, 0.9, 40)
    programs: list[Callable[[Any], Any]] = [
        lambda x: (np.where(np.isfinite(np.sin(x)), np.sin(x), 0).sum(), np.nanmax(np.sin(x))),
        lambda x: np.fmod(x, 0.3).sum() + np.remainder(x, 0.7).sum(),
        lambda x: (scipy.special.j0(x).sum(), x.argmax(), np.cumsum(x)),
        lambda x: (x + 0j).prod() + (x[x > 0.5]).sum(),
    ]
    with tracejit.config(cache=False, threads=1):
        for program in programs:
            tracejit.function(program, on_unsupported="error")(x)
    assert capfd.readouterr().err == ""


VIEWS: dict[str, Callable[[Any], Any]] = {
    "all": lambda x: x[:],
    "transposed": lambda x: x.T,
    "without the first": lambda x: x[1:],
    "each third": lambda x: x[2:-1:3],
    "backwards": lambda x: x[::-1],
    "backwards from the fourth": lambda x: x[3::-1],
    "backwards by two": lambda x: x[-2::-2],
    "backwards between": lambda x: x[5:1:-1],
    "beyond the end": lambda x: x[7:],
    "a row": lambda x: x[0],
    "a column": lambda x: x[:, -1],
    "turned": lambda x: np.rot90(x),
    "axes swapped and cut": lambda x: np.swapaxes(x, 0, 1)[1:, ::-2],
    "an axis more": lambda x: x[:, None, ::-1],
    "axes more, in another order": lambda x: x[None, :, 1:, None].transpose(2, 0, 1, 3),
    "an element": lambda x: x[0, 1, ...],
    "no axes": lambda x: np.squeeze(x[:1, :1]),
    "diagonal": lambda x: np.diagonal(x),
    "repeated": lambda x: np.broadcast_to(x, (2, *x.shape)),
}


@pytest.mark.parametrize("shape", [(6, 7), (5, 5), (0, 3), (1, 4), (7, 2)])
@pytest.mark.parametrize("name", VIEWS)
def test_results_that_are_views(name: str, shape: tuple[int, int]) -> None:
    f = tracejit.function(VIEWS[name], on_unsupported="error")
    f(np.ones((6, 7)))  # a trace for other lengths
    x = np.arange(float(np.prod(shape))).reshape(shape)
    if not x.size and name in ("a row", "a column", "an element"):
        return
    mine, numpys = f(x), VIEWS[name](x)
    np.testing.assert_array_equal(mine, numpys)
    assert np.shares_memory(mine, x) == np.shares_memory(numpys, x)
    assert mine.flags.writeable == numpys.flags.writeable or not x.size
    steps = [[s for s, n in zip(v.strides, v.shape, strict=True) if n > 1] for v in (mine, numpys)]
    assert steps[0] == steps[1] or not mine.size


ORDERED: dict[str, Callable[[Any], Any]] = {
    "C": lambda x: np.ascontiguousarray(x),
    "F": lambda x: np.asfortranarray(x),
    "as array": lambda x: np.asarray(x, order="C"),
    "array": lambda x: np.array(x, order="F"),
    "transposed": lambda x: np.ascontiguousarray(x.T),
    "cast": lambda x: x.astype(np.float32, order="C"),
    "copied": lambda x: np.copy(x, order="F"),
    "copied in C's": lambda x: x.T.copy(),
    "half": lambda x: np.asfortranarray(x.astype(np.float16)),
    "computed": lambda x: np.ascontiguousarray((x * 2 + 1).T),
    "flattened": lambda x: x.ravel(),
    "flattened line": lambda x: x[0].ravel(),
    "flattened backwards": lambda x: x[0, ::-1].ravel(),
    "flattened part": lambda x: x[0, 2:].ravel(),
}


@pytest.mark.parametrize("made", [np.ascontiguousarray, np.asfortranarray, lambda x: x[::2, ::3]])
@pytest.mark.parametrize("name", ORDERED)
def test_an_order_that_is_asked_for(name: str, made: Callable[[Any], Any]) -> None:
    x = made(np.arange(60.0).reshape(6, 10))
    mine, numpys = (
        tracejit.function(ORDERED[name], on_unsupported="error")(x),
        ORDERED[name](x),
    )
    np.testing.assert_array_equal(mine, numpys)
    assert mine.strides == numpys.strides
    assert np.shares_memory(mine, x) == np.shares_memory(numpys, x)


@pytest.mark.parametrize("copy", [np.ascontiguousarray, np.ravel], ids=["contiguous", "line"])
def test_what_is_contiguous_for_some_lengths_is_not_taken_to_be_so(copy: Any) -> None:
    f = tracejit.function(lambda x, n: copy(x[:, :n]), on_unsupported="error")
    x = np.arange(20.0).reshape(4, 5)
    for n in (5, 3, 5, 2):
        result = f(x, n)
        np.testing.assert_array_equal(result, copy(x[:, :n]))
        assert result.flags.c_contiguous
        assert n == 5 or not np.shares_memory(result, x)


@pytest.mark.cpu
def test_a_view_is_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    sliced: list[str] = []
    real = Driver._taken

    def noting(driver: Any, base: str, link: Any) -> str:
        sliced.append(real(driver, base, link))
        return sliced[-1]

    monkeypatch.setattr(Driver, "_taken", noting)
    for view in (lambda x: x[1:], lambda x: x.T, lambda x: x[:, None], lambda x: np.diagonal(x)):
        tracejit.function(view, on_unsupported="error")(np.ones((4, 5)))
    names = [re.match(r"(\w+)", text)[1] for text in sliced]  # type: ignore[index]
    plain = [text.removeprefix(name) for text, name in zip(sliced, names, strict=True)]
    assert plain[1:3] == [".transpose(1, 0)", "[:, :, None].transpose(0, 2, 1)"]
    assert re.match(r"\[1:.*:1\]$", plain[0])
    assert "take" in names[3]


@pytest.mark.parametrize("dtype", ["?", "i2", "i8", "f2", "f4", "f8", "c16"])
def test_numbers_in_the_other_order_of_bytes_are_others(dtype: str) -> None:
    f = tracejit.function(lambda x: x + x, on_unsupported="warn")
    x = np.arange(5).astype(dtype)
    np.testing.assert_array_equal(f(x), x + x)
    swapped = x.astype(np.dtype(dtype).newbyteorder("S"))
    native = swapped.dtype.isnative  # of one byte
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(f(swapped), x + x)
    assert bool(caught) is not native
    assert (f.stats.traces, f.stats.fallbacks) == (1, not native)


def _added(x: Any) -> Any:
    y = x.copy()
    y += 1
    return y


def _cleared(x: Any) -> Any:
    y = np.ascontiguousarray(x) * 1
    y[y > 5] = 0
    return y


@pytest.mark.parametrize(
    "f",
    [
        _added,
        _cleared,
        lambda x: x.copy() + 1,
        lambda x: x.copy() + x,
        lambda x: x.astype(float, order="C") - 1,
        lambda x: np.asfortranarray(x) * 2,
        lambda x: (x + 1, x.T.copy() - 1),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_made_of_a_copy_lies_as_the_copy(f: Any, order: str) -> None:
    x = np.asarray(np.arange(30.0).reshape(6, 5), order=order)
    got, want = tracejit.function(f, on_unsupported="error")(x), f(x)
    for mine, numpys in zip(
        got if isinstance(got, tuple) else (got,),
        want if isinstance(want, tuple) else (want,),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, numpys)
        assert mine.strides == numpys.strides


@pytest.mark.parametrize("f", [np.sort, np.argsort])
def test_sorted_along_another_axis_it_lies_as_before(f: Any) -> None:
    x = np.random.default_rng(4).random((6, 5, 4))
    for axis in range(3):
        got, want = tracejit.function(lambda x, k=axis: f(x, axis=k))(x), f(x, axis=axis)
        np.testing.assert_array_equal(got, want)
        assert got.strides == want.strides
