"""``web-terminal export RUN``: a record in the format of another tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import parameters
from web_terminal_suite.cli.exit_status import ends_at, fail, needs_bench_extra

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run


def _formats() -> tuple[str, ...]:
    from web_terminal_suite.bench.report.export import EXPORTERS

    return tuple(EXPORTERS)


def _descriptions() -> str:
    from web_terminal_suite.bench.report.export import EXPORTERS

    return "; ".join(f"{each.name}: {each.description}" for each in EXPORTERS.values())


@click.command()
@click.argument("file", type=parameters.PATH, metavar="RUN", help="A --json file, or what an interrupted run has left.")
@click.option(
    "--format", "-f", "format_", type=click.Choice(_formats()), required=True, help=f"What to write. {_descriptions()}."
)
@click.option("--output", "-o", type=parameters.PATH, help="Where to. (default: standard output)")
@parameters.flag("--samples", "csv: a row per operation instead of a row per result.")
def export(file: Path, format_: str, output: Path | None, samples: bool) -> None:
    """Write a record in the format of another tool.

    github writes two files, since its tools read either smaller-is-better or bigger-is-better: --output bench.json
    gives bench.smaller.json and bench.bigger.json.
    """
    from web_terminal_suite.bench.report.export import EXPORTERS, ExportOptions, NothingToExport

    exporter = EXPORTERS[format_]
    if samples and not exporter.has_samples:
        able = " or ".join(each.name for each in EXPORTERS.values() if each.has_samples)
        fail("export", f"--samples goes with --format {able}")
    if len(exporter.files) > 1 and output is None:
        count = {2: "two"}.get(len(exporter.files), len(exporter.files))
        fail("export", f"--format {format_} writes {count} files; name them with --output bench.json")
    run, analysis = _analysed(file)
    try:
        texts = exporter.load()(run, analysis, ExportOptions(samples=samples))
    except NothingToExport as error:
        fail("export", str(error))
    for part, text in texts.items():
        if output is None:
            click.echo(text, nl=False)
        else:
            _write(output.with_suffix(f".{part}{output.suffix}") if part else output, text)


def _analysed(file: Path) -> tuple[Run, Analysis]:
    from web_terminal_suite.bench import record

    with needs_bench_extra("export"):
        from web_terminal_suite.bench.analysis import analyse
    with ends_at("export"):
        run = record.load(file)
    return run, analyse(run)


def _write(path: Path, text: str) -> None:
    from web_terminal_suite.bench import files

    try:
        files.put(path, text.encode())
    except OSError as error:
        fail("export", f"cannot write {path}: {error.strerror}")
