"""Derivatives of functions with branches and loops: against complex steps through plain Python."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from programs.compare import load

import tracejit
from benchmarks.timing import wait_for_compiler
from tracejit import grad, jacobian, jvp, value_and_grad, vjp
from tracejit.testing import check_grads

RNG = np.random.default_rng(8)
X = RNG.normal(size=6)
TINY = 1e-30


def by_steps(f, x, *args):
    """The gradient of `f`, a real function of complex numbers as well, by complex steps."""
    found = np.empty(x.shape)
    for k in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[k] += 1j * TINY
        found[k] = np.imag(f(moved, *args)) / TINY
    return found


def agree(f, x, *args, checkpoint=True):
    """Both modes, compiled, against complex steps."""
    want = by_steps(f, x, *args)
    value, got = value_and_grad(f, checkpoint=checkpoint)(x, *args)
    np.testing.assert_allclose(value, f(x, *args), rtol=1e-13)
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-12 * np.abs(want).max())
    along = RNG.normal(size=x.shape)
    _, moved = jvp(lambda x: f(x, *args), (x,), (along,))
    np.testing.assert_allclose(moved, (want * along).sum(), rtol=1e-10, atol=1e-10)


# Programs -----------------------------------------------------------------------------------------


def diffusion(u0, r, steps):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += r * (u[2:] - 2 * u[1:-1] + u[:-2])
    return (u**2).sum()


def burgers(u0, r, steps):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] -= r * u[1:-1] * (u[2:] - u[:-2])
    return (u**2).sum()


def plate(u0, r, steps):
    u = u0.copy()
    for _ in range(steps):
        u[1:-1, 1:-1] += r * (
            u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
        )
    return (u**3).sum()


def by_elements(x, a, steps):
    y = x * 1
    for _ in range(steps):
        for k in range(1, len(x)):
            y[k] = np.sin(y[k - 1]) * a + y[k] * x[k]
    return (y * y).sum()


def by_sides(x, a, steps):
    s = x[0] * 1
    for k in range(steps):
        if np.real(s) > 0.3:
            s = np.sin(s) * x[k % 3]
            s = s - a
        else:
            s = s * a + x.sum() / (k + 1)
    return s


def pendulum(x, h, steps):
    """Several values that go along, and a counter."""
    angle, speed, turns, n = x[0], x[1], 0, 0
    for _ in range(steps):
        speed = speed - h * np.sin(angle) * x[2]
        angle = angle + h * speed
        n += 1
        turns = turns + (np.real(angle) > 0)
    return angle * n + speed * turns


def triangle(x, a, steps):
    """Inner loops of other lengths at each step."""
    y = x * 1
    for i in range(1, len(x)):
        s = y[i] * 1
        for j in range(i):
            s = s * 0.9 + np.sin(s) * y[j] * a
        y[i] = s
    return (y * y).sum()


def substitution(x, a, steps):
    """Slices that grow from step to step, of what is written and of what is not."""
    matrix = np.outer(np.cos(x), x) * a
    y = x * 1
    for i in range(1, len(x)):
        y[i] = (x[i] - matrix[i, :i] @ y[:i]) / (2 + y[i - 1] * y[i - 1])
    return (y * y).sum()


def products(x, a, steps):
    """Matrices, an array that is captured, reductions."""
    w = np.outer(x, x) / 9
    s = x * 1
    for _ in range(steps):
        s = np.tanh(w @ s) + a * x
        s = s / (1 + (s * s).sum())
    return s.sum()


@pytest.mark.parametrize("checkpoint", [True, False])
@pytest.mark.parametrize(
    "f",
    [diffusion, burgers, by_elements, by_sides, pendulum, triangle, substitution, products],
    ids=lambda f: f.__name__,
)
def test_gradients_of_loops(f, checkpoint):
    agree(f, X, 0.2, 23, checkpoint=checkpoint)


def test_a_plate():
    agree(plate, RNG.normal(size=(5, 6)), 0.1, 40)


def test_of_numbers_that_a_loop_reads():
    def f(r, u):
        return burgers(u, r, 30)

    h = 1e-30
    np.testing.assert_allclose(grad(f)(0.1, X), burgers(X + 0j, 0.1 + 1j * h, 30).imag / h)


def test_newton_by_while_goes_forwards():
    def root(a):
        x, error = a * 1, a * 0 + 1.0
        while np.abs(error).max() > 1e-12:
            error = (x * x - a) / (2 * x)
            x = x - error
        return x

    a = np.array([7.0, 2.0])
    _, slope = jvp(root, (a,), (np.ones(2),))
    np.testing.assert_allclose(slope, 0.5 / np.sqrt(a))
    with pytest.raises(tracejit.UnsupportedError) as refused:
        grad(lambda a: root(a).sum())(a)
    text = str(refused.value)
    assert "while has no derivative in reverse" in text and "use a for with a bound" in text
    assert "in root" in text and "while np.abs(error).max() > 1e-12" in text  # the user's line


def test_newton_by_a_bounded_loop():
    def root(a):
        x = a
        for _ in range(40):
            error = (x * x - a) / (2 * x)
            x = np.where(np.abs(error) < 1e-14, x, x - error)
        return x

    np.testing.assert_allclose(grad(root)(7.0), 0.5 / np.sqrt(7.0))


def test_sides_of_a_branch_that_have_nothing_in_common():
    """Which one is taken, the first part of the function tells."""

    def f(x):
        y = x[:3] if x.sum() > 0 else x * 2
        return (y * y).sum()

    slope = grad(f)
    for x in (np.abs(X), -np.abs(X)):
        np.testing.assert_allclose(slope(x), by_steps(f, x) if x[0] < 0 else [*2 * x[:3], 0, 0, 0])


def test_derivatives_of_derivatives():
    with tracejit.config(compile=False):
        check_grads(lambda u: burgers(u, 0.1, 12), (X,))
    slope = grad(lambda u: burgers(u, 0.1, 12))
    step = 1e-6
    want = (slope(X + step) - slope(X - step)) / (2 * step)
    np.testing.assert_allclose(grad(lambda u: slope(u).sum())(X), want, rtol=1e-6, atol=1e-8)
    _, forward = jvp(slope, (X,), (np.ones(6),))
    np.testing.assert_allclose(forward, want, rtol=1e-6, atol=1e-8)


def test_a_jacobian_goes_back_for_all_elements_at_once():
    def end(u, steps):
        u = u.copy()
        for _ in range(steps):
            u[1:-1] += 0.1 * np.sin(u[2:] - u[:-2])
        return u

    rows = jacobian(end)(X, 15)
    want = np.array([by_steps(lambda u, k=k: end(u, 15)[k], X) for k in range(6)])
    np.testing.assert_allclose(rows, want, rtol=1e-10, atol=1e-12)
    value, pull = vjp(lambda u: end(u, 15), X, checkpoint=False)
    np.testing.assert_allclose(pull(X)[0], X @ want, rtol=1e-10)
    np.testing.assert_allclose(value, end(X, 15), rtol=1e-14)


@tracejit.custom_gradient
def tamed(x):
    return np.exp(x), lambda g: g * np.minimum(np.exp(x), 2.0)


def test_rules_of_ones_own_in_loops_and_branches():
    def f(x, steps):
        s = x * 1.0
        for _ in range(steps):
            if s.sum() > 0:
                s = 0.3 * tamed(s)
                s = s - 0.4
            else:
                s = s + 0.5
        return s.sum()

    s, d = X.copy(), np.ones(6)
    for _ in range(30):
        if s.sum() > 0:
            s, d = 0.3 * np.exp(s) - 0.4, 0.3 * np.minimum(np.exp(s), 2.0) * d
        else:
            s = s + 0.5
    np.testing.assert_allclose(grad(f)(X, 30), d, rtol=1e-12)
    _, moved = jvp(lambda x: f(x, 30), (X,), (X,))
    np.testing.assert_allclose(moved, (d * X).sum(), rtol=1e-12)


def test_a_gradient_within_a_loop():
    """Descent: the loop's body takes a gradient, of a function with a loop."""

    def inner(w, x):
        s = x
        for _ in range(9):
            s = np.sin(s * w)
        return (s * s).sum()

    @tracejit.function
    def descend(w, x, steps):
        for _ in range(steps):
            w = w - 0.1 * grad(inner)(w, x)
        return w

    w = np.full(6, 0.8)
    got = descend(w, X, 12)
    assert descend.stats.fallbacks == 0
    for _ in range(12):
        w = w - 0.1 * by_steps(inner, w, X)
    np.testing.assert_allclose(got, w, rtol=1e-9)


# Memory -------------------------------------------------------------------------------------------


def peak(f, *args):
    f(*args)
    wait_for_compiler()  # of earlier tests, whose memory would be counted
    tracemalloc.start()
    with tracejit.config(threads=1):  # nothing is compiled meanwhile
        f(*args)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.cpu
def test_memory_grows_with_the_root_of_the_steps():
    u = RNG.normal(size=4096) / 50
    size = u.nbytes
    slope, kept = grad(burgers), grad(burgers, checkpoint=False)
    np.testing.assert_allclose(slope(u, 0.1, 400), kept(u, 0.1, 400), rtol=1e-12)
    few, many = (peak(slope, u, 0.1, n) / size for n in (100, 1600))
    assert few < 2 * 10 + 15 and many < 2 * 40 + 15
    assert peak(kept, u, 0.1, 400) / size > 400


@pytest.mark.cpu
def test_a_linear_loop_keeps_nothing():
    u = RNG.normal(size=4096)
    assert peak(grad(diffusion), u, 0.1, 2000) / u.nbytes < 12


# Random programs ----------------------------------------------------------------------------------

STATEMENTS = (
    "a[...] = np.sin(a) * b + s",
    "b[...] = np.tanh(a - 0.5 * b) + v",
    "a[1:-1] += 0.1 * (a[2:] - 2 * a[1:-1] + b[:-2])",
    "a[::2] = b[::2] * s",
    "b[...] = b * 0.5 + a[::-1]",
    "a[0] = s",
    "b[-1] += a[1] * a[2]",
    "s = np.tanh(s + a.sum() / 7)",
    "s = s * 0.5 + b[1]",
    "c += 1",
    "s = s + c * 0.01",
    "a[...] = np.where(np.real(a) > 0.1, b, a * 0.9)",
)
ELEMENTS = (
    "a[i] = np.sin(a[i]) * 0.7 + b[i] * s",
    "b[i] = a[i - 1] * 0.5 + v[i]",
    "s = s * 0.9 + a[i] * b[i]",
    "a[i - 1] += 0.1 * b[i]",
)


class Writer:
    """Statements of a function of `x`, `v` and a number of steps."""

    def __init__(self, pick):
        self.pick = pick
        self.lines = []

    def block(self, depth, indent, elements):
        for _ in range(1 + self.pick(3)):
            kind = self.pick(6) if depth else 5
            if kind == 0:
                self.line(indent, f"if np.real(s) > {self.pick(5) / 10}:")
                self.block(depth - 1, indent + 1, elements)
                self.line(indent, "else:")
                self.block(depth - 1, indent + 1, elements)
            elif kind in (1, 2):
                self.line(indent, f"for k{indent} in range({('n', 'n', '3', '11')[self.pick(4)]}):")
                self.block(depth - 1, indent + 1, elements)
            elif kind == 3:
                self.line(indent, "for i in range(1, len(a)):")
                self.block(depth - 1, indent + 1, True)
            else:
                table = STATEMENTS + ELEMENTS * 2 if elements else STATEMENTS
                self.line(indent, table[self.pick(len(table))])

    def line(self, indent, text):
        self.lines.append("    " * (indent + 1) + text)

    def source(self):
        self.block(2, 0, False)
        return "\n".join([
            "import numpy as np",
            "def f(x, v, n):",
            "    a, b, s, c = x * 1, v * x, x[1] * 1, 0",
            *self.lines,
            "    return np.tanh(a).sum() + (np.tanh(b) * v).sum() + np.tanh(s)",
        ])  # fmt: skip


def check_program(source, checkpoint=True):
    """Whether the derivatives of a program are right; False where the program is not compiled."""
    f = load(source).f
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=5), rng.normal(size=5)
    dx, dv = rng.normal(size=5), rng.normal(size=5)
    try:
        tracejit.function(f)(x, v, 7)
    except tracejit.UnsupportedError:
        return False
    with np.errstate(all="ignore"):
        want = f(x + TINY * 1j * dx, v + TINY * 1j * dv, 7).imag / TINY
    gx, gv = grad(f, argnums=(0, 1), checkpoint=checkpoint)(x, v, 7)
    scale = np.abs(gx * dx).sum() + np.abs(gv * dv).sum() + 1e-3
    back = (gx * dx).sum() + (gv * dv).sum()
    np.testing.assert_allclose(back, want, rtol=1e-9, atol=1e-11 * scale, err_msg=source)
    _, forward = jvp(lambda x, v: f(x, v, 7), (x, v), (dx, dv))
    np.testing.assert_allclose(forward, want, rtol=1e-9, atol=1e-11 * scale, err_msg=source)
    return True


@given(st.data())
def test_random_programs(data):
    source = Writer(lambda n: data.draw(st.integers(0, n - 1))).source()
    with tracejit.config(compile=False):
        assume(check_program(source, data.draw(st.booleans())))


def test_random_programs_compiled():
    rng = np.random.default_rng(2)
    compiled = [check_program(Writer(lambda n: int(rng.integers(n))).source()) for _ in range(6)]
    assert sum(compiled) > 2
