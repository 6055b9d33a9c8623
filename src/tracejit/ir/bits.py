"""Elements taken for others of their size, as ``x.view(dtype)`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.ir import build, ops
from tracejit.ir.node import Node
from tracejit.ir.types import BOOL, DTYPES, UINT8

#: The rows by the dtypes that elements are taken for.
BITS: dict[np.dtype[Any], ops.Elementwise] = {
    dtype: ops.Elementwise(
        name=f"bits_as_{dtype.name}",
        module="tracejit.ir.bits",
        nin=1,
        cpu=f"bits_as_{dtype.name}({{0}})",
        cpu_kinds="iuf",
        plain=True,
    )
    for dtype in DTYPES
    if dtype.kind in "iuf" and dtype.char != "e"
}


def reference(name: str) -> Callable[[Any], Any]:
    """The value of the row `name`."""
    dtype = np.dtype(name.removeprefix("bits_as_"))
    return lambda x: np.ascontiguousarray(x).view(dtype).reshape(np.shape(x))


class Taken:
    """A step from an array to the same elements taken for those of another dtype."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def __call__(self, x: Node) -> Node:
        return taken(x, self.dtype)


def is_possible(source: np.dtype[Any], target: np.dtype[Any]) -> bool:
    """Whether elements can be taken so: they have one size, and are held as they lie in memory."""
    held = {*BITS, BOOL}
    return source.itemsize == target.itemsize and source in held and target in held


def taken(x: Node, dtype: np.dtype[Any]) -> Node:
    """The elements of `x` taken for those of `dtype`; truth values are bytes."""
    if x.dtype == dtype:
        return x
    if x.dtype == BOOL:
        x = build.cast(x, UINT8)
    if dtype == BOOL:
        return build.cast(x, BOOL)
    return x if x.dtype == dtype else build.apply(BITS[dtype], (x,), dtype)
