"""What a program takes: arrays and numbers; which objects they may be, and their slots.

An array is its data, lengths and strides, a complex number two floating ones; each of these has a
slot of eight bytes, one parameter's after another's (see `slots`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Flags of an array.
_C, _F, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400
#: Which flags tell a layout, and which of them are set: what is contiguous both ways is C.
_LAYOUTS = {"C": (_C, _C), "F": (_C | _F, _F), "A": (_C | _F, 0)}
#: Every type of number: NumPy's, and Python's with how each is read.
_NUMBERS: list[type] = [np.dtype(char).type for char in np.typecodes["All"] if char not in "SUV"]
PYTHONS: dict[type, int] = {int: 1, float: 2, complex: 3, bool: 4}
#: What is raised where there are more arguments or fewer.
OTHER_ARGUMENTS = "an entry takes other arguments"


@dataclass(frozen=True)
class Array:
    """An array of a native dtype; its layout is "C", "F", or "A" where it has gaps."""

    dtype: np.dtype[Any]
    ndim: int
    layout: str
    readonly: bool = False

    def __str__(self) -> str:
        return f"{'readonly ' * self.readonly}{self.dtype}[{self.ndim}, {self.layout}]"

    @property
    def slots(self) -> int:
        """How many slots it has."""
        return 1 + 2 * self.ndim

    def flags(self) -> tuple[int, int]:
        """Which flags of an array are looked at, and which of them it has."""
        mask, flags = _LAYOUTS[self.layout]
        wanted = flags | _ALIGNED | (0 if self.readonly else _WRITEABLE)
        return mask | _ALIGNED | _WRITEABLE, wanted


@dataclass(frozen=True)
class Number:
    """A number of a dtype."""

    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return str(self.dtype)

    @property
    def slots(self) -> int:
        """How many slots it has."""
        return -(-self.dtype.itemsize // 8)


Parameter = Array | Number
Signature = tuple[Parameter, ...]


def total(signature: Signature) -> int:
    """How many slots the parameters of a signature have."""
    return sum(p.slots for p in signature)


def classes(dtype: np.dtype[Any]) -> list[type]:
    """NumPy's type of scalars of this dtype: of C's two integers of 64 bits one is another."""
    return [cls for cls in _NUMBERS if np.dtype(cls).num == dtype.num]
