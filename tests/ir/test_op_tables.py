"""Every row of the op tables, compiled, on every dtype and special value, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tracejit.errors import MISS
from tracejit.ir import build, ops
from tracejit.ir.graph import Graph
from tracejit.ir.interpret import evaluate
from tracejit.ir.types import DTYPES
from tracejit.ir.verify import verify
from tracejit.lower import registry
from tracejit.lower.executable import compile_graph
from tracejit.plan.callplan import CallPlan
from tracejit.plan.text import Parameters

#: Rows whose kernel expression is our own mathematics: at most this many units in the last place
#: from NumPy's result, which itself is up to 4 from the exact one for float32.
ULPS = {"float16": 1, "float32": 4, "float64": 2}
OWN = frozenset(r.name for r in ops.ELEMENTWISE.values() if r.cpu and r.cost == ops.TRANSCENDENTAL)
#: NumPy's own result of these casts is undefined in C.
UNDEFINED = "float or complex to integer out of range"


def specials(dtype: np.dtype) -> np.ndarray:
    """Values at which implementations differ: limits, zeros of both signs, subnormals, NaN."""
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        values = [0, 1, 2, 3, 7, info.max, info.max - 1, info.max // 2, info.min, info.min + 1]
        if dtype.kind == "i":
            values += [-1, -2, -3, -7, info.min // 2]
        return np.array(values, dtype)
    part = np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype
    info = np.finfo(part)
    values = [0.0, 1, 0.5, 2, 3, 1.5, 0.1, 10, 100.25, info.max, info.tiny, info.eps, np.inf]
    values += [info.smallest_subnormal, 1e-3, 88.0, 1e4]
    reals = np.array([*values, *(-v for v in values), np.nan]).astype(part)
    if dtype.kind != "c":
        return reals
    few = np.array([0.0, -0.0, 1, -2.5, 0.1, 3]).astype(part)
    return np.array([complex(a, b) for a in few for b in few], dtype)


def pairs(dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    values = specials(dtype)
    x, y = np.meshgrid(values, values)
    return x.ravel().copy(), y.ravel().copy()


def same(got: np.ndarray, want: np.ndarray, ulps: int = 0) -> np.ndarray:
    """Where two arrays agree: bit for bit, any NaN for any NaN, or within `ulps`."""
    if want.dtype.kind == "c":
        return same(got.real, want.real, ulps) & same(got.imag, want.imag, ulps)
    equal = got == want
    if want.dtype.kind == "f":
        equal &= np.signbit(got) == np.signbit(want)
        equal |= np.isnan(got) & np.isnan(want)
        if ulps:
            with np.errstate(all="ignore"):
                equal |= np.abs(got - want) <= ulps * np.spacing(np.abs(want))
    return equal


def run(outputs: list, arrays: dict[str, np.ndarray], inputs: list) -> list[np.ndarray]:
    graph = Graph(tuple(inputs), tuple(outputs))
    verify(graph)
    kinds = ["array"] * len(outputs)
    executable = compile_graph(graph, dict.fromkeys(arrays, "C"), registry.target(), kinds=kinds)
    names = list(arrays)
    parameters = Parameters(", ".join(names))
    plan = CallPlan(parameters, [], names, lambda o: f"({', '.join(o)},)", {}, kinds)
    call = executable.driver(plan)
    got = call(*arrays.values())
    assert got is not MISS
    return list(got)


def loops_of(row: ops.Elementwise, dtype: np.dtype) -> bool:
    try:
        found = build.resolve(row.ufunc, (dtype,) * row.nin)
    except TypeError:
        return False
    return all(d in DTYPES for d in found)


NUMPY_ROWS = [
    r
    for r in ops.ELEMENTWISE.values()
    if r not in (ops.CAST, ops.WHERE, ops.REAL, ops.IMAG) and r.module == "numpy"
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_elementwise_rows(dtype: np.dtype) -> None:
    x, y = pairs(dtype)
    arrays = {"x": x, "y": y}
    inputs = [build.input(n, dtype, (len(x),)) for n in arrays]
    outputs, rows = [], []
    for row in NUMPY_ROWS:
        if row.name == "ldexp" or not loops_of(row, dtype):
            continue
        operands = inputs[: row.nin]
        if row.name == "power" and dtype.kind == "i":  # refuses negative exponents
            operands = [
                inputs[0],
                build.elementwise(
                    "absolute", build.elementwise("maximum", inputs[1], build.constant(0, dtype))
                ),
            ]
        if row.trap and dtype.kind in row.trap_kinds and row.name != "power":
            continue
        outputs.append(build.elementwise(row.name, *operands))
        rows.append(row)
    assert len(rows) > 20
    wants = evaluate(outputs, arrays)
    gots = run(outputs, arrays, inputs)
    wrong = []
    for row, got, want in zip(rows, gots, wants, strict=True):
        assert got.dtype == want.dtype, row.name
        # NumPy's size of a complex number may be two units off, ours half a unit.
        own = row.name in OWN or (row.name == "absolute" and dtype.kind == "c")
        ulps = ULPS.get(dtype.name, 2) if own else 0
        ok = same(got, want, ulps)
        if row.name in ("maximum", "minimum", "fmax", "fmin"):
            ok |= got == want  # NumPy does not order zeros of different sign
        if not ok.all():
            k = int(np.flatnonzero(~ok)[0])
            count = f"{(~ok).sum()} of {len(ok)}"
            wrong.append(f"{row.name}({x[k]}, {y[k]}) = {got[k]}, NumPy {want[k]} ({count})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("source", DTYPES, ids=str)
def test_casts(source: np.dtype) -> None:
    x = specials(source)
    inputs = [build.input("x", source, (len(x),))]
    targets = [d for d in DTYPES if d != source]
    with np.errstate(all="ignore"):
        wants = [
            x.real.astype(d) if source.kind == "c" and d.kind not in "bc" else x.astype(d)
            for d in targets
        ]
    gots = run([build.cast(inputs[0], d) for d in targets], {"x": x}, inputs)
    for target, got, want in zip(targets, gots, wants, strict=True):
        ok = same(got, want)
        if source.kind in "fc" and target.kind in "iu":  # undefined out of range
            info = np.iinfo(target)
            reals = x.real.astype(np.float64)
            ok |= ~((reals > info.min - 1.0) & (reals < info.max))
        assert ok.all(), (target, x[~ok], got[~ok], want[~ok])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reduction_rows(dtype: np.dtype) -> None:
    rng = np.random.default_rng(0)
    x = (rng.random((7, 5, 3)) * 4).astype(dtype)
    if dtype.kind in "fc":
        x[2, 3, 1] = np.nan
        x[4, 0, 0] = -0.0
    inputs = [build.input("x", dtype, x.shape)]
    outputs, labels = [], []
    for row in ops.REDUCTIONS.values():
        if (
            row.name.endswith("_reduce")
            and dtype.kind in "fc"
            and row.combine.startswith("bitwise")
        ):
            continue
        if row.combine == "bitwise_and" and dtype.kind not in "biu":
            continue
        for axes in ((0,), (2,), (0, 2), (0, 1, 2)):
            outputs.append(build.reduce(row.name, inputs[0], axes))
            labels.append((row.name, axes))
    wants = evaluate(outputs, {"x": x})
    gots = run(outputs, {"x": x}, inputs)
    for label, got, want in zip(labels, gots, wants, strict=True):
        assert got.dtype == want.dtype, label
        assert got.shape == want.shape, label
        if dtype.kind in "fc" and label[0] in ("sum", "prod"):
            tolerance = {2: 2e-2, 4: 1e-5, 8: 1e-5, 16: 1e-12}[dtype.itemsize]
            if dtype == np.float64:
                tolerance = 1e-13
            np.testing.assert_allclose(got, want, rtol=tolerance, err_msg=str(label))
        else:
            assert (same(got, want) | (got == want)).all(), (label, got, want)
