"""A load as a run: the record that ``report``, ``validate``, ``compare`` and ``history`` read.

Each stage is a parameter. Timed operations are divided into blocks by the time when they were due: operations close in
time are correlated, so two runs must be compared by the variation between blocks. Times are ns since the start of the
run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from web_terminal_suite.bench.clock import SECOND_NS
from web_terminal_suite.bench.load import metrics, schedule, time_series
from web_terminal_suite.bench.load.operations import Operations
from web_terminal_suite.bench.load.plan import kind_of
from web_terminal_suite.bench.samples import SCHEMA, CpuUsage, Point, Run, Trial
from web_terminal_suite.bench.stats.quantiles import needed, quantile
from web_terminal_suite.bench.stats.series import Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_terminal_suite.bench.load.collector import Collector
    from web_terminal_suite.bench.load.plan import LoadPlan
    from web_terminal_suite.bench.load.scenario import LoadStage
    from web_terminal_suite.bench.samples import Cell

CLOCK_ERROR_NS: Final = 1_000_000
"""A larger difference between the clocks of load generators is stated; a second on a chart is a thousand times that."""

DELAY_NS: Final = 1_000_000
"""A smaller delay of the load generators is normal for timers and schedulers."""

_DELAY_QUANTILE: Final = 0.99
_FEWEST_DELAYS: Final = needed(_DELAY_QUANTILE, 0.95)
"""Keys below which there is no p99 of their delay."""
_FOREVER_NS: Final = 1 << 62


def header(plan: LoadPlan, started: str, options: dict[str, Any], machine: dict[str, Any]) -> Run:
    """The run before anything was measured."""
    stages = range(len(plan.config.scenario.stage))
    return Run(
        schema=SCHEMA,
        started=started,
        seed=plan.config.seed,
        options=options,
        machine=machine,
        terminals=(plan.terminal,),
        benchmarks=plan.benchmarks,
        trials=(),
        planned=tuple(cell for number in stages for cell in plan.cells(number)),
    )


def trials(plan: LoadPlan, collector: Collector, number: int) -> tuple[Trial, ...]:
    """Everything that was measured in one stage so far; nothing if it has not started."""
    if collector.stages[number].ramp_start_ns is None:
        return ()
    return _StageRecord(plan, collector, number).trials()


class _StageRecord:
    """The trials of one stage, from what a collector holds."""

    def __init__(self, plan: LoadPlan, collector: Collector, number: int) -> None:
        self._plan = plan
        self._collector = collector
        self._number = number
        self._stage: LoadStage = plan.config.scenario.stage[number]
        self._progress = progress = collector.stages[number]
        kinds = [kind_of(cell) for cell in plan.cells(number)[1:]]
        self._operations = {kind: Operations(collector.batches.get((number, kind), ())) for kind in kinds}
        latest_ns = max((heartbeats[-1].at_ns for heartbeats in collector.heartbeats if heartbeats), default=0)
        self._ramp_start_ns = progress.ramp_start_ns or 0
        self._ramp_end_ns = latest_ns if progress.ramp_end_ns is None else progress.ramp_end_ns
        self._plateau_start_ns = latest_ns if progress.plateau_start_ns is None else progress.plateau_start_ns
        self._plateau_end_ns = latest_ns if progress.plateau_end_ns is None else progress.plateau_end_ns
        self._end_ns = latest_ns if progress.end_ns is None else progress.end_ns
        self._problems, self._warnings = self._problems_and_warnings()

    def trials(self) -> tuple[Trial, ...]:
        levels, *timed = self._plan.cells(self._number)
        found = [
            Trial(
                cell=levels,
                block=0,
                points=tuple(self._points()),
                usage=self._usage(self._plateau_start_ns, self._plateau_end_ns),
                problem=self._problem(0, _FOREVER_NS),
                warnings=(*self._warnings, *self._clock_warnings()),
                courses=time_series.of_stage(self._collector, self._operations, self._ramp_start_ns, self._end_ns),
            )
        ]
        for cell in timed:
            if kind_of(cell) == "start":
                found += self._blocks(cell, self._ramp_start_ns, self._last_start_ns, self._ramp_end_ns)
            else:
                found += self._blocks(cell, self._plateau_start_ns, self._plateau_end_ns, _FOREVER_NS)
        return tuple(found)

    @property
    def _last_start_ns(self) -> int:
        """When the last session was due."""
        due = self._operations["start"].due
        return int(due[-1]) if due.size else self._ramp_start_ns

    def _blocks(self, cell: Cell, start_ns: int, end_ns: int, problems_end_ns: int) -> list[Trial]:
        """The operations of a cell as trials. Problems from ``problems_end_ns`` on do not concern them."""
        operations = self._operations[kind_of(cell)]
        warnings = self._delay_warnings() if kind_of(cell) == "keystroke" else ()
        bounds = schedule.blocks(max(1, (end_ns - start_ns) // SECOND_NS))
        found = []
        for block, (first, end) in enumerate(bounds):
            # Operations due before or after the stage belong to the first or the last block.
            first_ns = start_ns + first * SECOND_NS if block else -_FOREVER_NS
            last_ns = start_ns + end * SECOND_NS if block < len(bounds) - 1 else _FOREVER_NS
            samples = tuple(operations.samples(*operations.between(first_ns, last_ns)))
            if not samples and block:
                continue
            if not samples and not operations and not self._problem(-_FOREVER_NS, problems_end_ns):
                # Nothing went wrong: the scenario makes none, or the stage was too short for one.
                return [Trial(cell=cell, block=0, infeasible=f"no {kind_of(cell)} was made")]
            usage = self._usage(start_ns + first * SECOND_NS, start_ns + end * SECOND_NS)
            problem = self._problem(first_ns, min(last_ns, problems_end_ns))
            found.append(
                Trial(cell=cell, block=block, samples=samples, usage=usage, problem=problem, warnings=warnings)
            )
        return found

    # --- problems and warnings

    def _problems_and_warnings(self) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
        """Problems, each with the time from which on it exists, and warnings."""
        collector, progress = self._collector, self._progress
        problems = [
            (failure.at_ns, f"{failure.name} {failure.reason}; {failure.sessions:,} sessions were lost with it")
            for failure in collector.failures
        ]
        warnings = []
        if collector.server_failure:
            problems.append((self._ramp_start_ns, collector.server_failure))
        if progress.stop is not None and progress.stop.reason != collector.server_failure:
            text = f"arrivals stopped at {progress.up:,} of {progress.planned:,} sessions: {progress.stop.reason}"
            if progress.stop.ours or not self._has_session_threshold():
                problems.append((self._ramp_start_ns, text))
            else:
                warnings.append(text)
        elif progress.ramp_end_ns is not None and not progress.up:
            problems.append((self._ramp_start_ns, "no session came up"))
        if collector.aborted and progress.end_ns is not None:
            warnings.append(f"aborted: {collector.aborted} could no longer be met")
        if progress.silent:
            warnings.append(f"{progress.silent:,} sessions that should have printed did not")
        return problems, tuple(warnings)

    def _delay_warnings(self) -> tuple[str, ...]:
        """A warning if the load generators sent so late that most of the latency is their own delay."""
        keys = self._operations.get("keystroke")
        if not keys or len(keys) < _FEWEST_DELAYS:
            return ()
        delay_ns = quantile(Series(keys.sent - keys.due), _DELAY_QUANTILE)
        latency_ns = quantile(Series(keys.seen - keys.due), _DELAY_QUANTILE)
        if delay_ns < max(DELAY_NS, latency_ns / 2):
            return ()
        text = (
            f"keys were sent {delay_ns / 1e6:.1f} ms late at p99, most of the {latency_ns / 1e6:.1f} ms they took; "
            "other programs use the processors, or the load needs more clients"
        )
        return (text,)

    def _clock_warnings(self) -> tuple[str, ...]:
        """A warning if the clocks of the load generators differ by more than ``CLOCK_ERROR_NS``."""
        if self._collector.clock_error_ns <= CLOCK_ERROR_NS:
            return ()
        error = f"{self._collector.clock_error_ns / 1e6:.1f} ms"
        return (
            f"the clocks of the clients agree to {error}, and so do times of different clients; "
            "a latency is measured with one clock",
        )

    def _has_session_threshold(self) -> bool:
        """Whether a threshold judges how many sessions the server accepts."""
        parameter = self._plan.config.scenario.parameters[self._number]
        names = (metrics.SESSIONS, metrics.ERRORS, metrics.ERROR_SHARE)
        return any(each.metric.metric in names for where, each in self._plan.thresholds if where in ("*", parameter))

    def _problem(self, first_ns: int, end_ns: int) -> str:
        """The problems between two times of the stage."""
        return "; ".join(text for at_ns, text in self._problems if first_ns <= at_ns < end_ns and at_ns <= self._end_ns)

    # --- level metrics

    def _points(self) -> list[Point]:
        found = []
        for name, value in self._levels().items():
            if value is not None and math.isfinite(value):
                found += [Point(each, 0, value) for each in (name, *self._plan.metric_copies.get(name, ()))]
        return found

    def _levels(self) -> dict[str, float | None]:
        """Every level metric; ``None`` where it cannot be known."""
        return {**self._counts(), **self._server_levels(), **self._client_levels()}

    @property
    def _plateau_seconds(self) -> float | None:
        seconds = (self._plateau_end_ns - self._plateau_start_ns) / SECOND_NS
        return seconds if seconds > 0 else None

    @property
    def _echoed(self) -> int:
        keys = self._operations.get("keystroke")
        return 0 if keys is None else keys.succeeded

    def _counts(self) -> dict[str, float | None]:
        collector, progress, seconds = self._collector, self._progress, self._plateau_seconds
        lost = self._lost()
        failed = sum(len(each.failures) for each in self._operations.values())
        total = sum(len(each) for each in self._operations.values()) + lost
        received = [[(each.at_ns, each.received_bytes) for each in generator] for generator in collector.heartbeats]
        received_bytes = sum(_growth(each, self._plateau_start_ns, self._plateau_end_ns) for each in received)
        return {
            metrics.SESSIONS: progress.up if progress.ramp_end_ns is not None else collector.up,
            metrics.RAMP_RATE: _ramp_rate(self._operations.get("start"), self._stage.ramp),
            metrics.ERRORS: failed + lost,
            metrics.ERROR_SHARE: 100 * (failed + lost) / total if total else None,
            metrics.LOST_SESSIONS: lost,
            metrics.KEYSTROKE_RATE: self._echoed / seconds if seconds and "keystroke" in self._operations else None,
            metrics.OUTPUT_RATE: received_bytes / seconds if seconds else None,
        }

    def _server_levels(self) -> dict[str, float | None]:
        usage, seconds = self._usage(self._plateau_start_ns, self._plateau_end_ns), self._plateau_seconds
        cpu_ns = None if usage is None else usage.server_cpu_ns
        return {
            metrics.SERVER_PSS: self._pss(),
            metrics.SERVER_PSS_PER_SESSION: self._pss_per_session(),
            metrics.SERVER_CPU: 100 * cpu_ns / seconds / SECOND_NS if seconds and cpu_ns is not None else None,
        }

    def _client_levels(self) -> dict[str, float | None]:
        keys, starts = self._operations.get("keystroke"), self._operations.get("start")
        seconds = self._plateau_seconds
        ramp_cpu_ns = sum(self._client_cpu_ns(self._ramp_start_ns, self._ramp_end_ns))
        cpu_ns = self._client_cpu_ns(self._plateau_start_ns, self._plateau_end_ns)
        delays = keys.sent - keys.due if keys and len(keys) >= _FEWEST_DELAYS else None
        return {
            metrics.CLIENT_DELAY: None if delays is None else quantile(Series(delays), _DELAY_QUANTILE),
            metrics.CLIENT_CPU: 100 * max(cpu_ns, default=0.0) / seconds / SECOND_NS if seconds else None,
            metrics.CLIENT_CPU_PER_KEYSTROKE: sum(cpu_ns) / self._echoed if self._echoed else None,
            metrics.CLIENT_CPU_PER_START: ramp_cpu_ns / len(starts) if starts else None,
            metrics.CLIENT_PAUSE: self._longest_gc_pause() if seconds else None,
        }

    def _lost(self) -> int:
        """Sessions that were lost in this stage, one by one or with their load generator."""
        first_ns, end_ns = self._ramp_start_ns, self._end_ns
        lost = sum(first_ns <= each.at_ns <= end_ns for each in self._collector.lost)
        return lost + sum(each.sessions for each in self._collector.failures if first_ns <= each.at_ns <= end_ns)

    def _pss(self) -> float | None:
        """The maximum memory of the server in this stage."""
        measured = [
            float(each.pss_bytes)
            for each in self._collector.server_samples
            if each.pss_bytes is not None and self._ramp_start_ns <= each.at_ns <= self._end_ns
        ]
        if self._progress.full_pss_bytes is not None:
            measured.append(self._progress.full_pss_bytes)
        return max(measured, default=None)

    def _pss_per_session(self) -> float | None:
        """Memory with all sessions idle, minus memory before the first session, per session."""
        full, empty, up = self._progress.full_pss_bytes, self._collector.empty_pss_bytes, self._progress.up
        return None if full is None or empty is None or not up else max(0.0, full - empty) / up

    def _longest_gc_pause(self) -> float:
        pauses = [
            float(each.gc_pause_ns)
            for heartbeats in self._collector.heartbeats
            for each in heartbeats
            if self._plateau_start_ns < each.at_ns <= self._plateau_end_ns
        ]
        return max(pauses, default=0.0)

    def _client_cpu_ns(self, first_ns: int, end_ns: int) -> list[float]:
        """Processor time of each load generator between two times."""
        counters = [[(each.at_ns, each.cpu_ns) for each in generator] for generator in self._collector.heartbeats]
        return [_growth(each, first_ns, end_ns) for each in counters]

    def _usage(self, first_ns: int, end_ns: int) -> CpuUsage | None:
        """Processor time between two times; the client's is that of the busiest load generator."""
        clients = self._client_cpu_ns(first_ns, end_ns)
        if end_ns <= first_ns or not clients:
            return None
        server = [(each.at_ns, each.cpu_ns) for each in self._collector.server_samples]
        return CpuUsage(
            elapsed_ns=end_ns - first_ns,
            client_cpu_ns=round(max(clients)),
            server_cpu_ns=round(_growth(server, first_ns, end_ns)) if len(server) >= 2 else None,
        )


def _ramp_rate(starts: Operations | None, rate: float) -> float | None:
    """Sessions that came up, over the time from the first due until the last was up; at most ``rate``."""
    if not starts:
        return None
    elapsed = (int(starts.seen.max()) - int(starts.due[0])) / SECOND_NS
    return starts.succeeded / max(elapsed, len(starts) / rate)


def _growth(counter: Sequence[tuple[int, float]], first_ns: int, end_ns: int) -> float:
    """How much a counter grew between two times."""
    first, end = time_series.interpolate(counter, [first_ns, end_ns])
    return max(0.0, float(end - first))
