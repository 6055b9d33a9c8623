"""Theano's module names and flags, for programs that were written for it."""
