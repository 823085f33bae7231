"""What we use of picows 2.3, uvicorn 0.54 and uvloop below their public surface. New versions are tried here first."""

from __future__ import annotations

import asyncio
import importlib.metadata
import inspect
import logging
import re
import ssl

import picows
import uvicorn
import uvloop
from picows import WSListener, WSMsgType, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState
from uvloop.loop import SSLProtocol

from tests.server.certificates import written
from web_terminal_suite.server import tls
from web_terminal_suite.server.settings import Settings

_log = logging.LoggerAdapter(logging.getLogger("tests.picows"), {})

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: a, b\r\nOrigin: http://here\r\n\r\n"
)


def test_the_versions_are_those_the_contract_was_read_from():
    assert importlib.metadata.version("picows").startswith("2.3.")
    assert importlib.metadata.version("uvicorn").startswith("0.54.")


class Recorder(WSListener):
    """Does what a connection does with a transport, and remembers what came."""

    def __init__(self) -> None:
        self.frames: list[tuple[WSMsgType, bytes, bool]] = []
        self.last: list[bool] = []
        self.request = None
        self.gone = asyncio.get_running_loop().create_future()

    def on_ws_connected(self, transport):
        self.transport = transport
        transport.underlying_transport.set_write_buffer_limits(high=1 << 20)
        assert transport.underlying_transport.get_extra_info("socket") is not None
        assert transport.underlying_transport.get_extra_info("peername")

    def on_ws_frame(self, transport, frame):
        self.frames.append((frame.msg_type, frame.get_payload_as_bytes(), frame.fin))
        self.last.append(bool(frame.last_in_buffer))
        if frame.msg_type == WSMsgType.TEXT:
            # Room for the frame's head, then the payload: the buffer is written to in place.
            buffer = bytearray(14) + frame.get_payload_as_bytes()
            transport.send_reuse_external_bytearray(WSMsgType.BINARY, buffer, 14)
        elif frame.msg_type == WSMsgType.PING:
            transport.send_reuse_external_bytearray(WSMsgType.PONG, bytearray(14) + frame.get_payload_as_bytes(), 14)
        elif frame.msg_type == WSMsgType.BINARY:
            transport.send_close(4409, "out of turn")

    def on_ws_disconnected(self, transport):
        self.gone.set_result(None)


def server_protocol(listener_factory) -> WSProtocol:
    """Made with the positional arguments that ``websocket.WebSocket`` passes."""
    return WSProtocol(
        None, None, False, listener_factory, _log, True, None, False, 3600, 3600,
        WSAutoPingStrategy.PING_WHEN_IDLE, False, 1 << 20, None, 2048,
    )  # fmt: skip


async def serving(listener_factory):
    """A server whose upgrade request is read by somebody else, as uvicorn does, and fed in by hand."""
    made = []

    class Fed(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            protocol = server_protocol(listener_factory)
            made.append(protocol)
            protocol.connection_made(self.transport)
            self.transport.set_protocol(protocol)
            while data:
                room = protocol.get_buffer(len(data))
                count = min(len(room), len(data))
                room[:count] = data[:count]
                protocol.buffer_updated(count)
                data = data[count:]

    server = await asyncio.get_running_loop().create_server(Fed, "127.0.0.1", 0)
    return server, made


async def test_a_connection_handed_over_after_its_request_was_read():
    listeners = []

    def admit(request):
        assert request.path == b"/ws"
        assert (request.headers.get("Host"), request.headers.get("origin")) == ("here", "http://here")
        assert request.headers.getall("Sec-WebSocket-Protocol", []) == ["a, b"]
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": "b"})
        listeners.append(Recorder())
        return WSUpgradeResponseWithListener(response, listeners[-1])

    server, made = await serving(admit)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"sec-websocket-protocol: b\r\n" in head.lower()
        writer.write(masked(0x1, b"hello", fin=False) + masked(0x0, b" world") + masked(0x1, b"whole"))
        assert await reader.readexactly(2 + 5) == b"\x82\x05hello"
        assert await reader.readexactly(2 + 5) == b"\x82\x05whole"
        writer.write(masked(0x9, b"?"))
        assert await reader.readexactly(3) == b"\x8a\x01?"
        # Close codes of an application's own, which picows' enumeration does not list.
        writer.write(masked(0x2, b""))
        assert await reader.readexactly(2 + 2 + 11) == b"\x88\x0d" + (4409).to_bytes(2, "big") + b"out of turn"
        (listener,) = listeners
        assert listener.frames[:3] == [
            (WSMsgType.TEXT, b"hello", False),
            (WSMsgType.CONTINUATION, b" world", True),
            (WSMsgType.TEXT, b"whole", True),
        ]
        assert made[0].listener is listener
        assert made[0].transport is listener.transport
        assert made[0].transport.is_close_frame_sent
        listener.transport.disconnect(False)
        await listener.gone
        writer.close()


async def test_an_answer_writes_itself_and_what_came_together_says_which_is_the_last():
    answered = asyncio.get_running_loop().create_future()

    class Answer(WSUpgradeResponse):
        status = 101

        def __init__(self):
            self.headers = {}

        def to_bytes(self):
            answered.set_result(list(self.headers))
            return bytearray()

    listener = Recorder()
    server, made = await serving(lambda _request: WSUpgradeResponseWithListener(Answer(), listener))
    async with server:
        _reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(HANDSHAKE)
        assert await answered == ["Sec-WebSocket-Accept"]
        room = made[0].get_buffer(1024)
        together = masked(0x1, b"a") + masked(0x1, b"b") + masked(0x1, b"c")[:-1]
        room[: len(together)] = together
        made[0].buffer_updated(len(together))
        assert listener.last == [False, True]
        writer.close()
        await listener.gone


async def test_a_refusal_is_an_http_answer_without_a_listener():
    def admit(_request):
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(403, b"because"), None)

    server, _made = await serving(admit)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(HANDSHAKE)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert answer.endswith(b"\r\n\r\nbecause")
        writer.close()


def test_a_listener_is_asked_for_flow_control():
    assert {"pause_writing", "resume_writing", "on_ws_connected", "on_ws_frame", "on_ws_disconnected"} <= set(
        dir(picows.WSListener)
    )


def test_uvicorn_makes_a_protocol_as_the_worker_does():
    parameters = inspect.signature(HttpToolsProtocol.__init__).parameters
    assert list(parameters) == ["self", "config", "server_state", "app_state", "_loop"]
    assert parameters["_loop"].default is None
    state = ServerState()
    assert state.connections == set()
    assert state.tasks == set()
    assert state.default_headers == []


def test_uvicorn_needs_no_websockets_and_names_its_http_class():
    async def application(scope, receive, send):
        raise NotImplementedError

    config = uvicorn.Config(application, http="httptools", ws="none", lifespan="off", log_config=None)
    config.load()
    assert config.ws_protocol_class is None
    assert config.http_protocol_class is HttpToolsProtocol
    assert isinstance(config.encoded_headers, list)


def test_uvicorn_has_the_state_of_a_request_that_a_connection_asks_for():
    assert {"response_started", "response_complete", "disconnected", "keep_alive", "message_event"} <= set(
        re.findall(r"self\.(\w+)(?:: [^=]+)? = ", inspect.getsource(RequestResponseCycle.__init__))
    )
    assert "on_response=self.on_response_complete," in inspect.getsource(HttpToolsProtocol.on_headers_complete)
    assert callable(HttpToolsProtocol._unset_keepalive_if_required)
    assert "self.read_paused = False" in inspect.getsource(FlowControl.__init__)


def test_picows_methods_of_reading_can_be_called_on_a_subclass():
    """``outbox`` and the fast path put a bound around them."""
    assert callable(WSProtocol.get_buffer)
    assert callable(WSProtocol.buffer_updated)


def masked(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A client's frame (RFC 6455 section 5.2) with the mask of zeros."""
    return bytes([opcode | (0x80 if fin else 0), 0x80 | len(payload)]) + bytes(4) + payload


def test_tls_begins_on_a_connection_that_was_read_from(tmp_path):
    """``tls_handshake.TlsHandshake`` hands uvloop's own protocol the first bytes, and its arguments by position."""
    files = written(tmp_path)
    context = tls.load(Settings(tls_cert=files.cert, tls_key=files.key)).context

    class Echo(asyncio.Protocol):
        def connection_made(self, transport):
            self.transport = transport
            assert not transport.can_write_eof()
            transport.set_read_buffer_limits(1024)
            assert transport.get_extra_info("ssl_object") is not None

        def data_received(self, data):
            self.transport.write(data)

    class First(asyncio.BufferedProtocol):
        def connection_made(self, transport):
            self.transport, self.room = transport, bytearray(64)

        def get_buffer(self, size_hint):
            return self.room

        def buffer_updated(self, count):
            done = asyncio.get_running_loop().create_future()
            inner = SSLProtocol(asyncio.get_running_loop(), Echo(), context, done, True, None, True, 5.0, 1.0)
            self.transport.set_protocol(inner)
            inner.connection_made(self.transport)
            room = inner.get_buffer(count)
            room[:count] = self.room[:count]
            inner.buffer_updated(count)

    async def exchange():
        server = await asyncio.get_running_loop().create_server(First, "127.0.0.1", 0)
        async with asyncio.timeout(20), server:
            trusting = ssl.create_default_context(cafile=files.ca)
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
            writer.write(b"hello")
            assert await reader.readexactly(5) == b"hello"
            writer.transport.abort()

    uvloop.run(exchange())
