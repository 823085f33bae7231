"""A terminal as it is reached through a network."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.network.dialled import dialled
from web_terminal_suite.bench.terminals.terminal import Running, Terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.network.conditions import NetworkConditions
    from web_terminal_suite.bench.samples import TerminalFacts

_ROUND_TRIPS: Final = 20
"""That an operation may take beyond its usual time limit."""


class Distant(Terminal):
    """Another terminal behind a network: once it runs, every connection to it goes through that.

    It is started and found to be ready without the network. One that nobody dials, a local pseudo-terminal, stays as it
    is.
    """

    def __init__(self, terminal: Terminal, conditions: NetworkConditions, seed: int) -> None:
        self.name = terminal.name
        self.role = terminal.role
        self.page = terminal.page
        self.page_url = terminal.page_url
        self.capabilities = terminal.capabilities
        self._terminal = terminal
        self._conditions = conditions
        self._seed = seed

    def missing(self) -> str:
        return self._terminal.missing()

    def facts(self) -> TerminalFacts:
        return self._terminal.facts()

    def holding(self, sessions: int) -> Terminal:
        return Distant(self._terminal.holding(sessions), self._conditions, self._seed)

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with self._terminal.launch() as running, reached(running, self._conditions, self._seed) as distant:
            yield replace(distant, terminal=self)

    async def session_count(self, running: Running) -> int:
        # Counting is no part of what is measured, so it need not wait for the network.
        return await self._terminal.session_count(running.without_network)


@asynccontextmanager
async def reached(running: Running, conditions: NetworkConditions, seed: int) -> AsyncIterator[Running]:
    """A terminal that runs, with the addresses that lead to it through the network.

    Raises:
        LaunchFailed
    """
    async with dialled(*running.addresses, conditions=conditions, seed=seed) as addresses:
        slower = running.timeout + _ROUND_TRIPS * conditions.rtt_ns / 1e9
        yield replace(running, addresses=addresses, direct=running.addresses, timeout=slower)
