"""Convolutions by the older names of ``theano.tensor.nnet.conv``."""

from __future__ import annotations

from typing import Any

from tracejit.symbolic.convert import as_tensor_variable
from tracejit.tensor.nnet import convolutions
from tracejit.tensor.nnet.conv_shapes import get_conv_output_shape


def conv2d(
    input: Any, filters: Any, image_shape: Any = None, filter_shape: Any = None,
    border_mode: str = "valid", subsample: Any = (1, 1), **kargs: Any,
) -> Any:  # fmt: skip
    """`nnet.conv2d` with turned filters; `border_mode` is "valid" or "full".

    TypeError for options of the loops that it once chose between, but for those that chose nothing.
    """
    for name in kargs:
        if name not in _CHOICES:
            raise TypeError(f"conv2d() got an unexpected keyword argument {name!r}")
    if border_mode not in ("valid", "full"):
        raise ValueError(f"border_mode must be 'valid' or 'full', not {border_mode!r}")
    return convolutions.conv2d(
        input, filters, image_shape, filter_shape, border_mode, subsample, True
    )


#: How the loops of a convolution went. There is one way here, which has their values.
_CHOICES = frozenset(
    "unroll_batch unroll_kern unroll_patch openmp version verbose imshp kshp nkern bsize "
    "kshp_logical kshp_logical_top_aligned imshp_logical direction_hint".split()
)


class ConvOp:
    """``ConvOp(imshp, kshp, nkern, bsize, dx, dy, output_mode)(images, filters)``: see `conv2d`."""

    def __init__(
        self, imshp: Any = None, kshp: Any = None, nkern: Any = None, bsize: Any = None,
        dx: int = 1, dy: int = 1, output_mode: str = "valid", **kargs: Any,
    ) -> None:  # fmt: skip
        for name in kargs:
            if name not in _CHOICES:
                raise TypeError(f"ConvOp() got an unexpected keyword argument {name!r}")
        imshp = None if imshp is None else tuple(imshp)
        if imshp is not None and len(imshp) == 2:
            imshp = (1, *imshp)
        channels = None if imshp is None else imshp[0]
        self.out_mode = output_mode
        self.image_shape = None if imshp is None else (bsize, *imshp)
        self.filter_shape = None if kshp is None else (nkern, channels, *kshp)
        self.subsample = dx or 1, dy or 1

    def __call__(self, inputs: Any, kerns: Any) -> Any:
        return conv2d(
            as_tensor_variable(inputs), as_tensor_variable(kerns), self.image_shape,
            self.filter_shape, self.out_mode, self.subsample,
        )  # fmt: skip

    @staticmethod
    def getOutputShape(
        inshp: Any, kshp: Any, stride: Any = (1, 1), mode: str = "valid"
    ) -> tuple[Any, ...]:
        """The rows and columns of the result."""
        shape = get_conv_output_shape((None, None, *inshp), (None, None, *kshp), mode, stride)
        return shape[2:]


__all__ = ["ConvOp", "conv2d"]
