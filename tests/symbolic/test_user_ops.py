"""Users' own ops: what they give, compiled into programs; shapes, derivatives, errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T


class Double(tracejit.Op):
    """Twice a matrix, in all that an op may say."""

    __props__ = ()

    def make_node(self, x: Any) -> Any:
        x = T.as_tensor_variable(x)
        return tracejit.Apply(self, [x], [x.type()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0] * 2

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        return shapes

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [output_grads[0] * 2]


class Above(tracejit.Op):
    """The elements above a number, `k` times, and how many there are."""

    __props__ = ("k",)

    def __init__(self, k: int) -> None:
        self.k = k

    def make_node(self, x: Any, n: Any) -> Any:
        inputs = [T.as_tensor_variable(x), T.as_tensor_variable(n)]
        return tracejit.Apply(self, inputs, [T.dvector(), T.lscalar()])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        x, n = inputs
        if n > 5:
            raise KeyError(f"{n} is too large")
        output_storage[0][0] = x[x > n] * self.k
        output_storage[1][0] = (x > n).sum()

    def connection_pattern(self, node: Any) -> Any:
        return [[True, False], [False, False]]

    def L_op(self, inputs: Any, outputs: Any, output_grads: Any) -> Any:
        x, n = inputs
        spread = T.set_subtensor(T.zeros_like(x)[(x > n).nonzero()], output_grads[0])
        return [spread * self.k, T.DisconnectedType()()]


def test_a_program_calls_it_and_its_derivative_is_the_ops() -> None:
    x = T.dmatrix("x")
    y = Double()(x)
    f = tracejit.function([x], [y + x, T.grad((y**2).sum(), x)])
    a = np.arange(6.0).reshape(2, 3)
    total, slope = f(a)
    np.testing.assert_array_equal(total, 3 * a)
    np.testing.assert_array_equal(slope, 8 * a)
    assert f.stats.fallbacks == 0 and f.stats.traces == 1


def test_second_derivatives_and_products() -> None:
    x, v = T.dmatrix("x"), T.dmatrix("v")
    y = (Double()(x) ** 3).sum()
    g = T.grad(y, x)
    f = tracejit.function([x, v], [T.grad(g.sum(), x), T.Rop(g, x, v), T.Lop(g, x, v)])
    a, b = np.full((2, 2), 0.5), np.ones((2, 2))
    for found in f(a, b):
        np.testing.assert_allclose(found, 48 * a)
    T.verify_grad(lambda x: Double()(x) * x, [a], rng=np.random.RandomState(1))


def test_several_results_whose_lengths_are_known_late() -> None:
    x, n = T.dvector("x"), T.iscalar("n")
    some, count = Above(3)(x, n)
    f = tracejit.function(
        [x, n], [some.sum(), count + 1, some + T.ones_like(some), T.grad(some.sum(), x)]
    )
    a = np.arange(6.0)
    for k in (2, 4, 5):
        total, how_many, more, slope = f(a, k)
        np.testing.assert_array_equal(total, 3 * a[a > k].sum())
        assert how_many == (a > k).sum() + 1
        np.testing.assert_array_equal(more, 3 * a[a > k] + 1)
        np.testing.assert_array_equal(slope, 3.0 * (a > k))
    assert f.stats.fallbacks == 0


def test_what_perform_raises_is_raised_and_nothing_is_updated() -> None:
    x, n = T.dvector("x"), T.iscalar("n")
    state = tracejit.shared(np.zeros(2))
    f = tracejit.function([x, n], Above(3)(x, n)[0], updates=[(state, state + x[:2])])
    f(np.arange(6.0), 5)
    before = state.get_value()
    with pytest.raises(KeyError, match="7 is too large") as raised:
        f(np.arange(6.0), 7)
    assert "test_user_ops.py" in str(raised.value.__notes__)
    np.testing.assert_array_equal(state.get_value(), before)


def test_in_updates_of_state() -> None:
    state = tracejit.shared(np.ones((1, 3)))
    f = tracejit.function([], Double()(state).sum(), updates=[(state, Double()(state))])
    assert [float(f()) for _ in range(3)] == [6.0, 12.0, 24.0]
    assert f.stats.traces == 1


def test_in_numpy_and_by_test_values() -> None:
    x = T.dmatrix("x")
    f = tracejit.function([x], Double()(x), mode="FAST_COMPILE")
    np.testing.assert_array_equal(f(np.ones((1, 2))), [[2.0, 2.0]])
    with tracejit.change_flags(compute_test_value="raise"):
        x.tag.test_value = np.ones((2, 2))
        assert Double()(x).tag.test_value.sum() == 8


def test_it_may_change_its_inputs() -> None:
    class InPlace(Double):
        __props__ = ()
        destroy_map = {0: [0]}  # noqa: RUF012

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            inputs[0] *= 2
            output_storage[0][0] = inputs[0]

    x = T.dmatrix("x")
    for mode in ("FAST_RUN", "FAST_COMPILE"):
        f = tracejit.function([x], [InPlace()(x), x + 0], mode=mode)
        a = np.ones((1, 2))
        y, z = f(a)
        assert y.tolist() == [[2, 2]] and z.tolist() == a.tolist() == [[1, 1]]


def test_types_instead_of_make_node_and_equality_by_props() -> None:
    class Scaled(tracejit.Op):
        __props__ = ("by",)
        itypes, otypes = [T.dvector], [T.dvector]

        def __init__(self, by: float) -> None:
            self.by = by

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0] * self.by

    x = T.dvector("x")
    y = Scaled(3.0)(x)
    assert y.eval({x: [1.0, 2.0]}).tolist() == [3, 6]
    assert Scaled(3.0) == Scaled(3.0) != Scaled(2.0) and len({Scaled(3.0), Scaled(3.0)}) == 1
    assert str(Scaled(3.0)) == "Scaled{by=3.0}" and y.owner.op == Scaled(3.0)
    with pytest.raises(TypeError, match="We expected inputs of types"):
        Scaled(1.0)(T.fvector())
    with pytest.raises(ValueError, match="We expected 1 inputs but got 2"):
        Scaled(1.0)(x, x)
    with pytest.raises(NotImplementedError, match="has no grad"):
        T.grad(y.sum(), x)


def test_as_op() -> None:
    @tracejit.compile.as_op(
        itypes=[T.fmatrix, T.fmatrix],
        otypes=[T.fmatrix],
        infer_shape=lambda node, shapes: [shapes[0]],
    )
    def product(a: Any, b: Any) -> Any:
        return a.dot(b)

    a, b = T.fmatrix(), T.fmatrix()
    f = tracejit.function([a, b], product(a, b) + 1)
    x = np.eye(3, dtype="f")
    np.testing.assert_array_equal(f(x, x), x + 1)
    assert f(x, x).dtype == np.float32 and f.stats.fallbacks == 0


def test_gradients_that_are_not_defined() -> None:
    class Undefined(Double):
        __props__ = ()

        def grad(self, inputs: Any, output_grads: Any) -> Any:
            return [T.grad_undefined(self, 0, inputs[0], "no slope")]

    class Nothing(Double):
        __props__ = ()

        def grad(self, inputs: Any, output_grads: Any) -> Any:
            return [None]

    x = T.dmatrix("x")
    with pytest.raises(T.gradient.NullTypeGradError, match="no slope"):
        T.grad(Undefined()(x).sum(), x)
    with pytest.raises(TypeError, match="returned None for a gradient term"):
        T.grad(Nothing()(x).sum(), x)


def test_what_perform_must_give() -> None:
    class Wrong(Double):
        __props__ = ("what",)

        def __init__(self, what: Any) -> None:
            self.what = what

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = self.what

    x = T.dmatrix("x")
    for what in (None, np.ones(3), np.ones((2, 2), complex)):
        with pytest.raises(TypeError, match="perform"):
            tracejit.function([x], Wrong(what)(x))(np.ones((2, 2)))


def test_an_op_of_c_code_alone_says_so() -> None:
    class OfC(tracejit.Op):
        __props__ = ()
        itypes, otypes = [T.dvector], [T.dvector]

        def c_code(self, *args: Any) -> str:
            return "..."

    x = T.dvector("x")
    with pytest.raises(NotImplementedError, match="C code alone"):
        OfC()(x).eval({x: [1.0]})


def test_pickles() -> None:
    state = tracejit.shared(np.ones((1, 3)))
    f = tracejit.function([], Double()(state).sum(), updates=[(state, Double()(state))])
    g = pickle.loads(pickle.dumps(f))
    assert [float(g()), float(g()), float(f())] == [6.0, 12.0, 6.0]


def test_the_ops_of_the_table_are_seen_by_theanos_names() -> None:
    x, y = T.dmatrix("x"), T.dmatrix("y")
    assert isinstance((x + y).owner.op, T.Elemwise) and (x + y).owner.op == T.add
    assert str(T.tanh(x).owner.op) == "Elemwise{tanh,no_inplace}"
    assert T.tanh(x).owner.op == T.tanh and T.tanh(x).owner.op != T.exp
    assert T.tanh(x).owner.inputs == (x,) and (x * y).owner.op.scalar_op.name == "mul"
    assert str(x.T.owner.op) == "DimShuffle{1,0}" and isinstance(x.T.owner.op, T.DimShuffle)
    assert isinstance(x.sum(axis=0).owner.op, T.CAReduce)
    assert str(x.sum(axis=0).owner.op) == "Sum{axis=[0]}" and x.sum().owner.op.axis is None
    assert isinstance(x[0].owner.op, T.Subtensor)
    assert isinstance(x[T.ivector()].owner.op, T.AdvancedSubtensor1)
    assert T.dot(x, y).owner.op == T.dot and isinstance(T.dot(x, y).owner.op, tracejit.Op)
    assert T.set_subtensor(x[0], 1.0).owner.op.set_instead_of_inc


class Squared(tracejit.Op):
    """Squares of a vector."""

    __props__ = ()
    itypes, otypes = [T.dvector], [T.dvector]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        output_storage[0][0] = inputs[0] ** 2

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        return [2 * inputs[0] * output_grads[0]]


class WithoutGrad(Squared):
    """The same, of which no derivative is known."""

    __props__ = ()

    def grad(self, inputs: Any, output_grads: Any) -> Any:
        raise NotImplementedError("nobody has written it")


@pytest.mark.parametrize("op", [Squared(), WithoutGrad()], ids=str)
def test_in_the_steps_of_a_loop(op: Any) -> None:
    x, k = T.dvector("x"), T.iscalar("k")
    y, updates = tracejit.scan(lambda before: op(before) * 0.5 + x, outputs_info=x, n_steps=k)
    f = tracejit.function([x, k], y[-1], updates=updates)
    a = np.array([0.1, 0.2, 0.3])
    wanted, slope = a, np.ones(3)
    for _ in range(40):
        slope = slope * wanted + 1
        wanted = wanted**2 * 0.5 + a
    np.testing.assert_allclose(f(a, 40), wanted)
    assert f.stats.fallbacks == 0
    if isinstance(op, WithoutGrad):
        with pytest.raises(NotImplementedError, match="nobody"):
            T.grad(y[-1].sum(), x)
    else:
        g = tracejit.function([x, k], T.grad(y[-1].sum(), x))
        np.testing.assert_allclose(g(a, 40), slope)
        assert g.stats.fallbacks == 0


def test_lengths_that_do_not_fit_what_they_are_added_to() -> None:
    class Half(Squared):
        __props__ = ()

        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            output_storage[0][0] = inputs[0][::2]

    x = T.dvector("x")
    f = tracejit.function([x], Half()(x) + x)
    assert f([1.0]).tolist() == [2.0]
    with pytest.raises(tracejit.ShapeError, match="Input dimension mis-match"):
        f(np.ones(1000))
