"""The trace: what it answers, what it records, and which lengths it makes one."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit
from tracejit.errors import NotTraceable, take_refusal
from tracejit.ir import build, dims, ops
from tracejit.ir.verify import verify
from tracejit.plan.structure import Static, flatten, same, unflatten
from tracejit.trace.explain import scalar_text
from tracejit.trace.origin import user_origin
from tracejit.trace.trace import Trace, condition


@pytest.fixture
def trace():
    take_refusal()
    new = Trace()
    with build.use_solver(new):
        yield new
    take_refusal()


def lengths(trace, *shapes):
    found = []
    for k, shape in enumerate(shapes):
        found += trace.input(np.zeros(shape), f"x{k}").node.shape
    return found


def texts(trace):
    return [scalar_text(c.condition, trace.names) for c in trace.checks]


def test_axes_of_length_one_are_literals(trace):
    x = trace.input(np.zeros((1, 3)), "x")
    assert x.node.shape == (1, dims.dim("x", 1, trace.token))
    graph = trace.graph([x.node])
    assert [c.reason for c in graph.checks] == ["x.shape[0] == 1", "x.shape[1] != 1"]


def test_equal_lengths_become_one(trace):
    n, m = lengths(trace, 3, 3)
    assert trace.equal(n, m)
    assert trace.canonical(m) is n
    assert trace.canonical(dims.add(m, 1)) is dims.add(n, 1)
    assert trace.equal(m, n) and trace.equal(dims.mul(m, m), dims.mul(n, n))
    assert texts(trace) == ["x0.shape[0] == x1.shape[0]"]
    inputs = trace.graph([]).inputs
    assert inputs[0].shape == inputs[1].shape


def test_unequal_lengths_are_checked_too(trace):
    n, m = lengths(trace, 3, 4)
    assert not trace.equal(n, m)
    assert texts(trace) == ["x0.shape[0] != x1.shape[0]"]
    assert not trace.substitutions


def test_a_length_is_solved_for(trace):
    n, m = lengths(trace, 5, 3)
    assert trace.equal(dims.sub(n, 2), m)
    assert trace.canonical(m) is dims.sub(n, 2)
    assert trace.equal(dims.mul(2, n), dims.add(dims.mul(2, m), 4))


def test_products_are_solved_for(trace):
    n, m, k = lengths(trace, (2, 3), 6)
    assert trace.equal(dims.mul(n, m), k)
    assert trace.canonical(k) is dims.mul(n, m)


def test_products_that_cannot_be_solved(trace):
    a, b, c, d = lengths(trace, (2, 6), (3, 4))
    assert trace.equal(dims.mul(a, b), dims.mul(c, d))
    assert trace.equal(dims.mul(c, d), dims.mul(a, b))
    assert len(trace.checks) == 1


def test_a_chain_of_equal_lengths(trace):
    found = lengths(trace, 3, 3, 3, 3)
    for a, b in zip(found[::-1], found[-2::-1], strict=False):
        assert trace.equal(a, b)
    assert {trace.canonical(d) for d in found} == {found[0]}
    assert not any(isinstance(t, int) for t in trace.substitutions.values())


def test_a_half_is_no_reason_to_replace_its_whole(trace):
    (n,) = lengths(trace, 0)
    half = dims.floordiv(n, 2)
    assert trace.equal(half, n)
    assert trace.canonical(half) is n


def test_certain_answers_need_no_check(trace):
    n, m = lengths(trace, 3, 5)
    assert trace.truth(condition("greater_equal", n, 0))
    assert not trace.truth(condition("less", dims.add(n, m), 0))
    assert trace.truth(condition("less", n, dims.add(n, 1)))
    assert not trace.truth(condition("equal", dims.add(n, 1), 0))
    assert not trace.checks


def test_truth_is_recorded_once_and_its_opposite_follows(trace):
    (n,) = lengths(trace, 3)
    test = condition("less", n, 10)
    assert trace.truth(test) and trace.truth(test)
    assert texts(trace) == ["x0.shape[0] < 10"]
    assert not trace.truth(condition("greater", n, 20))
    assert texts(trace)[1:] == ["x0.shape[0] <= 20"]


def test_concrete_answers(trace):
    k = trace.input(3, "k").node
    v = trace.input(-0.0, "v").node
    w = trace.input(float("nan"), "w").node
    assert trace.concrete(k) == 3 and type(trace.concrete(k)) is int
    assert str(trace.concrete(v)) == "-0.0"
    assert np.isnan(trace.concrete(w))
    assert texts(trace) == ["k == 3", "v == -0.0", "signbit(v)", "isnan(w)", "not signbit(w)"]
    verify(trace.graph([build.elementwise("add", v, w)]))


def test_a_number_may_be_a_length_but_stays_an_input(trace):
    (n,) = lengths(trace, 3)
    k = trace.input(3, "k").node
    assert trace.equal(n, k)
    assert trace.canonical(n) is k
    assert [i.op for i in trace.graph([]).inputs] == [ops.INPUT, ops.INPUT]


def test_content_of_arrays_is_no_answer(trace):
    x = trace.input(np.ones(3), "x").node
    with pytest.raises(NotTraceable, match="value of an array"):
        trace.truth(build.reduce("any", x, (0,)))
    count = build.nonzero(build.cast(x, np.dtype(bool))).shape[0]
    assert trace.value(count) is None
    with pytest.raises(NotTraceable, match="depends on data"):
        trace.equal(count, x.shape[0])


def test_constants_become_hidden_inputs(trace):
    table = np.arange(3.0)
    first = trace.array_input(table)
    assert trace.array_input(table) is first
    assert first.node.shape == (3,)
    table[0] = 9  # what was captured is a copy
    assert trace.constants["constant"][0] == 0


def test_names_are_unique_and_follow_the_user(trace):
    names = [
        trace.input(1.0, path).node.attr[0] for path in ("x", "x[0]", "p['w']", "p.w", "x_0", "[]")
    ]
    assert names == ["x", "x_0", "p_w", "p_w_2", "x_0_2", "v_"]


def test_origin_is_the_users_line():
    origin = user_origin()
    assert origin.file == __file__ and origin.function == "test_origin_is_the_users_line"


# Structure --------------------------------------------------------------------------------------


def leaf(value, path):
    from tracejit.plan.structure import NUMBER

    if type(value) is float:
        found.append(path)
        return NUMBER
    return None


found: list[str] = []


def test_flatten_and_back():
    found.clear()
    value = {"a": (1.0, [2.0, "s"]), 3: None}
    spec = flatten(value, "p", leaf)
    assert found == ["p['a'][0]", "p['a'][1][0]"]
    assert unflatten(spec, iter([5.0, 6.0])) == {"a": (5.0, [6.0, "s"]), 3: None}
    assert hash(spec) == hash(flatten(value, "p", leaf)) and spec == flatten(value, "q", leaf)
    assert spec != flatten({"a": (1.0, [2.0, "t"]), 3: None}, "p", leaf)


@pytest.mark.parametrize(
    ("a", "b"),
    [(True, 1), (1, 1.0), (0.0, -0.0), ((1, 2), (1, 2.0)), ("1", 1), (slice(0, 1), slice(0, 1.0))],
)
def test_static_values_are_told_apart(a, b):
    assert not same(a, b) and Static(a) != Static(b)
    assert same(a, a) and Static(a) == Static(a)


def test_what_contains_itself_is_refused():
    loop: list = []
    loop.append(loop)
    with pytest.raises(NotTraceable, match="contains itself"):
        flatten(loop, "x", leaf)
    with pytest.raises(NotTraceable, match=r"x is an instance of builtins\.object"):
        flatten(object(), "x", leaf)
    take_refusal()


# Settings ---------------------------------------------------------------------------------------


def test_settings_change_for_a_while():
    before = tracejit.config.debug
    with tracejit.config(debug=2, compile=False) as config:
        assert config.debug == 2 and config.compile is False
        with tracejit.config(debug=3):
            assert tracejit.config.debug == 3 and config.compile is False
        assert tracejit.config.debug == 2
    assert tracejit.config.debug == before


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"debgu": 1}, TypeError, "no setting 'debgu'; there are: debug, compile"),
        ({"debug": 9}, ValueError, "debug must be between 0 and 5, not 9"),
        ({"compile": 1}, TypeError, "compile must be True or False, not 1"),
        ({"on_unsupported": "x"}, ValueError, 'must be "warn" or "error", not \'x\''),
        ({"threads": 1.5}, TypeError, "threads must be an integer"),
    ],
)
def test_bad_settings_are_refused_where_they_are_given(changes, error, text):
    with pytest.raises(error, match=text):
        tracejit.config(**changes)


def test_settings_are_not_assigned():
    with pytest.raises(AttributeError, match=r"with tracejit\.config"):
        tracejit.config.debug = 1
    with pytest.raises(AttributeError, match="no setting"):
        _ = tracejit.config.nothing


@pytest.mark.parametrize(
    ("name", "value", "expression", "shown"),
    [
        ("DEBUG", "1", "debug", "1"),
        ("COMPILE", "off", "compile", "False"),
        ("ON_UNSUPPORTED", "warn", "on_unsupported", "warn"),
        ("THREADS", "two", "threads", "TRACEJIT_THREADS must be a whole number, not 'two'"),
        ("CACHE", "maybe", "cache", "TRACEJIT_CACHE must be 1 or 0"),
    ],
)
def test_settings_from_the_environment(monkeypatch, name, value, expression, shown):
    from tracejit.config import _from_environment

    monkeypatch.setenv(f"TRACEJIT_{name}", value)
    try:
        text = str(getattr(_from_environment(), expression))
    except ValueError as error:
        text = str(error)
    assert shown in text


def test_settings_belong_to_a_thread():
    from concurrent.futures import ThreadPoolExecutor

    with tracejit.config(debug=4), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: tracejit.config.debug).result() != 4
