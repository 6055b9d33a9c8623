"""PTX as C: so that a kernel that has been compiled for a GPU runs on a processor, bit by bit.

One function is one thread; the threads of a grid run one after the other, blocks in an order that
is shuffled. Registers are unsigned integers of their width; what computes reads them as its type
says. What is not known here is an error, so nothing is passed over.

Where threads wait for each other (`teams.c`), each runs up to where it waits, in an order that is
shuffled anew each time. What is wrong then is a `Fault`: a barrier that not all reach, and an
element of shared memory that one thread writes and another one touches between two barriers.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

#: C's types, by PTX's.
_C = {
    "f64": "double", "f32": "float", "f16": "_Float16", "pred": "int",
    **{f"{k}{n}": f"uint{n}_t" for k in "ub" for n in (8, 16, 32, 64)},
    **{f"s{n}": f"int{n}_t" for n in (8, 16, 32, 64)},
}  # fmt: skip
_REGISTERS = {"f64": "uint64_t", "f32": "uint32_t", "f16": "uint16_t", "b64": "uint64_t",
              "b32": "uint32_t", "b16": "uint16_t", "pred": "int"}  # fmt: skip
_HEAD = """#include <math.h>
#include <stdint.h>
#include <string.h>
#define READ(t, u, name) static inline t name(u b) { t v; memcpy(&v, &b, sizeof v); return v; }
READ(double, uint64_t, as_f64) READ(float, uint32_t, as_f32) READ(_Float16, uint16_t, as_f16)
READ(uint64_t, double, of_f64) READ(uint32_t, float, of_f32) READ(uint16_t, _Float16, of_f16)
typedef struct { uint32_t x, y, z; } dim;
uint64_t vectors, misaligned;
static inline void vector(uint64_t at, int size) { vectors++; misaligned += at % size != 0; }
/* Which block wrote an element last in this launch; of many elements some are not noted. */
static struct { uint64_t at; uint32_t launch, block; } written[1 << 16];
static uint32_t launches, noted, this_block;
static int met;
static inline int place_of(uint64_t at) {
  uint32_t k = (at * 0x9E3779B97F4A7C15ull) >> 48;
  while (written[k].launch == launches && written[k].at != at) k = (k + 1) & 0xFFFF;
  return k;
}
static inline int theirs(uint64_t at) {
  int k = place_of(at);
  return written[k].launch == launches && written[k].block != this_block;
}
static inline uint64_t ours(uint64_t at) { met |= theirs(at); return at; }
static inline void write(uint64_t at) {
  int k = place_of(at);
  if (written[k].launch != launches && noted++ > 1 << 15) return;
  written[k].at = at, written[k].launch = launches, written[k].block = this_block;
}
static inline void begin(void) { launches++, noted = met = 0; }
#define STORE(t, place, value) { uint64_t at_ = (place); t v_ = (value); \\
  met |= theirs(at_) && *(t*)at_ != v_; write(at_); *(t*)at_ = v_; }
"""
_TAIL = """
int launch(const uint64_t *P, const uint32_t *g, const uint32_t *t, const uint32_t *order) {
  dim nctaid = {g[0], g[1], g[2]}, ntid = {t[0], t[1], t[2]};
  begin();
  for (uint64_t k = 0; k < (uint64_t)g[0] * g[1] * g[2]; k++) {
    uint32_t b = this_block = order[k];
    dim ctaid = {b % g[0], b / g[0] % g[1], b / g[0] / g[1]};
    for (uint32_t z = 0; z < t[2]; z++) for (uint32_t y = 0; y < t[1]; y++)
      for (uint32_t x = 0; x < t[0]; x++) thread(P, (dim){x, y, z}, ctaid, ntid, nctaid);
  }
  return met ? 5 : 0;
}
"""
_TEAMS = Path(__file__).with_name("teams.c").read_text(encoding="utf-8")
#: What a launch says that a kernel has done.
FAULTS = {
    1: "threads have ended that others wait for",
    2: "threads of a block wait at different barriers",
    3: "threads wait for each other for ever",
    4: "threads touch an element of shared memory at once, and one writes it",
    5: "blocks touch an element of an array, and one writes it",
    6: "a vector does not lie where it may be loaded or stored",
}
_ROUND = {"rzi": "trunc", "rni": "rint", "rmi": "floor", "rpi": "ceil"}
_SIGNS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "rem": "%",
    "and": "&",
    "or": "|",
    "xor": "^",
}
_TESTS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
          "lo": "<", "ls": "<=", "hi": ">", "hs": ">="}  # fmt: skip
_TABLE = re.compile(r"\.(?:global|const) \.align \d+ \.(\w+) (\w+)\[(\d+)\] = \{([^}]*)\};")
_SPECIAL = re.compile(r"%(tid|ntid|ctaid|nctaid)\.([xyz])$")


class Unknown(BaseException):
    """An instruction that is not translated; not an error that a compiler may refuse to."""


class Fault(Exception):
    """What no kernel may do, and one has done."""


def floating(kind: str) -> bool:
    return kind[0] == "f"


class Translation:
    """The C of one kernel."""

    def __init__(self, ptx: str) -> None:
        start = ptx.index(".entry")
        body = ptx[ptx.index("{", start) :]
        self.kinds: dict[str, str] = {}
        #: Tables in memory, by name: what C says of each.
        self.tables = {
            found[2]: f"static const {_C[found[1]]} {found[2]}[{found[3]}] "
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
            return "\n".join([_HEAD, *tables, head, *own, *self.lines, "}", _TAIL])
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

    # Operands --------------------------------------------------------------------------------

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
            return f"as_{kind}({name})" if floating(kind) else f"({_C[kind]}){name}"
        if operand.startswith(("0d", "0D")):
            return f"as_f64(0x{operand[2:]}ull)" if kind == "f64" else f"0x{operand[2:]}ull"
        if operand.startswith(("0f", "0F")):
            return f"as_f32(0x{operand[2:]}u)" if kind == "f32" else f"0x{operand[2:]}u"
        if floating(kind):
            raise Unknown(operand)
        return f"({_C[kind]})({operand}ll)"

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
        return f"{name} = ({_C[kind]})({value});"

    # Instructions ----------------------------------------------------------------------------

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
        return self.put(target, f"*({_C[kind]}*){place}", kind)

    def op_st(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        sources = [s.strip() for s in o[1].strip("{}").split(",")]
        done = [self._vector(o[0], sources, kind)]
        for k, s in enumerate(sources):
            if floating(kind):
                raw = {"f64": "uint64_t", "f32": "uint32_t", "f16": "uint16_t"}[kind]
                c, value = raw, self.bits(s)
            else:
                c, value = _C[kind], self.read(s, kind)
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
        if _SPECIAL.match(source) or source == "%laneid":
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

    def op_cvt(self, words: list[str], o: list[str], line: str) -> str:
        to, kind, how = words[-2], words[-1], words[:-2]
        value = self.read(o[1], kind)
        if "sat" in how or "ftz" in how:
            raise Unknown(line)
        rounds = next((_ROUND[w] for w in how if w in _ROUND), None)
        if floating(kind) and rounds:
            value = f"{rounds}{'f' if kind == 'f32' else ''}({value})"
            if not floating(to):
                value = _saturated(value, to)
        return self.put(o[0], value, to)

    def op_setp(self, words: list[str], o: list[str], line: str) -> str:
        test, kind = words[0], words[-1]
        a, b = (self.read(x, kind) for x in o[1:3])
        nan = f"({a} != {a} || {b} != {b})"
        if test in ("nan", "num"):
            found = nan if test == "nan" else f"!{nan}"
        elif floating(kind):
            unordered = test.endswith("u")
            found = f"({a} {_TESTS[test[:-1] if unordered else test]} {b})"
            found = f"({found} || {nan})" if unordered else f"({found} && !{nan})"
        else:
            if test in ("lo", "ls", "hi", "hs"):
                a, b = (self.read(x, kind.replace("s", "u")) for x in o[1:3])
            found = f"{a} {_TESTS[test]} {b}"
        if len(words) > 2:
            sign = {"and": "&&", "or": "||", "xor": "!="}[words[1]]
            found = f"({found}) {sign} {self.read(o[3], 'pred')}"
        return f"{o[0][1:]} = {found};"

    def op_selp(self, words: list[str], o: list[str], line: str) -> str:
        return f"{o[0][1:]} = {o[3][1:]} ? {self.bits(o[1])} : {self.bits(o[2])};"

    def op_fma(self, words: list[str], o: list[str], line: str) -> str:
        kind = self._plain(words, line)
        values = ", ".join(self.read(x, kind) for x in o[1:4])
        return self.put(o[0], f"fma{'f' if kind == 'f32' else ''}({values})", kind)

    def op_sqrt(self, words: list[str], o: list[str], line: str) -> str:
        kind = self._plain(words, line)
        return self.put(o[0], f"sqrt{'f' if kind == 'f32' else ''}({self.read(o[1], kind)})", kind)

    def op_rcp(self, words: list[str], o: list[str], line: str) -> str:
        kind = self._plain(words, line)
        return self.put(o[0], f"1 / {self.read(o[1], kind)}", kind)

    def op_neg(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        if floating(kind):
            return f"{o[0][1:]} = {self.bits(o[1])} ^ {_SIGN[kind]};"
        return self.put(o[0], f"-({_C[kind.replace('s', 'u')]}){self.read(o[1], kind)}", kind)

    def op_abs(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        if floating(kind):
            return f"{o[0][1:]} = {self.bits(o[1])} & ~{_SIGN[kind]};"
        v = self.read(o[1], kind)
        return self.put(o[0], f"{v} < 0 ? -{v} : {v}", kind)

    def op_copysign(self, words: list[str], o: list[str], line: str) -> str:
        sign = _SIGN[words[-1]]
        return f"{o[0][1:]} = ({self.bits(o[1])} & {sign}) | ({self.bits(o[2])} & ~{sign});"

    def op_not(self, words: list[str], o: list[str], line: str) -> str:
        sign = "!" if words[-1] == "pred" else "~"
        return self.put(o[0], f"{sign}{self.read(o[1], words[-1])}", words[-1])

    def op_mad(self, words: list[str], o: list[str], line: str) -> str:
        return self._product(words, o, f" + {self.read(o[3], _wide(words))}")

    def op_mul(self, words: list[str], o: list[str], line: str) -> str:
        if floating(words[-1]):
            return self._binary("mul", words, o, line)
        return self._product(words, o, "")

    def _product(self, words: list[str], o: list[str], more: str) -> str:
        kind = words[-1]
        a, b = (self.read(x, kind) for x in o[1:3])
        if "wide" in words:
            wide = _C[_wide(words)]
            return self.put(o[0], f"({wide}){a} * ({wide}){b}{more}", _wide(words))
        if "hi" in words:
            large = f"{'unsigned ' if kind[0] == 'u' else ''}__int128"
            return self.put(o[0], f"(({large}){a} * {b}) >> {kind[1:]}{more}", kind)
        return self.put(o[0], f"{a} * {b}{more}", kind)

    def op_shl(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        a, n = self.read(o[1], kind), self.read(o[2], "u32")
        return self.put(o[0], f"{n} > {int(kind[1:]) - 1} ? 0 : {a} << {n}", kind)

    def op_shr(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        a, n = self.read(o[1], kind), self.read(o[2], "u32")
        beyond = f"({a} < 0 ? -1 : 0)" if kind[0] == "s" else "0"
        return self.put(o[0], f"{n} > {int(kind[1:]) - 1} ? {beyond} : {a} >> {n}", kind)

    def op_min(self, words: list[str], o: list[str], line: str) -> str:
        return self._extreme("min", "<", words, o)

    def op_max(self, words: list[str], o: list[str], line: str) -> str:
        return self._extreme("max", ">", words, o)

    def _extreme(self, op: str, sign: str, words: list[str], o: list[str]) -> str:
        kind = words[-1]
        a, b = (self.read(x, kind) for x in o[1:3])
        if floating(kind):
            # Of zeros, the one with a sign is the smaller.
            turned = sign.translate(_TURNED)
            order = f"({a} == {b} ? signbit({a}) {turned} signbit({b}) : {a} {sign} {b})"
            return self.put(o[0], f"{b} != {b} || {order} ? {a} : {b}", kind)
        return self.put(o[0], f"{a} {sign} {b} ? {a} : {b}", kind)

    def op_prmt(self, words: list[str], o: list[str], line: str) -> str:
        """The bytes of two words that a number names, four bits each."""
        if words != ["b32"] or not o[3].isdigit() or int(o[3]) & 0x8888:
            raise Unknown(line)
        both = f"((uint64_t){self.bits(o[2])} << 32 | (uint32_t){self.bits(o[1])})"
        chosen = [int(o[3]) >> 4 * k & 7 for k in range(4)]
        parts = (f"({both} >> {8 * c} & 255) << {8 * k}" for k, c in enumerate(chosen))
        return f"{o[0][1:]} = {' | '.join(parts)};"

    def op_popc(self, words: list[str], o: list[str], line: str) -> str:
        return f"{o[0][1:]} = __builtin_popcountll({self.read(o[1], words[-1])});"

    def op_clz(self, words: list[str], o: list[str], line: str) -> str:
        v, bits = self.read(o[1], words[-1]), int(words[-1][1:])
        return f"{o[0][1:]} = {v} ? __builtin_clzll({v}) - {64 - bits} : {bits};"

    def op_bfi(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        part, whole, at, size = (
            self.read(x, kind if k < 2 else "u32") for k, x in enumerate(o[1:5])
        )
        mask = f"(((({_C[kind]})1 << {size}) - 1) << {at})"
        return self.put(o[0], f"(({part} << {at}) & {mask}) | ({whole} & ~{mask})", kind)

    def op_bfe(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        v, at, size = (self.read(x, kind if k < 1 else "u32") for k, x in enumerate(o[1:4]))
        if kind[0] == "u":
            return self.put(o[0], f"({v} >> {at}) & ((({_C[kind]})1 << {size}) - 1)", kind)
        bits = int(kind[1:])
        return self.put(o[0], f"({v} << ({bits} - {size} - {at})) >> ({bits} - {size})", kind)

    def _plain(self, words: list[str], line: str) -> str:
        if "ftz" in words or "approx" in words or "full" in words:
            raise Unknown(line)
        return words[-1]

    def _binary(self, op: str, words: list[str], o: list[str], line: str) -> str:
        kind = self._plain(words, line)
        a, b = (self.read(x, kind) for x in o[1:3])
        return self.put(o[0], f"{a} {_SIGNS[op]} {b}", kind)


for _op in ("add", "sub", "div", "rem", "and", "or", "xor"):
    setattr(Translation, f"op_{_op}", functools.partialmethod(Translation._binary, _op))
_TURNED = str.maketrans("<>", "><")
_SIGN = {"f64": "0x8000000000000000ull", "f32": "0x80000000u", "f16": "0x8000u"}


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


def _wide(words: list[str]) -> str:
    kind = words[-1]
    return f"{kind[0]}{2 * int(kind[1:])}" if "wide" in words else kind


def _saturated(value: str, to: str) -> str:
    """A floating value as an integer: the nearest there is, and 0 for NaN."""
    bits = int(to[1:])
    low = f"-0x1p{bits - 1}" if to[0] == "s" else "0"
    high = f"0x1p{bits - (to[0] == 's')}"
    least = f"({_C[to]}){'((uint64_t)1 << ' + str(bits - 1) + ')' if to[0] == 's' else '0'}"
    most = f"({_C[to]})~{least}"
    v = value
    return f"{v} != {v} ? 0 : {v} < {low} ? {least} : {v} >= {high} ? {most} : ({_C[to]})({v})"


class _Counts:
    """How many vectors have been loaded and stored, by all kernels."""

    def __init__(self) -> None:
        self.places: list[ctypes.c_uint64] = []

    def __getitem__(self, name: str) -> int:
        assert name == "vectors"
        return sum(place.value for place in self.places)

    def clear(self) -> None:
        for place in self.places:
            place.value = 0


counts = _Counts()


@functools.cache
def library(ptx: str) -> Any:
    """A kernel's PTX as C: ``launch(parameters, grid, block, order)``, which gives 0 or a fault."""
    found = compiled(Translation(ptx).text())
    counts.places.append(ctypes.c_uint64.in_dll(found, "vectors"))
    return found


def compiled(text: str) -> Any:
    """The library of C's text."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    place = Path(tempfile.gettempdir()) / f"tracejit_ptx_{name}.so"
    if not place.exists():
        flags = "-O1 -ffp-contract=off -mfma -shared -fPIC -fwrapv -fno-strict-aliasing -w".split()
        made = place.with_suffix(f".{os.getpid()}")  # other processes may be about it, too
        command = ["gcc", *flags, "-x", "c", "-", "-o", str(made), "-lm"]
        subprocess.run(command, input=text.encode(), check=True)
        made.rename(place)
    return ctypes.CDLL(str(place))
