"""The version of Theano whose behaviour this is, under the names of ``theano.version``."""

from __future__ import annotations

from tracejit.theano.names import VERSION

version = full_version = VERSION
short_version = version
git_revision = "RELEASE"
release = True

__all__ = ["full_version", "git_revision", "release", "short_version", "version"]
