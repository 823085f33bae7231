"""What ``bench`` and ``load`` print of a run, and the exit status that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.self_check import SelfCheck
    from web_terminal_suite.bench.pipeline import StorageOptions
    from web_terminal_suite.bench.samples import Run


def print_run(run: Run, analysis: Analysis) -> int:
    """Print the report of a run; its exit status."""
    from web_terminal_suite.bench.analysis import exit_code
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text.report import print_report

    print_report(console_for(), analysis, run.machine)
    return int(exit_code(analysis))


def print_earlier(analysis: Analysis, number: int) -> int:
    """Print a line on one of several runs; its exit status."""
    from web_terminal_suite.bench.analysis import exit_code
    from web_terminal_suite.bench.report.common.summary import summary
    from web_terminal_suite.bench.report.console import console_for

    console_for().print(f"run {number}: {summary(analysis)}", soft_wrap=True)
    return int(exit_code(analysis))


def print_terminals(run: Run, analysis: Analysis) -> None:
    """Print the terminals of a run that measured several, side by side."""
    from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects, subjects
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import terminal_comparison

    if len(subjects(run)) > 1:
        console = console_for()
        console.print()
        terminal_comparison.print_terminals(console, compare_subjects(run, analysis))


def print_comparison(base: Run | Sequence[Run], runs: Run | Sequence[Run], storage: StorageOptions) -> int:
    """Print one or several runs compared with ``base``; what it amounts to as an exit status, 0 if not asked for."""
    from web_terminal_suite.bench.analysis.comparison.runs import exit_code
    from web_terminal_suite.bench.pipeline import compare_with_base, is_slower
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    found = compare_with_base(base, runs, storage)
    console = console_for()
    console.print()
    baseline_comparison.print_comparison(console, found, None)
    if storage.is_explicit:
        return exit_code(found)
    if is_slower(found):
        console.print(
            "  compared with the last run only, so the exit code does not change; --baseline NAME asks for it"
        )
    return 0


def worst(*statuses: int) -> int:
    """The exit status of several: 4 over 1 over 3 over 0."""
    return next((status for status in (4, 1, 3) if status in statuses), 0)


def print_self_check(found: SelfCheck) -> int:
    """Print what came of a self-check: 0 the claim is kept, 1 it is broken, 3 undecided."""
    from web_terminal_suite.bench.analysis.comparison.self_check import Claim
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    console = console_for()
    console.print()
    baseline_comparison.print_self_check(console, found)
    return {Claim.KEPT: 0, Claim.BROKEN: 1, Claim.UNDECIDED: 3}[found.claim]
