"""The errors of the suite: one tree, whose texts say what happened and what to do about it."""

from __future__ import annotations


class BenchError(Exception):
    """The root: everything that the suite refuses, or that fails for a reason outside of it."""


class OptionsError(BenchError):
    """What was asked for cannot be done. Nothing was measured."""


class RunFailed(BenchError):
    """The run itself failed: what it measured cannot be believed."""


class StorageError(BenchError):
    """A record, baseline, history or report that cannot be read or written."""
