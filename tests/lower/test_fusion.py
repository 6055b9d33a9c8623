"""What is fused: loops, passes and temporaries of named programs, layouts, and who owns results."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special

import tracejit

RNG = np.random.default_rng(0)
strict = tracejit.function(on_unsupported="error")


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


# Ten programs -----------------------------------------------------------------------------------


@strict
def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@strict
def pairwise(x, y):
    return ((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=-1)


@strict
def standardise(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


@strict
def layer_norm(x, gain, bias):
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return centred / spread * gain + bias


@strict
def logistic(x, y):
    return 1 / (1 + np.exp(-x)) + y


@strict
def black_scholes(S, K, T, r, v):
    d1 = (np.log(S / K) + (r + v * v / 2) * T) / (v * np.sqrt(T))
    d2 = d1 - v * np.sqrt(T)

    def cdf(z):
        return (1 + scipy.special.erf(z / np.sqrt(2))) / 2

    return S * cdf(d1) - K * np.exp(-r * T) * cdf(d2)


@strict
def stencil(u):
    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    return around - 4 * u[1:-1, 1:-1]


@strict
def masked_mean(x, m):
    return np.where(m, x, 0).sum() / m.sum()


@strict
def outer_sum(x, y):
    return (x[:, None] * y[None, :]).sum()


@strict
def differences(x, y):
    d = x - y
    return d, d * d


class Program(NamedTuple):
    function: Any
    arguments: tuple[Any, ...]
    loops: int
    passes: int
    temporaries: int
    exact: bool = False


PROGRAMS = {
    p.function.__name__: p
    for p in [
        Program(softmax, (normal(23, 30),), 1, 3, 0),
        Program(pairwise, (normal(20, 7), normal(30, 7)), 1, 1, 0),
        # The statistics are swept over the rows, which keeps memory order: three passes over the
        # array, and between them what is made of a row of sums.
        Program(standardise, (normal(50, 9),), 6, 6, 5),
        Program(layer_norm, (normal(20, 16), normal(16), normal(16)), 1, 3, 0),
        Program(logistic, (normal(100), normal(100)), 1, 1, 0),
        Program(
            black_scholes, (*RNG.uniform(50, 100, size=(2, 100)), 1.5, 0.02, 0.3), 1, 1, 0
        ),
        Program(stencil, (normal(20, 30),), 1, 1, 0, exact=True),
        Program(masked_mean, (normal(100), RNG.random(100) < 0.5), 1, 1, 0),
        Program(outer_sum, (normal(20), normal(30)), 1, 1, 0),
        Program(differences, (normal(20, 3), normal(20, 3)), 1, 1, 0, exact=True),
    ]
}  # fmt: skip
named = pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)


@named
def test_counts(program):
    f, arguments = program.function, program.arguments
    got, want = f(*arguments), f.__wrapped__(*arguments)
    stats = f.stats
    assert (stats.loops, stats.passes, stats.temporaries) == program[2:5]
    assert (stats.traces, stats.fallbacks) == (1, 0)
    for a, b in zip(np.atleast_1d(got), np.atleast_1d(want), strict=True):
        if program.exact:
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=2e-14, atol=1e-15)
    assert type(got) is type(want)


NOTE = re.compile(r" +# ([\w.]+):(\d+)$", re.MULTILINE)


@named
def test_source(program, golden):
    source = program.function.source(*program.arguments)
    golden(f"source_{program.function.__name__}.txt", NOTE.sub("", source))


def computing(source: str) -> Iterator[str]:
    """The lines that compute values, which are neither guards, lengths, loads nor bookkeeping."""
    lines = source.splitlines()
    (entry,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef))
    guard = next((n for n in entry.body if isinstance(n, ast.If)), None)
    lengths: set[str] = set()
    for statement in (n for n in ast.walk(entry) if isinstance(n, ast.Assign)):
        value, target = statement.value, ast.unparse(statement.targets[0])
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
        names -= {ast.unparse(n.func) for n in ast.walk(value) if isinstance(n, ast.Call)}
        if ".shape[" in ast.unparse(value) or names <= lengths:
            lengths.add(target)
            continue
        if guard and statement.lineno < guard.lineno:
            continue
        position = re.fullmatch(r"i\d+|\w+_flat", target)
        if isinstance(value, (ast.BinOp, ast.Call, ast.Compare)) and not position:
            yield lines[statement.lineno - 1]


@named
def test_every_computing_statement_names_the_users_line(program):
    source = program.function.source(*program.arguments)
    text, first = inspect.getsourcelines(program.function.__wrapped__)
    statements = list(computing(source))
    assert statements
    unnamed = [s for s in statements if not NOTE.search(s)]
    assert not unnamed, "\n".join(unnamed)
    for s in statements:
        file, line = NOTE.search(s).groups()
        assert file == "test_fusion.py" and first < int(line) < first + len(text), s


def test_a_line_is_the_functions_own():
    """Two functions that compute the same from lengths alone: each names its own lines."""

    def first(x, y):
        return np.arange(x.shape[0]) * 2.0 + x + y

    def second(x, y):
        return np.arange(x.shape[0]) * 2.0 - x - y

    keep = strict(first), strict(second)
    for f in keep:
        text, start = inspect.getsourcelines(f.__wrapped__)
        lines = {int(line) for _, line in NOTE.findall(f.source(normal(5), normal(5)))}
        assert lines <= set(range(start, start + len(text)))


def reshaped_and_reversed(x):
    y = (x * 2).reshape(-1)
    return y, y[::-1]


#: Results that are read again in another order, or before they are complete, if loops are fused
#: that must not be.
ORDERS: dict[str, Callable[[np.ndarray], Any]] = {
    "kept and used": lambda x: [y := x * 2, y - 1],
    "used and kept": lambda x: [(y := x * 2) - 1, y, y @ y.T],
    "reversed": lambda x: [y := x * 2, y[::-1] + 1],
    "reshaped, reversed": reshaped_and_reversed,
    "reshape of an argument, reversed": lambda x: [y := x.reshape(-1) * 1, y[::-1] * 1],
    "transposed": lambda x: [y := np.exp2(x), y.T + 1],
    "reshaped, transposed": lambda x: [y := (x + 1).reshape(3, -1), y.T * 2],
    "neighbours": lambda x: [y := np.exp2(x), y[1:] - y[:-1]],
    "joined": lambda x: np.concatenate([x, x], axis=1) * 2,
    "rolled": lambda x: [y := np.roll(x, 1, axis=1), x - y * 2],
    "joined, summed": lambda x: np.concatenate([x, x + 1]).sum(axis=0),
    "summed, scaled": lambda x: x / x.sum(axis=0) + x / x.sum(axis=1, keepdims=True),
    "accumulated": lambda x: np.cumsum(x, axis=0) * 2 + x,
    "accumulated, reversed": lambda x: [y := np.cumsum(x, axis=1), y[:, ::-1] - x],
    "gathered": lambda x: (x * 2)[[2, 0, 1]] - x[:3],
    "product": lambda x: x @ x.T + (x @ x.T).T,
}


@pytest.mark.parametrize("name", ORDERS)
def test_what_is_read_is_complete(name):
    f = strict(ORDERS[name])
    x = np.round(BASE) + 31.0
    for layout in ("C", "Fortran", "strided"):
        argument = LAYOUTS[layout](np.vstack([x, x * 2]) if layout == "strided" else x)
        for got, want in zip(f(argument), f.__wrapped__(argument), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-15, err_msg=layout)


# Layouts ----------------------------------------------------------------------------------------

BASE = np.arange(-30.0, 30.0).reshape(6, 10) / 4


def readonly(x: np.ndarray) -> np.ndarray:
    x = x.copy(order="K")
    x.flags.writeable = False
    return x


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": lambda x: x,
    "Fortran": np.asfortranarray,
    "transposed": lambda x: x.T,
    "strided": lambda x: x[::2, ::3],
    "one axis strided": lambda x: x[:, ::2],
    "rows strided": lambda x: x[::2],
    "inner part": lambda x: x[1:-1, 2:-3],
    "reversed": lambda x: x[::-1, ::-1],
    "reversed rows": lambda x: x[::-1],
    "reversed, strided, transposed": lambda x: x[::-2, ::-3].T,
    "broadcast rows": lambda x: np.broadcast_to(x[0], (4, 10)),
    "broadcast columns": lambda x: np.broadcast_to(x[:, :1], (6, 7)),
    "broadcast scalar": lambda x: np.broadcast_to(x[1, 1], (3, 4)),
    "one column": lambda x: x[:, 3:4],
    "a column": lambda x: x[:, 3],
    "no rows": lambda x: x[:0],
    "no columns": lambda x: x[:, :0],
    "nothing, transposed": lambda x: x[:0, ::2].T,
    "no axes": lambda x: x[2, 3].reshape(()),
    "a field of a row": lambda x: x[2, 3:4],
    "four axes": lambda x: x.reshape(2, 3, 5, 2).transpose(0, 2, 1, 3),
    "Fortran, three axes": lambda x: np.asfortranarray(x.reshape(2, 3, 10)),
    "read-only": readonly,
    "read-only Fortran": lambda x: readonly(np.asfortranarray(x)),
    "diagonal": np.diagonal,
    "overlapping windows": lambda x: np.lib.stride_tricks.sliding_window_view(x[0], 4),
}


def plain(x, y):
    return (x - y) * x + abs(y)


elementwise = strict(plain)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int16], ids=lambda d: d.__name__)
def test_elementwise_over_layouts(dtype):
    elementwise = strict(plain)
    for name, layout in LAYOUTS.items():
        x, y = layout(BASE.astype(dtype)), layout((BASE[::-1] * 3).astype(dtype))
        got, want = elementwise(x, y), plain(x, y)
        assert type(got) is type(want) and got.dtype == want.dtype, name
        np.testing.assert_array_equal(got, want, err_msg=name)
        if isinstance(got, np.ndarray):
            assert got.flags.writeable and not np.shares_memory(got, x), name
            assert not np.shares_memory(got, y), name
    assert elementwise.stats.fallbacks == 0


@pytest.mark.parametrize("other", ["Fortran", "reversed", "read-only", "broadcast"])
def test_two_layouts_in_one_loop(other):
    change = LAYOUTS.get(other, lambda x: np.broadcast_to(x[0], x.shape))
    y = change(BASE + 1)
    for a, b in ((BASE, y), (y, BASE)):
        want = plain(a, b)
        np.testing.assert_array_equal(elementwise(a, b), want)
        assert elementwise.stats.loops == 1 and elementwise.stats.temporaries == 0


def test_a_path_is_told_that_it_does_not_fit():
    """Each call first tries the path of the one before it, whatever its arguments were."""
    f = strict(lambda x: x + x)
    calls = [BASE, BASE[0], BASE[0, 0], 2.5, BASE[None], BASE, BASE.astype("f4"), BASE > 0, BASE.T]
    for x in (*calls, *calls[::-1]):
        np.testing.assert_array_equal(f(x), x + x)


@pytest.mark.parametrize("dtype", ["u2", "i2", "f8", "f4", "c8"])
def test_half_precision_is_told_from_what_has_its_bits(dtype):
    """float16 travels as uint16: a call with another dtype must not take its path."""
    f = strict(lambda x: x + x)
    f(np.ones(3, "e"))
    got = f(np.ones(3, dtype))
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.full(3, 2, dtype))
    np.testing.assert_array_equal(f(np.ones(3, "e")), np.full(3, 2, "e"))


def test_shapes_that_broadcast():
    for a, b in [(BASE, BASE[0]), (BASE[:, :1], BASE[0]), (BASE[2, 3], BASE), (BASE[:0], BASE[:1])]:
        want = plain(a, b)
        got = elementwise(a, b)
        np.testing.assert_array_equal(got, want)
        assert got.shape == want.shape and elementwise.stats.loops == 1


@pytest.mark.parametrize("name", ["C", "Fortran", "transposed", "Fortran, three axes"])
def test_results_have_the_memory_order_of_numpys(name):
    x, y = LAYOUTS[name](BASE), LAYOUTS[name](BASE + 2)
    want = plain(x, y)
    assert elementwise(x, y).strides == want.strides


def test_an_axis_of_any_layout_is_reduced():
    @strict
    def sums(x):
        return x.sum(axis=0), x.max(axis=-1), x.sum()

    for name in ("C", "Fortran", "reversed", "broadcast columns", "read-only", "no rows"):
        x = LAYOUTS[name](BASE)
        x = x[:, :3] if name == "no rows" else x  # a maximum of something
        for got, want in zip(sums(x), sums.__wrapped__(x), strict=True):
            np.testing.assert_array_equal(got, want, err_msg=name)  # the sums are exact


# Who owns a result ------------------------------------------------------------------------------

VIEWS = {
    "transpose": lambda x: x.T,
    "rows": lambda x: x[1:],
    "reversed": lambda x: x[::-1, ::2],
    "new axis": lambda x: x[:, None],
    "a row": lambda x: x[2],
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "broadcast": lambda x: np.broadcast_to(x, (2, 6, 10)),
    "diagonal": lambda x: np.diagonal(x),
    "asarray": lambda x: np.asarray(x),
    "real": lambda x: x.real,
    "ellipsis": lambda x: x[...],
}
#: Views in NumPy where the memory order allows it: here they may be copies.
EITHER = {
    "reshape": lambda x: x.reshape(-1),
    "ravel": lambda x: x.ravel(),
    "view of nothing": lambda x: x[:0],
    "reshape of a part": lambda x: x[:4].reshape(2, -1),
}
COPIES = {
    "times one": lambda x: x * 1,
    "minus zero": lambda x: x - 0.0,
    "by one": lambda x: x / 1,
    "positive": lambda x: +x,
    "negative twice": lambda x: np.negative(np.negative(x)),
    "copy": lambda x: x.copy(),
    "astype": lambda x: x.astype(x.dtype),
    "array": lambda x: np.array(x),
    "where": lambda x: np.where(True, x, 0.0),
    "view of a copy": lambda x: (x * 1)[1:],
    "flatten": lambda x: x.flatten(),
    "concatenate": lambda x: np.concatenate([x]),
    "broadcast of a copy": lambda x: np.broadcast_to(x * 1, (2, 6, 10)),
}


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("name", [*VIEWS, *EITHER, *COPIES])
def test_memory_is_shared_as_in_numpy(name, compiled):
    function = {**VIEWS, **EITHER, **COPIES}[name]
    for x in (BASE.copy(), readonly(BASE)) if name in VIEWS else (BASE,):
        with tracejit.config(compile=compiled):
            got, want = strict(function)(x), function(x)
        np.testing.assert_array_equal(got, want)
        assert got.shape == want.shape
        if np.shares_memory(got, x) or name in VIEWS:
            assert np.shares_memory(got, x) == np.shares_memory(want, x)
            assert got.strides == want.strides and got.flags.writeable == want.flags.writeable


def test_arguments_come_back_themselves():
    f = strict(lambda x, y: (x, y, x, x + y))
    a, b = normal(3), normal(3)
    for _ in range(2):
        x, y, again, _ = f(a, b)
        assert x is again is a and y is b
    assert strict(lambda x: x)(a) is a


def test_one_variable_is_one_result_and_two_are_two():
    def f(x):
        y = x * 2
        return y, y, x * 2, {"again": y}, y + 0.0

    y, same, equal, more, derived = strict(f)(BASE)
    assert y is same is more["again"] and equal is not y
    results = [y, equal, derived, BASE]
    for k, a in enumerate(results):
        assert not any(np.shares_memory(a, b) for b in results[:k])
        assert a is BASE or a.flags.writeable
    y[:] = 0
    np.testing.assert_array_equal(equal, BASE * 2)


def test_a_result_is_fresh_at_each_call():
    f = strict(lambda x: (x * 3, x.sum(axis=0)))
    before = f(BASE)
    kept = [r.copy() for r in before]
    after = f(BASE + 1)
    for a, b, k in zip(before, after, kept, strict=True):
        assert not np.shares_memory(a, b)
        np.testing.assert_array_equal(a, k)
