"""What the page of a report is given, and the file it is given in. The page itself: tests/page/test_report.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
import scipy.stats

from tests.bench.records import MS, blocks, facts, run, samples, trial
from tests.bench.reported import ECHO, HOSTILE, LIFE, MEMORY, OURS, PEER, THROUGHPUT, reported
from web_terminal_suite.bench.analysis import Verdict, analyse
from web_terminal_suite.bench.analysis.estimates import latencies
from web_terminal_suite.bench.history import HistoryEntry, Track
from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.report.common.run_data import BaselineRun, MeasuredRun
from web_terminal_suite.bench.report.html import curves, document
from web_terminal_suite.bench.report.html.history import histories
from web_terminal_suite.bench.report.html.overview import report_page
from web_terminal_suite.bench.report.html.schema.charts import WARM_UP
from web_terminal_suite.bench.samples import Metric, Outcome, Phase, Point, Target
from web_terminal_suite.bench.stats import quantiles
from web_terminal_suite.bench.stats.block_intervals import percentile_interval

FRAME = (
    f"<head>{document.TITLE_PLACE}</head><section{document.OVERVIEW_PLACE}/section>"
    f'<script type="application/json">{document.DATA_PLACE}</script>'
)
UNITS = Path(__file__).parents[2] / "frontend/report/tests/units.json"


def page_of(of, baseline=None, history=()):
    measured = MeasuredRun(of, analyse(of))
    before = None if baseline is None else BaselineRun(baseline, analyse(baseline), newer=of)
    return report_page(measured, before, history, "0")


@pytest.fixture(scope="module")
def whole():
    return page_of(reported())


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "index.html"
    path.write_text(FRAME)
    return path


def benchmark(of, name):
    return next(each for each in of.benchmarks if each.id == name)


@pytest.mark.parametrize(("value", "unit", "words", "short"), json.loads(UNITS.read_text()))
def test_the_vectors_that_the_page_reads_are_right(value, unit, words, short):
    assert units.quantity(value, unit) == words
    assert units.limit(value, unit.replace("/session", "")) == short


def test_a_percentile_curve_is_that_of_the_sorted_values():
    values = np.random.default_rng(1).integers(1, 10**9, 5000)
    found = latencies([trial(samples(values.tolist()))], "")
    curve = curves.percentiles(found, 0.95)
    ordered = np.sort(values)
    for place in range(1, len(curve.nines)):
        q = 1 - 10 ** -curve.nines[place]
        rank = max(1, int(np.ceil(round(q * 5000, 6))))
        near = ordered[max(0, rank - 2) : rank + 1]
        assert near.min() * 0.9999 <= curve.value[place] <= near.max() * 1.0001
    assert curve.nines[-1] == 3
    assert curve.supported == len(curve.nines)
    assert all(low is None or low <= value for low, value in zip(curve.lower, curve.value, strict=True))


def test_a_percentile_curve_ends_at_the_largest_value_and_says_what_is_supported():
    found = latencies([trial(samples(range(1, 101)))], "")
    curve = curves.percentiles(found, 0.95)
    assert curve.value[-1] == 100
    last = 1 - 10 ** -curve.nines[curve.supported - 1]
    assert quantiles.needed(last, 0.95) <= 100
    beyond = 1 - 10 ** -curve.nines[curve.supported]
    assert quantiles.needed(beyond, 0.95) > 100


def test_failures_end_a_percentile_curve():
    failed = samples([MS] * 20, outcome=Outcome.TIMEOUT)
    found = latencies([trial([*samples([MS] * 80), *failed])], "")
    curve = curves.percentiles(found, 0.95)
    missing = [nines for nines, value in zip(curve.nines, curve.value, strict=True) if value is None]
    assert 1 - 10 ** -missing[0] == pytest.approx(0.8, abs=0.02)
    assert 1 - 10 ** -missing[0] > 0.8


def test_a_few_samples_are_all_drawn_in_order_with_their_labels():
    of = [*samples([9 * MS] * 3, phase=Phase.WARMUP), *samples([MS, 2 * MS, 3 * MS] * 10), *samples([90 * MS])]
    found = curves.samples([trial(of)], "", 1000)
    assert found.x == list(range(1, 35))
    assert found.label == [WARM_UP] * 3 + [0] * 30 + [2]
    assert found.drawn == found.total == 34
    assert found.failures == []


def test_many_samples_are_thinned_and_the_extremes_stay():
    rng = np.random.default_rng(3)
    values = rng.lognormal(0, 0.3, 50_000) * MS
    values[[100, 40_000]] = [10, 900 * MS]
    failed = samples([5 * MS] * 1000, outcome=Outcome.CLOSED)
    found = curves.samples([trial([*samples(values.astype(int).tolist()), *failed])], "", 0)
    assert found.total == 51_000
    assert len(found.x) <= curves.DRAWN_SAMPLES
    assert len(found.failures) == curves.DRAWN_FAILURES
    assert found.drawn == len(found.x) + len(found.failures)
    assert {10, 900 * MS} <= set(found.y)
    assert found.x == sorted(set(found.x))
    assert {failure.outcome for failure in found.failures} == {"closed"}


def test_an_operation_without_its_mark_is_a_failure_of_that_metric():
    of = [trial(samples([MS] * 10))]
    assert [each.outcome for each in curves.samples(of, "reply", 0).failures] == ["no reply"] * 10


def test_blocks_stand_in_the_order_in_which_they_ran():
    early, late = samples([MS] * 4), samples([MS] * 3)
    moved = [msgspec.structs.replace(each, due_ns=each.due_ns + 10**10, seen_ns=each.seen_ns + 10**10) for each in late]
    found = curves.samples([trial(moved, block=1), trial(early, block=0)], "", 1000)
    assert [(block.x, block.block, block.seconds) for block in found.blocks] == [(1, 1, 0.0), (5, 2, 10.0)]


def test_a_line_has_the_bounds_of_its_blocks():
    rng = np.random.default_rng(4)
    x = np.array([0, 100, 300, 1000], dtype=float)
    ys = [5e7 + 9e3 * x + rng.normal(0, 1e5, x.size) for _ in range(5)]
    blocks = [[Point("m", a, b) for a, b in zip(x, y, strict=True)] for y in ys]
    found = curves.fit("ours", "subject", blocks, 0.95, sloped=True, words="")
    lines = [scipy.stats.linregress(x, y) for y in ys]
    for at, value, low, high in zip(found.line_x, found.line_y, found.line_lower, found.line_upper, strict=True):
        each = [line.intercept + line.slope * at for line in lines]
        assert value == pytest.approx(np.mean(each), rel=1e-4)
        assert (high - low) / 2 == pytest.approx(scipy.stats.t.ppf(0.975, 4) * scipy.stats.sem(each), rel=0.05)
    few = curves.fit("ours", "subject", blocks[:4], 0.95, sloped=True, words="")
    assert few.line_lower == few.line_y == few.line_upper


def test_the_band_of_a_percentile_curve_is_the_interval_of_each_percentile():
    values = np.random.default_rng(1).integers(1, 10**9, 500).tolist()
    found = latencies(blocks(samples(values)), "")
    curve = curves.percentiles(found, 0.95)
    place = min(range(len(curve.nines)), key=lambda at: abs(curve.nines[at] - 1))
    interval = percentile_interval(list(found.blocks().values()), 1 - 10 ** -curve.nines[place], 0.95)
    assert (curve.lower[place], curve.upper[place]) == pytest.approx((interval.lower, interval.upper), rel=1e-2)
    one = curves.percentiles(latencies([trial(samples(values))], ""), 0.95)
    assert set(one.lower) == set(one.upper) == {None}


def test_an_axis_is_logarithmic_where_a_tail_is_long():
    assert curves.scale_of([[1, 2, 3]]) == "linear"
    assert curves.scale_of([[1, 2, 3], [100]]) == "log"
    assert curves.scale_of([[0, 100]]) == "linear"
    assert curves.scale_of([[1, np.inf]]) == "linear"
    assert curves.scale_of([]) == "linear"


def test_a_density_has_an_area_of_one_on_its_axis():
    values = np.random.default_rng(5).lognormal(0, 1, 500)
    for scale, transform in (("linear", lambda x: x), ("log", np.log)):
        found = curves.density([*values, np.inf], scale)
        assert np.trapezoid(found.y, transform(np.array(found.x))) == pytest.approx(1, abs=0.02)
    assert curves.density([1, 1, 1, 1, 1, 1], "linear") is None
    assert curves.density([1, 2], "linear") is None


def test_every_terminal_floor_and_failure_is_on_the_page(whole):
    echo = benchmark(whole, ECHO)
    (panel,) = echo.panels
    assert [series.label for series in panel.series] == ["ours", "peer", "floor"]
    peer = panel.series[1]
    assert peer.samples.failures
    assert {failure.reason for failure in peer.samples.failures} == {"no echo"}
    assert [violin.label for violin in echo.violins[0].violins] == ["ours", "peer", "floor"]
    assert panel.facts[0].over_floor
    assert panel.limit == 20 * MS


def test_numeric_parameters_have_a_line_of_their_own_scale(whole):
    found = benchmark(whole, THROUGHPUT)
    assert [regression.title for regression in found.lines] == ["latency", "throughput"]
    assert {regression.x_scale for regression in found.lines} == {"log"}
    line = found.lines[0].lines[0]
    assert [point.x for point in line.points] == [10, 100, 1000]
    assert all(point.lower <= point.value <= point.upper for point in line.points)


@pytest.mark.parametrize(
    ("parameter", "number"), [("100", 100), ("32MB", 32e6), ("64KiB", 64e3), ("sh", None), ("", None)]
)
def test_what_number_a_parameter_is(parameter, number):
    from web_terminal_suite.bench.report.html.sections import _number

    assert _number(parameter) == number


def test_the_overview_has_every_verdict_with_its_part_of_the_limit(whole):
    by_place = {(row.benchmark, row.parameter, row.terminal, row.statistic): row for row in whole.overview}
    echo = by_place["keystroke_echo", "", OURS, "p95"]
    assert echo.verdict == Verdict.PASS
    assert 0 < echo.bullet.lower <= echo.bullet.value <= echo.bullet.upper < 1
    assert echo.bullet.goal == pytest.approx(0.3 / 20)
    missed = by_place["message_throughput", "10", PEER, "rate"]
    assert missed.verdict == Verdict.FAIL
    assert missed.bullet.value > 1
    assert by_place["message_throughput", "1000", PEER, "rate"].verdict == Verdict.REFUSED
    assert by_place["life", "", PEER, "latency, p95"].verdict == Verdict.NOT_APPLICABLE
    assert whole.verdicts["fail"] == sum(row.verdict == "fail" for row in whole.overview)
    assert whole.exit_code == 4


def test_a_partial_run_says_so():
    found = page_of(reported(interrupted=True))
    assert any("ended before its plan" in each for each in found.partial)
    assert any(LIFE in each for each in found.partial)


def test_a_run_without_a_sample_is_a_page_all_the_same():
    found = page_of(run(benchmarks=[facts()]))
    assert found.partial == ["the run has no trial"]
    assert found.benchmarks == []
    empty = page_of(run(trial([])))
    assert empty.benchmarks[0].panels[0].series == []


def test_all_failed_is_a_page_too():
    found = page_of(run(trial(samples([MS] * 80, outcome=Outcome.TIMEOUT))))
    (panel,) = found.benchmarks[0].panels
    assert panel.domain is None
    assert panel.series[0].density is None
    assert len(panel.series[0].samples.failures) == 80
    assert panel.facts[0].verdict == "fail"


def test_a_single_operation_is_a_page_too():
    (panel,) = page_of(run(trial(samples([MS])))).benchmarks[0].panels
    assert panel.series[0].percentiles.value[-1] == MS
    assert "needs" in panel.facts[0].rows[1].refusal


def test_a_baseline_gives_changes_and_says_what_else_differs():
    slower = reported(slower=1.6, operations=800)
    found = page_of(slower, reported(seed=8, operations=800))
    (panel,) = benchmark(found, ECHO).panels
    assert [series.reference for series in panel.series] == ["", "baseline", "", "baseline", ""]
    assert panel.facts[0].changes
    assert panel.facts[0].change.startswith("+")
    assert found.baseline[0].startswith("the run of 2 January 2026")
    elsewhere = msgspec.structs.replace(reported(), machine={"before": {"cpu_model": "another", "cpu_count": 1}})
    assert any("another machine" in each for each in page_of(slower, elsewhere).baseline)


def test_a_change_is_signed_words():
    from web_terminal_suite.bench.report.common.changes import percent_change

    assert [percent_change(ratio) for ratio in (1.123, 0.79, 1.0, 1.5, 12.0)] == [
        "+12 %", "\N{MINUS SIGN}21 %", "±0.0 %", "+50 %", "+1,100 %",
    ]  # fmt: skip


def test_history_is_shown_for_its_own_row_and_machine():
    def entry(day, value):
        return HistoryEntry(str(day), f"2026-01-{day:02}T00:00:00Z", "abc", "1", 100, value, value * 0.9, float("inf"))

    entries = tuple(entry(day, (1 if day <= 10 else 2) * MS * (1 + day % 3 / 100)) for day in range(1, 21))
    track = Track(ECHO, "", OURS, "latency", "p95", "ns", "here", entries)
    found = histories([track], "here")
    assert histories([track], "elsewhere") == []
    assert [point.changed for point in found[0].points].index(True) == 10
    assert found[0].points[0].upper is None
    shown = page_of(reported(), history=found)
    assert benchmark(shown, ECHO).panels[0].history[0].points == found[0].points
    assert benchmark(shown, THROUGHPUT).panels[0].history == []


def test_a_slope_and_a_level_have_their_readings(whole):
    slope, level = benchmark(whole, MEMORY).panels
    assert len(slope.fits[0].x) == 20
    assert slope.fits[0].line_x
    assert "R²" in slope.fits[0].words
    assert level.fits[0].x == [0, 0, 0, 0, 0]
    assert level.fits[0].line_x == []


def test_a_goal_without_a_limit_has_a_bullet_against_the_goal():
    target = Target(statistic="p95", goal=2.0 * MS)
    of = run(trial(samples([MS] * 100)), benchmarks=[facts(Metric(name="latency", targets={"*": target}))])
    (row,) = page_of(of).overview
    assert row.bullet.value == 0.5
    assert row.bullet.goal is None
    assert row.target == ""


def test_nothing_in_a_record_can_end_the_data_block_early(template):
    of = reported()
    text = document.render(of, analyse(of), "0", template=template)
    data = re.search(r"<script type=\"application/json\">(.*)</script>", text, re.DOTALL).group(1)
    assert "<" not in data
    found = json.loads(data, parse_constant=pytest.fail)
    assert HOSTILE in (each["description"] for each in found["benchmarks"])


def test_a_hostile_name_stays_text_in_the_title(template):
    of = reported()
    named = msgspec.structs.replace(of.terminals[0], version=HOSTILE)
    of = msgspec.structs.replace(of, terminals=(named, *of.terminals[1:]))
    assert "<script>document" not in document.render(of, analyse(of), "0", template=template)


def test_the_same_record_gives_the_same_file(template):
    first, second = (document.render(of, analyse(of), "0", template=template) for of in (reported(), reported()))
    assert first == second


def test_a_page_that_was_not_built_is_said_with_the_remedy(tmp_path):
    of = reported(operations=20)
    with pytest.raises(document.TemplateMissing, match=r"not built.*npm --prefix frontend run build:report"):
        document.render(of, analyse(of), "0", template=tmp_path / "index.html")
    (tmp_path / "index.html").write_text("<html></html>")
    with pytest.raises(document.TemplateMissing, match="not the report's page of this version"):
        document.render(of, analyse(of), "0", template=tmp_path / "index.html")
