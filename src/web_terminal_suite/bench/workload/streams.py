"""Output in bulk: streams whose every byte is known, sent for by a command line, counted and compared."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from web_terminal_suite.client.errors import Closed, TimedOut, Violated
from web_terminal_suite.client.search import Search

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.bench.terminals.raw_pty import LocalPty
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.marker import Markers
    from web_terminal_suite.client.search import Chunk

MEGABYTE: Final = 1_000_000
# With its carriage return, which the line discipline adds, and line feed a line is 80 bytes on the way.
LINE: Final = "0123456789" * 7 + "01234567"
LINE_ON_THE_WAY: Final = LINE.encode() + b"\r\n"
_EVERY_BYTE: Final = bytes(range(256))
_OCTAL: Final = "".join(f"\\{byte:03o}" for byte in _EVERY_BYTE)
_PREPARATION_SECONDS: Final = 30.0
# A flood of 100 MB on a slow terminal.
_STREAM_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Stream:
    """``size_bytes`` of a block over and over, its last time cut short; a block is ``pattern`` over and over likewise.

    ``prepare`` is typed once in a session, ``command`` emits the stream, ``tidy`` undoes what ``prepare`` left.
    """

    pattern: bytes
    block_bytes: int
    size_bytes: int
    command: str
    prepare: str = ""
    tidy: str = ""

    @property
    def block(self) -> bytes:
        """Computed on first use: a caller that only needs the size of a stream never does."""
        return (self.pattern * -(-self.block_bytes // len(self.pattern)))[: self.block_bytes]

    def check(self, data: bytes) -> None:
        """Compare what came with what was sent, by count and by hash.

        Raises:
            Violated
        """
        if len(data) != self.size_bytes:
            raise Violated(f"{len(data)} bytes came, {self.size_bytes} were written")
        if hashlib.sha256(data).digest() != self._digest():
            raise Violated(f"the {self.size_bytes} bytes that came are not those that were written")

    def _digest(self) -> bytes:
        block = self.block
        whole, rest = divmod(self.size_bytes, len(block))
        digest = hashlib.sha256()
        for _ in range(whole):
            digest.update(block)
        digest.update(block[:rest])
        return digest.digest()


def text(size_bytes: int) -> Stream:
    """Lines of 80 bytes, as many as fit."""
    lines = size_bytes // len(LINE_ON_THE_WAY)
    # Hashed in larger pieces than a line.
    block_bytes = 1000 * len(LINE_ON_THE_WAY)
    # A server that hands an ignored SIGPIPE down (ttyd) makes `yes` complain of the broken pipe, once `head` is done.
    command = f"yes {LINE} 2>/dev/null | head -n {lines}"
    return Stream(LINE_ON_THE_WAY, block_bytes, lines * len(LINE_ON_THE_WAY), command)


def binary(files: int, file_bytes: int = MEGABYTE) -> Stream:
    """Every byte there is, in order, from a file made by the shell, past the line discipline's processing."""
    doubled = " && ".join(['cat "$f" "$f" > "$f.2"', 'mv "$f.2" "$f"'])
    doublings = (file_bytes // 256).bit_length()
    prepare = (
        f"f=$(mktemp) && printf '{_OCTAL}' > \"$f\" && n=0 && while [ $n -lt {doublings} ]; do {doubled}; n=$((n+1)); "
        f'done && head -c {file_bytes} "$f" > "$f.2" && mv "$f.2" "$f"; stty -opost'
    )
    names = " ".join(['"$f"'] * files)
    return Stream(_EVERY_BYTE, file_bytes, files * file_bytes, f"cat {names}", prepare, 'rm -f "$f"; stty opost')


@dataclass(frozen=True)
class Received:
    """A stream that came whole. ``sizes`` are of the pieces it came in."""

    sent_ns: int
    seen_ns: int
    sizes: tuple[int, ...]


class _Catch:
    """What lies between two markers, out of pieces."""

    def __init__(self, begin: bytes, end: bytes) -> None:
        self._begin = Search(begin)
        self._end = Search(end)
        self._pieces: list[bytes] = []
        self.sizes: list[int] = []
        self.seen_ns = 0

    def feed(self, chunk: Chunk) -> bool:
        """Take the next piece; whether the end has come."""
        rest: Chunk | None = chunk
        if self._begin.found is None:
            rest = self._begin.feed(chunk)
        if rest is None:
            return False
        self._pieces.append(rest.data)
        self.sizes.append(len(rest.data))
        self._end.feed(rest)
        if self._end.found is None:
            return False
        self.seen_ns = self._end.found.seen_ns
        return True

    @property
    def data(self) -> bytes:
        found, begun = self._end.found, self._begin.found
        assert found is not None
        assert begun is not None  # both, since ``feed`` said so
        return b"".join(self._pieces)[: found.offset - len(self._end.marker) - begun.offset]


async def receive(connection: ClientConnection, stream: Stream, markers: Markers) -> Received:
    """Send for ``stream`` in a POSIX shell, until its last byte and the computed marker behind it have come.

    Raises:
        Violated: other bytes came than were written.
        TimedOut, Closed
    """
    begin, end = markers.fresh(), markers.fresh()
    catch = _Catch(begin.seen, end.seen)
    sent_ns = connection.input(f"{begin.command}; {stream.command}; {end.command}\r".encode())
    try:
        async with asyncio.timeout(_STREAM_SECONDS):
            while not catch.feed(await _next(connection)):
                pass
    except TimeoutError as error:
        raise TimedOut(f"end of {stream.size_bytes} bytes", _STREAM_SECONDS) from error
    stream.check(catch.data)
    return Received(sent_ns, catch.seen_ns, tuple(catch.sizes))


async def _next(connection: ClientConnection) -> Chunk:
    chunk = await connection.read()
    if chunk is None:
        raise Closed(1000, "the shell ended in the middle of a stream")
    return chunk


def receive_locally(pty: LocalPty, stream: Stream, markers: Markers) -> Received:
    """The same from a pseudo-terminal of this process: the floor."""
    begin, end = markers.fresh(), markers.fresh()
    catch = _Catch(begin.seen, end.seen)
    sent_ns = pty.write(f"{begin.command}; {stream.command}; {end.command}\r".encode())
    while not catch.feed(pty.read()):
        pass
    stream.check(catch.data)
    return Received(sent_ns, catch.seen_ns, tuple(catch.sizes))


def drain_locally(pty: LocalPty, stream: Stream, markers: Markers) -> int:
    """Read and drop ``stream`` as fast as a pseudo-terminal of this process gives it; nanoseconds that this took.

    It is neither kept nor checked, unlike in ``receive_locally``.
    """
    begin, end = markers.fresh(), markers.fresh()
    sent_ns = pty.write(f"{begin.command}; {stream.command}; {end.command}\r".encode())
    pty.wait_for(begin.seen)
    seen_ns = pty.drain(stream.size_bytes, _STREAM_SECONDS)
    pty.wait_for(end.seen)
    return seen_ns - sent_ns


def prepare_locally(pty: LocalPty, line: str, markers: Markers) -> None:
    """Run what a stream needs, or left, in the shell of ``pty``."""
    done = markers.fresh()
    pty.write(f"{line or ':'}; {done.command}\r".encode())
    pty.wait_for(done.seen)


@asynccontextmanager
async def prepared(shell: Shell, context: BenchmarkContext, stream: Stream) -> AsyncIterator[None]:
    """A session in which the stream can be sent for; tidied up at the end of the block."""
    await _run(shell.connection, context.markers, stream.prepare)
    try:
        yield
    finally:
        if shell.connection.closed is None:
            await _run(shell.connection, context.markers, stream.tidy)


async def _run(connection: ClientConnection, markers: Markers, line: str) -> None:
    if not line:
        return
    marker = markers.fresh()
    connection.input(f"{line}; {marker.command}\r".encode())
    await connection.wait_for(marker.seen, _PREPARATION_SECONDS)
