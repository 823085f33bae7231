"""The loopback as a terminal: a process that sends bytes back over a plain socket, without WebSocket or protocol."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.processes import started
from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal
from web_terminal_suite.client.address import Address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_READY_SECONDS = 20.0


class Loopback(Terminal):
    """The floor of everything that goes through a socket."""

    name = "loopback"
    role = "floor"
    capabilities = frozenset({Capability.BARE_SOCKET, Capability.PROCESSES})

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "web_terminal_suite.bench.terminals.loopback_peer")

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version=f"{platform.system()} {platform.release()}",
            role=self.role,
            command=self.command,
            capabilities=tuple(sorted(self.capabilities)),
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        async with started(self.command, dict(os.environ)) as process:
            line = await process.line("", _READY_SECONDS)
            yield Running(self, (Address("127.0.0.1", int(line)),), process)
