"""PTX as C: so that a kernel that has been compiled for a GPU runs on a processor, bit by bit.

One function is one thread; the threads of a grid run one after the other, blocks in an order that
is shuffled. Registers are unsigned integers of their width; what computes reads them as its type
says. What is not known here is an error, so nothing is passed over.

Where threads wait for each other (`teams.c`), each runs up to where it waits, in an order that is
shuffled anew each time. What is wrong then is a `Fault`: a barrier that not all reach, and an
element of shared memory that one thread writes and another one touches between two barriers.
"""

from __future__ import annotations

import re
from pathlib import Path

from ptx_arithmetic import Arithmetic
from ptx_operands import C, Unknown, floating, is_special

_REGISTERS = {"f64": "uint64_t", "f32": "uint32_t", "f16": "uint16_t", "b64": "uint64_t",
              "b32": "uint32_t", "b16": "uint16_t", "pred": "int"}  # fmt: skip
_HEAD, _ALONE, _TEAMS = (
    Path(__file__).with_name(f"{name}.c").read_text(encoding="utf-8")
    for name in ("head", "alone", "teams")
)
_TABLE = re.compile(r"\.(?:global|const) \.align \d+ \.(\w+) (\w+)\[(\d+)\] = \{([^}]*)\};")


class Translation(Arithmetic):
    """The C of one kernel."""

    def __init__(self, ptx: str) -> None:
        start = ptx.index(".entry")
        body = ptx[ptx.index("{", start) :]
        self.kinds: dict[str, str] = {}
        #: Tables in memory, by name: what C says of each.
        self.tables = {
            found[2]: f"static const {C[found[1]]} {found[2]}[{found[3]}] "
            f"__attribute__((aligned(16))) = {{{found[4]}}};"
            for found in _TABLE.finditer(ptx[:start])
        }
        self.registers: list[str] = []
        self.lines: list[str] = []
        #: Arrays in shared memory: where they begin there, by name.
        self.shared, self.room = _shared(ptx)
        #: How many places there are where a thread waits.
        self.waits = 0
        for kind, name, count in re.findall(r"\.reg \.(\w+)\s+%(\w+)<(\d+)>;", body):
            self.kinds[name] = kind
            self.registers += [f"{_REGISTERS[kind]} {name}{k}" for k in range(int(count))]
        for line in body[1:].splitlines():
            self.line(line.strip().rstrip(";"))

    def text(self) -> str:
        head = "static int thread(const uint64_t *P, dim tid, dim ctaid, dim ntid, dim nctaid) {"
        tables = self.tables.values()
        if not (self.waits or self.shared):
            own = [f"{r} = 0;" for r in self.registers]
            return "\n".join([_HEAD, *tables, head, *own, *self.lines, "}", _ALONE])
        kept, teams = "".join(f" {r};" for r in self.registers), _TEAMS.partition("/* THREAD */")
        names = [r.split()[1] for r in self.registers]
        own = [f"#define {n} (self->{n})" for n in names]
        resume = "".join(f" case {k}: goto wait{k};" for k in range(1, self.waits + 1))
        return "\n".join(
            [
                _HEAD,
                *tables,
                f"#define ROOM {max(self.room, 1)}",
                f"#define REGISTERS {kept}",
                teams[0],
                *own,
                head.replace("thread(", "thread(state *self, "),
                "const int me = tid.x + ntid.x * (tid.y + ntid.y * tid.z), laneid = me & 31;",
                f"switch (self->at) {{{resume} }}",
                *self.lines,
                "}",
                *(f"#undef {n}" for n in names),
                teams[2],
            ]
        )

    def line(self, line: str) -> None:
        if not line or line.startswith((".reg", ".shared", "//", "}", "{", ".loc", ".pragma")):
            return
        if label := re.match(r"\$(\w+):$", line):
            self.lines.append(f"{label[1]}: ;")
            return
        condition = ""
        if found := re.match(r"@(!?)%(\w+)\s+(.*)", line):
            condition, line = f"if ({found[1]}{found[2]}) ", found[3]
        name, _, rest = line.partition("\t")
        name, rest = (name, rest) if rest else [*line.split(None, 1), ""][:2]
        operands = [o.strip() for o in re.split(r",(?![^{\[]*[}\]])", rest)] if rest else []
        op, *words = name.strip().split(".")
        make = getattr(self, f"op_{op}", None)
        if make is None:
            raise Unknown(line)
        self.lines.append(f"{condition}{{ {make(words, operands, line)} }}")

    # Memory, and where to go on ----------------------------------------------------------------

    def op_ret(self, words: list[str], o: list[str], line: str) -> str:
        return "return 0;"

    def op_bra(self, words: list[str], o: list[str], line: str) -> str:
        return f"goto {o[0][1:]};"

    def op_ld(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        if words[0] == "param":
            found = re.search(r"_param_(\d+)(?:\+(\d+))?\]", o[1])
            if not found:
                raise Unknown(line)
            start = f"((const char*)(P + 2 * {found[1]}) + {found[2] or 0})"
            size = 1 if kind == "pred" else int(kind[1:]) // 8
            each = enumerate(t.strip() for t in o[0].strip("{}").split(","))
            return " ".join(self._load(t, f"({start} + {k * size})", kind) for k, t in each)
        targets = [t.strip() for t in o[0].strip("{}").split(",")]
        own = "ours" if words[0] == "global" else ""
        return self._vector(o[1], targets, kind) + " ".join(
            self._load(t, f"{own}({self._at(o[1], k, kind)})", kind) for k, t in enumerate(targets)
        )

    def _load(self, target: str, place: str, kind: str) -> str:
        if floating(kind):
            raw = {"f64": "uint64_t", "f32": "uint32_t", "f16": "uint16_t"}[kind]
            return f"{target[1:]} = *({raw}*){place};"
        return self.put(target, f"*({C[kind]}*){place}", kind)

    def op_st(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        sources = [s.strip() for s in o[1].strip("{}").split(",")]
        done = [self._vector(o[0], sources, kind)]
        for k, s in enumerate(sources):
            if floating(kind):
                raw = {"f64": "uint64_t", "f32": "uint32_t", "f16": "uint16_t"}[kind]
                c, value = raw, self.bits(s)
            else:
                c, value = C[kind], self.read(s, kind)
            place = self._at(o[0], k, kind, True)
            one = f"STORE({c}, {place}, {value})"
            done.append(one if words[0] == "global" else f"*({c}*){place} = {value};")
        return " ".join(done)

    def _vector(self, address: str, several: list[str], kind: str) -> str:
        """Where vectors lie is noted."""
        size = len(several) * int(kind[1:]) // 8
        return f"vector({self._at(address, 0, kind)}, {size}); " if len(several) > 1 else ""

    def _at(self, address: str, number: int, kind: str, write: bool = False) -> str:
        found = re.match(r"\[(%?)([\w$]+)(?:\+(-?\d+))?\]", address)
        if not found or not (found[1] or found[2] in self.shared):
            raise Unknown(address)
        size = 1 if kind == "pred" else int(kind[1:]) // 8
        start = found[2] if found[1] else self._place(found[2])
        place = f"({start} + {int(found[3] or 0) + number * size})"
        return f"touched({place}, {size}, me, {int(write)})" if self.shared else place

    def _place(self, name: str) -> str:
        """Where an array in shared memory begins."""
        return f"((uint64_t)room + {self.shared[name]})"

    def op_mov(self, words: list[str], o: list[str], line: str) -> str:
        target, source, kind = o[0], o[1], words[-1]
        half = {"b32": 16, "b64": 32}.get(kind, 0)
        if source.startswith("{"):
            low, high = (p.strip() for p in source[1:-1].split(","))
            upper = f"((uint64_t){self.bits(high)} << {half})"
            return f"{target[1:]} = {upper} | (uint{half}_t){self.bits(low)};"
        if target.startswith("{"):
            target = target.replace("%temp", "_")
            low, high = (p.strip() for p in target[1:-1].split(","))
            parts = [] if low == "_" else [f"{low[1:]} = (uint{half}_t){self.bits(source)};"]
            return " ".join(
                parts + ([] if high == "_" else [f"{high[1:]} = {self.bits(source)} >> {half};"])
            )
        if source in self.shared:
            return f"{target[1:]} = {self._place(source)};"
        if is_special(source):
            return f"{target[1:]} = {self.read(source, kind)};"
        if source in self.tables:
            return f"{target[1:]} = (uint64_t){source};"
        return f"{target[1:]} = {self.bits(source)};"

    def op_cvta(self, words: list[str], o: list[str], line: str) -> str:
        source = self._place(o[1]) if o[1] in self.shared else o[1][1:]
        return f"{o[0][1:]} = {source};"

    # Threads that wait -----------------------------------------------------------------------

    def _wait(self, what: str) -> str:
        """Return, and go on from here when all that are waited for are here."""
        self.waits += 1
        return f"self->at = {self.waits}; return {what}; wait{self.waits}: ;"

    def op_bar(self, words: list[str], o: list[str], line: str) -> str:
        if words == ["warp", "sync"]:
            return self._exchange("0", o[0])
        if words != ["sync"] or o != ["0"]:
            raise Unknown(line)
        return self._wait("BLOCK")

    def _exchange(self, value: str, mask: str) -> str:
        """Give a value to the warp's other threads, which then is in ``given[lane]``."""
        give = f"give(self, me, {value}, {self.read(mask, 'u32')});"
        return f"{give} {self._wait('WARP')} const uint32_t *given = taken(self, me);"

    def op_shfl(self, words: list[str], o: list[str], line: str) -> str:
        if words[0] != "sync" or words[2] != "b32":
            raise Unknown(line)
        target, _, found = o[0].partition("|")
        far, clamp = (self.read(x, "u32") for x in o[2:4])
        take = f"int valid, from = lane_{words[1]}(laneid, {far}, {clamp}, &valid);"
        told = f"{found[1:]} = valid;" if found else ""
        exchange = self._exchange(self.read(o[1], "u32"), o[4])
        return f"{exchange} {take} {target[1:]} = given[from]; {told}"

    def op_vote(self, words: list[str], o: list[str], line: str) -> str:
        if words[0] != "sync":
            raise Unknown(line)
        exchange = self._exchange(self.read(o[1], "pred"), o[2])
        bits = f"uint32_t mask = {self.read(o[2], 'u32')}, bits = ballot(given, mask);"
        found = {"ballot": "bits", "any": "bits != 0", "all": "bits == (mask & present(me))"}
        return f"{exchange} {bits} {o[0][1:]} = {found[words[1]]};"

    def op_activemask(self, words: list[str], o: list[str], line: str) -> str:
        raise Unknown(line)  # which threads are there then, no rule says


def _shared(ptx: str) -> tuple[dict[str, int], int]:
    """Where arrays in shared memory begin, by name, and how many bytes there are in all."""
    found: dict[str, int] = {}
    room = 0
    pattern = r"\.shared\s+\.align\s+(\d+)\s+\.[a-z](\d+)\s+([\w$]+)(?:\[(\d+)\])?;"
    for align, bits, name, size in re.findall(pattern, ptx):
        room = -(-room // int(align)) * int(align)
        found[name] = room
        room += int(size or 1) * int(bits) // 8
    return found, room
