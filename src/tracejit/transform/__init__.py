"""Derivatives of Python functions, and the walk that gives derivatives of nodes."""
