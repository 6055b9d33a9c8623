"""Expressions of derivatives: nodes with Python's operators, and the slopes that are no one-liner.

A slope has derivatives itself. So a quotient that tends to a limit is not replaced by that number
where it would be 0/0: near there it is another function, which is smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node

_CONSTANTS = {
    "LN2": np.log(2.0),
    "LN10": np.log(10.0),
    "DEGREES": 180.0 / np.pi,
    "TWO_OVER_ROOT_PI": 2.0 / np.sqrt(np.pi),
    "ROOT_TWO_PI": np.sqrt(2.0 * np.pi),
    "ROOT_HALF": np.sqrt(0.5),
    "ROOT_TWO_OVER_PI": np.sqrt(2.0 / np.pi),
    "PI": np.pi,
}


class Term:
    """A node with Python's operators; Python numbers take its dtype."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __add__(self, other: Any) -> Term:
        return apply("add", self, other)

    def __radd__(self, other: Any) -> Term:
        return apply("add", other, self)

    def __sub__(self, other: Any) -> Term:
        return apply("subtract", self, other)

    def __rsub__(self, other: Any) -> Term:
        return apply("subtract", other, self)

    def __mul__(self, other: Any) -> Term:
        return apply("multiply", self, other)

    def __rmul__(self, other: Any) -> Term:
        return apply("multiply", other, self)

    def __truediv__(self, other: Any) -> Term:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> Term:
        return apply("divide", other, self)

    def __neg__(self) -> Term:
        return apply("negative", self)

    def __ge__(self, other: Any) -> Term:
        return apply("greater_equal", self, other)

    def __le__(self, other: Any) -> Term:
        return apply("less_equal", self, other)

    def __eq__(self, other: Any) -> Term:  # type: ignore[override]
        return apply("equal", self, other)

    def __ne__(self, other: Any) -> Term:  # type: ignore[override]
        return apply("not_equal", self, other)

    __hash__ = None  # type: ignore[assignment]


def apply(name: str, *operands: Any) -> Term:
    terms = [o.node for o in operands if isinstance(o, Term)]
    sample = next((n for n in terms if n.dtype.kind != "b"), terms[0])
    nodes = [
        o.node if isinstance(o, Term) else build.constant(o, _dtype_for(o, sample.dtype))
        for o in operands
    ]
    return Term(build.elementwise(name, *nodes))


def _dtype_for(value: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64) if isinstance(value, complex) else dtype


def where(condition: Term, x: Any, y: Any) -> Any:
    if not isinstance(x, Term) and not isinstance(y, Term):
        dtype = next(a.dtype for a in condition.node.args if a.dtype.kind in "fc")
        x = Term(build.constant(x, dtype))
    some = x if isinstance(x, Term) else y
    nodes = [v.node if isinstance(v, Term) else build.constant(v, some.node.dtype) for v in (x, y)]
    return Term(build.where(condition.node, *nodes))


def _power_slope(a: Term, b: Term) -> Term:
    """``b * a ** (b - 1)``; 0 where `b` is, also at 0."""
    exponent = _known(b)
    if exponent is not None and exponent != 0:
        below = apply("power", a, b - 1)
        if 0 < exponent < 1 and _is_flat(a.node):  # as for a square root
            below = where(a == 0, 0.0, apply("power", _nonzero(a), b - 1))
        return b * below
    size = apply("greater", apply("absolute", a), 0.0)
    some = Term(build.elementwise("logical_or", size.node, (b != 0).node))
    return b * apply("power", where(some, a, 1.0), b - 1)


def _known(x: Term) -> Any:
    """The number that `x` is, if it is a constant."""
    node = x.node
    while node.op is ops.VIEW:
        node = node.args[0]
    return build.constant_value(node) if node.op is ops.CONST else None


def _root(a: Term, slope: Term) -> Term:
    """`slope`, of which the reciprocal is the derivative of a root of `a`.

    Infinite at 0 where `a` is a sum of squares and the like: its root is a norm or a deviation,
    which has a kink there, and the slope 0, as ``abs``.
    """
    result: Term = where(a == 0, np.inf, slope) if _is_flat(a.node) else slope
    return result


def _is_flat(node: Node) -> bool:
    """Whether `node` is a sum of terms that are not negative, and flat where they are 0."""
    todo, seen = [node], 0
    while todo:
        node = todo.pop()
        seen += 1
        if seen > 64:
            return False
        name = node.op.name
        if name in ("view", "reshape", "sum", "cast", "real"):
            todo.append(node.args[0])
        elif name == "add":
            todo += node.args
        elif name in ("multiply", "divide") and (_known(Term(node.args[1])) or 0) > 0:
            todo.append(node.args[0])
        elif name == "multiply" and (_known(Term(node.args[0])) or 0) > 0:
            todo.append(node.args[1])
        elif name == "divide" and _is_count(node.args[1]):
            todo.append(node.args[0])
        elif name == "power" and (_known(Term(node.args[1])) or 0) > 1:
            continue
        elif not (name == "square" or (name == "multiply" and node.args[0] is node.args[1])):
            return False
    return True


def _is_count(node: Node) -> bool:
    """Whether `node` is made of lengths alone, and so does not become 0 with the data."""
    todo = [node]
    while todo:
        node = todo.pop()
        if node.op is ops.VIEW or node.op.name in (
            "cast",
            "add",
            "subtract",
            "multiply",
            "maximum",
        ):
            todo += node.args
        elif node.op not in (ops.DIM, ops.POLY, ops.CONST):
            return False
    return True


def _nonzero(x: Term) -> Term:
    """`x`, but infinity where it is 0: a quotient by it is 0 there, with all its derivatives."""
    result: Term = where(x == 0, np.inf, x)
    return result


def _share(a: Term, b: Term) -> Term:
    """``a / b``, and 0 where both are 0."""
    both = build.elementwise("logical_and", (a == 0).node, (b == 0).node)
    result: Term = a / where(Term(both), np.inf, b)
    return result


def _gap(a: Term, b: Term) -> Term:
    """``a - b``, also of two infinities that are equal."""
    if _known(a) is not None or _known(b) is not None:
        return a - b
    equal = build.elementwise("logical_and", (a == b).node, apply("isinf", a).node)
    result: Term = where(Term(equal), 0.0, a - b)
    return result


def _unit(a: Term, y: Term) -> Term:
    """The slope of the absolute value."""
    if a.node.dtype.kind != "c":
        return apply("sign", a)
    size = where(y == 0, 1.0, y)
    return apply("conjugate", a) / size


def _right(chosen: Term, a: Term, b: Term) -> Term:
    """Whether `fmax` and its like take the first operand: it is chosen, or the other is nan."""
    nan = build.elementwise("isnan", b.node)
    either = build.elementwise("logical_or", chosen.node, nan)
    return Term(either)


def _trigamma(a: Term) -> Term:
    """The derivative of `psi`; by its reflection where `a` is negative."""
    positive = apply("greater", a, 0.0)
    t = _special("_zeta")(2.0, where(positive, a, 1 - a))
    turned = np.pi / apply("sin", where(positive, 0.5, a) * np.pi)
    result: Term = where(positive, t, turned * turned - t)
    return result


def _gamma_density(a: Term, x: Term) -> Term:
    """``x ** (a - 1) * exp(-x) / gamma(a)``; at 0 in a form that has derivatives there."""
    scale = _special("gammaln")(a)
    away = apply("exp", _special("xlogy")(a - 1, x) - x - scale)
    result: Term = where(x == 0, apply("power", x, a - 1) * apply("exp", -x - scale), away)
    return result


def _beta_density(a: Term, b: Term, x: Term) -> Term:
    """The density of the beta distribution; at 0 and 1 in a form that has derivatives there."""
    scale = _special("betaln")(a, b)
    power = _special("xlogy")(a - 1, x) + _special("xlog1py")(b - 1, -x)
    products = apply("power", x, a - 1) * apply("power", 1 - x, b - 1) * apply("exp", -scale)
    result: Term = where(x * (1 - x) == 0, products, apply("exp", power - scale))
    return result


def _erfcx_slope(a: Term, y: Term) -> Term:
    """``2 * a * y - 2 / sqrt(pi)``; far out, where these are nearly equal, by its series."""
    far = apply("greater", a, 10.0 if a.node.dtype.itemsize <= 4 else 50.0)
    t = 1 / where(far, a, 1.0)
    t = t * t
    series = t * (t * (t * (t * (t * -29.53125 + 6.5625) - 1.875) + 0.75) - 0.5)
    near = 2 * a * y - _CONSTANTS["TWO_OVER_ROOT_PI"]
    result: Term = where(far, series * _CONSTANTS["TWO_OVER_ROOT_PI"], near)
    return result


def _spence_slope(a: Term) -> Term:
    """``log(a) / (1 - a)``, which is -1 at 1."""
    near = apply("less", apply("absolute", a - 1), 0.25)
    safe = where(near, 2.0, a)
    away = apply("log", safe) / (1 - safe)
    result: Term = where(near, -_special("hyp2f1")(1.0, 1.0, 2.0, 1 - a), away)
    return result


def _pseudo_huber_slope(a: Term, b: Term, s: Term) -> Term:
    """By the first operand: ``(s - a) ** 2 / s`` with ``s = hypot(a, b)``, without cancellation."""
    short = b * (b / _nonzero(s + a))
    return short * (short / _nonzero(s))


def _boxcox_slope(log: Term, power: Term) -> Term:
    """By the second operand; ``boxcox(x, p)`` is ``log(x) * exprel(p * log(x))``."""
    return log * log * _special("hyp1f1")(2.0, 3.0, power * log) / 2


def _chi_squared(df: Term, x: Term) -> Term:
    return _gamma_density(df / 2, x / 2) / 2


def _poisson(k: Term, mean: Term) -> Term:
    return _gamma_density(apply("floor", k) + 1, mean)


def _ellipk_slope(m: Term, k: Term) -> Term:
    """The derivative of the complete integral of the first kind, which is `k`, by its parameter."""
    near, safe = _near_zero(m)
    away = (_special("ellipe")(safe) - (1 - safe) * k) / (2 * safe * (1 - safe))
    result: Term = where(near, np.pi / 8 * _special("hyp2f1")(1.5, 1.5, 2.0, m), away)
    return result


def _ellipe_slope(m: Term, e: Term) -> Term:
    """The derivative of the complete integral of the second kind, which is `e`."""
    near, safe = _near_zero(m)
    away = (e - _special("ellipk")(safe)) / (2 * safe)
    result: Term = where(near, -np.pi / 8 * _special("hyp2f1")(0.5, 1.5, 2.0, m), away)
    return result


def _near_zero(m: Term) -> tuple[Term, Term]:
    """Whether `m` is so near 0 that a quotient by it is inexact, and `m` away from there."""
    near = apply("less", apply("absolute", m), 0.1)
    return near, where(near, 0.5, m)


def _to_complex(g: Term) -> Term:
    return Term(build.cast(g.node, np.result_type(g.node.dtype, np.complex64)))


def _special(name: str) -> Callable[..., Term]:
    def call(*operands: Term) -> Term:
        import scipy.special

        found = getattr(scipy.special, name, None)
        row = ops.row_of(found or getattr(scipy.special._ufuncs, name))
        assert row is not None
        return apply(row.name, *operands)

    return call


_FUNCTIONS: dict[str, Any] = {
    **_CONSTANTS,
    "where": where,
    "power_slope": _power_slope,
    "unit": _unit,
    "right": _right,
    "to_complex": _to_complex,
    "trigamma": _trigamma,
    "gamma_density": _gamma_density,
    "beta_density": _beta_density,
    "chi_squared": _chi_squared,
    "poisson": _poisson,
    "root": _root,
    "nonzero": _nonzero,
    "gap": _gap,
    "share": _share,
    "erfcx_slope": _erfcx_slope,
    "spence_slope": _spence_slope,
    "pseudo_huber_slope": _pseudo_huber_slope,
    "boxcox_slope": _boxcox_slope,
    "ellipk_slope": _ellipk_slope,
    "ellipe_slope": _ellipe_slope,
}


def function(name: str) -> Any:
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name.startswith("special_"):
        return _special(name.removeprefix("special_"))
    if name in ("expit", "erf"):
        return _special(name)
    return lambda *operands: apply(name, *operands)
