"""Lowering: schedule a graph into a loop program, render and compile it, and make its driver."""
