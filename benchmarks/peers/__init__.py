"""The same work by tracejit and by its peers: ``python -m benchmarks.peers``."""
