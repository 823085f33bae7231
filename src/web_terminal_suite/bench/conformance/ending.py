"""How programs end: the exit status, and Ctrl-C during a flood; and what a flood costs that nobody reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from web_terminal_suite.bench.clock import now_ns
from web_terminal_suite.bench.conformance.check import Answer, Check, CheckResult
from web_terminal_suite.bench.terminals.terminal import Capability
from web_terminal_suite.bench.workload.shells import destroy, ready, ready_shell
from web_terminal_suite.client.errors import ClientError

if TYPE_CHECKING:
    from web_terminal_suite.bench.benchmark import BenchmarkContext

_STATUS: Final = 7
_STATUS_SECONDS: Final = 3.0
_INTERRUPT_SECONDS: Final = 1.0
_STALL_SECONDS: Final = 3.0
_MOST_GROWTH_BYTES: Final = 16 << 20
_FLOOD: Final = b"y\r\n" * 100


async def _exit_status(context: BenchmarkContext) -> CheckResult:
    async with context.running.connect() as connection:
        await connection.attach()
        try:
            connection.input(b"exit %d\r" % _STATUS)
            try:
                status = (await connection.wait_exit(_STATUS_SECONDS)).status
            except ClientError as error:
                return CheckResult(Answer.NO, f"after `exit {_STATUS}` no status was told: {error}")
        finally:
            await destroy(connection)
    return CheckResult(
        Answer.YES if status == _STATUS else Answer.NO, f"after `exit {_STATUS}` the status told was {status}"
    )


async def _interrupt(context: BenchmarkContext) -> CheckResult:
    async with ready_shell(context) as shell:
        connection = shell.connection
        connection.input(b"yes\r")
        await connection.wait_for(_FLOOD)
        before, sent_ns = connection.offset, connection.input(b"\x03")
        try:
            found = await connection.wait_for(shell.prompt, 10 * _INTERRUPT_SECONDS)
        except ClientError as error:
            return CheckResult(Answer.NO, f"during a flood Ctrl-C brought no prompt: {error}")
        seconds, behind = (found.seen_ns - sent_ns) / 1e9, connection.offset - before
    evidence = f"during a flood the prompt came {seconds * 1e3:.1f} ms after Ctrl-C, behind {behind / 1e3:.0f} kB"
    return CheckResult(Answer.YES if seconds <= _INTERRUPT_SECONDS else Answer.NO, evidence)


async def _stalled_reader(context: BenchmarkContext) -> CheckResult:
    running = context.running
    async with running.connect() as connection:
        await connection.attach()
        try:
            await ready(connection, context)
            before = running.pss_bytes() or 0
            connection.input(b"yes\r")
            await connection.wait_for(_FLOOD)
            connection.pause_reading()
            began_ns, most = now_ns(), before
            while (now_ns() - began_ns) / 1e9 < _STALL_SECONDS:
                await asyncio.sleep(0.1)  # memory of another process has no event
                most = max(most, running.pss_bytes() or 0)
        finally:
            # Ended without reading on: what a server kept for this client may be much.
            connection.resume_reading()
            try:
                await destroy(connection)
            except ClientError:
                pass  # the flood was in the way; the connection is dropped
    grown = most - before
    evidence = f"its memory grew by {grown / 1e6:.1f} MB while a client did not read a flood for {_STALL_SECONDS:g} s"
    return CheckResult(Answer.YES if grown <= _MOST_GROWTH_BYTES else Answer.NO, evidence)


CHECKS: Final = (
    Check("exit-status", "The status of a program that ends is told", _exit_status, frozenset()),
    Check("interrupt", "Ctrl-C during a flood takes at most 1 s", _interrupt),
    Check(
        "stalled-reader",
        "Memory stays within 16 MiB while a client does not read",
        _stalled_reader,
        frozenset({Capability.SHELL, Capability.PROCESSES}),
    ),
)
