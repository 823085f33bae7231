"""The section of a report that compares the terminals of one run with the first of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec


class ComparisonScore(NamedTuple):
    """On how many figures a terminal is significantly better than the first, significantly worse, and neither."""

    better: int
    worse: int
    neither: int


class RatioInterval(NamedTuple):
    """A ratio with its bounds, ``None`` where there is none. Above 1 the first terminal is the better."""

    value: float
    lower: float | None
    upper: float | None


class ComparedTerminal(msgspec.Struct, frozen=True, kw_only=True):
    """One terminal of the comparison."""

    name: str
    version: str
    remarks: list[str]
    score: ComparisonScore | None
    """``None`` for the first terminal."""


class ComparedFigure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure in words. Empty fields are left out: a report has thousands of figures."""

    value: str = ""
    rate: str = ""
    ratio: str = ""
    interval: str = ""
    side: Literal["", "ahead", "behind"] = ""
    """Whether the terminal is significantly ahead of the first or behind it."""
    failed: str = ""
    """How many operations failed, and why."""
    client: str = ""
    """The client's share of a core, where it is too high for a verdict."""
    reason: str = ""
    """Why a value or a ratio is missing."""


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of one metric."""

    anchor: str
    panel: int
    suite: str
    name: str
    parameter: str
    statistic: str
    figures: list[ComparedFigure | None]
    """In the order of the terminals, ``None`` where one has no such figure."""


class ComparisonHighlight(msgspec.Struct, frozen=True, kw_only=True):
    """A row that most readers look for first."""

    words: str
    line: int
    """Index of the row in ``lines``."""
    ratios: list[RatioInterval | None]
    """One for each terminal but the first."""
    inverted: bool
    """Whether more is better, so that the ratios are inverted."""


class ComparisonSection(msgspec.Struct, frozen=True, kw_only=True):
    """The terminals in the order in which they were named; all others are compared with the first."""

    terminals: list[ComparedTerminal]
    absent: list[str]
    """What could not be measured, and why."""
    lines: list[ComparedRow]
    highlights: list[ComparisonHighlight]
