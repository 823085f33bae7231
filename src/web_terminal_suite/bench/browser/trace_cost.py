"""What it costs a key that the browser is traced: the known page takes the time itself, with a trace and without."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.browser import tab
from web_terminal_suite.bench.browser.errors import explained
from web_terminal_suite.bench.browser.keys import PageTypist
from web_terminal_suite.bench.browser.known_page import CharacterPageDriver
from web_terminal_suite.bench.browser.tab import WAIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Browser

    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.terminals.terminal import Running

_KEYS: Final = 10
_ROUNDS: Final = 4


class TraceCost(NamedTuple):
    """Medians of what the page needs from a key to the task after its frame, by its own clock; ns."""

    without_trace: float
    traced: float
    with_pictures: float
    """Traced, and every frame kept as a picture: so only the keys of the warm-up are typed."""

    def __str__(self) -> str:
        return (
            f"a key costs the page {self.without_trace / 1e6:.1f} ms without a trace, {self.traced / 1e6:.1f} ms with "
            f"one, {self.with_pictures / 1e6:.1f} ms with pictures"
        )


async def trace_cost(browser: Browser, running: Running, rounds: int = _ROUNDS) -> TraceCost:
    """Measure it, the three in turn.

    Raises:
        TimedOut, PageFailed
    """
    async with tab.opened(browser) as page:
        await CharacterPageDriver("timed").open(page, running)
        typist = PageTypist(browser, page, through_socket=False)
        ways: tuple[Callable[[int], Awaitable[object]], ...] = (
            typist.type_untraced, typist.type_keys, typist.confirm_keys
        )  # fmt: skip
        took: tuple[list[float], ...] = ([], [], [])
        for _ in range(rounds):
            for way, times in zip(ways, took, strict=True):
                await way(_KEYS)
                times += await _times_ns(page)
    return TraceCost(*map(median, took))


async def _times_ns(page: Tab) -> list[float]:
    """Of the keys since the last call."""
    with explained("times of the page", WAIT_SECONDS):
        return [each * 1e6 for each in await page.page.evaluate("took.splice(0)")]
