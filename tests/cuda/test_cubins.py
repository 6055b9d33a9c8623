"""Machine code of whole programs: the CPU's operations and no others, nothing spilled, registers.

The registers that kernels take are in a golden file: a kernel that suddenly takes twice as many, or
memory of its own, shows there.
"""

from __future__ import annotations

import random
import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.special
from sass import operations
from test_kernels import CHARS, PROGRAMS, ROWS, sample
from test_random_programs import function_of, random_program

import tracejit
from benchmarks.kernels import KERNELS
from tracejit.cuda import compile as compiler
from tracejit.cuda.machine import ptx
from tracejit.cuda.machine.module import module_text
from tracejit.cuda.source import GridKernel
from tracejit.errors import UnsupportedError
from tracejit.native.slots import type_of

pytest.importorskip("cuda.bindings.nvvm")
ARCHITECTURES = ((8, 0), (9, 0), (10, 0))
X, F = np.linspace(0.1, 0.9, 12), np.linspace(0.1, 0.9, 12, dtype=np.float32)
M = X.reshape(3, 4)


def expression(x: Any, y: Any) -> Any:
    return (x * y + 1) * x - y, x > y


def functions(x: Any, y: Any) -> Any:
    return np.exp(x) * np.log(y) + np.tanh(x * y)


def quotients(x: Any, y: Any) -> Any:
    return x / y + np.sqrt(x)


def black_scholes(s: Any, k: Any, t: Any) -> Any:
    d1 = (np.log(s / k) + 0.065 * t) / (0.3 * np.sqrt(t))
    d2 = d1 - 0.3 * np.sqrt(t)
    cdf = lambda z: (1 + scipy.special.erf(z / np.sqrt(2))) / 2  # noqa: E731
    return s * cdf(d1) - k * np.exp(-0.02 * t) * cdf(d2)


def strided(x: Any, y: Any) -> Any:
    return x[::2, ::-1] * 2 - y[::2, None]


def gathered(x: Any, p: Any) -> Any:
    return x[p] * 2 + x[::-1]


def scattered(x: Any, p: Any) -> Any:
    y = x * 2
    y[p] = x
    return y


def extremes_of_rows(x: Any) -> Any:
    return x - x.max(axis=1, keepdims=True), x.argmin(axis=1)


def extremes(x: Any) -> Any:
    return x.max(), (x > 0.5).sum()


def sums(x: Any) -> Any:
    return x.sum(), x.sum(axis=0), x.sum(axis=1)


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def selected(x: Any) -> Any:
    return x[x > 0.5] * 2


def in_order(x: Any) -> Any:
    return np.sort(x), np.argsort(x)


def running(x: Any) -> Any:
    return x.cumsum()


def product(x: Any) -> Any:
    return x @ x.T


def stencil(u: Any, steps: Any) -> Any:
    for _ in range(steps):
        u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:])
    return u.max()


def escape_times(re: Any, im: Any, most: Any) -> Any:
    z_re, z_im = re.copy(), im.copy()
    steps = np.zeros(re.shape, np.int64)
    for _ in range(most):
        inside = z_re * z_re + z_im * z_im <= 4
        z_re, z_im = (
            np.where(inside, z_re * z_re - z_im * z_im + re, z_re),
            np.where(inside, 2 * z_re * z_im + im, z_im),
        )
        steps += inside
    return steps


def recurrence(x: Any) -> Any:
    y = np.zeros(len(x))
    for i in range(1, len(x)):
        y[i] = 0.5 * y[i - 1] + x[i]
    return y


P = np.array([3, 1, 2, 0, 11, 5, 4, 6, 7, 9, 8, 10])
TABLE: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    *((f"expression {c}", expression, (X.astype(c), X.astype(c))) for c in "dfelih"),
    ("expression D", lambda x, y: x * y + 1, (X.astype("D"), X.astype("D"))),
    *((f"functions {c}", functions, (X.astype(c), X.astype(c))) for c in "df"),
    *((f"quotients {c}", quotients, (X.astype(c), X.astype(c))) for c in "df"),
    ("black_scholes", black_scholes, (X, X, X)),
    ("sine", lambda x: np.sin(x), (X,)),
    ("strided", strided, (M, M[0])),
    ("gathered", gathered, (X, P)),
    ("scattered", scattered, (X, P)),
    ("extremes_of_rows", extremes_of_rows, (M,)),
    ("extremes", extremes, (X,)),
    ("sums", sums, (M,)),
    ("softmax", softmax, (M,)),
    ("running", running, (X,)),
    ("selected", selected, (X,)),
    ("in_order", in_order, (X,)),
    ("product", product, (M,)),
    ("stencil", stencil, (np.ones((6, 8)), 100)),
    ("escape_times", escape_times, (M, M, 20)),
    ("recurrence", recurrence, (np.linspace(0, 1, 300),)),
]


class Code(NamedTuple):
    """What one kernel is compiled to for an architecture."""

    text: str
    ptx: str
    module: str
    cubin: bytes
    said: str

    @property
    def registers(self) -> int:
        return int(re.findall(r"used (\d+) registers", self.said, re.I)[-1])


def kernels_of(f: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, GridKernel]:
    """The kernels of a program; UnsupportedError where it has none."""
    found: dict[str, GridKernel] = {}

    def note(kernel: GridKernel, cc: tuple[int, int]) -> str:
        found[kernel.name] = kernel
        return ""

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("tracejit.cuda.inspect.kernel_ptx", note)
        tracejit.cuda.ptx(f, *args)
    return found


def code_of(kernel: GridKernel, cc: tuple[int, int]) -> Code:
    signature = [type_of(kind.parameter) for kind in kernel.kinds]
    functions = compiler.functions_of(kernel)
    module = module_text(kernel.name, kernel.kernel, functions, signature)
    text = ptx.ptx(module, cc)
    return Code(kernel.text, text, module, *ptx.cubin(text, cc, ["-verbose"]))


def check(code: Code) -> None:
    """Machine code may have what the CPU's has, and nothing in memory of its own."""
    assert not re.search(r"\.approx|\.ftz|\.full", code.ptx)
    # No licence to compute otherwise than it is written, but for sums of products, which are fused
    # on a CPU too.
    products = "add_product(" in code.text
    licences = {*re.findall(r"\bf\w+ [^=\n]*\b(fast|contract|reassoc|arcp|afn)\b", code.module)}
    assert licences <= ({"contract"} if products else set())
    fused = code.ptx.count("fma.rn")
    assert not fused or products or "llvm.fma" in code.module
    counted = operations(code.cubin)
    # Quotients and roots are made of such steps.
    if not re.search(r"(div|sqrt|rcp)\.rn", code.ptx):
        assert counted["FFMA"] + counted["DFMA"] <= fused
    spilled = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", code.said)
    assert spilled
    assert set(spilled) == {("0", "0")}
    assert ".local" not in code.ptx and not counted["STL"]


@lru_cache(None)
def compiled(name: str) -> dict[str, dict[tuple[int, int], Code]] | None:
    """The code of a program of the table, by kernel and architecture; None if it has none."""
    [(f, args)] = [(f, args) for n, f, args in TABLE if n == name]
    try:
        kernels = kernels_of(f, args)
    except UnsupportedError:
        return None
    return {k: {cc: code_of(kernel, cc) for cc in ARCHITECTURES} for k, kernel in kernels.items()}


@pytest.mark.parametrize("name", [name for name, _, _ in TABLE])
def test_programs(name: str) -> None:
    for kernel in (compiled(name) or {}).values():
        for code in kernel.values():
            check(code)


def test_registers(golden: Callable[[str, str], None]) -> None:
    """They are those of one version of the compilers."""
    if tuple(ptx.linker().version()) != (13, 0):
        pytest.skip("another assembler counts otherwise")
    lines = [
        f"{'program':<24}{'kernel':<24}" + "".join(f"sm_{f'{a}{b}':<6}" for a, b in ARCHITECTURES)
    ]
    for name, _, _ in TABLE:
        kernels = compiled(name)
        if kernels is None:
            lines.append(f"{name:<24}none")
            continue
        for kernel, codes in kernels.items():
            numbers = "".join(f"{code.registers:<9}" for code in codes.values())
            lines.append(f"{name:<24}{kernel:<24}{numbers}".rstrip())
    golden("cuda_registers.txt", "\n".join(lines))


def test_the_table_has_programs() -> None:
    """Those without a kernel are few."""
    assert sum(compiled(name) is not None for name, _, _ in TABLE) >= 20


def test_what_is_fused_is_found() -> None:
    """The checks see an operation that would be in the place of two."""
    [kernel] = kernels_of(expression, (X, X)).values()
    code = code_of(kernel, (9, 0))
    fused = re.sub(r"mul\.rn\.f64 (\s*%\w+, %\w+), (%\w+)", r"fma.rn.f64 \1, \2, \2", code.ptx)
    assert fused != code.ptx
    with pytest.raises(AssertionError):
        check(code._replace(ptx=fused))
    with pytest.raises(AssertionError):
        check(code._replace(cubin=ptx.cubin(fused, (9, 0))[0]))
    with pytest.raises(AssertionError):
        check(code._replace(module=code.module.replace("fmul ", "fmul contract ")))
    check(code)


def everything() -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """Programs of the whole suite: ops by their types, whole ones, classic kernels, random ones."""
    rng = np.random.default_rng(0)
    for name, ufunc, output in ROWS:
        for kinds in dict.fromkeys(t.partition("->")[0] for t in ufunc.types):
            if len(set(kinds)) == 1 and len(kinds) == ufunc.nin and kinds[0] in CHARS:

                def f(*xs: Any, ufunc: Any = ufunc, output: int = output) -> Any:
                    found = ufunc(*xs)
                    return found[output] if ufunc.nout > 1 else found

                yield f"{name} {kinds}", f, tuple(sample(c, rng, 110) for c in kinds)
    for f, arguments in PROGRAMS:
        yield f.__name__, f, arguments()
    for kernel in KERNELS.values():
        yield kernel.name, kernel.function, kernel.arguments(kernel.small)
    for seed in range(300):
        program = random_program(random.Random(seed))
        yield f"random {seed}", function_of(program), tuple(program.arrays.values())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_everything(part: int) -> None:
    compiled = 0
    for k, (name, f, args) in enumerate(everything()):
        if k % 10 != part:
            continue
        try:
            kernels = kernels_of(f, args)
        except UnsupportedError:
            continue
        compiled += 1
        for kernel in kernels.values():
            for cc in ARCHITECTURES:
                try:
                    check(code_of(kernel, cc))
                except AssertionError as error:
                    raise AssertionError(f"{name}, {cc}: {kernel.text}") from error
    assert compiled > 20
