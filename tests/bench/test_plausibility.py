"""Records that no run can have made are refused; those that a run can have made are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench.comparisons import measured
from tests.bench.records import MS, OURS, facts, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.samples import CpuUsage, Metric, Point
from web_terminal_suite.bench.terminals.delays import INDEPENDENT_MARKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEVEL = Metric(name="lost", kind="level", unit="B", exact=True)


def document() -> dict[str, Any]:
    """A record of two blocks with samples, marks and one with only a reading."""
    timed = [trial(samples([MS] * 10), block=block) for block in range(2)]
    read = trial(block=2, points=[Point("lost", 0, 5.0)])
    found = run(*timed, read, benchmarks=[facts(Metric(name="latency"), Metric(name="at", mark="m"), LEVEL)])
    text: dict[str, Any] = json.loads(record.document(found, []))
    text["trials"][0]["marks"] = {"m": [5] * 10}
    text["trials"][0]["courses"] = [{"chart": "c", "name": "n", "unit": "u", "x": [1.0], "y": [None]}]
    text["machine"] = {
        "before": {"cpu_model": "x", "memory_total": 5, "kernel": None},
        "warnings": [{"seen": "a", "matters": "b", "remedy": "c"}],
    }
    return text


def loaded(directory: Path, of: dict[str, Any]) -> None:
    path = directory / "run.json"
    path.write_text(json.dumps(of))
    record.load(path)


def test_what_a_run_can_have_measured_is_read(tmp_path: Path) -> None:
    loaded(tmp_path, document())
    (tmp_path / "a.json").write_bytes(record.document(measured(), []))
    record.load(tmp_path / "a.json")


def changed(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Sets what ``path`` names."""

    def change(of: Any) -> None:
        *way, last = [int(each) if each.isdecimal() else each for each in path.split(".")]
        for each in way:
            of = of[each]
        of[last] = value

    return change


def repeated(name: str, place: int) -> Callable[[dict[str, Any]], None]:

    def change(of: Any) -> None:
        for each in name.split("."):
            of = of[int(each) if each.isdecimal() else each]
        of.append(of[place])

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed("trials.0.seen.3", -5), "a negative time in seen: -5 ns"),
        (changed("trials.0.sent", [-1] * 10), "a negative time in sent: -1 ns"),
        (changed("trials.0.sent", [MS * 2] * 10), "was seen before it was sent"),
        (changed("trials.0.due.5", -10**9), "a negative time in due"),
        (changed("trials.0.marks.m.2", -7), "a negative time in marks.m: -7 ns"),
        (changed("trials.0.usage.client_cpu_ns", -8), "a negative time in usage: -8 ns"),
        (changed("trials.0.marks.m.2", 2**63), "a time in marks.m that no clock counts to"),
        (changed("trials.0.block", -1), "a negative block: -1"),
        (changed("trials.2.points.0.y", -5.0), "a negative count of lost: -5"),
        (changed("trials.2.points.0.y", 1e308), "a reading that nothing counts to"),
        (changed("trials.0.courses.0.y", [1.0, 2.0]), "a different number of times and readings"),
        (changed("trials.0.noted", [[0, "wrong", "x"], [0, "ok", ""]]), "two notes on a sample"),
        (repeated("trials", 0), "has block 0 twice"),
        (repeated("trials", 2), "has block 2 twice"),
        (repeated("terminals", 0), "the terminal ours twice"),
        (repeated("benchmarks", 0), "the benchmark suite/benchmark twice"),
        (repeated("benchmarks.0.metrics", 0), "the metric latency twice"),
        (changed("benchmarks.0.elements", {"*": -5}), "-5 elements"),
        (changed("machine.warnings", "abc"), "a warning of its machine"),
        (changed("machine.warnings", [{"foo": 1}]), "a warning of its machine lacks one of seen, matters, remedy"),
        (changed("machine.before", 7), "before of its machine is no object"),
        (changed("machine.before.cpu_model", ["x"]), "cpu_model of its machine is no text"),
        (changed("machine.before.memory_total", "many"), "memory_total of its machine is no number"),
        (changed("options.confidence_level", "0.99"), "confidence_level is '0.99', not between 0 and 1"),
        (changed("options.confidence_level", 1), "confidence_level is 1, not between 0 and 1"),
        (changed("options.confidence_level", 1.5), "confidence_level is 1.5, not between 0 and 1"),
    ],
)  # fmt: skip
def test_what_no_run_can_have_measured_is_corrupt(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    of = document()
    change(of)
    with pytest.raises(record.RecordError, match=rf"run\.json: corrupt: .*{words}"):
        loaded(tmp_path, of)


def test_equal_readings_of_different_trials_are_no_repetition(tmp_path: Path) -> None:
    zeros = [trial(block=0, points=[Point("lost", 0, 0.0)]) for _ in range(2)]
    later = record.from_columns(record.to_columns(zeros[1]))
    other = CpuUsage(elapsed_ns=1, client_cpu_ns=1)
    of = run(zeros[0], type(later)(cell=later.cell, block=0, points=later.points, usage=other), terminals=(OURS,))
    (tmp_path / "run.json").write_bytes(record.document(of, []))
    assert len(record.load(tmp_path / "run.json").trials) == 2


def test_another_clients_exchange_may_be_before_the_operation(tmp_path: Path) -> None:
    of = document()
    # As the calibration keeps them, in the benchmark of the reference server; no metric counts up to these marks.
    of["trials"][1]["marks"] = {mark: [-4_000_000] * 10 for mark in INDEPENDENT_MARKS}
    loaded(tmp_path, of)
