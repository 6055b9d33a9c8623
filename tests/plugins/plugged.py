"""What the tests of plugins share: their lines in the tables, taken away again, and the check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np

import tracejit
from tracejit.ir import derivatives, ops
from tracejit.ir.rules import RULES
from tracejit.trace.tables import CREATORS, FUNCTIONS

TABLES: list[Any] = [
    ops.ELEMENTWISE,
    ops.UFUNCS,
    ops.REDUCTIONS,
    ops.REDUCED,
    ops.STRUCTURAL,
    RULES,
    derivatives.RULES,
    FUNCTIONS,
    CREATORS,
]


@contextmanager
def plugged() -> Iterator[None]:
    """A block after which the tables are as they were before."""
    with ExitStack() as stack:
        for table in TABLES:
            stack.enter_context(mock.patch.dict(table))
        yield


def compiled_source(f: Callable[..., Any], *args: Any, rtol: float = 0.0) -> str:
    """The source that `f` is compiled to, whose results are NumPy's and the interpreter's."""
    with tracejit.config(check=True):
        compiled = tracejit.function(f, on_unsupported="error")
        got = compiled(*args)
    with tracejit.config(compile=False):
        interpreted = tracejit.function(f, on_unsupported="error")(*args)
    for other in (f(*args), interpreted):
        np.testing.assert_allclose(got, other, rtol)
        assert np.asarray(got).dtype == np.asarray(other).dtype
    assert compiled.stats.traces == 1
    return compiled.source(*args)
