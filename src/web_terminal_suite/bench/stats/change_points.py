"""Where a short history steps from one level to another.

Circular binary segmentation on ranks: of all stretches, the one whose mean rank differs most from the rest is a
change if it differs more than in all but a share ``error`` of the shuffled histories; then its parts are searched in
turn. Sources: Olshen, Venkatraman, Lucito & Wigler, "Circular Binary Segmentation for the Analysis of Array-based DNA
Copy Number Data", Biostatistics 5, 2004; the idea of judging splits by permutation for benchmarks: Daly, Brown, Ingo,
O'Leary & Bradford, "The Use of Change Point Detection to Identify Software Performance Regressions", ICPE 2020
(E-divisive).

Why this: ranks make a single wild run harmless, where a squared error (PELT, dynamic programming) spends a segment on
it; a permutation keeps its false-alarm rate on ten runs, where a penalty such as BIC is an asymptotic promise; a
stretch finds a regression that was repaired, where a single split sees equal ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

FEWEST = 3
"""Runs a level must last: one is an outlier, two a coincidence."""

SHUFFLES = 999
"""A significance below 0.01 is then still one of ten."""

ERROR = 0.01
"""Share of the histories without a change in which one is found."""

LONGEST = 200
"""Points looked at, the last ones: the search is quadratic, and older steps are old news."""


@dataclass(frozen=True)
class ChangePoint:
    """From ``index`` on the values are about ``after``; before, about ``before`` (medians of the two levels)."""

    index: int
    before: float
    after: float
    significance: float

    @property
    def ratio(self) -> float:
        """After over before; NaN where that is no number."""
        return self.after / self.before if self.before else math.nan


def change_points(
    values: npt.ArrayLike, rng: np.random.Generator, error: float = ERROR, least: float = 0.0
) -> tuple[ChangePoint, ...]:
    """The steps in ``(n,)`` values in the order of time, oldest first.

    Fewer than ten values never show one: no arrangement of them is rare enough.

    Args:
        error: of one search; the parts are searched again with the same.
        least: relative step below which a change is not worth a mark, such as 0.05.

    Raises:
        ValueError: a value is not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("a history needs finite values in one dimension; leave runs without a value out")
    skipped = max(0, array.size - LONGEST)
    recent = array[skipped:]
    found: dict[int, float] = {}
    _search(recent, 0, recent.size, found, rng, error)
    edges = [0, *sorted(found), recent.size]
    steps = []
    for before, here, after in zip(edges, edges[1:], edges[2:], strict=False):
        levels = float(np.median(recent[before:here])), float(np.median(recent[here:after]))
        steps.append(ChangePoint(here + skipped, *levels, significance=found[here]))
    return tuple(step for step in steps if _is_worth(step, least))


def _is_worth(step: ChangePoint, least: float) -> bool:
    larger, smaller = max(abs(step.before), abs(step.after)), min(abs(step.before), abs(step.after))
    return larger > smaller * (1 + least) or step.before * step.after < 0


def _search(
    values: Values, start: int, end: int, found: dict[int, float], rng: np.random.Generator, error: float
) -> None:
    """Note the changes within ``values[start:end]``."""
    n = end - start
    if n < 2 * FEWEST or math.comb(n, n // 2) * error < 2:
        return
    ranks = _ranks(values[start:end])
    stretches = _stretches(n)
    score, place = _best(ranks[None], *stretches)
    if score[0] == 0:
        return
    shuffled, _ = _best(rng.permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1), *stretches)
    p = (int((shuffled >= score[0] * (1 - 1e-12)).sum()) + 1) / (SHUFFLES + 1)
    if p > error:
        return
    first, last = int(stretches[0][place[0]]), int(stretches[1][place[0]])
    edges = [edge for edge in (first, last) if 0 < edge < n]
    if len(edges) == 2:
        edges = _confirmed(values[start:end], edges, rng, error)
    found.update({start + edge: p for edge in edges})
    bounds = [start, *(start + edge for edge in edges), end]
    for low, high in pairwise(bounds):
        if high - low < n:
            _search(values, low, high, found, rng, error)


def _confirmed(values: Values, edges: list[int], rng: np.random.Generator, error: float) -> list[int]:
    """Of the two ends of a stretch those where the neighbours differ by themselves; the clearer one if none does."""
    bounds = [0, *edges, values.size]
    p = [
        _two_levels(values[low:here], values[here:high], rng)
        for low, here, high in zip(bounds, bounds[1:], bounds[2:], strict=False)
    ]
    # With three runs on one side nothing is rarer than a few per cent, so each end is asked less than the stretch was.
    return [edge for edge, each in zip(edges, p, strict=True) if each <= max(error, 0.05)] or [edges[int(np.argmin(p))]]


def _two_levels(before: Values, after: Values, rng: np.random.Generator) -> float:
    ranks = _ranks(np.concatenate([before, after]))
    expected = before.size * (ranks.size + 1) / 2
    observed = abs(ranks[: before.size].sum() - expected)
    drawn = rng.permuted(np.tile(ranks, (SHUFFLES, 1)), axis=1)[:, : before.size].sum(axis=1)
    return (int((np.abs(drawn - expected) >= observed - 1e-9).sum()) + 1) / (SHUFFLES + 1)


def _stretches(n: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Every stretch ``[first, last)`` that leaves each part empty or at least ``FEWEST`` long."""
    first, last = np.triu_indices(n + 1, FEWEST)
    rest = n - (last - first)
    good = (rest >= FEWEST) & ((first == 0) | (first >= FEWEST)) & ((last == n) | (n - last >= FEWEST))
    return first[good], last[good]


def _best(
    ranks: Values, first: npt.NDArray[np.intp], last: npt.NDArray[np.intp]
) -> tuple[Values, npt.NDArray[np.intp]]:
    """``(rows,)`` largest squared standardised difference between a stretch and the rest, and which stretch."""
    n = ranks.shape[1]
    sums = np.zeros((ranks.shape[0], n + 1))
    np.cumsum(ranks - ranks.mean(axis=1, keepdims=True), axis=1, out=sums[:, 1:])
    weight = n / ((last - first) * (n - (last - first)))
    best, place = np.zeros(ranks.shape[0]), np.zeros(ranks.shape[0], dtype=np.intp)
    # Row by row: all at once would hold rows x stretches, 160 MB for 200 runs.
    for row in range(ranks.shape[0]):
        scores = (sums[row, last] - sums[row, first]) ** 2 * weight
        place[row] = scores.argmax()
        best[row] = scores[place[row]]
    return best, place


def _ranks(values: Values) -> Values:
    """Places from 1, ties sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: Values = (ends - (counts - 1) / 2)[inverse]
    return shared
