"""The targets there are, and a second one, which a folder and one line of registration add."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import reference  # which registers itself
from reference.target import Reference
from test_random_programs import check

import tracejit
from tracejit.cpu.target import CPU
from tracejit.lower import registry
from tracejit.theano import flags


@pytest.fixture
def on_reference() -> Iterator[None]:
    with tracejit.change_flags(device="reference"):
        yield


def only(f: Any) -> Any:
    [path] = f._paths
    return path.executable


def test_the_device_chooses(on_reference: None) -> None:
    x = np.arange(6.0).reshape(2, 3)
    f = tracejit.function(lambda x: (x * 2).sum(1))
    np.testing.assert_array_equal(f(x), [6, 24])
    assert "radd" in f.source(x) and "tracejit.cpu" not in f.source(x)
    assert only(f).entry.func.__module__ == "reference.target"
    assert isinstance(registry.target(), Reference)
    assert isinstance(registry.target("cpu"), CPU)


def test_other_devices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"config\.device may be 'cpu'.*not 'abacus'"):
        tracejit.config.device = "abacus"


def test_a_target_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "_FLAGS", dict(flags._FLAGS))
    monkeypatch.setattr(registry, "_makers", dict(registry._makers))
    monkeypatch.setattr(registry, "_targets", dict(registry._targets))
    registry.register("another", Reference)
    with tracejit.change_flags(device="another"):
        assert registry.target() is registry.target("another")


def test_symbolic_functions(on_reference: None) -> None:
    import tracejit.tensor as T

    x, total = T.dvector("x"), tracejit.shared(1.0)
    f = tracejit.function([x], T.exp(x).sum(), updates=[(total, total + x[0])])
    assert f([0.0, 0.0]) == 2.0 and f([3.0, 0.0]) == pytest.approx(np.exp(3.0) + 1)
    assert total.get_value() == 4.0
    assert f.stats.compiles == 1 and "radd" in f.source()


def test_layouts_and_late_results(on_reference: None) -> None:
    a = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    f = tracejit.function(lambda a: (a[a > 5], a * 2, a.sum()))
    for mine, numpys in zip(f(a), (a[a > 5], a * 2, a.sum()), strict=True):
        np.testing.assert_array_equal(mine, numpys)
        assert type(mine) is type(numpys)
    assert f(a)[1].flags.f_contiguous and f.stats.traces == 1
    f(a.copy("C"))
    assert f.stats.traces == 2


def test_what_numpy_refuses(on_reference: None) -> None:
    f = tracejit.function(lambda x, k: x[k])
    x = np.arange(4.0)
    np.testing.assert_array_equal(f(x, np.array([3, 0])), [3, 0])
    with pytest.raises(IndexError, match="index 4 is out of bounds"):
        f(x, np.array([4, 0]))


@pytest.mark.parametrize("seed", range(60))
def test_random_programs(seed: int, on_reference: None) -> None:
    with tracejit.config(check=True):
        check(random.Random(seed))


def test_nothing_is_compiled_for_it(on_reference: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CPU, "compile", lambda *a: pytest.fail("for another target"))
    assert reference.Reference is Reference
    check(random.Random(3))
