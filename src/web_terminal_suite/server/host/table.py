"""The table of sessions: names, limits, permissions, idle times. No I/O; times are passed in.

Its only owner is the PTY host. A session that ended stays readable for the linger time, so that a client which lost
its connection still learns the end of the output and the exit status.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import TYPE_CHECKING

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server.ipc import SERIAL_DIGITS, Caller, SessionInfo
from web_terminal_suite.server.session import MOVES, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_terminal_suite.server.host.session_input import SessionInput
    from web_terminal_suite.server.session import Session

_ID_BYTES = 8
# Ids of expired sessions are remembered, so that a page gets "expired" rather than "no such session".
_EXPIRED_REMEMBERED = 4096
_NAME_CHARACTERS = 100


class Refusal(TheirError):
    """The table refuses a request; ``code`` as in ``docs/protocol.md``."""


class SessionEntry:
    """One session as the host knows it. ``session`` is ``None`` until the shell runs."""

    __slots__ = (
        "arena",
        "attachments",
        "command",
        "created",
        "hung_up",
        "id",
        "idle_since",
        "input",
        "name",
        "pump",
        "reaped",
        "reason",
        "session",
        "signal",
        "size",
        "sized_by",
        "slot",
        "state",
        "status",
        "tied_to",
        "user",
        "waiting",
    )  # fmt: skip

    def __init__(self, id: str, name: str, user: str, size: Size, now: float) -> None:
        self.id = id
        self.name = name
        self.user = user
        self.size = size
        self.created = now
        self.idle_since: float | None = now
        self.state = SessionState.STARTING
        self.command: tuple[str, ...] = ()
        self.session: Session | None = None
        self.arena = self.slot = -1
        self.attachments: dict[object, int] = {}
        """Number of viewers by the worker that serves them."""
        self.pump: object | None = None
        self.hung_up = False
        """Whether no process has the terminal open now, and the host does not read it."""
        self.input: SessionInput | None = None
        """Whose input is numbered; ``None`` where nobody's ever was."""
        self.sized_by: object | None = None
        """The worker whose viewer set the size."""
        self.tied_to: object | None = None
        """The worker that the session does not outlive."""
        self.waiting: list[tuple[object, int]] = []
        """Workers that asked for the end and wait for it, with their request's id."""
        self.reason = "exited"
        self.status: int | None = None
        self.signal: str | None = None
        self.reaped = False

    def move(self, state: SessionState) -> None:
        """Change state as the table of moves allows."""
        if state not in MOVES[self.state]:
            raise ValueError(f"session {self.id} cannot move from {self.state.value} to {state.value}")
        self.state = state

    def info(self, now: float, wall: float) -> SessionInfo:
        """What others may know; ``wall`` is seconds since the epoch at ``now``."""
        session = self.session
        return SessionInfo(
            id=self.id,
            name=self.name,
            user=self.user,
            state=self.state.value,
            pid=session.pty.pid if session else 0,
            command=self.command,
            cols=self.size.cols,
            rows=self.size.rows,
            offset=session.log.end if session else 0,
            viewers=sum(self.attachments.values()),
            created=wall - (now - self.created),
            idle_seconds=0.0 if self.idle_since is None else now - self.idle_since,
            status=self.status,
            signal=self.signal,
        )


class SessionTable:
    """All sessions by id, in order of creation."""

    def __init__(self, max_sessions: int, max_sessions_per_user: int, number: int = 0, hosts: int = 1) -> None:
        """Of host ``number`` out of ``hosts``: each keeps a share of both limits, and all of them the limits."""
        self.max_sessions = max_sessions
        self.max_sessions_per_user = max_sessions_per_user
        self._number = number
        self._hosts = hosts
        self._share = _share(max_sessions, number, hosts)
        self._share_per_user = _share(max_sessions_per_user, number, hosts)
        self._entries: dict[str, SessionEntry] = {}
        self._live: dict[str, int] = {}
        """Sessions that count against a user's limit."""
        self._idle: OrderedDict[str, SessionEntry] = OrderedDict()
        """Sessions without viewers, the longest idle first."""
        self._expired: OrderedDict[str, str] = OrderedDict()
        """Their users, by id."""
        self._total = 0
        """Sessions that count against the server's limit."""
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[SessionEntry]:
        return iter(list(self._entries.values()))

    def reserve(self, caller: Caller, name: str | None, size: Size, now: float) -> SessionEntry:
        """A place in the table, before anything is started.

        Raises:
            Refusal: a limit is reached, the name is too long, or ``caller`` is a viewer.
        """
        if caller.role == "viewer":
            raise Refusal(ErrorCode.FORBIDDEN, f"user {caller.user!r} may only view sessions")
        if self._total >= self._share:
            raise Refusal(
                ErrorCode.SESSION_LIMIT, f"the server's limit of {self.max_sessions} sessions is reached (max_sessions)"
            )
        if self._live.get(caller.user, 0) >= self._share_per_user:
            raise Refusal(
                ErrorCode.SESSION_LIMIT,
                f"the limit of {self.max_sessions_per_user} sessions for user {caller.user!r} is reached "
                "(max_sessions_per_user)",
            )
        self._serial += 1
        # The serial makes ids sort in the order of creation, so that a page can go on after a session that is gone.
        id = f"{self._serial:0{SERIAL_DIGITS}x}{self._number:x}{os.urandom(_ID_BYTES).hex()}"
        ordinal = (self._serial - 1) * self._hosts + self._number + 1
        entry = SessionEntry(id, checked_name(name) or f"session {ordinal}", caller.user, size, now)
        self._entries[entry.id] = entry
        self._live[caller.user] = self._live.get(caller.user, 0) + 1
        self._total += 1
        self._idle[entry.id] = entry
        return entry

    def find(self, caller: Caller, id: str, *, to_change: bool = False) -> SessionEntry:
        """The session ``id``, if ``caller`` may see it (and change it).

        Raises:
            Refusal: it expired or does not exist. One that ``caller`` may not see counts as one that does not exist.
        """
        entry = self._entries.get(id)
        if entry is not None and (caller.role in ("owner", "viewer") or entry.user == caller.user):
            if to_change and caller.role == "viewer":
                raise Refusal(ErrorCode.FORBIDDEN, f"user {caller.user!r} may only view session {id}")
            return entry
        if id in self._expired and (caller.role in ("owner", "viewer") or self._expired[id] == caller.user):
            raise Refusal(ErrorCode.SESSION_EXPIRED, f"session {id} was idle for too long and was ended (idle_timeout)")
        raise Refusal(ErrorCode.NO_SUCH_SESSION, f"no session has the id {id[:64]!r}")

    def visible(self, caller: Caller) -> list[SessionEntry]:
        """Sessions ``caller`` may see, oldest first."""
        if caller.role in ("owner", "viewer"):
            return list(self._entries.values())
        return [entry for entry in self._entries.values() if entry.user == caller.user]

    def page(self, caller: Caller, limit: int, after: str | None) -> tuple[list[SessionEntry], int, str | None]:
        """At most ``limit`` sessions that come after the id ``after``, how many there are, and where to go on."""
        entries = self.visible(caller)
        first = 0
        if after is not None:
            first = next((i for i, entry in enumerate(entries) if entry.id > after), len(entries))
        page = entries[first : first + limit]
        more = first + limit < len(entries)
        return page, len(entries), page[-1].id if more and page else None

    def viewed(self, entry: SessionEntry, now: float) -> None:
        """Start or stop the idle clock after viewers came or went."""
        if entry.attachments:
            entry.idle_since = None
            self._idle.pop(entry.id, None)
        elif entry.idle_since is None:
            self.touch(entry, now)

    def touch(self, entry: SessionEntry, now: float) -> None:
        """Restart the idle clock; no effect while the session has viewers."""
        if entry.attachments or entry.state is SessionState.ENDED:
            return
        entry.idle_since = now
        self._idle[entry.id] = entry
        self._idle.move_to_end(entry.id)

    def longest_idle(self) -> SessionEntry | None:
        """The session that has been without viewers for longest."""
        return next(iter(self._idle.values()), None)

    def expire(self, entry: SessionEntry) -> None:
        """Remember that the session ended for idleness."""
        self._expired[entry.id] = entry.user
        while len(self._expired) > _EXPIRED_REMEMBERED:
            self._expired.popitem(last=False)

    def retire(self, entry: SessionEntry) -> None:
        """The shell is gone: it no longer counts against limits nor idles. To be called once for each session."""
        self._idle.pop(entry.id, None)
        self._total -= 1
        self._live[entry.user] -= 1
        if not self._live[entry.user]:
            del self._live[entry.user]

    def knows(self, entry: SessionEntry) -> bool:
        """Whether the session is still in the table."""
        return entry.id in self._entries

    def stop_clock(self, entry: SessionEntry) -> None:
        """The session is being ended for idleness; do not look at it again."""
        self._idle.pop(entry.id, None)

    def remove(self, entry: SessionEntry) -> None:
        """Forget the session."""
        self._entries.pop(entry.id, None)
        self._idle.pop(entry.id, None)

    def states(self) -> dict[str, int]:
        """How many sessions are in each state."""
        counts = {state.value: 0 for state in SessionState}
        for entry in self._entries.values():
            counts[entry.state.value] += 1
        return counts


def _share(limit: int, number: int, hosts: int) -> int:
    """What of a limit falls to one of several hosts; together they have all of it."""
    return limit // hosts + (number < limit % hosts)


def checked_name(name: str | None) -> str | None:
    """The name, if it may be one.

    Raises:
        Refusal: empty, too long, or with control characters in it.
    """
    if name is None:
        return None
    if not 0 < len(name) <= _NAME_CHARACTERS:
        raise Refusal(ErrorCode.OUT_OF_RANGE, f"a name of {len(name)} characters; 1 to {_NAME_CHARACTERS} are allowed")
    if not name.isprintable():
        raise Refusal(ErrorCode.OUT_OF_RANGE, "a name contains a control character")
    return name
