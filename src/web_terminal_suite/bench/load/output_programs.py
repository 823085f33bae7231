"""Sessions that print: begun one after the other, interrupted at the end, and back at their prompts."""

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
_INTERRUPTS: Final = 6
_INTERRUPT_SECONDS: Final = 2.0
"""From one attempt to end what prints to the next."""

_LINE_BYTES: Final = 80


class OutputStart(NamedTuple):
    """The line that makes a session print, and when it is typed, ns from the beginning of the stage."""

    at_ns: int
    seat: VirtualUser
    line: str


class _Printer(NamedTuple):
    seat: VirtualUser
    least_bytes: int
    """What it has heard once there was a line of output behind the echo of what was typed."""


def beginnings(order: messages.RunStage, seats: Mapping[int, VirtualUser]) -> list[OutputStart]:
    """Who begins to print when: spread over one beat, or over half of a stage that is not much longer."""
    kinds = (
        (Role.STEADY, order.steady_line, order.steady_every),
        (Role.BURSTS, order.burst_line, order.burst_every),
        (Role.FLOOD, YES, 0.0),
    )
    found = [
        OutputStart(schedule.phase_ns(place, part.people, min(every, order.seconds / 2)), seats[number], line)
        for role, line, every in kinds
        if (part := order.parts.get(role)) is not None
        for place, number in zip(part.places, part.numbers, strict=True)
        if number in seats
    ]
    return sorted(found, key=lambda each: each.at_ns)


class OutputPrograms:
    """Those of a stage. ``markers`` tell their prompts apart from one they printed before."""

    def __init__(self, markers: Markers) -> None:
        self._markers = markers
        self._started: list[_Printer] = []

    def start(self, beginning: OutputStart) -> None:
        """Type the line, where the session is still there."""
        seat, line = beginning.seat, beginning.line
        if not seat.is_lost:
            self._started.append(_Printer(seat, seat.heard_bytes + len(line) + _LINE_BYTES))
            seat.connection.input(f"{line}\r".encode())

    @property
    def silent(self) -> int:
        """How many have not printed a line."""
        return sum(not seat.is_lost and seat.heard_bytes < least_bytes for seat, least_bytes in self._started)

    async def recall(self) -> None:
        """Interrupt them all; a session that does not come back to its prompt is lost."""
        for group in in_batches([each.seat for each in self._started if not each.seat.is_lost]):
            await asyncio.gather(*(self._recall(seat) for seat in group))

    async def _recall(self, seat: VirtualUser) -> None:
        try:
            seat.listen(False)
            await self._interrupt(seat)
            seat.listen()
        except TimedOut:
            seat.connection.abort()
            seat.ended()
        except ClientError:
            seat.ended()

    async def _interrupt(self, seat: VirtualUser) -> None:
        """Return when the session's shell waits at its prompt and has nothing more to say.

        A shell that is interrupted a moment before it waits goes on to wait, and hears only the next time (the race
        that pselect(2) is for); and one that was interrupted more often than it took prints more than one prompt.
        """
        for attempt in range(_INTERRUPTS):
            seat.connection.input(_INTERRUPT)
            try:
                await seat.connection.wait_for(seat.prompt, _INTERRUPT_SECONDS)
                break
            except TimedOut:
                if attempt == _INTERRUPTS - 1:
                    raise
        last = self._markers.fresh()
        seat.connection.input(f"{last.command}\r".encode())
        await seat.connection.wait_for(last.seen)
        await seat.connection.wait_for(seat.prompt)
