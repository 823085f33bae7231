"""What the suite must know of any terminal to measure it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.terminals.processes import (
    ServerProcess,
    cpu_ns,
    descriptor_count,
    local_shells,
    pss_bytes,
    reap_orphans,
    shared_memory_count,
)
from web_terminal_suite.client.dialects.native import NativeDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from web_terminal_suite.bench.samples import TerminalFacts
    from web_terminal_suite.client.address import Address
    from web_terminal_suite.client.connection import ClientConnection
    from web_terminal_suite.client.dialect import Dialect
    from web_terminal_suite.client.rest import Rest


_POLL_SECONDS: Final = 0.005
_STEADY_READINGS: Final = 100


class Capability(StrEnum):
    """What a benchmark may need. A terminal that lacks it is not applicable, never an error."""

    SHELL = "shell"
    ON_REQUEST = "shell on an open connection"
    """The shell starts when it is asked for, not with the handshake."""
    CREATE = "create API"
    LOOKUP = "lookup API"
    CHANGE = "rename and resize API"
    TOUCH = "touch API"
    DESTROY = "destroy API"
    REATTACH = "reattach"
    SPEC = "choice of shell and environment"
    LIMITS = "resource limits"
    USERS = "several users"
    EXIT = "exit status"
    BINARY = "binary data"
    FLOW_CONTROL = "flow control"
    ECHO = "echo message"
    PING = "ping message"
    PROCESSES = "processes on this machine"
    COMPONENTS = "components in this process"
    LOCAL_PTY = "local pseudo-terminal"
    NO_SHELL = "answers without a shell"
    BARE_SOCKET = "bare socket"
    KNOWN_DELAYS = "known delays"
    PAGE = "page"
    """A page for people, that a browser can be pointed at."""
    BARE_PAGE = "bare page"
    """xterm.js alone, with a server that has no shell."""


_MUST_GO: Final = ("processes", "descriptors", "sessions")


class Footprint(NamedTuple):
    """What a terminal holds: counts that must be back where they were when a benchmark is over.

    ``shared`` is descriptors of shared memory, and not part of ``descriptors``. A server may keep that for reuse, so
    having more of it once is no leak; having more after each time is.
    """

    processes: int = 0
    descriptors: int = 0
    sessions: int = 0
    shared: int = 0

    def beyond(self, before: Footprint) -> str:
        """What is there now and was not before, as people say it; empty where nothing is."""
        more = [f"{now - then} {name}" for name, now, then in zip(_MUST_GO, self, before, strict=False) if now > then]
        return ", ".join(more)


@dataclass(frozen=True)
class Running:
    """A terminal that answers. ``addresses`` holds one for each user, the first of whom may see everything."""

    terminal: Terminal
    addresses: tuple[Address, ...] = ()
    process: ServerProcess | None = None
    dialect: Callable[[], Dialect] = NativeDialect
    timeout: float = 10.0
    posix_shell: bool = True
    """Whether its shells are POSIX shells that take their prompt from ``PS1``; else ``/bin/sh`` takes their place."""
    direct: tuple[Address, ...] = ()
    """Where it listens itself, if ``addresses`` lead through a network that the suite makes."""

    def connect(
        self, user: int = 0, source: str = "", acknowledge_every: int | None = None
    ) -> AbstractAsyncContextManager[ClientConnection]:
        """A new connection of one of the users, dialled from the local address ``source`` where one is named.

        ``acknowledge_every`` is in bytes of output; ``None`` for as often as the client does by itself.
        """
        # Imported here, as in ``rest``: naming the benchmarks must not cost the start of a WebSocket library.
        from web_terminal_suite.client.connection import connect
        from web_terminal_suite.client.receiver import ACKNOWLEDGE_EVERY_BYTES

        return connect(
            self.addresses[user],
            dialect=self.dialect,
            timeout=self.timeout,
            clock=now_ns,
            acknowledge_every=acknowledge_every or ACKNOWLEDGE_EVERY_BYTES,
            source=source,
        )

    def rest(self, user: int = 0) -> AbstractAsyncContextManager[Rest]:
        """A new kept-alive HTTP connection of one of the users."""
        from web_terminal_suite.client.rest import rest

        return rest(self.addresses[user], timeout=self.timeout, clock=now_ns)

    @property
    def without_network(self) -> Running:
        """The same, dialled where it listens itself."""
        return replace(self, addresses=self.direct, direct=()) if self.direct else self

    @property
    def died(self) -> str:
        """How the server ended, or nothing while it lives."""
        if self.process is None or (status := self.process.status) is None:
            return ""
        words = self.process.last_words().splitlines()
        return f"the server ended with {status}" + (f": {words[-1]}" if words else "")

    def cpu_ns(self) -> int | None:
        """Processor time of the server apart from its shells, or ``None`` where it has no process here."""
        return cpu_ns(self.process.server_pids()) if self.process else None

    def pss_bytes(self) -> int | None:
        """Memory of the server apart from its shells."""
        return pss_bytes(self.process.server_pids()) if self.process else None

    def descriptors(self) -> int:
        return descriptor_count(self.process.server_pids()) if self.process else 0

    async def footprint(self) -> Footprint:
        """What the terminal, and this process for it, holds now."""
        sessions = await self.terminal.session_count(self)
        reap_orphans()
        shells = local_shells()
        if self.process is None:
            return Footprint(len(shells), sessions=sessions)
        servers = self.process.server_pids()
        shared = shared_memory_count(servers)
        shells += self.process.shell_pids()
        return Footprint(len(shells), descriptor_count(servers) - shared, sessions, shared)

    async def steady_footprint(self) -> Footprint:
        """As ``footprint``, once closing sockets are closed: two readings in a row agree."""
        last = await self.footprint()
        for _ in range(_STEADY_READINGS):
            await asyncio.sleep(_POLL_SECONDS)  # /proc offers no event for descriptors of another process
            now = await self.footprint()
            if now == last:
                break
            last = now
        return last

    async def residue(self, before: Footprint, timeout: float = 5.0) -> tuple[str, Footprint]:
        """What is left beyond ``before`` once ``timeout`` seconds have not made it go away; empty where nothing is."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            now = await self.footprint()
            left = now.beyond(before)
            if not left or asyncio.get_running_loop().time() > deadline:
                return left, now
            await asyncio.sleep(_POLL_SECONDS)  # as above


Role = Literal["subject", "floor", "known"]


class Terminal(ABC):
    """One terminal under test, or a floor that it is compared with."""

    name: str
    """By which samples are kept; of its class, unless one run has several terminals of a class."""
    role: Role = "subject"
    capabilities: frozenset[Capability]
    page: str = ""
    """The driver of its own page (``bench.browser.drivers``); empty where it has none."""
    page_url: str = ""
    """Of the page, where nothing but that is known."""

    def can(self, needs: Sequence[str] | frozenset[Capability]) -> bool:
        return self.capabilities.issuperset(needs)

    def missing(self) -> str:
        """Why it cannot be started on this machine, or nothing."""
        return ""

    @abstractmethod
    def facts(self) -> TerminalFacts:
        """What a report says of it."""

    @abstractmethod
    def launch(self) -> AbstractAsyncContextManager[Running]:
        """Start it, wait until it answers, and end it with the block, nothing left behind.

        Raises:
            LaunchFailed
        """

    def holding(self, sessions: int) -> Terminal:
        """This terminal set up for ``sessions`` sessions at once; itself if it needs no setting for that."""
        return self

    async def session_count(self, running: Running) -> int:
        """Sessions it holds, where it can be asked."""
        return 0
