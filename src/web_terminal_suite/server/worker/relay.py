"""The short way of a keystroke: from the socket to the terminal and back, for a lone viewer on our binary wire.

The ordinary way (``Connection`` and ``Hold``, ``Session.pump`` and ``Connection.advance``) serves any number of viewers
on any wire, however far behind. Most sessions have one viewer who has seen everything, and then each key passes
through some forty calls that decide nothing. Here the same is done in one step each way; whatever is not as simple as
that is left, untouched, to the ordinary way.

``_relay.pyx`` is the same, compiled; ``relays`` says which one serves.
"""

from __future__ import annotations

import os
import struct
from time import monotonic
from typing import TYPE_CHECKING

from picows import WSListener, WSMsgType

from web_terminal_suite.protocol.codec import OUTPUT_HEAD_BYTES, Kind
from web_terminal_suite.server.log import OPENING_BYTES
from web_terminal_suite.server.pty import FULL_READ_BYTES
from web_terminal_suite.server.worker.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from picows import WSFrame, WSTransport

    from web_terminal_suite.protocol.window import Window
    from web_terminal_suite.server.session import Session

# picows writes its frame head (14 bytes at most, RFC 6455 section 5.2) before the payload it is given.
HEAD_ROOM = 14
OUTPUT_SPACE = bytes(HEAD_ROOM + OUTPUT_HEAD_BYTES)
# What a person types at once; a paste goes the ordinary way.
KEY_BYTES = 64
# A read from a pseudo-terminal gives less than this.
READ_BYTES = FULL_READ_BYTES + 1

# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_BINARY = WSMsgType.BINARY
_INPUT = int(Kind.INPUT)
_OUTPUT = int(Kind.OUTPUT)
_MESSAGES_RECEIVED = Counters.MESSAGES_RECEIVED
_MESSAGES_SENT = Counters.MESSAGES_SENT
_INPUT_BYTES = Counters.INPUT_BYTES
_OUTPUT_BYTES = Counters.OUTPUT_BYTES
_put_head = struct.Struct(">BQ").pack_into


def lighten(transport: WSTransport) -> None:
    """Let a connection drop what nobody needs after its handshake: the headers of both messages, thousands of times."""
    transport.request.headers.clear()
    transport.response.headers.clear()


class Listener(WSListener):
    """A connection's frames: each to the relay first, where there is one, and what that leaves to ``on_frame``."""

    __slots__ = ("_relay",)

    def __init__(self) -> None:
        self._relay: Relay | None = None

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        relay = self._relay
        if relay is None or not relay.took(frame):
            self.on_frame(transport, frame)

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """A frame that goes the ordinary way."""
        raise NotImplementedError

    def gather(self, transport: WSTransport, head: bytes = b"") -> None:
        """Send ``head``, which may wait for what ``put`` sends from now on, until ``flush``."""
        if head:
            transport.underlying_transport.write(head)

    def put(self, transport: WSTransport, kind: WSMsgType, buffer: bytearray) -> None:
        """Send a whole message, which lies in ``buffer`` behind ``HEAD_ROOM``.

        It may be kept until ``flush`` after ``gather``, and while more messages of this client lie in the buffer that
        the one being answered came in.
        """
        transport.send_reuse_external_bytearray(kind, buffer, HEAD_ROOM)

    def flush(self, transport: WSTransport) -> None:
        """Let go of what was kept, all in one."""


class Relay:
    """The short way of one viewer who may write and is its session's only one, until ``end`` is called.

    ``write`` and ``pump`` are the ordinary ways of input and output; ``flooded`` is told when there is more to read
    than one turn's share, and ``rest`` when much was read and nothing is left, both of which here ``pump`` sees to.
    While it lives nobody else reads the terminal, writes the log or moves the window forward.
    """

    __slots__ = (
        "_capacity", "_claimed", "_counters", "_end", "_fd", "_pump", "_ring", "_session", "_transport",
        "_view", "_window", "_words", "_write",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        window: Window,
        transport: WSTransport,
        counters: memoryview,
        write: Callable[[bytes], bool],
        pump: Callable[[], None],
        flooded: Callable[[], None],
        rest: Callable[[], None],
    ) -> None:
        self._fd = session.pty.fd
        self._session = session
        self._window = window
        self._transport = transport
        self._counters = counters
        self._write = write
        self._pump = pump
        places = session.log.places
        self._words = places.words
        self._view = places.view
        self._end = places.end
        self._claimed = places.claimed
        self._ring = places.ring
        self._capacity = session.log.capacity

    def end(self) -> None:
        """There is another viewer, or none, or no terminal any more: from now on everything goes the ordinary way."""
        self._fd = -1

    def took(self, frame: WSFrame) -> bool:
        """Type what ``frame`` holds; whether that was all there is to it. Otherwise nothing was done."""
        fd = self._fd
        if fd < 0 or frame.msg_type != _BINARY or not frame.fin:
            return False
        payload = frame.get_payload_as_bytes()
        size = len(payload) - 1
        if size < 1 or size > KEY_BYTES or payload[0] != _INPUT or self._session.input_waits:
            return False
        try:
            taken = os.write(fd, payload[1:])
        except OSError:
            return False  # full or gone
        pace = self._session.pace
        pace.typed, pace.typed_at = self._session.pty.pid, monotonic()
        counters = self._counters
        counters[_MESSAGES_RECEIVED] += 1
        counters[_INPUT_BYTES] += size
        if taken < size:
            self._write(payload[1 + taken :])
        return True

    def readable(self) -> None:
        """Read the terminal into the log and send it on, if the viewer has everything else and takes this."""
        window = self._window
        sent = window.sent
        words = self._words
        at = (sent - OPENING_BYTES) % self._capacity
        if (
            sent < OPENING_BYTES
            or words[self._end] != sent
            or window.limit - sent + window.acked + window.skipped < READ_BYTES
            or self._capacity - at < READ_BYTES
        ):
            self._pump()
            return
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            self._session.note_flood(False)
            return
        except OSError:
            data = b""  # as at the end of file
        count = len(data)
        if count == 0:
            self._pump()
            return
        end = sent + count
        first = self._ring + at
        words[self._claimed] = end
        self._view[first : first + count] = data
        words[self._end] = end
        window.sent = end
        buffer = bytearray(OUTPUT_SPACE)
        _put_head(buffer, HEAD_ROOM, _OUTPUT, sent)
        buffer += data
        counters = self._counters
        counters[_MESSAGES_SENT] += 1
        counters[_OUTPUT_BYTES] += count
        self._transport.send_reuse_external_bytearray(_BINARY, buffer, HEAD_ROOM)
        if count >= FULL_READ_BYTES:  # there is more
            self._pump()
        elif self._session.floods:
            self._session.note_flood(False)
