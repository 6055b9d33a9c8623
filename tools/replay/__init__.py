"""Process replay: what every program of a run was compiled to and gave, to compare two versions.

::

    python -m tools.replay record OLD -- pytest tests          # in the one version
    python -m tools.replay record NEW -- pytest tests          # in the other
    python -m tools.replay compare OLD NEW

A change that moves or cleans code leaves all of it as it is; one that means to change something
shows here what it changed, program by program.
"""
