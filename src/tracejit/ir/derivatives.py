"""The derivative column of the elementwise table.

A rule is an expression for each operand, separated by semicolons: the cotangent of that operand,
where `g` is the cotangent of the result, `y` the result, and `a`, `b`, `c`, `d` the operands. ``0``
says that the derivative is zero wherever there is one; ``none`` that there is none; ``missing``
that there is one, but not here: to ask for it is an error. Rules know nothing of broadcasting. Of a
function of complex numbers they give ``g * f'(z)``, without conjugation, as JAX does: the gradient
of a real cost is ``df/dx - i df/dy``.

Where two operands tie, `maximum` and its like pass everything to the first; ``abs`` has the slope 0
at 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node

_ZERO = (
    "floor ceil trunc rint sign spacing floor_divide heaviside isnan isinf isfinite signbit round "
    "gammasgn"
).split()
_NONE = (
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor "
    "logical_not bitwise_and bitwise_or bitwise_xor invert left_shift right_shift bitwise_count "
    "gcd lcm frexp_exponent modf_integer"
).split()

_DRAWN = "none; none; none; missing"

RULES: dict[str, str] = {
    **dict.fromkeys(_ZERO, "0"),
    **dict.fromkeys(_NONE, "none"),
    "philox_word": "none",
    "philox_normal": "none",
    # The numbers of a distribution have no derivative with respect to its parameters.
    **dict.fromkeys((n for n in ops.PHILOX if n not in ("philox_word", "philox_normal")), _DRAWN),
    **dict.fromkeys((n for n in ops.PHILOX if n.startswith("checked_")), "missing; none"),
    # Arithmetic
    "add": "g; g",
    "subtract": "g; -g",
    "multiply": "g * b; g * a",
    "divide": "g / b; -g * y / b",
    "remainder": "g; -g * floor_divide(a, b)",
    "fmod": "g; -g * trunc(a / b)",
    "power": "g * power_slope(a, b); g * where(a == 0, 0, y * log(where(a == 0, 1, a)))",
    "float_power": "g * power_slope(a, b); g * where(a == 0, 0, y * log(where(a == 0, 1, a)))",
    "negative": "-g",
    "positive": "g",
    **dict.fromkeys((row.name for row in ops.ORDERED.values()), "g"),
    "absolute": "g * unit(a, y)",
    "fabs": "g * sign(a)",
    "square": "g * (a + a)",
    "reciprocal": "-g * y * y",
    "sqrt": "g / (y + y)",
    "conjugate": "conjugate(g)",
    "copysign": "where(signbit(a) == signbit(b), g, -g); 0",
    "nextafter": "g; 0",
    "ldexp": "g * ldexp(1, b); none",
    "modf_fraction": "g",
    "frexp_mantissa": "g * where(a == 0, 1, y / where(a == 0, 1, a))",
    # Choice
    "maximum": "where(a >= b, g, 0); where(a >= b, 0, g)",
    "minimum": "where(a <= b, g, 0); where(a <= b, 0, g)",
    "fmax": "where(right(a >= b, a, b), g, 0); where(right(a >= b, a, b), 0, g)",
    "fmin": "where(right(a <= b, a, b), g, 0); where(right(a <= b, a, b), 0, g)",
    "where": "none; where(a, g, 0); where(a, 0, g)",
    # Exponentials and logarithms
    "exp": "g * y",
    "exp2": "g * y * LN2",
    "expm1": "g * (y + 1)",
    "log": "g / a",
    "log2": "g / (a * LN2)",
    "log10": "g / (a * LN10)",
    "log1p": "g / (a + 1)",
    "logaddexp": "g * expit(a - b); g * expit(b - a)",
    "logaddexp2": "g * expit((a - b) * LN2); g * expit((b - a) * LN2)",
    "cbrt": "g / (3 * y * y)",
    "hypot": "g * a / y; g * b / y",
    # Trigonometry
    "sin": "g * cos(a)",
    "cos": "-g * sin(a)",
    "tan": "g * (1 + y * y)",
    "arcsin": "g / sqrt((1 - a) * (1 + a))",
    "arccos": "-g / sqrt((1 - a) * (1 + a))",
    "arctan": "g / (1 + a * a)",
    "arctan2": "g * b / (a * a + b * b); -g * a / (a * a + b * b)",
    "sinh": "g * cosh(a)",
    "cosh": "g * sinh(a)",
    "tanh": "g * (1 - y * y)",
    "arcsinh": "g / sqrt(1 + a * a)",
    "arccosh": "g / (sqrt(a - 1) * sqrt(a + 1))",
    "arctanh": "g / ((1 - a) * (1 + a))",
    "degrees": "g * DEGREES",
    "rad2deg": "g * DEGREES",
    "radians": "g / DEGREES",
    "deg2rad": "g / DEGREES",
    # SciPy's special functions
    "erf": "g * exp(-a * a) * TWO_OVER_ROOT_PI",
    "erfc": "-g * exp(-a * a) * TWO_OVER_ROOT_PI",
    "erfinv": "g * exp(y * y) / TWO_OVER_ROOT_PI",
    "erfcinv": "-g * exp(y * y) / TWO_OVER_ROOT_PI",
    "erfcx": "g * (2 * a * y - TWO_OVER_ROOT_PI)",
    "expit": "g * y * expit(-a)",
    "logit": "g / (a * (1 - a))",
    "log_expit": "g * expit(-a)",
    "ndtr": "g * exp(-a * a / 2) / ROOT_TWO_PI",
    "ndtri": "g * exp(y * y / 2) * ROOT_TWO_PI",
    "log_ndtr": "g * exp(-a * a / 2 - y) / ROOT_TWO_PI",
    "xlogy": "g * special_xlogy(where(a == 0, 0, 1), b); g * a / b",
    "xlog1py": "g * special_xlog1py(where(a == 0, 0, 1), b); g * a / (b + 1)",
    "entr": "-g * (log(a) + 1)",
    "exprel": "g * where(a == 0, 0.5, (exp(a) - y) / where(a == 0, 1, a))",
    "exp10": "g * y * LN10",
    "cosm1": "-g * sin(a)",
    "powm1": "g * power_slope(a, b); g * where(a == 0, 0, (y + 1) * log(where(a == 0, 1, a)))",
    "sindg": "g * special_cosdg(a) / DEGREES",
    "cosdg": "-g * special_sindg(a) / DEGREES",
    "tandg": "g * (1 + y * y) / DEGREES",
    "cotdg": "-g * (1 + y * y) / DEGREES",
    "wrightomega": "g * y / (1 + y)",
    "spence": "g * where(a == 1, -1, log(a) / (1 - where(a == 1, 0, a)))",
    # of errors and probabilities
    "erfi": "g * exp(a * a) * TWO_OVER_ROOT_PI",
    "dawsn": "g * (1 - 2 * a * y)",
    "ndtri_exp": "g * exp(a + y * y / 2) * ROOT_TWO_PI",
    "owens_t": "-g * exp(-a * a / 2) * erf(a * b * ROOT_HALF) / (2 * ROOT_TWO_PI);"
    "g * exp(-a * a * (1 + b * b) / 2) / (2 * PI * (1 + b * b))",
    "chdtr": "missing; g * chi_squared(a, b)",
    "chdtrc": "missing; -g * chi_squared(a, b)",
    "pdtr": "missing; -g * poisson(a, b)",
    "pdtrc": "missing; g * poisson(a, b)",
    "rel_entr": "g * (log(a / b) + 1); -g * a / b",
    "kl_div": "g * log(a / b); g * (1 - a / b)",
    "huber": "g * where(absolute(b) <= a, 0, absolute(b) - a);"
    "g * where(absolute(b) <= a, b, a * sign(b))",
    "pseudo_huber": "g * (2 * y - b * b / hypot(1, b / a)) / a; g * b / hypot(1, b / a)",
    "boxcox": "g * power(a, b - 1); g * where(b == 0, log(a) * log(a) / 2,"
    "((y * b + 1) * log(a) - y) / where(b == 0, 1, b))",
    "boxcox1p": "g * power(1 + a, b - 1); missing",
    "inv_boxcox": "g * power(y, 1 - b); missing",
    "inv_boxcox1p": "g * power(1 + y, 1 - b); missing",
    # of factorials
    "gammaln": "g * special_psi(a)",
    "loggamma": "g * special_psi(a)",
    "gamma": "g * y * special_psi(a)",
    "rgamma": "-g * y * special_psi(a)",
    "psi": "g * trigamma(a)",
    "digamma": "g * trigamma(a)",
    "_zeta": "missing; -g * a * special__zeta(a + 1, b)",
    "beta": "g * y * (special_psi(a) - special_psi(a + b));"
    "g * y * (special_psi(b) - special_psi(a + b))",
    "betaln": "g * (special_psi(a) - special_psi(a + b));g * (special_psi(b) - special_psi(a + b))",
    "poch": "g * y * (special_psi(a + b) - special_psi(a)); g * y * special_psi(a + b)",
    "gammainc": "missing; g * gamma_density(a, b)",
    "gammaincc": "missing; -g * gamma_density(a, b)",
    "gammaincinv": "missing; g / gamma_density(a, y)",
    "gammainccinv": "missing; -g / gamma_density(a, y)",
    "betainc": "missing; missing; g * beta_density(a, b, c)",
    "betaincc": "missing; missing; -g * beta_density(a, b, c)",
    "betaincinv": "missing; missing; g / beta_density(a, b, y)",
    "betainccinv": "missing; missing; -g / beta_density(a, b, y)",
    "exp1": "-g * exp(-a) / a",
    "expi": "g * exp(a) / a",
    "expn": "missing; -g * special_expn(a - 1, b)",
    "ellipk": "g * elliptic_slope(a, y)",
    "ellipkm1": "-g * elliptic_slope(1 - a, y)",
    "ellipe": "g * where(a == 0, -PI / 8, (y - special_ellipk(a)) / (2 * where(a == 0, 1, a)))",
    "hyp0f1": "missing; g / a * special_hyp0f1(a + 1, b)",
    "hyp1f1": "missing; missing; g * a / b * special_hyp1f1(a + 1, b + 1, c)",
    "hyp2f1": "missing; missing; missing; g * a * b / c * special_hyp2f1(a + 1, b + 1, c + 1, d)",
    # Bessel's
    "j0": "-g * special_j1(a)",
    "j1": "g * where(a == 0, 0.5, special_j0(a) - y / where(a == 0, 1, a))",
    "y0": "-g * special_y1(a)",
    "y1": "g * (special_y0(a) - y / a)",
    "i0": "g * special_i1(a)",
    "i1": "g * where(a == 0, 0.5, special_i0(a) - y / where(a == 0, 1, a))",
    "i0e": "g * (special_i1e(a) - sign(a) * y)",
    "i1e": "g * where(a == 0, 0.5, special_i0e(a) - y * (sign(a) + 1 / where(a == 0, 1, a)))",
    "k0": "-g * special_k1(a)",
    "k1": "-g * (special_k0(a) + y / a)",
    "k0e": "g * (y - special_k1e(a))",
    "k1e": "g * (y - special_k0e(a) - y / a)",
    "jv": "missing; g * (special_jv(a - 1, b) - special_jv(a + 1, b)) / 2",
    "jn": "missing; g * (special_jv(a - 1, b) - special_jv(a + 1, b)) / 2",
    "yv": "missing; g * (special_yv(a - 1, b) - special_yv(a + 1, b)) / 2",
    "iv": "missing; g * (special_iv(a - 1, b) + special_iv(a + 1, b)) / 2",
    "kv": "missing; -g * (special_kv(a - 1, b) + special_kv(a + 1, b)) / 2",
    # Beyond ufuncs
    "real": "to_complex(g)",
    "imag": "-1j * to_complex(g)",
}

_CONSTANTS = {
    "LN2": np.log(2.0),
    "LN10": np.log(10.0),
    "DEGREES": 180.0 / np.pi,
    "TWO_OVER_ROOT_PI": 2.0 / np.sqrt(np.pi),
    "ROOT_TWO_PI": np.sqrt(2.0 * np.pi),
    "ROOT_HALF": np.sqrt(0.5),
    "PI": np.pi,
}


class _Term:
    """A node with Python's operators; Python numbers take its dtype."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __add__(self, other: Any) -> _Term:
        return _apply("add", self, other)

    def __radd__(self, other: Any) -> _Term:
        return _apply("add", other, self)

    def __sub__(self, other: Any) -> _Term:
        return _apply("subtract", self, other)

    def __rsub__(self, other: Any) -> _Term:
        return _apply("subtract", other, self)

    def __mul__(self, other: Any) -> _Term:
        return _apply("multiply", self, other)

    def __rmul__(self, other: Any) -> _Term:
        return _apply("multiply", other, self)

    def __truediv__(self, other: Any) -> _Term:
        return _apply("divide", self, other)

    def __rtruediv__(self, other: Any) -> _Term:
        return _apply("divide", other, self)

    def __neg__(self) -> _Term:
        return _apply("negative", self)

    def __ge__(self, other: Any) -> _Term:
        return _apply("greater_equal", self, other)

    def __le__(self, other: Any) -> _Term:
        return _apply("less_equal", self, other)

    def __eq__(self, other: Any) -> _Term:  # type: ignore[override]
        return _apply("equal", self, other)

    __hash__ = None  # type: ignore[assignment]


def _apply(name: str, *operands: Any) -> _Term:
    terms = [o.node for o in operands if isinstance(o, _Term)]
    sample = next((n for n in terms if n.dtype.kind != "b"), terms[0])
    nodes = [
        o.node if isinstance(o, _Term) else build.constant(o, _dtype_for(o, sample.dtype))
        for o in operands
    ]
    return _Term(build.elementwise(name, *nodes))


def _dtype_for(value: Any, dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.complex64) if isinstance(value, complex) else dtype


def _where(condition: _Term, x: Any, y: Any) -> Any:
    if not isinstance(x, _Term) and not isinstance(y, _Term):
        dtype = next(a.dtype for a in condition.node.args if a.dtype.kind in "fc")
        x = _Term(build.constant(x, dtype))
    some = x if isinstance(x, _Term) else y
    nodes = [v.node if isinstance(v, _Term) else build.constant(v, some.node.dtype) for v in (x, y)]
    return _Term(build.where(condition.node, *nodes))


def _power_slope(a: _Term, b: _Term) -> _Term:
    """``b * a ** (b - 1)``; 0 where `b` is."""
    safe = _where(b == 0, 1.0, b)
    return _where(b == 0, 0.0, b * _apply("power", a, safe - 1))


def _unit(a: _Term, y: _Term) -> _Term:
    """The slope of the absolute value."""
    if a.node.dtype.kind != "c":
        return _apply("sign", a)
    size = _where(y == 0, 1.0, y)
    return _apply("conjugate", a) / size


def _right(chosen: _Term, a: _Term, b: _Term) -> _Term:
    """Whether `fmax` and its like take the first operand: it is chosen, or the other is nan."""
    nan = build.elementwise("isnan", b.node)
    either = build.elementwise("logical_or", chosen.node, nan)
    return _Term(either)


def _trigamma(a: _Term) -> _Term:
    """The derivative of `psi`; by its reflection where `a` is negative."""
    positive = _apply("greater", a, 0.0)
    t = _special("_zeta")(2.0, _where(positive, a, 1 - a))
    turned = np.pi / _apply("sin", _where(positive, 0.5, a) * np.pi)
    result: _Term = _where(positive, t, turned * turned - t)
    return result


def _gamma_density(a: _Term, x: _Term) -> _Term:
    power = _special("xlogy")(a - 1, x)
    return _apply("exp", power - x - _special("gammaln")(a))


def _beta_density(a: _Term, b: _Term, x: _Term) -> _Term:
    power = _special("xlogy")(a - 1, x) + _special("xlog1py")(b - 1, -x)
    return _apply("exp", power - _special("betaln")(a, b))


def _chi_squared(df: _Term, x: _Term) -> _Term:
    return _gamma_density(df / 2, x / 2) / 2


def _poisson(k: _Term, mean: _Term) -> _Term:
    return _gamma_density(_apply("floor", k) + 1, mean)


def _elliptic_slope(m: _Term, k: _Term) -> _Term:
    """The derivative of the complete integral of the first kind, which is `k`, by its parameter."""
    safe = _where(m == 0, 0.5, m)
    slope = (_special("ellipe")(safe) - (1 - safe) * k) / (2 * safe * (1 - safe))
    result: _Term = _where(m == 0, np.pi / 8, slope)
    return result


def _to_complex(g: _Term) -> _Term:
    return _Term(build.cast(g.node, np.result_type(g.node.dtype, np.complex64)))


def _special(name: str) -> Callable[..., _Term]:
    def call(*operands: _Term) -> _Term:
        import scipy.special

        found = getattr(scipy.special, name, None)
        row = ops.row_of(found or getattr(scipy.special._ufuncs, name))
        assert row is not None
        return _apply(row.name, *operands)

    return call


_FUNCTIONS: dict[str, Any] = {
    **_CONSTANTS,
    "where": _where,
    "power_slope": _power_slope,
    "unit": _unit,
    "right": _right,
    "to_complex": _to_complex,
    "trigamma": _trigamma,
    "gamma_density": _gamma_density,
    "beta_density": _beta_density,
    "chi_squared": _chi_squared,
    "poisson": _poisson,
    "elliptic_slope": _elliptic_slope,
}


def _function(name: str) -> Any:
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name.startswith("special_"):
        return _special(name.removeprefix("special_"))
    if name in ("expit", "erf"):
        return _special(name)
    return lambda *operands: _apply(name, *operands)


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        if name.startswith("__"):
            raise KeyError(name)
        return _function(name)


@cache
def _compiled(expression: str) -> Any:
    return compile(expression.strip(), "<derivative>", "eval")


def has_derivative(node: Node) -> bool:
    """Whether the rule of an elementwise node is known."""
    return node.op.name in RULES or node.op.name.removeprefix("special_") in RULES


def known(name: str, operand: int) -> bool:
    """Whether row `name` has a rule for an operand."""
    rule = RULES.get(name, RULES.get(name.removeprefix("special_"), "missing"))
    parts = rule.split(";")
    return name == "cast" or parts[min(operand, len(parts) - 1)].strip() != "missing"


class Missing:
    """In place of a cotangent that is not known."""


MISSING = Missing()


def operand_cotangents(node: Node, g: Node) -> list[Node | Missing | None]:
    """The cotangents of the operands of an elementwise `node`, whose own is `g`.

    None where the derivative is zero, or there is none. KeyError for a row without a rule.
    """
    name = node.op.name
    rule = RULES[name] if name in RULES else RULES[name.removeprefix("special_")]
    terms = {"g": _Term(g), "y": _Term(node)}
    terms.update({n: _Term(a) for n, a in zip("abcd", node.args, strict=False)})
    parts = rule.split(";")
    parts += parts[-1:] * (len(node.args) - len(parts))
    found: list[Node | Missing | None] = []
    for part, operand in zip(parts, node.args, strict=True):
        if part.strip() == "missing":
            found.append(MISSING)
            continue
        if part.strip() in ("0", "none") or operand.dtype.kind not in "fc":
            found.append(None)
            continue
        found.append(eval(_compiled(part), {"__builtins__": {}}, _Names(terms)).node)
    return found
