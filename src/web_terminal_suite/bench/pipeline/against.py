"""Another revision of the server next to this one: both in every block of one run, in two stages.

Only servers are compared: the suite that measures both is this one. What the stages mean is judged in
``analysis.comparison.stages``; here they are carried out. Floors are not measured, since a comparison needs none.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.analysis.comparison.results import Terms
from web_terminal_suite.bench.analysis.comparison.stages import (
    CONFIRMATION_BLOCKS,
    Stages,
    standing_out,
)
from web_terminal_suite.bench.errors import OptionsError, RunFailed
from web_terminal_suite.bench.pipeline.bench import plan, record_run
from web_terminal_suite.bench.pipeline.revisions import find_revision
from web_terminal_suite.bench.plan import Plan, Slot, name
from web_terminal_suite.bench.progress import NoProgress
from web_terminal_suite.bench.runner import carry_out
from web_terminal_suite.bench.samples import SCHEMA, Cell, Run
from web_terminal_suite.bench.terminals.installation import Installation, InstalledWebTerminal, current
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.bench.terminals.registry import UnknownTerminal, remote
from web_terminal_suite.bench.terminals.web_terminal import WebTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from web_terminal_suite.bench.benchmark import Benchmark
    from web_terminal_suite.bench.pipeline.options import BenchOptions
    from web_terminal_suite.bench.pipeline.recording import Recording
    from web_terminal_suite.bench.progress import Progress
    from web_terminal_suite.bench.samples import Trial
    from web_terminal_suite.bench.terminals.terminal import Terminal

BASE: Final = " (base)"
"""Added to the name of the terminal that is compared with."""

BLOCKS: Final = 10
"""Of the first stage. Each has this part of a run's operations and time for a cell."""

_SCREEN_SECONDS: Final = 110.0
"""Time for the first stage of everything; what takes longest is left out for it."""
_CONFIRM_SECONDS: Final = 60.0
"""Time for the second stage of everything; what is clearest comes first."""
_LARGEST: Final = 100
"""Sessions of a benchmark that is screened though nobody named it."""
_FEWEST_OPERATIONS: Final = 20
"""In a block, where there is time: a p95 needs as many."""
_LEAST_OPERATIONS: Final = 2
"""In a block, however long they take."""

Measured = tuple["Benchmark", str]
"""A benchmark and a parameter of it."""


@dataclass(frozen=True)
class RevisionPlan:
    """What ``run_against`` does: the ``plan`` of a first block, and what follows from its options."""

    plan: Plan
    """Its one block has every cell."""
    stages: Stages
    cells: tuple[Measured, ...]
    is_narrow: bool
    """What is measured was named, so nothing is left out for its time."""
    confirmation_blocks: int


def plan_against(options: BenchOptions, base: str, home: Path, progress: Progress | None = None) -> RevisionPlan:
    """What will be measured to compare with ``base``; builds its environment where that is due.

    Args:
        base: a git revision, a wheel, the directory of a virtual environment, or ``URL``, ``NAME=URL``.
        home: where environments are kept.

    Raises:
        OptionsError: there is no such base, it cannot be built, or nothing can be compared.
    """
    progress = progress or NoProgress()
    if options.terminals:
        raise OptionsError("--against compares our own server, or the one at --url; leave out --terminal")
    if options.precision or options.quick or options.self_check:
        raise OptionsError("--against measures in blocks of equal size; leave out --precision, --quick, --self-check")
    if len(options.urls) > 1:
        raise OptionsError(f"--against compares with one server; {len(options.urls)} have --url")
    before, after, title, notes = _sides(options, base, home, progress)
    blocks = options.blocks or BLOCKS
    whole = plan(replace(options, adaptive=False, blocks=1, urls=()), terminals=(before, after))
    whole = replace(whole, options=replace(whole.options, blocks=blocks))
    both = {before.name, after.name}
    cells, left_out = _comparable(whole, before, after, bool(options.filters))
    notes += left_out
    if not cells:
        raise OptionsError(f"--against {base}: nothing of what was selected can be compared; {'; '.join(left_out)}")
    stages = Stages(base=before.name, head=after.name, confirmed_from=blocks, revision=title, notes=tuple(notes))
    together, alone = _block(whole, stages, cells, 0)
    first = replace(
        whole,
        together=(together,),
        alone=(alone,),
        infeasible=tuple((cell, reason) for cell, reason in whole.infeasible if cell.terminal in both),
    )
    return RevisionPlan(first, stages, cells, bool(options.filters), max(CONFIRMATION_BLOCKS, options.blocks or 0))


def run_against(
    planned: RevisionPlan, *, terms: Terms | None = None, record: Path | None = None, progress: Progress | None = None
) -> Run:
    """Measure both stages, and give the record as far as it came; as ``run``.

    Args:
        terms: with what the first stage is judged, to choose what is measured again; the record keeps them.

    Raises:
        RecordError, RunFailed: as ``run``; or a side does not start at all.
    """
    progress = progress or NoProgress()
    terms = terms or Terms()
    measuring = _Measuring(planned, terms, progress)
    options = {"against": msgspec.to_builtins(msgspec.structs.replace(planned.stages, terms=terms))}
    return record_run(planned.plan, measuring.carry_out, record=record, progress=progress, options=options)


class _Measuring:
    def __init__(self, planned: RevisionPlan, terms: Terms, progress: Progress) -> None:
        self._planned = planned
        self._plan = planned.plan
        self._stages = planned.stages
        self._terms = terms
        self._progress = _Stopwatch(progress)
        self._trials: list[Trial] = []
        self._keep: Callable[[Trial], None] = self._trials.append

    async def carry_out(self, recording: Recording) -> None:
        """Both stages.

        Raises:
            NotProven, RunFailed
        """

        def kept(trial: Trial) -> None:
            recording.append(trial)
            if trial.cell.terminal in (self._stages.base, self._stages.head):
                self._trials.append(trial)

        self._keep = kept
        for note in self._stages.notes:
            self._progress.say(note)
        await self._start_once()
        began = time.monotonic()
        await carry_out(self._plan, kept, self._progress, calibrated=recording.calibrated)
        await self._blocks(self._affordable(time.monotonic() - began), range(1, self._stages.confirmed_from))
        again = self._standing_out()
        blocks = range(self._stages.confirmed_from, self._stages.confirmed_from + self._planned.confirmation_blocks)
        if again:
            self._progress.say(f"{_counted(len(again))} looked changed and will be measured again, in new blocks")
        await self._blocks(again, blocks)

    async def _start_once(self) -> None:
        """Start each side and end it: what the first start of an installation costs falls on neither's figures.

        Raises:
            RunFailed: it does not start.
        """
        for terminal in self._plan.terminals:
            if terminal.name in (self._stages.base, self._stages.head):
                try:
                    async with terminal.launch():
                        pass
                except LaunchFailed as error:
                    raise RunFailed(f"{terminal.name} does not start: {error}") from error

    async def _blocks(self, cells: Sequence[Measured], numbers: range) -> None:
        if not cells:
            return
        self._progress.again(sum(4 if _is_short(benchmark) else 2 for benchmark, _ in cells) * len(numbers))
        for number in numbers:
            together, alone = _block(self._plan, self._stages, cells, number)
            block = replace(
                self._plan,
                # Markers come from the seed, and no two blocks must have the same.
                options=replace(self._plan.options, seed=self._plan.options.seed + number),
                proof=(),
                together=(together,),
                alone=(alone,),
                infeasible=(),
            )
            await carry_out(block, self._keep, self._progress)

    def _affordable(self, spent: float) -> list[Measured]:
        """The cells that there is time for in all blocks of the first stage, by what the first block took."""
        cells = list(self._planned.cells)
        if self._planned.is_narrow:
            return cells
        left = _SCREEN_SECONDS - spent
        return self._within(cells, left, self._stages.confirmed_from - 1, "too long for all blocks")

    def _standing_out(self) -> list[Measured]:
        by_name = {(benchmark.id, parameter): (benchmark, parameter) for benchmark, parameter in self._planned.cells}
        run = _as_run(self._plan, self._trials)
        found = standing_out(self._trials, run, self._stages, self._terms)
        cells = [by_name[cell.benchmark, cell.parameter] for cell in found]
        if self._planned.is_narrow:
            return cells
        blocks = self._planned.confirmation_blocks
        return self._within(cells, _CONFIRM_SECONDS, blocks, "no time to measure again", in_order=True)

    def _within(
        self, cells: list[Measured], seconds: float, blocks: int, why: str, *, in_order: bool = False
    ) -> list[Measured]:
        """As many cells as ``seconds`` allow, the cheapest first unless they are ``in_order``; the others are said."""
        cost = self._progress.seconds
        ordered = cells if in_order else sorted(cells, key=lambda each: cost.get((each[0].id, each[1]), 0.0))
        kept: list[Measured] = []
        for each in ordered:
            seconds -= cost.get((each[0].id, each[1]), 0.0) * blocks
            if seconds >= 0 or not kept:
                kept.append(each)
        left = [name(*each) for each in cells if each not in kept]
        if left:
            self._progress.say(f"{why}: {', '.join(left)}; name one in a filter to measure it")
        return [each for each in cells if each in kept]


class _Stopwatch:
    """A progress that notes what a block of a cell takes on both sides, in seconds."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._began = 0.0
        self.seconds: dict[tuple[str, str], float] = {}

    def begin(self, slot: Slot) -> None:
        # A terminal that is started for it alone takes its time as well.
        if not slot.benchmark.isolated or not self._began:
            self._began = time.monotonic()
        self._progress.begin(slot)

    def end(self, trial: Trial) -> None:
        now = time.monotonic()
        if trial.block == 0:
            key = (trial.cell.benchmark, trial.cell.parameter)
            self.seconds[key] = self.seconds.get(key, 0.0) + now - self._began
        self._began = now
        self._progress.end(trial)

    def again(self, trials: int) -> None:
        self._progress.again(trials)

    def say(self, text: str) -> None:
        self._progress.say(text)


def _sides(
    options: BenchOptions, base: str, home: Path, progress: Progress
) -> tuple[Terminal, Terminal, str, list[str]]:
    """Base, head, what the base is called, and what differs between them besides the code."""
    try:
        here = None if options.urls else current()
        after: Terminal
        if options.urls:
            after = remote(options.urls[0], options.token)
        else:
            after = WebTerminal() if here is None else InstalledWebTerminal(here, WebTerminal.name)
        before: Terminal
        if "://" in base:
            before = remote(base, options.token)
            before.name += BASE
            return before, after, base.partition("#")[0], []
    except (UnknownTerminal, ValueError) as error:
        raise OptionsError(f"--against {base}: {error}" if not options.urls else str(error)) from error
    revision = find_revision(base, home, progress.say)
    before = InstalledWebTerminal(revision.installation, WebTerminal.name + BASE, (revision.title,))
    differing = [] if here is None else _differing(revision.installation, here)
    return before, after, revision.title, [*revision.remarks, *differing]


def _differing(base: Installation, head: Installation) -> list[str]:
    found = base.differences(head)
    return [f"base and head differ in more than their code: {'; '.join(found)}"] if found else []


def _comparable(
    whole: Plan, before: Terminal, after: Terminal, is_narrow: bool
) -> tuple[tuple[Measured, ...], list[str]]:
    """What both sides can do and a comparison makes sense of; and in words what is left out."""
    slots = [slot for slot in whole.slots if slot not in whole.proof]
    sides: dict[tuple[str, str], set[str]] = {}
    found: dict[tuple[str, str], Measured] = {}
    for slot in slots:
        if slot.cell.terminal in (before.name, after.name) and not slot.benchmark.is_floor:
            key = (slot.cell.benchmark, slot.cell.parameter)
            sides.setdefault(key, set()).add(slot.cell.terminal)
            found[key] = (slot.benchmark, slot.cell.parameter)
    components = {each.id for each in whole.benchmarks if each.facts.component}
    large = [] if is_narrow else [name(*each) for each in found.values() if _is_large(*each)]
    one_sided = [key for key, has in sides.items() if len(has) == 1 and key[0] not in components]
    said = []
    if components:
        said.append(f"{_counted(len(components))} measured in this process left out: they are of the head alone")
    if large:
        said.append(f"left out, since one operation takes seconds: {', '.join(large)}; name one in a filter")
    if one_sided:
        said.append(f"only one side can do {', '.join(sorted({id for id, _ in one_sided}))}")
    kept = (
        each
        for key, each in found.items()
        if key[0] not in components and key not in one_sided and (is_narrow or not _is_large(*each))
    )
    return tuple(kept), said


def _is_large(benchmark: Benchmark, parameter: str) -> bool:
    """Whether one operation of it is a long measurement of its own."""
    return benchmark.one_shot or (benchmark.sessions is not None and benchmark.sessions(parameter) >= _LARGEST)


def _block(
    whole: Plan, stages: Stages, cells: Sequence[Measured], number: int
) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    """A block's slots, those that run together and those that need a terminal alone.

    Cells come in an order drawn from the seed. Which side comes first is drawn for two blocks at a time: the second
    has the other order, so that a side comes first as often as the other.
    """
    options = whole.options
    mixed = sorted(cells, key=lambda each: name(*each))
    random.Random(f"{options.seed}/{number}").shuffle(mixed)
    slots: list[Slot] = []
    for benchmark, parameter in mixed:
        order = [stages.base, stages.head]
        random.Random(f"{options.seed}/{name(benchmark, parameter)}/{number // 2}").shuffle(order)
        if number % 2:
            order.reverse()
        # What drifts within a block falls on both sides alike if the one that was first comes last as well.
        visits = [*order, *reversed(order)] if _is_short(benchmark) else order
        share = BLOCKS * len(visits) // len(order)
        slots += [
            Slot(
                number,
                Cell(benchmark.id, parameter, terminal),
                benchmark,
                operations=max(_FEWEST_OPERATIONS, options.sample_size // share),
                least=_LEAST_OPERATIONS,
                warm_up_seconds=options.warm_up_seconds / share,
                measurement_seconds=options.measurement_seconds / share,
                shortest_seconds=benchmark.block_seconds,
            )
            for terminal in visits
        ]
    together = tuple(slot for slot in slots if not slot.benchmark.isolated)
    return together, tuple(slot for slot in slots if slot.benchmark.isolated)


def _is_short(benchmark: Benchmark) -> bool:
    """Whether it can be measured twice in a block: nothing is started for it, nor prepared for long."""
    alone = benchmark.isolated or benchmark.one_shot
    return not (alone or benchmark.sessions or benchmark.seconds or benchmark.repeats)


def _as_run(plan: Plan, trials: Sequence[Trial]) -> Run:
    """What a comparison reads of a run, before there is one."""
    return Run(
        schema=SCHEMA,
        started="",
        seed=plan.options.seed,
        options={},
        machine={},
        terminals=tuple(each.facts() for each in plan.terminals),
        benchmarks=tuple(each.facts for each in plan.benchmarks),
        trials=tuple(trials),
    )


def _counted(number: int) -> str:
    return f"{number} benchmark{'s' if number != 1 else ''}"
