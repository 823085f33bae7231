"""The report as one HTML file: the built template, filled with the data of a run.

The data is in a block that browsers never run. Script and style are named by their hashes in the page's own policy,
which allows no request at all.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.analysis.comparison.machine import fingerprint
from web_terminal_suite.bench.report.common.options import ReportError
from web_terminal_suite.bench.report.common.run_data import BaselineRun, MeasuredRun
from web_terminal_suite.bench.report.html.history import histories
from web_terminal_suite.bench.report.html.overview import report_page
from web_terminal_suite.bench.report.html.static_overview import static_overview
from web_terminal_suite.bench.report.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.report.common.options import ReportOptions
    from web_terminal_suite.bench.report.html.schema.charts import HistoryChart
    from web_terminal_suite.bench.samples import Run

TEMPLATE = Path(__file__).parents[1] / "page" / "index.html"
DATA_PLACE = '"the record"'
OVERVIEW_PLACE = ">the verdicts<"
TITLE_PLACE = "<title>Benchmark report</title>"


class TemplateMissing(ReportError):
    """The page was not built, or is not the one that this version fills; the text says how to build it."""


def report(run: Run, analysis: Analysis, options: ReportOptions) -> str:
    """The whole file.

    Raises:
        TemplateMissing: the template is not there or not complete.
    """
    history = histories(options.tracks, fingerprint(run.machine)) if options.tracks else []
    return render(
        run, analysis, options.version, options.baseline, history, brief=options.brief, earlier=options.earlier
    )


def render(
    run: Run,
    analysis: Analysis,
    version: str,
    baseline: tuple[Run, Analysis] | None = None,
    history: Sequence[HistoryChart] = (),
    template: Path = TEMPLATE,
    *,
    brief: bool = False,
    earlier: Sequence[Run] = (),
) -> str:
    """The whole file.

    Args:
        version: of the suite that made the report.
        baseline: a run to compare with.
        history: earlier runs, by row; nothing is shown where there are none.
        brief: a small page fit to be published: without the panels of each benchmark, and without anything that
            identifies the machine.
        earlier: further runs of the baseline's code.

    Raises:
        TemplateMissing: the template is not there or not complete.
    """
    frame = _template(template)
    if brief:
        run, analysis = redacted(run, analysis)
        baseline = baseline and redacted(*baseline)
    before = None if baseline is None else BaselineRun(*baseline, newer=run, earlier=earlier)
    content = report_page(MeasuredRun(run, analysis), before, history, version, brief=brief)
    # "<" starts everything that could end the block early ("</script", "<!--"); as \u003c it is the same JSON.
    data = msgspec.json.encode(content).decode().replace("<", "\\u003c")
    title = f"<title>{escape(content.title)}: benchmark report, {escape(content.started)}</title>"
    frame = frame.replace(TITLE_PLACE, title, 1).replace(OVERVIEW_PLACE, f">{static_overview(content)}<", 1)
    return frame.replace(DATA_PLACE, data, 1)


def _template(path: Path) -> str:
    how = "build it with: npm --prefix frontend ci && npm --prefix frontend run build:report"
    try:
        frame = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateMissing(f"the report's page is not built ({path}: {error.strerror}); {how}") from error
    if frame.count(DATA_PLACE) != 1 or TITLE_PLACE not in frame or OVERVIEW_PLACE not in frame:
        raise TemplateMissing(f"{path} is not the report's page of this version; {how}")
    return frame
