"""A server of our protocol with nothing behind it: ``python -m web_terminal_suite.bench.terminals.null_server``.

What a benchmark measures here is the client, the loopback and the frames. Echoes, pings and attaches are answered at
once, keys echoed, and typed lines answered by a shell that knows ``printf '%s%s' LEFT RIGHT``, ``PS1=$(...)`` and
``exit``, so that the operations of the suites run against it unchanged. Prints its URL on its first line of output,
lives until SIGTERM.

``--delays SEED`` makes it the reference server: each echo and each line waits a delay out of the seeded list that the
suite draws as well. Asked with an echo of ``CONFESS`` it says at once when the last request had come and when its
answer went, so that a delay the machine made longer is told from a wrong measurement; asked with ``COUNT``, how many
requests it has answered, so that one that was not recorded is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import itertools
import re
import signal
import time
from typing import TYPE_CHECKING, Final

import picows
import uvloop

from web_terminal_suite import __version__
from web_terminal_suite.bench.terminals.delays import CONFESS, COUNT, delays_ns
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import (
    EchoBytes,
    Frame,
    InputBytes,
    Kind,
    Subprotocol,
    decode_client,
    encode,
    encode_echo,
    encode_output,
    input_bytes,
)
from web_terminal_suite.protocol.error_codes import CloseCode
from web_terminal_suite.protocol.errors import TheirError

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMPT: Final = b"$ "
_KILL_LINE: Final = b"\x15"
_LIMITS = m.Limits()
_ECHO_KIND: Final = bytes((Kind.ECHO,))
# Looked up once, not for every frame.
_BINARY: Final = picows.WSMsgType.BINARY
# Room for a frame's head. Not send(): above 8 KiB that may still point into a header buffer that the next frame
# overwrites.
_HEAD_BYTES: Final = 14
_PRINTF = re.compile(rb"printf '%s%s' (\w+) (\w+)")
# A sleep may end this much late, so the rest of a delay is spun. No more than that: a process that spins for long has
# used up its share when it matters, and others go first.
_SPIN_NS: Final = 80_000
# prctl(2): how much later than asked the kernel may end a sleep, to save a wake-up; 50 us unless told.
_PR_SET_TIMERSLACK: Final = 29


def answer(line: bytes) -> bytes:
    """What a shell that knows nothing but ``printf '%s%s' LEFT RIGHT`` prints for ``line``."""
    return b"".join(left + right for left, right in _PRINTF.findall(line))


def wait_until(moment_ns: int) -> None:
    """Return at ``moment_ns`` of ``perf_counter_ns``, to the microsecond; timers of event loops have milliseconds."""
    remaining_ns = moment_ns - time.perf_counter_ns()
    if remaining_ns > _SPIN_NS:
        time.sleep((remaining_ns - _SPIN_NS) / 1e9)
    while time.perf_counter_ns() < moment_ns:
        pass


class _Answered:
    """Requests that were answered after a delay, on all connections."""

    count = 0


class _Viewer(picows.WSListener):
    """One connection and the shell that is not there."""

    def __init__(
        self, subprotocol: Subprotocol, sessions: Iterator[int], delays: Iterator[int] | None, answered: _Answered
    ) -> None:
        self._subprotocol = subprotocol
        self._sessions = sessions
        self._delays = delays
        self._answered = answered
        self._offset = 0
        self._line = b""
        self._prompt = PROMPT
        self._last = (0, 0)
        self._session = ""

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        status = m.ConnectionStatus(
            status="ready", subprotocol=self._subprotocol.value, version=__version__, limits=_LIMITS
        )
        self._say(transport, encode(status))
        self._say(transport, encode(m.Authenticated(user="nobody", role="owner")))

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        came_ns = time.perf_counter_ns()
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()
            return
        text = frame.msg_type == picows.WSMsgType.TEXT
        try:
            message = decode_client(self._subprotocol, text, frame.get_payload_as_bytes(), _LIMITS.message_bytes)
            self._hear(transport, message, came_ns)
        except TheirError as error:
            raise picows.WSProtocolError(int(error.close or CloseCode.NORMAL), error.message) from error

    def _hear(
        self, transport: picows.WSTransport, message: m.ClientMessage | InputBytes | EchoBytes, came_ns: int
    ) -> None:
        if isinstance(message, EchoBytes) and message.data == CONFESS and self._delays is not None:
            self._say(transport, encode_echo(self._subprotocol, b"%d %d" % self._last))
        elif isinstance(message, EchoBytes) and message.data == COUNT and self._delays is not None:
            self._say(transport, encode_echo(self._subprotocol, b"%d" % self._answered.count))
        elif isinstance(message, EchoBytes):
            self._delay(came_ns)
            self._say(transport, encode_echo(self._subprotocol, message.data))
        elif isinstance(message, m.Echo):
            self._delay(came_ns)
            self._say(transport, encode(message))
        elif isinstance(message, m.Ping):
            self._say(transport, encode(m.Pong(id=message.id)))
        elif isinstance(message, InputBytes):
            self._type(transport, message.data, came_ns)
        elif isinstance(message, m.Input):
            self._type(transport, input_bytes(message), came_ns)
        elif isinstance(message, m.Command):
            self._type(transport, message.line.encode() + b"\r", came_ns)
        elif isinstance(message, m.Attach):
            self._attach(transport, message)
        elif isinstance(message, m.Close):
            transport.send_close(picows.WSCloseCode.OK)

    def _attach(self, transport: picows.WSTransport, request: m.Attach) -> None:
        self._session = request.session or f"null-{next(self._sessions)}"
        self._offset = request.resume_from or 0
        attached = m.Attached(
            session=self._session,
            name=self._session,
            offset=self._offset,
            end=self._offset,
            cols=request.cols,
            rows=request.rows,
            mode=request.mode,
            window=request.window or 1 << 17,
        )
        self._say(transport, encode(attached))
        self._print(transport, self._prompt)

    def _type(self, transport: picows.WSTransport, data: bytes, came_ns: int) -> None:
        """Echo at once, as a terminal's line discipline does; a whole line together with what it prints."""
        *lines, rest = data.split(b"\r")
        for end in lines:
            line, self._line = self._line + end, b""
            printed = answer(line)
            if line.startswith(b"PS1="):  # preparation: no delay is spent on it
                self._prompt, printed = printed, b""
            else:
                self._delay(came_ns)
            self._print(transport, end + b"\r\n" + printed + self._prompt)
            if line.strip() == b"exit":
                exited = m.ProcessExited(session=self._session, offset=self._offset, status=0)
                self._say(transport, encode(exited))
        if rest == _KILL_LINE:
            self._line = b""
        elif rest:
            self._line += rest
            self._print(transport, rest)

    def _print(self, transport: picows.WSTransport, data: bytes) -> None:
        self._say(transport, encode_output(self._subprotocol, self._offset, data))
        self._offset += len(data)

    def _delay(self, came_ns: int) -> None:
        if self._delays is not None:
            wait_until(came_ns + next(self._delays))
            self._last = (came_ns, time.perf_counter_ns())
            self._answered.count += 1

    def _say(self, transport: picows.WSTransport, frame: Frame) -> None:
        kind = picows.WSMsgType.TEXT if frame.text else picows.WSMsgType.BINARY
        transport.send_reuse_external_bytearray(kind, bytearray(_HEAD_BYTES) + frame.payload, _HEAD_BYTES)


class _PromptViewer(_Viewer):
    """One that answers at once: an echo in the form it came in, since reading it would be no cost of a client."""

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if payload[:1] == _ECHO_KIND and frame.msg_type == _BINARY:
            transport.send_reuse_external_bytearray(_BINARY, bytearray(_HEAD_BYTES) + payload, _HEAD_BYTES)
        else:
            super().on_ws_frame(transport, frame)


async def serve(delays_seed: int | None) -> None:
    """Listen on a free port of the loopback until SIGTERM."""
    sessions = itertools.count(1)
    answered = _Answered()

    def accepted(request: picows.WSUpgradeRequest) -> picows.WSUpgradeResponseWithListener:
        offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        chosen = next((each for each in Subprotocol if each.value in offered), None)
        if chosen is None:
            refusal = picows.WSUpgradeResponse.create_error_response(400, b"offer a subprotocol of web-terminal")
            return picows.WSUpgradeResponseWithListener(refusal, None)
        response = picows.WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": chosen.value})
        if delays_seed is None:
            return picows.WSUpgradeResponseWithListener(response, _PromptViewer(chosen, sessions, None, answered))
        viewer = _Viewer(chosen, sessions, delays_ns(delays_seed), answered)
        return picows.WSUpgradeResponseWithListener(response, viewer)

    if delays_seed is not None:
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = await picows.ws_create_server(accepted, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="a web terminal with nothing behind it")
    parser.add_argument("--delays", type=int, metavar="SEED", help="answer after the delays of this seed")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.delays))


if __name__ == "__main__":
    main()
