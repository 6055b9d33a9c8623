"""PTX of a module by NVVM, and machine code for a GPU (a cubin) of that by nvJitLink."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from tracejit.cuda.packages import library
from tracejit.errors import CompileError, DeviceError, NotTraceable

#: Numbers are those of the CPU: no product is fused with a sum, no quotient is approximate.
_OPTIONS = ("-opt=3", "-fma=0", "-ftz=0", "-prec-div=1", "-prec-sqrt=1")
#: What nvJitLink says of a kernel that needs more than there is.
_TOO_LARGE = "uses too much|overflowed|too many|exceeds"
#: The oldest architecture that there is code for.
OLDEST = (8, 0)


@functools.cache
def nvvm() -> Any:
    """NVVM; DeviceError where it is not installed."""
    return library("cuda.bindings.nvvm", "NVVM (nvidia-nvvm)", "version")


@functools.cache
def linker() -> Any:
    """nvJitLink; DeviceError where it is not installed."""
    return library("cuda.bindings.nvjitlink", "nvJitLink (nvidia-nvjitlink)", "version")


def versions() -> tuple[int, ...]:
    """What a module says of the dialect it is in."""
    return tuple(nvvm().ir_version())


def require_known(cc: tuple[int, int]) -> None:
    """DeviceError for a compute capability that there is no code for."""
    if cc < OLDEST:
        shown = ".".join(map(str, cc))
        raise DeviceError(f"there is no code for compute capability {shown}: 8.0 is the oldest")


def ptx(text: str, cc: tuple[int, int]) -> str:
    """The PTX of a module's text for GPUs of compute capability `cc`, and later ones."""
    require_known(cc)
    n = nvvm()
    program = n.create_program()
    try:
        content = text.encode()
        n.add_module_to_program(program, content, len(content), "tracejit")
        options = [f"-arch=compute_{cc[0]}{cc[1]}", *_OPTIONS]
        try:
            n.compile_program(program, len(options), options)
        except Exception as error:
            size = n.get_program_log_size(program)
            raise CompileError(f"NVVM: {_read(n.get_program_log, program, size)}") from error
        return _read(n.get_compiled_result, program, n.get_compiled_result_size(program))
    finally:
        n.destroy_program(program)


def _read(get: Any, handle: Any, size: int) -> str:
    buffer = bytearray(size)
    get(handle, buffer)
    return buffer.rstrip(b"\0").decode()


def cubin(text: str, cc: tuple[int, int], options: Sequence[str] = ()) -> tuple[bytes, str]:
    """The machine code of PTX for GPUs of compute capability `cc`, and what the assembler says."""
    n = linker()
    given = [f"-arch=sm_{cc[0]}{cc[1]}", "-fma=0", *options]
    handle = n.create(len(given), given)
    try:
        content = text.encode()
        try:
            n.add_data(handle, n.InputType.PTX, content, len(content), "tracejit.ptx")
            n.complete(handle)
        except Exception as error:
            log = _read(n.get_error_log, handle, n.get_error_log_size(handle)).strip()
            if found := re.search(rf".*({_TOO_LARGE}).*", log):
                raise NotTraceable(
                    f"a kernel is too large for a GPU: {found[0].strip()}",
                    "split the function into several",
                ) from error
            raise CompileError(f"nvJitLink: {log}") from error
        code = bytearray(n.get_linked_cubin_size(handle))
        n.get_linked_cubin(handle, code)
        return bytes(code), _read(n.get_info_log, handle, n.get_info_log_size(handle))
    finally:
        n.destroy(handle)
