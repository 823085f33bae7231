"""Where the time went and what follows from it: rules on the figures of one run, each giving findings or none.

A rule reports only what was measured, names the figures behind it, and recommends only what follows from them. Pure:
the same analysis gives the same findings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from web_terminal_suite.bench.analysis import Verdict
from web_terminal_suite.bench.report.common import rows, units
from web_terminal_suite.bench.report.markdown.figures import (
    cost_of,
    covered,
    ends_of,
    factor_of,
    is_number,
    largest_stage,
    leading,
    name_of,
    needed,
    percent,
    statistic_of,
    subjects,
    tail_of,
    times,
    unrest,
    wants_better,
)

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run

LARGE_STAGE = 0.5
"""Share of an operation from which one stage is where its time goes."""

NEAR_FLOOR = 1.5
"""Ratio to the floor below which the machine, not the terminal, sets the figure."""

LONG_TAIL = 4.0
"""p95 over p50 from which a tail is reported: an exponential distribution has 4.3."""

SHARED_TAIL = 0.7
"""Part of the tail that the floor must have for it to be the machine's."""

BUSY = 0.8
"""Cores from which a process is bound by its processor."""

IDLE = 0.5
"""Cores of client and server together below which most of the time was spent waiting for something else."""

MOSTLY = 0.5
"""Part of a trial that its operations must fill for the trial's processor time to be theirs, not the preparation's."""

PROPORTIONAL = (0.8, 1.25)
"""Cost of an element at the largest parameter over that at the smallest, between which it stays the same."""


class Topic(StrEnum):
    """In the order in which they matter."""

    FAILURE = "Failed operations"
    TARGET = "Targets not met"
    UNDECIDED = "Undecided targets"
    STAGE = "Where the time went"
    FLOOR = "Against the floor"
    PROCESSOR = "Processor"
    TAIL = "Tail"
    SCALING = "Scaling with the parameter"
    MEMORY = "Memory"
    MACHINE = "Machine"


@dataclass(frozen=True)
class Finding:
    """What was seen, where, and what to do about it (empty where nothing follows).

    ``figure`` is what stands for this finding where several have the same consequence. ``weight`` orders the findings
    of a topic, the heaviest first.
    """

    topic: Topic
    where: str
    seen: str
    follows: str = ""
    weight: float = 0.0
    figure: str = ""


def findings(run: Run, analysis: Analysis) -> list[Finding]:
    """All that the rules find, by topic and weight."""
    order = list(Topic)
    found = [finding for rule in RULES for finding in rule(run, analysis)]
    return sorted(found, key=lambda finding: (order.index(finding.topic), -finding.weight, finding.where))


def failures(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Operations that did not succeed, with their reasons."""
    told = set()
    for result in subjects(analysis):
        if not result.failed or result.cell in told:
            continue
        told.add(result.cell)
        share = result.failed / result.n
        outcomes = ", ".join(f"{units.count(n)} {name}" for name, n in result.outcomes.items() if name != "ok")
        reasons = "; ".join(f"{reason} ({units.count(n)})" for reason, n in result.reasons.items())
        seen = (
            f"{units.count(result.failed)} of {units.count(result.n)} operations ({percent(share)}) failed: {outcomes}"
        )
        yield Finding(
            Topic.FAILURE,
            str(result.cell),
            f"{seen}{f' ({reasons})' if reasons else ''}",
            "a failed operation counts as an infinite latency: explain the failures before improving any percentile",
            share,
        )


def missed(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Targets that the run missed, by how far."""
    for result in subjects(analysis):
        for judgement in result.judgements:
            target = judgement.target
            if judgement.verdict is not Verdict.FAIL or target is None or target.limit is None:
                continue
            estimate = rows.estimate_of(target.statistic, result)
            value, interval = rows.value_and_interval(estimate, rows.unit_of(target.statistic, result))
            factor = factor_of(estimate, target)
            seen = f"{statistic_of(target)} {value} ({interval}) against {rows.limit(target, target.limit, result)}"
            away = f"{units.quantity(factor, units.RATIO)} away from its limit" if factor else "beyond its limit"
            stage = largest_stage(result, analysis)
            follows = f"it is {away}"
            if stage is not None:
                follows += f"; {stage.words} is the largest part of it, {percent(stage.share)}"
            yield Finding(Topic.TARGET, name_of(result, analysis), seen, follows, factor or math.inf)


def undecided(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Targets without a verdict, and the number of operations that would give one."""
    for result in subjects(analysis):
        judgement, target = result.judgement, result.judgement.target
        if target is None or judgement.verdict not in (Verdict.UNDECIDED, Verdict.REFUSED):
            continue
        follows, need = "", needed(result, target)
        if judgement.verdict is Verdict.UNDECIDED and need:
            follows = "repeat with a larger --sample-size; this many operations would decide it if they are like these"
        figure = units.count(need) if need and follows else ""
        yield Finding(Topic.UNDECIDED, name_of(result, analysis), judgement.reason, follows, float(need or 0), figure)


def stages(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """The stage of an operation in which most of its mean passes, where its moments on the way were stamped."""
    for result in subjects(analysis):
        stage = largest_stage(result, analysis)
        if stage is None or stage.share < LARGE_STAGE:
            continue
        whole = units.quantity(stage.whole, "ns")
        seen = f"of {whole} on average, {units.quantity(stage.took, 'ns')} ({percent(stage.share)}) pass {stage.words}"
        wanted = any(wants_better(each) for each in analysis.results if each.cell == result.cell)
        follows = (
            f"most of it passes {stage.words}: improving other parts of the operation gains little" if wanted else ""
        )
        yield Finding(Topic.STAGE, str(result.cell), seen, follows, stage.share, percent(stage.share))


def over_floor(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """How much of a median the machine takes without any terminal, and how much is added."""
    for result in subjects(analysis):
        if result.floor is None or "p50" not in result.floor.ratio:
            continue
        ratio, added = result.floor.ratio["p50"], result.floor.added["p50"]
        if not is_number(ratio) or not is_number(added) or ratio.value is None or added.value is None:
            continue
        own = units.quantity(added.value, result.metric.unit)
        floor = str(result.floor.floor)
        lower, upper = (end(ratio.readings, default=bound) for end, bound in ((min, ratio.lower), (max, ratio.upper)))
        if lower <= 1 <= upper or added.value <= 0:
            yield Finding(
                Topic.FLOOR,
                name_of(result, analysis),
                f"its p50 does not differ significantly from that of the floor {floor}"
                f" ({units.quantity(ratio.value, units.RATIO)})",
                "",
                ratio.value,
            )
            continue
        share = 1 - 1 / ratio.value
        seen = f"it adds {own} ({percent(share)} of its p50) to the floor {floor}, {times(ratio)}"
        follows = ""
        if wants_better(result):
            follows = (
                "the machine itself accounts for most of p50; at most the figure given can be saved"
                if ratio.value < NEAR_FLOOR
                else "the terminal adds more than half of the floor to p50; at most the figure given can be saved"
            )
        yield Finding(Topic.FLOOR, name_of(result, analysis), seen, follows, ratio.value, own)


def processor(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Whether the server computed or waited, where a target or a goal is still open."""
    told = set()
    for result in subjects(analysis):
        if result.server_share is None or result.cell in told or result.metric.kind != "latency":
            continue
        if result.component or not wants_better(result) or covered(run, result.cell) < MOSTLY:
            continue
        told.add(result.cell)
        server, client = result.server_share, result.client_share or 0.0
        shares = f"server {units.share(server)} of a core, client {units.share(client)}"
        cost = cost_of(run, result.cell)
        each = f"; {units.quantity(cost, 'ns')} of server processor time per operation" if cost else ""
        if server >= BUSY:
            follows = "the server is bound by its processor here: reduce the work per operation, or use more workers"
        elif server + client < IDLE:
            follows = (
                "neither of the two was busy most of the time: the operation waits for the shell, the kernel or a timer"
            )
        else:
            continue
        yield Finding(Topic.PROCESSOR, str(result.cell), shares + each, follows, server)


def tails(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Long tails, and whether the floor has the same."""
    by_cell = {(each.cell, each.metric.name): each for each in analysis.results}
    for result in leading(analysis):
        length = tail_of(result)
        if length is None or length < LONG_TAIL:
            continue
        figures = " and ".join(
            f"{name} {units.quantity(result.estimates[name].value, result.metric.unit)}" for name in ("p50", "p95")
        )
        seen = f"p95 is {units.quantity(length, units.RATIO)} p50 ({figures})"
        at = None if result.floor is None else result.floor.floor
        below = None if at is None else tail_of(by_cell.get((at, result.metric.name)))
        if at is not None and below is not None and below >= SHARED_TAIL * length:
            follows = f"the floor {at} has the same tail ({units.quantity(below, units.RATIO)}): the machine causes it"
        elif below is not None:
            follows = f"the floor's is {units.quantity(below, units.RATIO)}, so the terminal causes most of this tail"
        else:
            follows = f"repeat on a quiet machine before looking for the cause: {unrest(run)}" if unrest(run) else ""
        yield Finding(Topic.TAIL, name_of(result, analysis), seen, follows, length, units.quantity(length, units.RATIO))


def scaling(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """What one element costs at the smallest and at the largest parameter."""
    for facts in run.benchmarks:
        if len(facts.elements) < 2 or facts.element_unit in ("B", "byte", "bytes"):
            continue
        for terminal in dict.fromkeys(each.cell.terminal for each in subjects(analysis)):
            ends = ends_of(analysis, facts, terminal)
            if ends is None:
                continue
            (few, first), (many, last) = ends
            growth = last / first
            unit = facts.element_unit.rstrip("s") or "element"
            seen = (
                f"one {unit} takes {units.quantity(first, 'ns')} of p50 with {units.count(few)}, "
                f"{units.quantity(last, 'ns')} with {units.count(many)}"
            )
            if growth > PROPORTIONAL[1]:
                follows = (
                    f"each costs {units.quantity(growth, units.RATIO)} as much with many: something they share grows"
                )
            elif growth >= PROPORTIONAL[0]:
                follows = "the time is proportional to their number: they are handled in sequence, not in parallel"
            else:
                follows = ""
            yield Finding(Topic.SCALING, f"{facts.id} [{terminal}]", seen, follows, growth)


def memory(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """Memory for each session and at rest, against target and goal."""
    for result in subjects(analysis):
        target = result.judgement.target
        if result.metric.kind == "latency" or target is None or "B" not in result.metric.unit:
            continue
        estimate = result.estimates.get(result.metric.kind)
        if estimate is None or estimate.value is None:
            continue
        value, interval = rows.value_and_interval(estimate, result.metric.unit)
        seen = f"{result.metric.kind} {value} ({interval})"
        follows = ""
        if target.goal is not None and result.judgement.goal_verdict is Verdict.FAIL:
            excess = units.quantity(estimate.value - target.goal, result.metric.unit)
            follows = f"the goal {rows.limit(target, target.goal, result)} needs {excess} less"
        yield Finding(Topic.MEMORY, name_of(result, analysis), seen, follows, 0.0)


def machine(run: Run, analysis: Analysis) -> Iterator[Finding]:
    """What the machine warned of, with the record's own remedy."""
    for warning in run.machine.get("warnings", []):
        seen = f"{warning.get('seen', '')}: {warning.get('matters', '')}"
        yield Finding(Topic.MACHINE, "the machine", seen, str(warning.get("remedy", "")))


RULES: tuple[Callable[[Run, Analysis], Iterator[Finding]], ...] = (
    failures,
    missed,
    undecided,
    stages,
    over_floor,
    processor,
    tails,
    scaling,
    memory,
    machine,
)
