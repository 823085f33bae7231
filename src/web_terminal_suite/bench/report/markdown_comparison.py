"""The comparison of a run's terminals as a document: figures, what each does better than the first, how it was done.

Everything in it comes from the record, so that whoever has the record can write it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.report import beside, html_overview, labels, units
from web_terminal_suite.bench.report.beside import Side
from web_terminal_suite.bench.report.html_samples import Measured
from web_terminal_suite.bench.report.markdown_text import code, sentence, table, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow
    from web_terminal_suite.bench.samples import Run

THREATS = (
    "One machine, and a small one: client, server and shells share its processors. A server that uses less of them "
    "leaves more to the client, which is part of any latency here.",
    "Loopback: no network's delay or loss. What a terminal does about either is not measured.",
    "One client, ours, for every wire. It decodes each wire by a few lines of the same kind, its own processor time is "
    "in the record beside each figure, and above 80 % of a core no verdict on the server stands; but a browser is "
    "another client.",
    "No compression is offered to anybody. Browsers offer it, and some servers take it.",
    "Every server is started as its documentation says, on the loopback, without TLS, with `/bin/sh`, and with the "
    "same environment. Nobody's was tuned, ours neither.",
    "What is measured is what the suite's authors thought of, and one of the terminals is theirs. The record holds "
    "every operation: recompute what you doubt.",
)


def render(run: Run, analysis: Analysis, found: TerminalComparison, version: str) -> str:
    """The whole document, of a run and an analysis that are ``published``."""
    page = html_overview.page(Measured(run, analysis), None, (), version, brief=True)
    first = found.terminals[0]
    parts = [
        "# Web terminals beside each other",
        f"Measured {text(page.started)}. Figures are of one interleaved run on one machine; ratios are to {first}'s, "
        f"with {units.share(found.level)} intervals. Below 1 the other terminal is ahead, above 1 {first} is.",
        *(f"> **Partial.** {sentence(text(each))}" for each in page.partial),
        "## Terminals",
        table(
            ("terminal", "version", "started with", "to know of it"),
            [
                (each.name, each.version, _command(each.command), " ".join(map(sentence, each.remarks)))
                for each in run.terminals
                if each.role == "subject" and not each.missing
            ],
        ),
        *(f"Not measured: {text(each)}." for each in analysis.absent),
        "## In short",
        table(("", *found.terminals), list(_short(found))),
        *_leads(found),
        *_failures(found),
        "## Every figure",
        f"Each terminal's figure, and behind it its ratio to {first}'s with the interval; **bold** where the interval "
        "is clear of 1.",
        *_all(found),
        "## How it was done",
        _listed(_method(run, found)),
        "## What may be wrong with it",
        _listed(THREATS),
        "## The machine",
        table(("", "before", "after, where it differs"), page.environment) if page.environment else "Not recorded.",
        f"Made by web-terminal {version} from a record with seed {run.seed}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _command(command: tuple[str, ...]) -> str:
    return f"`{code(labels.command(command))}`" if command else ""


def _short(found: TerminalComparison) -> Iterator[tuple[str, ...]]:
    for words, line in beside.in_short(found):
        yield (words, *(_brief(line, line.figures.get(name)) for name in found.terminals))


def _brief(line: TerminalRow, figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return units.MISSING
    ratio = "" if figure.ratio is None else f" ({_ratio(line, figure)})"
    return f"{beside.value(line, figure)}{ratio}"


def _full(line: TerminalRow, figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return units.MISSING
    ratio = "" if figure.ratio is None else f"; {_ratio(line, figure)} ({beside.bounds(figure)})"
    return f"{beside.value(line, figure)}{ratio}"


def _ratio(line: TerminalRow, figure: Figure) -> str:
    words = beside.ratio(figure)
    return words if beside.side(line, figure) is Side.NEITHER else f"**{words}**"


def _leads(found: TerminalComparison) -> list[str]:
    """What each of the others does better than the first."""
    first, *others = found.terminals
    parts = [f"## What the others do better than {text(first)}"]
    for name in others:
        ahead, behind, neither = beside.score(found, name)
        parts.append(f"### {text(name)}")
        parts.append(f"Of {ahead + behind + neither} figures {ahead} for certain; {behind} are worse for certain.")
        rows = [
            (_name(line), _full(line, line.figures[first]), _full(line, line.figures[name]))
            for line, _ in beside.leads(found, name)
        ]
        parts.append(table(("", first, name), rows) if rows else "")
    return parts


def _failures(found: TerminalComparison) -> list[str]:
    rows = [
        (_name(line), name, f"{units.count(figure.failed)} of {units.count(figure.n)}", figure.failure or figure.reason)
        for line in found.lines
        for name, figure in line.figures.items()
        if figure.failed and line.statistic == "p50"
    ]
    return ["## Failures", table(("", "terminal", "operations failed", "why"), rows)] if rows else []


def _all(found: TerminalComparison) -> list[str]:
    parts = []
    for suite in dict.fromkeys(line.benchmark.partition("/")[0] for line in found.lines):
        lines = [line for line in found.lines if line.benchmark.partition("/")[0] == suite]
        rows = [(_name(line), *(_full(line, line.figures.get(name)) for name in found.terminals)) for line in lines]
        parts += [f"### {text(suite)}", table(("", *found.terminals), rows)]
    return parts


def _name(line: TerminalRow) -> str:
    parameter = f"/{line.parameter}" if line.parameter else ""
    return f"`{line.benchmark.partition('/')[2]}{parameter}` {beside.statistic(line)}".rstrip()


def _method(run: Run, found: TerminalComparison) -> tuple[str, ...]:
    shares = {
        name: max((each.client_share or 0.0) for line in found.lines if (each := line.figures.get(name)) is not None)
        for name in found.terminals
    }
    busiest = ", ".join(f"{name} {units.share(share)}" for name, share in shares.items())
    return (
        f"{run.options.get('blocks', 1)} blocks; in each every terminal is started afresh, every benchmark comes once, "
        "in an order out of the seed, the terminals one after the other in an order out of the seed.",
        "Operations are timed one by one, from the moment they were due; their end is found by output that the "
        "shell had to compute. Bytes are counted and hashed at the far end: a terminal that loses or changes any "
        "fails there.",
        "A ratio is of the two figures within a block; its interval rests on what varies between blocks. Each interval "
        "stands for itself, and of so many some miss by chance.",
        "Server processor time and memory are those of all its processes, found in `/proc` the same way for each, "
        "without the shells'.",
        f"The client's own processor time at its busiest, of a core: {busiest}.",
    )


def _listed(points: tuple[str, ...]) -> str:
    return "\n".join(f"* {point}" for point in points)
