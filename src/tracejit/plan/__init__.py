"""What a call of a compiled path does before and after its program, as text."""
