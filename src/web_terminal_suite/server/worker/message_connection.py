"""A WebSocket whose messages a ``ServerProtocol`` interprets: frames in, actions out, and how it is closed.

It joins fragments, answers pings, bounds what a client sends and what it does not read. It knows no protocol.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from picows import WSMsgType

from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import MessageTooBig, TheirError
from web_terminal_suite.server.worker import outbox
from web_terminal_suite.server.worker.counters import Counters
from web_terminal_suite.server.worker.protocols import protocol as p

if TYPE_CHECKING:
    from collections.abc import Iterable

    from picows import WSFrame, WSTransport

    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")

# How long a peer may take to answer our close frame.
_CLOSE_SECONDS = 1.0
_CLOSE_REASON_BYTES = 123
# Looks at a silent client until it is pinged, and pings until it is let go.
_SILENT_LOOKS = 3
_UNANSWERED_PINGS = 3
# Looked up once: a member of an enumeration costs a keystroke more than a name of the module.
_BINARY = WSMsgType.BINARY
_TEXT = WSMsgType.TEXT
_MESSAGES_SENT = Counters.MESSAGES_SENT


def _is_close_code(code: int) -> bool:
    """Whether a peer may send it (RFC 6455 section 7.4 and its registry): 1005, 1006 and 1015 stand for its absence."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class MessageConnection(outbox.MessageListener):
    """One WebSocket and its protocol. A subclass performs the protocol's actions."""

    __slots__ = (
        "_allowance", "_allowance_at", "_closing", "_context", "_counters", "_fragments", "_fragments_text", "_ping",
        "_protocol", "_silent_looks", "_transport", "_unsent", "takes_late_input",
    )  # fmt: skip

    def __init__(self, context: WorkerContext, protocol: p.ServerProtocol) -> None:
        self._context = context
        self._protocol = protocol
        self._counters = context.counters.row
        self._transport: WSTransport = None  # type: ignore[assignment]  # set before any frame
        self._fragments: bytearray | None = None
        self._fragments_text = False
        self._closing = False
        self.takes_late_input = False
        """Whether input is taken until the client's close frame, although ours was sent."""
        self._unsent = False
        self._ping: bytes | None = None
        self._allowance = 0.0
        self._allowance_at = 0.0
        self.fast = None
        self.heard = True
        self._silent_looks = 0

    def _perform(self, actions: Iterable[p.Action]) -> None:
        """Perform actions in order, none once the connection is closing."""
        raise NotImplementedError

    def _leave(self) -> None:
        """Stop following the session, if there is one."""
        raise NotImplementedError

    def _linger(self) -> None:
        """Send no more of the session, but stay in it."""
        raise NotImplementedError

    def _receive_late(self, text: bool, payload: bytes) -> None:
        """Act on a message that the client sent before it saw our close frame, without an answer."""
        raise NotImplementedError

    # --- frames in

    def on_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if self._closing:
            if kind == WSMsgType.CLOSE:
                transport.disconnect()
            elif self.takes_late_input and frame.fin and (kind == _BINARY or kind == _TEXT):
                self._receive_late(kind == _TEXT, frame.get_payload_as_bytes())
            return
        if self._context.settings.messages_per_second and kind != WSMsgType.CLOSE and not self._may_send():
            return
        if kind == _BINARY or kind == _TEXT:
            if frame.fin and self._fragments is None:
                self._receive(kind == _TEXT, frame.get_payload_as_bytes())
            else:
                self._begin_fragments(frame)
        elif kind == WSMsgType.CONTINUATION:
            self._continue_fragments(frame)
        elif kind == WSMsgType.PING:
            self._pong(frame.get_payload_as_bytes())
        elif kind == WSMsgType.CLOSE:
            sent = frame.get_payload_as_bytes()[:2]
            code = int.from_bytes(sent, "big") if sent else int(CloseCode.NORMAL)
            if not _is_close_code(code):
                self.break_off(f"close code {code} must not be sent (RFC 6455 section 7.4)")
                return
            self._closing = True
            self.flush(transport)
            transport.send_close(code)  # type: ignore[arg-type]  # any code that is allowed
            transport.disconnect()

    def _begin_fragments(self, frame: WSFrame) -> None:
        if self._fragments is not None:
            self.break_off("a new message began before the fragmented one ended (RFC 6455 section 5.4)")
            return
        self.fast = None  # what comes between two fragments is no input
        self._fragments = bytearray(frame.get_payload_as_bytes())
        self._fragments_text = frame.msg_type == _TEXT

    def _continue_fragments(self, frame: WSFrame) -> None:
        if self._fragments is None:
            self.break_off("a continuation frame without a beginning (RFC 6455 section 5.4)")
            return
        self._fragments += frame.get_payload_as_bytes()
        size = len(self._fragments)
        if size > self._context.settings.message_limit:
            self._fragments = None
            self.refuse(MessageTooBig(size, self._context.settings.message_limit))
        elif frame.fin:
            payload, self._fragments = bytes(self._fragments), None
            self._receive(self._fragments_text, payload)

    def _receive(self, text: bool, payload: bytes) -> None:
        """Act on a whole message; nothing that a client sends is raised."""
        self._counters[Counters.MESSAGES_RECEIVED] += 1
        try:
            self._perform(self._protocol.receive(text, payload))
        except TheirError as error:
            self.refuse(error)
        except Exception:
            # Any other exception is a fault of the server and must not reach other connections.
            self._fail("connection")

    def _may_send(self) -> bool:
        """Take a frame from a token bucket of one second's capacity; refuse the client if it is empty."""
        rate = self._context.settings.messages_per_second
        now = time.monotonic()
        self._allowance = min(rate, self._allowance + (now - self._allowance_at) * rate)
        self._allowance_at = now
        if self._allowance < 1:
            self.refuse(TheirError(ErrorCode.RATE_LIMIT, f"more than {rate} messages a second"))
            return False
        self._allowance -= 1
        return True

    # --- messages out

    def _send(self, frame: p.OutgoingFrame) -> None:
        self._counters[_MESSAGES_SENT] += 1
        self.put(self._transport, _TEXT if frame.text else _BINARY, frame.buffer)

    @property
    def may_read(self) -> bool:
        """Whether more is to be read of the client."""
        return not (self._unsent and self._protocol.acknowledges)

    def pause_writing(self) -> None:
        """More than ``unsent_bytes`` wait. A client that asks (echo, ping) and does not read is not read either."""
        self._unsent = True
        if self._protocol.acknowledges:
            self._transport.underlying_transport.pause_reading()

    def _pong(self, payload: bytes) -> None:
        """Answer a ping.

        Where reading is not paused, only the latest (RFC 6455 section 5.5.3) and once there is room: pings alone must
        not fill the send buffer.
        """
        wait = self._unsent and not self._protocol.acknowledges
        self._ping = payload if wait else None
        if not wait:
            buffer = bytearray(p.HEAD_ROOM)
            buffer += payload
            self.put(self._transport, WSMsgType.PONG, buffer)

    def note_silence(self) -> None:
        """Called at regular intervals: ping a client of our own protocol that is silent, and let go a dead one."""
        if self.heard or self._closing or not self._protocol.acknowledges or not self.may_read:
            self.heard = False
            self._silent_looks = 0
            return
        self._silent_looks += 1
        if self._silent_looks >= _SILENT_LOOKS + _UNANSWERED_PINGS:
            log.info("a client answers no ping; let go")
            self._transport.disconnect(False)
        elif self._silent_looks >= _SILENT_LOOKS:
            self.put(self._transport, WSMsgType.PING, bytearray(p.HEAD_ROOM))

    # --- errors and the end

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame, and disconnect when the peer has answered or taken too long."""
        if self._closing:
            return
        self._closing = True
        # The client means to go on, and what it typed is on its way.
        self.takes_late_input = code is CloseCode.SERVICE_RESTART
        if self.takes_late_input:
            self._linger()
        else:
            self._leave()
        text = reason.encode()[:_CLOSE_REASON_BYTES].decode(errors="ignore")
        self.flush(self._transport)
        self._transport.send_close(int(code), text)  # type: ignore[arg-type]  # codes from 4000 up are ours
        self._context.loop.call_later(_CLOSE_SECONDS, self._transport.disconnect, False)

    def break_off(self, reason: str) -> None:
        """Fail the connection: the client breaks the rules of WebSockets (RFC 6455 section 7.1.7)."""
        if not self._closing:
            self._counters[Counters.ERRORS] += 1
            self.close(CloseCode.PROTOCOL_ERROR, reason)

    def on_reserved_bits(self) -> None:
        self.break_off("a reserved bit is set, and no extension was agreed on (RFC 6455 section 5.2)")

    def refuse(self, error: TheirError) -> None:
        """Tell the client of an error; close if it is fatal."""
        if self._closing:
            return
        self._counters[Counters.ERRORS] += 1
        self._perform(self._protocol.error(error))
        if error.close is not None:
            self.close(error.close, error.message)

    def _fail(self, doing: str) -> None:
        """A failure of ours ends this connection; the others go on."""
        log.exception("%s failed", doing)
        self.close(CloseCode.INTERNAL_ERROR, "")
