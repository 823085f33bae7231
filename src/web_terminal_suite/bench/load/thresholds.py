"""Thresholds as users write them: ``keystroke.p95<2ms``. Pure.

The syntax is ``METRIC OPERATOR NUMBER UNIT``, with or without blanks in between.
"""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.load.metrics import METRICS, Dimension, LoadMetric
from web_terminal_suite.bench.samples import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATORS: Final = ("<", "<=", ">", ">=")
EXAMPLE: Final = "keystroke.p95<2ms"

_TIMES: Final = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}
_BYTES: Final = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
UNITS: Final = {
    Dimension.TIME: _TIMES,
    Dimension.BYTES: _BYTES,
    Dimension.PERCENTAGE: {"%": 1.0},
    Dimension.RATE: {"/s": 1.0},
    Dimension.COUNT: {"": 1.0},
}
_BYTE_RATES: Final = {f"{name}/s": factor for name, factor in _BYTES.items()}

_SYNTAX: Final = re.compile(r"\s*([A-Za-z][\w.]*?)\s*([<>=!~]+)\s*([^\s%/A-Za-zµ]+)\s*([%/\wµ]*)\s*")
_NUMBER: Final = re.compile(r"\d+(\.\d+)?|\d{1,3}(,\d{3})+(\.\d+)?|\d{1,3}(_\d{3})+(\.\d+)?")
"""A comma or an underscore groups three digits: ``1,5`` is 1.5 to half of the world and 15 to nobody."""


class ThresholdError(ValueError):
    """A text that is not a threshold; the message quotes it and says what is accepted."""


class Threshold(NamedTuple):
    """A limit of one metric, as written and as the target that a record holds."""

    text: str
    metric: LoadMetric
    target: Target


def parse(text: str, known: Mapping[str, LoadMetric] = METRICS) -> Threshold:
    """The threshold that ``text`` describes, on one of the metrics ``known``.

    Raises:
        ThresholdError
    """
    found = _SYNTAX.fullmatch(text)
    if found is None:
        raise ThresholdError(f"{text!r} is not a threshold; write METRIC OPERATOR NUMBER UNIT, such as {EXAMPLE!r}")
    name, operator, number, unit = found.groups()
    if operator not in OPERATORS:
        raise ThresholdError(f"{text!r}: there is no operator {operator!r}; there are {' '.join(OPERATORS)}")
    if name == "errors" and unit == "%":
        name = "errors.share"  # the same name with another unit
    metric = known.get(name)
    if metric is None:
        raise ThresholdError(f"{text!r}: there is no metric {name!r}{_suggestion(name, known)}")
    limit = _number(text, number) * _factor(text, name, metric, unit)
    return Threshold(text.strip(), metric, _target(metric, operator, limit, text.strip()))


def _number(text: str, number: str) -> float:
    if _NUMBER.fullmatch(number) is None:
        decimal = re.fullmatch(r"(\d+),(\d+)", number)
        remedy = f"write {decimal[1]}.{decimal[2]} with a point" if decimal else f"write it as in {EXAMPLE!r}"
        raise ThresholdError(f"{text!r}: {number!r} is not a number; {remedy}")
    return float(number.replace("_", "").replace(",", ""))


def _factor(text: str, name: str, metric: LoadMetric, unit: str) -> float:
    dimension, description = metric.dimension, metric.dimension.description
    units = UNITS[dimension]
    if dimension is Dimension.BYTES and metric.unit.endswith("/s"):
        units, description = _BYTE_RATES, "a number of bytes a second"
    if unit in units:
        return units[unit]
    if not unit and dimension is Dimension.RATE:
        return 1.0
    names = [each for each in units if each]
    accepted = f"write its unit, one of {' '.join(names)}" if names else "write it without a unit"
    raise ThresholdError(f"{text!r}: {name} is {description}; {accepted}{f', not {unit!r}' if unit else ''}")


def _target(metric: LoadMetric, operator: str, limit: float, text: str) -> Target:
    """In a record, upper limits are exclusive and lower limits inclusive, so ``<=`` and ``>`` move by one step."""
    if operator in ("<=", ">"):
        is_whole = metric.dimension is Dimension.COUNT and limit == int(limit)
        limit = limit + 1 if is_whole else math.nextafter(limit, math.inf)
    return Target(statistic=metric.statistic, limit=limit, below=operator[0] == "<", text=text)  # type: ignore[arg-type]  # every statistic of a metric is one of a target's


def _suggestion(name: str, known: Mapping[str, LoadMetric]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(close)}?" if close else f"; there are: {', '.join(known)}"
