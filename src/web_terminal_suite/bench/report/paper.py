"""What a report is printed on. Apart from the tables, so that a command without statistics does not load them."""

from __future__ import annotations

import sys
from typing import IO

from rich.console import Console

PLAIN_WIDTH = 400
"""Columns where nothing wraps: a file or a pipe is searched and cut by other programs, so a row stays a line."""


def console(file: IO[str] | None = None) -> Console:
    """A console for ``file`` (standard output by default): plain text without colour where it is no terminal."""
    out = sys.stdout if file is None else file
    if out.isatty():
        return Console(file=out, highlight=False)
    return Console(file=out, highlight=False, width=PLAIN_WIDTH, force_terminal=False, color_system=None)
