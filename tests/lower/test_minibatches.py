"""Minibatches: lengths that are arithmetic on arguments, and what a step costs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.ir import build, dims, ops
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL, INT64
from tracejit.lower.scalars import Scalars

INT32 = np.dtype(np.int32)
EDGES = (0, 1, -1, 2, 7, -100, 2**16, -(2**20), 2**24, 2**31 - 1, -(2**31), 2**31, 2**40, -(2**63))


def leaves() -> list[Node]:
    return [
        build.input("i", INT64, ()),
        build.input("j", INT32, ()),
        dims.dim("x", 0),
        dims.dim("m", 1),
    ]


def row(name: str, *args: Node, dtype: np.dtype[Any] | None = None) -> Node:
    return make(ops.ELEMENTWISE[name], args, None, ArrayType(dtype or args[-1].dtype, ()))


def expressions(choose: random.Random, count: int) -> Iterator[Node]:
    """Random integer scalars of all kinds that a slice's bounds are made of."""
    pool = leaves()

    def constant(dtype: np.dtype[Any], value: int) -> Node:
        return make(ops.CONST, (), dtype.type(value).tobytes(), ArrayType(dtype, ()))

    while count:
        a = choose.choice(pool)
        same = [n for n in pool if n.dtype == a.dtype]
        b = choose.choice([*same, constant(a.dtype, choose.randint(-300, 300))])
        kind = choose.randrange(8)
        if kind < 3:
            names = ["add", "subtract", "multiply", "minimum", "maximum"]
            node = row(choose.choice(names), a, b)
        elif kind == 3:
            test = row(choose.choice(["less", "equal", "greater_equal"]), a, b, dtype=BOOL)
            if choose.random() < 0.5:
                test = row("logical_not", test, dtype=BOOL)
            node = row("where", test, choose.choice(same), b)
        elif kind == 4:
            node = row(
                "cast", a, dtype=INT64 if a.dtype == INT32 or choose.random() < 0.9 else INT32
            )
        elif kind == 5:
            node = row("negative", a)
        elif kind == 6:
            name = choose.choice(["floor_divide", "remainder"])
            by = choose.choice([1, 2, 3, 100, -1, -7])
            node = row(name, a, constant(a.dtype, by))
        else:
            both = [row("less", a, b, dtype=BOOL), row("not_equal", a, b, dtype=BOOL)]
            node = row("cast", row("logical_or", *both, dtype=BOOL), dtype=INT64)
        pool.append(node)
        count -= 1
        yield node


def function_of(nodes: list[Node]) -> tuple[Callable[..., Any], list[Node]]:
    """The statements for `nodes`, run; and those that are exact somewhere."""
    namespace: dict[str, Any] = {"_len": len}
    scalars = Scalars({name: name for name in "ijxm"}, {"x"}, namespace, "_")
    exact = [(n, limit) for n in nodes if (limit := scalars.limit(n)) is not None]
    names = [scalars.name(node, limit) for node, limit in exact]
    body = "".join(f"    {line}\n" for line in scalars.statements())
    exec(f"def run(i, j, x, m):\n{body}    return [{', '.join(names)}]\n", namespace)
    return namespace["run"], [node for node, _ in exact]


@pytest.mark.parametrize("seed", range(12))
def test_lengths_are_the_interpreters(seed: int) -> None:
    choose = random.Random(seed)
    run, nodes = function_of(list(expressions(choose, 40)))
    assert len(nodes) > 5
    for _ in range(60):
        i = choose.choice([*EDGES, choose.randint(-5000, 5000)])
        j = choose.choice([*(e for e in EDGES if -(2**31) <= e < 2**31), choose.randint(-50, 50)])
        one = np.int64(0)
        x = np.broadcast_to(one, (choose.choice([0, 1, 2000, 2**31 - 1, 2**31, 2**40]),))
        m = np.broadcast_to(one, (3, choose.choice([0, 1, 2000])))
        as_int64 = choose.choice([np.int64, np.array, int])
        env = {"i": as_int64(i), "j": np.int32(j), "x": x, "m": m}
        expected = [int(v) for v in evaluate(nodes, env)]
        got = run(**env)
        assert got == expected
        assert all(type(g) in (int, bool) for g in got)


def test_what_may_wrap_around_goes_to_the_interpreter() -> None:
    i, j, n, _ = leaves()
    square = row("multiply", i, i)
    narrow = row(
        "multiply", j, make(ops.CONST, (), INT32.type(128).tobytes(), ArrayType(INT32, ()))
    )
    cube = row("multiply", square, square)
    run, exact = function_of([square, cube, narrow])
    assert exact == [square, narrow]
    x = np.zeros(1)
    for value in (3, 2**16, 2**31 - 1, 2**32 + 1, 2**62):
        small = np.int32(min(value, 2**31 - 1))
        expected = evaluate(exact, {"i": np.int64(value), "j": small})
        assert run(np.int64(value), small, x, x) == [int(v) for v in expected]
    scalars = Scalars({}, set(), {}, "_")
    real = build.input("r", np.dtype(np.float64), ())
    assert scalars.limit(row("cast", real, dtype=INT64)) is None
    assert scalars.limit(row("floor_divide", i, row("subtract", n, n))) is None


SLICES: tuple[tuple[Callable[[Any, Any], slice], ...], ...] = (
    (
        lambda i, j: slice(i * 4, (i + 1) * 4),
        lambda i, j: slice(i, j),
        lambda i, j: slice(i - j, i + j),
    ),
    (
        lambda i, j: slice(i * j, None),
        lambda i, j: slice(None, j - i, 3),
        lambda i, j: slice(j, i, -2),
    ),
)
VALUES = [(0, 0), (1, 4), (2, 9), (5, 3), (-1, 4), (4, -1), (-3, -9), (30, 2), (7, 50), (-50, 60)]


@pytest.mark.parametrize("kind", ["lscalar", "iscalar"])
@pytest.mark.parametrize("group", range(len(SLICES)))
def test_symbolic_slices_have_numpys_lengths(group: int, kind: str) -> None:
    data = np.arange(60.0).reshape(20, 3)
    whole = tracejit.shared(data)
    i, j = getattr(T, kind)("i"), getattr(T, kind)("j")
    x = T.dmatrix("x")
    for k, bounds in enumerate(SLICES[group]):
        with tracejit.config(compile=kind == "iscalar" and group == k == 0):
            part = bounds(i, j)
            f = tracejit.function(
                [i, j],
                [x * 2, (x + 1).sum(axis=1)],
                givens={x: whole[part]},
                on_unused_input="ignore",
            )
            for a, b in VALUES:
                expected = data[bounds(a, b)]
                doubled, sums = f(a, b)
                np.testing.assert_array_equal(doubled, expected * 2, err_msg=f"{a}, {b}")
                np.testing.assert_array_equal(sums, (expected + 1).sum(axis=1))


def test_decorated_slices_have_numpys_lengths() -> None:
    data = np.arange(60.0).reshape(20, 3)

    def batch(x: Any, i: int, b: int) -> Any:
        return x[i * b : (i + 1) * b] * 2, x[i - b :], x[b:i:-1].sum()

    compiled = tracejit.function(batch)
    for i, b in [(0, 4), (1, 4), (2, 9), (5, 3), (-1, 4), (30, 2), (2**31, 4), (1, 2**40)]:
        for got, expected in zip(compiled(data, i, b), batch(data, i, b), strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"{i}, {b}")


def test_a_product_of_two_arguments_is_not_specialised() -> None:
    f = tracejit.function(lambda x, i, b: (x[i * b : (i + 1) * b] * 2).sum(0))
    x = np.arange(400.0).reshape(200, 2)
    for i, b in [(0, 10), (1, 10), (7, 10), (3, 20), (5, 7)]:
        np.testing.assert_array_equal(f(x, i, b), (x[i * b : (i + 1) * b] * 2).sum(0))
    assert f.stats.traces == 1
    product = tracejit.function(lambda i, b: i * b + b)
    most = 2**31 - 1
    for i, b in [(3, 4), (most, most), (-most, most), (most, -most)]:
        assert product(i, b) == i * b + b


def test_a_step_does_not_interpret(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    data = rng.random((40, 3))
    i, x = T.lscalar("i"), T.dmatrix("x")
    weights = tracejit.shared(np.ones(3))
    whole = tracejit.shared(data)
    step = tracejit.function([i], T.dot(x, weights).sum(), givens={x: whole[i * 10 : (i + 1) * 10]})
    step(0)

    def refuse(*args: Any) -> Any:
        raise AssertionError("a length was interpreted")

    for module in ("scalars", "driver"):
        monkeypatch.setattr(f"tracejit.lower.{module}.evaluate", refuse)
    for k in range(4):
        expected = data[k * 10 : (k + 1) * 10].sum()
        np.testing.assert_allclose(step(k), expected, rtol=1e-13)
