"""What a row of the table is, and the list of them all. No NumPy here: the driver is light."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, Literal

# Set before NumPy starts, in the process that measures: BLAS and OpenMP read them once.
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "TRACEJIT_THREADS": "1",
}


@dataclass(frozen=True)
class Row:
    """One figure: ``module`` holds ``measure()``, which returns a :class:`Figure`.

    ``required`` is a floor when ``better`` is "higher" and a ceiling when it is "lower".
    """

    name: str
    what: str
    module: str
    required: float
    better: Literal["higher", "lower"]
    form: str
    argument: str = ""
    one_thread: bool = False

    def passes(self, value: float) -> bool:
        return value >= self.required if self.better == "higher" else value <= self.required

    def show(self, value: float) -> str:
        return self.form.format(value)

    def show_required(self) -> str:
        bound = "at least" if self.better == "higher" else "at most"
        return f"{bound} {self.show(self.required)}"

    @property
    def command(self) -> str:
        return f"python -m benchmarks.run {self.name}"

    @property
    def environment(self) -> dict[str, str]:
        return dict(ONE_THREAD) if self.one_thread else {}

    def measure(self) -> Figure:
        module = import_module(f"benchmarks.workloads.{self.module}")
        figure: Figure = module.measure(self.argument) if self.argument else module.measure()
        return figure


@dataclass(frozen=True)
class Figure:
    """A measured value in the row's unit, and the numbers it came from (SI units)."""

    value: float
    parts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


GRADIENTS: tuple[tuple[str, str, float, Literal["higher", "lower"], str], ...] = (
    (
        "training",
        "a step of the tutorial's logistic regression, 400 × 784: speed-up over NumPy by hand",
        1.0,
        "higher",
        "{:.2f} ×",
    ),
    (
        "elementwise",
        "gradient of `sum(exp(-x*x) * sin(x) + x)`, 10 M: time in times of the sum's",
        3.0,
        "lower",
        "{:.2f}",
    ),
    (
        "graph",
        "gradient of a symbolic cost of 2,000 nodes: built and traced",
        1.0,
        "lower",
        "{:.2f} s",
    ),
    (
        "memory",
        "gradient of a 4-layer network, batch 4,096 × 784: peak memory in times of its activations",
        1.5,
        "lower",
        "{:.2f}",
    ),
    (
        "diffusion_1d",
        "gradient of 1,000 explicit steps on 10,000 points by their start: time in times of these",
        5.0,
        "lower",
        "{:.2f}",
    ),
    (
        "diffusion_2d",
        "the same on 200 × 200 points",
        5.0,
        "lower",
        "{:.2f}",
    ),
)

RANDOM: tuple[tuple[str, str, float, Literal["higher", "lower"], str], ...] = (
    (
        "mt19937",
        "10 M uniform numbers of `RandomStreams`, the same bits: speed-up over `RandomState`",
        2.5,
        "higher",
        "{:.1f} ×",
    ),
    (
        "mrg31k3p",
        "10 M uniform numbers of `MRG_RandomStreams`: speed-up over `RandomState`",
        1.0,
        "higher",
        "{:.1f} ×",
    ),
    (
        "mrg31k3p_threads",
        "the same on two threads: speed-up over one",
        1.8,
        "higher",
        "{:.2f} ×",
    ),
    (
        "philox",
        "10 M uniform numbers of `PhiloxRandomStreams`: speed-up over `Generator(Philox)`",
        2.5,
        "higher",
        "{:.1f} ×",
    ),
    ("philox_pcg64", "the same over `default_rng().random` (PCG64)", 1.5, "higher", "{:.2f} ×"),
    (
        "philox_normal",
        "10 M normal numbers: speed-up over `default_rng().standard_normal`",
        2.5,
        "higher",
        "{:.1f} ×",
    ),
    (
        "option_price",
        "option price of 10 M paths, one loop, no temporary, two threads: speed-up over NumPy",
        5.0,
        "higher",
        "{:.1f} ×",
    ),
    ("call", "the tutorial's `f()`, a 2 × 2 draw: one call", 3.0, "lower", "{:.2f} µs"),
)

#: Programs of array statements, and how many times faster than NumPy they are to be.
OVER_NUMPY = (
    ("jacobi", "Jacobi's steps for Poisson's equation on 500 × 500, until it converges", 3.0),
    ("heat", "1,000 steps of the heat equation on 500 × 500", 3.0),
    ("stencil", "a stencil of ten coefficients in three dimensions, masks, results given", 4.0),
    ("thomas", "tridiagonal systems along the last axis of a 100 × 100 × 100 field", 8.0),
    ("cavity", "Navier and Stokes' equations in a cavity by slices, 60 steps of 60 × 60", 8.0),
    ("gauss_seidel_rows", "Gauss and Seidel's iteration by rows", 5.0),
    ("gauss_seidel_elements", "Gauss and Seidel's iteration by elements", 100.0),
    ("crank_nicolson", "Crank and Nicolson's scheme, 10,000 steps", 3.0),
    ("nbody", "1,000 steps of 100 bodies, moved in place", 5.0),
    ("floyd_warshall", "Floyd and Warshall's shortest paths by rows, n = 200", 3.0),
    ("lu", "LU decomposition by slices, n = 200", 3.0),
    ("cholesky", "Cholesky's decomposition by slices, n = 200", 3.0),
    ("gram_schmidt", "Gram and Schmidt's orthogonal columns, n = 200", 3.0),
    ("triangular_solve", "a triangular system by slices, n = 200", 3.0),
    ("mandelbrot_masks", "Mandelbrot's set by masks in place", 3.0),
)
#: Programs of scalars in loops, and what share of the speed of Numba's of that source is asked for.
OVER_NUMBA = (
    ("matrix_product", "a matrix product in three loops", 0.9),
    ("common_subsequence", "the longest common subsequence of 1,000 letters", 0.9),
    ("escape", "Mandelbrot's set by a loop for each point", 0.9),
    ("csr_product", "a sparse matrix times a vector, row by row", 0.9),
    ("insertion_sort", "an insertion sort of 2,000 numbers", 0.9),
    ("collatz", "Collatz' sequences up to 20,000", 0.9),
    ("sieve", "the sieve of Eratosthenes up to a million", 0.9),
    ("queens", "eight queens, by backtracking", 0.9),
    ("histogram", "a histogram by a loop", 0.9),
)

PROGRAMS = (
    *(
        Row(
            f"program-{name.replace('_', '-')}",
            f"{what}: speed-up over NumPy",
            "programs",
            required=required,
            better="higher",
            form="{:.1f} ×",
            argument=f"{name}/NumPy",
            one_thread=True,
        )
        for name, what, required in OVER_NUMPY
    ),
    *(
        Row(
            f"program-{name}-threads",
            f"{what}, two threads: speed-up over NumPy",
            "programs",
            required=4.0,
            better="higher",
            form="{:.1f} ×",
            argument=f"{name}/NumPy/2",
        )
        for name, what, _ in OVER_NUMPY[:2]
    ),
    *(
        Row(
            f"program-{name.replace('_', '-')}",
            f"{what}: speed-up over Numba of that source",
            "programs",
            required=required,
            better="higher",
            form="{:.2f} ×",
            argument=f"{name}/Numba",
            one_thread=True,
        )
        for name, what, required in OVER_NUMBA
    ),
    Row(
        "program-scan",
        "a recurrence of 10,000 steps over ten numbers: one call",
        "programs",
        required=1.0,
        better="lower",
        form="{:.2f} ms",
        argument="scan",
        one_thread=True,
    ),
    Row(
        "program-fallback",
        "a function of which nothing is compiled: later calls, in times of the plain function's",
        "programs",
        required=1.05,
        better="lower",
        form="{:.2f}",
        argument="fallback",
        one_thread=True,
    ),
    Row(
        "program-first-call",
        "the slowest first call of these programs, warm process",
        "programs",
        required=1.5,
        better="lower",
        form="{:.2f} s",
        argument="first calls",
        one_thread=True,
    ),
    Row(
        "program-first-call-loop",
        "first call of a loop of one array statement, warm process",
        "programs",
        required=120.0,
        better="lower",
        form="{:.0f} ms",
        argument="first call of a loop",
        one_thread=True,
    ),
)

ROWS = (
    Row(
        "small-call",
        "two 8-element arrays, `1/(1+np.exp(-x))+y`, one call: share of NumPy's time",
        "small_call",
        required=0.5,
        better="lower",
        form="{:.2f}",
        one_thread=True,
    ),
    *(
        Row(
            f"small-{name}",
            f"eight numbers, {what}: one call",
            "small_call",
            required=0.6,
            better="lower",
            form="{:.2f} µs",
            argument=argument,
            one_thread=True,
        )
        for name, what, argument in (
            ("expression", "and eight more, `1/(1+np.exp(-x))+y`", "logistic"),
            ("write", "`x[0] = 1.0`", "write"),
            ("branch", "`x + 1` or `x - 1` by `if n > 3`", "branch"),
        )
    ),
    Row(
        "elementwise",
        "`(a*b + c) / (d - a)`, 10 M float64, one thread, fresh memory: speed-up over NumPy",
        "elementwise",
        required=1.8,
        better="higher",
        form="{:.1f} ×",
        one_thread=True,
    ),
    Row(
        "row-statistics",
        "`(x - mu) / sd` by rows, 10,000 × 784, one thread: speed-up over NumPy",
        "row_statistics",
        required=3.5,
        better="higher",
        form="{:.1f} ×",
        one_thread=True,
    ),
    Row(
        "pairwise",
        "pairwise squared distances, 1,000 × 1,000 × 64, summed over the last axis: speed-up",
        "pairwise",
        required=20.0,
        better="higher",
        form="{:.0f} ×",
        one_thread=True,
    ),
    Row(
        "pairwise-memory",
        "the same: peak memory above the inputs",
        "pairwise_memory",
        required=40.0,
        better="lower",
        form="{:.0f} MB",
        one_thread=True,
    ),
    Row(
        "objects",
        "a simulation by a class, 100 steps of 1,000 particles, one thread: speed-up over NumPy",
        "objects",
        required=5.0,
        better="higher",
        form="{:.0f} ×",
        one_thread=True,
    ),
    Row(
        "masks",
        "395 uses of boolean masks, 1,000 and 100,000 numbers: the slowest, in times of NumPy's",
        "masks",
        required=1.05,
        better="lower",
        form="{:.2f}",
        one_thread=True,
    ),
    Row(
        "not-slower",
        "single calls, five dtypes, 1,000 and 100,000 numbers: the slowest, in times of NumPy's",
        "not_slower",
        required=1.05,
        better="lower",
        form="{:.2f}",
        one_thread=True,
    ),
    Row(
        "first-call",
        "first call, one fused kernel, warm process",
        "first_call",
        required=110.0,
        better="lower",
        form="{:.0f} ms",
        argument="kernel",
    ),
    Row(
        "first-call-20",
        "first call, a program of 20 loops, warm process",
        "first_call",
        required=700.0,
        better="lower",
        form="{:.0f} ms",
        argument="loops",
    ),
    Row(
        "compile-time",
        "first call of a program with ten times as many steps, guards, arguments or results: "
        "time, at the most",
        "compile_time",
        required=20.0,
        better="lower",
        form="{:.1f} ×",
    ),
    *(
        Row(
            f"shapes-{argument}",
            f"50 shapes through {what}: traces and compiles, the larger",
            "shapes",
            required=1,
            better="lower",
            form="{:.0f}",
            argument=argument,
        )
        for argument, what in (
            ("elementwise", "an elementwise expression"),
            ("slices", "`x[1:-1] - x[:-2]`"),
            ("reshape", "`reshape(-1)` and sums"),
            ("zeros", "`np.zeros(n)` and a broadcast"),
        )
    ),
    *(
        Row(
            f"symbolic-{argument}",
            what,
            "symbolic",
            required=required,
            better="lower",
            form=form,
            argument=argument,
            one_thread=True,
        )
        for argument, what, required, form in (
            (
                "accumulator",
                "symbolic: `accumulator(1)`, a state updated: one call",
                2.0,
                "{:.2f} µs",
            ),
            (
                "call",
                "symbolic: a call on two 8-vectors, above the decorated one",
                0.5,
                "{:.2f} µs",
            ),
            (
                "minibatch",
                "symbolic: a minibatch step by `givens`, 100 of 2,000 × 20: one call",
                40.0,
                "{:.1f} µs",
            ),
            ("copy", "symbolic: `copy(swap=…)` and its first call", 5.0, "{:.2f} ms"),
            (
                "nodes",
                "symbolic: an expression of 5,000 nodes, built and compiled",
                8.0,
                "{:.1f} s",
            ),
        )
    ),
    *(
        Row(
            f"gradient-{argument}",
            what,
            "gradients",
            required=required,
            better=better,
            form=form,
            argument=argument,
            one_thread=argument not in ("memory", "training"),
        )
        for argument, what, required, better, form in GRADIENTS
    ),
    *(
        Row(
            f"random-{argument}",
            what,
            "random_numbers",
            required=required,
            better=better,
            form=form,
            argument=argument,
            one_thread=argument not in ("mrg31k3p_threads", "option_price"),
        )
        for argument, what, required, better, form in RANDOM
    ),
    *PROGRAMS,
    Row(
        "import",
        "`import tracejit` above `import numpy`",
        "new_process",
        required=60.0,
        better="lower",
        form="{:.0f} ms",
        argument="import",
    ),
    Row(
        "cached-process",
        "a new process that imports it and calls a function from the cache, above `import numpy`",
        "new_process",
        required=300.0,
        better="lower",
        form="{:.0f} ms",
        argument="cached",
    ),
)

BY_NAME = {row.name: row for row in ROWS}
