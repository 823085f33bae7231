"""The messages between the coordinator and a load generator, and their framing. No I/O.

A frame is a length of four bytes, big-endian, and that many bytes of msgpack. Times are integer ns: of the generator's
own clock in ``ClockReading`` and ``BeginRun``, otherwise since the start of the run, which ``BeginRun`` sets.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from web_terminal_suite.client.address import Address

HEADER_BYTES: Final = 4
FRAME_LIMIT_BYTES: Final = 256 << 20
"""Ten times what a second with a million keys takes."""


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """The first command: which generator this is, and what it connects to. Answered by ``GeneratorReady``.

    ``dialect`` is a class and ``behaviours`` are a tuple, as ``extension_modules.dumps`` writes them; both ends run the
    same version of this package.
    """

    generator: int
    generators: int
    version: str
    address: Address
    dialect: bytes
    behaviours: bytes
    seed: int
    timeout: float
    sources: tuple[str, ...] = ()
    """Local addresses to connect from, in rotation; empty: the kernel chooses."""
    posix_shell: bool = True
    """As ``Running`` has it."""


class ReadClock(msgspec.Struct, frozen=True, tag="clock"):
    """Asks for the generator's clock. Answered by ``ClockReading``."""

    number: int


class BeginRun(msgspec.Struct, frozen=True, tag="go"):
    """The run starts at this time of the generator's clock."""

    at_ns: int


class StartSessions(msgspec.Struct, frozen=True, kw_only=True, tag="arrive"):
    """Ramp up: all generators together start sessions ``first`` .. ``last - 1`` at ``rate`` per second from ``at_ns``.

    Answered by ``SessionsStarted``.
    """

    stage: int
    first: int
    last: int
    rate: float
    at_ns: int


class RoleAssignment(msgspec.Struct, frozen=True, kw_only=True):
    """A generator's sessions with one role, and their positions among all ``total`` sessions with that role."""

    sessions: list[int]
    positions: list[int]
    total: int


class RunStage(msgspec.Struct, frozen=True, kw_only=True, tag="play"):
    """Play the roles from ``at_ns`` on for ``seconds``. Answered by ``StageDone`` once no operation is in flight."""

    stage: int
    at_ns: int
    seconds: float
    typing: float
    assignments: dict[str, RoleAssignment]
    steady_line: str
    steady_every: float
    burst_line: str
    burst_every: float
    reconnect_every: float
    resize_every: float
    behaviours_every: dict[str, float]


class StopStarting(msgspec.Struct, frozen=True, tag="halt"):
    """Start no more sessions and no more operations in this stage; those in flight are completed."""


class EndSessions(msgspec.Struct, frozen=True, tag="leave"):
    """End every session, or with ``abort`` only close the sockets. Answered by ``SessionsEnded``."""

    abort: bool = False


Command = Configure | ReadClock | BeginRun | StartSessions | RunStage | StopStarting | EndSessions


class GeneratorReady(msgspec.Struct, frozen=True, tag="ready"):
    """The generator is configured. ``descriptors`` is the number that it may open."""

    machine: str
    descriptors: int


class ClockReading(msgspec.Struct, frozen=True, tag="time"):
    """The generator's clock when it received ``ReadClock``."""

    number: int
    at_ns: int


class OperationBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Operations of one kind that ended since the last report: columns of machine integers, ns since the run's start.

    ``due``, ``sent``, ``seen``: int64. ``failures``: position in the batch, outcome and reason of each that failed.
    """

    kind: str
    stage: int
    due: bytes
    sent: bytes
    seen: bytes
    failures: list[tuple[int, str, str]]


class SessionLost(msgspec.Struct, frozen=True):
    """A session that was up and ended although the generator did not end it."""

    session: int
    at_ns: int
    reason: str


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True, tag="tick"):
    """A generator's heartbeat: its counters at ``at_ns``, and what ended since the last report."""

    at_ns: int
    up: int
    """Sessions that are up."""
    pending_keys: int
    """Keys that were sent and whose echo has not arrived."""
    cpu_ns: int
    gc_pause_ns: int
    """Duration of the last garbage collection."""
    received_bytes: int
    batches: list[OperationBatch]
    lost: list[SessionLost]


class SessionsStarted(msgspec.Struct, frozen=True, tag="arrived"):
    """Every session of the ramp-up is up, has failed, or was not started because of ``StopStarting`` or ``RampStuck``.

    ``up`` are all sessions of this generator that are up, those of earlier stages included.
    """

    stage: int
    up: list[int]


class RampStuck(msgspec.Struct, frozen=True, tag="stuck"):
    """Sessions fail to start for a reason that persists. ``ours``: a limit of this machine, not of the server."""

    reason: str
    ours: bool


class StageDone(msgspec.Struct, frozen=True, tag="played"):
    """The stage is over. ``silent``: number of sessions that should have printed and did not."""

    stage: int
    silent: int


class SessionsEnded(msgspec.Struct, frozen=True, tag="left"):
    """All sessions have ended except ``remaining``, which could not be ended."""

    remaining: int


class GeneratorError(msgspec.Struct, frozen=True, tag="failed"):
    """The generator cannot continue because of an error in this program."""

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
_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_report_decoder: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def encode_frame(message: Command | Report) -> bytes:
    """The frame of one message: header and payload."""
    payload = _encoder.encode(message)
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


def payload_length(header: bytes) -> int:
    """Number of payload bytes that follow ``header``.

    Raises:
        ValueError: more than ``FRAME_LIMIT_BYTES``.
    """
    size = int.from_bytes(header, "big")
    if size > FRAME_LIMIT_BYTES:
        raise ValueError(f"a frame of {size} bytes; at most {FRAME_LIMIT_BYTES} are read")
    return size


def decode_command(payload: bytes) -> Command:
    """A message to a load generator.

    Raises:
        ValueError: not a command of this version.
    """
    return _decode(_command_decoder, payload)


def decode_report(payload: bytes) -> Report:
    """A message from a load generator.

    Raises:
        ValueError: not a report of this version.
    """
    return _decode(_report_decoder, payload)


def _decode(decoder: msgspec.msgpack.Decoder[_M], payload: bytes) -> _M:
    try:
        return decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a message of this version: {error}") from error
