"""What a program does by whole arrays on a GPU: by kernels that are written as text, or by CuPy."""
