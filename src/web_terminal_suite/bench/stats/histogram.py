"""A histogram of latencies in bounded memory: logarithmic bins of one per cent, as an HDR histogram has.

For figures that are looked at while a load proceeds; what is kept and judged is the exact sample.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from web_terminal_suite.bench.stats import quantiles

if TYPE_CHECKING:
    import numpy.typing as npt

RELATIVE_WIDTH: Final = 0.01
"""Of a bin; a quantile is off by half of it at most."""

_STEP: Final = math.log1p(RELATIVE_WIDTH)

_BINS: Final = 4096
"""The last of them begins at years, in ns."""


class LogHistogram:
    """Counts by size, and how many operations failed: each of those is slower than any that did not."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self._failed = 0
        self._largest = 0.0

    def __len__(self) -> int:
        return int(self._counts.sum()) + self._failed

    @property
    def largest(self) -> float:
        """Exact; ``inf`` once one failed, 0 where there is none."""
        return math.inf if self._failed else self._largest

    def add(self, values: npt.NDArray[np.int64], failed: int = 0) -> None:
        """Count ``(n,)`` values in ns, and ``failed`` operations that have none."""
        self._failed += failed
        if values.size:
            bins = (np.log(np.maximum(values, 1)) / _STEP).astype(np.int64)
            self._counts += np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS)
            self._largest = max(self._largest, float(values.max()))

    def quantile(self, q: float) -> float:
        """The middle of the bin that holds the ``q`` quantile; ``inf`` where that operation failed.

        Raises:
            ValueError: nothing was counted, or ``q`` is no probability.
        """
        if not len(self):
            raise ValueError("a quantile needs at least one value")
        rank = quantiles.rank(len(self), q)
        reached = np.cumsum(self._counts)
        if rank > reached[-1]:
            return math.inf
        return math.exp((int(np.searchsorted(reached, rank)) + 0.5) * _STEP)
