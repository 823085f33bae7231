"""How many blocks an interval needs.

Operations of one block share a minute, a process and a cache, so they are not independent of each other; blocks are,
nearly. Whatever a cell's interval rests on is therefore what differs between its blocks, and with a handful of them
that is known well enough for Student's t, with two or three it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from web_terminal_suite.bench.stats.interval import InsufficientData

FEWEST_BLOCKS = 5
"""Blocks with data below which a cell has no interval: t with one degree of freedom reaches 12.7 errors, with four
2.8."""


@dataclass(frozen=True)
class TooFewBlocks(InsufficientData):
    """A refusal: ``have`` blocks hold data and an interval needs ``need``."""

    need: int = FEWEST_BLOCKS

    def __str__(self) -> str:
        return f"{self.have} {'block' if self.have == 1 else 'blocks'}, an interval needs {self.need}"
