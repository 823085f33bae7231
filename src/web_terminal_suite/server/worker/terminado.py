"""terminado's wire and Jupyter's terminals: sessions by name, which outlive their connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.protocol import codec
from web_terminal_suite.protocol.codec import InputBytes
from web_terminal_suite.protocol.compat import terminado
from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.server import ipc
from web_terminal_suite.server.worker.connection import TEXT
from web_terminal_suite.server.worker.foreign import Foreign

if TYPE_CHECKING:
    from web_terminal_suite.server.access import Principal
    from web_terminal_suite.server.session import Cursor
    from web_terminal_suite.server.worker.attachment import Attachment
    from web_terminal_suite.server.worker.context import WorkerContext


class Terminado(Foreign):
    """A connection of JupyterLab or of a client of its kind."""

    __slots__ = ("_name",)

    def __init__(self, context: WorkerContext, grant: Principal | None, name: str) -> None:
        super().__init__(context, grant, b"")
        self._name = name

    def _begin(self) -> None:
        pass  # `setup` says that the terminal is there

    def _welcome(self, grant: Principal) -> None:
        self._join(self._name, self._follow)

    def _act(self, text: bool, payload: bytes) -> None:
        terminado.check_text(text)
        message = terminado.decode_client(payload)
        if isinstance(message, InputBytes):
            self._type(message.data)
        elif message is not None:
            self._set_size(message.cols, message.rows)

    def _greet(self, hold: Attachment) -> None:
        self._send_frame(TEXT, terminado.SETUP.payload)

    def _send_output(self, cursor: Cursor, buffer: bytearray, offset: int, count: int) -> bool:
        """Holds back a character that is still incomplete."""
        data = bytes(buffer)
        ended = self._hold is not None and self._hold.end is not None
        count = len(data) if ended else codec.text_length(data)
        cursor.window.sent = offset + count
        if count:
            self._put(data[:count])
            self._sent(count)
        return count > 0

    def _put(self, data: bytes) -> None:
        self._send_frame(TEXT, terminado.output(data.decode(errors="replace")).payload)

    def _say_end(self, end: ipc.SessionEnded) -> None:
        self._send_frame(TEXT, terminado.DISCONNECT.payload)
        self.close(CloseCode.NORMAL, "")
