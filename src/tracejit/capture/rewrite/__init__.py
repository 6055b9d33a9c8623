"""Functions whose control flow is calls: they do what they did, and a runtime sees each branch."""
