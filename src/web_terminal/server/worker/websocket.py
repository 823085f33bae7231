"""One viewer's WebSocket: frames in, the conversation's table, the host's answers, output frames out.

uvicorn parses the upgrade request and hands the transport over (its ``ws=`` setting); picows takes it from there. Both
are used below their public surface, which ``tests/server/worker/test_contract.py`` names and which is why their
minor versions are pinned.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from picows import WSCloseCode, WSListener, WSMsgType, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]  # compiled, not in the stubs

from web_terminal import __version__
from web_terminal.protocol import codec
from web_terminal.protocol import messages as m
from web_terminal.protocol.codec import EchoBytes, InputBytes, Subprotocol
from web_terminal.protocol.conversation import Conversation, Side, State
from web_terminal.protocol.errors import CloseCode, MessageTooBig, OutOfRange, TheirError, UnsupportedData
from web_terminal.server.access import Denied, Grant, TooManyFailures
from web_terminal.server.host import wire
from web_terminal.server.log import Overrun
from web_terminal.server.pty import usage
from web_terminal.server.session import Cursor
from web_terminal.server.worker.counters import Counters

if TYPE_CHECKING:
    from collections.abc import Callable

    from picows import WSFrame, WSTransport, WSUpgradeRequest

    from web_terminal.server.worker.hold import Hold
    from web_terminal.server.worker.worker import Worker

log = logging.getLogger("web_terminal.worker")

# picows would make a Logger for each connection, and logs its client's faults as errors of ours.
_picows_log = logging.LoggerAdapter(logging.getLogger("web_terminal.picows"), {})
_picows_log.logger.setLevel(logging.CRITICAL)

# picows writes its frame head (14 bytes at most, RFC 6455 section 5.2) before the payload it is given.
_HEAD_ROOM = 14
_OUTPUT_AT = _HEAD_ROOM + codec.OUTPUT_HEAD_BYTES
_OUTPUT_SPACE = bytes(_OUTPUT_AT)
# What one frame carries at most; smaller ones keep a typist's frame from waiting behind a large one.
_FRAME_BYTES = 64 * 1024
_LOWEST_WINDOW = 4096
# How long a peer may take to answer our close frame.
_CLOSE_SECONDS = 1.0
# Connections that have not said who they are; beyond it new ones are turned away.
_STRANGERS = 1000
_CLOSE_REASON_BYTES = 123
# Unsent bytes beyond which a connection is not read. Above a window of output in JSON's longest form (six bytes for
# one), so that an interrupt is heard however slowly the output is read.
_UNSENT_BYTES = 1 << 20

_BINARY = WSMsgType.BINARY
_TEXT = WSMsgType.TEXT


def protocol_class(worker: Worker) -> type[WSProtocol]:
    """The class for uvicorn's ``ws=`` setting: one instance a connection, all of this worker."""

    class WebSocket(WSProtocol):  # type: ignore[misc]  # compiled, not in the stubs
        __slots__ = ()  # no dictionary: there are thousands of these

        def __init__(self, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
            super().__init__(
                None,  # host_port and ws_path are a client's
                None,
                False,  # is_client_side
                lambda request: admit(worker, request, _address(self.transport.underlying_transport)),
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


def _address(transport: Any) -> str:
    """Where a connection comes from."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else ""


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
    return WSUpgradeResponseWithListener(response, Connection(worker, chosen, grant))


def _refuse(status: HTTPStatus, reason: str) -> WSUpgradeResponseWithListener:
    return WSUpgradeResponseWithListener(WSUpgradeResponse.create_error_response(status, reason.encode()), None)


class Connection(WSListener):
    """One WebSocket: at most one session at a time, followed with one cursor."""

    __slots__ = (
        "_allowance", "_allowance_at", "_binary", "_closing", "_conversation", "_counters", "_cursor", "_deadline",
        "_fragments", "_fragments_text", "_grant", "_hold", "_mode", "_subprotocol", "_task", "_transport",
        "_usage_timer", "_worker",
    )  # fmt: skip

    def __init__(self, worker: Worker, subprotocol: Subprotocol, grant: Grant | None) -> None:
        self._worker = worker
        self._counters = worker.counters.row
        self._subprotocol = subprotocol
        self._binary = subprotocol is Subprotocol.BINARY
        self._grant = grant
        self._conversation = Conversation()
        self._transport: WSTransport = None  # type: ignore[assignment]  # set before any frame
        self._fragments: bytearray | None = None
        self._fragments_text = False
        self._hold: Hold | None = None
        self._cursor: Cursor | None = None
        self._mode: m.Mode = "write"
        self._deadline: asyncio.TimerHandle | None = None
        self._usage_timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._allowance = 0.0
        self._allowance_at = 0.0

    # --- the connection's life

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        # picows keeps the handshake as long as the connection; 2.4 KB each of thousands that nobody reads again.
        transport.request.headers.clear()
        transport.response.headers.clear()
        self._counters[Counters.CONNECTIONS_OPENED] += 1
        self._worker.keep_alive(transport.underlying_transport)
        transport.underlying_transport.set_write_buffer_limits(high=_UNSENT_BYTES)
        settings = self._worker.settings
        limits = m.Limits(message_bytes=settings.message_limit, cols=settings.max_cols, rows=settings.max_rows)
        status = m.ConnectionStatus(
            status="authentication_required" if self._grant is None else "ready",
            subprotocol=self._subprotocol.value,
            version=__version__,
            limits=limits,
        )
        self._send(status)
        if self._grant is not None:
            self._welcome(self._grant)
        else:
            self._worker.strangers += 1
            self._deadline = self._worker.loop.call_later(settings.authentication_timeout, self._unauthenticated)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._counters[Counters.CONNECTIONS_CLOSED] += 1
        self._closing = True
        if self._grant is None:
            self._worker.strangers -= 1
        if self._deadline is not None:
            self._deadline.cancel()
        # An attach under way is not cancelled: its answer brings descriptors, and others may wait for the same hold.
        self._leave()

    def pause_writing(self) -> None:
        """The client asks (echo, ping) and does not read the answers: nor do we read on."""
        self._transport.underlying_transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.underlying_transport.resume_reading()

    def _leave(self) -> None:
        hold, self._hold, self._cursor = self._hold, None, None
        if self._usage_timer is not None:
            self._usage_timer.cancel()
        if hold is not None:
            hold.leave(self)

    def close(self, code: CloseCode, reason: str) -> None:
        """Send a close frame, and hang up when the peer has answered or taken too long."""
        if self._closing:
            return
        self._closing = True
        self._leave()
        text = reason.encode()[:_CLOSE_REASON_BYTES].decode(errors="ignore")
        self._transport.send_close(int(code), text)  # type: ignore[arg-type]  # codes from 4000 up are ours
        self._worker.loop.call_later(_CLOSE_SECONDS, self._transport.disconnect, False)

    def _refuse(self, error: TheirError) -> None:
        """Say what was wrong; close where the error demands it."""
        if self._closing:
            return
        self._counters[Counters.ERRORS] += 1
        fatal = error.close is not None
        self._send(m.Error(code=error.code, message=error.message, fatal=fatal))
        if error.close is not None:
            self.close(error.close, error.message)

    # --- frames in

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if self._closing:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        kind = frame.msg_type
        if kind == _BINARY or kind == _TEXT:
            if frame.fin and self._fragments is None:
                self._receive(kind == _TEXT, frame.get_payload_as_bytes())
            else:
                self._begin_fragments(frame)
        elif kind == WSMsgType.CONTINUATION:
            self._continue_fragments(frame)
        elif kind == WSMsgType.CLOSE:
            self._closing = True
            transport.send_close(frame.get_close_code() or WSCloseCode.OK)
            transport.disconnect()

    def _begin_fragments(self, frame: WSFrame) -> None:
        if self._fragments is not None:
            self._refuse(UnsupportedData("a new message began before the fragmented one ended"))
            return
        self._fragments = bytearray(frame.get_payload_as_bytes())
        self._fragments_text = frame.msg_type == _TEXT

    def _continue_fragments(self, frame: WSFrame) -> None:
        if self._fragments is None:
            self._refuse(UnsupportedData("a continuation frame without a beginning"))
            return
        self._fragments += frame.get_payload_as_bytes()
        size = len(self._fragments)
        if size > self._worker.settings.message_limit:
            self._fragments = None
            self._refuse(MessageTooBig(size, self._worker.settings.message_limit))
        elif frame.fin:
            payload, self._fragments = bytes(self._fragments), None
            self._receive(self._fragments_text, payload)

    def _receive(self, text: bool, payload: bytes) -> None:
        self._counters[Counters.MESSAGES_RECEIVED] += 1
        try:
            if self._worker.settings.messages_per_second:
                self._spend_allowance()
            message = codec.decode_client(self._subprotocol, text, payload, self._worker.settings.message_limit)
            if self._conversation.state is State.AUTHENTICATING and not isinstance(message, m.Authenticate | m.Close):
                raise TheirError(
                    "authentication_required",
                    f"{m.kind(message)!r} came before 'authenticate'",
                    CloseCode.AUTHENTICATION_FAILED,
                )
            _ACTIONS[type(message)](self, message)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # Our own fault, whatever it is: this connection ends with a bare code, the others go on.
            log.exception("connection failed")
            self.close(CloseCode.INTERNAL_ERROR, "")

    def _spend_allowance(self) -> None:
        """A token bucket that holds one second's worth."""
        rate = self._worker.settings.messages_per_second
        now = time.monotonic()
        self._allowance = min(rate, self._allowance + (now - self._allowance_at) * rate)
        self._allowance_at = now
        if self._allowance < 1:
            raise TheirError("rate_limit", f"more than {rate} messages a second", CloseCode.RATE_LIMIT)
        self._allowance -= 1

    def _hear(self, message: msgspec.Struct) -> State:
        return self._conversation.hear(Side.CLIENT, message)

    # --- who is there

    def _unauthenticated(self) -> None:
        seconds = self._worker.settings.authentication_timeout
        self._refuse(
            TheirError(
                "authentication_timeout",
                f"no 'authenticate' within {seconds:g} s",
                CloseCode.AUTHENTICATION_FAILED,
            )
        )

    def _authenticate(self, message: m.Authenticate) -> None:
        self._hear(message)
        address = _address(self._transport.underlying_transport)
        access = self._worker.access
        try:
            grant = access.try_token(message.token, address)
        except TooManyFailures as denied:
            raise TheirError("rate_limit", denied.reason, CloseCode.RATE_LIMIT) from denied
        except Denied as denied:
            self._counters[Counters.AUTHENTICATIONS_FAILED] += 1
            raise TheirError("authentication_failed", denied.reason, CloseCode.AUTHENTICATION_FAILED) from denied
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._worker.strangers -= 1
        self._grant = grant
        self._welcome(grant)

    def _welcome(self, grant: Grant) -> None:
        self._send(m.Authenticated(user=grant.user, role=grant.role))
        if grant.until is not None:  # a socket must not outlive the login that opened it
            self._deadline = self._worker.loop.call_later(max(0.0, grant.until - time.time()), self._login_over)

    def _login_over(self) -> None:
        self._refuse(TheirError("session_expired", "the login is over; log in again", CloseCode.SESSION_EXPIRED))

    # --- attaching

    def _attach(self, message: m.Attach) -> None:
        self._check_size(message.cols, message.rows)
        if message.window is not None and message.window < _LOWEST_WINDOW:
            raise OutOfRange(f"window of {message.window} bytes is below {_LOWEST_WINDOW}")
        if message.resume_from is not None and message.resume_from < 0:
            raise OutOfRange(f"resume_from of {message.resume_from} is below 0")
        if message.usage_interval is not None and message.usage_interval < 1:
            raise OutOfRange(f"usage_interval of {message.usage_interval:g} s is below 1 s")
        self._hear(message)
        self._leave()
        self._task = self._worker.loop.create_task(self._attach_at_host(message))

    async def _attach_at_host(self, message: m.Attach) -> None:
        grant = self._grant
        assert grant is not None  # the conversation's table: authenticated before attach
        who = wire.Who(grant.user, grant.role)
        link = self._worker.link
        hold: Hold | None = None
        try:
            if message.session is None:
                spec = msgspec.structs.replace(message.spec or m.SessionSpec(), cols=message.cols, rows=message.rows)
                hold = await link.create(who, spec)
            else:
                hold = await link.join(who, message.session)
            if self._closing:
                if message.session is None:  # nobody was told its id, so nobody would come back to it
                    self._worker.spawn(self._destroy(who, hold.facts.id))
                return
            self._enter(hold, message, grant)
        except TheirError as error:
            self._refuse(error)
        except Exception:
            # As in _receive: nobody awaits this task, so the failure is told and logged here.
            log.exception("attach failed")
            self.close(CloseCode.INTERNAL_ERROR, "")
        finally:
            self._task = None
            if hold is not None and not hold.visitors:
                link.let_go(hold)

    def _enter(self, hold: Hold, message: m.Attach, grant: Grant) -> None:
        """Become a viewer: the cursor is set before anything can be appended, so nothing is missed or doubled."""
        log_ = hold.session.log
        resume = message.resume_from
        if resume is not None and resume > log_.end:
            raise OutOfRange(f"resume_from of {resume} lies beyond the {log_.end} bytes of output")
        offset = log_.start if resume is None else max(resume, log_.start)
        window = min(message.window or self._worker.settings.window, self._worker.settings.window)
        self._mode = message.mode if grant.may_write else "read"
        self._cursor = Cursor(log_, offset, window)
        self._hold = hold
        if self._mode == "write":
            hold.resize(m.Size(message.cols, message.rows), self)
        self._send(
            m.Attached(
                session=hold.facts.id,
                name=hold.facts.name,
                offset=offset,
                end=log_.end,
                cols=hold.size.cols,
                rows=hold.size.rows,
                mode=self._mode,
                window=window,
            )
        )
        if message.session is None:
            self._send(m.ProcessStarted(session=hold.facts.id, pid=hold.facts.pid, command=hold.facts.command))
        if resume is not None and resume < offset:
            self._tell_gap(resume, offset)
        hold.enter(self)
        if message.usage_interval is not None:
            self._send_usage(hold.facts.pid, message.usage_interval)
        self.advance()

    def _send_usage(self, pid: int, interval: float) -> None:
        if self._conversation.state is not State.ATTACHED or self._closing:
            return
        now = usage(pid)
        self._send(m.ResourceUsage(cpu_seconds=now.cpu_seconds, memory_bytes=now.memory_bytes, processes=now.processes))
        self._usage_timer = self._worker.loop.call_later(interval, self._send_usage, pid, interval)

    # --- what the client wants of its session

    def _input(self, message: m.Input) -> None:
        self._type(message, codec.input_bytes(message))

    def _input_bytes(self, message: InputBytes) -> None:
        self._type(message, message.data)

    def _command(self, message: m.Command) -> None:
        self._type(message, message.line.encode() + b"\r")

    def _type(self, message: msgspec.Struct, data: bytes) -> None:
        self._hear(message)
        hold = self._hold
        if hold is None:  # ended: the client could not know
            return
        self._must_write()
        self._counters[Counters.INPUT_BYTES] += len(data)
        if not hold.write(data):
            raise TheirError("input_overflow", f"{len(data)} bytes of input refused: the program has not read 1 MiB")

    def _must_write(self) -> None:
        if self._mode != "write":
            raise TheirError("read_only", "this viewer may only read")

    def _resize(self, message: m.Resize) -> None:
        self._hear(message)
        self._check_size(message.cols, message.rows)
        if self._hold is not None:
            self._must_write()
            self._hold.resize(m.Size(message.cols, message.rows), self)

    def _check_size(self, cols: int, rows: int) -> None:
        settings = self._worker.settings
        for name, value, limit in (("cols", cols, settings.max_cols), ("rows", rows, settings.max_rows)):
            if not 1 <= value <= limit:
                raise OutOfRange(f"{name} = {value} is out of range: 1 to {limit}")

    def _signal(self, message: m.Signal) -> None:
        self._hear(message)
        number = signal_number(message.name)
        if self._hold is not None and self._hold.session.pty.fd >= 0:
            self._must_write()
            self._hold.session.pty.signal(number)

    def _ack(self, message: m.Ack) -> None:
        self._hear(message)
        if self._cursor is not None and self._hold is not None:
            self._cursor.window.ack(message.offset)
            self.advance()
            if self._hold is not None:
                self._hold.credited()

    def _ping(self, message: m.Ping) -> None:
        self._hear(message)
        self._send(m.Pong(id=message.id))

    def _echo(self, message: m.Echo) -> None:
        self._hear(message)
        self._send(message)

    def _echo_bytes(self, message: EchoBytes) -> None:
        self._hear(message)
        self._counters[Counters.MESSAGES_SENT] += 1
        self._transport.send(_BINARY, b"\x03" + message.data)

    def _close(self, message: m.Close) -> None:
        hold = self._hold
        if message.destroy and hold is not None and self._mode != "write":
            raise TheirError("forbidden", "this viewer may only read; the session goes on", CloseCode.FORBIDDEN)
        self._hear(message)
        if message.destroy and hold is not None and self._grant is not None:
            who = wire.Who(self._grant.user, self._grant.role)
            self._worker.spawn(self._destroy(who, hold.facts.id))
        else:
            self.close(CloseCode.NORMAL, "closed")

    async def _destroy(self, who: wire.Who, session: str) -> None:
        try:
            await self._worker.link.ask(wire.Destroy, who=who, session=session)
        except TheirError as error:
            log.info("session %s was not destroyed: %s", session, error)
        self.close(CloseCode.NORMAL, "session destroyed")

    # --- what the session says (a Visitor of its Hold)

    def credit_end(self) -> int:
        cursor = self._cursor
        return 0 if cursor is None else cursor.window.sent + cursor.window.room()

    def advance(self) -> None:
        """Send what the log has and the window allows, then the end if that was all."""
        cursor = self._cursor
        if cursor is None:
            return
        while (count := cursor.ready(_FRAME_BYTES)) > 0:
            buffer = bytearray(_OUTPUT_SPACE)
            try:
                offset = cursor.take(buffer, count)
            except Overrun as overrun:
                self._tell_gap(*cursor.skip(overrun))
                continue
            if self._binary:
                codec.put_output_head(buffer, _HEAD_ROOM, offset)
                self._counters[Counters.OUTPUT_BYTES] += count
                self._counters[Counters.MESSAGES_SENT] += 1
                self._transport.send_reuse_external_bytearray(_BINARY, buffer, _HEAD_ROOM)
            elif not self._send_text(cursor, offset, bytes(memoryview(buffer)[_OUTPUT_AT:])):
                break
        hold = self._hold
        if hold is not None and hold.end is not None and cursor.window.sent >= hold.end.offset:
            self._finish(hold.end)

    def _send_text(self, cursor: Cursor, offset: int, data: bytes) -> bool:
        """Output as JSON; holds back a character that is still incomplete, and says whether anything was sent."""
        ended = self._hold is not None and self._hold.end is not None
        count = len(data) if ended else codec.text_length(data)
        cursor.window.sent = offset + count
        if count:
            self._counters[Counters.OUTPUT_BYTES] += count
            self._send(codec.output_message(offset, data[:count]))
        return count > 0

    def _tell_gap(self, start: int, end: int) -> None:
        self._counters[Counters.GAPS] += 1
        self._send(m.Gap(start=start, end=end))

    def ended(self, notice: wire.Ended) -> None:
        self.advance()

    def _finish(self, end: wire.Ended) -> None:
        hold = self._hold
        assert hold is not None
        self._leave()
        self._send(m.ProcessExited(session=hold.facts.id, offset=end.offset, status=end.status, signal=end.signal))
        if end.reason == "expired":
            self._refuse(TheirError("session_expired", "the session was idle for too long", CloseCode.SESSION_EXPIRED))
        elif end.reason == "destroyed":
            self.close(CloseCode.NORMAL, "session destroyed")
        elif end.reason == "shutdown":
            self.close(CloseCode.GOING_AWAY, "the server stops")

    def resized(self, size: m.Size) -> None:
        self._send(m.Resized(cols=size.cols, rows=size.rows))

    def paused(self, direction: str, paused: bool) -> None:
        state = "paused" if paused else "resumed"
        self._send(m.FlowControl(direction=direction, state=state))  # type: ignore[arg-type]  # of two literals

    # --- frames out

    def _send(self, message: msgspec.Struct) -> None:
        # A client that said `close` hears no more, also while its session is being destroyed.
        if self._closing or self._conversation.state is State.CLOSED:
            return
        self._conversation.hear(Side.SERVER, message)
        self._counters[Counters.MESSAGES_SENT] += 1
        self._transport.send_reuse_external_bytearray(_TEXT, _framed(message), _HEAD_ROOM)


def _framed(message: msgspec.Struct) -> bytearray:
    """The message as JSON behind room for picows' frame head."""
    buffer = bytearray(_HEAD_ROOM)
    _encoder.encode_into(message, buffer, _HEAD_ROOM)
    return buffer


_encoder = msgspec.json.Encoder()


def signal_number(name: str) -> int:
    """The number of a signal a client may send.

    Raises:
        TheirError: there is none of this name.
    """
    number = getattr(signal, name, None) if name.startswith("SIG") and name.isalnum() else None
    if not isinstance(number, signal.Signals):
        raise TheirError("unknown_signal", f"signal {name[:40]!r} is unknown; names are as in SIGINT")
    return int(number)


_ACTIONS: dict[type[Any], Callable[[Connection, Any], None]] = {
    m.Authenticate: Connection._authenticate,
    m.Attach: Connection._attach,
    m.Input: Connection._input,
    InputBytes: Connection._input_bytes,
    m.Command: Connection._command,
    m.Resize: Connection._resize,
    m.Signal: Connection._signal,
    m.Ack: Connection._ack,
    m.Ping: Connection._ping,
    m.Echo: Connection._echo,
    EchoBytes: Connection._echo_bytes,
    m.Close: Connection._close,
}
