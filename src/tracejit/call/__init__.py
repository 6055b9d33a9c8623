"""Calls of compiled functions: arguments described, a path found or traced, or NumPy run."""
