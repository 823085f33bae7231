"""What ``bench`` and ``load`` print of a run, and the exit status that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.cli.exit_status import RUN_FAILED

if TYPE_CHECKING:
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


def print_terminals(run: Run, analysis: Analysis) -> None:
    """Print the terminals of a run that measured several, side by side."""
    from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects, subjects
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import terminal_comparison

    if len(subjects(run)) > 1:
        console = console_for()
        console.print()
        terminal_comparison.print_terminals(console, compare_subjects(run, analysis))


def print_comparison(base: Run, run: Run, storage: StorageOptions) -> int:
    """Print ``run`` compared with ``base``; 1 where something is slower and the comparison was asked for, else 0."""
    from web_terminal_suite.bench.pipeline import compare_with_base, is_slower
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    found = compare_with_base(base, run, storage)
    console = console_for()
    console.print()
    baseline_comparison.print_comparison(console, found, None)
    if not is_slower(found):
        return 0
    if not storage.is_explicit:
        console.print(
            "  compared with the last run only, so the exit code does not change; --baseline NAME asks for it"
        )
        return 0
    return 1


def print_self_check(found: SelfCheck) -> int:
    """Print what came of a self-check: 0 the claim is kept, 1 it is broken, 3 undecided."""
    from web_terminal_suite.bench.analysis.comparison.self_check import Claim
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    console = console_for()
    console.print()
    baseline_comparison.print_self_check(console, found)
    return {Claim.KEPT: 0, Claim.BROKEN: 1, Claim.UNDECIDED: 3}[found.claim]


def status_of(targets: int, comparison: int) -> int:
    """The exit status of a run from those of its targets and of its comparison: a run that failed stays one."""
    return targets if targets == RUN_FAILED else comparison or targets
