"""The front of a report: the run in a few facts, every target with its verdict, the machine."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from web_terminal_suite.bench.analysis import Verdict, exit_code
from web_terminal_suite.bench.analysis.comparison.terminals import subjects
from web_terminal_suite.bench.report import (
    client,
    html_beside,
    html_curves,
    html_facts,
    html_sections,
    labels,
    rows,
    units,
)
from web_terminal_suite.bench.report.html_page import (
    Bullet,
    OverviewRow,
    Page,
    TerminalWords,
    Warned,
)
from web_terminal_suite.bench.stats.ratios import ChangeVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Estimate, Judgement, Result
    from web_terminal_suite.bench.report.html_page import History
    from web_terminal_suite.bench.report.html_samples import Baseline, Measured
    from web_terminal_suite.bench.samples import Run, Target, TerminalFacts

EXIT_WORDS = {
    0: "every target is kept",
    1: "a target is missed",
    3: "not every target is decided",
    4: "the run itself failed",
}

VERDICT_ORDER = {str(verdict): place for place, verdict in enumerate(html_sections.WORST_FIRST)}
WITHOUT_TARGET = {"latency": "p95", "slope": "slope", "level": "level"}
MACHINE = {
    "cpu_model": "processor",
    "cpu_count": "processors",
    "cpus_usable": "processors usable",
    "governors": "frequency governor",
    "turbo": "turbo",
    "virtualisation": "virtualisation",
    "memory_total": "memory",
    "memory_available": "memory available",
    "swap_used": "swap used",
    "load": "load average",
    "kernel": "kernel",
    "distribution": "distribution",
    "python": "Python",
    "hostname": "host name",
}


def page(
    of: Measured, baseline: Baseline | None, history: Sequence[History], version: str, *, brief: bool = False
) -> Page:
    """The whole report of a run.

    Args:
        brief: without panels; the targets are ours and say nothing of others, so of several terminals only the first's
            are counted and listed.
    """
    run, analysis = of.run, of.analysis
    code = int(exit_code(analysis))
    names = subjects(run)
    judged = names[0] if brief and len(names) > 1 else ""
    results = [
        each for each in analysis.results if not judged or each.role != "subject" or each.cell.terminal == judged
    ]
    judgements = [judgement for result in results for judgement in result.judgements]
    goals = [each.goal_verdict for each in judgements if each.goal_verdict is not Verdict.NONE]
    return Page(
        title=_title(run),
        brief=brief,
        started=_when(run.started),
        level=units.share(analysis.level),
        exit_code=code,
        exit_words="" if brief else EXIT_WORDS[code],
        partial=_partial(of),
        facts=_facts(of),
        verdicts={
            str(verdict): sum(each.verdict is verdict for each in judgements) for verdict in html_sections.WORST_FIRST
        },
        goals=(goals.count(Verdict.PASS), len(goals)),
        judged=judged,
        overview=[row for result in results for row in _rows(result, of, baseline)],
        beside=html_beside.page(of),
        baseline=[] if baseline is None else _baseline(baseline),
        benchmarks=html_sections.described(of) if brief else html_sections.drawn(of, baseline, history),
        terminals=[_terminal(each, brief) for each in run.terminals],
        environment=environment(run.machine),
        options=[(name.replace("_", " "), _plain(value)) for name, value in run.options.items()],
        warnings=[
            Warned(*(str(each.get(key, "")) for key in ("seen", "matters", "remedy")))
            for each in run.machine.get("warnings", [])
        ],
        version=version,
    )


def _title(run: Run) -> str:
    """What was measured; of several only the names, since their versions stand beside their figures."""
    named = [each for each in run.terminals if each.role == "subject"]
    measured = [each for each in named if not each.missing] or named
    if not measured:
        return "No terminal"
    first, *others = [each.name for each in measured]
    if not others:
        return f"{first} {measured[0].version}".rstrip()
    *most, last = others
    return f"{first} beside {', '.join(most)} and {last}" if most else f"{first} beside {last}"


def _terminal(facts: TerminalFacts, brief: bool) -> TerminalWords:
    command = labels.command(facts.command) if brief else " ".join(facts.command)
    if facts.missing:
        command = f"not measured: {facts.missing}"
    return TerminalWords(facts.name, facts.version, facts.role, facts.url or command, ", ".join(facts.capabilities))


def environment(machine: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What is known of the machine: a name, its value before the run, and after it where that is another."""
    before, after = machine.get("before") or {}, machine.get("after") or {}
    found = []
    for key, name in MACHINE.items():
        first, last = (_machine_words(key, snapshot.get(key)) for snapshot in (before, after))
        if first or last:
            found.append((name, first, "" if last == first else last))
    clock = before.get("clock") or {}
    if clock:
        words = f"{clock.get('source') or 'unknown source'}, a reading costs {clock.get('cost_ns', 0):.0f} ns"
        found.append(("clock", words, ""))
    ticks = [each.get("cpu_ticks") or 0 for each in (before, after)]
    stolen = [each.get("steal_ticks") or 0 for each in (before, after)]
    if after and ticks[1] > ticks[0]:
        found.append(("stolen by the hypervisor", f"{(stolen[1] - stolen[0]) / (ticks[1] - ticks[0]) * 100:.1f} %", ""))
    packages = before.get("packages") or {}
    if packages:
        found.append(("packages", ", ".join(f"{name} {number}" for name, number in packages.items()), ""))
    return found


def _baseline(baseline: Baseline) -> list[str]:
    """What the baseline is, how its machine differs, and what only one of the two measured."""
    compared = baseline.compared
    found = [f"the run of {_when(baseline.run.started)}"]
    if compared.machine:
        found.append(f"It is of another machine, so a change may be the machine's: {'; '.join(compared.machine)}")
    moved = [row for row in compared.floors if row.change in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)]
    if moved:
        names = ", ".join(dict.fromkeys(row.new.benchmark for row in moved))
        found.append(f"Floors changed too ({names}), and with them the machine")
    for cells, words in ((compared.gone, "only the baseline has"), (compared.added, "only this run has")):
        if cells:
            found.append(f"{words} {labels.few(cells)}")
    return found


def _partial(of: Measured) -> list[str]:
    found = list(of.analysis.problems)
    tainted = {result.cell for result in of.analysis.results if result.problems}
    if tainted:
        words = "1 cell has problems" if len(tainted) == 1 else f"{len(tainted)} cells have problems"
        found.append(f"{words} and cannot pass: {labels.few(sorted(tainted, key=str))}")
    return found


def _facts(of: Measured) -> list[tuple[str, str]]:
    run = of.run
    samples = [sample for trial in run.trials for sample in (trial.samples[:1] + trial.samples[-1:])]
    measured = html_curves.measured_count(run.trials)
    every = sum(len(trial.samples) for trial in run.trials)
    failed = sum({(r.cell, r.metric.mark): r.failed for r in of.analysis.results if not r.metric.mark}.values())
    machine = run.machine.get("before") or {}
    found = []
    if samples:
        seconds = (max(s.seen_ns for s in samples) - min(s.due_ns for s in samples)) / 1e9
        found.append(("Took", f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"))
    words = f"{units.count(measured)}, and {units.count(every - measured)} to warm up"
    found.append(("Operations", f"{words}, {units.count(failed)} failed" if failed else words))
    if machine:
        found.append(
            (
                "Machine",
                f"{machine.get('cpu_count', '?')} \N{MULTIPLICATION SIGN} {machine.get('cpu_model', 'unknown')}",
            )
        )
    found += [("Client", words) for words in client.costs(of.analysis)]
    found += [("Intervals", units.share(of.analysis.level)), ("Seed", str(run.seed))]
    return found


def _rows(result: Result, of: Measured, baseline: Baseline | None) -> list[OverviewRow]:
    fellows = [each for each in of.analysis.results if each.cell.benchmark == result.cell.benchmark]
    panel = list(dict.fromkeys(map(html_sections.panel_key, fellows))).index(html_sections.panel_key(result))
    found = [_row(result, result.judgement, panel, of, baseline)]
    if result.floor is not None and result.floor.judgement.target is not None:
        found.append(_row(result, result.floor.judgement, panel, of, baseline))
    return found


def _row(result: Result, judgement: Judgement, panel: int, of: Measured, baseline: Baseline | None) -> OverviewRow:
    target = judgement.target
    statistic = target.statistic if target else WITHOUT_TARGET[result.metric.kind]
    estimate = rows.estimate_of(statistic, result)
    unit = rows.unit_of(statistic, result)
    value, interval = rows.value_and_interval(estimate, unit)
    fellows = [each for each in of.analysis.results if each.cell.benchmark == result.cell.benchmark]
    several = len(set(map(html_sections.metric_key, fellows))) > 1
    words = statistic.removeprefix("ratio_")
    if statistic.startswith("ratio_"):
        words = f"{words} over floor"
    elif several:
        words = f"{result.metric.name}, {words}"
    change, change_words = html_facts.change(result, baseline)
    suite, _, name = result.cell.benchmark.rpartition("/")
    number = estimate.value if estimate is not None else None
    floor = html_facts.over_floor(result)
    return OverviewRow(
        anchor=result.cell.benchmark,
        panel=panel,
        benchmark=name,
        suite=suite,
        parameter=result.cell.parameter,
        terminal=result.cell.terminal,
        role=result.role,
        statistic=words,
        value="" if value == units.MISSING else value,
        interval="" if interval == units.MISSING else interval,
        target=rows.limit(target, target.limit, result) if target and target.limit is not None else "",
        goal=rows.limit(target, target.goal, result) if target and target.goal is not None else "",
        goal_verdict=str(judgement.goal_verdict),
        floor=floor,
        change=change,
        change_words=change_words,
        verdict=str(judgement.verdict),
        reason=judgement.reason or result.not_applicable,
        bullet=_bullet(target, estimate),
        keys={
            "value": _finite(number),
            "target": _finite(target.limit) if target and target.limit is not None else None,
            "floor": _finite(float(floor.rstrip("x").replace(",", ""))) if floor and floor != units.FAILED else None,
            "verdict": VERDICT_ORDER.get(str(judgement.verdict), len(VERDICT_ORDER)),
        },
    )


def _bullet(target: Target | None, estimate: Estimate | None) -> Bullet | None:
    """The judged figure as part of its limit, or of its goal where it has no limit."""
    against = None if target is None else target.limit if target.limit is not None else target.goal
    if target is None or against is None or against <= 0 or estimate is None:
        return None

    def part(value: float | None) -> float | None:
        if value is None or not math.isfinite(value) or value <= 0:
            return None
        return html_curves.shortened(value / against if target.below else against / value)

    lower, upper = part(estimate.lower), part(estimate.upper)
    ends = (lower, upper) if target.below else (upper, lower)
    return Bullet(part(estimate.value), *ends, goal=part(target.goal) if target.limit is not None else None)


def _machine_words(key: str, value: Any) -> str:
    if value is None or value == []:
        return ""
    if key.startswith(("memory", "swap")) and isinstance(value, int | float):
        return units.quantity(float(value), "B")
    if key == "load":
        return " ".join(f"{each:.2f}" for each in value)
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return str(value)


def _when(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        # A record made elsewhere may say it in its own way; it is shown as it is.
        return text
    zone = moment.tzname() or ""
    return f"{moment.day} {moment:%B %Y, %H:%M} {zone}".rstrip()


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else html_curves.shortened(value)
