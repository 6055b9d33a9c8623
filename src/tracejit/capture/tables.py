"""All that fills the tables of what stands for functions in a trace, for who reads them."""

from __future__ import annotations

from tracejit.arrays import exponential
from tracejit.capture import distributions, filters, numpys

__all__ = ["distributions", "exponential", "filters", "numpys"]
