"""The verdicts as plain HTML, for a reader whose browser runs no script; the script replaces them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from web_terminal_suite.bench.report.html.schema.page import OverviewRow, ReportPage

HEADS = ("Verdict", "Benchmark", "Statistic", "Result", "Interval", "Target", "Goal")
NOTE = "Scripts are off, so this page shows the verdicts only. The charts and all other figures need its script."


def static_overview(page: ReportPage) -> str:
    """Title, outcome and every row with a target or a goal."""
    rows = [row for row in page.overview if row.target or row.goal]
    several = len({row.terminal for row in rows if row.role == "subject"}) > 1
    counts = ", ".join(f"{number} {verdict}" for verdict, number in page.verdicts.items() if number)
    end = f"; exit status {page.exit_code}: {page.exit_words}" if page.exit_words else ""
    met, goals = page.goals
    body = "".join(_line(_cells(row, several), "td") for row in rows)
    return (
        f"<h2>{escape(page.title)}</h2><p>{escape(page.started)}. Targets: {counts or 'none'}{escape(end)}. "
        f'Goals: {met} of {goals} met.</p><p class="notice">{NOTE}</p>'
        f'<div class="scroll"><table class="plain"><caption class="unseen">Results with {escape(page.level)} intervals'
        f"</caption><thead>{_line(HEADS, 'th')}</thead><tbody>{body}</tbody></table></div>"
    )


def _cells(row: OverviewRow, several: bool) -> tuple[str, ...]:
    where = (row.benchmark, row.parameter, row.terminal if several else "")
    goal = f"{row.goal} ({row.goal_verdict})" if row.goal else ""
    name = " ".join(part for part in where if part)
    verdict = row.verdict if row.target else "goal only"
    return (verdict, name, row.statistic, row.value, row.interval, row.target, goal)


def _line(cells: Iterable[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
