"""A GPU as it is used: its memory, and launches."""
