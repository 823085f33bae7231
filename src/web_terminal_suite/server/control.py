"""What the supervisor and a PTY host say to each other: msgpack over ``SOCK_SEQPACKET``, with descriptors.

A host keeps a second copy of its sessions in the supervisor: the terminals' masters, the memory of their logs and a
record of each. A host that is started for one that died gets them back.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import ipc
from web_terminal_suite.server.ipc import SERIAL_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class SessionRecord(msgspec.Struct, kw_only=True, array_like=True, frozen=True):
    """A session, as another host needs it. Times are monotonic seconds, which all processes of a machine share.

    ``idle_since`` is ``None`` where it is not known; the idle clock then starts anew. ``removed`` sessions are in no
    list any more, but their log still has readers.
    """

    id: str
    name: str
    user: str
    command: tuple[str, ...]
    pid: int
    cols: int
    rows: int
    arena: int
    slot: int
    created: float
    state: str
    reason: str
    reaped: bool
    tied: bool
    removed: bool
    status: int | None = None
    signal: str | None = None
    ended_at: float | None = None
    idle_since: float | None = None
    made_with: tuple[str, bytes] | None = None
    """The key that its client chose, and a digest of what was asked for with it."""


def key_of(session: str) -> int:
    """The serial number in a session's id: what the store knows it by."""
    return int(session[:SERIAL_DIGITS], 16)


class _Packet(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="t"):
    pass


# --- host to supervisor


class KeepArena(_Packet, tag=1, frozen=True, kw_only=True):
    """Keep an arena; one descriptor, its memfd."""

    arena: int


class KeepSession(_Packet, tag=2, frozen=True, kw_only=True):
    """Keep a session; one descriptor, its terminal's master, unless that is ``closed``. ``record`` is an encoded
    ``SessionRecord``."""

    key: int
    pid: int
    record: bytes
    closed: bool


class RecordChanged(_Packet, tag=3, frozen=True, kw_only=True):
    """A session's record is another now; without its terminal once that is ``closed``."""

    key: int
    record: bytes
    closed: bool


class ForgetSession(_Packet, tag=4, frozen=True, kw_only=True):
    """Nothing of the session is left."""

    key: int


class HostReady(_Packet, tag=5, frozen=True, kw_only=True):
    """The host answers workers."""

    sessions: int


class AskStatus(_Packet, tag=6, frozen=True, kw_only=True):
    """A shell ended that is not this host's child: how?"""

    pid: int


class WorkerSilent(_Packet, tag=7, frozen=True, kw_only=True):
    """A worker does not report its sessions, so that none can be adopted."""

    row: int


class HandOverRefused(_Packet, tag=8, frozen=True, kw_only=True):
    """The host goes on with the code it has."""

    reason: str


class HostAlive(_Packet, tag=9, frozen=True, kw_only=True):
    """The answer to ``AskAlive`` and ``BeginDrain``."""

    sessions: int
    """Whose shells live."""
    draining: bool
    """Whether it has taken the last new session, and has adopted all that there were."""


class KeepInput(_Packet, tag=10, frozen=True, kw_only=True):
    """Keep what a host has to type in a session; one descriptor, its ``InputFile``."""

    key: int


class ForgetInput(_Packet, tag=11, frozen=True, kw_only=True):
    """All of it was typed."""

    key: int


# --- supervisor to host


class NewWorker(_Packet, tag=20, frozen=True, kw_only=True):
    """A worker's channel; one descriptor, this end of it. A ``fresh`` worker is attached to nothing."""

    row: int
    fresh: bool


class AdoptArena(_Packet, tag=21, frozen=True, kw_only=True):
    """An arena of the host before; one descriptor."""

    arena: int


class AdoptSession(_Packet, tag=22, frozen=True, kw_only=True):
    """A session of the host before. Descriptors: its master, where ``brings_master``, then what its host had to type,
    where ``brings_input``.

    ``lost`` where it had a terminal and the store has none. ``wait_status`` where the supervisor has reaped the shell.
    ``child`` where the supervisor will tell when it ends.
    """

    record: bytes
    brings_master: bool
    brings_input: bool
    lost: bool
    child: bool
    wait_status: int | None


class AdoptionEnds(_Packet, tag=23, frozen=True, kw_only=True):
    """That was all. ``serial`` is the highest that a session had."""

    serial: int


class ShellEnded(_Packet, tag=24, frozen=True, kw_only=True):
    """A shell that is the supervisor's child was reaped; ``None`` where its status cannot be known."""

    pid: int
    wait_status: int | None


class Stop(_Packet, tag=25, frozen=True, kw_only=True):
    """End every session, and then the process."""


class HandOver(_Packet, tag=26, frozen=True, kw_only=True):
    """Execute the installed code in this process, and hand the sessions over to it."""


class AskAlive(_Packet, tag=27, frozen=True, kw_only=True):
    """Say that you run."""


class BeginDrain(_Packet, tag=28, frozen=True, kw_only=True):
    """Take no new sessions from now on."""


# --- from a host to the code that takes its process over


HANDED_OVER_VERSION = 4
"""To be raised with every change of ``HandedOver``, ``SessionRecord``, or of the messages of workers and hosts."""
ACCEPTED_VERSIONS = (4,)
"""What this code can take over from."""


class HandedOverChannel(msgspec.Struct, array_like=True, frozen=True):
    """A worker's channel, and the packets with descriptors that wait in it."""

    fd: int
    row: int
    unsent: tuple[tuple[bytes, tuple[int, ...]], ...]
    waiting: tuple[tuple[str, int], ...]
    """Sessions whose end the worker waits for, with its request's id."""
    pipe: int
    """What the worker types numbered input through; -1 where the host has no end of it."""
    clients: tuple[tuple[str, int], ...]
    """Sessions and places of the clients whose input the worker types."""
    claims: tuple[tuple[str, int, int], ...]
    """Sessions and places of those that it waits for, with its request's id."""


class HandedOver(msgspec.Struct, array_like=True, frozen=True):
    """All that a host has, with the numbers of the descriptors that stay open across execve(2)."""

    version: int
    settings: bytes
    sessions: tuple[tuple[SessionRecord, int], ...]
    """With their masters; -1 where the terminal is closed."""
    arenas: dict[int, int]
    channels: tuple[HandedOverChannel, ...]
    inputs: dict[str, int]
    """What the host has to type, by session."""
    serial: int
    expired: tuple[tuple[str, str], ...]
    lost: tuple[tuple[str, str], ...]
    totals: tuple[int, int, int]
    """Sessions that were created, that failed to start, and that expired."""
    draining: bool


FromHost = (
    KeepArena
    | KeepSession
    | RecordChanged
    | ForgetSession
    | HostReady
    | AskStatus
    | WorkerSilent
    | HandOverRefused
    | HostAlive
    | KeepInput
    | ForgetInput
)
FromSupervisor = (
    NewWorker | AdoptArena | AdoptSession | AdoptionEnds | ShellEnded | Stop | HandOver | AskAlive | BeginDrain
)

# A message, and descriptors that must live until it is sent.
Lent = tuple[msgspec.Struct, tuple[int, ...]]


class Sender:
    """Messages on their way to one end of a control channel. They are made when there is room for them."""

    def __init__(self, channel: ipc.Channel) -> None:
        self._channel = channel
        self._queue: deque[Iterator[Lent]] = deque()
        self._next: Lent | None = None

    @property
    def waits(self) -> bool:
        """Whether something could not be sent yet."""
        return self._next is not None

    def say(self, messages: Iterable[Lent]) -> None:
        """Send these as soon as there is room."""
        self._queue.append(iter(messages))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        while True:
            while self._next is None:
                if not self._queue:
                    return
                self._next = next(self._queue[0], None)
                if self._next is None:
                    self._queue.popleft()
            if not self._channel.offer(*self._next):
                return
            self._next = None


encode = msgspec.msgpack.Encoder().encode
decode_from_host = msgspec.msgpack.Decoder(FromHost).decode
decode_from_supervisor = msgspec.msgpack.Decoder(FromSupervisor).decode
decode_handed_over = msgspec.msgpack.Decoder(HandedOver).decode
decode_record = msgspec.msgpack.Decoder(SessionRecord).decode
