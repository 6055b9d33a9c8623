"""tracejit compiles plain NumPy code: ``@tracejit.function`` traces it, fuses it, and runs it.

``function``  the decorator; ``Function`` what it makes
``config``    settings, for a while (``with tracejit.config(debug=1):``) or from the environment
"""

from tracejit.config import config
from tracejit.errors import (
    AxisError,
    CompileError,
    DTypeError,
    ShapeError,
    TracejitError,
    UnsupportedError,
    UnsupportedWarning,
)
from tracejit.function import Function, function

__version__ = "0.1.0"

__all__ = [
    "AxisError",
    "CompileError",
    "DTypeError",
    "Function",
    "ShapeError",
    "TracejitError",
    "UnsupportedError",
    "UnsupportedWarning",
    "config",
    "function",
]
