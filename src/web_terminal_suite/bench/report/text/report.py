"""The report in a terminal: tables with colour where there is one, the same columns aligned where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from web_terminal_suite.bench.analysis import Analysis, Verdict
from web_terminal_suite.bench.report.common import client_overhead, environment, rows, units
from web_terminal_suite.bench.report.common.summary import summary_parts
from web_terminal_suite.bench.report.text import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from web_terminal_suite.bench.report.common.rows import ResultRow

STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.UNDECIDED: "yellow",
    Verdict.REFUSED: "magenta",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.NONE: "dim",
}
GOAL_STYLES = {"✓": "green", "✗": "yellow", "?": "dim"}

COLUMNS = {
    "benchmark": "",
    "parameter": "",
    "terminal": "",
    "p50": "p50",
    "statistic": "judged by",
    "value": "",
    "interval": "interval",
    "target": "target",
    "goal": "goal",
    "floor": "x floor",
    "verdict": "verdict",
}
RIGHT = ("p50", "value", "target", "floor")
OPTIONAL = ("p50", "floor", "terminal", "goal", "interval", "statistic", "target")
"""The columns that are dropped, in this order, where the terminal is too narrow for all; the terminal's name only where
it is the same in every row, and then the title has it. The verdict always stands, and whole."""


def print_report(
    to: Console, analysis: Analysis, machine: dict[str, Any], with_figures: bool = True, *, ends: bool = True
) -> None:
    """Print the end of a run: figures without a target, targets, notes, and a summary line.

    Args:
        ends: the command ends with this run's exit code, so the summary states it.
        machine: ``Run.machine``; its network, its browser and its ``warnings`` are shown.
    """
    level = units.level(analysis.level)
    figures = rows.figures(analysis)
    if with_figures and figures:
        _print_table(to, f"Without a target  {level} intervals", figures, judged=False)
    judged = rows.judged(analysis)
    if judged:
        _print_table(to, f"Targets  {level} intervals", judged, judged=True)
    overheads = [("client", words, "default") for words in client_overhead.overheads(analysis)]
    if overheads:
        _print_notes(to, "Client", overheads)
    if words := environment.network(machine):
        _print_notes(to, "Network", [("network", words, "default")])
    if words := environment.browser(machine):
        _print_notes(to, "Browser", [("browser", words, "default")])
    notes = _notes(analysis)
    if notes:
        _print_notes(to, "Notes", notes)
    cautions = [(each["seen"], f"{each['matters']}; {each['remedy']}") for each in machine.get("warnings", [])]
    if cautions:
        _print_notes(to, "Machine", [(f"{seen}:", text, "yellow") for seen, text in cautions])
    to.print(_summary_text(analysis, ends=ends))


def _print_table(to: Console, title: str, listed: Sequence[ResultRow], judged: bool) -> None:
    """One line a row under a line for its suite; where that is too wide, under a line for its benchmark."""
    names = [name for name in COLUMNS if judged or name not in ("target", "goal", "verdict")]
    names = [name for name in names if any(getattr(row, name) not in ("", units.MISSING) for row in listed)]
    widths = {name: _width(name, listed) for name in names}
    by_benchmark = layout.total(widths) > to.width
    if by_benchmark:
        widths.pop("benchmark", None)
    terminals = {row.terminal for row in listed}
    for name in OPTIONAL:
        if layout.total(widths) > to.width and (name != "terminal" or len(terminals) == 1):
            widths.pop(name, None)
    if "terminal" not in widths:
        title = f"{title}  {terminals.pop()}"
    to.print(Text(title, style="bold"))
    headers = {name: Text("" if name == "statistic" and not judged else COLUMNS[name], style="dim") for name in widths}
    layout.print_cells(to, headers, widths, RIGHT)
    above: ResultRow | None = None
    for row in listed:
        heading, before = (_heading(each, by_benchmark) if each else "" for each in (row, above))
        if heading != before:
            layout.print_name(to, heading)
        cells = {name: _cell(name, row) for name in widths if not _repeats(name, row, above)}
        layout.print_cells(to, cells, widths, RIGHT)
        above = row
    to.print()


def _heading(row: ResultRow, by_benchmark: bool) -> str:
    return f"{row.suite}/{row.benchmark}" if by_benchmark else row.suite


def _repeats(name: str, row: ResultRow, above: ResultRow | None) -> bool:
    """Whether the row above says the same, up to and with this column."""
    place = ("benchmark", "parameter", "terminal")
    if above is None or name not in place or row.suite != above.suite:
        return False
    return all(getattr(row, other) == getattr(above, other) for other in place[: place.index(name) + 1])


def _cell(name: str, row: ResultRow) -> Text:
    value: str = getattr(row, name)
    if name == "verdict":
        return Text(value, style=STYLES[row.verdict])
    if name == "goal":
        return Text(value, style=GOAL_STYLES.get(value[-1:], "dim"))
    if name == "value":
        return Text(value, style="bold")
    return Text(value, style="dim" if name in ("interval", "statistic", "target", "floor") else "")


def _width(name: str, listed: Sequence[ResultRow]) -> int:
    return max(len(COLUMNS[name]), *(len(_cell(name, row).plain) for row in listed))


def _notes(analysis: Analysis) -> list[tuple[str, str, str]]:
    """What a verdict alone does not say: where, what, and its style."""
    notes = [("run:", problem, "bold red") for problem in analysis.problems]
    notes += [("not measured:", sentence, "yellow") for sentence in analysis.absent]
    for result in analysis.results:
        where = f"{result.cell}:"
        notes += [(where, problem, "bold red") for problem in result.problems]
        if result.failed:
            outcomes = ", ".join(f"{n} {name}" for name, n in result.outcomes.items() if name != "ok")
            reasons = "; ".join(f"{reason} ({n})" for reason, n in result.reasons.items())
            text = f"{units.count(result.failed)} of {units.count(result.n)} operations failed: {outcomes}"
            notes.append((where, f"{text}: {reasons}" if reasons else text, "red"))
        for judgement in result.judgements:
            if judgement.reason and judgement.reason != result.infeasible:
                name = judgement.target.statistic if judgement.target else ""
                notes.append((where, f"{judgement.verdict} on {name}: {judgement.reason}", STYLES[judgement.verdict]))
        if result.not_applicable:
            notes.append((where, f"not applicable: {result.not_applicable}", "dim"))
        notes += [(where, warning, "yellow") for warning in result.warnings]
    # The metrics of a cell share its operations, so their notes repeat.
    return list(dict.fromkeys(notes))


def _print_notes(to: Console, title: str, notes: Sequence[tuple[str, str, str]]) -> None:
    to.print(Text(title, style="bold"))
    for where, text, style in notes:
        layout.print_sentence(to, Text.assemble((where, "default"), " ", (text, style)), layout.INDENT)
    to.print()


def _summary_text(analysis: Analysis, *, ends: bool) -> Text:
    found = Text()
    for part in summary_parts(analysis, ends=ends):
        style = STYLES[part.verdict] if part.verdict is not None else "bold" if part.strong else ""
        found.append(part.words, style)
    return found
