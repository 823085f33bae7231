"""``web-terminal report [RUN]``: a run as one HTML file that needs no network, or as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import completion, parameters
from web_terminal_suite.cli.exit_status import Subcommand, fail, say

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.report.formats import ReportFormat
    from web_terminal_suite.bench.samples import Run

    Analysed = tuple[Run, Analysis]


def _formats() -> tuple[str, ...]:
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    return tuple(REPORT_FORMATS)


def _descriptions() -> str:
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    return "; ".join(f"{each.name}: {each.description}" for each in REPORT_FORMATS.values())


def _file_names() -> str:
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    *most, last = [each.file_name for each in REPORT_FORMATS.values()]
    return f"{', '.join(most)} or {last}"


@click.command(cls=Subcommand)
@click.argument(
    "run",
    required=False,
    default="",
    metavar="[RUN]",
    shell_complete=completion.saved_runs,
    help="A record file or the name of a baseline. (default: the last run)",
)
@click.option("--output", "-o", type=parameters.PATH, help=f"(default: {_file_names()})")
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(_formats()),
    default=_formats()[0],
    show_default=True,
    help=f"What to write. {_descriptions()}.",
)
@parameters.flag("--brief", "A light page fit to be published, without a panel for each benchmark.")
@click.option(
    "--baseline",
    default="",
    shell_complete=completion.saved_runs,
    help="Show what changed since this record file or baseline.",
)
@parameters.flag("--open", "Open it in the browser.", "open_")
@parameters.home("baselines are")
def report(
    run: str, output: Path | None, format_: str, brief: bool, baseline: str, open_: bool, home: Path | None
) -> None:
    """Write a run as a report: targets and verdicts, distributions, floors, the machine.

    Exit code: 0 where a report was written, whatever it says; 2 where the record cannot be used.
    """
    from web_terminal_suite.bench.pipeline import analyse, open_run, open_runs
    from web_terminal_suite.bench.report.formats import REPORT_FORMATS

    chosen = REPORT_FORMATS[format_]
    if brief and not chosen.has_brief:
        fail(f"--brief is for the page, and --format {format_} has no brief form; leave one of them out")
    measured = open_run(run, home)
    found, base = (measured, analyse(measured)), open_runs(baseline, home) if baseline else ()
    before = (base[-1], analyse(base[-1])) if base else None
    path = output or Path(chosen.file_name)
    if not path.parent.is_dir():
        fail(f"cannot write {path}: there is no directory {path.parent}")
    text = _rendered(chosen, found, before, base[:-1], home, brief)
    _write(path, text)
    partial = " (partial: the run did not end as planned)" if found[1].problems else ""
    click.echo(f"wrote {path}, {len(text.encode()) / 1e6:.1f} MB{partial}")
    if open_:
        _open(path)


def _open(path: Path) -> None:
    """Show a page in the browser; where there is none, say so: the report is written all the same."""
    import webbrowser

    try:
        opened = webbrowser.open(path.resolve().as_uri())
    except (webbrowser.Error, OSError):
        opened = False
    if not opened:
        say(f"no browser could be started; open {path} yourself", "report")


def _rendered(
    chosen: ReportFormat,
    found: Analysed,
    before: Analysed | None,
    earlier: tuple[Run, ...],
    home: Path | None,
    brief: bool,
) -> str:
    from web_terminal_suite import __version__
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.bench.report.common.options import ReportError, ReportOptions

    tracks, problem = pipeline.earlier_results(pipeline.home(home)) if chosen.has_history else ((), "")
    if problem:
        # A report does not fail for want of it.
        say(f"without history: {problem}", "report")
    try:
        return chosen.load()(*found, ReportOptions(__version__, before, tracks, brief, earlier))
    except ReportError as error:
        fail(str(error))


def _write(path: Path, text: str) -> None:
    from web_terminal_suite.bench import files

    try:
        files.put(path, text.encode())
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
