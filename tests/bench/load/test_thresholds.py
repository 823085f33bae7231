"""Thresholds: the target that each stands for, and the errors of those that are invalid."""

from __future__ import annotations

import math
import re

import pytest

from web_terminal_suite.bench.analysis import Estimate, Verdict
from web_terminal_suite.bench.analysis.verdicts import side
from web_terminal_suite.bench.load.metrics import LEVELS, METRICS, describe_benchmarks
from web_terminal_suite.bench.load.thresholds import ThresholdError, parse


@pytest.mark.parametrize(
    ("text", "benchmark", "metric", "statistic", "limit", "below"),
    [
        ("keystroke.p95<2ms", "load/keystroke", "latency", "p95", 2e6, True),
        (" keystroke.p99.9 < 1.5 s ", "load/keystroke", "latency", "p99.9", 1.5e9, True),
        ("start.max<250us", "load/start", "latency", "max", 250e3, True),
        ("start.p50<250µs", "load/start", "latency", "p50", 250e3, True),
        ("ramp.rate>=240/s", LEVELS, "ramp rate", "level", 240.0, False),
        ("ramp.rate>=240", LEVELS, "ramp rate", "level", 240.0, False),
        ("sessions>=4_000", LEVELS, "sessions", "level", 4000.0, False),
        ("sessions>=4,000", LEVELS, "sessions", "level", 4000.0, False),
        ("keystroke.p95<1,500us", "load/keystroke", "latency", "p95", 1.5e6, True),
        ("sessions>3999", LEVELS, "sessions", "level", 4000.0, False),
        ("errors<=0", LEVELS, "errors", "level", 1.0, True),
        ("errors<1%", LEVELS, "error share", "level", 1.0, True),
        ("server.pss<100MB", LEVELS, "server PSS", "level", 100e6, True),
        ("server.pss_per_session<20KiB", LEVELS, "server PSS per session", "level", 20480.0, True),
        ("server.cpu<150%", LEVELS, "server CPU", "level", 150.0, True),
        ("client.cpu<80%", LEVELS, "client CPU", "level", 80.0, True),
        ("output.rate>=1MB/s", LEVELS, "output", "level", 1e6, False),
    ],
)
def test_a_threshold_is_a_target(text, benchmark, metric, statistic, limit, below):
    found = parse(text)
    assert (found.metric.benchmark, found.metric.metric) == (benchmark, metric)
    target = found.target
    assert (target.statistic, target.limit, target.below, target.text) == (statistic, limit, below, text.strip())


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [
        ("<", "pass", "fail", "fail"),
        ("<=", "pass", "pass", "fail"),
        (">", "fail", "fail", "pass"),
        (">=", "fail", "pass", "pass"),
    ],
)
def test_operators_differ_at_the_limit_alone(operator, below, at, above):
    target = parse(f"server.cpu{operator}50%").target
    found = [
        side(Estimate(value=value, lower=value, upper=value), target.limit, target.below)
        for value in (49.0, 50.0, 51.0)
    ]
    assert found == [Verdict(below), Verdict(at), Verdict(above)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "'' is not a threshold; write METRIC OPERATOR NUMBER UNIT, such as 'keystroke.p95<2ms'"),
        ("keystroke.p95", "is not a threshold"),
        ("keystroke.p95<2", "keystroke.p95 is a time; write its unit, one of ns us"),
        ("keystroke.p95<2MB", "keystroke.p95 is a time; write its unit, one of ns us µs ms s min, not 'MB'"),
        ("keystroke.p95=2ms", "there is no operator '='; there are < <= > >="),
        ("keystroke.p95<<2ms", "there is no operator '<<'"),
        ("keystroke.p96<2ms", "there is no metric 'keystroke.p96'; did you mean keystroke.p9"),
        ("speed<2ms", "there is no metric 'speed'; there are: start.mean"),
        ("keystroke.p95<-2ms", "'-2' is not a number"),
        ("sessions>=10%", "sessions is a number; write it without a unit, not '%'"),
        ("keystroke.p95<1,5ms", "'1,5' is not a number; write 1.5 with a point"),
        ("keystroke.p95<1,5000us", "'1,5000' is not a number"),
        ("sessions>=40_00", "'40_00' is not a number"),
        ("server.pss<100MB/s", "server.pss is a number of bytes; write its unit, one of B kB MB GB"),
        ("output.rate>5MB", "output.rate is a number of bytes a second; write its unit, one of B/s kB/s MB/s"),
        ("server.cpu<50", "server.cpu is a percentage; write its unit, one of %"),
    ],
)
def test_an_invalid_threshold_says_what_is_accepted(text, complaint):
    with pytest.raises(ThresholdError, match=re.escape(complaint)) as caught:
        parse(text)
    assert str(caught.value).startswith(repr(text))


def test_every_measure_has_its_row():
    benchmarks, further = describe_benchmarks(["start", "keystroke", "reconnect", "resize"], ("",), [])
    rows = {(facts.id, metric.name): metric for facts in benchmarks for metric in facts.metrics}
    for name, measure in METRICS.items():
        metric = rows[measure.benchmark, measure.metric]
        assert metric.unit == measure.unit, name
        assert (metric.kind == "level") == (measure.statistic == "level"), name
    assert further == {}


def test_several_thresholds_of_one_metric_are_rows_of_their_own():
    texts = [
        ("*", "keystroke.p95<2ms"), ("*", "keystroke.p99<9ms"), ("busy", "keystroke.p95<3ms"),
        ("*", "errors<5"), ("busy", "errors<9"), ("idle", "server.cpu<5%"), ("busy", "server.cpu<90%"),
    ]  # fmt: skip
    targets = [(parse(text).metric, where, parse(text).target) for where, text in texts]
    benchmarks, further = describe_benchmarks(["keystroke"], ("idle", "busy"), targets)
    found = {
        (metric.name, where): target.text
        for facts in benchmarks
        for metric in facts.metrics
        for where, target in metric.targets.items()
    }
    assert found == {
        ("latency", "*"): "keystroke.p95<2ms",
        ("latency (2)", "*"): "keystroke.p99<9ms",
        ("latency (3)", "busy"): "keystroke.p95<3ms",
        ("errors", "*"): "errors<5",
        ("errors (2)", "busy"): "errors<9",
        ("server CPU", "idle"): "server.cpu<5%",
        ("server CPU", "busy"): "server.cpu<90%",
    }
    # Readings must stand under every name that a target waits for.
    assert further == {"errors": ["errors (2)"]}
    assert not any(math.isinf(target.limit) for _, _, target in targets)
