"""NumPy's functions over traced values against NumPy: values, dtypes, shapes, kinds and refusals.

Each case is an expression, evaluated once over arrays with NumPy and once over Tracers whose
graph the interpreter computes.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.special

from tracejit.arrays import CREATORS, FUNCTIONS
from tracejit.capture import numpys  # noqa: F401 (which fills the tables)
from tracejit.errors import NotTraceable
from tracejit.ir import build, dims, interpret, ops
from tracejit.ir.node import Node
from tracejit.ir.types import DTYPES
from tracejit.trace.tracer import Tracer


def cases(text: str) -> list[str]:
    """Cases in a block of text: separated by two spaces, or one a line."""
    return [case for case in re.split(r"\s{2,}", text) if case]


class Known(build.Solver):
    """A solver that answers from arguments at hand and remembers what it said."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = dict(values)
        self.answers: list[tuple[Node, Any]] = []
        self.constants: dict[int, tuple[Any, Tracer]] = {}

    def look(self, node: Node) -> Any:
        stack = [node]
        while stack:
            n = stack.pop()
            if n.op is ops.INPUT and not n.type.weak:
                raise NotTraceable("the value of an array is asked for")
            stack += [*n.args, *n.dims]
        return interpret.evaluate([node], self.values)[0]

    def equal(self, a: Any, b: Any) -> bool:
        if a is b or (isinstance(a, int) and isinstance(b, int)):
            return a == b
        return self.truth(
            build.apply(
                ops.ELEMENTWISE["equal"], [dims.as_node(a), dims.as_node(b)], np.dtype(bool)
            )
        )

    def truth(self, condition: Node) -> bool:
        answer = bool(self.look(condition))
        self.answers.append((condition, answer))
        return answer

    def answer(self, condition: Node, decides: bool = True) -> bool | None:
        try:
            return self.truth(condition)
        except NotTraceable:
            return None

    def value(self, a: Any) -> int | None:
        try:
            return a if isinstance(a, int) else int(self.look(a))
        except NotTraceable:
            return None

    def concrete(self, node: Node) -> Any:
        answer = self.look(node)
        self.answers.append((node, answer))
        return answer.item() if isinstance(answer, (np.generic, np.ndarray)) else answer

    def array_input(self, value: np.ndarray) -> Tracer:
        name = f"constant{len(self.constants)}"
        v = Tracer(build.input(name, value.dtype, value.shape), owned=False)
        self.values[name] = value
        self.constants[id(value)] = value, v
        return v

    def known_array(self, value: np.ndarray) -> Tracer | None:
        return self.constants.get(id(value), (None, None))[1]


class Namespace:
    """NumPy as a traced function sees it."""

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name)
        try:
            return CREATORS.get(function, function)
        except TypeError:
            return function


def variable(name: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        shape = tuple(1 if n == 1 else dims.dim(name, k) for k, n in enumerate(value.shape))
        return Tracer(build.input(name, value.dtype, shape), owned=False)
    if isinstance(value, np.generic):
        return Tracer(build.input(name, value.dtype, ()), "scalar", owned=False)
    dtype = np.dtype(type(value))
    return Tracer(build.input(name, dtype, (), weak=dtype.kind != "b"), "number", owned=False)


def kind(x: Any) -> str:
    return (
        "array"
        if isinstance(x, np.ndarray)
        else "scalar"
        if isinstance(x, np.generic)
        else "number"
    )


def leaves(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in leaves(item)]
    return [x]


REFUSALS = (ValueError, TypeError, IndexError, AttributeError, ArithmeticError, NotTraceable)


class Outcome:
    """What an expression gave: values or an exception."""

    def __init__(self, source: str, values: dict[str, Any], namespace: Any) -> None:
        self.error: Exception | None = None
        self.result: Any = None
        scope = {"np": namespace, "sc": scipy.special, **values}
        try:
            if source.startswith("def "):
                exec(source, scope)
                self.result = scope["f"]()
            else:
                self.result = eval(source, scope)
        except REFUSALS as error:
            self.error = error


def numpy_outcome(source: str, values: dict[str, Any]) -> Outcome:
    copies = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in values.items()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return Outcome(source, copies, np)


def trace(source: str, values: dict[str, Any]) -> tuple[Outcome, Known]:
    solver = Known(values)
    with build.use_solver(solver):
        return Outcome(source, {k: variable(k, v) for k, v in values.items()}, Namespace()), solver


def difference(mine: Any, theirs: Any, values: dict[str, Any]) -> str | None:
    """How a traced leaf differs from NumPy's."""
    if not isinstance(mine, Tracer):
        same = type(mine) is type(theirs) and (mine == theirs or mine != mine)
        return None if same else f"{mine!r} is not {theirs!r}"
    if mine.kind != kind(theirs):
        return f"kind {mine.kind}, not {kind(theirs)}"
    node = mine.node
    lengths = interpret.evaluate([dims.as_node(d) for d in node.shape], values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (got,) = interpret.evaluate([node], values)
    want = np.asarray(theirs)
    if node.dtype != want.dtype:
        return f"dtype {node.dtype}, not {want.dtype}"
    if tuple(lengths) != want.shape or np.shape(got) != want.shape:
        return f"shape {tuple(lengths)}, not {want.shape}"
    got = np.asarray(got)
    if want.dtype.kind in "fc":
        eps = np.finfo(want.dtype).eps
        if not np.allclose(got, want, rtol=8 * eps, atol=eps, equal_nan=True):
            return f"values {got!r}, not {want!r}"
    elif not np.array_equal(got, want):
        return f"values {got!r}, not {want!r}"
    return None


def compare(source: str, values: dict[str, Any]) -> str | None:
    """How tracing `source` differs from NumPy; None where it does not."""
    theirs = numpy_outcome(source, values)
    mine, solver = trace(source, values)
    if theirs.error is not None or mine.error is not None:
        if mine.error is None:
            # NumPy may look at values: an integer power, an index out of bounds.
            try:
                [interpret.evaluate([v.node], solver.values) for v in leaves(mine.result)]
            except Exception as error:
                mine.error = error
        if theirs.error is None or mine.error is None:
            return f"raised {mine.error!r}, NumPy {theirs.error!r}"
        bases = type(theirs.error).__mro__
        wanted = next(c for c in bases if not c.__module__.startswith("numpy._core"))
        if not isinstance(mine.error, wanted):
            return f"raised {mine.error!r}, NumPy {theirs.error!r}"
        texts = str(mine.error), str(theirs.error)
        # Where NumPy's message names a C type or a Python class, ours names the dtype.
        vague = ("loop with signature", "C long", "unsupported operand", "between instances")
        if texts[0] != texts[1] and not any(v in texts[1] for v in vague):
            return f"raised {mine.error!r}, NumPy {theirs.error!r}"
        return None
    a, b = leaves(mine.result), leaves(theirs.result)
    if len(a) != len(b):
        return f"{len(a)} results, not {len(b)}"
    for x, y in zip(a, b, strict=True):
        found = difference(x, y, solver.values)
        if found:
            return found
    return None


def check(sources: list[str], values: dict[str, Any]) -> None:
    failures = [f"{s}: {found}" for s in sources if (found := compare(s, values))]
    assert not failures, "\n" + "\n".join(failures)


RNG = np.random.default_rng(5)


def sample(dtype: Any, shape: tuple[int, ...], low: int = -4, high: int = 5) -> np.ndarray:
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return np.array(RNG.integers(0, 2, shape), bool)
    if dtype.kind == "u":
        low = 0
    x = np.array(RNG.integers(low, high, shape))
    if dtype.kind in "iu":
        return x.astype(dtype)
    y = x + RNG.integers(0, 4, shape) / 4
    return np.array(y + 1j * RNG.integers(low, high, shape) if dtype.kind == "c" else y, dtype)


def typed(dtype: Any) -> dict[str, Any]:
    """Arrays of one dtype."""
    return {
        "a": sample(dtype, (4, 5)),
        "b": sample(dtype, (4, 5)),
        "r": sample(dtype, (5,)),
        "c": sample(dtype, (3, 4, 5)),
        "z": sample(dtype, ()),
        "s": sample(dtype, ())[()],
        "e": sample(dtype, (0, 3)),
        "k": sample(dtype, (1, 5)),
    }


# Cases over every dtype -------------------------------------------------------------------------

UFUNCS = sorted(
    {
        u.__name__
        for u in vars(np).values()
        if isinstance(u, np.ufunc) and u.signature is None and u is not np.isnat
    }
)
BINARY_OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "**",
    "&",
    "|",
    "^",
    "<<",
    ">>",
    "<",
    "<=",
    ">",
    ">=",
    "==",
    "!=",
    "@",
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_ufuncs(dtype: Any) -> None:
    """Every ufunc on arrays, scalars, broadcasts and Python numbers."""
    sources = []
    for name in UFUNCS:
        u = getattr(np, name)
        if u.nin == 1:
            sources += [f"np.{name}({x})" for x in ("a", "s", "z", "e", "k")]
        else:
            pairs = ["a, b", "a, r", "c, a", "s, a", "z, z", "a, 2", "2, a", "s, 3", "a, 0.5"]
            pairs += ["k, c", "e, e", "a, True", "a, 1j", "a, -1"]
            sources += [f"np.{name}({p})" for p in pairs]
    check(sources, typed(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_operators(dtype: Any) -> None:
    """Python's operators, reflected too, with numbers that do and do not fit."""
    sources = [f"{u}{x}" for u in "-+~" for x in ("a", "s", "z")] + ["abs(a)", "abs(s)"]
    others = cases("""
        2  -1  0.5  2.0  1j  True  0  1  300  np.float32(2)  [1, 2, 3, 4, 5]
    """)
    for op in BINARY_OPERATORS:
        sources += [f"a {op} b", f"a {op} r", f"s {op} a", f"s {op} s", f"z {op} z", f"z {op} s"]
        if op != "@":
            for other in others:
                sources += [f"a {op} {other}", f"s {op} {other}"]
                if "np" not in other:
                    sources += [f"{other} {op} a", f"{other} {op} s"]
    sources += ["divmod(a, b)", "divmod(a, 3)", "divmod(7, a)", "z ** 2", "z ** 0.5", "a ** -1"]
    # Python's own complex operator, and Python's repetition of lists, come first there.
    sources = [s for s in sources if not (s.startswith("1j") and s.endswith(" s"))]
    sources = [s for s in sources if not (s.startswith("s *") and "[" in s)]
    sources = [s for s in sources if not (s.startswith("[") and s.endswith("* s"))]
    check(sources, typed(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_python_integers_out_of_range(dtype: Any) -> None:
    """OverflowError in arithmetic, the true answer in comparisons."""
    numbers = cases("""
        -1  127  128  255  256  -129  2**31  2**32  2**63  2**64  -2**63
    """)
    sources = [f"a {op} {n}" for op in ("+", "<", ">=", "==", "!=") for n in numbers]
    sources += [f"{n} {op} a" for op in ("-", "<", ">=") for n in numbers]
    sources += [f"np.where(a > 0, a, {n})" for n in numbers]
    sources += [f"np.full_like(a, {n})" for n in numbers]
    sources += [f"a.clip({n}, None)" for n in numbers] + [f"np.clip(a, 0, {n})" for n in numbers]
    check(sources, typed(dtype))


REDUCTIONS = [
    "sum",
    "prod",
    "min",
    "max",
    "mean",
    "var",
    "std",
    "any",
    "all",
    "argmin",
    "argmax",
    "ptp",
    "count_nonzero",
]
NAN_REDUCTIONS = [
    "nansum",
    "nanprod",
    "nanmin",
    "nanmax",
    "nanmean",
    "nanvar",
    "nanstd",
    "nanargmin",
    "nanargmax",
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions(dtype: Any) -> None:
    """Axes of every kind, keepdims, empty arrays, 0-d arrays."""
    sources = []
    for name in REDUCTIONS + NAN_REDUCTIONS:
        forms = ["a", "a, axis=0", "c, axis=-1", "c, axis=1, keepdims=True", "c, keepdims=True"]
        forms += ["z", "s", "e, axis=0", "e, axis=1", "e", "a, axis=2", "a, axis=-3", "z, axis=0"]
        if "arg" not in name:
            forms += [
                "c, axis=(0, 2)",
                "c, axis=(-1, 1), keepdims=True",
                "c, axis=()",
                "c, axis=(0, 0)",
            ]
        sources += [f"np.{name}({f})" for f in forms]
    for name in ("cumsum", "cumprod", "nancumsum", "nancumprod"):
        sources += [
            f"np.{name}({f})" for f in ("a", "a, axis=0", "c, 1", "z", "s", "e, axis=1", "a, 3")
        ]
    sources += cases("""
        a.sum()  a.sum(0)  c.mean((0, 1))  s.sum()  z.max()  a.std(axis=1, ddof=1)
    """)
    sources += ["np.var(a, ddof=2)", "np.var(a, axis=0, ddof=1.5)", "np.std(a, correction=1)"]
    sources += ["np.nanvar(a, axis=1, ddof=1)", "a.any(axis=1, keepdims=True)", "a.cumsum(0)"]
    check(sources, typed(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_reductions_with_options(dtype: Any) -> None:
    """dtype, initial, where; ufuncs' own reduce, accumulate and outer."""
    m = "b > 0" if np.dtype(dtype).kind != "c" else "b.real > 0"
    sources = []
    for t in ("np.int8", "np.float32", "np.complex128", "np.uint64", "bool", "float"):
        for name in ("sum", "prod", "mean", "var", "std", "cumsum", "nansum"):
            sources.append(f"np.{name}(a, axis=0, dtype={t})")
    for name in ("sum", "prod", "min", "max"):
        sources += [
            f"np.{name}(a, axis=0, where={m}, initial=1)",
            f"np.{name}(a, initial=3)",
            f"np.{name}(e, axis=0, initial=2)",
            f"np.{name}(a, where=({m})[0], axis=1, initial=0)",
            f"np.{name}(a, axis=1, where={m})",
        ]
    for name in ("mean", "var", "std", "any", "all", "nanmean", "nanvar"):
        sources += [
            f"np.{name}(a, axis=0, where={m})",
            f"np.{name}(a, where=({m})[:, :1], keepdims=True)",
        ]
    for name in UFUNCS:
        if getattr(np, name).nin == 2 and getattr(np, name).nout == 1:
            sources += [f"np.{name}.outer(r, s)", f"np.{name}.outer(r, a)"]
            if name in (
                "power",
                "arctan2",
                "ldexp",
                "less",
                "greater",
                "less_equal",
                "greater_equal",
                "equal",
                "not_equal",
            ):
                continue
            sources += [f"np.{name}.reduce(a)", f"np.{name}.reduce(a, axis=1, keepdims=True)"]
            if not name.startswith("logical"):
                sources += [f"np.{name}.accumulate(a, axis=1)", f"np.{name}.accumulate(r)"]
    check(sources, typed(dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_elementwise_functions(dtype: Any) -> None:
    """Functions that are no ufuncs."""
    sources = cases("""
        np.where(a.real > 0, a, b)  np.where(a.real > 0, a, 1)  np.where(a.real > 0, 0.5, a)
        np.where(a, r, s)  np.where(z, z, z)  np.where(a, 1, 2)  np.where(a, 1, 2.5)
        np.where(s, 1j, s)  np.where(a)  np.nonzero(a)  np.argwhere(a)  np.flatnonzero(a)
        a.nonzero()  np.round(a)  a.round()  s.round()  np.around(z)  np.fix(a)
        np.clip(a, -1, 2)  np.clip(a, b, 3)  a.clip(1)  a.clip(max=2)  a.clip(0.5, 2)
        np.clip(a, r, b)  np.clip(a, None, None)  s.clip(0, 1)  np.clip(a, min=0, max=1)
        np.isclose(a, b)  np.isclose(a, 1)  np.isclose(1.0, a)  np.allclose(a, a)
        np.allclose(a, b)  np.array_equal(a, b)  np.array_equal(a, r)  np.array_equal(a, a)
        np.sinc(a)  np.angle(a)  np.angle(a, deg=True)  np.isreal(a)  np.iscomplex(a)
        np.iscomplexobj(a)  np.real(a)  np.imag(a)  a.real  a.imag  s.real  z.imag  np.conj(a)
        a.conj()  s.conjugate()  np.select([a.real > 0, b == b], [a, b], 0)
        np.select([a.real > 0], [a])  np.result_type(a, 1.0)  np.diff(a)  np.diff(a, axis=0)
        np.diff(a, 2)  np.diff(a, prepend=0)  np.diff(a, append=b, axis=0)  np.diff(r, n=0)
        np.diff(z)  np.ediff1d(a)  np.tril(a)  np.triu(a)  np.tril(c, 1)  np.triu(c, -1)
        np.tril(r)  np.triu(r, 1)  np.zeros_like(a)  np.ones_like(a)  np.full_like(a, 2)
        np.full_like(a, 1.7)  np.ones_like(a, dtype=float)  np.zeros_like(a, shape=(2, 3))
        np.full_like(z, 1)  a.astype(np.float32)  a.astype(bool)  a.astype(int, casting='safe')
        z.astype(int)  s.astype(float)  a.astype('complex128')  a.copy()  np.copy(s)  s.copy()
        z.copy()  np.array([a, b])  np.array([s, s, 1])  np.array([[s, 2], [1.5, s]])
        np.array([r, r])  np.array(a, dtype=float)  np.asarray(a, float)  np.asarray(s)
        np.array(s, ndmin=2)  np.full((2, 2), s)  np.full(5, r)  np.full((2, 5), r, dtype=float)
        np.linspace(s, 5, 4)  np.linspace(r, 5, 3)  np.linspace(0, r, 4, axis=1)
        np.linspace(s, s, 3)  np.linspace(1, 2, 5, dtype=a.dtype)  np.linspace(r, 9, 1)
    """)
    if np.dtype(dtype).kind != "c":
        sources += ["np.round(a, 1)", "np.round(a, -1)", "a.round(2)"]
        sources += ["np.nan_to_num(a)", "np.nan_to_num(s)", "np.nan_to_num(a / 0, posinf=9)"]
    check(sources, typed(dtype))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float64", "complex64"])
def test_products(dtype: Any) -> None:
    """Products of vectors and matrices."""
    values = typed(dtype) | {
        "m": sample(dtype, (5, 3)),
        "t": sample(dtype, (3, 5, 2)),
        "v": sample(dtype, (4,)),
        "q": sample(dtype, (5, 5)),
        "w": sample("float32", (5,)),
    }
    sources = cases("""
        a @ m  a @ r  v @ a  r @ r  c @ m  c @ t  c @ r  v @ c  a @ t  a @ a  s @ a  a @ s
        k @ r  k.T @ k  np.matmul(a, m)  np.matmul(a, w)  np.vecdot(a, r)  np.vecdot(a, b)
        np.vecdot(a, v)  np.matvec(c, r)  np.vecmat(v, c)  np.matvec(a, a)  np.dot(a, m)
        np.dot(a, r)  np.dot(r, r)  np.dot(a, 2)  np.dot(s, a)  a.dot(m)  np.dot(c, m)
        np.dot(c, t)  np.dot(a, a)  np.dot(v, c)  np.dot(s, s)  np.dot(z, z)  np.inner(a, b)
        np.inner(a, r)  np.inner(c, a)  np.inner(r, 2)  np.inner(a, v)  np.outer(r, v)
        np.linalg.norm(a)  np.linalg.norm(m)  np.linalg.norm(r, 1)  np.linalg.norm(m, np.inf)
        np.linalg.norm(m, 1)  np.linalg.norm(m, -1)  np.linalg.norm(m, axis=1, keepdims=True)
        np.linalg.norm(m, 3, axis=0)  np.linalg.norm(m, 0, axis=0)  np.linalg.norm(m, -np.inf, 1)
        np.linalg.norm(m, 'fro', axis=(1, 0), keepdims=True)  np.linalg.norm(a, 'x')
        np.linalg.norm(m, 7)  np.linalg.norm(m + 1j, axis=-1)  np.linalg.norm(a, 2.5)
        np.linalg.norm(m, axis=2)  np.linalg.norm(m, axis=(0, 0))
        np.outer(a, r)  np.outer(s, r)  np.vdot(a, b)  np.vdot(r, r)  np.tensordot(a, m, 1)
        np.tensordot(c, a, 2)  np.tensordot(c, c, axes=((0, 1), (0, 1)))  np.tensordot(r, v, 0)
        np.tensordot(a, a, axes=(0, 0))  np.tensordot(a, a, 1)  np.tensordot(r, r, 1)
        np.kron(a, r)  np.kron(r, r)  np.trace(q)  np.trace(c)  np.trace(a, 1)  np.trace(a, -2)
        a.trace()  np.trace(c, axis1=1, axis2=2)  np.trace(q, dtype=float)  np.diagonal(a)
        np.diagonal(c, 1, 0, 2)  np.diagonal(q, -1)  np.diagonal(q, 7)  a.diagonal(1)
        np.diag(r)  np.diag(q)  np.diag(r, 2)  np.diag(r, -1)  np.einsum('ij,jk->ik', a, m)
        np.einsum('ij,jk', a, m)  np.einsum('ij->ji', a)  np.einsum('ij->', a)
        np.einsum('ii->i', q)  np.einsum('ii', q)  np.einsum('ij,ij->i', a, b)
        np.einsum('i,i', r, r)  np.einsum('i,j->ij', r, v)  np.einsum('...j,j->...', c, r)
        np.einsum('...ij,...jk->...ik', c, t)
        np.einsum('ij,jk,kl->il', a, m, np.einsum('jk->kj', m))  np.einsum('bij,bjk->bik', c, t)
        np.einsum('ij,j->ij', a, r)  np.einsum('ba', a)  np.einsum(a, [0, 1], m, [1, 2], [0, 2])
        np.einsum('ij,kj->ik', a, k)  np.einsum('i...->...', c)  np.einsum('ijk,ijk->k', c, c)
        np.einsum('ij,ik->jk', a, b)  np.einsum('...', s)  np.einsum('ij,ij', a, b)
        np.einsum('ij,kl->', a, m)  np.einsum('iij->j', np.einsum('i,jk->ijk', v, a))
    """)
    check(sources, values)


SHAPES: dict[str, Any] = {
    "v": np.arange(6.0),
    "m": np.arange(20.0).reshape(4, 5),
    "c": np.arange(60).reshape(3, 4, 5),
    "d": np.arange(24.0).reshape(2, 1, 3, 4),
    "o": np.ones((1, 4, 1)),
    "e": np.zeros((0, 3)),
    "z": np.array(2.5),
    "s": np.float64(1.5),
    "i": np.array([2, 0, -1]),
    "j": np.array([[1], [0]]),
    "p": np.int64(1),
    "u": np.array([1, 3], np.uint8),
    "y": np.arange(6.0) > 2,
    "k": np.arange(20).reshape(4, 5) % 3 == 0,
    "l": np.array([True, False, True, False]),
    "n": 3,
    "f": 1.5,
    "g": -2,
}


def test_shaping() -> None:
    check(
        cases("""
            m.shape  m.ndim  m.size  m.dtype  m.T  c.T  c.mT  v.mT  m.itemsize  m.nbytes
            np.shape(m)  np.ndim(m)  np.size(c, 1)  np.size(c)  len(m)  m.reshape(2, 10)
            m.reshape(-1)  m.reshape((5, -1))  c.reshape(3, -1)  c.reshape(-1, 5)
            c.reshape(2, -1, 3)  m.reshape(3, 7)  m.reshape(-1, 7)  m.reshape(-1, -1)
            np.reshape(m, (2, 2, 5))  m.reshape(m.shape[0] * 5)
            m.reshape(m.shape[1], m.shape[0])  m.reshape(m.size)  m.reshape(np.prod(m.shape))
            c.reshape(c.shape[0], np.prod(c.shape[1:]))  e.reshape(3, 0)  e.reshape(-1)
            e.reshape(0, -1)  m.reshape(4, 5, 1)  m.reshape((1, 4, 1, 5))  z.reshape(1, 1)
            s.reshape(1)  m.reshape(2, 10, order='F')  c.ravel(order='F')  c.ravel()
            np.ravel(m)  m.flatten()  s.flatten()  z.ravel()  m.transpose()
            c.transpose(1, 2, 0)  c.transpose((2, 0, 1))  c.transpose(0, 1)
            c.transpose(0, 0, 1)  np.transpose(c, (1, 0, 2))  np.transpose(c, [-1, 0, 1])
            np.swapaxes(c, 0, -1)  c.swapaxes(1, 5)  np.moveaxis(c, 0, -1)
            np.moveaxis(c, [0, 1], [-1, 0])  np.moveaxis(c, 3, 0)  np.rollaxis(c, 2)
            np.rollaxis(c, 0, 3)  np.expand_dims(m, 0)  np.expand_dims(m, (0, -1))
            np.expand_dims(m, 4)  np.squeeze(o)  np.squeeze(o, 0)  np.squeeze(o, (0, 2))
            np.squeeze(o, 1)  o.squeeze(-1)  np.squeeze(d, axis=1)  np.squeeze(s)  np.squeeze(z)
            np.atleast_1d(z)  np.atleast_2d(v)  np.atleast_3d(m)  np.atleast_2d(s, v)
            np.atleast_3d(v)  np.broadcast_to(v, (3, 6))  np.broadcast_to(s, (2, 2))
            np.broadcast_to(o, (2, 4, 5))  np.broadcast_to(v, (3, 5))  np.broadcast_to(m, 5)
            np.broadcast_arrays(v, o)  np.flip(m)  np.flip(m, 0)  np.flip(c, (0, -1))
            np.flipud(m)  np.fliplr(m)  np.fliplr(v)  np.flip(z)  np.rot90(m)  np.rot90(m, 2)
            np.rot90(c, 3, (1, 2))  np.matrix_transpose(c)  np.permute_dims(c, (2, 1, 0))  s.T
            z.T  np.transpose(s)  [r.sum() for r in m]  [x * 2 for x in v]  list(c[0])
            [x for x in z]  [x for x in s]  len(z)  len(s)  np.meshgrid(v, i)
            np.meshgrid(v, i, indexing='ij')  np.meshgrid(v, i, sparse=True)
            np.meshgrid(v, v, i)  isinstance(m.shape, tuple)  m.shape[0] == 4  m.shape == (4, 5)
            m.shape[0] + m.shape[1] * 2  range(m.shape[0])[-1]
        """),
        SHAPES,
    )


def test_joining() -> None:
    check(
        cases("""
            np.concatenate([v, i])  np.concatenate((m, m), axis=1)  np.concatenate([m, m[:2]])
            np.concatenate([m, v])  np.concatenate([m, m[:, :2]])
            np.concatenate([c, m], axis=None)  np.concatenate([i, u])
            np.concatenate([i, v], dtype=np.float32)  np.concatenate([z, z])
            np.concatenate([v, i], dtype=int, casting='safe')  np.concatenate([v, y])
            np.concatenate(c)  np.concatenate([m, m], axis=2)  np.stack([v, v])
            np.stack([v, v * 2], axis=1)  np.stack([v, i])  np.stack([m, m], -1)
            np.stack([s, z])  np.hstack([v, i])  np.hstack([m, m])  np.hstack([s, v])
            np.vstack([v, v])  np.vstack([m, m[0]])  np.vstack([s, z])  np.dstack([m, m])
            np.dstack([v, v])  np.column_stack([v, v])  np.append(v, i)  np.append(m, m, axis=0)
            np.split(v, 3)  np.split(v, 4)  np.split(m, 2)  np.split(m, [1, 3])
            np.split(m, [1, 3], axis=1)  np.split(v, [2, 9, 4])  np.array_split(v, 4)
            np.array_split(m, 3, axis=1)  np.hsplit(m, 5)  np.vsplit(m, 2)  np.split(v, [-2])
            np.unstack(m)  np.unstack(m, axis=1)  np.unstack(v)  np.tile(v, 2)
            np.tile(m, (2, 1))  np.tile(v, (2, 3))  np.tile(m, 3)  np.tile(m, (2, 1, 2))
            np.tile(s, 3)  np.tile(v, n)  np.tile(v, 0)  np.repeat(v, 2)
            np.repeat(m, 3, axis=1)  m.repeat(2)  m.repeat(2, axis=0)  np.repeat(v, n)
            np.repeat(s, 4)  np.repeat(m, 0, axis=0)  np.repeat(v, -1)  np.roll(v, 2)
            np.roll(v, -1)  np.roll(m, 1)  np.roll(m, 1, axis=0)  np.roll(m, 7, axis=1)
            np.roll(m, (1, 2), axis=(0, 1))  np.roll(m, -9, axis=1)  np.roll(v, 0)
            np.roll(e, 1, 0)  np.roll(v, n)  np.roll(m, 1, axis=2)  np.roll(m, 1, axis=(0, 1))
        """),
        SHAPES,
    )


def test_creation() -> None:
    check(
        cases("""
            np.zeros(m.shape)  np.zeros(m.shape[0])  np.ones((n, 2))  np.ones(n, dtype=int)
            np.full(n, 2)  np.full((2, n), f)  np.full(m.shape, v[:5])  np.zeros((), int)
            np.zeros(-1)  np.zeros(g)  np.arange(n)  np.arange(m.shape[0])  np.arange(1, n)
            np.arange(n, 0, -1)  np.arange(0, 10, n)  np.arange(m.shape[0] - 6)  np.arange(5.0)
            np.arange(0, 1, 0.1)  np.arange(f)  np.arange(n, dtype=float)  np.arange(0, n, 0.25)
            np.arange(10, dtype='int8')  np.arange(2, 8, 2, dtype=np.float32)
            np.arange(start=1, stop=4)  np.arange(3, 1)  np.arange(0, 5, 0)
            np.linspace(0, 1, n)  np.linspace(0, 1, m.shape[0])  np.linspace(0, f)
            np.linspace(1, 2, 5, endpoint=False)  np.linspace(0, 1, 5, retstep=True)
            np.linspace(0, 10, 4, dtype=int)  np.linspace(0, 1, 0)  np.linspace(0, 1, g)
            np.linspace(n, n, 3)  np.linspace(v, v + 1, 3)  np.linspace(0, 1j, 3)  np.eye(n)
            np.eye(m.shape[0], 3, 1)  np.eye(2, dtype=int, k=-1)  np.identity(m.shape[0])
            np.tri(n)  np.tri(m.shape[0], 2, 1, int)  np.array([n, 2])  np.array([n, f])
            np.array([f, v[0]])  np.array(n)  np.array([v, v], dtype=np.float32)
            np.array([v, i])  np.array([[n], [4]])  np.asarray(v)  np.asarray([v[0], v[1]])
            np.asarray(f)  np.ascontiguousarray(m.T)  np.ascontiguousarray(s)  np.prod(m.shape)
            np.prod(())
            np.zeros_like(m, shape=n)  np.empty(n).shape  v + [1, 2, 3, 4, 5, 6]
        """),
        SHAPES,
    )


def test_indexing() -> None:
    slices = [
        "1:",
        ":-1",
        "1:-1",
        ":-2",
        "2:4",
        "::2",
        "1::2",
        "::-1",
        "::-2",
        "-3:",
        "-1:",
        ":1",
        ":0",
        "3:2",
        "-2::-1",
        "4:1:-1",
        ":100",
        "-100:",
        "100:",
        "2:100",
    ]
    slices += [
        "5::-3",
        ":2:-1",
        "-100:3",
        "100::-1",
        ":-100:-1",
        "n:",
        ":n",
        "g:",
        ":g",
        "n::n",
        "1:n+1",
        "::n",
        "v.shape[0]-2:",
        ":v.shape[0]",
    ]
    sources = [f"v[{x}]" for x in slices] + [f"m[:, {x}]" for x in slices if "v" not in x]
    sources += [f"e[{x}]" for x in ("1:", ":-1", "::-1", "1:-1", "::2", "0", "-1", ":0")]
    sources += cases("""
        v[0]  v[-1]  v[5]  v[6]  v[-6]  v[-7]  v[n]  v[g]  v[p]  v[p - 2]  m[0]  m[-1]  m[1, 2]
        m[1, -1]  m[4]  m[0, 5]  m[0, 0, 0]  m[...]  m[..., 0]  m[0, ...]  m[None]  m[:, None]
        m[..., None]  m[None, 1, None]  c[1, ..., 2]  c[..., ..., 1]  c[:, 1:3, ::-1]  z[()]
        z[...]  s[()]  s[...]  z[None]  s[0]  m[()]  m[1.5]  m['a']  m[i]  m[i, 1]  m[1, i]
        m[:, i]  m[i, i]  m[j, i]  m[i, j]  c[i, :, i]  c[:, i, i]  c[i, i]  c[0, :, i]  c[0, i]
        c[i, 0]  c[:, 0, i]  c[i, None, i]  c[..., i]  c[i, ...]  c[i, ..., i]  c[:, i, ..., i]
        c[j, :, i]  c[i, :, 0]  c[None, i]  c[:, :, i]  c[1:, i]  c[::-1, 1:, i]  m[i[:2], i]
        m[u]  m[:, u]  m[p]  m[p, p]  m[:, p]  c[p, :, p]  c[p, i]  m[p]  m[[0, 2]]
        m[[0, 2], 1:]  m[[]]  m[(1, 2)]  m[[1, 2]]  m[j]  m[j, 2:4]  m[v]  m[s]  m[m]  v[i] + 1
        v[i + 9]  v[-i]  v[i - 9]  v[y]  v[v > 2]  v[~y]  m[k]  m[m > 7]  m[l]  m[l, 1]
        m[l, 1:3]  m[:, l]  m[l, :]  c[k]  c[:, k]  c[:, l]  c[:, l, 0]  m[y]  v[v > 99]
        m[l[:3]]  c[..., None, l, :]  v[y].sum()  v[y].mean()  m[k] * 2  m[l].sum(axis=0)
        v[v > 2] - v[v > 2].mean()  m[k][::-1]  np.take(v, i)  np.take(m, i)
        np.take(m, i, axis=1)  np.take(m, 1, axis=0)  np.take(m, j, axis=1)  np.take(v, 9)
        np.take(v, i + 9, mode='clip')  np.take(v, i - 9, mode='wrap')  m.take(i, axis=0)
        v.take(2)  np.take(v, [0, 1])  np.take(v, p)  np.take(v, v)  np.take(e, i, axis=0)
        np.take(m, n)  np.take_along_axis(m, m.argmax(axis=1)[:, None], 1)
        np.compress(l, m, axis=0)  v.compress(y)  np.compress(y, v)  np.extract(k, m)
        v[np.argmax(v)]  m[np.argmax(m, axis=0), 1]  m[0][1]  m[1:][0]  m[1:, 1:][::-1, 0]
        m.T[1:3, ::2]  v[::-1][::2]  m[:, ::-1][:, 1:-1]  o[0, :, 0]  d[:, 0, ::-1, -1]
        m[:, 1] - m[:, 0]  v[1:] - v[:-1]  v[2:] - 2 * v[1:-1] + v[:-2]
        m[1:-1, 1:-1] + m[:-2, 1:-1]  m[n - 1, n]  f[0]  n[0]
    """)
    check(sources, SHAPES)


NUMBER_OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!="]
NUMBER_CASES = cases("""
    -X  +X  abs(X)  divmod(X, 2)  divmod(X, X)  bool(X)  int(X)  float(X)  complex(X)  round(X)
    max(X, 1)  min(X, n)  X in (1, 3)  v * X  X + v  i + X  X * i  u + X  y * X  v ** X  i ** X
    X ** v  np.sqrt(X)  np.add(X, 1)  np.maximum(X, 2)  np.where(y, X, 0)  s * X  X / s  v == X
    u < X  v.astype(np.float32) * X  np.float32(3) * X  X ** 2  X ** 0.5  X ** -1  X ** 3.0
    X ** 2000.5  np.sum(X)  np.exp(X)
""")


def test_numbers() -> None:
    """Traced Python numbers follow Python's arithmetic, and NumPy's when they meet arrays."""
    sources = []
    values = ("n", "g", "f", "2", "-3", "0.5", "0", "0.0", "True", "1j", "2**70")
    for x in ("n", "g", "f"):
        for op in NUMBER_OPERATORS:
            for y in values:
                if not (op == "**" and "70" in y):
                    sources += [f"{x} {op} {y}", f"{y} {op} {x}"]
        sources += [case.replace("X", x) for case in NUMBER_CASES]
    sources += cases("""
        n & 1  n | 4  n ^ g  ~n  n << 2  n >> 1  f & 1  (n > 2) & (g < 0)  (n > 2) + 1  not n
        n if n > 2 else g
    """)
    sources += cases("""
        [n] * n  range(n)[1]  [1, 2, 3, 4][n]  (n > 2) * v  sum(v[k] for k in range(n))
        n == None  n == 'a'  v.shape[0] // 2  v.shape[0] % 4
    """)
    sources += cases("""
        v.shape[0] / 2  m.size - m.shape[0]  v.sum() / v.shape[0]  v * m.shape[0]  hash(n)
        {n: 1}[3]  n.bit_length()  f.is_integer()
    """)
    sources += cases("""
        u + v.shape[0]  u * 300  n.real  n.shape  n.sum()  v.nope  n @ n  f % 0.7  g // f
        f // 0  n % 0  n / 0.0
    """)
    sources += cases("""
        (n + 1j) * 2  n * n * n  n * n * n * n  (2**40) * n * n  np.count_nonzero(y) + 1
        len(v) + n  v.ndim + n  u + n * 100
    """)
    check(sources, SHAPES)


def test_in_place() -> None:
    """In-place operators on arrays of the function's own."""
    bodies = cases("""
        y = v * 2; y += 1; return y
        y = v * 2; x = y; x *= 3; return x, y
        y = i * 2; y += 1.5; return y
        y = i * 2; y //= 2; return y
        y = i * 2; y /= 2; return y
        y = v + 0; y += m; return y
        y = m * 1; y += v[:5]; return y
        y = v * 2; y **= 2; return y
        y = m * 2; y = y.reshape(-1); y -= 1; return y
        y = i + 0; y += True; return y
        y = v > 1; y &= v < 4; return y
        y = v > 1; y |= True; return y
        y = v > 1; y += 1; return y
        a = n; a += 2; return a, n
        y = v.sum(); x = y; y += 1; return x, y
        y = v + 0; np.add(v, 1, out=y); return y
        y = np.zeros(3); y += 2; return y
        y = np.ones(v.shape[0]); y *= v; return y
        y = m + 0; y @= np.eye(5); return y
        y = m * 1; y -= y.mean(axis=0); return y
        y = v.astype(np.float32); y += v; return y
        y = u + 0; y += 300; return y
        y = v * 1; y <<= 1; return y
        t = 0; t += n; t += v[0]; return t
        y = v.copy(); y %= 3; return y
        y = np.sqrt(v); np.exp(y, out=y); return y
    """)
    check([f"def f():\n {b.replace('; ', chr(10) + ' ')}" for b in bodies], SHAPES)


@pytest.mark.parametrize(
    "body",
    cases("""
        global v; v += 1; return v
        y = v; y *= 2; return y
        v[0] = 1; return v
        return float(v[0])
        return bool((v > 1).any())
        return int(v.sum())
        return np.asarray(v) if v[0] > 1 else v
        return list(map(float, v))
        return np.linalg.qr(m, mode='f')
        return np.add.at(v, 0, 1)
        return v.sort()
        return range(int(v.max()))
        return v.strides
        return hash(s)
        return np.frompyfunc(abs, 1, 1)(v)
        return v.astype('datetime64[s]')
        return v.astype(object)
        return np.sum(v, out=v)
        y = v.real; y += 1; return y
        return np.arange(v[0])
    """),
)
def test_not_traceable(body: str) -> None:
    """What needs a value, or writes where it must not, is refused while tracing."""
    outcome, _ = trace(f"def f():\n {body.replace('; ', chr(10) + ' ')}", SHAPES)
    assert isinstance(outcome.error, NotTraceable), outcome.error or outcome.result


def test_concrete_arrays_are_refused() -> None:
    with build.use_solver(Known(SHAPES)), pytest.raises(NotTraceable, match="unknown origin"):
        variable("v", SHAPES["v"]) + np.ones(6)


def test_unhashable() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(variable("v", SHAPES["v"]))


SPECIAL = [
    "erf",
    "erfc",
    "erfinv",
    "expit",
    "logit",
    "gammaln",
    "log1p",
    "xlogy",
    "ndtr",
    "gamma",
    "digamma",
    "exp10",
    "xlog1py",
    "i0",
    "jv",
]


def test_special_functions() -> None:
    """Ufuncs of scipy.special, whose own dtype rules hold."""
    sources = []
    for name in SPECIAL:
        both = getattr(scipy.special, name).nin == 2
        for x in ("v", "i", "s", "h", "n", "y"):
            sources.append(f"sc.{name}({x}, {x})" if both else f"sc.{name}({x})")
    check(sources, SHAPES | {"h": np.linspace(0.1, 0.9, 4, dtype=np.float32)})


# Symbolic lengths -------------------------------------------------------------------------------

GENERAL = [
    ("v[1:-1] - v[:-2]", [(9,), (5,), (3,)]),
    ("v[::2]", [(9,), (4,), (0,)]),
    ("v[::-1] * v", [(9,), (2,), (0,)]),
    ("v[-3:]", [(9,), (4,), (3,)]),
    ("v[1:] - v[:-1]", [(9,), (2,)]),
    ("v[4:1:-1]", [(9,), (5,)]),
    ("v[v.shape[0] // 2:]", [(9,), (4,)]),
    ("np.split(v, 3)", [(9,), (6,), (0,)]),
    ("np.roll(v, 2)", [(9,), (3,)]),
    ("m.reshape(-1).sum() + m.reshape(m.shape[0], -1).mean(axis=1)", [(3, 4), (7, 2)]),
    ("m.reshape(m.size)", [(3, 4), (5, 2)]),
    ("np.zeros(m.shape[0])[:, None] + m", [(3, 4), (2, 7)]),
    ("m.var(axis=0)", [(3, 4), (2, 7)]),
    ("np.arange(m.shape[1]) + m", [(3, 4), (2, 7)]),
    ("np.concatenate([m, m[:1]]) @ m.T", [(3, 4), (2, 7)]),
    ("np.einsum('ij,kj->ik', m, m)", [(3, 4), (2, 7)]),
    ("m[m > 0]", [(3, 4), (2, 7)]),
    ("np.tile(m, (2, 3))", [(3, 4), (2, 7)]),
    ("np.repeat(m, 2, axis=0)", [(3, 4), (2, 7)]),
    ("np.eye(m.shape[0]) @ m", [(3, 4), (2, 7)]),
    ("np.linspace(0, 1, m.shape[0])", [(3, 4), (2, 7)]),
    ("np.tril(m)", [(3, 4), (2, 7)]),
    ("m.reshape(np.prod(m.shape))", [(3, 4), (2, 7)]),
    ("np.full(m.shape, m.shape[0])", [(3, 4), (2, 7)]),
    ("m / (m.shape[0] - 1)", [(3, 4), (2, 7)]),
]


@pytest.mark.parametrize("source, shapes", GENERAL, ids=[s for s, _ in GENERAL])
def test_one_trace_serves_other_shapes(source: str, shapes: list[tuple[int, ...]]) -> None:
    """A graph traced at the first shape is right at the others, where its guards hold."""
    name = "v" if len(shapes[0]) == 1 else "m"
    outcome, solver = trace(source, {name: sample(float, shapes[0])})
    assert outcome.error is None, outcome.error
    for shape in shapes[1:]:
        values = {name: sample(float, shape)}
        for node, answer in solver.answers:
            assert interpret.evaluate([node], values)[0] == answer
        theirs = numpy_outcome(source, values)
        for x, y in zip(leaves(outcome.result), leaves(theirs.result), strict=True):
            assert difference(x, y, values) is None


def test_equal_slices_have_equal_lengths() -> None:
    """Lengths are in normal form: stencils need no check that their operands agree."""
    outcome, _ = trace(
        "v[2:].shape[0] - v[1:-1].shape[0], v[:-1].shape[0] - v[1:].shape[0]", {"v": np.ones(9)}
    )
    assert [leaf.concrete() for leaf in leaves(outcome.result)] == [0, 0]


def test_tables() -> None:
    """Every function of the tables is NumPy's, and every ufunc of NumPy has a row or is refused."""
    # What is indexed is no function: np.mgrid, np.ogrid.
    assert all(callable(f) or hasattr(f, "__getitem__") for f in (*FUNCTIONS, *CREATORS))
