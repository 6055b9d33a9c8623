"""Operations that a kernel may name, as intrinsics of Numba: scalars, loops, memory."""
