"""Whether the suite's stamps can be believed here: a page of known lateness, and stamps that are wrong on purpose.

The page draws at once, late by a timer, and late by frames. What is found, less what is found of the page that draws at
once, must be what was set: within a frame of 60 a second, or within a millisecond where frames have no limit. Pictures
must confirm the stamps, and must not confirm those that name the moment of the key in place of the frame. Judging is
pure; ``prove`` measures.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from web_terminal_suite.bench.browser import chromium, tab
from web_terminal_suite.bench.browser.keys import PageTypist
from web_terminal_suite.bench.browser.known_page import CharacterPage, CharacterPageDriver
from web_terminal_suite.bench.browser.stamps import KeyStamps
from web_terminal_suite.bench.browser.trace_cost import TraceCost, trace_cost
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
UNLIMITED_TOLERANCE_NS: Final = 1_000_000
ATTEMPTS: Final = 3

_KEYS: Final = 9
_UNLIMITED_KEYS: Final = 21


class Lateness(NamedTuple):
    """How late the known page draws, as its address says it and as a time."""

    text: str
    set_ns: int


LATENESSES: Final = (Lateness("30ms", 30_000_000), Lateness("60ms", 60_000_000), Lateness("3f", 3 * FRAME_NS))
UNLIMITED_LATENESSES: Final = LATENESSES[:2]
"""Without those in frames, which then last as long as it takes to draw one."""


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

    unlimited: bool = False
    """In a browser that draws frames as fast as it can."""
    attempts: int = 0
    recovered: list[Recovered] = field(default_factory=list)
    """Of the last attempt."""
    pictures: str = ""
    failed: list[str] = field(default_factory=list)
    """What each attempt that failed lacked."""
    without_limit: PageCalibration | None = None
    """The same without a frame limit, where the run measures that too."""
    trace_cost: TraceCost | None = None
    """What the trace itself costs a key, where the run measures everything."""

    @property
    def latenesses(self) -> Sequence[Lateness]:
        return UNLIMITED_LATENESSES if self.unlimited else LATENESSES

    @property
    def keys(self) -> int:
        """As many are typed into each page."""
        return _UNLIMITED_KEYS if self.unlimited else _KEYS

    @property
    def tolerance_ns(self) -> int:
        return UNLIMITED_TOLERANCE_NS if self.unlimited else TOLERANCE_NS

    def facts(self) -> dict[str, Any]:
        """What the record keeps of it, as plain values."""
        further: dict[str, Any] = {}
        if self.without_limit is not None:
            further["without_limit"] = self.without_limit.facts()
        if self.trace_cost is not None:
            further["trace_cost_ns"] = self.trace_cost._asdict()
        return {
            "attempts": self.attempts,
            "most_attempts": ATTEMPTS,
            "tolerance_ns": self.tolerance_ns,
            "pictures": self.pictures,
            "found_ns": {each.lateness.text: each.found_ns for each in self.recovered},
            "failed": list(self.failed),
            **further,
        }

    def warnings(self) -> list[dict[str, str]]:
        """What a reader must know: nothing after a good first attempt."""
        of_other = self.without_limit.warnings() if self.without_limit is not None else []
        if not self.failed:
            return of_other
        earlier = "; ".join(self.failed)
        return [
            {
                "kind": "calibration",
                "seen": f"the known page was recovered at attempt {self.attempts} of {ATTEMPTS}: {earlier}",
                "matters": "what disturbed it disturbs the figures as well",
                "remedy": "stop other work and run again",
            },
            *of_other,
        ]

    def summary(self) -> str:
        """The outcome as one line."""
        parts = [f"known page recovered: {', '.join(map(str, self.recovered))}; {self.pictures}"]
        if self.without_limit is not None:
            parts.append(f"without a frame limit: {', '.join(map(str, self.without_limit.recovered))}")
        if self.trace_cost is not None:
            parts.append(str(self.trace_cost))
        return "; ".join(parts)


def latencies_ns(stamps: Sequence[KeyStamps | LostKey]) -> list[int]:
    """From key to displayed frame, of the keys that were seen to their end."""
    return [each.presented_ns - each.pressed_ns for each in stamps if isinstance(each, KeyStamps)]


def judge(
    at_once_ns: Sequence[int],
    late_ns: Sequence[Sequence[int]],
    latenesses: Sequence[Lateness] = LATENESSES,
    tolerance_ns: int = TOLERANCE_NS,
) -> list[Recovered]:
    """What was found of each of the latenesses: the difference of the lower quartiles.

    Other work on the machine makes keys later and never earlier, so it moves a lower quartile less than a median.

    Raises:
        PagesNotProven: no keys, or one found is further from what was set than may be.
    """
    if not at_once_ns or not all(late_ns):
        raise PagesNotProven("no key was displayed on the known page")
    base = _lower_quartile(at_once_ns)
    found = [Recovered(each, _lower_quartile(late) - base) for each, late in zip(latenesses, late_ns, strict=True)]
    for each in found:
        if abs(each.error_ns) > tolerance_ns:
            raise PagesNotProven(
                f"of a page that draws {each.lateness.text} late ({each.lateness.set_ns / 1e6:.1f} ms) "
                f"{each.found_ns / 1e6:.1f} ms were found; it may differ by {tolerance_ns / 1e6:.1f} ms"
            )
    return found


def _lower_quartile(values: Sequence[int]) -> float:
    return quantiles(values, n=4, method="inclusive")[0] if len(values) > 1 else values[0]


def sabotaged(find: FindStamps) -> FindStamps:
    """Stamps that name the moment of the key where the frame's is due."""

    def wrong(trace: Trace) -> list[KeyStamps | LostKey]:
        return [
            each._replace(presented_ns=each.pressed_ns) if isinstance(each, KeyStamps) else each for each in find(trace)
        ]

    return wrong


async def prove(
    find: FindStamps | None = None, attempts: int = ATTEMPTS, *, unlimited: bool = False, everything: bool = False
) -> PageCalibration:
    """Measure the known page until it is recovered.

    Args:
        find: takes the stamps from a trace, in place of the suite's own.
        unlimited: in a browser without a frame limit.
        everything: also without a frame limit, and what the trace itself costs.

    Raises:
        PagesNotProven: it was not in any attempt.
        BrowserMissing
    """
    calibration = PageCalibration(unlimited)
    while calibration.attempts < attempts:
        calibration.attempts += 1
        try:
            async with chromium.started(unlimited=unlimited) as browser, CharacterPage().launch() as running:
                await _attempt(calibration, browser, running, find)
                if everything:
                    calibration.trace_cost = await trace_cost(browser, running)
            break
        except (PagesNotProven, ClientError) as error:
            calibration.failed.append(str(error))
    else:
        raise PagesNotProven(f"not in {attempts} attempts: {'; '.join(dict.fromkeys(calibration.failed))}")
    if everything:
        calibration.without_limit = await prove(find, attempts, unlimited=True)
    return calibration


async def _attempt(calibration: PageCalibration, browser: Browser, running: Running, find: FindStamps | None) -> None:
    async with AsyncExitStack() as stack:
        typist = await _typist(stack, browser, running, "", find)
        confirmation, caught = await typist.confirm_and_sabotage(_KEYS, sabotaged)
        if not confirmation.holds:
            raise PagesNotProven(str(confirmation))
        if caught.holds or not caught.contradictions:
            raise PagesNotProven(f"wrong stamps were not noticed: {caught}")
        calibration.pictures = str(confirmation)
        found = []
        # Each in a tab of its own, also the one that draws at once: pictures leave the first one with work to do.
        for late in ("", *(each.text for each in calibration.latenesses)):
            one = await _typist(stack, browser, running, late, find)
            found.append(latencies_ns(await one.type_keys(calibration.keys)))
    calibration.recovered = judge(found[0], found[1:], calibration.latenesses, calibration.tolerance_ns)


async def _typist(
    stack: AsyncExitStack, browser: Browser, running: Running, late: str, find: FindStamps | None
) -> PageTypist:
    """A typist in the known page, which draws so late, in a tab of its own."""
    page = await stack.enter_async_context(tab.opened(browser))
    await CharacterPageDriver(late).open(page, running)
    return PageTypist(browser, page, through_socket=False, find=find)
