"""Servers for tests: the real command, on a free port, ended whole. Shared where a test leaves them as they were."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import hypothesis
import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = (
    "tests.plugins.clean_signals",
    "tests.plugins.coverage_floors",
    "tests.plugins.not_run",
    "tests.plugins.second_runs",
)

# Timing is judged in benchmarks: on a busy machine any example may take long.
hypothesis.settings.register_profile("shared", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("shared")


@pytest.fixture(autouse=True)
def _a_pipe_of_no_stated_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever started the tests may have set it; reports on a pipe are as wide as it says."""
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


TOKEN = "token-for-tests-0123456789"
_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass
class Serving:
    """A server that answers. ``log`` grows as it writes to stderr."""

    process: subprocess.Popen[str]
    url: str
    log: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.split("//")[1].split("/")[0].rsplit(":", 1)[1])

    @property
    def origin(self) -> str:
        return self.url.split("/#")[0].rstrip("/")

    def children(self, module: str) -> list[psutil.Process]:
        """The server's own processes that run ``module``."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if any(module in word for word in child.cmdline()):
                    found.append(child)
        return found

    @property
    def workers(self) -> list[psutil.Process]:
        return self.children("server.worker")

    @property
    def host(self) -> psutil.Process:
        return self.children("server.host")[0]


@contextlib.contextmanager
def serving(
    *flags: str, env: dict[str, str] | None = None, python: str = sys.executable, stderr: int = subprocess.PIPE
) -> Iterator[Serving]:
    """A server with ``flags``; after it no process of its tree is left, shells included.

    ``stderr`` is a descriptor that its log goes to instead of ``Serving.log``.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    # Tests look into a server's processes, which only root may otherwise.
    environment |= {"WEB_TERMINAL_TOKEN": TOKEN, "WEB_TERMINAL_INSPECTABLE": "true", "PS1": "$ "} | (env or {})
    environment = {name: value for name, value in environment.items() if value}
    process = subprocess.Popen(
        [python, "-m", "web_terminal_suite", "serve", "--port", "0", "--shell", "/bin/sh", *flags],
        stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    log: list[str] = []
    lines = iter(process.stderr.readline, "") if process.stderr is not None else ()
    reader = threading.Thread(target=lambda: log.extend(lines), daemon=True)
    reader.start()
    guard = threading.Timer(_START_SECONDS, process.kill)
    guard.start()
    try:
        line = process.stdout.readline()
        guard.cancel()
        assert "://" in line, f"no URL but {line!r}; stderr: {''.join(log)}"
        url, token = line.split()[-1], environment.get("WEB_TERMINAL_TOKEN", "")
        # A configured token is never printed.
        yield Serving(process, f"{url}#token={token}" if token and "#" not in url else url, log)
    finally:
        guard.cancel()
        tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
            _gone, left = psutil.wait_procs(tree, timeout=5)
        finally:
            for each in psutil.Process().children():
                if each.pid == process.pid:
                    each.kill()
            process.stdout.close()
            reader.join()
            if process.stderr is not None:
                process.stderr.close()
        assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """One server for every test that leaves it as it was."""
    with serving() as each:
        yield each
