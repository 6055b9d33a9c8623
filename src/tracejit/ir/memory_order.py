"""Copies in a memory order that is asked for: C's or Fortran's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np


def reference(name: str) -> Callable[..., Any]:
    """The function of an op of these, over arrays."""
    return functools.partial(np.array, order="F" if name == "order_f" else "C")
