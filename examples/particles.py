"""Particles in a box as objects of a class: attributes are read and changed by compiled methods.

Run: python examples/particles.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


class Particles:
    """Particles that fall, are slowed down by the air, and bounce off the walls of a square."""

    gravity = 9.8

    def __init__(self, n: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.x, self.y = rng.random((2, n))
        self.u, self.v = rng.standard_normal((2, n))
        self.drag, self.bounce = 0.1, 0.9
        self.time, self.steps = 0.0, 0
        self.heights: list[Any] = []

    @property
    def energy(self) -> Array:
        """The energy of each particle of mass 1."""
        return 0.5 * (self.u**2 + self.v**2) + self.gravity * self.y

    def reflected(self, places: Array, speeds: Array) -> Array:
        """The speeds, turned around outside of the walls."""
        return np.where((places < 0) | (places > 1), -self.bounce * speeds, speeds)

    def step(self, dt: float) -> None:
        """Move all by the time `dt`."""
        drag = self.drag * np.sqrt(self.u**2 + self.v**2)
        self.u = self.u - dt * drag * self.u
        self.v = self.v - dt * (drag * self.v + self.gravity)
        self.x += dt * self.u
        self.y += dt * self.v
        self.u, self.v = self.reflected(self.x, self.u), self.reflected(self.y, self.v)
        self.time += dt
        self.steps += 1

    def run(self, steps: int, dt: float) -> Any:
        """Take so many steps, and note the mean height after each. The energy in the end."""
        for _ in range(steps):
            self.step(dt)
            self.heights.append(self.y.mean())
        return self.energy.sum()


run = tracejit.function(Particles.run, on_unsupported="error")


def main() -> None:
    compiled, plain = Particles(1000), Particles(1000)
    for _ in range(3):
        energy, expected = run(compiled, 100, 1e-3), plain.run(100, 1e-3)
        np.testing.assert_allclose(energy, expected)
    np.testing.assert_allclose(compiled.x, plain.x)
    np.testing.assert_allclose(compiled.heights, plain.heights)
    print(f"energy {energy:.1f} after {compiled.steps} steps, {compiled.time:.1f} s")
    print(f"traced {run.stats.traces} time, {run.stats.fallbacks} calls fell back")


if __name__ == "__main__":
    main()
