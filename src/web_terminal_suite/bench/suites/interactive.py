"""Suite ``interactive``: what a user notices."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import MS, Benchmark, BenchmarkContext, OperationResult, sample
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.samples import Metric, Point, Sample, Target
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.suites.floors import FLOOD_DRAIN
from web_terminal_suite.bench.suites.websocket_throughput import STREAM_METRICS, message_points
from web_terminal_suite.bench.terminals.processes import pss_bytes
from web_terminal_suite.bench.terminals.raw_pty import local_pty
from web_terminal_suite.bench.terminals.shell_environment import PROMPT
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload import streams
from web_terminal_suite.bench.workload.flood.bulk import FLOODS, ONLY_FULL
from web_terminal_suite.bench.workload.flood.local import YES, jain
from web_terminal_suite.bench.workload.flood.remote import remote_flood
from web_terminal_suite.bench.workload.session_pool import ServerClock, session_pool
from web_terminal_suite.bench.workload.shells import destroy, ready_shell
from web_terminal_suite.bench.workload.typists import ECHOES, KEYS_PER_SECOND, type_keys, typists
from web_terminal_suite.client.errors import Closed, Violated
from web_terminal_suite.protocol.messages import Attached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.workload.shells import Shell
    from web_terminal_suite.client.connection import ClientConnection

# Enough users for a bounded p99 in a second, each at the pace of a person.
_TYPISTS: Final = 40
_KEYS_AT_A_TIME: Final = 50
# Fewer during a flood: they are neighbours of the flooding sessions and not a load of their own.
_NEIGHBOURS: Final = 16
# Enough for a p95 of its own (``quantiles.needed``) in half a second.
_IDLE_KEYS: Final = 80
_FLOODED_KEYS: Final = 80

_SHARE: Final = "share of the bare drain"
_UNDER_WAY_BYTES: Final = 1 << 20
_WARM_SESSIONS: Final = 10

_STALLS: Final = {"2s": 2.0, "60s": 60.0}
_STALL_READINGS: Final = 12
_RESUMED_BYTES: Final = 1 << 20

_MISSED: Final = {"0B": 0, "64KiB": 64 << 10, "beyond the log": 1 << 20}
_PASTES: Final = {"64KiB": 64 << 10, "1MiB": 1 << 20}
# What a page sends of a paste in one message.
_PASTE_CHUNK_BYTES: Final = 16 << 10
_PASTE_SECONDS: Final = 60.0


@asynccontextmanager
async def _keystroke_echo(context: BenchmarkContext) -> AsyncIterator[Operation]:
    clock = ServerClock(context)
    async with typists(context, _TYPISTS, context.parameter) as people:

        async def operate() -> OperationResult:
            before_ns = clock.read_ns()
            typed = await type_keys(people, _TYPISTS * KEYS_PER_SECOND, _KEYS_AT_A_TIME)
            spent_ns = clock.read_ns() - before_ns
            points = [Point("missed sends", 0, typed.missed)]
            if clock.pids:
                points.append(Point("server CPU per key", 0, spent_ns / len(typed.samples)))
            return OperationResult(typed.samples, tuple(points))

        yield operate


@asynccontextmanager
async def _time_to_prompt(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async def cold() -> Sample:
        async with context.running.terminal.launch() as running:
            return await _prompted(BenchmarkContext(running, context.parameter, context.markers))

    async def warm() -> Sample:
        return await _prompted(context)

    if context.parameter == "warm":
        async with session_pool(context, _WARM_SESSIONS):
            pass
    yield warm if context.parameter == "warm" else cold


async def _prompted(context: BenchmarkContext) -> Sample:
    """Dial, attach, and see the prompt, which comes from the environment that every server was started with."""
    sent_ns = now_ns()
    async with context.running.connect() as connection:
        await connection.attach()
        try:
            found = await connection.wait_for(PROMPT.encode())
        finally:
            await destroy(connection)
    return sample(sent_ns, found.seen_ns)


@asynccontextmanager
async def _output_flood(context: BenchmarkContext) -> AsyncIterator[Operation]:
    flood = FLOODS[context.parameter]
    stream = flood.make()
    clock = ServerClock(context)
    async with (
        ready_shell(context, flood.acknowledge_every) as shell,
        streams.prepared(shell, context, stream),
        _bare_drain(context, stream) as drain,
    ):

        async def operate() -> OperationResult:
            # Next to each other in time: the machine's load is in both.
            bare_ns = drain()
            before_ns = clock.read_ns()
            received = await streams.receive(shell.connection, stream, context.markers)
            spent_ns = clock.read_ns() - before_ns
            points = message_points(received.sizes)
            if clock.pids:
                points.append(Point("server CPU per MB", 0, spent_ns / (stream.size_bytes / streams.MEGABYTE)))
            if bare_ns:
                points.append(Point(_SHARE, 0, bare_ns / (received.seen_ns - received.sent_ns)))
            return OperationResult((sample(received.sent_ns, received.seen_ns),), tuple(points))

        yield operate


@asynccontextmanager
async def _bare_drain(context: BenchmarkContext, stream: streams.Stream) -> AsyncIterator[Callable[[], int]]:
    """Drains the stream from a local pseudo-terminal; nanoseconds, or 0 where the server is on another machine."""
    if context.running.process is None:
        yield lambda: 0
        return
    with local_pty(timeout=30) as pty:
        pty.wait_for(PROMPT.encode())
        streams.prepare_locally(pty, stream.prepare, context.markers)
        try:
            yield lambda: streams.drain_locally(pty, stream, context.markers)
        finally:
            streams.prepare_locally(pty, stream.tidy, context.markers)


@asynccontextmanager
async def _typing_under_flood(context: BenchmarkContext) -> AsyncIterator[Operation]:
    rate = _NEIGHBOURS * KEYS_PER_SECOND
    async with (
        typists(context, _NEIGHBOURS, "tty") as people,
        remote_flood(context, int(context.parameter)) as flood,
    ):

        async def operate() -> OperationResult:
            idle = await type_keys(people, rate, _IDLE_KEYS)
            async with flood.flooding():
                before = await flood.heard()
                typed = await type_keys(people, rate, _FLOODED_KEYS)
                after = await flood.heard()
            shares = [offset - old for offset, old in zip(after.offsets, before.offsets, strict=True)]
            elapsed_ns = after.at_ns - before.at_ns
            return OperationResult(
                typed.samples,
                (
                    Point("p95 over idle p95", 0, p95_ns(typed.samples) / p95_ns(idle.samples)),
                    Point("flood", 0, sum(shares) * SECOND_NS / elapsed_ns),
                    Point("flood client CPU", 0, (after.cpu_ns - before.cpu_ns) / elapsed_ns),
                    Point("fairness of flooders", 0, jain(shares)),
                    Point("missed sends", 0, typed.missed),
                ),
            )

        yield operate


def p95_ns(samples: tuple[Sample, ...]) -> int:
    return nearest_rank([each.seen_ns - each.due_ns for each in samples], 0.95)


@asynccontextmanager
async def _interrupt_under_flood(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with ready_shell(context) as shell:
        connection = shell.connection

        async def operate() -> OperationResult:
            begun = connection.offset
            connection.input(f"{YES}\r".encode())
            while connection.offset - begun < _UNDER_WAY_BYTES:
                if await connection.read() is None:
                    raise Closed(1000, "the shell ended under a flood")
            received = connection.offset
            sent_ns = connection.input(b"\x03")
            found = await connection.wait_for(shell.prompt)
            point = Point("bytes after Ctrl-C", 0, found.offset - received)
            return OperationResult((sample(sent_ns, found.seen_ns),), (point,))

        yield operate


@asynccontextmanager
async def _stalled_reader(context: BenchmarkContext) -> AsyncIterator[Operation]:
    seconds = _STALLS[context.parameter]
    clock = ServerClock(context)
    rate = _NEIGHBOURS * KEYS_PER_SECOND
    async with typists(context, _NEIGHBOURS, "tty") as people, session_pool(context, 1) as (stalled,):

        async def operate() -> OperationResult:
            connection = stalled.connection
            await _begin_yes(stalled, context)
            connection.pause_reading()
            points: list[Point] = []
            async with asyncio.TaskGroup() as group:
                typing = group.create_task(type_keys(people, rate, round(rate * seconds)))
                for reading in range(_STALL_READINGS):
                    await asyncio.sleep(seconds / _STALL_READINGS)  # readings at a fixed rate, not a wait
                    if clock.pids:
                        at = (reading + 1) * seconds / _STALL_READINGS
                        points.append(Point("server PSS over time", at, pss_bytes(clock.pids)))
            typed = typing.result()
            connection.resume_reading()
            await _expect_all(connection)
            connection.input(b"\x03")
            await connection.wait_for(stalled.prompt)
            lost = sum(gap.end - gap.start for gap in connection.gaps)
            points += [Point("bytes lost", 0, lost), Point("missed sends", 0, typed.missed)]
            return OperationResult(typed.samples, tuple(points))

        yield operate


async def _begin_yes(shell: Shell, context: BenchmarkContext) -> None:
    """`yes` runs, and what is read next begins with a line of it."""
    marker = context.markers.fresh()
    shell.connection.input(f"{marker.command}; echo; {YES}\r".encode())
    await shell.connection.wait_for(marker.seen + b"\r\n")


async def _expect_all(connection: ClientConnection) -> None:
    """What was held back, and as much again as a resumed program writes: line after line, each whole.

    Raises:
        Violated
    """
    line = streams.LINE_ON_THE_WAY
    taken = 0
    while taken < _RESUMED_BYTES:
        chunk = await connection.read()
        if chunk is None:
            raise Closed(1000, "the shell ended under a flood")
        place = taken % len(line)
        wanted = (line * (len(chunk.data) // len(line) + 2))[place : place + len(chunk.data)]
        if chunk.data != wanted:
            raise Violated(f"output after the stall differs from what was written, at byte {taken} or after")
        taken += len(chunk.data)


@asynccontextmanager
async def _reattach(context: BenchmarkContext) -> AsyncIterator[Operation]:
    missed_bytes = _MISSED[context.parameter]
    stream = streams.text(missed_bytes)
    async with ready_shell(context) as shell:
        connection = shell.connection
        # The answer to the first attach; each operation then finds its own.
        await connection.message(Attached)

        async def operate() -> OperationResult:
            left_at = connection.offset
            connection.abort()
            if missed_bytes:
                # A second viewer has the output made while the first is away, and leaves.
                async with context.running.connect() as other:
                    await other.attach(connection.session, resume_from=left_at)
                    await streams.receive(other, stream, context.markers)
            sent_ns = now_ns()
            await connection.reconnect(left_at)
            attached_ns, attached = await connection.message(Attached)
            seen_ns = await _caught_up(connection, attached.offset, attached.end) or attached_ns
            points = (
                Point("bytes missed", 0, attached.end - left_at),
                Point("bytes resent", 0, attached.end - attached.offset),
            )
            return OperationResult((sample(sent_ns, seen_ns, attached=attached_ns),), points)

        try:
            yield operate
        finally:
            if connection.closed is not None:
                await connection.reconnect()


async def _caught_up(connection: ClientConnection, offset: int, end: int) -> int:
    """Read up to ``end``; when its last byte came, or 0 where there was nothing to read."""
    seen_ns = 0
    while offset < end:
        chunk = await connection.read()
        if chunk is None:
            raise Closed(1000, "the shell ended during a replay")
        offset, seen_ns = chunk.end, chunk.seen_ns
    return seen_ns


@asynccontextmanager
async def _paste(context: BenchmarkContext) -> AsyncIterator[Operation]:
    size_bytes = _PASTES[context.parameter]
    text = (streams.LINE.encode() + b"\n") * (size_bytes // len(streams.LINE) + 1)
    pasted = text[:size_bytes]
    chunks = [pasted[at : at + _PASTE_CHUNK_BYTES] for at in range(0, size_bytes, _PASTE_CHUNK_BYTES)]
    digest = hashlib.sha256(pasted).hexdigest().encode()
    async with ready_shell(context) as shell:
        connection = shell.connection

        async def operate() -> Sample:
            marker, end = context.markers.fresh(), context.markers.fresh()
            program = f"stty raw -echo; {marker.command}; head -c {size_bytes} | sha256sum; stty sane; {end.command}"
            connection.input(f"{program}\r".encode())
            await connection.wait_for(marker.seen)
            sent_ns = connection.input(chunks[0])
            for chunk in chunks[1:]:
                await connection.drain()
                connection.input(chunk)
            found = await connection.wait_for(b" ", _PASTE_SECONDS, keep=True)
            if found.output != digest:
                raise Violated(f"the program has read other bytes than the {size_bytes} that were pasted")
            await connection.wait_for(end.seen)
            await shell.prompted()
            return sample(sent_ns, found.seen_ns)

        yield operate


_SHELL: Final = frozenset({Capability.SHELL})


def _level(name: str, unit: str, exact: bool = False, targets: dict[str, Target] | None = None) -> Metric:
    return Metric(name=name, kind="level", unit=unit, exact=exact, targets=targets or {})


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="interactive/keystroke_echo",
        description=(
            "A keystroke from the moment it was due to its echo by the kernel, by a program in raw mode, or by bash's "
            f"line editor; {_TYPISTS} users type at the same time, {KEYS_PER_SECOND} keys a second each, each in a "
            "session of its own."
        ),
        limitations="Not drawing on a screen.",
        prepare=_keystroke_echo,
        needs=_SHELL,
        parameters=ECHOES,
        metrics=(
            Metric(
                name="latency",
                targets={"*": Target(statistic="p95", limit=20 * MS, goal=0.5 * MS, text="p95 < 20 ms; goal < 0.5 ms")},
            ),
            _level("server CPU per key", "ns"),
            _level("missed sends", "", exact=True),
        ),
        quick=("tty", "readline"),
    ),
    Benchmark(
        id="interactive/time_to_prompt",
        description=(
            "Connect, attach, and wait for the first prompt, from a server that was just started or one that has "
            "already run sessions."
        ),
        limitations=(
            "Not a user's start-up files. A cold server has run one shell, which is how it is known to be ready."
        ),
        prepare=_time_to_prompt,
        needs=_SHELL | {Capability.PROCESSES},
        parameters=("cold", "warm"),
        repeats=100,
        seconds=1.0,
        quick=("warm",),
        full=("cold",),
        min_operations=10,
    ),
    Benchmark(
        id="interactive/output_flood",
        description=(
            "A program writes N bytes, until all of them have arrived; they are counted and hashed. Also the rate as a "
            "share of a bare loop that drains a local pseudo-terminal just before. The client acknowledges every "
            "frame, or every N KiB, as the parameter says."
        ),
        limitations=(
            "Not drawing them on a screen. The client that counts them shares the processors with server and shell; "
            "the bare loop does neither."
        ),
        prepare=_output_flood,
        needs=_SHELL,
        parameters=tuple(FLOODS),
        metrics=(*STREAM_METRICS, _level(_SHARE, "")),
        elements={name: flood.make().size_bytes for name, flood in FLOODS.items()},
        element_unit="B",
        floor=FLOOD_DRAIN,
        repeats=15,
        seconds=1.0,
        quick=(),
        full=ONLY_FULL,
        min_operations=15,
    ),
    Benchmark(
        id="interactive/typing_under_flood",
        description=(
            f"Keystrokes of {_NEIGHBOURS} users, echoed by the kernel, while N other sessions of the same server run "
            "`yes`."
        ),
        limitations=(
            "Not keystrokes in the flooding sessions. Another client process on the same processors reads the floods."
        ),
        prepare=_typing_under_flood,
        needs=_SHELL,
        parameters=("1", "4", "16"),
        metrics=(
            Metric(name="latency"),
            _level("p95 over idle p95", ""),
            _level("flood", "B/s"),
            _level("flood client CPU", "cores"),
            _level("fairness of flooders", ""),
            _level("missed sends", "", exact=True),
        ),
        one_shot=True,
        quick=("16",),
        full=("1", "4"),
    ),
    Benchmark(
        id="interactive/interrupt_under_flood",
        description=(
            "Ctrl-C after a megabyte of output from `yes`, until the prompt; and the number of bytes that still "
            "arrived."
        ),
        limitations="Not a client that is behind: this one reads as fast as it can.",
        prepare=_interrupt_under_flood,
        needs=_SHELL,
        metrics=(Metric(name="latency"), _level("bytes after Ctrl-C", "B")),
        repeats=40,
        seconds=1.5,
    ),
    Benchmark(
        id="interactive/stalled_reader",
        description=(
            f"One client stops reading while `yes` runs, and later reads on; meanwhile {_NEIGHBOURS} other users type."
        ),
        limitations="Not a client that never comes back.",
        prepare=_stalled_reader,
        needs=_SHELL,
        parameters=tuple(_STALLS),
        metrics=(
            Metric(name="neighbours' echo"),
            Metric(name="server PSS over time", kind="slope", unit="B"),
            _level("bytes lost", "B", exact=True),
            _level("missed sends", "", exact=True),
        ),
        one_shot=True,
        one_block=tuple(_STALLS),
        quick=(),
        full=("60s",),
    ),
    Benchmark(
        id="interactive/reattach",
        description=(
            "Connect and attach at the offset where the client left, until the missed output, or what the log still "
            "holds of it, has arrived."
        ),
        limitations="Not drawing it.",
        prepare=_reattach,
        needs=_SHELL | {Capability.REATTACH},
        parameters=tuple(_MISSED),
        metrics=(
            Metric(name="latency"),
            Metric(name="to attached", mark="attached"),
            _level("bytes missed", "B"),
            _level("bytes resent", "B"),
        ),
        repeats=80,
        seconds=1.0,
        quick=("64KiB",),
    ),
    Benchmark(
        id="interactive/paste",
        description="N bytes typed at once, until a program in raw mode has read all of them and printed their hash.",
        limitations="Not a program that echoes them.",
        prepare=_paste,
        needs=_SHELL,
        parameters=tuple(_PASTES),
        elements=dict(_PASTES),
        element_unit="B",
        repeats=40,
        seconds=1.0,
        quick=("64KiB",),
    ),
)
