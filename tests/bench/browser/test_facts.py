"""What a record keeps of the browser, and what follows from it for comparisons and reports."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from tests.bench.records import MS, run, samples, trial
from web_terminal_suite.bench.analysis.comparison.machine import differences, fingerprint
from web_terminal_suite.bench.browser import chromium
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.facts import LIMITED, UNLIMITED, BrowserFacts
from web_terminal_suite.bench.browser.keys import PageTypist
from web_terminal_suite.bench.browser.known_page import CharacterPage
from web_terminal_suite.bench.browser.tab import opened
from web_terminal_suite.bench.errors import OptionsError
from web_terminal_suite.bench.pipeline.comparison import compare
from web_terminal_suite.bench.report.common import environment
from web_terminal_suite.bench.samples import Run

MACHINE = {"cpu_model": "a model", "cpu_count": 2, "kernel": "6.1.0", "python": "3.11.7", "memory_total": 8 << 30}
BROWSER = {
    "name": "chromium",
    "version": "156.0.8078.108",
    "viewport": [1000, 600],
    "device_scale": 1,
    "frame_limits": [LIMITED],
    "frames_per_second": {LIMITED: 60.1},
    "gpu": "SwiftShader",
    "features": {"gpu_compositing": "disabled_software"},
    "renderers": {"ttyd": "DOM", "web-terminal": "DOM"},
}


def made_on(**browser: object) -> dict:
    return {"before": MACHINE, "browser": {**BROWSER, **browser}}


def test_runs_in_one_browser_are_of_one_machine():
    assert differences(made_on(), made_on(version="156.1", frames_per_second={LIMITED: 57.0})) == ()
    assert differences({"before": MACHINE}, {"before": MACHINE}) == ()
    assert fingerprint(made_on()) == fingerprint(made_on(version="156.1"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": "157.0"}, "the browser was chromium 156, is chromium 157"),
        ({"viewport": [800, 600]}, "the viewport was 1000, 600, is 800, 600"),
        ({"device_scale": 2}, "the device scale was 1, is 2"),
        ({"gpu": "a card"}, "what draws for the browser was SwiftShader, is a card"),
        (
            {"features": {"gpu_compositing": "enabled"}},
            "what a graphics processor draws was gpu_compositing disabled_software, is gpu_compositing enabled",
        ),
        ({"renderers": {"ttyd": "WebGL", "wetty": "DOM"}}, "what draws the page of ttyd was DOM, is WebGL"),
        (
            {"frames_per_second": {LIMITED: 144.0, UNLIMITED: 700.0}},
            f"frames a second with the frame limit {LIMITED} was 60.1, is 144.0",
        ),
    ],
)
def test_a_browser_that_differs_is_told(changed, said):
    assert differences(made_on(), made_on(**changed)) == (said,)


def test_runs_in_different_browsers_are_compared_by_force_only():
    def made(**changed: object) -> Run:
        return msgspec.structs.replace(run(trial(samples([MS] * 10))), machine={**made_on(**changed), "warnings": []})

    sides = ("before", made()), ("after", made(renderers={"ttyd": "WebGL"}))
    said = "what draws the page of ttyd was DOM, is WebGL"
    with pytest.raises(OptionsError, match=said):
        compare(*sides)
    (found,) = compare(*sides, force=True)
    assert found.machine == (said,)


def test_a_run_that_measured_no_page_is_of_the_same_machine():
    assert differences({"before": MACHINE}, made_on()) == ()
    assert fingerprint({"before": MACHINE}) != fingerprint(made_on())


def test_a_report_names_the_browser_and_what_drew():
    words = environment.browser(made_on())
    assert words == (
        "Chromium 156.0.8078.108; 1000 \N{MULTIPLICATION SIGN} 600 at scale 1; "
        "frame limit 60 frames a second (60 measured); graphics: SwiftShader (gpu_compositing disabled_software); "
        "pages draw with DOM on ttyd, DOM on web-terminal"
    )
    assert environment.browser({"before": MACHINE}) == ""


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_run_keeps_one_browser_whose_trials_share_nothing(chromium_path):
    facts = BrowserFacts()
    assert facts.plain() == {}
    driver = DRIVERS["character-page"]
    async with chromium.kept(facts), CharacterPage().launch() as running:
        async with chromium.started() as first, opened(first) as tab:
            await driver.open(tab, running)
            await tab.page.evaluate("document.cookie = 'left=behind'; localStorage.left = 'behind'")
        async with chromium.started() as second, opened(second) as tab:
            assert second is first
            await driver.open(tab, running)
            assert await tab.page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
        await first.close()
        async with chromium.started() as another:
            assert another is not first
    found = facts.plain()
    assert found["name"] == "chromium"
    assert found["renderers"] == {"character-page": "no xterm.js"}
    assert found["frame_limits"] == [LIMITED]
    assert another.is_connected() is False


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
async def test_a_trial_that_ends_in_the_middle_of_a_trace_does_not_spoil_the_next(chromium_path):
    driver = DRIVERS["character-page"]
    async with chromium.kept(BrowserFacts()), CharacterPage().launch() as running, chromium.started() as browser:
        with contextlib.suppress(ZeroDivisionError):
            async with opened(browser) as tab:
                await driver.open(tab, running)
                async with tab.traced():
                    raise ZeroDivisionError
        async with opened(browser) as tab:
            await driver.open(tab, running)
            assert len(await PageTypist(browser, tab, through_socket=False).type_keys(1)) == 1
