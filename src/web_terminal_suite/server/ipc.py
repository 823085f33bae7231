"""Messages between a worker and the PTY host: msgpack over ``SOCK_SEQPACKET``, with descriptors.

One packet is one message; descriptors travel with it as ``SCM_RIGHTS`` (unix(7)). Requests carry an id that their
answer repeats; notices carry none.
"""

from __future__ import annotations

import array
import errno
import os
import socket
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.messages import SessionSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

# The kernel refuses packets above its socket buffer (net.core.wmem_default, 212,992 bytes where not raised).
PACKET_BYTES = 160 * 1024
# Terminal, arena and follower channel: the most that goes with one message.
_MAX_DESCRIPTORS = 3


# An id's digits (hexadecimal): the serial number within its host, the host's, and random ones.
SERIAL_DIGITS = 8


def host_of(session: str) -> int:
    """The number of the host that has a session of this id; 0 for a string that is not an id."""
    try:
        return int(session[SERIAL_DIGITS : SERIAL_DIGITS + 1], 16)
    except ValueError:
        return 0


class Caller(msgspec.Struct, frozen=True, array_like=True):
    """On whose behalf a request is made."""

    user: str
    role: str
    address: str = ""
    """Where the request came from, for the audit log."""


class SessionInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the table has of a session."""

    id: str
    name: str
    user: str
    state: str
    pid: int
    command: tuple[str, ...]
    cols: int
    rows: int
    offset: int
    viewers: int
    created: float
    idle_seconds: float
    """How long it has had no viewer, no job in the foreground and no output."""
    busy: bool = False
    """Whether the foreground job of its terminal is not its shell."""
    idle_timeout: float = 0.0
    """``idle_seconds`` at which it ends; 0 is no limit."""
    ends_in: float | None = None
    """Seconds until it ends if nothing happens to it; ``None`` where it does not idle or has no limit."""
    status: int | None = None
    signal: str | None = None


class _Packet(msgspec.Struct, frozen=True, kw_only=True, array_like=True, tag_field="t"):
    pass


# --- worker to host: requests


class CreateSession(_Packet, tag=1, frozen=True, kw_only=True):
    """Start a shell; with ``attach`` the worker becomes its pump, and ``tied`` ends it when that worker detaches.

    The answer is an ``InfoReply`` without ``attach``, and where the session was there already.
    """

    id: int
    caller: Caller
    spec: SessionSpec
    attach: bool
    tied: bool = False
    only_existing: bool = False
    """Make none: answer with the session that was made with the same key, or refuse."""


class AttachSession(_Packet, tag=2, frozen=True, kw_only=True):
    """Attach this worker to a session, for its first viewer of it."""

    id: int
    caller: Caller
    session: str


class GetSession(_Packet, tag=3, frozen=True, kw_only=True):
    id: int
    caller: Caller
    session: str


class ListSessions(_Packet, tag=4, frozen=True, kw_only=True):
    id: int
    caller: Caller
    limit: int
    after: str | None


class UpdateSession(_Packet, tag=5, frozen=True, kw_only=True):
    id: int
    caller: Caller
    session: str
    name: str | None = None
    cols: int | None = None
    rows: int | None = None


class TouchSession(_Packet, tag=6, frozen=True, kw_only=True):
    id: int
    caller: Caller
    session: str


class SignalSession(_Packet, tag=7, frozen=True, kw_only=True):
    id: int
    caller: Caller
    session: str
    number: int


class DestroySession(_Packet, tag=8, frozen=True, kw_only=True):
    id: int
    caller: Caller
    session: str


class GetStats(_Packet, tag=9, frozen=True, kw_only=True):
    id: int


class ClaimInput(_Packet, tag=10, frozen=True, kw_only=True):
    """Let this worker type for the client with ``key``, once no other worker does."""

    id: int
    session: str
    key: int


# --- worker to host: notices


class ViewerCount(_Packet, tag=20, frozen=True, kw_only=True):
    """How many viewers this worker has of a session; with 0 it has detached.

    ``lost_arena`` came with the session but could not be received; the host must send it again next time.
    """

    session: str
    count: int
    lost_arena: int | None = None
    stalled: bool = False
    """Whether none of them takes output any more; then they do not stop the idle clock."""


class PumpDrained(_Packet, tag=21, frozen=True, kw_only=True):
    """The pump read the terminal of an ended process to its end."""

    session: str


class SizeSet(_Packet, tag=22, frozen=True, kw_only=True):
    """A viewer of this worker set the size."""

    session: str
    cols: int
    rows: int


class AttachmentState(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One attachment. ``sized`` where the session's size is one that a viewer asked for.

    ``waits`` where the worker does not type, because the host had something to type first.
    """

    session: str
    viewers: int
    pumping: bool
    sized: bool
    offset: int
    clients: tuple[tuple[int, int], ...]
    """The places of those whose numbered input this worker types, and how much of theirs does not wait in it."""
    waits: bool
    stalled: bool = False
    """As in ``ViewerCount``."""


class AttachmentReport(_Packet, tag=30, frozen=True, kw_only=True):
    """The answer to ``ReportAttachments``, in several parts where it is long; ``arenas`` are those that are mapped."""

    attachments: tuple[AttachmentState, ...]
    arenas: tuple[int, ...]
    last: bool


class LendPipe(_Packet, tag=23, frozen=True, kw_only=True):
    """Descriptor: the receiving end of the pipe through which this worker types numbered input."""


class HandOverInput(_Packet, tag=24, frozen=True, kw_only=True):
    """Type this before anything else; the other fields are those of ``HeldInput``.

    The worker says it again to the next host unless this one has answered with ``InputKept``. ``id`` is unlike that of
    any other message of this type, of all workers.
    """

    id: int
    session: str
    place: int
    start: int
    data: bytes
    skip: int


class ReleaseInput(_Packet, tag=25, frozen=True, kw_only=True):
    """This worker types no more for the client in ``place``."""

    session: str
    place: int


class DropInput(_Packet, tag=26, frozen=True, kw_only=True):
    """Ctrl-C was typed: count what the host has to type as taken. Answered as ``HandOverInput``."""

    id: int
    session: str


# --- host to worker: answers


class AttachReply(_Packet, tag=40, frozen=True, kw_only=True):
    """An attached session. Descriptors: the terminal's master (none once ended), then the arena's memfd where
    ``brings_arena``, then, where ``brings_channel``, the follower channel to the pump."""

    id: int
    info: SessionInfo
    arena: int
    slot: int
    log_size: int
    pumping: bool
    brings_master: bool
    brings_arena: bool
    brings_channel: bool
    held_input: int
    """Bytes that the host types first."""


class InfoReply(_Packet, tag=41, frozen=True, kw_only=True):
    id: int
    info: SessionInfo


class ListReply(_Packet, tag=42, frozen=True, kw_only=True):
    id: int
    sessions: tuple[SessionInfo, ...]
    total: int
    next: str | None


class Ok(_Packet, tag=43, frozen=True, kw_only=True):
    id: int


class StatsReply(_Packet, tag=44, frozen=True, kw_only=True):
    """Sessions by state now, and totals since the start."""

    id: int
    states: dict[str, int]
    created: int
    failed: int
    expired: int


class InputClaimed(_Packet, tag=46, frozen=True, kw_only=True):
    """``place`` is the client's row in the log's memory, -1 where there is none for it; ``accepted`` its bytes that
    are not to be sent again, and ``held_input`` the bytes that the host types first."""

    id: int
    place: int
    accepted: int
    held_input: int


class ErrorReply(_Packet, tag=45, frozen=True, kw_only=True):
    id: int
    code: ErrorCode
    message: str


# --- host to worker: notices


class BecomePump(_Packet, tag=60, frozen=True, kw_only=True):
    """You are the pump of this session now."""

    session: str


class FollowerAdded(_Packet, tag=61, frozen=True, kw_only=True):
    """Another worker follows the session you pump; one descriptor, the follower channel."""

    session: str


class PumpChanged(_Packet, tag=62, frozen=True, kw_only=True):
    """The session has a new pump; one descriptor, the follower channel."""

    session: str


class ShellExited(_Packet, tag=63, frozen=True, kw_only=True):
    """The shell was reaped: drain its terminal and send ``PumpDrained``."""

    session: str


class SessionEnded(_Packet, tag=64, frozen=True, kw_only=True):
    """No output will come after ``offset``. ``reason`` is ``exited``, ``destroyed``, ``expired``, ``shutdown`` or
    ``lost``."""

    session: str
    offset: int
    reason: str
    status: int | None = None
    signal: str | None = None


class SessionUpdated(_Packet, tag=65, frozen=True, kw_only=True):
    """A session you are attached to was renamed or resized elsewhere."""

    session: str
    name: str
    cols: int
    rows: int


class SizeReleased(_Packet, tag=66, frozen=True, kw_only=True):
    """The worker whose viewer set the size of a session has none any more: set the size of one of yours."""

    session: str


class ReportAttachments(_Packet, tag=80, frozen=True, kw_only=True):
    """This host took over from another: say what you are attached to."""

    session: str = ""


class TakeInput(_Packet, tag=67, frozen=True, kw_only=True):
    """Another worker has the client in ``place`` now: hand over what waits of it, and release it."""

    session: str
    place: int


class InputHeld(_Packet, tag=68, frozen=True, kw_only=True):
    """The host has ``bytes`` to type, before anything that comes from now on; with 0 it has typed everything."""

    session: str
    bytes: int


class InputKept(_Packet, tag=69, frozen=True, kw_only=True):
    """The ``HandOverInput`` or ``DropInput`` with this id is done, also if this host dies."""

    id: int


class InputLost(_Packet, tag=70, frozen=True, kw_only=True):
    """The host before had input of the client in ``place``, and this one has not: its client must send it again."""

    session: str
    place: int


Request = (
    CreateSession
    | AttachSession
    | GetSession
    | ListSessions
    | UpdateSession
    | TouchSession
    | SignalSession
    | DestroySession
    | GetStats
    | ClaimInput
)
FromWorker = (
    Request
    | ViewerCount
    | PumpDrained
    | SizeSet
    | LendPipe
    | HandOverInput
    | ReleaseInput
    | DropInput
    | AttachmentReport
)
Answer = AttachReply | InfoReply | ListReply | Ok | StatsReply | InputClaimed | ErrorReply
Notice = (
    BecomePump
    | FollowerAdded
    | PumpChanged
    | ShellExited
    | SessionEnded
    | SessionUpdated
    | SizeReleased
    | TakeInput
    | InputHeld
    | InputKept
    | InputLost
    | ReportAttachments
)
FromHost = Answer | Notice

_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
decode_from_worker = msgspec.msgpack.Decoder(FromWorker).decode
decode_from_host = msgspec.msgpack.Decoder(FromHost).decode


class ChannelClosed(Exception):
    """The other side closed its end."""


class PacketTooBig(Exception):
    """A message does not fit a packet."""


def receive_descriptors(sock: socket.socket, max_bytes: int, max_descriptors: int) -> tuple[bytes, list[int]]:
    """The next packet and its descriptors, closed on exec: ``socket.recv_fds`` of Python 3.11 ignores that flag.

    Raises:
        BlockingIOError: there is none now.
        ConnectionResetError: the other side closed with something unread.
    """
    fds = array.array("i")
    room = socket.CMSG_LEN(max_descriptors * fds.itemsize)
    packet, messages, _flags, _address = sock.recvmsg(max_bytes, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return packet, fds.tolist()


class Channel:
    """One end of the socket, non-blocking: a queue of packets out, packets with descriptors in.

    Descriptors given to ``send`` are the channel's from then on where ``owned``, and closed once sent. The queue is
    bounded by what is asked: an answer for each request, and each connection asks one thing at a time.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._queue: deque[tuple[bytes, tuple[int, ...], tuple[int, ...]]] = deque()

    def fileno(self) -> int:
        return self.sock.fileno()

    @property
    def waits(self) -> bool:
        """Whether packets wait for room in the socket."""
        return bool(self._queue)

    def offer(self, message: msgspec.Struct, fds: Sequence[int] = ()) -> bool:
        """Send at once, or not at all; whether it was sent. Not while other packets wait."""
        return self._try(encode(message), tuple(fds))

    def send(self, message: msgspec.Struct, lent: Sequence[int] = (), owned: Sequence[int] = ()) -> None:
        """Send now or as soon as there is room (``flush``). ``lent`` descriptors must live until then.

        Raises:
            PacketTooBig: above ``PACKET_BYTES``.
        """
        packet = encode(message)
        if len(packet) > PACKET_BYTES:
            raise PacketTooBig(f"message of {len(packet)} bytes exceeds the limit of {PACKET_BYTES} bytes")
        # Lent descriptors are duplicated only when they must wait, because their owner may close them meanwhile.
        if self._queue or not self._try(packet, (*lent, *owned)):
            kept = tuple(os.dup(fd) for fd in lent) + tuple(owned)
            self._queue.append((packet, kept, kept))
        else:
            for fd in owned:
                os.close(fd)

    @property
    def unsent(self) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
        """The packets that wait, with their descriptors, which are still the channel's."""
        return tuple((packet, fds) for packet, fds, _to_close in self._queue)

    def resume(self, unsent: Sequence[tuple[bytes, tuple[int, ...]]]) -> None:
        """Let these wait, first of all; owns their descriptors."""
        self._queue.extend((packet, fds, fds) for packet, fds in unsent)

    def flush(self) -> None:
        """Send what waits, as far as the socket has room."""
        while self._queue:
            packet, fds, to_close = self._queue[0]
            if not self._try(packet, fds):
                return
            self._queue.popleft()
            for fd in to_close:
                os.close(fd)

    def _try(self, packet: bytes, fds: tuple[int, ...]) -> bool:
        try:
            if fds:
                socket.send_fds(self.sock, [packet], fds)
            else:
                self.sock.send(packet)
        except BlockingIOError:
            return False
        except OSError as error:
            # Too many descriptors under way between processes (unix(7)), or no memory: as good as a full socket.
            if error.errno in (errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM):
                return False
            if error.errno in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                return True  # the other side is gone, which receive() reports
            raise
        return True

    def receive(self) -> tuple[bytes, list[int]] | None:
        """The next packet and its descriptors, which are the caller's; ``None`` when there is none now.

        Raises:
            Gone: the other side closed.
        """
        try:
            packet, fds = receive_descriptors(self.sock, PACKET_BYTES, _MAX_DESCRIPTORS)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            # It closed with something unread, which is told first; what it had sent before is still there.
            return self.receive()
        if not packet:
            raise ChannelClosed
        return packet, fds

    def close(self) -> None:
        """Close the socket and every descriptor that still waits."""
        for _packet, _fds, to_close in self._queue:
            for fd in to_close:
                os.close(fd)
        self._queue.clear()
        self.sock.close()
