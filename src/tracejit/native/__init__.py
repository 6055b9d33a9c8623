"""Machine code as functions of Python: calls, threads, memory, and what the process shares."""
