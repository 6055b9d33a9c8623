"""Benchmarks: every figure the README prints, each runnable by name.

``python -m benchmarks.run`` measures all of them, ``python -m benchmarks.run NAME`` one.
"""
