"""Before a run starts: every load generator is configured, checked, and its clock compared with the coordinator's."""

from __future__ import annotations

import asyncio
import platform
from typing import TYPE_CHECKING, Final, NamedTuple

from web_terminal_suite.bench import extension_modules
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.load import messages
from web_terminal_suite.bench.load.backends.backend import BackendError
from web_terminal_suite.bench.machine.limits import DESCRIPTORS_KEPT

if TYPE_CHECKING:
    from web_terminal_suite.bench.load.generator_pool import GeneratorPool, RemoteGenerator
    from web_terminal_suite.bench.load.plan import LoadConfig
    from web_terminal_suite.bench.terminals.terminal import Running

_REPLY_SECONDS: Final = 30.0
_CLOCK_EXCHANGES: Final = 7


class ClockOffset(NamedTuple):
    """How far a load generator's clock is ahead of the coordinator's, and the largest error of that."""

    generator: RemoteGenerator
    offset_ns: int
    error_ns: int


async def configure(pool: GeneratorPool, config: LoadConfig, running: Running, version: str) -> None:
    """Return when every load generator is configured.

    Raises:
        BackendError: one did not start, or cannot play its part.
    """
    for generator in pool.generators:
        generator.channel.send(
            messages.Configure(
                generator=generator.number,
                generators=config.generators,
                version=version,
                address=running.addresses[0],
                dialect=extension_modules.dumps(running.dialect),
                behaviours=extension_modules.dumps(config.behaviours),
                seed=config.seed,
                timeout=running.timeout,
                sources=config.sources,
                posix_shell=running.posix_shell,
            )
        )
    await pool.wait_for_all(lambda each: each.ready is not None, _REPLY_SECONDS)
    missing = [each for each in pool.generators if each.ready is None]
    if missing:
        reason = f"{missing[0].channel.name} {missing[0].failure or f'silent for {_REPLY_SECONDS:g} s'}"
        raise BackendError(f"{len(missing)} of {config.generators} client processes did not start: {reason}")
    for generator in pool.generators:
        _check(generator, config, running)


def _check(generator: RemoteGenerator, config: LoadConfig, running: Running) -> None:
    """That a load generator has enough descriptors and reaches the server.

    Raises:
        BackendError
    """
    name, ready = generator.channel.name, generator.ready
    needed = -(-config.scenario.sessions // config.generators) + DESCRIPTORS_KEPT
    if ready is None:
        return
    if ready.descriptors < needed:
        raise BackendError(
            f"{name} ({ready.machine}) may open {ready.descriptors:,} descriptors and needs {needed:,}; "
            f"start it with ulimit -n {needed}, or add clients"
        )
    if running.process is not None and ready.machine != platform.node():
        raise BackendError(
            f"{name} is on another machine ({ready.machine}) than the server, which listens on loopback only; "
            "start a server that it can reach and name it with --url"
        )


async def compare_clocks(pool: GeneratorPool) -> list[ClockOffset]:
    """The clock offset of every load generator that is alive."""
    return await asyncio.gather(*(_clock_offset(pool, each) for each in pool.alive))


async def _clock_offset(pool: GeneratorPool, generator: RemoteGenerator) -> ClockOffset:
    """The offset by the fastest of some exchanges, which bounds its error by half of the round trip."""
    best_ns, offset_ns = 1 << 62, 0
    for number in range(_CLOCK_EXCHANGES):
        sent_ns = now_ns()
        generator.channel.send(messages.ReadClock(number))

        def answered(number: int = number) -> bool:
            return not generator.is_alive or (generator.clock is not None and generator.clock.number == number)

        await pool.wait_until(answered, _REPLY_SECONDS)
        round_trip_ns = now_ns() - sent_ns
        if generator.clock is not None and round_trip_ns < best_ns:
            best_ns, offset_ns = round_trip_ns, generator.clock.at_ns - sent_ns - round_trip_ns // 2
    return ClockOffset(generator, offset_ns, best_ns // 2)
