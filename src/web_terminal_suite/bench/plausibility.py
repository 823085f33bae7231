"""What no run can have measured: negative times, a trial that stands twice, facts of another type.

A record comes from anywhere. What is told here is refused as corrupt, before a figure rests on it.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.samples import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from web_terminal_suite.bench.samples import BenchmarkFacts, Run, Sample, Trial

_LARGEST: Final = 2**62
"""Of a time in ns, and of a reading in its unit: beyond it no clock counts, and sums of squares overflow."""
_MARKS: Final = "marks."
_TEXTS: Final = ("seen", "matters", "remedy")
"""What a warning of the machine has."""
_MACHINE_TEXTS: Final = ("cpu_model", "distribution", "hostname", "kernel", "python", "taken", "virtualisation")
_MACHINE_NUMBERS: Final = ("cpu_count", "cpus_usable", "memory_total")


def faults(run: Run) -> Iterator[str]:
    """What is wrong with a run, the worst first; nothing for one that can have been measured."""
    # Other marks are moments of something else, such as another client's exchange before this one.
    marks = {each.id: {metric.mark for metric in each.metrics} for each in run.benchmarks}
    for trial in run.trials:
        yield from (f"{trial.cell} {fault}" for fault in _trial_faults(trial, marks.get(trial.cell.benchmark, set())))
    yield from _repeated_trials(run.trials)
    exact = {(each.id, metric.name) for each in run.benchmarks for metric in each.metrics if metric.exact}
    for trial in run.trials:
        for point in trial.points:
            if point.y < 0 and (trial.cell.benchmark, point.metric) in exact:
                yield f"{trial.cell} has a negative count of {point.metric}: {point.y:g}"
    for what, names in (
        ("benchmark", [each.id for each in run.benchmarks]),
        ("terminal", [each.name for each in run.terminals]),
    ):
        yield from (f"it describes the {what} {name} twice" for name in _repeated(names))
    for benchmark in run.benchmarks:
        yield from _benchmark_faults(benchmark)
    yield from _machine_faults(run.machine)
    level = run.options.get("confidence_level")
    if level is not None and not (_is_number(level) and 0 < level < 1):
        yield f"its confidence_level is {level!r}, not between 0 and 1"


def _trial_faults(trial: Trial, ends: Collection[str]) -> Iterator[str]:
    """``ends`` are the marks up to which a metric counts."""
    if trial.block < 0:
        yield f"has a negative block: {trial.block}"
    times = {
        "due": [sample.due_ns for sample in trial.samples],
        "sent": [sample.sent_ns - sample.due_ns for sample in trial.samples],
        "seen": [sample.seen_ns - sample.due_ns for sample in trial.samples],
    }
    names = sorted({name for sample in trial.samples for name in sample.marks})
    times |= {
        f"{_MARKS}{name}": [at for sample in trial.samples if (at := _since(sample, name)) is not None]
        for name in names
    }
    if trial.usage is not None:
        usage = trial.usage
        times["usage"] = [usage.elapsed_ns, usage.client_cpu_ns, usage.server_cpu_ns or 0]
    for name, column in times.items():
        if not column:
            continue
        earliest = min(column)
        if max(column) > _LARGEST or earliest < -_LARGEST:
            yield f"has a time in {name} that no clock counts to"
        if earliest < 0 and (not name.startswith(_MARKS) or name.removeprefix(_MARKS) in ends):
            yield f"has a negative time in {name}: {earliest} ns"
    if any(sample.outcome is Outcome.OK and sample.seen_ns < sample.sent_ns for sample in trial.samples):
        yield "has an operation that was seen before it was sent"
    if any(not math.isfinite(value) or abs(value) > _LARGEST for point in trial.points for value in (point.x, point.y)):
        yield "has a reading that nothing counts to"
    if any(len(each.x) != len(each.y) for each in trial.courses):
        yield "has a time series with a different number of times and readings"


def _since(sample: Sample, mark: str) -> int | None:
    at = sample.marks.get(mark)
    return None if at is None else at - sample.due_ns


def _repeated_trials(trials: Iterable[Trial]) -> Iterator[str]:
    """Those whose operations or readings would count double."""
    begun: set[Any] = set()
    for trial in trials:
        if not trial.samples and not trial.points:
            continue
        # No two operations of a cell are due at the same nanosecond; readings have the time that they took.
        identity = trial.samples[0].due_ns if trial.samples else (trial.points, trial.usage)
        if (trial.cell, trial.block, identity) in begun:
            yield f"{trial.cell} has block {trial.block} twice"
        begun.add((trial.cell, trial.block, identity))


def _benchmark_faults(benchmark: BenchmarkFacts) -> Iterator[str]:
    yield from (
        f"{benchmark.id} describes the metric {name} twice"
        for name in _repeated([each.name for each in benchmark.metrics])
    )
    yield from (
        f"{benchmark.id} has {number} elements in an operation"
        for number in benchmark.elements.values()
        if not 0 < number <= _LARGEST
    )


def _machine_faults(machine: dict[str, Any]) -> Iterator[str]:
    warnings = machine.get("warnings", [])
    if not isinstance(warnings, list) or not all(
        isinstance(each, dict) and all(isinstance(each.get(name), str) for name in _TEXTS) for each in warnings
    ):
        yield f"a warning of its machine lacks one of {', '.join(_TEXTS)}"
    network = machine.get("network")
    if network is not None and not (isinstance(network, dict) and isinstance(network.get("conditions"), str)):
        yield "the network of its machine has no conditions"
    facts = machine.get("before") or {}
    if not isinstance(facts, dict):
        yield "before of its machine is no object"
        return
    for names, fits, what in ((_MACHINE_TEXTS, _is_text, "text"), (_MACHINE_NUMBERS, _is_number, "number")):
        for name in names:
            if facts.get(name) is not None and not fits(facts[name]):
                yield f"{name} of its machine is no {what}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
