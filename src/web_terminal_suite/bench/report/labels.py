"""What things are called: a row of the results the same in every export, run after run; many of a kind; a program."""

from __future__ import annotations

import math
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result

NAMED = 3
"""How many are named where there may be many."""

# Two names at least, so that neither "and/or" nor "10 MB/s" is one. What lies the same on every machine may be named.
_PATH = re.compile(r"(?<![\w./:~-])~?/(?!(?:bin|dev|proc|sys)/)(?:[^\s/'\":;,()\[\]]+/)+([^\s/'\":;,()\[\]]*)")


def label(result: Result, analysis: Analysis) -> str:
    """Such as ``suite/benchmark/parameter [terminal]``, and the metric where the benchmark has several."""
    fellows = (other for other in analysis.results if other.cell.benchmark == result.cell.benchmark)
    several = len({other.metric.name for other in fellows}) > 1
    return f"{result.cell}: {result.metric.name}" if several else str(result.cell)


def finite(value: float | None) -> float | None:
    """``value`` where it is a number that every format can hold."""
    return value if value is not None and math.isfinite(value) else None


def is_known(estimate: Estimate | None) -> bool:
    """Whether there is a number to hand on: no refusal, no operation that failed at this percentile."""
    return estimate is not None and finite(estimate.value) is not None


def few(names: Sequence[object]) -> str:
    """The first of ``names``, and how many more there are: ``a, b, c and 12 more``."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more


def placeless(text: str) -> str:
    """``text`` with files by their names alone: ``/srv/a/b.log is missing`` is ``b.log is missing``."""
    return _PATH.sub(r"\1", text)


def command(words: Sequence[str]) -> str:
    """As it would be typed, programs and files by their names: where they lie says nothing."""
    program = [word.rpartition("/")[2] or word for word in words[:2]]
    return shlex.join([*program, *map(placeless, words[2:])])
