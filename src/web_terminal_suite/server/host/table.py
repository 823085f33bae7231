"""The table of sessions: names, limits, permissions, idle times. Times are passed in.

Its only owner is the PTY host. A session that ended stays readable for the linger time, so that a client which lost
its connection still learns the end of the output and the exit status.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.protocol.error_codes import ErrorCode
from web_terminal_suite.protocol.errors import TheirError
from web_terminal_suite.protocol.messages import Size
from web_terminal_suite.server.control import SessionRecord, key_of
from web_terminal_suite.server.ipc import SERIAL_DIGITS, Caller, SessionInfo
from web_terminal_suite.server.session import MOVES, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from web_terminal_suite.protocol.messages import SessionSpec
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
        "ended_at",
        "ended_by",
        "hung_up",
        "id",
        "idle_offset",
        "idle_since",
        "input",
        "made_with",
        "name",
        "pump",
        "reaped",
        "reason",
        "removed",
        "session",
        "signal",
        "size",
        "sized_by",
        "slot",
        "stalled",
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
        self.idle_offset = 0
        """The end of the output when the idle clock was started last."""
        self.state = SessionState.STARTING
        self.command: tuple[str, ...] = ()
        self.session: Session | None = None
        self.arena = self.slot = -1
        self.attachments: dict[object, int] = {}
        """Number of viewers by the worker that serves them."""
        self.stalled: set[object] = set()
        """Workers none of whose viewers takes output."""
        self.pump: object | None = None
        self.hung_up = False
        """Whether the host does not read the terminal now: no process has it open, or the program waits."""
        self.input: SessionInput | None = None
        """Whose input is numbered; ``None`` where nobody's ever was."""
        self.sized_by: object | None = None
        """The worker whose viewer set the size."""
        self.tied_to: object | None = None
        """The worker that the session does not outlive."""
        self.waiting: list[tuple[object, int]] = []
        """Workers that asked for the end and wait for it, with their request's id."""
        self.made_with: tuple[str, bytes] | None = None
        """The key that its client chose, and a digest of what was asked for with it."""
        self.reason = "exited"
        self.ended_by: Caller | None = None
        """Who asked for the end first."""
        self.status: int | None = None
        self.signal: str | None = None
        self.reaped = False
        self.removed = False
        """Whether it is in no table any more; its log may still have readers."""
        self.ended_at: float | None = None

    @classmethod
    def adopted(cls, record: SessionRecord, now: float) -> SessionEntry:
        """A session of the host before; without its terminal and log."""
        entry = cls(record.id, record.name, record.user, Size(record.cols, record.rows), record.created)
        entry.idle_since = now if record.idle_since is None else record.idle_since
        entry.state = SessionState(record.state)
        entry.command, entry.arena, entry.slot = record.command, record.arena, record.slot
        entry.reason, entry.status, entry.signal = record.reason, record.status, record.signal
        entry.reaped, entry.removed, entry.ended_at = record.reaped, record.removed, record.ended_at
        entry.made_with = record.made_with
        return entry

    @property
    def key(self) -> int:
        """What the descriptor store knows it by."""
        return key_of(self.id)

    def record(self) -> SessionRecord:
        """The session as another host needs it. Only for one whose shell was started."""
        session = self.session
        assert session is not None
        return SessionRecord(
            id=self.id,
            name=self.name,
            user=self.user,
            command=self.command,
            pid=session.pty.pid,
            cols=self.size.cols,
            rows=self.size.rows,
            arena=self.arena,
            slot=self.slot,
            created=self.created,
            state=self.state.value,
            reason=self.reason,
            reaped=self.reaped,
            tied=self.tied_to is not None,
            removed=self.removed,
            status=self.status,
            signal=self.signal,
            ended_at=self.ended_at,
            idle_since=self.idle_since,
            made_with=self.made_with,
        )

    def move(self, state: SessionState) -> None:
        """Change state as the table of moves allows."""
        if state not in MOVES[self.state]:
            raise ValueError(f"session {self.id} cannot move from {self.state.value} to {state.value}")
        self.state = state

    @property
    def watched(self) -> bool:
        """Whether there is a viewer that takes output."""
        return any(worker not in self.stalled for worker in self.attachments)

    @property
    def printed(self) -> bool:
        """Whether there was output since the idle clock was started."""
        return self.session is not None and self.session.log.end != self.idle_offset

    @property
    def busy(self) -> bool:
        """Whether its shell runs a job in the foreground."""
        return self.state is SessionState.RUNNING and self.session is not None and self.session.pty.has_job()

    @property
    def input_waits(self) -> bool:
        """Whether the host has something to type."""
        return self.input is not None and self.input.file is not None

    @property
    def held_input(self) -> int:
        """How many bytes the host has to type."""
        return 0 if self.input is None or self.input.file is None else self.input.file.held_bytes

    def info(self, now: float, wall: float, idle_timeout: float = 0.0) -> SessionInfo:
        """What others may know; ``wall`` is seconds since the epoch at ``now``."""
        session = self.session
        busy = self.busy
        idles = self.idle_since is not None and not busy
        idle_seconds = now - self.idle_since if self.idle_since is not None and idles else 0.0
        ends = idles and idle_timeout > 0 and self.state is SessionState.RUNNING
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
            idle_seconds=idle_seconds,
            busy=busy,
            idle_timeout=idle_timeout,
            ends_in=max(0.0, idle_timeout - idle_seconds) if ends else None,
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
        """Sessions without viewers, the longest idle first; whether they run a job is not looked at."""
        self._expired: OrderedDict[str, str] = OrderedDict()
        """Their users, by id."""
        self._lost: OrderedDict[str, str] = OrderedDict()
        """Sessions that could not be adopted: their users, by id."""
        self._total = 0
        """Sessions that count against the server's limit."""
        self._serial = 0
        self._by_key: dict[tuple[str, str], SessionEntry] = {}
        """Sessions whose clients chose a key, by user and key."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def live(self) -> int:
        """How many sessions count against the server's limit: those whose shells live."""
        return self._total

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

    @property
    def serial(self) -> int:
        """The highest serial number that a session had."""
        return self._serial

    def begin_after(self, serial: int) -> None:
        """Give no serial number again that the host before gave."""
        self._serial = max(self._serial, serial)

    def adopt(self, entry: SessionEntry) -> None:
        """Take in a session of the host before, whatever the limits are. To be called in the order of the ids."""
        if not entry.removed:
            self._entries[entry.id] = entry
            if entry.made_with is not None:
                self._by_key[entry.user, entry.made_with[0]] = entry
        if entry.state is not SessionState.ENDED:
            self._live[entry.user] = self._live.get(entry.user, 0) + 1
            self._total += 1
            self._idle[entry.id] = entry

    @property
    def gone(self) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        """The ids, with their users, of sessions that expired and of those that were lost."""
        return tuple(self._expired.items()), tuple(self._lost.items())

    def remember(self, expired: Iterable[tuple[str, str]], lost: Iterable[tuple[str, str]]) -> None:
        """Take over what ``gone`` gave."""
        self._expired.update(expired)
        self._lost.update(lost)

    def lose(self, record: SessionRecord) -> None:
        """Remember that a session could not be adopted."""
        self._lost[record.id] = record.user
        while len(self._lost) > _EXPIRED_REMEMBERED:
            self._lost.popitem(last=False)

    def made_before(self, caller: Caller, spec: SessionSpec) -> SessionEntry | None:
        """The session that ``caller`` made with the key in ``spec``, as long as it is in the table.

        Raises:
            Refusal: the key is too long or not printable, or another session was asked for with it.
        """
        if spec.key is None:
            return None
        key = checked_text("key", spec.key)
        entry = self._by_key.get((caller.user, key))
        if entry is not None and entry.made_with != (key, _digest(spec)):
            raise Refusal(
                ErrorCode.KEY_IN_USE, f"key {key!r} is that of session {entry.id}, which was asked for otherwise"
            )
        return entry

    def remember_key(self, entry: SessionEntry, spec: SessionSpec) -> None:
        """Let ``made_before`` find the session that was made after ``spec``."""
        if spec.key is not None:
            entry.made_with = (spec.key, _digest(spec))
            self._by_key[entry.user, spec.key] = entry

    def get(self, id: str) -> SessionEntry | None:
        """The session ``id``, whoever asks."""
        return self._entries.get(id)

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
            raise Refusal(
                ErrorCode.SESSION_EXPIRED,
                f"session {id} had no viewer, no job and no output for too long and was ended (idle_timeout)",
            )
        if id in self._lost and (caller.role in ("owner", "viewer") or self._lost[id] == caller.user):
            raise Refusal(ErrorCode.SESSION_LOST, f"session {id} was lost with its PTY host")
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
        """Start or stop the idle clock after viewers came, went, stalled or recovered."""
        if entry.watched:
            entry.idle_since = None
            self._idle.pop(entry.id, None)
        elif entry.idle_since is None:
            self.touch(entry, now)

    def touch(self, entry: SessionEntry, now: float) -> None:
        """Restart the idle clock: it printed, or was asked to. No effect while the session has viewers."""
        if entry.watched or entry.state is SessionState.ENDED:
            return
        entry.idle_since = now
        entry.idle_offset = 0 if entry.session is None else entry.session.log.end
        self._idle[entry.id] = entry
        self._idle.move_to_end(entry.id)

    def longest_idle(self) -> SessionEntry | None:
        """The session that has idled for longest, as far as its viewers, its output and ``touch`` tell."""
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
        entry.removed = True
        self._entries.pop(entry.id, None)
        self._idle.pop(entry.id, None)
        if entry.made_with is not None:
            self._by_key.pop((entry.user, entry.made_with[0]), None)

    def states(self) -> dict[str, int]:
        """How many sessions are in each state."""
        counts = {state.value: 0 for state in SessionState}
        for entry in self._entries.values():
            counts[entry.state.value] += 1
        return counts


def _share(limit: int, number: int, hosts: int) -> int:
    """What of a limit falls to one of several hosts; together they have all of it."""
    return limit // hosts + (number < limit % hosts)


def _digest(spec: SessionSpec) -> bytes:
    """Of what a session was asked to be; a client that asks again may have another size by then."""
    asked = msgspec.structs.replace(spec, cols=0, rows=0)
    return hashlib.blake2b(msgspec.json.encode(asked, order="sorted"), digest_size=16).digest()


def checked_name(name: str | None) -> str | None:
    """The name, if it may be one.

    Raises:
        Refusal: empty, too long, or with control characters in it.
    """
    return None if name is None else checked_text("name", name)


def checked_text(what: str, text: str) -> str:
    """A client's word for something, if it may be one.

    Raises:
        Refusal: empty, too long, or with control characters in it.
    """
    if not 0 < len(text) <= _NAME_CHARACTERS:
        raise Refusal(
            ErrorCode.OUT_OF_RANGE, f"a {what} of {len(text)} characters; 1 to {_NAME_CHARACTERS} are allowed"
        )
    if not text.isprintable():
        raise Refusal(ErrorCode.OUT_OF_RANGE, f"a {what} contains a control character")
    return text
