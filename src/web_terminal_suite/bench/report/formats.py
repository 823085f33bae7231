"""The reports that ``web-terminal report`` writes: one module for each format, one line in ``REPORT_FORMATS``.

To add a format, write a module with a ``report`` function (see ``Render``) and add a line to the table. A module is
imported when its format is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from web_terminal_suite.bench.printable import printable

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.report.common.options import ReportOptions
    from web_terminal_suite.bench.samples import Run


class Render(Protocol):
    """The function ``report`` of a format's module."""

    def __call__(self, run: Run, analysis: Analysis, options: ReportOptions) -> str:
        """The whole file.

        Raises:
            ReportError: the report cannot be written.
        """


@dataclass(frozen=True)
class ReportFormat:
    """A format.

    Args:
        name: what ``--format`` takes.
        module: of this package, with the function ``report``.
        file_name: what the file is called unless something else is asked for.
        has_brief: whether ``ReportOptions.brief`` is understood.
        has_history: whether earlier runs are shown.
    """

    name: str
    description: str
    module: str
    file_name: str
    has_brief: bool = False
    has_history: bool = False

    def load(self) -> Render:
        """The function that writes the format, without what a terminal would obey; its module is imported here."""
        render: Render = import_module(f"{__package__}.{self.module}").report

        def write(run: Run, analysis: Analysis, options: ReportOptions) -> str:
            return printable(render(run, analysis, options))

        return write


REPORT_FORMATS = {
    each.name: each
    for each in (
        ReportFormat("html", "one page", "html.document", "report.html", has_brief=True, has_history=True),
        ReportFormat("markdown", "the performance report", "markdown.report", "PERFORMANCE_REPORT.md"),
        ReportFormat("comparison", "the terminals of a run", "markdown.terminal_comparison", "comparison.md"),
    )
}
"""Every format, by its name; the first is written unless another is asked for."""
