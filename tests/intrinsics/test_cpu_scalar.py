"""The scalar operations of CPU kernels against NumPy: every operation, type and special value."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError

from tracejit.cpu.library.loops import matmul_loop, ufunc_loop
from tracejit.intrinsics import arithmetic as scalar
from tracejit.intrinsics import cast, half, logic

OPERATIONS = {
    name: getattr(module, name) for module in (scalar, logic, cast, half) for name in module.__all__
}
SIGNED, UNSIGNED, FLOATS, COMPLEX = "bhiq", "BHIQ", "fd", "FD"
INTS = SIGNED + UNSIGNED
REALS = "?" + INTS + FLOATS
EVERY = REALS + COMPLEX

# Expression over x and y (z: y without negative values), NumPy's function, types.
Row = tuple[str, Callable[..., Any], str]
ROWS: list[Row] = [
    ("add(x, y)", np.add, EVERY),
    ("subtract(x, y)", np.subtract, INTS + FLOATS + COMPLEX),
    ("multiply(x, y)", np.multiply, EVERY),
    ("radd(x, y)", np.add, INTS + FLOATS + COMPLEX),
    ("rmul(x, y)", np.multiply, INTS + FLOATS),
    ("divide(x, y)", np.divide, FLOATS),
    ("negative(x)", np.negative, INTS + FLOATS + COMPLEX),
    ("positive(x)", np.positive, INTS + FLOATS + COMPLEX),
    ("absolute(x)", np.absolute, REALS),
    ("fabs(x)", np.fabs, FLOATS),
    ("sign(x)", np.sign, INTS + FLOATS),
    ("square(x)", np.square, INTS + FLOATS + COMPLEX),
    ("reciprocal(x)", np.reciprocal, INTS + FLOATS),
    ("sqrt(x)", np.sqrt, FLOATS),
    ("copysign(x, y)", np.copysign, FLOATS),
    ("deg2rad(x)", np.deg2rad, FLOATS),
    ("rad2deg(x)", np.rad2deg, FLOATS),
    ("heaviside(x, y)", np.heaviside, FLOATS),
    ("rint(x)", np.rint, FLOATS),
    ("floor(x)", np.floor, REALS),
    ("ceil(x)", np.ceil, REALS),
    ("trunc(x)", np.trunc, REALS),
    ("conj(x)", np.conjugate, INTS + FLOATS + COMPLEX),
    ("floor_divide(x, y)", np.floor_divide, INTS + FLOATS),
    ("remainder(x, y)", np.remainder, INTS + FLOATS),
    ("fmod(x, y)", np.fmod, INTS + FLOATS),
    ("ipow(x, z)", lambda x, y: np.power(x, np.maximum(y, y.dtype.type(0))), INTS),
    ("maximum(x, y)", np.maximum, REALS),
    ("minimum(x, y)", np.minimum, REALS),
    ("fmax(x, y)", np.fmax, REALS),
    ("fmin(x, y)", np.fmin, REALS),
    ("rmax(x, y)", np.maximum, REALS),
    ("rmin(x, y)", np.minimum, REALS),
    ("imax(x, y)", np.maximum, "q"),
    ("imin(x, y)", np.minimum, "q"),
    ("idiv(imax(x, 0), imax(y, 1))", lambda x, y: np.maximum(x, 0) // np.maximum(y, 1), "q"),
    ("left_shift(x, y)", np.left_shift, INTS),
    ("right_shift(x, y)", np.right_shift, INTS),
    ("bit_and(x, y)", np.bitwise_and, "?" + INTS),
    ("bit_or(x, y)", np.bitwise_or, "?" + INTS),
    ("bit_xor(x, y)", np.bitwise_xor, "?" + INTS),
    ("invert(x)", np.invert, "?" + INTS),
    ("bitwise_count(x)", np.bitwise_count, INTS),
    ("eq(x, y)", np.equal, EVERY),
    ("ne(x, y)", np.not_equal, EVERY),
    ("lt(x, y)", np.less, REALS),
    ("le(x, y)", np.less_equal, REALS),
    ("gt(x, y)", np.greater, REALS),
    ("ge(x, y)", np.greater_equal, REALS),
    ("logical_and(x, y)", np.logical_and, EVERY),
    ("logical_or(x, y)", np.logical_or, EVERY),
    ("logical_xor(x, y)", np.logical_xor, EVERY),
    ("logical_not(x)", np.logical_not, EVERY),
    ("isnan(x)", np.isnan, EVERY),
    ("isinf(x)", np.isinf, EVERY),
    ("isfinite(x)", np.isfinite, EVERY),
    ("signbit(x)", np.signbit, FLOATS),
    ("signbit(x)", lambda x: x < 0, "?" + INTS),
    ("real(x)", np.real, EVERY),
    ("imag(x)", np.imag, EVERY),
    ("select(ne(x, y), x, y)", lambda x, y: np.where(x != y, x, y), EVERY),
]
# Which of two zeros comes back is the order of NumPy's vector lanes, or a matter of the reduction.
ANY_ZERO = {"fmax", "fmin", "rmax", "rmin"}

TARGETS = {
    "to_bool": "?",
    **{f"to_{np.dtype(code).name}": code for code in INTS + FLOATS + COMPLEX},
    "to_half": "e",
}


def grid(code: str) -> np.ndarray:
    """Special values of a type."""
    if code == "?":
        return np.array([False, True])
    if code in INTS:
        info = np.iinfo(code)
        near = [*range(-9, 10), 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, -100]
        edges = [info.min, info.min + 1, info.max // 2, info.max // 2 + 1, info.max - 1, info.max]
        return np.array([v for v in near + edges if info.min <= v <= info.max], code)
    if code in FLOATS:
        limits: Any = np.finfo(code)
        values = [0.0, 1.0, 0.5, 1.5, 2.0, 2.5, 3.0, 0.1, 0.3, 7.0, 1e3, 12345.678, 2.0**40, 1e30]
        values += [limits.tiny, limits.smallest_subnormal, limits.max, limits.eps, np.inf, np.nan]
        values += [0.9999999, 1.0000001, 2.0**24 + 1, 2.0**31, 2.0**63, 180.0]
        return np.array([*values, *(-v for v in values)], code)
    part = np.array([0.0, -0.0, 1.0, -2.5, 1e30, np.inf, -np.inf, np.nan], code.lower())
    return np.array([complex(*pair) for pair in itertools.product(part, part)], code)


def pairs(code: str) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of special values, and random ones."""
    values = grid(code)
    x, y = (side.ravel() for side in np.meshgrid(values, values, indexing="ij"))
    if code in COMPLEX:
        more = np.random.default_rng(3).normal(size=(2, 1000)).astype(code.lower()).view(code)
        x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
    elif code != "?":
        rng = np.random.default_rng(3)
        width = np.dtype(code).itemsize
        more = rng.integers(0, 256, (2, 500 * width), np.uint8).view(code)
        scaled = rng.normal(size=(2, 500)) * 10.0 ** rng.integers(-3, 6, (2, 500))
        more = more if code in INTS else np.hstack([more, scaled.astype(code)])
        x, y = np.concatenate([x, more[0]]), np.concatenate([y, more[1]])
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def run(
    statements: list[tuple[str, Any]], names: dict[str, Any] | None = None, **arrays: np.ndarray
) -> list[np.ndarray]:
    """Evaluate scalar expressions over the elements of arrays, all in one compiled loop."""
    n = len(next(iter(arrays.values())))
    outputs = [np.empty(n, dtype) for _, dtype in statements]
    body = [f"        {name} = {name}s[i]" for name in arrays]
    # Results of one type share a two-dimensional array: array parameters cost compile time.
    shared: dict[Any, list[int]] = {}
    for k, (expression, dtype) in enumerate(statements):
        rows = shared.setdefault(np.dtype(dtype), [])
        body.append(
            f"        out{list(shared).index(np.dtype(dtype))}[{len(rows)}, i] = {expression}"
        )
        rows.append(k)
    blocks = [np.empty((len(rows), n), dtype) for dtype, rows in shared.items()]
    parameters = [*(f"{name}s" for name in arrays), *(f"out{j}" for j in range(len(blocks)))]
    source = f"def kernel({', '.join(parameters)}):\n    for i in range({parameters[0]}.size):\n"
    namespace = {**OPERATIONS, **(names or {})}
    exec(source + "\n".join(body), namespace)
    kernel = numba.njit(nogil=True, error_model="numpy")(namespace["kernel"])
    kernel(*arrays.values(), *blocks)
    for block, rows in zip(blocks, shared.values(), strict=True):
        for values, k in zip(block, rows, strict=True):
            outputs[k] = values
    return outputs


def assert_same(got: np.ndarray, want: np.ndarray, label: str, any_zero: bool = False) -> None:
    """Equal to the bit, apart from the bits of a nan."""
    assert got.dtype == want.dtype, label
    if got.dtype.kind == "c":
        assert_same(got.real, want.real, label)
        assert_same(got.imag, want.imag, label)
        return
    same = got == want
    if got.dtype.kind == "f":
        if not any_zero:
            same &= np.signbit(got) == np.signbit(want)
        same |= np.isnan(got) & np.isnan(want)
    bad = np.flatnonzero(~same)
    assert bad.size == 0, (
        f"{label}: {bad.size} differ, first at {bad[0]}: {got[bad[0]]!r}, NumPy {want[bad[0]]!r}"
    )


@pytest.mark.parametrize("code", EVERY)
def test_operations(code: str) -> None:
    x, y = pairs(code)
    rows = [row for row in ROWS if code in row[2]]
    wants = []
    with np.errstate(all="ignore"):
        for expression, function, _ in rows:
            operands = (x, y) if "y" in expression or "z" in expression else (x,)
            wants.append(function(*operands))
        z = np.maximum(y, y.dtype.type(0)) if code in INTS else y
    gots = run([(row[0], want.dtype) for row, want in zip(rows, wants, strict=True)], x=x, y=y, z=z)
    for (expression, _, _), got, want in zip(rows, gots, wants, strict=True):
        any_zero = expression.partition("(")[0] in ANY_ZERO
        where = f"{expression} for {code}"
        if not np.array_equal(got, want):
            bad = [i for i in range(len(x)) if got[i] != want[i] and got[i] == got[i]][:1]
            where += "".join(f" at {x[i]!r}, {y[i]!r}" for i in bad)
        assert_same(got, want, where, any_zero)


@pytest.mark.parametrize("code", EVERY)
def test_casts(code: str) -> None:
    x = pairs(code)[0] if code in INTS else grid(code)
    statements = [
        (f"{name}(x)", "f" if name == "to_half" else target) for name, target in TARGETS.items()
    ]
    gots = run(statements, x=x)
    magnitude = np.abs(x.real) if code in FLOATS + COMPLEX else None
    for (name, target), got in zip(TARGETS.items(), gots, strict=True):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            want = x.astype(target)
        if target == "e":
            want = want.astype("f")
        if magnitude is not None and target in INTS:  # beyond, C leaves the result open
            keep = magnitude < 2.0**31
            got, want = got[keep], want[keep]
        assert_same(got, want, f"{name} from {code}")


def test_mixed_comparisons() -> None:
    x, y = (side.ravel() for side in np.meshgrid(grid("q"), grid("Q"), indexing="ij"))
    for name, function in {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
    }.items():
        there, back = run([(f"{name}(x, y)", "?"), (f"{name}(y, x)", "?")], x=x, y=y)
        assert_same(there, function(x, y), name)
        assert_same(back, function(y, x), name)


def test_remainders_of_all_magnitudes() -> None:
    """The quick remainder and the C library's meet at quotients of 2**23 and 2**52."""
    rng = np.random.default_rng(5)
    for code, span in (("f", 40), ("d", 90), ("d", 900)):
        x, y = rng.normal(size=(2, 50_000)) * 2.0 ** rng.integers(-span, span, (2, 50_000))
        y[::7] = x[::7] / rng.integers(1, 1000, y[::7].size)
        with np.errstate(all="ignore"):
            x, y = x.astype(code), y.astype(code)
            functions = [np.fmod, np.remainder, np.floor_divide]
            wants = [function(x, y) for function in functions]
        gots = run([(f"{function.__name__}(x, y)", code) for function in functions], x=x, y=y)
        for function, got, want in zip(functions, gots, wants, strict=True):
            assert_same(got, want, f"{function.__name__} for {code}")


@pytest.mark.parametrize(
    "expression",
    [
        "add(x, w)",
        "maximum(w, x)",
        "eq(u, f)",
        "divide(x, x)",
        "fmod(b, b)",
        "negative(b)",
        "subtract(b, b)",
        "invert(f)",
        "half_load(w)",
        "half_round(d)",
        "select(x, x, x)",
        "select(b, f, d)",
        "imax(w, w)",
    ],
)
def test_operand_types_are_strict(expression: str) -> None:
    operands = dict(b=True, w=np.int8(1), x=1, u=np.uint64(1), f=np.float32(1), d=1.0, c=1j)
    used = [name for name in operands if name in expression.partition("(")[2]]
    namespace: dict[str, Any] = dict(OPERATIONS)
    exec(f"def kernel({', '.join(used)}):\n    return {expression}", namespace)
    with pytest.raises(TypingError, match=f"{expression.partition('(')[0]} is not defined for"):
        numba.njit(namespace["kernel"])(*(operands[name] for name in used))


def halves() -> np.ndarray:
    return np.arange(1 << 16, dtype=np.uint16)


@pytest.mark.parametrize("hardware", [True, False])
def test_half_precision(hardware: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hardware:
        monkeypatch.setattr(half, "_in_hardware", lambda context: False)
        # Numba keeps what it has typed, not what it has generated: new kernels see the change.
    values = halves().view(np.float16).astype(np.float32)
    (loaded,) = run([("half_load(x)", "f")], x=halves())
    assert_same(loaded, values, "half_load")

    finite = np.sort(values[np.isfinite(values)]).astype(np.float64)
    ties = (finite[1:] + finite[:-1]) / 2
    rng = np.random.default_rng(1)
    with np.errstate(all="ignore"):
        more = [65519.996, 65520, 1e6, 1e300, 2.0**-25, -(2.0**-26), 5e-324]
        exact = np.concatenate([values.astype(np.float64), ties, more])
        for code in FLOATS:
            x = exact.astype(code)
            bits = rng.integers(0, 256, 400_000, np.uint8).view(code)
            x = np.concatenate([x, np.nextafter(x, x.dtype.type(0)), np.nextafter(x, 2 * x), bits])
            # Near a tie by less than float32 can tell: rounding twice goes wrong.
            near = x * (1 + x.dtype.type(1e-12))
            x = np.concatenate([x, near])
            want = x.astype(np.float16)
            if code == "d":
                (got,) = run([("half_from_float64(x)", "f")], x=x)
            else:
                stored, got = run([("half_store(x)", "H"), ("half_round(x)", "f")], x=x)
                assert_same(stored.view(np.float16), want, "half_store")
            assert_same(got, want.astype(np.float32), f"rounding of {code}")


def test_what_vectorises() -> None:
    def total(x: Any) -> Any:
        s = x[0]
        for i in range(1, x.size):
            s = scalar.radd(s, x[i])
        return s

    def largest(x: Any) -> Any:
        s = x[0]
        for i in range(1, x.size):
            s = scalar.rmax(s, x[i])
        return s

    def rounded(x: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = half.half_store(x[i])

    def machine_code(function: Any, *arguments: Any) -> str:
        kernel = numba.njit(nogil=True, error_model="numpy")(function)
        kernel(*arguments)
        return "".join(kernel.inspect_llvm().values())

    ones = np.ones(100)
    assert "fadd reassoc <" in machine_code(total, ones)
    assert "@llvm.maximum.v" in machine_code(largest, ones)
    assert "x half>" in machine_code(rounded, ones.astype("f"), np.empty(100, "H")) or (
        "x i16>" in machine_code(rounded, ones.astype("f"), np.empty(100, "H"))
    )


LOOPS = [
    ("numpy", "sin", "d->d"),
    ("numpy", "power", "dd->d"),
    ("numpy", "power", "ee->e"),
    ("numpy", "hypot", "ff->f"),
    ("numpy", "sqrt", "D->D"),
    ("numpy", "maximum", "FF->F"),
    ("numpy", "less", "qQ->?"),
    ("numpy", "logical_xor", "??->?"),
    ("numpy", "gcd", "hh->h"),
    ("numpy", "nextafter", "ee->e"),
    ("numpy", "spacing", "d->d"),
    ("numpy", "ldexp", "di->d"),
    ("scipy.special", "gammaln", "d->d"),
    ("scipy.special", "betainc", "ddd->d"),
    ("scipy.special", "erf", "F->F"),
]


def test_ufunc_loops() -> None:
    rng = np.random.default_rng(2)
    arrays, statements, wants, names = {}, [], [], {}
    for k, (module, name, signature) in enumerate(LOOPS):
        inputs, _, output = signature.partition("->")
        operands = []
        for j, code in enumerate(inputs):
            values = (rng.normal(size=200) * 4).round(2)
            values[:5] = [0.0, -0.0, np.inf, -np.inf, np.nan] if code in "efdFD" else 0
            with np.errstate(invalid="ignore"):
                operands.append(values.astype(code))
            arrays[f"a{k}_{j}"] = operands[-1].astype("f") if code == "e" else operands[-1]
        with np.errstate(all="ignore"):
            want = getattr(importlib.import_module(module), name)(*operands)
        wants.append(want.astype("f") if output == "e" else want)
        names[f"f{k}"] = ufunc_loop(module, name, signature)
        called = ", ".join(f"a{k}_{j}" for j in range(len(inputs)))
        statements.append((f"f{k}({called})", wants[-1].dtype))
    gots = run(statements, names, **arrays)
    for loop, got, want in zip(LOOPS, gots, wants, strict=True):
        assert_same(got, want, str(loop))


def test_ufunc_loops_with_several_results() -> None:
    divmod_loop, frexp_loop = (
        ufunc_loop("numpy", "divmod", "qq->qq"),
        ufunc_loop("numpy", "frexp", "d->di"),
    )

    @numba.njit
    def kernel(x: Any, y: Any, z: Any) -> Any:
        return divmod_loop(x, y), frexp_loop(z)

    assert kernel(7, -2, 12.0) == (divmod(7, -2), (0.75, 4))


@pytest.mark.parametrize(
    ("module", "name", "dtypes", "message"),
    [
        ("numpy", "zeros", "d->d", "is not a ufunc"),
        ("numpy", "matmul", "dd->d", "has the signature"),
        ("numpy", "add", "OO->O", "does not name types that a kernel has"),
        ("numpy", "add", "d->d", "does not have the operands"),
        ("numpy", "sin", "q->d", "has no loop for"),
        ("numpy", "invert", "d->d", "has no loop for"),
    ],
)
def test_loops_that_do_not_exist(module: str, name: str, dtypes: str, message: str) -> None:
    with pytest.raises(LookupError, match=message):
        ufunc_loop(module, name, dtypes)


def test_a_loop_is_looked_up_once() -> None:
    assert ufunc_loop("numpy", "cos", "d->d") is ufunc_loop("numpy", "cos", "d->d")


@pytest.mark.parametrize("code", "?" + INTS + "e" + FLOATS + COMPLEX)
def test_matmul_loop(code: str) -> None:
    matmul = matmul_loop(f"{code}{code}->{code}")

    @numba.njit
    def kernel(a: Any, b: Any, out: Any) -> Any:
        return matmul(a, b, out)

    rng = np.random.default_rng(4)
    for m, n, p in [(3, 4, 5), (1, 7, 6), (20, 30, 1), (0, 3, 2), (2, 0, 3), (33, 40, 50)]:
        # A strided, a Fortran-ordered and a C-ordered operand.
        a = np.abs(rng.normal(size=(m, 2 * n)) * 5).astype(code)[::-1, ::2]
        b = np.asfortranarray(np.abs(rng.normal(size=(n, p)) * 5).astype(code))
        want = np.matmul(a, b)
        out = np.ones_like(want)
        if code == "e":
            kernel(a.view(np.uint16), b.view(np.uint16), out.view(np.uint16))
        else:
            kernel(a, b, out)
        assert_same(out, want, f"({m}, {n}) @ ({n}, {p})")


def test_cached_kernels_find_the_loops(tmp_path: Path) -> None:
    """Machine code from another process works in this one, where the loops lie elsewhere."""
    (tmp_path / "kernels.py").write_text(
        textwrap.dedent("""
        import numba
        from tracejit.cpu.library.loops import matmul_loop, ufunc_loop

        gammaln_d_d = ufunc_loop("scipy.special", "gammaln", "d->d")
        hypot_dd_d = ufunc_loop("numpy", "hypot", "dd->d")
        matmul_dd_d = matmul_loop("dd->d")

        @numba.njit(nogil=True, error_model="numpy", cache=True)
        def kernel(x, y, a, out):
            for i in range(x.size):
                t = gammaln_d_d(x[i])
                y[i] = hypot_dd_d(t, x[i])
            matmul_dd_d(a, a, out)
        """)
    )
    # A million calls: slots that a loop allocates anew would overflow the stack.
    program = textwrap.dedent("""
        import kernels, numpy as np, scipy.special
        x, a = np.linspace(1, 9, 1_000_000), np.arange(9.0).reshape(3, 3)
        y, out = np.empty_like(x), np.empty_like(a)
        kernels.kernel(x, y, a, out)
        assert np.array_equal(y, np.hypot(scipy.special.gammaln(x), x))
        assert np.array_equal(out, a @ a)
        print(sum(kernels.kernel.stats.cache_hits.values()))
    """)
    source = str(Path(scalar.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source, str(tmp_path)])}
    for hits in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout.strip()) == (0, hits), done.stderr
