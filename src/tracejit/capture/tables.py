"""All that fills the tables of what stands for functions in a trace, for who reads them."""

from __future__ import annotations

from tracejit.capture import distributions, exponentials, filters, numpys

__all__ = ["distributions", "exponentials", "filters", "numpys"]
