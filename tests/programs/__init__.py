"""Random statement programs and classic kernels, each run plainly and decorated, and compared."""
