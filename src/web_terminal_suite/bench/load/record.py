"""A load as a run: the record that ``report``, ``validate``, ``compare`` and ``history`` read.

Each stage is a parameter. What is timed is cut into blocks by when it was due, since neighbours in time are alike and
only what varies between blocks says how far two runs may differ by chance. Moments are ns of the load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from web_terminal_suite.bench.clock import SECOND_NS
from web_terminal_suite.bench.load import metrics as of
from web_terminal_suite.bench.load import schedule, time_series
from web_terminal_suite.bench.load.operations import Operations
from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.bench.samples import SCHEMA, Cell, CpuUsage, Point, Run, Trial
from web_terminal_suite.bench.stats.quantiles import quantile
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.load.collector import Collector, Milestones
    from web_terminal_suite.bench.load.coordinator import LoadRun
    from web_terminal_suite.bench.load.scenario import LoadStage
    from web_terminal_suite.bench.load.thresholds import Threshold
    from web_terminal_suite.bench.samples import BenchmarkFacts, TerminalFacts

CLOCK_ERROR_NS: Final = 1_000_000
"""By which the clocks of shards may be apart without a word; a place on a chart is a thousand times wider."""

LATE_NS: Final = 1_000_000
"""Below, a key sent late is the clock's and the scheduler's ordinary way."""

_LATE_QUANTILE: Final = 0.99
_WHOLE: Final = 1 << 62


@dataclass(frozen=True)
class LoadPlan:
    """What is known of a load before it begins. ``expectations``: parameter (``*``: every stage), and what of it."""

    load: LoadRun
    terminal: TerminalFacts
    expectations: tuple[tuple[str, Threshold], ...] = ()

    @property
    def benchmarks(self) -> tuple[BenchmarkFacts, ...]:
        return self._described[0]

    @property
    def further(self) -> dict[str, list[str]]:
        """By metric of the course, the names under which its readings stand once more."""
        return self._described[1]

    def cells(self, number: int) -> tuple[Cell, ...]:
        """What should come of a stage."""
        scenario = self.load.scenario
        stage = scenario.stage[number]
        before = scenario.stage[number - 1].sessions if number else 0
        planned = {
            "start": stage.sessions > before,
            "keystroke": bool(stage.typing),
            "reconnect": bool(stage.share_of(Role.RECONNECT).of(stage.sessions)),
            "resize": bool(stage.share_of(Role.RESIZE).of(stage.sessions)),
        }
        names = [of.COURSE, *(f"{of.SUITE}/{kind}" for kind, is_planned in planned.items() if is_planned)]
        return tuple(Cell(name, scenario.parameters[number], self.terminal.name) for name in names)

    @cached_property
    def _described(self) -> tuple[tuple[BenchmarkFacts, ...], dict[str, list[str]]]:
        stages = range(len(self.load.scenario.stage))
        kinds = {cell.benchmark.rpartition("/")[2] for number in stages for cell in self.cells(number)}
        targets = [(each.measure, parameter, each.target) for parameter, each in self.expectations]
        return of.described(sorted(kinds), self.load.scenario.parameters, targets)


def header(plan: LoadPlan, started: str, options: dict[str, Any], machine: dict[str, Any]) -> Run:
    """The run before anything was measured."""
    stages = range(len(plan.load.scenario.stage))
    return Run(
        schema=SCHEMA,
        started=started,
        seed=plan.load.seed,
        options=options,
        machine=machine,
        terminals=(plan.terminal,),
        benchmarks=plan.benchmarks,
        trials=(),
        planned=tuple(cell for number in stages for cell in plan.cells(number)),
    )


def trials(plan: LoadPlan, ledger: Collector, number: int) -> tuple[Trial, ...]:
    """Everything of one stage, as far as it came; nothing where it did not begin."""
    if ledger.milestones[number].arrivals_ns is None:
        return ()
    return _Stage(plan, ledger, number).trials()


class _Stage:
    """One stage of a ledger."""

    def __init__(self, plan: LoadPlan, ledger: Collector, number: int) -> None:
        self._plan = plan
        self._ledger = ledger
        self._number = number
        self._stage: LoadStage = plan.load.scenario.stage[number]
        self._passed: Milestones = ledger.milestones[number]
        kinds = [cell.benchmark.rpartition("/")[2] for cell in plan.cells(number)[1:]]
        self._operations = {kind: Operations(ledger.batches.get((number, kind), ())) for kind in kinds}
        latest_ns = max((pulses[-1].at_ns for pulses in ledger.pulses if pulses), default=0)
        self._first_ns = self._passed.arrivals_ns or 0
        self._arrived_ns = latest_ns if self._passed.arrived_ns is None else self._passed.arrived_ns
        self._playing_ns = latest_ns if self._passed.playing_ns is None else self._passed.playing_ns
        self._played_ns = latest_ns if self._passed.played_ns is None else self._passed.played_ns
        self._end_ns = latest_ns if self._passed.end_ns is None else self._passed.end_ns
        self._problems, self._warnings = self._remarks()

    def trials(self) -> tuple[Trial, ...]:
        course, *timed = self._plan.cells(self._number)
        found = [
            Trial(
                cell=course,
                block=0,
                points=tuple(self._points()),
                usage=self._usage(self._playing_ns, self._played_ns),
                problem=self._problem(0, _WHOLE),
                warnings=(*self._warnings, *self._clocks()),
                courses=time_series.of_stage(self._ledger, self._operations, self._first_ns, self._end_ns),
            )
        ]
        for cell in timed:
            kind = cell.benchmark.rpartition("/")[2]
            if kind == "start":
                found += self._blocks(cell, self._operations[kind], *self._arrivals, self._arrived_ns)
            else:
                found += self._blocks(cell, self._operations[kind], self._playing_ns, self._played_ns, _WHOLE)
        return tuple(found)

    @property
    def _arrivals(self) -> tuple[int, int]:
        """From the first arrival due to the last."""
        due = self._operations["start"].due if "start" in self._operations else np.zeros(0, np.int64)
        return self._first_ns, int(due[-1]) if due.size else self._first_ns

    def _blocks(self, cell: Cell, operations: Operations, begin_ns: int, end_ns: int, over_ns: int) -> list[Trial]:
        """The operations of a cell as trials. What went wrong after ``over_ns`` does not concern them."""
        warnings = tuple(self._late()) if operations is self._operations.get("keystroke") else ()
        cuts = schedule.blocks(max(1, (end_ns - begin_ns) // SECOND_NS))
        found = []
        for block, (first, end) in enumerate(cuts):
            # What was due at either end belongs to the first or the last.
            first_ns = begin_ns + first * SECOND_NS if block else -_WHOLE
            last_ns = begin_ns + end * SECOND_NS if block < len(cuts) - 1 else _WHOLE
            places = operations.between(first_ns, last_ns)
            samples = tuple(operations.samples(*places))
            if not samples and block:
                continue
            usage = self._usage(begin_ns + first * SECOND_NS, begin_ns + end * SECOND_NS)
            problem = self._problem(first_ns, min(last_ns, over_ns))
            found.append(
                Trial(cell=cell, block=block, samples=samples, usage=usage, problem=problem, warnings=warnings)
            )
        return found

    # --- what stands against it

    def _remarks(self) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
        """Problems with the moment from which on they hold, and warnings."""
        ledger, passed = self._ledger, self._passed
        problems = [
            (death.at_ns, f"{death.name} {death.reason}; {death.sessions:,} sessions were lost with it")
            for death in ledger.deaths
        ]
        warnings = []
        if ledger.server_death:
            problems.append((self._first_ns, ledger.server_death))
        if passed.stop is not None and passed.stop.reason != ledger.server_death:
            text = f"arrivals stopped at {passed.up:,} of {passed.wanted:,} sessions: {passed.stop.reason}"
            if passed.stop.ours or not self._expects_sessions():
                problems.append((self._first_ns, text))
            else:
                warnings.append(text)
        elif passed.arrived_ns is not None and not passed.up:
            problems.append((self._first_ns, "no session came up"))
        problems += [(self._first_ns, text) for text in ledger.problems]
        if passed.silent:
            warnings.append(f"{passed.silent:,} sessions that were to print did not")
        return problems, tuple(warnings)

    def _late(self) -> list[str]:
        """A word where the clients sent so late that the latency is theirs rather than the server's."""
        keys = self._operations.get("keystroke")
        if not keys:
            return []
        late_ns = quantile(Series(keys.sent - keys.due), _LATE_QUANTILE)
        took_ns = quantile(Series(keys.seen - keys.due), _LATE_QUANTILE)
        if late_ns < max(LATE_NS, took_ns / 2):
            return []
        return [
            f"keys were sent {late_ns / 1e6:.1f} ms late at p99, most of the {took_ns / 1e6:.1f} ms they took; "
            "other work has the processors, or the clients need more of them"
        ]

    def _clocks(self) -> tuple[str, ...]:
        """How exact moments of different clients are beside each other, where that is worth a word."""
        if self._ledger.clock_error_ns <= CLOCK_ERROR_NS:
            return ()
        apart = f"{self._ledger.clock_error_ns / 1e6:.1f} ms"
        return (f"the clocks of the clients agree to {apart}: so exact are moments; latencies are of one clock each",)

    def _expects_sessions(self) -> bool:
        """Whether there is a threshold that a server which lets too few in misses."""
        parameter = self._plan.load.scenario.parameters[self._number]
        names = (of.SESSIONS, of.ERRORS, of.ERROR_SHARE)
        return any(each.measure.metric in names for where, each in self._plan.expectations if where in ("*", parameter))

    def _problem(self, first_ns: int, end_ns: int) -> str:
        """What went wrong between two moments of the stage."""
        return "; ".join(text for at_ns, text in self._problems if first_ns <= at_ns < end_ns and at_ns <= self._end_ns)

    # --- what was counted and read

    def _points(self) -> list[Point]:
        found = []
        for name, value in self._levels().items():
            if value is not None and math.isfinite(value):
                found += [Point(each, 0, value) for each in (name, *self._plan.further.get(name, ()))]
        return found

    def _levels(self) -> dict[str, float | None]:
        ledger, passed = self._ledger, self._passed
        seconds = (self._played_ns - self._playing_ns) / SECOND_NS
        keys, starts = self._operations.get("keystroke"), self._operations.get("start")
        echoed = 0 if keys is None else len(keys) - len(keys.noted)
        lost = self._lost()
        failed = sum(len(each.noted) for each in self._operations.values())
        every = sum(len(each) for each in self._operations.values()) + lost
        heard = [[(each.at_ns, each.heard_bytes) for each in pulses] for pulses in ledger.pulses]
        played = seconds > 0
        arrivals_cpu_ns = sum(self._client_cpu_ns(self._first_ns, self._arrived_ns))
        playing_cpu_ns = self._client_cpu_ns(self._playing_ns, self._played_ns)
        usage = self._usage(self._playing_ns, self._played_ns)
        server = None if usage is None or usage.server_cpu_ns is None else usage.server_cpu_ns
        return {
            of.SESSIONS: passed.up if passed.arrived_ns is not None else ledger.up,
            of.RAMP_RATE: _per_second(starts, self._stage.ramp),
            of.ERRORS: failed + lost,
            of.ERROR_SHARE: 100 * (failed + lost) / every if every else None,
            of.LOST: lost,
            of.KEY_RATE: echoed / seconds if played and keys is not None else None,
            of.LATE: quantile(Series(keys.sent - keys.due), _LATE_QUANTILE) if keys else None,
            of.OUTPUT_RATE: sum(_grown(each, self._playing_ns, self._played_ns) for each in heard) / seconds
            if played
            else None,
            of.PSS: self._pss(),
            of.PSS_PER_SESSION: self._pss_per_session(),
            of.SERVER_CPU: 100 * server / seconds / SECOND_NS if played and server is not None else None,
            of.CLIENT_CPU: 100 * max(playing_cpu_ns, default=0.0) / seconds / SECOND_NS if played else None,
            of.CLIENT_KEY: sum(playing_cpu_ns) / echoed if echoed else None,
            of.CLIENT_START: arrivals_cpu_ns / len(starts) if starts else None,
            of.CLIENT_PAUSE: self._pause() if played else None,
        }

    def _lost(self) -> int:
        """Sessions that were lost in this stage, one by one or with their client process."""
        first_ns, end_ns = self._first_ns, self._end_ns
        alone = sum(first_ns <= each.at_ns <= end_ns for each in self._ledger.lost)
        return alone + sum(each.sessions for each in self._ledger.deaths if first_ns <= each.at_ns <= end_ns)

    def _pss(self) -> float | None:
        """The most the server had."""
        weighed = [
            float(each.pss_bytes)
            for each in self._ledger.readings
            if each.pss_bytes is not None and self._first_ns <= each.at_ns <= self._end_ns
        ]
        if self._passed.full_pss_bytes is not None:
            weighed.append(self._passed.full_pss_bytes)
        return max(weighed, default=None)

    def _pss_per_session(self) -> float | None:
        """Once all had arrived and nobody did anything yet, beyond what it had at the beginning of the load."""
        full, empty, up = self._passed.full_pss_bytes, self._ledger.empty_pss_bytes, self._passed.up
        return None if full is None or empty is None or not up else max(0.0, full - empty) / up

    def _pause(self) -> float:
        return max(
            (
                float(each.pause_ns)
                for pulses in self._ledger.pulses
                for each in pulses
                if self._playing_ns < each.at_ns <= self._played_ns
            ),
            default=0.0,
        )

    def _client_cpu_ns(self, first_ns: int, end_ns: int) -> list[float]:
        """Processor time of each client process between two moments."""
        clocks = [[(each.at_ns, each.cpu_ns) for each in pulses] for pulses in self._ledger.pulses]
        return [_grown(each, first_ns, end_ns) for each in clocks]

    def _usage(self, first_ns: int, end_ns: int) -> CpuUsage | None:
        """Processor time between two moments; the client's is that of the busiest process."""
        clients = self._client_cpu_ns(first_ns, end_ns)
        if end_ns <= first_ns or not clients:
            return None
        clock = [(each.at_ns, each.cpu_ns) for each in self._ledger.readings]
        return CpuUsage(
            elapsed_ns=end_ns - first_ns,
            client_cpu_ns=round(max(clients)),
            server_cpu_ns=round(_grown(clock, first_ns, end_ns)) if len(clock) >= 2 else None,
        )


def _per_second(starts: Operations | None, rate: float) -> float | None:
    """Sessions that came, over the time from the first due until the last was there; no faster than they were due."""
    if not starts:
        return None
    fine = len(starts) - len(starts.noted)
    return fine / max((int(starts.seen.max()) - int(starts.due[0])) / SECOND_NS, len(starts) / rate)


def _grown(counter: Sequence[tuple[int, float]], first_ns: int, end_ns: int) -> float:
    """By how much a counter grew between two moments."""
    first, end = time_series.at(counter, [first_ns, end_ns])
    return max(0.0, float(end - first))
