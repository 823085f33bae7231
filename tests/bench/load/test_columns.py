"""Operations as columns: every one of them arrives, in the order it was due, whoever noted it."""

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


def noted(samples: list[Sample], shards: int, source: random.Random) -> list[messages.OperationBatch]:
    """The samples as batches of several shards, over the wire."""
    columns = [OperationColumns("keystroke", 0, ZERO_NS) for _ in range(shards)]
    batches = []
    for sample in samples:
        column = source.choice(columns)
        column.note(sample)
        if source.random() < 0.05:
            batches += [column.taken()]
    batches += [batch for column in columns if (batch := column.taken()) is not None]
    tick = messages.ProgressReport(
        at_ns=1, up=1, waiting=0, cpu_ns=0, pause_ns=0, heard_bytes=0, heard_pieces=0, memory_bytes=0,
        batches=batches, lost=[],
    )  # fmt: skip
    framed = messages.frame(tick)
    assert messages.length(framed[: messages.HEAD_BYTES]) == len(framed) - messages.HEAD_BYTES
    found = messages.report(framed[messages.HEAD_BYTES :])
    assert found == tick
    return found.batches


@pytest.mark.parametrize("shards", [1, 3])
def test_merging_loses_and_changes_nothing(shards):
    source = random.Random(shards)
    samples = [operation(source) for _ in range(5_000)]
    merged = Operations(noted(samples, shards, source))
    assert len(merged) == 5_000
    found = list(merged.samples(0, len(merged)))
    assert [each.due_ns for each in found] == sorted(each.due_ns for each in found)

    def key(sample: Sample) -> tuple:
        return sample.due_ns, sample.sent_ns, sample.seen_ns, sample.outcome, sample.reason

    assert sorted(map(key, found)) == sorted(key(moved(sample)) for sample in samples)


def test_what_failed_took_for_ever_and_is_found_by_its_place():
    source = random.Random(5)
    samples = [operation(source) for _ in range(300)]
    merged = Operations(noted(samples, 2, source))
    took = merged.took
    for place, sample in enumerate(merged.samples(0, len(merged))):
        assert np.isinf(took[place]) == (sample.outcome is not Outcome.OK)
        if sample.outcome is Outcome.OK:
            assert took[place] == sample.seen_ns - sample.due_ns


def test_a_stretch_holds_what_was_due_in_it():
    column = OperationColumns("start", 0, 0)
    for due in (0, 10, 10, 20, 30):
        column.note(Sample(due, due, due + 1))
    merged = Operations([column.taken()])
    assert merged.between(10, 30) == (1, 4)
    assert merged.between(-5, 10) == (0, 1)
    assert merged.between(31, 99) == (5, 5)


def test_nothing_is_nothing():
    assert OperationColumns("start", 0, 0).taken() is None
    assert len(Operations([])) == 0
    assert list(Operations([]).samples(0, 0)) == []
    assert Operations([]).took.size == 0


def test_a_frame_of_somebody_else_is_refused():
    with pytest.raises(ValueError, match="at most"):
        messages.length(b"\xff\xff\xff\xff")
    for garbage in (b"", b"\x00", b"\xc1", b"\x81\xa4type\xa4nope"):
        for read in (messages.report, messages.command):
            with pytest.raises(ValueError, match="no message of this version"):
                read(garbage)
