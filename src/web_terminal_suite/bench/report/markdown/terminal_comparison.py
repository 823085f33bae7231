"""The comparison of a run's terminals as a document: figures, what each does better than the first, the method.

Everything in it comes from the record, so that anyone who has the record can write it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects as compare
from web_terminal_suite.bench.report.common import environment, labels, run_facts, side_by_side, units
from web_terminal_suite.bench.report.common.options import ReportError
from web_terminal_suite.bench.report.common.side_by_side import Standing
from web_terminal_suite.bench.report.markdown.syntax import code, sentence, table, text
from web_terminal_suite.bench.report.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.terminals import Figure, TerminalComparison, TerminalRow
    from web_terminal_suite.bench.report.common.options import ReportOptions
    from web_terminal_suite.bench.samples import Run

THREATS = (
    "One small machine: client, server and shells share its processors. A server that uses less processor time leaves "
    "more to the client, whose time is part of every latency.",
    "One client, the suite's own, for every protocol. It decodes each protocol with a few similar lines. Its processor "
    "time is recorded with each figure, and above 80 % of a core it makes a verdict on the server invalid. A browser "
    "is a different client.",
    "No compression is offered to any server. Browsers offer it, and some servers accept it.",
    "Every server is started as its documentation says, on the loopback interface, without TLS, with `/bin/sh` and the "
    "same environment. No server was tuned, including web-terminal.",
    "The suite's authors chose what is measured, and one of the terminals is theirs. The record holds every operation, "
    "so any figure can be recomputed.",
)


def report(run: Run, analysis: Analysis, options: ReportOptions) -> str:
    """The whole document. It is written to be published, so nothing in it identifies the machine.

    Raises:
        ReportError: the run measured one terminal only.
    """
    run, analysis = redacted(run, analysis)
    try:
        found = compare(run, analysis)
    except ValueError as error:
        raise ReportError(str(error)) from error
    return render(run, analysis, found, options.version)


def render(run: Run, analysis: Analysis, found: TerminalComparison, version: str) -> str:
    """The whole document, of a run and an analysis that are redacted."""
    machine = environment.environment(run.machine)
    first = found.terminals[0]
    parts = [
        "# Web terminals compared",
        f"Measured {text(run_facts.moment(run.started))}. All figures are from one interleaved run on one machine. "
        f"Ratios are to {first}'s figure, with {units.level(found.level)} confidence intervals; for times, processor "
        "time and memory a ratio below 1 means that the other terminal is better.",
        *(f"> **Partial.** {sentence(text(each))}" for each in run_facts.partial(analysis)),
        "## Terminals",
        table(
            ("terminal", "version", "started with", "remarks"),
            [
                (each.name, each.version, _command(each.command), " ".join(map(sentence, each.remarks)))
                for each in run.terminals
                if each.role == "subject" and not each.missing
            ],
        ),
        *(f"Not measured: {text(each)}." for each in analysis.absent),
        "## Summary",
        table(("", *found.terminals), list(_highlights(found))),
        *_advantages(found),
        *_failures(found),
        "## Every figure",
        f"Each terminal's figure, followed by its ratio to {first}'s and the interval of the ratio. **Bold** marks a "
        "significant difference: the interval excludes 1.",
        *_all(found),
        "## Method",
        _listed(_method(run, found)),
        "## Threats to validity",
        _listed((_network(run), *THREATS)),
        "## The machine",
        _browser(run),
        table(("", "before", "after, where it differs"), machine) if machine else "Not recorded.",
        f"Made by web-terminal {version} from a record with seed {run.seed}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _network(run: Run) -> str:
    """What lay between client and terminals."""
    words = environment.network(run.machine)
    if not words:
        return "Loopback: there is no network delay or loss. How a terminal copes with them is not measured."
    return f"A network made by the suite, with delay and loss after a model: {words}."


def _browser(run: Run) -> str:
    words = environment.browser(run.machine)
    return f"Pages were measured in a browser: {words}." if words else ""


def _command(command: tuple[str, ...]) -> str:
    return f"`{code(labels.command(command))}`" if command else ""


def _highlights(found: TerminalComparison) -> Iterator[tuple[str, ...]]:
    for words, line in side_by_side.highlights(found):
        yield (words, *(_brief(line, line.figures.get(name)) for name in found.terminals))


def _brief(line: TerminalRow, figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return units.MISSING
    ratio = "" if figure.ratio is None else f" ({_ratio(line, figure)})"
    return f"{side_by_side.value(line, figure)}{ratio}"


def _full(line: TerminalRow, figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return units.MISSING
    ratio = "" if figure.ratio is None else f"; {_ratio(line, figure)} ({side_by_side.bounds(figure)})"
    return f"{side_by_side.value(line, figure)}{ratio}"


def _ratio(line: TerminalRow, figure: Figure) -> str:
    words = side_by_side.ratio(figure)
    return words if side_by_side.standing(line, figure) is Standing.NEITHER else f"**{words}**"


def _advantages(found: TerminalComparison) -> list[str]:
    """What each of the others does better than the first."""
    first, *others = found.terminals
    parts = [f"## What the others do better than {text(first)}"]
    for name in others:
        ahead, behind, neither = side_by_side.score(found, name)
        parts.append(f"### {text(name)}")
        parts.append(
            f"Of {ahead + behind + neither} figures, {ahead} are significantly better and {behind} significantly worse."
        )
        rows = [
            (_name(line), _full(line, line.figures[first]), _full(line, line.figures[name]))
            for line, _ in side_by_side.advantages(found, name)
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
    return f"`{line.benchmark.partition('/')[2]}{parameter}` {side_by_side.statistic(line)}".rstrip()


def _method(run: Run, found: TerminalComparison) -> tuple[str, ...]:
    shares = {
        name: max((each.client_share or 0.0) for line in found.lines if (each := line.figures.get(name)) is not None)
        for name in found.terminals
    }
    busiest = ", ".join(f"{name} {units.share(share)}" for name, share in shares.items())
    return (
        f"{run.options.get('blocks', 1)} blocks. In each block every terminal is started afresh and every benchmark "
        "runs once. The order of benchmarks, and of terminals within a benchmark, follows from the seed.",
        "Operations are timed one by one, from the moment they were due until output arrives that the shell "
        "had to compute. Bytes are counted and hashed at the client: a terminal that loses or changes any fails.",
        "A ratio compares the two figures within a block; its interval follows from the variation between blocks. "
        "Intervals are not corrected for their number, so some miss the true ratio by chance.",
        "Processor time and memory of a server are those of all its processes except the shells, read from "
        "`/proc` in the same way for each.",
        f"Largest share of a core that the client itself used: {busiest}.",
    )


def _listed(points: tuple[str, ...]) -> str:
    return "\n".join(f"* {point}" for point in points)
