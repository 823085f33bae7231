"""The console that a report is printed on. It is separate from the tables, which load the statistics."""

from __future__ import annotations

import os
import sys
from typing import IO, TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.segment import Segment

from web_terminal_suite.bench.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import ConsoleOptions, RenderableType

PLAIN_WIDTH = 400
"""Columns of a file or a pipe: wide enough that no row wraps, since other programs search and cut it by lines."""

_SIZES: Final = ("COLUMNS", "LINES")


class SafeConsole(Console):
    """A console on which text of others is shown and never obeyed: every report is printed through one.

    Styles are added by rich after this, so its own escape codes are not touched.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console_for(file: IO[str] | None = None) -> Console:
    """A console for ``file`` (standard output by default).

    Where it is no terminal: plain text without colour, unless ``FORCE_COLOR`` is set to anything but 0, as wide as
    ``COLUMNS`` says. ``NO_COLOR`` holds everywhere.
    """
    # What rich would take for a number and cannot read.
    environment = {name: value for name, value in os.environ.items() if name not in _SIZES or value.isdecimal()}
    out = sys.stdout if file is None else file
    if out.isatty():
        return SafeConsole(file=out, highlight=False, force_terminal=True, _environ=environment)
    colour: dict[str, Any] = {"force_terminal": False, "color_system": None}
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0") and not os.environ.get("NO_COLOR"):
        colour = {"force_terminal": True, "color_system": "standard"}
    width = _columns() or PLAIN_WIDTH
    return SafeConsole(file=out, highlight=False, width=width, _environ=environment, **colour)


def _columns() -> int:
    """What ``COLUMNS`` says; 0 where it says nothing usable."""
    text = os.environ.get("COLUMNS", "")
    return int(text) if text.isdecimal() and int(text) > 0 else 0
