"""Workers that die, do not start or are replaced, in real servers: no shell is lost, and their number is kept."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import resource
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import Serving, serving
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.errors import Closed, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORKERS = 2
# Runs in every interpreter of the server before anything else.
_SITE = """
import os, sys
fault = os.environ["WORKER_FAULT"]
if "web_terminal_suite.server.worker.main" in sys.orig_argv and os.path.exists(fault):
    exec(open(fault).read())
"""
ENDS = "os._exit(3)"
NEVER_READY = "import signal; signal.pause()"


class Breakable(Serving):
    """A server whose next workers can be broken."""

    fault: pathlib.Path

    def break_workers(self, code: str) -> None:
        """New workers run ``code`` first."""
        written = self.fault.with_suffix(".new")
        written.write_text(code)
        written.rename(self.fault)

    def mend(self) -> None:
        self.fault.unlink(missing_ok=True)

    def pids(self) -> set[int]:
        return {each.pid for each in self.workers}

    def logged(self, text: str, since: int = 0) -> int:
        """How many lines say so."""
        return sum(text in line for line in self.log[since:])

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@contextlib.contextmanager
def breakable(folder: pathlib.Path, *flags: str, python: str = sys.executable) -> Iterator[Breakable]:
    (folder / "sitecustomize.py").write_text(_SITE)
    env = {"PYTHONPATH": str(folder), "WORKER_FAULT": str(folder / "fault")}
    with serving("--workers", str(WORKERS), *flags, env=env, python=python) as server:
        own = Breakable(server.process, server.url, server.log)
        own.fault = folder / "fault"
        yield own


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Breakable]:
    with breakable(tmp_path_factory.mktemp("site"), "--start-timeout", "12") as server:
        yield server


@pytest.fixture
async def broken(shared) -> Iterator[Breakable]:
    """The shared server. After each test its shell lives and it has its workers, whatever was done to it."""
    async with connect(shared.url, timeout=30) as connection:
        session = (await connection.attach()).session
        assert (await connection.run("mark=$$; echo ready")).output == b"ready\r\n"
    try:
        yield shared
    finally:
        shared.mend()
    await whole(shared)
    async with reached(shared) as connection:
        await connection.attach(session)
        assert (await connection.run('[ "$mark" = $$ ] && echo same')).output == b"same\r\n"
        await connection.close(destroy=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does and no event of ours tells."""
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def reached(server: Serving, session: str | None = None):
    """A connection, as soon as a worker accepts one; attached to ``session``, as soon as that worker does not leave."""
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(90):
        connection = None
        while connection is None:
            with contextlib.suppress(Unreachable, Closed):
                found = await stack.enter_async_context(connect(server.url, timeout=30))
                if session is not None:
                    await found.attach(session)
                connection = found
        yield connection


async def whole(server: Serving) -> None:
    """Wait until there are as many workers as asked for, all of which serve."""
    await until(lambda: len(server.workers) == WORKERS and all(map(listens, server.workers)))


def listens(worker: psutil.Process) -> bool:
    """Whether a worker is ready: it watches the listening socket, which it was given as descriptor 5."""
    folder = pathlib.Path(f"/proc/{worker.pid}")
    with contextlib.suppress(OSError):
        opened = {each.name: os.readlink(each) for each in (folder / "fd").iterdir()}
        listener = {fd for fd, what in opened.items() if what == opened.get("5")}
        for fd, what in opened.items():
            if what == "anon_inode:[eventpoll]":
                lines = (folder / "fdinfo" / fd).read_text().splitlines()
                return any(line.split()[1] in listener for line in lines if line.startswith("tfd:"))
    return False


def linked_interpreter(environment: pathlib.Path) -> pathlib.Path:
    """An interpreter with the packages of this one."""
    (environment / "bin").mkdir(parents=True)
    shutil.copy(pathlib.Path(sys.prefix) / "pyvenv.cfg", environment)
    (environment / "lib").symlink_to(pathlib.Path(sys.prefix) / "lib")
    python = environment / "bin" / "python"
    python.symlink_to(pathlib.Path(sys.executable).resolve())
    return python


# --- a generation that does not start


@pytest.mark.parametrize(
    "code",
    [
        ENDS,
        # One of them comes up and the other does not.
        "try:\n    os.open(fault + '.first', os.O_CREAT | os.O_EXCL)\nexcept FileExistsError:\n    os._exit(4)",
        "os.kill(os.getpid(), 9)",
        "sys.modules['picows'] = None",
        "os.close(4)",
        # Of a version that the host does not understand.
        "import web_terminal_suite.server.ipc as ipc\nipc.encode = lambda message: b'\\x91\\xcc\\xff'",
    ],
    ids=["status", "only one", "killed", "import error", "no control", "unknown messages"],
)
async def test_an_upgrade_that_does_not_start_leaves_the_old_workers_and_their_connections(broken, code):
    old, since = broken.pids(), len(broken.log)
    broken.fault.with_name("fault.first").unlink(missing_ok=True)
    async with connect(broken.url, timeout=30) as connection:
        await connection.attach()
        broken.break_workers(code)
        broken.hang_up()
        await until(lambda: broken.logged("was dropped", since) == 1)
        await until(lambda: broken.pids() == old)
        assert (await connection.run("echo here")).output == b"here\r\n"
        await connection.close(destroy=True)
    (line,) = (each for each in broken.log[since:] if "was dropped" in each)
    assert "no shell was touched, 2 of 2 workers serve; repair the cause, then send SIGHUP again" in line


async def test_an_upgrade_that_was_repaired_takes_over(broken):
    old, since = broken.pids(), len(broken.log)
    broken.break_workers(ENDS)
    broken.hang_up()
    await until(lambda: broken.logged("was dropped", since) == 1)
    broken.mend()
    broken.hang_up()
    await until(lambda: not broken.pids() & old)
    await whole(broken)


async def test_hang_ups_that_pile_up_are_one(broken):
    old, since = broken.pids(), len(broken.log)
    most = 0

    def begun(times: int) -> bool:
        nonlocal most
        most = max(most, len(broken.pids()))
        return broken.logged("serves until all of them are ready", since) == times

    broken.hang_up()
    await until(lambda: begun(1))
    for _ in range(15):
        broken.hang_up()
    await until(lambda: begun(2))
    await until(lambda: begun(2) and broken.logged("is ready; generation", since) == 2)
    await whole(broken)
    assert begun(2)
    assert most <= 2 * WORKERS
    assert not broken.pids() & old


# --- deaths


async def test_every_worker_is_replaced_whichever_dies_and_no_other_is_touched(broken):
    for which in (0, -1, 0, -1):
        before = broken.pids()
        victim = sorted(before)[which]
        os.kill(victim, signal.SIGKILL)
        await until(lambda victim=victim: victim not in broken.pids())
        await whole(broken)
        assert before - {victim} < broken.pids()


async def test_all_workers_killed_several_times_as_soon_as_they_serve(broken):
    for _ in range(4):
        before = broken.pids()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await until(lambda before=before: not broken.pids() & before)
        await whole(broken)


async def test_replacements_that_die_young_are_tried_with_growing_delays_and_end_nothing(broken):
    since = len(broken.log)
    broken.break_workers(ENDS)
    for pid in broken.pids():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: broken.logged("before it was ready; 0 of 2 workers serve, starting another in", since) >= 6)
    lines = [each for each in broken.log[since:] if "starting another in" in each]
    delays = [float(each.split("starting another in ")[1].split()[0]) for each in lines[::2]]
    # A multiple of what is said elsewhere, as these workers had died young before.
    assert [each / delays[0] for each in delays[:4]] == pytest.approx([1, 2, 4, 8])
    broken.mend()
    await whole(broken)


async def test_a_worker_that_dies_during_an_upgrade_is_replaced(broken):
    since = len(broken.log)
    victim, other = sorted(broken.pids())
    broken.break_workers(NEVER_READY)
    broken.hang_up()
    await until(lambda: len(broken.pids()) == 2 * WORKERS)
    new = broken.pids() - {victim, other}
    broken.mend()
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(broken.pids() - {victim, other} - new) == 1)
    os.kill(min(new), signal.SIGKILL)
    await until(lambda: broken.logged("was dropped", since) == 1)
    await whole(broken)
    assert other in broken.pids()


# --- what a start needs


@pytest.mark.parametrize(("limit", "text"), [("NOFILE", "ulimit -n"), ("AS", "no memory is left")])
async def test_a_supervisor_at_its_limit_keeps_its_workers_and_replaces_them_later(broken, limit, text):
    pid, number = broken.process.pid, getattr(resource, f"RLIMIT_{limit}")
    process = psutil.Process(pid)
    used = process.num_fds() if limit == "NOFILE" else process.memory_info().vms
    old, since, before = broken.pids(), len(broken.log), resource.prlimit(pid, number)
    resource.prlimit(pid, number, (used, before[1]))
    try:
        broken.hang_up()
        await until(lambda: broken.logged("was dropped", since) == 1)
        assert broken.pids() == old
        os.kill(min(old), signal.SIGKILL)
        await until(lambda: broken.logged("1 of 2 workers serve, trying again", since) >= 2)
        assert broken.logged(text, since) >= 3
    finally:
        resource.prlimit(pid, number, before)
    await whole(broken)


@contextlib.contextmanager
def no_process_left(pid: int) -> Iterator[None]:
    """A process that gets EAGAIN instead of a child."""
    if os.getuid():
        before = resource.prlimit(pid, resource.RLIMIT_NPROC)
        resource.prlimit(pid, resource.RLIMIT_NPROC, (1, before[1]))
        yield
        resource.prlimit(pid, resource.RLIMIT_NPROC, before)
        return
    # The limit does not hold for root, but that of a control group does.
    groups = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    own = next((each.split(":")[2] for each in groups if each.split(":")[1] == "pids"), "")
    parent = pathlib.Path(f"/sys/fs/cgroup/pids{own}")
    group = parent / f"web-terminal-{pid}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"root, and no control group for processes: {error}")
    (group / "pids.max").write_text("1")
    (group / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        (parent / "cgroup.procs").write_text(str(pid))
        group.rmdir()


async def test_a_server_without_a_process_left_keeps_its_workers_and_replaces_them_later(broken):
    old, since = broken.pids(), len(broken.log)
    with no_process_left(broken.process.pid):
        broken.hang_up()
        await until(lambda: broken.logged("was dropped: a worker could not be started", since) == 1)
        assert broken.pids() == old
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: broken.logged("0 of 2 workers serve, trying again", since) >= 3)
        assert broken.logged("no process is left", since) >= 4


async def test_a_host_without_descriptors_drops_an_upgrade_and_not_a_shell(broken):
    old, since, host = broken.pids(), len(broken.log), broken.host
    before = host.rlimit(psutil.RLIMIT_NOFILE)
    host.rlimit(psutil.RLIMIT_NOFILE, (host.num_fds(), before[1]))
    try:
        broken.hang_up()
        await until(lambda: broken.logged("was dropped", since) == 1)
        assert broken.logged("no descriptor is left for the channel of a new worker", since)
        await until(lambda: broken.pids() == old)
        # The channel of a worker that ends is free for the one that replaces it.
        os.kill(min(old), signal.SIGKILL)
        await until(lambda: min(old) not in broken.pids())
        await whole(broken)
    finally:
        host.rlimit(psutil.RLIMIT_NOFILE, before)


async def test_a_host_that_does_not_answer_drops_an_upgrade_and_not_a_shell(broken):
    old, since = broken.pids(), len(broken.log)
    broken.host.suspend()
    try:
        broken.hang_up()
        await until(lambda: broken.logged("was not ready within 12 s", since) == 1)
        await until(lambda: broken.pids() == old)
    finally:
        broken.host.resume()


async def test_an_interpreter_that_is_gone_for_a_while(tmp_path):
    """As while a virtual environment is made anew."""
    python = linked_interpreter(tmp_path / "environment")
    with breakable(tmp_path, python=str(python)) as server:
        async with connect(server.url, timeout=30) as connection:
            session = (await connection.attach()).session
            await connection.run("mark=here")
        old = server.pids()
        python.rename(python.with_name("away"))
        server.hang_up()
        await until(lambda: server.logged("generation 2 was dropped: a worker could not be started: no such file") == 1)
        assert server.pids() == old
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: server.logged("0 of 2 workers serve, trying again") >= 2)
        python.with_name("away").rename(python)
        await whole(server)
        async with connect(server.url, timeout=30) as connection:
            await connection.attach(session)
            assert (await connection.run("echo $mark")).output == b"here\r\n"


# --- the end


async def test_a_server_that_is_stopped_while_a_generation_starts_leaves_nothing(tmp_path):
    """``serving`` looks for what is left."""
    with breakable(tmp_path) as server:
        server.break_workers(NEVER_READY)
        server.hang_up()
        await until(lambda: len(server.pids()) == 2 * WORKERS)
        workers = server.workers
        server.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.process.wait, 60) == 0
        assert not [each for each in workers if each.is_running()]
        assert not server.logged("killing it")  # nothing was waited for


async def test_a_server_none_of_whose_workers_starts_says_so_and_ends(tmp_path):
    (tmp_path / "fault").write_text(ENDS)
    with pytest.raises(AssertionError, match="no worker became ready") as failed, breakable(tmp_path):
        pass
    assert "ended with status 3 before it was ready" in str(failed.value)
