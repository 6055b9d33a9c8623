"""``CURAND_RandomStreams`` where Theano had it."""

from __future__ import annotations

from tracejit.tensor.philox_randomstreams import CURAND_RandomStreams

__all__ = ["CURAND_RandomStreams"]
