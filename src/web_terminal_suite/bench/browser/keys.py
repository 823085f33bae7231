"""Keys typed into a page at a person's pace, and what became of each."""

from __future__ import annotations

import asyncio
import random
import string
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser.confirmation import confirm, questions
from web_terminal_suite.bench.browser.pictures import filmstrip, first_with_glyph
from web_terminal_suite.bench.browser.stamps import KeyStamps, key_stamps
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Outcome, Sample

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser

    from web_terminal_suite.bench.browser.confirmation import Confirmation, Question
    from web_terminal_suite.bench.browser.stamps import LostKey
    from web_terminal_suite.bench.browser.tab import Tab
    from web_terminal_suite.bench.browser.trace import Trace
    from web_terminal_suite.bench.samples import Filmstrip

    FindStamps = Callable[[Trace], list[KeyStamps | LostKey]]

INTERVAL_SECONDS: Final = 0.1
"""Ten keys a second, as one person types (Dan Luu, "Terminal latency")."""

# Keys and frames must not fall into step, or every key would wait equally long for the next frame.
_JITTER_SECONDS: Final = 0.02
_SETTLE_SECONDS: Final = 0.15


class PageTypist:
    """Types the letters of the alphabet in turn into one page."""

    def __init__(self, browser: Browser, tab: Tab, *, through_socket: bool, find: FindStamps | None = None) -> None:
        """``find`` takes the stamps from a trace, in place of ``key_stamps``."""
        self._browser = browser
        self._tab = tab
        self._find = find or (lambda trace: key_stamps(trace, through_socket=through_socket))
        self._random = random.Random(0)
        self._typed = 0
        self.filmstrip: Filmstrip | None = None
        """Around the slowest of the keys that were last confirmed."""

    async def type_keys(self, count: int) -> list[KeyStamps | LostKey]:
        """Type ``count`` keys, and give the way of each.

        Raises:
            TimedOut, PageFailed
        """
        async with self._tab.traced() as trace:
            await self._press(count)
        return self._find(trace)

    async def confirm_keys(self, count: int) -> tuple[Confirmation, list[KeyStamps | LostKey]]:
        """Type ``count`` keys while each frame is kept as a picture, and compare the stamps with the pictures.

        Raises:
            TimedOut, PageFailed
        """
        trace, answers = await self._pictured(count)
        stamps = self._find(trace)
        self.filmstrip = await self._film(trace, stamps, answers)
        return confirm(trace, stamps, answers), stamps

    async def confirm_and_sabotage(
        self, count: int, sabotage: Callable[[FindStamps], FindStamps]
    ) -> tuple[Confirmation, Confirmation]:
        """As ``confirm_keys``, and what the same pictures say of the stamps that ``sabotage`` makes.

        Raises:
            TimedOut, PageFailed
        """
        trace, answers = await self._pictured(count)
        honest, wrong = self._find(trace), sabotage(self._find)(trace)
        return confirm(trace, honest, answers), confirm(trace, wrong, answers)

    async def type_untraced(self, count: int) -> None:
        """Type ``count`` keys without a trace, so nothing is known of them.

        Raises:
            TimedOut, PageFailed
        """
        await self._press(count)

    async def _pictured(self, count: int) -> tuple[Trace, list[tuple[Question, int | None]]]:
        async with self._tab.traced(pictures=True) as trace:
            # The first picture, so that there is one before the first key.
            await asyncio.sleep(_SETTLE_SECONDS)
            await self._press(count)
        return trace, await first_with_glyph(self._browser, trace.pictures, questions(trace))

    async def _film(
        self, trace: Trace, stamps: list[KeyStamps | LostKey], answers: list[tuple[Question, int | None]]
    ) -> Filmstrip | None:
        """What was on the screen around the slowest key that pictures show, if they show any."""
        shown = [
            (stamp.presented_ns - stamp.pressed_ns, stamp, question, place)
            for question, place in answers
            if place is not None and isinstance(stamp := stamps[question.key], KeyStamps)
        ]
        if not shown:
            return None
        _, stamp, question, place = max(shown, key=lambda each: each[0])
        return await filmstrip(self._browser, trace, stamp, question, place)

    async def _press(self, count: int) -> None:
        due_ns = now_ns()
        for _ in range(count):
            await self._tab.press(string.ascii_lowercase[self._typed % 26])
            self._typed += 1
            jitter = self._random.uniform(-_JITTER_SECONDS, _JITTER_SECONDS)
            due_ns += round((INTERVAL_SECONDS + jitter) * 1e9)
            await asyncio.sleep(max(0, due_ns - now_ns()) / 1e9)
        await asyncio.sleep(_SETTLE_SECONDS)


def samples(stamps: list[KeyStamps | LostKey]) -> tuple[Sample, ...]:
    """The keys as a record keeps them: from the moment the browser had the key to the frame that shows it."""
    return tuple(_sample(each) for each in stamps)


def _sample(stamp: KeyStamps | LostKey) -> Sample:
    if isinstance(stamp, KeyStamps):
        return Sample(due_ns=stamp.pressed_ns, sent_ns=stamp.pressed_ns, seen_ns=stamp.presented_ns, marks=stamp.marks)
    return Sample(
        due_ns=stamp.pressed_ns,
        sent_ns=stamp.pressed_ns,
        seen_ns=now_ns(),
        outcome=Outcome.TIMEOUT,
        reason=f"no {stamp.missing} for a key",
    )
