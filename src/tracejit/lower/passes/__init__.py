"""Passes that several targets have: in which order something is added up follows from them."""
