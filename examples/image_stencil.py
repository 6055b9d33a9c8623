"""Edges of an image by a five-point stencil: slices become index arithmetic, not arrays.

Run: python examples/image_stencil.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tracejit

Array = np.ndarray[Any, np.dtype[Any]]


def edges(image: Array, strength: float) -> Array:
    """The image (h, w) sharpened by its Laplacian, clipped to [0, 1]: (h - 2, w - 2)."""
    middle = image[1:-1, 1:-1]
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return np.clip(middle + strength * (4 * middle - around), 0.0, 1.0)


def main() -> None:
    compiled = tracejit.function(edges, on_unsupported="error")
    rng = np.random.default_rng(0)
    for height, width in ((480, 640), (1080, 1920), (33, 71)):
        y, x = np.mgrid[:height, :width]
        disc = np.hypot(y - height / 2, x - width / 2) < min(height, width) / 3
        image = 0.2 + 0.6 * disc + 0.05 * rng.random((height, width))
        # Views that NumPy code makes all the time: mirrored, transposed, every other row.
        for view in (image, image[:, ::-1], image.T, image[::2]):
            np.testing.assert_allclose(compiled(view, 0.8), edges(view, 0.8), rtol=1e-12)
    print(compiled.explain())


if __name__ == "__main__":
    main()
