"""A session in the terminal of this process: its keys are sent, the session's output is shown.

An interactive program's part of the client. It reads standard input, writes standard output, sets the terminal to raw
mode, and reconnects where the session outlives the connection.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import signal
import sys
import termios
import time
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import ClientError, Closed, TimedOut, Unreachable
from web_terminal_suite.client.replay import Replay
from web_terminal_suite.protocol.messages import Size

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from web_terminal_suite.client.address import Address
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.protocol.messages import ProcessExited

_T = TypeVar("_T")

# A shell reports a child that a signal ended as 128 plus the signal's number.
_SIGNALLED: Final = 128
# As the page: a ping without an answer for so long means that the network is gone.
_PING_EVERY_SECONDS: Final = 5.0
_DEAD_AFTER_SECONDS: Final = 10.0
# After a longer absence the person decides what becomes of input that was not delivered.
_SEND_AGAIN_WITHIN_SECONDS: Final = 30.0
_SHOWN_BYTES: Final = 60
_ENTER: Final = b"\r"
_CTRL_C: Final = b"\x03"
# Close codes after which the session is still there: a worker was replaced, or the network failed.
_RECONNECTABLE: Final = (1001, 1006, 1011, 1012, 1013)
_FIRST_DELAY_SECONDS: Final = 0.25
_LAST_DELAY_SECONDS: Final = 10.0


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
        pinging = asyncio.create_task(self._ping())
        try:
            while True:
                try:
                    chunk = await _unless(leaving, self._connection.read(float("inf")))
                except Closed as error:
                    if error.code not in _RECONNECTABLE:
                        raise
                    await _unless(leaving, self._reconnect(error))
                    continue
                if chunk is None:
                    return self._connection.exit
                _write(self._replay.show(chunk.data, chunk.end))
        except _Left:
            return None
        finally:
            for task in (leaving, pinging):
                task.cancel()

    async def _ping(self) -> None:
        """Notice a connection that is dead without an end, for as long as this runs."""
        while True:
            await asyncio.sleep(_PING_EVERY_SECONDS)
            if self._connection.closed is not None:
                continue
            try:
                await self._connection.ping(timeout=_DEAD_AFTER_SECONDS)
            except TimedOut:
                self._connection.abort()
            except ClientError:
                continue  # the task that reads output is told as well

    async def _reconnect(self, why: Exception) -> None:
        """Dial again until the session goes on where it stopped."""
        undelivered = self._connection.unacknowledged_input
        told = f"; {undelivered} bytes of input that are not delivered yet will be sent again" if undelivered else ""
        _say(f"{why}; reconnecting, what you type now is not sent{told}")
        lost = time.monotonic()
        delay = _FIRST_DELAY_SECONDS
        while True:
            # The server needs time to come back, and says nothing before. Not all clients come at once.
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, _LAST_DELAY_SECONDS)
            send_again = time.monotonic() - lost <= _SEND_AGAIN_WITHIN_SECONDS
            try:
                attached = await self._connection.reconnect(send_again=send_again)
            except (Unreachable, TimedOut):
                continue
            except Closed as error:
                if error.code not in _RECONNECTABLE:
                    raise
                continue
            self._replay = Replay(attached.end)
            self._resized()
            _say("reconnected")
            self._tell_input()
            return

    def _tell_input(self) -> None:
        """Ask what becomes of input that was not delivered; tell what is not known."""
        if uncertain := self._connection.uncertain_input_bytes:
            self._connection.uncertain_input_bytes = 0
            _say(f"whether the last {uncertain} bytes of input arrived is unknown: look before you type them again")
        if data := self._connection.undelivered_input:
            _say(f"not delivered: {_shown(data)} ({len(data)} bytes); Enter sends it, Ctrl-C drops it")

    def _decide(self, key: bytes) -> None:
        """What was not delivered is sent or dropped; any other key has no effect."""
        if key == _ENTER:
            self._connection.send_undelivered()
        elif key == _CTRL_C:
            count = len(self._connection.undelivered_input)
            ending = self._connection.drop_undelivered()
            if ending:
                self._connection.input(ending)
            _say(f"dropped: {count} bytes of input")

    def _typed(self) -> None:
        data = os.read(sys.stdin.fileno(), 65536)
        if not data or (self._key and self._key in data):
            data = data.partition(self._key)[0] if self._key else b""
            self._detached.set()
        if not data or self._read_only or self._connection.closed is not None:
            return
        if self._connection.undelivered_input:
            self._decide(data)
            return
        try:
            self._connection.input(data)
        except RuntimeError as error:
            _say(f"not sent: {error}")

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


class _Left(Exception):
    """The detach key was typed."""


async def _unless(leaving: asyncio.Task[bool], work: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``work``.

    Raises:
        _Left: ``leaving`` was done first.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise _Left
        return task.result()
    finally:
        task.cancel()


def _shown(data: bytes) -> str:
    """The beginning of input, printable."""
    text = data[:_SHOWN_BYTES].decode(errors="replace")
    more = "..." if len(data) > _SHOWN_BYTES else ""
    return "".join(each if each.isprintable() else " " for each in text).strip() + more


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
