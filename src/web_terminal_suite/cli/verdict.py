"""What ``bench`` and ``load`` print of a run, and the exit status that follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.self_check import SelfCheck
    from web_terminal_suite.bench.pipeline import StorageOptions
    from web_terminal_suite.bench.samples import Run


class Ending(NamedTuple):
    """A status that a command may end with, and what it stands for."""

    status: int
    meaning: str


def print_run(run: Run, analysis: Analysis, *, ends: bool = True) -> Ending:
    """Print the report of a run; ``ends``: the command ends with its status."""
    from web_terminal_suite.bench.analysis import exit_code
    from web_terminal_suite.bench.report.common.summary import MEANINGS
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text.report import print_report

    print_report(console_for(), analysis, run.machine, ends=ends)
    code = int(exit_code(analysis))
    return Ending(code, MEANINGS[code])


def print_earlier(analysis: Analysis, number: int) -> Ending:
    """Print a line on one of several runs."""
    from web_terminal_suite.bench.analysis import exit_code
    from web_terminal_suite.bench.report.common.summary import MEANINGS, summary
    from web_terminal_suite.bench.report.console import console_for

    console_for().print(f"run {number}: {summary(analysis, ends=False)}", soft_wrap=True)
    code = int(exit_code(analysis))
    return Ending(code, f"{MEANINGS[code]}, in run {number}")


def print_terminals(run: Run, analysis: Analysis) -> None:
    """Print the terminals of a run that measured several, side by side."""
    from web_terminal_suite.bench.analysis.comparison.terminals import compare_subjects, subjects
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import terminal_comparison

    if len(subjects(run)) > 1:
        console = console_for()
        console.print()
        terminal_comparison.print_terminals(console, compare_subjects(run, analysis))


def print_comparison(base: Run | Sequence[Run], runs: Run | Sequence[Run], storage: StorageOptions) -> Ending | None:
    """Print one or several runs compared with ``base``; what it amounts to, ``None`` if it was not asked for."""
    from web_terminal_suite.bench.analysis.comparison.judging import status
    from web_terminal_suite.bench.pipeline import compare_with_base
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    found = compare_with_base(base, runs, storage)
    console = console_for()
    console.print()
    if storage.is_explicit:
        baseline_comparison.print_comparison(console, found, None)
        ended = status(found)
        return Ending(ended.exit_code, baseline_comparison.MEANINGS[ended])
    baseline_comparison.print_changes(console, found)
    return None


def worst(*endings: Ending | None) -> Ending:
    """What a command ends with that found several: 4 over 1 over 3 over 0, and all that stands for that."""
    found = [each for each in endings if each is not None]
    status = next((code for code in (4, 1, 3) if any(each.status == code for each in found)), 0)
    return Ending(status, "; ".join(each.meaning for each in found if each.status == status))


def print_end(ending: Ending) -> None:
    """Print what the command ends with, where no report says it."""
    from rich.text import Text

    from web_terminal_suite.bench.report.console import console_for

    text = Text.assemble((f"exit {ending.status}", "bold"), f" ({ending.meaning})")
    console_for().print(text, soft_wrap=True)


def print_self_check(found: SelfCheck) -> Ending:
    """Print what came of a self-check: 0 the claim is kept, 1 it is broken, 3 undecided."""
    from web_terminal_suite.bench.analysis.comparison.self_check import Claim
    from web_terminal_suite.bench.report.console import console_for
    from web_terminal_suite.bench.report.text import baseline_comparison

    console = console_for()
    console.print()
    baseline_comparison.print_self_check(console, found)
    code = {Claim.KEPT: 0, Claim.BROKEN: 1, Claim.UNDECIDED: 3}[found.claim]
    return Ending(code, f"the claimed rate of false alarms is {found.claim}")
