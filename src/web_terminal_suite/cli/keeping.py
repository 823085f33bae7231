"""What becomes of a run once it is measured: compared with a baseline, saved as one, added to the history."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.results import Terms
    from web_terminal_suite.bench.baselines import Baselines, Choice
    from web_terminal_suite.bench.samples import Run
    from web_terminal_suite.bench.terminals.terminal import Terminal

AGAIN = " (again)"
"""Added to the name of a terminal that is measured a second time beside itself."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The flags as they were given."""

    save: str = ""
    baseline: str = ""
    lenient: str = ""
    load: str = ""
    retain: bool = False
    discard: bool = False
    noise: float
    significance: float
    resamples: int
    level: float
    home: Path | None = None
    force: bool = False
    history: bool = True
    self_check: bool = False
    whole: bool = True

    def keeping(self) -> Keeping:
        """What they amount to.

        Raises:
            KeepingError: they contradict each other, or a value is out of its range.
        """
        from web_terminal_suite.bench.analysis.comparison.results import Terms
        from web_terminal_suite.bench.baselines import BaselineError, choose, home

        try:
            choice = choose(
                save=self.save,
                baseline=self.baseline,
                lenient=self.lenient,
                load=self.load,
                retain=self.retain,
                discard=self.discard,
            )
            terms = Terms(level=self.level, significance=self.significance, noise=self.noise, resamples=self.resamples)
        except (BaselineError, ValueError) as error:
            raise KeepingError(str(error)) from error
        if self.self_check and choice != choose():
            raise KeepingError("--self-check compares a terminal with itself and takes no baseline")
        return Keeping(
            home=home(self.home, os.environ),
            choice=choice,
            terms=terms,
            force=self.force,
            history=self.history,
            whole=self.whole,
        )


class KeepingError(Exception):
    """A baseline or history that cannot be used as asked; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What the flags ask for. ``whole``: all benchmarks were asked for, so one that is missing is worth a word.

    ``asked``: a comparison was asked for by name; only then does something slower change the exit code.
    """

    home: Path
    choice: Choice
    terms: Terms
    force: bool = False
    history: bool = True
    whole: bool = True

    @property
    def asked(self) -> bool:
        from web_terminal_suite.bench.baselines import LAST

        return self.choice.must_exist or self.choice.compare_with != LAST

    @property
    def baselines(self) -> Baselines:
        from web_terminal_suite.bench.baselines import Baselines

        return Baselines(self.home)


def base_of(keeping: Keeping, machine: dict[str, Any]) -> Run | None:
    """The run to compare with, read before anything is measured, so that a wrong name costs no run.

    Args:
        machine: of the run to come, as its record will hold it.

    Raises:
        KeepingError: it must be there and is not, cannot be read, or is of another machine.
    """
    from web_terminal_suite.bench.analysis.comparison.machine import differences
    from web_terminal_suite.bench.baselines import BaselineError

    choice = keeping.choice
    try:
        base = (keeping.baselines.load if choice.must_exist else keeping.baselines.find)(choice.compare_with)
    except BaselineError as error:
        if keeping.asked:
            raise KeepingError(str(error)) from error
        return None  # The last run was not asked for by anybody; this run replaces it.
    if base is None or keeping.force or not (differing := differences(base.machine, machine)):
        return base
    if keeping.asked:
        raise KeepingError(
            f"baseline {choice.compare_with!r} is of another machine: {'; '.join(differing)}; "
            "--force compares all the same"
        )
    typer.echo(
        f"web-terminal bench: baseline {choice.compare_with!r} is of another machine, so nothing is compared with it; "
        "--force does all the same",
        err=True,
    )
    return None


def loaded(keeping: Keeping) -> Run:
    """The saved run that stands in for a new one.

    Raises:
        KeepingError
    """
    from web_terminal_suite.bench.baselines import BaselineError

    try:
        return keeping.baselines.load(keeping.choice.load)
    except BaselineError as error:
        raise KeepingError(str(error)) from error


def compared(console: Console, keeping: Keeping, base: Run, run: Run) -> int:
    """Print ``run`` beside ``base`` and give 1 where something is slower that counts, else 0."""
    import msgspec

    from web_terminal_suite.bench.analysis.comparison.runs import compare_runs, exit_code
    from web_terminal_suite.bench.report import comparison

    name = keeping.choice.load or "this run"
    found = compare_runs((keeping.choice.compare_with, base), [(name, run)], keeping.terms, force=True)
    if not keeping.whole:
        # What the filters left out is not gone.
        found = tuple(msgspec.structs.replace(each, gone=()) for each in found)
    code = exit_code(found)
    console.print()
    comparison.print_comparison(console, found, None)
    if code == 1 and not keeping.asked:
        console.print(
            "  compared with the last run only, so the exit code does not change; --baseline NAME asks for it"
        )
    return int(code == 1 and keeping.asked)


def beside_each_other(console: Console, run: Run, analysis: Analysis) -> None:
    """Print the terminals of a run that measured several."""
    from web_terminal_suite.bench.analysis.comparison.terminals import beside, subjects
    from web_terminal_suite.bench.report.comparison_terminals import print_beside

    if len(subjects(run)) > 1:
        console.print()
        print_beside(console, beside(run, analysis))


def kept(keeping: Keeping, run: Run, analysis: Analysis) -> None:
    """Save the run as the baseline that was asked for, and add it to the history; one failing keeps not the other.

    Raises:
        KeepingError: either cannot be written.
    """
    from web_terminal_suite.bench.baselines import BaselineError
    from web_terminal_suite.bench.report import json

    failed = []
    if keeping.choice.save_as and not run.interrupted:
        try:
            keeping.baselines.save(keeping.choice.save_as, run, json.results(analysis))
        except BaselineError as error:
            failed.append(str(error))
    if keeping.history:
        try:
            added(keeping.home, run, analysis)
        except KeepingError as error:
            failed.append(str(error))
    if failed:
        raise KeepingError("; ".join(failed))


def added(home: Path, run: Run, analysis: Analysis) -> None:
    """Add a run to the history in ``home``.

    Raises:
        KeepingError: the history cannot be written; ``--no-history`` does without.
    """
    from web_terminal_suite import __version__
    from web_terminal_suite.bench.history import FILE, History, HistoryError, revision

    try:
        with History(home / FILE, create=True) as history:
            history.append(run, analysis, version=__version__, revision=revision(Path.cwd()))
    except HistoryError as error:
        raise KeepingError(f"{error}; --no-history does without") from error


def doubled(terminals: Sequence[Terminal]) -> tuple[Terminal, ...]:
    """The first judged terminal twice and everything that is not judged, for a self-check.

    Raises:
        KeepingError: there is no terminal that is judged.
    """
    from copy import copy

    first = next((each for each in terminals if each.role == "subject"), None)
    if first is None:
        raise KeepingError("--self-check needs a terminal that is judged; name one with --terminal")
    again = copy(first)
    # The name is the class's, for this one instance it is another.
    again.name = first.name + AGAIN
    return (first, again, *(each for each in terminals if each.role != "subject"))


def self_checked(console: Console, terms: Terms, run: Run) -> int:
    """Print what came of a self-check: 0 the claim is kept, 1 it is broken, 3 undecided.

    Raises:
        KeepingError: nothing in the run could be compared.
    """
    from web_terminal_suite.bench.analysis.comparison.self_check import Claim, check
    from web_terminal_suite.bench.report import comparison

    first, second = (terminal.name for terminal in run.terminals if terminal.role == "subject")
    try:
        found = check(run, first, second, terms)
    except ValueError as error:
        raise KeepingError(str(error)) from error
    console.print()
    comparison.print_self_check(console, found)
    return {Claim.KEPT: 0, Claim.BROKEN: 1, Claim.UNDECIDED: 3}[found.claim]
