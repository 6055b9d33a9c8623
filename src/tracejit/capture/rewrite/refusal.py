"""Why a function is left as it is."""

from __future__ import annotations

import ast
from typing import NamedTuple

from tracejit.capture.rewrite.scope import assigned, declared, local, own


class Reason(NamedTuple):
    text: str
    line: int


class Refused(Exception):
    """The function cannot be rewritten to do exactly what it does."""

    def __init__(self, text: str, node: ast.AST) -> None:
        super().__init__(text)
        self.reason = Reason(text, getattr(node, "lineno", 0))


def refusal(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> Reason | None:
    """Why a function must stay, from its own statements; None where it need not."""
    body = [function.body] if isinstance(function, ast.Lambda) else function.body
    if isinstance(function, ast.AsyncFunctionDef):
        return Reason("is a generator or asynchronous function", function.lineno)
    written = declared(body, ast.Global) & assigned(body).keys()
    locals_ = local(function)
    for node in own(*body):
        if isinstance(node, ast.Global) and written & set(node.names):
            return Reason(f"assigns the global variable {min(written)}", node.lineno)
        if isinstance(node, ast.Delete):
            for target in own(*node.targets):
                if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Del):
                    return Reason(f"deletes the variable {target.id}", node.lineno)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            looks = name in _FRAMES or (name in ("vars", "dir") and not node.args)
            if looks and name not in locals_:
                return Reason(f"calls {name}(), which looks at local variables", node.lineno)
        if type(node) in _STATEMENTS:
            return Reason(_STATEMENTS[type(node)], getattr(node, "lineno", function.lineno))
    return None


_FRAMES = frozenset("exec eval locals".split())
_GENERATOR = "is a generator or asynchronous function"
_STATEMENTS: dict[type[ast.AST], str] = {
    ast.Yield: _GENERATOR,
    ast.YieldFrom: _GENERATOR,
    ast.Await: _GENERATOR,
    ast.Match: "has a `match` statement",
    ast.TryStar: "has an `except*`",
}
