"""Shapes and Python numbers stay symbolic: what traces again, and what is compiled."""

from __future__ import annotations

import collections
import dataclasses
import random
import warnings
from typing import Any

import numpy as np
import pytest
from test_random_programs import compare, function_of, random_program

import tracejit

strict = tracejit.function(on_unsupported="error")
Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Layer:
    weights: np.ndarray
    bias: float


@pytest.fixture
def interpreted():
    """What is decided while tracing needs no machine code."""
    with tracejit.config(compile=False, check=True):
        yield


def same(got: Any, want: Any) -> None:
    assert type(got) is type(want)
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            same(a, b)
    elif isinstance(want, dict):
        assert list(got) == list(want)
        same(list(got.values()), list(want.values()))
    elif dataclasses.is_dataclass(want):
        same(dataclasses.astuple(got), dataclasses.astuple(want))
    elif isinstance(want, (np.ndarray, np.generic)):
        assert got.dtype == want.dtype and np.shape(got) == np.shape(want)
        if want.dtype.kind in "fc":
            np.testing.assert_allclose(got, want, rtol=1e-14)
        else:
            np.testing.assert_array_equal(got, want)
    else:
        assert got == want


def agrees(f: Any, *args: Any, traces: int | None = None, **kwargs: Any) -> Any:
    """`f` gives what NumPy gives, or raises what it raises, and has been traced so many times."""
    f = f if isinstance(f, tracejit.Function) else strict(f)
    try:
        with np.errstate(all="ignore"):
            want = f.__wrapped__(*args, **kwargs)
    except Exception as error:
        with pytest.raises(type(error)) as caught:
            f(*args, **kwargs)
        assert str(error).strip() in str(caught.value)
    else:
        same(f(*args, **kwargs), want)
    assert f.stats.fallbacks == 0
    assert traces in (None, f.stats.traces), f.explain()
    return f


def ramp(*shape: int, dtype: Any = float) -> np.ndarray:
    return (np.arange(np.prod(shape, dtype=int)) % 97 + 1).reshape(shape).astype(dtype)


# The constant makes each a program that no other test compiles.
# Fifty shapes -----------------------------------------------------------------------------------


def elementwise(x, y):
    return 1 / (1 + np.exp(-x / y)) - x * 0.8125


def slices(x):
    return (x[1:-1] - x[:-2]) * 0.8125


def flattened(x):
    return x.reshape(-1) * 0.8125, x.sum(), x.reshape(-1).sum(), x.sum(axis=0)


def created(x, y):
    n = x.shape[0]
    return np.zeros(n)[:, None] + y[None, :] * x[:, None] * 0.8125


LENGTHS = [n for n in random.Random(3).sample(range(4, 3000), 49) if n != 1]


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (elementwise, [((n,), (n,)) for n in [0, *LENGTHS]]),
        (slices, [((n,),) for n in [3, *LENGTHS]]),
        (flattened, [((n % 61 + 2, n % 7 + 2),) for n in [0, *LENGTHS]]),
        (created, [((n % 83,), (n % 31 + 2,)) for n in [2, *LENGTHS] if n % 83 != 1]),
    ],
    ids=["elementwise", "slices", "reshape and sums", "zeros and a broadcast"],
)
def test_fifty_shapes_are_one_program(f, shapes):
    f = strict(f)
    assert len(set(shapes)) >= 45
    for arguments in shapes:
        agrees(f, *map(lambda shape: ramp(*shape), arguments))
    assert (f.stats.traces, f.stats.compiles) == (1, 1), f.explain()


def test_a_compiled_program_meets_other_lengths_and_back():
    """One length too short, of 1, and disagreeing ones: each time NumPy's answer."""
    f = strict(lambda x, y: (x[2:] * y[:-2]).sum() + x[0])
    for n in (10, 1000, 3, 2, 10, 1, 64, 3):
        if n > 1:
            agrees(f, ramp(n), ramp(n))
    before = f.stats.traces
    for n in (10, 2, 3, 500):
        agrees(f, ramp(n), ramp(n), traces=before)
    with pytest.raises(ValueError, match="broadcast"):
        f(ramp(5), ramp(6))
    agrees(f, ramp(7), ramp(7), traces=before)


def test_random_programs_meet_other_shapes(interpreted):
    """Programs as ``test_random_programs`` draws them, each at five other sets of sizes."""
    traces = calls = 0
    for seed in range(80):
        program, rng = random_program(random.Random(seed)), random.Random(seed)
        f = function_of(program)
        for k in range(6):
            sizes = {n: rng.choice([2, 3, 4, 5, 6, 8, 11]) if k else n for n in range(2, 8)}
            arguments = [resized(x, sizes, seed + k) for x in program.arrays.values()]
            try:
                with np.errstate(all="ignore"):
                    program.values.update(run_plain(program, arguments))
            except (ValueError, IndexError):
                continue
            compare(program, f(*arguments))
            calls += 1
        traces += f.stats.traces
    assert traces < calls / 2


def resized(x: Any, sizes: dict[int, int], seed: int) -> Any:
    """An array like `x` with other lengths; those of 0 and 1 stay."""
    if not isinstance(x, np.ndarray):
        return x
    shape = [sizes.get(n, n) for n in x.shape]
    values = np.random.default_rng(seed).integers(-12, 12, shape)
    order = "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"
    return np.asarray(abs(values) if x.dtype.kind == "u" else values, x.dtype, order=order)


def run_plain(program: Any, arguments: list[Any]) -> dict[str, Any]:
    scope: dict[str, Any] = {"np": np}
    exec(program.source, scope)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(zip(program.outputs, scope["f"](*arguments), strict=True))


# What traces again ------------------------------------------------------------------------------


def test_a_dimension_of_one_and_back(interpreted):
    f = strict(lambda x, y: x * 2 + y)
    kinds = [
        ((4, 3), (4, 3)),
        ((4, 1), (4, 3)),
        ((1, 3), (1, 3)),
        ((4, 3), (1, 3)),
        ((1, 1), (1, 1)),
    ]
    for traces, (a, b) in enumerate(kinds, 1):
        agrees(f, ramp(*a), ramp(*b), traces=traces)
        agrees(f, ramp(*(7 if n == 4 else n for n in a)), ramp(*(7 if n == 4 else n for n in b)))
        assert f.stats.traces == traces
    for a, b in kinds * 2:
        agrees(f, ramp(*a), ramp(*b), traces=len(kinds))


def test_a_derived_dimension_of_one_broadcasts(interpreted):
    f = strict(lambda x, y: x[1:] + y)
    agrees(f, ramp(5), ramp(4), traces=1)
    agrees(f, ramp(9), ramp(8), traces=1)
    agrees(f, ramp(2), ramp(6), traces=2)
    agrees(f, ramp(2), ramp(9), traces=2)
    agrees(f, ramp(7), ramp(6), traces=2)
    with pytest.raises(ValueError, match="broadcast"):
        f(ramp(5), ramp(5))


@pytest.mark.parametrize(
    "part",
    [
        lambda x: x[2:5] * 2,
        lambda x: x[:-4] * 2,
        lambda x: x[-3:] * 2,
        lambda x: x[5:2] * 2,
        lambda x: x[3:100:2] * 2,
        lambda x: x[-2:-6:-1] * 2,
        lambda x: x[6::-2] * 2,
        lambda x: x[::3] * 2,
        lambda x: (x[:4] * 2, x[4:], x[100:]),
        lambda x: x[: len(x) // 2] * 2,
        lambda x: x[x.shape[0] // 3 : -1] * 2,
        lambda x: np.flip(x)[1:4] * 2,
    ],
)
def test_slices_beyond_a_short_array(part, interpreted):
    f = strict(part)
    for n in (12, 30, 0, 1, 2, 3, 4, 5, 6, 7, 12, 101, 250):
        agrees(f, ramp(n))
    traces = f.stats.traces
    for n in (250, 3, 7, 0, 1, 12, 5):
        agrees(f, ramp(n), traces=traces)
    for n in range(260, 400, 7):  # longer than all bounds: one program
        agrees(f, ramp(n), traces=traces)


def test_an_index_beyond_a_short_array_is_numpys_error(interpreted):
    f = agrees(lambda x: x[3] * 2 + x[-4], ramp(9), traces=1)
    agrees(f, ramp(4), traces=1)
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
        f(ramp(3))


@pytest.mark.parametrize("name", ["max", "argmin", "take", "first"])
def test_refusals_of_empty_arrays_are_numpys(name, interpreted):
    table = {
        "max": lambda x: x.max(axis=0) * 2,
        "argmin": lambda x: x.argmin(axis=0) * 2,
        "take": lambda x: np.take(x, [0, -1], axis=0) * 2,
        "first": lambda x: x[0] * 2,
    }
    f = strict(table[name])
    for shape in ((3, 4), (0, 4), (3, 0), (0, 0), (5, 2)):
        agrees(f, ramp(*shape))


# Sizes in Python --------------------------------------------------------------------------------

SIZES = {
    "arithmetic": lambda x: x * x.shape[0] + (2 * len(x) - 1) / x.shape[1] - x.size % 7,
    "zeros": lambda x: np.zeros(x.shape[0]) + x.sum(axis=1),
    "ones of a shape": lambda x: np.ones(x.shape) - x,
    "zeros of a sum": lambda x: np.zeros((len(x) + 2, 3)) + 1,
    "full": lambda x: np.full(x.shape[1], x.shape[0]) + x[0],
    "arange": lambda x: np.arange(x.shape[1]) * x,
    "linspace": lambda x: np.linspace(0.0, 1.0, x.shape[1]) + x,
    "eye": lambda x: np.eye(len(x)) @ x,
    "reshape(n, -1)": lambda x: x.reshape(x.shape[0], -1) + 1,
    "reshape(-1, n)": lambda x: x.reshape(-1, x.shape[0]).sum(axis=0),
    "reshape(n * m)": lambda x: x.reshape(x.shape[0] * x.shape[1]) * 2,
    "reshape adds an axis": lambda x: x.reshape(len(x), 1, x.shape[1]) * 2,
    "c[:n]": lambda x: CONSTANT[: x.shape[1]] * x,
    "c[n]": lambda x: CONSTANT[x.shape[1]] * x,
    "prod": lambda x: x / np.prod(x.shape),
    "unpacked": lambda x: x.sum() / (lambda n, m: n * m)(*x.shape),
    "mean by hand": lambda x: x.sum(axis=0) / x.shape[0],
    "broadcast_to": lambda x: np.broadcast_to(x[0], (2 * x.shape[0], x.shape[1])) * 1,
    "tile": lambda x: np.tile(x[0], x.ndim),
    "returned": lambda x: (x.shape, len(x), x.size, x.ndim, x.shape[0] / 2, x.nbytes, x + 1),
    "a float of it": lambda x: x * float(x.shape[0]) ** 0.5,
}
CONSTANT = np.arange(500.0)
#: Where Python itself asks for the value: guarded, so another value traces again.
LOOKED_AT = {"a float of it"}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_numbers(name, interpreted):
    f = strict(SIZES[name])
    for n, m in ((4, 6), (3, 5), (0, 2), (7, 7), (2, 300), (4, 6)):
        agrees(f, ramp(n, m))
    assert name in LOOKED_AT or f.stats.traces == 1, f.explain()


def test_sizes_are_numbers_in_compiled_code():
    names = ["arithmetic", "zeros", "arange", "reshape(n, -1)", "c[:n]", "mean by hand"]
    f = strict(lambda x: [SIZES_OF[k](x) for k in range(len(names))])
    SIZES_OF[:] = [SIZES[name] for name in names]
    for shape in ((4, 6), (3, 5), (0, 2), (2, 300)):
        agrees(f, ramp(*shape))
    assert (f.stats.traces, f.stats.compiles) == (1, 1)


SIZES_OF: list[Any] = []


def looked_at_by_int(x):
    return x * int(x.shape[0])


def looked_at_by_range(x):
    total = x * 0
    for i in range(x.shape[0]):
        total = total + x[i] * i
    return total


def looked_at_by_if(x):
    return x * 2 if x.shape[0] == 3 else x / 2


def looked_at_by_order(x):
    return x * 2 if len(x) > 5 else x / 2


def looked_at_by_bool(x):
    return x + 1 if x.size else x


def looked_at_by_index(x):
    return x * ["even", "odd"].index(("even", "odd")[x.shape[0] % 2])


@pytest.mark.parametrize(
    ("f", "lengths", "traces"),
    [
        (looked_at_by_int, (3, 3, 5, 3, 5), 1),
        (looked_at_by_range, (3, 3, 5, 3, 5), 2),
        (looked_at_by_if, (3, 4, 5, 3, 90), 2),
        (looked_at_by_order, (3, 4, 6, 5, 90), 2),
        (looked_at_by_bool, (3, 4, 0, 5, 0), 2),
        (looked_at_by_index, (4, 6, 3, 5, 8, 7), 2),
    ],
)
def test_python_that_looks_is_guarded(f, lengths, traces, interpreted):
    f = strict(f)
    for n in lengths:
        agrees(f, ramp(n))
    assert f.stats.traces == traces, f.explain()


# Python numbers ---------------------------------------------------------------------------------


def test_numbers_are_weak_and_symbolic():
    f = strict(lambda x, k: (x * k + k, k * 2, k))
    for k in (3, 0, -7, 2**20):
        agrees(f, ramp(4, dtype=np.float32), k, traces=1)
    assert f.stats.compiles == 1
    for k in (0.5, -0.0, float("inf"), 1e300):
        agrees(f, ramp(4, dtype=np.float64), k, traces=2)
    agrees(f, ramp(4, dtype=np.int8), 3, traces=3)


def test_numbers_that_python_looks_at(interpreted):
    def f(x, k):
        for _ in range(k):
            x = x * 2
        return x if k > 2 else -x

    f = strict(f)
    for k, traces in ((2, 1), (2, 1), (3, 2), (2, 2), (5, 2), (3, 2)):
        agrees(f, ramp(3), k, traces=traces)
    g = strict(lambda x, k: x * 2 if k < 0.5 else x * k)
    for k, traces in ((0.25, 1), (-3.0, 1), (0.75, 2), (0.1, 2), (9.0, 2)):
        agrees(g, ramp(3), k, traces=traces)
    h = strict(lambda x, k: x[:k] + np.ones(k))
    for k in (2, 3, 4):
        agrees(h, ramp(9), k, traces=1)


def test_keywords_and_defaults(interpreted):
    def f(x, scale=2.0, *, shift=1, how="up"):
        return x * scale + shift if how == "up" else x * scale - shift

    f = strict(f)
    agrees(f, ramp(3), traces=1)
    agrees(f, ramp(4), 3.5, traces=1)
    agrees(f, x=ramp(5), scale=0.5, shift=7, traces=1)
    agrees(f, ramp(5), shift=-1, scale=4.0, traces=1)
    agrees(f, ramp(5), how="down", traces=2)
    agrees(f, ramp(6), 1.0, how="down", shift=3, traces=2)
    agrees(f, ramp(6), 1, traces=3)  # an int where there was a float
    agrees(f, ramp(6), shift=2, traces=3)


def test_structures_of_arrays(interpreted):
    def f(t, items, d, pair, layer):
        total = t[0] + t[1][0] + items[0] + d["w"] + pair.a * pair.b + layer.weights * layer.bias
        return (
            {"total": total, "pair": Pair(total, pair.b)},
            [layer, (t[1], items)],
            Layer(total, 2),
        )

    def arguments(n: int, k: float) -> tuple[Any, ...]:
        x = ramp(n)
        return (x, (x * 2, k)), [x, k], {"w": x + 1, "k": k}, Pair(x, k), Layer(x, k)

    f = strict(f)
    for n, k in ((3, 1.5), (7, 2.5), (2, 0.5)):
        agrees(f, *arguments(n, k), traces=1)
    changed = arguments(3, 1.5)
    changed[1].append(2.0)
    agrees(f, *changed, traces=2)
    changed[2]["more"] = 1.0
    agrees(f, *changed, traces=3)
    agrees(f, *arguments(9, 9.5), traces=3)


def test_static_arguments_select_a_version(interpreted):
    def f(x, how, flag, dtype, function, nothing=None):
        y = function(x).astype(dtype)
        return (y.sum() if how == "sum" else y.max()) * (2 if flag else 1), nothing is None

    f = strict(f)
    agrees(f, ramp(4), "sum", True, "f4", np.sqrt, traces=1)
    agrees(f, ramp(9), "su" + "m", True, "f4", np.sqrt, traces=1)
    agrees(f, ramp(9), "max", True, "f4", np.sqrt, traces=2)
    agrees(f, ramp(9), "max", False, "f4", np.sqrt, traces=3)
    agrees(f, ramp(9), "max", False, np.int64, np.sqrt, traces=4)
    agrees(f, ramp(9), "max", False, np.int64, np.negative, traces=5)
    agrees(f, ramp(9), "max", False, np.int64, np.negative, "", traces=6)
    agrees(f, ramp(5), "sum", True, "f4", np.sqrt, traces=6)
