"""systemd's descriptor store: a real socket receives what is kept, and hands it to a server when all else died."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from tests.server.shells import running
from tests.server.test_lifecycle import facts, until
from tests.server.test_supervisor import Supervised
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.rest import rest
from web_terminal_suite.protocol.messages import SessionSpec
from web_terminal_suite.server import control
from web_terminal_suite.server.log import PAGE_BYTES, Arena
from web_terminal_suite.server.service_manager import ServiceManager
from web_terminal_suite.server.service_store import HostCopy, ServiceStore, StoredSession, restore
from web_terminal_suite.server.store import DescriptorStore

if TYPE_CHECKING:
    from collections.abc import Iterator


class Systemd:
    """systemd's end of the notify socket, and its store: a thread that does what service.c does."""

    def __init__(self, path: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.stored: list[tuple[str, int]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, fds, _flags, _address = socket.recv_fds(self.sock, 4096, 16)
            if data == b"end":
                return
            fields = dict(line.split("=", 1) for line in data.decode().split("\n"))
            if "FDSTOREREMOVE" in fields:
                for name, fd in [each for each in self.stored if each[0] == fields["FDNAME"]]:
                    os.close(fd)
                    self.stored.remove((name, fd))
            elif "FDSTORE" in fields:
                assert fields["FDPOLL"] == "0"
                self.stored += [(fields["FDNAME"], fd) for fd in fds]
            else:
                assert not fds

    @property
    def names(self) -> list[str]:
        return sorted(name for name, _fd in self.stored)

    def count(self, kind: str) -> int:
        return sum(f".{kind}." in name for name in self.names)

    def end(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", self.sock.getsockname())
        self._thread.join()
        self.sock.close()
        for _name, fd in self.stored:
            os.close(fd)


@pytest.fixture
def systemd(tmp_path) -> Iterator[Systemd]:
    found = Systemd(str(tmp_path / "notify"))
    yield found
    found.end()


HANDS_BACK = """
import fcntl, os, sys
fds, names = [int(each) for each in sys.argv[1].split(",")], sys.argv[2]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 500) for fd in fds]
for number, fd in enumerate(high):
    os.dup2(fd, 3 + number)
os.closerange(3 + len(high), 900)
os.environ |= {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names, "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "web_terminal_suite", *sys.argv[3:]])
"""


class UnderSystemd(Supervised):
    """A server that systemd starts, and starts again with what it kept."""

    def __init__(self, systemd: Systemd, folder, listener: socket.socket) -> None:
        super().__init__(folder, ["--state-dir", str(folder / "state"), "--workers", "2", "--log-level", "info"])
        self.systemd = systemd
        self.listener = listener

    def start(self, strangers: tuple[tuple[str, int], ...] = ()):
        handed = [("web-terminal.socket", self.listener.fileno()), *self.systemd.stored, *strangers]
        fds, names = [fd for _name, fd in handed], ":".join(name for name, _fd in handed)
        env = {"NOTIFY_SOCKET": self.systemd.sock.getsockname(), "FDSTORE": "500"}
        launcher = ("-c", HANDS_BACK, ",".join(map(str, fds)), names)
        return super().start(launcher, env=env, pass_fds=fds)

    async def kill_all(self, *modules: str) -> None:
        self.kill()
        for module in modules:
            for each in self.living(module):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            await until(lambda module=module: not self.living(module))


@contextlib.contextmanager
def under_systemd(systemd: Systemd, folder) -> Iterator[UnderSystemd]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = UnderSystemd(systemd, folder, listener)
        try:
            server.start()
            yield server
        finally:
            server.end()


@pytest.mark.parametrize(
    "modules", [("server.host", "server.worker"), ("server.host",)], ids=["everything", "supervisor and host"]
)
async def test_shells_outlive_supervisor_and_hosts(systemd, tmp_path, modules):
    with under_systemd(systemd, tmp_path) as server:
        url = server.serving.url
        async with connect(url, timeout=30) as viewer, rest(url) as api:
            viewed = (await viewer.attach()).session
            await viewer.run("mark=viewed")
            read = tmp_path / "read"
            script = f"stty raw -echo; echo ready; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; "
            script += f"head -c 100000 > {read}; echo do''ne; exec sleep 60"
            async with connect(url, timeout=30) as gone:
                left = await gone.attach(spec=SessionSpec(shell="/bin/sh", args=("-c", script)))
                await gone.wait_for(b"ready")
                gone.input(b"x" * 100_000)
                await gone.close()
            dead = (await api.call("POST", "/sessions", {"shell": "/bin/sh", "args": ["-c", "read x"]})).json()
            await until(lambda: systemd.count("input") == 1)
            assert (systemd.count("master"), systemd.count("process"), systemd.count("record")) == (3, 3, 3)
            pids = {each: (await facts(api, each))["pid"] for each in (viewed, left.session)}
        if "server.worker" in modules:  # an upgrade of the supervisor goes on with what is kept
            server.process.send_signal(signal.SIGHUP)
            await until(lambda: server.logged("the supervisor runs the installed code"))
        await server.kill_all(*modules)
        os.kill(dead["pid"], signal.SIGKILL)
        stranger = os.memfd_create("stranger")
        await asyncio.to_thread(server.start, (("stranger", stranger), ("wt.0.master.99", stranger)))
        os.close(stranger)
        assert server.logged("'stranger' of the service manager's store was closed", "a name that this server gives to")
        assert server.logged("'wt.0.master.99' of the service manager's store was closed: it is no terminal's master")
        await until(lambda: server.log.read_text().count("PTY host 0 is ready: 3 sessions adopted") == len(modules))
        async with rest(url) as api:
            assert {each: (await facts(api, each))["pid"] for each in pids} == pids
            async with asyncio.timeout(20):
                while (await facts(api, dead["id"]))["state"] != "ended":
                    await asyncio.sleep(0.05)
            async with connect(url, timeout=30) as viewer:
                await viewer.attach(viewed)
                assert (await viewer.run("echo $mark")).output == b"viewed\r\n"
            async with connect(url, timeout=30) as viewer:
                await viewer.attach(left.session)
                (tmp_path / "go").touch()
                await viewer.wait_for(b"done", 30)
                assert read.read_bytes() == b"x" * 100_000
            await until(lambda: systemd.count("input") == 0)
            for each in pids:
                assert (await api.request("DELETE", f"/sessions/{each}")).status == 204
        server.look()
        server.process.terminate()
        assert server.process.wait(30) == 0
        await until(lambda: not systemd.stored)


async def test_sessions_of_another_version_are_refused_and_the_server_serves(systemd, tmp_path):
    with under_systemd(systemd, tmp_path) as server:
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
        await until(lambda: systemd.count("record") == 1)
        await server.kill_all("server.host", "server.worker")
        name, fd = next(each for each in systemd.stored if ".record." in each[0])
        stored = msgspec.msgpack.decode(os.pread(fd, 10_000, 0), type=StoredSession)
        os.pwrite(fd, msgspec.msgpack.encode(msgspec.structs.replace(stored, version=99)), 0)
        await asyncio.to_thread(server.start)
        assert server.logged(f"{name!r} of the service manager's store was closed: its session has version 99")
        await until(lambda: not systemd.stored)
        async with connect(server.serving.url, timeout=30) as viewer:
            await viewer.attach()
            assert (await viewer.run("echo here")).output == b"here\r\n"


# --- without processes


class Deaf:
    """A service manager that reads when it wants to."""

    def __init__(self) -> None:
        self.reads = True
        self.told: list[str] = []

    def keep(self, name: str, fd: int) -> bool:
        os.fstat(fd)
        return self._hear(f"+{name}")

    def forget(self, name: str) -> bool:
        return self._hear(f"-{name}")

    def _hear(self, what: str) -> bool:
        if self.reads:
            self.told.append(what)
        return self.reads


def test_what_could_not_be_told_is_told_later_in_order_and_what_was_taken_back_never():
    deaf = Deaf()
    store = ServiceStore(deaf, 10)
    with open(os.devnull) as file:
        store.keep("a", file.fileno())
        deaf.reads = False
        store.forget("a")
        store.keep("a", file.fileno())
        owned = os.dup(file.fileno())
        store.keep("b", owned, owned=True)
        store.forget("b")
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(owned)
        assert store.wake_at() < float("inf")
        deaf.reads = True
        store.flush(0.0)
        assert deaf.told == ["+a", "-a", "+a"]
        assert store.wake_at() == float("inf")
        store.clear()
        assert deaf.told[3:] == ["-a"]


def test_a_full_store_is_told_once_and_takes_what_there_is_room_for(caplog):
    deaf = Deaf()
    store = ServiceStore(deaf, 1)
    with open(os.devnull) as file:
        for name in "abc":
            store.keep(name, os.dup(file.fileno()), owned=True)
    assert deaf.told == ["+a"]
    assert caplog.text.count("raise FileDescriptorStoreMax=") == 1


def test_a_hosts_sessions_come_back_as_they_were():
    """Through the store of a supervisor, with real terminals; what the next one has is kept under the same names."""
    kept: dict[str, int] = {}

    class Holder(Deaf):
        def keep(self, name: str, fd: int) -> bool:
            kept[name] = os.dup(fd)
            return True

        def forget(self, name: str) -> bool:
            os.close(kept.pop(name))
            return True

    holder = Holder()
    store = DescriptorStore()
    copies = ServiceStore(holder, 100)
    store.copy_to(HostCopy(copies, 2, 16 * PAGE_BYTES))
    arena = Arena.create(16 * PAGE_BYTES)
    with running("/bin/sh", "-c", "read x") as first, running("/bin/sh", "-c", "read x") as second:
        store.keep_arena(control.KeepArena(arena=0), [os.dup(arena.fd)])
        for key, pty in ((1, first), (2, second)):
            store.keep(control.KeepSession(key=key, pid=pty.pid, record=b"r%d" % key, closed=False), [os.dup(pty.fd)])
        store.change(control.RecordChanged(key=1, record=b"renamed", closed=False))
        store.change(control.RecordChanged(key=2, record=b"over", closed=True))
        assert sorted(kept) == ["wt.2.arena.0", "wt.2.master.1", "wt.2.process.1", "wt.2.record.1.2", "wt.2.record.2.2"]
        restored = restore([(name, os.dup(fd)) for name, fd in kept.items()])
        assert sorted(restored.names) == sorted(kept)
        next_ = DescriptorStore()
        next_.restore(restored.hosts[2])
        found = list(next_.contents(lambda _pid: False))
        assert [type(message).__name__ for message, _fds in found] == ["AdoptArena", "AdoptSession", "AdoptSession"]
        assert [(message.record, len(fds)) for message, fds in found[1:]] == [(b"renamed", 1), (b"over", 0)]
        next_.copy_to(HostCopy(copies, 2, 16 * PAGE_BYTES))
        next_.forget(control.ForgetSession(key=2))
        next_.is_complete()
        assert sorted(kept) == ["wt.2.arena.0", "wt.2.master.1", "wt.2.process.1", "wt.2.record.1.2"]
        for each in (store, next_):
            each.forget(control.ForgetSession(key=1))
        next_.is_complete()
        assert sorted(kept) == ["wt.2.arena.0"]
        copies.clear()
        assert not kept
    arena.close()


@pytest.mark.parametrize("kind", ["arena", "master", "process", "input", "record"])
def test_a_descriptor_that_is_not_what_its_name_says_is_refused_and_closed(kind):
    with open(os.devnull) as file:
        fd = os.dup(file.fileno())
    restored = restore([(f"wt.0.{kind}.1", fd)])
    assert (restored.refused, restored.names, restored.hosts) == ([f"wt.0.{kind}.1"], [], {})
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.parametrize("content", [b"", b"\xc1", msgspec.msgpack.encode(["no", "session"])])
def test_what_is_no_session_is_refused(content):
    fd = os.memfd_create("web-terminal-record")
    os.write(fd, content)
    assert restore([("wt.0.record.1.1", fd)]).refused == ["wt.0.record.1.1"]


def test_without_a_store_nothing_is_kept():
    assert ServiceManager({"FDSTORE": "10"}, 1).store_limit == 0
    assert ServiceManager({"NOTIFY_SOCKET": "/no/such"}, 1).store_limit == 0
    assert ServiceManager({"NOTIFY_SOCKET": "/no/such", "FDSTORE": "10"}, 1).store_limit == 10
