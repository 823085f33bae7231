"""The record of a load: trials, level metrics, time series, problems; and what the analysis makes of it."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from tests.bench import naive
from tests.bench.load.collectors import (
    BEGIN,
    CPU,
    DURATION,
    GENERATORS,
    MS,
    RAMP,
    SECOND_NS,
    SESSIONS,
    TYPING,
    keys,
    planned,
    starts,
    whole,
)  # fmt: skip
from web_terminal_suite.bench import record as records
from web_terminal_suite.bench.analysis import Verdict, analyse, exit_code
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.collector import RampStop
from web_terminal_suite.bench.load.record import header, trials
from web_terminal_suite.bench.samples import Cell, Outcome, Run

LEVELS = Cell("load/course", "test: stage 0", "ours")


def run_of(plan, collector) -> Run:
    started = header(plan, "2026-01-02T03:04:05+00:00", {"clients": GENERATORS}, {"warnings": []})
    stages = range(len(plan.config.scenario.stage))
    return msgspec.structs.replace(
        started, trials=tuple(each for number in stages for each in trials(plan, collector, number))
    )


def readings(run: Run) -> dict[str, float]:
    (levels,) = [trial for trial in run.trials if trial.cell == LEVELS]
    return {point.metric: point.y for point in levels.points}


def verdicts(run: Run) -> dict[str, Verdict]:
    found = analyse(run)
    return {
        result.judgement.target.text: result.judgement.verdict
        for result in found.results
        if result.judgement.target is not None
    }


def test_every_operation_is_in_the_record_once_and_as_it_was():
    run = run_of(planned(), whole())
    found = {
        kind: [s for t in run.trials if t.cell.benchmark == f"load/{kind}" for s in t.samples]
        for kind in ("start", "keystroke")
    }
    assert found == {"start": starts(), "keystroke": keys()}


def test_keys_are_blocks_of_the_stage_each_with_its_processor_time():
    run = run_of(planned(), whole())
    blocks = [trial for trial in run.trials if trial.cell.benchmark == "load/keystroke"]
    assert [trial.block for trial in blocks] == list(range(6))
    assert {len(trial.samples) for trial in blocks} == {TYPING * DURATION // 6}
    for trial in blocks:
        assert trial.usage.elapsed_ns == 2 * SECOND_NS
        assert trial.usage.client_cpu_ns == pytest.approx(2 * SECOND_NS * CPU)
        assert trial.usage.server_cpu_ns == pytest.approx(2 * SECOND_NS * CPU)


def test_level_metrics_are_what_was_reported():
    found = readings(run_of(planned(), whole()))
    assert found["sessions"] == SESSIONS
    assert found["ramp rate"] == RAMP
    assert (found["errors"], found["error share"], found["lost sessions"]) == (0, 0, 0)
    assert found["keys"] == pytest.approx(TYPING)
    assert found["server PSS"] == 50e6 + SESSIONS * 10_000
    assert found["server PSS per session"] == 10_000
    assert found["server CPU"] == pytest.approx(100 * CPU)
    assert found["client CPU"] == pytest.approx(100 * CPU)
    assert found["client CPU per keystroke"] == pytest.approx(GENERATORS * CPU * SECOND_NS / TYPING)
    assert found["client's delay p99"] == naive.quantile((each.sent_ns - each.due_ns for each in keys()), "0.99")
    assert found["client's longest pause"] == 1_001
    assert found["output"] == pytest.approx(GENERATORS * 1_000)


def test_time_series_are_second_by_second():
    (levels,) = [trial for trial in run_of(planned(), whole()).trials if trial.cell == LEVELS]
    lines = {(each.chart, each.name): dict(zip(each.x, each.y, strict=True)) for each in levels.courses}
    assert lines["Sessions", "up"][0.0] == RAMP
    assert lines["Sessions", "up"][5.0] == SESSIONS
    assert lines["Rate", "sessions started"][1.0] == RAMP
    assert lines["Rate", "keys echoed"][float(BEGIN)] == TYPING
    assert lines["Processor time", "server"][4.0] == pytest.approx(100 * CPU)
    assert lines["Processor time", "busiest client"][4.0] == pytest.approx(100 * CPU)
    assert lines["Server memory", "PSS"][4.0] == 50e6 + SESSIONS * 10_000


def took(samples) -> list[float]:
    return [each.seen_ns - each.due_ns if each.outcome is Outcome.OK else math.inf for each in samples]


@pytest.mark.parametrize(("name", "q"), [("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("max", "1")])
def test_percentiles_over_time_are_of_the_operations_due_in_each_second(name, q):
    (levels,) = [trial for trial in run_of(planned(), whole(failing=2)).trials if trial.cell == LEVELS]
    lines = {(each.chart, each.name): dict(zip(each.x, each.y, strict=True)) for each in levels.courses}
    for chart, samples in (("Keystroke latency", keys(failing=2)), ("Session start", starts())):
        expected = dict.fromkeys(map(float, range(BEGIN + DURATION)))
        for second in range(BEGIN + DURATION):
            due = [each for each in samples if each.due_ns // SECOND_NS == second]
            if due and naive.quantile(took(due), q) < math.inf:
                expected[float(second)] = naive.quantile(took(due), q)
        assert lines[chart, name] == expected
    # One of 50 may fail below p98, none at the maximum.
    assert (lines["Keystroke latency", name][float(BEGIN + DURATION - 1)] is None) == (name in ("p99", "max"))


@pytest.mark.parametrize(("name", "q"), [("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("max", "1")])
@pytest.mark.parametrize(("kind", "samples"), [("keystroke", keys()), ("start", starts())])
def test_what_a_threshold_is_judged_by_is_the_value_of_its_name(kind, samples, name, q):
    (found,) = [
        result
        for result in analyse(run_of(planned([f"{kind}.{name}<2ms"]), whole())).results
        if result.judgement.target is not None
    ]
    # Twenty starts bound no p95.
    expected = None if kind == "start" and name in ("p95", "p99") else naive.quantile(took(samples), q)
    assert found.estimates[name].value == expected


def test_thresholds_are_judged_from_the_samples():
    expect = [
        "keystroke.p95<2ms", "keystroke.p50>=2ms", "keystroke.p99.9<2ms", "keystroke.max<=1ms", "start.p95<9ms",
        "sessions>=20", "errors<=0", "server.pss_per_session<9kB", "client.cpu<80%",
    ]  # fmt: skip
    run = run_of(planned(expect), whole())
    assert verdicts(run) == {
        "keystroke.p95<2ms": Verdict.PASS,
        "keystroke.p50>=2ms": Verdict.FAIL,
        "keystroke.p99.9<2ms": Verdict.UNDECIDED,
        "keystroke.max<=1ms": Verdict.PASS,
        "start.p95<9ms": Verdict.UNDECIDED,
        "sessions>=20": Verdict.PASS,
        "errors<=0": Verdict.PASS,
        "server.pss_per_session<9kB": Verdict.FAIL,
        "client.cpu<80%": Verdict.PASS,
    }
    assert exit_code(analyse(run)) == 1


def test_a_key_that_failed_is_slower_than_any_limit():
    run = run_of(planned(["keystroke.max<1s", "errors<=2", "errors<1%", "keystroke.p50<2ms"]), whole(failing=3))
    assert verdicts(run) == {
        "keystroke.max<1s": Verdict.FAIL,
        "errors<=2": Verdict.FAIL,
        "errors<1%": Verdict.PASS,
        "keystroke.p50<2ms": Verdict.PASS,
    }
    assert readings(run)["errors"] == 3


def test_a_busy_generator_makes_the_verdict_refused():
    collector = whole()
    collector.heartbeats[1] = [
        heartbeat._replace(cpu_ns=round(heartbeat.at_ns * 0.85)) for heartbeat in collector.heartbeats[1]
    ]
    run = run_of(planned(["keystroke.p95<2ms", "errors<=0"]), collector)
    assert set(verdicts(run).values()) == {Verdict.REFUSED}
    assert exit_code(analyse(run)) == 3


def test_a_warning_says_that_the_generators_delay_is_most_of_the_latency():
    late = whole()
    batches = late.batches[0, "keystroke"]
    for place, batch in enumerate(batches):
        due = np.frombuffer(batch.due, np.int64)
        # One in 25 is later than the others, a tenth of those by far: p99 is none of the extremes.
        late_ns = np.resize([2 * MS] * 24 + [80 * MS], due.size)
        late_ns[::250] = 500 * MS
        batches[place] = msgspec.structs.replace(
            batch, sent=(due + late_ns).tobytes(), seen=(due + late_ns + 20 * MS).tobytes()
        )
    warnings = {text for trial in run_of(planned(), late).trials for text in trial.warnings}
    assert any("keys were sent 80.0 ms late at p99, most of the 100.0 ms they took" in each for each in warnings)
    assert not any(trial.warnings for trial in run_of(planned(), whole()).trials)


def test_a_failed_generator_marks_the_trials_it_had_a_part_in():
    collector = whole()
    at_ns = (BEGIN + 5) * SECOND_NS
    collector.heartbeats[1] = [heartbeat for heartbeat in collector.heartbeats[1] if heartbeat.at_ns < at_ns]
    collector.mark_failed(1, "client 2", at_ns, "ended with -9")
    run = run_of(planned(["keystroke.p95<2ms", "start.p50<9ms", "lost<=0"]), collector)
    marked = {(trial.cell.benchmark, trial.block) for trial in run.trials if trial.problem}
    assert marked == {("load/course", 0), ("load/keystroke", 2)}
    assert "client 2 ended with -9; 10 sessions were lost with it" in run.trials[0].problem
    assert verdicts(run) == {
        "keystroke.p95<2ms": Verdict.UNDECIDED,
        "start.p50<9ms": Verdict.PASS,
        "lost<=0": Verdict.FAIL,
    }
    assert exit_code(analyse(run)) == 4
    assert readings(run)["lost sessions"] == SESSIONS // GENERATORS


def test_sessions_lost_one_by_one_are_errors():
    collector = whole()
    collector.lost += [messages.SessionLost(number, (BEGIN + 1) * SECOND_NS, "closed with 1006") for number in (3, 4)]
    run = run_of(planned(), collector)
    assert (readings(run)["errors"], readings(run)["lost sessions"]) == (2, 2)
    (levels,) = [trial for trial in run.trials if trial.cell == LEVELS]
    lost = next(each for each in levels.courses if each.name == "lost sessions")
    assert dict(zip(lost.x, lost.y, strict=True))[float(BEGIN + 1)] == 2


@pytest.mark.parametrize(
    ("expect", "ours", "code"),
    [((), False, 4), (("sessions>=10",), False, 0), (("sessions>=20",), False, 1), (("sessions>=10",), True, 4)],
)
def test_stopped_arrivals_are_a_result_if_a_threshold_is_on_them_and_the_limit_is_the_servers(expect, ours, code):
    collector = whole()
    collector.stages[0].up = 12
    collector.stages[0].stop = RampStop("no pseudo-terminal is left", ours)
    run = run_of(planned(expect), collector)
    assert exit_code(analyse(run)) == code
    said = [*(trial.problem for trial in run.trials), *(text for trial in run.trials for text in trial.warnings)]
    assert any("arrivals stopped at 12 of 20 sessions: no pseudo-terminal is left" in text for text in said)


def test_a_server_that_died_fails_the_run():
    collector = whole(failing=10)
    collector.server_failure = "the server ended with -9"
    run = run_of(planned(["keystroke.p50<2ms"]), collector)
    assert exit_code(analyse(run)) == 4
    assert any(trial.problem == "the server ended with -9" for trial in run.trials)


def test_a_stage_that_was_not_reached_is_planned_and_missing():
    run = run_of(planned(stages=2), whole(stages=2))
    assert {trial.cell.parameter for trial in run.trials} == {"test: stage 0"}
    assert Cell("load/keystroke", "test: stage 1", "ours") in run.planned
    # It adds no session, so it has no starts.
    assert Cell("load/start", "test: stage 1", "ours") not in run.planned
    assert exit_code(analyse(run)) == 4


def test_what_was_reported_before_an_interruption_is_kept():
    collector = whole(end=BEGIN + 4)
    progress = collector.stages[0]
    progress.plateau_end_ns = progress.end_ns = None
    run = msgspec.structs.replace(run_of(planned(["keystroke.p95<2ms"]), collector), interrupted=True)
    assert sum(len(trial.samples) for trial in run.trials) == SESSIONS + TYPING * DURATION
    assert readings(run)["sessions"] == SESSIONS
    assert exit_code(analyse(run)) == 4
    fresh = type(collector)(GENERATORS, 1)
    assert run_of(planned(), fresh).trials == ()


def test_the_file_holds_it_all(tmp_path):
    run = run_of(planned(["keystroke.p95<2ms"]), whole())
    path = tmp_path / "load.json"
    records.save(path, run, [])
    assert records.load(path) == run
