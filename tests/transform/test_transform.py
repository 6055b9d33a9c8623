"""Derivatives of Python functions: structure, composition, what is refused."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from devices import on_cpu

import tracejit
from tracejit import grad, jvp, value_and_grad, vjp

X = np.array([0.5, -1.0, 2.0])
SCALE = np.array([1.0, 2.0, 3.0])


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def cube(x):
    return (x**3).sum()


def test_a_gradient_is_a_function():
    assert grad(cube)(X).tolist() == (3 * X**2).tolist()
    value, gradient = value_and_grad(cube)(X)
    assert value == cube(X) and gradient.tolist() == (3 * X**2).tolist()
    assert grad(cube).__name__ == "grad(cube)" and grad(lambda x: x * x)(3.0) == 6.0


def test_of_several_arguments():
    f = lambda x, y, k=2.0: (x * y * k).sum()  # noqa: E731
    a, b = grad(f, argnums=(0, 1))(X, SCALE)
    assert a.tolist() == (2 * SCALE).tolist() and b.tolist() == (2 * X).tolist()
    assert grad(f, argnums=1)(X, SCALE, k=1.0).tolist() == X.tolist()
    assert grad(f, argnums=-1)(X, SCALE).tolist() == (2 * X).tolist()
    with pytest.raises(ValueError, match="argnums=5"):
        grad(f, argnums=5)(X, SCALE)


@dataclass
class Layer:
    w: Any
    b: Any


def test_gradients_have_the_structure_of_their_argument():
    def loss(p, x):
        return ((x * p["layers"][0].w + p["layers"][0].b) ** 2).sum() + p["rate"] ** 2

    p = {"layers": [Layer(X, np.float32(1.0))], "rate": 3.0, "name": "net"}
    g = grad(loss)(p, SCALE)
    inner = 2 * (SCALE * X + 1)
    np.testing.assert_allclose(g["layers"][0].w, inner * SCALE)
    assert type(g["layers"][0]) is Layer and g["name"] == "net" and g["rate"] == 6.0
    assert g["layers"][0].b.dtype == np.float32 and g["layers"][0].b == np.float32(inner.sum())


def test_auxiliary_results():
    f = lambda x: ((x**2).sum(), {"norm": np.sqrt((x**2).sum()), "n": len(x)})  # noqa: E731
    gradient, aux = grad(f, has_aux=True)(X)
    assert gradient.tolist() == (2 * X).tolist() and aux["n"] == 3
    (value, aux), gradient = value_and_grad(f, has_aux=True)(X)
    assert value == (X**2).sum() and aux["norm"] == np.sqrt(value)


def test_to_any_order():
    f = lambda x: np.sin(x)  # noqa: E731
    second, third = grad(grad(f)), grad(grad(grad(f)))
    np.testing.assert_allclose([second(0.3), third(0.3)], [-np.sin(0.3), -np.cos(0.3)])
    slope = grad(cube)
    assert grad(lambda x: (slope(x) * SCALE).sum())(X).tolist() == (6 * X * SCALE).tolist()


@pytest.mark.parametrize(
    "cost",
    [
        lambda x, y: (x.T * 2).sum() + (x * y).sum(),
        lambda x, y: (np.flip(x, 1) * x + y[:, None]).sum(),
        lambda x, y: (x[:, None] * y).sum() + x[...].sum(),
    ],
)
def test_what_goes_back_through_a_view_of_everything_is_no_loop_of_its_own(cost):
    f = tracejit.function(tracejit.grad(cost), on_unsupported="error")
    x, y = np.arange(9.0).reshape(3, 3), np.array([1.0, -2.0, 3.0])
    units = np.eye(x.size).reshape(*x.shape, *x.shape)
    wanted = [[(cost(x + d, y) - cost(x - d, y)) / 2 for d in row] for row in units]
    with tracejit.config(compile=True):
        np.testing.assert_allclose(f(x, y), wanted, rtol=1e-9)
    if on_cpu():
        assert f.stats.temporaries == 0 and f.stats.loops == 1


def test_in_a_traced_function_it_is_compiled_with_the_rest():
    loss = lambda w, x, y: ((x @ w - y) ** 2).mean()  # noqa: E731
    gradient = grad(loss)

    @tracejit.function
    def step(w, x, y):
        return w - 0.1 * gradient(w, x, y)

    rng = np.random.default_rng(0)
    x, w, y = rng.normal(size=(5, 3)), rng.normal(size=3), rng.normal(size=5)
    np.testing.assert_allclose(step(w, x, y), w - 0.2 * x.T @ (x @ w - y) / 5)
    assert step.stats.traces == 1


def test_training_with_state():
    w = tracejit.shared(np.zeros(2))
    loss = lambda w, x, y: ((x @ w - y) ** 2).mean()  # noqa: E731

    @tracejit.function
    def train(x, y):
        value, gradient = value_and_grad(loss)(w, x, y)
        w.set_value(w - 0.5 * gradient)
        return value

    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 2))
    losses = [train(x, x @ [1.0, -2.0]) for _ in range(60)]
    assert losses[-1] < 1e-8 < losses[0]
    np.testing.assert_allclose(w.get_value(), [1, -2], atol=1e-4)


def test_closures_are_constants_even_if_they_are_the_argument():
    f = lambda x: (x * X).sum()  # noqa: E731
    assert grad(f)(X).tolist() == X.tolist()  # and not 2 * X


def test_vjp_and_jvp():
    f = lambda x, k: {"square": x * x * k, "sum": x.sum()}  # noqa: E731
    value, pull = vjp(f, X, 2.0)
    assert value["square"].tolist() == (2 * X * X).tolist()
    gx, gk = pull({"square": SCALE, "sum": 10.0})
    np.testing.assert_allclose(gx, 4 * X * SCALE + 10)
    np.testing.assert_allclose(gk, (X * X * SCALE).sum())
    value, tangent = jvp(f, (X, 2.0), (SCALE, 1.0))
    np.testing.assert_allclose(tangent["square"], 4 * X * SCALE + X * X)
    assert tangent["sum"] == SCALE.sum()
    with pytest.raises(ValueError, match="as many tangents"):
        jvp(f, (X, 2.0), (SCALE,))


def test_jacobian_and_hessian():
    f = lambda x, k: np.outer(x, x) * k  # noqa: E731
    jx, jk = tracejit.jacobian(f, argnums=(0, 1))(X, 2.0)
    want = 2 * (np.einsum("ac,b->abc", np.eye(3), X) + np.einsum("bc,a->abc", np.eye(3), X))
    np.testing.assert_allclose(jx, want)
    np.testing.assert_allclose(jk, np.outer(X, X))
    h = tracejit.hessian(lambda x: (x**2).sum() * x[1])(X)
    want = 2 * np.eye(3) * X[1]
    want[1] += 2 * X
    want[:, 1] += 2 * X
    np.testing.assert_allclose(h, want)


def test_structures_of_second_derivatives():
    f = lambda p: (p["a"] ** 2).sum() * p["b"]  # noqa: E731
    h = tracejit.hessian(f)({"a": X, "b": 2.0})
    np.testing.assert_allclose(h["a"]["a"], 4 * np.eye(3))
    np.testing.assert_allclose(h["a"]["b"], 2 * X)
    np.testing.assert_allclose(h["b"]["a"], 2 * X)
    assert h["b"]["b"] == 0
    j = tracejit.jacobian(lambda x: {"square": x * x, "sum": x.sum()})(X)
    np.testing.assert_allclose(j["square"], np.diag(2 * X))
    assert j["sum"].tolist() == [1, 1, 1]
    (aa, ab), (_, bb) = tracejit.hessian(lambda x, y: (x * y).sum() ** 2, (0, 1))(X, SCALE)
    np.testing.assert_allclose(aa, 2 * np.outer(SCALE, SCALE))
    assert ab.shape == bb.shape == (3, 3)


def test_jacobians_through_positions():
    """Compiled: rows of the identity are gathered and scattered."""

    def put(v):
        y = np.zeros(4)
        y[1:3] = v
        y[[0, 3]] += v[::-1]
        return y

    want = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(tracejit.jacobian(put)(np.ones(2)), want)
    spring = lambda q: ((q[np.array([0, 1])] - q[np.array([1, 2])]) ** 2).sum()  # noqa: E731
    want = np.array([[2.0, -2.0, 0.0], [-2.0, 4.0, -2.0], [0.0, -2.0, 2.0]])
    np.testing.assert_array_equal(tracejit.hessian(spring)(np.arange(3.0)), want)


def test_the_last_write_at_a_place_has_the_gradient():
    def f(v):
        y = np.zeros(2)
        y[np.array([0, 0])] = v
        return y.sum()

    point = np.array([5.0, 7.0])
    assert grad(f)(point).tolist() == [0, 1]
    assert jvp(f, (point,), (np.array([10.0, 20.0]),))[1] == 20


@pytest.mark.parametrize("x, want", [
    ([0.0, 2.0, 3.0], [[0, 3, 2], [3, 0, 0], [2, 0, 0]]),
    ([0.0, 0.0, 3.0], [[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
    ([1.0, 2.0, 3.0], [[0, 3, 2], [3, 0, 1], [2, 1, 0]]),
])  # fmt: skip
def test_second_derivatives_of_a_product_with_zeros(x, want):
    assert tracejit.hessian(lambda x: x.prod())(np.array(x)).tolist() == want


@pytest.mark.parametrize("x", [[2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]])
def test_second_derivatives_of_a_running_product_with_zeros(x):
    a, b, c = x
    want = [[0, 1 + c, b], [1 + c, 0, a], [b, a, 0]]  # of a + a b + a b c
    f = lambda x: np.cumprod(x).sum()  # noqa: E731
    assert grad(f)(np.array(x)).tolist() == [1 + b + b * c, a + a * c, a * b]
    for compiled in (False, True):
        with tracejit.config(compile=compiled):
            assert tracejit.hessian(f)(np.array(x)).tolist() == want


def test_the_first_derivative_of_a_running_product_is_linear():
    """No trace of the form that a second one would need."""
    with tracejit.config(compile=False):
        assert grad(lambda x: np.cumprod(x)[-1])(np.ones(100_000)).sum() == 100_000
    g = tracejit.function(lambda x: grad(lambda x: np.cumprod(x).sum())(x))
    g(np.ones(5))
    if on_cpu():
        assert "(v0, v0)" not in g.source(np.ones(5)) and g.stats.temporaries < 9


def test_some_first_derivatives():
    assert grad(lambda x: np.frexp(x)[0])(3.0) == 0.25
    assert grad(lambda x: np.median(x))(np.array([2.0, 2.0])).tolist() == [0.5, 0.5]


def test_gradients_of_what_can_be_called():
    @dataclasses.dataclass
    class Net:
        w: np.ndarray

        def __call__(self, x):
            return (x * self.w).sum()

    found = grad(lambda net, x: net(x))(Net(np.ones(2)), np.array([3.0, 4.0]))
    assert type(found) is Net and found.w.tolist() == [3, 4]


def test_closures_over_traced_values():
    """The usual way to write a training step, and a product with a Hessian."""

    @tracejit.function(on_unsupported="error")
    def step(w, x, y):
        loss = lambda w: ((x @ w - y) ** 2).mean()  # noqa: E731
        return w - 0.1 * grad(loss)(w)

    x, y, w = SCALE[:, None] * np.ones((3, 2)), X, np.array([1.0, -1.0])
    for k in (1.0, 2.0):
        want = w - 0.2 * (k * x).T @ (k * x @ w - y) / 3
        np.testing.assert_allclose(step(w, k * x, y), want)
    assert step.stats.traces == 1
    assert grad(lambda x: x * grad(lambda y: x * y * y)(2.0))(3.0) == 24.0
    hvp = tracejit.function(
        lambda x, v: grad(lambda z: (grad(lambda u: (u**3).sum())(z) * v).sum())(x),
        on_unsupported="error",
    )
    np.testing.assert_allclose(hvp(X, SCALE), 6 * X * SCALE)


def test_a_rule_made_inside():
    def f(x):
        @tracejit.custom_gradient
        def doubled(x):
            return x * 2, lambda g: np.full(3, 7.0) * g

        return doubled(x).sum()

    assert grad(f)(X).tolist() == [7, 7, 7]


def test_methods_and_objects_are_differentiated():
    @dataclasses.dataclass
    class Model:
        w: float

        def cost(self, x):
            return (x * self.w).sum()

        def __call__(self, x):
            return self.cost(x) * 2

    model = Model(3.0)
    assert grad(model.cost)(X).tolist() == [3, 3, 3]
    assert grad(model)(X).tolist() == [6, 6, 6]
    assert grad(functools.partial(lambda a, x: (a * x).sum(), 4.0))(X).tolist() == [4, 4, 4]
    assert grad(np.sin)(0.0) == 1.0


def test_a_number_is_not_frozen_where_its_derivative_is_wanted():
    with pytest.raises(tracejit.UnsupportedError, match="number that is differentiated"):
        grad(lambda x, y: x**y, argnums=1)(-2.0, 2.0)


@pytest.mark.parametrize("call, error, text", [
    (lambda: jvp(lambda p: p["a"] * 2, ({"a": 1.0},), ({"b": 1.0},)), ValueError, "structure"),
    (lambda: vjp(lambda x: x * 2, X)[1](X * 1j), TypeError, "the cotangent is complex"),
    (lambda: jvp(lambda x: x * 2, (X,), (1.0,)), ValueError, r"shape \(\), argument 0 \(3,\)"),
    (lambda: vjp(lambda x: x * 2, X)[1](np.ones(4)), ValueError, r"shape \(4,\), the result"),
])  # fmt: skip
def test_tangents_and_cotangents_must_fit(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_jacobians_of_any_length_share_a_program():
    f = tracejit.jacobian(lambda x: np.sin(x[1:]) * x[:-1].sum())
    compiled = tracejit.function(lambda x: f(x), on_unsupported="error")
    for n in (3, 7, 400):
        x = np.linspace(0.1, 2.0, n)
        want = np.outer(np.sin(x[1:]), np.arange(n) < n - 1)
        want += np.diag(np.cos(x) * x[:-1].sum())[1:]
        np.testing.assert_allclose(compiled(x), want, rtol=1e-12, atol=1e-12)
    assert compiled.stats.traces == 1


def test_a_gradient_of_ones_own():
    @tracejit.custom_gradient
    def safe_sqrt(x, scale):
        y = np.sqrt(x) * scale
        return y, lambda g: (np.where(x == 0, 0.0, g * scale / (2 * np.sqrt(x))), g * np.sqrt(x))

    point = np.array([0.0, 4.0])
    assert safe_sqrt(point, np.ones(2)).tolist() == [0, 2]
    gx, gs = grad(lambda x, s: safe_sqrt(x, s).sum(), argnums=(0, 1))(point, np.array([1.0, 3.0]))
    assert gx.tolist() == [0, 0.75] and gs.tolist() == [0, 2]
    outer = grad(lambda x: (safe_sqrt(x * x, np.ones(2)) * SCALE[:2]).sum())
    np.testing.assert_allclose(outer(np.array([0.0, 3.0])), [0, 2])

    @tracejit.custom_gradient
    def wrong(x):
        return x * 2, lambda g: (g, g)

    with pytest.raises(ValueError, match="2 cotangents for 1 arguments"):
        grad(lambda x: wrong(x).sum())(X)


def test_complex_arguments_follow_jax():
    z = np.array([1 + 2j, -1j])
    g = grad(lambda z: (abs(z) ** 2).sum())(z)
    np.testing.assert_allclose(g, 2 * z.conj())


@pytest.mark.parametrize("call, error, text", [
    (lambda: grad(lambda x: x * 2)(X), ValueError, "scalar"),
    (lambda: grad(lambda x: (x * 1j).sum())(X), TypeError, "real number"),
    (lambda: grad(lambda n: n * 2.0)(3), TypeError, "int64"),
    (lambda: grad(lambda x: x.sum() * 1.0)(np.arange(3)), TypeError, "int64"),
    (lambda: grad(3.0), TypeError, "Python function"),
    (lambda: grad(lambda x: x * 2)(X), ValueError, "return its sum or mean"),
    (lambda: grad(lambda x: (x.sum(), 1))(X), TypeError, "has_aux=True"),
    (lambda: grad(lambda x: None)(X), TypeError, "not of a NoneType"),
    (lambda: grad(lambda x: x.sum(), has_aux=True)(X), TypeError, "returns a pair"),
    (lambda: grad(lambda x: x.sum(), argnums="x")(X), TypeError, "argnums='x'"),
    (lambda: grad(lambda n: n * 2.0)(3), TypeError, "pass 3.0"),
    (lambda: jvp(lambda x: x, X, X), TypeError, "takes tuples"),
    (lambda: tracejit.custom_gradient(lambda x: x * 2.0)(X), TypeError, "no rule"),
])  # fmt: skip
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
