"""The best local alignment of two sequences, by dynamic programming (Smith and Waterman 1981).

Run: python examples/alignment.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def align(a: Array, b: Array, match: int, mismatch: int, gap: int) -> tuple[Any, Array]:
    """The best score of `a` (n,) and `b` (m,), and all scores: (n + 1, m + 1)."""
    score = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    best = 0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = match if a[i - 1] == b[j - 1] else mismatch
            here = max(0, score[i - 1, j - 1] + same, score[i - 1, j] + gap, score[i, j - 1] + gap)
            score[i, j] = here
            if here > best:
                best = here
    return best, score


def main() -> None:
    rng = np.random.default_rng(11)
    gene = rng.integers(0, 4, 600)
    changed = gene.copy()
    changed[rng.integers(0, 600, 60)] = rng.integers(0, 4, 60)
    compiled = tracejit.function(align, on_unsupported="error")
    for n in (1, 30):
        best, scores = compiled(gene[:n], changed[:n], 2, -1, -2)
        expected, table = align(gene[:n], changed[:n], 2, -1, -2)
        assert best == expected and type(best) is type(expected)
        np.testing.assert_array_equal(scores, table)
    unrelated, _ = compiled(gene, rng.integers(0, 4, 600), 2, -1, -2)
    best, _ = compiled(gene, changed, 2, -1, -2)
    assert best > 3 * unrelated
    print(f"a gene and its mutation score {best}, a gene and noise {unrelated}")


if __name__ == "__main__":
    main()
