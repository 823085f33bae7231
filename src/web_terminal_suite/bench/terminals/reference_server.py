"""The reference server: it answers after delays that we set, so that the suite itself can be checked.

Each echo and each command line waits a delay drawn from a seed that both sides know. What the suite measures, less the
null server's floor, must be those delays. If it is not, no figure of the run means anything, and the run stops.

A busy machine makes a delay longer than it was set. That is no error of measurement, so the terminal says how long
each one became (both processes read the same monotonic clock), and that is the truth; it can never be shorter than set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.terminals.delays import delays_ns
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.terminal import Capability, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

RELATIVE_TOLERANCE: Final = 0.02
# A client that slept through a delay wakes on an idle processor, which on a virtual machine takes up to 0.1 ms more
# than on the busy one of the floor's back-to-back exchanges. What else is subtracted is one number, the floor's
# median, so the floor's own spread, measured in the same run, is added. Timers in whole milliseconds, percentiles off
# by a rank or a lost sample exceed both.
WAKE_UP_NS: Final = 100_000
# A floor that varies by more would hide an error.
SPREAD_LIMIT_NS: Final = 300_000


class ReferenceServer(NullServer):
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
    """One percentile: what the delay was, what was measured less the floor, how far it may be off; all ns."""

    percentile: int
    truth_ns: float
    found_ns: float
    tolerance_ns: float

    @property
    def holds(self) -> bool:
        return abs(self.found_ns - self.truth_ns) <= self.tolerance_ns

    def __str__(self) -> str:
        return (
            f"p{self.percentile}: delayed {self.truth_ns / 1e6:.3f} ms, measured {self.found_ns / 1e6:.3f} ms "
            f"(may be off by {self.tolerance_ns / 1e6:.3f} ms)"
        )


class Exchange(NamedTuple):
    """One request to the terminal: what the suite measured, and how long the answer was really held back; ns."""

    measured_ns: int
    delayed_ns: int


def recoveries(seed: int, exchanges: Sequence[Exchange], floor: Sequence[int]) -> tuple[Recovery, ...]:
    """How well the delays of one connection, in order from its first, were recovered at p50 and p95.

    ``floor`` are latencies of the null server, in ns.

    Raises:
        ValueError: nothing was measured, or the terminal did not wait as long as it was told.
    """
    if not exchanges or not floor:
        raise ValueError("no exchange with the known terminal or with its floor was measured")
    for exchange, set_ns in zip(exchanges, delays_ns(seed), strict=False):
        if exchange.delayed_ns < set_ns:
            raise ValueError(f"the known terminal answered after {exchange.delayed_ns} ns, set were {set_ns} ns")
    floor_ns = nearest_rank(floor, 0.50)
    spread_ns = min(nearest_rank(floor, 0.95) - floor_ns, SPREAD_LIMIT_NS)
    found = []
    for percentile in (50, 95):
        truth_ns = nearest_rank([exchange.delayed_ns for exchange in exchanges], percentile / 100)
        found_ns = nearest_rank([exchange.measured_ns for exchange in exchanges], percentile / 100) - floor_ns
        tolerance_ns = RELATIVE_TOLERANCE * truth_ns + WAKE_UP_NS + spread_ns
        found.append(Recovery(percentile, truth_ns, found_ns, tolerance_ns))
    return tuple(found)
