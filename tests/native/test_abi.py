"""Where NumPy keeps what machine code reads: where it is elsewhere, the portable way is taken."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tracejit.native import abi

CHECKS = (abi.table, abi.arrays, abi.handlers, abi._functions)


@pytest.fixture(autouse=True)
def ask_anew():
    """What is found is kept for the process: not in these tests."""
    for check in CHECKS:
        check.cache_clear()
    yield
    for check in CHECKS:
        check.cache_clear()


def test_this_numpy_is_known() -> None:
    assert all(check() for check in CHECKS)


FIELDS = [
    *(("Array", *pair) for pair in (("data", "base"), ("rank", "flags"), ("flags", "rank"))),
    *(("Array", *pair) for pair in (("lengths", "strides"), ("strides", "lengths"))),
    *(("Array", *pair) for pair in (("lengths", "data"), ("dtype", "base"), ("data", "dtype"))),
    *(("Dtype", *pair) for pair in (("order", "kind"), ("order", "char"), ("scalar", "number"))),
    ("Dtype", "number", "kind"),
]


@pytest.mark.parametrize(("structure", "field", "place"), FIELDS)
def test_fields_of_arrays_are_told_apart(
    structure: str, field: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field where another one is: that is what another NumPy would look like."""
    found = getattr(abi, structure)
    monkeypatch.setattr(found, field, getattr(found, place))
    assert abi.table() and not abi.arrays()


@pytest.mark.parametrize("name", ["PyArray_Type", "PyArrayDescr_Type", "PyGenericArrType_Type"])
def test_types_of_the_table_are_told_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(abi.PLACES, name, abi.PLACES[name] + 1)
    assert not any(check() for check in CHECKS)


def test_another_version_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abi, "VERSION", 0x3000000)
    assert not any(check() for check in CHECKS)


@pytest.mark.parametrize(
    ("field", "place"), [("name", "malloc"), ("version", "context"), ("free", "context")]
)
def test_fields_of_allocators_are_told_apart(
    field: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abi.Handler, field, getattr(abi.Handler, place))
    assert abi.arrays() and not abi.handlers()


@pytest.mark.parametrize(
    ("field", "place"),
    [("sort", "argsort"), ("sort", "unused"), ("argsort", "unused"), ("argmin", "argmax")],
)
def test_functions_of_dtypes_are_told_apart(
    field: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abi.Functions, field, getattr(abi.Functions, place))
    assert abi.arrays() and not abi._functions()


def test_other_capsules_of_loops() -> None:
    capsule = np.add._resolve_dtypes_and_context((np.dtype(float),) * 3)[1]
    np.add._get_strided_loop(capsule)
    assert abi.call_info(capsule).strided_loop
    with pytest.raises(LookupError, match="loops"):
        abi.call_info(np._core._multiarray_umath._ARRAY_API)


PROGRAM = """
import numpy as np, tracejit
from tracejit.native import abi, pool
abi.{planted}

def numbers(x, k, z, b, n):
    return x * k + z, np.where(b, x, -x), x[n], x.sum()

def of_data(x):
    return x[x > 0.0], np.nonzero(x)

def sorted_rows(x):
    return np.sort(x, axis=-1), x.argmax(axis=-1)

def large(x):
    return np.exp(-x) + 1.0, (x * x).sum(axis=0)

rng = np.random.default_rng(0)
x = rng.normal(size=(40, 30))
arrays = [x, np.asfortranarray(x), x[::-1, ::2], x.astype("e"), x + 1j, (9 * x).astype("i")]
calls = [(numbers, (a, 2.0, 1 + 2j, True, 3)) for a in arrays]
calls += [(numbers, (x, np.float32(2), 3, True, np.int64(4))), (of_data, (x,)), (of_data, (x * 0,))]
calls += [(sorted_rows, (x,)), (large, (rng.random((1000, 2000)),))]
compiled = {{}}
for f, arguments in calls:
    own = compiled.setdefault(f, tracejit.function(f, on_unsupported={mode!r}))
    for _ in range(3):
        for a, b in zip(own(*arguments), f(*arguments), strict=True):
            for a, b in zip(*((v if type(v) is tuple else (v,)) for v in (a, b)), strict=True):
                assert type(a) is type(b) and a.dtype == b.dtype, f
                np.testing.assert_allclose(a, b, 1e-2 if a.dtype == "e" else 1e-6, 1e-6)
x = tracejit.tensor.dvector()
state = tracejit.shared(np.zeros(3))
step = tracejit.function([x], x.sum(), updates=[(state, state + x)])
for k in range(3):
    assert step(np.ones(3)) == 3.0 and (state.get_value() == k + 1).all()
paths = [path for f in compiled.values() for path in f._paths]
print(*sorted({{type(path.executable.entry).__name__ for path in paths}}))
print(*(f.__name__ for f, own in compiled.items() if own.stats.fallbacks))
print(np._core.multiarray.get_handler_name(compiled[large](rng.random((1000, 2000)))[0]))
"""
NUMPYS, OURS = "default_allocator", "tracejit"


@pytest.mark.parametrize(
    ("planted", "entries", "in_numpy", "allocator", "text"),
    [
        ("numpy", "builtin_function_or_method", "", OURS, ""),
        ("Array.flags = abi.Array.rank", "method", "", OURS, "Python reads the arguments"),
        ("Dtype.number = abi.Dtype.kind", "method", "", OURS, "arrays in memory are not"),
        ("VERSION = 7", "method", "sorted_rows", NUMPYS, "NumPy's table for C is not"),
        ("Handler.name = abi.Handler.free", "builtin_function_or_method", "", NUMPYS, "allocators"),
        (
            "Functions.sort = abi.Functions.unused", "builtin_function_or_method", "sorted_rows",
            OURS, "the functions of dtypes are not",
        ),
    ],
)  # fmt: skip
def test_results_are_right_the_portable_way(
    planted: str, entries: str, in_numpy: str, allocator: str, text: str
) -> None:
    mode = "warn" if in_numpy else "error"
    program = PROGRAM.format(planted=planted, mode=mode)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True,
        env={**os.environ, "TRACEJIT_DEBUG": "1"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [entries, in_numpy, allocator]
    assert (text in done.stderr) and (bool(text) == ("not as this version knows" in done.stderr))


def test_python_keeps_its_objects_elsewhere() -> None:
    """Where the fields of a `Caller` are not found, calls go by Python, and are right."""
    program = textwrap.dedent("""
        import types, numpy as np, tracejit
        from tracejit.native import abi, caller
        def nowhere(thing, pointed): raise LookupError
        abi.offset = nowhere
        f = tracejit.function(lambda x: x + 1.0, on_unsupported="error")
        for _ in range(3): assert (f(np.ones(3)) == 2.0).all()
        assert type(caller.Caller.__call__) is types.FunctionType
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env={**os.environ, "TRACEJIT_DEBUG": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "calls go by Python" in done.stderr
