"""Numbers that change at each call: what Python asks of them is computed, or has few answers."""

import math

import numpy as np
import pytest

import tracejit
from tracejit.call.retrace import MAX_ANSWERS, MAX_FEW

OF_FLOATS = {
    "float": lambda x, t: x * float(t),
    "int": lambda x, t: x * int(t),
    "complex": lambda x, t: x * complex(t),
    "round": lambda x, t: x * round(t),
    "floor": lambda x, t: x * math.floor(t) + math.ceil(t) - math.trunc(t),
    "power": lambda x, t: x * t**3 + t**2,
    "sign": lambda x, t: x * (-1) ** abs(int(t)),
    "rest": lambda x, t: x * divmod(t, 2)[1] + t % 3 + t // 2,
    "type": lambda x, t: x * isinstance(int(t), int) + (type(float(t)) is float),
}
OF_INTS = {
    "float": lambda x, t: x * float(t),
    "int": lambda x, t: x * int(t) + round(t),
    "shift": lambda x, t: x * (t >> 1) + (t << 2),
    "shifted": lambda x, t: x * (1 << abs(t)) + (3 << abs(t)),
    "sign": lambda x, t: x * (-1) ** abs(t),
    "two": lambda x, t: x * 2 ** abs(t),
    "cube": lambda x, t: x * t**3 + t * t * t,
    "tenth": lambda x, t: x * t**10,
    "bits": lambda x, t: x * ((t & 3) ^ 1),
}
TABLE = {k: float(k) for k in range(60)}
OF_COMPLEX = {
    "real": lambda x, t: x * t.real + (t * t + 1).imag,
    "imag": lambda x, t: x * t.imag - np.imag(t),
    "conjugate": lambda x, t: x * t.conjugate() + np.conj(t),
    "type": lambda x, t: x * isinstance(t.real, float) + (type(t.conjugate()) is complex),
}


def _same(found, wanted):
    assert found.dtype == wanted.dtype
    assert found.tobytes() == wanted.tobytes()


def _agrees(f, numbers, most):
    g = tracejit.function(f)
    x = np.array([1.0, -2.0, 0.5])
    for t in numbers:
        _same(g(x, t), f(x, t))
    assert g.stats.traces <= most


@pytest.mark.parametrize("name", OF_FLOATS)
def test_questions_of_floats_are_computed(name):
    with tracejit.config(compile=False):
        _agrees(OF_FLOATS[name], [k + 0.5 for k in range(12)], 2)
        _agrees(OF_FLOATS[name], [0.0, 0.5, 1.0, 1.5, 2.5, -0.5, -1.5, -2.5, -0.0], 6)


@pytest.mark.parametrize("name", OF_INTS)
def test_questions_of_ints_are_computed(name):
    with tracejit.config(compile=False):
        _agrees(OF_INTS[name], range(1, 13), 2)
        _agrees(OF_INTS[name], [0, -1, -7, 3, 61, 30], 6)


@pytest.mark.parametrize("name", OF_COMPLEX)
def test_parts_of_complex_numbers_are_computed(name):
    with tracejit.config(compile=False):
        _agrees(OF_COMPLEX[name], [complex(k, 3 - k) for k in range(12)], 1)


@pytest.mark.parametrize("t", [True, 3, 2.5, 1 - 2j, complex(-0.0, 0.0)])
def test_parts_of_numbers_are_pythons(t):
    def f(x, t):
        return x, t.real, t.imag, t.conjugate(), type(t.real), type(t.imag), type(t.conjugate())

    with tracejit.config(compile=False):
        assert repr(tracejit.function(f)(np.ones(1), t)) == repr(f(np.ones(1), t))


def test_compiled_questions_agree():
    _agrees(lambda x, t: x * round(t) + int(t) + t**3, [k + 0.5 for k in range(-3, 4)], 4)
    _agrees(lambda x, t: x * (-1) ** t + (t >> 1) + 2**t + t**3, range(8), 2)


def test_numpy_scalars_are_rounded():
    with tracejit.config(compile=False):
        for dtype in (np.float32, np.float64):
            _agrees(
                lambda x, t: x * int(t) + float(t) + round(float(t)),
                [dtype(k + 0.3) for k in range(12)],
                2,
            )


@pytest.mark.parametrize("t", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("ask", [int, round, math.floor])
def test_what_is_no_integer_raises_as_in_python(ask, t):
    g = tracejit.function(lambda x, t: x * ask(t))
    with tracejit.config(compile=False):
        g(np.ones(3), 1.5)
        with pytest.raises(Exception) as wanted:
            ask(t)
        with pytest.raises(type(wanted.value)):
            g(np.ones(3), t)


@pytest.mark.parametrize("t", [1e10, -3e15, 1e25])
def test_large_integers_are_pythons(t):
    def f(x, t):
        return x * int(t), int(t), round(t) ** 2

    with tracejit.config(compile=False):
        g = tracejit.function(f)
        g(np.ones(2), 2.5)
        product, whole, square = g(np.ones(2), t)
    _same(product, f(np.ones(2), t)[0])
    assert (whole, square) == f(np.ones(2), t)[1:]
    assert type(whole) is int


def test_products_of_ints_beyond_64_bits_are_pythons():
    cases = [
        (lambda x, t: (x * (t // 3) ** 5, (t // 3) ** 5), 2**30),
        (lambda x, t: (x * t**3, t**3), 2**30),
        (lambda x, t: (x * t**10, t**10), 1000),
        (lambda x, t: (x * len(x) ** 5 * t, len(x) ** 5), 2),
    ]
    with tracejit.config(compile=False):
        for f, t in cases:
            g = tracejit.function(f)
            g(np.ones(2), 3)
            x = np.ones(20_000)
            found, wanted = g(x, t), f(x, t)
            _same(found[0], wanted[0])
            assert found[1] == wanted[1]


def test_a_loop_of_other_numbers_of_steps_is_one_path():
    """But for none: then the result is the argument."""

    def f(x, n):
        for _ in range(n):
            x = x * 2
        return x

    with tracejit.config(compile=False):
        g = tracejit.function(f)
        for n in [3, *range(10), *range(10)]:
            _same(g(np.ones(3), n), f(np.ones(3), n))
        assert g.stats.traces == 3


def test_few_answers_are_compiled():
    def f(x, n):
        for name in "abcdefghijkl"[:n]:
            x = x * (name < "z") * 2
        return x

    with tracejit.config(compile=False):
        g = tracejit.function(f)
        for n in [*range(10), *range(10)]:
            _same(g(np.ones(3), n), f(np.ones(3), n))
        assert g.stats.traces == 10


@pytest.mark.parametrize(
    ("ask", "most"),
    [
        (lambda x, t: x * len(f"{t}"), MAX_FEW),
        (lambda x, t: x * round(t, 1), MAX_FEW),
        (lambda x, t: x * hash(t), MAX_FEW),
        (lambda x, t: x * len(range(int(t))), MAX_ANSWERS),
        (lambda x, t: x * len(f"{int(t)}"), MAX_FEW),
        (lambda x, t: x + TABLE[int(t)], MAX_FEW),
        (lambda x, t: x + sum(k for k in range(100) if k < t), MAX_ANSWERS),
    ],
)
def test_changing_answers_end_in_numpy(ask, most):
    g = tracejit.function(ask, on_unsupported="warn")
    with tracejit.config(compile=False):
        with pytest.warns(tracejit.UnsupportedWarning, match="Python asks again") as caught:
            for k in range(50):
                _same(g(np.ones(3), k + 0.5), ask(np.ones(3), k + 0.5))
        assert len(caught) == 1
        assert g.stats.traces <= most + 1
        # What has been compiled still is.
        _same(g(np.ones(3), 0.5), ask(np.ones(3), 0.5))
