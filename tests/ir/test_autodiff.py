"""Derivatives of the tables, row by row, and of programs, against differences of values."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from tracejit.ir import autodiff, build, interpret, ops
from tracejit.ir.autodiff import NoDerivativeError, vjp
from tracejit.ir.derivatives import RULES
from tracejit.ir.graph import Graph
from tracejit.ir.verify import verify

F = np.dtype(np.float64)
RNG = np.random.default_rng(0)
#: Where a row is sampled: the interval of its operands, or one an operand, if not (0.3, 0.9).
DOMAINS = {
    "arccosh": (1.2, 3.0), "tan": (-1.0, 1.0), "arctan2": (-2.0, 2.0), "gammaln": (0.5, 4.0),
    "gamma": (0.5, 4.0), "erfinv": (-0.9, 0.9), "erfcinv": (0.2, 1.8), "remainder": (1.1, 5.0),
    "fmod": (1.1, 5.0), "hypot": (-2.0, 2.0), "logaddexp": (-4.0, 4.0), "logaddexp2": (-4.0, 4.0),
    "maximum": (-2.0, 2.0), "minimum": (-2.0, 2.0), "fmax": (-2.0, 2.0), "fmin": (-2.0, 2.0),
    "absolute": (-2.0, -0.1), "fabs": (0.1, 2.0), "copysign": (0.3, 2.0), "expit": (-9.0, 9.0),
    "log_expit": (-9.0, 9.0), "ndtr": (-3.0, 3.0), "log_ndtr": (-9.0, 2.0), "sin": (-9.0, 9.0),
    "cos": (-9.0, 9.0), "erfi": (-2.0, 2.0), "dawsn": (-3.0, 3.0), "ndtri_exp": (-5.0, -0.2),
    "psi": (-0.8, -0.2), "digamma": (0.5, 9.0), "spence": (0.2, 3.0), "wrightomega": (-3.0, 3.0),
    "pdtr": [(3.2, 3.8), (2.0, 6.0)], "pdtrc": [(3.2, 3.8), (2.0, 6.0)],
    "huber": [(1.0, 1.5), (-0.9, 0.9)], "expi": (0.5, 2.0), "exp1": (0.5, 2.0),
    "expn": [(3.0, 3.0), (0.5, 2.0)], "gammainc": (0.5, 4.0), "gammaincc": (0.5, 4.0),
    "gammaincinv": [(1.0, 4.0), (0.2, 0.8)], "gammainccinv": [(1.0, 4.0), (0.2, 0.8)],
    "betaincinv": [(1.0, 4.0), (1.0, 4.0), (0.2, 0.8)],
    "betainccinv": [(1.0, 4.0), (1.0, 4.0), (0.2, 0.8)],
    "_zeta": [(2.5, 4.0), (0.5, 3.0)], "chdtr": (1.0, 4.0), "chdtrc": (1.0, 4.0),
    **dict.fromkeys("sindg cosdg tandg cotdg".split(), (10.0, 80.0)),
    **dict.fromkeys("j0 j1 y0 y1 i0 i1 i0e i1e k0 k1 k0e k1e jv jn yv iv kv".split(), (0.5, 3.0)),
}  # fmt: skip
DOMAINS["jn"] = [(2.0, 2.0), (0.5, 3.0)]
#: Rows that are tested elsewhere, or whose slope has jumps everywhere.
ELSEWHERE = {"where", "real", "imag", "conjugate", "nextafter", "ldexp", "spacing"}
SMOOTH = [
    n
    for n, rule in RULES.items()
    if rule not in ("0", "none") and n not in ELSEWHERE | set(ops.PHILOX)
    if n not in {row.name for row in ops.ORDERED.values()}
]
#: Of which the complex function, where NumPy and SciPy have one, is not the analytic one.
NOT_ANALYTIC = {"absolute", "maximum", "minimum", "fmax", "fmin", "log_ndtr", "expi"}


def row_of(name):
    if name not in ops.ELEMENTWISE:
        ufunc = getattr(scipy.special, name, None) or getattr(scipy.special._ufuncs, name)
        assert name in (ops.row_of(ufunc).name, "digamma", "jn")
        return ops.row_of(ufunc)
    return ops.ELEMENTWISE[name]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_copy_in_another_memory_order(order):
    x, g = (build.input(name, np.dtype(float), (2, 3)) for name in "xg")
    (d,) = vjp([build.ordered(x, order)], [g], [x])
    given = np.arange(6.0).reshape(2, 3)
    (found,) = interpret.evaluate([d], {"x": given, "g": given * 2})
    np.testing.assert_array_equal(found, given * 2)


def variables(*values):
    return [build.input(f"x{k}", np.asarray(v).dtype, np.shape(v)) for k, v in enumerate(values)]


def evaluate(node, *values):
    [result] = interpret.evaluate([node], {f"x{k}": v for k, v in enumerate(values)})
    return result


def slope(f, x, h=2e-3):
    """The derivative of `f` at `x`, elementwise, to sixth order in `h`."""
    weights = {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    return sum(w * (f(x + k * h) - f(x - k * h)) for k, w in weights.items()) / h


def close(got, want, scale=1.0, rtol=1e-7):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=min(rtol, 1e-9) * scale)


def is_analytic(row):
    """Whether the row has complex operands, of which it is an analytic function."""
    if row.name in NOT_ANALYTIC:
        return False
    try:
        dtypes = build.resolve(row.ufunc, (np.dtype(complex),) * row.nin)
    except TypeError:
        return False
    return all(d == np.dtype(complex) for d in dtypes[: row.nin + 1])


def sampled(name, row):
    domain = DOMAINS.get(name, (0.3, 0.9))
    domains = domain if isinstance(domain, list) else [domain] * row.nin
    values = [RNG.uniform(*d, 100) for d in domains]
    if name in ("remainder", "fmod", "modf_fraction"):  # away from the jumps
        values[0] = np.floor(values[0]) + RNG.uniform(0.3, 0.7, 100)
        values[1:] = [np.full(100, 2.0) for _ in values[1:]]
    if name in ("maximum", "minimum", "fmax", "fmin"):  # away from ties
        values[1] = values[0] + RNG.choice([-0.5, 0.5], 100)
    return values


def derivatives(row, k, dtype):
    """The row's value, its derivative by operand `k`, and that one's, for 100 points of `dtype`."""
    nodes = [build.input(f"x{j}", np.dtype(dtype), (100,)) for j in range(row.nin)]
    y = build.elementwise(row.name, *nodes)
    found = [y]
    for _ in range(2):
        ones = build.full(found[-1].shape, build.constant(1.0, found[-1].dtype))
        try:
            [d] = vjp([found[-1]], [ones], [nodes[k]])
        except TypeError:  # the slope is made of functions without complex operands
            assert dtype is complex
            return found
        if d is None:
            return [*found, build.full(y.shape, build.constant(0.0, y.dtype))]
        found.append(d)
    return found


@pytest.mark.parametrize("name", SMOOTH)
def test_a_row_at_a_hundred_points(name):
    """First and second derivatives: by complex steps where the row has a complex function."""
    row = row_of(name)
    values = sampled(name, row)
    known = [k for k in range(row.nin) if rule_of(name, k, row.nin) not in ("missing", "none")]
    for k in known:
        if k == 1 and name in ("remainder", "fmod", "copysign"):
            continue
        real = derivatives(row, k, float)
        analytic = derivatives(row, k, complex) if is_analytic(row) else []
        for order, d in enumerate(real[1:]):
            if order < len(analytic) - 1:
                steps = [v + (1e-30j if j == k else 0j) for j, v in enumerate(values)]
                want = evaluate(analytic[order], *steps).imag / 1e-30
                close(evaluate(d, *values), want, scale=1.0, rtol=1e-10)
                continue

            def moved(x, f=real[order], k=k):
                return evaluate(f, *values[:k], x, *values[k + 1 :])

            close(evaluate(d, *values), slope(moved, values[k]), 1.0 + 99 * order)


def rule_of(name, k, count):
    parts = [p.strip() for p in RULES[name].split(";")]
    return parts[min(k, len(parts) - 1)]


def test_unknown_derivatives_are_refused_and_not_zero():
    a, x = variables(np.ones(3), np.ones(3))
    y = build.elementwise(row_of("gammainc").name, a, x)
    with pytest.raises(NoDerivativeError, match="gammainc with respect to its operand 0"):
        vjp([y], [x], [a])
    assert vjp([y], [x], [x]) != [None]


def test_every_row_has_a_rule_or_is_declared_without():
    missing = [n for n in ops.ELEMENTWISE if n not in RULES and n != "cast"]
    assert [n for n in missing if n.removeprefix("special_") not in RULES] == [] or all(
        ops.ELEMENTWISE[n].module != "numpy" for n in missing
    )


# Structure and reductions ------------------------------------------------------------------------

X = RNG.normal(size=(4, 5))
P = RNG.uniform(0.3, 0.9, (4, 5))
V = RNG.normal(size=5)
ZEROS = np.array([[1.0, 0.0, 2.0, 3.0], [0.0, 0.0, 1.0, 2.0], [1.5, 2.5, -1.0, 2.0]])
E = build.elementwise


def rows_of(count):
    """Positions 0, 0, 1, 1, … along the first axis, over (4, 5)."""
    along = E("floor_divide", build.iota(4), build.constant(count, np.int64))
    return build.view(along, (4, 5), ((0, 1, 0),))


COLUMNS = build.view(build.iota(5), (4, 5), ((0, 1, 1),))
PROGRAMS = {
    "sum": (lambda a: build.reduce("sum", a, (1,)), X),
    "sum of all": (lambda a: build.reduce("sum", a, (0, 1)), X),
    "prod": (lambda a: build.reduce("prod", a, (1,)), X),
    "prod with zeros": (lambda a: build.reduce("prod", a, (1,)), ZEROS),
    "max": (lambda a: build.reduce("max", a, (0,)), X),
    "min": (lambda a: build.reduce("min", a, (0, 1)), X),
    "broadcast": (lambda a, b: E("multiply", a, build.broadcast_to(b, (4, 5))), X, V),
    "scalar": (lambda a, b: E("multiply", a, b), X, np.array(2.0)),
    "slice": (lambda a: build.view(a, (2, 3), ((1, 1, 0), (1, 1, 1))), X),
    "reversed": (lambda a: build.view(a, (3, 5), ((3, -1, 0), (4, -1, 1))), X),
    "steps": (lambda a: build.view(a, (2, 2), ((1, 2, 0), (0, 3, 1))), X),
    "row": (lambda a: build.view(a, (5,), ((2, 0, None), (0, 1, 0))), X),
    "diagonal": (lambda a: build.view(a, (4,), ((0, 1, 0), (1, 1, 0))), X),
    "transpose": (lambda a: build.transpose(a, (1, 0)), X),
    "reshape": (lambda a: build.reshape(a, (2, 10)), X),
    "concatenate": (lambda a, b: build.concatenate([a, b, a], 0), X, P),
    "cumsum": (lambda a: build.accumulate("add", a, 1), X),
    "cumprod": (lambda a: build.accumulate("multiply", a, 0), X),
    "cumprod with zeros": (lambda a: build.accumulate("multiply", a, 1), ZEROS),
    "sort": (lambda a: build.sort(a, 0), X),
    "matmul": (build.matmul, X, X.T.copy()),
    "stacks": (build.matmul, RNG.normal(size=(3, 2, 4)), RNG.normal(size=(3, 4, 2))),
    "gather": (
        lambda a: build.gather(a, (4, 5), (("index", 0), ("axis", 1)), rows_of(2)),
        X,
    ),
    "scatter add": (
        lambda a, b: build.scatter(a, b, [rows_of(2), COLUMNS], [True, False], "add"), X, P,
    ),
    "scatter set": (
        lambda a, b: build.scatter(a, b, [rows_of(1), COLUMNS], [True, False], "set"), X, P,
    ),
    "where": (lambda a, b: build.where(E("greater", a, b), a, b), X, P),
    "softmax": (
        lambda a: E(
            "divide",
            E("exp", a),
            build.view(build.reduce("sum", E("exp", a), (1,)), (4, 5), ((0, 1, 0),)),
        ),
        X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_along_random_directions(name):
    f, *values = PROGRAMS[name]
    nodes = variables(*values)
    y = f(*nodes)
    weights = RNG.normal(size=tuple(y.shape))
    g = build.input(f"x{len(values)}", F, y.shape)
    found = vjp([y], [g], nodes)
    verify(Graph((*nodes, g), tuple(found)), name)
    for k, d in enumerate(found):
        direction = RNG.normal(size=np.shape(values[k]))

        def along(t, k=k, direction=direction):
            moved = [v + t * direction if j == k else v for j, v in enumerate(values)]
            return (evaluate(y, *moved) * weights).sum()

        got = (evaluate(d, *values, weights) * direction).sum()
        close(got, slope(along, 0.0, h=1e-5), scale=10.0)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_jacobian_is_its_rows(name):
    f, *values = PROGRAMS[name]
    nodes = variables(*values)
    y = f(*nodes)
    found = autodiff.jacobian(y, nodes)
    verify(Graph(tuple(nodes), tuple(found)), name)
    g = build.input(f"x{len(values)}", F, y.shape)
    pulled = vjp([y], [g], nodes)
    seeds = np.eye(int(np.prod(y.shape))).reshape(-1, *y.shape)
    for jacobian, d, x in zip(found, pulled, values, strict=True):
        want = np.stack([evaluate(d, *values, seed) for seed in seeds])
        np.testing.assert_allclose(
            evaluate(jacobian, *values), want.reshape(*y.shape, *np.shape(x)), rtol=1e-13
        )


# Rules -------------------------------------------------------------------------------------------


def one(name, *values):
    """The derivatives of a row at one point, by operand."""
    nodes = variables(*(np.array([float(v)]) for v in values))
    y = build.elementwise(name, *nodes)
    found = vjp([y], [build.full(y.shape, build.constant(1.0, F))], nodes)
    points = [np.array([float(v)]) for v in values]
    return [None if d is None else float(evaluate(d, *points)[0]) for d in found]


@pytest.mark.parametrize("name, values, want", [
    ("maximum", (1, 1), [1, 0]),
    ("minimum", (1, 1), [1, 0]),
    ("absolute", (0,), [0]),
    ("power", (0, 2), [0, 0]),
    ("power", (0, 0), [0, 0]),
    ("power", (0, 1), [1, 0]),
    ("power", (2, 0), [0, np.log(2)]),
    ("floor", (1.5,), [None]),
    ("sign", (1.5,), [None]),
    ("logaddexp", (0, -np.inf), [1, 0]),
    ("logaddexp", (-np.inf, 800), [0, 1]),
    ("expit", (-800,), [0]),
    ("fmax", (np.nan, 1), [0, 1]),
    ("fmax", (1, np.nan), [1, 0]),
])  # fmt: skip
def test_ties_and_edges(name, values, want):
    assert one(name, *values) == pytest.approx(want)


def test_every_tied_element_gets_the_cotangent():
    x = build.input("x0", F, (3,))
    [d] = vjp([build.reduce("max", x, (0,))], [build.constant(2.0, F)], [x])
    assert evaluate(d, np.array([1.0, 3.0, 3.0])).tolist() == [0, 2, 2]


def test_complex_gradients_are_not_conjugated():
    """JAX's convention: of a real cost df/dx - i df/dy."""
    z = build.input("x0", np.dtype(complex), (3,))
    point = np.array([1 + 2j, -0.5j, 0])
    for f, want in (
        (lambda z: E("square", E("absolute", z)), 2 * point.conj()),
        (lambda z: build.real(E("multiply", z, z)), 2 * point),
        (lambda z: build.imag(z), np.full(3, -1j)),
        (lambda z: build.real(E("conjugate", z)), np.ones(3)),
    ):
        y = build.reduce("sum", f(z), (0,))
        [d] = vjp([y], [build.constant(1.0, F)], [z])
        np.testing.assert_allclose(evaluate(d, point), want, atol=1e-15)


def test_what_stops_a_gradient():
    x, y = variables(1.0, 2.0)
    s = E("multiply", x, y)
    t = E("multiply", s, s)
    one_ = build.constant(1.0, F)
    assert vjp([t], [one_], [x], constants=[s]) == [None]
    [d] = vjp([t], [one_], [s], constants=[s])  # with respect to the constant itself
    assert evaluate(d, np.array(1.0), np.array(2.0)) == 4.0
    assert vjp([t], [one_], [build.input("other", F, ())]) == [None]
    rounded = build.elementwise("floor", x)
    assert vjp([rounded], [one_], [x]) == [None]


def test_a_missing_rule_names_the_op():
    x, y = variables(np.ones(3), np.ones(3))
    z = build.accumulate("maximum", x, 0)
    with pytest.raises(NoDerivativeError, match="running maximum"):
        vjp([z], [y], [x])


def test_a_chain_of_20_000_nodes_needs_no_recursion():
    x = build.input("x0", F, ())
    node = x
    for _ in range(10_000):
        node = E("sin", E("add", node, build.constant(1.0, F)))
    [d] = autodiff.vjp([node], [build.constant(1.0, F)], [x])
    assert np.isfinite(evaluate(d, np.array(0.5)))
