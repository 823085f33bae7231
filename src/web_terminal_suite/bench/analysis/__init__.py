"""From a record to verdicts: pure, and the same for the same record.

``analyse(run)`` gives an ``Analysis``; ``exit_code(analysis)`` is what a command ends with. Nothing is read, awaited
or timed here, and the bootstrap is seeded by the run, so a record gives the same results years later.
"""

from __future__ import annotations

from web_terminal_suite.bench.analysis.cells import analyse, analyse_cell
from web_terminal_suite.bench.analysis.results import (
    Analysis,
    Comparison,
    Estimate,
    JudgedBy,
    Judgement,
    Outliers,
    Result,
    Throughput,
    Verdict,
)
from web_terminal_suite.bench.analysis.verdicts import ExitCode, exit_code

__all__ = [
    "Analysis",
    "Comparison",
    "Estimate",
    "ExitCode",
    "JudgedBy",
    "Judgement",
    "Outliers",
    "Result",
    "Throughput",
    "Verdict",
    "analyse",
    "analyse_cell",
    "exit_code",
]
