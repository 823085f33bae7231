"""What the page is given of terminals beside each other: the part of ``html_page`` that a run of several has."""

from __future__ import annotations

from typing import Literal

import msgspec

Place = tuple[float, float | None, float | None]
"""A ratio with its bounds, ``None`` where there is none; turned so that above 1 the first terminal is the better."""


class BesideTerminal(msgspec.Struct, frozen=True, kw_only=True):
    """One terminal. ``score``: on how many figures it is better than the first for certain, worse, and neither.

    The first has no score.
    """

    name: str
    version: str
    remarks: list[str]
    score: tuple[int, int, int] | None


class BesideFigure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure in words. What is empty is not there: a report has thousands.

    ``side`` is that of the terminal, seen from it. ``failed`` says how many operations, and by what. ``client`` is the
    client's share of a core where it is too high for a verdict. ``reason`` is why a value or a ratio is missing.
    """

    value: str = ""
    rate: str = ""
    ratio: str = ""
    interval: str = ""
    side: Literal["", "ahead", "behind"] = ""
    failed: str = ""
    client: str = ""
    reason: str = ""


class BesideLine(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of one metric. ``figures`` are in the order of the terminals, ``None`` where one has none."""

    anchor: str
    panel: int
    suite: str
    name: str
    parameter: str
    statistic: str
    figures: list[BesideFigure | None]


class BesideShort(msgspec.Struct, frozen=True, kw_only=True):
    """A line that most ask for, in words: where it is, and where each other terminal stands on the axis of ratios.

    ``turned`` where more is better, and the places are those of the quotient turned round.
    """

    words: str
    line: int
    places: list[Place | None]
    turned: bool


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """The terminals in the order they were named: all others are compared with the first."""

    terminals: list[BesideTerminal]
    absent: list[str]
    """What could not be measured, and why."""
    lines: list[BesideLine]
    short: list[BesideShort]
