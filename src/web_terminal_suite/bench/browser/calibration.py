"""Whether the suite's stamps can be believed here: a page of known lateness, and stamps that are wrong on purpose.

The page draws at once, late by a timer, and late by frames. What is found, less what is found of the page that draws at
once, must be what was set, within a frame of 60 a second. Pictures must confirm the stamps, and must not confirm those
that name the moment of the key in place of the frame. Judging is pure; ``prove`` measures.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from web_terminal_suite.bench.browser import chromium, tab
from web_terminal_suite.bench.browser.keys import PageTypist
from web_terminal_suite.bench.browser.known_page import CharacterPage, CharacterPageDriver
from web_terminal_suite.bench.browser.stamps import KeyStamps
from web_terminal_suite.bench.errors import RunFailed
from web_terminal_suite.client.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import Browser

    from web_terminal_suite.bench.browser.keys import FindStamps
    from web_terminal_suite.bench.browser.stamps import LostKey
    from web_terminal_suite.bench.browser.trace import Trace
    from web_terminal_suite.bench.terminals.terminal import Running

FRAME_NS: Final = 16_666_667
TOLERANCE_NS: Final = FRAME_NS
ATTEMPTS: Final = 3

_KEYS: Final = 9


class Lateness(NamedTuple):
    """How late the known page draws, as its address says it and as a time."""

    text: str
    set_ns: int


LATENESSES: Final = (Lateness("30ms", 30_000_000), Lateness("60ms", 60_000_000), Lateness("3f", 3 * FRAME_NS))


class PagesNotProven(RunFailed):
    """The suite's stamps are not what happened on the known page: its figures cannot be believed."""


class Recovered(NamedTuple):
    """One lateness, and what was found of it; ns."""

    lateness: Lateness
    found_ns: float

    @property
    def error_ns(self) -> float:
        return self.found_ns - self.lateness.set_ns

    def __str__(self) -> str:
        return f"{self.found_ns / 1e6:.1f} ms of {self.lateness.text}"


@dataclass
class PageCalibration:
    """What the attempts of one run have shown."""

    attempts: int = 0
    recovered: list[Recovered] = field(default_factory=list)
    """Of the last attempt."""
    pictures: str = ""
    failed: list[str] = field(default_factory=list)
    """What each attempt that failed lacked."""

    def facts(self) -> dict[str, Any]:
        """What the record keeps of it, as plain values."""
        return {
            "attempts": self.attempts,
            "most_attempts": ATTEMPTS,
            "tolerance_ns": TOLERANCE_NS,
            "pictures": self.pictures,
            "found_ns": {each.lateness.text: each.found_ns for each in self.recovered},
            "failed": list(self.failed),
        }

    def warnings(self) -> list[dict[str, str]]:
        """What a reader must know: nothing after a good first attempt."""
        if not self.failed:
            return []
        earlier = "; ".join(self.failed)
        return [
            {
                "kind": "calibration",
                "seen": f"the known page was recovered at attempt {self.attempts} of {ATTEMPTS}: {earlier}",
                "matters": "what disturbed it disturbs the figures as well",
                "remedy": "stop other work and run again",
            }
        ]

    def summary(self) -> str:
        """The outcome as one line."""
        return f"known page recovered: {', '.join(map(str, self.recovered))}; {self.pictures}"


def latencies_ns(stamps: Sequence[KeyStamps | LostKey]) -> list[int]:
    """From key to displayed frame, of the keys that were seen to their end."""
    return [each.presented_ns - each.pressed_ns for each in stamps if isinstance(each, KeyStamps)]


def judge(at_once_ns: Sequence[int], late_ns: Sequence[Sequence[int]]) -> list[Recovered]:
    """What was found of each of ``LATENESSES``: the difference of the medians.

    Raises:
        PagesNotProven: no keys, or one found is further from what was set than a frame.
    """
    if not at_once_ns or not all(late_ns):
        raise PagesNotProven("no key was displayed on the known page")
    base = median(at_once_ns)
    found = [Recovered(each, median(late) - base) for each, late in zip(LATENESSES, late_ns, strict=True)]
    for each in found:
        if abs(each.error_ns) > TOLERANCE_NS:
            raise PagesNotProven(
                f"of a page that draws {each.lateness.text} late ({each.lateness.set_ns / 1e6:.1f} ms) "
                f"{each.found_ns / 1e6:.1f} ms were found; it may differ by {TOLERANCE_NS / 1e6:.1f} ms"
            )
    return found


def sabotaged(find: FindStamps) -> FindStamps:
    """Stamps that name the moment of the key where the frame's is due."""

    def wrong(trace: Trace) -> list[KeyStamps | LostKey]:
        return [
            each._replace(presented_ns=each.pressed_ns) if isinstance(each, KeyStamps) else each for each in find(trace)
        ]

    return wrong


async def prove(find: FindStamps | None = None, attempts: int = ATTEMPTS) -> PageCalibration:
    """Measure the known page until it is recovered.

    Args:
        find: takes the stamps from a trace, in place of the suite's own.

    Raises:
        PagesNotProven: it was not in any attempt.
        BrowserMissing
    """
    calibration = PageCalibration()
    while calibration.attempts < attempts:
        calibration.attempts += 1
        try:
            async with chromium.started() as browser, CharacterPage().launch() as running:
                await _attempt(calibration, browser, running, find)
            return calibration
        except (PagesNotProven, ClientError) as error:
            calibration.failed.append(str(error))
    raise PagesNotProven(f"not in {attempts} attempts: {'; '.join(dict.fromkeys(calibration.failed))}")


async def _attempt(calibration: PageCalibration, browser: Browser, running: Running, find: FindStamps | None) -> None:
    async with AsyncExitStack() as stack:
        typist = await _typist(stack, browser, running, "", find)
        confirmation, caught = await typist.confirm_and_sabotage(_KEYS, sabotaged)
        if not confirmation.holds:
            raise PagesNotProven(str(confirmation))
        if caught.holds or not caught.contradictions:
            raise PagesNotProven(f"wrong stamps were not noticed: {caught}")
        calibration.pictures = str(confirmation)
        at_once = latencies_ns(await typist.type_keys(_KEYS))
        late = []
        for each in LATENESSES:
            one = await _typist(stack, browser, running, each.text, find)
            late.append(latencies_ns(await one.type_keys(_KEYS)))
    calibration.recovered = judge(at_once, late)


async def _typist(
    stack: AsyncExitStack, browser: Browser, running: Running, late: str, find: FindStamps | None
) -> PageTypist:
    """A typist in the known page, which draws so late, in a tab of its own."""
    page = await stack.enter_async_context(tab.opened(browser))
    await CharacterPageDriver(late).open(page, running)
    return PageTypist(browser, page, through_socket=False, find=find)
