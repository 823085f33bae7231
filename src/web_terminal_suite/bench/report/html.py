"""The report as one HTML file: the built template, filled with what ``html_overview`` gives.

The data stands in a block that browsers never run; script and style are named by their hashes in the page's own
policy, which allows no request at all.
"""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.bench.report.html_overview import page
from web_terminal_suite.bench.report.html_samples import Baseline, Measured
from web_terminal_suite.bench.report.published import published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.report.html_page import History
    from web_terminal_suite.bench.samples import Run

TEMPLATE = Path(__file__).parent / "page" / "index.html"
DATA_PLACE = '"the record"'
TITLE_PLACE = "<title>Benchmark report</title>"


class TemplateMissing(Exception):
    """The page was not built, or is not the one that this version fills; the text says how to build it."""


def render(
    run: Run,
    analysis: Analysis,
    version: str,
    baseline: tuple[Run, Analysis] | None = None,
    history: Sequence[History] = (),
    template: Path = TEMPLATE,
    *,
    brief: bool = False,
) -> str:
    """The whole file.

    Args:
        version: of the suite that made the report.
        baseline: a run to compare with.
        history: earlier runs, by row; nothing is shown where there are none.
        brief: a light page fit to be published: without the panels of each benchmark, and without what says whose
            machine it was.

    Raises:
        TemplateMissing: the template is not there or not whole.
    """
    frame = _template(template)
    if brief:
        run, analysis = published(run, analysis)
        baseline = baseline and published(*baseline)
    before = None if baseline is None else Baseline(*baseline, newer=run)
    content = page(Measured(run, analysis), before, history, version, brief=brief)
    # "<" starts everything that could end the block early ("</script", "<!--"); as \u003c it is the same JSON.
    data = msgspec.json.encode(content).decode().replace("<", "\\u003c")
    title = f"<title>{escape(content.title)}: benchmark report, {escape(content.started)}</title>"
    return frame.replace(TITLE_PLACE, title, 1).replace(DATA_PLACE, data, 1)


def _template(path: Path) -> str:
    how = "build it with: npm --prefix frontend ci && npm --prefix frontend run build:report"
    try:
        frame = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateMissing(f"the report's page is not built ({path}: {error.strerror}); {how}") from error
    if frame.count(DATA_PLACE) != 1 or TITLE_PLACE not in frame:
        raise TemplateMissing(f"{path} is not the report's page of this version; {how}")
    return frame
