"""The decorator: arguments and results, captures, retracing, falling back."""

from __future__ import annotations

import collections
import dataclasses
import sys
import threading
import warnings

import numpy as np
import pytest

import tracejit
from tracejit import UnsupportedError, UnsupportedWarning
from tracejit.ir.printer import to_text

Pair = collections.namedtuple("Pair", "a b")

OFFSET = np.arange(3.0)
HISTORY: list = []


@dataclasses.dataclass
class Layer:
    w: np.ndarray
    b: float = 0.0

    def apply(self, x):
        return x * self.w + self.b * np.ones(x.shape[0])


class Model(set):
    w = np.ones(3)


MODEL = Model()


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, (np.ndarray, np.generic)):
        assert a.dtype == b.dtype and np.shape(a) == np.shape(b)
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for u, v in zip(a, b, strict=True):
            same(u, v)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    else:
        assert a == b


def agrees(f, *args, **kwargs):
    """`f` gives NumPy's result, without falling back; the compiled function."""
    g = f if isinstance(f, tracejit.Function) else tracejit.function(f)
    same(g(*args, **kwargs), g.__wrapped__(*args, **kwargs))
    assert g.stats.fallbacks == 0
    return g


X = np.arange(6.0).reshape(2, 3)
V = np.array([1.0, 2.0, 4.0])


# Arguments and results --------------------------------------------------------------------------


def test_arguments_bind_as_in_python():
    def f(x, /, y=2.0, *rest, k=3.0, **more):
        return x * y + sum(rest) * k, sorted(more), [more[m] + 1 for m in sorted(more)]

    g = agrees(f, V)
    agrees(g, V, 1.0)
    agrees(g, V, 1.0, V, V, k=2.0)
    agrees(g, V, y=5.0, a=V, b=1)
    for args, kwargs in [((), {}), ((), {"x": V}), ((V,), {"y": 1, "x": 2})]:
        try:
            f(*args, **kwargs)
        except TypeError as error:
            with pytest.raises(TypeError) as caught:
                g(*args, **kwargs)
            assert str(caught.value) == str(error)
        else:
            agrees(g, *args, **kwargs)


@pytest.mark.parametrize("name", ["same", "MISS", "ndarray", "_t1", "args", "self", "f"])
def test_parameters_may_have_any_name(name):
    scope: dict = {}
    exec(f"def f({name}): return {name} * 2", scope)
    agrees(scope["f"], V)


def test_containers():
    def f(p, t, items, d, layer):
        return (
            Pair(p.a + p.b, p),
            [t[0] * 2, *items],
            {"s": d["w"].sum(), **d},
            Layer(layer.w * 2, layer.b),
            layer,
        )

    args = Pair(V, 1.0), (V, "s"), [V, 2, None], {"w": V, 3: 1.5}, Layer(V, 2.0)
    g = agrees(f, *args)
    agrees(g, *args)
    assert g.stats.traces == 1
    agrees(g, args[0], (V, "t"), *args[2:])
    assert g.stats.traces == 2 and "t[1]: 's' → 't'" in g.explain()


def test_methods_of_dataclasses_are_traced():
    g = agrees(lambda layer, x: layer.apply(x), Layer(V, 2.0), V)
    agrees(g, Layer(np.ones(7), 1.0), np.ones(7))
    assert g.stats.traces == 1


def test_arguments_are_returned_themselves():
    g = tracejit.function(lambda x, d, k: (x, d, k, x * 2))
    d = {"a": V}
    for _ in range(2):
        x, e, k, _ = g(X, d, 1000.5)
        assert x is X and e is d and k == 1000.5


def test_copies_are_not_the_argument_and_equal_results_not_one():
    def f(x):
        y = x + 1
        return x.copy(), y, y, x + 1

    x, y, z, w = tracejit.function(f)(V)
    assert x is not V and not np.shares_memory(x, V)
    assert y is z and y is not w and not np.shares_memory(y, w)


def test_views_of_arguments_are_views():
    transposed, rows = tracejit.function(lambda x: (x.T, x[1:]))(X)
    assert np.shares_memory(transposed, X) and np.shares_memory(rows, X)
    same(transposed, X.T)


def test_results_that_are_no_arrays():
    def f(x, how):
        return x.shape, x.shape[0] * 2, x.ndim, x.dtype, how, None, 2.5, x.sum(), (x.sum() > 0), ()

    agrees(f, X, "fast")


def test_numbers_are_weak_and_do_not_retrace():
    g = agrees(lambda x, k: x * k, V.astype(np.float32), 2.5)
    agrees(g, V.astype(np.float32), 3.5)
    assert g.stats.traces == 1
    agrees(g, V.astype(np.float32), 3)
    agrees(g, V.astype(np.float32), np.float64(3))
    agrees(g, V.astype(np.float32), True)
    agrees(g, V, 1 + 2j)
    assert g.stats.traces == 5


def test_huge_integers_are_static():
    g = agrees(lambda x, k: x * k, V, 2**40)
    agrees(g, V, 2**40 + 1)
    assert g.stats.traces == 2


def test_static_arguments_are_compared_by_value():
    g = agrees(lambda x, how: x.sum() if how == "sum" else x.max(), V, "sum")
    agrees(g, V, "".join(["s", "um"]))
    agrees(g, V, "max")
    assert g.stats.traces == 2


def test_functions_dtypes_and_slices_are_static():
    def f(x, g, dtype, part, kind):
        return g(x).astype(dtype)[part] + np.zeros(2, kind)

    g = agrees(f, V, np.sqrt, "float32", slice(0, 2), np.float32)
    agrees(g, V, lambda x: x * 2, np.dtype(np.float64), slice(1, 3), float)


def test_a_module_may_be_an_argument():
    agrees(lambda x, xp: xp.zeros(x.shape[0]) + x, V, np)


# Shapes ------------------------------------------------------------------------------------------


def test_shapes_do_not_retrace():
    g = tracejit.function(lambda x, y: (x + y, np.zeros(x.shape[0]), x.shape[0] * 2.0))
    for n in (3, 5, 2, 0, 17):
        agrees(g, np.ones(n), np.ones(n))
    assert g.stats.traces == 1
    agrees(g, np.ones(3), np.ones(1))
    agrees(g, np.ones(1), np.ones(1))
    assert g.stats.traces == 3
    assert "y: float64[3] → float64[1]" in g.explain()


def test_python_that_looks_at_a_size_is_guarded():
    def f(x):
        total = x * 0
        for i in range(len(x)):
            total = total + i
        return total if x.shape[0] < 4 else total * 2

    g = tracejit.function(f)
    for n in (3, 3, 5, 3):
        agrees(g, np.ones(n))
    assert g.stats.traces == 2
    assert "x.shape[0] == 3 no longer holds" in g.explain()


def test_comparisons_of_sizes_are_guards():
    g = tracejit.function(lambda x, y: x + y if x.shape[0] == y.shape[0] else x)
    agrees(g, V, V)
    agrees(g, V, np.ones(4))
    agrees(g, np.ones(4), np.ones(4))
    assert g.stats.traces == 2


def test_layouts_are_told_apart():
    with tracejit.config(compile=True):
        g = agrees(lambda x: x + 1, np.ones((3, 4)))
        agrees(g, np.ones((4, 3)).T)
        agrees(g, np.ones((3, 8))[:, ::2])
        agrees(g, np.ones((5, 2)))
    assert g.stats.traces == 3
    assert "x: float64[3, 4] → float64[3, 4], Fortran order" in g.explain()


# Falling back -------------------------------------------------------------------------------------


def branch(x):
    if sorted([*x, *x, *x])[0] > 0:
        return x * 2
    return x


def test_one_warning_then_plain_numpy():
    g = tracejit.function(branch, on_unsupported="warn")
    with pytest.warns(UnsupportedWarning, match="if sorted") as caught:
        same(g(V), branch(V))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same(g(-V), branch(-V))
    assert g.stats.traces == 0 and g.stats.fallbacks == 2
    with tracejit.config(on_unsupported="error"):
        same(g(V), branch(V))  # the decorator's option wins


def refused(match, f, *args):
    with pytest.raises(UnsupportedError, match=match) as caught:
        tracejit.function(f)(*args)
    assert len(str(caught.value).splitlines()) <= 12
    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(UnsupportedWarning, match=match):
        g(*args)


def test_what_cannot_be_traced():
    state = np.random.get_state()[2:]
    refused("global variable COUNT", writes_global, V)
    refused("changes HISTORY", appends, V)
    refused("MODEL is an instance of", lambda x: x * MODEL.w, V)
    refused("np.random.bytes is not compiled", lambda x: x + len(np.random.bytes(3)), V)
    assert np.random.get_state()[2:] != state  # the plain runs drew
    refused("time.time could give another answer", reads_time, V)
    refused("the text of a traced array", lambda x: repr(x), V)
    refused("many elements becomes a list", lambda x: np.tile(x, 99).tolist(), V)
    refused("generator", generates, V)
    refused("defines a class", defines_class, V)
    refused("made without traced values", lambda x: np.array([1.0, 2.0]).__array__(), V)
    refused("eval\\(\\)", lambda x: eval("x * 2", {"x": x}), V)


COUNT = 0


def writes_global(x):
    global COUNT
    COUNT += 1
    return x


def appends(x):
    HISTORY.append(1)
    return x * 2


def reads_time(x):
    import time

    return x * 0 + time.time()


def generates(x):
    yield x


def defines_class(x):
    class Local:
        pass

    return x * 2


def swallows(x):
    try:
        return x if sorted([*x, *x, *x])[0] > 0 else -x
    except Exception:
        return x * 100


def test_a_swallowed_refusal_is_still_one():
    refused("value of an array", swallows, V)


def test_a_changed_argument_container_is_noticed():
    def f(x, items):
        items.append(2)
        return x * len(items)

    items = [1]
    g = tracejit.function(f, on_unsupported="warn")
    with pytest.warns(UnsupportedWarning, match="changes items"):
        same(g(V, items), V * 2)
    assert items == [1, 2]


@pytest.mark.parametrize(
    "x",
    [
        np.ma.masked_array([1.0, 2.0], [True, False]),
        np.array(["a", "b"]),
        np.array([1, None], object),
        np.arange(3, dtype=">f8"),
        np.array([1, 2], "timedelta64"),  # of no unit
    ],
)
def test_arrays_of_other_kinds_run_in_numpy(x):
    g = tracejit.function(lambda x: x[:1], on_unsupported="warn")
    with pytest.warns(UnsupportedWarning):
        result = g(x)
    assert type(result) is type(x[:1]) and repr(result) == repr(x[:1])


class Foreign:
    def __array__(self, dtype=None, copy=None):
        return np.arange(3.0)


def test_foreign_arrays_are_accepted(tmp_path):
    g = tracejit.function(lambda x: x * 2, convert_arrays=True)
    same(g(Foreign()), np.arange(3.0) * 2)
    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(3,))
    mapped[:] = V
    same(g(mapped), V * 2)
    same(g(V), V * 2)
    assert g.stats.traces == 1


def test_unaligned_and_readonly_arrays():
    raw = np.zeros(25, np.uint8)
    x = raw[1:].view(np.float64)
    assert not x.flags.aligned
    g = agrees(lambda x: x + 1, x)
    fixed = np.ones(3)
    fixed.flags.writeable = False
    agrees(g, fixed)


def unaligned(n: int) -> np.ndarray:
    return np.zeros(8 * n + 1, np.uint8)[1:].view(np.float64)


@pytest.mark.parametrize(
    "f", [lambda x: x, lambda x: (x + 1, x[1:]), lambda x: {"a": [x.T]}, lambda x: x.reshape(-1)]
)
def test_results_have_the_memory_of_unaligned_arrays(f):
    g = tracejit.function(f, on_unsupported="warn")
    x = unaligned(4)
    with pytest.warns(UnsupportedWarning, match="memory of x, which is a memory map or not al"):
        for _ in range(3):
            result = g(x)
            while not isinstance(result, np.ndarray):
                result = (list(result.values()) if isinstance(result, dict) else result)[-1]
            assert np.shares_memory(result, x)
    assert isinstance(g(np.zeros(4)), type(f(x)))
    assert (g.stats.traces, g.stats.fallbacks) == (1, 3)


# Errors of the user's ---------------------------------------------------------------------------


def test_exceptions_of_the_users_reach_the_user():
    class Mine(Exception):
        pass

    def f(x, k):
        if k > 0:
            raise Mine("k")
        return x

    g = tracejit.function(f)
    with pytest.raises(Mine):
        g(V, 1)
    agrees(g, V, -1)


def test_the_decorator_refuses_what_it_cannot_take():
    with pytest.raises(TypeError, match="Unknown parameter type"):
        tracejit.function([1], 2)
    with pytest.raises(TypeError, match="not 'ufunc'"):
        tracejit.function(np.sin)
    with pytest.raises(ValueError, match="on_unsupported"):
        tracejit.function(on_unsupported="maybe")
    with pytest.raises(TypeError, match="write @staticmethod above"):
        tracejit.function(staticmethod(branch))


def test_it_looks_like_the_function():
    @tracejit.function(name="shown")
    def f(x):
        """Doc."""
        return x

    assert f.__name__ == "shown" and f.__doc__ == "Doc." and f.__wrapped__(V) is V
    assert "f" in repr(f) and tracejit.function(f).__wrapped__ is f.__wrapped__


def test_graph_prints():
    g = tracejit.function(lambda x, y: np.exp(x) + y)
    assert "exp x" in to_text(tracejit.function(lambda x: np.exp(x)).graph(V))
    with pytest.raises(UnsupportedError):
        tracejit.function(branch).graph(V)
    assert g.graph(V, V) is g.graph(V, V)


def test_threads():
    g = tracejit.function(lambda x, k: x * k + np.zeros(x.shape[0]))
    wrong = []

    def work(seed):
        with tracejit.config(compile=False):
            for k in range(20):
                x = np.full(seed + 2, float(k))
                if not np.array_equal(g(x, k + seed), x * (k + seed)):
                    wrong.append((seed, k))

    threads = [threading.Thread(target=work, args=(s,)) for s in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and g.stats.traces == 1


@pytest.mark.parametrize("case", ["compiled", "falls back", "raises"])
def test_nothing_is_kept(case):
    import gc
    import weakref

    def f(x):
        return x * 2.0 + OFFSET

    g = tracejit.function(branch if case == "falls back" else f, on_unsupported="warn")
    x = np.arange(4.0 if case == "raises" else 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case == "raises":
            with pytest.raises(ValueError, match="broadcast"):
                g(x)
        else:
            g(x)
    watched = weakref.ref(x)
    del x
    gc.collect()
    assert watched() is None


def test_the_debug_ladder_speaks_on_stderr(capsys):
    g = tracejit.function(lambda x: x + 1)
    with tracejit.config(debug=3):
        g(V)
        g(V)
    err = capsys.readouterr().err
    assert "trace <lambda>" in err and "add x" in err and err.count("run <lambda>") == 2


def test_importing_is_light():
    import subprocess

    code = "import sys, tracejit; print([m for m in ('numba', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


# Views of arguments ------------------------------------------------------------------------------

VIEWS = {
    "whole": lambda x: x[:],
    "reshape": lambda x: x.reshape(-1),
    "reshape and slice": lambda x: x.reshape(6, 4)[1:],
    "reshape of a reshape": lambda x: x.reshape(-1)[::2].reshape(3, -1),
    "reshape in Fortran order": lambda x: x.reshape(6, 4, order="F"),
    "reshape with a copy": lambda x: x.reshape(6, 4, copy=True),
    "ravel": lambda x: np.ravel(x),
    "flatten": lambda x: x.flatten(),
    "real": lambda x: x.real,
    "transpose": lambda x: x.T,
    "reversed": lambda x: x[::-1, 1:, None],
    "broadcast": lambda x: np.broadcast_to(x, (2, *x.shape)),
    "asarray": lambda x: np.asarray(x),
    "computed": lambda x: (x * 1).reshape(-1),
}


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", VIEWS)
def test_a_result_is_a_view_where_numpys_is(name, compiled):
    f = VIEWS[name]
    base = np.arange(24.0).reshape(2, 3, 4)
    for x in (base, base + 1j, base.T, base[:, ::2], np.asfortranarray(base)):
        try:
            want = f(x)
        except ValueError:  # sizes do not fit
            continue
        with tracejit.config(compile=compiled):
            got = tracejit.function(f)(x)
        np.testing.assert_array_equal(got, want)
        assert np.shares_memory(got, x) == np.shares_memory(want, x)
        assert (got is x) == (want is x)
        assert got.strides == want.strides and got.flags.writeable == want.flags.writeable
