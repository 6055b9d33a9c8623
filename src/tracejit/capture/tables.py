"""All that fills the tables of what stands for functions in a trace: who reads them imports this."""

from __future__ import annotations

from tracejit.capture import distributions, exponentials, filters, numpys

__all__ = ["distributions", "exponentials", "filters", "numpys"]
