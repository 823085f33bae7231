"""The known page: recovered with honest stamps, and not with others."""

from __future__ import annotations

import contextlib

import pytest
from playwright.async_api import Error

from web_terminal_suite.bench.browser import calibration, chromium
from web_terminal_suite.bench.browser.calibration import LATENESSES, PageCalibration, PagesNotProven, judge
from web_terminal_suite.bench.browser.errors import PageFailed
from web_terminal_suite.bench.browser.facts import UNLIMITED, BrowserFacts
from web_terminal_suite.bench.browser.known_page import CharacterPage, CharacterPageDriver
from web_terminal_suite.bench.browser.stamps import key_stamps
from web_terminal_suite.bench.browser.tab import opened
from web_terminal_suite.bench.browser.trace_cost import TraceCost, trace_cost
from web_terminal_suite.bench.errors import RunFailed

MS = 1_000_000
AT_ONCE = [8 * MS, 9 * MS, 20 * MS]


def late_by(*errors_ms: float) -> list[list[int]]:
    return [
        [round(each + lateness.set_ns + error * MS) for each in AT_ONCE]
        for lateness, error in zip(LATENESSES, errors_ms, strict=True)
    ]


def test_what_was_set_is_recovered_within_a_frame():
    found = judge(AT_ONCE, late_by(0, -16, 16))
    assert [round(each.error_ns / MS) for each in found] == [0, -16, 16]


@pytest.mark.parametrize("errors", [(18, 0, 0), (0, -18, 0), (0, 0, 17)])
def test_more_than_a_frame_is_refused(errors):
    with pytest.raises(PagesNotProven, match="it may differ by 16"):
        judge(AT_ONCE, late_by(*errors))


def test_a_page_that_shows_nothing_is_refused():
    with pytest.raises(PagesNotProven, match="no key"):
        judge([], late_by(0, 0, 0))


def test_a_calibration_that_failed_first_warns():
    calibration = PageCalibration(attempts=2, failed=["a reason"])
    (warning,) = calibration.warnings()
    assert "attempt 2 of 3: a reason" in warning["seen"]
    assert PageCalibration(attempts=1).warnings() == []
    assert issubclass(PagesNotProven, RunFailed)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_stamps_that_are_wrong_stop_a_run(chromium_path):
    honest = lambda trace: key_stamps(trace, through_socket=False)  # noqa: E731
    with pytest.raises(PagesNotProven, match="pictures contradict"):
        await calibration.prove(calibration.sabotaged(honest), attempts=1)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_dialog_is_an_outcome_with_its_reason(chromium_path):
    async with chromium.started() as browser, CharacterPage().launch() as running, opened(browser) as tab:
        await CharacterPageDriver().open(tab, running)
        # Returns once the dialog is dismissed.
        await tab.page.evaluate("alert('a dialog')")
        with pytest.raises(PageFailed, match="the page opened a dialog: alert: 'a dialog'"):
            await tab.press("a")


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_crashed_tab_is_an_outcome_with_its_reason(chromium_path):
    async with chromium.started() as browser, CharacterPage().launch() as running:
        async with opened(browser) as tab:
            await CharacterPageDriver().open(tab, running)
            with contextlib.suppress(Error):
                await tab.page.goto("chrome://crash")
            with pytest.raises(PageFailed, match="crashed"):
                await tab.press("a")
        # The rest goes on.
        async with opened(browser) as tab:
            await CharacterPageDriver().open(tab, running)
            await tab.press("a")


def test_without_a_frame_limit_no_more_than_a_millisecond_may_be_missing():
    calibration = PageCalibration(unlimited=True)
    assert [each.text for each in calibration.latenesses] == ["30ms", "60ms"]
    within, beyond = (
        [[at + each.set_ns + off for at in AT_ONCE] for each in calibration.latenesses] for off in (MS, MS + 1)
    )
    assert len(judge(AT_ONCE, within, calibration.latenesses, calibration.tolerance_ns)) == 2
    with pytest.raises(PagesNotProven, match=r"it may differ by 1\.0 ms"):
        judge(AT_ONCE, beyond, calibration.latenesses, calibration.tolerance_ns)


def test_a_run_of_everything_keeps_both_calibrations_and_what_the_trace_costs():
    without = PageCalibration(unlimited=True, attempts=2, failed=["a reason"])
    calibration = PageCalibration(attempts=1, without_limit=without, trace_cost=TraceCost(4.2e6, 4.1e6, 5e6))
    found = calibration.facts()
    assert found["without_limit"]["tolerance_ns"] == MS
    assert found["trace_cost_ns"] == {"without_trace": 4.2e6, "traced": 4.1e6, "with_pictures": 5e6}
    assert [each["kind"] for each in calibration.warnings()] == ["calibration"]
    assert calibration.summary().endswith(
        "without a frame limit: ; a key costs the page 4.2 ms without a trace, 4.1 ms with one, 5.0 ms with pictures"
    )


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_browser_without_a_frame_limit_draws_more_and_a_trace_costs_what_the_page_says(chromium_path):
    facts = BrowserFacts()
    async with chromium.kept(facts), CharacterPage().launch() as running:
        async with chromium.started(unlimited=True) as browser:
            found = await trace_cost(browser, running, rounds=1)
        assert all(each > 0 for each in found)
        assert facts.frames_per_second[UNLIMITED] > 70
        assert facts.frame_limits == [UNLIMITED]
