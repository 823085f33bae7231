"""Programs next to viewers that vanish or read no more: none stops for long, whatever the viewer's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.chaos.room import Row, main
from tests.chaos.server import chaos_server
from tests.conftest import TOKEN
from web_terminal_suite.client.connection import connect
from web_terminal_suite.client.dialects.native import NativeDialect
from web_terminal_suite.client.dialects.terminado import JupyterDialect
from web_terminal_suite.client.dialects.ttyd import TtydDialect
from web_terminal_suite.protocol.codec import Subprotocol

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from tests.chaos.room import Rows
    from web_terminal_suite.client.dialect import Dialect

OPTIONS = {"vanished_seconds": 45}
BAR_SECONDS = 10.0
_BAR = "never stops longer than 10 s"
# What a program writes at, unless it is stopped.
_BYTES_PER_SECOND = 2_000_000
_SETTLE_SECONDS = 3.0
_PROGRAM = f"""
import json, os, sys, time, tty
tty.setraw(0)
block, longest, last, began, written = b"x" * 4000, 0, time.monotonic(), time.monotonic(), 0
while True:
    written += os.write(1, block)
    now = time.monotonic()
    longest, last = max(longest, now - last), now
    with open(sys.argv[1] + ".new", "w") as file:
        json.dump([longest, last, written, os.getpid()], file)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(max(0, written / {_BYTES_PER_SECOND} - (now - began)))
"""


PROTOCOLS: dict[str, Callable[[], Dialect]] = {
    "binary": lambda: NativeDialect(Subprotocol.BINARY),
    "json": lambda: NativeDialect(Subprotocol.JSON),
    "ttyd": TtydDialect,
    "jupyter": JupyterDialect,
}
PATHS = {"ttyd": "/ttyd", "jupyter": "/jupyter"}


@contextlib.contextmanager
def far_network() -> Iterator[tuple[str, str, Callable[[], None]]]:
    """A network of its own: its name, this machine's address in it, and what makes everything in it vanish.

    Raises:
        PermissionError: this process may not make one.
    """
    if os.getuid() or not shutil.which("ip"):
        raise PermissionError("a network of its own needs root and ip(8)")
    name = f"wt{secrets.token_hex(3)}"
    subnet = f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        raise PermissionError(error.stderr.decode().strip()) from error
    try:
        ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name)
        ip("addr", "add", f"{subnet}.1/24", "dev", f"{name}a")
        ip("link", "set", f"{name}a", "up")
        ip("-n", name, "addr", "add", f"{subnet}.2/24", "dev", f"{name}b")
        ip("-n", name, "link", "set", f"{name}b", "up")
        yield name, f"{subnet}.1", lambda: ip("-n", name, "link", "set", f"{name}b", "down")
    finally:
        ip("netns", "delete", name)


async def measure(options: argparse.Namespace, rows: Rows) -> None:
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        (folder / "program").write_text(_PROGRAM)
        network = None
        try:
            network = stack.enter_context(far_network())
        except PermissionError as why:
            rows.add(Row("a viewer vanishes in a flood", _BAR, str(why), None))
        address = network[1] if network else "127.0.0.1"
        flags = ("--host", "0.0.0.0", "--allow-host", address, "--ttyd-path", PATHS["ttyd"])
        server = stack.enter_context(chaos_server(folder / "a", *flags, "--terminado-path", PATHS["jupyter"]))
        viewers = {}
        for protocol in PROTOCOLS:
            for fault in ("stalls", "vanishes") if network else ("stalls",):
                inside = network is not None and fault == "vanishes"
                report = folder / f"{protocol}-{fault}"
                url = f"http://{address if inside else '127.0.0.1'}:{server.port}{PATHS.get(protocol, '')}"
                place = ("ip", "netns", "exec", network[0]) if inside else ()
                viewer = (sys.executable, "-m", "tests.chaos.vanished", "--viewer", url, protocol, str(report))
                viewers[protocol, fault] = report, _start(*place, *viewer, str(folder / "program"))
        try:
            async with asyncio.timeout(60):
                while not all(report.exists() for report, _ in viewers.values()):
                    await asyncio.sleep(0.1)
            await asyncio.sleep(_SETTLE_SECONDS)
            if network is not None:
                network[2]()
            for (_, fault), (_, process) in viewers.items():
                if fault == "stalls":
                    process.send_signal(signal.SIGSTOP)
            stops = {key: _Stop(report) for key, (report, _) in viewers.items()}
            end = time.monotonic() + options.vanished_seconds
            while time.monotonic() < end:
                for stop in stops.values():
                    stop.look()
                await asyncio.sleep(0.1)
            for (protocol, fault), stop in stops.items():
                rows.add(_row(protocol, fault, stop))
        finally:
            for _, process in viewers.values():
                process.kill()
                process.wait()


def _start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


class _Stop:
    """How long one program stood still. With ttyd's protocol it ends with its viewer."""

    def __init__(self, report: Path) -> None:
        self._report = report
        self._began = time.monotonic()
        self.longest = 0.0
        self.written = 0
        self.ended_after: float | None = None

    def look(self) -> None:
        if self.ended_after is not None:
            return
        longest, last, self.written, pid = json.loads(self._report.read_text())
        if psutil.pid_exists(pid):
            self.longest = max(self.longest, longest, time.monotonic() - last)
        else:
            self.ended_after = time.monotonic() - self._began


def _row(protocol: str, fault: str, stop: _Stop) -> Row:
    what = "vanishes (its network is cut)" if fault == "vanishes" else "reads no more (its process is stopped)"
    measured = f"longest stop {stop.longest:.1f} s, {stop.written >> 20} MiB written"
    if stop.ended_after is not None:
        measured += f", ended with its viewer after {stop.ended_after:.0f} s"
    fine = stop.longest <= BAR_SECONDS and (stop.ended_after is None or protocol == "ttyd")
    return Row(f"a viewer that {what} in a flood, {protocol}", _BAR, measured, fine)


async def _view(url: str, protocol: str, report: str, program: str) -> None:
    """A viewer that reads and acknowledges until its end."""
    token = f"user:{TOKEN}" if protocol == "ttyd" else TOKEN
    async with connect(url, token=token, dialect=PROTOCOLS[protocol], timeout=30) as connection:
        await connection.attach()
        connection.input(f"exec {sys.executable} {program} {report}\r".encode())
        async for _ in connection:
            pass


if __name__ == "__main__":
    if sys.argv[1:2] == ["--viewer"]:
        asyncio.run(_view(*sys.argv[2:]))
    else:
        main()
