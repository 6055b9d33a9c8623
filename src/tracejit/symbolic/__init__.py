"""Symbolic graphs as Theano's, and functions of them: what `tracejit.tensor` gives names to."""
