"""Each benchmark of pages for real, on our own page: in one browser and on one server, and shorter than in a run."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from web_terminal_suite.bench.benchmark import BenchmarkContext
from web_terminal_suite.bench.browser import (
    chromium,
    draw_flood,
    frame_rhythm,
    key_under_flood,
    open_to_prompt,
    resize_storm,
    scroll,
    tab_memory,
)
from web_terminal_suite.bench.browser.bare_page import BarePage
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.reconnect_to_pixel import reconnecting
from web_terminal_suite.bench.browser.severed import severable
from web_terminal_suite.bench.browser.tab import opened, opened_next_to
from web_terminal_suite.bench.browser.visit import Visit, visit_in
from web_terminal_suite.bench.samples import Outcome
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal
from web_terminal_suite.client.marker import Markers

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.asyncio(loop_scope="module"),
]

MS = 1_000_000
RHYTHM = {each.name for each in frame_rhythm.METRICS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium_path):
    async with chromium.started() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ours():
    async with WebTerminal().launch() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bare():
    if BarePage().missing():
        pytest.skip(BarePage().missing())
    async with BarePage().launch() as running:
        yield running


def context_of(running, parameter=""):
    return BenchmarkContext(running, parameter, Markers(random.Random(1)))


@asynccontextmanager
async def visited(browser, context):
    async with visit_in(browser, DRIVERS[context.running.terminal.page], context) as page:
        yield page


def readings(result):
    return {each.metric: each.y for each in result.points}


def milliseconds(result):
    assert all(each.outcome is Outcome.OK for each in result.samples), result.samples
    return [(each.seen_ns - each.sent_ns) / MS for each in result.samples]


@pytest.mark.parametrize(("terminal", "output", "times"), [("ours", "text", 2), ("bare", "wide", 1)])
async def test_a_flood_is_over_when_what_comes_behind_it_is_displayed(browser, ours, bare, terminal, output, times):
    context = context_of({"ours": ours, "bare": bare}[terminal], output)
    async with visited(browser, context) as page, draw_flood.flooding(context, page, 200_000) as operate:
        results = [await operate() for _ in range(times)]
    for each in results:
        (took_ms,) = milliseconds(each)
        assert took_ms > 15
        found = readings(each)
        assert found.keys() >= RHYTHM
        assert found[frame_rhythm.LONGEST_GAP] <= took_ms * MS
        assert found[frame_rhythm.MAIN_THREAD] > MS


async def test_a_page_is_opened_when_its_prompt_is_displayed(browser, ours):
    context, driver = context_of(ours), DRIVERS["web-terminal"]
    async with opened(browser) as first:
        cold = await open_to_prompt.opening(context, Visit(browser, driver, first))
        async with opened_next_to(first) as second:
            warm = await open_to_prompt.opening(context, Visit(browser, driver, second))
    for each in (cold, warm):
        (sample,) = each.samples
        assert sample.sent_ns < sample.marks["loaded"] < sample.marks["connected"] < sample.seen_ns
        assert 3 <= readings(each)[open_to_prompt.REQUESTS] <= 12
    # Scripts and styles are kept from the first visit.
    assert readings(warm)[open_to_prompt.RECEIVED] * 10 < readings(cold)[open_to_prompt.RECEIVED]


async def test_every_notch_of_the_wheel_is_displayed(browser, ours):
    context = context_of(ours)
    async with visited(browser, context) as page, scroll.scrolling(context, page, 1_000, 2) as operate:
        result = await operate()
    assert len(milliseconds(result)) == 2
    assert readings(result).keys() == RHYTHM


async def test_a_storm_is_over_when_the_program_has_drawn_for_the_last_size(browser, ours):
    context = context_of(ours)
    async with visited(browser, context) as page, resize_storm.resizing(context, page, 5) as operate:
        result = await operate()
    assert len(milliseconds(result)) == 1
    assert 1 <= readings(result)[resize_storm.DRAWN_ANEW] <= 6


async def test_a_tab_holds_more_after_output(browser, ours):
    context = context_of(ours)
    async with visited(browser, context) as page:
        empty = readings(await tab_memory.memory_after(context, page, 0))
        full = readings(await tab_memory.memory_after(context, page, 1_000_000))
    assert 10e6 < empty[tab_memory.PSS] < full[tab_memory.PSS] < 1e9
    assert 1e6 < empty[tab_memory.HEAP] < full[tab_memory.HEAP]


async def test_what_was_printed_while_the_network_was_gone_is_displayed(browser, ours):
    async with severable(ours.addresses[0]) as (network, address):
        context = context_of(replace(ours, addresses=(address,)))
        async with visited(browser, context) as page:
            result = await reconnecting(context, page, network, 1.0)
    assert len(milliseconds(result)) == 1


@pytest.mark.parametrize("flooded", [True, False])
async def test_keys_are_displayed_under_a_flood(browser, ours, flooded):
    context = context_of(ours)
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(visited(browser, context))
        if not flooded:
            await key_under_flood.flood_next_to(context, page, stack, 1)
        operate = await stack.enter_async_context(key_under_flood.typing(context, page, 1, flooded=flooded))
        result = await operate()
    # A busy machine may take longer than a key is waited for: that is an outcome.
    (key,) = result.samples
    assert key.outcome in (Outcome.OK, Outcome.TIMEOUT)
    assert key.sent_ns < key.seen_ns
    assert readings(result).keys() == (RHYTHM if flooded else set())
