"""Make a failing program small: leave out statements and operations while it fails as before."""

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
        for k, source in smaller(program.source, at):
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
        module = load(program.source)
        module.arguments(0)
    except Exception:
        return False
    return hasattr(module, "program")


def smaller(source: str, first: int) -> Iterator[tuple[int, str]]:
    """The program with a statement left out, its body in its place, or an operation simpler.

    Each with its number, from `first` on.
    """
    tree = ast.parse(source)
    count = max(sum(1 for _ in found(tree)) for found in (statements, operations))
    for k in range(first, count):
        for change in (without, unwrapped, plainer):
            tree = ast.parse(source)
            if change(tree, k):
                yield k, ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def without(tree: ast.AST, k: int) -> bool:
    """Leave out the k-th statement."""
    for block, at in itertools.islice(statements(tree), k, k + 1):
        if not ends_a_loop(block[at]):
            block[at : at + 1] = [] if len(block) > 1 else [ast.Pass()]
            return True
    return False


def unwrapped(tree: ast.AST, k: int) -> bool:
    """Put the body of the k-th statement in its place."""
    for block, at in itertools.islice(statements(tree), k, k + 1):
        inner = block[at]
        if isinstance(inner, (ast.If, ast.For, ast.With, ast.Try)):
            block[at : at + 1] = inner.body
            return True
    return False


def plainer(tree: ast.AST, k: int) -> bool:
    """Put its first operand in place of the k-th operation."""
    for parent, name, operation in itertools.islice(operations(tree), k, k + 1):
        if not ends_a_loop(operation):
            setattr(parent, name, next(ast.iter_child_nodes(operation)))
            return True
    return False


def statements(tree: ast.AST) -> Iterator[tuple[list[ast.stmt], int]]:
    """Each statement, as a block and a position."""
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                yield from ((block, at) for at in range(len(block)))


def operations(tree: ast.AST) -> Iterator[tuple[ast.AST, str, ast.expr]]:
    """Each operation, as a field of its parent."""
    for parent in ast.walk(tree):
        for name, child in ast.iter_fields(parent):
            if isinstance(child, (ast.BinOp, ast.IfExp, ast.Compare)):
                yield parent, name, child


def ends_a_loop(node: ast.AST) -> bool:
    """Whether a loop may depend on it to end: on its break, its counter, or the test of one."""
    if isinstance(node, ast.stmt) and not isinstance(node, (ast.AugAssign, ast.If)):
        return isinstance(node, ast.Break)
    tested = node.test if isinstance(node, ast.If) else node
    names = (n.id for n in ast.walk(tested) if isinstance(n, ast.Name))
    return any(name.startswith("count") for name in names)
