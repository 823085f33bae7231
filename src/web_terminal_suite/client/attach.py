"""A session in the terminal of this process: its keys are sent, the session's output is shown.

An interactive program's part of the client. It reads standard input, writes standard output, sets the terminal to raw
mode, and reconnects where the session outlives the connection.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed, TimedOut, Unreachable
from web_terminal_suite.client.replay import Replay
from web_terminal_suite.protocol.messages import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.client.address import Address
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.protocol.messages import ProcessExited

# A shell reports a child that a signal ended as 128 plus the signal's number.
_SIGNALLED: Final = 128
# Close codes after which the session is still there: a worker was replaced, or the network failed.
_RECONNECTABLE: Final = (1001, 1006, 1011, 1012, 1013)
_RECONNECT_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0)


async def attach(
    address: Address, *, session: str | None = None, detach_key: bytes = b"\x1d", read_only: bool = False
) -> tuple[ProcessExited | None, str]:
    """Join ``session``, or start one, until its shell ends or the detach key is typed.

    Gives how the shell ended, ``None`` where it still runs, and the session's id. Standard input must be a terminal.

    Raises:
        ClientError: refused, or the connection is lost for good.
    """
    async with connect(address) as connection:
        return await _LocalTerminal(connection, detach_key, read_only).attach(session)


def detach_byte(name: str) -> bytes:
    """The byte a control key sends, such as ``ctrl-]``; empty for ``none``.

    Raises:
        ValueError: no such key.
    """
    if name == "none":
        return b""
    prefix, _, key = name.lower().partition("-")
    if prefix in ("ctrl", "c", "^") and len(key) == 1 and "@" <= key.upper() <= "_":
        return bytes([ord(key.upper()) & 0x1F])
    raise ValueError(f"no such key: {name!r}; use ctrl- and a letter or one of @ [ \\ ] ^ _, or none")


def exit_status(ended: ProcessExited) -> int:
    """What a program ends with whose shell ended like this: its status, or 128 and the number of its signal."""
    if ended.signal is None:
        return ended.status or 0
    return _SIGNALLED + getattr(signal, ended.signal, 0)


class _LocalTerminal:
    """The terminal of this process, joined to one connection."""

    def __init__(self, connection: ClientConnection, detach_key: bytes, read_only: bool) -> None:
        self._connection = connection
        self._key = detach_key
        self._read_only = read_only
        self._detached = asyncio.Event()
        self._replay = Replay(0)

    async def attach(self, session: str | None) -> tuple[ProcessExited | None, str]:
        """As the function of this name.

        Raises:
            ClientError: refused, or gone for good.
        """
        size = _size()
        mode = "read" if self._read_only else "write"
        attached = await self._connection.attach(session, cols=size.cols, rows=size.rows, mode=mode)  # type: ignore[arg-type]  # one of both
        self._replay = Replay(attached.end)
        with _raw(), self._watched():
            ended = await self._show()
        return ended, attached.session

    async def _show(self) -> ProcessExited | None:
        leaving = asyncio.create_task(self._detached.wait())
        try:
            while True:
                reading = asyncio.create_task(self._connection.read(float("inf")))
                await asyncio.wait((reading, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    return None
                try:
                    chunk = reading.result()
                except Closed as error:
                    if error.code not in _RECONNECTABLE:
                        raise
                    await self._reconnect(error)
                    continue
                if chunk is None:
                    return self._connection.exit
                _write(self._replay.show(chunk.data, chunk.end))
        finally:
            leaving.cancel()

    async def _reconnect(self, why: Exception) -> None:
        """Dial again until the session goes on where it stopped."""
        _say(f"{why}; reconnecting, what you type now is not sent")
        for seconds in _RECONNECT_SECONDS:
            await asyncio.sleep(seconds)  # the server needs time to come back, and says nothing before
            try:
                self._replay = Replay((await self._connection.reconnect()).end)
                self._resized()
                _say("reconnected")
                return
            except (Unreachable, TimedOut):
                continue
            except Closed as error:
                if error.code not in _RECONNECTABLE:
                    raise
        raise why

    def _typed(self) -> None:
        data = os.read(sys.stdin.fileno(), 65536)
        if not data or (self._key and self._key in data):
            data = data.partition(self._key)[0] if self._key else b""
            self._detached.set()
        if data and not self._read_only and self._connection.closed is None:
            self._connection.input(data)

    def _resized(self) -> None:
        if not self._read_only and self._connection.closed is None:
            size = _size()
            self._connection.resize(size.cols, size.rows)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Send keys and changes of size for as long as the block lasts."""
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin.fileno(), self._typed)
        loop.add_signal_handler(signal.SIGWINCH, self._resized)
        try:
            yield
        finally:
            loop.remove_reader(sys.stdin.fileno())
            loop.remove_signal_handler(signal.SIGWINCH)


@contextmanager
def _raw() -> Iterator[None]:
    """This terminal in raw mode, restored whatever happens; SIGTERM and SIGHUP end the block too."""

    def leave(number: int, frame: object) -> NoReturn:
        raise SystemExit(_SIGNALLED + number)

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    handlers = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setraw(fd)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    """A line of our own on a terminal in raw mode: dim and on standard error, to tell it from output."""
    sys.stderr.write(f"\r\n\x1b[2m[{text}]\x1b[0m\r\n")
    sys.stderr.flush()


def _write(data: bytes) -> None:
    """All of ``data`` to standard output, which may be slow: then the session waits for it too."""
    remaining = memoryview(data)
    while remaining:
        try:
            remaining = remaining[os.write(sys.stdout.fileno(), remaining) :]
        except BlockingIOError:
            # Keyboard and screen are often one open file, so the loop's non-blocking reads make writes so too.
            select.select([], [sys.stdout.fileno()], [])


def _size() -> Size:
    """This terminal's own size; COLUMNS and LINES may be those of another, and do not change with it."""
    found = os.get_terminal_size(sys.stdin.fileno())
    return Size(found.columns or 80, found.lines or 24)
