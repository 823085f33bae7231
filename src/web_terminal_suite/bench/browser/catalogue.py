"""The benchmarks of the suite ``browser``, which is measured by itself and only where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.browser import (
    draw_flood,
    key_to_pixel,
    key_under_flood,
    open_to_prompt,
    reconnect_to_pixel,
    resize_storm,
    scroll,
    tab_memory,
)
from web_terminal_suite.bench.browser.bare_page import BarePage
from web_terminal_suite.bench.browser.floor import on_bare_page
from web_terminal_suite.bench.browser.known_page import CharacterPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.benchmark import Benchmark
    from web_terminal_suite.bench.plan import Plan
    from web_terminal_suite.bench.terminals.terminal import Terminal

SUITE: Final = "browser"

BENCHMARKS: tuple[Benchmark, ...] = (
    *on_bare_page(key_to_pixel.BENCHMARKS[0], floor=key_to_pixel.CHARACTER, parameters=("tty",), goal=1.2),
    *key_to_pixel.BENCHMARKS[1:],
    *key_under_flood.BENCHMARKS,
    *open_to_prompt.BENCHMARKS,
    *draw_flood.BENCHMARKS,
    *scroll.BENCHMARKS,
    *resize_storm.BENCHMARKS,
    *tab_memory.BENCHMARKS,
    *reconnect_to_pixel.BENCHMARKS,
)

FLOORS: tuple[Terminal, ...] = (BarePage(), CharacterPage())
"""What no terminal is compared without."""


def is_asked_for(filters: Sequence[str]) -> bool:
    """Whether a filter names the suite, and so everything that is selected is of it."""
    return any(each.partition("/")[0] == SUITE for each in filters)


def is_of(plan: Plan) -> bool:
    """Whether the benchmarks of ``plan`` are this suite's."""
    return any(each.id.partition("/")[0] == SUITE for each in plan.benchmarks)
