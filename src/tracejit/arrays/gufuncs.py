"""Calls of generalised ufuncs in a trace: rows of `ir/gufuncs.py` over nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracejit.errors import NotTraceable
from tracejit.ir import build
from tracejit.ir.dims import Dim
from tracejit.ir.gufuncs import GUFUNCS, call
from tracejit.ir.node import Node


def ufunc_of(name: str) -> Any:
    """NumPy's ufunc for a row; NotTraceable where this NumPy has none."""
    try:
        return GUFUNCS[name].ufunc
    except LookupError as error:
        raise NotTraceable(str(error)) from error


def called(name: str, types: str, args: Sequence[Node], **lengths: Dim) -> tuple[list[Node], Node]:
    """The results of row `name`, and whether it worked: that it does is required where it may not.

    NotTraceable where this NumPy has no such loop.
    """
    ufunc_of(name)
    row = GUFUNCS[name]
    results, worked = call(row, types, args, **lengths)
    if row.raises:
        build.solver().require(worked, worked.args[0], worked)
    return results, worked
