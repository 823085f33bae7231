"""What systemd is told and hands over: a real socket receives the notifications, and a real one is inherited."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

import pytest

import web_terminal_suite
from tests.conftest import TOKEN, serving
from tests.server.raw import http
from tests.server.test_health import logged
from web_terminal_suite.server.service_manager import ServiceManager

UNITS = pathlib.Path(web_terminal_suite.__file__).parent / "server" / "systemd"
GUARD_SECONDS = 20


class Receiver:
    """systemd's end of the notify socket."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.sock.settimeout(GUARD_SECONDS)

    def heard(self, line: str) -> list[str]:
        """The next notification that has this line; others before it are passed over."""
        while True:
            lines = self.sock.recv(4096).decode().split("\n")
            if line in lines:
                return lines


@pytest.fixture
def receiver(tmp_path):
    found = Receiver(str(tmp_path / "notify"))
    yield found
    found.sock.close()


async def test_ready_reloading_watchdog_and_stopping_are_told(receiver):
    env = {"NOTIFY_SOCKET": receiver.sock.getsockname(), "WATCHDOG_USEC": "1000000"}
    with serving("--workers", "2", env=env) as server:
        assert "STATUS=2 of 2 workers serve" in receiver.heard("READY=1")
        receiver.heard("WATCHDOG=1")
        receiver.heard("WATCHDOG=1")
        server.process.send_signal(signal.SIGHUP)
        assert any(line.startswith("MONOTONIC_USEC=") for line in receiver.heard("RELOADING=1"))
        receiver.heard("READY=1")
        await logged(server, "generation 2 is ready")
        server.process.send_signal(signal.SIGUSR1)
        receiver.heard("STOPPING=1")
        assert server.process.wait(GUARD_SECONDS) == 0


def test_an_address_without_a_file_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0web-terminal-test-{os.getpid()}")
        manager = ServiceManager({"NOTIFY_SOCKET": f"@web-terminal-test-{os.getpid()}"}, os.getpid())
        manager.ready("well")
        assert sock.recv(100) == b"READY=1\nSTATUS=well"


def test_nobody_and_a_receiver_that_is_gone_or_full_are_no_error(receiver):
    ServiceManager({}, 1).ready("")
    ServiceManager({"NOTIFY_SOCKET": "/no/such"}, 1).ready("")
    manager = ServiceManager({"NOTIFY_SOCKET": receiver.sock.getsockname()}, 1)
    for _ in range(10_000):
        manager.show("x" * 100)


def test_the_watchdog_of_another_process_is_not_ours():
    watched = {"NOTIFY_SOCKET": "/no/such", "WATCHDOG_USEC": "1000000"}
    assert ServiceManager(watched, 7).wake_at() == 0.0
    assert ServiceManager(watched | {"WATCHDOG_PID": "8"}, 7).wake_at() == float("inf")


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "web_terminal_suite", "serve", "--shell", "/bin/sh", *sys.argv[2:]])
"""


def activated(listener: socket.socket, *flags: str) -> subprocess.Popen[str]:
    """A server that is started as systemd starts it; the socket stays ours as well."""
    return subprocess.Popen(
        [sys.executable, "-c", ACTIVATE, str(listener.fileno()), *flags], pass_fds=[listener.fileno()], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "WEB_TERMINAL_TOKEN": TOKEN},
    )  # fmt: skip


class Activated:
    def __init__(self, port: int) -> None:
        self.port = port


async def test_a_socket_that_systemd_opened_is_served_and_outlives_the_server():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for _ in range(2):
            with activated(listener) as process:
                try:
                    assert f"127.0.0.1:{port}/" in process.stdout.readline()
                    answer = await http(Activated(port), "GET", "/api/v1/health")
                    assert (answer.status, answer.json()["status"]) == (200, "ok")
                finally:
                    process.terminate()
                    assert process.wait(GUARD_SECONDS) == 0


def test_a_socket_for_everybody_is_not_served_without_authentication():
    with socket.create_server(("0.0.0.0", 0)) as listener, activated(listener, "--insecure-no-auth") as process:
        process.wait(GUARD_SECONDS)
        assert "insecure_no_auth" in process.stderr.read()
        assert process.returncode != 0


def test_a_unix_socket_of_systemd_is_refused_with_a_remedy(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        with activated(listener) as process:
            assert process.wait(GUARD_SECONDS) == 1
            assert "use one ListenStream=ADDRESS:PORT" in process.stderr.read()


async def test_shells_and_workers_are_killed_for_memory_before_what_keeps_them():
    def score(pid: int) -> int:
        return int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())

    with serving() as server:
        if score(server.process.pid) == score(os.getpid()):
            pytest.skip("lowering oom_score_adj takes CAP_SYS_RESOURCE, or the tests run with a value of their own")
        made = (await http(server, "POST", "/api/v1/sessions", token=TOKEN, body=b"{}")).json()
        assert score(server.process.pid) == score(server.host.pid) == -900
        assert score(server.workers[0].pid) == score(made["pid"]) == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_the_units_are_valid(tmp_path):
    for name in ("web-terminal.service", "web-terminal.socket"):
        # The program is looked for, and is not where it will be.
        text = (UNITS / name).read_text().replace("/usr/local/bin/web-terminal", sys.executable)
        (tmp_path / name).write_text(text)
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    ours = [line for line in said.stderr.splitlines() if "web-terminal" in line]
    assert (said.returncode, ours) == (0, [])
