"""Pools and convolutions of images, under the names of ``theano.tensor.signal``."""

from __future__ import annotations

from tracejit.tensor.signal import conv, downsample, pool

__all__ = ["conv", "downsample", "pool"]
