"""What a row of an op table says."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False, kw_only=True)
class Op:
    """What all ops have: a `name`, whether `attr` holds dimension nodes, and names of `regions`."""

    name: str
    dims_in_attr: bool = False
    regions: tuple[str, ...] = ()
    doc: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Elementwise(Op):
    """A scalar function applied to every element.

    `module`      where the reference ufunc is found
    `nin`         number of operands
    `output`      which output of the ufunc this is
    `cpu`         expression over kernel scalars; None calls the ufunc's loop
    `cpu_kinds`   dtype kinds of the operands for which `cpu` holds; the loop serves the others
    `wide`        shorter expression that is exact for float32, float64, int64 and uint64 operands
    `near`        expression for operands that are not `far`, a condition on one (`cpu/guards.py`)
    `near_kinds`  dtype kinds of the operands for which there is one
    `cost`        relative to an addition: what recomputing it costs
    `trap`        scalar condition under which the result must not be used: NumPy raises there
    `trap_kinds`  dtype kinds of the operands for which NumPy raises
    `plain`       the reference is no ufunc, and the row in no table that users' functions look in
    """

    module: str = "numpy"
    nin: int = 2
    output: int = 0
    cpu: str | None = None
    cpu_kinds: str = "biuf"
    wide: str | None = None
    near: str | None = None
    far: str | None = None
    near_kinds: str = "f"
    cost: int = 1
    trap: str | None = None
    trap_kinds: str = ""
    reference_name: str = ""
    plain: bool = False

    @property
    def function(self) -> Any:
        """The reference of a `plain` row: a function of arrays that is no ufunc."""
        return importlib.import_module(self.module).reference(self.name)

    @property
    def ufunc(self) -> np.ufunc:
        """The reference: NumPy's or SciPy's own ufunc."""
        return _ufunc(self.module, self.reference_name or self.name)

    def called(self, kinds: Iterable[str]) -> bool:
        """Whether operands of these dtype kinds go through the ufunc's own loop."""
        return self.cpu is None or any(kind not in self.cpu_kinds for kind in kinds)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reduction(Op):
    """A reduction over axes, built on an elementwise `combine`.

    `cpu` is the kernel's combining expression for dtypes of `cpu_kinds`, where one is better than
    the combine's own; `identity` is a number, or "min"/"max" for the dtype's least or greatest
    value, infinities included.
    """

    combine: str
    identity: float | str
    cpu: str | None = None
    cpu_kinds: str = "iuf"


@cache
def _ufunc(module: str, name: str) -> np.ufunc:
    ufunc = getattr(importlib.import_module(module), name)
    assert isinstance(ufunc, np.ufunc)
    return ufunc
