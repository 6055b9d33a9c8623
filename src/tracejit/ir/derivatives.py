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

from functools import cache
from typing import Any

from tracejit.ir import ops
from tracejit.ir.node import Node
from tracejit.ir.slopes import Term, function

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
    "sqrt": "g / root(a, y + y)",
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
    "logaddexp": "g * expit(gap(a, b)); g * expit(gap(b, a))",
    "logaddexp2": "g * expit(gap(a, b) * LN2); g * expit(gap(b, a) * LN2)",
    "cbrt": "g / (3 * root(a, y * y))",
    "hypot": "g * (a / nonzero(y)); g * (b / nonzero(y))",
    # Trigonometry
    "sin": "g * cos(a)",
    "cos": "-g * sin(a)",
    "tan": "g * (1 + y * y)",
    "arcsin": "g / sqrt((1 - a) * (1 + a))",
    "arccos": "-g / sqrt((1 - a) * (1 + a))",
    "arctan": "g / (1 + a * a)",
    "arctan2": "g * (b / hypot(a, b) / hypot(a, b)); -g * (a / hypot(a, b) / hypot(a, b))",
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
    "erfcx": "g * erfcx_slope(a, y)",
    "expit": "g * y * expit(-a)",
    "logit": "g / (a * (1 - a))",
    "log_expit": "g * expit(-a)",
    "ndtr": "g * exp(-a * a / 2) / ROOT_TWO_PI",
    "ndtri": "g * exp(y * y / 2) * ROOT_TWO_PI",
    "log_ndtr": "g * ROOT_TWO_OVER_PI / special_erfcx(-a * ROOT_HALF)",
    "xlogy": "g * log(b); g * share(a, b)",
    "xlog1py": "g * log1p(b); g * share(a, b + 1)",
    "entr": "-g * (log(a) + 1)",
    "exprel": "g * special_hyp1f1(2.0, 3.0, a) / 2",
    "exp10": "g * y * LN10",
    "cosm1": "-g * sin(a)",
    "powm1": "g * power_slope(a, b); g * where(a == 0, 0, (y + 1) * log(where(a == 0, 1, a)))",
    "sindg": "g * special_cosdg(a) / DEGREES",
    "cosdg": "-g * special_sindg(a) / DEGREES",
    "tandg": "g * (1 + y * y) / DEGREES",
    "cotdg": "-g * (1 + y * y) / DEGREES",
    "wrightomega": "g * y / (1 + y)",
    "spence": "g * spence_slope(a)",
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
    "rel_entr": "g * (log(a / b) + 1); -g * share(a, b)",
    "kl_div": "g * log(a / b); g * (1 - share(a, b))",
    "huber": "g * where(absolute(b) <= a, 0, absolute(b) - a);"
    "g * where(absolute(b) <= a, b, a * sign(b))",
    "pseudo_huber": "g * pseudo_huber_slope(a, b, hypot(a, b));"
    "g * (a * (b / nonzero(hypot(a, b))))",
    "boxcox": "g * power(a, b - 1); g * boxcox_slope(log(a), b)",
    "boxcox1p": "g * power(1 + a, b - 1); g * boxcox_slope(log1p(a), b)",
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
    "ellipk": "g * ellipk_slope(a, y)",
    "ellipkm1": "-g * ellipk_slope(1 - a, y)",
    "ellipe": "g * ellipe_slope(a, y)",
    "hyp0f1": "missing; g / a * special_hyp0f1(a + 1, b)",
    "hyp1f1": "missing; missing; g * a / b * special_hyp1f1(a + 1, b + 1, c)",
    "hyp2f1": "missing; missing; missing; g * a * b / c * special_hyp2f1(a + 1, b + 1, c + 1, d)",
    # Bessel's
    "j0": "-g * special_j1(a)",
    "j1": "g * (special_j0(a) - special_jv(2.0, a)) / 2",
    "y0": "-g * special_y1(a)",
    "y1": "g * (special_y0(a) - y / a)",
    "i0": "g * special_i1(a)",
    "i1": "g * (special_i0(a) + special_iv(2.0, a)) / 2",
    "i0e": "g * (special_i1e(a) - sign(a) * y)",
    "i1e": "g * ((special_i0e(a) + special_ive(2.0, a)) / 2 - sign(a) * y)",
    "k0": "-g * special_k1(a)",
    "k1": "-g * (special_k0(a) + y / a)",
    "k0e": "g * (y - special_k1e(a))",
    "k1e": "g * (y - special_k0e(a) - y / a)",
    "jv": "missing; g * (special_jv(a - 1, b) - special_jv(a + 1, b)) / 2",
    "jn": "missing; g * (special_jv(a - 1, b) - special_jv(a + 1, b)) / 2",
    "yv": "missing; g * (special_yv(a - 1, b) - special_yv(a + 1, b)) / 2",
    "iv": "missing; g * (special_iv(a - 1, b) + special_iv(a + 1, b)) / 2",
    "ive": "missing; g * ((special_ive(a - 1, b) + special_ive(a + 1, b)) / 2 - sign(b) * y)",
    "kv": "missing; -g * (special_kv(a - 1, b) + special_kv(a + 1, b)) / 2",
    # Beyond ufuncs
    "real": "to_complex(g)",
    "imag": "-1j * to_complex(g)",
}


class _Names(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        if name.startswith("__"):
            raise KeyError(name)
        return function(name)


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
    terms = {"g": Term(g), "y": Term(node)}
    terms.update({n: Term(a) for n, a in zip("abcd", node.args, strict=False)})
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
