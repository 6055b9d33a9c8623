"""What NVVM takes of LLVM's language, which is that of LLVM 7: a module is changed to it.

Functions of LLVM's that came later get a definition, of instructions that there are. Nothing is
reordered: the order of a sum is that of the kernel's statements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from tracejit.cuda.machine.remainder import exact_remainder

#: Rounding, by its own instructions (``cvt.rzi`` and so on).
_ROUND = {"trunc": "trunc", "floor": "floor", "ceil": "ceil", "rint": "round", "nearbyint": "round"}
_SUFFIX = {"f64": "d", "f32": "f"}
_ORDER = {"smax": (">", True), "smin": ("<", True), "umax": (">", False), "umin": ("<", False)}
#: What later versions say of functions.
_ATTRIBUTES = {"memory(none)": "readnone", "willreturn": None, "nofree": None, "nosync": None}


def for_nvvm(module: ir.Module) -> None:
    """Change a module so that NVVM takes it; its first function is the kernel."""
    kernel, *others = module.functions
    _attributes(kernel)
    for function in others:
        _attributes(function)
        if function.is_declaration:
            _define(module, function)
        else:
            # A call takes memory for what it is given.
            function.attributes.discard("noinline")
            set.add(function.attributes, "alwaysinline")
            function.linkage = "internal"
    for function in list(module.functions):
        for block in function.blocks:
            for instruction in block.instructions:
                _instruction(instruction)


def _attributes(function: ir.Function) -> None:
    for later, before in _ATTRIBUTES.items():
        for name in [a for a in function.attributes if str(a).strip('"') == later]:
            function.attributes.discard(name)
            if before is not None:
                set.add(function.attributes, before)


def _instruction(i: Any) -> None:
    if i.opname == "fneg":
        [x] = i.operands
        i.opname, i.operands = "fsub", [ir.Constant(x.type, -0.0), x]
    flags = getattr(i, "flags", ())
    if "reassoc" in flags:
        i.flags = [f for f in flags if f != "reassoc"]
    fast: Any = getattr(i, "fastmath", None)
    if fast:
        fast.discard("reassoc")
    loop = i.metadata.get("llvm.loop")
    if loop is not None and "llvm.loop.unroll" not in str(loop.operands[1].operands[0]):
        del i.metadata["llvm.loop"]  # of vectors


def _define(module: ir.Module, function: ir.Function) -> None:
    """Give a function that NVVM does not have its instructions."""
    if function.name in ("fmod", "fmodf"):
        exact_remainder(function)
        return
    parts = function.name.split(".")
    if parts[0] != "llvm" or len(parts) < 3:
        return
    name, kind = parts[1], parts[-1]
    if name in _ROUND:
        function.name = f"llvm.nvvm.{_ROUND[name]}.{_SUFFIX[kind]}"
        return
    body = _BODIES.get(name)
    if body is None:
        return
    function.name = f"tracejit_{name}_{kind}"
    function.linkage = "internal"
    set.add(function.attributes, "alwaysinline")
    b = ir.IRBuilder(function.append_basic_block())
    b.ret(body(b, name, *function.args))


def _integer(x: ir.Value) -> ir.IntType:
    return ir.IntType(64 if isinstance(x.type, ir.DoubleType) else 32)


def _fabs(b: ir.IRBuilder, name: str, x: ir.Value) -> ir.Value:
    bits = _integer(x)
    low = b.and_(b.bitcast(x, bits), bits((1 << (bits.width - 1)) - 1))
    return b.bitcast(low, x.type)


def _copysign(b: ir.IRBuilder, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
    bits = _integer(x)
    sign = bits(1 << (bits.width - 1))
    size = b.and_(b.bitcast(x, bits), b.not_(sign))
    return b.bitcast(b.or_(size, b.and_(b.bitcast(y, bits), sign)), x.type)


def _extreme(b: ir.IRBuilder, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
    sign, signed = _ORDER[name]
    test = b.icmp_signed if signed else b.icmp_unsigned
    return b.select(test(sign, x, y), x, y)


def _abs(b: ir.IRBuilder, name: str, x: ir.Value, poison: ir.Value) -> ir.Value:
    return b.select(b.icmp_signed("<", x, x.type(0)), b.neg(x), x)


def _extreme_number(b: ir.IRBuilder, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
    """The larger or smaller number of two; of equal ones, as zeros with signs are, the first."""
    kept = b.fcmp_ordered(">=" if name == "maxnum" else "<=", x, y)
    return b.select(b.or_(kept, b.fcmp_unordered("uno", y, y)), x, y)


def _ieee_extreme(b: ir.IRBuilder, name: str, x: ir.Value, y: ir.Value) -> ir.Value:
    """The larger or smaller one, where a zero with a sign is the smaller; NaN where one is."""
    bits = _integer(x)
    larger = name == "maximum"
    both = (b.and_ if larger else b.or_)(b.bitcast(x, bits), b.bitcast(y, bits))
    other = b.select(b.fcmp_ordered(">" if larger else "<", x, y), x, y)
    found = b.select(b.fcmp_ordered("==", x, y), b.bitcast(both, x.type), other)
    return b.select(b.fcmp_unordered("uno", x, y), b.fadd(x, y), found)


_BODIES: dict[str, Callable[..., ir.Value]] = {
    "fabs": _fabs,
    "copysign": _copysign,
    "abs": _abs,
    **dict.fromkeys(_ORDER, _extreme),
    **dict.fromkeys(("maximum", "minimum"), _ieee_extreme),
    **dict.fromkeys(("maxnum", "minnum"), _extreme_number),
}
