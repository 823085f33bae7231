"""All PTY hosts of a server as one: a session's id names the host that has it, a new one goes to each host in turn.

Most servers have one host. Each needs a descriptor per session, so a server of more sessions than a process may have
descriptors has several. Limits are exact over all of them: each host has a share of every limit, and a session that one
has no room for is offered to the next.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.server import ipc
from web_terminal_suite.server.worker.host_client import HostClient, HostError
from web_terminal_suite.server.worker.pause_watch import PauseWatch
from web_terminal_suite.server.worker.scheduler import Scheduler

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from web_terminal_suite.protocol.messages import SessionSpec
    from web_terminal_suite.server.worker.attachment import Attachment


class HostPool:
    """A worker's clients of the hosts, by the number each host has in its sessions' ids."""

    def __init__(self, socks: Sequence[socket.socket], loop: asyncio.AbstractEventLoop, gone: Callable[[int], None]):
        # One loop reads the sessions of all hosts.
        scheduler, pauses = Scheduler(loop), PauseWatch(loop)
        self._clients = [
            HostClient(sock, loop, partial(gone, number), scheduler, pauses, number)
            for number, sock in enumerate(socks)
        ]
        self._next = 0
        self.silent: frozenset[int] = frozenset()
        """Numbers of hosts that do not answer, as far as the supervisor said; new sessions go to others."""

    def rejoin(self, number: int, sock: socket.socket) -> None:
        """Another host is in the place of one that died."""
        self._clients[number].rejoin(sock)

    def reaches(self, number: int) -> bool:
        """Whether there is a channel to a host."""
        return self._clients[number].connected

    @property
    def waits(self) -> bool:
        """Whether something is still to be sent to a host."""
        return any(client.waits for client in self._clients)

    def lend_pipes(self) -> None:
        """Give every host the other end of a pipe for numbered input. One that does not know it closes its channel."""
        for client in self._clients:
            client.input_pipe()

    def of(self, session: str) -> HostClient:
        """The client of the host that has, or would have, a session of this id."""
        number = ipc.host_of(session)
        return self._clients[number if number < len(self._clients) else 0]

    async def create_attached(self, caller: ipc.Caller, spec: SessionSpec, *, tied: bool = False) -> Attachment:
        """A new session, attached to this worker. Where it is ``tied`` it ends with this worker at the latest.

        Raises:
            HostError: a limit is reached, or the shell did not start.
        """
        made: Attachment | ipc.InfoReply = await self._create(caller, spec, attach=True, tied=tied)
        return await self.attach(caller, made.info.id) if isinstance(made, ipc.InfoReply) else made

    async def create_detached(self, caller: ipc.Caller, spec: SessionSpec) -> ipc.SessionInfo:
        """A new session without viewers.

        Raises:
            HostError: as in ``create_attached``.
        """
        reply: ipc.InfoReply = await self._create(caller, spec, attach=False, tied=False)
        return reply.info

    async def _create(self, caller: ipc.Caller, spec: SessionSpec, *, attach: bool, tied: bool) -> Any:
        clients = self._in_turn()
        if spec.key is not None and len(self._clients) > 1:
            made = await self._made_before(caller, spec)
            if made is not None:
                return made
            # The same host for the same key, so that it makes one session of two requests at the same time.
            first = zlib.crc32(f"{caller.user}\0{spec.key}".encode()) % len(self._clients)
            clients = [*self._clients[first:], *self._clients[:first]]
        for client in clients:
            try:
                return await client.ask(ipc.CreateSession, caller=caller, spec=spec, attach=attach, tied=tied)
            except HostError as refused:
                if refused.session is not None:  # nobody was told its id
                    await client.ask(ipc.DestroySession, seconds=None, caller=caller, session=refused.session)
                if refused.code is not ErrorCode.SESSION_LIMIT:
                    raise
                last = refused
        raise last

    async def _made_before(self, caller: ipc.Caller, spec: SessionSpec) -> ipc.InfoReply | None:
        """The session that was made with this key, in whichever host. One that is silent may have it."""
        for client in self._clients:
            try:
                found: ipc.InfoReply = await client.ask(
                    ipc.CreateSession, caller=caller, spec=spec, attach=False, only_existing=True
                )
            except HostError as refused:
                if refused.code is not ErrorCode.NO_SUCH_SESSION:
                    raise
            else:
                return found
        return None

    def _in_turn(self) -> Sequence[HostClient]:
        """The hosts in the order in which a new session is tried."""
        first = self._next = (self._next + 1) % len(self._clients)
        numbers = [*range(first, len(self._clients)), *range(first)]
        return [self._clients[number] for number in sorted(numbers, key=self.silent.__contains__)]

    async def attach(self, caller: ipc.Caller, session: str) -> Attachment:
        """A session that exists, attached to this worker.

        Raises:
            HostError: there is none, or it belongs to another user.
        """
        return await self.of(session).attach(caller, session)

    async def list(self, caller: ipc.Caller, limit: int, after: str | None) -> ipc.ListReply:
        """At most ``limit`` sessions after the id ``after``, in the order of their ids, how many there are in all, and
        where to go on."""
        if len(self._clients) == 1:
            only: ipc.ListReply = await self._clients[0].ask(ipc.ListSessions, caller=caller, limit=limit, after=after)
            return only
        pages = await asyncio.gather(
            *(client.ask(ipc.ListSessions, caller=caller, limit=limit, after=after) for client in self._clients)
        )
        return merged(pages, limit)

    async def counts(self, seconds: float) -> Sequence[ipc.StatsReply | None]:
        """The counts of each host by its number; ``None`` for one that does not answer within ``seconds``."""
        return await asyncio.gather(*(client.count(seconds) for client in self._clients))

    async def answer(self) -> None:
        """Return once every host has answered, however long that takes."""
        await asyncio.gather(*(client.ask(ipc.GetStats, seconds=None) for client in self._clients))


def merged(pages: Sequence[ipc.ListReply], limit: int) -> ipc.ListReply:
    """One page out of each host's: nothing is passed over, for no id is shown beyond the end of a page that goes on."""
    ends = [page.next for page in pages if page.next is not None]
    sessions = sorted((info for page in pages for info in page.sessions), key=lambda info: info.id)
    shown = [info for info in sessions if not ends or info.id <= min(ends)][:limit]
    more = bool(ends) or len(shown) < len(sessions)
    next_ = shown[-1].id if more and shown else None
    return ipc.ListReply(id=0, sessions=tuple(shown), total=sum(page.total for page in pages), next=next_)
