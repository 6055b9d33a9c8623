"""A structural op from outside: a row, a record, how it is scheduled, and the loops that it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from plugged import compiled_source, plugged

import tracejit
from tracejit.arrays.common import is_empty, join
from tracejit.cpu.emit.calls import CALLS, Calls
from tracejit.errors import NotTraceable, ShapeError, UnsupportedError
from tracejit.ir import build, dims, ops
from tracejit.ir.graph import Graph
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.rules import RULES
from tracejit.ir.rules.record import Cotangents, Env, Rule, Values
from tracejit.ir.verify import InvalidGraphError, verify
from tracejit.lower.emit.expressions import scalar
from tracejit.lower.kernel.statements import Binary, Element, For, Store
from tracejit.lower.placement import PLACEMENTS
from tracejit.lower.program import Computation
from tracejit.trace.tables import FUNCTIONS, implements

CONVOLVE = ops.Op(name="convolve", doc="of two vectors, all of it")


@pytest.fixture(autouse=True)
def without_ours() -> Iterator[None]:
    """As if NumPy's function were not compiled yet."""
    with mock.patch.dict(FUNCTIONS):
        del FUNCTIONS[np.convolve]
        yield


def convolved(a: Node, v: Node) -> Node:
    """A node of the op."""
    length = dims.sub(dims.add(a.shape[0], v.shape[0]), 1)
    return make(CONVOLVE, (a, v), None, ArrayType(a.dtype, (length,)))


def evaluate(node: Node, args: list[Any], values: Values, env: Env) -> Any:
    return np.convolve(*args)


def problem(node: Node) -> str | None:
    good = all(a.ndim == 1 and a.dtype.kind == "f" for a in node.args)
    return None if good else "operands are no vectors of floats"


def pull(node: Node, g: Node) -> Cotangents:
    a, v = node.args
    return _correlated(g, v, a), _correlated(g, a, v)


def _correlated(g: Node, other: Node, like: Node) -> Node:
    """The part of a convolution with what is turned round that is as long as `like`."""
    whole = convolved(g, build.flip(other, (0,)))
    return build.view(whole, like.shape, ((dims.sub(other.shape[0], 1), 1, 0),))


def emit(calls: Calls, c: Computation) -> None:
    """Two loops over memory."""
    e = calls.e
    a, v = map(calls.flat, c.value.args)
    n, m = (e.dim(x.shape[0]) for x in c.value.args)
    out = e.flat(e.program.buffers[c.target][0].name, 1)
    i, j, k = e.fresh("i"), e.fresh("i"), e.fresh("i")
    count = Binary("-", Binary("+", n, m), 1)
    empty = Store(Element(out, (i,)), scalar(0, c.target.dtype))
    at = Element(out, (Binary("+", j, k),))
    product = Binary("*", Element(a, (j,)), Element(v, (k,)))
    more = Store(at, Binary("+", at, product), c.value.origin)
    e.path[-1].add(For([empty], index=i, kind="range", operands=(count,)))
    inner = For([more], index=k, kind="range", operands=(m,))
    e.path[-1].add(For([inner], index=j, kind="range", operands=(n,)))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``np.convolve`` of traced values."""
    if mode != "full":
        raise NotTraceable(f"np.convolve in mode {mode!r} is not compiled")
    left, right = join(a, v)
    for name, x in (("a", left), ("v", right)):
        if is_empty(x.shape):
            raise ShapeError(f"{name} cannot be empty")
    return type(a)(convolved(left, right))


@pytest.fixture
def plugin(without_ours: Any) -> Any:
    with plugged(), mock.patch.dict(PLACEMENTS), mock.patch.dict(CALLS):
        ops.add(CONVOLVE)
        RULES[CONVOLVE] = Rule(evaluate=evaluate, problem=problem, pull=pull)
        PLACEMENTS[CONVOLVE] = PLACEMENTS[ops.SORT]  # a call, of whole arrays
        CALLS[CONVOLVE] = emit
        implements(np.convolve)(convolve)
        yield


A, V = np.sin(np.arange(9.0)), np.array([0.5, -1.0, 2.0, 0.25])


def smoothed(a, v):
    return np.convolve(a * 2, v)[1:-1] + 1


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_is_compiled(plugin: Any, dtype: type) -> None:
    rtol = 32 * float(np.finfo(dtype).eps)
    source = compiled_source(smoothed, A.astype(dtype), V.astype(dtype), rtol=rtol)
    assert source.count("for ") == 5  # twice as much, its two statements, and one more
    strided = np.repeat(A.astype(dtype), 2)[::2]
    compiled_source(smoothed, strided, V.astype(dtype)[::-1], rtol=rtol)
    compiled_source(smoothed, np.array([np.inf, 1.0, 2.0], dtype), V.astype(dtype), rtol=rtol)


def test_its_derivative(plugin: Any) -> None:
    def total(a, v):
        return (np.convolve(a, v) ** 2).sum()

    for argnum in (0, 1):
        got = tracejit.grad(total, argnum)(A, V)
        for k in range(len(got)):
            ends = []
            for h in (1e-6, -1e-6):
                args = [A.copy(), V.copy()]
                args[argnum][k] += h
                ends.append(total(*args))
            assert got[k] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5)


def test_what_is_wrong_with_a_node(plugin: Any) -> None:
    x = build.constant(1.0, np.float64)
    bad = make(CONVOLVE, (x, x), None, ArrayType(np.dtype(np.float64), (1,)))
    with pytest.raises(InvalidGraphError, match="operands are no vectors of floats"):
        verify(Graph((), (bad,)))


def test_numpys_errors(plugin: Any) -> None:
    with pytest.raises(ValueError, match="a cannot be empty"):
        tracejit.function(smoothed)(A[:0], V)


def test_it_is_gone_again() -> None:
    with pytest.raises(UnsupportedError, match="convolve is not compiled"):
        tracejit.function(smoothed, on_unsupported="error")(A, V)
