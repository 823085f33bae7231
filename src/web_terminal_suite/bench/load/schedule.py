"""Who does what when: arithmetic on a seed, the same in every process and for every run of that seed. Pure.

Sessions are numbered from 0 in the order they arrive and dealt to shards in turn, so that each shard has the same share
of an arrival rate. Moments are integer ns from the beginning of the stage.
"""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.load.scenario import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from web_terminal_suite.bench.load.scenario import LoadStage

SECOND_NS: Final = 1_000_000_000

# Who is drawn first; the rest idle. Those who flood or disturb come last, so that a mix that asks for more of them
# takes nobody's keyboard away.
_ORDER: Final = (Role.TYPE, Role.STEADY, Role.BURSTS, Role.RECONNECT, Role.RESIZE, Role.FLOOD)


def dealt(first: int, last: int, shard: int, shards: int) -> range:
    """The sessions among ``first`` .. ``last - 1`` that are one shard's."""
    return range(first + (shard - first) % shards, last, shards)


def arrival_ns(number: int, first: int, rate: float) -> int:
    """When session ``number`` is due in a stage whose first new one is ``first``."""
    return round((number - first) * SECOND_NS / rate)


def drawn(seed: int, sessions: int) -> list[int]:
    """All sessions in the order in which roles are given out."""
    order = list(range(sessions))
    random.Random(f"{seed}/roles").shuffle(order)
    return order


def cast(stage: LoadStage, order: Sequence[int], up: Collection[int]) -> dict[Role, list[int]]:
    """Which sessions have which role: shares are of those that are ``up``, and only those get one."""
    there = set(up)
    waiting = iter([number for number in order if number in there])
    found = {}
    for role in _ORDER:
        wanted = stage.share_of(role).of(len(there))
        chosen = [number for _, number in zip(range(wanted), waiting, strict=False)]
        if chosen:
            found[role] = chosen
    return found


def key_moments(places: Sequence[int], typists: int, rate: float, seconds: float) -> Iterator[int]:
    """When the typists at ``places`` (ascending) of all ``typists`` press a key, at ``rate`` a second together.

    Typists take turns, so the keys of one shard come in rounds: its ``n``-th is by the typist at ``n`` modulo their
    number.
    """
    end_ns = round(seconds * SECOND_NS)
    turn = 0
    while places:
        for place in places:
            at_ns = round((turn + place) * SECOND_NS / rate)
            if at_ns >= end_ns:
                return
            yield at_ns
        turn += typists


def turn_moments(places: Sequence[int], people: int, every: float, seconds: float) -> Iterator[int]:
    """When those at ``places`` of ``people`` have their turn, each once in ``every`` seconds and evenly spread."""
    return key_moments(places, people, people / every, seconds)


def phase_ns(place: int, people: int, every: float) -> int:
    """When the one at ``place`` begins what everybody does every ``every`` seconds, so that not all do it at once."""
    return round(place * every * SECOND_NS / people)


def leaving_seconds(sessions: int) -> float:
    """How long it may take until so many sessions of a shard have ended, asked for one group after the other."""
    return 30 + sessions * 0.02


def blocks(duration: int) -> list[tuple[int, int]]:
    """``duration`` whole seconds cut into a few stretches of about the same length: first second, end.

    Neighbours in time are alike, so what varies between stretches is what an interval should rest on when runs are
    compared (the method of batch means).
    """
    count = max(1, min(_BLOCKS, duration // _LEAST_SECONDS))
    borders = [round(duration * place / count) for place in range(count + 1)]
    return [(first, end) for first, end in itertools.pairwise(borders)]


_BLOCKS: Final = 6
_LEAST_SECONDS: Final = 2
