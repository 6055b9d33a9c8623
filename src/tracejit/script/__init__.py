"""Scripts run as they are, with the functions that take their time compiled."""
