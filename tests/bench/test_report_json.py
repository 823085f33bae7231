"""The results in the ``--json`` file."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.bench.records import FLOOR, MS, OURS, PEER, blocks, facts, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.bench.samples import Metric, Outcome, Point, Run, Target

if TYPE_CHECKING:
    from pathlib import Path


def of_latencies(latencies: list[int], **more: Any) -> Run:
    return run(*blocks(samples(latencies), **more), benchmarks=[facts(elements={"": 4}, element_unit="msg")])


def strict(data: bytes) -> Any:
    """JSON as the standard has it: Python would read ``Infinity`` and ``NaN``."""

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(data, parse_constant=refuse)


def test_the_file_has_what_is_documented(tmp_path: Path) -> None:
    latencies = [int(x) for x in np.random.default_rng(0).uniform(MS, 2 * MS, 400)]
    of = of_latencies(latencies)
    path = tmp_path / "results.json"
    report_json.write(path, of, analyse(of))
    document = strict(path.read_bytes())
    assert document["schema"] == "web-terminal-bench/1"
    assert "machine" in document
    (row,) = document["results"]
    assert (row["id"], row["parameter"], row["terminal"]) == ("suite/benchmark", "", "ours")
    assert (row["metric"], row["unit"], row["n"], row["outcomes"]) == ("latency", "ns", 400, {"ok": 400})
    for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert row[name] == np.quantile(latencies, q, method="inverted_cdf")
        lower, upper = row[f"{name}_interval"]
        assert lower <= row[name] <= upper
    assert row["p99.9"] is None
    assert row["p99.9_interval"] is None
    assert row["refusals"] == {"p99.9": "n=400, needs 3,288 more"}
    assert row["mean"] == pytest.approx(np.mean(latencies))
    assert row["mean_interval"][0] < row["mean"] < row["mean_interval"][1]
    assert row["confidence_level"] == 0.95
    assert (row["statistic"], row["target"], row["goal"], row["below"]) == ("p95", 100 * MS, 3 * MS, True)
    assert (row["verdict"], row["goal_verdict"]) == ("pass", "pass")
    assert row["throughput"]["unit"] == "msg/s"
    assert row["throughput"]["rate"] == pytest.approx(4e9 / np.mean(latencies))
    assert row["floor"] is None


def test_the_record_in_the_file_gives_the_same_results(tmp_path: Path) -> None:
    of = of_latencies([int(x) for x in np.random.default_rng(1).uniform(MS, 2 * MS, 100)])
    path = tmp_path / "results.json"
    report_json.write(path, of, analyse(of))
    again = record.load(path)
    assert again == of
    assert report_json.results(analyse(again)) == report_json.results(analyse(of))


def test_infinity_becomes_null() -> None:
    failed = [*samples([MS] * 90), *samples([1] * 10, outcome=Outcome.TIMEOUT)]
    of = run(*blocks(failed))
    (row,) = strict(record.document(of, report_json.results(analyse(of))))["results"]
    assert row["p95"] is None
    # Between the 90th operation, which came in time, and one that never came.
    assert row["p95_interval"] == [MS, None]
    assert row["mean_interval"][1] is None
    assert row["outcomes"] == {"ok": 90, "timeout": 10}
    assert row["reasons"] == {"no marker": 10}
    assert row["verdict"] == "undecided"


def test_a_floor_is_an_object_with_its_own_verdict() -> None:
    metric = Metric(name="latency", floor_targets={"*": Target(statistic="ratio_p95", limit=3.0, goal=1.5)})
    of = run(
        *blocks(samples([2 * MS] * 100)),
        *blocks(samples([MS] * 100), terminal="floor"),
        benchmarks=[facts(metric, floor="floor")],
    )
    mine, floor = report_json.results(analyse(of))
    assert mine["verdict"] == "none"
    assert mine["target"] is None
    assert mine["floor"]["terminal"] == "floor"
    assert mine["floor"]["ratio_p95"] == 2
    assert mine["floor"]["ratio_p95_interval"] == [2, 2]
    assert mine["floor"]["added_p50"] == MS
    assert (mine["floor"]["target"], mine["floor"]["verdict"], mine["floor"]["goal_verdict"]) == (3.0, "pass", "fail")
    assert floor["role"] == "floor"
    assert floor["verdict"] == "none"


def test_a_slope_and_what_does_not_apply() -> None:
    metric = Metric(name="memory", kind="slope", unit="B", targets={"*": Target(statistic="slope", limit=1e5)})
    points = [Point("memory", x, 9_000.0 * x + (-1) ** i) for i, x in enumerate((0, 100, 300, 1000))]
    several = [
        trial(points=[Point("memory", point.x, point.y + number * point.x) for point in points], block=number)
        for number in range(-2, 3)
    ]
    of = run(*several, benchmarks=[facts(metric, needs=("create API",))], terminals=[OURS, PEER, FLOOR])
    ours, peer = strict(record.document(of, report_json.results(analyse(of))))["results"]
    assert ours["slope"] == pytest.approx(9_000, rel=1e-3)
    assert ours["slope_interval"][0] < ours["slope"] < ours["slope_interval"][1]
    assert ours["p95"] is None
    assert ours["r2"] == pytest.approx(1)
    assert peer["verdict"] == "not applicable"
    assert peer["not_applicable"] == "needs create API"
    assert peer["target"] == 1e5


def test_no_number_is_infinite_anywhere() -> None:
    of = run(trial(samples([MS] * 3)), trial(samples([1] * 3, outcome=Outcome.CLOSED), terminal="floor"))

    def numbers(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [number for each in value.values() for number in numbers(each)]
        if isinstance(value, list):
            return [number for each in value for number in numbers(each)]
        return [value] if isinstance(value, float) else []

    assert all(math.isfinite(number) for number in numbers(report_json.results(analyse(of))))
