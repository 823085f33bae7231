"""Real processes on real terminals for unit tests: read to a marker or to the end, then reaped."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import TYPE_CHECKING

from web_terminal_suite.server.pty import Pty, SpawnRequest, spawn

if TYPE_CHECKING:
    from collections.abc import Iterator

GUARD_SECONDS = 20.0
ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@contextlib.contextmanager
def running(*argv: str, **fields) -> Iterator[Pty]:
    """``argv`` on a terminal; killed and reaped at the end, whatever happened."""
    fields.setdefault("env", ENVIRONMENT)
    pty = spawn(SpawnRequest(argv=argv, **fields))
    try:
        yield pty
    finally:
        pty.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pty.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pty.pid, 0)


def read_until(pty: Pty, marker: bytes | None) -> bytes:
    """All output up to ``marker`` (included), or to the end where it is ``None``."""
    poll = select.poll()
    poll.register(pty.fd, select.POLLIN)
    data = bytearray()
    buffer = bytearray(65536)
    while marker is None or marker not in data:
        assert poll.poll(GUARD_SECONDS * 1000), f"nothing more came after {bytes(data)!r}"
        try:
            count = pty.read_into([memoryview(buffer)])
        except BlockingIOError:
            continue
        if count == 0:
            assert marker is None, f"the end came before {marker!r}: {bytes(data)!r}"
            break
        data += buffer[:count]
    return bytes(data)


def output_of(script: str, **fields) -> str:
    """What a shell script prints on its terminal, with plain newlines; the script has ended and is reaped."""
    with running("/bin/sh", "-c", script, **fields) as pty:
        data = read_until(pty, None)
    return data.decode().replace("\r\n", "\n")
