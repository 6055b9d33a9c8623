"""The distributions of NumPy's ``RandomState``, number by number, over any source of bits.

Each function gives one number. NumPy has promised never to change these streams (NEP 19), so what
is written here is fixed too: the order in which words are used, and the order of operations.
"""

from __future__ import annotations

import math

import numpy as np

from tracejit.rng import mt19937, source
from tracejit.rng.mt19937 import WAITING, WAITS
from tracejit.rng.source import double, exp, jit, log, power, standard_normal, word


@jit
def polar(s):  # type: ignore[no-untyped-def]
    """By the polar method (Marsaglia and Bray 1964), whose second number waits in the state."""
    waiting = s[WAITING : WAITING + 2].view(np.float64)
    if s[WAITS]:
        s[WAITS] = 0
        result = waiting[0]
        waiting[0] = 0.0
        return result
    while True:
        x = 2.0 * double(s) - 1.0
        y = 2.0 * double(s) - 1.0
        r = x * x + y * y
        if r < 1.0 and r != 0.0:
            break
    f = math.sqrt(-2.0 * math.log(r) / r)
    waiting[0] = f * x
    s[WAITS] = 1
    return f * y


source.provide(
    mt19937.is_state,
    standard_normal=polar,
    log=lambda s, x: math.log(x),
    exp=lambda s, x: math.exp(x),
    power=lambda s, x, y: x**y,
)


@jit
def uniform(s, low, high):  # type: ignore[no-untyped-def]
    return low + (high - low) * double(s)


@jit
def random_sample(s):  # type: ignore[no-untyped-def]
    return double(s)


@jit
def normal(s, mean, deviation):  # type: ignore[no-untyped-def]
    return mean + deviation * standard_normal(s)


@jit
def lognormal(s, mean, deviation):  # type: ignore[no-untyped-def]
    return exp(s, mean + deviation * standard_normal(s))


@jit
def standard_exponential(s):  # type: ignore[no-untyped-def]
    return -log(s, 1.0 - double(s))


@jit
def exponential(s, scale):  # type: ignore[no-untyped-def]
    return scale * standard_exponential(s)


@jit
def standard_gamma(s, shape):  # type: ignore[no-untyped-def]
    """Below a shape of 1 by Ahrens and Dieter (1974), above by Marsaglia and Tsang (2000)."""
    if shape == 1.0:
        return standard_exponential(s)
    if shape == 0.0:
        return 0.0
    if shape < 1.0:
        while True:
            u = double(s)
            v = standard_exponential(s)
            if u <= 1.0 - shape:
                x = power(s, u, 1.0 / shape)
                if x <= v:
                    return x
            else:
                y = -log(s, (1.0 - u) / shape)
                x = power(s, 1.0 - shape + shape * y, 1.0 / shape)
                if x <= v + y:
                    return x
    b = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * b)
    while True:
        x = standard_normal(s)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = double(s)
        if u < 1.0 - 0.0331 * (x * x) * (x * x):
            return b * v
        if log(s, u) < 0.5 * x * x + b * (1.0 - v + log(s, v)):
            return b * v


@jit
def gamma(s, shape, scale):  # type: ignore[no-untyped-def]
    return scale * standard_gamma(s, shape)


@jit
def beta(s, a, b):  # type: ignore[no-untyped-def]
    """By Jöhnk (1964) where both are at most 1, else as a ratio of gammas."""
    if a <= 1.0 and b <= 1.0:
        while True:
            u = double(s)
            v = double(s)
            x = power(s, u, 1.0 / a)
            y = power(s, v, 1.0 / b)
            if x + y <= 1.0 and u + v > 0.0:
                if x + y > 0.0:
                    return x / (x + y)
                log_x, log_y = log(s, u) / a, log(s, v) / b
                most = max(log_x, log_y)
                log_x, log_y = log_x - most, log_y - most
                return exp(s, log_x - log(s, exp(s, log_x) + exp(s, log_y)))
    x = standard_gamma(s, a)
    y = standard_gamma(s, b)
    return x / (x + y)


@jit
def standard_t(s, df):  # type: ignore[no-untyped-def]
    x = standard_normal(s)
    y = standard_gamma(s, df / 2.0)
    return math.sqrt(df / 2.0) * x / math.sqrt(y)


@jit
def weibull(s, a):  # type: ignore[no-untyped-def]
    if a == 0.0:
        return 0.0
    return power(s, standard_exponential(s), 1.0 / a)


@jit
def gumbel(s, location, scale):  # type: ignore[no-untyped-def]
    u = 1.0 - double(s)
    while u >= 1.0:
        u = 1.0 - double(s)
    return location - scale * log(s, -log(s, u))


@jit
def laplace(s, location, scale):  # type: ignore[no-untyped-def]
    u = double(s)
    while u == 0.0:
        u = double(s)
    if u >= 0.5:
        return location - scale * log(s, 2.0 - u - u)
    return location + scale * log(s, u + u)


@jit
def logistic(s, location, scale):  # type: ignore[no-untyped-def]
    u = double(s)
    while u == 0.0:
        u = double(s)
    return location + scale * log(s, u / (1.0 - u))


# Integers ---------------------------------------------------------------------------------------

_STIRLING = (
    8.333333333333333e-02, -2.777777777777778e-03, 7.936507936507937e-04, -5.952380952380952e-04,
    8.417508417508418e-04, -1.917526917526918e-03, 6.410256410256410e-03, -2.955065359477124e-02,
    1.796443723688307e-01, -1.39243221690590e00,
)  # fmt: skip


@jit
def _log_gamma(s, x):  # type: ignore[no-untyped-def]
    """By Stirling's series above 7 (Zhang and Jin 1996)."""
    if x == 1.0 or x == 2.0:
        return 0.0
    n = np.int64(7.0 - x) if x < 7.0 else 0
    y = x + n
    inverse = (1.0 / y) * (1.0 / y)
    total = _STIRLING[9]
    for k in range(8, -1, -1):
        total = total * inverse + _STIRLING[k]
    result = total / y + 0.5 * 1.8378770664093453 + (y - 0.5) * log(s, y) - y
    if x < 7.0:
        for _ in range(n):
            result -= log(s, y - 1.0)
            y -= 1.0
    return result


@jit
def poisson(s, mean):  # type: ignore[no-untyped-def]
    """From a mean of 10 on by transformed rejection (Hörmann 1993), else by multiplication."""
    if mean == 0.0:
        return 0
    if mean < 10.0:
        least, product, count = exp(s, -mean), 1.0, 0
        while True:
            product *= double(s)
            if product <= least:
                return count
            count += 1
    root, log_mean = math.sqrt(mean), log(s, mean)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    v_r = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u = double(s) - 0.5
        v = double(s)
        us = 0.5 - math.fabs(u)
        k = np.int64(math.floor((2.0 * a / us + b) * u + mean + 0.43))
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = log(s, v) + log(s, inverse_alpha) - log(s, a / (us * us) + b)
        if left <= -mean + k * log_mean - _log_gamma(s, np.float64(k + 1)):
            return k


@jit
def _binomial_inversion(s, n, p):  # type: ignore[no-untyped-def]
    q = 1.0 - p
    start = exp(s, n * log(s, q))
    mean = n * p
    bound = np.int64(min(np.float64(n), mean + 10.0 * math.sqrt(mean * q + 1.0)))
    x, mass, u = 0, start, double(s)
    while u > mass:
        x += 1
        if x > bound:
            x, mass, u = 0, start, double(s)
        else:
            u -= mass
            mass = ((n - x + 1) * p * mass) / (x * q)
    return x


@jit
def _tail(x):  # type: ignore[no-untyped-def]
    """A term of Stirling's formula."""
    y = x * x
    series = 13680.0 - (462.0 - (132.0 - (99.0 - 140.0 / y) / y) / y) / y
    return series / x / 166320.0


@jit
def _binomial_btpe(s, n, p):  # type: ignore[no-untyped-def]
    """Algorithm BTPE of Kachitvichyanukul and Schmeiser (1988); `p` is at most a half."""
    r, q = p, 1.0 - p
    fm = n * r + r
    m = np.int64(math.floor(fm))
    p1 = math.floor(2.195 * math.sqrt(n * r * q) - 4.6 * q) + 0.5
    xm = m + 0.5
    xl, xr = xm - p1, xm + p1
    c = 0.134 + 20.5 / (15.3 + m)
    a = (fm - xl) / (fm - xl * r)
    left = a * (1.0 + a / 2.0)
    a = (xr - fm) / (xr * q)
    right = a * (1.0 + a / 2.0)
    p2 = p1 * (1.0 + 2.0 * c)
    p3 = p2 + c / left
    p4 = p3 + c / right
    nrq = n * r * q
    while True:
        u = double(s) * p4
        v = double(s)
        if u <= p1:  # the triangle
            y = np.int64(math.floor(xm - p1 * v + u))
            break
        if u <= p2:  # the parallelograms
            x = xl + (u - p1) / c
            v = v * c + 1.0 - math.fabs(m - x + 0.5) / p1
            if v > 1.0:
                continue
            y = np.int64(math.floor(x))
        elif u <= p3:  # the left tail
            y = np.int64(math.floor(xl + log(s, v) / left))
            if y < 0 or v == 0.0:
                continue
            v = v * (u - p2) * left
        else:  # the right tail
            y = np.int64(math.floor(xr - log(s, v) / right))
            if y > n or v == 0.0:
                continue
            v = v * (u - p3) * right
        k = abs(y - m)
        if not (k > 20 and k < nrq / 2.0 - 1.0):
            ratio = r / q
            a = ratio * (n + 1)
            f = 1.0
            if m < y:
                for i in range(m + 1, y + 1):
                    f *= a / i - ratio
            elif m > y:
                for i in range(y + 1, m + 1):
                    f /= a / i - ratio
            if v > f:
                continue
            break
        rho = (k / nrq) * ((k * (k / 3.0 + 0.625) + 0.16666666666666666) / nrq + 0.5)
        t = -k * k / (2.0 * nrq)
        log_v = log(s, v)
        if log_v < t - rho:
            break
        if log_v > t + rho:
            continue
        x1, f1 = np.float64(y + 1), np.float64(m + 1)
        z, w = np.float64(n + 1 - m), np.float64(n - y + 1)
        bound = xm * log(s, f1 / x1) + (n - m + 0.5) * log(s, z / w)
        bound += (y - m) * log(s, w * r / (x1 * q))
        bound += _tail(f1)
        bound += _tail(z)
        bound += _tail(x1)
        bound += _tail(w)
        if log_v > bound:
            continue
        break
    return y


@jit
def binomial(s, n, p):  # type: ignore[no-untyped-def]
    flipped = 1.0 - p if p > 0.5 else p
    few = flipped * n <= 30.0
    found = _binomial_inversion(s, n, flipped) if few else _binomial_btpe(s, n, flipped)
    return n - found if p > 0.5 else found


@jit
def negative_binomial(s, n, p):  # type: ignore[no-untyped-def]
    return poisson(s, ((1.0 - p) / p) * standard_gamma(s, n))


@jit
def geometric(s, p):  # type: ignore[no-untyped-def]
    if p >= 0.333333333333333333333333:
        x, total, mass = 1, p, p
        u = double(s)
        while u > total:
            mass *= 1.0 - p
            total += mass
            x += 1
        return x
    return np.int64(math.ceil(log(s, 1.0 - double(s)) / log(s, 1.0 - p)))


@jit
def below(s, most):  # type: ignore[no-untyped-def]
    """An integer from 0 to `most`: masked words until one fits; 0 if `most` is negative."""
    if most <= 0:
        return np.int64(0)
    mask = np.uint64(most)
    for shift in (1, 2, 4, 8, 16, 32):
        mask |= mask >> np.uint64(shift)
    if most <= 0xFFFFFFFF:
        narrow = np.uint32(mask)
        while True:
            found = np.int64(np.uint64(word(s) & narrow))
            if found <= most:
                return found
    while True:
        high = np.uint64(word(s))
        low = np.uint64(word(s))
        wide = ((high << np.uint64(32)) | low) & mask
        if wide <= np.uint64(most):
            return np.int64(wide)


@jit
def randint(s, low, high):  # type: ignore[no-untyped-def]
    return low + below(s, high - 1 - low)


@jit
def random_integers(s, low, high):  # type: ignore[no-untyped-def]
    return low + below(s, high - low)
