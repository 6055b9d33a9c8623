"""What the instructions of a function say of whether it can be traced."""

from __future__ import annotations

import dis
import types
from typing import NamedTuple
from weakref import WeakKeyDictionary

#: Why a function cannot be traced, the way out, and the line.
Refusal = tuple[str, str, int]


class Scan(NamedTuple):
    """Why a function cannot be traced, the way out, and the line; empty texts where it can be.

    `updated` has the outer variables with an augmented assignment, which only shared variables
    may have, each with what to say otherwise.
    """

    reason: str = ""
    hint: str = ""
    line: int = 0
    updated: tuple[tuple[str, Refusal], ...] = ()


_GENERATOR_FLAGS = 0x20 | 0x80 | 0x200
_scanned: WeakKeyDictionary[types.CodeType, Scan] = WeakKeyDictionary()


def scan(code: types.CodeType) -> Scan:
    """What the instructions of a function say of whether it can be traced."""
    known = _scanned.get(code)
    if known is None:
        known = _scanned[code] = _scan(code)
    return known


def _scan(code: types.CodeType) -> Scan:
    if code.co_flags & _GENERATOR_FLAGS:
        way_out = "compile the functions that it calls"
        return Scan("is a generator or asynchronous function", way_out, code.co_firstlineno)
    stack = [(code, frozenset(code.co_freevars))]
    updated: list[tuple[str, Refusal]] = []
    while stack:
        part, outer = stack.pop()
        recent: list[str] = []
        before, update = "", False
        for instruction in dis.get_instructions(part):
            name, which = instruction.opname, instruction.argval
            line = (instruction.positions and instruction.positions.lineno) or part.co_firstlineno
            refused = ""
            if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                refused = f"assigns the global variable {which}"
            elif name in ("STORE_DEREF", "DELETE_DEREF") and which in outer:
                refused = f"assigns {which}, a variable of the function around it"
            if refused and not update:
                return Scan(refused, _RETURN, line)
            if refused:
                updated.append((which, (refused, _RETURN, line)))
            update = name == "BINARY_OP" and instruction.argrepr.endswith("=")
            if name == "IS_OP" and "type" in recent[-4:]:
                # NumPy's scalar types have stand-ins in a trace.
                return Scan("compares x.dtype.type by `is`", "compare dtypes by ==", line)
            if name == "IS_OP" and before in _VALUES:
                return Scan("compares identity by `is`", "compare values, or lengths", line)
            if name == "MATCH_CLASS":
                return Scan("matches classes in a `match` statement", "use isinstance()", line)
            # ``shared.value = …``; on anything else it is noticed when the trace ends.
            if name in ("STORE_ATTR", "DELETE_ATTR") and which != "value":
                return Scan(f"assigns the attribute {which}", _RETURN, line)
            if name == "LOAD_ATTR" and which == "__class__":
                return Scan("looks at x.__class__", "use type(x), or isinstance()", line)
            before = name
            recent.append(which if name == "LOAD_ATTR" else "")
            if name == "LOAD_BUILD_CLASS":
                return Scan("defines a class", "define it outside", line)
        stack += [
            (inner, outer - frozenset(inner.co_cellvars))
            for inner in part.co_consts
            if isinstance(inner, types.CodeType)
        ]
    return Scan(updated=tuple(updated))


#: What leaves the user's own values on the stack: whether two are one object is not traced.
_VALUES = frozenset("LOAD_FAST LOAD_DEREF BINARY_SUBSCR".split())
_RETURN = "return the new value, and assign it where the function is called"
