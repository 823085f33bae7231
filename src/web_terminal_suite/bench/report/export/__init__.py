"""Runs in the formats of other tools: one module for each format, one line in ``EXPORTERS``.

To add a format, write a module with an ``export`` function (see ``Export``) and add a line to the table. The command
line, its help and the tests read the table. A module is imported when its format is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from web_terminal_suite.bench.printable import printable, printable_json

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run


class NothingToExport(Exception):
    """The format has no place for what this run has; the text says why."""


@dataclass(frozen=True)
class ExportOptions:
    """What is asked for besides the format; ``samples`` is a row per operation instead of a row per result."""

    samples: bool = False


class Export(Protocol):
    """The function ``export`` of a format's module."""

    def __call__(self, run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
        """The text of each file, by the names in ``Exporter.files``.

        Raises:
            NothingToExport: the format has no place for what this run has.
        """


@dataclass(frozen=True)
class Exporter:
    """A format.

    Args:
        name: what ``--format`` takes, and the name of the module here.
        files: for each file that is written, what comes before its suffix; one file needs nothing there.
        has_samples: whether ``ExportOptions.samples`` is understood.
        is_json: whether the files are JSON, which can say any character without having it.
    """

    name: str
    description: str
    files: tuple[str, ...] = ("",)
    has_samples: bool = False
    is_json: bool = False

    def load(self) -> Export:
        """The function that writes the format, without what a terminal would obey; its module is imported here."""
        export: Export = import_module(f"{__name__}.{self.name}").export
        shown = printable_json if self.is_json else printable

        def write(run: Run, analysis: Analysis, options: ExportOptions) -> dict[str, str]:
            return {part: shown(text) for part, text in export(run, analysis, options).items()}

        return write


EXPORTERS = {
    each.name: each
    for each in (
        Exporter("json", "the record with its results", is_json=True),
        Exporter("csv", "a row per result, or per operation with --samples", has_samples=True),
        Exporter("junit", "targets as test cases, for CI"),
        Exporter("bmf", "Bencher", is_json=True),
        Exporter("github", "github-action-benchmark, two files", files=("smaller", "bigger"), is_json=True),
        Exporter("pyperf", "python -m pyperf", is_json=True),
        Exporter("openmetrics", "Prometheus and similar"),
    )
}
"""Every format, by its name."""
