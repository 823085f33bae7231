"""The delays of the reference server: drawn from a seed, the same in both processes."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class DelayKind(StrEnum):
    """How long an answer is held back. Each shows errors of another sort best."""

    NONE = "at once"
    """As the null server: a constant error is largest next to what is measured."""
    SHORT = "after 0.3 ms"
    """Below the half millisecond that many published figures have: a clock that is too coarse shows."""
    LONG = "after 2 to 40 ms"
    """An error that grows with the delay shows."""


# Most are cheap, so there are more of them; 100 of the long ones take a second.
_SHARE_NONE: Final = 0.6
_SHARE_SHORT: Final = 0.2
_SHORT_NS: Final = 300_000
# Log-normal, as the latencies of real terminals are: a body around 8 ms and a tail.
_MEDIAN_NS: Final = 8_000_000
_SIGMA: Final = 0.4
_SHORTEST_LONG_NS: Final = 2_000_000
_LONGEST_NS: Final = 40_000_000

# An echo of these bytes asks when the last request had come and when its answer went.
CONFESS: Final = b"when?"
# And of these, how many requests were answered so far, on all connections together.
COUNT: Final = b"how many?"

CLIENT_MARKS: Final = ("came", "answered")
"""Marks of a sample: when the reference server had the client's request, and when it answered."""
INDEPENDENT_MARKS: Final = ("independent_sent", "independent_came", "independent_answered", "independent_seen")
"""Further ones: the same exchange by the independent client, before or after it."""


def delays_ns(seed: int) -> Iterator[int]:
    """Endless delays of all kinds, mixed; each connection to the server starts the list anew."""
    source = random.Random(seed)
    while True:
        kind = source.random()
        if kind < _SHARE_NONE:
            yield 0
        elif kind < _SHARE_NONE + _SHARE_SHORT:
            yield _SHORT_NS
        else:
            long_ns = round(_MEDIAN_NS * source.lognormvariate(0, _SIGMA))
            yield max(_SHORTEST_LONG_NS, min(_LONGEST_NS, long_ns))


def kind_of(delay_ns: int) -> DelayKind:
    """The kind of one of ``delays_ns``."""
    if delay_ns == 0:
        return DelayKind.NONE
    return DelayKind.SHORT if delay_ns == _SHORT_NS else DelayKind.LONG
