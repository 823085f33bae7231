"""What the conductor needs of whoever carries its shards: a way to each, both directions, and word of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.load import messages


class BackendError(Exception):
    """Shards cannot be started as asked; the text says why and what to do."""


class GeneratorChannel(Protocol):
    """The way to one shard. ``name`` is what people call it."""

    name: str

    def send(self, command: messages.Command) -> None:
        """Hand over a command; it never waits, and is for nobody once the shard is gone."""

    async def receive(self) -> messages.Report | None:
        """The next report, ``None`` once the shard is gone."""

    @property
    def last_words(self) -> str:
        """How it ended, once it is gone."""


class Backend(Protocol):
    """Where shards run."""

    def carry(self, shards: int) -> AbstractAsyncContextManager[Sequence[GeneratorChannel]]:
        """Links to so many shards that were just started, each of which ends with the block.

        Raises:
            CarrierError
        """
