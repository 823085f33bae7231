"""Supervisors that die in real servers: another one with the same state directory adopts what is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.conftest import TOKEN, Serving
from tests.server.test_lifecycle import until
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed, Unreachable
from web_terminal_suite.client.rest import rest
from web_terminal_suite.server import meeting
from web_terminal_suite.server.ipc import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def supervised(folder: pathlib.Path, *flags: str, grace: float = 30) -> Iterator[Supervised]:
    """A server whose supervisor may be killed and started again; nothing of it is left."""
    server = Supervised(
        folder, ["--state-dir", str(folder / "state"), "--supervisor-grace", str(grace), "--log-level", "info", *flags]
    )
    try:
        server.start()
        yield server
    finally:
        server.end()


class Supervised:
    """The processes of one state directory, over several supervisors."""

    def __init__(self, folder: pathlib.Path, flags: list[str]) -> None:
        self.flags = flags
        self.log = folder / "log"
        self.process: subprocess.Popen[str] | None = None
        self.seen: set[psutil.Process] = set()

    def start(self, launcher: tuple[str, ...] = ("-m", "web_terminal_suite"), **options: Any) -> Serving:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
        environment |= {"WEB_TERMINAL_TOKEN": TOKEN, "WEB_TERMINAL_INSPECTABLE": "true", "PS1": "$ "}
        environment |= options.pop("env", {})
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, *launcher, "serve", "--port", "0", "--shell", "/bin/sh", *self.flags],
                stdout=subprocess.PIPE, stderr=log, text=True, env=environment, stdin=subprocess.DEVNULL, **options,
            )  # fmt: skip
        with self.process.stdout:
            line = self.process.stdout.readline()
        assert "http://" in line, f"no URL but {line!r}; log: {self.log.read_text()}"
        self.serving = Serving(self.process, f"{line.split()[-1]}#token={TOKEN}")
        return self.serving

    def logged(self, *texts: str) -> bool:
        return any(all(text in line for text in texts) for line in self.log.read_text().splitlines())

    def look(self) -> None:
        """Remember the processes that there are, to find them after the supervisor's death."""
        self.seen |= set(psutil.Process(self.process.pid).children(recursive=True))

    def kill(self) -> None:
        self.look()
        self.process.kill()
        self.process.wait()

    def living(self, module: str) -> list[psutil.Process]:
        found = []
        for each in self.seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                if each.status() != psutil.STATUS_ZOMBIE and any(module in word for word in each.cmdline()):
                    found.append(each)
        return found

    def pids(self) -> set[int]:
        return {each.pid for each in self.living("server.host") + self.living("server.worker")}

    def end(self) -> None:
        if self.process.poll() is None:
            self.look()
            self.process.terminate()
            self.process.wait(40)
        _gone, left = psutil.wait_procs(self.seen, timeout=10)
        for each in left:
            each.kill()
        assert not left, f"left behind: {left}\n{self.log.read_text()}"


async def test_a_supervisor_that_died_is_replaced_and_viewers_do_not_notice(tmp_path):
    with supervised(tmp_path, "--workers", "2", "--hosts", "2") as server:
        url = server.serving.url
        async with connect(url, timeout=30) as viewer, rest(url) as api:
            await viewer.attach()
            await viewer.run("mark=viewed")
            left = (await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "read x; exit 3"]})).json()
            server.kill()
            before = server.pids()
            assert len(before) == 4
            assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
            again = await asyncio.to_thread(server.start)
            assert again.url == url
            assert server.pids() == before
            assert server.logged("2 PTY hosts and 2 workers were adopted")
            assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
            # The new one does all that the old one did.
            victim = server.living("server.worker")[0]
            victim.kill()
            await until(lambda: len(server.serving.workers) == 1)
            number = host_of(left["id"])
            (host,) = (each for each in server.living("server.host") if each.cmdline()[3] == str(number))
            host.kill()
            await until(lambda: server.log.read_text().count(f"PTY host {number} is ready") == 2)
            async with asyncio.timeout(30):
                while (await listed(url)).get(left["id"]) != "running":
                    await asyncio.sleep(0.05)
            os.kill(left["pid"], signal.SIGTERM)
            async with asyncio.timeout(30):
                while (await listed(url)).get(left["id"]) != "ended":
                    await asyncio.sleep(0.05)
            server.look()


async def test_shells_of_a_dead_host_cost_no_more_descriptors_with_each_supervisor_that_dies(tmp_path):
    """They are no children of the host, which watches them itself while there is no supervisor."""
    with supervised(tmp_path) as server:
        async with rest(server.serving.url) as api:
            for _ in range(10):
                await api.call("POST", "/sessions", {})
        server.look()
        server.living("server.host")[0].kill()
        await until(lambda: server.logged("PTY host 0 is ready"))
        held = []
        for times in (1, 2):
            server.kill()
            await asyncio.to_thread(server.start)
            await until(lambda times=times: server.log.read_text().count("workers were adopted") == times)
            (host,) = server.living("server.host")
            held.append(host.num_fds())
        assert held[1] <= held[0]


async def listed(url: str) -> dict[str, str]:
    """The state of each session; nothing while no worker answers."""
    with contextlib.suppress(Unreachable, Closed, OSError):
        async with rest(url) as api:
            return {each["id"]: each["state"] for each in (await api.call("GET", "/sessions")).json()["sessions"]}
    return {}


async def test_without_another_supervisor_everything_ends_after_the_grace_time(tmp_path):
    with supervised(tmp_path, grace=0.5) as server:
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
            server.kill()
            with pytest.raises(Closed) as closed:
                await viewer.wait_for(b"never", 30)
            assert closed.value.code == 1001


async def test_a_state_directory_has_one_supervisor(tmp_path):
    with supervised(tmp_path) as server:
        second = Supervised(tmp_path, server.flags)
        with pytest.raises(AssertionError, match=rf"a supervisor \(process {server.process.pid}\) serves with state"):
            second.start()
        assert second.process.wait(20) == 1
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
            assert (await viewer.run("echo here")).output == b"here\r\n"


def test_a_state_directory_that_others_may_use_is_refused(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o755)
    server = Supervised(tmp_path, ["--state-dir", str(tmp_path / "state")])
    with pytest.raises(AssertionError, match="is open to other users"):
        server.start()
    assert server.process.wait(20) == 1


@pytest.mark.parametrize("upgraded", [False, True])
def test_a_list_of_processes_that_cannot_be_written_is_told_once_and_written_later(tmp_path, caplog, upgraded):
    """As on a full disk, which must not end the supervisor."""
    directory = meeting.StateDirectory(str(tmp_path / "state"))
    if upgraded:
        directory = meeting.StateDirectory.take_over(str(tmp_path / "state"), directory.fileno())
    in_the_way = tmp_path / "state" / "processes.new"
    in_the_way.mkdir()
    for _ in range(2):
        directory.note(frozenset({os.getpid()}))
    assert directory.living() == set()
    assert caplog.text.count("is out of date") == 1
    in_the_way.rmdir()
    directory.note(frozenset({os.getpid()}))
    assert directory.living() == {os.getpid()}


async def test_a_stranger_at_the_door_changes_nothing(tmp_path):
    with supervised(tmp_path) as server:
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
            server.kill()
            task = asyncio.create_task(asyncio.to_thread(server.start))
            path = meeting.socket_path(str(tmp_path / "state"))
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                await until(lambda: _connects(sock, path))
                sock.send(b"\xc1 nonsense")
            await task
            assert (await viewer.run("echo here")).output == b"here\r\n"


def _connects(sock: socket.socket, path: str) -> bool:
    try:
        sock.connect(path)
    except OSError:
        return False
    return True
