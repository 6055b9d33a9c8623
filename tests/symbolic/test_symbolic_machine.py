"""Random lives of shared variables and functions over them, against a model in plain NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import tracejit.tensor as T
from tracejit import In, function, shared

LIMIT = 1000.0
# Most arrays have the same length, so that most calls succeed.
lengths = st.sampled_from([2, 2, 2, 2, 2, 2, 1, 3])
values = lengths.flatmap(
    lambda n: st.lists(st.integers(-9, 9), min_size=n, max_size=n).map(lambda v: np.array(v, float))
)
numbers = st.integers(0, 5)
# An expression: ("x",), ("private",), ("constant", n), ("state", k) or (op, left, right); the k-th
# state of the function is meant, modulo their number.
leaves = st.one_of(
    st.sampled_from([("x",), ("private",)]),
    st.tuples(st.just("constant"), st.integers(-3, 3)),
    st.tuples(st.just("state"), st.integers(0, 3)),
    st.tuples(st.just("state"), st.integers(0, 3)),
)
expressions = st.recursive(
    leaves,
    lambda e: st.tuples(st.sampled_from(["add", "sub", "mul", "maximum", "plus_sum"]), e, e),
    max_leaves=5,
)


def evaluate(expression, env, xp):
    """The value of an expression: `xp` is "numpy", where lengths must agree, or "symbolic"."""
    kind, *rest = expression
    if kind == "constant":
        return env["x"] * 0 + rest[0]
    if kind == "state":
        return env["states"][rest[0] % len(env["states"])]
    if not rest:
        return env[kind]
    a, b = (evaluate(e, env, xp) for e in rest)
    if kind == "plus_sum":
        return a + b.sum()
    if xp == "numpy" and a.shape != b.shape:
        raise ValueError("lengths")
    if kind == "maximum":
        return np.maximum(a, b) if xp == "numpy" else T.maximum(a, b)
    return {"add": a + b, "sub": a - b, "mul": a * b}[kind]


def indices(expression):
    """The numbers of the states that an expression mentions."""
    if expression[0] == "state":
        return {expression[1]}
    return set().union(*(indices(e) for e in expression[1:] if isinstance(e, tuple)))


class Cell:
    """A value of the model that several may refer to."""

    def __init__(self, value):
        self.value = value


class Model:
    """What is known of a function: `states` are its cells, in the order in which it was made."""

    def __init__(self, compiled, updates, outputs, states, private, updating):
        self.compiled = compiled
        self.updates, self.outputs = updates, outputs
        self.states = states
        self.private = private
        self.updating = updating

    def used(self):
        """The states that the program mentions."""
        count = len(self.states)
        found = {k % count for _, e in self.updates for k in indices(e)}
        found |= {k % count for e in self.outputs for k in indices(e)}
        return found | {k for k, _ in self.updates}

    def call(self, x):
        """The outputs; the states are changed."""
        env = {"x": x, "private": self.private.value, "states": [s.value for s in self.states]}
        outputs = [np.array(evaluate(e, env, "numpy")) for e in self.outputs]
        new = [(self.states[k], evaluate(e, env, "numpy")) for k, e in self.updates]
        if env["private"].shape != x.shape:
            raise ValueError("lengths")
        new.append((self.private, env["private"] + x))
        if self.updating:
            for cell, value in new:
                cell.value = np.clip(value, -LIMIT, LIMIT)
        return outputs


class Machine(RuleBasedStateMachine):
    """`pairs` are shared variables with their cells; numbers are counted modulo how many exist."""

    def __init__(self):
        super().__init__()
        self.pairs = []
        self.functions = []
        self.held = []

    def pair(self, number):
        return self.pairs[number % len(self.pairs)]

    def function(self, number):
        return self.functions[number % len(self.functions)]

    @initialize(first=values, second=values)
    def begin(self, first, second):
        self.create(first)
        self.create(second)
        a, b = ("state", 0), ("state", 1)
        self.make([0, 1], {0: ("add", a, ("x",)), 1: a}, [b], np.zeros(2), False)

    @rule(value=values)
    def create(self, value):
        self.pairs.append((shared(value), Cell(value)))

    @rule(
        states=st.lists(numbers, min_size=1, max_size=3),
        updates=st.dictionaries(st.integers(0, 2), expressions, max_size=3),
        outputs=st.lists(expressions, max_size=2),
        private=values,
        swapping=st.booleans(),
    )
    def make(self, states, updates, outputs, private, swapping):
        states = list(dict.fromkeys(self.pair(k) for k in states))
        if swapping and len(states) > 1:
            updates = {0: ("state", 1), 1: ("state", 0)}
        updates = [(k, e) for k, e in updates.items() if k < len(states)]
        outputs = [*outputs, ("private",)]
        x, p = T.dvector("x"), T.dvector("p")
        env = {"x": x, "private": p, "states": [s for s, _ in states]}
        compiled = function(
            [x, In(p, value=private, update=T.clip(p + x, -LIMIT, LIMIT))],
            [evaluate(e, env, "symbolic") for e in outputs],
            updates=[
                (states[k][0], T.clip(evaluate(e, env, "symbolic"), -LIMIT, LIMIT))
                for k, e in updates
            ],
            mode="FAST_COMPILE",
        )
        cells = [cell for _, cell in states]
        self.functions.append(Model(compiled, updates, outputs, cells, Cell(private), True))

    @rule(f=numbers, x=values, named=st.booleans())
    def call(self, f, x, named):
        f = self.function(f)
        try:
            want = f.call(x)
        except ValueError:
            want = None
        given = x.copy()
        try:
            got = f.compiled(x=given) if named else f.compiled(given)
        except ValueError:
            # A copy without updates runs its original's program, which checks their lengths too.
            assert want is None
            return
        assert want is not None
        assert np.array_equal(given, x)
        assert len(got) == len(want)
        for a, b in zip(got, want, strict=True):
            assert np.array_equal(a, b)
            a[...] = 12345.0  # it is nobody else's

    @rule(f=numbers, x=values)
    def call_wrongly(self, f, x):
        for args in ((), (x[None],), (x, x, x), ("no",), (x * 1j,)):
            try:
                self.function(f).compiled(*args)
            except TypeError:
                continue
            raise AssertionError("it takes what it should not")

    @rule(
        f=numbers,
        swap=st.one_of(
            st.dictionaries(numbers, numbers, max_size=2),
            st.tuples(numbers, numbers).map(lambda ab: {ab[0]: ab[1], ab[1]: ab[0]}),
        ),
        delete=st.sampled_from([False, False, True]),
        share=st.booleans(),
    )
    def copy(self, f, swap, delete, share):
        f = self.function(f)
        swap = {self.pair(old): self.pair(new) for old, new in swap.items()}
        cells = {old[1]: new[1] for old, new in swap.items()}
        mentioned = {f.states[k] for k in f.used()}
        states = [cells.get(s, s) for s in f.states]
        targets = [states[k] for k, _ in f.updates]
        updating = f.updating and not delete
        allowed = cells.keys() <= mentioned and not (updating and len(set(targets)) < len(targets))
        compiles = f.compiled.stats.compiles
        try:
            compiled = f.compiled.copy(share, {a[0]: b[0] for a, b in swap.items()}, delete)
        except ValueError:
            assert not allowed
            return
        assert allowed and compiled.stats.compiles == compiles == 0
        private = f.private if share else Cell(f.private.value)
        self.functions.append(Model(compiled, f.updates, f.outputs, states, private, updating))

    @rule(s=numbers, value=values, borrow=st.booleans())
    def set_value(self, s, value, borrow):
        variable, cell = self.pair(s)
        variable.set_value(value.copy(), borrow=borrow)
        cell.value = value

    @rule(s=numbers)
    def set_wrong_value(self, s):
        for value in (np.zeros((2, 2)), 1.0, "no"):
            try:
                self.pair(s)[0].set_value(value)
            except TypeError:
                continue
            raise AssertionError("it takes what it should not")

    @rule(s=numbers)
    def hold(self, s):
        value = self.pair(s)[0].get_value(borrow=True)
        self.held.append((value, value.copy()))

    @rule(f=numbers, value=values)
    def set_private(self, f, value):
        f = self.function(f)
        f.compiled["p"] = value
        f.private.value = value

    @invariant()
    def values_are_those_of_the_model(self):
        for s, cell in self.pairs:
            assert np.array_equal(s.get_value(), cell.value)

    @invariant()
    def what_is_held_does_not_change(self):
        for value, before in self.held:
            assert np.array_equal(value, before)


TestMachine = Machine.TestCase
TestMachine.settings = settings(stateful_step_count=40)
