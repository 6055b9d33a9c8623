"""Random graphs with branches and loops, and values for their inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import build, control, dims
from tracejit.ir.closing import Body
from tracejit.ir.graph import Check
from tracejit.ir.node import ArrayType, Node
from tracejit.ir.types import BOOL, FLOAT64, INT64

E, c = build.elementwise, build.constant
N = dims.dim("x", 0)
X = build.input("x", FLOAT64, (N,))
A, B = build.input("a", FLOAT64, ()), build.input("b", FLOAT64, ())
K = build.input("k", INT64, (), weak=True)
INPUTS = (X, A, B, K)
ENV = {"x": np.array([0.5, -1.5, 2.0]), "a": np.array(0.25), "b": np.array(3.0), "k": 4}
TRUE, FALSE, ZERO = c(True, BOOL), c(False, BOOL), c(0.0, FLOAT64)
NEGATIVE = E("less", A, c(0.0))

VECTOR, SCALAR = ArrayType(FLOAT64, (N,)), ArrayType(FLOAT64)
WHOLE, COUNT, FLAG = ArrayType(INT64), dims.INT_SCALAR, ArrayType(BOOL)
TYPES = (VECTOR, SCALAR, WHOLE, COUNT, FLAG)
Pick = Callable[[int], int]


class Program:
    """Random nodes over those in scope; `pick` draws a number below another one."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick

    def one_of(self, choices: Any) -> Any:
        return choices[self.pick(len(choices))]

    def extended(self, scope: list[Node], depth: int) -> list[Node]:
        """`scope` and what a few random operations make of it."""
        scope = list(scope)
        for _ in range(1 + self.pick(4)):
            makers = [self.arithmetic, self.comparison, self.count, self.moved]
            if depth:
                makers += [self.branch, self.loop, self.scan]
            scope += self.one_of(makers)(scope, depth)
        return scope

    def of(self, scope: list[Node], type: ArrayType) -> Node:
        found = [n for n in scope if n.type == type]
        return self.one_of(found)

    def values(self, scope: list[Node], types: list[ArrayType]) -> tuple[Node, ...]:
        return tuple(self.of(scope, type) for type in types)

    def some_types(self) -> list[ArrayType]:
        return [self.one_of(TYPES) for _ in range(1 + self.pick(3))]

    def arithmetic(self, scope: list[Node], depth: int) -> list[Node]:
        a = self.of(scope, self.one_of(TYPES[:3]))
        b = self.of(scope, self.one_of([a.type, SCALAR if a.dtype == FLOAT64 else COUNT]))
        new = E(self.one_of(["add", "subtract", "multiply", "maximum"]), a, b)
        if self.pick(4) == 0:
            new = E("negative", E("negative", new))
        return [new, build.reduce("sum", new, (0,))] if new.ndim else [new]

    def moved(self, scope: list[Node], depth: int) -> list[Node]:
        """Elements at other places: read there, or put there."""
        x, y = self.of(scope, VECTOR), self.of(scope, VECTOR)
        last = dims.sub(N, 1)
        backwards = ((last, -1, 0),)
        places = build.iota(N)
        if self.pick(2):
            places = build.view(places, (N,), backwards)
        makers = [
            lambda: build.view(x, (N,), backwards),
            lambda: build.gather(x, (N,), (("index", 0),), places),
            lambda: build.scatter(x, y, [places], [False], self.one_of(["set", "add"])),
            lambda: build.accumulate("add", x, 0),
        ]
        return [self.one_of(makers)()]

    def comparison(self, scope: list[Node], depth: int) -> list[Node]:
        type = self.one_of([SCALAR, WHOLE, COUNT])
        test = E(self.one_of(["less", "equal"]), self.of(scope, type), self.of(scope, type))
        other = self.one_of([VECTOR, SCALAR])
        chosen = build.where(test, *self.values(scope, [other, other]))
        return [test, chosen]

    def count(self, scope: list[Node], depth: int) -> list[Node]:
        """A Python number, kept small: the number of a step, too."""
        k = E("remainder", E("add", self.of(scope, COUNT), self.of(scope, WHOLE)), c(5))
        return [build.weak(k), build.cast(k, INT64)]

    def around(self, scope: list[Node]) -> list[Node]:
        return scope if self.pick(2) else []

    def checks(self, scope: list[Node]) -> tuple[Check, ...]:
        """Sometimes one that holds."""
        if self.pick(8):
            return ()
        a = self.of(scope, COUNT)
        return (Check(E("equal", a, a), "a number is itself"),)

    def inside(self, scope: list[Node], types: list[ArrayType], depth: int) -> Body:
        scope = self.extended(scope, depth - 1)
        return Body(self.values(scope, types), self.checks(scope))

    def branch(self, scope: list[Node], depth: int) -> list[Node]:
        types = self.some_types()
        bodies = [self.inside(scope, types, depth) for _ in range(2)]
        flag = self.one_of([self.of(scope, FLAG), TRUE])
        return control.cond(flag, *bodies, self.around(scope))

    def loop(self, scope: list[Node], depth: int) -> list[Node]:
        """A few turns, counted."""
        types, turns = self.some_types(), self.pick(4)
        starts = [c(0), *self.values(scope, types)]

        def condition(v: list[Node]) -> Body:
            more = E("less", v[0], c(turns))
            within = self.extended([*scope, *v], 0)
            stop = E("logical_and", more, self.of(within, FLAG))
            return Body((self.one_of([more, stop]),), self.checks(within))

        def step(v: list[Node]) -> Body:
            rest = self.inside([*scope, *v], types, depth)
            return Body((build.weak(E("add", v[0], c(1))), *rest.results), rest.checks)

        return control.while_loop(starts, condition, step, self.around(scope))

    def scan(self, scope: list[Node], depth: int) -> list[Node]:
        types, left = self.some_types(), [SCALAR] * self.pick(3)
        steps = self.one_of([N, N, 0, 1, 3])
        count = self.pick(3) if steps is N else 0
        starts = list(self.values(scope, types))
        sequences = [self.of(scope, VECTOR) for _ in range(count)]

        def step(k: Node, v: list[Node], e: list[Node]) -> Body:
            return self.inside([*scope, k, *v, *e], [*types, *left], depth)

        found = control.scan(steps, starts, sequences, step, self.around(scope))
        if steps is not N:
            stacks = [build.reduce("sum", s, (0,)) for s in found[len(starts) :]]
            found[len(starts) :] = stacks
        return found

    def outputs(self) -> list[Node]:
        """Three nodes, one of a branch or a loop."""
        start = [*INPUTS, build.cast(K, INT64), NEGATIVE, c(2), ZERO]
        scope = self.extended(start, 2)
        scope = scope + self.one_of([self.loop, self.scan, self.branch])(scope, 2)
        new = [n for n in scope if n not in start] or start
        return [self.one_of(new), self.one_of(new), new[-1]]


class Statements:
    """Random statements over a few vectors and a number, as loops have them that write arrays."""

    def __init__(self, pick: Pick) -> None:
        self.pick = pick

    def outputs(self) -> list[Node]:
        state = self.block([X, E("add", X, A), E("multiply", X, B), A], 2, None)
        return [build.elementwise("add", s, c(0.0)) for s in state]

    def block(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        """`state` after a few statements; an `index` is a place in vectors."""
        state = list(state)
        for _ in range(1 + self.pick(4)):
            makers = [self.changed, self.changed, self.scattered, self.swapped, self.number]
            if depth:
                makers += [self.loop, self.branch]
            makers += [self.element] if index is not None else []
            state = makers[self.pick(len(makers))](state, depth, index)
        return state

    def source(self, state: list[Node]) -> Node:
        x = state[self.pick(3)]
        if self.pick(3) == 0:
            x = build.view(x, (N,), ((dims.sub(N, 1), -1, 0),))
        if self.pick(3) == 0:
            x = E("add", E("multiply", x, c(0.5)), state[self.pick(4)])
        return x

    def changed(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        return self.put(state, self.source(state))

    def put(self, state: list[Node], new: Node) -> list[Node]:
        k = self.pick(3)
        return [*state[:k], new, *state[k + 1 :]]

    def scattered(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        places = build.iota(N)
        if self.pick(2):
            places = build.view(places, (N,), ((dims.sub(N, 1), -1, 0),))
        k = self.pick(3)
        new = build.scatter(state[k], self.source(state), [places], [False], "set")
        return [*state[:k], new, *state[k + 1 :]]

    def swapped(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        j, k = self.pick(3), self.pick(3)
        state = list(state)
        state[j], state[k] = state[k], state[j]
        return state

    def number(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        return [*state[:3], E("add", E("multiply", state[3], c(0.5)), B)]

    def element(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        assert index is not None
        place, j, k = build.cast(index, INT64), self.pick(3), self.pick(3)
        value = E("add", build.gather(state[j], (), (("index", 0),), place), state[3])
        new = build.scatter(state[k], value, [place], [False], "set")
        return [*state[:k], new, *state[k + 1 :]]

    def loop(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        everywhere = bool(self.pick(2))

        left = [self.pick(3) for _ in range(max(self.pick(4) - 1, 0))]

        def step(k: Node, v: list[Node], e: list[Node]) -> Body:
            new = self.block(v, depth - 1, k if everywhere else None)
            return Body((*new, *((new if self.pick(3) else v)[j] for j in left)))

        steps = N if everywhere else self.pick(4)
        found = control.scan(steps, state, [], step, state)
        new, stacks = found[: len(state)], found[len(state) :]
        for stack in stacks:
            [total] = control.scan(
                steps, new[:1], [stack], lambda k, v, e: Body((E("add", v[0], e[0]),))
            )
            new[0] = total
        return new

    def branch(self, state: list[Node], depth: int, index: Node | None) -> list[Node]:
        flag = E("less", state[3], c(float(self.pick(4))))
        bodies = [Body(tuple(self.block(state, depth - 1, index))) for _ in range(2)]
        return control.cond(flag, *bodies, [*state, *([index] if index is not None else [])])
