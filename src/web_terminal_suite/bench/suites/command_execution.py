"""Suite ``command_execution``: a command line typed, its computed output seen."""

from __future__ import annotations

import select
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.benchmark import MICROSECONDS_BLOCK, Benchmark, BenchmarkContext, below, sample
from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.samples import Metric, Target
from web_terminal_suite.bench.terminals.processes import kill_and_reap
from web_terminal_suite.bench.terminals.raw_pty import ENVIRONMENT
from web_terminal_suite.bench.terminals.shell_environment import SHELL
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload.command_lines import DEFINITION, LENGTHS, command_lines
from web_terminal_suite.bench.workload.shells import destroy_by_id, ready_shell
from web_terminal_suite.client.errors import TimedOut
from web_terminal_suite.protocol.messages import ProcessExited, SessionSpec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from web_terminal_suite.bench.benchmark import Operation
    from web_terminal_suite.bench.samples import Sample
    from web_terminal_suite.client.marker import Marker

_SPAWN_SECONDS: Final = 10.0
_SEQUENTIAL: Final = 10
_WARM_TEXT: Final = "p95 < 100 ms; milestone < 10 ms, goal < 3 ms"
_COLD_TEXT: Final = "p95 < 100 ms; goal < 10 ms with spawn"


@asynccontextmanager
async def _execute_echo_simple(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with ready_shell(context) as shell:

        async def operate() -> Sample:
            marker = context.markers.fresh()
            sent_ns = shell.connection.input(marker.command.encode() + b"\r")
            found = await shell.connection.wait_for(marker.seen)
            await shell.prompted()
            return sample(sent_ns, found.seen_ns)

        yield operate


@asynccontextmanager
async def _execute_echo_cold(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with context.running.rest() as api:
        # The kept-alive connection is dialled now, not inside the first operation.
        await api.request("GET", "/health")

        async def operate() -> Sample:
            marker = context.markers.fresh()
            sent_ns = now_ns()
            async with context.running.connect() as connection:
                attached = await connection.attach()
                try:
                    connection.input(marker.command.encode() + b"\r")
                    found = await connection.wait_for(marker.seen)
                finally:
                    ended = await api.call("DELETE", f"/sessions/{attached.session}")
                    connection.abort()
            return sample(sent_ns, ended.seen_ns, output=found.seen_ns)

        yield operate


@asynccontextmanager
async def _command_execution_by_length(context: BenchmarkContext) -> AsyncIterator[Operation]:
    lines = command_lines(int(context.parameter))
    async with ready_shell(context) as shell:
        shell.connection.input(DEFINITION + b"\r")
        await shell.prompted()

        async def operate() -> Sample:
            line, output = next(lines)
            sent_ns = shell.connection.input(line + b"\r")
            found = await shell.connection.wait_for(output)
            await shell.prompted()
            return sample(sent_ns, found.seen_ns)

        yield operate


@asynccontextmanager
async def _command_execution_by_shell(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with context.running.rest() as api:

        async def operate() -> Sample:
            prompt, marker = context.markers.fresh(), context.markers.fresh()
            async with context.running.connect() as connection:
                sent_ns = connection.begin_attach(spec=_spec(context.parameter, prompt))
                attached = await connection.wait_attached()
                prompted = await connection.wait_for(prompt.seen)
                connection.input(marker.command.encode() + b"\r")
                found = await connection.wait_for(marker.seen)
                connection.input(b"exit\r")
                await connection.wait_exit()
                ended_ns, _ = await connection.message(ProcessExited)
            await destroy_by_id(api, attached.session)
            return sample(sent_ns, ended_ns, prompt=prompted.seen_ns, output=found.seen_ns)

        yield operate


def _spec(shell: str, prompt: Marker) -> SessionSpec:
    """An interactive shell without start-up files, whose prompt cannot be mistaken for an echo."""
    path = shutil.which(shell) or shell
    text = prompt.left + prompt.right
    if shell == "fish":
        function = f"function fish_prompt; printf {text}; end"
        return SessionSpec(shell=path, args=("--no-config", "--init-command", function))
    arguments = {"bash": ("--noprofile", "--norc"), "zsh": ("-f",)}.get(shell, ())
    return SessionSpec(shell=path, args=arguments, env={"PS1": text})


@asynccontextmanager
async def _pty_spawn_time(context: BenchmarkContext) -> AsyncIterator[Operation]:
    from web_terminal_suite.server.pty import SpawnRequest, spawn

    request = SpawnRequest(argv=(SHELL,), env=ENVIRONMENT)
    buffer = memoryview(bytearray(65536))

    async def operate() -> Sample:
        sent_ns = now_ns()
        pty = spawn(request)
        try:
            poll = select.poll()
            poll.register(pty.fd, select.POLLIN)
            if not poll.poll(_SPAWN_SECONDS * 1000):
                raise TimedOut("first byte of the shell", _SPAWN_SECONDS)
            pty.read_into([buffer])
            seen_ns = now_ns()
        finally:
            pty.close()
            kill_and_reap(pty.pid)
        return sample(sent_ns, seen_ns)

    yield operate


@asynccontextmanager
async def _execute_10_sequential_commands(context: BenchmarkContext) -> AsyncIterator[Operation]:
    async with ready_shell(context) as shell:

        async def operate() -> Sample:
            first_ns = 0
            for _ in range(_SEQUENTIAL):
                marker = context.markers.fresh()
                sent_ns = shell.connection.input(marker.command.encode() + b"\r")
                found = await shell.connection.wait_for(marker.seen)
                first_ns = first_ns or sent_ns
            await shell.prompted()
            return sample(first_ns, found.seen_ns)

        yield operate


_SHELL = frozenset({Capability.SHELL})
_SHELLS = ("sh", "bash", *(shell for shell in ("zsh", "fish") if shutil.which(shell)))

BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        id="command_execution/execute_echo_simple",
        description="A command line sent to a shell that waits at its prompt, until its computed output has arrived.",
        limitations="Not the shell's start, nor drawing on a screen.",
        prepare=_execute_echo_simple,
        needs=_SHELL,
        metrics=(Metric(name="latency", targets=below("p95", 100, 3, _WARM_TEXT)),),
        floor="floors/bare_shell_command",
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id="command_execution/execute_echo_cold",
        description=(
            "Connect, create a session, attach, run one command until its computed output, and destroy the session "
            "until the shell is reaped."
        ),
        limitations="Not a warm shell: starting one is most of the time.",
        prepare=_execute_echo_cold,
        needs=_SHELL | {Capability.DESTROY},
        metrics=(
            Metric(name="latency", targets=below("p95", 100, 10, _COLD_TEXT)),
            Metric(name="to output", mark="output"),
        ),
    ),
    Benchmark(
        id="command_execution/command_execution_by_length",
        description="As execute_echo_simple, with a command line of exactly N characters.",
        limitations="Not what a command does with a long line: the shell function that is called ignores the padding.",
        prepare=_command_execution_by_length,
        needs=_SHELL,
        parameters=LENGTHS,
        metrics=(Metric(name="latency", targets=below("p95", 100, 3, _WARM_TEXT)),),
        elements={length: int(length) for length in LENGTHS},
        element_unit="B",
        floor="floors/bare_shell_command",
        quick=("10", "1000"),
        block_seconds=MICROSECONDS_BLOCK,
    ),
    Benchmark(
        id="command_execution/command_execution_by_shell",
        description=(
            "Start the shell named by the parameter, wait for its first prompt, run one command until its computed "
            "output, and exit."
        ),
        limitations="Not a user's start-up files: they are not read.",
        prepare=_command_execution_by_shell,
        needs=_SHELL | {Capability.SPEC, Capability.EXIT, Capability.DESTROY},
        parameters=_SHELLS,
        metrics=(
            Metric(name="latency", targets=below("p95", 100, 10, _COLD_TEXT)),
            Metric(name="to prompt", mark="prompt"),
            Metric(name="to output", mark="output"),
        ),
    ),
    Benchmark(
        id="command_execution/pty_spawn_time",
        description=(
            "Component, in this process: the server's own spawn of /bin/sh until its first byte. Reaping is not timed."
        ),
        limitations="Not a session: there is no other process, no socket and no log.",
        prepare=_pty_spawn_time,
        needs=frozenset({Capability.COMPONENTS}),
        metrics=(
            Metric(
                name="latency",
                targets=below("p95", 50, 5, "p95 < 50 ms; goal < 5 ms"),
                floor_targets={
                    "*": Target(statistic="ratio_p95", goal=1.3, text="at most 1.3 times the bare spawn at p95")
                },
            ),
        ),
        component=True,
        floor="floors/bare_spawn",
    ),
    Benchmark(
        id="command_execution/execute_10_sequential_commands",
        description="Ten commands in one shell, each sent when the output of the previous one has arrived.",
        limitations="Not ten commands at once.",
        prepare=_execute_10_sequential_commands,
        needs=_SHELL,
        parameters=(str(_SEQUENTIAL),),
        elements={str(_SEQUENTIAL): _SEQUENTIAL},
        element_unit="commands",
    ),
)
