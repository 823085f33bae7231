"""``web-terminal drain``: let a server take no new sessions and end with its last one."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import click

from web_terminal_suite.cli.exit_status import Subcommand, fail

_FAILED = 1
_SUPERVISOR = b"web_terminal_suite.server.supervisor"
# In a process that answers a question during an upgrade.
_ASKED = b"--takes-over"


@click.command(cls=Subcommand)
@click.argument("pid", type=int, required=False, help="The server's first process. (default: the only one there is)")
@click.option("--wait", is_flag=True, help="Return when the server has ended.")
def drain(pid: int | None, wait: bool) -> None:
    """Let a server take no new sessions, and end with its last one or at --drain-deadline.

    Sessions that are there live on, and can be left and attached to. Their pages show how long that goes on.
    SIGUSR1 to the server's first process does the same; SIGTERM stops it at once.
    """
    found = _only_server() if pid is None else pid
    try:
        process = os.pidfd_open(found)
    except OSError as error:
        fail(f"process {found}: {(error.strerror or str(error)).lower()}", _FAILED)
    try:
        # Looked at once its id can no longer become another's.
        if not _is_server(found):
            fail(f"process {found} is no server; give the process id of web-terminal serve", _FAILED)
        if not _catches(found, signal.SIGUSR1):
            # The signal would end it, and every shell with it.
            fail(f"server {found} cannot be drained: it is starting, or was started from an older version", _FAILED)
        try:
            signal.pidfd_send_signal(process, signal.SIGUSR1)
        except OSError as error:
            fail(f"server {found}: {(error.strerror or str(error)).lower()}", _FAILED)
        click.echo(f"server {found} takes no new sessions, and ends with the last one", err=True)
        if wait:
            select.select([process], [], [])  # a process descriptor is readable once its process has ended
    finally:
        os.close(process)


def _only_server() -> int:
    servers = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_server(entry.name)]
    if not servers:
        fail("no server of this user runs here; give its process id", _FAILED)
    if len(servers) > 1:
        fail(f"several servers run here: {', '.join(map(str, sorted(servers)))}; give the process id of one", _FAILED)
    return servers[0]


def _is_server(pid: int | str) -> bool:
    try:
        process = Path(f"/proc/{pid}")
        # Not the directory's owner: that is root's, since a server guards its memory.
        lines = (process / "status").read_text().splitlines()
        user = next(int(line.split()[1]) for line in lines if line.startswith("Uid:"))
        words = (process / "cmdline").read_bytes().split(b"\0")
        return user == os.geteuid() and _SUPERVISOR in words and _ASKED not in words
    except OSError:
        return False  # it has ended


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process handles a signal (proc_pid_status(5), SigCgt)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "SigCgt":
            return bool(int(value, 16) >> (number - 1) & 1)
    return False
