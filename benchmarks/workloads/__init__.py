"""The workloads: each has ``setup(n)``, a NumPy function, and the same function decorated."""
