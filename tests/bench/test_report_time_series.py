"""Charts over time: lines joined over trials, gaps kept, peaks never thinned away."""

from __future__ import annotations

from web_terminal_suite.bench.report.html.time_series import DRAWN_MOMENTS, time_series_charts
from web_terminal_suite.bench.samples import Cell, TimeSeries, Trial


def trial(*lines: TimeSeries, parameter: str = "first", terminal: str = "ours") -> Trial:
    return Trial(cell=Cell("load/course", parameter, terminal), block=0, courses=lines)


def line(name: str, x, y, chart: str = "Rate", unit: str = "/s") -> TimeSeries:
    return TimeSeries(chart=chart, name=name, unit=unit, x=[float(each) for each in x], y=list(y))


def test_lines_of_one_chart_share_its_moments_and_keep_their_gaps():
    lines = line("a", [0, 1, 2], [1.0, None, 3.0]), line("b", [1, 2, 3], [4.0, 5.0, 6.0])
    (chart,) = time_series_charts([trial(*lines)])
    assert (chart.title, chart.unit, chart.scale) == ("Rate", "/s", "linear")
    assert chart.x == [0.0, 1.0, 2.0, 3.0]
    assert [(line.label, line.y) for line in chart.lines] == [
        ("a", [1.0, None, 3.0, None]),
        ("b", [None, 4.0, 5.0, 6.0]),
    ]
    assert chart.domain == (0.0, 6.0)
    assert chart.stages == []


def test_each_stage_starts_where_the_one_before_it_ends():
    first, second = line("a", [0, 1], [1.0, 2.0]), line("a", [5, 6], [3.0, 4.0])
    (chart,) = time_series_charts([trial(first), trial(second, parameter="second")])
    assert chart.x == [0.0, 1.0, 5.0, 6.0]
    assert [line.y for line in chart.lines] == [[1.0, 2.0, 3.0, 4.0]]
    assert [(stage.x, stage.words) for stage in chart.stages] == [(0.0, "first"), (5.0, "second")]


def test_charts_come_in_the_order_of_the_record_and_empty_ones_not_at_all():
    found = time_series_charts(
        [
            trial(
                line("p95", [0, 1], [1e6, 9e8], "Latency", "ns"),
                line("none", [0], [None], "Nothing"),
                line("r", [0], [0.0]),
            )
        ]
    )
    assert [(chart.title, chart.scale, chart.domain) for chart in found] == [
        ("Latency", "log", (1e6, 9e8)),
        ("Rate", "linear", (0.0, 1.0)),
    ]


def test_terminals_are_told_apart_where_there_are_several():
    (chart,) = time_series_charts([trial(line("a", [0], [1.0])), trial(line("a", [0], [2.0]), terminal="peer")])
    assert [line.label for line in chart.lines] == ["ours, a", "peer, a"]


def test_no_peak_is_thinned_away():
    seconds = 3 * DRAWN_MOMENTS + 1
    values = [1.0] * seconds
    values[1_234] = 99.0
    (chart,) = time_series_charts([trial(line("a", range(seconds), values))])
    assert len(chart.x) <= DRAWN_MOMENTS
    assert max(value for value in chart.lines[0].y if value is not None) == 99.0
    assert chart.note == "Each point is the largest of 4 seconds, so that no peak is missed."


def test_a_run_without_time_series_has_no_such_chart():
    assert time_series_charts([Trial(cell=Cell("a/b", "", "ours"), block=0)]) == []
