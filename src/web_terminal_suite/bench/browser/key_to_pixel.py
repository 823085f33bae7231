"""Benchmark ``key_to_pixel``: a key pressed, until the frame that shows it is displayed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, OperationResult
from web_terminal_suite.bench.browser import chromium, tab
from web_terminal_suite.bench.browser.drivers.registry import DRIVERS
from web_terminal_suite.bench.browser.keys import PageTypist, samples
from web_terminal_suite.bench.samples import Metric
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.client.errors import Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext, Operation
    from web_terminal_suite.bench.browser.drivers.driver import PageDriver
    from web_terminal_suite.bench.browser.tab import Tab

_CONFIRMED: Final = 8
# In all blocks together enough for the interval of a 95th percentile.
_KEYS: Final = 15
_BLOCKS: Final = 5
_PAUSE_SECONDS: Final = 0.1

# By whom a key is drawn: the line that makes it so, which prints a marker when that holds, and the key that clears
# what was typed between two bursts. The application has a status line above what is typed, on the alternate screen.
_PROGRAMS: Final = {
    "tty": ("stty -icanon min 1; {marker}; echo; cat > /dev/null", "Enter"),
    "readline": ("{marker}; echo; HISTFILE= exec bash --noprofile --norc", "Control+u"),
    "app": (r"stty raw -echo; printf '\033[?1049h\033[H\033[7m'; {marker}; printf '\033[m\r\n'; cat", "Enter"),
}


@asynccontextmanager
async def _key_to_pixel(context: BenchmarkContext, *, unlimited: bool = False) -> AsyncIterator[Operation]:
    running = context.running
    driver = DRIVERS[running.terminal.page]
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium.started(unlimited=unlimited))
        page = await stack.enter_async_context(tab.opened(browser))
        stack.push_async_callback(driver.end, page, running)
        await driver.open(page, running)
        if driver.has_shell:
            await _run_program(context, driver, page)
        typist = PageTypist(browser, page, through_socket=driver.has_socket)
        is_confirmed = False

        async def operate() -> OperationResult:
            nonlocal is_confirmed
            if not is_confirmed:
                confirmation, stamps = await typist.confirm_keys(_CONFIRMED)
                if not confirmation.holds:
                    raise Violated(str(confirmation))
                is_confirmed = True
                filmed = (typist.filmstrip,) if typist.filmstrip is not None else ()
            else:
                stamps = await typist.type_keys(_KEYS)
                filmed = ()
            await page.press(_PROGRAMS[context.parameter][1] if driver.has_shell else "Enter")
            await asyncio.sleep(_PAUSE_SECONDS)  # a person's pause; the next burst begins on a page at rest
            return OperationResult(samples(stamps), filmstrips=filmed)

        yield operate


async def _run_program(context: BenchmarkContext, driver: PageDriver, page: Tab) -> None:
    """Have the parameter's program run in the page's shell, until it waits for keys."""
    line, _ = _PROGRAMS[context.parameter]
    marker = context.markers.fresh()
    await page.type_line(line.replace("{marker}", marker.command))
    await driver.until_text(page, marker.seen.decode())
    await asyncio.sleep(2 * _PAUSE_SECONDS)  # until the program, which says nothing, reads keys


_unlimited = partial(_key_to_pixel, unlimited=True)

CHARACTER: Final = "browser/character_page"
"""The floor."""

_CHARACTER_UNLIMITED: Final = "browser/character_page_unlimited"

STEPS: Final = (
    Metric(name="latency", step="drawing and display"),
    Metric(name="to frame sent", mark="sent", step="browser and page, key to frame"),
    Metric(name="to echo received", mark="received", step="network, server and shell"),
    Metric(name="to output parsed", mark="parsed", step="parsing"),
)

BENCHMARKS: Final = (
    Benchmark(
        id="browser/key_to_pixel",
        description=(
            "A key pressed in a real browser on the terminal's own page, until the frame that shows it is displayed: "
            "echoed by the kernel, by bash's line editor, or by a program on the alternate screen."
        ),
        limitations=(
            "Not a keyboard or a panel. Frames come 60 times a second, and software draws them where there is no GPU."
        ),
        prepare=_key_to_pixel,
        needs=frozenset({Capability.PAGE, Capability.SHELL}),
        parameters=tuple(_PROGRAMS),
        metrics=STEPS,
        floor=CHARACTER,
        repeats=_KEYS * _BLOCKS,
        min_operations=_KEYS,
        quick=("tty",),
    ),
    Benchmark(
        id="browser/key_to_pixel_unlimited",
        description=(
            "As key_to_pixel, in a browser that draws frames as fast as it can: differences of less than a frame show."
        ),
        limitations="Nobody has such a screen: figures are smaller than what people wait for, and processors busier.",
        prepare=_unlimited,
        needs=frozenset({Capability.PAGE, Capability.SHELL}),
        parameters=("tty",),
        metrics=STEPS,
        floor=_CHARACTER_UNLIMITED,
        repeats=_KEYS * _BLOCKS,
        min_operations=_KEYS,
        quick=(),
        full=("tty",),
    ),
    Benchmark(
        id=CHARACTER,
        description="A key pressed in the browser, until the frame is displayed in which a page shows it by itself.",
        limitations="Not a terminal: there is no server, no WebSocket and no xterm.js.",
        prepare=_key_to_pixel,
        needs=frozenset({Capability.PAGE, Capability.NO_SHELL}),
        is_floor=True,
        repeats=_KEYS * _BLOCKS,
        min_operations=_KEYS,
    ),
    Benchmark(
        id=_CHARACTER_UNLIMITED,
        description="As character_page, in a browser that draws frames as fast as it can.",
        limitations="Not a terminal, and no screen that anybody has.",
        prepare=_unlimited,
        needs=frozenset({Capability.PAGE, Capability.NO_SHELL}),
        is_floor=True,
        repeats=_KEYS * _BLOCKS,
        min_operations=_KEYS,
        quick=(),
        full=("",),
    ),
)
