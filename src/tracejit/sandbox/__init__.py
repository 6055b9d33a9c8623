"""Generators under the names of Theano's ``sandbox``."""

from __future__ import annotations
