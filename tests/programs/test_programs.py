"""Random programs of statements do decorated what they do in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from devices import on_cpu
from hypothesis import given, settings
from hypothesis import strategies as st

import tracejit
from benchmarks.kernels import KERNELS, Kernel
from programs.compare import Tally, check, compared, differences, outcome
from programs.overlap import apart
from programs.reduce import reduce
from programs.write import Program, write

EXAMPLES = settings().max_examples
INTERPRETED, COMPILED = 10 * EXAMPLES, 2 * EXAMPLES
#: The least share of programs, of those that do not raise at every call, that run compiled.
FLOOR = 0.8
#: Kernels that do.
WHOLLY_COMPILED = set(
    "jacobi heat stencil thomas gauss_seidel_rows gauss_seidel_elements crank_nicolson nbody "
    "floyd_warshall lu cholesky gram_schmidt triangular_solve matrix_product mandelbrot_masks "
    "escape common_subsequence collatz sieve cavity queens insertion_sort csr_product "
    "histogram".split()
)
#: Constructs without which the programs say little.
ESSENTIAL = """
    write into an element|write into a slice|array in place|write by a mask|write by indices|
    function that writes|view|view of a view|argument twice|overlapping arguments|
    row of an argument|read-only argument|arrays in a container|numbers in a container|
    list that grows|if|elif|else|for over range|
    nested loop|loop backwards or by steps|for over a computed range|for over enumerate|
    for over zip|for over items|while|while True|break|continue|else of a loop|early return|
    slice by values|size by a value|computed index|conditional expression|chained comparison|
    and, or, not|test of an array|min or max|comprehension|generator expression|list|append|
    call of a helper|call of a closure|nested function|lambda|nonlocal|assert|raise|try, finally|
    try, except|with|scalar in place|integer state|array bound anew|swap of names|reduction
"""

#: The same, of programs with all names.
OUTSIDE = """
    call of NumPy's|call of NumPy's, written|number of NumPy's|results of NumPy's|value of NumPy's|
    write of the namespace|number of a value|effect|array of a host call|number of a host call|
    host call in a handler|branch by a host call|attribute|attribute read|object|object made|draw|
    number drawn|shuffle or seed|generator|dates|write into dates|numbers of dates|dates of dates|
    value of dates
"""


def run(count: int) -> Tally:
    """Compare so many programs."""
    tally = Tally()

    @settings(max_examples=count)
    @given(st.randoms(use_true_random=False))
    def machine(rng: random.Random) -> None:
        report = check(write(rng))
        assert not report.difference, str(report)
        tally.add(report)

    machine()
    return tally


def test_interpreted() -> None:
    with tracejit.config(compile=False):
        tally = run(INTERPRETED)
    assert tally.share > FLOOR, str(tally)
    missing = {name.strip() for name in ESSENTIAL.split("|")} - set(tally.reached)
    assert not missing, str(tally)


def test_compiled() -> None:
    tally = run(COMPILED)
    if on_cpu():
        assert tally.share > FLOOR, str(tally)


def all_names(seeds: range) -> Tally:
    """Compare programs with host calls, objects, draws, and any function of NumPy's."""
    tally = Tally()
    for seed in seeds:
        report = check(write(random.Random(seed), all_names=True))
        assert not report.difference, f"seed {seed}\n{report}"
        tally.add(report)
    return tally


@pytest.mark.cpu
@pytest.mark.parametrize("compiled, seeds", [(False, range(30)), (True, range(30, 33))])
def test_all_names(compiled: bool, seeds: range) -> None:
    with tracejit.config(compile=compiled):
        all_names(seeds)


@pytest.mark.slow
@pytest.mark.cpu
def test_many_of_all_names() -> None:
    with tracejit.config(compile=False):
        tally = all_names(range(10_000, 13_000))
    missing = {name.strip() for name in OUTSIDE.split("|")} - set(tally.reached)
    assert not missing, str(tally)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
def test_kernels(name: str) -> None:
    kernel: Kernel = KERNELS[name]
    f = tracejit.function(kernel.function, on_unsupported="warn")
    for size, compiling in ((kernel.small, True), (kernel.small, True), (kernel.small + 1, False)):
        want = outcome(kernel.function, kernel.arguments(size))
        with tracejit.config(compile=compiling):
            got = outcome(f, kernel.arguments(size))
        assert want.error is None
        assert not differences(want, got, 1e-12 if kernel.sums else 0)
    if on_cpu():
        assert name not in WHOLLY_COMPILED or not f.stats.fallbacks


# What compares is tested itself -------------------------------------------------------------------

SAMPLE = """\
import numpy as np

TABLE = np.arange(4.0)

def arguments(k):
    x = np.arange(4.0) + k
    return x, x[1:], 2

def program(x, y, n):
    x[0] += n
    TABLE[0] = n
    y[-1] = -0.0
    if n < 0:
        x[9] = 0
    return x, y[:1], {"s": x[0] * 2}, n
"""


def copied(f: Callable[..., Any], **_options: Any) -> Any:
    """What a decorator might do wrong: the arguments are left as they were."""
    return counted(lambda x, y, n: f(x.copy(), y.copy(), n))


def counted(f: Any) -> Any:
    return tracejit.function(f, on_unsupported="warn")


def changed(wrong: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator whose results are `wrong`'s, of those of the function."""
    return lambda f, **_options: counted(lambda x, y, n: wrong(*f(x, y, n)))


WRONG: dict[str, Callable[..., Any]] = {
    "arguments are copied": copied,
    "a view is none": changed(lambda x, y, d, n: (x, y.copy(), d, n)),
    "an argument is a copy": changed(lambda x, y, d, n: (x[:], y, d, n)),
    "another dtype": changed(lambda x, y, d, n: (x, y, d, np.int64(n))),
    "another type": changed(lambda x, y, d, n: (x, y, {"s": float(d["s"])}, n)),
    "another container": changed(lambda x, y, d, n: [x, y, d, n]),
    "a bit off": changed(lambda x, y, d, n: (x, y, {"s": np.nextafter(d["s"], 9)}, n)),
    "another sign of zero": changed(lambda x, y, d, n: (x, y, d, np.abs(x, out=x) is x and n)),
    "an exception": changed(lambda x, y, d, n: x[9]),
}


def sample(source: str = SAMPLE) -> Program:
    return Program(source, {}, exact=True)


def test_a_right_decorator_differs_in_nothing() -> None:
    right = check(sample(), lambda f, **_options: counted(lambda x, y, n: f(x, y, n)))
    assert not right.difference and not check(sample()).difference


@pytest.mark.cpu
@pytest.mark.parametrize("name", WRONG)
def test_a_difference_is_found(name: str) -> None:
    assert check(sample(), WRONG[name]).difference


def test_what_an_exception_leaves_behind_is_compared() -> None:
    """And its class."""
    failing = sample(SAMPLE.replace("if n < 0", "if n > 0"))
    assert check(failing).how == "raises" and not check(failing).difference
    assert "arguments" in check(failing, copied).difference

    def other(f: Callable[..., Any], **_options: Any) -> Any:
        def called(x: Any, y: Any, n: Any) -> Any:
            try:
                return f(x, y, n)
            except IndexError:
                raise KeyError from None

        return counted(called)

    assert "exception" in check(failing, other).difference


def test_how_a_program_ran() -> None:
    pure = sample(SAMPLE[: SAMPLE.index("    x[0]")] + "    return x + n, y\n")
    assert check(pure).how == "compiled"
    asking = check(sample(pure.source.replace("x + n", "x + len(str(x[0]))")))
    assert asking.how == "NumPy" and "the text of a traced array" in asking.reason


def test_a_failing_program_is_made_small() -> None:
    small = reduce(sample(), lambda p: "arguments[0]" in check(p, copied).difference)
    body = small.source[small.source.index("def program") :].splitlines()
    assert body[1:] == ["    x[0] += n"]


def test_copies_between_overlapping_vectors() -> None:
    """NumPy reads what it has written, where the strides differ; nobody relies on it."""
    source = SAMPLE.replace("TABLE[0] = n", "x[:3] = x.repeat(2)[1:7:2]; x[1:3] = x[0:4:2]")
    x = np.arange(8.0)
    x[1:5] = x[0:8:2]
    assert x[1:5].tolist() != [0, 2, 4, 6]
    assert ".copy()" in apart(source)
    assert not compared(sample(source), apart(source), tracejit.function).difference


def test_a_seed_is_a_program() -> None:
    assert write(random.Random(7)) == write(random.Random(7))
    sources = {write(random.Random(seed)).source for seed in range(50)}
    assert len(sources) == 50
