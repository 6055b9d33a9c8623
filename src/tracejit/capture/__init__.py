"""The traced copy of a function, and all that it reads outside of its arguments."""
