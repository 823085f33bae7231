from collections.abc import Callable
from typing import Any

from picows import WSFrame, WSTransport

from web_terminal_suite.protocol.window import Window
from web_terminal_suite.server.client_input import ClientInput
from web_terminal_suite.server.session import Session
from web_terminal_suite.server.worker.outbox import SlowListener

class FastPath:
    def __init__(
        self,
        session: Session,
        window: Window,
        transport: WSTransport,
        counters: memoryview,
        write: Callable[..., bool],
        pump: Callable[[], None],
        flooded: Callable[[], None],
        coalesce: Callable[[], None],
        client: ClientInput | None,
        note: Callable[[ClientInput], None],
    ) -> None: ...
    def took(self, frame: WSFrame) -> bool: ...
    def readable(self) -> None: ...
    def end(self) -> None: ...

class MessageListener(SlowListener): ...

def lighten(transport: WSTransport) -> None: ...
def get_buffer(websocket: Any, size_hint: int) -> memoryview: ...
def buffer_updated(websocket: Any, count: int) -> None: ...
