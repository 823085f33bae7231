"""Suite ``session_creation``: sessions created, looked up, changed and destroyed, and their memory."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import MS, Benchmark, BenchmarkContext, below, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Point, Target
from web_terminal_suite.bench.terminals.processes import descriptor_count, is_gone, kill_and_reap
from web_terminal_suite.bench.terminals.raw_pty import ENVIRONMENT
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload.memory import FULL_LOG, MEMORY_PER_FULL_LOG, MEMORY_PER_SESSION, settled_pss
from web_terminal_suite.bench.workload.session_pool import in_batches
from web_terminal_suite.bench.workload.shells import crowd, destroy, destroy_all, several
from web_terminal_suite.bench.workload.streams import receive, text
from web_terminal_suite.client.errors import Closed, TimedOut, Violated
from web_terminal_suite.protocol.messages import Attached, ResourceLimits, SessionSpec, Size

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.samples import Sample
    from web_terminal_suite.client.connection import ClientConnection

_POLL_SECONDS: Final = 0.0005
_DESTROY_SECONDS: Final = 10.0
_MEGABYTE: Final = 1_000_000
_LIMITS: Final = ResourceLimits(cpu_seconds=3600, memory_bytes=1 << 30, open_files=256)
_CONFIGURATIONS: Final = {
    "default": SessionSpec(),
    "size+env+cwd": SessionSpec(cwd="/tmp", env={"BENCH": "1", "PS1": "$ "}),
    "limits": SessionSpec(limits=_LIMITS),
}
_SIZED: Final = Size(132, 50)
# Of sessions that print, all at the same time; each prints far more than its log keeps.
_FULL_LOGS: Final = 5
_FULL_LOG_BYTES: Final = 3_000_000
_PRINT_AT_ONCE: Final = 5


async def _create(connection: ClientConnection, spec: SessionSpec | None = None, size: Size | None = None) -> Sample:
    """One creation on a connection that may attach: reply and first output stamped; destroyed outside the clock."""
    size = size or Size()
    sent_ns = connection.begin_attach(spec=spec, cols=size.cols, rows=size.rows)
    await connection.wait_attached()
    reply_ns, _ = await connection.message(Attached)
    first = await _first_output(connection)
    await destroy(connection)
    return sample(sent_ns, first, reply=reply_ns, first_output=first)


async def _first_output(connection: ClientConnection) -> int:
    chunk = await connection.read()
    if chunk is None:
        raise Closed(1000, "the shell ended without any output")
    return chunk.seen_ns


@asynccontextmanager
async def _create_session_basic(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async def operate() -> Sample:
        async with context.running.connect() as connection:
            return await _create(connection)

    yield operate


@asynccontextmanager
async def _session_creation_with_config(context: BenchmarkContext) -> AsyncIterator[Operation]:
    spec = _CONFIGURATIONS[context.parameter]
    size = _SIZED if context.parameter == "size+env+cwd" else Size()

    async def operate() -> Sample:
        async with context.running.connect() as connection:
            return await _create(connection, spec, size)

    yield operate


async def _create_at_once(connections: Sequence[ClientConnection]) -> Sample:
    """All creations requested before any is answered, until every shell has first_outputs."""
    sent_ns = connections[0].begin_attach()
    for connection in connections[1:]:
        connection.begin_attach()
    first_outputs = await asyncio.gather(*(_first_output(each) for each in connections))
    replies = [(await each.message(Attached))[0] for each in connections]
    return sample(sent_ns, max(first_outputs), reply=max(replies), first_output=max(first_outputs))


@asynccontextmanager
async def _concurrent_session_creation(context: BenchmarkContext, users: bool = False) -> AsyncIterator[Operation]:
    async def operate() -> Sample:
        async with several(context, int(context.parameter), users) as connections:
            try:
                return await _create_at_once(connections)
            finally:
                await destroy_all(connections)

    yield operate


@asynccontextmanager
async def _session_creation_multi_user(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with _concurrent_session_creation(context, users=True) as operate:
        yield operate


@asynccontextmanager
async def _session_lookup(context: BenchmarkContext) -> AsyncIterator[Operation]:
    source = random.Random(context.parameter)
    async with crowd(context, int(context.parameter)) as ids, context.running.rest() as api:

        async def operate() -> Sample:
            session = source.choice(ids)
            response = await api.call("GET", f"/sessions/{session}")
            if response.json()["id"] != session:
                raise Violated("the lookup answered with another session")
            return sample(response.sent_ns, response.seen_ns)

        yield operate


@asynccontextmanager
async def _session_state_operations(context: BenchmarkContext) -> AsyncIterator[Operation]:
    numbers = iter(range(1 << 62))
    async with crowd(context, 1) as ids, context.running.rest() as api:
        path = f"/sessions/{ids[0]}"

        async def rename() -> Sample:
            name = f"renamed {next(numbers)}"
            response = await api.call("PATCH", path, {"name": name})
            _expect(response.json()["name"], name)
            return sample(response.sent_ns, response.seen_ns)

        async def resize() -> Sample:
            cols = 80 + next(numbers) % 100
            response = await api.call("PATCH", path, {"cols": cols, "rows": 30})
            _expect(response.json()["cols"], cols)
            return sample(response.sent_ns, response.seen_ns)

        async def touch() -> Sample:
            response = await api.call("POST", f"{path}/touch")
            return sample(response.sent_ns, response.seen_ns)

        async def read_state() -> Sample:
            response = await api.call("GET", path)
            _expect(response.json()["state"], "running")
            return sample(response.sent_ns, response.seen_ns)

        yield {"rename": rename, "resize": resize, "touch": touch, "read": read_state}[context.parameter]


def _expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise Violated(f"the server answered {found!r} where {wanted!r} was set")


@asynccontextmanager
async def _destroy_session(context: BenchmarkContext) -> AsyncIterator[Operation]:
    process = context.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one
    async with context.running.rest() as api:
        await api.request("GET", "/health")
        servers = process.server_pids()

        async def operate() -> Sample:
            descriptors = descriptor_count(servers)
            session = (await api.call("POST", "/sessions", {})).json()
            response = await api.call("DELETE", f"/sessions/{session['id']}")
            deadline_ns = response.sent_ns + round(_DESTROY_SECONDS * 1e9)
            while not is_gone(session["pid"]) or descriptor_count(servers) > descriptors:
                if now_ns() > deadline_ns:
                    raise TimedOut("end of the shell and its descriptors", _DESTROY_SECONDS)
                await asyncio.sleep(_POLL_SECONDS)  # /proc offers no event for another process's descriptors
            return sample(response.sent_ns, now_ns(), reply=response.seen_ns)

        yield operate


@asynccontextmanager
async def _session_full_lifecycle(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with context.running.rest() as api:
        await api.request("GET", "/health")

        async def operate() -> Sample:
            marker = context.markers.fresh()
            created = await api.call("POST", "/sessions", {})
            session = created.json()["id"]
            async with context.running.connect() as connection:
                await connection.attach(session)
                connection.input(marker.command.encode() + b"\r")
                found = await connection.wait_for(marker.seen)
                await connection.close()
            async with context.running.connect() as connection:
                attached = await connection.attach(session, resume_from=found.offset)
                _expect(attached.offset, found.offset)
                reattached_ns, _ = await connection.message(Attached)
                ended = await api.call("DELETE", f"/sessions/{session}")
                connection.abort()
            return sample(
                created.sent_ns,
                ended.seen_ns,
                created=created.seen_ns,
                output=found.seen_ns,
                reattached=reattached_ns,
            )

        yield operate


@asynccontextmanager
async def session_memory_footprint(
    context: BenchmarkContext, steps: Sequence[int] = (), full_logs: int = _FULL_LOGS
) -> AsyncIterator[Operation]:
    """Memory at each count on the way up, all sessions attached and idle; then that of logs that are full."""
    most = int(context.parameter)
    process = context.running.process
    assert process is not None  # a terminal with Capability.PROCESSES has one

    async def operate() -> tuple[Point, ...]:
        servers = process.server_pids()
        base = await settled_pss(servers)
        points = [Point("base server PSS", 0, base), Point("server PSS per session", 0, base)]
        async with AsyncExitStack() as stack:
            connections: list[ClientConnection] = []
            for count in steps or _memory_steps(most):
                more = await stack.enter_async_context(several(context, count - len(connections)))
                for batch in in_batches(more):
                    await _create_at_once(batch)
                connections += more
                points.append(Point("server PSS per session", count, await settled_pss(servers)))
            idle = points[-1].y
            for batch in in_batches(connections[:full_logs], _PRINT_AT_ONCE):
                await asyncio.gather(*(receive(each, text(_FULL_LOG_BYTES), context.markers) for each in batch))
            added = (await settled_pss(servers) - idle) / full_logs
            points.append(Point(FULL_LOG, 0, (idle - base) / len(connections) + added))
            for batch in in_batches(connections):
                await destroy_all(batch)
        return tuple(points)

    yield operate


def _memory_steps(most: int) -> tuple[int, ...]:
    """A tenth, three tenths and all of them."""
    return most // 10, most * 3 // 10, most


@asynccontextmanager
async def _session_lookup_in_process(context: BenchmarkContext) -> AsyncIterator[Operation]:
    from web_terminal_suite.server.host.table import SessionTable
    from web_terminal_suite.server.ipc import Caller

    who = Caller("bench", "owner")
    table = SessionTable(1 << 20, 1 << 20)
    ids = [table.reserve(who, None, Size(), 0.0).id for _ in range(int(context.parameter))]
    source = random.Random(context.parameter)

    async def operate() -> Sample:
        session = source.choice(ids)
        sent_ns = now_ns()
        entry = table.find(who, session)
        seen_ns = now_ns()
        _expect(entry.id, session)
        return sample(sent_ns, seen_ns)

    yield operate


@asynccontextmanager
async def _session_state_operations_in_process(context: BenchmarkContext) -> AsyncIterator[Operation]:
    from web_terminal_suite.server.host.table import SessionTable, checked_name
    from web_terminal_suite.server.ipc import Caller
    from web_terminal_suite.server.pty import SpawnRequest, spawn

    who = Caller("bench", "owner")
    table = SessionTable(10, 10)
    entry = table.reserve(who, None, Size(), 0.0)
    pty = spawn(SpawnRequest(argv=(SHELL,), env=ENVIRONMENT))
    numbers = iter(range(1 << 62))

    def rename() -> None:
        table.find(who, entry.id, to_change=True).name = checked_name(f"renamed {next(numbers)}") or ""

    def resize() -> None:
        size = Size(80 + next(numbers) % 100, 30)
        table.find(who, entry.id, to_change=True).size = size
        pty.resize(size)

    def touch() -> None:
        table.touch(table.find(who, entry.id, to_change=True), 1.0)

    def read_state() -> None:
        table.find(who, entry.id).info(1.0, 1.0)

    act = {"rename": rename, "resize": resize, "touch": touch, "read": read_state}[context.parameter]

    async def operate() -> Sample:
        sent_ns = now_ns()
        act()
        return sample(sent_ns, now_ns())

    try:
        yield operate
    finally:
        pty.close()
        kill_and_reap(pty.pid)


_SHELL = frozenset({Capability.SHELL})
_ON_REQUEST = _SHELL | {Capability.ON_REQUEST}
_API = _SHELL | {Capability.CREATE, Capability.DESTROY}
_COMPONENT = frozenset({Capability.COMPONENTS})
_OPERATIONS: Final = ("rename", "resize", "touch", "read")
_CREATE_TEXT: Final = "p95 < 200 ms to the first output; milestone < 20 ms, goal < 10 ms"
_CREATION: Final = (
    Metric(name="to first output", targets=below("p95", 200, 10, _CREATE_TEXT)),
    Metric(name="to reply", mark="reply"),
)
_COUNTS: Final = ("10", "50", "100", "500")


def _elements(counts: tuple[str, ...]) -> dict[str, int]:
    return {count: int(count) for count in counts}


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="session_creation/create_session_basic",
        description=(
            "Attach without a session on an open connection, until the reply and until the first output of the new "
            "shell."
        ),
        limitations="Not the connection's own handshake, which is part of time_to_prompt.",
        prepare=_create_session_basic,
        needs=_ON_REQUEST,
        metrics=_CREATION,
        floor="floors/bare_spawn",
    ),
    Benchmark(
        id="session_creation/session_creation_multi_user",
        description=(
            "One session for each of N users, all requested at once, until every shell has written its first output."
        ),
        limitations="Not many sessions of one user.",
        prepare=_session_creation_multi_user,
        needs=_ON_REQUEST | {Capability.USERS},
        parameters=("1", "5", "10"),
        quick=("1", "10"),
        metrics=_CREATION,
        elements=_elements(("1", "5", "10")),
        element_unit="sessions",
    ),
    Benchmark(
        id="session_creation/session_creation_with_config",
        description=(
            "As create_session_basic, with a size, environment variables and a working directory, or with limits on "
            "the shell."
        ),
        limitations="Not what the limits cost the shell later.",
        prepare=_session_creation_with_config,
        needs=_ON_REQUEST | {Capability.SPEC, Capability.LIMITS},
        parameters=tuple(_CONFIGURATIONS),
        metrics=_CREATION,
        floor="floors/bare_spawn",
    ),
    Benchmark(
        id="session_creation/session_lookup",
        description="GET /api/v1/sessions/{id} on a kept-alive connection, for a random one of N live sessions.",
        limitations="Not a new connection for each request.",
        prepare=_session_lookup,
        needs=_API | {Capability.LOOKUP},
        parameters=("1", "1000"),
        quick=("1",),
        metrics=(
            Metric(name="latency", targets=below("p95", 10, 1, "p95 < 10 ms; milestone < 3 ms, goal < 1 ms over HTTP")),
        ),
        sessions=int,
    ),
    Benchmark(
        id="session_creation/session_lookup_in_process",
        description="Component, in this process: the session table's own lookup among N sessions.",
        limitations=(
            "Not HTTP, nor the way to the process that holds the table. Reading the clock is part of the figure."
        ),
        prepare=_session_lookup_in_process,
        needs=_COMPONENT,
        parameters=("1", "1000"),
        component=True,
    ),
    Benchmark(
        id="session_creation/session_state_operations",
        description=(
            "Rename, resize, touch (restart the idle timer) or read a session; each is one request on a kept-alive "
            "connection."
        ),
        limitations="Not what the shell does when its size changes.",
        prepare=_session_state_operations,
        needs=_API | {Capability.LOOKUP, Capability.CHANGE, Capability.TOUCH},
        parameters=_OPERATIONS,
    ),
    Benchmark(
        id="session_creation/session_state_operations_in_process",
        description=(
            "Component, in this process: the same on an entry of the session table, with a real pseudo-terminal for "
            "resize."
        ),
        limitations=(
            "Not HTTP, nor the way to the process that holds the table. Reading the clock is part of the figure."
        ),
        prepare=_session_state_operations_in_process,
        needs=_COMPONENT,
        parameters=_OPERATIONS,
        component=True,
    ),
    Benchmark(
        id="session_creation/destroy_session",
        description="DELETE of a session, until /proc shows the shell reaped and the server's descriptors closed.",
        limitations=(
            "Not a shell that ignores signals. Reading /proc is part of the latency, but not of the time to the reply."
        ),
        prepare=_destroy_session,
        needs=_API | {Capability.PROCESSES},
        metrics=(Metric(name="latency"), Metric(name="to reply", mark="reply")),
    ),
    Benchmark(
        id="session_creation/session_full_lifecycle",
        description=(
            "Create a session, connect and attach, run one command, detach, connect and reattach at the same offset, "
            "destroy."
        ),
        limitations="Not a session with output to replay.",
        prepare=_session_full_lifecycle,
        needs=_API | {Capability.REATTACH},
        metrics=(
            Metric(name="latency"),
            Metric(name="to created", mark="created"),
            Metric(name="to output", mark="output"),
            Metric(name="to reattached", mark="reattached"),
        ),
    ),
    Benchmark(
        id="session_creation/concurrent_session_creation",
        description="N sessions requested at once on open connections, until every shell has written its first output.",
        limitations="Not the handshakes of the connections.",
        prepare=_concurrent_session_creation,
        needs=_ON_REQUEST,
        parameters=_COUNTS,
        metrics=(
            Metric(
                name="to first output",
                targets={
                    "100": Target(
                        statistic="p50", limit=5000 * MS, goal=400 * MS, text="100 sessions in < 5 s; goal < 0.4 s"
                    )
                },
            ),
            Metric(name="to reply", mark="reply"),
        ),
        elements=_elements(_COUNTS),
        element_unit="sessions",
        quick=("10", "100"),
        full=("500",),
        repeats=12,
        min_operations=10,
        sessions=int,
    ),
    Benchmark(
        id="session_creation/session_memory_footprint",
        description=(
            "Memory (PSS) of the server without its shells, at 0, a tenth, three tenths and all of N attached idle "
            f"sessions: the slope. Then {_FULL_LOGS} of them print {_FULL_LOG_BYTES // _MEGABYTE} MB each: the memory "
            "of one of these."
        ),
        limitations="Not the memory of the shells.",
        prepare=session_memory_footprint,
        needs=_SHELL | {Capability.PROCESSES},
        parameters=("200", "1000"),
        metrics=(
            MEMORY_PER_SESSION,
            MEMORY_PER_FULL_LOG,
            Metric(
                name="base server PSS",
                kind="level",
                unit="B",
                targets={
                    "*": Target(
                        statistic="level", limit=100 * _MEGABYTE, goal=60 * _MEGABYTE, text="< 100 MB; goal < 60 MB"
                    )
                },
            ),
        ),
        one_shot=True,
        isolated=True,
        one_block=("1000",),
        quick=("200",),
        sessions=int,
    ),
)
