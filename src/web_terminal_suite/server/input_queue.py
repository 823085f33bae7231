"""Input that waits for a program which does not read, in the order in which it came."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.server.client_input import ClientInput, InputPipe
    from web_terminal_suite.server.pty import Pty

NO_PLACE = -1
"""The place of input that is not numbered."""


class HeldInput(NamedTuple):
    """Bytes of the client in ``place``, and how many more of its bytes count as taken once these are.

    ``start`` is where they begin in the client's own count; 0 where its input is not numbered.
    """

    place: int
    start: int
    data: bytes
    skip: int


class InputQueue:
    """Pieces of input; an item is the client (``None`` where its input is not numbered), the bytes, and a skip.

    A skip is what was refused of the same client behind these bytes. It is counted in its turn, since the count of a
    client's input has no holes.
    """

    __slots__ = ("_items", "held_bytes")

    def __init__(self) -> None:
        self._items: deque[list[object]] = deque()
        self.held_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def keep(self, client: ClientInput | None, data: bytes | memoryview) -> None:
        """Add ``data`` behind everything else."""
        item: list[object] = [client, memoryview(data), 0]
        self._items.append(item)
        self.held_bytes += len(data)
        if client is not None:
            client.last = item

    def skip(self, client: ClientInput, count: int) -> None:
        """Count ``count`` bytes of ``client`` as taken when all of it before them is."""
        if client.last is None:
            self.keep(client, b"")
        assert client.last is not None  # it was kept
        client.last[2] += count  # type: ignore[operator]  # an item's third field is a number

    def write(self, pty: Pty, pipe: InputPipe | None) -> None:
        """Type what waits, as far as the terminal takes it."""
        while self._items:
            item = self._items[0]
            client, data, skip = _fields(item)
            taken = 0
            if data:
                taken = pty.write(data) if client is None else client.type(pty, data, pipe)
                self.held_bytes -= taken
            if taken < len(data):
                item[1] = data[taken:]
                return
            self._items.popleft()
            if client is not None:
                _close(client, item, skip)

    def drop(self) -> int:
        """Count everything as taken; how many bytes that was."""
        dropped = self.held_bytes
        for item in self._items:
            client, data, skip = _fields(item)
            if client is not None:
                _close(client, item, len(data) + skip)
        self._items.clear()
        self.held_bytes = 0
        return dropped

    def waiting_of(self, client: ClientInput) -> int:
        """How much of one client's count waits."""
        return sum(len(data) + skip for each, data, skip in map(_fields, self._items) if each is client)

    def take(self, client: ClientInput) -> list[HeldInput]:
        """What waits of one client; it is removed."""
        taken = [item for item in self._items if item[0] is client]
        self._items = deque(item for item in self._items if item[0] is not client)
        return list(self._removed(taken))

    def take_all(self) -> list[HeldInput]:
        """All that waits; it is removed."""
        taken = list(self._items)
        self._items.clear()
        return list(self._removed(taken))

    def _removed(self, items: list[list[object]]) -> Iterator[HeldInput]:
        starts: dict[int, int] = {}
        for client, data, skip in map(_fields, reversed(items)):
            if client is not None:
                starts[client.place] = starts.get(client.place, client.accepted) - len(data) - skip
        for client, data, skip in map(_fields, items):
            self.held_bytes -= len(data)
            if client is None:
                yield HeldInput(NO_PLACE, 0, bytes(data), skip)
                continue
            client.last = None
            start = starts[client.place]
            starts[client.place] += len(data) + skip
            yield HeldInput(client.place, start, bytes(data), skip)


def _fields(item: list[object]) -> tuple[ClientInput | None, memoryview, int]:
    client, data, skip = item
    return client, data, skip  # type: ignore[return-value]  # as ``keep`` made it


def _close(client: ClientInput, item: list[object], count: int) -> None:
    client.settle(count)
    if client.last is item:
        client.last = None
