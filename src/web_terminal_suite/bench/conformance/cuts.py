"""What survives a connection that is lost: output, input, and what a new page is shown."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.conformance.check import Answer, Check, CheckResult, without_rejoining
from web_terminal_suite.bench.network.conditions import MS, NetworkConditions
from web_terminal_suite.bench.network.dialled import dialled
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload.shells import destroy, ready

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from web_terminal_suite.bench.benchmark import BenchmarkContext
    from web_terminal_suite.client.connection import ClientConnection

# Slow enough that something is on its way when the network is gone.
_NETWORK: Final = NetworkConditions(rtt_ns=100 * MS)
_LINES: Final = 6_000
_CUT_AFTER: Final = b"line 2000\r\n"
# A tenth of a second for each thousand lines, so that the cut is in the middle.
_PROGRAM: Final = f"i=0; while [ $i -lt {_LINES} ]; do i=$((i+1)); echo line $i; [ $((i%1000)) = 0 ] && sleep 0.1; done"
_KEYS: Final = 40
_SCREEN_LINES: Final = 24


class _Cut:
    """A session that is reached through a network, until that is gone."""

    def __init__(
        self, connection: ClientConnection, prompt: bytes, context: BenchmarkContext, network: AsyncExitStack
    ) -> None:
        self.connection = connection
        self.prompt = prompt
        self._context = context
        self._network = network

    async def cut(self) -> None:
        """Lose the network with all that is on its way."""
        await self._network.aclose()
        self.connection.abort()

    async def rejoin(self) -> None:
        """Join again without a network, behind what was received."""
        self.connection.address = self._context.running.addresses[0]
        await self.connection.reconnect()


@asynccontextmanager
async def _through_a_network(context: BenchmarkContext) -> AsyncIterator[_Cut]:
    async with AsyncExitStack() as network:
        reached = dialled(context.running.addresses[0], conditions=_NETWORK, seed=1)
        (address,) = await network.enter_async_context(reached)
        async with replace(context.running, addresses=(address,)).connect() as connection:
            await connection.attach()
            try:
                yield _Cut(connection, await ready(connection, context), context, network)
            finally:
                await destroy(connection)


async def _output(context: BenchmarkContext) -> CheckResult:
    end = context.markers.fresh()
    async with _through_a_network(context) as session:
        connection = session.connection
        connection.input(f"{_PROGRAM}; {end.command}\r".encode())
        await connection.wait_for(b"line 1\r\n")
        before = await connection.wait_for(_CUT_AFTER, keep=True)
        await session.cut()
        await session.rejoin()
        after = await connection.wait_for(end.seen, keep=True)
    expected = b"".join(b"line %d\r\n" % number for number in range(2, _LINES + 1))
    # What keep gives is what stands before the marker.
    came = before.output + _CUT_AFTER + after.output
    if came == expected:
        return CheckResult(
            Answer.YES,
            f"{len(came):,} bytes were printed over a cut with {_NETWORK.rtt_ns // 2 // MS} ms of output on its way; "
            "all came once and in order",
        )
    told = sum(gap.end - gap.start for gap in connection.gaps)
    return CheckResult(
        Answer.NO, f"{len(came):,} bytes came where {len(expected):,} were printed; {told:,} were announced as lost"
    )


async def _input(context: BenchmarkContext) -> CheckResult:
    mark, end = context.markers.fresh(), context.markers.fresh()
    async with _through_a_network(context) as session:
        connection = session.connection
        # What arrives until a newline, without echo.
        connection.input(
            f"stty -echo; {mark.command}; read -r line; stty echo; echo ${{#line}}; {end.command}\r".encode()
        )
        await connection.wait_for(mark.seen)
        for _ in range(_KEYS // 2):
            connection.input(b"k")
        # Once these are there, the next are on their way when the network goes.
        if context.running.terminal.can(frozenset({Capability.ECHO})):
            await connection.echo(b"there")
        for _ in range(_KEYS // 2):
            connection.input(b"k")
        await session.cut()
        await session.rejoin()
        connection.input(b"\r")
        found = await connection.wait_for(end.seen, keep=True)
    count = int(found.output.split()[-1])
    evidence = (
        f"{count} of {_KEYS} keys reached the program, of which {_KEYS // 2} were on their way when the network was cut"
    )
    return CheckResult(Answer.YES if count == _KEYS else Answer.NO, evidence)


async def _reload(context: BenchmarkContext) -> CheckResult:
    end = context.markers.fresh()
    async with context.running.connect() as connection:
        await connection.attach()
        try:
            await ready(connection, context)
            connection.input(f"seq 1 3000; {end.command}\r".encode())
            await connection.wait_for(end.seen)
            printed = connection.offset
            async with context.running.connect() as page:
                attached = await page.attach(connection.session)
                found = await page.wait_for(end.seen, keep=True)
        finally:
            await destroy(connection)
    screen = "".join(f"{number}\r\n" for number in range(3001 - _SCREEN_LINES, 3001)).encode()
    evidence = f"a new page is sent {printed - attached.offset:,} of {printed:,} bytes that were printed"
    if found.output.endswith(screen):
        return CheckResult(Answer.YES, f"{evidence}, the last {_SCREEN_LINES} lines among them")
    return CheckResult(Answer.NO, f"{evidence}, and not the last {_SCREEN_LINES} lines")


def _where_sessions_last(
    ask: Callable[[BenchmarkContext], Awaitable[CheckResult]],
) -> Callable[[BenchmarkContext], Awaitable[CheckResult]]:
    async def check(context: BenchmarkContext) -> CheckResult:
        lasts = context.running.terminal.can(frozenset({Capability.REATTACH}))
        return await (ask if lasts else without_rejoining)(context)

    return check


CHECKS: Final = (
    Check("output-over-cut", "Output over a lost connection arrives once and whole", _where_sessions_last(_output)),
    Check("input-over-cut", "Keys typed into a lost connection are kept", _where_sessions_last(_input)),
    Check("screen-after-reload", "A new page is shown the screen", _where_sessions_last(_reload)),
)
