"""Terminals start, answer, are counted, and leave nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

import pytest

from tests.leftovers import Leftovers
from web_terminal_suite.bench.terminals.null import NullServer
from web_terminal_suite.bench.terminals.null_server import answer
from web_terminal_suite.bench.terminals.processes import (
    LaunchFailed,
    ProcessorTicks,
    is_gone,
    process_facts,
    processor_ticks,
    started,
    tree,
)
from web_terminal_suite.bench.terminals.raw_pty import local_pty
from web_terminal_suite.bench.terminals.terminal import Footprint
from web_terminal_suite.bench.terminals.web_terminal import RemoteWebTerminal, WebTerminal
from web_terminal_suite.client.errors import Closed, TimedOut


def test_the_null_shell_knows_printf_and_nothing_else():
    assert answer(b"printf '%s%s' ab cd; printf '%s%s' ef gh") == b"abcdefgh"
    assert answer(b"rm -rf /") == b""


async def test_our_server_is_launched_counted_and_ended_with_its_shells():
    async with WebTerminal().launch() as running:
        before = await running.steady_footprint()
        assert (before.processes, before.sessions) == (0, 0)
        assert running.pss_bytes() > 10_000_000
        assert running.cpu_ns() > 0
        async with running.connect(user=3) as connection:
            await connection.attach()
            await connection.read()
            during = await running.footprint()
            assert (during.processes, during.sessions) == (1, 1)
            assert during.beyond(before).startswith("1 processes, ")
            pids = [facts.pid for facts in tree(running.process.pid)]
            assert len(pids) >= 3
            # The session is left alive: ending the server must end its shell.
            connection.abort()
    assert all(is_gone(pid) for pid in pids)


def test_processors_are_idle_or_not():
    before, after = ProcessorTicks(100, 400), ProcessorTicks(150, 600)
    assert after.idle_share_since(before) == 0.25
    assert before.idle_share_since(before) == 1.0
    now = processor_ticks()
    assert 0 < now.idle < now.total


async def test_residue_is_waited_for_and_told():
    async with NullServer().launch() as running:
        before = await running.steady_footprint()
        async with running.connect():
            left, _ = await running.residue(before, timeout=0.05)
            assert left == "1 descriptors"
        left, after = await running.residue(before)
        assert left == ""
        assert after == before


async def test_a_server_that_dies_is_seen_to():
    async with NullServer().launch() as running:
        assert running.died == ""
        os.kill(running.process.pid, signal.SIGKILL)
        async with asyncio.timeout(5):
            while not running.died:
                await asyncio.sleep(0)
        assert running.died == "the server ended with -9"


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no luck')", "ended before it was ready: no luck"),
        ("import time; time.sleep(60)", "did not print"),
    ],
)
async def test_one_that_never_gets_ready_says_why(program, words):
    leftovers = Leftovers()
    async with started((sys.executable, "-c", program), dict(os.environ)) as process:
        with pytest.raises(LaunchFailed, match=words):
            await process.line("http", 0.5)
    assert leftovers.pids() == []


async def test_a_program_that_is_not_there():
    with pytest.raises(LaunchFailed, match="no such file"):
        async with started(("/no/such/program",), {}):
            pytest.fail("was started")


async def test_grandchildren_are_ended_too():
    program = "import subprocess, sys; subprocess.Popen(['sleep', '600']); print('http', flush=True); sys.stdin.read()"
    async with started((sys.executable, "-c", program), dict(os.environ)) as process:
        await process.line("http", 10)
        pids = [facts.pid for facts in tree(process.pid)]
    assert len(pids) >= 1
    assert all(is_gone(pid) for pid in pids)


async def test_a_server_that_runs_already(server):
    async with RemoteWebTerminal(server.url).launch() as running:
        assert running.process is None
        assert running.pss_bytes() is None
        assert isinstance(await running.footprint(), Footprint)
    with pytest.raises(LaunchFailed, match="does not answer"):
        async with RemoteWebTerminal("http://127.0.0.1:1/#token=x").launch():
            pytest.fail("nobody was there")


def test_a_local_shell_echoes_answers_and_is_reaped():
    with local_pty() as pty:
        pty.wait_for(b"$ ")
        sent_ns = pty.write(b"printf '%s%s' ab cd\r")
        found = pty.wait_for(b"abcd")
        assert found.seen_ns > sent_ns
        pid = pty.pid
        assert process_facts(pid).has_terminal
    assert is_gone(pid)


def test_a_local_shell_that_says_nothing_or_ends():
    with local_pty(("/bin/sleep", "60"), timeout=0.05) as pty, pytest.raises(TimedOut):
        pty.read()
    with local_pty(("/bin/true",)) as pty, pytest.raises(Closed, match="the shell ended"):
        pty.read()


async def test_keys_are_echoed_by_the_null_server_at_once_and_lines_answered():
    async with NullServer().launch() as running, running.connect() as connection:
        await connection.attach()
        for part in (b"printf ", b"'%s%s' ab", b" cd"):
            connection.input(part)
            await connection.wait_for(part)
        connection.input(b"\r")
        assert (await connection.wait_for(b"$ ", keep=True)).output == b"\r\nabcd"
        connection.input(b"exit now")
        connection.input(b"\x15")
        connection.input(b"exit\r")
        assert (await connection.wait_exit()).status == 0
