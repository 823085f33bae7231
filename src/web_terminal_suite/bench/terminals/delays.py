"""The delays of the reference server: drawn from a seed, the same in both processes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Log-normal, as the latencies of real terminals are: a body around 8 ms and a tail. Long enough for 2 % of a delay to
# exceed what one wake-up of a process varies by, short enough for 80 of them to take a second.
_MEDIAN_NS: Final = 8_000_000
_SIGMA: Final = 0.4
_LONGEST_NS: Final = 40_000_000

# An echo of these bytes asks when the last request had come and when its answer went.
CONFESS: Final = b"when?"


def delays_ns(seed: int) -> Iterator[int]:
    """Endless delays; each connection to the server starts the list anew."""
    source = random.Random(seed)
    while True:
        yield min(_LONGEST_NS, round(_MEDIAN_NS * source.lognormvariate(0, _SIGMA)))
