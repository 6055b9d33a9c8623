"""Make a failing program small: leave out statements while it fails as before."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from programs.compare import load
from programs.write import Program


def reduce(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The smallest program that was found for which `fails` is still true."""
    at = 0
    while True:
        for k, source in enumerate(itertools.islice(smaller(program.source), at, None), at):
            candidate = replace(program, source=source, constructs={})
            if is_program(candidate) and fails(candidate):
                program, at = candidate, k
                break
        else:
            if at == 0:
                return program
            at = 0  # once more, from the start


def is_program(program: Program) -> bool:
    """Whether the module can be loaded, and makes arguments."""
    try:
        load(program.source).arguments(0)
    except Exception:
        return False
    return True


def smaller(source: str) -> Iterator[str]:
    """The program with a statement left out, its body in its place, or an expression simpler."""
    count = sum(1 for _ in ast.walk(ast.parse(source)))
    for k in range(count):
        for change in (without, unwrapped, plainer):
            tree = ast.parse(source)
            if change(tree, k):
                yield ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def place(tree: ast.AST, k: int) -> tuple[list[ast.stmt], int] | None:
    """The block and the position of the k-th statement."""
    seen = 0
    for node in ast.walk(tree):
        for block in blocks(node):
            if seen <= k < seen + len(block):
                return block, k - seen
            seen += len(block)
    return None


def keeps_ending(statement: ast.stmt) -> bool:
    """Whether a loop may depend on a statement to end."""
    return "count" in ast.unparse(statement).split("\n")[0] or isinstance(statement, ast.Break)


def without(tree: ast.AST, k: int) -> bool:
    found = place(tree, k)
    if found is None:
        return False
    block, at = found
    if keeps_ending(block[at]) and not isinstance(block[at], ast.While):
        return False
    if any(keeps_ending(s) for s in ast.walk(block[at]) if isinstance(s, ast.stmt)) and isinstance(
        block[at], ast.If
    ):
        return False
    block[at : at + 1] = [] if len(block) > 1 else [ast.Pass()]
    return True


def unwrapped(tree: ast.AST, k: int) -> bool:
    found = place(tree, k)
    if found is None:
        return False
    block, at = found
    inner = getattr(block[at], "body", None)
    if not isinstance(inner, list) or isinstance(block[at], (ast.FunctionDef, ast.While)):
        return False
    block[at : at + 1] = inner
    return True


def plainer(tree: ast.AST, k: int) -> bool:
    """The k-th operation replaced by its first operand."""
    operations = [
        (parent, name, child)
        for parent in ast.walk(tree)
        for name, child in ast.iter_fields(parent)
        if isinstance(child, (ast.BinOp, ast.IfExp, ast.BoolOp, ast.UnaryOp))
    ]
    if k >= len(operations):
        return False
    parent, name, child = operations[k]
    inner = getattr(child, "left", None) or getattr(child, "body", None)
    inner = inner or getattr(child, "operand", None) or child.values[0]  # type: ignore[attr-defined]
    if "count" in ast.unparse(child) and not isinstance(child, ast.BinOp):
        return False
    setattr(parent, name, inner)
    return True
