"""``web-terminal attach``: a session from the terminal one sits at, instead of from a browser."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.protocol.messages import ProcessExited, Size

_USAGE: Final = 2
_FAILED: Final = 1
# What a shell says of a child that a signal ended: 128 and the signal's number.
_SIGNALLED: Final = 128
# Close codes after which the same session is still there: a worker was replaced, or the network dropped us.
_COME_BACK: Final = (1001, 1006, 1011, 1012, 1013)
_RECONNECT_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0)


def attach(
    url: Annotated[str, typer.Argument(help="As serve prints it, http://HOST:PORT/#token=..., or ws://HOST:PORT/ws.")],
    session: Annotated[str | None, typer.Option(metavar="ID", help="Join this session. (default: a new one)")] = None,
    token: Annotated[str, typer.Option(envvar="WEB_TERMINAL_TOKEN", help="Where the URL has none.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Look, but do not type.")] = False,
    detach_key: Annotated[str, typer.Option(help="Leave the session running and come back here.")] = "ctrl-]",
) -> None:
    """Join or start a session in this terminal. Its shell's exit status becomes this command's."""
    from web_terminal_suite.client.address import parse_address
    from web_terminal_suite.client.errors import ClientError

    try:
        address = parse_address(url, token)
        key = detach_byte(detach_key)
    except ValueError as error:
        _fail(_USAGE, str(error))
    if not sys.stdin.isatty():
        _fail(_USAGE, "standard input is no terminal; for scripts there is web_terminal_suite.client")
    if read_only and session is None:
        _fail(_USAGE, "--read-only needs --session: a new session has nothing to look at")

    import asyncio

    import uvloop

    from web_terminal_suite.client.connection import connect

    async def sit() -> tuple[ProcessExited | None, str]:
        async with connect(address) as connection:
            return await _Seat(connection, key, read_only).sit(session)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            ended, joined = runner.run(sit())
    except ClientError as error:
        _fail(_FAILED, str(error))
    if ended is None:
        typer.echo(f"detached from {joined}", err=True)
        return
    raise typer.Exit(exit_status(ended))


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
    """What this command ends with for a shell that ended so."""
    import signal

    if ended.signal is None:
        return ended.status or 0
    return _SIGNALLED + getattr(signal, ended.signal, 0)


class _Seat:
    """A person at a terminal, between the keyboard and one connection."""

    def __init__(self, connection: ClientConnection, detach_key: bytes, read_only: bool) -> None:
        import asyncio

        self._connection = connection
        self._key = detach_key
        self._read_only = read_only
        self._left = asyncio.Event()

    async def sit(self, session: str | None) -> tuple[ProcessExited | None, str]:
        """Until the shell ends or the person leaves: how it ended, or nothing, and the session's id.

        Raises:
            ClientError: refused, or gone for good.
        """
        size = _size()
        mode = "read" if self._read_only else "write"
        attached = await self._connection.attach(session, cols=size.cols, rows=size.rows, mode=mode)  # type: ignore[arg-type]  # one of both
        with _raw(), self._watched():
            ended = await self._show()
        return ended, attached.session

    async def _show(self) -> ProcessExited | None:
        import asyncio

        from web_terminal_suite.client.errors import Closed

        leaving = asyncio.create_task(self._left.wait())
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
                    if error.code not in _COME_BACK:
                        raise
                    await self._come_back(error)
                    continue
                if chunk is None:
                    return self._connection.exit
                _write(chunk.data)
        finally:
            leaving.cancel()

    async def _come_back(self, why: Exception) -> None:
        """Dial again until the session goes on where it stopped."""
        import asyncio

        from web_terminal_suite.client.errors import Closed, TimedOut, Unreachable

        _say(f"{why}; reconnecting, what you type now is not sent")
        for seconds in _RECONNECT_SECONDS:
            await asyncio.sleep(seconds)  # the server needs time to come back, and says nothing before
            try:
                await self._connection.reconnect()
                self._resized()
                _say("reconnected")
                return
            except (Unreachable, TimedOut):
                continue
            except Closed as error:
                if error.code not in _COME_BACK:
                    raise
        raise why

    def _typed(self) -> None:
        import os

        data = os.read(sys.stdin.fileno(), 65536)
        if not data or (self._key and self._key in data):
            data = data.partition(self._key)[0] if self._key else b""
            self._left.set()
        if data and not self._read_only and self._connection.closed is None:
            self._connection.input(data)

    def _resized(self) -> None:
        if not self._read_only and self._connection.closed is None:
            size = _size()
            self._connection.resize(size.cols, size.rows)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Keys and changes of size are heard for as long as the block lasts."""
        import asyncio
        import signal

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
    import signal
    import termios
    import tty

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
    """A line of our own on a terminal in raw mode, dim and on standard error, so that it is not taken for output."""
    sys.stderr.write(f"\r\n\x1b[2m[{text}]\x1b[0m\r\n")
    sys.stderr.flush()


def _write(data: bytes) -> None:
    """All of ``data`` to standard output, which may be slow: then the session waits for it too."""
    import os
    import select

    remaining = memoryview(data)
    while remaining:
        try:
            remaining = remaining[os.write(sys.stdout.fileno(), remaining) :]
        except BlockingIOError:
            # Keyboard and screen are often one open file, so the loop's non-blocking reads make writes so too.
            select.select([], [sys.stdout.fileno()], [])


def _size() -> Size:
    """This terminal's own size; COLUMNS and LINES may be another's, and do not follow it."""
    import os

    from web_terminal_suite.protocol.messages import Size

    found = os.get_terminal_size(sys.stdin.fileno())
    return Size(found.columns or 80, found.lines or 24)


def _fail(status: int, text: str) -> NoReturn:
    typer.echo(f"web-terminal attach: {text}", err=True)
    raise typer.Exit(status)
