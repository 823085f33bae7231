"""``web-terminal export RUN``: a record in the format of another tool."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run

USAGE_ERROR = 2


class ExportFormat(StrEnum):
    JSON = "json"
    CSV = "csv"
    JUNIT = "junit"
    BMF = "bmf"
    GITHUB = "github"
    PYPERF = "pyperf"
    OPENMETRICS = "openmetrics"


def export(
    file: Annotated[Path, typer.Argument(metavar="RUN", help="A --json file, or what an interrupted run has left.")],
    format_: Annotated[ExportFormat, typer.Option("--format", "-f", help="What to write.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to. (default: standard output)")] = None,
    samples: Annotated[bool, typer.Option("--samples", help="csv: a row an operation, not a row a result.")] = False,
) -> None:
    """Write a record in the format of another tool.

    github writes two files, since its tools read either smaller-is-better or bigger-is-better: --output bench.json
    gives bench.smaller.json and bench.bigger.json.
    """
    if samples and format_ is not ExportFormat.CSV:
        _fail("--samples goes with --format csv")
    if format_ is ExportFormat.GITHUB and output is None:
        _fail("--format github writes two files; name them with --output bench.json")
    run, analysis = _analysed(file)
    for suffix, text in _exported(format_, run, analysis, samples).items():
        if output is None:
            typer.echo(text, nl=False)
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
        _fail(str(error))


def _analysed(file: Path) -> tuple[Run, Analysis]:
    from web_terminal_suite.bench import record

    try:
        # These need the bench extra; what else the command needs is always installed.
        from web_terminal_suite.bench.analysis import analyse
    except ModuleNotFoundError as error:
        _fail(f"needs {error.name}; pip install 'web-terminal-suite[bench]'")
    try:
        run = record.load(file)
    except record.RecordError as error:
        _fail(str(error))
    return run, analyse(run)


def _write(path: Path, text: str) -> None:
    from web_terminal_suite.bench import files

    try:
        files.put(path, text.encode())
    except OSError as error:
        _fail(f"cannot write {path}: {error.strerror}")


def _fail(text: str) -> NoReturn:
    typer.echo(f"web-terminal export: {text}", err=True)
    raise typer.Exit(USAGE_ERROR)
