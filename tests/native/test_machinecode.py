"""Programs from the cache: a new process links and runs them without Numba."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from handwritten import kernel

from tracejit.native import machinecode, symbols
from tracejit.native.parameters import Array

HEAD = """
import sys
import numpy as np, tracejit
"""
TAIL = """
print("numba" in sys.modules)
"""
#: What each calls: nothing, C's and Python's functions, NumPy's loops and sorts, our own functions.
PROGRAMS = {
    "nothing": "lambda x: x * 2 + 1",
    "sums": "lambda x: (x.sum(), x.mean(axis=0))",
    "functions": "lambda x: np.exp(x) + np.sin(1e9 * x) + x ** 1.5",
    "C's functions": "lambda x: np.fmod(x, 0.7) + np.hypot(x, 2 * x)",
    "a ufunc's loop": "lambda x: np.nextafter(x, 2.0) + np.float_power(x, 2.5)",
    "a library's ufunc": "lambda x: special.jv(1.5, x)",
    "products": "lambda x: x @ x.T",
    "sorts": "lambda x: (np.sort(x, axis=0), np.argsort(x), np.median(x))",
    "positions": "lambda x: (x.argmax(), x.astype(np.int16).argmin(axis=0))",
    "late lengths": "lambda x: x[x > 1.3]",
    "temporaries": "lambda x: np.sort(np.exp(x[x > 1.3]) + 1)[::-1]",
    "half precision": "lambda x: (x.astype(np.float16) + np.float16(0.5)).sum()",
    "complex numbers": "lambda x: np.exp(x * 1j) / (x + 2j)",
    "integers": "lambda x: x.astype(np.int32) // 2 % 5",
    "a loop": "loop",
    "writes that may fail": "writes",
}
DEFINED = """
from scipy import special

def loop(x):
    total = 0.0
    while total < 50.0:
        total = total + x[0, 0] * x.sum()
    return total

def writes(x):
    y = x.copy()
    for k in range(len(y)):
        y[k, int(y[k, 0])] += 1.0
    return y
"""
CALL = """
x = np.linspace(1, 1.9, {size}).reshape(2, -1)
with tracejit.config(threads=1):
    f = tracejit.function({function}, on_unsupported="error")
    got, wanted = f(x), ({function})(x)
    assert f.stats.fallbacks == 0
for one, other in zip(*(r if type(r) is tuple else (r,) for r in (got, wanted))):
    np.testing.assert_allclose(one, other, rtol=1e-3 if np.asarray(one).dtype == "e" else 1e-13)
"""


def process(source: str, home: Path) -> str:
    file = home / "program.py"  # loops are compiled from a file's source
    file.write_text(source)
    done = subprocess.run(
        [sys.executable, file],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(home)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_cache_needs_no_numba(name: str, tmp_path: Path) -> None:
    source = HEAD + DEFINED + CALL.format(function=PROGRAMS[name], size=12) + TAIL
    assert process(source, tmp_path) == "True\n"
    assert process(source, tmp_path) == "False\n"


def test_random_numbers_of_the_cache(tmp_path: Path) -> None:
    source = """
import sys
from tracejit.tensor.shared_randomstreams import RandomStreams
import tracejit
f = tracejit.function([], RandomStreams(3).normal((4,)))
print(f().tolist())
"""
    assert process(source, tmp_path) == process(source, tmp_path)


# Records ---------------------------------------------------------------------------------------

VECTOR = Array(np.dtype(float), 1, "C")


def test_a_file_tells_what_its_code_calls() -> None:
    text = """
from tracejit.cpu.runtime import ufunc_loop
after = ufunc_loop("numpy", "nextafter", "dd->d")
def entry(x):
    x[0] = after(x[0], 3.0)
    return 0
"""
    function = kernel(text, VECTOR).__self__.compiled
    content = function.dumped()
    assert content is not None
    named, _, needed = machinecode.pickle.loads(content)
    told = "numpy", "nextafter", "dd->d", None
    label = "tracejit_numpy_nextafter_dd_d"
    assert named == function.symbol
    assert [one for one in needed if not one[0].endswith("_aux")] == [
        (f"{label}_ctx", "ufunc", (*told, "ctx")),
        (f"{label}_fn", "ufunc", (*told, "fn")),
    ]
    again = machinecode.loaded(named, content, (VECTOR,))
    x = np.array([1.0])
    assert again.callable()(x) == 0 and x[0] == np.nextafter(1.0, 3.0)


def test_another_programs_code_is_refused() -> None:
    function = kernel("def entry(x):\n    return 0\n", VECTOR).__self__.compiled
    content = function.dumped()
    assert content is not None
    with pytest.raises(ValueError, match="another program's"):
        machinecode.loaded("tracejit_other", content, (VECTOR,))


def test_a_name_that_is_nowhere() -> None:
    content = machinecode.dumped("f", b"", ["tracejit_nothing_has_this"])
    with pytest.raises(LookupError, match="tracejit_nothing_has_this"):
        machinecode.loaded("f", content, ())


def test_every_way_finds_something() -> None:
    told = {
        "python": ["PyMem_RawFree"],
        "dtype": ["sort", "d", "stable"],
        "ufunc": ["numpy", "matmul", "dd->d", "(n?,k),(k,m?)->(n?,m?)", "fn"],
        "numba": ["NRT_Allocate"],
        "lapack": ["dgetrf"],
    }
    for way, find in symbols._WAYS.items():
        assert find(*told.get(way, [])), way


def test_names_that_every_process_has_are_not_kept() -> None:
    assert symbols.needed(["malloc", "PyErr_Clear"]) == []
    assert symbols.needed(["NRT_Free"]) == [("NRT_Free", "numba", ("NRT_Free",))]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads what Linux tells")
def test_loaded_code_is_freed_with_its_last_holder() -> None:
    function = kernel("def entry(x):\n    x[0] = 3.0\n    return 0\n", VECTOR).__self__.compiled
    content = function.dumped()
    assert content is not None
    held = []

    def mapped(rounds: int, keep: bool) -> int:
        """How many pages with code there are more after so many were loaded."""
        before = _code()
        for _ in range(rounds):
            x = np.zeros(1)
            entry = machinecode.loaded(function.symbol, content, (VECTOR,)).callable()
            entry(x)
            assert x[0] == 3.0
            if keep:
                held.append(entry)
        return _code() - before

    mapped(10, False)
    assert mapped(100, False) < 10
    assert mapped(100, True) >= 50


def _code() -> int:
    gc.collect()
    lines = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    ranges = [map(lambda n: int(n, 16), r.split("-")) for r, flags, *_ in lines if "x" in flags]
    return sum(-start + end for start, end in ranges) // 4096
