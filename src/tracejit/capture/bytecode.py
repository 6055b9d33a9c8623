"""What the instructions of a function say: whether it can be traced, and what it calls by name."""

from __future__ import annotations

import dis
import sys
import types
from collections.abc import Callable, Iterator
from typing import NamedTuple
from weakref import WeakKeyDictionary

#: Why a function cannot be traced, the way out, and the line.
Refusal = tuple[str, str, int]


#: The names of what may be any value.
ANYTHING = ("?",)


class Scan(NamedTuple):
    """Why a function cannot be traced, the way out, and the line; empty texts where it can be.

    `updated` has the outer variables with an augmented assignment, which only shared variables
    may have, each with what to say otherwise.
    """

    reason: str = ""
    hint: str = ""
    line: int = 0
    updated: tuple[tuple[str, Refusal], ...] = ()
    #: What values are compared with by identity, by its names from the outside on: as `updated`,
    #: where it is a number. Names of no parts stand for a function's own argument, which is a
    #: traced value where another traced function gives it, and `ANYTHING` for whatever it may be.
    #: In a function that is rewritten, calls tell.
    compared: tuple[tuple[tuple[str, ...], Refusal], ...] = ()


GENERATOR_FLAG = 0x20  # CO_GENERATOR
_ASYNCHRONOUS_FLAGS = 0x80 | 0x200
_scanned: WeakKeyDictionary[types.CodeType, Scan] = WeakKeyDictionary()


def scan(code: types.CodeType) -> Scan:
    """What the instructions of a function say of whether it can be traced."""
    known = _scanned.get(code)
    if known is None:
        known = _scanned[code] = _scan(code)
    return known


def _scan(code: types.CodeType) -> Scan:
    if code.co_flags & _ASYNCHRONOUS_FLAGS:
        way_out = "compile the functions that it calls"
        return Scan("is an asynchronous function", way_out, code.co_firstlineno)
    stack = [(code, frozenset(code.co_freevars))]
    updated: list[tuple[str, Refusal]] = []
    compared: list[tuple[tuple[str, ...], Refusal]] = []
    while stack:
        part, outer = stack.pop()
        update = False
        earlier: list[dis.Instruction] = []
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
            if name == "IS_OP":
                refusal = "compares identity by `is`", "compare values, or lengths", line
                other = _compared(part, earlier, part is code)
                if other is None or instruction.is_jump_target:
                    compared.append((ANYTHING, refusal))
                    other = []
                compared += [(names, refusal) for names in other]
            if name == "MATCH_CLASS":
                return Scan("matches classes in a `match` statement", "use isinstance()", line)
            if name == "DELETE_ATTR":
                return Scan(f"deletes the attribute {which}", "set it to None", line)
            if name == "LOAD_ATTR" and which == "__class__":
                return Scan("looks at x.__class__", "use type(x), or isinstance()", line)
            if name in _ATTRIBUTES and which == "__subclasses__":
                return Scan("asks for the subclasses of a class", "list them outside", line)
            earlier.append(instruction)
            if name == "LOAD_BUILD_CLASS":
                return Scan("defines a class", "define it outside", line)
        stack += [
            (inner, outer - frozenset(inner.co_cellvars))
            for inner in part.co_consts
            if isinstance(inner, types.CodeType)
        ]
    return Scan(updated=tuple(updated), compared=tuple(compared))


def _compared(
    code: types.CodeType, earlier: list[dis.Instruction], own: bool
) -> list[tuple[str, ...]] | None:
    """What a value is compared with by ``is``, as ``Scan.compared`` has it.

    None where it may be a value: a traced one is another object than what it stands for, which for
    truth values, and some numbers, is one and the same object wherever it comes from.
    """
    k = len(earlier) - 1
    last, names = earlier[k], tuple[str, ...]()
    if last.opname == "LOAD_CONST":
        if not isinstance(last.argval, (bool, int, float, complex)):
            return []
        left = earlier[k - 1]
        plain = isinstance(last.argval, bool) and not last.is_jump_target
        if not (own and plain and left.opname.startswith("LOAD_FAST")):
            return None
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        stored = [i.argval for i in dis.get_instructions(code) if "STORE_FAST" in i.opname]
        kept = left.argval in parameters and not any(
            left.argval == name or (isinstance(name, tuple) and left.argval in name)
            for name in stored
        )
        return [()] if kept else None
    while earlier[k].opname == "LOAD_ATTR":
        names, k = (earlier[k].argval, *names), k - 1
    if earlier[k].opname == "LOAD_GLOBAL":
        return [(earlier[k].argval, *names)]
    # ``type(a) is type(b)``
    return [] if last.opname == "CALL" and "type" in code.co_names else None


_RETURN = "return the new value, and assign it where the function is called"


def reads_outside(f: types.FunctionType) -> bool:
    """Whether `f`, or a function made in it, reads more than its arguments."""
    stack = [f.__code__]
    while stack:
        part = stack.pop()
        if any(i.opname in _OUTSIDE for i in dis.get_instructions(part)):
            return True
        stack += [c for c in part.co_consts if isinstance(c, types.CodeType)]
    return False


_OUTSIDE = frozenset("LOAD_GLOBAL LOAD_DEREF LOAD_CLASSDEREF IMPORT_NAME".split())


# Calls by name -----------------------------------------------------------------------------------

#: What the name of something that is called ends with, in a copy that tells calls from other uses.
CALLED = "()"


class Call(NamedTuple):
    """``a.b.c(…)``: the `names`, and where the last one is read.

    The first is a global variable, or that of a cell; or "numpy" where a local one holds that.
    """

    at: int
    names: tuple[str, ...]
    root: str


_calls: WeakKeyDictionary[types.CodeType, tuple[Call, ...]] = WeakKeyDictionary()
_ROOTS = {"LOAD_GLOBAL": "global", "LOAD_DEREF": "cell", "LOAD_FAST": "local"}


def calls(code: types.CodeType) -> tuple[Call, ...]:
    """What `code` calls by names."""
    known = _calls.get(code)
    if known is None:
        known = _calls[code] = tuple(_find_calls(code))
    return known


def _find_calls(code: types.CodeType) -> Iterator[Call]:
    names: tuple[str, ...] = ()
    at, root = 0, ""
    called = pushed = False
    local = _numpy_by_local_names(code)
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if names and name in _ATTRIBUTES and not instruction.is_jump_target:
            names, at = (*names, instruction.argval), instruction.offset
            called = called or name == "LOAD_METHOD" or "NULL" in instruction.argrepr
            continue
        if names and (called or name == "PUSH_NULL") and (root == "global" or len(names) > 1):
            yield Call(at, names, root)
        names = ()
        if name in _ROOTS and (name != "LOAD_FAST" or instruction.argval in local):
            root = _ROOTS[name]
            names = ("numpy" if root == "local" else instruction.argval,)
            at = instruction.offset
            called = pushed or "NULL" in instruction.argrepr
        pushed = name == "PUSH_NULL"


def _numpy_by_local_names(code: types.CodeType) -> set[str]:
    """The local variables that hold the module ``numpy`` and nothing else."""
    found: set[str] = set()
    stored: list[str] = []
    imported = False
    for instruction in dis.get_instructions(code) if "numpy" in code.co_names else ():
        if instruction.opname == "STORE_FAST":
            stored.append(instruction.argval)
            if imported:
                found.add(instruction.argval)
        imported = instruction.opname == "IMPORT_NAME" and instruction.argval == "numpy"
    return {name for name in found if stored.count(name) == 1}


def mark_calls(
    code: types.CodeType, chosen: Callable[[Call], bool], free: frozenset[str] | None = None
) -> types.CodeType:
    """`code` in which the last name of each chosen call is looked up with `CALLED` at its end.

    So what is called may be another object than what the name gives everywhere else. No instruction
    moves: only the index of the name differs. `free` has the variables of the function around.
    """
    free = frozenset(code.co_freevars) if free is None else free & frozenset(code.co_freevars)
    names, text = list(code.co_names), bytearray(code.co_code)
    for call in calls(code):
        at, marked = call.at, call.names[-1] + CALLED
        new = names.index(marked) if marked in names else len(names)
        shift = _SHIFT[dis.opname[text[at]]]
        argument = (new << shift) | (text[at + 1] & ((1 << shift) - 1))
        known = call.root != "cell" or call.names[0] in free
        extended = at and text[at - 2] == dis.EXTENDED_ARG
        if extended or argument > 255 or not known or not chosen(call):
            continue  # of a very long list of names: the call is refused where it matters
        if new == len(names):
            names.append(marked)
        text[at + 1] = argument
    text, names = _mark_stores(code, text, names)
    constants = tuple(
        mark_calls(c, chosen, free) if isinstance(c, types.CodeType) else c for c in code.co_consts
    )
    if all(a is b for a, b in zip(constants, code.co_consts, strict=True)) and (
        len(names) == len(code.co_names)
    ):
        return code
    return code.replace(co_names=tuple(names), co_code=bytes(text), co_consts=constants)


#: What the name of an attribute that is assigned ends with, where ours have one of this name.
ASSIGNED = "="
#: Attributes of arrays, and of what stands for them, which a function must not assign.
NOT_ASSIGNED = frozenset(
    "born kind memory node owned path shape dtype strides flat data store group ready "
    "iterated repeats classes values is_first".split()
)


def _mark_stores(
    code: types.CodeType, text: bytearray, names: list[str]
) -> tuple[bytearray, list[str]]:
    """The same, with such attributes assigned by marked names, which only objects know."""
    at = 0
    for instruction in dis.get_instructions(code):
        if instruction.opname != "STORE_ATTR" or instruction.argval not in NOT_ASSIGNED:
            continue
        at, marked = instruction.offset, instruction.argval + ASSIGNED
        new = names.index(marked) if marked in names else len(names)
        if new > 255 or (at and text[at - 2] == dis.EXTENDED_ARG):
            continue
        if new == len(names):
            names.append(marked)
        text[at + 1] = new
    return text, names


#: By how many bits the index of a name is shifted, to make room for a flag.
_SHIFT = {"LOAD_GLOBAL": 1, "LOAD_ATTR": int(sys.version_info >= (3, 12)), "LOAD_METHOD": 0}
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
