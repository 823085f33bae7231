"""Statistics by their definitions, as slowly and plainly as they are written in a textbook."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def quantile(values: Iterable[float], q: str) -> float:
    """The smallest value that at least the share ``q`` (such as ``"0.95"``, exact) of all values does not exceed."""
    seen = list(values)
    return min(each for each in seen if Fraction(sum(other <= each for other in seen), len(seen)) >= Fraction(q))
