"""The instructions of a kernel for the CPU: also of loops that the team's threads share."""

from __future__ import annotations

from typing import Any

from tracejit.cpu import runtime
from tracejit.cpu.compiling.sharing import share
from tracejit.intrinsics import build
from tracejit.intrinsics.function import Built, compiled
from tracejit.lower.kernel.statements import Kernel, Shared
from tracejit.native.parameters import Signature


class Builder(build.Builder):
    """Builds one function, in which a loop may be shared."""


Builder.statement_of = {**build.Builder.statement_of, Shared: share}


class _Functions(dict[str, Any]):
    """What the calls of a kernel call: the runtime's functions, and those of its factories."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self.factories = kernel.factories

    def __missing__(self, name: str) -> Any:
        made = self.factories.get(name)
        function = getattr(runtime, name if made is None else made.function)
        self[name] = function if made is None else function(*made.arguments)
        return self[name]


def built(name: str, kernel: Kernel, signature: Signature) -> Built:
    """The function that a kernel is, as a symbol called `name`."""
    functions = _Functions(kernel)

    def body(typingctx: Any, context: Any, b: Any, arguments: list[Any]) -> None:
        Builder(context, typingctx, b, kernel, functions, arguments).build()

    return compiled(name, signature, body)
