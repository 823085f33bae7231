"""Every export, read back by whatever it is made for."""

from __future__ import annotations

import csv as stdlib_csv
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import junitparser
import msgspec
import pyperf as real_pyperf
import pytest
from click.testing import CliRunner
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.bench.records import MS, blocks, facts, run, samples, trial
from tests.bench.reported import ECHO, HOSTILE, LIFE, MEMORY, OURS, PEER, THROUGHPUT, reported
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.printable import printable
from web_terminal_suite.bench.report import export
from web_terminal_suite.bench.report.common.options import ReportOptions
from web_terminal_suite.bench.report.export import (
    EXPORTERS,
    ExportOptions,
    NothingToExport,
    bmf,
    csv,
    github,
    junit,
    openmetrics,
    pyperf,
)
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.bench.report.formats import REPORT_FORMATS
from web_terminal_suite.bench.samples import Metric, Outcome, Phase, Point, Target
from web_terminal_suite.cli.application import application

DOCUMENT = Path(__file__).parents[2] / "docs/benchmarks.md"


@pytest.fixture(scope="module")
def of():
    return reported()


@pytest.fixture(scope="module")
def analysis(of):
    return analyse(of)


def row(analysis, benchmark, terminal=OURS, parameter="", metric=None):
    return next(
        each
        for each in analysis.results
        if (each.cell.benchmark, each.cell.terminal, each.cell.parameter) == (benchmark, terminal, parameter)
        and metric in (None, each.metric.name)
    )


def read(text):
    return list(stdlib_csv.DictReader(io.StringIO(text, newline="")))


def test_csv_has_a_row_a_result_with_its_bounds(analysis):
    found = read(csv.results(analysis))
    assert len(found) == len(analysis.results)
    echo = next(each for each in found if each["id"] == ECHO and each["terminal"] == OURS)
    expected = row(analysis, ECHO).estimates["p95"]
    assert float(echo["p95"]) == expected.value
    assert float(echo["p95_lower"]) == expected.lower
    assert echo["verdict"] == "pass"
    assert float(echo["ratio_p95"]) == row(analysis, ECHO).floor.ratio["p95"].value
    life = next(each for each in found if each["id"] == LIFE and each["terminal"] == OURS)
    assert life["problems"] == f"block 1: {HOSTILE}"
    slope = next(each for each in found if each["id"] == MEMORY)
    assert slope["p95"] == ""
    assert float(slope["slope"]) == row(analysis, MEMORY).estimates["slope"].value


def test_csv_columns_are_the_same_for_every_run(analysis):
    other = analyse(run(trial(samples([MS] * 10))))
    assert csv.results(analysis).splitlines()[0] == csv.results(other).splitlines()[0]
    assert read(csv.results(other))[0]["p99"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_has_no_cell_that_a_spreadsheet_evaluates(start):
    name = f"{start}SUM(A1)"
    terminal = msgspec.structs.replace(run().terminals[0], name=name)
    of = run(trial(samples([-5, MS]), terminal=name, warnings=(name,)), terminals=[terminal])
    for row in (*read(csv.results(analyse(of))), *read(csv.samples(of))):
        assert row["terminal"] == f"'{name}"
        assert all(not text or text[0] not in "=+@\t\r" for text in row.values())
    # A negative number is a number.
    assert read(csv.samples(of))[0]["seen_ns"] == "-5"


def test_csv_of_samples_has_a_row_an_operation(of):
    found = read(csv.samples(of))
    assert len(found) == sum(len(each.samples) for each in of.trials)
    assert found[0]["due_ns"] == "0"
    assert {each["phase"] for each in found} == {str(phase) for phase in Phase}
    assert {each["reason"] for each in found if each["outcome"] == "timeout"} == {"no echo"}
    marked = [each for each in found if each["id"] == LIFE]
    assert all(0 < int(each["reply_ns"]) < int(each["seen_ns"]) for each in marked)
    assert {each["reply_ns"] for each in found if each["id"] == ECHO} == {""}


def test_csv_of_nothing_is_its_head():
    assert read(csv.samples(run())) == []


def suites(text):
    return {suite.name: suite for suite in junitparser.JUnitXml.fromstring(text.encode())}


def test_junit_has_a_case_a_target_with_what_came_of_it(of, analysis):
    found = suites(junit.document(of, analysis))
    assert set(found) == {"interactive", "websocket_throughput", "session_creation", "concurrent_load"}
    cases = {case.name: case for suite in found.values() for case in suite}
    judged = [
        each
        for result in analysis.results
        for each in result.judgements
        if each.target and each.target.limit is not None
    ]
    assert len(cases) == len(judged)
    passed = cases["keystroke_echo [ours] latency: p95 < 20 ms"]
    assert passed.is_passed
    assert passed.classname == "interactive.keystroke_echo"
    assert passed.time > 0
    (failure,) = cases["message_throughput/10 [peer] latency: rate ≥ 10k messages/s"].result
    assert isinstance(failure, junitparser.Failure)
    (refused,) = cases["message_throughput/1000 [peer] latency: rate ≥ 10k messages/s"].result
    assert isinstance(refused, junitparser.Error)
    assert "the client used 90% of a core" in refused.message
    (lacking,) = cases["life [peer] latency: p95 < 1 ms"].result
    assert isinstance(lacking, junitparser.Skipped)
    assert lacking.message == "not applicable: needs create API"


def test_junit_counts_what_it_has(of, analysis):
    for suite in suites(junit.document(of, analysis)).values():
        stated = (suite.tests, suite.failures, suite.errors, suite.skipped)
        suite.update_statistics()
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == stated


def test_junit_of_a_broken_run_has_an_error(of):
    broken = msgspec.structs.replace(of, interrupted=True)
    (case,) = suites(junit.document(broken, analyse(broken)))["run"]
    assert isinstance(case.result[0], junitparser.Error)
    assert "ended before its plan" in case.result[0].message


def test_junit_skips_what_is_undecided_and_shows_a_partial_cell_as_an_error():
    near = [150 * MS if number in (3, 17, 38, 51, 52, 60, 81) else 50 * MS for number in range(100)]
    undecided = run(*blocks(samples(near)))
    (case,) = suites(junit.document(undecided, analyse(undecided)))["suite"]
    assert isinstance(case.result[0], junitparser.Skipped)
    partial = run(trial(samples([MS] * 100), problem="2 descriptors left"))
    (case,) = suites(junit.document(partial, analyse(partial)))["suite"]
    assert isinstance(case.result[0], junitparser.Error)
    assert "2 descriptors left" in case.result[0].message


def test_junit_holds_what_xml_cannot():
    of = run(trial(samples([MS] * 100), problem="wrong bytes: \x1b[31m\x00\ud800 </error>"))
    (case,) = suites(junit.document(of, analyse(of)))["suite"]
    assert "wrong bytes: \N{REPLACEMENT CHARACTER}[31m" in case.result[0].message


def test_bencher_has_values_between_their_bounds(analysis):
    found = json.loads(bmf.document(analysis), parse_constant=pytest.fail)
    echo = found[f"{ECHO} [ours]"]
    assert set(echo) == {"latency", "latency-p95", "latency-p99"}
    assert echo["latency"]["value"] == row(analysis, ECHO).estimates["p50"].value
    assert set(found[f"{THROUGHPUT}/100 [ours]"]) == {"latency", "latency-p95", "throughput"}
    assert set(found[f"{MEMORY} [ours]: per session"]) == {"slope"}
    for measures in found.values():
        for each in measures.values():
            # The documented schema: value is required, both bounds are optional, nothing else is known.
            assert set(each) <= {"value", "lower_value", "upper_value"}
            assert each.get("lower_value", -math.inf) <= each["value"] <= each.get("upper_value", math.inf)


def test_bencher_leaves_out_what_failed():
    failed = run(trial([*samples([MS] * 60), *samples([MS] * 40, outcome=Outcome.TIMEOUT)]))
    (measures,) = json.loads(bmf.document(analyse(failed))).values()
    assert set(measures) == {"latency"}
    none = run(trial(samples([MS] * 40, outcome=Outcome.TIMEOUT)))
    assert json.loads(bmf.document(analyse(none))) == {}


def test_github_has_times_in_one_file_and_rates_in_the_other(analysis):
    smaller, bigger = (
        json.loads(text) for text in (github.smaller_is_better(analysis), github.bigger_is_better(analysis))
    )
    for entry in (*smaller, *bigger):
        # The documented schema of the tools customSmallerIsBetter and customBiggerIsBetter.
        assert set(entry) <= {"name", "unit", "value", "range", "extra"}
        assert isinstance(entry["value"], float)
        assert {type(entry[key]) for key in ("name", "unit", "extra")} == {str}
    names = [entry["name"] for entry in (*smaller, *bigger)]
    assert len(set(names)) == len(names)
    by_name = {entry["name"]: entry for entry in smaller}
    echo = by_name[f"{ECHO} [ours] p95"]
    assert echo["unit"] == "ms"
    assert echo["value"] == pytest.approx(row(analysis, ECHO).estimates["p95"].value / 1e6)
    assert f"{MEMORY} [ours]: at rest level" in by_name
    assert {entry["unit"] for entry in bigger} == {"messages/s"}


def test_github_knows_of_what_more_is_better():
    target = Target(statistic="level", limit=10_000.0, below=False)
    metric = Metric(name="sessions", kind="level", unit="sessions", exact=True, targets={"*": target})
    of = analyse(run(trial(points=[Point("sessions", 0, 10_000)]), benchmarks=[facts(metric)]))
    assert json.loads(github.smaller_is_better(of)) == []
    (entry,) = json.loads(github.bigger_is_better(of))
    assert entry["value"] == 10_000


def test_pyperf_reads_it(of, analysis):
    suite = real_pyperf.BenchmarkSuite.loads(pyperf.document(of, analysis))
    echo = suite.get_benchmark(f"{ECHO} [ours]")
    values = [
        (sample.seen_ns - sample.due_ns) / 1e9
        for trial in of.trials
        if (trial.cell.benchmark, trial.cell.terminal) == (ECHO, OURS)
        for sample in trial.samples
        if sample.phase is Phase.MEASURE
    ]
    assert echo.get_values() == pytest.approx(tuple(values))
    assert echo.get_nrun() == 5
    assert echo.get_total_duration() < 60
    assert echo.mean() * 1e9 == pytest.approx(row(analysis, ECHO).estimates["mean"].value)
    assert suite.get_benchmark(f"{MEMORY} [ours]: at rest").get_unit() == "byte"
    peer = suite.get_benchmark(f"{ECHO} [{PEER}]").get_metadata()
    assert peer["failed_operations"] == row(analysis, ECHO, PEER).failed
    assert suite.get_metadata()["cpu_model_name"] == "a processor"


def test_pyperf_compares_two_runs(of, analysis, tmp_path):
    slower = reported(seed=8, slower=2.0)
    for name, text in (("a", pyperf.document(of, analysis)), ("b", pyperf.document(slower, analyse(slower)))):
        (tmp_path / f"{name}.json").write_text(text)
    command = [sys.executable, "-m", "pyperf", "compare_to", "a.json", "b.json", "--table"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (line,) = [each for each in done.stdout.splitlines() if f"{ECHO} [ours]" in each]
    assert "slower" in line


def test_pyperf_is_given_no_empty_file(of):
    failed = run(trial(samples([MS] * 10, outcome=Outcome.TIMEOUT)))
    with pytest.raises(NothingToExport, match="no operation of this run succeeded"):
        pyperf.document(failed, analyse(failed))


def test_openmetrics_is_read_by_its_parser(of, analysis):
    families = {each.name: each for each in text_string_to_metric_families(openmetrics.document(of, analysis))}
    latency = families["web_terminal_bench_latency_seconds"]
    assert (latency.type, latency.unit) == ("gauge", "seconds")
    (p95,) = [
        sample.value
        for sample in latency.samples
        if (sample.labels["benchmark"], sample.labels["terminal"]) == (ECHO, OURS)
        and (sample.labels["statistic"], sample.labels["bound"]) == ("p95", "estimate")
    ]
    assert p95 == pytest.approx(row(analysis, ECHO).estimates["p95"].value / 1e9)
    failed = sum(
        sample.value
        for sample in families["web_terminal_bench_operations"].samples
        if sample.labels["terminal"] == PEER and sample.labels["outcome"] == "timeout"
    )
    assert failed == row(analysis, ECHO, PEER).failed
    verdicts = families["web_terminal_bench_verdict"]
    assert verdicts.type == "stateset"
    set_ = [sample.labels["web_terminal_bench_verdict"] for sample in verdicts.samples if sample.value]
    assert sorted(set(set_)) == ["fail", "not applicable", "pass", "refused"]
    assert families["web_terminal_bench_run"].samples[0].labels["seed"] == "7"


def test_openmetrics_escapes_labels():
    of = run(trial(samples([MS] * 10), parameter='a"b\\c\nd'))
    (family, *_) = text_string_to_metric_families(openmetrics.document(of, analyse(of)))
    assert family.name == "web_terminal_bench_run"
    names = {
        sample.labels.get("parameter")
        for each in text_string_to_metric_families(openmetrics.document(of, analyse(of)))
        for sample in each.samples
    }
    assert 'a"b\\c\nd' in names


# The command


@pytest.fixture(scope="module")
def file(of, analysis, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run.json"
    report_json.write(path, of, analysis)
    return path


def command(*words):
    return CliRunner().invoke(application, ["export", *map(str, words)])


@pytest.mark.parametrize("format_", [each.name for each in EXPORTERS.values() if len(each.files) == 1])
def test_the_command_writes_to_standard_output_or_a_file(file, tmp_path, format_):
    shown = command(file, "--format", format_)
    assert shown.exit_code == 0, shown.output
    path = tmp_path / "out"
    assert command(file, "--format", format_, "--output", path).exit_code == 0
    assert path.read_bytes() == shown.stdout_bytes
    assert shown.stdout_bytes.strip()


def test_json_is_a_record_again(file, of, tmp_path):
    assert command(file, "--format", "json", "--output", tmp_path / "again.json").exit_code == 0
    assert record.load(tmp_path / "again.json") == of


def test_csv_of_samples_is_asked_for(file, of):
    assert len(read(command(file, "--format", "csv", "--samples").stdout)) > len(of.trials)
    refused = command(file, "--format", "junit", "--samples")
    assert refused.exit_code == 2
    assert "--samples goes with --format csv" in refused.stderr


def test_github_writes_two_files(file, tmp_path):
    assert command(file, "--format", "github", "--output", tmp_path / "bench.json").exit_code == 0
    assert json.loads((tmp_path / "bench.smaller.json").read_text())
    assert json.loads((tmp_path / "bench.bigger.json").read_text())
    refused = command(file, "--format", "github")
    assert refused.exit_code == 2
    assert "--output bench.json" in refused.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read"),
        ("", "is empty"),
        ("{", "corrupt"),
        ('{"schema": "web-terminal-bench/99"}', "newer than"),
        ('{"schema": "other/1"}', "not a record"),
    ],
)
def test_a_file_that_is_no_record_is_one_clear_error(tmp_path, content, said):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    done = command(path, "--format", "csv")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_run_that_was_killed_is_exported_as_far_as_it_came(of, tmp_path):
    path = tmp_path / "run.json.trials"
    with record.Recorder(path, of) as recorder:
        for each in of.trials[:9]:
            recorder.append(each)
    done = command(path, "--format", "junit")
    assert done.exit_code == 0
    assert "ended before its plan" in done.stdout


def test_a_place_that_cannot_be_written_is_one_clear_error(file, tmp_path):
    done = command(file, "--format", "csv", "--output", tmp_path / "no" / "out.csv")
    assert done.exit_code == 2
    assert "cannot write" in done.stderr


# The table of formats


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=lambda each: each.name)
def test_every_format_writes_the_files_that_the_table_names(exporter, of, analysis):
    for samples_ in (False, True)[: 1 + exporter.has_samples]:
        texts = exporter.load()(of, analysis, ExportOptions(samples=samples_))
        assert tuple(texts) == exporter.files
        assert all(text.endswith("\n") for text in texts.values())


def test_every_module_of_a_format_is_in_the_table():
    modules = {path.stem for path in Path(export.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(EXPORTERS)


def test_the_document_lists_formats_of_the_table():
    """Those that it describes exist; ``--help`` is where all of them are."""
    section = DOCUMENT.read_text().partition("\n## Exports\n")[2].partition("\n## ")[0]
    described = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert described
    assert described == [name for name in EXPORTERS if name in described]


def test_the_help_names_every_format():
    said = " ".join(command("--help").stdout.replace("│", " ").split())
    for each in EXPORTERS.values():
        assert f"{each.name}: {each.description}" in said


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(file):
    refused = command(file, "--format", "asciidoc")
    assert refused.exit_code == 2
    assert "'asciidoc'" in refused.stderr
    assert all(f"'{name}'" in refused.stderr for name in EXPORTERS)


# What a terminal would obey

CONTROLS = "\x1b[31m\x1b]0;x\x07\x9b\u202e\u2066\x7f"


@pytest.fixture(scope="module")
def obeyed(of):
    """The same run with ``CONTROLS`` behind every text that is no key into something else."""
    facts = tuple(
        msgspec.structs.replace(
            each, description=f"d{CONTROLS}", limitations=f"l{CONTROLS}", element_unit=f"{each.element_unit}{CONTROLS}"
        )
        for each in of.benchmarks
    )
    terminals = tuple(msgspec.structs.replace(each, version=CONTROLS, remarks=(CONTROLS,)) for each in of.terminals)
    trials = tuple(
        msgspec.structs.replace(
            each, cell=msgspec.structs.replace(each.cell, parameter=f"{each.cell.parameter}{CONTROLS}"),
            problem=CONTROLS if each.problem else "", warnings=(CONTROLS,),
        )
        for each in of.trials
    )  # fmt: skip
    return msgspec.structs.replace(
        of, benchmarks=facts, terminals=terminals, trials=trials, started=f"{of.started}{CONTROLS}",
        machine={"before": {"kernel": CONTROLS}, "warnings": []},
    )  # fmt: skip


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=lambda each: each.name)
def test_no_format_has_what_a_terminal_obeys(exporter, obeyed):
    for samples_ in (False, True)[: 1 + exporter.has_samples]:
        for text in exporter.load()(obeyed, analyse(obeyed), ExportOptions(samples=samples_)).values():
            assert printable(text) == text
            if exporter.is_json:
                json.loads(text)
            if exporter.name == "json":
                assert json.loads(text)["started"] == obeyed.started


@pytest.mark.parametrize("chosen", REPORT_FORMATS.values(), ids=lambda each: each.name)
def test_no_report_has_what_a_terminal_obeys(chosen, obeyed):
    text = chosen.load()(obeyed, analyse(obeyed), ReportOptions("1"))
    assert printable(text) == text
