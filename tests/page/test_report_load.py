"""The report of a load in a real Chromium: its time series, read by pointer and keys, small and large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.bench import naive
from tests.bench.load.collectors import BEGIN, DURATION, SECOND_NS, keys, planned, whole
from tests.bench.load.test_record import run_of, took
from tests.page.test_report import draw_all, shown, unfold_all, violations
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.report.common import units
from web_terminal_suite.bench.report.html import document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PERCENTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99", "max": "1"}
COURSE = "[id='load/course']"
CHARTS = [
    "Keystroke latency", "Session start", "Sessions", "Rate", "Errors", "Server memory", "Processor time", "Output",
]  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A load of two stages, the second of which did not begin, with failed keys, lost sessions and a dead client."""
    collector = whole(stages=2, failing=20)
    collector.lost += [messages.SessionLost(1, (BEGIN + 4) * SECOND_NS, "closed")]
    collector.mark_failed(1, "client 2", (BEGIN + 6) * SECOND_NS, "ended with -9")
    expect = ["keystroke.p95<20ms", "server.cpu<5%", "errors<=100", "errors<=0"]
    run = run_of(planned(expect, stages=2), collector)
    # As the second stage would have told its beginning.
    course, *others = run.trials
    later = msgspec.structs.replace(
        course,
        cell=msgspec.structs.replace(course.cell, parameter="test: stage 1"),
        courses=tuple(
            msgspec.structs.replace(each, x=[x + BEGIN + DURATION for x in each.x]) for each in course.courses
        ),
    )
    run = msgspec.structs.replace(run, trials=(course, later, *others))
    path = tmp_path_factory.mktemp("load") / "load.html"
    path.write_text(document.render(run, analyse(run), "0"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield shown(context.new_page(), report)


def test_the_course_is_drawn_chart_below_chart(opened):
    draw_all(opened)
    titles = opened.locator(f"{COURSE} .time-series .chart-title").all_inner_texts()
    assert titles == CHARTS
    drawn = opened.locator(f"{COURSE} .time-series .plot")
    assert drawn.count() == opened.locator(f"{COURSE} .time-series .plot svg").count() == len(CHARTS)
    paths = opened.evaluate(
        f"""[...document.querySelectorAll("{COURSE} .plot path")].map(each => each.getAttribute('d'))"""
    )
    assert not any("NaN" in (path or "") or "undefined" in (path or "") for path in paths)
    legend = opened.locator(f"{COURSE} .time-series figure").first.locator(".legend li").all_inner_texts()
    assert [each.strip() for each in legend] == ["p50", "p95", "p99", "max"]
    assert opened.problems == []


def test_a_second_has_one_place_in_all_charts(opened):
    draw_all(opened)
    places = opened.evaluate(
        f"""[...document.querySelectorAll("{COURSE} .time-series .divider")].map(each => each.getAttribute('x1'))"""
    )
    # The border of the second stage, in every chart.
    assert len(places) == 2 * len(CHARTS)
    assert len(set(places)) == 2


def quantile(second: int, q: str) -> str:
    """Of the keys due in this second of the load."""
    due = [each for each in keys(failing=20) if each.due_ns // SECOND_NS == second]
    return units.quantity(naive.quantile(took(due), q), "ns")


def test_a_chart_is_read_second_by_second(opened):
    draw_all(opened)
    chart = opened.locator(f"{COURSE} [role=slider][aria-label^='Keystroke latency']")
    chart.focus()
    opened.keyboard.press("Home")
    assert chart.get_attribute("aria-valuetext") == "0 s: p50 -, p95 -, p99 -, max -".replace("-", "\N{EN DASH}")
    for _ in range(BEGIN):
        opened.keyboard.press("ArrowRight")
    words = chart.get_attribute("aria-valuetext")
    assert words == f"{BEGIN} s: {', '.join(f'{name} {quantile(BEGIN, q)}' for name, q in PERCENTILES.items())}"
    assert opened.locator(f"{COURSE} .readout", has_text=words).count() == 1
    medians = sorted(quantile(second, "0.5") for second in range(BEGIN, BEGIN + DURATION))
    assert f"p50: {medians[0]} to {medians[-1]}" in chart.get_attribute("aria-label")


def test_single_readings_are_a_table_and_no_charts_of_one_dot(opened):
    assert opened.locator(f"{COURSE} [role=tab]").count() == 0
    assert opened.locator(f"{COURSE} .chart-title", has_text="Readings").count() == 0
    assert opened.locator(f"{COURSE} table.summary tr", has_text="server PSS per session").count() == 2


def test_what_was_expected_and_what_stands_against_it_is_said_once(opened):
    unfold_all(opened)
    said = opened.locator(f"{COURSE} .headline").all_inner_texts()
    # Once for each of the two stages that it is told of.
    assert sum("client 2 ended with -9" in each for each in said) == 2
    assert any("fail" in each and "level < 5 %" in each for each in said)
    assert opened.locator(".notice.partial").inner_text().startswith("This report is partial.")


def test_a_row_of_the_overview_leads_to_the_course(opened):
    opened.locator(".overview a[href^='#load/course@']").first.click()
    opened.wait_for_function("() => document.activeElement.id === 'load/course'")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(browser, report, width, scheme):
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        page = shown(context.new_page(), report)
        draw_all(page)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.problems == []
