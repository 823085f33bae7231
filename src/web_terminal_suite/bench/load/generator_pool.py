"""The load generators as the coordinator sees them: commands to all, the last reply of each, and which are alive.

Every wait is for a condition, checked again after each report. Load generators that are gone are not waited for. It
does not know what the commands are for.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.collector import RampStop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal_suite.bench.load.backends.backend import GeneratorChannel


@dataclass(eq=False)
class RemoteGenerator:
    """A load generator: its channel, its last reply of each kind, and how it failed, if it did."""

    number: int
    channel: GeneratorChannel
    is_alive: bool = True
    failure: str = ""
    heartbeat_ns: int = 0
    """When its last progress report arrived; 0 before the first."""
    ready: messages.GeneratorReady | None = None
    clock: messages.ClockReading | None = None
    started: messages.SessionsStarted | None = None
    done: messages.StageDone | None = None
    ended: messages.SessionsEnded | None = None

    def has_started(self, stage: int) -> bool:
        return self.started is not None and self.started.stage == stage

    def has_done(self, stage: int) -> bool:
        return self.done is not None and self.done.stage == stage


class GeneratorEvents(Protocol):
    """Told of what load generators report without being asked."""

    def on_progress(self, generator: RemoteGenerator, report: messages.ProgressReport) -> None: ...

    def on_ramp_stuck(self, stop: RampStop) -> None: ...

    def on_failure(self, generator: RemoteGenerator) -> None:
        """It ended before it was told to; ``failure`` says how."""


class GeneratorPool:
    """All load generators of one load."""

    def __init__(self, channels: Sequence[GeneratorChannel], events: GeneratorEvents) -> None:
        self.generators = [RemoteGenerator(number, channel) for number, channel in enumerate(channels)]
        self._events = events
        self._changed = asyncio.Event()

    @property
    def alive(self) -> list[RemoteGenerator]:
        return [each for each in self.generators if each.is_alive]

    @asynccontextmanager
    async def receiving(self) -> AsyncIterator[None]:
        """Receive reports for the duration of the block."""
        tasks = [asyncio.create_task(self._receive(each)) for each in self.generators]
        try:
            yield
        finally:
            await cancelled(tasks)

    def broadcast(self, command: messages.Command) -> None:
        """Send a command to every load generator that is alive."""
        for generator in self.alive:
            generator.channel.send(command)

    async def wait_for_all(self, holds: Callable[[RemoteGenerator], bool], timeout: float | None = None) -> bool:
        """Wait until ``holds`` for every load generator that is alive; whether it did within ``timeout`` seconds."""
        return await self.wait_until(lambda: all(holds(each) for each in self.alive), timeout)

    async def wait_until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until ``holds``, which may change with every report; whether it did within ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def fail(self, generator: RemoteGenerator, reason: str) -> None:
        """Stop waiting for a load generator. It is a failure unless its sessions have ended."""
        was_alive, generator.is_alive = generator.is_alive, False
        if was_alive and generator.ended is None:
            generator.failure = reason
            self._events.on_failure(generator)
        self._changed.set()

    async def _receive(self, generator: RemoteGenerator) -> None:
        try:
            while (report := await generator.channel.receive()) is not None:
                self._handle(generator, report)
                self._changed.set()
        except ValueError as error:
            self.fail(generator, f"sent an invalid report: {error}")
        self.fail(generator, generator.channel.exit_reason)

    def _handle(self, generator: RemoteGenerator, report: messages.Report) -> None:
        if isinstance(report, messages.ProgressReport):
            generator.heartbeat_ns = now_ns()
            self._events.on_progress(generator, report)
        elif isinstance(report, messages.GeneratorReady):
            generator.ready = report
        elif isinstance(report, messages.ClockReading):
            generator.clock = report
        elif isinstance(report, messages.SessionsStarted):
            generator.started = report
        elif isinstance(report, messages.RampStuck):
            self._events.on_ramp_stuck(RampStop(report.reason, report.ours))
        elif isinstance(report, messages.StageDone):
            generator.done = report
        elif isinstance(report, messages.SessionsEnded):
            generator.ended = report
        else:
            self.fail(generator, report.reason)


async def cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel background tasks and wait for them.

    They are in no task group, because an error of the foreground must not come out in an exception group.
    """
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
