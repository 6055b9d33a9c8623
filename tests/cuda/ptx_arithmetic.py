"""Instructions of PTX that compute, as C."""

from __future__ import annotations

import functools

from ptx_operands import C, Operands, Unknown, floating

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
_TURNED = str.maketrans("<>", "><")
_SIGN = {"f64": "0x8000000000000000ull", "f32": "0x80000000u", "f16": "0x8000u"}


class Arithmetic(Operands):
    """What an instruction gives, by its name: ``op_NAME``."""

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
        return self.put(o[0], f"-({C[kind.replace('s', 'u')]}){self.read(o[1], kind)}", kind)

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
            wide = C[_wide(words)]
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
        mask = f"(((({C[kind]})1 << {size}) - 1) << {at})"
        return self.put(o[0], f"(({part} << {at}) & {mask}) | ({whole} & ~{mask})", kind)

    def op_bfe(self, words: list[str], o: list[str], line: str) -> str:
        kind = words[-1]
        v, at, size = (self.read(x, kind if k < 1 else "u32") for k, x in enumerate(o[1:4]))
        if kind[0] == "u":
            return self.put(o[0], f"({v} >> {at}) & ((({C[kind]})1 << {size}) - 1)", kind)
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
    setattr(Arithmetic, f"op_{_op}", functools.partialmethod(Arithmetic._binary, _op))


def _wide(words: list[str]) -> str:
    kind = words[-1]
    return f"{kind[0]}{2 * int(kind[1:])}" if "wide" in words else kind


def _saturated(value: str, to: str) -> str:
    """A floating value as an integer: the nearest there is, and 0 for NaN."""
    bits = int(to[1:])
    low = f"-0x1p{bits - 1}" if to[0] == "s" else "0"
    high = f"0x1p{bits - (to[0] == 's')}"
    least = f"({C[to]}){'((uint64_t)1 << ' + str(bits - 1) + ')' if to[0] == 's' else '0'}"
    most = f"({C[to]})~{least}"
    v = value
    return f"{v} != {v} ? 0 : {v} < {low} ? {least} : {v} >= {high} ? {most} : ({C[to]})({v})"
