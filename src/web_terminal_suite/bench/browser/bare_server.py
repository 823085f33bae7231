"""The server of the bare page: ``python -m web_terminal_suite.bench.browser.bare_server``.

Serves the built page on one port of the loopback and its WebSocket on another, and prints both on its first line. Has
no shell: keys are echoed at once, and a typed line is answered by what it would print, as far as benchmarks type lines.
Lives until SIGTERM.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
import signal
from typing import Final

import picows

from web_terminal_suite.bench.browser.bare_page import PAGE
from web_terminal_suite.bench.browser.outputs import BLUE, FUNCTION, written

PROMPT: Final = b"$ "
_KILL_LINE: Final = b"\x15"
_HEAD_BYTES: Final = 14
_FRAME_BYTES: Final = 1 << 16
_DEFINITION: Final = re.compile(rf"{FUNCTION}\(\) {{ (.*); }}")
_PRINTS: Final = re.compile(
    r"printf '%s%s' (\w+) (\w+)|yes \"\$\(printf '([^']*)'\)\" 2>/dev/null \| head -n (\d+)|printf '([^']*)'"
)
_HEAD: Final = "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: {}\r\nConnection: close\r\n\r\n"
# Files are named by their content, as those of terminals' pages are.
_KEPT: Final = "public, max-age=31536000, immutable"


def printed(line: str) -> bytes:
    """What a shell prints for ``line``, of which nothing but ``printf`` and ``yes | head`` is understood."""
    parts = []
    for left, right, repeated, times, text in _PRINTS.findall(line):
        if times:
            lines = written(repeated).split(b"\n")
            parts.append(b"".join(lines[place % len(lines)] + b"\r\n" for place in range(int(times))))
        else:
            parts.append((left + right).encode() or written(text))
    return b"".join(parts)


class BareViewer(picows.WSListener):
    """One page. A size is a text frame, everything else is typed."""

    def __init__(self) -> None:
        self._line = b""
        self._function = ""
        self._redraws = False
        self._count = 0

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._print(transport, PROMPT)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(picows.WSCloseCode.OK)
            transport.disconnect()
        elif frame.msg_type == picows.WSMsgType.TEXT:
            self._resize(transport, payload.decode())
        else:
            self._type(transport, payload)

    def _resize(self, transport: picows.WSTransport, size: str) -> None:
        """A program that draws itself anew at each size, where one runs."""
        if self._redraws:
            self._count += 1
            cols, _, rows = size.partition("x")
            self._print(transport, written(BLUE) + f"{rows} {cols} {self._count}.".encode())

    def _type(self, transport: picows.WSTransport, data: bytes) -> None:
        """Echo at once; a whole line together with what it prints."""
        *lines, rest = data.split(b"\r")
        for end in lines:
            line, self._line = (self._line + end).decode(errors="replace"), b""
            self._print(transport, end + b"\r\n" + self._run(line) + PROMPT)
        if rest == _KILL_LINE:
            self._print(transport, b"\b \b" * len(self._line))
            self._line = b""
        elif rest:
            self._line += rest
            self._print(transport, rest)

    def _run(self, line: str) -> bytes:
        if found := _DEFINITION.search(line):
            self._function = found[1]
            return printed(line[: found.start()] + line[found.end() :])
        self._redraws = self._redraws or "WINCH" in line
        name, *arguments = line.split(" ")
        if name == FUNCTION:
            line = self._function
            for number, argument in enumerate(arguments, 1):
                line = line.replace(f'"${number}"', argument)
        return printed(line)

    def _print(self, transport: picows.WSTransport, data: bytes) -> None:
        for at in range(0, len(data), _FRAME_BYTES):
            frame = bytearray(_HEAD_BYTES) + data[at : at + _FRAME_BYTES]
            transport.send_reuse_external_bytearray(picows.WSMsgType.BINARY, frame, _HEAD_BYTES)


async def _serve_file(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One file of the page for one request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        name = head.split(b" ", 2)[1].decode().partition("?")[0]
        file = _FILES.get("/index.html" if name == "/" else name)
        body = b"" if file is None else file.read_bytes()
        kind = mimetypes.guess_type(name)[0] or "text/html"
        status, kept = "404 Not Found" if file is None else "200 OK", "no-cache" if name == "/" else _KEPT
        writer.write(_HEAD.format(status, kind, len(body), kept).encode() + body)
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # a browser opens connections that it does not use
    finally:
        writer.close()


_FILES: Final = {f"/{each.relative_to(PAGE)}": each for each in PAGE.rglob("*") if each.is_file()}


async def serve() -> None:
    """Listen on two free ports of the loopback until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def accepted(request: picows.WSUpgradeRequest) -> picows.WSUpgradeResponseWithListener:
        return picows.WSUpgradeResponseWithListener(picows.WSUpgradeResponse.create_101_response(), BareViewer())

    pages = await asyncio.start_server(_serve_file, "127.0.0.1", 0)
    sockets = await picows.ws_create_server(accepted, "127.0.0.1", 0)
    ports = (each.sockets[0].getsockname()[1] for each in (pages, sockets))
    print(*ports, flush=True)
    await stop.wait()
    pages.close()
    sockets.close()


if __name__ == "__main__":
    asyncio.run(serve())
