"""Generators under the names of Theano's ``sandbox.cuda``; they need no GPU."""

from __future__ import annotations
