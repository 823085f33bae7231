"""Standard error that nobody reads: real pipes, sockets and terminals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from web_terminal_suite.server.stderr import WAITING_BYTES, UnblockedStderr

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE = b"%06d " + b"x" * 92 + b"\n"
LINES = 5_000


def pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    return reader, writer


def stream() -> tuple[int, int]:
    """As journald's."""
    near, far = socket.socketpair()
    return near.detach(), far.detach()


def terminal() -> tuple[int, int]:
    return os.openpty()


@pytest.fixture(params=[pipe, stream, terminal])
def ends(request) -> Iterator[tuple[int, int]]:
    """A reader and a writer."""
    reader, writer = request.param()
    try:
        yield reader, writer
    finally:
        for fd in (reader, writer):
            with contextlib.suppress(OSError):
                os.close(fd)


def read_now(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = bytearray()
    with contextlib.suppress(BlockingIOError):
        while piece := os.read(fd, 65536):
            data += piece
    return bytes(data).replace(b"\r\n", b"\n")


def test_what_is_not_read_is_kept_up_to_a_bound_then_dropped_and_counted(ends):
    reader, writer = ends
    stderr = UnblockedStderr(writer)
    for number in range(LINES):
        assert stderr.write(LINE % number) == 100
    seen = b""
    while piece := read_now(reader):
        seen += piece
        stderr.write(b"")  # what waits goes on with the next write
    stderr.write(b"the end\n")
    seen += read_now(reader)
    kept = re.findall(rb"^(\d{6}) x{92}$", seen, re.MULTILINE)
    (dropped,) = re.findall(rb"^(\d+) lines of the log were dropped", seen, re.MULTILINE)
    assert [int(number) for number in kept] == list(range(len(kept)))
    assert len(kept) + int(dropped) == LINES
    assert len(kept) * 100 >= WAITING_BYTES - 100
    assert seen.endswith(b"was not read\nthe end\n")
    os.set_blocking(writer, True)  # it was never another: whatever shares it, such as the user's shell, may rely on it


def test_the_descriptor_itself_still_blocks(ends):
    _reader, writer = ends
    UnblockedStderr(writer).write(b"x\n")
    assert os.get_blocking(writer)


def test_a_reader_that_is_gone_is_no_error(ends):
    reader, writer = ends
    stderr = UnblockedStderr(writer)
    os.close(reader)
    for _ in range(10):
        assert stderr.write(b"x\n") == 2


def test_a_file_gets_everything(tmp_path):
    with open(tmp_path / "log", "wb") as file:
        stderr = UnblockedStderr(file.fileno())
        for number in range(LINES):
            stderr.write(LINE % number)
    assert (tmp_path / "log").read_bytes() == b"".join(LINE % number for number in range(LINES))


@pytest.mark.parametrize("kind", [pipe, stream])
def test_a_process_logs_and_ends_though_nobody_reads(kind):
    """Also after a fork, and with the traceback of what ended it."""
    code = """
import logging, os
from web_terminal_suite.server import launch
launch.log_to_stderr("info", "parent")
if os.fork() == 0:
    os.closerange(3, 100)
    launch.log_to_stderr("info", "child")
    os.pipe(), os.pipe()
for number in range(3000):
    logging.info("line %d", number)
raise SystemExit(3) if os.getpid() != os.getpgrp() else RuntimeError("the end")
"""
    reader, writer = kind()
    process = subprocess.Popen([sys.executable, "-c", code], stderr=writer, process_group=0)
    os.close(writer)
    assert process.wait(30) == 1
    first = os.read(reader, 1000)
    os.close(reader)
    assert b"line 0" in first
