"""Where the time goes and what was on the screen, as the HTML report draws it."""

from __future__ import annotations

import msgspec
import pytest

from tests.bench.records import facts, run, trial
from web_terminal_suite.bench import record
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.common.run_data import MeasuredRun
from web_terminal_suite.bench.report.html.sections import benchmark_section
from web_terminal_suite.bench.report.redaction import redacted
from web_terminal_suite.bench.samples import FilmFrame, Filmstrip, Metric, Outcome, Phase, Sample

MS = 1_000_000
STEPS = (
    Metric(name="latency", step="drawing"),
    Metric(name="to frame sent", mark="sent", step="browser"),
    Metric(name="to output parsed", mark="parsed", step="network"),
)
STRIP = Filmstrip(
    latency_ns=9 * MS, frames=(FilmFrame(-5 * MS, "b2xk"), FilmFrame(9 * MS, "bmV3")), width=160, height=60
)


def key(due_ms: int, total_ms: int, **marks_ms: int) -> Sample:
    due = due_ms * MS
    return Sample(
        due_ns=due,
        sent_ns=due,
        seen_ns=due + total_ms * MS,
        marks={name: due + at * MS for name, at in marks_ms.items()},
    )


def section_of(*samples: Sample, filmstrips: tuple[Filmstrip, ...] = (), metrics: tuple[Metric, ...] = STEPS):
    made = msgspec.structs.replace(trial(samples), filmstrips=filmstrips)
    whole = run(made, benchmarks=(facts(*metrics),))
    of = MeasuredRun(whole, analyse(whole))
    return whole, benchmark_section(whole.benchmarks[0], of, None, ())


def test_the_segments_of_a_waterfall_add_up_to_the_mean_latency():
    nine = [key(each * 100, 10, sent=1, parsed=4) for each in range(9)]
    warm = msgspec.structs.replace(key(2000, 500, sent=400, parsed=450), phase=Phase.WARMUP)
    lost = msgspec.structs.replace(key(3000, 900), outcome=Outcome.TIMEOUT, reason="lost")
    _, section = section_of(*nine, key(900, 30, sent=3, parsed=10), warm, lost)
    (chart,) = section.waterfalls
    assert chart.steps == ["browser", "network", "drawing"]
    every, slowest = chart.rows
    assert every.segments == pytest.approx([1.2 * MS, 3.4 * MS, 7.4 * MS])
    assert sum(every.segments) == pytest.approx(12 * MS)
    assert slowest.segments == pytest.approx([3 * MS, 7 * MS, 20 * MS])
    assert slowest.label.endswith(", slowest tenth")


def test_a_step_that_a_page_does_not_have_is_part_of_the_next():
    _, section = section_of(*[key(each * 100, 10, sent=2) for each in range(9)], key(900, 10, sent=2, parsed=3))
    (chart,) = section.waterfalls
    assert chart.rows[0].segments == pytest.approx([2 * MS, 0, 8 * MS])


def test_benchmarks_without_steps_have_no_waterfall():
    plain = tuple(msgspec.structs.replace(each, step="") for each in STEPS)
    assert section_of(key(0, 10, sent=1, parsed=2), metrics=plain)[1].waterfalls == []
    assert section_of(key(0, 10))[1].waterfalls == []


def test_the_slowest_key_of_a_cell_has_the_filmstrip():
    quick = msgspec.structs.replace(STRIP, latency_ns=MS)
    whole, section = section_of(key(0, 10, sent=1, parsed=2), filmstrips=(quick, STRIP, quick))
    (strip,) = section.filmstrips
    assert strip.words.endswith(": a key that took 9.00 ms")
    assert [each.words for each in strip.frames] == ["before the key", "9.00 ms after it"]
    assert [each.jpeg for each in strip.frames] == ["b2xk", "bmV3"]
    again = record.from_columns(record.to_columns(whole.trials[0]))
    assert again == whole.trials[0]
    published, _ = redacted(whole, analyse(whole))
    assert published.trials[0].filmstrips == ()
