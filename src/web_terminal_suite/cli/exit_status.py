"""What a command ends with, and the one line on standard error that says why."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

USAGE: Final = 2
RUN_FAILED: Final = 4

_EXTRA: Final = ("numpy", "scipy", "psutil")
"""What the extra ``bench`` installs; everything else a command needs is always there."""


def fail(command: str, text: str, status: int = USAGE) -> NoReturn:
    """End the command with a line on standard error."""
    click.echo(f"web-terminal {command}: {text}", err=True)
    raise click.exceptions.Exit(status)


@contextmanager
def ends_at(command: str, status: int = USAGE) -> Iterator[None]:
    """End the command with ``status`` at an error of the suite in the block, with 4 where the run itself failed."""
    from web_terminal_suite.bench.errors import BenchError, RunFailed

    try:
        yield
    except RunFailed as error:
        fail(command, str(error), RUN_FAILED)
    except BenchError as error:
        fail(command, str(error), status)


@contextmanager
def needs_bench_extra(command: str) -> Iterator[None]:
    """Say what to install where the block imports something that is not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        fail(command, f"needs {error.name}; pip install 'web-terminal-suite[bench]'")
