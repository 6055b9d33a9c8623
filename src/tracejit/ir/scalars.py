"""Elementwise rows for scalars that Python computes: those that no ufunc of NumPy's is for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tracejit.errors import FailedCheckError
from tracejit.ir import ops
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL

#: The first operand, where the second holds: else NumPy or Python may raise, and the call is begun
#: anew by them.
GIVEN = ops.Elementwise(
    name="given",
    module="tracejit.ir.scalars",
    cpu="{0}",
    cpu_kinds="biufc",
    trap="logical_not({1})",
    trap_kinds="biufc",
    plain=True,
)
#: A complex number of its parts.
COMPLEX = ops.Elementwise(
    name="complex",
    module="tracejit.ir.scalars",
    cpu="complex_of({0}, {1})",
    cpu_kinds="f",
    plain=True,
)
#: How the size of a complex number, of its parts, compares with a limit; whether it has one, as
#: Python says: it is infinite only where a part is.
SIZE_COMPARED = {
    name: ops.Elementwise(
        name=f"size_{name}",
        module="tracejit.ir.scalars",
        nin=3,
        cpu=f"size_{name}({{0}}, {{1}}, {{2}})",
        cpu_kinds="f",
        plain=True,
    )
    for name in ("less", "less_equal", "greater", "greater_equal")
}
SIZE_FITS = ops.Elementwise(
    name="size_fits",
    module="tracejit.ir.scalars",
    cpu="size_fits({0}, {1})",
    cpu_kinds="f",
    plain=True,
)


def reference(name: str) -> Callable[..., Any]:
    """The function of a row, over arrays."""
    if name.startswith("size_") and name != SIZE_FITS.name:
        compare = getattr(np, name.removeprefix("size_"))
        return lambda real, imag, limit: compare(np.hypot(real, imag), limit)
    return {GIVEN.name: _given, COMPLEX.name: _complex, SIZE_FITS.name: _fits}[name]


def _fits(real: Any, imag: Any) -> Any:
    return ~np.isinf(np.hypot(real, imag)) | np.isinf(real) | np.isinf(imag)


def _given(value: Any, holds: Any) -> Any:
    if not np.all(holds):
        raise FailedCheckError("a number is not what the compiled program takes it for")
    return value


def _complex(real: Any, imag: Any) -> Any:
    result = np.empty(np.shape(real), np.result_type(real, np.complex64))
    result.real, result.imag = real, imag
    return result


def given(value: Node, holds: Node) -> Node:
    """`value`, where the boolean scalar `holds`."""
    return make(GIVEN, (value, holds), None, value.type, value.origin)


def held(holds: Node) -> Node:
    """`holds`, which is true wherever the program goes on."""
    true = make(ops.CONST, (), np.True_.tobytes(), ArrayType(BOOL))
    return make(GIVEN, (true, holds), None, ArrayType(BOOL), holds.origin)
