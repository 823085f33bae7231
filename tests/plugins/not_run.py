"""The last line of a run: which tests were not run, why, and how to have them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

_PREFIX = "Skipped: "


def not_run(reasons: Iterable[str]) -> str:
    """One line about tests that were skipped for ``reasons``, the most frequent reason first."""
    counts = Counter(" ".join(each.removeprefix(_PREFIX).split()) for each in reasons)
    total = counts.total()
    if total == 0:
        return "not run: no test; nothing was missing"
    parts = [f"{count} because {reason}" for reason, count in counts.most_common()]
    return f"not run: {total} {'test' if total == 1 else 'tests'}: {' | '.join(parts)}"


def _reason(report: Any) -> str:
    # A skip's longrepr is (path, line, reason); an expected failure has a traceback instead and did run.
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    yield  # pytest's own closing line is written here
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput") and not session.config.option.collectonly:
        reporter.write_line(not_run(_reason(each) for each in reporter.stats.get("skipped", ())))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-browser",
        action="store_true",
        help="fail the tests that need Chromium where it is missing, instead of skipping them (for CI)",
    )
