"""Elementary functions that LLVM vectorises, of float32, float64 and complex numbers."""
