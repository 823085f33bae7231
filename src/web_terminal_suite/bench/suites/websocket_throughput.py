"""Suite ``websocket_throughput``: messages, their size, their number, and output in bulk on its way through frames."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import Benchmark, BenchmarkContext, OperationResult, below, sample
from web_terminal_suite.bench.clock import SECOND_NS, now_ns
from web_terminal_suite.bench.samples import Metric, Point, Target
from web_terminal_suite.bench.stats.quantiles import nearest_rank
from web_terminal_suite.bench.terminals.raw_pty import local_pty
from web_terminal_suite.bench.terminals.shell_environment import PROMPT
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload import streams
from web_terminal_suite.bench.workload.pipelining import ReplyCounter, framed
from web_terminal_suite.bench.workload.session_pool import ServerClock
from web_terminal_suite.bench.workload.shells import ready_shell, several
from web_terminal_suite.bench.workload.typists import begin_echo
from web_terminal_suite.client.errors import Violated
from web_terminal_suite.protocol import messages as m
from web_terminal_suite.protocol.codec import (
    EchoBytes,
    Frame,
    Subprotocol,
    decode_client,
    decode_server,
    encode,
    encode_echo,
    encode_input,
    encode_output,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.samples import Sample
    from web_terminal_suite.client.connection import ClientConnection, Reply

# Calls in a sample, which is their mean: one call takes less time than reading the clock.
_BATCH: Final = 200
_SESSION: Final = "s-0123456789abcdef"
_KEYSTROKE: Final = b"k"
# A line of output, which most messages of a session are.
_OUTPUT: Final = streams.LINE.encode()
_ECHOED: Final = b"x" * 64
_CLIENT: Final[tuple[m.ClientMessage, ...]] = (
    m.Authenticate(token="0123456789abcdef0123456789abcdef"),
    m.Attach(session=_SESSION, cols=120, rows=40, resume_from=123_456_789),
    m.Resize(cols=120, rows=40),
    m.Command(line="ls -l --color=auto"),
    m.Signal(name="SIGINT"),
    m.Ack(offset=123_456_789),
    m.Ping(id=7),
    m.Close(destroy=True),
)
_SERVER: Final[tuple[m.ServerMessage, ...]] = (
    m.ConnectionStatus(status="ready", subprotocol=Subprotocol.BINARY.value, version="0.1.0", limits=m.Limits()),
    m.Authenticated(user="owner", role="owner"),
    m.Attached(session=_SESSION, name="build", offset=0, end=4096, cols=120, rows=40, mode="write", window=131_072),
    m.Gap(start=4096, end=8192),
    m.InputAck(offset=4097),
    m.ProcessStarted(session=_SESSION, pid=12345, command=("/bin/sh",)),
    m.ProcessExited(session=_SESSION, offset=123_456_789, status=0),
    m.Pong(id=7),
    m.Error(code="out_of_range", message="cols 0 is out of range: 1 to 500"),
    m.FlowControl(direction="output", state="paused"),
    m.ResourceUsage(cpu_seconds=1.25, memory_bytes=4_194_304, processes=3),
    m.Resized(cols=120, rows=40),
)
_LIMIT_BYTES: Final = m.Limits().message_bytes

_COUNTS: Final = ("10", "100", "1000", "10000")
_SIZES: Final = ("64", "256", "1024", "4096", "16384")
_AT_ONCE: Final = ("10", "50", "100")
_BATCHES: Final = ("10", "50", "100", "500")
_STREAMS: Final[dict[str, Callable[[], streams.Stream]]] = {
    "1MB text": lambda: streams.text(1 * streams.MEGABYTE),
    "1MB binary": lambda: streams.binary(1),
    "32MB text": lambda: streams.text(32 * streams.MEGABYTE),
    "32MB binary": lambda: streams.binary(32),
}


# --- component


def _works() -> dict[str, Callable[[], object]]:
    """What is timed, by parameter: one call is one message."""
    found: dict[str, Callable[[], object]] = {}
    for message in _CLIENT:
        found |= _both("client", m.kind(message), message, "")
    for server_message in _SERVER:
        found |= _both("server", m.kind(server_message), server_message, "")
    for subprotocol, name in ((Subprotocol.BINARY, "binary"), (Subprotocol.JSON, "json")):
        found |= _bulk("client", "input", name, subprotocol, encode_input, _KEYSTROKE)
        found |= _bulk("client", "echo", name, subprotocol, encode_echo, _ECHOED)
        found |= _bulk("server", "echo", name, subprotocol, encode_echo, _ECHOED)
        found |= _bulk("server", "output", name, subprotocol, _encode_output, _OUTPUT)
    return found


def _encode_output(subprotocol: Subprotocol, data: bytes) -> Frame:
    return encode_output(subprotocol, 123_456_789, data)


def _both(
    side: str, kind: str, message: m.ClientMessage | m.ServerMessage, suffix: str
) -> dict[str, Callable[[], object]]:
    """A control message: the same JSON text in both subprotocols."""
    return {
        f"{side} {kind} encode{suffix}": lambda: encode(message),
        f"{side} {kind} decode{suffix}": _decoding(side, Subprotocol.BINARY, encode(message)),
    }


def _bulk(
    side: str,
    kind: str,
    name: str,
    subprotocol: Subprotocol,
    encoding: Callable[[Subprotocol, bytes], Frame],
    data: bytes,
) -> dict[str, Callable[[], object]]:
    return {
        f"{side} {kind} encode {name}": lambda: encoding(subprotocol, data),
        f"{side} {kind} decode {name}": _decoding(side, subprotocol, encoding(subprotocol, data)),
    }


def _decoding(side: str, subprotocol: Subprotocol, frame: Frame) -> Callable[[], object]:
    text, payload = frame
    if side == "client":
        return lambda: decode_client(subprotocol, text, payload, _LIMIT_BYTES)
    return lambda: decode_server(subprotocol, text, payload)


_WORKS: Final = _works()

# Between two round trips, not timed. Without it the client alone keeps a processor busy for 60 to 82 % of the time, and
# above 80 % a verdict on the server is refused.
_PAUSE_SECONDS: Final = 0.001


@asynccontextmanager
async def _websocket_message_serialization(context: BenchmarkContext) -> AsyncIterator[Operation]:
    work = _WORKS[context.parameter]

    async def operate() -> Sample:
        times = itertools.repeat(None, _BATCH)
        sent_ns = now_ns()
        for _ in times:
            work()
        return sample(sent_ns, sent_ns + round((now_ns() - sent_ns) / _BATCH))

    yield operate


# --- messages that touch no shell


@asynccontextmanager
async def _websocket_message_throughput(context: BenchmarkContext) -> AsyncIterator[Operation]:
    count = int(context.parameter)
    clock = ServerClock(context)
    async with context.running.connect() as connection:
        frames = [connection.dialect.echo(b"%08d" % number + _ECHOED[8:]) for number in range(count)]
        # An echo is answered in the form it came in.
        wanted = [frame.payload for frame in frames]
        volley = framed(frames)
        tally = ReplyCounter(connection.dialect)
        connection.dialect = tally

        async def operate() -> OperationResult:
            tally.heard.clear()
            before_ns = clock.read_ns()
            sent_ns = connection.send_framed(volley)
            seen_ns = await tally.count(count, connection)
            spent_ns = clock.read_ns() - before_ns
            if tally.heard != wanted:
                raise Violated("echoes came back changed or out of order")
            points = (Point(PER_CORE, 0, count * SECOND_NS / spent_ns),) if spent_ns else ()
            return OperationResult((sample(sent_ns, seen_ns),), points)

        yield operate


def _expect_echoes(replies: Sequence[Reply], wanted: Sequence[bytes]) -> None:
    for reply, data in zip(replies, wanted, strict=True):
        if not isinstance(reply.event, EchoBytes) or reply.event.data != data:
            raise Violated("an echo came back changed or out of order")


@asynccontextmanager
async def _websocket_latency_by_message_size(context: BenchmarkContext) -> AsyncIterator[Operation]:
    data = b"x" * int(context.parameter)
    async with context.running.connect() as connection:

        async def operate() -> Sample:
            sent_ns, reply = await connection.echo(data)
            _expect_echoes([reply], [data])
            await asyncio.sleep(_PAUSE_SECONDS)
            return sample(sent_ns, reply.seen_ns)

        yield operate


@asynccontextmanager
async def _websocket_round_trip_ping_pong(context: BenchmarkContext) -> AsyncIterator[Operation]:
    ids = itertools.count(1)
    async with context.running.connect() as connection:

        async def operate() -> Sample:
            id = next(ids)
            sent_ns, reply = await connection.ping(id)
            if reply.event != m.Pong(id=id):
                raise Violated(f"ping {id} was answered by {reply.event}")
            await asyncio.sleep(_PAUSE_SECONDS)
            return sample(sent_ns, reply.seen_ns)

        yield operate


@asynccontextmanager
async def _websocket_concurrent_messages(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with several(context, int(context.parameter)) as connections:

        async def operate() -> Sample:
            sent = [connection.send_echo(_ECHOED) for connection in connections]
            replies = await asyncio.gather(*(_reply(connection) for connection in connections))
            _expect_echoes(replies, [_ECHOED] * len(replies))
            return sample(sent[0], max(reply.seen_ns for reply in replies))

        yield operate


async def _reply(connection: ClientConnection) -> Reply:
    return (await connection.replies(1))[0]


# --- messages that go through a shell


@asynccontextmanager
async def _pty_output_to_websocket_messages(context: BenchmarkContext) -> AsyncIterator[Operation]:
    stream = _STREAMS[context.parameter]()
    async with output(context, stream) as operate:
        yield operate


@asynccontextmanager
async def output(context: BenchmarkContext, stream: streams.Stream) -> AsyncIterator[Operation]:
    """One operation is one stream received whole; with it what the server spent and how the bytes were cut."""
    clock = ServerClock(context)
    async with ready_shell(context) as shell, streams.prepared(shell, context, stream):

        async def operate() -> OperationResult:
            before_ns = clock.read_ns()
            received = await streams.receive(shell.connection, stream, context.markers)
            spent_ns = clock.read_ns() - before_ns
            points = message_points(received.sizes)
            if clock.pids:
                points.append(Point("server CPU per MB", 0, spent_ns / (stream.size_bytes / streams.MEGABYTE)))
            return OperationResult((sample(received.sent_ns, received.seen_ns),), tuple(points))

        yield operate


@asynccontextmanager
async def _raw_pty_stream(context: BenchmarkContext) -> AsyncIterator[Operation]:
    stream = _STREAMS[context.parameter]()
    with local_pty(timeout=30) as pty:
        pty.wait_for(PROMPT.encode())
        streams.prepare_locally(pty, stream.prepare, context.markers)

        async def operate() -> Sample:
            received = streams.receive_locally(pty, stream, context.markers)
            return sample(received.sent_ns, received.seen_ns)

        try:
            yield operate
        finally:
            streams.prepare_locally(pty, stream.tidy, context.markers)


@asynccontextmanager
async def _websocket_batch_processing(context: BenchmarkContext) -> AsyncIterator[Operation]:
    count = int(context.parameter)
    async with ready_shell(context) as shell:
        await begin_echo(shell, context, "app")
        connection = shell.connection

        async def operate() -> Sample:
            # Ten bytes a message, the last with a nonce; with its own echo off the program alone can send them back.
            last = context.markers.fresh().seen
            volley = framed(connection.dialect.input(b"%09d." % number) for number in range(count - 1))
            volley += framed([connection.dialect.input(last)])
            begin = connection.offset
            sent_ns = connection.send_framed(volley)
            found = await connection.wait_for(last)
            if found.offset - begin != 10 * (count - 1) + len(last):
                raise Violated(f"{found.offset - begin} bytes came back of {10 * (count - 1) + len(last)}")
            return sample(sent_ns, found.seen_ns)

        yield operate


_ECHO: Final = frozenset({Capability.ECHO})
_SHELL: Final = frozenset({Capability.SHELL})
_LATENCY_TEXT: Final = "p95 < 20 ms; goal < 0.5 ms"
_RATE: Final = Target(statistic="rate", limit=10_000, below=False, text="> 10,000 messages/s")
_RATE_PER_CORE: Final = Target(
    statistic="level", below=False, goal=150_000, text="goal: > 150,000 messages per second of the server's processors"
)
PER_CORE: Final = "messages per second per core"
STREAM_METRICS: Final = (
    Metric(name="latency"),
    Metric(name="messages", kind="level", unit=""),
    Metric(name="median message", kind="level", unit="B"),
    Metric(name="largest message", kind="level", unit="B"),
    Metric(name="server CPU per MB", kind="level", unit="ns"),
)
RAW_PTY_STREAM: Final = "floors/raw_pty_stream"


def _elements(counts: tuple[str, ...]) -> dict[str, int]:
    return {count: int(count) for count in counts}


def message_points(sizes: Sequence[int]) -> list[Point]:
    """How a stream was cut into messages, in bytes."""
    return [
        Point("messages", 0, len(sizes)),
        Point("median message", 0, nearest_rank(sizes, 0.5)),
        Point("largest message", 0, max(sizes)),
    ]


def sizes(streams: dict[str, Callable[[], streams.Stream]]) -> dict[str, int]:
    """Bytes of each stream, by parameter."""
    return {name: make().size_bytes for name, make in streams.items()}


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="websocket_throughput/websocket_message_serialization",
        description="Component, in this process: one message encoded to the payload of a frame, or decoded from it.",
        limitations=(
            "Not WebSocket framing, nor a socket. "
            f"A sample is the mean of {_BATCH} calls and includes about 30 ns for loop and call; percentiles are of "
            "these means."
        ),
        prepare=_websocket_message_serialization,
        needs=frozenset({Capability.COMPONENTS}),
        parameters=tuple(_WORKS),
        elements=dict.fromkeys(_WORKS, 1),
        element_unit="messages",
        component=True,
        repeats=100,
        quick=("client input decode binary", "server output encode binary", "server output encode json"),
    ),
    Benchmark(
        id="websocket_throughput/websocket_message_throughput",
        description=(
            "N echo messages of 64 bytes in one write, until the last reply; and their number over the processor time "
            "that the server spent on them."
        ),
        limitations=(
            "Not a shell; not many connections at once. The rate is that of one connection, whose messages wait for "
            "each other; the client masks with a key of zeros."
        ),
        prepare=_websocket_message_throughput,
        needs=_ECHO,
        parameters=_COUNTS,
        metrics=(
            Metric(name="latency", targets={"1000": _RATE, "10000": _RATE}),
            Metric(
                name=PER_CORE,
                kind="level",
                unit="messages/s",
                targets={"1000": _RATE_PER_CORE, "10000": _RATE_PER_CORE},
            ),
        ),
        elements=_elements(_COUNTS),
        element_unit="messages",
        floor="null-server",
        quick=("1000",),
        repeats=60,
    ),
    Benchmark(
        id="websocket_throughput/websocket_latency_by_message_size",
        description="The round trip of one echo message of N bytes.",
        limitations="Not a shell.",
        prepare=_websocket_latency_by_message_size,
        needs=_ECHO,
        parameters=_SIZES,
        metrics=(Metric(name="latency", targets=below("p95", 20, 0.5, _LATENCY_TEXT)),),
        elements=_elements(_SIZES),
        element_unit="B",
        floor="null-server",
        quick=("64", "16384"),
    ),
    Benchmark(
        id="websocket_throughput/websocket_round_trip_ping_pong",
        description="One ping message until its pong.",
        limitations="Not a shell, nor a large message.",
        prepare=_websocket_round_trip_ping_pong,
        needs=frozenset({Capability.PING}),
        metrics=(Metric(name="latency", targets=below("p95", 20, 0.5, _LATENCY_TEXT)),),
        floor="null-server",
    ),
    Benchmark(
        id="websocket_throughput/websocket_concurrent_messages",
        description="One echo message on each of N open connections at the same time, until all replies have arrived.",
        limitations="Not their handshakes; not sessions.",
        prepare=_websocket_concurrent_messages,
        needs=_ECHO,
        parameters=_AT_ONCE,
        elements=_elements(_AT_ONCE),
        element_unit="messages",
        floor="null-server",
        quick=("10",),
        repeats=100,
    ),
    Benchmark(
        id="websocket_throughput/pty_output_to_websocket_messages",
        description=(
            "A shell writes N known bytes, as lines of text or as all 256 byte values, until all have arrived; they "
            "are counted and hashed."
        ),
        limitations=(
            "Not drawing them on a screen. The client that counts them shares the processors with server and shell."
        ),
        prepare=_pty_output_to_websocket_messages,
        needs=_SHELL | {Capability.BINARY},
        parameters=tuple(_STREAMS),
        metrics=STREAM_METRICS,
        elements=sizes(_STREAMS),
        element_unit="B",
        floor=RAW_PTY_STREAM,
        quick=("1MB text",),
        repeats=20,
        seconds=1.0,
        full=("32MB text", "32MB binary"),
    ),
    Benchmark(
        id="websocket_throughput/websocket_batch_processing",
        description=(
            "N input messages of ten bytes in one write, until a program in raw mode has sent back the last one."
        ),
        limitations="Not a shell at its prompt: the program is `cat`.",
        prepare=_websocket_batch_processing,
        needs=_SHELL,
        parameters=_BATCHES,
        elements=_elements(_BATCHES),
        element_unit="messages",
        quick=("100",),
        repeats=100,
    ),
    Benchmark(
        id=RAW_PTY_STREAM,
        description=(
            "The same bytes from a shell on a local pseudo-terminal, counted and hashed: the floor of bulk output."
        ),
        limitations="No server, no socket.",
        prepare=_raw_pty_stream,
        needs=frozenset({Capability.LOCAL_PTY}),
        parameters=tuple(_STREAMS),
        elements=sizes(_STREAMS),
        element_unit="B",
        is_floor=True,
        quick=(),
        repeats=20,
        seconds=1.0,
        full=("32MB text", "32MB binary"),
    ),
)
