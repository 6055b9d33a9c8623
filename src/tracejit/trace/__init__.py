"""Traced values, and the trace that answers what Python asks of them."""
