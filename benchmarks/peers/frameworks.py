"""The frameworks: how each is given an expression, at its best, and when it has finished.

A framework that keeps arrays of its own gets them so: what is measured is the work, and not the
way there. A class's constructor imports it; ``bind`` gives a call without arguments that returns
when the work is done, or raises `Unable` where the framework cannot express it.
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.peers.by_hand import ByHand
from benchmarks.peers.expressions import Expression

Bound = Callable[[], Any]


class Unable(Exception):
    """The framework has no way to write this."""


class NumPy:
    """NumPy itself."""

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        given = (np.random.default_rng(0),) if e.name == "price" else arrays
        return functools.partial(e.formula, np, *given)


class Tracejit:
    """``tracejit.function`` of the formula over NumPy; pricing by a family of Philox."""

    def __init__(self) -> None:
        import tracejit

        self.function = functools.partial(tracejit.function, on_unsupported="error")
        self.streams = tracejit.PhiloxRandomStreams(1)

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        formula, streams = e.formula, self.streams
        if e.name == "price":

            def price() -> Any:
                z = streams.normal((10_000_000,))
                return np.mean(np.maximum(100 * np.exp(0.2 * z - 0.02) - 100, 0))

            call: Bound = self.function(price)
            return call
        names = ", ".join(f"a{k}" for k in range(len(arrays)))
        plain = eval(f"lambda {names}: formula(np, {names})", {"formula": formula, "np": np})
        return functools.partial(self.function(plain), *arrays)


class JAX:
    """``jax.jit``, in double precision where the data is, on arrays of JAX's."""

    def __init__(self) -> None:
        import jax

        jax.config.update("jax_enable_x64", True)
        self.jax = jax

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        jax = self.jax
        if e.name == "price":

            def priced(key: Any) -> Any:
                key, now = jax.random.split(key)
                draw = SimpleNamespace(standard_normal=lambda n: jax.random.normal(now, (n,)))
                return e.formula(jax.numpy, draw)

            given: tuple[Any, ...] = (jax.random.key(0),)
            compiled = jax.jit(priced)
        else:
            given = tuple(jax.device_put(a) for a in arrays)
            compiled = jax.jit(functools.partial(e.formula, jax.numpy))
        return lambda: jax.block_until_ready(compiled(*given))


class Torch:
    """``torch.compile`` of the formula, on tensors."""

    def __init__(self) -> None:
        import torch

        self.torch = torch
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.xp = SimpleNamespace(
            exp=torch.exp, log=torch.log, sqrt=torch.sqrt, tanh=torch.tanh, sin=torch.sin,
            cos=torch.cos, where=torch.where, abs=torch.abs, sum=torch.sum, mean=torch.mean,
            max=torch.max, maximum=lambda a, b: torch.clamp_min(a, b),
            amax=lambda x, axis, keepdims: torch.amax(x, axis, keepdims),
        )  # fmt: skip

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        torch = self.torch
        draw = SimpleNamespace(standard_normal=lambda n: torch.randn(n, dtype=torch.float64))
        tensors = [draw] if e.name == "price" else [torch.from_numpy(a) for a in arrays]
        torch._dynamo.reset()
        formula = functools.partial(e.formula, self.xp)
        if e.name == "price":
            formula, tensors = functools.partial(formula, draw), []
        compiled = torch.compile(formula)

        def call() -> Any:
            with torch.inference_mode():
                return compiled(*tensors)

        return call


class DrJit:
    """Dr.Jit's LLVM backend, on arrays of its own."""

    def __init__(self) -> None:
        if "DRJIT_LIBLLVM_PATH" not in os.environ:
            found = sorted(glob.glob("/usr/lib/*/libLLVM-*.so"))
            if found:
                os.environ["DRJIT_LIBLLVM_PATH"] = found[-1]
        import drjit
        from drjit import llvm

        self.dr, self.llvm = drjit, llvm
        self.xp = SimpleNamespace(
            exp=drjit.exp, log=drjit.log, sqrt=drjit.sqrt, tanh=drjit.tanh, sin=drjit.sin,
            cos=drjit.cos, sum=drjit.sum, max=drjit.max, mean=drjit.mean, maximum=drjit.maximum,
        )  # fmt: skip

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        dr = self.dr
        if not e.flat:  # and its normal numbers in double precision crash LLVM 15
            raise Unable(f"no {e.name} of Dr.Jit's")
        kinds = {"float64": self.llvm.Float64, "float32": self.llvm.Float}
        given = [kinds[a.dtype.name](a) for a in arrays]
        dr.eval(*given)
        formula, xp = e.formula, self.xp

        def call() -> Any:
            result = formula(xp, *given)
            dr.eval(result)
            dr.sync_thread()
            return result

        return call


class NumExpr:
    """``numexpr.evaluate`` of the expression's text."""

    def __init__(self) -> None:
        import numexpr

        self.numexpr = numexpr
        numexpr.set_num_threads(len(os.sched_getaffinity(0)))

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        if not e.numexpr:
            raise Unable(f"numexpr has no {e.name}")
        names = e.formula.__code__.co_varnames[1 : 1 + len(arrays)]
        given = dict(zip(names, arrays, strict=True))
        evaluate = self.numexpr.evaluate
        return lambda: evaluate(e.numexpr, given)


class PyTensor:
    """PyTensor's Numba mode."""

    def __init__(self) -> None:
        import pytensor
        import pytensor.tensor as pt

        self.pytensor, self.pt = pytensor, pt
        self.xp = SimpleNamespace(
            exp=pt.exp, log=pt.log, sqrt=pt.sqrt, tanh=pt.tanh, sin=pt.sin, cos=pt.cos,
            where=pt.where, abs=pt.abs, sum=pt.sum, mean=pt.mean, max=pt.max, amax=pt.max,
        )  # fmt: skip

    def bind(self, e: Expression, arrays: tuple[Any, ...]) -> Bound:
        if e.name in ("price", "masks", "mandelbrot"):
            raise Unable(f"PyTensor has no {e.name} here")
        inputs = [self.pt.tensor(dtype=a.dtype.name, shape=(None,) * a.ndim) for a in arrays]
        outputs = e.formula(self.xp, *inputs)
        several = list(outputs) if isinstance(outputs, tuple) else outputs
        compiled = self.pytensor.function(inputs, several, mode="NUMBA")
        return functools.partial(compiled, *arrays)


FRAMEWORKS: dict[str, type] = {
    "NumPy": NumPy,
    "tracejit": Tracejit,
    "Numba": ByHand,
    "JAX": JAX,
    "torch": Torch,
    "Dr.Jit": DrJit,
    "numexpr": NumExpr,
    "PyTensor": PyTensor,
}


#: The peers that compile array expressions, of which the best one counts. Loops that were written
#: by hand are shown beside them: they are what a compiler's call can at best cost.
COMPILERS = ("JAX", "torch", "Dr.Jit", "numexpr", "PyTensor")


def numbers(result: Any) -> list[np.ndarray]:
    """A result as arrays of NumPy's."""
    if isinstance(result, (tuple, list)):
        return [a for r in result for a in numbers(r)]
    return [np.asarray(result)]
