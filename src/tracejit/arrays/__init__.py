"""NumPy's functions over traced values, and the tables that find them.

``FUNCTIONS`` holds what NumPy dispatches by ``__array_function__``, ``CREATORS`` what it does not
dispatch (``np.zeros(n)``), for the namespace that a traced function sees as ``np``.
"""

from tracejit.trace.tables import CREATORS, FUNCTIONS

# Each module fills the tables.
from tracejit.arrays import (  # isort: skip
    numbers,
    ufuncs,
    operators,
    reductions,
    indexing,
    shaping,
    creation,
    ranges,
    grids,
    joining,
    picking,
    elementary,
    statistics,
    sorting,
    writing,
    masking,
    flat,
    nanfunctions,
    linear,
    norms,
    fourier,
    linalg,
    matrices,
    einsum,
    special,
    outputs,
)

__all__ = [
    "CREATORS",
    "FUNCTIONS",
    "creation",
    "einsum",
    "elementary",
    "flat",
    "fourier",
    "grids",
    "indexing",
    "joining",
    "linalg",
    "linear",
    "masking",
    "matrices",
    "nanfunctions",
    "norms",
    "numbers",
    "operators",
    "outputs",
    "picking",
    "ranges",
    "reductions",
    "shaping",
    "sorting",
    "special",
    "statistics",
    "ufuncs",
    "writing",
]
