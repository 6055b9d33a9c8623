"""What machine code of a GPU has in it: operations, of which one is 16 bytes since 7.0.

An operation's number is in its lowest nine bits (as NVIDIA's own disassembler shows them); the next
three say where its operands are.
"""

from __future__ import annotations

import struct
from collections import Counter

NAMES = {
    0x020: "FMUL", 0x021: "FADD", 0x023: "FFMA", 0x028: "DMUL", 0x029: "DADD", 0x02B: "DFMA",
    0x030: "HADD2", 0x031: "HFMA2", 0x032: "HMUL2", 0x183: "LDL", 0x187: "STL",
    0x181: "LDG", 0x186: "STG", 0x108: "MUFU",
}  # fmt: skip


def sections(cubin: bytes) -> dict[str, bytes]:
    """The sections of an ELF file by name."""
    (offset,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names = struct.unpack_from("<HHH", cubin, 58)
    heads = [struct.unpack_from("<IIQQQQIIQQ", cubin, offset + k * size) for k in range(count)]
    start = heads[names][4]

    def name(at: int) -> str:
        return cubin[start + at : cubin.index(b"\0", start + at)].decode()

    return {name(h[0]): cubin[h[4] : h[4] + h[5]] for h in heads if h[1] != 8}


def operations(cubin: bytes) -> Counter[str]:
    """How many of each operation that has a name here are in all the code."""
    found: Counter[str] = Counter()
    for name, content in sections(cubin).items():
        if name.startswith(".text"):
            for at in range(0, len(content), 16):
                number = content[at] | (content[at + 1] & 1) << 8
                if number in NAMES:
                    found[NAMES[number]] += 1
    return found
