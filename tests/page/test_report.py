"""The report in a real Chromium: one file, no network, keyboard, small and large screens, paper, accessibility."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import hatch_build
import msgspec
import pytest

from tests.bench.reported import ECHO, HOSTILE, LIFE, THROUGHPUT, reported
from tests.page.conftest import WAIT_MS
from web_terminal_suite.bench.analysis import analyse
from web_terminal_suite.bench.report.html import document
from web_terminal_suite.bench.report.html.schema.charts import HistoryChart, HistoryPoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
LARGEST_TEMPLATE = 400_000


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report with everything: terminals, failures, a baseline, a history, a partial cell, 24,000 operations."""
    assert document.TEMPLATE.exists(), "the report's page is not built; build it with: pip install -e ."
    of, base = reported(operations=8000), reported(seed=8, slower=1.3)
    points = [HistoryPoint(started=f"2026-01-0{day}", value=day * 1e6, changed=day == 3) for day in range(1, 5)]
    history = HistoryChart(
        benchmark=ECHO, parameter="", terminal="ours", metric="latency", statistic="p95", points=points
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(document.render(of, analyse(of), "0", (base, analyse(base)), [history]), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser, report) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield shown(context.new_page(), report)


def shown(page: Page, report: Path, place: str = "") -> Page:
    page.set_default_timeout(WAIT_MS)
    page.problems = []
    page.requests = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.problems.append(line.text))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(report.as_uri() + place)
    page.wait_for_function("() => document.documentElement.dataset.state === 'ready'")
    return page


def names(page: Page) -> list[str]:
    """Benchmarks in the overview, from top to bottom."""
    return page.locator(".overview tbody tr:not(.suite) .w-name a").all_inner_texts()


def violations(page: Page) -> list[str]:
    # The page's policy keeps scripts out; the protocol of the browser's tools is not bound by it.
    page.evaluate(AXE.read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]


def unfold_all(page: Page) -> None:
    page.get_by_role("button", name="Unfold all benchmarks").click()


def draw_all(page: Page) -> None:
    if page.locator("#unfold", has_text="Unfold all").count():
        unfold_all(page)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")


def test_the_file_is_one_and_makes_no_request(opened, report):
    draw_all(opened)
    assert opened.requests == [report.as_uri()]
    assert opened.problems == []
    assert document.TEMPLATE.stat().st_size < LARGEST_TEMPLATE


def test_the_policy_keeps_out_what_the_build_did_not_put_in(opened):
    policy = opened.locator("meta[http-equiv='Content-Security-Policy']").get_attribute("content")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    ran = opened.evaluate(
        """async () => {
          const script = document.createElement('script');
          script.textContent = 'window.taken = true';
          document.body.append(script);
          const image = document.createElement('img');
          image.setAttribute('onerror', 'window.taken = true');
          image.src = 'data:,';
          document.body.append(image);
          const fetched = await fetch('https://example.org').then(() => true, () => false);
          return [window.taken === undefined, fetched];
        }"""
    )
    assert ran == [True, False]


def test_hostile_words_of_a_record_stay_words(opened):
    assert opened.title().startswith("ours compared with peer: benchmark report")
    assert opened.locator("body img").count() == 0
    unfold_all(opened)
    section = opened.locator(f"[id='{LIFE}']")
    assert section.locator(".description").inner_text() == HOSTILE
    assert opened.locator(".notice.partial").inner_text().startswith("This report is partial.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1600])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(browser, report, width, scheme):
    assert AXE.exists(), "axe-core is missing; install it with: npm --prefix frontend ci"
    with browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as context:
        page = shown(context.new_page(), report)
        draw_all(page)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.problems == []


def test_every_chart_is_drawn_once_it_is_near(opened):
    unfold_all(opened)
    plots = opened.locator(".plot")
    assert plots.count() > 12
    assert opened.locator(".plot svg").count() < plots.count()
    draw_all(opened)
    assert opened.locator(".plot svg").count() == plots.count()
    assert (
        opened.evaluate(
            "[...document.querySelectorAll('.plot path')].some(e => /NaN|undefined/.test(e.getAttribute('d')))"
        )
        is False
    )
    titles = opened.locator(f"[id='{ECHO}'] .chart-title").all_inner_texts()
    assert titles == [
        "Side by side", "Probability density", "Distribution by percentile", "Samples over time", "p95 over 4 runs",
    ]  # fmt: skip


def test_what_is_drawn_of_many_samples_is_stated(opened):
    unfold_all(opened)
    note = opened.locator(f"[id='{ECHO}'] .chart.wide .note").first.inner_text()
    assert "of 40,000 operations are drawn" in note
    assert "Every figure is from all of them" in note


def test_the_overview_is_searched_filtered_and_sorted_with_the_keyboard(opened):
    every = len(names(opened))
    opened.keyboard.press("/")
    opened.keyboard.type("throughput peer")
    assert names(opened) == ["message_throughput 10", "message_throughput 100", "message_throughput 1000"]
    assert opened.locator("#overview .count").inner_text().startswith("3 of ")
    opened.keyboard.press("Escape")
    assert len(names(opened)) == every
    opened.keyboard.press("Tab")
    opened.keyboard.press("ArrowRight")
    assert opened.locator("input[name=filter]:checked").get_attribute("value") == "fail"
    assert set(opened.locator(".overview tbody .verdict .word").all_inner_texts()) == {"fail"}
    opened.keyboard.press("ArrowLeft")
    sort = opened.get_by_role("button", name="Part of the limit")
    sort.focus()
    head = opened.locator("th.w-bullet")
    first = names(opened)
    for expected in ("ascending", "descending", "none"):
        opened.keyboard.press("Enter")
        assert head.get_attribute("aria-sort") == expected
    assert names(opened) == first
    opened.keyboard.press("Enter")
    assert names(opened) != first


def test_a_row_leads_to_its_charts(opened):
    opened.locator(f".overview a[href='#{THROUGHPUT}@2']").first.click()
    section = opened.locator(f"[id='{THROUGHPUT}']")
    selected = section.locator("[role=tab][aria-selected=true]")
    opened.wait_for_function("id => document.activeElement.id === id", arg=THROUGHPUT)
    assert selected.inner_text() == "1000"


def test_an_address_leads_there_too(browser, report):
    with browser.new_context() as context:
        page = shown(context.new_page(), report, f"#{THROUGHPUT}@1")
        assert page.locator(f"[id='{THROUGHPUT}'] [aria-selected=true]").inner_text() == "100"


def test_tabs_and_charts_are_read_with_arrow_keys(opened):
    unfold_all(opened)
    section = opened.locator(f"[id='{THROUGHPUT}']")
    section.locator("[role=tab]").first.focus()
    opened.keyboard.press("ArrowRight")
    assert opened.evaluate("document.activeElement.textContent") == "100"
    assert section.locator("[role=tab][aria-selected=true]").inner_text() == "100"
    opened.keyboard.press("ArrowLeft")
    opened.keyboard.press("ArrowLeft")
    assert section.locator("[role=tab][aria-selected=true]").inner_text() == "1000"
    draw_all(opened)
    chart = opened.locator(f"[id='{ECHO}'] [role=slider][aria-label^='Distribution by percentile']")
    chart.focus()
    opened.keyboard.press("End")
    assert chart.get_attribute("aria-valuetext").startswith("p99.90: ours ")
    opened.keyboard.press("ArrowLeft")
    words = chart.get_attribute("aria-valuetext")
    assert words.startswith("p99.")
    assert opened.locator(f"[id='{ECHO}'] .readout", has_text=words).count() == 1


def test_the_page_writes_numbers_as_its_tables_do(opened, report):
    """A readout is the page's own; a table's words are Python's."""
    draw_all(opened)
    data = json.loads(opened.locator("#record").text_content())
    panel = next(each for each in data["benchmarks"] if each["id"] == ECHO)["panels"][0]
    p50 = next(row["value"] for row in panel["facts"][0]["rows"] if row["name"] == "p50")
    chart = opened.locator(f"[id='{ECHO}'] [aria-label^='Probability density']")
    assert f"p50 {p50}" in chart.get_attribute("aria-label")


def test_colours_follow_the_choice_and_keep_it(opened):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = opened.evaluate(ground)
    opened.get_by_role("radio", name="Dark").check()
    assert opened.evaluate(ground) != light
    opened.get_by_role("radio", name="Light").check()
    assert opened.evaluate(ground) == light


def test_benchmarks_are_folded_until_they_are_asked_for(opened):
    folds = opened.locator(".benchmark > details")
    unfolded = opened.locator(".benchmark > details[open]")
    assert folds.count() > 2
    assert unfolded.count() == 0
    opened.locator(f".overview a[href='#{THROUGHPUT}@2']").first.click()
    opened.wait_for_function("id => document.activeElement.id === id", arg=THROUGHPUT)
    assert unfolded.count() == 1
    opened.locator(f"[id='{THROUGHPUT}'] summary").first.click()
    assert unfolded.count() == 0
    opened.locator(f".overview a[href='#{THROUGHPUT}@2']").first.click()
    opened.wait_for_function("document.querySelectorAll('.benchmark > details[open]').length === 1")
    unfold_all(opened)
    assert unfolded.count() == folds.count()
    opened.get_by_role("button", name="Fold all benchmarks").click()
    assert unfolded.count() == 0
    for fold in folds.all():
        fold.locator("summary").first.click()
    opened.get_by_role("button", name="Fold all benchmarks").click()
    assert unfolded.count() == 0


def test_on_paper_what_is_unfolded_is_drawn_and_nothing_is_only_for_the_screen(opened):
    opened.locator(f"[id='{ECHO}'] summary").first.click()
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.pdf().startswith(b"%PDF")
    section = opened.locator(f"[id='{ECHO}']")
    assert section.locator(".plot svg").count() == section.locator(".plot").count() > 0
    assert not opened.locator(f"[id='{THROUGHPUT}']").is_visible()
    assert not any(each.is_visible() for each in opened.locator(".tools").all())
    assert not opened.locator(".contents").is_visible()
    assert opened.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_without_its_script_the_page_has_every_verdict(browser, report):
    with browser.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(report.as_uri())
        content = msgspec.json.decode(page.locator("#record").text_content())
        judged = [row for row in content["overview"] if row["target"] or row["goal"]]
        lines = page.locator("#overview tbody tr")
        assert lines.count() == len(judged) > 0
        for line, row in zip(lines.all_inner_texts(), judged, strict=True):
            assert line.startswith(row["verdict"] if row["target"] else "goal only")
            assert row["benchmark"] in line
        assert page.locator("#overview .notice").inner_text().startswith("Scripts are off")
        assert not page.locator(".contents").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize(("button", "kind"), [("Copy as Markdown", "markdown"), ("Copy as CSV", "csv")])
def test_a_table_is_copied_as_it_is_shown(browser, report, button, kind):
    with browser.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        page = shown(context.new_page(), report)
        page.locator("#overview").get_by_role("button", name=button).click()
        page.wait_for_function("[...document.querySelectorAll('.copy button')].some(e => e.textContent === 'Copied')")
        text = page.evaluate("navigator.clipboard.readText()")
        if kind == "csv":
            rows = list(csv.reader(text.splitlines()))
        else:
            rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]
            assert set(rows.pop(1)) == {"---"}
        assert rows[0][:3] == ["Verdict", "Benchmark", "Result"]
        assert len(rows) - 1 == len(names(page))
        assert {len(row) for row in rows} == {len(rows[0])}


def test_a_report_of_nothing_opens(browser, tmp_path):
    of = msgspec.structs.replace(reported(operations=20), trials=(), machine={}, options={})
    path = tmp_path / "empty.html"
    path.write_text(document.render(of, analyse(of), "0"), encoding="utf-8")
    with browser.new_context() as context:
        page = shown(context.new_page(), path)
        assert page.problems == []
        assert "the run has no trial" in page.locator(".notice.partial").inner_text()


@pytest.mark.parametrize("name", ["index.html", "vite.config.ts", "src/main.ts"])
def test_a_changed_source_of_the_report_makes_the_pages_stale(tmp_path, name):
    report = [f"frontend/report/{each}" for each in ("index.html", "vite.config.ts", "src/main.ts")]
    sources = ["frontend/index.html", "frontend/src/main.ts", *report]
    for each in sources:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / each).write_text("x")
        os.utime(tmp_path / each, (1000, 1000))
    for directory in (tmp_path / "frontend").rglob(""):
        os.utime(directory, (1000, 1000))
    for page in (hatch_build.page_of(tmp_path), hatch_build.report_of(tmp_path)):
        page.parent.mkdir(parents=True)
        page.write_text("x")
        os.utime(page, (2000, 2000))
    assert not hatch_build.is_stale(tmp_path)
    os.utime(tmp_path / "frontend/report" / name, (3000, 3000))
    assert hatch_build.is_stale(tmp_path)
    os.utime(tmp_path / "frontend/report" / name, (1000, 1000))
    hatch_build.report_of(tmp_path).unlink()
    assert hatch_build.is_stale(tmp_path)
