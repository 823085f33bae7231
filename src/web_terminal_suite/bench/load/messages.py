"""What a shard and the conductor say to each other, and how it is framed. No I/O.

A frame is four bytes of length, most significant first, and msgpack. Moments are integer ns of the shard's own clock
in ``ReadClock`` and ``BeginRun``, else of the run, which begins at ``BeginRun``.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.client.address import Address

HEAD_BYTES: Final = 4
FRAME_LIMIT_BYTES: Final = 256 << 20
"""A second of a million keys is a tenth of that."""


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """Who a shard is. ``dialect`` is pickled: it is a class of the same version of this project."""

    shard: int
    shards: int
    version: str
    address: Address
    dialect: bytes
    seed: int
    timeout: float
    sources: tuple[str, ...] = ()
    """Local addresses to dial from, in turn; any where there are none."""


class ReadClock(msgspec.Struct, frozen=True, tag="clock"):
    """What time is it with you? Answered by ``ClockReading``."""

    number: int


class BeginRun(msgspec.Struct, frozen=True, tag="go"):
    """The run begins at this moment of your clock."""

    at_ns: int


class StartSessions(msgspec.Struct, frozen=True, kw_only=True, tag="arrive"):
    """Sessions ``first`` .. ``last - 1`` arrive at ``rate`` a second in all from ``at_ns`` on; dial those dealt to you.

    Answered by ``SessionsStarted``.
    """

    stage: int
    first: int
    last: int
    rate: float
    at_ns: int


class RoleAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """A shard's people of one role: ``numbers`` of their sessions, and the ``places`` they have among ``people``."""

    numbers: list[int]
    places: list[int]
    people: int


class RunStage(msgspec.Struct, frozen=True, kw_only=True, tag="play"):
    """Do it from ``at_ns`` on for ``seconds``. Answered by ``StageDone`` when nothing is under way any more."""

    stage: int
    at_ns: int
    seconds: float
    typing: float
    parts: dict[Role, RoleAssignment]
    steady_line: str
    steady_every: float
    burst_line: str
    burst_every: float
    reconnect_every: float
    resize_every: float


class StopStarting(msgspec.Struct, frozen=True, tag="halt"):
    """No more arrivals, no more of the stage; what is under way may come to its end."""


class EndSessions(msgspec.Struct, frozen=True, tag="leave"):
    """End every session and say ``SessionsEnded``; with ``at_once`` only drop the sockets."""

    at_once: bool = False


Command = Configure | ReadClock | BeginRun | StartSessions | RunStage | StopStarting | EndSessions


class GeneratorReady(msgspec.Struct, frozen=True, tag="ready"):
    """The shard is there and knows its order."""

    pid: int
    machine: str
    descriptors: int
    """As many as it may open."""


class ClockReading(msgspec.Struct, frozen=True, tag="time"):
    """The shard's clock when it read the question."""

    number: int
    at_ns: int


class OperationBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Operations of one kind that ended since the last tick: columns of machine integers, ns of the run.

    ``due``, ``sent``, ``seen``: int64. ``noted`` names those that are not plainly ok: place in the batch, outcome,
    reason.
    """

    kind: str
    stage: int
    due: bytes
    sent: bytes
    seen: bytes
    noted: list[tuple[int, str, str]]


class SessionLost(msgspec.Struct, frozen=True):
    """A session that was up and whose connection ended without our doing."""

    number: int
    at_ns: int
    reason: str


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True, tag="tick"):
    """What happened up to ``at_ns``. Counters count from the beginning."""

    at_ns: int
    up: int
    waiting: int
    """Keys on their way."""
    cpu_ns: int
    pause_ns: int
    """What looking for garbage took."""
    heard_bytes: int
    heard_pieces: int
    memory_bytes: int
    """The most this process ever had."""
    batches: list[OperationBatch]
    lost: list[SessionLost]


class SessionsStarted(msgspec.Struct, frozen=True, tag="arrived"):
    """Every arrival of the stage came or failed, or was never dialled because of ``stopped``. ``up``: who is there."""

    stage: int
    up: list[int]
    stopped: str = ""


class RampStuck(msgspec.Struct, frozen=True, tag="stuck"):
    """Arrivals fail for a reason that will not go away. ``ours``: this machine's limit, not the server's."""

    reason: str
    ours: bool


class StageDone(msgspec.Struct, frozen=True, tag="played"):
    """The stage is over. ``silent``: sessions that were to print and did not."""

    stage: int
    silent: int


class SessionsEnded(msgspec.Struct, frozen=True, tag="left"):
    """No session is left, but ``stayed`` that could not be ended."""

    stayed: int


class GeneratorError(msgspec.Struct, frozen=True, tag="failed"):
    """The shard cannot go on: an error of this program."""

    reason: str


Report = (
    GeneratorReady
    | ClockReading
    | ProgressReport
    | SessionsStarted
    | RampStuck
    | StageDone
    | SessionsEnded
    | GeneratorError
)

_M = TypeVar("_M")

_encoder = msgspec.msgpack.Encoder()
_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_reports: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def frame(message: Command | Report) -> bytes:
    """The bytes of one message."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(HEAD_BYTES, "big") + payload


def length(head: bytes) -> int:
    """How many bytes follow.

    Raises:
        ValueError: more than a frame may have.
    """
    size = int.from_bytes(head, "big")
    if size > FRAME_LIMIT_BYTES:
        raise ValueError(f"a frame of {size} bytes; at most {FRAME_LIMIT_BYTES} are read")
    return size


def command(payload: bytes) -> Command:
    """A message to a shard.

    Raises:
        ValueError: none of this version.
    """
    return _decoded(_commands, payload)


def report(payload: bytes) -> Report:
    """A message of a shard.

    Raises:
        ValueError: none of this version.
    """
    return _decoded(_reports, payload)


def _decoded(decoder: msgspec.msgpack.Decoder[_M], payload: bytes) -> _M:
    try:
        return decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no message of this version: {error}") from error
