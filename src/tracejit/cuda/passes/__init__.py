"""What the GPU makes of programs."""
