"""The WebSocket handshake: who is let in on which wire, and who is told why not.

uvicorn parses the upgrade request and hands the transport over (its ``ws=`` setting); picows takes it from there. Both
are used below their public surface, which ``tests/server/worker/test_contract.py`` names and which is why their
minor versions are pinned.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from picows import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal.protocol.codec import Subprotocol
from web_terminal.server.access import Denied, TooManyFailures
from web_terminal.server.worker.connection import Connection, address
from web_terminal.server.worker.counters import Counters
from web_terminal.server.worker.native import Binary, Json

if TYPE_CHECKING:
    from picows import WSUpgradeRequest

    from web_terminal.server.worker.worker import Worker

# picows would make a Logger for each connection, and logs its client's faults as errors of ours.
_picows_log = logging.LoggerAdapter(logging.getLogger("web_terminal.picows"), {})
_picows_log.logger.setLevel(logging.CRITICAL)

# Connections that have not said who they are; beyond it new ones are turned away.
_STRANGERS = 1000

_WIRES = {Subprotocol.BINARY: Binary, Subprotocol.JSON: Json}


def protocol_class(worker: Worker) -> type[WSProtocol]:
    """The class for uvicorn's ``ws=`` setting: one instance a connection, all of this worker."""

    class WebSocket(WSProtocol):  # type: ignore[misc]  # compiled, not in the stubs
        __slots__ = ()  # no dictionary: there are thousands of these

        def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
            super().__init__(
                None,  # host_port and ws_path are a client's
                None,
                False,  # is_client_side
                lambda request: admit(worker, request, address(self.transport.underlying_transport)),
                _picows_log,
                True,  # disconnect_on_exception
                None,  # handshake timeout: the request was read whole by uvicorn
                False,  # auto ping: dead peers are the kernel's to find (TCP keep-alive), at no cost while idle
                3600,
                3600,
                WSAutoPingStrategy.PING_WHEN_IDLE,
                True,  # auto pong
                worker.settings.message_limit,
                None,  # extra headers
                2048,  # read buffer; it grows
            )

        def connection_made(self, transport: Any) -> None:
            worker.connections.add(self)
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            """The upgrade request, which uvicorn read before it knew."""
            while data:
                room = self.get_buffer(len(data))
                count = min(len(room), len(data))
                room[:count] = data[:count]
                self.buffer_updated(count)
                data = data[count:]

        def connection_lost(self, exc: Exception | None) -> None:
            worker.connections.discard(self)
            super().connection_lost(exc)

        def shutdown(self) -> None:
            """The worker stops or is replaced."""
            if isinstance(self.listener, Connection):
                self.listener.close(worker.leaving, "the server stops" if worker.stopping else "reconnect and resume")

    return WebSocket


def admit(worker: Worker, request: WSUpgradeRequest, address: str) -> WSUpgradeResponseWithListener:
    """The answer to a handshake: a connection, or a refusal that says why."""
    headers = request.headers
    path = request.path.decode("latin-1").partition("?")[0]
    if path != f"{worker.settings.base_path}/ws":
        return _refuse(HTTPStatus.NOT_FOUND, f"no WebSocket at {path[:100]!r}; it is at {worker.settings.base_path}/ws")
    if headers.get("Sec-WebSocket-Version") != "13":
        return _refuse(HTTPStatus.UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13 (RFC 6455 section 4.2.1)")
    try:
        worker.access.check_host(headers.get("Host"))
        worker.access.check_origin(headers.get("Origin"), headers.get("Host"))
        grant = worker.access.by_headers(headers.get("Authorization"), headers.get("Cookie"), address)
    except TooManyFailures as denied:
        return _refuse(HTTPStatus.TOO_MANY_REQUESTS, denied.reason)
    except Denied as denied:
        worker.counters.row[Counters.AUTHENTICATIONS_FAILED] += 1
        # A cookie of an earlier start is not an attack: the page logs in anew over this connection.
        if headers.get("Authorization") is not None or denied.reason.startswith(("host", "origin")):
            return _refuse(HTTPStatus.FORBIDDEN, denied.reason)
        grant = None
    if grant is None and worker.strangers >= _STRANGERS:
        return _refuse(
            HTTPStatus.SERVICE_UNAVAILABLE, f"{_STRANGERS} connections wait to authenticate; try again later"
        )
    offered = [name.strip() for name in ",".join(headers.getall("Sec-WebSocket-Protocol", [])).split(",")]
    chosen = next((each for each in Subprotocol if each.value in offered), None)
    if chosen is None:
        known = " or ".join(each.value for each in Subprotocol)
        return _refuse(
            HTTPStatus.BAD_REQUEST, f"no subprotocol of {', '.join(offered)[:100]!r} is spoken; offer {known}"
        )
    response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": chosen.value})
    return WSUpgradeResponseWithListener(response, _WIRES[chosen](worker, grant))


def _refuse(status: HTTPStatus, reason: str) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, reason.encode()), None)
