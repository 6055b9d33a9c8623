"""Planets around a star, moved in place by leapfrog steps (Verlet 1967).

Run: python examples/planets.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def accelerations(places: Array, masses: Array) -> Array:
    """What each of the bodies (n, 3) is pulled by, for a constant of gravity of 1: (n, 3)."""
    apart = places[None, :, :] - places[:, None, :]
    square = (apart**2).sum(axis=-1) + 1e-9
    return (masses[None, :, None] * apart / (square * np.sqrt(square))[:, :, None]).sum(axis=1)


def move(places: Array, speeds: Array, masses: Array, steps: int, dt: float) -> None:
    """So many steps of length `dt`: `places` and `speeds` (n, 3) are changed."""
    for _ in range(steps):
        speeds += dt / 2 * accelerations(places, masses)
        places += dt * speeds
        speeds += dt / 2 * accelerations(places, masses)


def energy(places: Array, speeds: Array, masses: Array) -> Any:
    """The energy of the bodies, which stays: a scalar."""
    total = 0.5 * (masses[:, None] * speeds**2).sum()
    for i in range(len(masses)):
        for j in range(i):
            total -= masses[i] * masses[j] / np.sqrt(((places[i] - places[j]) ** 2).sum())
    return total


def system(n: int) -> tuple[Array, Array, Array]:
    """Places, speeds (n, 3) and masses (n,): the star, and planets on circles around it."""
    rng = np.random.default_rng(3)
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.linspace(0.5, 3, n)
    round_, along = (
        np.stack([np.cos(angle), np.sin(angle)]),
        np.stack([-np.sin(angle), np.cos(angle)]),
    )
    places, speeds = np.zeros((n, 3)), np.zeros((n, 3))
    places[1:, :2] = (radius * round_).T[1:]
    speeds[1:, :2] = (along / np.sqrt(radius)).T[1:]
    masses = np.full(n, 1e-6)
    masses[0] = 1.0
    return places, speeds, masses


def main() -> None:
    compiled = tracejit.function(move, on_unsupported="error")
    places, speeds, masses = system(20)
    others, their_speeds, _ = system(20)
    before = energy(places, speeds, masses)
    compiled(places, speeds, masses, 200, 1e-3)
    move(others, their_speeds, masses, 200, 1e-3)
    np.testing.assert_allclose(places, others, rtol=1e-9)
    compiled(places, speeds, masses, 20_000, 1e-3)
    assert compiled.stats.compiles == 1
    lost = abs(energy(places, speeds, masses) / before - 1)
    assert lost < 1e-5
    print(f"20,200 steps of 20 bodies; of their energy {lost:.1e} was lost")


if __name__ == "__main__":
    main()
