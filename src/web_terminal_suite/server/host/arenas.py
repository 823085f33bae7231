"""Slots for logs: which arena has a free one, and which worker maps which arena."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web_terminal_suite.server.log import ARENA_SLOTS, Arena, Log

if TYPE_CHECKING:
    from collections.abc import Callable


class Arenas:
    """Grows by an arena when all slots are taken; an arena is kept once made, its unused pages cost nothing.

    ``made`` is called with the number and the memfd of each new one.
    """

    def __init__(self, log_size: int, made: Callable[[int, int], None]) -> None:
        self.log_size = log_size
        self._made = made
        self._arenas: dict[int, Arena] = {}
        self._free: list[tuple[int, int]] = []
        self._next = 0

    def take(self) -> tuple[int, int, Log]:
        """A free slot: the arena's number, the slot's, and its empty log."""
        if not self._free:
            number = self._next
            arena = self._arenas[number] = Arena.create(self.log_size)
            self._next += 1
            self._free = [(number, slot) for slot in reversed(range(ARENA_SLOTS))]
            self._made(number, arena.fd)
        number, slot = self._free.pop()
        return number, slot, self._arenas[number].log(slot)

    def give_back(self, number: int, slot: int) -> None:
        """Release a slot whose log has no reader any more."""
        self._arenas[number].clear(slot)
        self._free.append((number, slot))

    def fd(self, number: int) -> int:
        """The arena's memfd, to be lent to a worker."""
        return self._arenas[number].fd

    @property
    def fds(self) -> dict[int, int]:
        """Every arena's memfd, by its number."""
        return {number: arena.fd for number, arena in self._arenas.items()}

    def adopt(self, number: int, fd: int) -> None:
        """Take over an arena of the host before; owns ``fd``.

        Raises:
            OSError: it cannot be mapped.
        """
        self._arenas[number] = Arena(fd, self.log_size, keep_fd=True)
        self.pass_over(number)

    def pass_over(self, number: int) -> None:
        """Give this number to no new arena: a worker knows one by it."""
        self._next = max(self._next, number + 1)

    def __contains__(self, number: int) -> bool:
        return number in self._arenas

    def log(self, number: int, slot: int) -> Log:
        """The log in a slot of an arena that was adopted."""
        return self._arenas[number].log(slot)

    def free_all_but(self, taken: set[tuple[int, int]]) -> None:
        """Every slot of the adopted arenas is free but those ``taken``."""
        self._free = []
        for number, arena in self._arenas.items():
            for slot in reversed(range(ARENA_SLOTS)):
                if (number, slot) not in taken:
                    arena.clear(slot)
                    self._free.append((number, slot))
