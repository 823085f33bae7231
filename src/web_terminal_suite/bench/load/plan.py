"""A load before it starts: its configuration, its thresholds, and the cells that its record should have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from web_terminal_suite.bench.load import metrics
from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.bench.samples import Cell

if TYPE_CHECKING:
    from web_terminal_suite.bench.load.behaviour import Behaviour
    from web_terminal_suite.bench.load.scenario import LoadStage, Scenario
    from web_terminal_suite.bench.load.thresholds import Threshold
    from web_terminal_suite.bench.samples import BenchmarkFacts, TerminalFacts


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """What a load does, independent of backend and terminal."""

    scenario: Scenario
    seed: int
    generators: int
    sources: tuple[str, ...] = ()
    """Local addresses to connect from, in rotation; empty: the kernel chooses."""
    behaviours: tuple[Behaviour, ...] = ()
    """Those that are not built in, of which the scenario may have some in its mixes."""


@dataclass(frozen=True)
class LoadPlan:
    """What is known of a load before it starts. ``thresholds``: each with its parameter (``*``: every stage)."""

    config: LoadConfig
    terminal: TerminalFacts
    thresholds: tuple[tuple[str, Threshold], ...] = ()

    @property
    def benchmarks(self) -> tuple[BenchmarkFacts, ...]:
        return self._described[0]

    @property
    def metric_copies(self) -> dict[str, list[str]]:
        """By level metric, the additional names under which its value is recorded."""
        return self._described[1]

    def cells(self, number: int) -> tuple[Cell, ...]:
        """The cells that a stage should fill; the first is that of the level metrics.

        A threshold on an operation that no stage makes has its cell too, so that it is undecided and does not vanish.
        """
        scenario = self.config.scenario
        planned = self._performed(number)
        made = {kind for stage in range(len(scenario.stage)) for kind in self._performed(stage)}
        for parameter, each in self.thresholds:
            kind = each.metric.benchmark.rpartition("/")[2]
            unmade = parameter == "*" and kind not in made
            if each.metric.benchmark != metrics.LEVELS and (parameter == scenario.parameters[number] or unmade):
                planned.add(kind)
        kinds = [each.kind for each in metrics.operations_of(self.config.behaviours) if each.kind in planned]
        names = [metrics.LEVELS, *(f"{metrics.SUITE}/{kind}" for kind in kinds)]
        return tuple(Cell(name, scenario.parameters[number], self.terminal.name) for name in names)

    def _performed(self, number: int) -> set[str]:
        """The kinds of operations that a stage makes."""
        stages = self.config.scenario.stage
        stage = stages[number]
        before = stages[number - 1].sessions if number else 0
        planned = {
            "start": stage.sessions > before,
            "keystroke": bool(stage.typing),
            "reconnect": bool(stage.share_of(Role.RECONNECT).of(stage.sessions)),
            "resize": bool(stage.share_of(Role.RESIZE).of(stage.sessions)),
            **{each.name: bool(stage.share_of(each.name).of(stage.sessions)) for each in self.config.behaviours},
        }
        return {kind for kind, is_planned in planned.items() if is_planned}

    @cached_property
    def _described(self) -> tuple[tuple[BenchmarkFacts, ...], dict[str, list[str]]]:
        stages = range(len(self.config.scenario.stage))
        kinds = {kind_of(cell) for number in stages for cell in self.cells(number)}
        targets = [(each.metric, parameter, each.target) for parameter, each in self.thresholds]
        operations = metrics.operations_of(self.config.behaviours)
        return metrics.describe_benchmarks(sorted(kinds), self.config.scenario.parameters, targets, operations)


def seconds_between(config: LoadConfig, stage: LoadStage) -> dict[str, float]:
    """By role whose operations repeat, seconds between two of a session."""
    own = {each.name: stage.every.get(each.name, each.every) for each in config.behaviours}
    return {Role.RECONNECT: stage.reconnect_every, Role.RESIZE: stage.resize_every, **own}


def planned_operations(config: LoadConfig, number: int, kind: str) -> int:
    """How many operations of a kind a stage makes if every session comes up and stays."""
    stages = config.scenario.stage
    stage = stages[number]
    if kind == "start":
        return stage.sessions - (stages[number - 1].sessions if number else 0)
    if kind == "keystroke":
        return math.ceil(stage.typing * stage.duration)
    every = seconds_between(config, stage).get(kind)
    return 0 if every is None else math.ceil(stage.share_of(kind).of(stage.sessions) * stage.duration / every)


def kind_of(cell: Cell) -> str:
    """The kind of operation that a cell holds."""
    return cell.benchmark.rpartition("/")[2]
