"""Numbers as people read them: three significant digits and a fitting unit.

Times are scaled from ns to s, bytes by powers of 1,000 (targets say ``100 MB``), rates by them too; counts are
grouped in thousands.
"""

from __future__ import annotations

import math
import re

MISSING = "-"
RATIO = "x"
FAILED = "failed"
TIMES = (("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9))
BYTES = (("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9))
BYTE_WORDS = ("B", "byte", "bytes")
COUNTS = (("", 1.0), ("k", 1e3), ("M", 1e6))
FEWEST_TO_SCALE = 9_950
"""Rates below are written out."""


def quantity(value: float | None, unit: str) -> str:
    """``value`` with its unit, such as ``412 µs``, ``9.20 kB/session``, ``188k msg/s``, ``1.25x``."""
    if value is None:
        return MISSING
    if math.isinf(value):
        return FAILED
    number, scaled = _scaled(value, unit)
    return _joined(number, scaled)


def limit(value: float, unit: str) -> str:
    """A chosen number such as a limit, without trailing zeros: ``100 ms``, ``1.5x``."""
    number, scaled = _scaled(value, unit)
    return _joined(re.sub(r"\.?0+(?=\D*$)", "", number) if "." in number else number, scaled)


def interval(lower: float, upper: float, unit: str) -> str:
    """Both bounds, the unit once where it is the same: ``690 … 741 µs``, ``0.97 … 1.02 ms``, ``980 µs … 1.02 ms``.

    A bound that does not exist is ``∞``; with none there is no interval.
    """
    if math.isinf(lower) and math.isinf(upper):
        return MISSING
    if math.isinf(upper):
        return f"{quantity(lower, unit)} … ∞"
    if math.isinf(lower):
        return f"… {quantity(upper, unit)}"
    low, low_unit = _scaled(lower, unit)
    high, high_unit = _scaled(upper, unit)
    if low_unit == high_unit or lower == 0:
        return f"{low} … {_joined(high, high_unit)}"
    return f"{_joined(low, low_unit)} … {_joined(high, high_unit)}"


def share(value: float | None) -> str:
    """A part of one, such as ``12 %``."""
    return MISSING if value is None else f"{value * 100:.0f} %"


def level(value: float) -> str:
    """A confidence level with the digits it has, such as ``95 %``, ``99.99 %``: rounded to 100 % it would be false."""
    return f"{round(value * 100, 6):g} %"


def count(value: int) -> str:
    """A whole number in groups of thousands."""
    return f"{value:,}"


def _scaled(value: float, unit: str) -> tuple[str, str]:
    """The digits and the unit they are in."""
    head, slash, tail = unit.partition("/")
    for words, scale in (((TIMES[0][0],), TIMES), (BYTE_WORDS, BYTES)):
        if head in words:
            name, factor = _step(value, scale)
            return _digits(value / factor, whole=factor == 1), name + slash + tail
    if unit == RATIO:
        return _digits(value), unit
    if tail and abs(value) >= FEWEST_TO_SCALE:
        name, factor = _step(value, COUNTS)
        return _digits(value / factor) + name, unit
    return (f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else _digits(value)), unit


def _step(value: float, scale: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    """The largest unit in which the rounded number is at least one."""
    # 999.6 µs would round to 1000 µs, so the choice is made on the rounded number.
    fitting = [(name, factor) for name, factor in scale if abs(value) >= 0.9995 * factor]
    return fitting[-1] if fitting else scale[0]


def _digits(value: float, whole: bool = False) -> str:
    size = abs(value)
    if whole and value == int(value):
        return f"{value:.0f}"
    if size >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def _joined(number: str, unit: str) -> str:
    if unit == "":
        return number
    return f"{number}{unit}" if unit == RATIO else f"{number} {unit}"
