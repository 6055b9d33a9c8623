"""Values and gradients of sixty composite functions, against JAX in float64."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.special

import tracejit

RNG = np.random.default_rng(7)
#: ``x`` has 7 elements, ``p`` too, all between 0.2 and 2; ``m`` is 5 × 4, ``w`` has 4, ``s`` is a
#: 4 × 4 matrix, ``k`` positions, one of them twice.
POINT = {
    "x": RNG.normal(size=7),
    "p": RNG.uniform(0.2, 2.0, 7),
    "m": RNG.normal(size=(5, 4)),
    "w": RNG.normal(size=4),
    "s": RNG.normal(size=(4, 4)),
}
CONSTANTS = {"k": np.array([0, 3, 3, 1]), "labels": np.array([0, 2, 1, 3, 2])}

COMPOSITES = """
(x**2).sum()
np.sin(x).sum() * np.cos(p).prod()
np.exp(-(x**2) / 2).mean()
np.log(p).sum() + np.sqrt(p).sum()
(1 / (1 + np.exp(-x))).sum()
np.log1p(np.exp(x)).sum()
-(np.log(1 / (1 + np.exp(-x))) * p).sum()
np.tanh(m @ w).sum()
((m @ w - 1) ** 2).mean() + 0.1 * (w**2).sum()
np.log(np.exp(m).sum(axis=1)).sum()
(np.exp(m) / np.exp(m).sum(axis=1, keepdims=True))[:, 0].sum()
-np.log((np.exp(m) / np.exp(m).sum(axis=1, keepdims=True))[np.arange(5), labels]).mean()
special.ndtri(p / 3).sum() + special.log_ndtr(x).sum() + special.betaln(p, p + 1).sum()
np.linalg.norm(x) * np.linalg.norm(m)
np.linalg.norm(m, axis=1).sum()
(s @ s.T).trace()
np.einsum('ij,jk,ki->', s, s, s)
np.einsum('ij,j->i', m, w).prod()
np.outer(x, p).sum() + np.inner(x, p)
np.dot(m.T, m).max()
np.tensordot(m, s, axes=1).min()
(m - m.mean(axis=0)).std()
((m - m.mean(axis=1, keepdims=True)) / m.std(axis=1, keepdims=True))[1, 2]
m.var(axis=0).sum() + x.var()
np.prod(p) * np.prod(x[:3])
np.cumsum(x)[-3:].sum() + np.cumsum(x * p).max()
np.cumprod(p).sum()
np.sort(x)[2] * np.sort(x)[-1] - np.median(p)
np.where(x > 0, x**3, np.sin(x)).sum()
np.maximum(x, 0).sum() + np.minimum(x, p).sum()
np.clip(x, -0.5, 0.5).sum() * 3
np.abs(x).sum() + np.abs(m).max()
np.concatenate([x, p])[3:11].prod()
np.stack([x, p])[:, ::2].sum() * np.hstack([w, x]).sum()
x[k].sum() * p[k].prod()
x[::-1][1:4] @ p[2:5]
m[1:4, ::-2].sum() ** 2
m.reshape(4, 5)[2].prod() + m.T[1].sum()
np.transpose(m)[::-1].ravel()[3:9].prod()
np.roll(x, 2)[0] * np.flip(p)[1] + np.tile(w, 3).sum()
np.repeat(w, 2)[1:5].prod()
np.diff(x).prod() + np.diag(s).sum() * np.trace(s)
np.tril(s).sum() * np.triu(s, 1).sum()
np.hypot(x, p).sum() + np.arctan2(x, p).sum()
np.logaddexp(x, p).sum() + np.logaddexp(x, -p)[0]
np.expm1(x).sum() * np.log2(p).sum() + np.log10(p).sum()
np.arcsin(p / 3).sum() + np.arccos(p / 3).sum() + np.arctan(x).sum()
np.sinh(x).sum() + np.cosh(x).sum() + np.arcsinh(x).sum() + np.arctanh(p / 3).sum()
(p**x).sum() + (p**2.5).sum() + (2.0**x).sum()
np.cbrt(p).sum() + np.square(x).sum() + np.reciprocal(p).sum()
special.erf(x).sum() + special.erfc(p).sum()
special.expit(x).sum() * special.logit(p / 3).sum()
special.gammaln(p).sum() + special.digamma(p).sum()
special.xlogy(p, p).sum() + special.entr(p).sum() + special.xlog1py(p, p).sum()
special.ndtr(x).sum() + special.i0e(x).sum() + special.i1e(p).sum()
np.mod(p, 0.7).sum() + np.fmod(x, 0.3).sum() + np.floor(x).sum() * p[0]
np.real(np.exp(1j * x)).sum() + np.abs(x + 1j * p).sum()
(np.where(x > 0, np.sqrt(np.where(x > 0, x, 1.0)), 0.0) * p).sum()
np.kron(w, w).sum() + np.vdot(x, p) + (w[:, None] * w[None, :] * s).sum()
np.ptp(x) + np.sum(m, axis=0, where=m > 0).prod() + np.average(x)
np.broadcast_to(w, (5, 4)).sum() + (m + w).prod(axis=1)[0] + np.squeeze(m[None]).sum()
""".strip().splitlines()


def program(text: str, scope: dict[str, Any]) -> tuple[Any, list[str]]:
    """The expression as a function of the arrays that it names."""
    code = compile(text, "<composite>", "eval")
    names = [n for n in POINT if n in code.co_names]
    scope = {**scope, **CONSTANTS}
    exec(f"def f({', '.join(names)}):\n    return {text}", scope)
    return scope["f"], names


def by_jax() -> list[Any]:
    """Values and gradients of all composites."""
    import jax

    jax.config.update("jax_enable_x64", True)
    found = []
    for text in COMPOSITES:
        f, names = program(text, {"np": jax.numpy, "special": jax.scipy.special})
        point = [POINT[n] for n in names]
        value, slopes = jax.value_and_grad(f, tuple(range(len(names))))(*point)
        found.append((np.asarray(value), [np.asarray(s) for s in slopes]))
    return found


@pytest.fixture(scope="module")
def expected():
    """What JAX gives, in a process of its own: it does not bear that its process forks."""
    pytest.importorskip("jax")
    done = subprocess.run([sys.executable, __file__], capture_output=True, check=True)
    return pickle.loads(done.stdout)


def test_there_are_sixty():
    assert len(set(COMPOSITES)) >= 60


@pytest.mark.parametrize("number", range(len(COMPOSITES)))
def test_composite(number, expected):
    """To 1e-12. One in six is compiled, the others interpreted."""
    f, names = program(COMPOSITES[number], {"np": np, "special": scipy.special})
    with tracejit.config(compile=number % 6 == 0):
        gradient = tracejit.value_and_grad(f, tuple(range(len(names))))
        value, found = gradient(*(POINT[n] for n in names))
    wanted_value, wanted = expected[number]
    np.testing.assert_allclose(value, wanted_value, rtol=1e-12)
    for name, got, want in zip(names, found, wanted, strict=True):
        scale = np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * scale, err_msg=name)


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(by_jax()))
