"""Whose memory a result has: that of an argument, of another result, or its own, as in NumPy."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

#: Results are downloaded one by one: which share memory is in `cuda/test_device_arrays.py`.
pytestmark = pytest.mark.cpu

VECTOR = {
    "C": lambda: np.arange(6.0),
    "strided": lambda: np.arange(12.0)[::2],
    "negative": lambda: np.arange(6.0)[::-1],
    "one": lambda: np.arange(1.0),
    "one of gaps": lambda: np.arange(4.0)[1::4],
    "empty": lambda: np.zeros(0),
    "read-only": lambda: _read_only(np.arange(6.0)),
    "broadcast": lambda: np.broadcast_to(np.float64(2.0), (6,)),
}
MATRIX = {
    "C": lambda: np.arange(12.0).reshape(3, 4),
    "F": lambda: np.arange(12.0).reshape(4, 3).T,
    "square": lambda: np.arange(9.0).reshape(3, 3),
    "strided": lambda: np.arange(48.0).reshape(6, 8)[::2, ::2],
    "negative": lambda: np.arange(12.0).reshape(3, 4)[::-1, ::-1],
    "rows of gaps": lambda: np.arange(24.0).reshape(3, 8)[:, :4],
    "row": lambda: np.arange(4.0).reshape(1, 4),
    "row of gaps": lambda: np.zeros((1, 8))[:, ::2],
    "column": lambda: np.arange(4.0).reshape(4, 1),
    "column of gaps": lambda: np.arange(8.0).reshape(4, 2)[:, :1],
    "empty": lambda: np.zeros((0, 4)),
    "empty rows": lambda: np.zeros((3, 0)),
    "read-only": lambda: _read_only(np.arange(12.0).reshape(3, 4)),
    "broadcast": lambda: np.broadcast_to(np.arange(4.0), (3, 4)),
}
CUBE = {
    "C": lambda: np.arange(24.0).reshape(2, 3, 4),
    "F": lambda: np.arange(24.0).reshape(4, 3, 2).T,
    "permuted": lambda: np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),
    "ones": lambda: np.arange(4.0).reshape(1, 4, 1),
    "gaps": lambda: np.arange(48.0).reshape(2, 3, 8)[:, :, ::2],
}
SCALAR = {"C": lambda: np.array(3.0), "read-only": lambda: _read_only(np.array(3.0))}
COMPLEX = {
    "C": lambda: np.arange(12.0).reshape(3, 4) * (1 + 2j),
    "strided": lambda: (np.arange(24.0).reshape(3, 8) * (1 + 2j))[:, ::2],
    "read-only": lambda: _read_only(np.arange(6.0) * 1j),
}


def _read_only(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


#: Functions of an array of any rank.
ANY: dict[str, Callable[[Any], Any]] = {
    "itself": lambda x: x,
    "...": lambda x: x[...],
    "None": lambda x: x[None],
    "None at the end": lambda x: x[..., None],
    "+x": lambda x: +x,
    "positive": lambda x: np.positive(x),
    "copy": lambda x: x.copy(),
    "copy F": lambda x: x.copy("F"),
    "np.copy": lambda x: np.copy(x),
    "asarray": lambda x: np.asarray(x),
    "asanyarray": lambda x: np.asanyarray(x),
    "asarray C": lambda x: np.asarray(x, order="C"),
    "asarray F": lambda x: np.asarray(x, order="F"),
    "asarray same dtype": lambda x: np.asarray(x, x.dtype),
    "asarray other dtype": lambda x: np.asarray(x, np.complex128),
    "array": lambda x: np.array(x),
    "array copy=None": lambda x: np.array(x, copy=None),
    "array copy=None, F": lambda x: np.array(x, copy=None, order="F"),
    "array ndmin": lambda x: np.array(x, ndmin=4),
    "array ndmin copy=None": lambda x: np.array(x, copy=None, ndmin=4),
    "ascontiguousarray": lambda x: np.ascontiguousarray(x),
    "asfortranarray": lambda x: np.asfortranarray(x),
    "astype": lambda x: x.astype(x.dtype),
    "astype copy=False": lambda x: x.astype(x.dtype, copy=False),
    "astype copy=False, other": lambda x: x.astype(np.complex64, copy=False),
    "astype copy=False, F": lambda x: x.astype(x.dtype, order="F", copy=False),
    "np.astype copy=False": lambda x: np.astype(x, x.dtype, copy=False),
    "reshape": lambda x: x.reshape(-1),
    "reshape same": lambda x: x.reshape(x.shape),
    "reshape F": lambda x: np.reshape(x, -1, order="F"),
    "reshape 1": lambda x: x.reshape((1, -1)),
    "reshape column": lambda x: np.reshape(x, (-1, 1)),
    "reshape copy": lambda x: np.reshape(x, -1, copy=True),
    "ravel": lambda x: np.ravel(x),
    "x.ravel": lambda x: x.ravel(),
    "ravel F": lambda x: x.ravel("F"),
    "flatten": lambda x: x.flatten(),
    "T": lambda x: x.T,
    "transpose": lambda x: np.transpose(x),
    "permute_dims": lambda x: np.permute_dims(x),
    "squeeze": lambda x: np.squeeze(x),
    "x.squeeze": lambda x: x.squeeze(),
    "squeeze ()": lambda x: np.squeeze(x, ()),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "expand_dims two": lambda x: np.expand_dims(x, (0, -1)),
    "expand_dims ()": lambda x: np.expand_dims(x, ()),
    "atleast_1d": lambda x: np.atleast_1d(x),
    "atleast_2d": lambda x: np.atleast_2d(x),
    "atleast_3d": lambda x: np.atleast_3d(x),
    "atleast of two": lambda x: np.atleast_2d(x, x),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "broadcast_to same": lambda x: np.broadcast_to(x, x.shape),
    "broadcast_to of a copy": lambda x: np.broadcast_to(x.copy(), (2, *x.shape)),
    "broadcast_arrays same": lambda x: np.broadcast_arrays(x, x),
    "broadcast_arrays": lambda x: np.broadcast_arrays(x, np.zeros((2, *x.shape))),
    "broadcast_arrays one": lambda x: np.broadcast_arrays(x),
    "astype, broadcast_arrays": lambda x: np.broadcast_arrays(x.astype("c8"), x[None]),
    "flip": lambda x: np.flip(x) if x.ndim else x,
    "real": lambda x: x.real,
    "np.real": lambda x: np.real(x),
    "imag": lambda x: x.imag,
    "np.imag": lambda x: np.imag(x),
    "x.conj": lambda x: x.conj(),
    "conj": lambda x: np.conj(x),
    "real_if_close": lambda x: np.real_if_close(x) if x.dtype == float else x,
    "nan_to_num": lambda x: np.nan_to_num(x) if x.dtype == float else x,
    "clip": lambda x: np.clip(x, None, 3) if x.dtype == float else x,
    "clip by none": lambda x: np.clip(x, None, None),
    "round": lambda x: np.round(x),
    "where": lambda x: np.where(True, x, x),
    "concatenate": lambda x: np.concatenate([x]) if x.ndim else x,
    "concatenate flat": lambda x: np.concatenate([x], axis=None),
    "stack": lambda x: np.stack([x]),
    "vstack": lambda x: np.vstack([x]),
    "hstack": lambda x: np.hstack([x]),
    "tile": lambda x: np.tile(x, 1),
    "repeat": lambda x: np.repeat(x, 1),
    "roll": lambda x: np.roll(x, 0),
    "sum of no axes": lambda x: np.sum(x, axis=()),
    "cumsum": lambda x: np.cumsum(x),
    "moveaxis": lambda x: np.moveaxis(x, (), ()),
    "einsum": lambda x: np.einsum("...", x),
    "list": lambda x: [x, x],
    "x and copy": lambda x: (x, x.copy()),
    "two copies": lambda x: (x.copy(), x.copy()),
    "fresh and views": lambda x: (lambda y: (y, y[...], y.T, y.reshape(-1)))(x * 2),
    "fresh twice": lambda x: (lambda y: [y, y])(x * 2),
    "fresh asarray": lambda x: (lambda y: (y, np.asarray(y), np.ascontiguousarray(y)))(x + 1),
    "fresh imag": lambda x: (x * 2).imag,
    "views of a view": lambda x: (lambda y: (y.ravel(), y))(x.T),
    "shared ravel": lambda x: (lambda y: (y, y[:1], y[None]))(x.ravel()),
    "there and back": lambda x: x.reshape(-1).reshape(x.shape),
    "zeros and view": lambda x: (lambda y: (y, y.reshape(-1)[1:]))(np.zeros(x.shape)),
    "written": lambda x: _written(x),
}  # fmt: skip
#: Functions of arrays of one axis at least.
AXES: dict[str, Callable[[Any], Any]] = {
    "slice": lambda x: x[1:],
    "slice all": lambda x: x[:],
    "step": lambda x: x[::2],
    "reverse": lambda x: x[::-1],
    "flip 0": lambda x: np.flip(x, 0),
    "flip no axes": lambda x: np.flip(x, ()),
    "flipud": lambda x: np.flipud(x),
    "split": lambda x: np.split(x, [1, 2]),
    "array_split": lambda x: np.array_split(x, 2),
    "hsplit": lambda x: np.hsplit(x, [1]),
    "unstack": lambda x: np.unstack(x),
    "meshgrid": lambda x: np.meshgrid(x, x),
    "meshgrid copy=False": lambda x: np.meshgrid(x, x, copy=False),
    "meshgrid sparse": lambda x: np.meshgrid(x, x, copy=False, sparse=True),
    "meshgrid ij": lambda x: np.meshgrid(x, x, copy=False, indexing="ij"),
    "sort": lambda x: np.sort(x),
    "take": lambda x: np.take(x, np.arange(x.shape[0]), axis=0),
    "mask": lambda x: x[x == x],
    "rollaxis": lambda x: np.rollaxis(x, x.ndim - 1),
    "overlapping slices": lambda x: (lambda y: (y[1:], y[:-1]))(x + 1),
    "disjoint slices": lambda x: (lambda y: (y[:1], y[1:]))(x + 1),
    "broadcast scalars": lambda x: np.broadcast_to(x.sum(), (2,)),
    "broadcast_arrays, one as it is": lambda x: (
        (lambda y: (y, np.broadcast_arrays(y, y[:1])[0]))(x + 1) if x.size else x
    ),
    "broadcast slices": lambda x: np.broadcast_to(x[:1] + 1, x.shape),
    "pieces of fresh": lambda x: np.array_split(x * 3, 2),
    "reversed of fresh": lambda x: (lambda y: (y[::-1], y))(x - 1),
    "ravel of slice": lambda x: x[1:].ravel(),
    "contiguous slice": lambda x: np.ascontiguousarray(x[1:]),
    "contiguous step": lambda x: np.ascontiguousarray(x[::2]),
    "ravel of step": lambda x: np.ravel(x[::2]),
    "diff 0": lambda x: np.diff(x, n=0),
}  # fmt: skip
#: Functions of matrices and more.
PLANES: dict[str, Callable[[Any], Any]] = {
    "x[0]": lambda x: x[0] if x.shape[0] else x,
    "x[:, 0]": lambda x: x[:, 0] if x.shape[1] else x,
    "x[:, 1:]": lambda x: x[:, 1:],
    "x[1:2, :1]": lambda x: x[1:2, :1],
    "mT": lambda x: x.mT,
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "swapaxes same": lambda x: x.swapaxes(0, 0),
    "moveaxis 0 1": lambda x: np.moveaxis(x, 0, -1),
    "matrix_transpose": lambda x: np.matrix_transpose(x),
    "fliplr": lambda x: np.fliplr(x),
    "rot90": lambda x: np.rot90(x),
    "rot90 by 0": lambda x: np.rot90(x, 0),
    "rot90 by 2": lambda x: np.rot90(x, 2),
    "rot90 by 3": lambda x: np.rot90(x, -1),
    "diagonal": lambda x: np.diagonal(x),
    "x.diagonal": lambda x: x.diagonal(1),
    "linalg.diagonal": lambda x: np.linalg.diagonal(x),
    "linalg.matrix_transpose": lambda x: np.linalg.matrix_transpose(x),
    "vsplit": lambda x: np.vsplit(x, [1]),
    "split 1": lambda x: np.split(x, [2], axis=1),
    "unstack 1": lambda x: np.unstack(x, axis=1),
    "rows": lambda x: list(x),
    "T.ravel": lambda x: x.T.ravel(),
    "T.reshape": lambda x: x.T.reshape(-1),
    "T of contiguous": lambda x: np.ascontiguousarray(x.T),
    "T of fortran": lambda x: np.asfortranarray(x.T),
    "fresh diagonal": lambda x: np.diagonal(x * 2),
    "fresh and T": lambda x: (lambda y: (y, y.T.ravel(), y.T.reshape(-1)))(x * 2),
    "fresh rows": lambda x: tuple(x * 2),
    "column of ravel": lambda x: x[:, :1].ravel(),
    "first columns reshaped": lambda x: x[:, :2].reshape(-1),
}  # fmt: skip
FLAT: dict[str, Callable[[Any], Any]] = {
    "ix_": lambda x: np.ix_(x.astype(int)),
    "meshgrid of one": lambda x: np.meshgrid(x, copy=False),
    "vector as rows": lambda x: x.reshape(2, -1) if x.shape[0] == 6 else x,
    "vector as rows F": lambda x: x.reshape((2, -1), order="F") if x.shape[0] == 6 else x,
    "reshape of reshape": lambda x: x.reshape(2, 3).reshape(3, 2).T if x.shape[0] == 6 else x,
}  # fmt: skip
MATRICES: dict[str, Callable[[Any], Any]] = {
    "diag": lambda x: np.diag(x),
    "diag 1": lambda x: np.diag(x, 1),
    "einsum T": lambda x: np.einsum("ij->ji", x),
    "einsum diagonal": lambda x: np.einsum("ii->i", x) if x.shape[0] == x.shape[1] else x,
    "einsum sum": lambda x: np.einsum("ij->i", x),
    "dsplit": lambda x: np.dsplit(x[:, :, None], 1),
}  # fmt: skip


def _written(x: Any) -> Any:
    y = np.zeros(x.shape)
    z = y.reshape(-1)
    z[:1] = 5
    return y, z


KINDS: dict[str, tuple[dict[str, Any], dict[str, Callable[[Any], Any]]]] = {
    "0-d": (SCALAR, ANY),
    "1-d": (VECTOR, ANY | AXES | FLAT),
    "2-d": (MATRIX, ANY | AXES | PLANES | MATRICES),
    "3-d": (CUBE, ANY | AXES | PLANES),
    "complex": (COMPLEX, ANY),
}


def cases(kind: str) -> list[tuple[str, Callable[[Any], Any], Callable[[], np.ndarray]]]:
    arrays, functions = KINDS[kind]
    return [
        (f"{name}, {kind} {layout}", f, make)
        for (name, f), (layout, make) in itertools.product(functions.items(), arrays.items())
    ]


def leaves(result: Any) -> list[Any]:
    if isinstance(result, (tuple, list)):
        return [leaf for item in result for leaf in leaves(item)]
    return [result]


def root(x: Any) -> Any:
    """The array that owns the memory of `x`."""
    while isinstance(x.base, np.ndarray):
        x = x.base
    return x


def writeable(x: np.ndarray) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what np.broadcast_arrays returns will be read-only
        return x.flags.writeable


def facts(results: Any, arguments: list[np.ndarray]) -> list[Any]:
    """What a caller can see of the memory of `results`."""
    flat = leaves(results)
    seen: list[Any] = [type(results).__name__]
    for r in flat:
        if not isinstance(r, np.ndarray):
            seen.append((type(r).__name__, repr(r)))
            continue
        seen += [
            (r.tolist(), r.dtype.str, r.shape),
            writeable(r),
            [np.shares_memory(r, a) for a in arguments],
            [r is a for a in arguments],
            [root(r) is root(a) for a in arguments],
        ]
        if any(root(r) is root(a) for a in arguments):
            seen.append((r.flags.c_contiguous, r.flags.f_contiguous))
    arrays = [r for r in flat if isinstance(r, np.ndarray)]
    for a, b in itertools.combinations(arrays, 2):
        seen.append((np.shares_memory(a, b), a is b))
    return seen


def _compare(cases: list[Any]) -> int:
    compared = 0
    for name, f, make in cases:
        x = make()
        try:
            want = facts(f(x), [x])
        except ValueError:  # no such split, or no such axes
            continue
        assert facts(tracejit.function(f)(x), [x]) == want, name
        compared += 1
    return compared


@pytest.mark.parametrize("kind", ["0-d", "1-d", "2-d", "3-d", "complex"])
def test_every_function_over_every_layout(kind: str) -> None:
    with tracejit.config(compile=False):
        assert _compare(cases(kind)) > 150


def test_in_machine_code() -> None:
    """A part of them, of all kinds: they differ in the drivers alone."""
    assert _compare([c for kind in KINDS for c in cases(kind)][::53]) > 60


CHAINS = {
    "slice": lambda x: x[:, :2],
    "step": lambda x: x[::2],
    "T": lambda x: x.T,
    "ravel": lambda x: x.ravel().reshape(2, -1),
    "ravel F": lambda x: x.ravel("F").reshape(2, -1),
    "reshape": lambda x: x.reshape(2, -1),
    "flip": lambda x: np.flip(x, 1),
    "contiguous": lambda x: np.ascontiguousarray(x),
    "fortran": lambda x: np.asfortranarray(x),
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape))[1],
    "new axis": lambda x: x[None][0],
    "diagonal": lambda x: np.diagonal(x)[None],
    "copy": lambda x: x.copy(),
    "astype": lambda x: x.astype(x.dtype, copy=False),
    "einsum": lambda x: np.einsum("ij->ji", x),
}  # fmt: skip


@pytest.mark.parametrize("layout", ["C", "F", "strided", "rows of gaps", "read-only"])
def test_chains(layout: str) -> None:
    def chain(first: Any, second: Any) -> Any:
        return lambda x: second(first(x))

    def both(first: Any, second: Any) -> Any:
        return lambda x: (lambda y: (y, second(y)))(first(x))

    shapes = {"C": (4, 4), "F": (4, 4), "read-only": (4, 4)}
    names = list(itertools.product(CHAINS, CHAINS))

    def make() -> np.ndarray:
        if layout in shapes:
            x = np.arange(16.0).reshape(4, 4)
            return {"C": x, "F": x.T, "read-only": _read_only(x)}[layout]
        x = np.arange(64.0).reshape(8, 8)
        return x[::2, ::2] if layout == "strided" else x[:4, :4]

    with tracejit.config(compile=False):
        for way in (chain, both):
            found = [(f"{a}, {b}", way(CHAINS[a], CHAINS[b]), make) for a, b in names]
            assert _compare(found) > 200


#: Functions of a matrix and a length, and what the length is in turn: whether the result is a view
#: or a copy depends on it, on one path.
DEPENDING = {
    "ravel": lambda x, n: x[:, :n].ravel(),
    "reshape": lambda x, n: x[:, :n].reshape(-1),
    "contiguous": lambda x, n: np.ascontiguousarray(x[:, :n]),
    "fortran": lambda x, n: np.asfortranarray(x[:, :n]),
    "asarray": lambda x, n: np.asarray(x[:, :n], order="C"),
    "shared": lambda x, n: (lambda y: (y, y[1:]))(x[:, :n].ravel()),
}  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
def test_lengths_decide_at_each_call(compiled: bool) -> None:
    for f in DEPENDING.values():
        with tracejit.config(compile=compiled):
            g = tracejit.function(f)
            for rows, columns, n in ((4, 5, 5), (4, 5, 3), (3, 4, 4), (3, 7, 2), (0, 5, 5)):
                x = np.arange(float(rows * columns)).reshape(rows, columns)
                assert facts(g(x, n), [x]) == facts(f(x, n), [x])
            assert g.stats.traces <= 3  # lengths that are all, fewer, and none


def test_what_the_caller_writes_later() -> None:
    def f(c: Any) -> Any:
        return np.broadcast_to(c.copy(), (2, 3)), c[1:], c[::2].ravel(), c.astype(int)

    c = np.arange(3.0)
    fixed, seen, picked, whole = tracejit.function(f)(c)
    c[:] = 7
    assert fixed.tolist() == [[0, 1, 2]] * 2 and not fixed.flags.writeable
    assert (seen.tolist(), picked.tolist(), whole.tolist()) == ([7, 7], [0, 2], [0, 1, 2])


def test_results_that_share_memory_see_writes() -> None:
    g = tracejit.function(lambda x: (lambda y: (y, y[1:], y.reshape(2, -1), y))(x * 2))
    y, rest, rows, again = g(np.arange(4.0))
    y[1] = 99
    assert (rest[0], rows[0, 1]) == (99, 99) and again is y


def test_arguments_that_overlap_or_are_the_same() -> None:
    g = tracejit.function(lambda x, y: (x, y, x[1:], y[:2], x + y))
    base = np.arange(6.0)
    for x, y in ((base[:4], base[2:]), (base, base), (base[:3], base[3:])):
        if x.shape == y.shape:
            want = (x, y, x[1:], y[:2], x + y)
            assert facts(g(x, y), [x, y]) == facts(want, [x, y])


def test_captured_arrays_are_shared() -> None:
    c = np.arange(3.0)
    result = tracejit.function(lambda x: (c[1:], c, c + x))(1.0)
    assert np.shares_memory(result[0], c) and result[1] is c and result[0].base is c


def test_an_array_of_the_function_is_new_at_each_call() -> None:
    g = tracejit.function(lambda x: (np.array([1.0, 2.0]), x + 0))
    first = g(1.0)[0]
    first[0] = 9
    assert g(1.0)[0].tolist() == [1, 2]


def test_what_copies_is_not_written_through() -> None:
    def strided(x: Any) -> Any:
        y = x + 0
        z = y[::2].ravel()
        z[0] = 99
        return y, z

    def contiguous(x: Any) -> Any:
        y = x + 0
        z = np.ascontiguousarray(y)
        z[0] = 99
        return y, z

    for f in (strided, contiguous):
        x = np.arange(4.0)
        g = tracejit.function(f, on_unsupported="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
            assert [r.tolist() for r in g(x)] == [r.tolist() for r in f(x)]


def test_a_copy_need_not_be_possible() -> None:
    g = tracejit.function(lambda x: np.asarray(x, np.int64, copy=False), on_unsupported="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tracejit.UnsupportedWarning)
        with pytest.raises(ValueError, match="avoid copy"):
            g(np.ones(2))
