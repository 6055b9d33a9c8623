"""What the programs of the attacks by processes and threads have in common."""

from __future__ import annotations

import random

HEAD = """\
import gc
import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
import numpy.testing  # a child could not import what is being imported at the fork

import tracejit
import tracejit.tensor as T

rng = random.Random({seed})
x = np.linspace(0.25, 1.0, 7)
big = np.linspace(0.25, 1.0, 300_000)
serial = [0]


def make(k=None):
    '''A function that no program was compiled of before, and the plain one.'''
    if k is None:
        serial[0] += 1
        k = serial[0] * 64 + os.getpid() % 64
    scope = {{"np": np}}
    exec("def f(x, s=1.0):\\n    return np.sqrt(x * %d.5) * s + %d" % (k, k), scope)
    return tracejit.function(scope["f"], on_unsupported="warn"), scope["f"]


def check(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-12)


shared, plain = make(0)
rows = tracejit.function(lambda a: (a * 2 + 1) * a)
total = tracejit.shared(0.0)
other = tracejit.shared(np.zeros(3))
bump = tracejit.function([], total, updates=[(total, total + 1), (other, other + 1)])
v = T.dvector("v")
symbolic = tracejit.function([v], T.exp(v).sum())


@tracejit.function
def writes(a):
    total.value = total.value + 1
    other.value = other.value + 1
    return a + total.value


def use_known():
    check(shared(x), plain(x))


def use_new():
    f, g = make()
    check(f(x), g(x))
    check(f(x, 2.0), g(x, 2.0))


def use_rows():
    check(rows(big), (big * 2 + 1) * big)


def use_other_arguments():
    n = rng.choice([2, 3, 5])
    kind = rng.choice(["f4", "f8", "i8"])
    a = np.ones((n, n), kind)[:: rng.choice([1, 2])]
    check(shared(a), plain(a))


def use_symbolic():
    check(symbolic(x), np.exp(x).sum())


def make_symbolic():
    s = T.dscalar()
    k = rng.random()
    check(tracejit.function([s], T.grad(s**3 * k, s))(2.0), 12 * k)


def use_gradient():
    check(tracejit.grad(lambda a: (a**3).sum())(x), 3 * x**2)


def use_error():
    try:
        shared(np.ones(2), np.ones(3))
    except ValueError:
        return
    raise AssertionError("no error")


def use_fallback():
    k = rng.randint(0, 3)
    f = tracejit.function(lambda a: a[a > k].tolist())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert f(np.arange(5)) == list(range(k + 1, 5))


USES = [use_known, use_new, use_rows, use_other_arguments, use_symbolic, make_symbolic,
        use_gradient, use_error, use_fallback]
"""


def head(rng: random.Random) -> str:
    """The beginning of a program."""
    return HEAD.format(seed=rng.randrange(1 << 30))
