"""The CPU back end: emitted Numba source, its runtime, and how it is compiled."""
