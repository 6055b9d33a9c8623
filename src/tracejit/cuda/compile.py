"""Kernels as PTX and machine code, once for each text; kept in the cache of files."""

from __future__ import annotations

import functools
import json
from typing import Any

from tracejit.cuda import runtime
from tracejit.cuda.environment import environment
from tracejit.cuda.machine.host import host_function
from tracejit.cuda.machine.module import module_text
from tracejit.cuda.machine.ptx import cubin, ptx
from tracejit.cuda.source import CUDASource, GridKernel
from tracejit.errors import CompileError, NotTraceable
from tracejit.lower import cache
from tracejit.lower.kernel.statements import Factory
from tracejit.native.parameters import Signature
from tracejit.native.slots import type_of

#: The host's functions, by name.
_hosts: dict[str, Any] = {}


def functions_of(kernel: GridKernel) -> dict[str, Any]:
    """What a kernel calls."""
    return _Functions(kernel.kernel.factories)


class _Functions(dict[str, Any]):
    def __init__(self, factories: dict[str, Factory]) -> None:
        super().__init__()
        self.factories = factories

    def __missing__(self, name: str) -> Any:
        made = self.factories.get(name)
        wanted = name if made is None else made.function
        function = getattr(runtime, wanted, None)
        if function is None:
            raise NotTraceable(f"there is no {wanted} on a GPU yet")
        self[name] = function if made is None else function(*made.arguments)
        return self[name]


def kernel_ptx(kernel: GridKernel, cc: tuple[int, int]) -> str:
    """The PTX of a kernel for GPUs of compute capability `cc`."""
    signature = [type_of(kind.parameter) for kind in kernel.kinds]
    text = module_text(kernel.name, kernel.kernel, functions_of(kernel), signature, kernel.team)
    return ptx(text, cc)


def host_entry(source: CUDASource, signature: Signature) -> tuple[Any, bool]:
    """The host's function of a source for one signature, and whether it had to be compiled."""
    text = f"# {', '.join(map(str, signature))}\n{source.text}"
    name = cache.program_name(text, environment())
    found = _hosts.get(name)
    if found is None:
        functions = _Functions(source.kernel.factories)
        found = _hosts[name] = host_function(name, source, functions, signature).callable()
        return found, True
    return found, False


def machine_code(kernel: GridKernel, cc: tuple[int, int]) -> tuple[str, bytes]:
    """PTX and cubin of a kernel: from the cache, or compiled."""
    kinds = ", ".join(map(str, kernel.kinds))
    text = f"# sm_{cc[0]}{cc[1]}, {kernel.team}: {kinds}\n{kernel.text}"
    return _machine_code(text, kernel, cc)


@functools.lru_cache(512)
def _made(text: str) -> dict[str, Any]:
    return {}


def _machine_code(text: str, kernel: GridKernel, cc: tuple[int, int]) -> tuple[str, bytes]:
    known = _made(text)
    if "code" not in known:
        name = cache.program_name(text, environment())
        content = cache.load(name)
        if content is not None:
            head, _, code = content.partition(b"\n")
            assembly = json.loads(head)
        else:
            assembly = kernel_ptx(kernel, cc)
            code, log = cubin(assembly, cc)
            if not code:
                raise CompileError(f"the assembler refused {kernel.name}: {log}")
            cache.save(name, json.dumps(assembly).encode() + b"\n" + code, text)
        known["code"] = assembly, code
    code_of: tuple[str, bytes] = known["code"]
    return code_of
