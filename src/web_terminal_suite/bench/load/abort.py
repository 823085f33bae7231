"""Thresholds that can no longer be met, while a load runs: what ``--abort-on-fail`` ends it for.

Only what is certain counts: a threshold fails here if it fails however well the rest of the stage goes. So there is no
time to wait at the start, and no load ends for a bad second that the rest would have made up for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from web_terminal_suite.bench.load import metrics
from web_terminal_suite.bench.load.plan import planned_operations
from web_terminal_suite.bench.stats.quantiles import PERCENTILES

if TYPE_CHECKING:
    from web_terminal_suite.bench.load import messages
    from web_terminal_suite.bench.load.collector import Collector
    from web_terminal_suite.bench.load.plan import LoadPlan
    from web_terminal_suite.bench.load.thresholds import Threshold

_COUNTS: Final = (metrics.ERRORS, metrics.LOST_SESSIONS)


class ThresholdWatch:
    """Counts, of every upper limit on a latency, the operations beyond it. ``add`` is called with each report."""

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._parameters = plan.config.scenario.parameters
        stages = range(len(self._parameters))
        self._beyond: dict[tuple[int, int], int] = {}
        self._sums_ns: dict[tuple[int, int], float] = {}
        self._failed = [0 for _ in stages]
        self._of_stage = [
            [each for each in enumerate(plan.thresholds) if each[1][0] in ("*", self._parameters[stage])]
            for stage in stages
        ]

    def add(self, report: messages.ProgressReport) -> None:
        for batch in report.batches:
            self._failed[batch.stage] += len(batch.failures)
            latency = None
            for number, (_, threshold) in self._of_stage[batch.stage]:
                if threshold.metric.benchmark != f"{metrics.SUITE}/{batch.kind}" or threshold.target.limit is None:
                    continue
                if latency is None:
                    latency = (np.frombuffer(batch.seen, np.int64) - np.frombuffer(batch.due, np.int64)).astype(float)
                    latency[[position for position, _, _ in batch.failures]] = np.inf
                key = batch.stage, number
                beyond = int((latency >= threshold.target.limit).sum())
                self._beyond[key] = self._beyond.get(key, 0) + beyond
                self._sums_ns[key] = self._sums_ns.get(key, 0.0) + float(latency.sum())

    def broken(self, stage: int, collector: Collector) -> Threshold | None:
        """A threshold of this stage that can no longer be met."""
        for number, (_, threshold) in self._of_stage[stage]:
            if self._is_broken(stage, number, threshold, collector):
                return threshold
        return None

    def _is_broken(self, stage: int, number: int, threshold: Threshold, collector: Collector) -> bool:
        target, limit = threshold.target, threshold.target.limit
        if limit is None:
            return False
        if threshold.metric.benchmark == metrics.LEVELS:
            return self._is_level_broken(stage, threshold, limit, collector)
        if not target.below:
            return False
        beyond = self._beyond.get((stage, number), 0)
        kind = threshold.metric.benchmark.rpartition("/")[2]
        planned = planned_operations(self._plan.config, stage, kind)
        if target.statistic == "max":
            return beyond > 0
        if target.statistic == "mean":
            return self._sums_ns.get((stage, number), 0.0) >= limit * max(planned, 1)
        # At most this many of all operations may be beyond the limit.
        allowed = planned - math.ceil(PERCENTILES[target.statistic] * planned)
        return beyond > allowed

    def _is_level_broken(self, stage: int, threshold: Threshold, limit: float, collector: Collector) -> bool:
        metric, progress = threshold.metric.metric, collector.stages[stage]
        start_ns = progress.ramp_start_ns
        if start_ns is None:
            return False
        if not threshold.target.below:
            is_known = metric == metrics.SESSIONS and progress.ramp_end_ns is not None
            return is_known and collector.stages[stage].up < limit
        lost = sum(each.at_ns >= start_ns for each in collector.lost)
        lost += sum(each.sessions for each in collector.failures if each.at_ns >= start_ns)
        if metric in _COUNTS:
            return (lost if metric == metrics.LOST_SESSIONS else lost + self._failed[stage]) >= limit
        if metric == metrics.ERROR_SHARE:
            kinds = (each.benchmark.rpartition("/")[2] for each in self._plan.cells(stage)[1:])
            planned = sum(planned_operations(self._plan.config, stage, kind) for kind in kinds)
            return planned > 0 and 100 * (self._failed[stage] + lost) / (planned + lost) >= limit
        if metric == metrics.SERVER_PSS:
            seen = [each.pss_bytes for each in collector.server_samples if each.at_ns >= start_ns]
            return any(each is not None and each >= limit for each in seen)
        return False
