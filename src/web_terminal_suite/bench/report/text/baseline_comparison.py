"""A comparison with a baseline as aligned lines: ratio, interval, verdict, and what a verdict alone does not say."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from rich.text import Text

from web_terminal_suite.bench.analysis.comparison.judging import status
from web_terminal_suite.bench.analysis.comparison.results import ComparisonStatus, Scale
from web_terminal_suite.bench.analysis.comparison.self_check import Claim, fewest_rows
from web_terminal_suite.bench.report.common import changes, labels, units
from web_terminal_suite.bench.report.common.changes import change_word
from web_terminal_suite.bench.report.text import layout
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from web_terminal_suite.bench.analysis.comparison.results import ComparisonRow, RunComparison
    from web_terminal_suite.bench.analysis.comparison.self_check import SelfCheck

STYLES = {
    ChangeVerdict.FASTER: "green",
    ChangeVerdict.SLOWER: "bold red",
    ChangeVerdict.EQUAL: "",
    ChangeVerdict.UNDECIDED: "yellow",
}
COLUMNS = ("benchmark", "statistic", "base", "new", "ratio", "interval", "p", "noticeable", "verdict")
HEADERS = {"benchmark": "", "statistic": "", "ratio": "change", "p": "p corrected"}
RIGHT = ("base", "new", "ratio", "p", "noticeable")
OPTIONAL = ("p", "base", "interval", "noticeable", "new")
"""The columns that are dropped, in this order, where the terminal is too narrow for all. The verdict always stands, and
whole."""
PLAIN_REASON = "the interval holds"
"""A reason that the table itself shows."""
CLAIMS = {
    Claim.KEPT: ("it stays under", "green"),
    Claim.BROKEN: ("it is above", "bold red"),
    Claim.UNDECIDED: ("not yet distinguishable from", "yellow"),
}
NOT_SLOWER = "not slower"
"""Said of rows that are undecided between faster and equal."""
LARGEST = 1000
"""Two trials that differ can give an interval of six digits, which says nothing more."""
MEANINGS = {
    ComparisonStatus.NO_LOSS: "nothing is slower, and every row could be told",
    ComparisonStatus.SLOWER: "something is slower",
    ComparisonStatus.UNDECIDED: "undecided",
    ComparisonStatus.INCOMPLETE: "a run is no whole one, so nothing is clear of loss",
}


def print_comparison(to: Console, compared: Sequence[RunComparison], code: int | None) -> None:
    """Every comparison with its table and notes, then one line that sums them up and states the exit code.

    Args:
        code: ``None`` where the command ends with something else.
    """
    for each in compared:
        share = units.level(each.level)
        new, base = _side(each.new, each.new_runs), _side(each.base, each.base_runs)
        title = f"{new} compared with {base}  {share} intervals of the change"
        _print_table(to, title, each.rows, each)
        _print_notes(to, [*_notes(each), *_reasons(each), *_one_sided(each)])
        to.print()
    advice = changes.what_decides([row for each in compared for row in each.rows])
    if advice:
        layout.print_sentence(to, Text(advice, style="yellow"))
    layout.print_sentence(to, _summary(compared, code))


def print_changes(to: Console, compared: Sequence[RunComparison]) -> None:
    """The rows that are slower or faster than in the last run, and a line that sums up the others.

    Nobody asked for this comparison, and one run a side can tell few rows.
    """
    for each in compared:
        changed = [row for row in each.rows if row.change in (ChangeVerdict.SLOWER, ChangeVerdict.FASTER)]
        if changed:
            _print_table(to, f"{each.new} compared with {each.base}  what changed", changed, each)
        else:
            to.print(Text(f"{each.new} compared with {each.base}  no change could be told", style="bold"))
        _print_notes(to, [*_notes(each), *_one_sided(each)])
    layout.print_sentence(to, _summary(compared, None), layout.INDENT)
    more = "compared with the last run only, so the exit code does not change; --baseline NAME asks for it, row by row"
    layout.print_sentence(to, Text(more), layout.INDENT)


def _side(name: str, runs: int) -> str:
    return name if runs == 1 else f"{name} ({runs} runs)"


def print_self_check(to: Console, found: SelfCheck) -> None:
    """Print the result of comparing a terminal with itself."""
    to.print(Text(f"Self-check  {found.first} compared with itself", style="bold"))
    for row in found.alarms:
        alarm = f"false alarm: {_where(row)} {row.statistic} {_ratio(row)} ({_interval(row)})"
        layout.print_sentence(to, Text(alarm, style="yellow"), layout.INDENT)
    interval = f"{found.lower:.1%} … {found.upper:.1%}"
    claim, style = CLAIMS[found.claim]
    counted = f"{len(found.alarms)} false alarms in {found.rows} rows, one by one: {found.rate:.1%} ({interval}); "
    verdict = Text.assemble(counted, (f"{claim} the {found.claimed:.0%} claimed", style))
    layout.print_sentence(to, verdict, layout.INDENT)
    if found.claim is Claim.UNDECIDED:
        fewest = fewest_rows(found.claimed, found.level)
        more = Text(f"{fewest} rows without an alarm would show it; select more benchmarks")
        layout.print_sentence(to, more, layout.INDENT)
    reported = Text(f"{len(found.reported)} would have been reported after correction and noise threshold")
    layout.print_sentence(to, reported, layout.INDENT)


def as_json(compared: Sequence[RunComparison], code: int) -> str:
    """The comparisons as one JSON object; a bound that does not exist and a failed percentile are ``null``."""
    rows = [_plain(msgspec.to_builtins(each)) for each in compared]
    found = {"comparisons": rows, "told": sum(row.is_told for each in compared for row in each.rows)}
    return msgspec.json.encode(found | {"status": str(status(compared)), "exit_code": code}).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_table(to: Console, title: str, rows: Sequence[ComparisonRow], terms: RunComparison) -> None:
    """One line a row after the name of its benchmark; where that is too wide, under a line with the name."""
    if not rows:
        layout.print_sentence(to, Text(title, style="bold"))
        layout.print_sentence(to, Text("no benchmark is in both", style="yellow"), layout.INDENT)
        return
    lines = [_cells(row, terms) for row in rows]
    widths = {name: max(len(HEADERS.get(name, name)), *(line[name].cell_len for line in lines)) for name in COLUMNS}
    names = [line["benchmark"].plain for line in lines]
    is_narrow = layout.total(widths) > to.width
    if is_narrow:
        names, terminal = _without_terminal(names, rows)
        title += f"  {terminal}" if terminal else ""
        del widths["benchmark"]
    for name in OPTIONAL:
        if layout.total(widths) > to.width:
            del widths[name]
    layout.print_sentence(to, Text(title, style="bold"))
    layout.print_cells(to, {name: Text(HEADERS.get(name, name), style="dim") for name in COLUMNS}, widths, RIGHT)
    for name, above, line in zip(names, ["", *names], lines, strict=False):
        if is_narrow and name != above:
            layout.print_name(to, name)
        layout.print_cells(to, line | ({"benchmark": Text()} if name == above else {}), widths, RIGHT)


def _without_terminal(names: list[str], rows: Sequence[ComparisonRow]) -> tuple[list[str], str]:
    """The names without the terminal where all have the same, and the terminal; else the names and nothing."""
    terminals = {row.new.terminal if row.base.terminal == row.new.terminal else "" for row in rows}
    terminal = terminals.pop()
    return (
        (names, "")
        if terminals or not terminal
        else ([name.removesuffix(f" [{terminal}]") for name in names], terminal)
    )


def _cells(row: ComparisonRow, terms: RunComparison) -> dict[str, Text]:
    return {
        "benchmark": Text(_where(row), style="cyan"),
        "statistic": Text(_statistic(row), style="dim"),
        "base": Text(changes.figure(row, row.base_value, row.base_n), style="dim"),
        "new": Text(changes.figure(row, row.new_value, row.new_n)),
        "ratio": Text(_ratio(row), style="bold"),
        "interval": Text(_interval(row), style="dim"),
        "p": Text(units.MISSING if row.adjusted is None else _probability(row.adjusted), style="dim"),
        "noticeable": Text(changes.noticeable(row) or units.MISSING, style="dim"),
        "verdict": Text(change_word(row, terms.noise), style="" if row.none_seen else STYLES[row.change]),
    }


def _statistic(row: ComparisonRow) -> str:
    return f"{row.statistic} {row.metric}" if row.metric != "latency" else row.statistic


def _where(row: ComparisonRow) -> str:
    parameter = f"/{row.new.parameter}" if row.new.parameter else ""
    terminal = f" [{row.new.terminal}]" if row.base.terminal == row.new.terminal else ""
    return f"{row.new.benchmark}{parameter}{terminal}"


def _ratio(row: ComparisonRow) -> str:
    if row.scale is Scale.DIFFERENCE:
        return units.MISSING if row.difference is None else changes.difference(row, row.difference)
    return units.MISSING if row.ratio is None else f"{_times(row.ratio)}x"


def _interval(row: ComparisonRow) -> str:
    if row.scale is Scale.DIFFERENCE:
        ends = [changes.difference(row, end) for end in (row.lower, row.upper)]
        return ends[0] if ends[0] == ends[1] else " … ".join(ends)
    if math.isinf(row.upper) and row.lower == 0:
        return units.MISSING
    return f"{_times(row.lower)} … {_times(row.upper)}"


def _times(ratio: float) -> str:
    """A factor to three digits; one beyond a thousand only as ``> 1,000``."""
    if math.isinf(ratio):
        return "∞"
    if ratio >= LARGEST:
        return f"> {LARGEST:,}"
    return f"< {1 / LARGEST:g}" if 0 < ratio < 1 / LARGEST else f"{ratio:.3f}"


def _probability(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"


def _print_notes(to: Console, notes: Sequence[tuple[str, str]]) -> None:
    for line, style in notes:
        layout.print_sentence(to, Text(line, style=style), layout.INDENT)


def _notes(compared: RunComparison) -> list[tuple[str, str]]:
    """What a reader must know of the two sides before any row, with its style."""
    notes = [(text, "bold red") for text in compared.problems]
    notes += [(f"another machine: {text}", "bold yellow") for text in compared.machine]
    notes += [(text, "yellow") for text in compared.remarks]
    for row in compared.floors:
        if row.change in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER):
            text = (
                f"the floor {_where(row)} itself is {change_word(row, compared.noise)}: {row.statistic} {_ratio(row)}"
            )
            notes.append((f"{text}; the machine itself changed, so differences of that size are not the terminal's",
                          "bold yellow"))  # fmt: skip
    return notes


def _reasons(compared: RunComparison) -> list[tuple[str, str]]:
    """Why rows are undecided, where the table does not show it."""
    reasons: dict[str, list[str]] = {}
    for row in compared.rows:
        if row.change is ChangeVerdict.UNDECIDED and not row.reason.startswith(PLAIN_REASON):
            reasons.setdefault(row.reason, []).append(f"{_where(row)} {_statistic(row)}")
    return [(f"{labels.few(names)}: {reason}", "dim") for reason, names in reasons.items()]


def _one_sided(compared: RunComparison) -> list[tuple[str, str]]:
    notes = []
    if compared.gone:
        notes.append((f"only in {compared.base}: {labels.few(compared.gone)}", "yellow"))
    if compared.added:
        notes.append((f"only in {compared.new}: {labels.few(compared.added)}", "dim"))
    return notes


def _counted_as(row: ComparisonRow) -> str:
    if row.change is ChangeVerdict.EQUAL:
        return row.change
    if row.change is not ChangeVerdict.UNDECIDED:
        # As the table says it.
        return change_word(row, 0.0)
    return NOT_SLOWER if row.no_loss else changes.NONE_SEEN if row.none_seen else row.change


def _summary(compared: Sequence[RunComparison], code: int | None) -> Text:
    rows = [row for each in compared for row in each.rows]
    words = [*ChangeVerdict, *changes.OTHER_WORDS.values(), NOT_SLOWER, changes.NONE_SEEN]
    words.append(words.pop(words.index(ChangeVerdict.UNDECIDED)))
    counted = Counter(_counted_as(row) for row in rows)
    parts = [f"{counted[word]} {word}" for word in words if counted[word]]
    told = sum(row.is_told for row in rows)
    corrections = {each.correction for each in compared if each.correction != "none"}
    corrected = f" after {'/'.join(corrections)} correction" if corrections else ""
    noise = max((each.noise for each in compared), default=0.0)
    level = max((each.significance for each in compared), default=0.0)
    rule = f"beyond {units.share(noise)} at significance {level:g}{corrected}"
    head = (f"{told} of {len(rows)} {'row' if len(rows) == 1 else 'rows'} could be told", "bold")
    needs = changes.needs(rows)
    text = Text.assemble(head, f": {', '.join(parts) or 'nothing to compare'}; {rule}; ", f"{needs}; " if needs else "")
    found = status(compared)
    is_screen = found is ComparisonStatus.NO_LOSS and any(each.told_share < 1 for each in compared)
    end = "nothing is slower, and enough rows could be told" if is_screen else MEANINGS[found]
    return Text.assemble(text, end) if code is None else Text.assemble(text, (f"exit {code}", "bold"), f" ({end})")
