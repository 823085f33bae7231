"""Slots for logs: which arena has a free one, and which worker maps which arena."""

from __future__ import annotations

from web_terminal_suite.server.log import ARENA_SLOTS, Arena, Log


class Arenas:
    """Grows by an arena when all slots are taken; an arena is kept once made, its unused pages cost nothing."""

    def __init__(self, log_size: int) -> None:
        self.log_size = log_size
        self._arenas: list[Arena] = []
        self._free: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int, Log]:
        """A free slot: the arena's number, the slot's, and its empty log."""
        if not self._free:
            number = len(self._arenas)
            self._arenas.append(Arena.create(self.log_size))
            self._free = [(number, slot) for slot in reversed(range(ARENA_SLOTS))]
        number, slot = self._free.pop()
        return number, slot, self._arenas[number].log(slot)

    def give_back(self, number: int, slot: int) -> None:
        """Release a slot whose log has no reader any more."""
        self._arenas[number].clear(slot)
        self._free.append((number, slot))

    def fd(self, number: int) -> int:
        """The arena's memfd, to be lent to a worker."""
        return self._arenas[number].fd
