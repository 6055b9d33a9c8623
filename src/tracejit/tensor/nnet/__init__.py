"""Functions of neural networks, under the names of ``theano.tensor.nnet``."""

from __future__ import annotations

from typing import Any

from tracejit.tensor.nnet import abstract_conv, bn, conv, neighbours, nnet, rows, sigm
from tracejit.tensor.nnet.abstract_conv import *  # noqa: F403
from tracejit.tensor.nnet.bn import *  # noqa: F403
from tracejit.tensor.nnet.neighbours import *  # noqa: F403
from tracejit.tensor.nnet.nnet import *  # noqa: F403
from tracejit.tensor.nnet.rows import *  # noqa: F403
from tracejit.tensor.nnet.sigm import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Says of what is missing what it was, and what to use."""
    from tracejit.theano.names import absent

    return absent("tracejit.tensor.nnet", name)


__all__ = ["abstract_conv", "bn", "conv", "neighbours"]
for _module in (abstract_conv, bn, neighbours, nnet, rows, sigm):
    __all__ += _module.__all__
