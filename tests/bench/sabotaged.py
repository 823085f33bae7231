"""``web-terminal`` with a client that measures wrongly: ``python -m tests.bench.sabotaged SABOTAGE bench ...``.

For the self-check of the calibration. What is patched here is patched nowhere else.
"""

from __future__ import annotations

import itertools
import random
import sys
from typing import TYPE_CHECKING

from web_terminal_suite.bench import benchmark
from web_terminal_suite.bench.measurement import Measurement
from web_terminal_suite.bench.stats import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
_source = random.Random()
_count = itertools.count(1)

STAMPS: dict[str, Callable[[int], float]] = {
    "add20": lambda took_ns: took_ns + 20 * MS,
    "late": lambda took_ns: took_ns + _source.uniform(0.1, 0.3) * MS,
    "tail": lambda took_ns: took_ns + (2 * MS if next(_count) % 10 == 0 else 0),
    "mul1.03": lambda took_ns: took_ns * 1.03,
    "mul0.97": lambda took_ns: took_ns * 0.97,
    "round1": lambda took_ns: -(-took_ns // MS) * MS,
}
"""What becomes of a latency, ns."""

DROPS: dict[str, Callable[[], bool]] = {
    "drop100": lambda: next(_count) % 100 == 0,
    "drop1%": lambda: _source.random() < 0.01,
}
"""Whether a sample is lost."""

RANKS = {"rank+1": 1, "rank-1": -1}
"""By how much a percentile's rank is off."""

SABOTAGES = (*STAMPS, *DROPS, *RANKS)


def sabotage(how: str) -> None:
    """Make the client of this process wrong, before the suites are imported."""
    if how in STAMPS:
        honest, wrong = benchmark.sample, STAMPS[how]

        def sample(sent_ns: int, seen_ns: int, **marks: int) -> benchmark.Sample:
            return honest(sent_ns, sent_ns + round(wrong(seen_ns - sent_ns)), **marks)

        benchmark.sample = sample
    elif how in DROPS:
        once, is_lost = Measurement._once, DROPS[how]

        async def lossy(self: Measurement, operate: benchmark.Operation) -> bool:
            went_well = await once(self, operate)
            if is_lost():
                self._samples.pop()
            return went_well

        Measurement._once = lossy
    elif how in RANKS:
        rank, off = quantiles.rank, RANKS[how]
        quantiles.rank = lambda n, q: min(n, max(1, rank(n, q) + off))


if __name__ == "__main__":
    how, *arguments = sys.argv[1:]
    sabotage(how)
    from web_terminal_suite.cli.main import main

    sys.argv = ["web-terminal", *arguments]
    main()
