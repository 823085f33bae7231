"""What stands against comparing two sides: faults of a run, and how the two were made differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from web_terminal_suite.bench.analysis import estimates
from web_terminal_suite.bench.analysis.comparison import machine
from web_terminal_suite.bench.samples import ABORTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.samples import Cell, Metric, Run, TerminalFacts

DESIGN: Final = 2
"""Since then every cell has at least five short blocks where its operations allow it; a record says so in
``options.design``."""

_OPTIONS: Final = (
    "quick", "full", "sample_size", "blocks", "warm_up_seconds", "measurement_seconds", "precision", "adaptive",
)  # fmt: skip
"""Options that change what a figure is made of."""

NAMED: Final = 3


def faults(run: Run) -> tuple[str, ...]:
    """Why a run is no whole one, so that neither a clean comparison nor a baseline comes of it; empty where it is."""
    found = []
    if run.interrupted:
        found.append("it ended before its plan did")
    if ABORTED in run.options:
        found.append(f"it was aborted: {run.options[ABORTED]}")
    if not run.trials:
        found.append("it has no trial")
    lost = lost_cells(run)
    if lost:
        found.append(f"{few([str(cell) for cell in lost])} planned but not measured")
    spoilt = {str(trial.cell): trial.problem for trial in run.trials if trial.problem}
    if spoilt:
        cell, problem = next(iter(spoilt.items()))
        more = f" and {len(spoilt) - 1} more" if len(spoilt) > 1 else ""
        found.append(f"{cell} is partial ({problem}){more}")
    return tuple(found)


def only(run: Run, terminals: Sequence[str]) -> Run:
    """The part of a run that is of some of its terminals."""
    return msgspec.structs.replace(
        run,
        trials=tuple(trial for trial in run.trials if trial.cell.terminal in terminals),
        planned=tuple(cell for cell in run.planned if cell.terminal in terminals),
    )


def lost_cells(run: Run) -> list[Cell]:
    """Cells that were planned and that the machine could hold, without a single sample or reading."""
    measured = {trial.cell for trial in run.trials if estimates.measured(trial) or trial.points}
    cannot = {trial.cell for trial in run.trials if trial.infeasible}
    return [cell for cell in run.planned if cell not in measured and cell not in cannot]


def is_old_design(run: Run) -> bool:
    """Whether the run was made before blocks were the units, so that many of its cells have a single block."""
    design = run.options.get("design")
    return not isinstance(design, int) or design < DESIGN


def remarks(base: tuple[str, Sequence[Run]], new: tuple[str, Sequence[Run]]) -> tuple[str, ...]:
    """What was not alike, each in one line: the design of the suite, options, terminals, benchmarks, revisions."""
    found = []
    old = [name for name, runs in (base, new) if any(map(is_old_design, runs))]
    if old:
        found.append(
            f"{' and '.join(old)} {'are' if len(old) > 1 else 'is'} of the suite's old design, in which many cells "
            "have a single block; such cells give no verdict"
        )
    unlike = differing(base[1][-1], new[1][-1])
    if unlike:
        found.append(f"not measured alike: {'; '.join(unlike)}")
    return (*found, *_within(*base), *_within(*new))


def is_same_run(one: Run, other: Run) -> bool:
    """Whether two records are of one run, so that together they are no more than one."""
    return (one.started, one.seed) == (other.started, other.seed) and one.trials == other.trials


def repeated(runs: Sequence[Run]) -> tuple[int, int] | None:
    """The places, counted from 1, of the first run that is there twice."""
    for place, run in enumerate(runs):
        for earlier in range(place):
            if is_same_run(runs[earlier], run):
                return earlier + 1, place + 1
    return None


def other_machines(base: tuple[str, Sequence[Run]], new: tuple[str, Sequence[Run]]) -> tuple[str, ...]:
    """How the machines differ, of any two runs of both sides; empty where all are of one machine."""
    found = list(machine.differences(base[1][-1].machine, new[1][-1].machine))
    for name, runs in (base, new):
        for place, run in enumerate(runs[:-1], start=1):
            unlike = machine.differences(run.machine, runs[-1].machine)
            if unlike:
                found.append(f"run {place} of {name} compared with its last run: {'; '.join(unlike)}")
    return tuple(dict.fromkeys(found))


def _within(name: str, runs: Sequence[Run]) -> list[str]:
    """What was not alike among the runs of one side."""
    found = []
    revisions = list(dict.fromkeys(run.revision or "no revision" for run in runs))
    if len(revisions) > 1:
        found.append(f"the runs of {name} are not of the same code: {few([each[:12] for each in revisions])}")
    for place, run in enumerate(runs[:-1], start=1):
        unlike = differing(run, runs[-1])
        if unlike:
            found.append(f"run {place} of {name} was not measured like its last run: {'; '.join(unlike)}")
    return found


def differing(base: Run, new: Run) -> list[str]:
    """How two runs were made differently: options, terminals that both measured, descriptions of benchmarks."""
    found = [
        f"{name} was {_shown(base.options.get(name))}, is {_shown(new.options.get(name))}"
        for name in _OPTIONS
        if name in base.options and name in new.options and base.options[name] != new.options[name]
    ]
    before = {terminal.name: terminal for terminal in base.terminals}
    for terminal in new.terminals:
        if terminal.role == "subject" and terminal.name in before:
            found += _of_terminal(before[terminal.name], terminal)
    described = {facts.id: facts for facts in base.benchmarks}
    changed = [
        facts.id
        for facts in new.benchmarks
        if facts.id in described
        and (facts.description, facts.limitations) != (described[facts.id].description, described[facts.id].limitations)
    ]
    if changed:
        found.append(f"the description of {few(changed)} changed")
    redefined = [
        f"{facts.id} {metric.name}"
        for facts in new.benchmarks
        if facts.id in described
        for metric in facts.metrics
        for before in described[facts.id].metrics
        if before.name == metric.name and not is_same_metric(before, metric)
    ]
    if redefined:
        found.append(f"the kind or unit of {few(redefined)} changed, so it is not compared")
    return found


def is_same_metric(one: Metric, other: Metric) -> bool:
    """Whether figures of two metrics of one name can be compared."""
    return (one.kind, one.unit) == (other.kind, other.unit)


def _of_terminal(base: TerminalFacts, new: TerminalFacts) -> list[str]:
    return [
        f"{new.name}'s {name} was {_shown(old)}, is {_shown(now)}"
        for name, old, now in (
            ("version", base.version, new.version),
            ("URL", base.url, new.url),
            ("command", " ".join(base.command), " ".join(new.command)),
        )
        if old != now
    ]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value in (None, "") else str(value)


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
