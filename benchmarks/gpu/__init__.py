"""What is measured on a GPU: see `benchmarks.cuda`."""
