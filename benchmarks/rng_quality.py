"""Stream the generators' bits to a program that tests them.

    python -m benchmarks.rng_quality philox | dieharder -g 200 -a
    python -m benchmarks.rng_quality mrg31k3p | RNG_test stdin32

Words of 32 bits, in the machine's byte order, go to the standard output until it is closed. They
are the first bits of uniform numbers: 32 of each, or 16 of each of two where the generator's
numbers have only 31.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import tracejit
import tracejit.tensor as T
from tracejit import MRG_RandomStreams, PhiloxRandomStreams, RandomStreams

COUNT = 1 << 20
#: Of each generator its family, and how many bits of a number are taken.
GENERATORS: dict[str, tuple[Callable[[int], Any], int]] = {
    "mt19937": (RandomStreams, 32),
    "mrg31k3p": (MRG_RandomStreams, 16),
    "philox": (PhiloxRandomStreams, 32),
}


def words(name: str, seed: int) -> Any:
    """A function that gives the next `COUNT` words of a generator."""
    family, bits = GENERATORS[name]
    numbers = family(seed).uniform((COUNT * (32 // bits),), dtype="float64")
    kind = "uint32" if bits == 32 else "uint16"
    return tracejit.function([], T.cast(T.cast(numbers * 2.0**bits, "int64"), kind))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("generator", choices=GENERATORS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = words(options.generator, options.seed)
    try:
        while True:
            sys.stdout.buffer.write(draw().tobytes())
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
