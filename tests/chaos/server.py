"""A server each of whose processes may be killed, its supervisor too. At its end nothing of it may be left."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

from tests.conftest import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_START_SECONDS = 60
_STOP_SECONDS = 60
# A younger process may not have executed its program yet.
_YOUNG_SECONDS = 5
_MARK = "CHAOS_SERVER"
# Runs in every interpreter of the server before anything else.
_SITE = """
import os, sys
if os.path.exists(os.environ["CHAOS_FAULT"]) and any("web_terminal_suite.server." in each for each in sys.orig_argv):
    exec(open(os.environ["CHAOS_FAULT"]).read())
"""


class ChaosServer:
    """The processes of one state directory, over several supervisors. They are found by a word in their environment."""

    def __init__(self, folder: Path, *flags: str, env: dict[str, str] | None = None, stderr: int | None = None) -> None:
        self.folder = folder
        self.log = folder / "log"
        self._flags = flags
        self._fault = folder / "fault"
        self._mark = secrets.token_hex(8)
        self._stderr = stderr
        (folder / "sitecustomize.py").write_text(_SITE)
        self._env = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
        self._env |= {
            "WEB_TERMINAL_TOKEN": TOKEN, "WEB_TERMINAL_INSPECTABLE": "true", "PS1": "$ ",
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path[:1]]),
            _MARK: self._mark, "CHAOS_FAULT": str(self._fault),
        }  # fmt: skip
        self._env |= env or {}
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self._strangers: set[psutil.Process] = set()

    @property
    def port(self) -> int:
        return int(self.url.split("//")[1].split("/")[0].rsplit(":", 1)[1])

    def start(self) -> None:
        """Start a supervisor; returns when it serves. On the same port as the one before."""
        port = self.port if self.url else 0
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "web_terminal_suite", "serve", "--port", str(port), "--shell", "/bin/sh",
                 "--state-dir", str(self.folder / "state"), "--max-sessions", "2000", "--max-sessions-per-user", "2000",
                 "--log-level", "info", *self._flags],
                stdout=subprocess.PIPE, stderr=log if self._stderr is None else self._stderr,
                stdin=subprocess.DEVNULL, env=self._env, text=True,
            )  # fmt: skip
        with self.process.stdout:
            line = self.process.stdout.readline()
        if "http://" not in line:
            raise RuntimeError(f"the server did not start: {self.log.read_text()[-500:]}")
        self.url = f"{line.split()[-1]}#token={TOKEN}"  # one that was configured is never printed

    def processes(self, module: str = "") -> list[psutil.Process]:
        """The living processes of this server, shells included, or those that run ``module``."""
        found = []
        for each in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if not self._is_ours(each) or each.status() == psutil.STATUS_ZOMBIE:
                    continue
                if not module or any(module in word for word in each.cmdline()):
                    found.append(each)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        if process in self._strangers:
            return False
        environment = process.environ()  # empty for a moment where a host executes other code
        ours = environment.get(_MARK) == self._mark
        if environment and not ours and time.time() - process.create_time() > _YOUNG_SECONDS:
            self._strangers.add(process)
        return ours

    @property
    def workers(self) -> list[psutil.Process]:
        return self.processes("server.worker")

    @property
    def hosts(self) -> list[psutil.Process]:
        return sorted(self.processes("server.host"), key=lambda each: each.cmdline()[3])

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill_supervisor(self) -> None:
        self.process.kill()
        self.process.wait()

    def break_code(self, code: str) -> None:
        """Each new process of the server runs ``code`` first."""
        self._fault.write_text(code)

    def mend_code(self) -> None:
        self._fault.unlink(missing_ok=True)

    def logged(self, text: str) -> int:
        """How many lines of the log say so."""
        return sum(text in line for line in self.log.read_text().splitlines())

    def stop(self) -> list[str]:
        """Stop it as its user would; what is left of it, which is killed then."""
        left = []
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                left.append("the supervisor")
                self.process.kill()
                self.process.wait()
        deadline = time.monotonic() + 5
        while (processes := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        for each in processes:
            with contextlib.suppress(psutil.Error):
                left.append(" ".join(each.cmdline()[:4]))
                each.kill()
        return left


@contextlib.contextmanager
def chaos_server(
    folder: Path, *flags: str, env: dict[str, str] | None = None, stderr: int | None = None
) -> Iterator[ChaosServer]:
    """A server that serves; stopped at the end of the block, where nothing of it may be left."""
    folder.mkdir(parents=True, exist_ok=True)
    server = ChaosServer(folder, *flags, env=env, stderr=stderr)
    left: list[str] = []
    try:
        server.start()
        yield server
    finally:
        left = server.stop()
    if left:
        raise RuntimeError(f"left behind: {', '.join(left)}")
