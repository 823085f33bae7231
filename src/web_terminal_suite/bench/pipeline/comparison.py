"""Runs next to each other: with what they are compared, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from web_terminal_suite.bench import machine
from web_terminal_suite.bench.analysis import analyse as analyse_at
from web_terminal_suite.bench.analysis.comparison import conditions
from web_terminal_suite.bench.analysis.comparison import runs as run_comparison
from web_terminal_suite.bench.analysis.comparison.machine import differences
from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.self_check import check
from web_terminal_suite.bench.analysis.comparison.stages import compare_stages, stages_of
from web_terminal_suite.bench.baselines import BaselineError
from web_terminal_suite.bench.errors import OptionsError, RunFailed
from web_terminal_suite.bench.pipeline.networks import with_network
from web_terminal_suite.bench.samples import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.analysis import Analysis
    from web_terminal_suite.bench.analysis.comparison.results import RunComparison
    from web_terminal_suite.bench.analysis.comparison.runs import NamedRuns
    from web_terminal_suite.bench.analysis.comparison.self_check import SelfCheck
    from web_terminal_suite.bench.network.conditions import Network
    from web_terminal_suite.bench.pipeline.options import StorageOptions


class Base(NamedTuple):
    """The runs to compare with, the newest last; where they cannot be used, none, and the reason instead."""

    runs: tuple[Run, ...]
    reason: str = ""

    @property
    def run(self) -> Run | None:
        """The newest."""
        return self.runs[-1] if self.runs else None


def analyse(run: Run, level: float | None = None) -> Analysis:
    """Estimates, intervals and verdicts of a run, by default at the confidence level that it was made with."""
    level = run.options.get("confidence_level") if level is None else level
    return analyse_at(run, level) if isinstance(level, float) and 0 < level < 1 else analyse_at(run)


def compare(*sides: NamedRuns, terms: Terms | None = None, force: bool = False) -> tuple[RunComparison, ...]:
    """Every named side compared with the first of them; of a single run its terminals with the first of those.

    A side is one run, or several of the same code, the newest last.

    Args:
        terms: by default those that the run of ``bench --against`` was made with (``terms_of``).
        force: compare although the machines differ.

    Raises:
        OptionsError: the machines differ, a side has one run twice, or a single run measured a single terminal.
    """
    terms = terms or terms_of(*sides)
    for name, runs in sides:
        if not isinstance(runs, Run) and (places := conditions.repeated(runs)) is not None:
            raise OptionsError(
                f"run {places[0]} and run {places[1]} of {name} are the same run, which counts once; name it once"
            )
    base, *others = sides
    try:
        if others:
            return run_comparison.compare_runs(base, others, terms, force)
    except run_comparison.OtherMachine as error:
        raise OptionsError(str(error)) from error
    name, runs = base
    if isinstance(runs, Run):
        return _within_run(name, runs, terms)
    found = _within_run(name, runs[-1], terms)
    if len(runs) == 1:
        return found
    remark = f"of the {len(runs)} runs of {name} only the last is looked at; name a second side to compare them all"
    return tuple(msgspec.structs.replace(each, remarks=(remark, *each.remarks)) for each in found)


def _within_run(name: str, run: Run, terms: Terms) -> tuple[RunComparison, ...]:
    """The terminals, or the two revisions, of one run."""
    if (stages := stages_of(run)) is not None:
        return (compare_stages(run, stages, terms),)
    subjects = [terminal.name for terminal in run.terminals if terminal.role == "subject"]
    if len(subjects) < 2:
        raise OptionsError(f"{name} measured one terminal, so there is nothing to compare; name a second run")
    return run_comparison.compare_terminals(run, subjects[0], subjects[1:], terms)


def terms_of(*sides: NamedRuns) -> Terms:
    """What a comparison of these sides goes by where nothing else is asked for.

    Of a single run of ``bench --against`` what that went by, so that its record gives its verdicts again.
    """
    if len(sides) == 1:
        _, runs = sides[0]
        stages = stages_of(runs if isinstance(runs, Run) else runs[-1])
        if stages is not None and stages.terms is not None:
            return stages.terms
    return Terms()


def compare_with_base(
    base: Run | Sequence[Run], runs: Run | Sequence[Run], storage: StorageOptions
) -> tuple[RunComparison, ...]:
    """One run, or several of one code, compared with the runs that ``find_base`` gave."""
    names = storage.choice.compare_with, storage.choice.load or "this run"
    found = compare((names[0], base), (names[1], runs), terms=storage.terms, force=True)
    if storage.complete:
        return found
    # What the filters left out is not gone.
    return tuple(msgspec.structs.replace(each, gone=(), lost=0) for each in found)


def find_base(storage: StorageOptions, facts: dict[str, Any] | None = None, network: Network | None = None) -> Base:
    """The run to compare with. Call it before anything is measured, so that a wrong name costs no run.

    Args:
        facts: of the machine that the new run is from, as ``Run.machine``; by default of this machine now.
        network: that the new run will be made through, if that is still to be made.

    Raises:
        OptionsError: ``--baseline`` asked for it, and it is of another machine.
        BaselineError: it was asked for by name, and is missing or cannot be read, also if it would be replaced.
    """
    choice = storage.choice
    then = "; this run replaces it" if choice.save_as == choice.compare_with else ""
    try:
        runs = (storage.baselines.load_set if choice.must_exist else storage.baselines.find_set)(choice.compare_with)
    except BaselineError as error:
        if storage.is_explicit:
            raise
        return Base((), f"{error}; nothing is compared with it{then}")  # the last run was not asked for by anybody
    if not runs or storage.force:
        return Base(runs)
    if facts is None:
        facts = with_network(machine.record(machine.snapshot()), network)
    differing = differences(runs[-1].machine, facts)
    if not differing:
        return Base(runs)
    what = f"baseline {choice.compare_with!r} is of another machine: {'; '.join(differing)}"
    if choice.must_exist:
        raise OptionsError(f"{what}; --force compares all the same")
    return Base((), f"{what}, so nothing is compared with it{then}; --force compares all the same")


def self_check(run: Run, terms: Terms | None = None) -> SelfCheck:
    """False positives of a run that measured one terminal as two (``BenchOptions.self_check``).

    Raises:
        RunFailed: nothing in the run could be compared.
    """
    subjects = [terminal.name for terminal in run.terminals if terminal.role == "subject"]
    if len(subjects) != 2:
        raise RunFailed(f"a self-check takes a run of one terminal measured as two; this one has {len(subjects)}")
    try:
        return check(run, subjects[0], subjects[1], terms or Terms())
    except ValueError as error:
        raise RunFailed(str(error)) from error
