"""The instructions of a kernel for the CPU: also of loops that the team's threads share."""

from __future__ import annotations

from tracejit.cpu.compiling.sharing import share
from tracejit.intrinsics import build
from tracejit.lower.kernel.statements import Shared


class Builder(build.Builder):
    """Builds one function, in which a loop may be shared."""


Builder.statement_of = {**build.Builder.statement_of, Shared: share}
