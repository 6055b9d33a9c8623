"""Random draws on a GPU: the CPU's numbers and its states, to the bit, of every generator."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_kernels import DRIVER, downloaded, on_device, same

import tracejit
import tracejit.tensor as T
from tracejit import PhiloxRandomStreams
from tracejit.cuda.compile import kernel_ptx
from tracejit.cuda.machine.ptx import cubin
from tracejit.sandbox.rng_mrg import MRG_RandomStreams
from tracejit.tensor.shared_randomstreams import RandomStreams
from tracejit.theano.flags import change_flags

Make = Callable[[Any], Any]


def calls(streams: Any, make: Make, device: str, count: int = 3) -> tuple[list[Any], list[Any]]:
    """What so many calls of a function of draws give, and the states after them."""
    source = streams(3)
    with change_flags(device=device), tracejit.config(on_unsupported="error"):
        f = tracejit.function([], make(source))
        found = [downloaded(f()) for _ in range(count)]
    states = [update[0].get_value() for update in source.updates()]
    return found, [s if isinstance(s, np.ndarray) else s.get_state()[1] for s in states]


def check(streams: Any, make: Make) -> None:
    launches = DRIVER.launches
    got, want = (calls(streams, make, device) for device in ("fake", "cpu"))
    assert DRIVER.launches > launches
    for a, b in zip((*got[0], *got[1]), (*want[0], *want[1]), strict=True):
        same(a, b)


FUSED: dict[str, Make] = {
    "uniform": lambda s: s.uniform((100, 7), low=-1.0, high=2.0),
    "normal": lambda s: T.exp(0.2 * s.normal((1000,)) - 0.02),
    "float32": lambda s: s.normal((30, 5), dtype="float32"),
    "exponential": lambda s: s.exponential((50,)),
    "bernoulli": lambda s: s.binomial((50,), n=1, p=0.3),
}


@pytest.mark.parametrize("name", FUSED)
def test_philox_in_the_loop_that_reads(name: str) -> None:
    before = DRIVER.launches
    check(PhiloxRandomStreams, FUSED[name])
    assert DRIVER.launches - before == 2 * 3  # the loop's, and the state's


def kernels(streams: Any, make: Make) -> list[Any]:
    """The kernels of a function of draws."""
    with change_flags(device="fake"):
        f = tracejit.function([], make(streams(3)))
        f()
    [path] = f.program.paths
    return list(path.executable.emitted.kernels.values())


def test_both_numbers_of_a_block() -> None:
    """A thread that takes both makes a block once, with one radius and one angle."""
    [kernel, _] = kernels(PhiloxRandomStreams, lambda s: 2 * s.normal((1000,)))
    assert "over_pairs(1000)" in kernel.text
    text = kernel_ptx(kernel, (9, 0))
    assert text.count("sqrt.rn.f64") == 1
    assert text.count("st.global.f64") == 2


MRG: dict[str, Make] = {
    "uniform": lambda s: s.uniform((1000, 3)),
    "few": lambda s: s.uniform((5,)),
    "normal": lambda s: s.normal((100,)),
    "binomial": lambda s: s.binomial((100,), n=1, p=0.3),
    "several": lambda s: s.uniform((70,)) + s.uniform((70,)),
}


@pytest.mark.parametrize("name", MRG)
def test_mrg31k3p_by_streams(name: str) -> None:
    check(MRG_RandomStreams, MRG[name])


def test_mt19937_by_blocks_of_words() -> None:
    """Whole blocks, and numbers of the last word of one and the first of the next."""
    found = []
    for device in ("fake", "cpu"):
        source, n = RandomStreams(3), T.lscalar("n")
        with change_flags(device=device), tracejit.config(on_unsupported="error"):
            odd = source.random_integers((n,), 0, 5)
            f = tracejit.function([n], [odd, source.uniform((n,), low=-3.0, high=2.5)])
            numbers = [x for n in (0, 1, 5, 311, 312, 313, 1000) for x in f(n)]
        found.append([*numbers, *(u[0].get_value().get_state()[1] for u in source.updates())])
    for a, b in zip(*found, strict=True):
        same(a, b)


INTEGERS: dict[str, Make] = {
    "few": lambda s: s.random_integers((10,), 0, 5),
    "many": lambda s: s.random_integers((3000,), -7, 120),
    "of two words": lambda s: s.random_integers((700,), -7, 2**40),
    "of one word": lambda s: s.random_integers((700,), 0, 2**32 - 1),
    "one": lambda s: s.random_integers((700,), 7, 7),
    "then numbers": lambda s: s.uniform((9,)) + s.random_integers((9,), 1, 2),
    "choice": lambda s: s.choice((700,), a=7),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_of_mt19937(name: str) -> None:
    check(RandomStreams, INTEGERS[name])


PHILOX: dict[str, Make] = {
    "integers": lambda s: s.random_integers((300,), 0, 5),
    "wide integers": lambda s: s.random_integers((300,), -7, 2**40) % 1000,
    "one integer": lambda s: s.random_integers((30,), 5, 5),
    "choice": lambda s: s.choice((300,), a=7),
    "wide choice": lambda s: s.choice((30,), a=2**40),
    "permutation": lambda s: s.permutation((5,), n=37),
}


@pytest.mark.parametrize("name", PHILOX)
def test_tries_of_philox(name: str) -> None:
    check(PhiloxRandomStreams, PHILOX[name])


SAMPLED: dict[str, Make] = {
    "gamma": lambda s: s.gamma((200,), 2.0) + s.gamma((200,), 0.3),
    "beta": lambda s: s.beta((200,), 0.3, 0.4) + s.beta((200,), 3.0, 0.4),
    "standard_t": lambda s: s.standard_t((200,), 3.0),
    "poisson": lambda s: s.poisson((200,), T.arange(200) * T.arange(200)),
    "binomial": lambda s: s.binomial((300,), T.arange(1, 301) ** 2, T.arange(300) / 300.0),
    "negative_binomial": lambda s: s.negative_binomial((100,), 5.0, 0.3),
}


def slow(table: dict[str, Any], *names: str) -> list[Any]:
    """The names of a table, of which some are slow to compile."""
    return [pytest.param(n, marks=[pytest.mark.slow] if n in names else []) for n in table]


@pytest.mark.parametrize("name", slow(SAMPLED, "beta", "standard_t", "negative_binomial"))
def test_samplers_of_philox(name: str) -> None:
    """They are made of the Python that Numba compiles for the CPU."""
    check(PhiloxRandomStreams, SAMPLED[name])


@pytest.mark.parametrize("shape, n", [((2,), 700), ((7,), 1), ((3,), 0)])
def test_permutations_of_mt19937(shape: tuple[int, ...], n: int) -> None:
    check(RandomStreams, lambda s: s.permutation(shape, n=n))


def test_uniform_numbers_with_arrays_of_parameters() -> None:
    check(RandomStreams, lambda s: s.uniform((3, 2), low=np.arange(2.0), high=5.0))


def test_parameters_that_numpy_refuses() -> None:
    """The state is as before."""
    source = RandomStreams(3)
    low = T.lscalar("low")
    with change_flags(device="fake"), tracejit.config(on_unsupported="error"):
        f = tracejit.function([low], source.random_integers((5,), low, 4))
        [(state, _)] = source.updates()
        before = state.get_value().get_state()[1].copy()
        with pytest.raises(ValueError, match="low"):
            f(9)
        np.testing.assert_array_equal(state.get_value().get_state()[1], before)
        assert (f(4) == 4).all()


CHANCES = np.arange(1.0, 601.0) / 180300
IN_PARTS: dict[str, Make] = {
    "distinct": lambda s: s.choice((5,), a=10, replace=False),
    "all of them": lambda s: s.choice((700,), a=700, replace=False),
    "weighed by many": lambda s: s.choice((900,), a=600, p=CHANCES),
    "none": lambda s: s.choice((0,), a=3, p=[0.2, 0.3, 0.5]),
}


@pytest.mark.parametrize("streams", [RandomStreams, PhiloxRandomStreams])
@pytest.mark.parametrize("name", IN_PARTS)
def test_several_kernels(streams: Any, name: str) -> None:
    check(streams, IN_PARTS[name])
    assert "put_back" not in source(streams, IN_PARTS[name]), "none is drawn on the host"


def source(streams: Any, make: Make) -> str:
    """The text of a function of draws."""
    with change_flags(device="fake"):
        f = tracejit.function([], make(streams(3)))
        f()
        return str(f.source())


COUNTS: dict[str, Make] = {
    "rows": lambda s: s.multinomial((50,), 10, [0.2, 0.0, 0.3, 0.5]),
    "large": lambda s: s.multinomial((7, 2), 100_000, [0.2, 0.3, 0.5]),
    "of arrays": lambda s: s.multinomial((3,), [4, 0, 90], [[0.1, 0.9], [1, 0], [0.5, 0.5]]),
    "none": lambda s: s.multinomial((0,), 5, [0.5, 0.5]),
}


@pytest.mark.parametrize("name", slow(COUNTS, "large", "none"))
def test_counts_of_philox(name: str) -> None:
    check(PhiloxRandomStreams, COUNTS[name])


@pytest.mark.parametrize("streams", [RandomStreams, PhiloxRandomStreams])
def test_chances_that_numpy_refuses(streams: Any) -> None:
    p, n = T.dvector("p"), T.lscalar("n")
    source = streams(3)
    draws = [source.choice((4,), a=n, p=p), source.choice((2,), a=n, replace=False)]
    with change_flags(device="fake"), tracejit.config(on_unsupported="error"):
        several = [tracejit.function([n, p], d, on_unused_input="ignore") for d in draws]
        states = [update[0] for update in source.updates()]
        before = [downloaded(s.get_value()) for s in states]
        bad = [0.5, 0.5, 0.1], [0.5, -0.5, 1.0], [0.5, np.nan, 0.5], [0.5, 0.5]
        for chances in bad:
            with pytest.raises(ValueError):
                several[0](3, np.array(chances))
        for count in (1, 0, -1):
            with pytest.raises(ValueError):
                several[1](count, np.ones(1))
        for state, old in zip(states, before, strict=True):
            new = downloaded(state.get_value())
            same(*(x if isinstance(x, np.ndarray) else x.get_state()[1] for x in (new, old)))
        assert several[0](3, np.array([0.0, 0.0, 1.0])).get().tolist() == [2] * 4
        assert sorted(several[1](2, np.ones(1)).get()) == [0, 1]


def test_counts_that_numpy_refuses() -> None:
    p, n = T.dvector("p"), T.lscalar("n")
    with change_flags(device="fake"), tracejit.config(on_unsupported="error"):
        f = tracejit.function([n, p], PhiloxRandomStreams(1).multinomial((3,), n, p))
        for count, chances in ((-1, [0.5, 0.5]), (3, [0.9, 0.9, 0.0]), (3, [np.nan, 1.0])):
            with pytest.raises(ValueError):
                f(count, np.array(chances))
        assert (f(3, np.array([0.0, 1.0])).get() == [0, 3]).all()


#: What NumPy's ``RandomState`` makes by functions of the C library, or of arrays of parameters.
ON_THE_HOST: dict[str, tuple[Any, Make]] = {
    "normal": (RandomStreams, lambda s: 2 * s.normal((301,), 1.0, 2.0)),
    "arrays": (RandomStreams, lambda s: s.normal((2, 3), np.arange(3.0), 2.0)),
    "gamma": (RandomStreams, lambda s: s.gamma((300,), 0.4)),
    "integers": (RandomStreams, lambda s: s.random_integers((3,), np.arange(3), 9)),
    "multinomial": (RandomStreams, lambda s: s.multinomial((5,), 10, [0.2, 0.3, 0.5])),
    "none": (RandomStreams, lambda s: s.normal((0,))),
}


@pytest.mark.parametrize("name", slow(ON_THE_HOST, "gamma", "multinomial", "integers"))
def test_what_the_host_draws(name: str) -> None:
    """Between its launches, and the text says so."""
    streams, make = ON_THE_HOST[name]
    with tracejit.config(check=True):
        got, want = (calls(streams, make, device) for device in ("fake", "cpu"))
    for a, b in zip((*got[0], *got[1]), (*want[0], *want[1]), strict=True):
        same(a, b)
    assert DRIVER.used == 0


def test_what_the_host_draws_may_be_refused() -> None:
    mean = T.dscalar("mean")
    with change_flags(device="fake"), tracejit.config(on_unsupported="error"):
        f = tracejit.function([mean], RandomStreams(1).poisson((5,), mean))
        with pytest.raises(ValueError, match="lam"):
            f(-1.0)
        assert f(3.0).shape == (5,)


def test_generators_of_numpys() -> None:
    """It is NumPy that draws, before the program runs."""

    def noisy(rng: Any, x: Any) -> Any:
        return x + 2 * rng.standard_normal(x.shape)

    x = np.arange(30.0)
    same(*(on_device(noisy, np.random.default_rng(5), x, device=d) for d in ("fake", "cpu")))


@pytest.mark.parametrize(
    ("streams", "make"),
    [
        (MRG_RandomStreams, MRG["uniform"]),
        (RandomStreams, INTEGERS["many"]),
        (RandomStreams, lambda s: s.permutation((2,), n=700)),
        (PhiloxRandomStreams, SAMPLED["poisson"]),
    ],
)
def test_instructions(streams: Any, make: Make) -> None:
    for kernel in kernels(streams, make):
        text = kernel_ptx(kernel, (9, 0))
        assert not re.search(r"\.local|\.approx|\bcall\b", text)
        assert "0 bytes spill stores" in cubin(text, (9, 0), ["-verbose"])[1]
