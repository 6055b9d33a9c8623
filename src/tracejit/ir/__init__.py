"""The array IR: typed, pure, hash-consed SSA. Needs NumPy only; never Numba."""
