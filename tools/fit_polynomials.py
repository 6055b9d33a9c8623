"""Print the polynomial coefficients used by ``tracejit.intrinsics.vecmath`` (needs mpmath).

Each polynomial is a weighted minimax fit found by the Remez exchange algorithm in 50-digit
arithmetic; the coefficients are then rounded to the format they are used in.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp

mp.mp.dps = 50

Function = Callable[[mp.mpf], mp.mpf]


@dataclass(frozen=True)
class Fit:
    """``function`` on [low, high]; the error is ``weight * (function - polynomial)``."""

    name: str
    function: Function
    weight: Function
    low: str
    high: str
    degree: int
    in_double: bool = False  # for float32, too


def remez(fit: Fit, rounds: int = 12) -> tuple[list[mp.mpf], mp.mpf]:
    """The coefficients, lowest first, and the largest weighted error."""
    low, high, count = mp.mpf(fit.low), mp.mpf(fit.high), fit.degree + 2

    def chebyshev(j: int, n: int) -> mp.mpf:
        return (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * j / (n - 1))

    size = 30 * count
    grid = [chebyshev(j, size) for j in range(size)]
    values = [(fit.function(x), fit.weight(x)) for x in grid]
    chosen = [round(j * (size - 1) / (count - 1)) for j in range(count)]
    for _ in range(rounds):
        rows = [
            [grid[i] ** p for p in range(fit.degree + 1)] + [(-1) ** j / values[i][1]]
            for j, i in enumerate(chosen)
        ]
        solution = mp.lu_solve(mp.matrix(rows), mp.matrix([values[i][0] for i in chosen]))
        coefficients = [solution[p] for p in range(fit.degree + 1)]
        errors = [
            w * (f - mp.polyval(coefficients[::-1], x))
            for x, (f, w) in zip(grid, values, strict=True)
        ]
        # One extremum for every run of errors of one sign; keep the `count` largest neighbours.
        extrema: list[int] = []
        for i, error in enumerate(errors):
            if extrema and mp.sign(errors[extrema[-1]]) == mp.sign(error):
                if abs(error) > abs(errors[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        while len(extrema) > count:
            end = -1 if abs(errors[extrema[-1]]) < abs(errors[extrema[0]]) else 0
            del extrema[end]
        if len(extrema) < count or extrema == chosen:
            break
        chosen = extrema
    return coefficients, max(abs(e) for e in errors)


def expm1_tail(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r) / r**2."""
    return mp.mpf("0.5") if r == 0 else (mp.expm1(r) - r) / r**2


def expm1_tail_3(r: mp.mpf) -> mp.mpf:
    """(exp(r) - 1 - r - r**2/2) / r**3."""
    return mp.mpf(1) / 6 if r == 0 else (mp.expm1(r) - r - r * r / 2) / r**3


def log_tail(z: mp.mpf) -> mp.mpf:
    """(2 atanh(s) - 2 s) / (s z) with s = sqrt(z)."""
    s = mp.sqrt(z)
    return mp.mpf(2) / 3 if z == 0 else (2 * mp.atanh(s) - 2 * s) / (s * z)


def log_tail_2(z: mp.mpf) -> mp.mpf:
    """((2 atanh(s) - 2 s) / (s z) - 2/3) / z with s = sqrt(z)."""
    return mp.mpf(2) / 5 if z == 0 else (log_tail(z) - mp.mpf(2) / 3) / z


def sin_tail(z: mp.mpf) -> mp.mpf:
    """(sin(r) - r) / r**3 with r = sqrt(z)."""
    r = mp.sqrt(z)
    return mp.mpf(-1) / 6 if z == 0 else (mp.sin(r) - r) / r**3


def cos_tail(z: mp.mpf) -> mp.mpf:
    """(cos(r) - 1 + z/2) / z**2 with r = sqrt(z)."""
    return mp.mpf(1) / 24 if z == 0 else (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2


def tanh_tail(z: mp.mpf) -> mp.mpf:
    """(tanh(x) - x) / x**3 with x = sqrt(z)."""
    x = mp.sqrt(z)
    return mp.mpf(-1) / 3 if z == 0 else (mp.tanh(x) - x) / x**3


def atan_tail(z: mp.mpf) -> mp.mpf:
    """(atan(t) - t) / t**3 with t = sqrt(z)."""
    t = mp.sqrt(z)
    return mp.mpf(-1) / 3 if z == 0 else (mp.atan(t) - t) / t**3


def asin_tail(z: mp.mpf) -> mp.mpf:
    """(asin(s) - s) / s**3 with s = sqrt(z)."""
    s = mp.sqrt(z)
    return mp.mpf(1) / 6 if z == 0 else (mp.asin(s) - s) / s**3


def erf_tail(z: mp.mpf) -> mp.mpf:
    """erf(x)/x - 1 with x = sqrt(z)."""
    x = mp.sqrt(z)
    return 2 / mp.sqrt(mp.pi) - 1 if z == 0 else mp.erf(x) / x - 1


def log_erfc(t: mp.mpf) -> mp.mpf:
    """-log(erfc(t))/t - 1."""
    return -mp.log(mp.erfc(t)) / t - 1


ERFC_SHIFT = mp.mpf("0.4375")  # (a + shift) exp(a*a) erfc(a) is nearly constant
ERFC_SCALE = mp.mpf("0.59375")


def log_gamma_small(t: mp.mpf) -> mp.mpf:
    """log(gamma(x)) / ((x - 1) (x - 2)) with x = t + 1.75."""
    x = t + mp.mpf("1.75")
    if x in (1, 2):
        return mp.psi(0, x) * (1 if x == 2 else -1)
    return mp.loggamma(x) / ((x - 1) * (x - 2))


def log_gamma_rest(w: mp.mpf) -> mp.mpf:
    """(log(gamma(x)) - (x - 1/2) log(x) + x - log(2 pi)/2) x with x = 1/w."""
    if w == 0:
        return mp.mpf(1) / 12
    x = 1 / w
    if x > 30:  # Stirling's series, where the difference would cancel
        return mp.fsum(
            mp.bernoulli(2 * k) / (2 * k * (2 * k - 1)) * w ** (2 * k - 2) for k in range(1, 31)
        )
    return (mp.loggamma(x) - (x - mp.mpf("0.5")) * mp.log(x) + x - mp.log(2 * mp.pi) / 2) * x


SMALL = mp.mpf("1e-5")  # keeps the weights of the error away from zero


def erfcx_rest(pole: mp.mpf) -> Function:
    """(a + shift) exp(a*a) erfc(a) / scale - 1 as a function of u = (a - pole)/(a + pole)."""

    def rest(u: mp.mpf) -> mp.mpf:
        a = pole * (1 + u) / (1 - u)
        return (a + ERFC_SHIFT) * mp.exp(a * a) * mp.erfc(a) / ERFC_SCALE - 1

    return rest


def one(_: mp.mpf) -> mp.mpf:
    return mp.mpf(1)


def fits(double: bool) -> list[Fit]:
    def degree(for_double: int, for_single: int) -> int:
        return for_double if double else for_single

    half_ln2 = "0.34658"
    boundary = mp.mpf("0.875")
    pole, last = (mp.mpf("4.5"), mp.mpf("27.5")) if double else (mp.mpf("2.75"), mp.mpf("10.5"))
    first = mp.mpf("0.625")
    return [
        Fit("EXP", expm1_tail, lambda r: r * r + SMALL, "-" + half_ln2, half_ln2, degree(9, 4)),
        Fit(
            "EXPM1",
            expm1_tail_3,
            lambda r: r * r + SMALL,
            "-" + half_ln2,
            half_ln2,
            degree(9, 4),
        ),
        Fit("LOG", log_tail, lambda z: z + SMALL, "0", "0.029438", degree(6, 2)),
        Fit("LOG_2", log_tail_2, lambda z: z * z + SMALL, "0", "0.029438", degree(6, 2)),
        Fit("SIN", sin_tail, lambda z: z + SMALL, "0", "0.6169", degree(5, 2)),
        Fit("COS", cos_tail, lambda z: z * z + SMALL, "0", "0.6169", degree(5, 2)),
        Fit("TANH", tanh_tail, lambda z: z + SMALL, "0", "0.66015625", degree(12, 5)),
        Fit("ATAN", atan_tail, lambda z: z + SMALL, "0", "0.19142", degree(10, 4)),
        Fit("ASIN", asin_tail, lambda z: z + SMALL, "0", "0.25", degree(12, 5)),
        Fit("CBRT", mp.cbrt, lambda m: 1 / mp.cbrt(m), "1", "8", 5),
        Fit("ERF_SMALL", erf_tail, one, "0", str(boundary**2), degree(11, 6)),
        Fit(
            "ERF_LARGE",
            log_erfc,
            lambda t: t * mp.erfc(t),
            str(boundary),
            "6" if double else "4",
            degree(17, 6),
        ),
        Fit(
            "ERFC_LARGE",
            erfcx_rest(pole),
            one,
            str((first - pole) / (first + pole)),
            str((last - pole) / (last + pole)),
            degree(21, 9),
        ),
        Fit("GAMMALN_SMALL", log_gamma_small, one, "-0.75", "0.75", degree(24, 10), True),
        Fit("GAMMALN_LARGE", log_gamma_rest, one, "0", "0.4", degree(15, 5), True),
    ]


def main(names: list[str]) -> None:
    for in_double, in_single in zip(fits(True), fits(False), strict=True):
        if names and in_double.name not in names:
            continue
        print(f"{in_double.name}: Table = {{")
        for width, fit in ((64, in_double), (32, in_single)):
            coefficients, error = remez(fit)
            print(f"    {width}: (  # error 2**{mp.nstr(mp.log(error, 2), 3)}")
            for c in coefficients:
                code = "<d" if width == 64 or fit.in_double else "<f"
                print(f"        {struct.unpack(code, struct.pack(code, float(c)))[0]!r},")
            print("    ),")
        print("}")


if __name__ == "__main__":
    main(sys.argv[1:])
