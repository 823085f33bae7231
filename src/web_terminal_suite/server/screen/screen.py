"""The screen of a terminal as state: fed with a program's output, written as control functions, text or rows.

The emulator is compiled (``_emulator.pyx``, ``emulator/``) and optional: where it is missing ``WHY_MISSING`` says why.
It behaves as xterm.js at the page's version, quirks included. Not for several threads at once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

try:
    from web_terminal_suite.server.screen._emulator import Emulator
except ImportError as error:
    WHY_MISSING = f"the terminal emulator was not compiled: {error}"
else:
    WHY_MISSING = ""

MOST_COLS: Final = 1000
MOST_ROWS: Final = 1000
MOST_SCROLLBACK: Final = 100_000
SCROLLBACK: Final = 1000

_COLOUR_SHIFT: Final = 24
_COLOUR_MASK: Final = 0xFFFFFF
_RGB: Final = 3
_FLAGS: Final = ("bold", "dim", "italic", "underline", "blink", "inverse", "invisible", "strike", "overline")


class EmulatorMissing(Exception):
    """There is no compiled emulator in this installation; the text says why."""


class CursorPlace(NamedTuple):
    """Column and row on the screen, from 0; a column behind the last one means that the next character wraps."""

    x: int
    y: int
    is_visible: bool


# None is the default, a number one of the 256 of the palette, "#rrggbb" a colour.
Colour = int | str | None


class TextRun(NamedTuple):
    """Neighbouring cells of one look. Cells that were never written are spaces."""

    text: str
    fg: Colour
    bg: Colour
    flags: tuple[str, ...]
    link: str


class ScreenRow(NamedTuple):
    """A line; ``is_wrapped`` where it continues the one before it."""

    is_wrapped: bool
    runs: list[TextRun]


class Screen:
    """A terminal of ``cols`` x ``rows`` that keeps ``scrollback`` lines above its screen. One column is taken for two.

    Raises:
        EmulatorMissing: see ``WHY_MISSING``.
        ValueError: a size or a number of lines that no terminal has.
        MemoryError: also from every other method; the terminal cannot be used afterwards.
    """

    def __init__(self, cols: int, rows: int, scrollback: int = SCROLLBACK) -> None:
        if WHY_MISSING:
            raise EmulatorMissing(WHY_MISSING)
        _check_size(cols, rows)
        if not 0 <= scrollback <= MOST_SCROLLBACK:
            raise ValueError(f"a scrollback of {scrollback} lines; it must be between 0 and {MOST_SCROLLBACK}")
        self._emulator = Emulator(cols, rows, scrollback)
        self._scrollback = scrollback

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take output that may end anywhere, also inside a control sequence or a character. Releases the GIL."""
        self._emulator.feed(data)

    def resize(self, cols: int, rows: int) -> None:
        """Take another size; lines of the normal screen are wrapped anew.

        Raises:
            ValueError: a size that no terminal has.
        """
        _check_size(cols, rows)
        self._emulator.resize(cols, rows)

    def vt(self, scrollback: int | None = None) -> bytes:
        """Output that gives a new xterm.js of this size this state, with at most ``scrollback`` older lines."""
        return self._emulator.vt(self._scrollback if scrollback is None else scrollback)

    def text(self, scrollback: int = 0) -> str:
        """The screen that is shown, after at most ``scrollback`` older lines. Lines that were wrapped are one."""
        return self._emulator.text(scrollback)

    def rows(self, scrollback: int = 0) -> list[ScreenRow]:
        """The same line by line, with colours and attributes."""
        return [
            ScreenRow(is_wrapped, [_run(*each) for each in runs])
            for is_wrapped, runs in self._emulator.rows(scrollback)
        ]

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._emulator.size

    @property
    def cursor(self) -> CursorPlace:
        x, y = self._emulator.cursor
        return CursorPlace(x, y, not self._emulator.is_cursor_hidden)

    @property
    def title(self) -> str:
        return self._emulator.title

    @property
    def is_alternate(self) -> bool:
        """Whether a program shows the screen without scrollback, as editors and pagers do."""
        return self._emulator.is_alternate

    @property
    def is_approximate(self) -> bool:
        """Whether a limit was met, such as that of a title's length; what is written may differ from what was fed."""
        return self._emulator.is_approximate

    @property
    def memory(self) -> int:
        """Bytes that the emulator takes."""
        return self._emulator.memory


def _check_size(cols: int, rows: int) -> None:
    if not (1 <= cols <= MOST_COLS and 1 <= rows <= MOST_ROWS):
        raise ValueError(f"a size of {cols}x{rows}; a terminal has 1x1 to {MOST_COLS}x{MOST_ROWS}")


def _colour(value: int) -> Colour:
    kind, number = value >> _COLOUR_SHIFT, value & _COLOUR_MASK
    if kind == 0:
        return None
    return f"#{number:06x}" if kind == _RGB else number


def _run(text: str, fg: int, bg: int, flags: int, link: str) -> TextRun:
    names = tuple(name for bit, name in enumerate(_FLAGS) if flags >> bit & 1)
    return TextRun(text, _colour(fg), _colour(bg), names, link)
