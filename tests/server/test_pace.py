"""Viewers that do not acknowledge, or only watch, do not hold a program up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TOKEN, serving
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.terminado import JupyterDialect
from web_terminal_suite.client.dialects.ttyd import TtydDialect
from web_terminal_suite.protocol.messages import Gap, SessionSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serving

# Far more than the log and the kernel hold.
MEGABYTES = 4


@pytest.fixture(scope="module", params=[{"PURE_PYTHON": "1"}, {}], ids=["slow", "fast"])
def server(request) -> Iterator[Serving]:
    with serving("--ttyd-path", "/ttyd", "--terminado-path", "/jupyter", env=request.param) as each:
        yield each


def flood(directory: Path) -> SessionSpec:
    """A program that writes much and then a file."""
    script = f"read go; head -c {MEGABYTES}000000 /dev/zero | tr '\\0' x; touch {directory}/written; sleep 60"
    return SessionSpec(shell="/bin/sh", args=("-c", script))


async def written(directory: Path, connection) -> None:
    """Wait until the program has written everything."""
    async with asyncio.timeout(30):
        while not (directory / "written").exists():
            await connection.ping()


async def test_a_viewer_that_does_not_acknowledge_stops_a_program_for_seconds_only(server, tmp_path):
    async with connect(server.url, acknowledge=False) as deaf, connect(server.url) as other:
        await deaf.attach(spec=flood(tmp_path))
        deaf.input(b"\r")
        await deaf.wait_for(b"xxx")
        await written(tmp_path, other)
        # What it acknowledges now counts again, and what it missed is told.
        deaf.ack(deaf.offset)
        await deaf.message(Gap)


@pytest.mark.parametrize(
    ("dialect", "path", "token"),
    [(TtydDialect, "/ttyd", f"user:{TOKEN}"), (JupyterDialect, "/jupyter", TOKEN)],
    ids=["ttyd", "jupyter"],
)
async def test_a_viewer_of_another_protocol_that_reads_no_more_stops_a_program_for_seconds_only(
    server, tmp_path, dialect, path, token
):
    """Its protocol has no acknowledgements: what has left the send buffer counts as one."""
    async with connect(server.origin + path, token=token, dialect=dialect) as stalled, connect(server.url) as other:
        await stalled.attach()
        stalled.pause_reading()
        # More than all the buffers on the way to it.
        stalled.command(f"head -c 24000000 /dev/zero | tr '\\0' x; touch {tmp_path}/written")
        await written(tmp_path, other)
        stalled.resume_reading()
        await stalled.wait_for(b"bytes of output were lost]", 30)


async def test_a_short_absence_costs_no_output(server, tmp_path):
    async with connect(server.url) as viewer, connect(server.url) as other:
        await viewer.attach(spec=flood(tmp_path))
        viewer.input(b"\r")
        await viewer.wait_for(b"xxx")
        for _ in range(2):
            viewer.abort()
            await asyncio.sleep(0.5)  # far longer than the program needs for the rest
            assert not (tmp_path / "written").exists()
            await viewer.reconnect()
        while viewer.offset < MEGABYTES * 1_000_000:
            await viewer.read()
        assert not viewer.gaps
        await written(tmp_path, other)


async def test_a_program_waits_for_its_last_viewer_no_longer_than_it_is_told_to(tmp_path):
    with serving("--viewer-grace", "0.5") as server:
        async with connect(server.url) as viewer, connect(server.url) as other:
            await viewer.attach(spec=flood(tmp_path))
            viewer.input(b"\r")
            await viewer.wait_for(b"xxx")
            viewer.abort()
            await written(tmp_path, other)
            await viewer.reconnect()
            await viewer.message(Gap)


async def test_a_viewer_that_only_watches_never_holds_a_program_up(server, tmp_path):
    async with connect(server.url) as writer, connect(server.url, acknowledge=False) as watcher:
        await writer.attach(spec=flood(tmp_path))
        await watcher.attach(writer.session, mode="read")
        writer.input(b"\r")
        await writer.close()
        await written(tmp_path, watcher)
