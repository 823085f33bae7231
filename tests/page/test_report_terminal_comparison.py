"""The report of several terminals in a real Chromium, complete and brief."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.bench.terminals_compared import ECHO, HOME, HOST, PASTE, several
from tests.page.test_report import AXE, draw_all, shown, violations
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects as compare
from web_terminal_suite.bench.report.common import side_by_side, units
from web_terminal_suite.bench.report.common.side_by_side import Standing
from web_terminal_suite.bench.report.html import document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from web_terminal_suite.bench.samples import Run

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LARGEST_BRIEF = 400_000
NAMES = ["web-terminal", "quick", "slow", "busy"]


@pytest.fixture(scope="module")
def run() -> Run:
    return several()


@pytest.fixture(scope="module")
def reports(run, tmp_path_factory) -> dict[str, Path]:
    found = {}
    for kind in ("full", "brief"):
        path = tmp_path_factory.mktemp("compared") / f"{kind}.html"
        path.write_text(document.render(run, analyse(run), "0", brief=kind == "brief"), encoding="utf-8")
        found[kind] = path
    return found


@pytest.fixture
def opened(browser, reports) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield shown(context.new_page(), reports["brief"])


def cells(page: Page) -> list[list[str]]:
    """The table of figures as it is read: its rows, the name first."""
    return [
        [cell.inner_text() for cell in row.locator("th, td").all()]
        for row in page.locator(".matrix tbody tr:not(.suite)").all()
    ]


@pytest.mark.parametrize("kind", ["full", "brief"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing_and_nothing_leaves_the_page(browser, reports, kind, scheme, width):
    assert AXE.exists(), "axe-core is missing; install it with: npm --prefix frontend ci"
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        page = shown(context.new_page(), reports[kind])
        page.locator("input[name=figures][value=all]").check()
        draw_all(page)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.requests == [reports[kind].as_uri()]
        assert page.problems == []


def test_the_figures_on_the_page_are_those_of_the_analysis(opened, run):
    opened.locator("input[name=figures][value=all]").check()
    known = compare(run, analyse(run))
    rows = cells(opened)
    assert len(rows) == len(known.lines)
    assert [each.strip() for each in opened.locator(".matrix thead th").all_inner_texts()] == NAMES
    for row, line in zip(rows, known.lines, strict=True):
        for text, name in zip(row[1:], NAMES, strict=True):
            figure = line.figures[name]
            words = text.split("\n")
            assert words[0] == ("\N{EN DASH}" if figure.value is None else units.quantity(figure.value, line.unit))
            if figure.ratio is not None:
                assert side_by_side.ratio(figure) in text
                assert side_by_side.bounds(figure) in text
            signs = {Standing.AHEAD: "▲", Standing.BEHIND: "▼", Standing.NEITHER: ""}
            assert "".join(each for each in text if each in "▲▼") == signs[side_by_side.standing(line, figure)]


def test_each_terminal_stands_with_its_score_and_what_is_to_know(opened, run):
    known = compare(run, analyse(run))
    places = opened.locator(".standings li")
    assert places.count() == len(NAMES)
    for place, name in enumerate(NAMES[1:], start=1):
        ahead, behind, neither = side_by_side.score(known, name)
        words = places.nth(place).inner_text()
        assert name in words
        for each in (f"{ahead} better", f"{behind} worse", f"{neither} not significant"):
            assert each in words
    assert "It is <b>." in places.nth(1).inner_text()
    assert "gone does not start" in opened.locator("#comparison .note").first.inner_text()


def test_the_marks_of_the_ratios_are_read_one_by_one_with_the_keyboard(opened):
    plot = opened.locator(".forest [role=slider]")
    plot.scroll_into_view_if_needed()
    plot.focus()
    opened.keyboard.press("Home")
    assert plot.get_attribute("aria-valuetext").startswith("keystroke echo, p50: quick ")
    assert plot.get_attribute("aria-valuetext").endswith("better")
    opened.keyboard.press("ArrowRight")
    words = plot.get_attribute("aria-valuetext")
    assert words.startswith("keystroke echo, p50: slow ")
    assert words.endswith("worse")
    assert opened.locator(".forest .readout").inner_text() == words


def test_a_mark_is_read_with_the_pointer_where_it_is_drawn(opened):
    opened.locator(".forest .plot").scroll_into_view_if_needed()
    marks = opened.locator(".forest .plot path[transform]")
    box = marks.nth(1).bounding_box()
    opened.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.wait_for_function("document.querySelector('.forest .readout').textContent.includes(': slow ')")


@pytest.mark.parametrize("width", [390, 660, 800, 1400])
def test_no_word_of_the_chart_is_cut_off(browser, reports, width):
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = shown(context.new_page(), reports["brief"])
        draw_all(page)
        outside = page.evaluate(
            """() => {
              const frame = document.querySelector('.forest .plot svg').getBoundingClientRect();
              return [...document.querySelectorAll('.forest .plot text')]
                .filter(each => {
                  const box = each.getBoundingClientRect();
                  return box.left < frame.left - 1 || box.right > frame.right + 1;
                })
                .map(each => each.textContent);
            }"""
        )
        assert outside == []


def test_a_search_is_over_all_figures(opened):
    few = len(cells(opened))
    opened.get_by_role("searchbox", name="Search all figures").fill("paste p95")
    rows = cells(opened)
    assert [row[0].split("\n")[-1] for row in rows] == ["p95"]
    assert opened.locator("input[name=figures]:checked").get_attribute("value") == "all"
    opened.keyboard.press("Escape")
    assert len(cells(opened)) > few


def test_failures_and_a_busy_client_are_said_with_the_figure(opened):
    opened.get_by_role("searchbox", name="Search all figures").fill("paste p50")
    ((_, _, _, slow, busy),) = cells(opened)
    assert "40 of 340 failed: no marker" in slow
    assert "client 93 % of a core" in busy


def test_a_figure_leads_to_its_panel_or_to_what_is_measured(browser, reports):
    with browser.new_context() as context:
        full = shown(context.new_page(), reports["full"])
        full.locator(".matrix a", has_text="paste of 1 MiB").click()
        full.wait_for_function("id => document.activeElement.id === id", arg=PASTE)
        brief = shown(context.new_page(), reports["brief"])
        brief.locator(".matrix a", has_text="paste of 1 MiB").click()
        assert brief.locator(f"[id='{PASTE}']:target dt").inner_text() == "paste"


def test_the_brief_page_is_light_and_says_nothing_of_whose_machine_it_was(opened, reports):
    text = reports["brief"].read_text()
    assert len(text.encode()) < LARGEST_BRIEF
    for private in (HOST, HOME, "/opt/of"):
        assert private not in text
    assert HOST in reports["full"].read_text()
    data = json.loads(opened.locator("#record").text_content())
    assert data["brief"] is True
    assert opened.title().startswith("web-terminal compared with quick, slow and busy")
    assert opened.locator("h1").inner_text() == "web-terminal compared with quick, slow and busy"
    assert opened.locator("[role=tab]").count() == 0
    assert opened.locator(f"[id='{ECHO}'] dd").inner_text().startswith("one operation")
    environment = opened.locator("#environment")
    assert "python -m web_terminal_suite serve --config it.toml" in environment.inner_text()
    assert "host name" not in environment.inner_text()


def test_on_paper_every_figure_is_there_and_nothing_is_cut_off(opened, run):
    lines = len(compare(run, analyse(run)).lines)
    opened.set_viewport_size({"width": 702, "height": 1000})
    opened.emulate_media(media="print")
    draw_all(opened)
    assert len(cells(opened)) == lines
    beyond = "[...document.querySelectorAll('body :not(.unseen)')].filter(e => e.getBoundingClientRect().right > 702.5)"
    assert opened.evaluate(f"{beyond}.map(each => each.outerHTML.slice(0, 99))") == []
    assert opened.locator(".matrix").evaluate(
        "each => each.parentElement.scrollHeight <= each.parentElement.clientHeight"
    )
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(cells(opened)) < lines
    assert opened.pdf().startswith(b"%PDF")
