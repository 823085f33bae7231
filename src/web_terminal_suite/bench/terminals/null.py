"""The null server as a terminal: with nothing behind the protocol, what remains is the client's own cost."""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from web_terminal_suite import __version__
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.processes import started
from web_terminal_suite.bench.terminals.terminal import Capability, Role, Running, Terminal
from web_terminal_suite.client.address import parse_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_READY_SECONDS = 20.0


class NullServer(Terminal):
    """Our protocol without a pseudo-terminal, in a process of its own."""

    name = "null-server"
    role: Role = "floor"
    capabilities = frozenset({Capability.NO_SHELL, Capability.ECHO, Capability.PING, Capability.PROCESSES})

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "web_terminal_suite.bench.terminals.null_server")

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version=__version__,
            role=self.role,
            command=self.command,
            capabilities=tuple(sorted(self.capabilities)),
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with started(self.command, dict(os.environ)) as process:
            line = await process.line("http://", _READY_SECONDS)
            yield Running(self, (parse_address(line.strip()),), process)
