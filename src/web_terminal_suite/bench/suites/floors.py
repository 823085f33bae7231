"""Suite ``floors``: what this machine and this client take before any web terminal does, in the same run."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from web_terminal_suite.bench.benchmark import MICROSECONDS_BLOCK, Benchmark, BenchmarkContext, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Target
from web_terminal_suite.bench.terminals.blocking_client import blocking_client
from web_terminal_suite.bench.terminals.delays import CLIENT_MARKS, CONFESS, INDEPENDENT_MARKS
from web_terminal_suite.bench.terminals.raw_pty import local_pty
from web_terminal_suite.bench.terminals.shell_environment import PROMPT
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload import streams
from web_terminal_suite.bench.workload.command_lines import DEFINITION, LENGTHS, command_lines
from web_terminal_suite.bench.workload.cpu_affinity import separate_processors
from web_terminal_suite.bench.workload.flood.bulk import FLOODS, ONLY_FULL
from web_terminal_suite.bench.workload.shells import ready_shell
from web_terminal_suite.client.errors import Violated
from web_terminal_suite.protocol.codec import EchoBytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.samples import Sample

FLOOD_DRAIN: Final = "floors/flood_drain"
_DRAIN_BYTES: Final = {"1MB": 1_000_000, "32MB": 32_000_000}
# With its carriage return, which the line discipline adds, and line feed a line is 80 bytes on the way.
_LINE: Final = "0123456789" * 7 + "01234567"
_LINE_BYTES: Final = len(_LINE) + 2
_ECHO_BYTES: Final = b"x" * 64
# Three in five are answered at once; a hundred or so have the long delays, of which an interval of the median needs
# a few dozen on a busy machine.
_KNOWN_EXCHANGES: Final = 500


@asynccontextmanager
async def _raw_pty_echo(context: BenchmarkContext) -> AsyncIterator[Operation]:
    # Not canonical: a line without an end would fill up after 4095 keys. The marker follows `stty`, so the mode holds
    # when it is seen; with echo off a key comes back only once `cat` runs.
    modes = {
        "kernel": ("stty -icanon min 1", "cat > /dev/null"),
        "program": ("stty raw -echo", "cat"),
    }
    setting, program = modes[context.parameter]
    with local_pty() as pty:
        pty.wait_for(PROMPT.encode())
        marker = context.markers.fresh()
        pty.write(f"{setting}; {marker.command}; {program}\r".encode())
        pty.wait_for(marker.seen)

        async def operate() -> Sample:
            sent_ns = pty.write(b"k")
            found = pty.wait_for(b"k")
            return sample(sent_ns, found.seen_ns)

        yield operate


@asynccontextmanager
async def _raw_pty_drain(context: BenchmarkContext) -> AsyncIterator[Operation]:
    lines = _DRAIN_BYTES[context.parameter] // _LINE_BYTES
    with local_pty() as pty:
        pty.wait_for(PROMPT.encode())

        async def operate() -> Sample:
            begin, end = context.markers.fresh(), context.markers.fresh()
            sent_ns = pty.write(f"{begin.command}; yes {_LINE} | head -n {lines}; {end.command}\r".encode())
            first = pty.wait_for(begin.seen)
            found = pty.wait_for(end.seen)
            count = found.offset - len(end.seen) - first.offset
            if count != lines * _LINE_BYTES:
                raise Violated(f"{count} bytes came, {lines * _LINE_BYTES} were written")
            pty.wait_for(PROMPT.encode())
            return sample(sent_ns, found.seen_ns)

        yield operate


@asynccontextmanager
async def _flood_drain(context: BenchmarkContext) -> AsyncIterator[Operation]:
    stream = FLOODS[context.parameter].make()
    with local_pty(timeout=30) as pty:
        pty.wait_for(PROMPT.encode())
        streams.prepare_locally(pty, stream.prepare, context.markers)

        async def operate() -> Sample:
            sent_ns = now_ns()
            return sample(sent_ns, sent_ns + streams.drain_locally(pty, stream, context.markers))

        try:
            yield operate
        finally:
            streams.prepare_locally(pty, stream.tidy, context.markers)


@asynccontextmanager
async def _bare_spawn(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async def operate() -> Sample:
        sent_ns = now_ns()
        with local_pty() as pty:
            seen_ns = pty.read().seen_ns
        return sample(sent_ns, seen_ns)

    yield operate


@asynccontextmanager
async def _bare_shell_command(context: BenchmarkContext) -> AsyncIterator[Operation]:
    with local_pty() as pty:
        pty.wait_for(PROMPT.encode())

        async def operate() -> Sample:
            marker = context.markers.fresh()
            sent_ns = pty.write(marker.command.encode() + b"\r")
            found = pty.wait_for(marker.seen)
            pty.wait_for(PROMPT.encode())
            return sample(sent_ns, found.seen_ns)

        if not context.parameter:
            yield operate
            return
        lines = command_lines(int(context.parameter))
        pty.write(DEFINITION + b"\r")
        pty.wait_for(b"\n")
        pty.wait_for(PROMPT.encode())

        async def operate_by_length() -> Sample:
            line, output = next(lines)
            sent_ns = pty.write(line + b"\r")
            found = pty.wait_for(output)
            pty.wait_for(PROMPT.encode())
            return sample(sent_ns, found.seen_ns)

        yield operate_by_length


@asynccontextmanager
async def _exchange(context: BenchmarkContext) -> AsyncIterator[Operation]:
    """Echo, command or ping on a server without a shell: the null server and the one of known truth."""
    async with ready_shell(context) as shell:

        async def echo() -> Sample:
            sent_ns, reply = await shell.connection.echo(_ECHO_BYTES)
            return sample(sent_ns, reply.seen_ns)

        async def ping() -> Sample:
            sent_ns, reply = await shell.connection.ping()
            return sample(sent_ns, reply.seen_ns)

        async def command() -> Sample:
            marker = context.markers.fresh()
            sent_ns = shell.connection.input(marker.command.encode() + b"\r")
            found = await shell.connection.wait_for(marker.seen)
            return sample(sent_ns, found.seen_ns)

        operate = {"echo": echo, "ping": ping, "command": command}[context.parameter]

        if Capability.KNOWN_DELAYS not in context.running.terminal.capabilities:
            with separate_processors(context):
                yield operate
            return
        with blocking_client(context.running.addresses[0], context.running.timeout) as independent:
            turns = itertools.cycle((True, False))

            def other() -> dict[str, int]:
                """The same exchange by the independent client, whose list of delays is the same."""
                if context.parameter == "echo":
                    exchange = independent.echo(_ECHO_BYTES)
                else:
                    marker = context.markers.fresh()
                    exchange = independent.type(marker.command.encode() + b"\r", marker.seen)
                moments = (exchange.sent_ns, *independent.moments(), exchange.seen_ns)
                return dict(zip(INDEPENDENT_MARKS, moments, strict=True))

            async def in_pairs() -> Sample:
                is_first = next(turns)
                marks = other() if is_first else {}
                measured = await operate()
                _, reply = await shell.connection.echo(CONFESS)
                assert isinstance(reply.event, EchoBytes)  # no ping is under way
                marks |= zip(CLIENT_MARKS, map(int, reply.event.data.split()), strict=True)
                if not is_first:
                    marks |= other()
                return msgspec.structs.replace(measured, marks=marks)

            yield in_pairs


@asynccontextmanager
async def _loopback_ping_pong(context: BenchmarkContext) -> AsyncIterator[Operation]:
    # Imported here: naming the benchmarks must not cost the start of asyncio, which a protocol's class would.
    from web_terminal_suite.bench.workload import ping_pong

    client = ping_pong.blocking if context.parameter else ping_pong.on_the_loop
    async with client(context) as operate:
        with separate_processors(context):
            yield operate


_PTY = frozenset({Capability.LOCAL_PTY})

_CLIENT_COST: Final = Target(
    statistic="ratio_p50",
    limit=2,
    goal=1.5,
    text="the client's p50 < 2 times the bare loopback ping-pong of the same run; goal < 1.5 times",
)

LOOPBACK: Final = "floors/loopback_ping_pong"
NULL_SERVER: Final = "floors/null_server"
KNOWN_DELAY: Final = "floors/known_delay"
KNOWN_PARAMETERS: Final = ("echo", "command")

BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="floors/raw_pty_echo",
        description=(
            "One byte written to a local pseudo-terminal until it comes back, echoed by the kernel or by a program in"
            " raw mode."
        ),
        limitations="No server, no socket.",
        prepare=_raw_pty_echo,
        needs=_PTY,
        parameters=("kernel", "program"),
        is_floor=True,
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id="floors/raw_pty_drain",
        description=(
            "N bytes of text from a program on a local pseudo-terminal until the last one was read; all are counted."
        ),
        limitations="No server, no socket. The program, `yes`, is faster than the pseudo-terminal.",
        prepare=_raw_pty_drain,
        needs=_PTY,
        parameters=tuple(_DRAIN_BYTES),
        elements={name: count // _LINE_BYTES * _LINE_BYTES for name, count in _DRAIN_BYTES.items()},
        element_unit="B",
        is_floor=True,
        quick=("1MB",),
        full=("32MB",),
        seconds=1.0,
    ),
    Benchmark(
        id=FLOOD_DRAIN,
        description=(
            "The streams of `output_flood` from a local pseudo-terminal, read and dropped by a loop that does nothing "
            "else."
        ),
        limitations="No server, no socket; nothing is kept or checked.",
        prepare=_flood_drain,
        needs=_PTY,
        parameters=tuple(FLOODS),
        elements={name: flood.make().size_bytes for name, flood in FLOODS.items()},
        element_unit="B",
        is_floor=True,
        quick=(),
        full=ONLY_FULL,
        repeats=15,
        seconds=1.0,
    ),
    Benchmark(
        id="floors/bare_spawn",
        description=(
            "Opening a local pseudo-terminal and starting /bin/sh on it with posix_spawn, until its first byte. "
            "Reaping is not timed."
        ),
        limitations="No server.",
        prepare=_bare_spawn,
        needs=_PTY,
        is_floor=True,
    ),
    Benchmark(
        id="floors/bare_shell_command",
        description=(
            "A command line, of exactly N characters where there is a parameter, sent to a shell on a local "
            "pseudo-terminal until its computed output was read."
        ),
        limitations="No server, no socket.",
        prepare=_bare_shell_command,
        needs=_PTY,
        parameters=("", *LENGTHS),
        is_floor=True,
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id=LOOPBACK,
        description=(
            "64 bytes over a bare TCP socket to a process that sends them back; the client runs on an event loop or "
            "blocks."
        ),
        limitations="No WebSocket, no protocol, no shell.",
        prepare=_loopback_ping_pong,
        needs=frozenset({Capability.BARE_SOCKET}),
        parameters=("", "blocking"),
        is_floor=True,
        more_blocks=("",),
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id=NULL_SERVER,
        description="A round trip to a server that speaks our protocol, answers at once and has no pseudo-terminal.",
        limitations="The client's own cost, together with the loopback's; no shell.",
        prepare=_exchange,
        needs=frozenset({Capability.NO_SHELL}),
        parameters=("echo", "command", "ping"),
        metrics=(Metric(name="latency", floor_targets={"echo": _CLIENT_COST}),),
        floor=LOOPBACK,
        is_floor=True,
        more_blocks=("echo",),
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id=KNOWN_DELAY,
        description=(
            "A round trip to a server that waits for a delay we set, none, 0.3 ms or 2 to 40 ms: the suite must find "
            "these delays and agree with an independent client, or the run stops."
        ),
        limitations="Not a terminal: it checks the measurement itself.",
        prepare=_exchange,
        needs=frozenset({Capability.KNOWN_DELAYS}),
        parameters=KNOWN_PARAMETERS,
        floor=NULL_SERVER,
        is_floor=True,
        one_block=KNOWN_PARAMETERS,
        repeats=_KNOWN_EXCHANGES,
        min_operations=_KNOWN_EXCHANGES,
    ),
)
