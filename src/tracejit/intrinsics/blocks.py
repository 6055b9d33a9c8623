"""Lengths on which passes, emitted loops and intrinsics agree."""

from __future__ import annotations

#: Elements of a block: of a sum, of draws, of what is tested or searched at a time.
BLOCK = 512
#: Bytes of a line of the cache.
LINE_BYTES = 64
#: Elements that are stored past the caches at a time, whole lines of them, and vectors that are
#: computed together: one alone would wait for itself in an elementary function.
LINE, VECTORS = 64, 4
