"""Sessions that print: their programs are started one by one and interrupted at the end of the stage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench.load import schedule
from web_terminal_suite.bench.load.scenario import Role
from web_terminal_suite.bench.workload.flood.local import YES
from web_terminal_suite.bench.workload.session_pool import in_batches
from web_terminal_suite.client.errors import ClientError, TimedOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.bench.load import messages
    from web_terminal_suite.bench.load.virtual_user import VirtualUser
    from web_terminal_suite.client.marker import Markers

_INTERRUPT: Final = b"\x03"
_INTERRUPT_ATTEMPTS: Final = 6
_INTERRUPT_SECONDS: Final = 2.0
"""How long one attempt to interrupt a program may take."""

_LINE_BYTES: Final = 80


class OutputStart(NamedTuple):
    """A command that makes a session print, and when it is typed, ns since the start of the stage."""

    at_ns: int
    user: VirtualUser
    command: str


class _StartedProgram(NamedTuple):
    user: VirtualUser
    least_bytes: int
    """What the user has received once a line of output has followed the echo of the command."""


def output_starts(stage: messages.RunStage, users: Mapping[int, VirtualUser]) -> list[OutputStart]:
    """Every start in a stage, in order: distributed over one interval, or over half of the stage if that is shorter."""
    programs = (
        (Role.STEADY, stage.steady_line, stage.steady_every),
        (Role.BURSTS, stage.burst_line, stage.burst_every),
        (Role.FLOOD, YES, 0.0),
    )
    starts = [
        OutputStart(
            schedule.start_offset_ns(position, assigned.total, min(every, stage.seconds / 2)), users[session], command
        )
        for role, command, every in programs
        if (assigned := stage.assignments.get(role)) is not None
        for position, session in zip(assigned.positions, assigned.sessions, strict=True)
        if session in users
    ]
    return sorted(starts, key=lambda each: each.at_ns)


class OutputPrograms:
    """The printing programs of one stage. ``markers`` make prompts that no earlier output contains."""

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._started: list[_StartedProgram] = []

    def start(self, output: OutputStart) -> None:
        """Type the command, unless the session is lost."""
        user, command = output.user, output.command
        if not user.is_lost:
            self._started.append(_StartedProgram(user, user.received_bytes + len(command) + _LINE_BYTES))
            user.connection.input(f"{command}\r".encode())

    @property
    def silent(self) -> int:
        """Number of sessions that have not printed a line."""
        return sum(not user.is_lost and user.received_bytes < least_bytes for user, least_bytes in self._started)

    async def interrupt(self) -> None:
        """Interrupt all programs; a session that does not return to its prompt is lost."""
        for batch in in_batches([each.user for each in self._started if not each.user.is_lost]):
            await asyncio.gather(*(self._interrupt(user) for user in batch))

    async def _interrupt(self, user: VirtualUser) -> None:
        try:
            user.stop_listening()
            await self._back_to_prompt(user)
            user.listen()
        except TimedOut:
            user.connection.abort()
            user.ended()
        except ClientError:
            user.ended()

    async def _back_to_prompt(self, user: VirtualUser) -> None:
        """Return when the shell waits at its prompt and all its output has been read.

        A shell that is interrupted just before it starts to wait misses that interrupt (the race that pselect(2)
        solves), hence the attempts. One that received more interrupts than it needed prints more than one prompt, hence
        the marker.
        """
        for attempt in range(_INTERRUPT_ATTEMPTS):
            user.connection.input(_INTERRUPT)
            try:
                await user.connection.wait_for(user.prompt, _INTERRUPT_SECONDS)
                break
            except TimedOut:
                if attempt == _INTERRUPT_ATTEMPTS - 1:
                    raise
        marker = self._markers.fresh()
        user.connection.input(f"{marker.command}\r".encode())
        await user.connection.wait_for(marker.seen)
        await user.connection.wait_for(user.prompt)
