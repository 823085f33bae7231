"""The overhead of the measuring client in words: its floor terminal compared with a floor of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.bench.report.common import units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.bench.analysis import Analysis


def overheads(analysis: Analysis) -> Iterator[str]:
    """Such as: its round trip takes 1.40 times (1.38 … 1.42) that of a bare loopback socket."""
    for result in analysis.results:
        if result.role != "floor" or result.floor is None or result.floor.judgement.target is None:
            continue
        ratio = result.floor.ratio["p50"]
        if ratio.value is None:
            continue
        times = units.quantity(ratio.value, units.RATIO).removesuffix(units.RATIO)
        bounds = units.interval(ratio.lower, ratio.upper, units.RATIO).removesuffix(units.RATIO)
        interval = ratio.refusal if bounds == units.MISSING else bounds
        yield f"its round trip takes {times} times ({interval}) that of a bare loopback socket"
