"""Symbolic graphs as text and pictures, under the names of ``theano.printing``."""

from __future__ import annotations

from typing import Any

from tracejit.printing.debug import debugprint, min_informative_str, var_descriptor
from tracejit.printing.draw import d3viz, pydotprint
from tracejit.printing.pretty import pp, pprint
from tracejit.printing.values import PdbBreakpoint, Print


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.printing", name)


__all__ = [
    "PdbBreakpoint",
    "Print",
    "d3viz",
    "debugprint",
    "min_informative_str",
    "pp",
    "pprint",
    "pydotprint",
    "var_descriptor",
]
