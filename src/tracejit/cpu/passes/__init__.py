"""What the CPU makes of graphs and programs: products as sums, tiles, several steps at once."""
