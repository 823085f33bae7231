"""What the wires of others have in common: no acknowledgements, and no words for errors, gaps or pauses.

Pace comes from the transport instead: what has left our send buffer counts as acknowledged. So a client that does not
read fills the kernel's buffers and at most a window of ours; then its program waits, as on our own wire.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar

from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.errors import MessageTooBig, TheirError
from web_terminal_suite.server.worker.connection import ServerConnection
from web_terminal_suite.server.worker.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server import ipc
    from web_terminal_suite.server.access import Principal
    from web_terminal_suite.server.worker.attachment import Attachment
    from web_terminal_suite.server.worker.context import WorkerContext

log = logging.getLogger("web_terminal_suite.worker")


class Foreign(ServerConnection):
    """A connection of somebody else's client to one session."""

    # Every byte that waits calls ``pause_writing``, and the last one that leaves ``resume_writing``.
    UNSENT_BYTES: ClassVar[int] = 0

    __slots__ = ("_early", "_early_bytes", "_end", "_ping", "_unsent")

    def __init__(self, context: WorkerContext, grant: Principal | None, output_space: bytes) -> None:
        super().__init__(context, grant, output_space)
        # What came before the host gave the session: these clients do not wait for it.
        self._early: list[tuple[bool, bytes]] = []
        self._early_bytes = 0
        self._unsent = False
        self._ping: bytes | None = None
        self._end: ipc.SessionEnded | None = None

    # --- what a wire says of itself

    def _act(self, text: bool, payload: bytes) -> None:
        """Do what a message says.

        Raises:
            TheirError: it is none, or says what may not be done.
        """
        raise NotImplementedError

    def _greet(self, hold: Attachment) -> None:
        """Say what comes before any output."""
        raise NotImplementedError

    def _put(self, data: bytes) -> None:
        """Send a whole piece of output that is not from the log."""
        raise NotImplementedError

    def _say_end(self, end: ipc.SessionEnded) -> None:
        """The session is over, and every byte of it has left: say so and close."""
        raise NotImplementedError

    # --- frames in

    def _receive(self, text: bool, payload: bytes) -> None:
        self._counters[Counters.MESSAGES_RECEIVED] += 1
        self._attempt(self._hear, text, payload)

    def _attempt(self, do: Callable[[bool, bytes], None], text: bool, payload: bytes) -> None:
        """Whatever a client says ends its own connection at most."""
        try:
            do(text, payload)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # Our own fault, whatever it is: this connection ends with a bare code, the others go on.
            log.exception("connection failed")
            self.close(CloseCode.INTERNAL_ERROR, "")

    def _hear(self, text: bool, payload: bytes) -> None:
        settings = self._context.settings
        if settings.messages_per_second:
            self._spend_allowance()
        if len(payload) > settings.message_limit:  # picows said so already, and hands it over anyhow
            raise MessageTooBig(len(payload), settings.message_limit)
        if self._task is None:
            self._act(text, payload)
        else:
            self._keep(text, payload)

    def _keep(self, text: bool, payload: bytes) -> None:
        # A message of nothing costs memory as well.
        self._early_bytes += max(len(payload), 64)
        limit = self._context.settings.message_limit
        if self._early_bytes > limit:
            raise MessageTooBig(self._early_bytes, limit)
        self._early.append((text, payload))

    def _tell_error(self, error: TheirError) -> None:
        pass  # the close code is all these wires have, where there is one

    # --- a session to follow

    def _follow(self, hold: Attachment, grant: Principal) -> None:
        window_bytes = self._context.settings.window
        self._look_at(hold, "write" if grant.may_write else "read", hold.session.log.start, window_bytes)
        self._greet(hold)
        hold.enter(self)
        self.advance()
        early, self._early = self._early, []
        self._task = None
        for text, payload in early:
            if not self._closing:
                self._attempt(self._act, text, payload)

    def _tell_gap(self, start: int, end: int) -> None:
        self._put(b"\r\n[%d bytes of output were lost]\r\n" % (end - start))

    def _tell_end(self, hold: Attachment, end: ipc.SessionEnded) -> None:
        self.flush(self._transport)
        self._end = end
        if not self._unsent:
            self._say_end(end)

    # --- pace

    def _sent(self, count: int) -> None:
        """A frame with ``count`` bytes of the log was given to the transport."""
        self._counters[Counters.OUTPUT_BYTES] += count
        self._counters[Counters.MESSAGES_SENT] += 1
        if not self._unsent:
            self._acknowledge()

    def _acknowledge(self) -> None:
        cursor = self._cursor
        if cursor is not None:
            cursor.window.ack(cursor.window.sent)

    def pause_writing(self) -> None:
        self._unsent = True

    def resume_writing(self) -> None:
        self._unsent = False
        if self._ping is not None:
            self._pong(self._ping)
        if self._end is not None:
            self._say_end(self._end)
        self._acknowledge()
        self.advance()
        if self._hold is not None:
            self._hold.credited()

    def _pong(self, payload: bytes) -> None:
        """Answer the latest ping (RFC 6455 section 5.5.3), once there is room: pings alone must not fill our buffer."""
        self._ping = payload if self._unsent else None
        if not self._unsent:
            super()._pong(payload)
