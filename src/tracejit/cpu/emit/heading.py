"""What stands before an entry's body: imports of all that it names, and its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_NUMBA_NAMES = frozenset(
    ["int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64", "float32", "complex64"]
)


def heading(text: str, headers: Mapping[str, str], parameters: Sequence[str]) -> list[str]:
    """The lines before the body `text` of an entry: imports, `headers`, and its first line."""
    words = set(_words(text))
    runtime = sorted(words & _runtime_names())
    lines: list[str] = []
    numba = sorted(words & _NUMBA_NAMES)
    if words & {"inf", "nan"}:
        lines.append("from math import inf, nan")
    if numba:
        lines.append(f"from numba import {', '.join(numba)}")
    if runtime or headers:
        names = sorted({*runtime, *(h.split("(")[0].split()[-1] for h in headers.values())})
        lines.append(f"from tracejit.cpu.runtime import {', '.join(names)}")
    if lines:
        lines.append("")
    lines.extend(headers[k] for k in sorted(headers))
    if headers:
        lines.append("")
    lines.append("")
    lines.append(f"def entry({', '.join(parameters)}):")
    return lines


def _runtime_names() -> frozenset[str]:
    global _names
    if not _names:
        from tracejit.cpu import runtime

        _names = frozenset(n for n in dir(runtime) if not n.startswith("_")) - {"annotations"}
    return _names


_names: frozenset[str] = frozenset()


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()
