"""The kernel IR, between a schedule and a back end: statements, their text, what they mean."""
