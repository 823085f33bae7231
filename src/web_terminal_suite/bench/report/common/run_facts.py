"""A run in a few facts: its title, when it was, how long it took, and why it may be partial."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common import client_overhead, environment, labels, units
from web_terminal_suite.bench.report.common.run_data import measured_count

if TYPE_CHECKING:
    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.samples import Run


def title(run: Run) -> str:
    """What was measured; of several terminals only the names, since their versions are shown with their figures."""
    named = [each for each in run.terminals if each.role == "subject"]
    measured = [each for each in named if not each.missing] or named
    if not measured:
        return "No terminal"
    first, *others = [each.name for each in measured]
    if not others:
        return f"{first} {measured[0].version}".rstrip()
    *most, last = others
    return f"{first} compared with {', '.join(most)} and {last}" if most else f"{first} compared with {last}"


def moment(text: str) -> str:
    """A time of a record such as ``2 January 2026, 03:04 UTC``."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        # A record made elsewhere may write it in its own way; it is shown as it is.
        return text
    zone = found.tzname() or ""
    return f"{found.day} {found:%B %Y, %H:%M} {zone}".rstrip()


def partial(analysis: Analysis) -> list[str]:
    """Why the report covers only a part of the plan; empty where the run is complete."""
    found = list(analysis.problems)
    tainted = {result.cell for result in analysis.results if result.problems}
    if tainted:
        words = "1 cell has problems" if len(tainted) == 1 else f"{len(tainted)} cells have problems"
        found.append(f"{words} and cannot pass: {labels.few(sorted(tainted, key=str))}")
    return found


def facts(run: Run, analysis: Analysis) -> list[tuple[str, str]]:
    """The run at a glance, each fact with its name."""
    samples = [sample for trial in run.trials for sample in (trial.samples[:1] + trial.samples[-1:])]
    measured = measured_count(run.trials)
    every = sum(len(trial.samples) for trial in run.trials)
    failed = sum({(r.cell, r.metric.mark): r.failed for r in analysis.results if not r.metric.mark}.values())
    machine = run.machine.get("before") or {}
    found = []
    if samples:
        seconds = (max(s.seen_ns for s in samples) - min(s.due_ns for s in samples)) / 1e9
        found.append(("Took", f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"))
    words = f"{units.count(measured)}, {units.count(failed)} failed" if failed else units.count(measured)
    found.append(("Operations", f"{words}; {units.count(every - measured)} more to warm up"))
    if machine:
        model = machine.get("cpu_model", "unknown")
        found.append(("Machine", f"{machine.get('cpu_count', '?')} \N{MULTIPLICATION SIGN} {model}"))
    if words := environment.network(run.machine):
        found.append(("Network", words))
    if words := environment.browser(run.machine):
        found.append(("Browser", words))
    found += [("Measuring client", words) for words in client_overhead.overheads(analysis)]
    found += [("Confidence level", units.level(analysis.level)), ("Seed", str(run.seed))]
    return found
