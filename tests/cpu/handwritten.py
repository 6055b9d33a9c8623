"""Kernels that tests write themselves: as their text, or as functions that Numba compiles."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable
from typing import Any

import numba

from tracejit.cpu.compiling.build import Builder
from tracejit.intrinsics.function import compiled
from tracejit.lower.kernel.read import read
from tracejit.lower.kernel.statements import Kernel

_numbers = itertools.count()
#: What the source that calls it finds a function by.
FUNCTIONS: list[Any] = []


def kernel(text: str, *signature: Any, late: int = 0) -> Any:
    """The entry of a kernel's text, for one signature."""
    namespace: dict[str, Any] = {}
    head = ast.Module(ast.parse(text).body[:-1], [])
    exec(compile(head, "<head>", "exec"), namespace)
    own = parsed(text)

    def body(typingctx: Any, context: Any, b: Any, arguments: list[Any]) -> None:
        Builder(context, typingctx, b, own, namespace, arguments).build()

    return compiled(f"test_{next(_numbers)}", signature, body).callable(late=late)


def wrapped(function: Callable[..., Any], *signature: Any) -> Any:
    """An entry that calls a function, which returns its code."""
    FUNCTIONS.append(numba.njit(nogil=True, error_model="numpy")(function))
    names = ", ".join(f"a{k}" for k in range(len(signature)))
    head = f"from handwritten import FUNCTIONS\nbody = FUNCTIONS[{len(FUNCTIONS) - 1}]\n"
    return kernel(f"{head}def entry({names}):\n    return body({names})\n", *signature)


def parsed(text: str) -> Kernel:
    """The kernel that is the last function of a text, without its factories."""
    found = read(ast.unparse(ast.parse(text).body[-1]))
    return Kernel(found.parameters, {}, found.body)
