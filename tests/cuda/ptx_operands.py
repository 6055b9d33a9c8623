"""Operands of PTX as C: registers are unsigned integers of their width."""

from __future__ import annotations

import re

#: C's types, by PTX's.
C = {
    "f64": "double", "f32": "float", "f16": "_Float16", "pred": "int",
    **{f"{k}{n}": f"uint{n}_t" for k in "ub" for n in (8, 16, 32, 64)},
    **{f"s{n}": f"int{n}_t" for n in (8, 16, 32, 64)},
}  # fmt: skip
_SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid)\.([xyz])$")


class Unknown(BaseException):
    """An instruction that is not translated; not an error that a compiler may refuse to."""


def floating(kind: str) -> bool:
    return kind[0] == "f"


def is_special(operand: str) -> bool:
    """Whether an operand is a number of a thread's."""
    return operand == "%laneid" or _SPECIAL.match(operand) is not None


class Operands:
    """Reads operands, and puts values into registers, whose `kinds` are known by their letters."""

    kinds: dict[str, str]

    def kind_of(self, operand: str) -> str | None:
        found = re.match(r"%([a-z]+)\d+$", operand)
        return self.kinds[found[1]] if found else None

    def read(self, operand: str, kind: str) -> str:
        """An operand as a value of a type."""
        if special := _SPECIAL.match(operand):
            return f"{special[1]}.{special[2]}"
        if operand == "%laneid":
            return "laneid"
        if operand.startswith("!"):
            return f"!{self.read(operand[1:], kind)}"
        if operand.startswith("%"):
            name, own = operand[1:], self.kind_of(operand)
            if kind == "pred" or own == "pred":
                return name
            return f"as_{kind}({name})" if floating(kind) else f"({C[kind]}){name}"
        if operand.startswith(("0d", "0D")):
            return f"as_f64(0x{operand[2:]}ull)" if kind == "f64" else f"0x{operand[2:]}ull"
        if operand.startswith(("0f", "0F")):
            return f"as_f32(0x{operand[2:]}u)" if kind == "f32" else f"0x{operand[2:]}u"
        if floating(kind):
            raise Unknown(operand)
        return f"({C[kind]})({operand}ll)"

    def bits(self, operand: str) -> str:
        """An operand's bits."""
        if operand[:2] in ("0d", "0D", "0f", "0F"):
            return f"0x{operand[2:]}ull"
        return operand[1:] if operand.startswith("%") else f"({operand}ll)"

    def put(self, operand: str, value: str, kind: str) -> str:
        """A register given a value of a type."""
        name = operand[1:]
        if kind == "pred":
            return f"{name} = {value};"
        if floating(kind):
            return f"{name} = of_{kind}({value});"
        return f"{name} = ({C[kind]})({value});"
