"""``web-terminal export RUN``: a record in the format of another tool."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import parameters
from web_terminal_suite.cli.exit_status import ends_at, fail, needs_bench_extra

if TYPE_CHECKING:
    from pathlib import Path

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run


class ExportFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"
    BMF = "bmf"
    GITHUB = "github"
    PYPERF = "pyperf"
    OPENMETRICS = "openmetrics"


@click.command()
@click.argument("file", type=parameters.PATH, metavar="RUN", help="A --json file, or what an interrupted run has left.")
@click.option(
    "--format", "-f", "format_", type=click.Choice([str(each) for each in ExportFormat]), required=True,
    help="What to write.",
)  # fmt: skip
@click.option("--output", "-o", type=parameters.PATH, help="Where to. (default: standard output)")
@parameters.flag("--samples", "csv: a row an operation, not a row a result.")
def export(file: Path, format_: str, output: Path | None, samples: bool) -> None:
    """Write a record in the format of another tool.

    github writes two files, since its tools read either smaller-is-better or bigger-is-better: --output bench.json
    gives bench.smaller.json and bench.bigger.json.
    """
    if samples and format_ != ExportFormat.CSV:
        fail("export", "--samples goes with --format csv")
    if format_ == ExportFormat.GITHUB and output is None:
        fail("export", "--format github writes two files; name them with --output bench.json")
    run, analysis = _analysed(file)
    for suffix, text in _exported(ExportFormat(format_), run, analysis, samples).items():
        if output is None:
            click.echo(text, nl=False)
        else:
            _write(output.with_suffix(f".{suffix}{output.suffix}") if suffix else output, text)


def _exported(format_: ExportFormat, run: Run, analysis: Analysis, samples: bool) -> dict[str, str]:
    """Texts by what comes before the file's suffix."""
    from web_terminal_suite.bench import record
    from web_terminal_suite.bench.report import bencher, csv, github, junit, openmetrics, pyperf
    from web_terminal_suite.bench.report import json as json_report

    if format_ is ExportFormat.JSON:
        return {"": record.document(run, json_report.results(analysis)).decode()}
    if format_ is ExportFormat.CSV:
        return {"": csv.samples(run) if samples else csv.results(analysis)}
    if format_ is ExportFormat.JUNIT:
        return {"": junit.export(run, analysis)}
    if format_ is ExportFormat.BMF:
        return {"": bencher.export(analysis)}
    if format_ is ExportFormat.GITHUB:
        return {"smaller": github.smaller_is_better(analysis), "bigger": github.bigger_is_better(analysis)}
    if format_ is ExportFormat.OPENMETRICS:
        return {"": openmetrics.export(run, analysis)}
    try:
        return {"": pyperf.export(run, analysis)}
    except pyperf.NothingToExport as error:
        fail("export", str(error))


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
