"""Convolutions, under the names of ``theano.tensor.nnet.abstract_conv``."""

from __future__ import annotations

from tracejit.tensor.nnet import conv_shapes, convolutions, upsampling
from tracejit.tensor.nnet.conv_shapes import *  # noqa: F403
from tracejit.tensor.nnet.convolutions import *  # noqa: F403
from tracejit.tensor.nnet.upsampling import *  # noqa: F403

__all__ = [*conv_shapes.__all__, *convolutions.__all__, *upsampling.__all__]
