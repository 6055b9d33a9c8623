"""NumPy's own compiled code, called from kernels: loops of ufuncs, sorts, searches."""
