"""Which rows a run has, and how each is put together."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from web_terminal_suite.bench.analysis import estimates, floors
from web_terminal_suite.bench.analysis.results import (
    Analysis,
    Comparison,
    Estimate,
    Judgement,
    Result,
    Throughput,
    Verdict,
)
from web_terminal_suite.bench.analysis.verdicts import judge, undecided, unless_wrong
from web_terminal_suite.bench.samples import BenchmarkFacts, Cell, Metric, Run, Target, Trial
from web_terminal_suite.bench.stats.quantiles import PERCENTILES

if TYPE_CHECKING:
    from collections.abc import Sequence

LEVEL = 0.95
"""Confidence of every interval (rule 5) of a run that names none."""


def analyse(run: Run, level: float | None = None) -> Analysis:
    """Every metric of every cell that was measured, was planned, or does not apply.

    Args:
        level: confidence of the intervals; by default the one that the run was made with.
    """
    level = level_of(run) if level is None else level
    book = _Book(run, level)
    results = tuple(result for cell in book.cells() for result in book.results(cell))
    absent = tuple(f"{terminal.name}: {terminal.missing}" for terminal in run.terminals if terminal.missing)
    return Analysis(results=results, level=level, seed=run.seed, problems=book.problems(), absent=absent)


def analyse_cell(run: Run, cell: Cell, level: float | None = None) -> tuple[Result, ...]:
    """The rows of one cell from the trials so far; the same as those of ``analyse`` on the same run."""
    return _Book(run, level_of(run) if level is None else level).results(cell)


def level_of(run: Run) -> float:
    """The confidence level that the run was made with; 95 % where it names none that can be one."""
    level = run.options.get("confidence_level")
    return level if isinstance(level, float) and 0 < level < 1 else LEVEL


@dataclass
class _Book:
    """One run, indexed."""

    run: Run
    level: float
    trials: dict[Cell, list[Trial]] = field(init=False)
    facts: dict[str, BenchmarkFacts] = field(init=False)
    roles: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.trials = {}
        for trial in self.run.trials:
            self.trials.setdefault(trial.cell, []).append(trial)
        self.facts = {facts.id: facts for facts in self.run.benchmarks}
        self.roles = {terminal.name: terminal.role for terminal in self.run.terminals}

    def problems(self) -> tuple[str, ...]:
        unknown = sorted({cell.benchmark for cell in self.trials} - self.facts.keys())
        found = [f"the record has trials of {name} but does not describe it" for name in unknown]
        if self.run.interrupted:
            found.append("the run ended before its plan did")
        if not self.run.trials:
            found.append("the run has no trial")
        return tuple(found)

    def cells(self) -> list[Cell]:
        """Every cell of a described benchmark, in the order of benchmarks, parameters and terminals."""
        every = {cell for cell in (*self.trials, *self.run.planned) if cell.benchmark in self.facts}
        for facts in self.run.benchmarks:
            lacking = [name for name in self.roles if self.lacks(facts, name)]
            asked = {cell.parameter for cell in every if cell.benchmark == facts.id} or set(facts.parameters)
            every |= {Cell(facts.id, parameter, name) for parameter in asked for name in lacking}
        benchmarks = {name: place for place, name in enumerate(self.facts)}
        terminals = {name: place for place, name in enumerate(self.roles)}

        def place(cell: Cell) -> tuple[int, int, str, int, str]:
            known = self.facts[cell.benchmark].parameters
            parameter = known.index(cell.parameter) if cell.parameter in known else len(known)
            terminal = terminals.get(cell.terminal, len(terminals))
            return benchmarks[cell.benchmark], parameter, cell.parameter, terminal, cell.terminal

        return sorted(every, key=place)

    def lacks(self, facts: BenchmarkFacts, terminal: str) -> tuple[str, ...]:
        """Capabilities that the benchmark needs and a subject does not have. Floors and known terminals are for few."""
        found = next((each for each in self.run.terminals if each.name == terminal), None)
        if found is None or found.role != "subject" or found.missing:
            return ()
        return tuple(need for need in facts.needs if need not in found.capabilities)

    def results(self, cell: Cell) -> tuple[Result, ...]:
        facts = self.facts[cell.benchmark]
        if cell not in self.trials and (lacking := self.lacks(facts, cell.terminal)):
            return self._not_applicable(cell, facts, lacking)
        rows = [self._result(cell, facts, metric) for metric in facts.metrics]
        shown = [row for row in rows if row.n or row.judgement.target is not None]
        return tuple(shown or rows[:1])

    def _not_applicable(self, cell: Cell, facts: BenchmarkFacts, lacking: tuple[str, ...]) -> tuple[Result, ...]:
        judged = [metric for metric in facts.metrics if self._target(cell, metric.targets)] or facts.metrics[:1]
        return tuple(
            Result(
                cell=cell,
                metric=metric,
                role=self.roles.get(cell.terminal, "subject"),
                component=facts.component,
                judgement=Judgement(target=self._target(cell, metric.targets), verdict=Verdict.NOT_APPLICABLE),
                not_applicable=f"needs {', '.join(lacking)}",
            )
            for metric in judged
        )

    def _result(self, cell: Cell, facts: BenchmarkFacts, metric: Metric) -> Result:
        trials = self.trials.get(cell, [])
        result = Result(
            cell=cell,
            metric=metric,
            role=self.roles.get(cell.terminal, "subject"),
            component=facts.component,
            trials=len(trials),
            client_share=_worst_share(trials, "client_cpu_ns"),
            server_share=_worst_share(trials, "server_cpu_ns"),
            problems=tuple(f"block {trial.block}: {trial.problem}" for trial in trials if trial.problem),
            warnings=tuple(dict.fromkeys(warning for trial in trials for warning in trial.warnings)),
            pictures=tuple(picture for trial in trials for picture in trial.pictures),
        )
        measure = self._latency if metric.kind == "latency" else self._readings
        result = measure(result, facts, trials)
        infeasible = next((trial.infeasible for trial in trials if trial.infeasible), "")
        if infeasible:
            result = msgspec.structs.replace(result, warnings=(*result.warnings, infeasible))
        if result.n == 0 and infeasible:
            result = msgspec.structs.replace(result, infeasible=infeasible)
        elif result.n == 0:
            why = "no measured sample" if trials else "planned, but never measured"
            result = msgspec.structs.replace(result, problems=(*result.problems, why))
        return self._judged(result)

    def _latency(self, result: Result, facts: BenchmarkFacts, trials: Sequence[Trial]) -> Result:
        warmup = sum(len(trial.samples) - len(estimates.measured(trial)) for trial in trials)
        found = estimates.latencies(trials, result.metric.mark)
        if found is None:
            return msgspec.structs.replace(result, warmup=warmup)
        by_name = {"mean": estimates.mean(found, self.level)}
        for name, q in PERCENTILES.items():
            by_name[name] = estimates.percentile(found, q, self.level)
        if any(target.statistic == "max" for target in result.metric.targets.values()):
            by_name["max"] = estimates.largest(found.series)
        throughput = None
        elements = facts.elements.get(result.cell.parameter, facts.elements.get("*"))
        if elements is not None and not result.metric.mark:
            by_name["rate"] = estimates.rate(found, elements, self.level)
            throughput = Throughput(unit=facts.element_unit, rate=by_name["rate"])
        samples = [sample for trial in trials for sample in estimates.measured(trial)]
        return msgspec.structs.replace(
            result,
            n=found.n,
            warmup=warmup,
            outcomes=dict(Counter(str(sample.outcome) for sample in samples)),
            reasons=dict(Counter(sample.reason for sample in samples if sample.reason)),
            estimates=by_name,
            throughput=throughput,
            outliers=estimates.outlier_counts(found),
            floor=self._floor(result, facts, found),
        )

    def _readings(self, result: Result, facts: BenchmarkFacts, trials: Sequence[Trial]) -> Result:
        blocks, metric = estimates.blocks_of(trials, result.metric), result.metric
        if not blocks:
            return result
        n = sum(len(block) for block in blocks)
        if metric.kind == "level":
            by_name = {"level": estimates.steady(blocks, metric.exact, self.level)}
            return msgspec.structs.replace(result, n=n, estimates=by_name)
        estimate, line, remarks = estimates.slope(blocks, self.level, drifts=metric.drifts)
        warnings = (*result.warnings, *remarks)
        result = msgspec.structs.replace(result, n=n, estimates={"slope": estimate}, warnings=warnings)
        return result if line is None else msgspec.structs.replace(result, intercept=line.intercept, r2=line.r2)

    def _floor(self, result: Result, facts: BenchmarkFacts, found: estimates.Latencies) -> Comparison | None:
        at = floors.floor_cell(result.cell, facts, self.trials)
        if at is None or at.benchmark not in self.facts:
            return None
        metric = floors.floor_metric(result.metric, self.facts[at.benchmark])
        base = estimates.latencies(self.trials[at], metric.mark) if metric else None
        return None if base is None else floors.compare(found, base, at, self.level, self._rng(result))

    def _judged(self, result: Result) -> Result:
        """The result with its target, and its floor's, judged."""
        # Of a component there is no client apart, and of a floor it is the client that is judged.
        share = None if result.component or result.role == "floor" else result.client_share
        ratios = {} if result.floor is None else {f"ratio_{name}": e for name, e in result.floor.ratio.items()}
        statistics: dict[str, Estimate] = result.estimates | ratios

        wrong = estimates.wrong_answers(self.trials.get(result.cell, ()))

        def judged(target: Target | None) -> Judgement:
            if target is not None and result.infeasible:
                return undecided(target, result.infeasible)
            estimate = statistics.get(target.statistic) if target else None
            return unless_wrong(judge(target, estimate, share, bool(result.problems)), wrong)

        floor = result.floor
        floor_target = _of(result.cell, result.metric.floor_targets)
        # A floor with a floor of its own says what the client costs; a run that did not ask for that says nothing.
        if floor_target is not None and (floor is not None or result.role != "floor"):
            at = floor or Comparison(floor=Cell(self.facts[result.cell.benchmark].floor, "", ""), added={}, ratio={})
            floor = msgspec.structs.replace(at, judgement=judged(floor_target))
        target = self._target(result.cell, result.metric.targets)
        return msgspec.structs.replace(result, judgement=judged(target), floor=floor)

    def _target(self, cell: Cell, targets: dict[str, Target]) -> Target | None:
        if self.roles.get(cell.terminal) == "floor":
            return None
        return _of(cell, targets)

    def _rng(self, result: Result) -> np.random.Generator:
        """A stream of its own for each row, so that leaving a benchmark out changes no other's interval."""
        name = f"{result.cell}:{result.metric.name}".encode()
        return np.random.default_rng([abs(self.run.seed), zlib.crc32(name)])


def _of(cell: Cell, targets: dict[str, Target]) -> Target | None:
    return targets.get(cell.parameter, targets.get("*"))


def _worst_share(trials: Sequence[Trial], name: str) -> float | None:
    """Cores used in the busiest trial: one saturated block taints the tail of all."""
    shares = [
        getattr(trial.usage, name) / trial.usage.elapsed_ns
        for trial in trials
        if trial.usage is not None and trial.usage.elapsed_ns > 0 and getattr(trial.usage, name) is not None
    ]
    return max(shares, default=None)
