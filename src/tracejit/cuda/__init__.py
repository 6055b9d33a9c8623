"""A GPU as a target: one kernel a loop nest, compiled on any machine."""
