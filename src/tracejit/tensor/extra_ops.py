"""Less used functions, under the names of ``theano.tensor.extra_ops``."""

from __future__ import annotations

__all__: list[str] = []
