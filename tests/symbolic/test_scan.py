"""``scan``: what a step is given, what it returns, how many steps there are, types and errors."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.errors import NotTraceable
from tracejit.ir.simplify import simplify
from tracejit.scan_module import until
from tracejit.scan_module.scan_op import Scan
from tracejit.symbolic.infer import apply
from tracejit.symbolic.opcodes import OPS, Opcode
from tracejit.tensor.shared_randomstreams import RandomStreams
from tracejit.trace.tracer import Tracer
from tracejit.updates import OrderedUpdates


@pytest.fixture(autouse=True)
def interpreted():
    with tracejit.config(compile=False, check=True):
        yield


def value(expression, inputs=(), values=(), **kwargs):
    return tracejit.function(list(inputs), expression, **kwargs)(*values)


X = np.arange(1.0, 6.0)

# What a step is given ----------------------------------------------------------------------------


@pytest.mark.parametrize("taps", [None, 0, [0], [1], [-1], [-1, 0, 2], [-3, -2], [2, 3]])
@pytest.mark.parametrize("backwards", [False, True])
def test_taps_of_a_sequence(taps, backwards):
    x = T.dvector("x")
    sequence = x if taps is None else {"input": x, "taps": taps}
    found, _ = tracejit.scan(
        lambda *rows: sum(10.0**k * row for k, row in enumerate(rows)),
        sequence, go_backwards=backwards,
    )  # fmt: skip
    wanted = [0] if taps is None else np.atleast_1d(taps).tolist()
    first, last = min(0, *wanted, 0), max(0, *wanted, 0)
    places = list(range(-first, len(X) - last))
    rows = [sum(10.0**k * X[i + tap] for k, tap in enumerate(wanted)) for i in places]
    np.testing.assert_allclose(value(found, [x], [X]), rows[::-1] if backwards else rows)


@pytest.mark.parametrize("taps", [[-1], [-2], [-2, -1], [-1, -2], [-4, -1], [-3, -2, -1]])
def test_taps_of_an_output(taps):
    start, x = T.dvector("start"), T.dvector("x")
    count = -min(taps)
    initial = start if taps != [-1] else start[0]
    found, _ = tracejit.scan(
        lambda x, *before: x + sum((k + 1) * b for k, b in enumerate(before)),
        x, {"initial": initial, "taps": taps},
    )  # fmt: skip
    rows = list(np.arange(2.0, 2.0 + count))
    for element in X:
        rows.append(element + sum((k + 1) * rows[tap] for k, tap in enumerate(taps)))
    result = value(found, [x, start], [X, np.arange(2.0, 2.0 + count)])
    np.testing.assert_allclose(result, rows[count:])


def test_order_of_arguments():
    """Elements, taps of each sequence together; what outputs were; all else."""
    a, b = T.dvectors("a", "b")
    names = []

    def step(*given):
        names.extend(v.name for v in given)
        return given[0], given[2] + given[4]

    start = T.dvector("start")
    tracejit.scan(
        step, [{"input": a, "taps": [-1, 0]}, b],
        [None, {"initial": start, "taps": [-2, -1]}], T.dscalar("w"),
    )  # fmt: skip
    assert names == ["a[t-1]", "a[t]", "b[t]", "start[t-2]", "start[t-1]", "w"]


def test_arrays_and_numbers_are_arguments():
    found, _ = tracejit.scan(
        lambda x, before, w: before + x * w,
        np.array([1.0, 2.0]), np.float64(0.0), np.array(3.0),
    )  # fmt: skip
    assert value(found).tolist() == [3.0, 9.0]


def test_what_is_read_from_around():
    """Inputs, shared variables, constants, and what is computed of them once."""
    x, w = T.dvector("x"), T.dscalar("w")
    scale, around = tracejit.shared(2.0), T.exp(w)
    found, _ = tracejit.scan(lambda x: x * scale + around + 1.0, x)
    f = tracejit.function([x, w], found)
    np.testing.assert_allclose(f(X, 0.5), X * 2.0 + np.exp(0.5) + 1.0)
    assert "exp" not in str(f.graph()).partition("scan")[2]


def test_a_step_reads_at_computed_places():
    at, x = T.lvector("at"), T.dvector("x")
    found, _ = tracejit.scan(lambda k, x: x[k], at, non_sequences=x)
    f = tracejit.function([at, x], found)
    assert f([4, -1, 0], X).tolist() == [5.0, 5.0, 1.0]
    with pytest.raises(IndexError), tracejit.config(on_unsupported="warn"):
        f([5], X)


def test_sequences_of_several_lengths():
    a, b = T.dvectors("a", "b")
    f = tracejit.function([a, b], tracejit.scan(lambda a, b: a + b, [a, b])[0])
    assert f(X, X).tolist() == (X + X).tolist()
    assert f(X[:2], X).tolist() == (X[:2] * 2).tolist()
    assert f(X, X[:1]).tolist() == [2.0]
    assert f(X, X[:0]).tolist() == []


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "int64", "complex128", "bool"])
def test_dtypes(dtype):
    x = T.tensor(dtype, (False, False))
    seen = {}

    def step(row, before):
        seen["types"] = row.dtype, before.dtype
        return T.maximum(row, before) if dtype != "complex128" else row + before

    found, _ = tracejit.scan(step, x, x[0])
    assert seen["types"] == (dtype, dtype)
    values = np.array([[1, 0, 3], [2, 0, 0]], dtype)
    result = value(found, [x], [values])
    assert (result.dtype, result.shape, found.dtype, found.ndim) == (dtype, (2, 3), dtype, 2)
    assert (
        result[1] == (values.max(0) if dtype != "complex128" else values[0] + values[1] + values[0])
    ).all()


@pytest.mark.parametrize("order", ["C", "F", "strided", "reversed"])
def test_layouts(order):
    x = T.dmatrix("x")
    values = np.arange(24.0).reshape(4, 6)
    given = {
        "C": values, "F": np.asfortranarray(values), "strided": values[::2, ::3],
        "reversed": values[::-1, ::-1],
    }[order]  # fmt: skip
    found, _ = tracejit.scan(lambda row, before: before + row, x, T.zeros_like(x[0]))
    np.testing.assert_array_equal(value(found, [x], [given]), np.cumsum(given, 0))


def test_special_values():
    x = T.dvector("x")
    given = np.array([np.nan, np.inf, -0.0, 0.0, -np.inf])
    found, _ = tracejit.scan(lambda x: -x, x)
    result = value(found, [x], [given])
    np.testing.assert_array_equal(result, -given)
    np.testing.assert_array_equal(np.signbit(result), np.signbit(-given))


def test_broadcast_patterns():
    x = T.dmatrix("x")
    row = T.addbroadcast(x[:1], 0)
    seen = []
    found, _ = tracejit.scan(lambda b: seen.append(b.broadcastable) or b * 2, None, row, n_steps=2)
    assert (seen, found.broadcastable) == ([(True, False)], (False, True, False))


# Steps -------------------------------------------------------------------------------------------


def test_no_steps_and_one():
    k = T.iscalar("k")
    f = tracejit.function([k], tracejit.scan(lambda h: h * 2, None, T.ones(3), n_steps=k)[0])
    assert f(0).shape == (0, 3)
    assert f(1).tolist() == [[2.0] * 3]
    with pytest.raises(IndexError, match="negative number of step -1"):
        f(-1)


def test_one_step_is_no_loop():
    x = T.dvector("x")
    found, updates = tracejit.scan(lambda x, h: x + h, x, np.float64(1), n_steps=1)
    assert not isinstance(found.owner.op, Scan)
    assert (found.broadcastable, updates) == ((False,), OrderedUpdates())
    assert value(found, [x], [X]).tolist() == [2.0]


@pytest.mark.parametrize("steps", [3.0, np.int64(3), 3, T.constant(3)])
def test_numbers_of_steps(steps):
    found, _ = tracejit.scan(lambda h: h + 1, None, np.int64(0), n_steps=steps)
    assert value(found).tolist() == [1, 2, 3]


@pytest.mark.parametrize("steps", [None, np.inf, float("nan")])
def test_as_many_steps_as_elements(steps):
    found, _ = tracejit.scan(lambda x: x + 1, T.constant(X), n_steps=steps)
    assert value(found).tolist() == (X + 1).tolist()


def test_below_zero_is_backwards():
    found, _ = tracejit.scan(lambda x: x, T.constant(X), n_steps=-3)
    assert value(found).tolist() == [5.0, 4.0, 3.0]
    found, _ = tracejit.scan(lambda x: x, T.constant(X), n_steps=-3, go_backwards=True)
    assert value(found).tolist() == [1.0, 2.0, 3.0]


def test_too_short_a_sequence():
    x, k = T.dvector("x"), T.lscalar("k")
    f = tracejit.function([x, k], tracejit.scan(lambda x: x, x, n_steps=k)[0])
    assert f(X, 2).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match="Sequence is shorter then the required number of steps"):
        f(X, 6)


def test_until():
    x = T.dscalar("x")

    def step(before, x):
        return [before * x, before], until(before * x > 40)

    (powers, before), _ = tracejit.scan(step, None, [np.float64(1), None], x, n_steps=1000)
    f = tracejit.function([x], [powers, before, powers[-1], powers.shape[0]])
    for base in (2.0, 3.0, 50.0):
        want = [base]
        while want[-1] <= 40:
            want.append(want[-1] * base)
        found = f(base)
        assert found[0].tolist() == want
        assert found[1].tolist() == [1.0, *want[:-1]]
        assert (float(found[2]), int(found[3])) == (want[-1], len(want))
    assert f(1.0)[0].shape == (1000,)


def test_until_over_sequences_and_states():
    x = T.dvector("x")
    count = tracejit.shared(0)
    found, updates = tracejit.scan(lambda x: (x * 2, {count: count + 1}, until(x > 2)), x)
    f = tracejit.function([x], found, updates=updates)
    assert f(X).tolist() == [2.0, 4.0, 6.0]
    assert count.get_value() == 3
    assert f(X[:2]).tolist() == [2.0, 4.0]
    assert f(X[:0]).tolist() == []


def test_draws_until():
    """Both runs of the loop begin in the same state, and the last one is that after its steps."""
    streams = RandomStreams(8)
    found, updates = tracejit.scan(
        lambda: (draw := streams.uniform(()), until(draw > 0.8)), n_steps=1000
    )
    f = tracejit.function([], found, updates=updates)
    g = tracejit.function([], RandomStreams(8).uniform(()))
    for _ in range(3):
        rows = f()
        assert rows.tolist() == [float(g()) for _ in rows]
        assert (rows[:-1] <= 0.8).all() and rows[-1] > 0.8


def test_only_a_condition():
    found, updates = tracejit.scan(lambda: ({}, until(T.constant(True))), n_steps=5)
    assert (found, updates) == (None, {})


# What a step returns -----------------------------------------------------------------------------


def test_outputs_are_a_variable_a_list_or_none():
    x = T.dvector("x")
    assert not isinstance(tracejit.map(lambda x: x, x)[0], list)
    assert not isinstance(tracejit.map(lambda x: [x], x)[0], list)
    assert isinstance(tracejit.scan(lambda x: x, x, return_list=True)[0], list)
    assert len(tracejit.map(lambda x: (x, x * 2), x)[0]) == 2
    state = tracejit.shared(0.0)
    assert tracejit.map(lambda x: {state: state + x}, x)[0] is None


@pytest.mark.parametrize("kind", [dict, list, tuple])
def test_updates_of_shared_variables(kind):
    x = T.dvector("x")
    a, b = tracejit.shared(1.0, "a"), tracejit.shared(10.0, "b")

    def step(x):
        updates = {a: a + x, b: b + a}
        return [a * b], updates if kind is dict else kind(updates.items())

    found, updates = tracejit.scan(step, x)
    assert isinstance(updates, OrderedUpdates) and set(updates) == {a, b}
    f = tracejit.function([x], found, updates=updates)
    result, (p, q), rows = f(X), (1.0, 10.0), []
    for element in X:
        rows.append(p * q)
        p, q = p + element, q + p
    assert result.tolist() == rows
    assert (float(a.get_value()), float(b.get_value())) == (p, q)


def test_updates_that_are_not_passed_happen_not():
    state = tracejit.shared(np.zeros(2))
    found, _ = tracejit.scan(lambda: (state + 1, {state: state + 1}), n_steps=3)
    assert value(found).tolist() == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    assert state.get_value().tolist() == [0.0, 0.0]


def test_constants_and_what_is_around_may_be_outputs():
    x, w = T.dvector("x"), T.dscalar("w")
    found, _ = tracejit.scan(lambda x: [T.constant(2.0), w, w * 3], x)
    result = value(found, [x, w], [X[:2], 1.5])
    assert [r.tolist() for r in result] == [[2.0, 2.0], [1.5, 1.5], [4.5, 4.5]]


@pytest.mark.parametrize(
    "returned",
    [
        lambda x, s: 3,
        lambda x, s: [x, 3],
        lambda x, s: ({s: x}, x),
        lambda x, s: (until(x > 0), x),
        lambda x, s: (x, until(x > 0), {s: x}),
        lambda x, s: (x, {s: x}, until(x > 0), x),
    ],
)
def test_other_returns_are_refused(returned):
    state = tracejit.shared(0.0)
    with pytest.raises(ValueError):
        tracejit.scan(lambda x: returned(x, state), T.dvector())


def test_ordered_updates():
    a, b = tracejit.shared(0), tracejit.shared(0)
    one, other = OrderedUpdates([(a, a + 1)]), OrderedUpdates({b: b + 1})
    both = one + other
    assert list(both) == [a, b] and list({b: other[b]} + one) == [b, a]
    assert list(one + None) == [a]
    with pytest.raises(KeyError, match="Collision"):
        one + OrderedUpdates({a: a + 2})
    with pytest.raises(TypeError, match="SharedVariable"):
        OrderedUpdates({T.dscalar(): a})
    with pytest.raises(TypeError, match="SharedVariable"):
        one[3] = a


# Errors ------------------------------------------------------------------------------------------


def test_types_must_be_kept():
    for start, step in (
        (T.constant(0), lambda h: h * 1.5),
        (T.fscalar(), lambda h: h + T.dscalar()),
        (T.drow(), lambda h: h + T.dmatrix()),
        (T.dvector(), lambda h: h.sum()),
    ):
        with pytest.raises(TypeError, match=r"Inconsistency in the inner graph of scan 'loop'"):
            tracejit.scan(step, outputs_info=start, n_steps=3, name="loop")


def test_refused_arguments():
    x = T.dvector("x")
    with pytest.raises(ValueError, match="No information about the number of steps"):
        tracejit.scan(lambda h: h, outputs_info=x)
    with pytest.raises(ValueError, match="Please provide None as outputs_info"):
        tracejit.scan(lambda x, h: (x, h), x, [x])
    with pytest.raises(ValueError, match="future taps"):
        tracejit.scan(lambda x, h: h, x, {"initial": x, "taps": [1]})
    with pytest.raises(ValueError, match="initial state"):
        tracejit.scan(lambda x, h: h, x, {"taps": [-1]})
    with pytest.raises(ValueError, match="return_steps"):
        tracejit.scan(lambda x, h: h, x, {"initial": x, "return_steps": 1})
    with pytest.raises(ValueError, match="must be an int"):
        tracejit.scan(lambda x: x, x, n_steps=T.dscalar())
    with pytest.raises(ValueError, match="scalar"):
        tracejit.scan(lambda x: x, T.dscalar())
    with pytest.raises(TypeError, match="scalar"):
        until(x > 0)


def test_strict():
    x, w, s = T.dvector("x"), T.dscalar("w"), tracejit.shared(1.0, "s")
    for step in (lambda x: x + w, lambda x: x + s):
        tracejit.scan(step, x)
        with pytest.raises(tracejit.MissingInputError, match="non_sequences"):
            tracejit.scan(step, x, strict=True)
    tracejit.scan(lambda x, w, s: x + w + s, x, non_sequences=[w, s], strict=True)


def test_errors_name_the_line_and_the_step():
    x, w = T.dvector("x"), T.dmatrix("w")

    def mixing(h, w):
        return h + w.sum(0)  # the line

    f = tracejit.function([x, w], tracejit.scan(mixing, None, x, w, n_steps=4, name="loop")[0])
    with pytest.raises(tracejit.ShapeError, match="the line") as error:
        f(X, np.ones((3, 2)))
    notes = " ".join(error.value.__notes__)
    assert re.search(r'in a step of loop: .*mixing, in ".*test_scan.py", line \d+', notes)
    g = tracejit.function([x, w], tracejit.scan(lambda h, w: T.dot(h, w), None, x, w, n_steps=4)[0])
    with pytest.raises(tracejit.ShapeError, match="loops keep shapes"):
        g(X, np.ones((5, 2)))


# In NumPy ----------------------------------------------------------------------------------------


def test_what_is_not_compiled_runs_in_numpy(monkeypatch):
    def refused(attr, x):
        if isinstance(x, Tracer):
            raise NotTraceable("this is not compiled")
        return x

    monkeypatch.setitem(OPS, "refused", Opcode(refused, lambda attr, inputs: [inputs[0].type]))
    x, count = T.dvector("x"), tracejit.shared(0)

    def step(x, h):
        return apply("refused", [h + x])[0], {count: count + 1}, until(h > 5)

    found, updates = tracejit.scan(step, x, np.float64(0))
    f = tracejit.function([x], [found, found[-1]], updates=updates)
    with tracejit.config(on_unsupported="warn"), pytest.warns(tracejit.UnsupportedWarning):
        rows, last = f(X)
    assert (rows.tolist(), float(last), int(count.get_value())) == ([1.0, 3.0, 6.0, 10.0], 10.0, 4)


def test_test_values():
    with tracejit.change_flags(compute_test_value="raise"):
        x = T.dvector("x")
        x.tag.test_value = X
        found, _ = tracejit.scan(lambda x, h: x + h, x, T.zeros(()))
        np.testing.assert_array_equal(found.tag.test_value, np.cumsum(X))
        with pytest.raises(ValueError):
            tracejit.scan(lambda x, h: h + T.zeros(2), x, T.zeros(3))


# Kinds of loops ----------------------------------------------------------------------------------


def test_map_reduce_foldl_foldr():
    x = T.dvector("x")
    assert value(tracejit.map(lambda v, w: v * w, x, T.constant(2.0))[0], [x], [X]).tolist() == (
        (X * 2).tolist()
    )
    start = np.float64(100)
    for reduce, order in (
        (tracejit.reduce, X), (tracejit.foldl, X), (tracejit.foldr, X[::-1]),
    ):  # fmt: skip
        found, updates = reduce(lambda v, h: h / 2 + v, x, start)
        want = start
        for v in order:
            want = want / 2 + v
        assert float(value(found, [x], [X])) == want
        assert updates == {}
    (total, product), _ = tracejit.reduce(
        lambda v, a, b: (a + v, b * v), x, [np.float64(0), np.float64(1)]
    )
    assert value([total, product], [x], [X]) == [15.0, 120.0]


def test_loops_in_loops():
    x = T.dmatrix("x")

    def row(r, before):
        inner, _ = tracejit.scan(lambda v, h, b: h * 0.5 + v + b, r, np.float64(0), before)
        return inner[-1]

    found, _ = tracejit.scan(row, x, np.float64(1))
    values = np.arange(12.0).reshape(3, 4)
    before, want = 1.0, []
    for r in values:
        h = 0.0
        for v in r:
            h = h * 0.5 + v + before
        before = h
        want.append(h)
    np.testing.assert_allclose(value(found, [x], [values]), want)


def test_a_loop_whose_length_is_an_element():
    counts = T.lvector("counts")
    found, _ = tracejit.scan(
        lambda n: tracejit.scan(lambda h: h * 2, None, np.int64(1), n_steps=n)[0].sum(), counts
    )
    assert value(found, [counts], [[3, 0, 1]]).tolist() == [14, 0, 2]


def test_the_last_row_keeps_no_stack():
    x = T.dvector("x")
    (h, g), _ = tracejit.scan(lambda v, h: (h + v, h * v), x, [np.float64(0), None])
    f = tracejit.function([x], [h[-1], g[-1]])
    assert f(X) == [15.0, 50.0]
    assert "(float64, float64) = scan" in str(simplify(f.graph()))
    with pytest.raises(IndexError), tracejit.config(on_unsupported="warn"):
        f(X[:0])


def test_theano_names():
    from tracejit.theano.names import modules_of

    for module in ("scan_module", "scan_module.scan_utils", "scan_module.scan_op", "updates"):
        assert modules_of(f"theano.{module}") == (f"tracejit.{module}",)
