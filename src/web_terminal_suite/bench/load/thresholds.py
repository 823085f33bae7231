"""Thresholds as people write them: ``keystroke.p95<2ms``. Pure.

``METRIC OPERATOR NUMBER UNIT``, blanks between them as you like.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import Final, NamedTuple

from web_terminal_suite.bench.load.metrics import MEASURES, Dimension, LoadMetric
from web_terminal_suite.bench.samples import Target

OPERATORS: Final = ("<", "<=", ">", ">=")
EXAMPLE: Final = "keystroke.p95<2ms"

_TIMES: Final = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}
_BYTES: Final = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
UNITS: Final = {
    Dimension.TIME: _TIMES,
    Dimension.BYTES: _BYTES | {f"{name}/s": factor for name, factor in _BYTES.items()},
    Dimension.PART: {"%": 1.0},
    Dimension.RATE: {"/s": 1.0},
    Dimension.COUNT: {"": 1.0},
}

_SHAPE: Final = re.compile(r"\s*([A-Za-z][\w.]*?)\s*([<>=!~]+)\s*([^\s%/A-Za-zµ]+)\s*([%/\wµ]*)\s*")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?")


class ThresholdError(ValueError):
    """What is no threshold; the text names what was written and says what would do."""


class Threshold(NamedTuple):
    """A threshold: what of, and the target that it amounts to."""

    text: str
    measure: LoadMetric
    target: Target


def parse(text: str) -> Threshold:
    """One threshold.

    Raises:
        ExpectError
    """
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise ThresholdError(f"{text!r} is no expectation; write METRIC OPERATOR NUMBER UNIT, such as {EXAMPLE!r}")
    name, operator, number, unit = found.groups()
    if operator not in OPERATORS:
        raise ThresholdError(f"{text!r}: there is no operator {operator!r}; there are {' '.join(OPERATORS)}")
    if name == "errors" and unit == "%":
        name = "errors.share"  # the same word in a unit of its own
    measure = MEASURES.get(name)
    if measure is None:
        raise ThresholdError(f"{text!r}: there is no metric {name!r}{_near(name)}")
    limit = _number(text, number) * _factor(text, name, measure.dimension, unit)
    return Threshold(text.strip(), measure, _target(measure, operator, limit, text.strip()))


def _number(text: str, number: str) -> float:
    plain = number.replace("_", "").replace(",", "")
    if _NUMBER.fullmatch(plain) is None:
        raise ThresholdError(f"{text!r}: {number!r} is no number; write it as in {EXAMPLE!r}")
    return float(plain)


def _factor(text: str, measure: str, dimension: Dimension, unit: str) -> float:
    units = UNITS[dimension]
    if unit in units:
        return units[unit]
    if not unit and dimension is Dimension.RATE:
        return 1.0
    named = [name for name in units if name]
    wanted = f"write its unit, one of {' '.join(named)}" if named else "write it without a unit"
    raise ThresholdError(f"{text!r}: {measure} is {dimension.words}; {wanted}{f', not {unit!r}' if unit else ''}")


def _target(measure: LoadMetric, operator: str, limit: float, text: str) -> Target:
    """Limits from above are strict in a record and limits from below are not, so the other two move by one step."""
    if operator in ("<=", ">"):
        is_whole = measure.dimension is Dimension.COUNT and limit == int(limit)
        limit = limit + 1 if is_whole else math.nextafter(limit, math.inf)
    return Target(statistic=measure.statistic, limit=limit, below=operator[0] == "<", text=text)  # type: ignore[arg-type]  # every statistic of a measure is one of a target's


def _near(name: str) -> str:
    close = difflib.get_close_matches(name, MEASURES, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else f"; there are: {', '.join(MEASURES)}"
