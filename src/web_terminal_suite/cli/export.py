"""``web-terminal export RUN``: a record in the format of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run

USAGE_ERROR = 2


def _formats() -> str:
    from web_terminal_suite.bench.report.export import EXPORTERS

    return "; ".join(f"{each.name}: {each.description}" for each in EXPORTERS.values())


def export(
    file: Annotated[Path, typer.Argument(metavar="RUN", help="A --json file, or what an interrupted run has left.")],
    format_: Annotated[str, typer.Option("--format", "-f", metavar="FORMAT", help=f"What to write. {_formats()}.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to. (default: standard output)")] = None,
    samples: Annotated[
        bool, typer.Option("--samples", help="csv: a row per operation instead of a row per result.")
    ] = False,
) -> None:
    """Write a record in the format of another tool.

    github writes two files, since its tools read either smaller-is-better or bigger-is-better: --output bench.json
    gives bench.smaller.json and bench.bigger.json.
    """
    from web_terminal_suite.bench.report.export import EXPORTERS, ExportOptions, NothingToExport

    exporter = EXPORTERS.get(format_)
    if exporter is None:
        _fail(f"no format is called {format_!r}; there are: {', '.join(EXPORTERS)}")
    if samples and not exporter.has_samples:
        able = " or ".join(each.name for each in EXPORTERS.values() if each.has_samples)
        _fail(f"--samples goes with --format {able}")
    if len(exporter.files) > 1 and output is None:
        _fail(f"--format {format_} writes {len(exporter.files)} files; name them with --output bench.json")
    run, analysis = _analysed(file)
    try:
        texts = exporter.load()(run, analysis, ExportOptions(samples=samples))
    except NothingToExport as error:
        _fail(str(error))
    for part, text in texts.items():
        if output is None:
            typer.echo(text, nl=False)
        else:
            _write(output.with_suffix(f".{part}{output.suffix}") if part else output, text)


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
