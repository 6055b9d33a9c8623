"""Random NumPy programs: compiled, interpreted and plain must agree.

Distribution: up to 30 statements; inputs of every real dtype mixed, ranks 0 to 4, dimensions 0, 1,
2 and n, in C, Fortran, strided, reversed, transposed and broadcast layouts, and weak scalars.
A statement draws its operands among all earlier values; one that NumPy refuses is drawn again.
Values that only exact operations made must agree to the bit; the others within a tolerance, and
they never reach a discontinuous operation.
"""

from __future__ import annotations

import os
import random
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tracejit
from tracejit.cpu import threads
from tracejit.ir import ops

THOROUGH = os.environ.get("TRACEJIT_TEST_PROFILE") == "thorough"
COMPILED = 400 if THOROUGH else 24
INTERPRETED = 4000 if THOROUGH else 250
DTYPES = [np.dtype(c) for c in "?bhilBHILefd"]

UNARY_EXACT = (
    "negative absolute sign floor ceil trunc rint isnan isinf isfinite signbit logical_not invert "
    "square positive conjugate bitwise_count"
).split()
UNARY_SMOOTH = "sqrt exp log tanh sin cos expm1 log1p exp2 arctan cbrt arcsinh".split()
BINARY_EXACT = (
    "add subtract multiply maximum minimum fmax fmin floor_divide remainder equal not_equal less "
    "less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or "
    "bitwise_xor copysign fmod gcd lcm heaviside"
).split()
BINARY_SMOOTH = "divide hypot arctan2 logaddexp".split()
SMOOTH_SAFE = "add subtract multiply maximum minimum".split()
REDUCE_EXACT = "max min any all argmax argmin count_nonzero".split()
REDUCE_SMOOTH = "sum mean std var prod".split()


@dataclass
class Program:
    arrays: dict[str, Any]
    lines: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    exact: dict[str, bool] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    #: Values whose length depends on data: they are returned, and combined with nothing.
    late: set[str] = field(default_factory=set)

    @property
    def source(self) -> str:
        body = "".join(f"    {line}\n" for line in self.lines)
        results = ", ".join(self.outputs)
        return f"def f({', '.join(self.arrays)}):\n{body}    return [{results}]\n"

    @property
    def outputs(self) -> list[str]:
        made = [n for n in self.values if n not in self.arrays]
        return made[-1:] + made[::7][:4]


def random_array(rng: random.Random) -> Any:
    if rng.random() < 0.1:
        return rng.choice([0, 1, -3, 7, 0.0, 0.5, -2.5, 3.25])
    dtype = rng.choice(DTYPES)
    rank = rng.choice([0, 1, 1, 2, 2, 2, 3, 4])
    n = rng.choice([3, 4, 5, 7])
    shape = [
        rng.choice([n, n, n, n, 2, 1, 0] if rng.random() < 0.3 else [n, n, 1]) for _ in range(rank)
    ]
    seed = np.random.default_rng(rng.randrange(2**32))
    layout = rng.choice(
        ["C", "C", "C", "F", "strided", "reversed", "transposed", "broadcast", "readonly"]
    )
    store = [d * 2 for d in shape] if layout == "strided" else list(shape)
    if layout == "transposed":
        store = store[::-1]
    if dtype.kind == "b":
        x = seed.random(store) < 0.5
    elif dtype.kind in "iu":
        low = 0 if dtype.kind == "u" else -20
        x = seed.integers(low, 21, store).astype(dtype)
    else:
        x = (np.round(seed.normal(size=store) * 8) / 4).astype(dtype)
        if rng.random() < 0.2 and x.size:
            x.flat[seed.integers(x.size)] = seed.choice([np.nan, np.inf, -np.inf, -0.0])
    x = np.asarray(x, dtype)
    if layout == "F":
        x = np.asfortranarray(x)
    elif layout == "strided":
        x = x[tuple(slice(None, None, 2) for _ in shape)]
    elif layout == "reversed":
        x = x[tuple(slice(None, None, -1) for _ in shape)]
    elif layout == "transposed":
        x = x.T
    elif layout == "broadcast" and rank:
        x = np.broadcast_to(x[..., :1] if shape[-1] else x, shape)
    elif layout == "readonly":
        x = x.copy()
        x.flags.writeable = False
    return x


def random_slice(rng: random.Random, x: np.ndarray) -> str:
    parts = []
    for d in x.shape[: rng.randint(1, max(1, x.ndim))]:
        kind = rng.random()
        if kind < 0.15 and d:
            parts.append(str(rng.randrange(-d, d)))
        elif kind < 0.3:
            parts.append("None")
            parts.append(":")
        else:
            a = rng.choice(["", "", "1", "-2", "2", "-1"])
            b = rng.choice(["", "", "-1", "3", "2"])
            s = rng.choice(["", "", ":2", ":-1"])
            parts.append(f"{a}:{b}{s}")
    if rng.random() < 0.2:
        parts.append("...")
    return ", ".join(parts)


def draw(rng: random.Random, p: Program) -> tuple[str, bool, str]:
    """A statement's expression, whether it is exact, and the name of its operation."""
    names = [n for n in p.values if n not in p.late]
    pick = lambda: rng.choice(names[-8:] if rng.random() < 0.7 else names)  # noqa: E731
    a, b = pick(), pick()
    exact = [n for n in names if p.exact[n]]
    ea, eb = rng.choice(exact), rng.choice(exact)
    va = p.values[a]
    ndim = np.ndim(va)
    axis = rng.choice([None, *range(-ndim, ndim), *([(0, ndim - 1)] if ndim > 1 else [])])
    keep = rng.choice([True, False])
    k = rng.randrange(18)
    if k == 0:
        op = rng.choice(UNARY_EXACT)
        return f"np.{op}({ea})", True, op
    if k == 1:
        op = rng.choice(UNARY_SMOOTH)
        return f"np.{op}({a})", False, op
    if k in (2, 3, 4):
        op = rng.choice(BINARY_EXACT)
        return f"np.{op}({ea}, {eb})", True, op
    if k == 5:
        op = rng.choice(BINARY_SMOOTH)
        return f"np.{op}({a}, {b})", False, op
    if k == 6:
        op = rng.choice(SMOOTH_SAFE)
        return f"np.{op}({a}, {b})", p.exact[a] and p.exact[b], op
    if k == 7:
        ax = axis if not isinstance(axis, tuple) else None
        op = rng.choice(REDUCE_EXACT)
        e = p.values[ea]
        ax = rng.choice([None, *range(np.ndim(e))])
        return f"np.{op}({ea}, axis={ax}, keepdims={keep})", True, op
    if k == 8:
        op = rng.choice(REDUCE_SMOOTH)
        return f"np.{op}({a}, axis={axis}, keepdims={keep})", False, op
    if k == 9 and ndim:
        return f"{a}[{random_slice(rng, va)}]", p.exact[a], "slice"
    if k == 10 and ndim:
        how = rng.choice(["reshape(-1)", "T", "ravel()", "copy()"])
        return f"{a}.{how}", p.exact[a], how
    if k == 11:
        op = rng.choice(["+", "-", "*", "<", ">=", "=="])
        c = rng.choice(["2", "1", "0.5", "-1", "3"])
        text = f"({c} {op} {ea})" if rng.random() < 0.5 else f"({ea} {op} {c})"
        return text, True, op
    if k == 12:
        return f"np.where({ea} > 0, {a}, {b})", p.exact[a] and p.exact[b], "where"
    if k == 13 and ndim:
        ax = rng.randrange(ndim)
        op = rng.choice(
            ["concatenate", "stack", "flip", "roll", "diff", "cumsum", "repeat", "cumprod"]
        )
        if op in ("concatenate", "stack"):
            return f"np.{op}([{a}, {b}], axis={ax})", p.exact[a] and p.exact[b], op
        if op in ("flip", "diff"):
            return f"np.{op}({a}, axis={ax})", p.exact[a], op
        if op in ("roll", "repeat"):
            return f"np.{op}({a}, 2, axis={ax})", p.exact[a], op
        return f"np.{op}({a}, axis={ax})", False, op
    if k == 14:
        to = rng.choice("ilfd?hB")
        if np.asarray(p.values[ea]).dtype.kind == "f" and to in "ilhB?":
            to = "f"
        return f"np.asarray({ea}).astype('{to}')", True, "astype"
    if k == 15 and ndim:
        mask = np.shape(p.values[ea])
        if rng.random() < 0.5 and mask and mask == np.shape(va)[: len(mask)]:
            text = f"{a}[{ea} > 0]"
            return (
                (text, p.exact[a], "mask")
                if rng.random() < 0.5
                else (f"{text}.sum()", False, "mask sum")
            )
        return f"np.take({a}, [0, -1, 0], axis=0)", p.exact[a], "take"
    if k == 16 and ndim >= 2:
        return f"np.swapaxes({a}, 0, -1)", p.exact[a], "swapaxes"
    if k == 17 and ndim == 2 and np.ndim(p.values[b]) in (1, 2):
        return f"({a} @ {b})", False, "matmul"
    return f"np.multiply({ea}, {eb})", True, "multiply"


def random_program(rng: random.Random) -> Program:
    arrays = {f"x{k}": random_array(rng) for k in range(rng.randint(1, 4))}
    if all(np.ndim(v) == 0 for v in arrays.values()):
        arrays["x0"] = np.arange(5.0)
    p = Program(arrays)
    p.values.update(arrays)
    p.exact.update(dict.fromkeys(arrays, True))
    wanted = rng.randint(1, 30)
    for _ in range(wanted * 4):
        if len(p.lines) >= wanted:
            break
        text, exact, op = draw(rng, p)
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error")
                value = eval(text, {"np": np}, p.values)
        except Exception:
            continue
        if np.size(value) > 4000 or np.asarray(value).dtype.kind not in "biuf":
            continue
        if isinstance(value, (bool, int, float)):
            continue
        big = np.asarray(value)
        if (
            big.dtype.kind == "f"
            and big.size
            and not exact
            and np.isfinite(big).any()
            and np.abs(big[np.isfinite(big)]).max() > 1e4
        ):
            continue
        name = f"v{len(p.lines)}"
        p.lines.append(f"{name} = {text}")
        p.values[name] = value
        p.exact[name] = exact
        p.used.append(op)
        if op == "mask":
            p.late.add(name)
    if not p.lines:
        p.lines.append("v0 = np.negative(x0) if False else np.add(x0, x0)")
        p.values["v0"] = np.add(arrays["x0"], arrays["x0"])
        p.exact["v0"] = True
    return p


def compare(p: Program, got: list[Any]) -> None:
    for name, value in zip(p.outputs, got, strict=True):
        want = p.values[name]
        assert type(value) is type(want), (name, type(value), type(want))
        assert np.shape(value) == np.shape(want), name
        assert value.dtype == want.dtype, (name, value.dtype, want.dtype)
        if p.exact[name]:
            np.testing.assert_array_equal(value, want, err_msg=name)
        else:
            tolerance = {"e": 5e-2, "f": 2e-3}.get(want.dtype.char, 1e-7)
            np.testing.assert_allclose(
                value, want, rtol=tolerance, atol=tolerance * 10, err_msg=name
            )


def function_of(p: Program) -> Any:
    scope: dict[str, Any] = {"np": np}
    exec(p.source, scope)
    return tracejit.function(scope["f"], on_unsupported="error")


def check(rng: random.Random, calls: int = 2) -> None:
    p = random_program(rng)
    f = function_of(p)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            for _ in range(calls):
                compare(p, f(*p.arrays.values()))
                assert f.stats.traces == 1, f.explain()
        except Exception as error:
            shown = "\n".join(
                f"{k} = {v!r}  # {np.asarray(v).dtype} {np.shape(v)} {np.asarray(v).strides}"
                for k, v in p.arrays.items()
            )
            text = f"{type(error).__name__}: {error}\n{p.source}\n{shown}"
            raise AssertionError(text) from error


RANDOMS = st.randoms(use_true_random=False)
QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=INTERPRETED, **QUIET)
@given(RANDOMS)
def test_interpreted(rng: random.Random) -> None:
    with tracejit.config(compile=False, check=True):
        check(rng)


@settings(max_examples=COMPILED, **QUIET)
@given(RANDOMS)
def test_compiled(rng: random.Random) -> None:
    with tracejit.config(check=True):
        check(rng)


@pytest.mark.parametrize("seed", range(COMPILED))
def test_compiled_by_seed(seed: int) -> None:
    """Hypothesis starts small; these are drawn from the whole distribution."""
    with tracejit.config(check=True):
        check(random.Random(seed))


@pytest.mark.parametrize("seed", range(COMPILED, COMPILED + COMPILED // 2))
def test_in_phases(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small as they are, on three threads, phase by phase where they can be divided."""
    monkeypatch.setattr(threads, "LEAST_WORK", 2)
    monkeypatch.setattr(threads, "available", lambda: 3)
    monkeypatch.setattr(threads.Later, "_start", threads.Later._make)
    with tracejit.config(check=True):
        check(random.Random(seed), calls=3)


def test_coverage() -> None:
    """The drawn programs use every operation of the lists above; the counts are printed."""
    programs = (random_program(random.Random(seed)) for seed in range(INTERPRETED))
    used = Counter(op for p in programs for op in p.used)
    print(dict(used.most_common()))
    drawn = set(used)
    rows = set(UNARY_EXACT + UNARY_SMOOTH + BINARY_EXACT + BINARY_SMOOTH)
    assert rows <= set(ops.ELEMENTWISE)
    assert rows <= drawn, rows - drawn
