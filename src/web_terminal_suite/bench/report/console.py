"""The console that a report is printed on. It is separate from the tables, which load the statistics."""

from __future__ import annotations

import sys
from typing import IO

from rich.console import Console

PLAIN_WIDTH = 400
"""Columns of a file or a pipe: wide enough that no row wraps, since other programs search and cut it by lines."""


def console_for(file: IO[str] | None = None) -> Console:
    """A console for ``file`` (standard output by default): plain text without colour where it is no terminal."""
    out = sys.stdout if file is None else file
    if out.isatty():
        return Console(file=out, highlight=False)
    return Console(file=out, highlight=False, width=PLAIN_WIDTH, force_terminal=False, color_system=None)
