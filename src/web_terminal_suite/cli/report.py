"""``web-terminal report [RUN]``: a run as one HTML file that needs no network, or as Markdown."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from web_terminal_suite.cli import parameters
from web_terminal_suite.cli.exit_status import ends_at, fail, needs_bench_extra

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run

    Analysed = tuple[Run, Analysis]


class ReportFormat(StrEnum):
    HTML = "html"
    MARKDOWN = "markdown"
    COMPARISON = "comparison"


DEFAULT_NAMES = {
    ReportFormat.HTML: "report.html",
    ReportFormat.MARKDOWN: "PERFORMANCE_REPORT.md",
    ReportFormat.COMPARISON: "comparison.md",
}


@click.command()
@click.argument(
    "run",
    required=False,
    default="",
    metavar="[RUN]",
    help="A record file or the name of a baseline. (default: the last run)",
)
@click.option(
    "--output", "-o", type=parameters.PATH, help="(default: report.html, PERFORMANCE_REPORT.md or comparison.md)"
)
@click.option(
    "--format", "-f", "format_", type=click.Choice([str(each) for each in ReportFormat]),
    default=str(ReportFormat.HTML), show_default=True, help="What to write.",
)  # fmt: skip
@parameters.flag("--brief", "A light page fit to be published, without a panel for each benchmark.")
@click.option("--baseline", default="", help="Show what changed since this record file or baseline.")
@parameters.flag("--open", "Open it in the browser.", "open_")
@parameters.home("baselines are")
def report(
    run: str, output: Path | None, format_: str, brief: bool, baseline: str, open_: bool, home: Path | None
) -> None:
    """Write a run as a report: targets and verdicts, distributions, floors, the machine.

    Exit code: 0 where a report was written, whatever it says; 2 where the record cannot be used.
    """
    wanted = ReportFormat(format_)
    if brief and wanted is not ReportFormat.HTML:
        fail("report", f"--brief is for the page, and --format {wanted} has no brief form; leave one of them out")
    with needs_bench_extra("report"), ends_at("report"):
        from web_terminal_suite.bench.pipeline import analyse, open_run

        found, *before = [(each, analyse(each)) for each in (open_run(name, home) for name in _named(run, baseline))]
    text = _rendered(wanted, found, before[0] if before else None, home, brief)
    path = output or Path(DEFAULT_NAMES[wanted])
    _write(path, text)
    partial = " (partial: the run did not end as planned)" if found[1].problems else ""
    click.echo(f"wrote {path}, {len(text.encode()) / 1e6:.1f} MB{partial}")
    if open_:
        click.launch(path.resolve().as_uri())


def _named(run: str, baseline: str) -> tuple[str, ...]:
    return (run, baseline) if baseline else (run,)


def _rendered(wanted: ReportFormat, found: Analysed, before: Analysed | None, home: Path | None, brief: bool) -> str:
    from web_terminal_suite import __version__

    if wanted is ReportFormat.MARKDOWN:
        from web_terminal_suite.bench.report import markdown

        return markdown.render(*found, __version__, before)
    if wanted is ReportFormat.COMPARISON:
        return _comparison(found)
    from web_terminal_suite.bench import pipeline
    from web_terminal_suite.bench.report import html

    history, problem = pipeline.earlier_results(found[0], pipeline.home(home))
    if problem:
        # A report does not fail for want of it.
        click.echo(f"web-terminal report: without history: {problem}", err=True)
    try:
        return html.render(*found, __version__, before, history, brief=brief)
    except html.TemplateMissing as error:
        fail("report", str(error))


def _comparison(found: Analysed) -> str:
    """The document that compares the terminals of one run. It is written to be published."""
    from web_terminal_suite import __version__
    from web_terminal_suite.bench.analysis.comparison.terminals import beside
    from web_terminal_suite.bench.report import markdown_comparison
    from web_terminal_suite.bench.report.published import published

    shown = published(*found)
    try:
        return markdown_comparison.render(*shown, beside(*shown), __version__)
    except ValueError as error:
        fail("report", str(error))


def _write(path: Path, text: str) -> None:
    from web_terminal_suite.bench import files

    try:
        files.put(path, text.encode())
    except OSError as error:
        fail("report", f"cannot write {path}: {error.strerror}")
