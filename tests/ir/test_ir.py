"""The array IR: identity of nodes, dimensions, printer, verifier, simplifier, interpreter."""

from __future__ import annotations

import gc
import inspect
import itertools
import sys
import warnings
import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejit.errors import InvalidGraphError
from tracejit.ir import build, control, convolutions, dims, gufuncs, host, node, ops, sequences
from tracejit.ir.closing import Body
from tracejit.ir.graph import Check, Graph, substitute
from tracejit.ir.interpret import evaluate
from tracejit.ir.node import ArrayType, Node, TupleType, make
from tracejit.ir.printer import to_text
from tracejit.ir.simplify import simplify
from tracejit.ir.types import BOOL, FLOAT32, FLOAT64, INT64
from tracejit.ir.verify import verify
from tracejit.native.hostcalls import Callee
from tracejit.rng.words import to_words

N, M = dims.dim("x", 0), dims.dim("x", 1)
INT32, COMPLEX = np.dtype(np.int32), np.dtype(complex)
E = build.elementwise


def array(name: str = "x", dtype: Any = FLOAT64, shape: tuple[Any, ...] = (N, M)) -> Node:
    return build.input(name, np.dtype(dtype), shape)


def graph(*outputs: Node, checks: tuple[Check, ...] = ()) -> Graph:
    """The graph of these outputs; the lengths of `x` may be used without its elements."""
    reached = Graph((), outputs, checks).nodes()
    inputs = tuple(n for n in reached if n.op is ops.INPUT)
    if N in reached and "x" not in {i.attr[0] for i in inputs}:
        inputs += (array(),)
    return Graph(inputs, outputs, checks)


X = array()
Y = array("y")


# Identity ---------------------------------------------------------------------------------------


def test_the_same_node_is_the_same_object():
    def made() -> Node:
        picked = build.where(E("less", X, Y), X, build.constant(0.0))
        return build.reduce("sum", build.flip(picked, (1,)), (0,))

    assert made() is made()
    assert array("x", "f4") is array("x", "float32")
    assert build.constant(np.int64(3)) is build.constant(3, INT64)


def test_what_differs_is_another_node():
    same_value = [
        build.constant(1),
        build.constant(1.0),
        build.constant(True),
        build.constant(1, INT64),
        build.constant(1, INT32),
        build.constant(1.0, FLOAT32),
        build.constant(1 + 0j),
    ]
    assert len(set(same_value)) == len(same_value)
    assert build.constant(0.0) is not build.constant(-0.0)
    assert E("add", X, Y) is not E("add", Y, X)
    assert build.reduce("sum", X, (0,)) is not build.reduce("sum", X, (1,))
    assert array("x", FLOAT32) is not X


def test_the_line_is_no_part_of_identity():
    class Traced(build.Solver):
        def origin(self) -> node.Origin:
            return node.Origin("user.py", 7, "f")

    with build.use_solver(Traced()):
        y = E("arctan", X)
    assert E("arctan", X) is y and y.origin == ("user.py", 7, "f")


def test_the_table_keeps_nothing_alive():
    y = E("arccosh", E("arcsinh", X))
    watched = [weakref.ref(y), weakref.ref(y.args[0])]
    del y
    gc.collect()
    assert [w() for w in watched] == [None, None]


# Dimensions -------------------------------------------------------------------------------------


def test_equal_dimensions_are_one_object():
    add, sub, mul = dims.add, dims.sub, dims.mul
    assert add(N, M) is add(M, N)
    assert mul(N, M) is mul(M, N)
    assert add(sub(N, 2), 2) is N
    assert mul(add(N, 1), sub(N, 1)) is sub(mul(N, N), 1)
    assert mul(add(N, M), 2) is add(mul(2, N), mul(M, 2))
    assert sub(N, N) == 0 and type(sub(N, N)) is int
    assert sub(add(N, 3), N) == 3
    assert mul(N, 1) is N and mul(0, N) == 0
    assert dims.product([N, 2, M, 3]) is mul(6, mul(M, N))
    assert dims.product([]) == 1
    assert add(1, N) is not add(2, N)


def test_division_of_dimensions():
    n2 = dims.mul(2, N)
    assert dims.exact_div(n2, 2) is N
    assert dims.exact_div(dims.mul(N, M), M) is N
    assert dims.exact_div(n2, 3) is None and dims.exact_div(N, M) is None
    assert dims.exact_div(7, 2) is None and dims.exact_div(6, 2) == 3
    assert dims.exact_div(dims.add(n2, 4), 2) is dims.add(N, 2)
    assert dims.floordiv(n2, 2) is N and dims.floordiv(-7, 2) == -4
    assert dims.floordiv(N, 2) is dims.floordiv(N, 2) is not N
    assert dims.mod(-7, 3) == 2 and dims.mod(N, 3).op.name == "remainder"


def test_strides_of_a_symbolic_shape():
    assert dims.strides((N, M, 3)) == (dims.mul(3, M), 3, 1)
    assert dims.strides(()) == ()


TERMS = st.recursive(
    st.integers(-3, 3) | st.sampled_from([N, M]),
    lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner),
    max_leaves=8,
)


@given(TERMS, st.integers(0, 5), st.integers(0, 5))
def test_the_normal_form_has_the_value(term, n, m):
    """A random formula: its dimension has Python's value, and does not depend on the order."""
    python = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}

    def value(t, leaf, table, swap=False):
        if not isinstance(t, tuple):
            return leaf(t)
        a, b = (value(u, leaf, table, swap) for u in t[1:])
        return table[t[0]](b, a) if swap and t[0] != "-" else table[t[0]](a, b)

    symbolic = {"+": dims.add, "-": dims.sub, "*": dims.mul}
    form = value(term, lambda t: t, symbolic)
    assert form is value(term, lambda t: t, symbolic, swap=True) or type(form) is int
    want = value(term, lambda t: {N: n, M: m}.get(t, t), python)
    [got] = evaluate([dims.as_node(form)], {"x": np.empty((n, m))})
    assert got == want and type(got) is int


def test_substituting_a_dimension():
    y = array("y", shape=(dims.dim("y", 0), M))
    z = build.view(y, (N, M), ((0, 1, 0), (0, 1, 1)))
    g = Graph((X, y), (E("add", X, z),))
    new = substitute(g, {dims.dim("y", 0): N})
    verify(new)
    assert new.outputs[0].args[1].args[0].shape == (N, M) and new.inputs[1].shape == (N, M)


# Printer ----------------------------------------------------------------------------------------


def test_text_of_graphs(golden):
    v = array("v", shape=(N,))
    k = build.input("k", INT64, (), weak=True)
    half = build.constant(0.5)
    centred = E("subtract", X, build.broadcast_to(build.reduce("max", X, (0,)), (N, M)))
    mask = E("greater", v, half)
    enough = E("greater_equal", N, build.constant(2))
    graphs = {
        "elementwise": graph(E("add", E("multiply", X, half), E("conjugate", array("z", "c8")))),
        "reductions": graph(build.reduce("sum", centred, (0, 1)), build.reduce("argmax", X, (1,))),
        "views": graph(
            build.flip(X, (1,)),
            build.transpose(X, (1, 0)),
            build.view(v, (dims.sub(N, 3),), ((1, 1, 0),)),
            build.view(v, (dims.floordiv(N, 2),), ((1, 2, 0),)),
            build.view(X, (M,), ((dims.sub(N, 1), 0, None), (0, 1, 0))),
            build.expand_dims(v, (0,)),
            build.full((2, N), build.constant(1, INT32)),
        ),
        "structure": graph(
            build.reshape(X, (dims.mul(N, M),)),
            build.concatenate([v, E("negative", v)], 0),
            build.accumulate("add", v, 0),
            build.iota(dims.mul(2, N)),
            build.gather(X, (3, M), (("index", 0), ("axis", 1)), array("i", INT64, (3, M))),
            build.nonzero(mask),
            build.matmul(X, build.transpose(X, (1, 0))),
        ),
        "numbers": graph(
            E("multiply", v, k),
            E("add", v, build.cast(k, FLOAT64)),
            checks=(Check(enough, "x.shape[0] >= 2"),),
        ),
        "passed on": graph(X, X),
    }
    for g in graphs.values():
        verify(g)
    golden("ir_graphs.txt", "\n\n".join(f"# {name}\n{to_text(g)}" for name, g in graphs.items()))
    assert str(graphs["views"]) == to_text(graphs["views"])


def test_text_does_not_depend_on_what_was_made_before():
    def text() -> str:
        a, b = dims.dim("b", 0), dims.dim("a", 0)
        return to_text(graph(build.iota(dims.add(dims.mul(a, b), b))))

    first = text()
    kept = dims.dim("a", 0)
    assert text() == first and "(a.0*b.0+a.0)" in first, kept


# Verifier ---------------------------------------------------------------------------------------


def raw(op: ops.Op, args: tuple[Node, ...], attr: Any, type: ArrayType) -> Node:
    """A node that no builder would make, beside the table of nodes."""
    made = Node()
    made.op, made.args, made.attr, made.type, made.several = op, args, attr, type, None
    made.dims = tuple(node.nodes_in(attr)) if op.dims_in_attr else ()
    made.origin, made.serial = None, -1
    return made


def full_type(dtype: Any, *shape: Any, weak: bool = False) -> ArrayType:
    return ArrayType(np.dtype(dtype), shape, weak)


ADD, SUM = ops.ELEMENTWISE["add"], ops.REDUCTIONS["sum"]
V = array("v", shape=(N,))
STRONG = raw(ops.CAST, (N,), None, full_type("i8"))
INDEX = array("i", INT64, (3, M))
MALFORMED = {
    "dtype datetime64[s]": raw(ops.CAST, (X,), None, full_type("M8[s]", N, M)),
    "is no weak int64 scalar": raw(ops.IOTA, (), STRONG, full_type("i8", STRONG)),
    "negative dimension -1": raw(ops.IOTA, (), -1, full_type("i8", -1)),
    "1 operands, not 2": raw(ADD, (X,), None, X.type),
    "has another shape": raw(ADD, (X, V), None, X.type),
    "shape is not the operand's": raw(SUM, (X,), (0,), full_type("f8", N)),
    "index map does not fit": raw(ops.VIEW, (X,), ((N,), ((0, 1, 0),)), full_type("f8", N)),
    "one pick an axis": raw(
        ops.GATHER, (X, INDEX), ((3, M), (("index", 0),)), full_type("f8", 3, M)
    ),
    "several dtypes": raw(ops.CONCATENATE, (V, INDEX), (0, (N,)), full_type("f8", dims.add(N, 3))),
    "no stacks of matrices": raw(ops.MATMUL, (V, V), None, full_type("f8")),
}
#: What the verifier says of itself: "axes, attributes and result types fit the op".
ALSO_MALFORMED = {
    "comparison with a float result": raw(
        ops.ELEMENTWISE["less"], (X, Y), None, full_type("f8", N, M)
    ),
    "operands of two dtypes": raw(ADD, (X, array("z", "f4")), None, X.type),
    "reduction over an axis there is not": raw(SUM, (X,), (5,), X.type),
    "reduction with another dtype": raw(SUM, (X,), (0,), full_type("f4", M)),
    "argmax that is a float": raw(ops.REDUCTIONS["argmax"], (X,), (0,), full_type("f8", M)),
    "view with another dtype": raw(
        ops.VIEW, (V,), ((N,), ((0, -1, 0),)), full_type("f4", N)
    ),
    "reshape to another size": raw(ops.RESHAPE, (X,), (N,), full_type("f8", N)),
    "scan along an axis there is not": raw(ops.ACCUMULATE, (V,), ("add", 3), V.type),
    "iota of another length": raw(ops.IOTA, (), N, full_type("i8", M)),
    "concatenation of another length": raw(
        ops.CONCATENATE, (V, V), (0, (N,)), full_type("f8", N)
    ),
    "index array of floats": raw(
        ops.GATHER, (V, V), ((N,), (("index", 0),)), full_type("f8", N)
    ),
    "matrices that do not fit": raw(ops.MATMUL, (X, X), None, full_type("f8", N, N)),
}  # fmt: skip


@pytest.mark.parametrize("problem", MALFORMED)
def test_the_verifier_refuses(problem):
    bad = MALFORMED[problem]
    with pytest.raises(InvalidGraphError) as caught:
        verify(graph(bad), "fusion")
    message = str(caught.value)
    assert message.startswith("after fusion: ") and problem in message and repr(bad) in message


@pytest.mark.parametrize("what", ALSO_MALFORMED)
def test_the_verifier_knows_the_ops(what):
    with pytest.raises(InvalidGraphError):
        verify(graph(ALSO_MALFORMED[what]))


def test_the_verifier_refuses_undeclared_inputs_and_bad_checks():
    for bad, text in [
        (Graph((), (array("p", shape=(3,)),)), "input p is not declared"),
        (Graph((Y,), (build.iota(N),)), "dimension of unknown input x"),
        (Graph((X,), (X,), (Check(X, "?"),)), "is no boolean scalar"),
        (Graph((X,), (X,), (Check(build.constant(1), "?"),)), "is no boolean scalar"),
    ]:
        with pytest.raises(InvalidGraphError, match=f"^after construction: .*{text}"):
            verify(bad)


# Simplifier -------------------------------------------------------------------------------------

B, I32, U8, Z = array("b", bool), array("i", INT32), array("u", "u1"), array("z", complex)
H, S = array("h", np.dtype(np.float16)), array("s", FLOAT32)
c = build.constant
ZEROS = build.full((N, M), c(0.0))
ONES = build.full((N, M), c(1.0))


def divided(x: Node, value: float) -> Node:
    return E("divide", x, c(value))


def strong(value: Any, dtype: Any = FLOAT64) -> Node:
    return build.constant(value, dtype)


RULES = {
    "x * 1": (E("multiply", X, c(1.0)), X),
    "1 * x": (E("multiply", c(1.0), X), X),
    "x * ones": (E("multiply", X, ONES), X),
    "n * 1": (E("multiply", I32, c(1)), I32),
    "row * ones is broadcast": (
        E("multiply", build.broadcast_to(build.reduce("sum", X, (0,)), (N, M)), ONES),
        build.broadcast_to(build.reduce("sum", X, (0,)), (N, M)),
    ),
    "x / 1": (divided(X, 1.0), X),
    "x / 2": (divided(X, 2.0), E("multiply", X, strong(0.5))),
    "x / -0.25": (divided(X, -0.25), E("multiply", X, strong(-4.0))),
    "float32 x / 1024": (divided(S, 1024.0), E("multiply", S, strong(2.0**-10, FLOAT32))),
    "float16 x / 2": (divided(H, 2.0), E("multiply", H, strong(0.5, np.dtype(np.float16)))),
    "x - 0": (E("subtract", X, c(0.0)), X),
    "n - 0": (E("subtract", I32, c(0)), I32),
    "n + 0": (E("add", I32, c(0)), I32),
    "0 + n": (E("add", c(0), U8), U8),
    "-(-x)": (E("negative", E("negative", X)), X),
    "-(-(-x))": (E("negative", E("negative", E("negative", X))), E("negative", X)),
    "+x": (E("positive", X), X),
    "not not b": (E("logical_not", E("logical_not", B)), B),
    "where(True, x, y)": (build.where(c(True), X, Y), X),
    "where(False, x, y)": (build.where(c(False), X, Y), Y),
    "where(b, x, x)": (build.where(B, X, X), X),
    "there and back": (build.cast(build.cast(S, FLOAT64), FLOAT32), S),
    "to complex and back": (build.cast(build.cast(X, COMPLEX), FLOAT64), X),
    "int widened twice": (build.cast(build.cast(U8, np.dtype("u4")), np.dtype("u8")),
                          build.cast(U8, np.dtype("u8"))),
    "view of a view": (build.flip(build.flip(X, (0, 1)), (1,)), build.flip(X, (0,))),
    "reversed twice": (build.flip(build.flip(X, (0,)), (0,)), X),
    "transposed twice": (build.transpose(build.transpose(X, (1, 0)), (1, 0)), X),
    "operands first": (E("exp", E("multiply", divided(X, 1.0), c(1.0))), E("exp", X)),
}  # fmt: skip
KEPT = {
    "x + 0 (of -0.0)": E("add", X, c(0.0)),
    "x + zeros": E("add", X, ZEROS),
    "x - (-0.0)": E("subtract", X, c(-0.0)),
    "0 - x": E("subtract", c(0.0), X),
    "x * 0 (of nan, inf)": E("multiply", X, c(0.0)),
    "0 * x": E("multiply", c(0.0), X),
    "x * -1": E("multiply", X, c(-1.0)),
    "x - x": E("subtract", X, X),
    "x / x": E("divide", X, X),
    "x / 3": divided(X, 3.0),
    "x / 0.1": divided(X, 0.1),
    "x / 0": divided(X, 0.0),
    "x / inf": divided(X, np.inf),
    "x / 2**1023 (its inverse is subnormal)": divided(X, 2.0**1023),
    "x / 2**-1074 (its inverse overflows)": divided(X, 2.0**-1074),
    "float16 x / 2**15": divided(H, 2.0**15),
    "1 / x": E("divide", c(1.0), X),
    "complex * 1": E("multiply", Z, c(1.0)),
    "complex / 2": divided(Z, 2.0),
    "complex - 0": E("subtract", Z, c(0.0)),
    "not not n": E("logical_not", E("logical_not", I32)),
    "float64 to float32 and back": build.cast(build.cast(X, FLOAT32), FLOAT64),
    "int64 to float64 and back": build.cast(build.cast(array("n", INT64), FLOAT64), INT64),
    "int64 to int16 and back": build.cast(build.cast(array("n", INT64), np.dtype("i2")), INT64),
    "uint8 to int16 and back": build.cast(build.cast(array("w", "i2"), U8.dtype), np.dtype("i2")),
    "max(x, x)": E("maximum", X, X),
    "exp(log(x))": E("exp", E("log", X)),
    "sqrt(x * x)": E("sqrt", E("multiply", X, X)),
    "n // 1": E("floor_divide", I32, c(1)),
}  # fmt: skip


def specials(dtype: np.dtype[Any]) -> np.ndarray:
    """Values at which wrong rewrites show, as one row."""
    if dtype.kind == "b":
        return np.array([[False, True]])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return np.array([[0, 1, 2, 7, info.max, info.min, info.min + 1]], dtype)
    if dtype.kind == "c":
        parts = specials(np.dtype(f"f{dtype.itemsize // 2}"))[0]
        return np.array([[complex(a, b) for a, b in itertools.product(parts, parts)]], dtype)
    info = np.finfo(dtype)
    values = [0.0, 1, 3, 1 / 3, info.tiny, info.smallest_subnormal, info.max, np.inf]
    return np.array([*values, *(-v for v in values), np.nan], dtype)[None]


def same_bits(g: Graph, h: Graph) -> None:
    """Both graphs give the same values for the special ones, signs of zeros included."""
    env = {}
    for i in g.inputs:
        values = specials(i.dtype)
        env[i.attr[0]] = np.resize(values, (3, 300))
    env.setdefault("x", np.empty((3, 300)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
        pairs = zip(evaluate(g.outputs, env), evaluate(h.outputs, env), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        for part in ("real", "imag") if a.dtype.kind == "c" else ("real",):
            u, v = getattr(a, part), getattr(b, part)
            if u.dtype.kind == "f":
                number = ~np.isnan(u)
                np.testing.assert_array_equal(np.signbit(u)[number], np.signbit(v)[number])


@pytest.mark.parametrize("rule", RULES)
def test_simplified(rule):
    before, after = RULES[rule]
    g = graph(before)
    h = simplify(g)
    verify(h, "simplify")
    assert h.outputs == (after,), f"\n{g}\nbecame\n{h}\nnot\n{graph(after)}"
    assert h.inputs == g.inputs and simplify(h).outputs == h.outputs
    same_bits(g, h)


@pytest.mark.parametrize("expression", KEPT)
def test_not_simplified(expression):
    g = graph(KEPT[expression])
    h = simplify(g)
    verify(h, "simplify")
    assert h.outputs == g.outputs, f"\n{g}\nbecame\n{h}"


def test_dimensions_are_simplified_with_their_checks():
    longer = make(ops.ELEMENTWISE["greater"], (dims.add(N, 1), c(1)), None, ArrayType(BOOL))
    g = graph(E("multiply", X, c(1.0)), checks=(Check(longer, "why"),))
    h = simplify(g)
    assert h.outputs == (X,) and h.checks == g.checks


# Interpreter ------------------------------------------------------------------------------------

A = np.arange(12.0).reshape(3, 4) - 5
PICKS = np.array([2, 0, 2, 1])
TRANSPOSED = Callee("transposed", lambda x: [x.T], [(FLOAT64, 2)], [(FLOAT64, 2)])
x34, i4, m34 = array(shape=(3, 4)), array("i", INT64, (4,)), array("m", bool, (3, 4))
MOVED = np.random.RandomState(3)
MOVED.normal(1.0, 2.0, (2, 3))
DRAWN, AFTER = build.draw(
    "normal", array("s", np.uint32, (628,)), (2, 3),
    [c(1.0, np.float64), c(2.0, np.float64)], np.dtype(np.float64),
)  # fmt: skip
POSITIVE = E("greater", x34, c(0.0))
PAIR = make(ops.TUPLE, (x34, N), None, TupleType((x34.type, N.type)))
[CHOSEN] = control.cond(build.reduce("any", POSITIVE, (0, 1)), Body((E("exp", x34),)), Body((x34,)))
[HALVED] = control.while_loop(
    [c(6.0, np.float64)],
    lambda carried: Body((E("greater", carried[0], c(1.0)),)),
    lambda carried: Body((E("divide", carried[0], c(2.0)),)),
)
SUMMED, _ = control.scan(
    3, [build.full((4,), c(0.0, np.float64))], [x34],
    lambda k, carried, rows: Body((E("add", carried[0], rows[0]), build.cast(k, INT64))),
)  # fmt: skip
HOSTED = host.call(TRANSPOSED, [x34])[0]
STRUCTURAL: dict[str, tuple[Node, Any]] = {
    "input": (x34, A),
    "const": (build.constant(np.float32(2.5)), np.float32(2.5)),
    "dim": (N, 3),
    "poly": (dims.add(dims.mul(N, dims.mul(M, 2)), -1), 23),
    "iota": (build.iota(dims.add(N, 2)), np.arange(5)),
    "view": (build.view(x34, (2, 2, 3), ((2, -1, 0), (1, 2, 1))), None),
    "reshape": (build.reshape(build.transpose(x34, (1, 0)), (2, 6)), A.T.reshape(2, 6)),
    "gather": (
        build.gather(
            x34, (4, 4), (("index", 0), ("axis", 1)), build.view(i4, (4, 4), ((0, 1, 0),))
        ),
        A[PICKS],
    ),
    "custom": (make(ops.STRUCTURAL["custom"], (x34, i4), 1, x34.type), A),
    "scatter": (
        build.scatter(
            x34, build.broadcast_to(c(1.5, np.float64), (4, 4)),
            [build.view(i4, (4, 4), ((0, 1, 0),)), build.view(build.iota(4), (4, 4), ((0, 1, 1),))],
            [True, False], "add",
        ),
        A + 1.5 * np.bincount(PICKS, minlength=3)[:, None],
    ),
    "nonzero": (build.nonzero(E("greater", x34, c(0.0))), np.argwhere(A > 0)),
    "count": (make(ops.COUNT, (POSITIVE,), None, ArrayType(INT64)), 6),
    "positions": (
        make(ops.POSITIONS, (build.view(POSITIVE, (4,), ((1, 0, None), (0, 1, 0))),), 2,
             ArrayType(INT64, (2,))),
        [2, 3],
    ),
    "compress": (
        make(ops.COMPRESS, (POSITIVE, x34), (6,), ArrayType(FLOAT64, (6,))), A[A > 0]
    ),
    "place": (
        make(ops.PLACE, (POSITIVE, x34, build.cast(build.iota(6), FLOAT64)), None, x34.type),
        np.where(A > 0, np.cumsum(A > 0).reshape(3, 4) - 1.0, A),
    ),
    "assign": (make(ops.ASSIGN, (x34, build.flip(x34, (0,))), False, x34.type), A[::-1]),
    "concatenate": (build.concatenate([x34, build.flip(x34, (0,))], 1), np.hstack([A, A[::-1]])),
    "accumulate": (build.accumulate("multiply", x34, 1), np.cumprod(A, axis=1)),
    "draw": (DRAWN, np.random.RandomState(3).normal(1.0, 2.0, (2, 3))),
    "advance": (AFTER, to_words(MOVED)),
    "sort": (build.sort(x34, 1), np.sort(A, axis=1)),
    "argsort": (build.sort(x34, 1, "stable", positions=True), np.argsort(A, axis=1)),
    "middle": (build.middle(x34), np.sort(A, axis=1)[:, 1:3]),
    "search": (
        sequences.search(build.view(x34, (4,), ((1, 0, None), (0, 1, 0))), x34, "right"),
        np.searchsorted(A[1], A, "right"),
    ),
    "correlate": (
        sequences.correlate(
            build.reshape(x34, (12,)), build.view(x34, (4,), ((1, 0, None), (0, 1, 0))), 1, 5
        ),
        np.correlate(A.ravel(), A[1], "full")[2:7],
    ),
    "gufunc": (
        gufuncs.call(gufuncs.GUFUNCS["svd"], "d->d", [x34], p=3)[0][0],
        np.linalg.svdvals(A),
    ),
    "convolution": (
        convolutions.convolve(
            build.reshape(x34, (1, 1, 1, 1, 3, 4)),
            build.view(x34, (1, 1, 1, 1, 2, 2), ((0, 1, 4), (0, 1, 5))),
            (1, 2, 2), (1, 1, 2), (1, 1, 1),
        ),
        (A[0, 0] * A[:2, ::2] + A[0, 1] * A[:2, 1::2] + A[1, 0] * A[1:, ::2]
         + A[1, 1] * A[1:, 1::2])[None, None, None, None],
    ),
    "host": (HOSTED.args[0], np.array([0, 4, 3])),
    "hosted": (HOSTED, A.T),
    "matmul": (build.matmul(x34, build.transpose(x34, (1, 0))), A @ A.T),
    "tuple": (PAIR, (A, 3)),
    "item": (make(ops.ITEM, (PAIR,), 1, N.type), 3),
    "cond": (CHOSEN.args[0], (np.exp(A),)),
    "while": (HALVED.args[0], (np.float64(0.75),)),
    "scan": (SUMMED.args[0], (A.sum(axis=0), np.arange(3))),
}  # fmt: skip
STRUCTURAL["view"] = (
    STRUCTURAL["view"][0],
    np.broadcast_to(A[2:0:-1, 1::2][:, :, None], (2, 2, 3)),
)


@pytest.mark.parametrize("op", ops.STRUCTURAL)
def test_interpreted_as_numpy_does(op):
    root, want = STRUCTURAL[op]
    assert root.op is ops.STRUCTURAL[op]
    state = to_words(np.random.RandomState(3))
    [got] = evaluate([root], {"x": A, "i": PICKS, "m": A > 0, "s": state})
    if root.several is None:
        got, want, types = (got,), (want,), (root.type,)
    else:
        types = root.several
    for value, other, type_ in zip(got, want, types, strict=True):
        if type_.weak:
            assert type(value) is type(other)
        else:
            assert value.dtype == type_.dtype == np.asarray(other).dtype
        np.testing.assert_array_equal(value, other)


# Depth ------------------------------------------------------------------------------------------


def test_a_chain_of_100_000_nodes():
    """Nothing recurses: there is room for 50 frames, and the last node takes all others along."""
    chain: Node | None = X
    before, limit = len(node._table), sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 50)
    try:
        for k in range(100_000):
            chain = E(("add", "multiply", "divide")[k % 3], chain, c((0.5, 1.0, 2.0)[k % 3]))
        g = Graph((X,), (chain,))
        verify(g)
        assert to_text(g).count("\n") == 100_001
        h = simplify(g)  # every second of three goes, every third becomes a multiplication
        verify(h)
        assert to_text(h).count("\n") == 66_669 - 1
        a, b = (evaluate(r.outputs, {"x": np.ones((1, 2))})[0] for r in (g, h))
        np.testing.assert_array_equal(a, b)
        del g, h, chain
        gc.collect()
    finally:
        sys.setrecursionlimit(limit)
    assert len(node._table) < before + 100


def test_every_structural_op_has_a_record():
    from tracejit.ir.rules import RULES

    assert set(RULES) == set(ops.STRUCTURAL.values())
