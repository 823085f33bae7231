"""What every virtual user does at which time: arithmetic on a seed, the same in every process and every run. Pure.

Sessions are numbered from 0 in order of arrival and distributed over the load generators in rotation, so that each
generator has the same share of an arrival rate. Times are integer ns since the start of the stage.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import SECOND_NS
from web_terminal_suite.bench.load.scenario import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from web_terminal_suite.bench.load.scenario import LoadStage

# The order in which roles are assigned; the remaining sessions are idle. Typists come first, so that more of the other
# roles in the mix do not change which sessions type.
_ROLES: Final = (Role.TYPE, Role.STEADY, Role.BURSTS, Role.RECONNECT, Role.RESIZE, Role.FLOOD)

_MOST_BLOCKS: Final = 6
_SHORTEST_BLOCK_SECONDS: Final = 2


def sessions_of(generator: int, generators: int, first: int, last: int) -> range:
    """The sessions among ``first`` .. ``last - 1`` that one load generator plays."""
    return range(first + (generator - first) % generators, last, generators)


def arrival_ns(number: int, first: int, rate: float) -> int:
    """When session ``number`` is due in a stage whose first new session is ``first``."""
    return round((number - first) * SECOND_NS / rate)


def role_order(seed: int, sessions: int) -> list[int]:
    """All sessions in the order in which they are given roles."""
    order = list(range(sessions))
    random.Random(f"{seed}/roles").shuffle(order)
    return order


def assign_roles(stage: LoadStage, order: Sequence[int], up: Collection[int]) -> dict[str, list[int]]:
    """The sessions with each role. Shares are of the sessions that are ``up``, and only those get a role."""
    available = set(up)
    candidates = iter([number for number in order if number in available])
    assigned: dict[str, list[int]] = {}
    for role in (*_ROLES, *sorted(stage.mix.keys() - set(_ROLES))):
        count = stage.share_of(role).of(len(available))
        chosen = [number for _, number in zip(range(count), candidates, strict=False)]
        if chosen:
            assigned[role] = chosen
    return assigned


def key_times(positions: Sequence[int], typists: int, rate: float, seconds: float) -> Iterator[int]:
    """When the typists at ``positions`` (ascending) among all ``typists`` press keys, ``rate`` per second in all.

    Typists take turns, so the keys of one generator come in rounds: its ``n``-th key is pressed by its typist ``n``
    modulo their number.
    """
    end_ns = round(seconds * SECOND_NS)
    first = 0
    while positions:
        for position in positions:
            at_ns = round((first + position) * SECOND_NS / rate)
            if at_ns >= end_ns:
                return
            yield at_ns
        first += typists


def action_times(positions: Sequence[int], total: int, every: float, seconds: float) -> Iterator[int]:
    """When the sessions at ``positions`` among ``total`` act: each once in ``every`` seconds, evenly distributed."""
    return key_times(positions, total, total / every, seconds)


def start_offset_ns(position: int, total: int, every: float) -> int:
    """When the session at ``position`` among ``total`` starts what all of them repeat every ``every`` seconds.

    The starts are distributed over the interval so that the sessions do not act at the same time.
    """
    return round(position * every * SECOND_NS / total)


def teardown_timeout_seconds(sessions: int) -> float:
    """How long one load generator may take to end that many sessions, batch by batch."""
    return 30 + sessions * 0.02


def blocks(duration: int) -> list[tuple[int, int]]:
    """``duration`` whole seconds divided into up to six blocks of about the same length: first second, end.

    Operations close in time are correlated, so an interval for comparing runs must rest on the variation between
    blocks (the method of batch means).
    """
    count = max(1, min(_MOST_BLOCKS, duration // _SHORTEST_BLOCK_SECONDS))
    bounds = [round(duration * number / count) for number in range(count + 1)]
    return list(itertools.pairwise(bounds))
