"""What `token` and `users` share: which tokens file they work on, when a token expires, and how a table looks."""

from __future__ import annotations

import datetime
import os
import re
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from web_terminal_suite.cli.exit_status import fail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from web_terminal_suite.server.settings import Settings

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_FAILED = 1


def files(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where the tokens and users of a server are."""
    for option in (
        click.option("--config", help="The server's TOML file."),
        click.option("--tokens-file", help="The server's tokens file, where neither environment nor --config name it."),
    ):
        command = option(command)
    return command


def settings_of(tokens_file: str | None, config: str | None) -> Settings:
    """The settings of the server that is started with these files."""
    from web_terminal_suite.server.settings import SettingsError, load

    try:
        settings = load({"tokens_file": tokens_file} if tokens_file else {}, os.environ, config)
    except SettingsError as error:
        fail(str(error))
    if not settings.tokens_file:
        fail("which tokens file? give --tokens-file FILE, as to serve, or --config with tokens_file in it")
    return settings


def epoch(text: str) -> float | None:
    """When something expires: after 30d, 12h, 90m or 4w, at a date or time of ISO 8601, or never.

    Raises:
        ValueError: none of these, or in the past.
    """
    if text == "never":
        return None
    found = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if found is not None:
        return round(time.time()) + int(found[1]) * _UNITS[found[2]]
    try:
        moment = datetime.datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise ValueError(f"{text!r} is no time; use 30d, 12h, 90m, a date such as 2030-01-31, or never") from error
    if moment.timestamp() <= time.time():
        raise ValueError(f"{text!r} is over already")
    return moment.timestamp()


def shown_time(seconds: float | None, none: str) -> str:
    """A time as ISO 8601 in UTC, to the minute."""
    if seconds is None:
        return none
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")


def print_rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns with their names."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def failed(error: Exception) -> NoReturn:
    """End the command with the text of an error."""
    fail(str(error), _FAILED)
