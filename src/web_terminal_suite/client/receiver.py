"""What a connection has heard: output still unread, answers, messages, and who waits for which of them.

Fed by ``connection`` with whole messages and the moment each arrived. Waits on conditions, looks again after each
wake, and acknowledges what was read. Knows no socket and no library.

One task reads the output. Everything that waits has a time limit.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from web_terminal_suite.client.errors import ClientError, Closed, Refused, TimedOut, Violated
from web_terminal_suite.client.search import Chunk, Found, Search
from web_terminal_suite.client.sent_input import SentInput
from web_terminal_suite.client.waiters import Waiters
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, Frame, OutputBytes
from web_terminal_suite.protocol.error_codes import CONSEQUENCES
from web_terminal_suite.protocol.errors import TheirError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from web_terminal_suite.client.dialect import Dialect, Event

_M = TypeVar("_M", bound="m.ServerMessage")

# Bytes from one acknowledgement to the next: rare enough to cost nothing, and a quarter of the default window.
ACKNOWLEDGE_EVERY_BYTES: Final = 32 << 10
# Unread output. Beyond it the socket is not read either, so that TCP slows down a protocol without flow control.
UNREAD_LIMIT_BYTES: Final = 8 << 20
_ANSWER: Final = "answer to echo or ping"
# Unread messages; the oldest are dropped.
_MESSAGES_KEPT: Final = 256


_ANSWERS: Final = (EchoBytes, m.Pong)


class Reply(NamedTuple):
    """An answer to ``echo`` or ``ping``."""

    seen_ns: int
    event: EchoBytes | m.Pong


class OutputListener(Protocol):
    """Who is told of output as it arrives; see ``Receiver.hand_to``."""

    def heard(self, chunk: Chunk) -> None:
        """The next piece of output. Raising ``Violated`` ends the connection."""

    def ended(self) -> None:
        """The shell or the connection ended, so nothing more comes. May be said twice."""


class Receiver(ABC):
    """The listening half of a ``Connection``.

    ``offset`` is the absolute offset behind the last byte received, ``session`` the id once attached, ``exit`` what the
    shell ended with. ``gaps`` are the bytes the server said it could not send. ``uncertain_input_bytes`` is input of
    which it is not known whether it arrived, since the server forgot this client.
    """

    def __init__(
        self, dialect: Dialect, timeout: float, acknowledge: bool, acknowledge_every: int = ACKNOWLEDGE_EVERY_BYTES
    ) -> None:
        self.dialect = dialect
        self.timeout = timeout
        self.session: m.SessionId | None = None
        self.attached: m.Attached | None = None
        self.exit: m.ProcessExited | None = None
        self.status: m.ConnectionStatus | None = None
        self.gaps: list[m.Gap] = []
        self.uncertain_input_bytes = 0
        self.offset = 0
        self.acknowledged = 0
        self._acknowledge = acknowledge
        self._most_held_back = self._acknowledge_every = acknowledge_every
        self._taken = 0
        self._unread: deque[Chunk] = deque()
        self._unread_bytes = 0
        self._held_up = False
        self._can_write = True
        self._search: Search | None = None
        self._listener: OutputListener | None = None
        self._attaching = False
        self._refusal: Refused | None = None
        self._replies: deque[Reply] = deque()
        self._messages: deque[tuple[int, m.ServerMessage]] = deque(maxlen=_MESSAGES_KEPT)
        self._end: ClientError | None = None
        self._waiters = Waiters()
        self._sent_input = SentInput()
        self._numbering = False
        self._holds_input = False
        self._input_from = 0

    # --- what the socket's half does

    @abstractmethod
    def ack(self, offset: int | None = None) -> None:
        """Acknowledge what was taken, or everything before ``offset``."""

    @abstractmethod
    def pause_reading(self) -> None:
        """Stop reading the socket, as a page in a sleeping tab does."""

    @abstractmethod
    def resume_reading(self) -> None:
        """Read the socket again."""

    @abstractmethod
    def abort(self) -> None:
        """Drop the socket without a close frame, as a lost network does."""

    @abstractmethod
    def _send(self, frame: Frame) -> int:
        """Hand a frame to the socket; the moment before."""

    @abstractmethod
    def _send_again(self, offset: int) -> None:
        """Send the input that the server does not have: from ``offset`` on."""

    # --- listening

    @property
    def closed(self) -> ClientError | None:
        """Why the connection ended, or ``None`` while it lives."""
        return self._end

    async def drain(self, timeout: float | None = None) -> None:
        """Wait until what was sent has left this process's buffer, down to the transport's low-water mark."""
        await self._until(lambda: self._can_write, "room in the send buffer", timeout)

    async def wait_attached(self, timeout: float | None = None) -> m.Attached:
        """What the server answered to the last ``attach``.

        Raises:
            Refused: it cannot be done as asked; the connection can be used for another one.
            Closed, TimedOut, Violated
        """
        await self._until(lambda: self.attached is not None or self._refusal is not None, "answer to attach", timeout)
        if self._refusal is not None:
            raise self._refusal
        assert self.attached is not None  # the condition just waited for
        return self.attached

    @property
    def unacknowledged_input(self) -> int:
        """Bytes of input that the program's terminal may not have taken. They are sent again after ``reconnect``."""
        return len(self._sent_input)

    @property
    def undelivered_input(self) -> bytes:
        """Input that the server does not have, after ``reconnect(send_again=False)``; then nothing can be typed until
        ``send_undelivered`` or ``drop_undelivered``."""
        return self._sent_input.again(self._input_from) if self._holds_input else b""

    def send_undelivered(self) -> None:
        """Send what the server does not have."""
        if self._holds_input:
            self._holds_input = False
            self._send_again(self._input_from)

    def drop_undelivered(self) -> bytes:
        """Forget what the server does not have; gives what must be typed so that no paste stays open."""
        if not self._holds_input:
            return b""
        self._holds_input = False
        return self._sent_input.cut(self._input_from)

    async def input_taken(self, timeout: float | None = None) -> None:
        """Wait until the program's terminal has taken all input; at once where the server does not acknowledge it."""
        await self._until(lambda: not self._sent_input, "acknowledgement of input", timeout)

    async def replies(self, count: int, timeout: float | None = None) -> list[Reply]:
        """The next ``count`` answers to ``echo`` and ``ping``, in the order they came."""
        await self._until(lambda: len(self._replies) >= count, _ANSWER, timeout)
        return [self._replies.popleft() for _ in range(count)]

    async def _exchange(self, frame: Frame, timeout: float | None) -> tuple[int, Reply]:
        """Send a frame and take one answer: when it was sent, and that.

        All that waiting needs is made before the clock is read, so that it is no part of the round trip.
        """
        limit = self.timeout if timeout is None else timeout
        change = self._waiters.change(asyncio.get_running_loop().time() + limit)
        try:
            sent_ns = self._send(frame)
            await change
        except TimeoutError as error:
            raise TimedOut(_ANSWER, limit) from error
        finally:
            change.cancel()
        if not self._replies:
            await self._until(lambda: bool(self._replies), _ANSWER, timeout)
        return sent_ns, self._replies.popleft()

    async def message(self, kind: type[_M], timeout: float | None = None) -> tuple[int, _M]:
        """The next message of a kind, kept or still to come, and its arrival. For all but output and replies."""
        found: list[tuple[int, _M]] = []

        def take() -> bool:
            for at, (seen_ns, message) in enumerate(self._messages):
                if isinstance(message, kind):
                    del self._messages[at]
                    found.append((seen_ns, message))
                    return True
            return False

        await self._until(take, f"message {m.kind(kind)!r}", timeout)
        return found[0]

    async def read(self, timeout: float | None = None) -> Chunk | None:
        """The next piece of output, or ``None`` after the last one: the shell ended, or the server closed normally."""
        await self._until(lambda: bool(self._unread) or self._over(), "output", timeout)
        if not self._unread:
            return None
        chunk = self._unread.popleft()
        self._unread_bytes -= len(chunk.data)
        self._took(chunk.end)
        return chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Output, piece by piece, to its end; waits for each piece without a limit."""
        while (chunk := await self.read(float("inf"))) is not None:
            yield chunk.data

    async def wait_for(self, marker: bytes, timeout: float | None = None, *, keep: bool = False) -> Found:
        """Read up to ``marker``, wherever chunks are cut; what is behind it stays unread.

        Raises:
            TimedOut: what was read meanwhile is gone.
            Closed, Violated
        """
        if not marker:
            raise ValueError("an empty marker is everywhere")
        search = Search(marker, keep)
        await self._look(search, lambda: search.found is not None, "marker in the output", timeout)
        assert search.found is not None  # the condition just waited for
        return search.found

    async def wait_exit(self, timeout: float | None = None) -> m.ProcessExited:
        """Swallow output until the shell ends."""
        await self._look(Search(b""), lambda: self.exit is not None, "end of the shell", timeout)
        assert self.exit is not None  # the condition just waited for
        return self.exit

    def hand_to(self, listener: OutputListener | None) -> None:
        """Output goes to ``listener`` as it arrives, what is still unread at once; with ``None`` it is kept again.

        No task has to be woken, so a piece of output costs less than it does with ``read``, and many idle connections
        need no task each.
        """
        if self._search is not None:
            raise RuntimeError("another task reads this connection's output")
        self._listener = listener
        if listener is None:
            return
        while self._unread:
            chunk = self._unread.popleft()
            self._unread_bytes -= len(chunk.data)
            self._took(chunk.end)
            listener.heard(chunk)
        if self.exit is not None or self._end is not None:
            listener.ended()

    async def _look(self, search: Search, settled: Callable[[], bool], what: str, timeout: float | None) -> None:
        if self._search is not None:
            raise RuntimeError("another task reads this connection's output")
        while self._unread and search.found is None:
            chunk = self._unread.popleft()
            self._unread_bytes -= len(chunk.data)
            self._feed(search, chunk)
        self._search = search if search.found is None else None
        try:
            await self._until(settled, what, timeout)
        finally:
            self._search = None

    def _feed(self, search: Search, chunk: Chunk) -> None:
        rest = search.feed(chunk)
        if rest is not None:
            self._unread.appendleft(rest)
            self._unread_bytes += len(rest.data)
        self._took(chunk.end if rest is None else rest.offset)

    def _over(self) -> bool:
        return self.exit is not None or (isinstance(self._end, Closed) and self._end.code == 1000)

    async def _until(self, settled: Callable[[], bool], what: str, timeout: float | None) -> None:
        if settled():
            return
        limit = self.timeout if timeout is None else timeout
        deadline = asyncio.get_running_loop().time() + limit
        while not settled():
            if self._end is not None:
                raise self._end
            try:
                await self._waiters.change(deadline)
            except TimeoutError as error:
                raise TimedOut(what, limit) from error

    def _wake(self) -> None:
        self._waiters.wake()

    # --- what arrives

    def _receive(self, text: bool, payload: bytes, now_ns: int) -> None:
        """One message of the server, whole."""
        try:
            event = self.dialect.read(text, payload)
            if self.dialect.owed:
                self._pay()
            if event is None:
                return
            if isinstance(event, OutputBytes):
                self._output(Chunk(now_ns, event.offset, event.data))
            elif isinstance(event, _ANSWERS):
                self._replies.append(Reply(now_ns, event))
                self._wake()
            else:
                self._heard(event, now_ns)
                self._wake()
        except (TheirError, Violated) as error:
            self._finish(Violated(str(error)))
            self.abort()

    def _output(self, chunk: Chunk) -> None:
        if chunk.offset != self.offset:
            raise Violated(f"output goes on at offset {chunk.offset}, expected {self.offset}, and no gap was announced")
        self.offset = chunk.end
        if self._listener is not None:
            self._took(chunk.end)
            self._listener.heard(chunk)
            return
        search = self._search
        if search is None or search.found is not None:
            self._unread.append(chunk)
            self._unread_bytes += len(chunk.data)
            if self._unread_bytes > UNREAD_LIMIT_BYTES and not self._held_up:
                self._held_up = True
                self.pause_reading()
            if search is None:
                self._wake()
            return
        self._feed(search, chunk)
        if search.found is not None:
            self._wake()

    def _took(self, offset: int) -> None:
        self._taken = offset
        if self._held_up and self._unread_bytes < UNREAD_LIMIT_BYTES // 2:
            self._held_up = False
            self.resume_reading()
        if self._acknowledge and offset - self.acknowledged >= self._acknowledge_every and self._end is None:
            self.ack()

    def _heard(self, event: Event, now_ns: int) -> None:
        if isinstance(event, m.Attached):
            self._joined(event)
        elif isinstance(event, m.Error):
            self._note_refusal(event)
        elif isinstance(event, m.Gap):
            self.gaps.append(event)
            self.offset = max(self.offset, event.end)
            if not self._unread:
                self._taken = max(self._taken, event.end)
        elif isinstance(event, m.ProcessExited):
            self.exit = event
            if self._listener is not None:
                self._listener.ended()
        elif isinstance(event, m.ConnectionStatus):
            self.status = event
        elif isinstance(event, m.FlowControl):
            self._hurry(event)
        elif isinstance(event, m.InputAck):
            self._sent_input.ack(event.offset)
        if not isinstance(event, OutputBytes | EchoBytes | m.InputAck):
            self._messages.append((now_ns, event))

    def _pay(self) -> None:
        """Send what the protocol demands in reply."""
        owed, self.dialect.owed = self.dialect.owed, []
        for frame in owed:
            self._send(frame)

    def _hurry(self, event: m.FlowControl) -> None:
        # The program waits for us: say at once how far we are, however little that is.
        waiting = event.direction == "output" and event.state == "paused"
        if waiting and self._acknowledge and self._taken > self.acknowledged:
            self.ack()

    def _note_refusal(self, error: m.Error) -> None:
        """An error that leaves the connection open is the answer to an attach under way."""
        if self._attaching and not error.fatal:
            self._attaching = False
            consequence = CONSEQUENCES.get(error.code)  # type: ignore[call-overload]  # a newer server may have others
            self._refusal = Refused(consequence.status if consequence else 0, error.code, error.message)

    def _joined(self, event: m.Attached) -> None:
        if event.session != self.session:
            self._unread.clear()
            self._unread_bytes = 0
            self._sent_input = SentInput()
        self._attaching = False
        self.attached = event
        self.session = m.SessionId(event.session)
        self.offset = self._taken = self.acknowledged = event.offset
        # Half a window always stays free, so the window cannot fill up while an acknowledgement is still held back.
        self._acknowledge_every = max(1, min(self._most_held_back, event.window // 2))
        self._numbering = event.input is not None
        if event.input is not None:
            self._number_input(event.input)

    def _number_input(self, offset: int) -> None:
        """The server has this client's input before ``offset``."""
        self._input_from = offset
        if offset < self._sent_input.acked:
            self.uncertain_input_bytes += self._sent_input.forget(offset)
        undelivered = len(self._sent_input.again(offset))
        self._holds_input = self._holds_input and undelivered > 0
        if undelivered and not self._holds_input:
            self._send_again(offset)

    def _writable(self, can_write: bool) -> None:
        self._can_write = can_write
        self._wake()

    def _finish(self, end: ClientError) -> None:
        self._end = end
        if self._listener is not None:
            self._listener.ended()
        self._waiters.close()
