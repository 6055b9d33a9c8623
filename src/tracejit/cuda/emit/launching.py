"""What emits launches into the host's function, and memory that is made while it runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from tracejit.cuda.source import GridKernel, LibraryCall, ParameterKind
from tracejit.ir.node import Node
from tracejit.lower.emit.emitter import Emitter
from tracejit.lower.kernel.read import Written, read, statements
from tracejit.lower.kernel.statements import Block, Call, Do, Expr, Factory, Kernel
from tracejit.lower.kernel.text import Text, factory_text
from tracejit.lower.program import Buffer, Program

#: An operand of a kernel: what it is on the host, and as a parameter.
Operand = tuple[Expr, ParameterKind]


class Launching(Emitter):
    """The part of the host's emitter that kernels, however they are made, are launched by."""

    def __init__(self, program: Program, around: Any = None) -> None:
        super().__init__(program, around)
        #: The kernels by name.
        self.kernels: dict[str, GridKernel | LibraryCall] = {} if around is None else around.kernels
        #: What the names of arrays, and of the caller's scalars, are.
        self.kinds: dict[str, ParameterKind] = {} if around is None else around.kinds
        #: The emitter of the whole function.
        self.whole: Launching = self if around is None else around.whole
        #: What a user is told of what is done otherwise than on a CPU.
        self.remarks: list[str] = [] if around is None else around.remarks
        #: How many places there are that make temporaries.
        self._places = 0
        #: By block and mask, how many elements are true before each of its tiles.
        self._found: dict[tuple[Block, Node], str] = {}

    # Kernels ---------------------------------------------------------------------------------

    def launch(
        self,
        text: str,
        counts: tuple[Expr, Expr, Expr],
        operands: Sequence[Operand],
        threads: int = 0,
    ) -> None:
        """Emit a kernel that is written as text, and its launch, with what its parameters are.

        `counts` are the iterations along each axis of the grid, or blocks of so many `threads`.
        """
        name = self.written_kernel(text, [kind for _, kind in operands], threads)
        self.call_kernel(name, counts, [e for e, _ in operands])

    def written_kernel(self, text: str, kinds: Sequence[ParameterKind], threads: int = 0) -> str:
        """The name of a kernel that is written as text, for parameters of these kinds."""
        written = _read(text)
        name = f"kernel{len(self.kernels)}_{written.name}"
        kernel = Kernel(written.parameters, written.factories, written.body)
        self.kernels[name] = grid_kernel(name, kernel, tuple(kinds), threads)
        return name

    def script(self, text: str) -> None:
        """Emit statements that are written as text."""
        self.path[-1].body += statements(text)

    def call_kernel(
        self, name: str, counts: tuple[Expr, Expr, Expr], operands: Sequence[Expr]
    ) -> None:
        """Emit a launch of one of the kernels."""
        self.path[-1].add(Do(Call(name, (*counts, *operands))))

    def library(
        self,
        place: tuple[str, str],
        chars: str,
        operands: Sequence[Operand],
        row: str = "",
        given: str = "",
    ) -> str:
        """Emit a call of a library's function; the name of whether NumPy has to be asked."""
        name, answer = f"call{len(self.kernels)}_{place[1]}", self.fresh("v")
        kinds = tuple(kind for _, kind in operands)
        self.kernels[name] = LibraryCall(name, *place, kinds, chars, row, given)
        call = Call(name, (1, 1, 1, *(e for e, _ in operands)))
        if row:
            self.path[-1].assign(answer, call)
        else:
            self.path[-1].add(Do(call))
        return answer

    def note_traps(self, told: bool) -> None:
        """Take note of whether a kernel may tell that NumPy raises."""
        raise NotImplementedError

    def remark(self, text: str) -> None:
        """Tell the user something, once."""
        if text not in self.remarks:
            self.remarks.append(text)

    # Memory ----------------------------------------------------------------------------------

    def new(self, buffer: Buffer, extents: list[Expr]) -> Call:
        number = 1 + self.returned.index(buffer) if buffer.output else self._place()
        return self._made(buffer.node.dtype.char, number, extents)

    def temporary(self, char: str, *extents: Expr) -> str:
        """An array in the device's memory, until the function returns, or comes here again."""
        name = self.fresh("s")
        self.own.add(name)
        self.path[-1].assign(name, self._made(char, self._place(), extents))
        return name

    def _place(self) -> int:
        self.whole._places += 1
        return -self.whole._places

    def _made(self, char: str, number: int, extents: Sequence[Expr]) -> Call:
        name = f"made_{char.replace('?', 't')}_{len(extents)}"
        self.factories[name] = Factory("made", (char, len(extents)))
        return Call(name, (number, *extents))

    def view(self, node: Node, name: str, make: Factory, operands: tuple[Expr, ...]) -> str:
        """What a factory's function gives of the array that a view is of."""
        self.factories[name] = make
        found = self.fresh("s")
        call = Call(name, (self.array(node.args[0]), *operands))
        self.path[-1].assign(found, call, node.origin)
        return found

    # Masks -----------------------------------------------------------------------------------

    def found(self, mask: Node) -> str | None:
        """The array of what is true before each tile of a mask, where it has been computed."""
        each = (self._found.get((block, mask)) for block in self.path)
        return next((name for name in each if name is not None), None)

    def find(self, mask: Node, name: str) -> None:
        """Take note of that array."""
        self._found[self.path[-1], mask] = name


@functools.lru_cache(256)
def _read(text: str) -> Written:
    return read(text)


def grid_kernel(
    name: str,
    kernel: Kernel,
    kinds: tuple[ParameterKind, ...],
    threads: int = 0,
    width: int = 1,
    team: int = 1,
) -> GridKernel:
    """A kernel with its text."""
    text = Text()
    text.block(kernel.body)
    made = [factory_text(n, made) for n, made in sorted(kernel.factories.items())]
    head = [*made, *([""] if made else []), "@cuda.jit"]
    head.append(f"def {name}({', '.join(kernel.parameters)}):")
    return GridKernel(
        name, kernel, kinds, "\n".join([*head, *text.lines, ""]), threads, width, team
    )
