"""The table of generalised ufuncs: NumPy's own loops over stacks of matrices, or of rows.

A row declares one. It is called from compiled code by its loop, and by name from the interpreter.
Results of one call are nodes of their own over the same operands; another node tells whether the
call has done what it should. So a row has as many results as its ``signature`` says, and one more.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracejit.ir import build, dims, ops
from tracejit.ir.dims import Dim
from tracejit.ir.node import ArrayType, Node, make
from tracejit.ir.types import BOOL
from tracejit.native import lapack

#: The axes of an operand or a result that a loop itself goes over, by name.
Core = tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Gufunc:
    """A generalised ufunc of a module, or a routine of LAPACK's, called matrix by matrix.

    `signature`  its core dimensions, operand by operand and result by result
    `raises`     the message where the loop reports an invalid value; "" where it does not
    `written`    which operand the loop writes into, whose copy is the first result then
    `of`         the name in the module, where another row has it
    `routine`    the arguments of LAPACK's routine: a letter in quotes, the place of an operand or
                 result (the written one is an operand), a length (``m+``: 1 at least), ``info``,
                 or ``told`` where that is no failure
    """

    name: str
    module: str
    signature: str
    raises: str = ""
    written: int | None = None
    of: str = ""
    routine: str = ""

    @functools.cached_property
    def cores(self) -> tuple[tuple[Core, ...], tuple[Core, ...]]:
        """The core dimensions of operands and of results."""
        inputs, outputs = self.signature.split("->")
        return _parsed(inputs), _parsed(outputs)

    @functools.cached_property
    def symbols(self) -> Core:
        """The core dimensions in the order in which the loop is given their lengths."""
        inputs, outputs = self.cores
        return tuple(dict.fromkeys(s for core in (*inputs, *outputs) for s in core))

    def loop(self, types: str) -> tuple[str, str]:
        """The loop's own types and signature, for those of the row."""
        operands, results = types.split("->")
        taken, given = self.signature.split("->")
        if self.written is not None:
            results, given = results[1:], given.split("),", 1)[1]
        return f"{operands}->{results}", f"{taken}->{given}"

    @property
    def ufunc(self) -> Any:
        """NumPy's ufunc. LookupError where it has none of this name and signature."""
        if self.routine:
            return lapack.find(("z" if self.of.startswith("he") else "d") + self.of)
        found = getattr(importlib.import_module(self.module), self.of or self.name, None)
        told = getattr(found, "signature", None)
        own = self.loop("d" * len(self.cores[0]) + "->" + "d" * len(self.cores[1]))[1]
        if not isinstance(told, str) or _renamed(told) != _renamed(own):
            raise LookupError(f"this NumPy has no {self.module}.{self.name}{self.signature}")
        return found

    def run(
        self, args: Sequence[Any], types: str, shapes: Sequence[tuple[int, ...]]
    ) -> list[np.ndarray]:
        """The results in NumPy, of these shapes. LinAlgError where the loop reports a failure."""
        stacked = any(np.ndim(a) > len(core) for a, core in zip(args, self.cores[0], strict=True))
        results = [np.empty(s, c) for s, c in zip(shapes, types.split("->")[1], strict=True)]
        given = [
            out if core or stacked else out.reshape(())
            for out, core in zip(results, self.cores[1], strict=True)
        ]
        operands = list(args)
        if self.written is not None:
            results[0][...] = args[self.written]
            operands[self.written] = given.pop(0)
        if self.routine:
            self._run_routine([*operands, *given], types[0])
            return results

        def fail(*told: Any) -> None:
            raise np.linalg.LinAlgError(self.raises)

        modes = {"call": fail, "invalid": "call"} if self.raises else {}
        with np.errstate(**modes):  # type: ignore[arg-type]
            self.ufunc(*operands, out=tuple(given), signature=self.loop(types)[0])
        return results

    def _run_routine(self, arrays: list[np.ndarray], char: str) -> None:
        """Call LAPACK's routine for each matrix of the stack."""
        inputs, outputs = self.cores
        cores = [*inputs, *outputs[self.written is not None :]]
        arrays = [np.ascontiguousarray(a) for a in arrays]
        lengths: dict[str, int] = {}
        for a, core in zip(arrays, cores, strict=True):
            lengths |= dict(zip(core, a.shape[a.ndim - len(core) :], strict=True))
        parts = [
            a.reshape(-1, *a.shape[a.ndim - len(core) :])
            for a, core in zip(arrays, cores, strict=True)
        ]
        info = np.zeros((), np.int32)
        for k in range(max(map(len, parts))):
            made = []
            for word in self.routine.split():
                if word in ("info", "told"):
                    made.append(info if word == "info" else np.zeros((), np.int32))
                elif word[0] == "'":
                    made.append(np.frombuffer(word[1].encode(), np.uint8))
                elif word.isdigit():
                    made.append(parts[int(word)][k % len(parts[int(word)]), ...])
                else:
                    length = lengths[word.rstrip("+")]
                    made.append(np.array(max(length, 1) if word[-1] == "+" else length, np.int32))
            lapack.call(self.letter(char) + self.of, *(x.ctypes.data for x in made))
            if info:
                raise np.linalg.LinAlgError(self.raises)

    @staticmethod
    def letter(char: str) -> str:
        """The first letter of a routine's name for a dtype."""
        return {"f": "s", "d": "d", "F": "c", "D": "z"}[char]


def _parsed(text: str) -> tuple[Core, ...]:
    parts = re.findall(r"\(([^()]*)\)", text)
    return tuple(tuple(part.split(",")) if part else () for part in parts)


def _renamed(signature: str) -> str:
    """A signature whose dimensions are numbered as they come."""
    numbers: dict[str, str] = {}
    return re.sub(
        r"\w+", lambda name: numbers.setdefault(name[0], str(len(numbers))), signature
    ).replace(" ", "")


_LINEAR = "numpy.linalg._umath_linalg"
_FOURIER = "numpy.fft._pocketfft_umath"
_SINGULAR = "Singular matrix"
_POSITIVE = "Matrix is not positive definite"
_EIGENVALUES = "Eigenvalues did not converge"
_VALUES = "SVD did not converge"
_ARGUMENT = "Incorrect argument found while performing QR factorization"


def _linear(name: str, signature: str, raises: str = "", **more: Any) -> Gufunc:
    return Gufunc(name=name, module=_LINEAR, signature=signature, raises=raises, **more)


def _fourier(name: str) -> Gufunc:
    return Gufunc(name=name, module=_FOURIER, signature="(n),()->(m)")


def _lapack(name: str, signature: str, routine: str, written: int | None, of: str = "") -> Gufunc:
    return Gufunc(
        name=name,
        module="scipy.linalg.cython_lapack",
        signature=signature,
        raises="LAPACK has not succeeded",
        written=written,
        of=of or name,
        routine=routine,
    )


#: Solutions are rows, and matrices in C order are LAPACK's transposed.
_TRIANGULAR = [
    _lapack(
        f"trtrs_{kind}{turned}{unit}",
        "(m,m),(k,m)->(k,m)",
        f"'{kind}' '{turned}' '{unit}' m k 0 m+ 1 m+ info",
        written=1,
        of="trtrs",
    )
    for kind in "UL"
    for turned in "NT"
    for unit in "NU"
]

#: All eigenvalues and vectors of a matrix: the second operand stands for limits that are not read.
_HERMITIAN = [
    row
    for way in "LU"
    for row in (
        _lapack(
            f"syevr_{way}",
            "(m,m),()->(m,m),(),(m),(m,m),(t),(w),(v)",
            f"'V' 'A' '{way}' m 0 m+ 1 1 m m 1 2 3 4 m+ 5 6 w 7 v info",
            written=0,
            of="syevr",
        ),
        _lapack(
            f"heevr_{way}",
            "(m,m),()->(m,m),(),(m),(m,m),(t),(w),(u),(v)",
            f"'V' 'A' '{way}' m 0 m+ 1 1 m m 1 2 3 4 m+ 5 6 w 7 u 8 v info",
            written=0,
            of="heevr",
        ),
    )
]

#: Bands of positive definite matrices, and solutions by their factors.
_BANDS = [
    row
    for way in "LU"
    for row in (
        _lapack(f"pbtrf_{way}", "(n,l),()->(n,l)", f"'{way}' n 1 0 l info", 0, of="pbtrf"),
        _lapack(
            f"pbtrs_{way}", "(n,l),(),(k,n)->(k,n)", f"'{way}' n 1 k 0 l 2 n+ info", 2, of="pbtrs"
        ),
    )
]

#: By name. Where the last dimension of a result is not that of an operand, the caller gives it.
GUFUNCS: dict[str, Gufunc] = {
    row.name: row
    for row in (
        _linear("solve", "(m,m),(m,n)->(m,n)", _SINGULAR),
        _linear("solve1", "(m,m),(m)->(m)", _SINGULAR),
        _linear("inv", "(m,m)->(m,m)", _SINGULAR),
        _linear("inv_or_nan", "(m,m)->(m,m)", of="inv"),
        _linear("det", "(m,m)->()"),
        _linear("slogdet", "(m,m)->(),()"),
        _linear("cholesky_lo", "(m,m)->(m,m)", _POSITIVE),
        _linear("cholesky_up", "(m,m)->(m,m)", _POSITIVE),
        _linear("qr_r_raw", "(m,n)->(m,n),(p)", _ARGUMENT, written=0),
        _linear("qr_reduced", "(m,n),(k)->(m,k)", _ARGUMENT),
        _linear("qr_complete", "(m,n),(n)->(m,m)", _ARGUMENT),
        _linear("svd", "(m,n)->(p)", _VALUES),
        _linear("svd_s", "(m,n)->(m,p),(p),(p,n)", _VALUES),
        _linear("svd_f", "(m,n)->(m,m),(p),(n,n)", _VALUES),
        _linear("eigh_lo", "(m,m)->(m),(m,m)", _EIGENVALUES),
        _linear("eigh_up", "(m,m)->(m),(m,m)", _EIGENVALUES),
        _linear("eigvalsh_lo", "(m,m)->(m)", _EIGENVALUES),
        _linear("eigvalsh_up", "(m,m)->(m)", _EIGENVALUES),
        _linear("eig", "(m,m)->(m),(m,m)", _EIGENVALUES),
        _linear("eigvals", "(m,m)->(m)", _EIGENVALUES),
        _linear(
            "lstsq",
            "(m,n),(m,nrhs),()->(n,nrhs),(nrhs),(),(p)",
            "SVD did not converge in Linear Least Squares",
        ),
        *_TRIANGULAR,
        _lapack("getrf", "(n,m)->(n,m),(p)", "m n 0 m+ 1 info", written=0),
        _lapack("getrs", "(m,m),(m),(k,m)->(k,m)", "'N' m k 0 m+ 1 2 m+ info", written=2),
        _lapack(
            "getrs_turned", "(m,m),(m),(k,m)->(k,m)", "'T' m k 0 m+ 1 2 m+ info", 2, of="getrs"
        ),
        _lapack("gecon", "(m,m),()->(),(u),(v)", "'1' m 0 m+ 1 2 3 4 info", written=None),
        # Whether a factor is singular is of no account.
        _lapack("getrf_any", "(n,m)->(n,m),(p)", "m n 0 m+ 1 told", written=0, of="getrf"),
        _lapack("laswp", "(k,r),(p),()->(k,r)", "k 0 r 2 p 1 2", written=0),
        *_HERMITIAN,
        _lapack("gbtrf", "(n,l),(),()->(n,l),(p)", "n n 1 2 0 l 3 info", written=0),
        _lapack("gbtrs", "(n,l),(),(),(n),(k,n)->(k,n)", "'N' n 1 2 k 0 l 3 4 n+ info", written=4),
        *_BANDS,
        *map(_fourier, ("fft", "ifft", "rfft_n_even", "rfft_n_odd", "irfft")),
    )
}


def call(row: Gufunc, types: str, args: Sequence[Node], **lengths: Dim) -> tuple[list[Node], Node]:
    """The results of a row over operands of the dtypes that `types` says, and whether it worked.

    Their stacks are broadcast. `lengths` are those of core dimensions that no operand has.
    """
    inputs, outputs = row.cores
    cores = list(zip(args, inputs, strict=True))
    stack = build.broadcast_shapes([a.shape[: a.ndim - len(core)] for a, core in cores])
    operands = tuple(
        build.broadcast_to(a, (*stack, *a.shape[a.ndim - len(core) :])) if a.ndim > len(core) else a
        for a, core in cores
    )
    known = dict(lengths)
    for a, core in cores:
        for symbol, d in zip(core, a.shape[a.ndim - len(core) :], strict=True):
            known.setdefault(symbol, d)
    shapes = tuple((*stack, *(known[s] for s in core)) or (1,) for core in outputs)
    found = [result(row.name, types, k, shapes, operands) for k in range(len(outputs))]
    scalars = [not stack and not core for core in outputs]
    values = [
        build.view(node, (), ((0, 0, None),)) if scalar else node
        for node, scalar in zip(found, scalars, strict=True)
    ]
    return values, result(row.name, types, len(outputs), shapes, operands)


def result(
    name: str,
    types: str,
    which: int,
    shapes: tuple[tuple[Dim, ...], ...],
    args: tuple[Node, ...],
) -> Node:
    """A result of a call by its number, or, after the last, whether the call worked.

    A scalar is an array of one element.
    """
    attr = (name, types, which, shapes)
    if which == len(shapes):
        return make(ops.GUFUNC, args, attr, ArrayType(BOOL), build.solver().origin())
    dtype = np.dtype(types.split("->")[1][which])
    return make(ops.GUFUNC, args, attr, ArrayType(dtype, shapes[which]), build.solver().origin())


def sibling(node: Node, which: int) -> Node:
    """Another result of the call that `node` is a result of."""
    name, types, _, shapes = node.attr
    return result(name, types, which, shapes, node.args)


def worked(node: Node) -> Node:
    """Whether the call that `node` is a result of has done what it should."""
    return sibling(node, len(node.attr[3]))


def row_of(node: Node) -> Gufunc:
    """The row of a result."""
    return GUFUNCS[node.attr[0]]


def extents(node: Node) -> tuple[str, list[Dim]]:
    """How a call is given its operands, and how long the stack and each core dimension is.

    A letter an operand: "s" for a stack, "o" for one that all share, "n" for a number. The lengths
    of core dimensions are in the row's order.
    """
    row, shapes = row_of(node), node.attr[3]
    inputs, outputs = row.cores
    given = ""
    lengths: dict[str, Dim] = {}
    stack: tuple[Dim, ...] = ()
    for a, core in zip(node.args, inputs, strict=True):
        rank = a.ndim - len(core)
        given += "n" if not a.ndim else "s" if rank else "o"
        lengths |= dict(zip(core, a.shape[rank:], strict=True))
        stack = a.shape[:rank] or stack
    for core, shape in zip(outputs, shapes, strict=True):
        lengths |= dict(zip(core, shape[len(stack) :], strict=False))
    return given, [dims.product(stack), *(lengths[symbol] for symbol in row.symbols)]
