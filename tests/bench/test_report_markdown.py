"""``PERFORMANCE_REPORT.md`` and the rules behind its findings; and the command that writes reports."""

from __future__ import annotations

import re

import msgspec
import pytest
from click.testing import CliRunner

from tests.bench.records import FLOOR, KNOWN, MS, OURS, blocks, facts, run, samples, trial
from tests.bench.reported import HOSTILE, reported
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.export import json as report_json
from web_terminal_suite.bench.report.formats import REPORT_FORMATS
from web_terminal_suite.bench.report.html import document
from web_terminal_suite.bench.report.markdown import report
from web_terminal_suite.bench.report.markdown.findings import Topic, findings
from web_terminal_suite.bench.samples import BenchmarkFacts, CpuUsage, Metric, Outcome, Point, Target
from web_terminal_suite.cli.application import application


def found(of, topic):
    return [each for each in findings(of, analyse(of)) if each.topic is topic]


def latency(limit, goal=None, **more):
    target = Target(statistic="p95", limit=limit * MS, goal=None if goal is None else goal * MS)
    return facts(Metric(name="latency", targets={"*": target}), **more)


def tailed(median, tail):
    """A hundred operations, ten of which are ``tail``."""
    return samples([int(median * MS)] * 90 + [int(tail * MS)] * 10)


def test_a_quiet_run_that_reached_everything_gives_no_advice():
    of = run(trial(samples([MS] * 100)))
    assert findings(of, analyse(of)) == []
    text = report.render(of, analyse(of), "0")
    assert "The figures of this run show none." in text
    assert "The figures of this run suggest none." in text


def test_failures_come_first_with_their_reasons():
    of = run(trial([*samples([200 * MS] * 80), *samples([MS] * 20, outcome=Outcome.TIMEOUT)]))
    first = findings(of, analyse(of))[0]
    assert first.topic is Topic.FAILURE
    assert first.seen == "20 of 100 operations (20 %) failed: 20 timeout (no marker (20))"


def test_a_missed_target_says_by_how_much():
    (finding,) = found(run(trial(samples([250 * MS] * 100))), Topic.TARGET)
    assert "250 ms" in finding.seen
    assert "< 100 ms" in finding.seen
    assert finding.follows == "it is 2.50x away from its limit"


def test_an_undecided_target_says_how_many_operations_would_do():
    # The interval reaches from 50 to 150 ms; half of its reach towards the limit would do: four times as many.
    (finding,) = found(run(*blocks(samples([50 * MS] * 93 + [150 * MS] * 7))), Topic.UNDECIDED)
    assert finding.figure == "400"
    assert "--sample-size" in finding.follows


def test_a_thin_sample_needs_no_forecast():
    (finding,) = found(run(trial(samples([MS] * 10))), Topic.UNDECIDED)
    assert finding.seen == "n=10, needs 62 more"
    assert finding.follows == ""


def staged(reply, goal):
    of = [msgspec.structs.replace(s, marks={"reply": s.due_ns + int(reply * MS)}) for s in samples([10 * MS] * 100)]
    metrics = latency(100, goal).metrics
    return run(trial(of), benchmarks=[facts(*metrics, Metric(name="to reply", mark="reply"))])


def test_the_longest_stage_is_named_where_it_is_most_of_the_operation():
    (finding,) = found(staged(8, goal=1), Topic.STAGE)
    assert finding.seen == "of 10.0 ms on average, 8.00 ms (80 %) pass from the start to reply"
    assert finding.figure == "80 %"
    assert finding.follows
    (late,) = found(staged(2, goal=1), Topic.STAGE)
    assert "from reply to the end" in late.seen


def test_a_stage_of_what_is_good_enough_asks_for_nothing():
    (finding,) = found(staged(8, goal=50), Topic.STAGE)
    assert finding.follows == ""


def test_no_stage_is_named_where_operations_failed():
    of = staged(8, goal=1)
    broken = msgspec.structs.replace(of.trials[0].samples[0], outcome=Outcome.CLOSED)
    of = msgspec.structs.replace(
        of, trials=(msgspec.structs.replace(of.trials[0], samples=(broken, *of.trials[0].samples[1:])),)
    )
    assert found(of, Topic.STAGE) == []


def over(floor_ms, ours_ms):
    jitter = [1 + (i % 7) / 100 for i in range(200)]
    trials = [
        *blocks(samples([int(ours_ms * MS * each) for each in jitter])),
        *blocks(samples([int(floor_ms * MS * each) for each in jitter]), terminal="floor"),
    ]
    return run(*trials, benchmarks=[latency(100, 1, floor="floor")])


def test_what_the_terminal_adds_to_its_floor_is_told_from_what_the_machine_takes():
    (far,) = found(over(2, 10), Topic.FLOOR)
    assert "(80 % of its p50) to the floor" in far.seen
    assert "adds more than half of the floor to p50" in far.follows
    (near,) = found(over(8, 10), Topic.FLOOR)
    assert "the machine itself accounts for most of p50" in near.follows
    (same,) = found(over(10, 10), Topic.FLOOR)
    assert "does not differ significantly" in same.seen
    assert same.follows == ""


@pytest.mark.parametrize(
    ("server", "said"), [(0.95, "bound by its processor"), (0.05, "neither of the two was busy"), (0.6, None)]
)
def test_processor_time_tells_computing_from_waiting(server, said):
    of = trial(samples([10 * MS] * 100))
    elapsed = 100 * 10 * MS
    usage = CpuUsage(elapsed_ns=elapsed, client_cpu_ns=elapsed // 10, server_cpu_ns=int(server * elapsed))
    measured = run(msgspec.structs.replace(of, usage=usage), benchmarks=[latency(100, 1)])
    told = found(measured, Topic.PROCESSOR)
    assert [said in each.follows for each in told] == ([True] if said else [])
    if said:
        assert f"{server * 10:.2f} ms of server processor time" in told[0].seen.replace("500 µs", "0.50 ms")


def test_processor_time_of_a_preparation_is_not_held_against_the_operations():
    of = trial(samples([MS] * 100))
    usage = CpuUsage(elapsed_ns=100 * 100 * MS, client_cpu_ns=0, server_cpu_ns=100 * 99 * MS)
    assert found(run(msgspec.structs.replace(of, usage=usage), benchmarks=[latency(100, 0.5)]), Topic.PROCESSOR) == []


def test_a_tail_that_the_floor_has_too_is_the_machine_s():
    def with_floor(tail):
        trials = [trial(tailed(1, 20)), trial(tailed(0.5, tail), terminal="floor")]
        return run(*trials, benchmarks=[latency(100, floor="floor")])

    (shared,) = found(with_floor(10), Topic.TAIL)
    assert shared.seen.startswith("p95 is 20.0x p50")
    assert "the machine causes it" in shared.follows
    (own,) = found(with_floor(0.6), Topic.TAIL)
    assert "the terminal causes most of this tail" in own.follows


def test_a_tail_on_a_restless_machine_is_to_be_repeated():
    of = run(trial(tailed(1, 20)))
    assert found(of, Topic.TAIL)[0].follows == ""
    restless = msgspec.structs.replace(of, machine={"warnings": [{"seen": "load 9", "matters": "m", "remedy": "r"}]})
    assert "load 9" in found(restless, Topic.TAIL)[0].follows
    assert found(restless, Topic.MACHINE)[0].follows == "r"


@pytest.mark.parametrize(("many", "said"), [(100, "handled in sequence"), (400, "4.00x as much"), (20, "")])
def test_the_cost_of_an_element_is_followed_over_the_parameter(many, said):
    bench = latency(10_000, parameters=("10", "100"), elements={"10": 10, "100": 100}, element_unit="sessions")
    trials = [
        trial(samples([10 * MS] * 80), parameter="10"),
        trial(samples([many * MS] * 80), parameter="100"),
    ]
    (finding,) = found(run(*trials, benchmarks=[bench]), Topic.SCALING)
    assert finding.seen.startswith("one session takes 1.00 ms of p50 with 10")
    assert said in finding.follows


def test_memory_is_held_against_its_goal():
    target = Target(statistic="slope", limit=100e3, goal=5e3)
    bench = facts(Metric(name="per session", kind="slope", unit="B", targets={"*": target}))
    points = [Point("per session", x, 1e6 + 9e3 * x + x % 3) for x in (0, 100, 300, 1000)]
    (finding,) = found(run(trial(points=points), benchmarks=[bench]), Topic.MEMORY)
    assert finding.follows == "the goal < 5 kB needs 4.00 kB less"


def test_floors_and_known_terminals_get_no_advice():
    of = run(
        trial(tailed(1, 500), terminal="floor"),
        trial(tailed(1, 500), terminal="known"),
        terminals=[OURS, FLOOR, KNOWN],
    )
    assert findings(of, analyse(of)) == []


def test_the_document_has_all_its_parts_and_tables_of_one_width():
    of, (base, *earlier) = reported(), [reported(seed=seed, slower=20.0) for seed in range(8, 13)]
    text = report.render(of, analyse(of), "0", (base, analyse(base)), earlier)
    heads = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert heads == [
        "Targets", "Since the baseline", "Measurements", "Bottlenecks", "Recommendations",
        "What these figures do not show", "Environment",
    ]  # fmt: skip
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert "faster |" in text
    assert "> **Partial.**" in text


def test_the_document_holds_no_html_of_a_record():
    of = reported()
    text = report.render(of, analyse(of), "0")
    assert HOSTILE not in text
    assert "<script" not in text
    assert "&lt;/script>" in text


# The command


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    of = reported(operations=100)
    path = tmp_path_factory.mktemp("run") / "run.json"
    report_json.write(path, of, analyse(of))
    return path


def command(*words):
    return CliRunner().invoke(application, ["report", *map(str, words)])


@pytest.mark.skipif(not document.TEMPLATE.exists(), reason="the report page is not built; pip install --editable .")
def test_the_command_writes_a_page(file, tmp_path):
    done = command(file, "--output", tmp_path / "a.html", "--baseline", file, "--home", tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")


def test_the_command_writes_markdown(file, tmp_path):
    done = command(file, "--format", "markdown", "--output", tmp_path / "a.md", "--home", tmp_path)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "a.md").read_text().startswith("# Performance report: ours compared with peer\n")


def test_without_a_run_the_last_one_is_meant(tmp_path):
    done = command("--home", tmp_path)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert "name a record file, or run web-terminal bench" in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read"), ("", "is empty"), ("{}", "corrupt"), ('{"schema": "web-terminal-bench/99"}', "newer than")],
)
def test_a_file_that_is_no_record_is_one_clear_error(tmp_path, content, said):
    path = tmp_path / "run.json"
    if content is not None:
        path.write_text(content)
    done = command(path, "--output", tmp_path / "report.html")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()


def test_a_broken_history_does_not_keep_a_report_back(file, tmp_path):
    (tmp_path / "history.sqlite").write_text("no database, and long enough to be taken for none" * 100)
    done = command(file, "--format", "markdown", "--output", tmp_path / "a.md", "--home", tmp_path)
    assert done.exit_code == 0
    if document.TEMPLATE.exists():
        done = command(file, "--output", tmp_path / "a.html", "--home", tmp_path)
        assert done.exit_code == 0
        assert "without history" in done.stderr


def test_facts_without_elements_are_no_parameters():
    bench = BenchmarkFacts(id="a/b", description="", limitations="", metrics=(Metric(name="latency"),))
    assert found(run(trial(samples([MS] * 10), benchmark="a/b"), benchmarks=[bench]), Topic.SCALING) == []


# The table of formats


def test_every_format_has_a_function_that_writes_it_and_the_help_names_it():
    said = " ".join(command("--help").stdout.replace("│", " ").split())
    for each in REPORT_FORMATS.values():
        assert callable(each.load())
        assert f"{each.name}: {each.description}" in said
        assert each.file_name in said


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(file, tmp_path):
    refused = command(file, "--format", "pdf", "--output", tmp_path / "a.pdf")
    assert refused.exit_code == 2
    assert "'pdf'" in refused.stderr
    assert all(f"'{name}'" in refused.stderr for name in REPORT_FORMATS)
    assert not (tmp_path / "a.pdf").exists()


def test_a_run_of_one_terminal_has_no_comparison(tmp_path):
    path = tmp_path / "run.json"
    of = run(trial(samples([MS] * 10)))
    report_json.write(path, of, analyse(of))
    refused = command(path, "--format", "comparison", "--output", tmp_path / "a.md")
    assert refused.exit_code == 2
    assert "the run measured one terminal" in refused.stderr
