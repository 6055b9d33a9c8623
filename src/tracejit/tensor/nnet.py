"""Functions of neural networks, under the names of ``theano.tensor.nnet``."""

from __future__ import annotations
