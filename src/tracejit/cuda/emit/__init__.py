"""From programs to kernels for a GPU: one for each loop nest."""
