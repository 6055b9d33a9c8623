"""What stands before an entry's body: imports of all that it names, and its parameters."""

from __future__ import annotations

import cmath

from tracejit.lower.kernel.statements import Constant, Kernel
from tracejit.lower.kernel.text import Text, factory_text, type_name


def heading(kernel: Kernel, text: Text) -> list[str]:
    """The lines before the body of an entry: imports, what factories make, and its first line."""
    made = kernel.factories
    lines: list[str] = []
    if any(map(_is_special, text.constants)):
        lines.append("from math import inf, nan")
    if dtypes := {name for c in text.constants if (name := type_name(c.dtype))}:
        lines.append(f"from numba import {', '.join(sorted(dtypes))}")
    if names := {*(text.calls.keys() - made.keys()), *(f.function for f in made.values())}:
        lines.append(f"from tracejit.cpu.runtime import {', '.join(sorted(names))}")
    if lines:
        lines.append("")
    lines.extend(factory_text(name, made[name]) for name in sorted(made))
    if made:
        lines.append("")
    lines.append("")
    lines.append(f"def entry({', '.join(kernel.parameters)}):")
    return lines


def _is_special(c: Constant) -> bool:
    return c.dtype.kind in "fc" and not cmath.isfinite(c.value)
