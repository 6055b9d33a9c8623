"""Convolutions on a device are products of matrices there, with the CPU's values."""

from __future__ import annotations

import numpy as np
import pytest
from fake import FakeDriver

import tracejit
import tracejit.tensor as T
from tracejit.cuda.target import CUDA
from tracejit.lower.registry import register

pytest.importorskip("cuda.bindings.nvvm")
register("gpu4", lambda: CUDA(FakeDriver(), "gpu4"))


def test_a_layer_and_its_derivative() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal((2, 3, 6, 6)), rng.standard_normal((4, 3, 3, 3))
    a, b = T.dtensor4(), T.dtensor4()
    y = T.nnet.conv2d(a, b)
    outputs = [y, T.grad((y**2).sum(), b)]
    with tracejit.config(compile=False):
        want = tracejit.function([a, b], outputs)(x, w)
    with tracejit.config(device="gpu4"):
        found = tracejit.function([a, b], outputs)(x, w)
    for one, other in zip(found, want, strict=True):
        one = one if isinstance(one, np.ndarray) else one.get()
        np.testing.assert_allclose(one, other, rtol=1e-10)
