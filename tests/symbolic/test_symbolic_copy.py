"""Copies of functions over one compiled program, and pickles of functions and graphs."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit import In, Out, function, shared
from tracejit.symbolic.graph import toposort

MODES = ["FAST_RUN", "FAST_COMPILE"]


def accumulator(mode="FAST_COMPILE", **kwargs):
    state, inc = shared(0, "state"), T.iscalar("inc")
    f = function([inc], state, updates=[(state, state + inc)], mode=mode, name="acc", **kwargs)
    return f, state


# copy() ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_swap(mode):
    f, state = accumulator(mode)
    assert f(10) == 0
    new = shared(0, "new")
    g = f.copy(swap={state: new})
    result = g(100)
    assert type(result) is list and type(result[0]) is np.ndarray and result == [0]
    assert (state.get_value(), new.get_value()) == (10, 100)
    assert f(1) == 10 and g(1) == [100]
    assert f.get_shared() == [state] and g.get_shared() == [new] and g["new"] == 101
    # A swapped copy swapped again, and back.
    third = shared(7)
    h = g.copy(swap={new: third})
    assert h(1) == [7] and h.copy(swap={third: state})(0) == [11]
    assert (state.get_value(), new.get_value(), third.get_value()) == (11, 101, 8)
    with pytest.raises(ValueError, match="SharedVariable: state not found"):
        g.copy(swap={state: third})


@pytest.mark.parametrize("mode", MODES)
def test_an_exchange(mode):
    a, b = shared(1.0, "a"), shared(2.0, "b")
    f = function([], [a, b], updates=[(a, a + 10)], mode=mode)
    g = f.copy(swap={a: b, b: a})
    assert g() == [2, 1] and (a.get_value(), b.get_value()) == (1, 12)
    assert f() == [1, 12] and (a.get_value(), b.get_value()) == (11, 12)
    # Two variables become one.
    one = f.copy(swap={a: b})
    assert one() == [12, 12] and b.get_value() == 22 and one.get_shared() == [b]
    c = shared(5.0)
    assert one.copy(swap={b: c})() == [5, 5] and (b.get_value(), c.get_value()) == (22, 15)
    both = function([], None, updates=[(a, a + 1), (b, b + 2)], mode=mode)
    with pytest.raises(ValueError, match="two update expressions"):
        both.copy(swap={a: b})
    both.copy(swap={a: b}, delete_updates=True)


def test_swap_is_refused():
    f, state = accumulator()
    other = shared(0, "other")
    with pytest.raises(ValueError, match="SharedVariable: other not found"):
        f.copy(swap={other: state})
    for wrong in (shared(0.0), shared(np.zeros(2)), T.lscalar(), 3):
        with pytest.raises(AssertionError, match="by one of its type"):
            f.copy(swap={state: wrong})
    assert f(1) == 0


def test_what_is_not_swapped_stays_shared():
    x = T.dscalar("x")
    w, m, other = shared(1.0, "w"), shared(0.0, "m"), shared(5.0, "other")
    f = function([x], w * x, updates=[(m, m + 1), (w, w + x)], mode="FAST_COMPILE")
    g = f.copy(swap={w: other})
    f(1.0), g(2.0)
    assert (m.get_value(), w.get_value(), other.get_value()) == (2, 2, 7)


@pytest.mark.parametrize("mode", MODES)
def test_delete_updates(mode):
    f, state = accumulator(mode)
    f(10)
    null = f.copy(delete_updates=True)
    for _ in range(3):
        assert null(9000) == [10]
    with pytest.raises(TypeError, match="Missing required input: inc"):
        null()
    assert state.get_value() == 10 and f(1) == 10
    # Default updates too, and in copies of the copy.
    a = shared(0)
    a.default_update = a + 1
    g = function([], a, mode=mode).copy(delete_updates=True).copy()
    assert (g(), g(), a.get_value()) == ([0], [0], 0)
    assert [node.opcode for node in null.maker.fgraph.toposort()] == []


def test_results_of_copies_are_lists():
    x = T.dscalar("x")
    f = function([x], {"b": x, "a": x + 1}, mode="FAST_COMPILE")
    assert f.copy()(1) == [2, 1] and f.copy()(1, output_subset=[1]) == [1]
    assert function([x], x, mode="FAST_COMPILE").copy()(1) == [1]
    assert function([], None, mode="FAST_COMPILE").copy()() == []


def test_names_of_copies():
    f, _ = accumulator()
    assert f.copy().name == "acc copy" and f.copy(name="mine").name == "mine"


@pytest.mark.parametrize("mode", MODES)
def test_private_states_are_copied(mode):
    x, a, s = T.dscalars("x", "a", "s")
    f = function([x, In(a, value=1.0), In(s, value=0.0, update=s + a * x)], s, mode=mode)
    f(1)
    g, h = f.copy(), f.copy(share_memory=True)
    assert g[s] == 1 and g.container[s] is not f.container[s] and h.container[s] is f.container[s]
    assert (g(10), g(0), f(0), h(5), f(0)) == ([1], [11], 1, [1], 6)
    g[a] = 100
    assert f[a] == 1
    # What was given as a container stays so.
    k = function([In(s, value=f.container[s])], s, mode=mode)
    assert k.copy().container[s] is f.container[s]
    # Without updates, a state that is given lasts for the call.
    null = f.copy(delete_updates=True)
    assert (null(1), null(1, s=50), null(1)) == ([6], [50], [6])


@pytest.mark.parametrize("swap, delete", [(True, False), (False, True), (True, True)])
def test_copies_compile_nothing(swap, delete):
    x = T.dvector("x")
    w, other = shared(np.ones(3), "w"), shared(np.zeros(3), "other")
    loss = ((T.tanh(w * x) - x) ** 2).sum()
    f = function([x], loss, updates=[(w, w - 0.1 * x)])
    f(np.ones(3))
    compiles, traces = f.stats.compiles, f.stats.traces
    times = []
    for _ in range(5):
        start = time.perf_counter()
        g = f.copy(swap={w: other} if swap else None, delete_updates=delete)
        times.append(time.perf_counter() - start)
        g(np.ones(3))
    assert min(times) < 0.005
    assert g.stats is f.stats and (f.stats.compiles, f.stats.traces) == (compiles, traces)


def test_copies_of_a_function_that_has_not_run():
    f, state = accumulator("FAST_RUN")
    g = f.copy(swap={state: shared(5)})
    assert g(1) == [5] and f(1) == 0 and f.stats.traces == 1


# The copy module ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_copy_copy(mode):
    x, a, s = T.dscalars("x", "a", "s")
    f = function(
        [x, In(a, value=1.0, name="a"), In(s, value=0.0, update=s + a * x, mutable=True)],
        s + a * x,
        mode=mode,
    )
    g = copy.copy(f)
    assert g.container[a] is not f.container[a] and g.container[s] is not f.container[s]
    assert g.value[s] == f.value[s] and g.value[s] is not f.value[s]
    assert f(2, 1) == g(2) and f(2, 1) == g(2)
    f(1, 2)
    assert f(1, 2) != g(1, 2) and g.name == f.name and g.stats is f.stats
    h, state = accumulator(mode)
    k = copy.copy(h)
    assert (h(1), k(1), h(1), state.get_value()) == (0, 1, 2, 3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("through", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
def test_deep_copies_and_pickles_of_functions(mode, through):
    f, state = accumulator(mode)
    f(10)
    g, new = through((f, state))
    assert g(5) == 10 and new.get_value() == 15 and state.get_value() == 10
    assert g.get_shared() == [new] and new.name == "state" and g.name == "acc" and g.mode == mode
    assert g(inc=1) == 15 and g.copy(swap={new: shared(1)})(0) == [1]
    # Functions that share states still do, and nothing with the originals.
    look = function([], state + 1, mode=mode)
    f2, look2 = through([f, look])
    f2(1)
    assert (look2(), look()) == (12, 11)
    # Inputs with values, structure, givens, copies without updates.
    x, a, s = T.dscalars("x", "a", "s")
    h = function([x, In(a, value=2.0), In(s, value=1.0, update=s + a * x)], {"s": s}, mode=mode)
    h(1)
    k, null = through((h, h.copy(delete_updates=True)))
    assert (k(1), k(1, a=0), h(0)) == ({"s": 3}, {"s": 5}, {"s": 3}) and null(7) == null(7) == [3]


@pytest.mark.cpu
def test_pickles_between_processes(tmp_path):
    x, w = T.dvector("x"), shared(np.arange(3.0), "w")
    f = function([x], Out((w * x).sum()), updates=[(w, w + x)], name="f")
    f(np.ones(3))
    (tmp_path / "f").write_bytes(pickle.dumps((f, w, x + 1)))
    program = (
        "import pickle, numpy as np\n"
        f"f, w, y = pickle.load(open({str(tmp_path / 'f')!r}, 'rb'))\n"
        "print(f(np.ones(3)), w.get_value().tolist(), f.name, y.owner.inputs[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "6.0 [2.0, 3.0, 4.0] f x\n", done.stderr
    assert w.get_value().tolist() == [1, 2, 3]


# Graphs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("through", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_variables(through):
    x, s = T.dvector("x"), shared(np.ones(2), "s")
    s.default_update = s * 2
    x.tag.note, s.tag.is_rng = "mine", True
    y = (x + s).sum()
    y.name, y.tag.more, y.source = "y", [x], s
    x2, s2, y2, z2, c2 = through((x, s, y, y + 1, T.constant([1.0, 2.0], "c")))
    assert x2 is not x and x2.type == x.type and x2.name == "x" and x2.tag.note == "mine"
    assert y2.name == "y" and y2.tag.more == [x2] and y2.source is s2 and s2.tag.is_rng
    assert z2.owner.inputs[0] is y2 or z2.owner.inputs[1] is y2
    assert c2.name == "c" and c2.data.tolist() == [1, 2] and not c2.data.flags.writeable
    f = function([x2], z2, mode="FAST_COMPILE")
    assert f([1, 1]) == 5 and s2.get_value().tolist() == [2, 2] and f([1, 1]) == 7
    assert s.get_value().tolist() == [1, 1]
    # Origins are kept, for messages.
    assert y2.owner.origin == y.owner.origin and T.TensorType("int8", ()) == through(
        T.TensorType("int8", ())
    )


def test_generic_and_plain_shared_variables():
    s = shared({"a": [1]}, "s")
    for new in (copy.deepcopy(s), pickle.loads(pickle.dumps(s))):
        assert new.get_value() == {"a": [1]} and new.get_value(borrow=True) is not s.get_value(True)
    container = copy.deepcopy(s.container)
    assert container.value == {"a": [1]} and container.value is not s.container.value


def test_deep_graphs():
    """Nothing recurses: not building, copying, running, pickling, nor being forgotten."""
    x, one = T.dscalar("x"), T.constant(1.0)
    v = x
    depth = 30_000
    for _ in range(depth):
        v = v + one
    assert len(toposort([v])) >= depth
    f = function([x], v, mode="FAST_COMPILE")
    data = pickle.dumps((f, x))
    assert len(data) < 150 * depth
    g, y = pickle.loads(data)
    assert len(toposort(g.outputs)) == len(toposort([v])) and g.inputs == [y]
    w2 = copy.deepcopy(v)
    assert len(toposort([w2])) == len(toposort([v]))
    replaced = function([], v, givens={x: 2.0}, mode="FAST_COMPILE")
    assert len(toposort(replaced.outputs)) >= depth
    del f, g, v, w2, y, replaced
    gc.collect()


def test_constants_of_pickles():
    x = T.dscalar("x")
    two, named = T.constant(2.0), T.constant(3, "three")
    y = x * two + named
    named.tag.note = "kept"
    y2, z2, two2 = pickle.loads(pickle.dumps((y, y * two, two)))
    assert y2 in z2.owner.inputs and two2.data == 2 and not two2.data.flags.writeable
    assert y2.eval({y2.owner.inputs[0].owner.inputs[0]: 2.0}) == 7
    assert copy.deepcopy(two) is two
    nan = pickle.loads(pickle.dumps(x + float("nan")))
    assert np.isnan(nan.owner.inputs[1].data) and str(nan.owner.inputs[1]) == str(
        T.constant(np.nan)
    )


def test_a_deep_graph_in_plain_numpy():
    from tracejit.symbolic.replay import replay

    x, one = T.dscalar("x"), T.constant(1.0)
    v = x
    for _ in range(3_000):
        v = v + one
    assert replay([v], {x: np.array(2.0)}) == [3_002]


def test_settings_of_pickles():
    x = T.dscalar("x")
    f = function([In(x, strict=True)], x + 1, mode="FAST_COMPILE")
    g = pickle.loads(pickle.dumps(f))
    assert g(np.array(1.0)) == 2
    with pytest.raises(TypeError, match="strict"):
        g(1)
    assert tracejit.config.mode == "Mode"


def test_clone_replaces_and_leaves_the_original():
    x, y = T.dmatrices("x", "y")
    w = shared(np.ones((2, 2)), "w")
    out = T.dot(x, w).sum()
    before = toposort([out])
    ones = np.ones((2, 2))
    assert tracejit.clone(out, replace={x: y * 2}).eval({y: ones}) == 16
    assert tracejit.clone({"a": out}, [(w, y)])["a"].eval({x: ones, y: 3 * ones}) == 24
    assert toposort([out]) == before
    (copied,) = tracejit.clone([out], share_inputs=False)
    fresh, state = tracejit.gof.inputs([copied])
    assert fresh is not x
    assert fresh.type == x.type
    assert state is w
    assert tracejit.clone((out, x))[1] is x
    with pytest.raises(TypeError, match="Cannot convert Type"):
        tracejit.clone(out, {x: T.dvector()})
    assert tracejit.clone(T.exp(x), {x: T.dvector("v")}, strict=False).ndim == 1
