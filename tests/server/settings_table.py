"""The table of settings in ``docs/operations.md``; ``python -m tests.server.settings_table`` writes it there."""

from __future__ import annotations

import pathlib

from web_terminal_suite.server.settings import Declaration, declarations

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"
BEGIN = "<!-- settings: written by `make docs` from server/settings.py -->\n"
END = "<!-- end of settings -->\n"


def table() -> str:
    """The table as it must stand in the document."""
    head = "| setting | flag | default | range | meaning |\n|---|---|---|---|---|\n"
    return head + "".join(_row(each) for each in declarations())


def documented() -> str:
    """The table as it stands there."""
    return DOCUMENT.read_text().split(BEGIN)[1].split(END)[0]


def write() -> None:
    """Put the table into the document."""
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + table() + END + rest.partition(END)[2])


def _row(setting: Declaration) -> str:
    flag = f"`{setting.flag}`" if setting.flag else ""
    limits = f"{_number(setting.range[0])} to {_number(setting.range[1])}" if setting.range else ""
    default = _number(setting.default) if setting.range else setting.default_text
    cells = (f"`{setting.name}`", flag, default, limits, setting.doc.help)
    return f"| {' | '.join(cells)} |\n".replace("|  |", "| |").replace("|  |", "| |")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.15g}"


if __name__ == "__main__":
    write()
