"""Accuracy, special values and vectorisation of the elementary functions."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import mpmath
import numba
import numpy as np
import pytest
import scipy.special
from llvmlite import ir
from numba.core.errors import TypingError

from tracejit.intrinsics.vecmath import arc as vecmath_arc
from tracejit.intrinsics.vecmath import erf as vecmath_erf
from tracejit.intrinsics.vecmath import exp as vecmath_exp
from tracejit.intrinsics.vecmath import functions as vecmath
from tracejit.intrinsics.vecmath import gamma as vecmath_gamma
from tracejit.intrinsics.vecmath import inverse as vecmath_inverse
from tracejit.intrinsics.vecmath import log as vecmath_log
from tracejit.intrinsics.vecmath import roots as vecmath_roots
from tracejit.intrinsics.vecmath import trig as vecmath_trig
from tracejit.intrinsics.vecmath.builder import BINARY64, Real

#: Of two numbers, of an angle or of parts: what is here is the functions of one.
OTHERS = {
    "absolute", "arctan2", "far_angle", "far_phase", "frexp_exponent", "frexp_mantissa", "hypot",
    "logaddexp", "modf_fraction", "modf_integer", "near_cos", "near_exp", "near_gammaln",
    "near_sin", "near_tan", "not_positive", "power",
}  # fmt: skip
NAMES = sorted(set(vecmath.__all__) - OTHERS)
PIECES = (
    vecmath_arc, vecmath_erf, vecmath_exp, vecmath_gamma, vecmath_inverse, vecmath_log,
    vecmath_roots, vecmath_trig,
)  # fmt: skip
TYPES = (np.float64, np.float32)
CASES = pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in NAMES for dtype in TYPES]
)

EXACT: dict[str, Callable[[Any], Any]] = {
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "arccos": lambda x: mpmath.acos(x),
    "arccosh": lambda x: mpmath.acosh(x),
    "arcsinh": lambda x: mpmath.asinh(x),
    "arctanh": lambda x: mpmath.atanh(x),
    "arcsin": lambda x: mpmath.asin(x),
    "arctan": lambda x: mpmath.atan(x),
    "exp2": lambda x: mpmath.mpf(2) ** x,
    "expit": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gammaln": lambda x: mpmath.log(abs(mpmath.gamma(x))) if x < 3 else mpmath.loggamma(x),
    "log2": lambda x: mpmath.log(x, 2),
    "log10": lambda x: mpmath.log10(x),
}

# Where results are ordinary numbers, underflow included; the rest is a matter of special values.
RANGES: dict[str, list[tuple[float, float]]] = {
    "exp": [(-745.2, 709.79), (-1, 1), (-1e-8, 1e-8), (-745.2, -700)],
    "exp2": [(-1075, 1024), (-1, 1), (-1e-8, 1e-8), (-1075, -1000)],
    "expm1": [(-50, 709.79), (-1, 1), (0.3, 0.45), (-1e-8, 1e-8)],
    "expit": [(-745.2, 50), (-3, 3), (-1e-8, 1e-8)],
    "tanh": [(-22, 22), (-1, 1), (0.2, 0.5), (-1e-8, 1e-8), (18, 20)],
    "sinh": [(-710.5, 710.5), (-3, 3), (0.2, 0.5), (-1e-8, 1e-8), (30, 45), (710, 710.48)],
    "cosh": [(-710.5, 710.5), (-3, 3), (0.2, 0.5), (-1e-8, 1e-8), (30, 45), (710, 710.48)],
    "arcsin": [(-1, 1), (-0.6, 0.6), (0.99, 1), (-1e-8, 1e-8), (0.499, 0.501)],
    "arccos": [(-1, 1), (-0.6, 0.6), (0.99, 1), (-1, -0.99), (-1e-8, 1e-8), (0.499, 0.501)],
    "arcsinh": [(-3, 3), (-1e-3, 1e-3), (0.3, 0.6), (-1e-8, 1e-8), (0, 1e10), (0, 1e300)],
    "arccosh": [(1, 3), (1, 1.001), (1, 1 + 1e-8), (1, 1e10), (1, 1e300)],
    "arctanh": [(-1, 1), (-0.5, 0.5), (0.999, 1), (-1e-3, 1e-3), (-1e-8, 1e-8)],
    "arctan": [(-3, 3), (-100, 100), (0.43, 0.44), (0.68, 0.7), (-1e-8, 1e-8), (0, 1e20)],
    "cbrt": [(-8, 8), (-1e10, 1e10), (0.9, 1.1), (-1e-8, 1e-8)],
    "tan": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-8, 1e-8), (0, 1e22), (0, 1e300)],
    "log": [(0, 3), (0.7, 1.5), (1 - 1e-6, 1 + 1e-6), (0, 1e10)],
    "log2": [(0, 3), (0.7, 1.5), (1 - 1e-6, 1 + 1e-6), (0, 1e10)],
    "log10": [(0, 3), (0.7, 1.5), (1 - 1e-6, 1 + 1e-6), (0, 1e10)],
    "log1p": [(-1, 3), (-0.5, 0.5), (-1e-8, 1e-8), (0, 1e10)],
    "sin": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-8, 1e-8), (0, 1e22), (0, 1e300)],
    "cos": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-8, 1e-8), (0, 1e22), (0, 1e300)],
    "erf": [(-6.5, 6.5), (-1, 1), (0.8, 1.3), (-1e-8, 1e-8)],
    "erfc": [(-7, 27.3), (0.5, 3), (-1, 1), (26, 27.3), (-1e-8, 1e-8)],
    "gammaln": [(0, 4), (0.9, 1.1), (1.99, 2.01), (2.4, 2.6), (0, 30), (0, 1e-8), (0, 1e300)],
}
RANGES_32 = {
    **RANGES,
    "exp": [(-104, 88.73), (-1, 1), (-1e-4, 1e-4), (-104, -86)],
    "exp2": [(-150, 128), (-1, 1), (-1e-4, 1e-4), (-150, -125)],
    "expm1": [(-30, 88.73), (-1, 1), (0.3, 0.45), (-1e-4, 1e-4)],
    "expit": [(-104, 50), (-3, 3), (-1e-4, 1e-4)],
    "sin": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-4, 1e-4), (0, 1e14), (0, 1e38)],
    "cos": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-4, 1e-4), (0, 1e14), (0, 1e38)],
    "sinh": [(-89.5, 89.5), (-3, 3), (0.2, 0.5), (-1e-4, 1e-4), (30, 45), (89, 89.42)],
    "cosh": [(-89.5, 89.5), (-3, 3), (0.2, 0.5), (-1e-4, 1e-4), (30, 45), (89, 89.42)],
    "tan": [(-4, 4), (-100, 100), (-6e5, 6e5), (-1e-4, 1e-4), (0, 1e14), (0, 1e38)],
    "arcsinh": [(-3, 3), (-1e-2, 1e-2), (0.3, 0.6), (-1e-4, 1e-4), (0, 1e10), (0, 1e38)],
    "arccosh": [(1, 3), (1, 1.001), (1, 1e10), (1, 1e38)],
    "erfc": [(-5, 10), (0.5, 3), (-1, 1), (9, 10), (-1e-4, 1e-4)],
    "gammaln": [(0, 4), (0.9, 1.1), (1.99, 2.01), (2.4, 2.6), (0, 30), (0, 1e-4), (0, 1e36)],
}
LOGARITHMS = ("log", "log2", "log10", "log1p")


@cache
def looped(name: str) -> Any:
    """A loop over the function."""
    function = getattr(vecmath, name)

    @numba.njit(nogil=True, error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return loop


def evaluate(name: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    looped(name)(x, out)
    return out


@cache
def c_lgamma() -> Any:
    library = numba.types.ExternalFunction("lgamma", numba.float64(numba.float64))

    @numba.vectorize(["float32(float32)", "float64(float64)"])
    def lgamma(x):
        return x if x == -np.inf else library(x)  # as SciPy has it

    return lgamma


def numpy_or_scipy(name: str) -> Any:
    if name == "gammaln":  # SciPy's is infinite at subnormal numbers, and keeps no zero below 0
        return c_lgamma()
    return getattr(np, name, None) or getattr(scipy.special, name)


def random_patterns(rng: np.random.Generator, dtype: Any, count: int) -> np.ndarray:
    """Positive numbers of all magnitudes, subnormal ones included."""
    form = np.finfo(dtype)
    unsigned = np.uint64 if dtype is np.float64 else np.uint32
    return rng.integers(0, form.max.view(unsigned), count, dtype=unsigned).view(dtype)


def sample(name: str, dtype: Any, count: int) -> np.ndarray:
    rng = np.random.default_rng([7, NAMES.index(name)])
    ranges = (RANGES if dtype is np.float64 else RANGES_32)[name]
    per_range = count // (len(ranges) + 1)
    parts = [rng.uniform(low, high, per_range).astype(dtype) for low, high in ranges]
    patterns = random_patterns(rng, dtype, per_range)
    if name in (*LOGARITHMS, "arccosh", "gammaln"):
        parts.append(patterns)
    elif name in ("sin", "cos", "tan"):
        multiples = np.round(rng.uniform(-3e5, 3e5, per_range)) * (np.pi / 2)
        parts += [patterns, multiples.astype(dtype)]
    else:
        parts.append(np.copysign(patterns[patterns < 1], rng.normal(size=(patterns < 1).sum())))
    x = np.concatenate(parts)
    if name == "arccosh":
        return x[x >= 1]
    if name not in (*LOGARITHMS, "gammaln"):
        return x
    return x[x > (-1 if name == "log1p" else 0)]


def largest_error(result: np.ndarray, exact: list[Any]) -> float:
    """In units in the last place of the exact result, which overflow does not bound."""
    form = np.finfo(result.dtype)
    largest = 0.0
    for value, reference in zip(result.tolist(), exact, strict=True):
        exponent = mpmath.frexp(abs(reference))[1] if reference else form.minexp
        unit = mpmath.ldexp(1, max(exponent, form.minexp + 1) - 1 - form.nmant)
        if not np.isfinite(value):
            assert abs(reference) > float(form.max) + unit / 2
            assert value == np.copysign(np.inf, float(mpmath.sign(reference)))
            continue
        largest = max(largest, float(abs(mpmath.mpf(value) - reference) / unit))
    return largest


@CASES
def test_error_is_at_most_one_unit_in_the_last_place_or_two(name: str, dtype: Any) -> None:
    x = sample(name, dtype, 10_000)
    exact = EXACT.get(name) or getattr(mpmath, name)
    with mpmath.workprec(130):
        reference = [exact(mpmath.mpf(value)) for value in x.tolist()]
        most = 2.0 if name in ("tan", "gammaln") else 1.0
        assert largest_error(evaluate(name, x), reference) <= most


@CASES
def test_special_values_are_numpys(name: str, dtype: Any) -> None:
    form = np.finfo(dtype)
    positive = [0.0, np.inf, form.max, form.tiny, form.smallest_subnormal, 1.0, 2.0, 1e4, 1e30]
    x = np.array([*positive, *(-value for value in positive), np.nan], dtype)
    with np.errstate(all="ignore"):
        expected = numpy_or_scipy(name)(x)
    result = evaluate(name, x)
    assert result.dtype == expected.dtype == dtype
    plain = np.isfinite(expected) & (expected != 0)
    np.testing.assert_array_equal(result[~plain], expected[~plain])
    assert (np.isfinite(result[plain]) & (result[plain] != 0)).all()
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result[number]), np.signbit(expected[number]))


@pytest.mark.parametrize("dtype", TYPES)
def test_gammaln_of_negative_numbers_keeps_its_zeros(dtype: Any) -> None:
    """Where SciPy loses half of the digits."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-5, 0, 2_000), rng.uniform(-2.46, -2.45, 500)]).astype(dtype)
    with mpmath.workprec(130):
        exact = [EXACT["gammaln"](mpmath.mpf(value)) for value in x.tolist()]
    assert largest_error(evaluate("gammaln", x), exact) <= 0.51
    poles = np.array([-1.0, -2.0, 0.0, -0.0, -1e10], dtype)
    assert (evaluate("gammaln", poles) == np.inf).all()


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        ("exp", lambda f: np.log(float(f.max))),
        ("expm1", lambda f: np.log(float(f.max))),
        ("exp2", lambda f: float(f.maxexp)),
        ("exp", lambda f: np.log(2.0) * (f.minexp - f.nmant - 1)),
        ("exp2", lambda f: float(f.minexp - f.nmant - 1)),
    ],
)
def test_over_and_underflow_happen_where_numpys_do(name: str, threshold: Any, dtype: Any) -> None:
    start = dtype(threshold(np.finfo(dtype)))
    steps = np.arange(-40, 41) * np.spacing(abs(start)) + start
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(steps)
    result = evaluate(name, steps)
    np.testing.assert_array_equal(np.isinf(result), np.isinf(expected))
    np.testing.assert_array_equal(result == 0, expected == 0)
    assert len(set(result == result[0])) == 2  # the threshold was met


@pytest.mark.parametrize("dtype", TYPES)
def test_powers_are_exact(dtype: Any) -> None:
    form = np.finfo(dtype)
    k = np.arange(form.minexp - form.nmant, form.maxexp).astype(dtype)
    powers = np.ldexp(dtype(1), k.astype(int))
    np.testing.assert_array_equal(evaluate("exp2", k), powers)
    np.testing.assert_array_equal(evaluate("log2", powers), k)
    tens = np.arange(0, 23 if dtype is np.float64 else 11)
    np.testing.assert_array_equal(evaluate("log10", (10.0**tens).astype(dtype)), tens)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "name", "tanh erf sin cos tan sinh cosh cbrt arctan arcsin arcsinh arctanh".split()
)
def test_odd_and_even_functions(name: str, dtype: Any) -> None:
    sign = 1 if name.startswith("cos") else -1
    x = sample(name, dtype, 2000)
    np.testing.assert_array_equal(evaluate(name, -x), sign * evaluate(name, x))


@CASES
def test_a_result_does_not_depend_on_the_place_in_the_array(name: str, dtype: Any) -> None:
    x = sample(name, dtype, 400)[::7].copy()
    together = evaluate(name, x)
    for size in (1, 2, 3, 5, 9, 17, 31):
        for start in range(0, x.size - size, 11):
            part = evaluate(name, x[start : start + size])
            np.testing.assert_array_equal(part, together[start : start + size])


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
@pytest.mark.parametrize("dtype", TYPES)
def test_one_large_angle_among_small_ones(name: str, dtype: Any) -> None:
    for place in range(37):
        x = np.linspace(-3, 3, 37).astype(dtype)
        x[place] = 1e25
        others = np.arange(37) != place
        result = evaluate(name, x)
        np.testing.assert_allclose(
            result, getattr(np, name)(x.astype(np.float64)), rtol=1e-6, atol=1e-7
        )
        np.testing.assert_array_equal(result[others], evaluate(name, x[others]))


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64")
    or not llvm.get_host_cpu_features().get("fma", False),
    reason="reads the assembly of x86-64 with FMA",
)
@pytest.mark.parametrize("name", NAMES)
def test_a_loop_is_vectorised(name: str) -> None:
    loop = looped(name)
    evaluate(name, np.ones(8))
    (assembly,) = (
        text for types, text in loop.inspect_asm().items() if types[0].dtype == numba.float64
    )
    assert re.search(r"vfn?m(add|sub)\d+pd\s.*%[yz]mm", assembly)


def module_of_a_loop(define: Callable[[Real], Real]) -> ir.Module:
    """LLVM's module of ``for i: out[i] = define(x[i])``."""
    module, integer = ir.Module(), ir.IntType(64)
    pointer = BINARY64.float_type.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, integer])
    function = ir.Function(module, kind, "loop")
    x, out, count = function.args
    out.add_attribute("noalias")
    entry, body, after = (function.append_basic_block() for _ in range(3))
    b = ir.IRBuilder(entry)
    b.branch(body)
    b.position_at_end(body)
    index = b.phi(integer)
    value = define(Real(b, BINARY64, b.load(b.gep(x, [index])))).value
    b.store(value, b.gep(out, [index]))
    following = b.add(index, integer(1), flags=("nsw", "nuw"))
    index.add_incoming(integer(0), entry)
    index.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, count), body, after)
    b.position_at_end(after)
    b.ret_void()
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_loop_is_vectorised_on_aarch64(name: str) -> None:
    """No instruction is one of x86's: another target compiles the same definitions to vectors."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    except RuntimeError:
        pytest.skip("this LLVM has no such target")
    machine = target.create_target_machine(cpu="neoverse-n1", opt=3)
    define = next(getattr(piece, name) for piece in PIECES if hasattr(piece, name))
    module = llvm.parse_assembly(str(module_of_a_loop(define)))
    module.triple, module.data_layout = target.triple, str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    assert re.search(r"fml[as]\s+v\d+\.2d", machine.emit_assembly(module))


@pytest.mark.parametrize("name", ["sin", "exp"])
def test_kernels_can_be_cached(name: str, tmp_path: Any, monkeypatch: Any) -> None:
    source = (
        "from numba import njit\n"
        f"from tracejit.intrinsics.vecmath.functions import {name} as f\n"
        "@njit(cache=True, error_model='numpy')\n"
        "def loop(x, out):\n"
        "    for i in range(x.size):\n"
        "        out[i] = f(x[i])\n"
    )
    (tmp_path / f"cached_{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    x = np.linspace(-5, 5, 37)
    hits = []
    for _ in range(2):
        module = __import__(f"cached_{name}")
        out = np.empty_like(x)
        module.loop(x, out)
        np.testing.assert_array_equal(out, evaluate(name, x))
        hits.append(sum(module.loop.stats.cache_hits.values()))
        del __import__("sys").modules[f"cached_{name}"]
    assert hits == [0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_other_types_are_refused(name: str) -> None:
    function = getattr(vecmath, name)

    @numba.njit
    def call(x):
        return function(x)

    with pytest.raises(TypingError):
        call(1)


@cache
def looped_of_two(name: str) -> Any:
    """A loop over a function of two numbers."""
    function = getattr(vecmath, name)

    @numba.njit(nogil=True, error_model="numpy")
    def loop(x, y, out):
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    return loop


def evaluate_of_two(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    looped_of_two(name)(x, y, out)
    return out


@pytest.mark.parametrize("dtype", TYPES)
def test_arctan2_to_one_unit_in_the_last_place(dtype: Any) -> None:
    """Points all around, near the axes and diagonals, and of all magnitudes."""
    rng = np.random.default_rng(8)
    angle, count = rng.uniform(-np.pi, np.pi, 3_000), 3_000
    near = np.round(angle / (np.pi / 8)) * (np.pi / 8) + rng.normal(0, 1e-4, count)
    signs = rng.choice([-1.0, 1.0], (2, count))
    patterns = [random_patterns(rng, dtype, count) * s for s in signs.astype(dtype)]
    with np.errstate(over="ignore"):
        close = patterns[0] * rng.uniform(0.2, 5, count).astype(dtype)
    y = np.concatenate([np.sin(angle), np.sin(near), patterns[0], close]).astype(dtype)
    x = np.concatenate([np.cos(angle), np.cos(near), patterns[1], patterns[0]]).astype(dtype)
    kept = np.isfinite(x) & np.isfinite(y) & (x != 0)
    x, y = x[kept], y[kept]
    with mpmath.workprec(130):
        exact = [
            mpmath.atan2(*map(mpmath.mpf, p)) for p in zip(y.tolist(), x.tolist(), strict=True)
        ]
        assert largest_error(evaluate_of_two("arctan2", y, x), exact) <= 1.0


@pytest.mark.parametrize("dtype", TYPES)
def test_hypot_to_one_unit_in_the_last_place(dtype: Any) -> None:
    """Of all magnitudes: alike, and apart."""
    rng = np.random.default_rng(9)
    a = random_patterns(rng, dtype, 6_000)
    with np.errstate(all="ignore"):
        b = np.concatenate([a[:4_000] * rng.uniform(0.01, 2, 4_000).astype(dtype), a[:2_000]])
    kept = np.isfinite(b) & (np.hypot(a.astype(np.longdouble), b) < np.finfo(dtype).max)
    x, y = a[kept], b[kept]
    with mpmath.workprec(130):
        exact = [
            mpmath.hypot(*map(mpmath.mpf, p)) for p in zip(x.tolist(), y.tolist(), strict=True)
        ]
        assert largest_error(evaluate_of_two("hypot", x, y), exact) <= 1.0


@pytest.mark.parametrize("dtype", TYPES)
def test_power_to_one_unit_in_the_last_place(dtype: Any) -> None:
    """Bases and exponents of all magnitudes, bases near 1, and results near the largest number."""
    rng = np.random.default_rng(10)
    count, form = 2_000, np.finfo(dtype)
    largest = np.log(float(form.max))
    patterns = np.abs(random_patterns(rng, dtype, count)).astype(np.float64)
    large = np.exp(rng.uniform(0.01, largest, count))
    tiny = float(form.smallest_subnormal) * rng.integers(1, 1 << 20, count)
    x = np.concatenate(
        [rng.uniform(0, 2, count), patterns, 1 + rng.normal(0, 1e-3, count), large, tiny]
    )
    y = rng.normal(0, 3, x.size)
    y[2 * count : 3 * count] *= 1e3 * largest / 3
    y[3 * count : 4 * count] = rng.uniform(0.9, 1, count) * largest / np.log(large)
    x, y = x.astype(dtype), y.astype(dtype)
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.longdouble), y)
    kept = np.isfinite(x) & (x > 0) & (expected < form.max) & (expected > 0)
    x, y = x[kept], y[kept]
    with mpmath.workprec(170):
        exact = [
            mpmath.mpf(a) ** mpmath.mpf(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)
        ]
        assert largest_error(evaluate_of_two("power", x, y), exact) <= 1.0


@pytest.mark.parametrize("exponent", [3.0, 4.0])
@pytest.mark.parametrize("dtype", TYPES)
def test_powers_known_beforehand(exponent: float, dtype: Any) -> None:
    function, constant = vecmath.power, dtype(exponent)

    @numba.njit(error_model="numpy")
    def loop(x, out):
        for i in range(x.size):
            out[i] = function(x[i], constant)

    rng = np.random.default_rng(11)
    x = np.concatenate([random_patterns(rng, dtype, 4_000), rng.normal(0, 1, 4_000)]).astype(dtype)
    x = x[np.isfinite(x)]
    out = np.empty_like(x)
    loop(x, out)
    with mpmath.workprec(170):
        exact = [mpmath.mpf(a) ** int(exponent) for a in x.tolist()]
        finite = [k for k, e in enumerate(exact) if abs(e) <= float(np.finfo(dtype).max)]
        assert largest_error(out[finite], [exact[k] for k in finite]) <= 1.0
    some = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).max], dtype)
    found = np.empty_like(some)
    loop(some, found)
    with np.errstate(over="ignore"):
        expected = some**constant
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[1:]), np.signbit(expected[1:]))


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64")
    or not llvm.get_host_cpu_features().get("fma", False),
    reason="reads the assembly of x86-64 with FMA",
)
@pytest.mark.parametrize("name", ["arctan2", "hypot", "logaddexp", "power"])
def test_a_loop_of_two_is_vectorised(name: str) -> None:
    evaluate_of_two(name, np.ones(8), np.ones(8))
    (assembly,) = (
        text
        for types, text in looped_of_two(name).inspect_asm().items()
        if types[0].dtype == numba.float64
    )
    assert re.search(r"vfn?m(add|sub)\d+pd\s.*%[yz]mm", assembly)


@pytest.mark.parametrize("name", ["arctan2", "hypot", "logaddexp", "power"])
@pytest.mark.parametrize("dtype", TYPES)
def test_special_values_of_two_are_numpys(name: str, dtype: Any) -> None:
    form = np.finfo(dtype)
    positive = [0.0, np.inf, form.max, form.tiny, form.smallest_subnormal, 1.0, 2.0, 3.0, 0.5]
    # The largest odd number, and what is next to it.
    positive += [2 / form.eps - 1, 2 / form.eps, 2 / form.eps + 2, 1 + form.eps, 1 - form.epsneg]
    some = np.array([*positive, *(-v for v in positive), np.nan], dtype)
    x, y = (v.ravel() for v in np.meshgrid(some, some))
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(x, y)
    result = evaluate_of_two(name, x, y)
    # Where exponentials cancel, NumPy's logaddexp is no better.
    lost = form.eps if name == "logaddexp" else form.smallest_subnormal
    np.testing.assert_allclose(result, expected, rtol=4 * form.eps, atol=lost)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result[number]), np.signbit(expected[number]))
