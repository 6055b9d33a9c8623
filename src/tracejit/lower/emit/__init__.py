"""From a program to a kernel: loops, index arithmetic, accumulators, each operation once."""
