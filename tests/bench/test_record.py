"""The record on disk: what is written comes back, and what is broken is said to be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.records import MS, facts, run, samples, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.samples import SCHEMA, Cell, Outcome, Phase, Point, Sample, Trial

if TYPE_CHECKING:
    from pathlib import Path

TIMES = st.integers(0, 2**60)


@st.composite
def any_trial(draw: st.DrawFn) -> Trial:
    drawn = draw(
        st.lists(
            st.builds(
                Sample,
                due_ns=TIMES,
                sent_ns=TIMES,
                seen_ns=TIMES,
                phase=st.sampled_from(Phase),
                outcome=st.sampled_from(Outcome),
                reason=st.text(max_size=5),
                marks=st.dictionaries(st.sampled_from(["reply", "prompt"]), TIMES),
            ),
            max_size=12,
        )
    )
    points = draw(st.lists(st.builds(Point, metric=st.just("m"), x=st.floats(0, 1e6), y=st.floats(-1e12, 1e12))))
    return trial(drawn, points=points, problem=draw(st.text(max_size=5)), warnings=("w",))


@given(any_trial())
def test_a_trial_survives_its_columns(of: Trial) -> None:
    assert record.from_columns(record.to_columns(of)) == of
    encoded = msgspec.json.encode(record.to_columns(of))
    assert record.from_columns(msgspec.json.decode(encoded, type=record.Columns)) == of


def test_the_run_file_comes_back_as_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    of = run(trial(samples([MS] * 3)), trial(points=[Point("m", 0, 1.5)], block=1), planned=[Cell("a", "", "b")])
    with record.Recorder(path, of) as recorder:
        for each in of.trials:
            recorder.append(each)
        recorder.finish({"after": 1})
    assert record.load(path) == msgspec.structs.replace(of, machine={"after": 1})


def test_a_killed_run_is_loaded_as_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    of = run(trial(samples([MS] * 3)), trial(samples([MS] * 4), block=1))
    with record.Recorder(path, of) as recorder:
        recorder.append(of.trials[0])
        assert record.load(path).trials == of.trials[:1]
        recorder.append(of.trials[1])
    assert record.load(path) == msgspec.structs.replace(of, interrupted=True)
    whole = path.read_bytes()
    second = whole.rindex(b'{"trial"')
    # However far into its last line it had come.
    for cut in range(second, len(whole)):
        path.write_bytes(whole[:cut])
        assert record.load(path).trials == of.trials[:1]
        assert record.load(path).interrupted


def test_a_run_killed_in_its_header_measured_nothing(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"header":{"schema":"web-ter')
    with pytest.raises(record.RecordError, match="header was never finished"):
        record.load(path)


def test_a_record_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("something of value")
    with pytest.raises(record.RecordError, match="exists; a record is never overwritten"):
        record.Recorder(path, run())
    assert path.read_text() == "something of value"


def test_the_final_file_comes_back_with_its_results(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    of = run(trial(samples([MS] * 3, phase=Phase.WARMUP)), interrupted=True)
    result = {"id": "s/b", "parameter": "", "terminal": "ours", "metric": "latency", "verdict": "pass", "more": [1]}
    record.save(path, of, [result])
    stored = record.read(path)
    assert stored.run == of
    assert stored.results == (
        record.StoredResult(id="s/b", parameter="", terminal="ours", metric="latency", verdict="pass"),
    )
    document = json.loads(path.read_text())
    assert document["schema"] == SCHEMA
    assert document["machine"] == {"warnings": []}
    assert document["results"] == [result]
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_fifty_thousand_samples_stay_small() -> None:
    latencies = [400_000 + (place * 7919) % 300_000 for place in range(50_000)]
    assert len(record.document(run(trial(samples(latencies))), [])) < 1_000_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("hello", "not a record of web-terminal, or is corrupt"),
        ("{}", "not a record of web-terminal, or is corrupt"),
        ("[1]", "not a record of web-terminal, or is corrupt"),
        ('{"schema": "other/1"}', "schema is 'other/1', not 'web-terminal-bench/1'"),
        ('{"schema": "web-terminal-bench/2", "all": "new"}', "newer than web-terminal-bench/1.*upgrade"),
        ('{"schema": "web-terminal-bench/1"}', "missing required field"),
        ('{"header":{"schema":"web-terminal-bench/2","all":"new"}}\n', "newer than web-terminal-bench/1.*upgrade"),
        ('{"header":{"schema":"web-terminal-bench/1"}}\n', "missing required field"),
    ],
)
def test_what_is_no_record_is_said_to_be_none(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(record.RecordError, match=complaint) as caught:
        record.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(record.RecordError, match=r"cannot read .*nothing: No such file"):
        record.load(tmp_path / "nothing")
    with pytest.raises(record.RecordError, match=r"cannot write .*No such file"):
        record.save(tmp_path / "no" / "where", run(), [])


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2"),
        ('{"trial":{}}', "line 2"),
        ("{}", "line 2: expected a trial"),
        ('{"end":{}}\n{"end":{}}', "line 3"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    path = tmp_path / "run.jsonl"
    record.Recorder(path, run()).__exit__(None, None, None)
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(record.RecordError, match=complaint):
        record.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"seen": [1]},
        {"sent": [1]},
        {"phases": [["warmup", 9]]},
        {"marks": {"m": [None]}},
        {"noted": [[2, "timeout", ""]]},
    ],
)
def test_columns_that_do_not_fit_are_corrupt(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "run.json"
    record.save(path, run(trial(samples([1, 2])), benchmarks=[facts()]), [])
    document = json.loads(path.read_text())
    document["trials"][0] |= change
    path.write_text(json.dumps(document))
    with pytest.raises(record.RecordError, match="corrupt"):
        record.load(path)
