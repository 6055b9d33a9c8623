"""The source of a program: loops, accumulators, and each operation as one statement."""
