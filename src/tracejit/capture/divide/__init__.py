"""Functions in parts: what can be compiled between statements that stay Python's."""
