"""The terminal of known truth: it answers after delays that we set, so the suite itself can be put to the test.

Each echo and each command line waits a delay drawn from a seed that both sides know. What the suite measures, less the
null server's floor, must be those delays. If it is not, no figure of the run means anything, and the run stops.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from web_terminal.bench.terminals.delays import delays_ns
from web_terminal.bench.terminals.null import NullServer
from web_terminal.bench.terminals.terminal import Capability, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

RELATIVE_TOLERANCE: Final = 0.02
# A client that slept through a delay wakes on an idle processor, which on a virtual machine takes up to 0.1 ms more than
# on the busy one of the floor's back-to-back exchanges. What else is subtracted is one number, the floor's median, so
# the floor's own spread, measured in the same run, is added. Timers in whole milliseconds, percentiles off by a rank or
# a lost sample exceed both.
WAKE_UP_NS: Final = 100_000


class KnownTruth(NullServer):
    """The null server with a delay before each answer."""

    name = "known"
    role: ClassVar[Role] = "known"
    capabilities = frozenset({Capability.KNOWN_DELAYS, Capability.PROCESSES})

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @property
    def command(self) -> tuple[str, ...]:
        return (*super().command, "--delays", str(self.seed))


class Recovery(NamedTuple):
    """One percentile: what was set, what was measured less the floor, how far it may be off; all ns."""

    percentile: int
    truth_ns: float
    found_ns: float
    tolerance_ns: float

    @property
    def holds(self) -> bool:
        return abs(self.found_ns - self.truth_ns) <= self.tolerance_ns

    def __str__(self) -> str:
        return (
            f"p{self.percentile}: set {self.truth_ns / 1e6:.3f} ms, measured {self.found_ns / 1e6:.3f} ms "
            f"(may be off by {self.tolerance_ns / 1e6:.3f} ms)"
        )


def recoveries(seed: int, connections: Sequence[Sequence[int]], floor: Sequence[int]) -> tuple[Recovery, ...]:
    """How well delays were recovered at p50 and p95.

    ``connections`` holds the latencies of each connection in order, since each starts the list of delays anew;
    ``floor`` those of the null server. All ns.

    Raises:
        ValueError: nothing was measured.
    """
    measured = [latency for each in connections for latency in each]
    if not measured or not floor:
        raise ValueError("no latency of the known terminal or of its floor was measured")
    truth = [delay for each in connections for delay in itertools.islice(delays_ns(seed), len(each))]
    floor_ns = quantile(floor, 0.50)
    spread_ns = quantile(floor, 0.95) - floor_ns
    found = []
    for percentile in (50, 95):
        truth_ns = quantile(truth, percentile / 100)
        tolerance_ns = RELATIVE_TOLERANCE * truth_ns + WAKE_UP_NS + spread_ns
        found.append(Recovery(percentile, truth_ns, quantile(measured, percentile / 100) - floor_ns, tolerance_ns))
    return tuple(found)


def quantile(values: Sequence[int], q: float) -> float:
    """The ``q`` quantile by linear interpolation (Hyndman and Fan 1996, type 7), without numpy."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * q
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
