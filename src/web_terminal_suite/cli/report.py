"""``web-terminal report [RUN]``: a run as one HTML file that needs no network, or as Markdown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.history import Track
    from web_terminal_suite.bench.samples import Run

USAGE_ERROR = 2
HISTORY = ("p95", "slope", "level")
"""One statistic of each kind is shown over time."""

RUNS = 100


HTML = "html"


def _formats() -> str:
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    return "; ".join(f"{each.name}: {each.description}" for each in REPORT_FORMATS.values())


def _file_names() -> str:
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    *most, last = [each.file_name for each in REPORT_FORMATS.values()]
    return f"{', '.join(most)} or {last}"


def report(
    run: Annotated[
        str, typer.Argument(metavar="[RUN]", help="A record file or the name of a baseline. (default: the last run)")
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=f"(default: {_file_names()})"),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help=f"What to write. {_formats()}.")
    ] = HTML,
    brief: Annotated[
        bool, typer.Option("--brief", help="A light page fit to be published, without a panel for each benchmark.")
    ] = False,
    baseline: Annotated[str, typer.Option(help="Show what changed since this record file or baseline.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    home: Annotated[Path | None, typer.Option(help="Where baselines are. (default: ./.web-terminal-bench)")] = None,
) -> None:
    """Write a run as a report: targets and verdicts, distributions, floors, the machine.

    Exit code: 0 where a report was written, whatever it says; 2 where the record cannot be used.
    """
    from web_terminal_suite import __version__
    from web_terminal_suite.bench import files
    from web_terminal_suite.bench.report.common.options import ReportError, ReportOptions
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    chosen = REPORT_FORMATS.get(format_)
    if chosen is None:
        _fail(f"no format is called {format_!r}; there are: {', '.join(REPORT_FORMATS)}")
    if brief and not chosen.has_brief:
        _fail(f"--brief is for the page, and --format {format_} has no brief form; leave one of them out")
    found = _analysed(run, home)
    before = _analysed(baseline, home) if baseline else None
    path = output or Path(chosen.file_name)
    tracks = _tracks(home) if chosen.has_history else ()
    try:
        text = chosen.load()(*found, ReportOptions(__version__, before, tracks, brief))
    except ReportError as error:
        _fail(str(error))
    try:
        files.put(path, text.encode())
    except OSError as error:
        _fail(f"cannot write {path}: {error.strerror}")
    partial = " (partial: the run did not end as planned)" if found[1].problems else ""
    typer.echo(f"wrote {path}, {len(text.encode()) / 1e6:.1f} MB{partial}")
    if open_:
        typer.launch(path.resolve().as_uri())


def beside(
    run: Run,
    analysis: Analysis,
    home: Path,
    base: tuple[Run, Analysis] | None,
    name: str = "",
) -> str:
    """Write the run's HTML report into ``home``; what to tell whoever ran it, where it is or why it is not."""
    from web_terminal_suite import __version__
    from web_terminal_suite.bench import files
    from web_terminal_suite.bench.report.common.options import ReportError, ReportOptions
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    chosen = REPORT_FORMATS[HTML]
    path = home / (name or chosen.file_name)
    try:
        home.mkdir(parents=True, exist_ok=True)
        text = chosen.load()(run, analysis, ReportOptions(__version__, base, _tracks(home)))
        files.put(path, text.encode())
    except ReportError as error:
        return f"no report: {error}"
    except OSError as error:
        return f"no report: cannot write {path}: {error.strerror}"
    return f"report: {path}"


def _analysed(name: str, home: Path | None) -> tuple[Run, Analysis]:
    try:
        # These need the bench extra; what else the command needs is always installed.
        from web_terminal_suite.bench.analysis import analyse
    except ModuleNotFoundError as error:
        _fail(f"needs {error.name}; pip install 'web-terminal-suite[bench]'")
    run = _loaded(name, home)
    level = run.options.get("confidence_level")
    return run, analyse(run, level) if isinstance(level, float) and 0 < level < 1 else analyse(run)


def _loaded(name: str, home: Path | None) -> Run:
    """A file where there is one of that name, else a baseline; without a name the last run."""
    from web_terminal_suite.bench import record
    from web_terminal_suite.bench.baselines import LAST, BaselineError, Baselines
    from web_terminal_suite.bench.baselines import home as home_of

    path = Path(name)
    try:
        if name and (path.is_file() or path.suffix or len(path.parts) > 1):
            return record.load(path)
        return Baselines(home_of(home, os.environ)).load(name or LAST)
    except BaselineError as error:
        if name:
            _fail(str(error))
        _fail(
            f"no run is named, and {home_of(home, os.environ)} keeps none; "
            "name a record file, or run web-terminal bench"
        )
    except record.RecordError as error:
        _fail(str(error))


def _tracks(home: Path | None) -> tuple[Track, ...]:
    """Earlier runs; none where no history was kept. A history that cannot be read does not prevent a report."""
    from web_terminal_suite.bench.baselines import home as home_of
    from web_terminal_suite.bench.history import FILE, History, HistoryError

    path = home_of(home, os.environ) / FILE
    if not path.exists():
        return ()
    try:
        with History(path) as kept:
            return tuple(kept.tracks(statistics=HISTORY, limit=RUNS))
    except HistoryError as error:
        typer.echo(f"web-terminal report: without history: {error}", err=True)
        return ()


def _fail(text: str) -> NoReturn:
    typer.echo(f"web-terminal report: {text}", err=True)
    raise typer.Exit(USAGE_ERROR)
