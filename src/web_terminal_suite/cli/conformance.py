"""``web-terminal conformance``: what terminals do where others lose, double, answer twice or let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import completion, parameters
from web_terminal_suite.cli.exit_status import RUN_FAILED, Subcommand, fail, say
from web_terminal_suite.cli.options.terminals import terminals

if TYPE_CHECKING:
    from pathlib import Path


@click.command(cls=Subcommand)
@terminals
@parameters.several(
    "--only", "Ask this only; may be given several times.", metavar="CHECK", shell_complete=completion.checks
)
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="What to write.",
)
@click.option("--output", "-o", type=parameters.PATH, help="Write it there. (default: standard output)")
def conformance(
    terminal: tuple[str, ...],
    url: tuple[str, ...],
    token: str,
    only: tuple[str, ...],
    format_: str,
    output: Path | None,
) -> None:
    """Ask how terminals behave, ours by default: over a lost connection, in floods, with hostile input, at the door.

    Exit status: 0 everything was asked, whatever the answers; 2 wrong usage; 4 a cell could not be run.
    """
    from web_terminal_suite.bench.conformance.documents import FORMATS
    from web_terminal_suite.bench.pipeline.conformance import ConformanceOptions, run_conformance

    if output is not None and not output.parent.is_dir():
        fail(f"cannot write {output}: there is no directory {output.parent}")
    options = ConformanceOptions(terminals=terminal, urls=url, token=token, only=only)
    matrix = run_conformance(options, lambda line: say(line, "conformance"))
    document = FORMATS[format_](matrix)
    if output is None:
        click.echo(document, nl=False)
    else:
        output.write_text(document)
    raise click.exceptions.Exit(0 if matrix.is_whole else RUN_FAILED)
