"""Users' rewrites of graphs, graphs themselves, ops made of graphs, and scalar ops of one's own."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import gof, scalar
from tracejit.compile import DeepCopyOp, Mode, OpFromGraph, ViewOp, optdb
from tracejit.gof import FunctionGraph, graph, local_optimizer
from tracejit.symbolic.optdb import register_canonicalize, register_specialize


@pytest.fixture(autouse=True)
def _registers() -> Iterator[None]:
    """Rewrites that a test registers are gone after it."""
    registers = [optdb, *(optdb[name] for name in ("canonicalize", "stabilize", "specialize"))]
    before = [list(r._entries) for r in registers]
    yield
    for register, entries in zip(registers, before, strict=True):
        register._entries[:] = entries


# Graphs ------------------------------------------------------------------------------------------


def test_a_graph_and_its_replacements() -> None:
    x, y = T.dvectors("x", "y")
    e = T.exp(x)
    z = e * y + e
    g = FunctionGraph([x, y], [z], clone=False)
    assert [str(n.op.scalar_op) for n in g.toposort()] == ["exp", "mul", "add"]
    assert g.variables == {x, y, e, *z.owner.inputs, z} and len(g.apply_nodes) == 3
    assert [k for _, k in g.clients(e)] == [0, 1] and g.clients(z) == [("output", 0)]
    copy = FunctionGraph([x, y], [z])
    copy.replace(copy.toposort()[0].outputs[0], T.sin(copy.inputs[0]))
    assert [str(n.op.scalar_op) for n in copy.toposort()] == ["sin", "mul", "add"]
    f = tracejit.function(copy.inputs, copy.outputs)
    np.testing.assert_allclose(f([1.0], [2.0]), [[3 * np.sin(1)]])
    np.testing.assert_allclose(tracejit.function([x, y], z)([1.0], [2.0]), [3 * np.e])
    with pytest.raises(TypeError, match="type of the replacement"):
        copy.replace(copy.outputs[0], T.dscalar())
    other, equiv = g.clone_get_equiv()
    assert other.outputs == [equiv[z]] and other.outputs[0] is not z


def test_features_are_told_and_may_refuse() -> None:
    class Watch(gof.Feature):
        def __init__(self) -> None:
            self.seen: list[str] = []

        def on_import(self, fgraph: Any, node: Any, reason: Any) -> None:
            self.seen.append(f"+{node.op.scalar_op}")

        def on_prune(self, fgraph: Any, node: Any, reason: Any) -> None:
            self.seen.append(f"-{node.op.scalar_op}")

        def validate(self, fgraph: Any) -> None:
            if any(str(n.op.scalar_op) == "cos" for n in fgraph.toposort()):
                raise gof.InconsistencyError("no cos")

    x = T.dvector("x")
    g = FunctionGraph([x], [T.exp(x)], clone=False)
    watch = Watch()
    g.attach_feature(watch)
    g.replace_validate(g.outputs[0], T.sin(x))
    assert sorted(watch.seen) == ["+sin", "-exp"]
    with pytest.raises(gof.InconsistencyError):
        g.replace_validate(g.outputs[0], T.cos(x))
    assert str(g.outputs[0].owner.op.scalar_op) == "sin"


def test_walks() -> None:
    x, y = T.dvectors("x", "y")
    s = x + y
    t = T.exp(s) * 2
    assert graph.inputs([t])[:2] == [x, y] and s in graph.ancestors([t])
    assert set(graph.variables([x, y], [t])) >= {x, y, s, t}
    assert [v.data for v in graph.orphans([x, y], [t])] == [2]
    assert str(graph.list_of_nodes([s], [t])[0].op.scalar_op) == "exp"
    assert graph.is_same_graph(T.exp(x + y), T.exp(s)) and not graph.is_same_graph(s, x - y)
    assert graph.is_same_graph(x + 1, y + 1, givens={x: y})
    [a, b], [u] = graph.clone([x, y], [t])
    np.testing.assert_allclose(u.eval({a: [1.0], b: [0.5]}), [2 * np.exp(1.5)])
    assert graph.general_toposort([3], lambda n: range(n)) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="cycles"):
        graph.general_toposort([0], lambda n: [1 - n])
    assert graph.as_string([x, y], [s])[0] == "Elemwise{add,no_inplace}(x, y)"
    node = s.owner.clone_with_new_inputs([y, x])
    assert node.inputs == (y, x) and node.op == T.add
    assert s.owner.op(T.fvector(), T.fvector()).dtype == "float32"


def test_map_variables_and_clone() -> None:
    x, y = T.dscalars("x", "y")

    def double(v: Any) -> Any:
        return v * 2 if v.owner is not None and v.owner.op == T.exp else v

    [z] = tracejit.map_variables(double, [T.exp(x) + y])
    np.testing.assert_allclose(z.eval({x: 0.0, y: 1.0}), 3.0)
    np.testing.assert_allclose(tracejit.clone(z, {x: y}).eval({y: 1.0}), 2 * np.e + 1)


# Rewrites ----------------------------------------------------------------------------------------


def test_a_registered_rewrite_runs_where_functions_are_made() -> None:
    @register_specialize
    @local_optimizer([T.sin])
    def sin_to_cos(node: Any) -> Any:
        return [T.cos(node.inputs[0])] if node.op == T.sin else False

    x = T.dvector("x")
    y = T.sin(x) + x
    state = tracejit.shared(np.zeros(2))
    a = np.array([0.5, 1.0])
    f = tracejit.function([x], y, updates=[(state, T.sin(state))])
    np.testing.assert_allclose(f(a), np.cos(a) + a)
    np.testing.assert_allclose(state.get_value(), np.cos(np.zeros(2)))
    assert "cos" in str(f.maker.fgraph.toposort()) and f.stats.fallbacks == 0
    assert y.owner.inputs[0].owner.op == T.sin  # the graph itself is as it was
    for mode in (
        "FAST_COMPILE", Mode(optimizer=None), Mode().excluding("sin_to_cos"),
        Mode().excluding("specialize"), tracejit.compile.get_default_mode().excluding("fast_run"),
    ):  # fmt: skip
        np.testing.assert_allclose(tracejit.function([x], y, mode=mode)(a), np.sin(a) + a)


def test_rewrites_by_tags_and_modes() -> None:
    class Twice(gof.Optimizer):
        def apply(self, fgraph: Any) -> None:
            for k, v in enumerate(list(fgraph.outputs)):
                fgraph.change_input("output", k, v * 2)

    optdb.register("twice", Twice(), 50, "mine")
    x = T.dvector("x")
    assert tracejit.function([x], x + 1)([1.0]) == [2]
    mode = Mode().including("mine")
    assert tracejit.function([x], x + 1, mode=mode)([1.0]) == [4]
    assert tracejit.function([x], x + 1, mode=mode.excluding("twice"))([1.0]) == [2]
    assert tracejit.function([x], x + 1, mode=Mode(optimizer=Twice()))([1.0]) == [4]
    assert tracejit.function([x], x + 1, mode=Mode().register(Twice()))([1.0]) == [4]
    local = gof.OpSub(T.add, T.mul)  # a local one is a rewrite of all applications
    optdb.register("local", local, 52, "too")
    for mode in (Mode(optimizer=local), Mode().register(local), Mode().including("too")):
        assert tracejit.function([x], x + 3.0, mode=mode)([2.0]) == [6]
    with pytest.raises(ValueError, match="already"):
        optdb.register("twice", Twice(), 51)
    assert "twice" in optdb and optdb["twice"].name == "twice"
    query = gof.Query(include=["mine"], exclude=["fast_run"])
    assert len(optdb.chosen(query)) == 1


def test_patterns() -> None:
    x, y = T.dvectors("x", "y")

    def rewritten(rewrite: Any, *outputs: Any) -> list[str]:
        g = FunctionGraph([x, y], list(outputs))
        gof.EquilibriumOptimizer([rewrite]).optimize(g)
        return [str(n.op.scalar_op) for n in g.toposort()]

    square = gof.PatternSub((T.mul, "a", "a"), (T.sqr, "a"))
    assert rewritten(square, x * x + y) == ["sqr", "add"]
    assert rewritten(square, x * y) == ["mul"]
    assert rewritten(gof.OpSub(T.exp, T.sin), T.exp(T.exp(x))) == ["sin", "sin"]
    assert rewritten(gof.OpRemove(T.exp), T.exp(T.exp(x)) + y) == ["add"]
    one = gof.PatternSub((T.add, "a", 1), (T.exp, "a"))
    assert rewritten(one, x + 1) == ["exp"] and rewritten(one, x + 2) == ["add"]
    small = gof.PatternSub(
        (T.mul, {"pattern": "a", "constraint": lambda v: v.name == "x"}, "b"), (T.add, "a", "b")
    )
    assert rewritten(small, x * y) == ["add"] and rewritten(small, y * x) == ["mul"]
    with pytest.raises(TypeError, match="start with"):
        gof.PatternSub("a", "b")


def test_a_rewrite_that_fails_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    @register_canonicalize
    @local_optimizer([T.exp])
    def broken(node: Any) -> Any:
        raise KeyError("broken")

    x = T.dvector("x")
    assert tracejit.function([x], T.exp(x))([0.0]) == [1]
    assert "broken" in capsys.readouterr().err
    with tracejit.change_flags(on_opt_error="raise"), pytest.raises(KeyError):
        tracejit.function([x], T.exp(x))


# Ops of graphs -----------------------------------------------------------------------------------


def test_ops_of_graphs() -> None:
    x, y, z = T.dmatrices("x", "y", "z")
    w = tracejit.shared(np.full((2, 2), 3.0))
    op = OpFromGraph([x, y], [x * w + y, x.sum()], inline=True, name="mine")
    first, total = op(z, z + 1)
    cost = (first**2).sum() * total
    f = tracejit.function([z], [first, total, *T.grad(cost, [z, w])])
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    got = f(a)
    e = a * 3 + a + 1
    want = [e, a.sum(), 2 * e * 4 * a.sum() + (e**2).sum(), 2 * e * a * a.sum()]
    for g, v in zip(got, want, strict=True):
        np.testing.assert_allclose(g, v)
    assert f.stats.fallbacks == 0 and isinstance(first.owner.op, OpFromGraph)
    assert str(first.owner.op) == "mine{inline=True}"
    w.set_value(np.zeros((2, 2)))
    np.testing.assert_array_equal(f(a)[0], a + 1)
    T.verify_grad(lambda u: op(u, u)[0], [a], rng=np.random.RandomState(1))
    plain = tracejit.function([z], first, mode="FAST_COMPILE")
    np.testing.assert_array_equal(plain(a), a + 1)


def test_overridden_derivatives() -> None:
    x, y = T.dvectors("x", "y")
    u, v = T.dvectors("u", "v")

    def both(inputs: Any, grads: Any) -> Any:
        return [grads[0] * 10, grads[0] * inputs[0]]

    g = T.dvector("g")
    whole = OpFromGraph([x, y, g], [g * 10, g * x])
    cases = [
        (OpFromGraph([x, y], [x * y], grad_overrides=both), (10.0, [2.0])),
        (OpFromGraph([x, y], [x * y], grad_overrides=whole), (10.0, [2.0])),
        (
            OpFromGraph([x, y], [x * y], grad_overrides=[lambda i, g: g[0] * 7, "default"]),
            (7.0, [2.0]),
        ),
        (
            OpFromGraph([x, y], [x * y], lop_overrides=[None, lambda i, o, g: o[0] * g[0]]),
            (0.0, [6.0]),
        ),
    ]
    for op, want in cases:
        value = op(u, v)
        f = tracejit.function([u, v], [value, *T.grad(value.sum(), [u, v])])
        got = f([2.0], [3.0])
        np.testing.assert_array_equal(got[0], [6.0])
        np.testing.assert_array_equal(got[1], [want[0]])
        np.testing.assert_array_equal(got[2], want[1])
        assert f.stats.fallbacks == 0
    op = OpFromGraph([x], [x * 2], grad_overrides=[lambda i, g: T.DisconnectedType()()])
    with pytest.raises(T.DisconnectedInputError):
        T.grad(op(u).sum(), u)


def test_what_an_op_of_a_graph_refuses() -> None:
    x, y = T.dvectors("x", "y")
    for wrong in (
        lambda: OpFromGraph([x], x),
        lambda: OpFromGraph([x], [3]),
        lambda: OpFromGraph([x], [x], updates=[]),
        lambda: OpFromGraph([x], [x + 1])(T.dmatrix()),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(tracejit.MissingInputError):
        OpFromGraph([x], [x + y])
    with pytest.raises(ValueError, match="exclusive"):
        OpFromGraph([x], [x], lop_overrides=lambda *a: a, grad_overrides=lambda *a: a)
    with pytest.raises(NotImplementedError, match="rop_overrides"):
        OpFromGraph([x], [x], rop_overrides=lambda *a: a)
    with pytest.raises(ValueError, match="expected 1 inputs"):
        OpFromGraph([x], [x + 1])(x, y)


def test_ops_that_give_their_input() -> None:
    x = T.dvector("x")
    y = ViewOp()(x) * DeepCopyOp()(x)
    f = tracejit.function([x], [y, T.grad(y.sum(), x)])
    np.testing.assert_array_equal(f([2.0]), [[4.0], [4.0]])
    assert f.stats.fallbacks == 0 and ViewOp() == ViewOp() != DeepCopyOp()


# Scalar ops --------------------------------------------------------------------------------------


class Bent(scalar.UnaryScalarOp):
    """x² below 0 and x above, whose code branches."""

    def impl(self, x: float) -> float:
        return x * x if x < 0 else x

    def grad(self, inputs: Any, grads: Any) -> Any:
        [x], [g] = inputs, grads
        return [scalar.switch(scalar.lt(x, 0), 2 * x, 1.0) * g]


class Weigh(scalar.BinaryScalarOp):
    nfunc_spec = ("numpy.hypot", 2, 1)

    def impl(self, x: float, y: float) -> Any:
        return np.hypot(x, y)

    def grad(self, inputs: Any, grads: Any) -> Any:
        x, y = inputs
        return [grads[0] * v / self(x, y) if not x.ndim else grads[0] * v / T.sqrt(x**2 + y**2)
                for v in inputs]  # fmt: skip


def test_elementwise_ops_of_ones_own() -> None:
    bent = T.Elemwise(Bent(scalar.upgrade_to_float, name="bent"), name="Bent")
    x = T.dmatrix("x")
    y = bent(x)
    f = tracejit.function([x], [y, T.grad((y * 3).sum(), x)])
    a = np.array([[-2.0, 3.0], [0.0, -0.5]])
    value, slope = f(a)
    np.testing.assert_array_equal(value, np.where(a < 0, a * a, a))
    np.testing.assert_array_equal(slope, 3 * np.where(a < 0, 2 * a, 1))
    assert f.stats.fallbacks == 0
    assert bent(T.bvector()).dtype == "float32" and bent(T.lscalar()).dtype == "float64"
    assert tracejit.function([x], y)(np.ones((0, 2))).shape == (0, 2)
    assert Bent(scalar.same_out, name="a") == Bent(scalar.same_out, name="b") != Bent()
    with pytest.raises(TypeError, match="Wrong number of inputs"):
        bent(x, x)
    with pytest.raises(TypeError, match="callable"):
        Bent(3)


def test_they_broadcast_and_their_derivatives_are_summed() -> None:
    weigh = T.Elemwise(Weigh(scalar.upcast_out, name="weigh"))
    x, r = T.dmatrix("x"), T.drow("r")
    y = weigh(x, r)
    f = tracejit.function([x, r], [y, *T.grad(y.sum(), [x, r])])
    a, b = np.arange(1.0, 7.0).reshape(2, 3), np.array([[3.0, 4.0, 5.0]])
    h = np.hypot(a, b)
    for got, want in zip(f(a, b), (h, a / h, (b / h).sum(0, keepdims=True)), strict=True):
        np.testing.assert_allclose(got, want)
    z = weigh(T.dvector("u"), T.dvector("v"))
    with pytest.raises(ValueError, match=r"(?i)mis-match"):
        z.eval(dict(zip(z.owner.inputs, ([1.0], [1.0, 2.0]), strict=True)))


def test_scalar_functions_of_the_table() -> None:
    x, y = T.dvectors("x", "y")
    a, b = scalar.float64("a"), scalar.float64("b")
    composite = scalar.Composite([a, b], [a * b + scalar.exp(a)])
    cases = [
        (T.Elemwise(scalar.add)(x, y), lambda u, v: u + v),
        (T.Elemwise(scalar.Sqr(name="sqr"))(x), lambda u, v: u**2),
        (T.Elemwise(composite)(x, y), lambda u, v: u * v + np.exp(u)),
        (T.Elemwise(scalar.convert_to_int32)(x), lambda u, v: u.astype("int32")),
        (T.CAReduce(scalar.mul)(x), lambda u, v: u.prod()),
        (T.CAReduce(scalar.maximum, axis=[0])(x), lambda u, v: u.max()),
        (T.CAReduce(Weigh(name="w"))(x), lambda u, v: np.hypot(*u)),
        (T.Sum(axis=0)(x), lambda u, v: u.sum()),
    ]
    f = tracejit.function([x, y], [c for c, _ in cases])
    u, v = np.array([1.5, 2.0]), np.array([3.0, -4.0])
    for got, (_, want) in zip(f(u, v), cases, strict=True):
        np.testing.assert_allclose(got, want(u, v))
    assert f.stats.fallbacks == 0
    assert (x + y).owner.op.scalar_op == scalar.add and (x + y).owner.op == T.Elemwise(scalar.add)
    assert isinstance((x * y).owner.op.scalar_op, scalar.Mul)
    assert isinstance(T.exp(x).owner.op.scalar_op, scalar.ScalarOp)
    assert scalar.upcast("int8", "float32") == "float32" and scalar.int32.dtype == "int32"
    assert scalar.upgrade_to_float(scalar.int64)[0] == scalar.float64


def test_classes_of_ops_are_called_as_functions() -> None:
    x, m = T.dvector("x"), T.dmatrix("m")
    cases = [
        (T.DimShuffle((False,), ("x", 0))(x), lambda u, a: u[None]),
        (T.Reshape(2)(x, [2, 1]), lambda u, a: u.reshape(2, 1)),
        (T.Join()(0, x, x), lambda u, a: np.concatenate([u, u])),
        (T.Dot()(m, x), lambda u, a: a @ u),
        (T.Subtensor([slice(0, 1)])(x), lambda u, a: u[:1]),
        (T.AdvancedSubtensor1()(x, [1, 0]), lambda u, a: u[[1, 0]]),
        (T.IncSubtensor([0])(x, 1.0), lambda u, a: u + np.eye(2)[0]),
        (T.MaxAndArgmax([0])(x), lambda u, a: u.max()),
        (T.Argmax(0)(x), lambda u, a: u.argmax()),
        (T.Shape_i(0)(m), lambda u, a: a.shape[0]),
        (T.MakeVector("float64")(x[0], x[1]), lambda u, a: u),
        (T.Rebroadcast((0, False))(x), lambda u, a: u),
        (T.Split(2)(x, 0, [1, 1])[1], lambda u, a: u[1:]),
        (T.SortOp()(x), lambda u, a: np.sort(u)),
    ]
    f = tracejit.function([x, m], [c for c, _ in cases])
    u, a = np.array([2.0, 1.0]), np.arange(4.0).reshape(2, 2)
    for got, (_, want) in zip(f(u, a), cases, strict=True):
        np.testing.assert_allclose(got, want(u, a))
    assert f.stats.fallbacks == 0
    with pytest.raises(TypeError):
        T.Dot(3)


def test_scalar_ops_pickle() -> None:
    x = T.dvector("x")
    y = T.Elemwise(Bent(scalar.same_out, name="bent"))(x)
    f = pickle.loads(pickle.dumps(tracejit.function([x], y)))
    np.testing.assert_array_equal(f([-2.0]), [4.0])
