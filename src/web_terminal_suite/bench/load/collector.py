"""Everything a load has told so far: complete at any moment, so that an end in the middle loses nothing.

Moments are integer ns of the run.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from web_terminal_suite.bench.load import messages


class Heartbeat(NamedTuple):
    """A tick without its operations."""

    at_ns: int
    up: int
    waiting: int
    cpu_ns: int
    pause_ns: int
    heard_bytes: int
    memory_bytes: int


class ServerSample(NamedTuple):
    """The server's processes; ``pss_bytes`` is ``None`` where weighing them again would have cost too much."""

    at_ns: int
    pss_bytes: int | None
    cpu_ns: int


class GeneratorFailure(NamedTuple):
    """A shard that ended before it was told to, and how many sessions went with it."""

    shard: int
    name: str
    at_ns: int
    sessions: int
    reason: str


class RampStop(NamedTuple):
    """Why arrivals stopped early. ``ours``: a limit of the machine that the load comes from."""

    reason: str
    ours: bool


@dataclass
class Milestones:
    """How far a stage has come; a moment that is not reached yet is ``None``."""

    arrivals_ns: int | None = None
    arrived_ns: int | None = None
    playing_ns: int | None = None
    played_ns: int | None = None
    end_ns: int | None = None
    """As planned."""
    wanted: int = 0
    up: int = 0
    """Once everybody had arrived."""
    full_pss_bytes: float | None = None
    silent: int = 0
    stop: RampStop | None = None


@dataclass
class Collector:
    """What was heard from shards, and what was read of the server."""

    shards: int
    stages: int
    empty_pss_bytes: float | None = None
    clock_error_ns: int = 0
    """By how much moments of different shards may be apart."""
    server_death: str = ""
    milestones: list[Milestones] = field(init=False)
    batches: dict[tuple[int, str], list[messages.OperationBatch]] = field(init=False)
    pulses: list[list[Heartbeat]] = field(init=False)
    lost: list[messages.SessionLost] = field(default_factory=list)
    readings: list[ServerSample] = field(default_factory=list)
    deaths: list[GeneratorFailure] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stayed: int = 0

    def __post_init__(self) -> None:
        self.milestones = [Milestones() for _ in range(self.stages)]
        self.batches = defaultdict(list)
        self.pulses = [[] for _ in range(self.shards)]

    def enter(self, shard: int, tick: messages.ProgressReport) -> None:
        """A tick of a shard."""
        for batch in tick.batches:
            self.batches[batch.stage, batch.kind].append(batch)
        self.lost += tick.lost
        self.pulses[shard].append(
            Heartbeat(
                tick.at_ns, tick.up, tick.waiting, tick.cpu_ns, tick.pause_ns, tick.heard_bytes, tick.memory_bytes
            )
        )

    def bury(self, shard: int, name: str, at_ns: int, reason: str) -> None:
        """A shard is gone, and its sessions with it."""
        pulses = self.pulses[shard]
        up = pulses[-1].up if pulses else 0
        self.deaths.append(GeneratorFailure(shard, name, at_ns, up, reason))
        if pulses:
            pulses.append(pulses[-1]._replace(at_ns=at_ns, up=0, waiting=0))

    @property
    def up(self) -> int:
        """Sessions that are up now."""
        return sum(pulses[-1].up for pulses in self.pulses if pulses)

    def failed(self, stage: int | None = None) -> Counter[str]:
        """Operations that failed, by reason."""
        return Counter(
            reason
            for (number, _), batches in self.batches.items()
            if stage in (None, number)
            for batch in batches
            for _, _, reason in batch.noted
        )
