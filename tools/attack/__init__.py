"""Random attacks on tracejit, each with an oracle: ``python -m tools.attack --minutes 60``.

A kind of attack is a module with ``script(rng)``, which gives the text of a program. The program
raises an error, crashes or hangs where tracejit does not do as NumPy and Python do. So the case
that failed is its own reproducing script, and is printed with its seed.
"""
