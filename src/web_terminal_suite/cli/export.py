"""``web-terminal export RUN``: a record in the format of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import parameters
from web_terminal_suite.cli.exit_status import Subcommand, fail

if TYPE_CHECKING:
    from pathlib import Path


def _formats() -> tuple[str, ...]:
    from web_terminal_suite.bench.report.export import EXPORTERS

    return tuple(EXPORTERS)


def _descriptions() -> str:
    from web_terminal_suite.bench.report.export import EXPORTERS

    return "; ".join(f"{each.name}: {each.description}" for each in EXPORTERS.values())


@click.command(cls=Subcommand)
@parameters.run("A record file, what an interrupted run has left, or the name of a baseline.")
@click.option(
    "--format", "-f", "format_", type=click.Choice(_formats()), required=True, help=f"What to write. {_descriptions()}."
)
@click.option("--output", "-o", type=parameters.PATH, help="Where to. (default: standard output)")
@parameters.flag("--samples", "csv: a row per operation instead of a row per result.")
@parameters.home("baselines are")
def export(run: str, format_: str, output: Path | None, samples: bool, home: Path | None) -> None:
    """Write a record in the format of another tool.

    github writes two files, since its tools read either smaller-is-better or bigger-is-better: --output bench.json
    gives bench.smaller.json and bench.bigger.json.
    """
    from web_terminal_suite.bench.pipeline import analyse, open_run
    from web_terminal_suite.bench.report.export import EXPORTERS, ExportOptions, NothingToExport

    exporter = EXPORTERS[format_]
    if samples and not exporter.has_samples:
        able = " or ".join(each.name for each in EXPORTERS.values() if each.has_samples)
        fail(f"--samples goes with --format {able}")
    if len(exporter.files) > 1 and output is None:
        count = {2: "two"}.get(len(exporter.files), len(exporter.files))
        fail(f"--format {format_} writes {count} files; name them with --output bench.json")
    found = open_run(run, home)
    try:
        texts = exporter.load()(found, analyse(found), ExportOptions(samples=samples))
    except NothingToExport as error:
        fail(str(error))
    for part, text in texts.items():
        if output is None:
            click.echo(text, nl=False)
        else:
            _write(output.with_suffix(f".{part}{output.suffix}") if part else output, text)


def _write(path: Path, text: str) -> None:
    from web_terminal_suite.bench import files

    try:
        files.put(path, text.encode())
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
