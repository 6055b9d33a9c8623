"""From emitted source to a compiled entry: what Numba is given, and how it is called."""
