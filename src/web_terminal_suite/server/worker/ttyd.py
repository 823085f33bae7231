"""ttyd's wire: a session that lives as long as its connection."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.codec import InputBytes
from web_terminal_suite.protocol.compat import ttyd
from web_terminal_suite.protocol.error_codes import CloseCode, ErrorCode
from web_terminal_suite.protocol.errors import OutOfRange, TheirError, UnsupportedData
from web_terminal_suite.protocol.messages import Resize, SessionSpec
from web_terminal_suite.server.worker.connection import BINARY
from web_terminal_suite.server.worker.foreign import Foreign
from web_terminal_suite.server.worker.relay import HEAD_ROOM

if TYPE_CHECKING:
    from web_terminal_suite.server import ipc
    from web_terminal_suite.server.access import Principal
    from web_terminal_suite.server.session import Cursor
    from web_terminal_suite.server.worker.attachment import Attachment
    from web_terminal_suite.server.worker.context import WorkerContext

_OUTPUT_SPACE = bytes(HEAD_ROOM) + ttyd.output(b"").payload


class Ttyd(Foreign):
    """A connection of ttyd's page or of a client of its kind."""

    __slots__ = ("_greeted",)

    def __init__(self, context: WorkerContext, grant: Principal | None) -> None:
        super().__init__(context, grant, _OUTPUT_SPACE)
        self._greeted = False

    def _begin(self) -> None:
        pass  # the client speaks first

    def _welcome(self, grant: Principal) -> None:
        pass  # its size comes with its hello

    def _leave(self) -> None:
        hold = self._hold
        super()._leave()
        if hold is not None and hold.end is None:
            self._destroy(hold.info.id)

    # --- frames in

    def _act(self, text: bool, payload: bytes) -> None:
        if self._grant is None and not payload.startswith(b"{"):
            raise TheirError(ErrorCode.AUTHENTICATION_REQUIRED, "a hello with AuthToken must come first")
        try:
            message = ttyd.decode_client(payload)
        except UnsupportedData:
            return  # of a newer page, perhaps; ttyd passes over it, too
        if isinstance(message, InputBytes):
            self._type(message.data)
        elif isinstance(message, Resize):
            self._set_size(message.cols, message.rows)
        elif isinstance(message, ttyd.Hello):
            self._start(message)
        elif self._cursor is not None:
            self._flow(self._cursor, message)

    def _start(self, hello: ttyd.Hello) -> None:
        if self._greeted:
            return
        if self._grant is None:
            self._log_in(hello.token)
        self._greeted = True
        spec = SessionSpec()
        try:
            self._check_size(hello.columns, hello.rows)
            spec = SessionSpec(cols=hello.columns, rows=hello.rows)
        except OutOfRange:
            pass  # no size at all (0), or one that no terminal has: the usual one will do
        self._create(spec, self._follow, tied=True)

    def _flow(self, cursor: Cursor, word: ttyd.Flow) -> None:
        """Without credit nothing is sent, nor read of the terminal for this viewer."""
        cursor.window.limit = 0 if word is ttyd.Flow.PAUSE else self._context.settings.window
        self.advance()
        if self._hold is not None:
            self._hold.credited()

    # --- frames out

    def _greet(self, hold: Attachment) -> None:
        command = " ".join(hold.info.command)
        for frame in (ttyd.title(f"{command} ({socket.gethostname()})"), ttyd.preferences({})):
            self._send_frame(BINARY, frame.payload)

    def _send_output(self, cursor: Cursor, buffer: bytearray, offset: int, count: int) -> bool:
        self.put(self._transport, BINARY, buffer)
        self._sent(count)
        return True

    def _put(self, data: bytes) -> None:
        self._send_frame(BINARY, ttyd.output(data).payload)

    def _say_end(self, end: ipc.SessionEnded) -> None:
        if end.reason == "shutdown":
            self.close(CloseCode.GOING_AWAY, "the server stops")
        elif end.status == 0 or end.reason != "exited":
            self.close(CloseCode.NORMAL, "")
        else:
            # What ttyd's page takes for a failure (1006) is an end without a close frame.
            self._closing = True
            self._transport.disconnect()
