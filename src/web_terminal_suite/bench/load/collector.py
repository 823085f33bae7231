"""Everything that the load generators have reported so far. Always complete, so that an interruption loses nothing.

Times are integer ns since the start of the run.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from web_terminal_suite.bench.load import messages


class Heartbeat(NamedTuple):
    """The counters of a progress report."""

    at_ns: int
    up: int
    pending_keys: int
    cpu_ns: int
    gc_pause_ns: int
    received_bytes: int


class ServerSample(NamedTuple):
    """Memory and processor time of the server's processes; ``pss_bytes`` is ``None`` if it was not measured."""

    at_ns: int
    pss_bytes: int | None
    cpu_ns: int


class GeneratorFailure(NamedTuple):
    """A load generator that ended before it was told to, and how many sessions were lost with it."""

    generator: int
    name: str
    at_ns: int
    sessions: int
    reason: str


class RampStop(NamedTuple):
    """Why a ramp-up stopped early. ``ours``: a limit of the machine that the load comes from."""

    reason: str
    ours: bool


@dataclass
class StageProgress:
    """How far a stage has come; a time that has not been reached is ``None``."""

    ramp_start_ns: int | None = None
    ramp_end_ns: int | None = None
    plateau_start_ns: int | None = None
    plateau_end_ns: int | None = None
    """As planned, or when the stage ended before that."""
    end_ns: int | None = None
    planned: int = 0
    """Sessions that should be up after the ramp-up."""
    up: int = 0
    """Sessions that were up after the ramp-up."""
    full_pss_bytes: float | None = None
    """Memory of the server between ramp-up and plateau, with all sessions idle."""
    silent: int = 0
    stop: RampStop | None = None


@dataclass
class Collector:
    """What ``generators`` load generators reported in ``stage_count`` stages, and the samples of the server."""

    generators: int
    stage_count: int
    empty_pss_bytes: float | None = None
    """Memory of the server before the first session."""
    clock_error_ns: int = 0
    """How far times of different load generators may be apart."""
    server_failure: str = ""
    """How the server ended, if it did not end as told."""
    stages: list[StageProgress] = field(init=False)
    batches: dict[tuple[int, str], list[messages.OperationBatch]] = field(init=False)
    """By stage and kind of operation."""
    heartbeats: list[list[Heartbeat]] = field(init=False)
    """By load generator."""
    lost: list[messages.SessionLost] = field(default_factory=list)
    server_samples: list[ServerSample] = field(default_factory=list)
    failures: list[GeneratorFailure] = field(default_factory=list)
    aborted: str = ""
    """The threshold that could no longer be met, for which the load was ended."""
    not_ended: int = 0
    """Sessions that could not be ended after the last stage."""

    def __post_init__(self) -> None:
        self.stages = [StageProgress() for _ in range(self.stage_count)]
        self.batches = defaultdict(list)
        self.heartbeats = [[] for _ in range(self.generators)]

    def add(self, generator: int, report: messages.ProgressReport) -> None:
        """Keep the report of a load generator."""
        for batch in report.batches:
            self.batches[batch.stage, batch.kind].append(batch)
        self.lost += report.lost
        self.heartbeats[generator].append(
            Heartbeat(
                report.at_ns,
                report.up,
                report.pending_keys,
                report.cpu_ns,
                report.gc_pause_ns,
                report.received_bytes,
            )
        )

    def mark_failed(self, generator: int, name: str, at_ns: int, reason: str) -> None:
        """A load generator has ended early, and its sessions are lost with it."""
        heartbeats = self.heartbeats[generator]
        up = heartbeats[-1].up if heartbeats else 0
        self.failures.append(GeneratorFailure(generator, name, at_ns, up, reason))
        if heartbeats:
            heartbeats.append(heartbeats[-1]._replace(at_ns=at_ns, up=0, pending_keys=0))

    @property
    def up(self) -> int:
        """Sessions that are up now."""
        return sum(heartbeats[-1].up for heartbeats in self.heartbeats if heartbeats)
