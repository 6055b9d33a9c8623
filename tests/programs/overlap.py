"""A program whose copies between overlapping arrays are what NumPy's documentation says.

NumPy copies one vector to another of another stride element by element, even where they overlap:
``x[1:5] = x[0:8:2]`` reads what it has written. A decorated program gives what was there before.
"""

from __future__ import annotations

import ast


class _Apart(ast.NodeTransformer):
    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if isinstance(node.targets[0], ast.Subscript):
            node.value = self.apart(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) == "np.copyto":
            node.args[1] = self.apart(node.args[1])
        return node

    @staticmethod
    def apart(value: ast.expr) -> ast.expr:
        copied = "(lambda v: v.copy() if isinstance(v, np.ndarray) else v)"
        return ast.parse(f"{copied}({ast.unparse(value)})", mode="eval").body


def apart(source: str) -> str:
    """The source with right-hand sides copied before they are written."""
    return ast.unparse(ast.fix_missing_locations(_Apart().visit(ast.parse(source))))
