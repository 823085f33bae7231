"""Operations as columns: the merged ones are all there, unchanged, in the order in which they were due."""

from __future__ import annotations

import random

import numpy as np
import pytest

from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.columns import OperationColumns
from web_terminal_suite.bench.load.operations import Operations
from web_terminal_suite.bench.samples import Outcome, Sample

ZERO_NS = 10**15


def operation(source: random.Random) -> Sample:
    due = ZERO_NS + source.randrange(10**12)
    sent = due + source.randrange(10**6)
    failed = source.random() < 0.1
    return Sample(
        due_ns=due,
        sent_ns=sent,
        seen_ns=sent + source.randrange(10**9),
        outcome=source.choice([Outcome.TIMEOUT, Outcome.CLOSED, Outcome.WRONG]) if failed else Outcome.OK,
        reason=source.choice(["no echo", "gone; änd so on", ""]) if failed else "",
    )


def moved(sample: Sample) -> Sample:
    """The same on the clock of the run."""
    return Sample(
        sample.due_ns - ZERO_NS,
        sample.sent_ns - ZERO_NS,
        sample.seen_ns - ZERO_NS,
        outcome=sample.outcome,
        reason=sample.reason,
    )


def batches_of(samples: list[Sample], generators: int, source: random.Random) -> list[messages.OperationBatch]:
    """The samples as batches of several generators, encoded and decoded."""
    columns = [OperationColumns("keystroke", 0, ZERO_NS) for _ in range(generators)]
    batches = []
    for sample in samples:
        column = source.choice(columns)
        column.add(sample)
        if source.random() < 0.05:
            batches += [column.take_batch()]
    batches += [batch for column in columns if (batch := column.take_batch()) is not None]
    report = messages.ProgressReport(
        at_ns=1, up=1, pending_keys=0, cpu_ns=0, gc_pause_ns=0, received_bytes=0,
        batches=batches, lost=[],
    )  # fmt: skip
    framed = messages.encode_frame(report)
    assert messages.payload_length(framed[: messages.HEADER_BYTES]) == len(framed) - messages.HEADER_BYTES
    found = messages.decode_report(framed[messages.HEADER_BYTES :])
    assert found == report
    return found.batches


@pytest.mark.parametrize("generators", [1, 3])
def test_merging_loses_and_changes_nothing(generators):
    source = random.Random(generators)
    samples = [operation(source) for _ in range(5_000)]
    merged = Operations(batches_of(samples, generators, source))
    assert len(merged) == 5_000
    found = list(merged.samples(0, len(merged)))
    assert [each.due_ns for each in found] == sorted(each.due_ns for each in found)

    def key(sample: Sample) -> tuple:
        return sample.due_ns, sample.sent_ns, sample.seen_ns, sample.outcome, sample.reason

    assert sorted(map(key, found)) == sorted(key(moved(sample)) for sample in samples)


def test_a_failed_operation_has_infinite_latency_and_keeps_its_position():
    source = random.Random(5)
    samples = [operation(source) for _ in range(300)]
    merged = Operations(batches_of(samples, 2, source))
    latency = merged.latency_ns
    for place, sample in enumerate(merged.samples(0, len(merged))):
        assert np.isinf(latency[place]) == (sample.outcome is not Outcome.OK)
        if sample.outcome is Outcome.OK:
            assert latency[place] == sample.seen_ns - sample.due_ns


def test_operations_are_selected_by_the_time_when_they_were_due():
    column = OperationColumns("start", 0, 0)
    for due in (0, 10, 10, 20, 30):
        column.add(Sample(due, due, due + 1))
    merged = Operations([column.take_batch()])
    assert merged.between(10, 30) == (1, 4)
    assert merged.between(-5, 10) == (0, 1)
    assert merged.between(31, 99) == (5, 5)


def test_no_operations():
    assert OperationColumns("start", 0, 0).take_batch() is None
    assert len(Operations([])) == 0
    assert list(Operations([]).samples(0, 0)) == []
    assert Operations([]).latency_ns.size == 0


def test_an_invalid_frame_is_refused():
    with pytest.raises(ValueError, match="at most"):
        messages.payload_length(b"\xff\xff\xff\xff")
    for garbage in (b"", b"\x00", b"\xc1", b"\x81\xa4type\xa4nope"):
        for read in (messages.decode_report, messages.decode_command):
            with pytest.raises(ValueError, match="not a message of this version"):
                read(garbage)
