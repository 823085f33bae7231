"""What the terminals of others have in common: a program on this machine, a port and a protocol; or a URL.

A peer states how it is found and started, what it can do and what a reader of its figures should know. It is ready once
it has run a line in a shell, and it is gone with all its processes when its block ends.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
import tempfile
from abc import abstractmethod
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.marker_check import run_marker
from web_terminal_suite.bench.terminals.processes import LaunchFailed, started
from web_terminal_suite.bench.terminals.shell_environment import server_environment
from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal
from web_terminal_suite.client.address import Address, parse_address
from web_terminal_suite.client.errors import ClientError, Refused, TimedOut, Violated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from web_terminal_suite.bench.terminals.processes import ServerProcess
    from web_terminal_suite.client.dialect import Dialect

# Node and Jupyter take a second or two on an idle machine.
_READY_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_VERSION_SECONDS: Final = 20.0
# HTTP statuses that another attempt would get again: credentials are missing or wrong.
_CREDENTIALS: Final = (401, 403)


class Peer(Terminal):
    """A terminal of others, started on the loopback with the shell and the environment that all terminals get."""

    abilities: ClassVar[frozenset[Capability]]
    """Over its protocol, wherever it runs."""
    remedy: ClassVar[str]
    """How to get it, as a sentence."""
    remarks: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self.capabilities = self.abilities | {Capability.SHELL, Capability.PROCESSES}

    @abstractmethod
    def dialect(self) -> Dialect:
        """Its protocol, for one connection."""

    @abstractmethod
    def command(self, port: int) -> tuple[str, ...]:
        """Program and arguments that serve ``/bin/sh`` on a port of 127.0.0.1."""

    def environment(self, directory: str) -> Mapping[str, str]:
        """What it needs beyond what all are given; ``directory`` is empty, its own, and gone afterwards."""
        return {}

    @abstractmethod
    def version(self) -> str:
        """As it states it itself."""

    def address(self, port: int) -> Address:
        """Where it answers once started on ``port``."""
        return Address("127.0.0.1", port)

    def facts(self) -> TerminalFacts:
        missing = self.missing()
        return TerminalFacts(
            name=self.name,
            version="" if missing else self.version(),
            role=self.role,
            command=() if missing else self.command(0),
            capabilities=tuple(sorted(self.capabilities)),
            remarks=self.remarks,
            missing=missing,
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        port = _free_port()
        with tempfile.TemporaryDirectory(prefix="web-terminal-bench-") as directory:
            async with started(self.command(port), {**server_environment(), **self.environment(directory)}) as process:
                running = Running(self, (self.address(port),), process, dialect=self.dialect)
                await _answers(running, process)
                yield running


class RemotePeer(Terminal):
    """A terminal of others that runs already, wherever it is: nothing is known of its processes."""

    def __init__(self, peer: Peer, url: str, token: str = "", name: str = "") -> None:
        self._peer = peer
        self.address = parse_address(url, token)
        self.capabilities = peer.abilities | {Capability.SHELL}
        self.name = name or peer.name
        self.page = peer.page

    def facts(self) -> TerminalFacts:
        return TerminalFacts(
            name=self.name,
            version="",
            role=self.role,
            url=self.address.websocket("/"),
            capabilities=tuple(sorted(self.capabilities)),
            remarks=self._peer.remarks,
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        running = Running(self, (self.address,), dialect=self._peer.dialect)
        try:
            running = replace(running, posix_shell=await _run_a_shell(running))
        except ClientError as error:
            asked = self.address.websocket(self._path())
            raise LaunchFailed(f"{self.name}: {_reason(error)}; asked at {asked}") from error
        yield running

    def _path(self) -> str:
        """Where its WebSocket is expected."""
        return self._peer.dialect().path.partition("?")[0]


def found(program: str) -> str:
    """The path of a program, empty where there is none."""
    return shutil.which(program) or ""


def stated(*command: str) -> str:
    """The first version number in what a command prints, or what it printed instead of one."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_VERSION_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({type(error).__name__})"
    said = (done.stdout + done.stderr).strip()
    number = re.search(r"\d+\.\d+[\w.+-]*", said)
    return number[0] if number else said.partition("\n")[0][:80] or "unknown"


def _free_port() -> int:
    """A port of 127.0.0.1 that is free now; most programs cannot choose one themselves and report it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(running: Running, process: ServerProcess) -> None:
    """Return once it has run a line in a shell and ended that.

    The first session opens what a server opens once, so that the search for residue does not take it for a leak.

    Raises:
        LaunchFailed
    """
    deadline = asyncio.get_running_loop().time() + _READY_SECONDS
    while True:
        try:
            await _run_a_shell(running)
            return
        except ClientError as error:
            if running.died:
                raise LaunchFailed(f"{' '.join(process.command)}: {running.died}") from error
            # One that is still starting refuses or hangs up; one that hangs or talks nonsense will go on doing so.
            final = isinstance(error, TimedOut | Violated) or _wants_credentials(error)
            if final or asyncio.get_running_loop().time() > deadline:
                raise LaunchFailed(f"{running.terminal.name} does not answer: {_reason(error)}") from error
        await asyncio.sleep(_POLL_SECONDS)  # a program that listens at last says so in no way that all share


async def _run_a_shell(running: Running) -> bool:
    """Run a marker in a shell and end that, whatever its prompt and however it went; as ``run_marker``.

    Raises:
        ClientError
    """
    async with running.connect() as connection:
        try:
            await connection.attach()
            return await run_marker(connection)
        finally:
            if connection.closed is None:
                await connection.close(destroy=True)


def _wants_credentials(error: ClientError) -> bool:
    return isinstance(error, Refused) and error.status in _CREDENTIALS


def _reason(error: ClientError) -> str:
    if _wants_credentials(error):
        return f"{error}: it wants credentials; put them into the URL (user:password@ or #token=...) or into --token"
    return str(error)
