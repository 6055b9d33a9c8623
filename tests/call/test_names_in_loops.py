"""Which array a name has, as branches in loops go: random programs of names and writes.

Each is compared with plain Python for values, for what the arguments hold afterwards and for which
of all arrays are one.
"""

from __future__ import annotations

import linecache
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tracejit

#: Functions that return an array that they are given, or one of several.
HELPERS = """
def same(p):
    return p

def turned(p, q, t):
    if t > 0:
        return p, q
    return q, p

def picked(p, q, t):
    for i in range(len(t)):
        if t[i] > 0:
            return p
    return q

def placed(p, t):
    for i in range(len(t)):
        if t[i] > 0:
            return p, i
        p = p + 1
    return p, -1

def last(p, q, t):
    r = p
    while t > 0:
        r = q
        t -= 1
    return r

def raised(p):
    p += 1
"""
NAMES = [
    "x = x + 1", "x += 1", "y = y * 2", "y *= 2", "x[0] = 5", "y[1] = 7", "z = x * 3", "z = x",
    "z[2] -= 1", "y = z",
]  # fmt: skip
HANDLES = [
    *NAMES, "y = x[::-1]", "y = x[:]", "v = x[1:3]", "v = y[1:3]", "v += 1", "v[0] = 9",
    "x[1:] = y[1:]", "x[1:] += x[:-1]", "y[::-1] += x", "x[:] = y", "y.fill(2)", "x.sort()",
    "y = x.reshape(4)", "y = x.ravel()", "z = x.T", "z = y.view()", "y = np.asarray(x)",
    "np.add(x, 1, out=y)", "y = np.add(x, 1, out=x)", "y = np.maximum(x, y, out=y)",
    "np.copyto(z, x)", "x, y, z = y, z, x", "z = y = x + y", "x = y = z", "s += 1",
    "w[0] += 1", "w[1] = x", "w[0] = y", "y = w[0]", "z = w[1]", "w[0], w[1] = w[1], w[0]",
    "d['u'] = y", "y = d['u']", "d['u'] *= 2", "d['v'] = x + 1", "z = d['v']", "t = (x, y)",
    "y = t[0]", "x = t[1]", "z = x if s else y", "z = x if c[k] > 0 else y",
    "y, z = (x, z) if c[k] > 0 else (z, x)", "v = x[1:3] if c[k] > 0 else y[:2]", "y = same(x)",
    "u, y = turned(x, z, c[k])", "z, x = turned(x, y, c[k])", "y = picked(x, z, c)",
    "z = picked(x, y, c)", "y, i = placed(x, c)", "z = last(x, y, c[k])", "raised(x)", "raised(y)",
]  # fmt: skip
SIDES = [
    "y = x", "x = y", "y = z", "y, s = x, s + 1", "x, y = y, x", "y = x\nz = x", "z = y",
    "y = x[::-1]", "y = x\nx = x + 1", "y = x\nx += 1", "y = x\ny += 1", "x += 1", "x = x * 2",
]  # fmt: skip
BLOCKS = ["if s > 2:", "if c[k] < 0 and s < 3:", "for j in range(2):", "if x[0] > y[1]:",
          "while s < k:\n    s += 1", "if x.sum() > y.sum():", "for q in w:"]  # fmt: skip
RESULTS = ["y", "x", "x, y", "z", "y, z", "x, y, z", "y.sum() + x.sum()", "y if s else x", "s, z",
           "w", "d", "v", "t", "[x, y]", "d['u'], y"]  # fmt: skip
STARTS = ["x, y, z = a.copy(), b.copy(), b * 2", "x = y = a.copy()\nz = b.copy()",
          "x, y, z = a, b, a", "x = z = a.copy()\ny = b"]  # fmt: skip
HELD = ["w, d = [x, y], {'u': x, 'v': z}", "w, d = [a, y], {'u': b, 'v': a + 1}",
        "w, d = [x.copy(), y], {'u': z, 'v': z}"]  # fmt: skip
LOOPS = ["for k in range(n):", "for k in range(len(c)):", "k = -1\nwhile k < n - 1:\n    k += 1"]

#: What was wrong once.
FOUND = {
    "written on one side": """
x = a.copy()
for k in range(n):
    if c[k] > 0:
        x += 1
    else:
        x = x * 2
return x
""",
    "named and written": """
x, y = a.copy(), b.copy()
for k in range(n):
    if c[k] > 0:
        y = x
        x += 1
    else:
        x = y
    x = x + 1
return x
""",
    "one array at first": """
x = y = a.copy()
for k in range(n):
    if c[k] > 0:
        x, y = y, x
    x += 1
    x = x + 1
    y *= 2
return x
""",
    "written before it is another": """
x = a.copy()
y = x
for k in range(len(c)):
    z = x * 3
    if c[k] > 0:
        y = z
    x[0] = 5
return y.sum() + x.sum()
""",
    "a step by itself": """
x, y, z = a.copy(), a * 1, b.copy()
k = -1
while k < n - 1:
    k += 1
    z = x * 3
    x += 1
    if c[k] > 0:
        y = z
return z
""",
    "another name of what is kept": """
x, y = a.copy(), b.copy()
z = x
for k in range(n):
    x = x + 1
    z = x
    if c[k] > 0:
        x = y * 1
    z[2] -= 1
return z, x.sum()
""",
    "written after an inner loop": """
x = y = a.copy()
z = b.copy()
s = 0
for k in range(n):
    if c[k] > 0:
        y = z
    while s < k:
        s += 1
        y = x
        x = x + 1
    y *= 2
return x, y
""",
    "one of two is returned": """
x, y = a.copy(), b.copy()
for k in range(len(c)):
    u, v = turned(x, y, c[k])
    u += 1
    v *= 2
return x, y
""",
    "returned from a loop, and written": """
x, y = a.copy(), b.copy()
z = picked(x, y, c)
z += 1
return x, y
""",
    "written after it is returned from a loop": """
x, y = a.copy(), b.copy()
z = picked(x, y, c)
x += 1
y += 2
return z.sum()
""",
    "left by the first step": """
s = 2.0
for k in range(len(c)):
    s = np.max(c)
    if k == 0:
        break
    b[k - 1] *= k
return s
""",
    "an argument that a loop returns": """
x = b
for k in range(n):
    for j in range(1, len(a)):
        return b
    b = x
return a
""",
    "written where a view is seen": """
x = b.copy()
for k in range(len(c)):
    x = x + k
    v = x[:-1]
    s = 0
    while True:
        s += 1
        if s > 4 or (x == 0).all():
            break
        x[:] = a
return x
""",
    "written in a finally": """
x = a.copy()
try:
    for k in range(len(c)):
        return x, x[0] if c[k] > 0 else 1
finally:
    x[1] -= 5
""",
    "a tuple from a loop": """
x = a.copy()
z, i = placed(x, c)
z += 1
return x, i
""",
}


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.strip().splitlines())


def drawn(seed: int, names: bool) -> str:
    """The body of a program: of names alone, or of views, containers and helpers too."""
    r = random.Random(seed)
    known = NAMES if names else HANDLES

    def block() -> str:
        lines = r.choice([*SIDES, *known])
        if r.random() < 0.1:
            lines += "\n" + r.choice(["break", "continue", "return x", "return y, s"])
        return indented(lines)

    body = [r.choice(known) for _ in range(r.randint(0, 3))]
    branch = f"if c[k] > 0:\n{indented(r.choice(SIDES))}" if names else f"if c[k] > 0:\n{block()}"
    branch += f"else:\n{block()}" if r.random() < 0.4 else ""
    body.insert(r.randint(0, len(body)), branch)
    if r.random() < 0.4:
        body.insert(r.randint(0, len(body)), f"{r.choice(BLOCKS)}\n{block()}")
    steps = indented("\n".join(part.strip("\n") for part in body))
    start = f"{r.choice(STARTS)}\n{r.choice(HELD)}\nv, t = x[:2], (y, x)"
    return f"s = 0\n{start}\n{r.choice(LOOPS)}\n{steps}return {r.choice(RESULTS)}\n"


def made(name: str, body: str) -> Callable[..., Any]:
    source = f"{HELPERS}def f(a, b, c, n):\n{indented(body)}"
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    namespace: dict[str, Any] = {"np": np}
    exec(compile(source, name, "exec"), namespace)
    f: Callable[..., Any] = namespace["f"]
    return f


def flat(value: Any) -> list[Any]:
    values = value.values() if isinstance(value, dict) else value
    several = isinstance(value, dict | list | tuple)
    return [part for each in values for part in flat(each)] if several else [value]


def outcome(f: Callable[..., Any], arguments: list[Any]) -> Any:
    """What a call gives and leaves, and which of all arrays are one or share memory."""
    try:
        result = f(*arguments)
    except Exception as error:
        result = repr(error)
    found = [*flat(result), *arguments[:3]]
    arrays = [x for x in found if isinstance(x, np.ndarray)]
    related = [[(x is y, np.shares_memory(x, y)) for x in arrays] for y in arrays]
    return repr([np.asarray(x).tolist() for x in found]), related


def compare(name: str, body: str) -> int:
    """How many of all calls ran compiled."""
    f = made(name, body)
    g = tracejit.function(f, on_unsupported="warn")
    calls = 0
    for c in ([1, -1, 1, 1, -1, 1, -1.0], [-1.0] * 7, [1.0] * 7):
        for n in (6, 0, 3):
            ours, theirs = (
                [np.arange(4.0), np.arange(4.0)[::-1].copy(), np.array(c), n] for _ in range(2)
            )
            assert outcome(g, ours) == outcome(f, theirs), body
            calls += 1
    return calls - g.stats.fallbacks


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("name", FOUND)
def test_what_was_wrong(name: str) -> None:
    with tracejit.config(compile=False):
        compare(f"<{name}>", FOUND[name])


SEEDS = [*range(4), *(pytest.param(k, marks=pytest.mark.slow) for k in range(4, 80))]


@pytest.mark.filterwarnings("ignore::tracejit.UnsupportedWarning")
@pytest.mark.parametrize("names", [True, False], ids=["names", "handles"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs(seed: int, names: bool) -> None:
    with tracejit.config(compile=False):
        ran = [compare(f"<{names} {k}>", drawn(k, names)) for k in range(50 * seed, 50 * seed + 50)]
    assert sum(each == 9 for each in ran) > 5, "too few are compiled to say anything"


METROPOLIS = """
x, best = a.copy(), a.copy()
p = q = -0.5 * (x * x).sum()
for k in range(len(c)):
    new = x + c[k] * b
    r = -0.5 * (new * new).sum()
    if r > p - 0.1 * k:
        x, p = new, r
    if p > q:
        best, q = x, p
return best, q, p
"""


def test_what_is_accepted_and_the_best_are_kept() -> None:
    f = made("<accepted>", METROPOLIS)
    g = tracejit.function(f, on_unsupported="error")
    c = np.random.default_rng(0).normal(size=200) * 0.1
    ours, theirs = ([np.arange(4.0), np.arange(4.0)[::-1].copy(), c, 0] for _ in range(2))
    for got, want in zip(g(*ours), f(*theirs), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)
    assert (g.stats.traces, g.stats.fallbacks) == (1, 0)
