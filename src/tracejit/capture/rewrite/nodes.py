"""Nodes of a tree: made in the place of others."""

from __future__ import annotations

import ast
from typing import TypeVar

N = TypeVar("N", bound=ast.AST)


def at(old: ast.AST, new: N) -> N:
    """`new` at the place of `old`, with what it holds."""
    return ast.fix_missing_locations(ast.copy_location(new, old))


def load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def parameters(*names: str) -> ast.arguments:
    return ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])


def define(name: str, args: ast.arguments, body: list[ast.stmt]) -> ast.FunctionDef:
    node = ast.parse("def f(): pass").body[0]  # with all the fields of this version's
    assert isinstance(node, ast.FunctionDef)
    node.name, node.args, node.body = name, args, body
    return node


def define_class(name: str, body: list[ast.stmt]) -> ast.ClassDef:
    node = ast.parse("class C: pass").body[0]
    assert isinstance(node, ast.ClassDef)
    node.name, node.body = name, body
    return node
