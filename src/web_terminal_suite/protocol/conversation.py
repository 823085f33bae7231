"""Which message is legal when: one table, read by both sides.

Both sides feed every message they send and receive into a ``Conversation``; it moves the one state or refuses.
Three rules are in the table and nowhere else. Before authentication only ``authenticate`` and ``close`` are accepted.
While an attach is answered nothing for a session may come, since there is none yet. Input that crosses
``process_exited`` on the way is legal and without effect: the client could not have known.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import EchoBytes, InputBytes, OutputBytes
from web_terminal_suite.protocol.errors import IllegalInState

if TYPE_CHECKING:
    import msgspec


class State(Enum):
    AUTHENTICATING = "authenticating"
    READY = "ready"
    ATTACHING = "attaching"
    ATTACHED = "attached"
    ENDED = "ended"
    CLOSED = "closed"


class Side(Enum):
    CLIENT = "client"
    SERVER = "server"


def _stay(state: State, *types: type[msgspec.Struct]) -> dict[tuple[State, type[msgspec.Struct]], State]:
    return {(state, type_): state for type_ in types}


# Any time after authentication. The binary subprotocol's forms of a message stand next to the JSON ones.
_ANY_TIME_CLIENT = (m.Ping, m.Echo, EchoBytes)
_ANY_TIME_SERVER = (m.Pong, m.Echo, EchoBytes, m.Error, m.ConnectionStatus)
_TO_SESSION = (m.Input, InputBytes, m.Command, m.Resize, m.Signal, m.Ack)

TABLE: dict[Side, dict[tuple[State, type[msgspec.Struct]], State]] = {
    Side.CLIENT: {
        **_stay(State.AUTHENTICATING, m.Authenticate),
        **_stay(State.READY, *_ANY_TIME_CLIENT),
        (State.READY, m.Attach): State.ATTACHING,
        **_stay(State.ATTACHING, *_ANY_TIME_CLIENT),
        **_stay(State.ATTACHED, *_TO_SESSION, *_ANY_TIME_CLIENT),
        **_stay(State.ENDED, *_TO_SESSION, *_ANY_TIME_CLIENT),
        (State.ENDED, m.Attach): State.ATTACHING,
        **{(state, m.Close): State.CLOSED for state in State if state is not State.CLOSED},
    },
    Side.SERVER: {
        **_stay(State.AUTHENTICATING, m.ConnectionStatus, m.Error),
        (State.AUTHENTICATING, m.Authenticated): State.READY,
        **_stay(State.READY, *_ANY_TIME_SERVER),
        **_stay(State.ATTACHING, *_ANY_TIME_SERVER),
        (State.ATTACHING, m.Attached): State.ATTACHED,
        (State.ATTACHING, m.Error): State.READY,
        **_stay(
            State.ATTACHED,
            m.Output,
            OutputBytes,
            m.Gap,
            m.InputAck,
            m.ProcessStarted,
            m.FlowControl,
            m.ResourceUsage,
            m.Resized,
            *_ANY_TIME_SERVER,
        ),
        (State.ATTACHED, m.ProcessExited): State.ENDED,
        **_stay(State.ENDED, *_ANY_TIME_SERVER),
    },
}


def allowed(side: Side, state: State) -> tuple[str, ...]:
    """Types that ``side`` may send in ``state``, by their ``type`` fields."""
    return tuple(sorted({m.kind(type_) for at, type_ in TABLE[side] if at is state}))


# The same table by side and state, so that a message is one look-up.
_ROWS: dict[Side, dict[State, dict[type[msgspec.Struct], State]]] = {
    side: {state: {type_: next_state for (at, type_), next_state in rows.items() if at is state} for state in State}
    for side, rows in TABLE.items()
}


class Conversation:
    """The state of one connection."""

    __slots__ = ("_client", "_server", "state")

    def __init__(self, state: State = State.AUTHENTICATING) -> None:
        self._move(state)

    def _move(self, state: State) -> None:
        self.state = state
        self._client = _ROWS[Side.CLIENT][state]
        self._server = _ROWS[Side.SERVER][state]

    def hear(self, side: Side, message: msgspec.Struct) -> State:
        """Move on a message that ``side`` sends, and give the new state.

        Raises:
            IllegalInState: the table has no such row; the state is unchanged.
        """
        rows = self._client if side is Side.CLIENT else self._server
        next_state = rows.get(type(message))
        if next_state is None:
            raise IllegalInState(m.kind(message), self.state.value, allowed(side, self.state))
        if next_state is not self.state:
            self._move(next_state)
        return next_state
