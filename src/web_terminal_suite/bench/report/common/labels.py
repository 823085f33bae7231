"""Names: of a row, the same in every export and every run; of the first of many; of a program; of a commit."""

from __future__ import annotations

import math
import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis, Estimate, Result

NAMED = 3
"""How many of a long list are named."""

REVISION_DIGITS = 9

# At least two names, so that neither "and/or" nor "10 MB/s" is one. Paths that every machine has may be named.
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
    """Whether there is a number: no refusal, and no failed operation at this percentile."""
    return estimate is not None and finite(estimate.value) is not None


def few(names: Sequence[object]) -> str:
    """The first of ``names`` and the number of the others: ``a, b, c and 12 more``."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(str, names[:NAMED])) + more


def placeless(text: str) -> str:
    """``text`` with files by their names alone: ``/srv/a/b.log is missing`` is ``b.log is missing``."""
    return _PATH.sub(r"\1", text)


def command(words: Sequence[str]) -> str:
    """The command as it would be typed, programs and files without their directories."""
    program = [word.rpartition("/")[2] or word for word in words[:2]]
    return shlex.join([*program, *map(placeless, words[2:])])


def short_revision(revision: str) -> str:
    """A commit as git abbreviates it, with the ``+`` of a modified work tree."""
    return revision[:REVISION_DIGITS] + ("+" if revision.endswith("+") and len(revision) > REVISION_DIGITS else "")
