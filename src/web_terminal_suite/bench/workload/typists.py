"""People who type: keys sent at fixed moments, each key's echo found, in sessions of their own.

An open loop: the next key is sent when it is due, whether or not the last one has come back, and latency counts from
that moment. Several typists share one schedule, so that their keys are spread evenly and a single one of them still
types at a person's pace.
"""

from __future__ import annotations

import asyncio
import string
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.clock import SECOND_NS, now_ns, play
from web_terminal_suite.bench.samples import Outcome, Sample
from web_terminal_suite.bench.workload.session_pool import outcome_of, session_pool
from web_terminal_suite.client.errors import ClientError, Closed, Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.search import Chunk

KEYS_PER_SECOND: Final = 10
"""Of one person; Luu measured terminals at 10.3 (Dan Luu, "Terminal latency")."""

KEYS: Final = string.ascii_lowercase.encode()
# readline draws a line again when it wraps, so it is killed (Ctrl-U) before that; no escape sequence it then sends
# holds a lower-case letter.
_LINE_KEYS: Final = 60
_KILL_LINE: Final = b"\x15"
ECHO_TIMEOUT_SECONDS: Final = 5.0
"""After the last key was sent."""

# By whom a key is echoed: the command that makes it so, and what then runs. Not canonical: a line without an end would
# fill up after 4095 keys. The marker stands between the two, so the mode holds when it is seen; with echo off a key
# comes back only once `cat` runs.
_ECHOES: Final = {
    "tty": ("stty -icanon min 1", "cat > /dev/null"),
    "app": ("stty raw -echo", "cat"),
}
# No start-up files, no history written on hang-up, and nothing but the key in the echo of a key.
_BASH: Final = "HISTFILE= exec bash --noprofile --norc"
_BASH_SETTINGS: Final = "unset HISTFILE; bind 'set enable-bracketed-paste off'; PS1='# '"
ECHOES: Final = ("tty", "app", "readline")


class Key(NamedTuple):
    """One key on its way."""

    byte: int
    due_ns: int
    sent_ns: int


class TypingResult(NamedTuple):
    """Keys in the order they were due. ``missed`` of them were sent only after that typist's next one was due."""

    samples: tuple[Sample, ...]
    missed: int


class Typist:
    """One person in one session. Made by ``typists``; hears once ``listening``.

    Keys that came back or failed are kept in ``samples``, or handed to ``note`` where that is given.
    """

    def __init__(
        self, connection: ClientConnection, kills_line: bool = False, note: Callable[[Sample], None] | None = None
    ) -> None:
        self.connection = connection
        self.waiting: deque[Key] = deque()
        self.samples: list[Sample] = []
        self._note = note or self.samples.append
        self._kills_line = kills_line
        self._typed = self._killed = 0
        self._heard = asyncio.Event()
        self._over: tuple[Outcome, str] | None = None

    def press(self, due_ns: int) -> None:
        """Send the next key."""
        byte = KEYS[self._typed % len(KEYS)]
        self._typed += 1
        sent_ns = now_ns()
        # Noted before it is sent: a connection that is gone makes this key a failure like any other.
        self.waiting.append(Key(byte, due_ns, sent_ns))
        if self._over is not None:
            self.give_up(*self._over)
            return
        try:
            self.connection.input(bytes((byte,)))
        except ClientError as error:
            self.give_up(outcome_of(error), str(error))

    def missed(self, interval_ns: int) -> int:
        """How many keys were sent after the next was due."""
        return sum(each.sent_ns - each.due_ns > interval_ns for each in self.samples)

    def heard(self, chunk: Chunk) -> None:
        """Match echoes to keys; once anything else came back every key fails."""
        if self._over is None:
            try:
                self._hear(chunk.data, chunk.seen_ns)
            except ClientError as error:
                self._fail(error)

    def ended(self) -> None:
        """Every key from now on fails, and those on their way."""
        self._fail(self.connection.closed or Closed(1000, "the program that echoes keys ended"))

    def give_up(self, outcome: Outcome, reason: str) -> None:
        """Every key still on its way has failed."""
        while self.waiting:
            key = self.waiting.popleft()
            self._note(Sample(key.due_ns, key.sent_ns, now_ns(), outcome=outcome, reason=reason))
        self._heard.set()

    async def settled(self) -> None:
        """Return when no key is on its way."""
        while self.waiting:
            self._heard.clear()
            await self._heard.wait()

    def _fail(self, error: ClientError) -> None:
        if self._over is None:
            self._over = outcome_of(error), str(error)
            self.give_up(*self._over)

    def _hear(self, data: bytes, seen_ns: int) -> None:
        for byte in data:
            if byte not in KEYS:
                continue  # the editor moves its cursor
            if not self.waiting:
                raise Violated(f"{bytes((byte,))!r} was echoed and no key was on its way")
            key = self.waiting[0]
            if key.byte != byte:
                raise Violated(f"{bytes((byte,))!r} was echoed where {bytes((key.byte,))!r} was typed")
            self.waiting.popleft()
            self._note(Sample(key.due_ns, key.sent_ns, seen_ns))
        if self._kills_line and not self.waiting and self._typed - self._killed >= _LINE_KEYS:
            self._killed = self._typed
            self.connection.input(_KILL_LINE)
        self._heard.set()


async def type_keys(
    typists: Sequence[Typist], rate: float, count: int, timeout_seconds: float = ECHO_TIMEOUT_SECONDS
) -> TypingResult:
    """``count`` keys at ``rate`` a second in all, the typists in turn; returns when every echo came or was given up."""

    def press(number: int, due_ns: int) -> None:
        typists[number % len(typists)].press(due_ns)

    await play(rate, count, press)
    try:
        async with asyncio.timeout(timeout_seconds):
            for each in typists:
                await each.settled()
    except TimeoutError:
        for each in typists:
            each.give_up(Outcome.TIMEOUT, f"no echo within {timeout_seconds:g} s of the last key")
    missed = sum(each.missed(round(SECOND_NS * len(typists) / rate)) for each in typists)
    samples = sorted((sample for each in typists for sample in each.samples), key=lambda sample: sample.due_ns)
    for each in typists:
        each.samples.clear()
    return TypingResult(tuple(samples), missed)


@asynccontextmanager
async def typists(context: BenchmarkContext, count: int, echo: str) -> AsyncIterator[list[Typist]]:
    """``count`` of them, each in a session of its own where keys are echoed as ``echo`` says."""
    async with session_pool(context, count) as shells:
        for shell in shells:
            await begin_echo(shell, context, echo)
        async with listening([Typist(shell.connection, echo == "readline") for shell in shells]) as each:
            yield each


@asynccontextmanager
async def listening(people: list[Typist]) -> AsyncIterator[list[Typist]]:
    """The same typists, their echoes read while the block runs."""
    for each in people:
        each.connection.hand_to(each)
    try:
        yield people
    finally:
        for each in people:
            each.connection.hand_to(None)


async def begin_echo(shell: Shell, context: BenchmarkContext, echo: str) -> None:
    """Return when every key typed into this session comes back once."""
    marker = context.markers.fresh()
    if echo == "readline":
        shell.connection.input(f"{_BASH}\r".encode())
        shell.connection.input(f"{_BASH_SETTINGS}; {marker.command}; echo\r".encode())
        await shell.connection.wait_for(marker.seen + b"\r\n# ")
        return
    setting, program = _ECHOES[echo]
    shell.connection.input(f"{setting}; {marker.command}; {program}\r".encode())
    await shell.connection.wait_for(marker.seen)
