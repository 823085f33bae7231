"""The bare xterm.js page as the floor of a benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from web_terminal_suite.bench.samples import Target
from web_terminal_suite.bench.terminals.terminal import Capability

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import Benchmark


def on_bare_page(
    benchmark: Benchmark, floor: str = "", parameters: tuple[str, ...] = (), goal: float = 0.0
) -> tuple[Benchmark, Benchmark]:
    """The benchmark, and the same on the bare page, which is its floor.

    Args:
        floor: the benchmark that is the floor of the bare page.
        parameters: those that the bare page has, where it has not all of them.
        goal: how many times the bare page's the median of the latency shall be at most; 0 for no goal.
    """
    suite, _, name = benchmark.id.partition("/")
    bare = replace(
        benchmark,
        id=f"{suite}/bare_{name}",
        description=f"The floor of {name}: the same on a page that is xterm.js alone, with a server that has no shell.",
        limitations="Not a terminal: its server answers at once, and has no login, no session and no program.",
        needs=frozenset({Capability.PAGE, Capability.BARE_PAGE}),
        parameters=parameters or benchmark.parameters,
        metrics=tuple(structs.replace(each, targets={}, floor_targets={}) for each in benchmark.metrics),
        floor=floor,
        is_floor=True,
    )
    first, *others = benchmark.metrics
    if goal:
        target = Target(statistic="ratio_p50", goal=goal, text=f"goal: p50 at most {goal:g} x the bare page's")
        first = structs.replace(first, floor_targets={"*": target})
    return replace(benchmark, floor=bare.id, metrics=(first, *others)), bare
