"""Our own server, started as any peer is: a process, over a socket. No private door."""

from __future__ import annotations

import secrets
import sys
import tempfile
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from web_terminal_suite import __version__
from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.marker_check import run_marker
from web_terminal_suite.bench.terminals.processes import LaunchFailed, started
from web_terminal_suite.bench.terminals.shell_environment import SHELL, server_environment
from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal
from web_terminal_suite.client.address import parse_address
from web_terminal_suite.client.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_READY_SECONDS: Final = 30.0
# session_creation_multi_user asks for ten.
USERS: Final = 10
# Above what any benchmark but the largest opens, so that limits are never what is measured, and within what one host
# keeps; the largest say how many they hold.
_SESSIONS: Final = 15_000
_SESSIONS_MORE: Final = 2_000

# A worker needs two descriptors for each, and 20,000 is as many as a process is usually given. Whichever accepts first
# has the connection, so some workers have more than their share.
SESSIONS_PER_WORKER: Final = 6_000
# A shell starts the slower the more terminals its host holds, by a tenth of a millisecond for each thousand.
_SESSIONS_PER_HOST: Final = 4_000

_NOT_FOUND: Final = 404
_OTHERS: Final = "--url terminado=URL, ttyd=URL, gotty=URL, wetty=URL, jupyter-server=URL or plain=URL"

_OVER_THE_WIRE: Final = frozenset(
    {
        Capability.SHELL,
        Capability.ON_REQUEST,
        Capability.CREATE,
        Capability.LOOKUP,
        Capability.CHANGE,
        Capability.TOUCH,
        Capability.DESTROY,
        Capability.REATTACH,
        Capability.SPEC,
        Capability.LIMITS,
        Capability.EXIT,
        Capability.BINARY,
        Capability.FLOW_CONTROL,
        Capability.ECHO,
        Capability.PING,
        Capability.PAGE,
    }
)


class WebTerminal(Terminal):
    """``web-terminal serve`` of this very installation."""

    name = "web-terminal"
    page = "web-terminal"
    capabilities = _OVER_THE_WIRE | {Capability.USERS, Capability.PROCESSES, Capability.COMPONENTS}

    def __init__(self, options: tuple[str, ...] = (), sessions: int = _SESSIONS) -> None:
        self.options = options
        self._sessions = sessions

    @property
    def command(self) -> tuple[str, ...]:
        return (
            sys.executable, "-m", "web_terminal_suite", "serve",
            "--host", "127.0.0.1", "--port", "0", "--shell", SHELL,
            "--max-sessions", str(self._sessions), "--max-sessions-per-user", str(self._sessions),
            *self.options,
        )  # fmt: skip

    def holding(self, sessions: int) -> Terminal:
        workers = -(-sessions // SESSIONS_PER_WORKER)
        if workers <= 1:
            return self
        larger = copy(self)
        # Imported here: naming the terminals must not cost what reading a machine's facts needs.
        from web_terminal_suite.bench.machine.limits import HOSTS

        hosts = min(HOSTS, -(-sessions // _SESSIONS_PER_HOST))
        larger.options = (*self.options, "--workers", str(workers), "--hosts", str(hosts))
        larger._sessions = max(self._sessions, sessions + _SESSIONS_MORE)
        return larger

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
        tokens = {f"user{number}": secrets.token_hex(16) for number in range(1, USERS)}
        owner = secrets.token_hex(16)
        # Not a flag: a revision that does not know the setting passes over it.
        environment = {**self._environment(), "WEB_TERMINAL_TOKEN": owner, "WEB_TERMINAL_INSPECTABLE": "true"}
        several = Capability.USERS in self.capabilities
        with tempfile.TemporaryDirectory(prefix="web-terminal-bench-") as directory:
            users = ("--config", _write_users(directory, tokens)) if several else ()
            async with started((*self.command, *users), environment) as process:
                line = await process.line("listening on http", _READY_SECONDS)
                url = next(word for word in line.split() if word.startswith("http"))
                first = parse_address(url, owner)
                addresses = (first, *(first._replace(token=token) for token in tokens.values() if several))
                running = Running(self, addresses, process)
                await _answers(running)
                yield running

    async def session_count(self, running: Running) -> int:
        return await _session_count(running)

    def _environment(self) -> dict[str, str]:
        return server_environment()


class RemoteWebTerminal(Terminal):
    """A server of ours that runs already, wherever it is: nothing is known of its processes."""

    name = "web-terminal"
    page = "web-terminal"
    capabilities = _OVER_THE_WIRE

    def __init__(self, url: str, token: str = "") -> None:
        self.address = parse_address(url, token)

    def facts(self) -> TerminalFacts:
        url = f"{'https' if self.address.secure else 'http'}://{self.address.authority}{self.address.base}/"
        return TerminalFacts(
            name=self.name, version="", role=self.role, url=url, capabilities=tuple(sorted(self.capabilities))
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        running = Running(self, (self.address,))
        running = replace(running, posix_shell=await _answers(running))
        yield running

    async def session_count(self, running: Running) -> int:
        return await _session_count(running)


def _write_users(directory: str, tokens: dict[str, str]) -> str:
    """A configuration file that only we can read; its path."""
    config = Path(directory, "users.toml")
    config.touch(mode=0o600)
    config.write_text("".join(f'[users.{name}]\ntoken = "{token}"\nrole = "user"\n' for name, token in tokens.items()))
    return str(config)


async def _answers(running: Running) -> bool:
    """Return once the server is healthy and has run one shell to its end; as ``run_marker``.

    The first session opens what a server opens once, so that the search for residue does not take it for a leak.

    Raises:
        LaunchFailed
    """
    try:
        async with running.rest() as api, running.connect() as connection:
            await api.call("GET", "/health")
            await connection.attach()
            try:
                return await run_marker(connection)
            finally:
                await api.call("DELETE", f"/sessions/{connection.session}")
    except Refused as error:
        advice = f"; it may be another's: {_OTHERS}" if error.status == _NOT_FOUND else ""
        where = running.addresses[0].authority
        raise LaunchFailed(f"the server at {where} is none of ours: {error}{advice}") from error
    except ClientError as error:
        raise LaunchFailed(f"the server at {running.addresses[0].authority} does not answer: {error}") from error


async def _session_count(running: Running) -> int:
    async with running.rest() as api:
        return int((await api.call("GET", "/sessions?limit=1")).json()["total"])
