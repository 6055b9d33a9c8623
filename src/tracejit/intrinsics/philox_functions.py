"""Elementary functions of Philox's samplers: ours, not the C library's, as a GPU has them too."""

from __future__ import annotations

from tracejit.intrinsics.vecmath.functions import cos, exp, log, power
from tracejit.rng import source
from tracejit.rng.philox_source import is_cursor

source.provide(
    is_cursor,
    log=lambda s, x: log(x),
    exp=lambda s, x: exp(x),
    cosine=lambda s, x: cos(x),
    power=lambda s, x, y: power(x, y),
)
