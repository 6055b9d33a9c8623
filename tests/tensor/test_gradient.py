"""``T.grad`` and what goes with it: arguments, errors, ties, dtypes."""

from __future__ import annotations

import re
from collections import OrderedDict

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.gradient import (
    DisconnectedInputError,
    DisconnectedType,
    Lop,
    NullType,
    NullTypeGradError,
    Rop,
    consider_constant,
    disconnected_grad,
    grad,
    grad_clip,
    grad_scale,
    undefined_grad,
    zero_grad,
)
from tracejit.tensor.elementwise import special

V = np.array([0.5, -1.0, 2.0])


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def value(expression, **inputs):
    """The value of an expression where inputs of these names have these values."""
    from tracejit.gof import inputs as leaves

    found = {v.name: v for v in leaves([expression]) if v.name in inputs}
    return expression.eval({found[n]: v for n, v in inputs.items()})


# Arguments -----------------------------------------------------------------------------------


def test_one_variable_a_list_a_tuple():
    x, y = T.dvectors("x", "y")
    cost = (x**2 * y).sum()
    single, several, pair = T.grad(cost, x), T.grad(cost, [x, y]), T.grad(cost, (x, y))
    assert isinstance(several, list) and isinstance(pair, tuple)
    assert value(single, x=V, y=V).tolist() == (2 * V * V).tolist()
    assert value(several[1], x=V, y=V).tolist() == (V**2).tolist()


def test_with_respect_to_what_is_in_between():
    x = T.dvector("x")
    s = T.exp(x)
    g = T.grad((s**2).sum(), s)
    np.testing.assert_allclose(value(g, x=V), 2 * np.exp(V))


def test_it_is_named_after_both():
    x = T.dscalar("x")
    cost = x**2
    cost.name = "cost"
    assert T.grad(cost, x).name == "(dcost/dx)"
    assert T.grad(cost, x, add_names=False).name is None


def test_consider_constant_stops_the_flow_through_a_variable():
    x = T.dscalar("x")
    s = x * 2
    cost = s * x
    assert value(T.grad(cost, x, consider_constant=[s]), x=3.0) == 6.0
    assert value(T.grad(cost, s, consider_constant=[s]), x=3.0) == 3.0
    for bad in (s, [1.0]):
        with pytest.raises(TypeError, match="consider_constant"):
            T.grad(cost, x, consider_constant=bad)


def test_known_grads():
    x = T.dvector("x")
    s = T.sqr(x)
    g = T.grad(None, x, known_grads={s: T.constant(np.array([1.0, 10.0, 100.0]))})
    assert value(g, x=V).tolist() == (2 * V * [1, 10, 100]).tolist()
    with pytest.raises(AssertionError, match="cost and known_grads"):
        T.grad(None, x)
    with pytest.raises(TypeError, match="0 axes, not 1"):
        T.grad(None, x, known_grads={s: 1.0})


@pytest.mark.parametrize("call, error, text", [
    (lambda x: T.grad(x, x), TypeError, "cost must be a scalar"),
    (lambda x: T.grad(3.0, x), TypeError, "symbolic scalar, not 3.0"),
    (lambda x: T.grad(None, x, known_grads={3: x}), TypeError, "keys are symbolic variables"),
    (lambda x: T.grad(x.sum(), {x}), TypeError, "must not be a set"),
    (lambda x: T.grad(x.sum(), 3.0), TypeError, "Expected Variable, got 3.0"),
    (lambda x: T.grad(x.sum(), x, disconnected_inputs="perhaps"), ValueError, "'perhaps'"),
    (lambda x: T.grad(x.sum(), x, return_disconnected="one"), ValueError, "'one'"),
])  # fmt: skip
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call(T.dvector("x"))


# Disconnected --------------------------------------------------------------------------------


def test_a_disconnected_variable():
    x, y = T.dvectors("x", "y")
    cost = x.sum()
    with pytest.raises(DisconnectedInputError, match=r"(?s)y.*test_gradient\.py.*ignore") as caught:
        T.grad(cost, y)
    assert isinstance(caught.value, ValueError)
    with pytest.warns(UserWarning, match="not part of the computational graph"):
        g = T.grad(cost, y, disconnected_inputs="warn")
    assert value(g, y=V).tolist() == [0, 0, 0]
    ignore = {"disconnected_inputs": "ignore"}
    assert T.grad(cost, y, return_disconnected="None", **ignore) is None
    gradient = T.grad(cost, [x, y], return_disconnected="Disconnected", **ignore)
    assert isinstance(gradient[1], DisconnectedType)


def test_shapes_and_positions_do_not_connect():
    x, i = T.dvector("x"), T.dvector("i")
    for cost in (x.shape[0] * 1.0, T.argmax(x) * 1.0, disconnected_grad(x).sum()):
        with pytest.raises(DisconnectedInputError):
            T.grad(cost, x)
    assert value(T.grad((x * i.shape[0]).sum(), x), x=V, i=V).tolist() == [3, 3, 3]


def test_known_gradients_replace_what_flows():
    x = T.dvector("x")
    z = x * x
    ones = T.ones_like(z)
    assert value(T.grad((z * z).sum(), x, known_grads={z: ones}), x=np.array([2.0])) == 4
    w = z * 5
    known = OrderedDict([(z, ones), (w, T.ones_like(w))])
    assert value(T.grad(None, x, known_grads=known), x=np.array([1.0])) == 2


def test_a_constant_has_a_gradient():
    s, c = T.dscalar("s"), T.constant(np.float64(2.0))
    assert value(T.grad(s * c, c), s=3.0) == 3.0


def test_limits_of_a_gradient_do_not_hold_forwards():
    x, v = T.dvectors("x", "v")
    y = grad_clip(x, -1.0, 1.0) * 5
    assert value(Rop(y, x, v), x=V, v=V).tolist() == (5 * V).tolist()
    assert value(T.grad(y.sum(), x), x=V).tolist() == [1, 1, 1]


def test_an_undefined_gradient():
    """It names the variable, where it was made, why it has none, and what to do."""
    x, y = T.dvectors("x", "y")
    cost = (undefined_grad(x) * y + T.exp(y)).sum()
    with pytest.raises(NullTypeGradError) as caught:
        T.grad(cost, [y, x])
    assert isinstance(caught.value, TypeError)
    text = str(caught.value)
    assert re.search(r"with respect to x is not defined: undefined_grad.*test_gradient\.py", text)
    assert "x was made, in " in text and "disconnected_grad" in text
    gy, gx = T.grad(cost, [y, x], null_gradients="return")
    assert isinstance(gx.type, NullType) and "undefined_grad" in gx.why_null
    np.testing.assert_allclose(value(gy, x=V, y=V), V + np.exp(V))
    assert value(T.grad(cost, y), x=V, y=V).shape == (3,)  # not asked for: no error
    a = T.dvector("a")
    incomplete = special("gammainc")(a, x).sum()
    with pytest.raises(NullTypeGradError, match=r"gammainc has no derivative .* operand 0"):
        T.grad(incomplete, a)
    assert T.grad(incomplete, x).ndim == 1


# Dtypes, ties --------------------------------------------------------------------------------


def test_dtypes():
    n, f = T.iscalar("n"), T.fvector("f")
    assert T.grad(n * 1.0, n).dtype == "float64" and value(T.grad(n * 2.5, n), n=3) == 2.5
    assert T.grad((f * 0.1).sum(), f).dtype == "float32"
    with tracejit.change_flags(floatX="float32"):
        assert T.grad(n * 1.0, n).dtype == "float32"


@pytest.mark.parametrize("expression, want", [
    (lambda x, y: T.maximum(x, y), (1, 0)),
    (lambda x, y: T.minimum(x, y), (1, 0)),
    (lambda x, y: T.switch(T.gt(x, 0), x, y), (1, 0)),
    (lambda x, y: T.clip(x, y, 5.0), (1, 0)),
    (lambda x, y: T.max(T.stack([x, y, x])), (2, 1)),
    (lambda x, y: T.nnet.relu(x - y), (0.5, -0.5)),
    (lambda x, y: abs(x - y), (0, 0)),
    (lambda x, y: T.sgn(x) * y, (0, 1)),
    (lambda x, y: T.floor(x) * y, (0, 1)),
    (lambda x, y: (x - y) ** T.constant(2.0) + 0 * (x - y) ** (x + 1), (0, 0)),
    (lambda x, y: T.prod(T.stack([x - y, y, x])), (1, -1)),
])  # fmt: skip
def test_ties_and_edges(expression, want):
    x, y = T.dscalars("x", "y")
    found = T.grad(expression(x, y), [x, y], disconnected_inputs="ignore")
    assert tuple(float(value(g, x=1.0, y=1.0)) for g in found if g is not None) == want


def test_clipping_passes_gradients_to_the_bound_that_holds():
    x, low, high = T.dscalars("x", "low", "high")
    f = tracejit.function([x, low, high], T.grad(T.clip(x, low, high), [x, low, high]))
    assert [float(g) for g in f(0.0, 1.0, 2.0)] == [0, 1, 0]
    assert [float(g) for g in f(3.0, 1.0, 2.0)] == [0, 0, 1]
    assert [float(g) for g in f(1.0, 1.0, 2.0)] == [1, 0, 0]


# Changed on the way --------------------------------------------------------------------------


def test_gradients_that_are_changed_on_the_way():
    x = T.dscalar("x")
    for change, want in (
        (lambda v: grad_scale(v, 3.0), 36.0),
        (lambda v: grad_clip(v, -1.0, 2.0), 2.0),
        (zero_grad, 0.0),
        (consider_constant, 0.0),
    ):
        cost = change(x) ** 3
        assert value(cost, x=2.0) == 8.0 and value(T.grad(cost, x), x=2.0) == want
    with pytest.raises(ValueError, match="is empty"):
        grad_clip(x, 2.0, 1.0)


# Products with Jacobians -----------------------------------------------------------------------


def test_lop_and_rop():
    x, w = T.dvector("x"), T.dmatrix("w")
    y = T.tanh(T.dot(w, x))
    point, matrix = V, np.arange(6.0).reshape(2, 3) / 10
    slope = 1 - np.tanh(matrix @ point) ** 2
    jacobian = slope[:, None] * matrix
    u, v = T.dvector("u"), T.dvector("v")
    f = tracejit.function([x, w, u, v], [Lop(y, x, u), Rop(y, x, v)])
    left, right = np.array([1.0, -2.0]), np.array([0.3, 0.2, 0.1])
    got = f(point, matrix, left, right)
    np.testing.assert_allclose(got[0], left @ jacobian)
    np.testing.assert_allclose(got[1], jacobian @ right)
    both = Rop([y, y**2], [x, w], [v, T.zeros_like(w)])
    assert isinstance(both, list) and len(both) == 2
    with pytest.raises(ValueError, match="as many points"):
        Rop(y, [x, w], [v])


def test_jacobian_and_hessian():
    x, w = T.dvector("x"), T.dmatrix("w")
    y = T.sqr(T.dot(w, x))
    matrix = np.arange(6.0).reshape(2, 3) / 10
    f = tracejit.function([x, w], T.jacobian(y, [x, w]))
    jx, jw = f(V, matrix)
    inner = 2 * (matrix @ V)
    np.testing.assert_allclose(jx, inner[:, None] * matrix)
    want = np.zeros((2, 2, 3))
    for k in range(2):
        want[k, k] = inner[k] * V
    np.testing.assert_allclose(jw, want)
    hessian = T.hessian((x**3).sum() * x[0], x)
    h = tracejit.function([x], hessian)(V)
    want = np.diag(6 * V) * V[0]
    want[0] += 3 * V**2
    want[:, 0] += 3 * V**2
    np.testing.assert_allclose(h, want)
    assert hessian.ndim == 2 and jx.shape == (2, 3)
    with pytest.raises(TypeError, match="1 dimensional"):
        T.jacobian(w, x)
    with pytest.raises(TypeError, match="expects vectors"):
        T.hessian(w.sum(), w)


def test_gradients_of_gradients():
    x = T.dvector("x")
    first = T.grad((x**4).sum(), x)
    second = T.grad(first.sum(), x)
    third = T.grad(second.sum(), x)
    f = tracejit.function([x], [first, second, third])
    for got, want in zip(f(V), (4 * V**3, 12 * V**2, 24 * V), strict=True):
        np.testing.assert_allclose(got, want)


def test_grad_tells_a_cost_from_a_function():
    x = T.dscalar("x")
    assert value(grad(x**2, x), x=3.0) == 6.0
    assert tracejit.grad(lambda x: x**2)(3.0) == 6.0


# Training --------------------------------------------------------------------------------------


def test_logistic_regression_of_the_tutorial_learns():
    rng = np.random.RandomState(0)
    data, labels = rng.randn(60, 200), rng.randint(size=60, low=0, high=2).astype(float)
    x, y = T.dmatrix("x"), T.dvector("y")
    w, b = tracejit.shared(rng.randn(200), name="w"), tracejit.shared(0.0, name="b")
    p_1 = 1 / (1 + T.exp(-T.dot(x, w) - b))
    prediction = p_1 > 0.5
    xent = -y * T.log(p_1) - (1 - y) * T.log(1 - p_1)
    cost = xent.mean() + 0.01 * (w**2).sum()
    gw, gb = T.grad(cost, [w, b])
    with tracejit.config(compile=True):
        train = tracejit.function(
            inputs=[x, y],
            outputs=[prediction, xent],
            updates=((w, w - 0.1 * gw), (b, b - 0.1 * gb)),
        )
        for _ in range(400):
            predicted, loss = train(data, labels)
        assert train.stats.traces == 1 and train.stats.fallbacks == 0
        assert train.stats.loops == 2  # over the rows, and over the weights
    assert np.isfinite(loss).all() and (predicted == labels).mean() > 0.95


def test_with_respect_to_a_view():
    """What is read of a view is a view of it, and not of what it is a view of."""
    x = T.dvector("x")
    y, same = x[1:], x[1:]
    flat = y.reshape((1, y.shape[0]))
    assert value(T.grad(y[0] ** 2, y), x=V).tolist() == [-2.0, 0.0]
    assert value(T.grad((flat.reshape((y.shape[0], 1)) * 3).sum(), flat), x=V).tolist() == [[3, 3]]
    assert [value(g, x=V).tolist() for g in T.grad((y[0] + 2 * same[1]), [y, same])] == [
        [1.0, 0.0],
        [0.0, 2.0],
    ]
    assert value(T.jacobian(y[::-1], y), x=V).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert value(Rop(y[0] ** 2, y, y), x=V) == 2.0
