"""Convolutions that threads share have the same bits: as phases of a call, as loops inside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tracejit
import tracejit.tensor as T
from tracejit.cpu import launch, threads
from tracejit.native import team

pytestmark = pytest.mark.skipif(team.runner() is None, reason="no team on this system")


def got(self: threads.Later, now: bool = False) -> Any:
    """What would be compiled in the background, at once."""
    if self.spread is None and not self.failed:
        self._make()
    return self.spread


@pytest.mark.parametrize("inside", [False, True])
def test_bits(monkeypatch: pytest.MonkeyPatch, inside: bool) -> None:
    count = [1]
    monkeypatch.setattr(threads, "available", lambda: count[0])
    monkeypatch.setattr(threads, "LEAST_WORK", 1)
    monkeypatch.setattr(threads, "LEAST_SHARED", 1)
    monkeypatch.setattr(threads.Later, "get", got)
    if inside:  # as a program with branches is shared
        monkeypatch.setattr(launch, "written", lambda graph: True)
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((5, 3, 9, 11)), rng.standard_normal((7, 3, 3, 2))
    a, b = T.dtensor4(), T.dtensor4()
    y = T.nnet.conv2d(a, b, border_mode="half")
    f = tracejit.function([a, b], [y, *T.grad((y**2).sum(), [a, b])])
    with tracejit.config(cache=False):
        found = []
        for n in (1, 2, 5):
            count[0] = n
            found.append(f(x, w))
    [path] = f.program.paths
    shared = path.executable.launch
    assert isinstance(shared, launch.Inside if inside else launch.Launch)
    later = shared.inside.shared if inside else shared.shared.plain  # type: ignore[union-attr]
    assert later.spread is not None
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
