"""A server on a Unix socket: its permissions, one that was left behind, and both halves of the port over it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import Socket, read_answer, upgrade
from tests.server.test_lifecycle import until

GUARD_SECONDS = 20
HOST = {"Host": "localhost"}


async def ask(path: str, request: bytes):
    async with asyncio.timeout(GUARD_SECONDS):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request)
        return await read_answer(reader), reader, writer


async def health(path: str) -> int:
    answer, _, writer = await ask(path, b"GET /api/v1/health HTTP/1.0\r\n\r\n")
    writer.transport.abort()
    return answer.status


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "slow path"])
async def test_rest_and_websocket_work_over_it_and_its_file_goes_with_the_server(tmp_path, fast):
    file = tmp_path / "socket"
    path = str(file)
    env = {} if fast else {"PURE_PYTHON": "1"}
    with serving("--unix", path, "--workers", "2", "--unix-mode", "660", env=env) as server:
        assert server.url == f"http://unix:{path}:/#token={TOKEN}"
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        assert await health(path) == 200
        answer, reader, writer = await ask(path, upgrade(SimpleNamespace(port=0), headers=HOST))
        assert answer.status == 101
        socket_ = Socket(reader, writer, answer)
        await socket_.heard("authenticated")
        socket_.say(type="attach")
        await socket_.heard("attached")
        socket_.say(type="command", line="seq 1 15000; echo com''puted")
        seen = ""
        while "computed" not in seen:
            seen += (await socket_.heard("output"))["data"]
        assert "\r\n".join(map(str, range(1, 15_001))) in seen
        writer.transport.abort()
        server.workers[0].kill()
        assert await health(path) == 200
    assert not file.exists()


async def test_an_upgrade_keeps_the_socket_and_its_file(tmp_path):
    path = tmp_path / "socket"
    with serving("--unix", str(path)) as server:
        server.process.send_signal(signal.SIGHUP)
        await until(lambda: any("the supervisor runs the installed code" in line for line in server.log))
        assert await health(str(path)) == 200
    assert not path.exists()


async def test_a_socket_that_was_left_behind_is_replaced_and_one_in_use_is_not(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with serving("--unix", path):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert (
            refused(path) == f"web-terminal serve: a server listens on {path} already; choose another path with --unix"
        )
        assert await health(path) == 200


def test_a_file_is_never_removed(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    assert "is no socket" in refused(str(path))
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("flags", "text"), [(("--unix", "x" * 108), "107 bytes"), (("--unix-mode", "9"), "octal")])
def test_what_cannot_be_a_socket_is_refused(flags, text):
    said = subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", "serve", *flags], capture_output=True, text=True, timeout=60
    )
    assert said.returncode == 2
    assert text in said.stderr


def refused(path: str) -> str:
    command = [sys.executable, "-m", "web_terminal_suite", "serve", "--unix", path]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert said.returncode == 1
    return said.stderr.strip()
