"""What the coordinator needs of a backend: to start load generators, and a channel to each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.load import messages


class BackendError(Exception):
    """Load generators cannot be started as requested; the text says why and names the remedy."""


class GeneratorChannel(Protocol):
    """Commands to one load generator, and its reports. ``name`` is its name in messages to the user."""

    name: str

    def send(self, command: messages.Command) -> None:
        """Queue a command. Never waits; does nothing once the generator is gone."""

    async def receive(self) -> messages.Report | None:
        """The next report; ``None`` once the generator is gone.

        Raises:
            ValueError: what arrived is not a report of this version.
        """

    @property
    def exit_reason(self) -> str:
        """How the generator ended, once it is gone."""


class Backend(Protocol):
    """Where load generators run."""

    def start(self, generators: int) -> AbstractAsyncContextManager[Sequence[GeneratorChannel]]:
        """Channels to that many new load generators, each of which ends with the block.

        Raises:
            BackendError
        """
