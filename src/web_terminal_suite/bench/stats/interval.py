"""What an estimate is bounded by, and what is given instead where the sample cannot bound it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval; either end may be infinite.

    Each end alone is a one-sided bound at confidence ``(1 + level) / 2``.
    """

    lower: float
    upper: float
    level: float

    def __post_init__(self) -> None:
        check_level(self.level)
        if not self.lower <= self.upper:
            raise ValueError(f"interval [{self.lower}, {self.upper}] is not ordered")


@dataclass(frozen=True)
class InsufficientData:
    """A refusal: the sample has ``have`` values and the answer needs ``need``."""

    have: int
    need: int

    def __str__(self) -> str:
        return f"n={self.have:,}, needs {self.need - self.have:,} more"


def check_level(level: float) -> None:
    """Refuse a confidence level that is not a probability strictly between 0 and 1.

    Raises:
        ValueError: such as 95 where 0.95 is meant.
    """
    if not 0 < level < 1:
        raise ValueError(f"confidence level {level} is not between 0 and 1; write 0.95 for 95 %")
