"""Symbolic functions: what they are made of, how they are called, and what they refuse."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import In, MissingInputError, Out, Param, UnusedInputError, function, shared
from tracejit.symbolic.debugmode import BadOptimization
from tracejit.symbolic.opcodes import OPS, Opcode

MODES = ["FAST_RUN", "FAST_COMPILE"]


@pytest.fixture(autouse=True)
def quick():
    """Programs are not compiled where a test does not ask for it."""
    with tracejit.change_flags(mode="FAST_COMPILE"):
        yield


def array0(result, value, dtype="float64"):
    assert type(result) is np.ndarray and result.shape == () and result.dtype == dtype
    assert result == value


# Making ------------------------------------------------------------------------------------------


def test_keys_of_outputs_are_looked_at_first():
    x = T.dscalar("x")
    with pytest.raises(AssertionError, match="strings"):
        function(x, {1: x})


def test_inputs_are_a_list():
    x = T.dscalar("x")
    with pytest.raises(Exception, match="should be contained in a list") as caught:
        function(x, x)
    assert type(caught.value) is Exception


def test_name_is_the_place_of_the_call():
    x = T.dscalar("x")
    f = function([x], x)
    file, _, line = f.name.rpartition(":")
    assert Path(file).name == "test_symbolic_function.py" and line.isdigit()
    assert function([x], x, name="g").name == "g"


@pytest.mark.parametrize("given", [(), "no", None, 1, T.dscalar()], ids=repr)
def test_no_default_updates_is_a_bool_or_a_list(given):
    # It is looked at before updates and inputs, which are wrong here too.
    with pytest.raises(TypeError, match="no_default_update should be either a boolean or a list"):
        function([1], None, updates=[1], no_default_updates=given)


def test_updates_are_pairs():
    x, y = T.dscalars("x", "y")
    for updates in ([x, y], [(x, y, x)], [1]):
        with pytest.raises(ValueError, match="must be an OrderedDict/dict or a list of lists/tup"):
            function([1], x, updates=updates)


def test_inputs_are_variables():
    with pytest.raises(TypeError, match="Constants not allowed in param list"):
        function([T.constant(1)], 1)
    with pytest.raises(TypeError, match="Unknown parameter type: <class 'int'>"):
        function([1], 1)


def test_an_input_is_given_once():
    x, y = T.dscalars("x", "y")
    with pytest.raises(UnusedInputError, match=r"Variable x is used twice .* indices 0 and 2"):
        function([x, y, x], x + y)


def test_shared_variables_are_no_inputs():
    s = shared(0.0, "s")
    with pytest.raises(TypeError, match="Cannot use a shared variable \\(s\\) as explicit input"):
        function([s], s)


def test_missing_and_unused_inputs():
    x, y, z = T.dscalars("x", "y", "z")
    with pytest.raises(MissingInputError, match="y"):
        function([x], x + y)
    with pytest.raises(UnusedInputError, match="at index 1 is not part of the computational graph"):
        function([x, y], x)
    with pytest.warns(UserWarning, match="at index 1 is not part"):
        f = function([x, y], x, on_unused_input="warn")
    array0(f(1.0, 2.0), 1.0)
    array0(function([x, y], x, on_unused_input="ignore")(1.0, 2.0), 1.0)
    with pytest.raises(ValueError, match="Invalid value for keyword on_unused_input: 'perhaps'"):
        function([x, y], x, on_unused_input="perhaps")
    with tracejit.change_flags(on_unused_input="ignore"):
        function([x, y], x)
    # Hidden behind another input.
    middle = x + y
    with pytest.raises(UnusedInputError, match="at index 0"):
        function([x, middle], middle * 2)
    # An update uses it, or it has one.
    s = shared(0.0)
    function([z], None, updates=[(s, s + z)])
    function([In(z, value=0.0, update=z + 1)], None)
    with pytest.raises(UnusedInputError, match="at index 1"):
        function([x, In(y, value=s)], x)


def test_an_input_may_be_inside_the_graph():
    x = T.dscalar("x")
    middle = x + 1
    array0(function([middle], middle * 2)(5.0), 10.0)


def test_modes_have_names():
    x = T.dscalar("x")
    for mode in ("FAST_RUN", "FAST_COMPILE", "Mode", "DEBUG_MODE", "NanGuardMode", "stabilize"):
        function([x], x, mode=mode)
    with pytest.raises(ValueError, match="no mode 'quick'"):
        function([x], x, mode="quick")


# Old style ---------------------------------------------------------------------------------------


def test_inputs_as_tuples():
    x, s = T.dscalars("x", "s")
    assert function([("other", x)], x + 1)(other=1.0) == 2
    f = function([(x, 5.0)], x)
    assert (f(), f(1.0), f()) == (5, 1, 5)
    f = function([("nm", x, 5.0)], x)
    assert (f(), f(nm=2.0)) == (5, 2)
    for state in (((s, s + x), 10.0), ("s", (s, s + x), 10.0)):
        f = function([x, state], s)
        assert (f(1.0), f(2.0), f[s], f["s"]) == (10, 11, 13, 13)
    s2 = shared(0.0)
    for extra in ({"updates": [(s2, s2 + 1)]}, {"givens": {s: x}}):
        with pytest.raises(NotImplementedError, match="tuples"):
            function([("other", x)], s, **extra)
    for bad in ((), ("a",), (x, 1.0, 2.0), (1, 2)):
        with pytest.raises(TypeError, match="input specification is not valid"):
            function([bad], x)


# In, Out -----------------------------------------------------------------------------------------


def test_defaults_are_restored_after_calls_and_errors():
    x, y = T.dscalars("x", "y")
    f = function([x, In(y, value=1)], x + y)
    assert [f(33), f(33, 2), f(33), f(33, y=5), f(33)] == [34, 35, 34, 38, 34]
    for bad in (lambda: f(33, [1, 2]), lambda: f(33, 1, q=2), lambda: f(y=2), lambda: f(1, "no")):
        with pytest.raises(TypeError):
            bad()
        assert f(33) == 34
    f[y] = 10
    assert f(33) == 43 and f["y"] == 10 and f[1] == 10 and f.value[y] == 10


def test_defaults_are_copies_of_what_was_given():
    x = T.dvector("x")
    value = np.ones(2)
    f = function([In(x, value=value)], x * 2)
    value[:] = 7
    assert f().tolist() == [2, 2]
    f[x] = value
    value[:] = 8
    assert f().tolist() == [14, 14]


@pytest.mark.parametrize("mode", MODES)
def test_a_default_may_come_before_an_input_without_one(mode):
    x, a, s = T.dscalars("x", "a", "s")
    f = function([x, In(a, value=1.0), s], x + 10 * a + 100 * s, mode=mode)
    for _ in range(2):
        assert (f(9, s=4), f(9, 2, 4)) == (419, 429)
        with pytest.raises(TypeError, match="Missing required input: s"):
            f(9, 2)


@pytest.mark.parametrize("mode", MODES)
def test_value_and_update_are_a_state(mode):
    x, s, y = T.dscalars("x", "s", "y")
    f = function([x, In(s, value=10.0, update=s + x * y), y], s, mode=mode)
    for _ in range(2):
        f[s] = 10.0
        assert (f(1, y=2), f(3, y=1), f[s], f.container["s"].value) == (10, 12, 15, 15)
        with pytest.raises(TypeError, match="Missing required input: y"):
            f(1, 2)
        # A state that is given stays, with the update on top of it.
        assert (f(1, 100, 2), f[s]) == (100, 102)


def test_a_given_state_is_a_copy_and_is_taken_back_after_an_error():
    x, s = T.dvectors("x", "s")
    f = function([x, In(s, value=np.zeros(2), update=s + x)], s.sum())
    mine = np.ones(2)
    f(np.ones(2), mine)
    assert mine.tolist() == [1, 1] and f[s].tolist() == [2, 2]
    with pytest.raises(ValueError, match="mis-match"):
        f(np.ones(3), mine)
    assert f[s].tolist() == [2, 2]


@pytest.mark.parametrize("mode", MODES)
def test_a_container_is_shared_between_functions(mode):
    x, s = T.dscalars("x", "s")
    inc = function([x, In(s, value=10.0, update=s + x)], None, mode=mode)
    look = function([x, In(s, value=inc.container[s])], s + x, mode=mode)
    again = function([x, In(s, value=inc.container[s], update=s - x)], s, mode=mode)
    for _ in range(2):
        inc[s] = 10.0
        assert inc(5.0) is None and look(1.0) == 16 and again(3.0) == 15 and inc[s] == 12
        with pytest.raises(TypeError, match="Tried to provide value for implicit input: s"):
            look(1.0, 2.0)
        with pytest.raises(TypeError, match="Tried to provide value for implicit input: s"):
            look(1.0, s=2.0)
    total = shared(3.0)
    assert function([In(s, value=total)], s)() == 3
    with pytest.raises(TypeError, match="cannot have its value where one of type"):
        function([In(s, value=shared(np.zeros(2)))], s)


def test_in_refuses():
    x, y = T.dscalar("x"), T.dvector("y")
    with pytest.raises(TypeError, match="name must be a string! \\(got: 3\\)"):
        In(x, name=3)
    with pytest.raises(TypeError, match="Variable and update must have the same type"):
        In(x, value=1.0, update=y)
    with pytest.raises(TypeError, match="An implicit input must be given a default value"):
        In(x, implicit=True)
    with pytest.raises(AssertionError, match="mutable=True, borrow=False"):
        In(x, mutable=True, borrow=False)
    with pytest.raises(TypeError, match="has an update and needs a value"):
        function([In(x, update=x + 1)], x)
    assert In(x).name == "x" and In(x, autoname=False).name is None
    assert In(x, implicit=True, value=1.0).implicit and not In(x, value=1.0).implicit
    assert Param(x, 3.0, "z").value == 3.0


def test_param_strict_and_downcast():
    x = T.fvector("x")
    assert function([Param(x, [1, 2], "z")], x)(z=[3, 4]).tolist() == [3, 4]
    strict = function([In(x, strict=True)], x + 1)
    assert strict(np.ones(2, "float32")).tolist() == [2, 2]
    for bad in ([1, 2], np.ones(2), np.ones(2, "int8")):
        with pytest.raises(TypeError, match="strict=True"):
            strict(bad)
    loose = function([In(x, allow_downcast=True)], x)
    assert loose(np.array([0.1, 2])).dtype == "float32"
    assert function([x], x, allow_input_downcast=True)(np.array([0.1])).dtype == "float32"
    with pytest.raises(TypeError, match="without risking loss of precision"):
        function([In(x, allow_downcast=False)], x, allow_input_downcast=True)(np.array([0.1]))


@pytest.mark.parametrize("mode", MODES)
def test_scalars_are_converted_alike_on_every_call(mode):
    d, i, f32, z = T.dscalar("d"), T.iscalar("i"), T.fscalar("f"), T.zscalar("z")
    f = function([d], d + 1, mode=mode)
    for _ in range(2):
        for value in (1, 1.0, np.float32(1), np.int8(1), np.array(1), True):
            array0(f(value), 2.0)
        with pytest.raises(TypeError, match="cannot store accurately"):
            f(2**53 + 1)
        with pytest.raises(TypeError):
            f(1j)
    f = function([i], i + np.int8(1), mode=mode)
    for _ in range(2):
        array0(f(1), 2, "int32")
        array0(f(2.0), 3, "int32")
        for bad in (2.5, 2**31, "1", None):
            with pytest.raises(TypeError, match=r"Bad input argument with name \"i\".* at index 0"):
                f(bad)
    f = function([f32], f32, mode=mode)
    for _ in range(2):
        array0(f(0.5), 0.5, "float32")
        with pytest.raises(TypeError, match="cannot store accurately"):
            f(0.1)
        with tracejit.change_flags(floatX="float32"):
            array0(f(0.1), np.float32(0.1), "float32")
            with pytest.raises(TypeError, match="cannot store accurately"):
                f(np.float64(0.1))
    f = function([z], z, mode=mode)
    assert [f(1), f(2j), f(0.5)] == [1, 2j, 0.5]


def test_out_says_what_may_be_shared():
    x = T.dvector("x")
    a = np.ones(2)
    result = function([x], Out(x, borrow=True))(a)
    assert result.tolist() == [1, 1] and not np.shares_memory(result, a)
    assert repr(Out(x)) == "Out(x, False)"


# Outputs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_structures_of_outputs(mode):
    x = T.dscalar("x")
    array0(function([x], x + 1, mode=mode)(1), 2.0)
    assert function([x], None, mode=mode, on_unused_input="ignore")(1) is None
    assert function([x], [], mode=mode, on_unused_input="ignore")(1) == []
    for outputs in ([x + 1], (x + 1,)):
        result = function([x], outputs, mode=mode)(1)
        assert type(result) is list
        array0(result[0], 2.0)
    result = function([x], {"b": x + 1, "a": x - 1}, mode=mode)(1)
    assert type(result) is dict and list(result.items()) == [("a", 0), ("b", 2)]
    assert [v.shape for v in result.values()] == [(), ()]
    # The same variable twice, a constant, an input.
    first, second, three, same = function([x], [x + 1, x + 1, 3, x], mode=mode)(1)
    assert (first, second, three, same) == (2, 2, 3, 1) and three.dtype == "int8"
    with pytest.raises(TypeError, match="outputs of a function are symbolic variables"):
        function([x], "x")


@pytest.mark.parametrize("mode", MODES)
def test_output_subset_still_updates(mode):
    x, s = T.dscalar("x"), shared(0.0)
    f = function([x], [x + 1, x + 2, x + 3], updates=[(s, s + x)], mode=mode)
    assert f(1, output_subset=[2, 0]) == [4, 2]
    assert f(1, output_subset=[]) == []
    g = function([x], {"b": x + 1, "a": x - 1}, updates=[(s, s + x)], mode=mode)
    assert g(1, output_subset=["b"]) == {"b": 2}
    assert function([x], x, mode=mode)(1, output_subset=[0]) == [1]
    for bad in (lambda: f(1, output_subset=[3]), lambda: g(1, output_subset=["c"])):
        with pytest.raises((IndexError, ValueError)):
            bad()
    assert s.get_value() == 3


# Calls -------------------------------------------------------------------------------------------


def test_names():
    x, y, w = T.dscalars("x", "y", "w")
    f = function([x, In(y, value=1), In(w, value=2, name="w_by_name")], (x + y) * w)
    values = [f(33), f(33, 2), f(33, 0, 1), f(33, w_by_name=1), f(33, w_by_name=1, y=0), f(x=1)]
    assert values == [68, 70, 33, 34, 33, 4]
    with pytest.raises(TypeError, match="Multiple values for input: y"):
        f(33, 2, y=1)
    with pytest.raises(TypeError, match="Missing required input: x"):
        f(y=1)
    with pytest.raises(TypeError, match="Too many parameter passed"):
        f(1, 2, 3, 4)
    with pytest.raises(TypeError, match="Unknown input or state: w"):
        f(33, w=1)


def test_text_of_an_unknown_name():
    x, y, z, w = T.dscalar(), T.dscalar("y"), T.dscalar("z"), T.dscalar("w")
    f = function([x, y, z, w], x + y + z + w)
    with pytest.raises(TypeError) as caught:
        f(1, q=2)
    assert str(caught.value) == (
        "Unknown input or state: q. The function has 3 named inputs (y, z, w), and 1 unnamed input "
        "which thus cannot be accessed through keyword argument (use 'name=...' in a variable's "
        "constructor to give it a name)."
    )


def test_two_inputs_of_one_name():
    a, b = T.dscalar("x"), T.dscalar("x")
    f = function([a, In(b, value=1.0)], a - b)
    assert f(3, 1) == 2
    for use in (lambda: f(1, x=2), lambda: f["x"]):
        with pytest.raises(TypeError, match="Ambiguous name: x"):
            use()
    assert f[b] == 1


def test_more_arguments_than_inputs_reach_the_states():
    x, s = T.dscalar("x"), shared(0.0)
    f = function([x], x + s)
    with pytest.raises(TypeError, match="Tried to provide value for implicit input"):
        f(1, 2)
    with pytest.raises(TypeError, match="Too many parameter passed"):
        f(1, 2, 3)


def test_text_of_a_bad_argument():
    x = T.dmatrix("x")
    f = function([x], x, name="twice")
    with pytest.raises(TypeError) as caught:
        f([1, 2, 3])
    text = str(caught.value)
    for part in (
        'Bad input argument with name "x" to tracejit function with name "twice" at index 0 (0-bas',
        "Wrong number of dimensions: expected 2, got 1 with shape (3,).",
        "test_symbolic_function.py",
    ):
        assert part in text
    with pytest.raises(
        TypeError, match="found a Variable: maybe you are trying to call a function"
    ):
        f(x)


def test_states_by_variable_name_and_position():
    x, a = T.dscalars("x", "a")
    s = shared(np.zeros(2), "s")
    f = function([x, In(a, value=1.0)], x + a + s.sum(), updates=[(s, s + x)])
    f[s] = np.ones(2)
    assert s.get_value().tolist() == [1, 1] and f["s"].tolist() == [1, 1]
    assert f["a"] == f[a] == f[1] == f.value["a"] == 1
    assert a in f and "s" in f and "q" not in f and x not in f and None not in f
    for unknown in ("q", T.dscalar(), 0, 7, None):
        with pytest.raises(TypeError, match="Unknown input or state"):
            f[unknown]
    with pytest.raises(TypeError, match="Wrong number of dimensions"):
        f["s"] = 1.0
    assert f.get_shared() == [s] and f.shared_variables == [s]


def test_attributes_that_programs_use():
    x, s = T.dscalar("x"), shared(0.0, "s")
    f = function([x], x + s, updates=[(s, s + 1)], name="f")
    assert f.trust_input is False and f.profile is None and f.inputs == [x]
    assert len(f.outputs) == 1 and repr(f) == "<tracejit function f(x)>"
    graph = f.maker.fgraph
    assert graph.inputs == [x, s] and len(graph.outputs) == 2
    assert [node.opcode for node in graph.toposort()] == ["elemwise"] * len(graph.toposort())
    assert f.input_storage[0].data is None and f.input_storage[1] is s.container
    f(1)
    f.free()
    assert s.container.spare is None and f(1) == 2


# Givens ------------------------------------------------------------------------------------------


def test_givens():
    x, y = T.lscalar("x"), T.lscalar("y")
    assert function([], x + 1, givens={x: 3})() == 4
    assert function([y], x + 1, givens=[(x, y * 2)])(5) == 11
    s = shared(7, "s")
    assert function([], x + 1, givens={x: s})() == 8
    with pytest.raises(TypeError, match="given keys must be Variable"):
        function([], x, givens={3: x})
    with pytest.raises(RuntimeError, match="You are trying to replace variable 'x' through the `g"):
        function([x], x + 1, givens={x: y})
    with pytest.raises(TypeError):
        function([], x, givens={x: 2.5})
    with pytest.raises(AssertionError, match="earlier given"):
        function([], x, givens=[(x, y * 2), (y, x + 1)])
    z = T.dscalar("z")
    with pytest.raises(TypeError, match="Cannot convert Type"):
        function([z], x, givens={x: z})


def test_givens_reach_updates_and_default_updates():
    a = shared(11, "a")
    a.default_update = a + 3
    f = function([], a, givens={a: a + 10})
    assert [f(), f(), a.get_value()] == [21, 34, 37]
    x, s = T.lscalar("x"), shared(1)
    function([], None, updates=[(s, s + x)], givens={x: 5})()
    assert s.get_value() == 6


def test_a_replaced_variable_gets_no_default_update():
    a, b = shared(1, "a"), shared(2, "b")
    a.default_update = a + 1
    f = function([], a, givens={a: b})
    assert (f(), a.get_value()) == (2, 1)


def test_givens_of_other_types():
    w = T.imatrix("w")
    x, y = T.ivectors("x", "y")
    z = x * y + 1
    with pytest.raises(TypeError, match="rebuild_strict=False"):
        function([w, y], z, givens=[(x, w)])
    f = function([w, y], z, givens=[(x, w)], rebuild_strict=False)
    assert np.array_equal(
        f(np.ones((3, 5), "int32"), np.arange(5, dtype="int32")), np.ones((3, 5)) * np.arange(5) + 1
    )
    v = T.fvector("v")
    assert function([v, y], z, givens={x: v}, rebuild_strict=False)([0.5], [3]).tolist() == [2.5]
    row = T.TensorType("int32", (True,))("row")
    assert function([row, y], z, givens={x: row})([2], [3]).tolist() == [7]


# Updates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_updates_are_simultaneous_and_outputs_from_before(mode):
    a, b = shared(np.array([1.0, 2.0]), "a"), shared(np.array([3.0, 4.0]), "b")
    f = function([], [a, b], updates=[(a, b), (b, a)], mode=mode)
    for k in range(4):
        first, second = f()
        assert (first.tolist(), second.tolist()) == (
            ([1, 2], [3, 4]) if k % 2 == 0 else ([3, 4], [1, 2])
        )
        assert not np.shares_memory(a.get_value(borrow=True), b.get_value(borrow=True))
    g = function([], a.sum(), updates={a: a + b, b: a - b}, mode=mode)
    assert g() == 3
    assert (a.get_value().tolist(), b.get_value().tolist()) == ([4, 6], [-2, -2])


def test_updates_are_refused():
    x, s, v = T.dscalar("x"), shared(0.0, "s"), shared(np.zeros(2), "v")
    with pytest.raises(TypeError, match="update target must be a SharedVariable"):
        function([x], x, updates=[(x, x + 1)])
    with pytest.raises(ValueError, match="this shared variable already has an update expression"):
        function([x], x, updates=[(s, s + 1), (s, s + 2)])
    row = T.TensorType("float64", (True,))("row")
    for target, bad in ((s, v), (s, T.cast(s, "float32")), (v, row), (shared(0), shared(0) + 0.5)):
        with pytest.raises(TypeError) as caught:
            function([row], row, updates=[(target, bad)], on_unused_input="ignore")
        first, second = caught.value.args
        assert "An update must have the same type as the original shared variable" in first
        assert "broadcast pattern" in second and "tensor.unbroadcast" in second


def test_values_as_updates():
    n, v = shared(0), shared(np.zeros(2))
    function([], None, updates={n: 3})()
    function([], None, updates=[(v, np.array([1.0, 2.0]))])()
    function([], None, updates=[(n, n)])()
    assert n.get_value() == 3 and v.get_value().tolist() == [1, 2]


def test_default_updates():
    a, b, c = shared(0, "a"), shared(10, "b"), shared(100, "c")
    a.default_update = a + b
    b.default_update = b + c
    c.default_update = c + 1
    f = function([], a)
    assert [f(), f(), a.get_value(), b.get_value(), c.get_value()] == [0, 10, 120, 211, 102]
    # An explicit update goes before; what its expression reaches is updated too.
    g = function([], None, updates=[(a, c * 0)])
    g()
    assert (a.get_value(), b.get_value(), c.get_value()) == (0, 211, 103)
    h = function([], a, no_default_updates=True)
    h()
    assert (a.get_value(), b.get_value()) == (0, 211)
    function([], a, no_default_updates=[a])()
    assert (a.get_value(), b.get_value(), c.get_value()) == (0, 211, 103)
    function([], a, updates=[(a, a + 1)], no_default_updates=True)()
    assert (a.get_value(), b.get_value()) == (1, 211)
    function([], a, no_default_updates=[b])()
    assert (a.get_value(), b.get_value(), c.get_value()) == (212, 211, 103)
    del a.default_update
    # It was read when the functions were made.
    f()
    assert a.get_value() == 423


def test_default_updates_are_checked():
    a = shared(0)
    a.default_update = a + 0.5
    with pytest.raises(TypeError, match="An update must have the same type"):
        function([], a)


@pytest.mark.parametrize("count", [17, 40, 400])
def test_many_states(count):
    states = [shared(float(k)) for k in range(count)]
    f = function([], None, updates=[(s, s + 1) for s in states])
    for _ in range(3):
        f()
    assert [float(s.get_value()) for s in states] == [k + 3.0 for k in range(count)]


# Modes -------------------------------------------------------------------------------------------


def test_fast_compile_compiles_nothing():
    x = T.dvector("x")
    slow, fast = function([x], x.sum()), function([x], x.sum(), mode="FAST_RUN")
    assert slow([1.0, 2]) == fast([1.0, 2]) == 3
    assert slow.source() == "" and fast.source() != "" and slow.stats.compiles == 0
    assert fast.graph() is not None and fast.stats.traces == 1


def test_settings_are_seen_by_functions_that_have_run():
    x, a = T.dvector("x"), np.ones(2)
    f = function([x], x + 1, mode="FAST_RUN")
    f(a), f(a)
    with tracejit.config(compile=False):
        f(a)
    f(a)
    assert [path.key[0] for path in f.program.paths] == [True, False] and f.stats.traces == 2


def test_debug_mode_finds_a_wrong_value(monkeypatch):
    x, s = T.dvector("x"), shared(0.0, "s")
    total = x.sum() + 1  # the line
    f = function([x], total, updates=[(s, s + total)], mode="DebugMode")
    assert f([1.0, 2.0]) == 4 and s.get_value() == 4
    node = next(n for n in f.maker.fgraph.toposort() if n.opcode != "elemwise")
    right = OPS[node.opcode].evaluate

    def wrong(attr, *values):
        result = right(attr, *values)
        return result * 2 if isinstance(result, np.generic | np.ndarray) else result

    # Plain NumPy is made wrong here: the two no longer agree.
    monkeypatch.setitem(OPS, node.opcode, Opcode(wrong, OPS[node.opcode].types))
    with pytest.raises(BadOptimization) as caught:
        f([1.0, 2.0])
    text = str(caught.value)
    assert node.label() in text and "compiled 3." in text and "NumPy 6." in text
    assert "test_symbolic_function.py" in text and "# the line" in text
    assert s.get_value() == 4


@pytest.mark.cpu
def test_debug_mode_finds_a_wrong_compiled_function(monkeypatch):
    from tracejit.symbolic import call as symbolic_call

    x = T.dvector("x")
    f = function([x], T.exp(x) * 2, mode="DebugMode")
    real = symbolic_call.executable_of

    def broken(graph, *args, **kwargs):
        executable = real(graph, *args, **kwargs)
        if len(graph.outputs) == 1:  # the function itself, where everything is fused
            entry = executable.entry
            executable.entry = lambda x, out: entry(x + 1, out)
        return executable

    monkeypatch.setattr(symbolic_call, "executable_of", broken)
    with pytest.raises(BadOptimization, match=r"multiply.*differs from NumPy's value"):
        f([1.0, 2.0])


def test_debug_mode_takes_an_output_twice():
    x = T.dscalar("x")
    y = x + 1
    assert function([x], [y, y], mode="DebugMode")(1.0) == [2, 2]


def test_debug_mode_knows_of_better_behaved_forms():
    x = T.dvector("x")
    f = function([x], T.log(1 - 1 / (1 + T.exp(-x))), mode="DebugMode")
    assert np.allclose(f([0.0, 100.0]), [-np.log(2), -100], rtol=1e-12)


def test_nan_guard_mode():
    x, s = T.dvector("x"), shared(0.0, "s")
    y = T.log(x)  # the line
    f = function([x], y.sum(), updates=[(s, s + 1)], mode="NanGuardMode")
    assert f([1.0, 1.0]) == 0 and s.get_value() == 1
    for bad in ([-1.0, 1.0], [0.0, 1.0]):
        with pytest.raises(AssertionError, match=r"log.*holds (nan|infinity)[\s\S]*# the line"):
            f(bad)
    with pytest.raises(AssertionError, match="x holds nan"):
        f([np.nan, 1.0])
    assert s.get_value() == 1
    # A state that would become infinite.
    big = shared(1e308)
    g = function([], None, updates=[(big, big * 10)], mode="NanGuardMode")
    with pytest.raises(AssertionError, match="holds a value beyond 1e"):
        g()
    assert big.get_value() == 1e308


@pytest.mark.parametrize("mode", ["DebugMode", "NanGuardMode"])
def test_watching_modes_let_errors_through(mode):
    x, y = T.dvectors("x", "y")
    f = function([x, y], x + y, mode=mode)
    assert f([1.0], [2.0]).tolist() == [3]
    with pytest.raises(ValueError, match="mis-match"):
        f([1.0, 2.0], [2.0])


def test_profile():
    x = T.dscalar("x")
    f = function([x], x + 1, profile=True, mode="FAST_RUN")
    for _ in range(3):
        f(1.0)
    assert f.profile.fct_callcount == 3 and f.profile.fct_call_time > 0
    assert f.profile.summary().startswith("3 calls, ")
    assert f.copy().profile is None and f.copy(profile=True).profile.fct_callcount == 0


# Errors of a run ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_lengths_must_agree(mode):
    x, y = T.dvectors("x", "y")
    f = function([x, y], x + y, mode=mode)  # axes broadcast by their types alone
    assert f([1.0], [2.0]).tolist() == [3]
    for _ in range(2):
        with pytest.raises(ValueError, match=r"Input dimension mis-match") as caught:
            f([1.0], [2.0, 3.0])
    assert "test_symbolic_function.py" in str(caught.value) and "addbroadcast" in str(caught.value)
    paths = len(f.program.paths)
    assert f([1.0, 2.0], [2.0, 3.0]).tolist() == [3, 5] and paths == len(f.program.paths) == 1


# Constructors and flags --------------------------------------------------------------------------


def test_constructors():
    patterns = {"scalar": (), "vector": (False,), "row": (True, False), "col": (False, True)}
    patterns |= {"matrix": (False, False), **{f"tensor{n}": (False,) * n for n in range(3, 8)}}
    letters = "int8 int16 int32 int64 float32 float64 complex64 complex128".split()
    for kind, pattern in patterns.items():
        v = getattr(T, kind)("v")
        assert (v.dtype, v.broadcastable, v.name) == ("float64", pattern, "v")
        assert getattr(T, kind)(dtype="int8").dtype == "int8"
        for letter, dtype in zip("bwilfdcz", letters, strict=True):
            made = getattr(T, letter + kind)
            assert isinstance(made, T.TensorType) and made("v").type == T.TensorType(dtype, pattern)
    with tracejit.change_flags(floatX="float32"):
        assert T.vector().dtype == "float32" and T.dvector().dtype == "float64"
        assert T.TensorType("floatX", ()).dtype == "float32"
        assert shared(0.0).dtype == "float64"
    assert T.Tensor is T.TensorType
    assert T.tensor("int8", (True, False), "t").type == T.TensorType("int8", (True, False))
    for absent in ("ubscalar", "hvector", "bscalars", "wmatrices", "cscalars"):
        assert not hasattr(T, absent)
    for bad in ("float128", "object", "no"):
        with pytest.raises(TypeError, match="Unsupported dtype"):
            T.TensorType(bad, ())


def test_several_at_once():
    a, b = T.dmatrices("a", "b")
    assert (a.name, b.name, a.type) == ("a", "b", T.TensorType("float64", (False, False)))
    assert [v.name for v in T.dmatrices(2)] == [None, None]
    assert [v.name for v in T.scalars("xys")] == ["x", "y", "s"]
    assert T.scalars("x").name == "x"
    assert T.scalars() == [] and len(T.scalars(1)) == 1
    for kind in ("scalars", "vectors", "matrices", "rows", "cols", "tensor3s", "tensor4s"):
        for letter in ("", *"fdil"):
            assert len(getattr(T, letter + kind)("a", "b")) == 2


def test_constants():
    assert T.constant([[1, 2]]).broadcastable == (True, False)
    assert T.constant(np.zeros((1, 2))).type == T.TensorType("float64", (True, False))
    assert T.constant(1, ndim=2).broadcastable == (True, True)
    assert T.constant(1, dtype="float32").dtype == "float32" and T.constant(1, "one").name == "one"
    for value, dtype in (
        (1, "int8"), (300, "int16"), (70_000, "int32"), (2**40, "int64"), (0.5, "float32"),
        (0.1, "float64"), (np.float64(0.5), "float64"), (np.int64(1), "int64"),
    ):  # fmt: skip
        assert T.constant(value).dtype == dtype
    with pytest.raises(TypeError, match=r"Cannot cast True or False as a tensor variable.*eq"):
        T.as_tensor_variable(True)
    x = T.dvector("x")
    assert T.as_tensor_variable(x) is x and T.as_tensor_variable(x, ndim=2).ndim == 2


def test_flags():
    config = tracejit.config
    assert config.floatX == "float64" and config.cast_policy == "custom"
    config.floatX = "float32"
    try:
        assert T.scalar().dtype == "float32"
    finally:
        config.floatX = "float64"

    @tracejit.change_flags(floatX="float32")
    def made():
        return T.scalar().dtype

    assert (made(), made(), T.scalar().dtype) == ("float32", "float32", "float64")
    with pytest.raises(RuntimeError, match="inside"), tracejit.change_flags(floatX="float32"):
        raise RuntimeError("inside")
    assert config.floatX == "float64"
    with pytest.raises(AttributeError, match="no flag"), tracejit.change_flags(nothing=1):
        pass
    with pytest.raises(ValueError, match="floatX may be"):
        config.floatX = "float8"
    assert config.floatX == "float64"


def test_an_evaluation_is_compiled_once():
    x, y = T.dscalars("x", "y")
    z = x + y
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert z.eval({x: 1, y: 2}) == 3 and z.eval({y: 3, x: 2}) == 5
    assert len(z._eval_functions) == 1
