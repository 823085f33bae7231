"""An upgrade in place: a process executes the installed code, which finds everything in a memfd.

The process stays the parent of its children, and every descriptor that is named stays open.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING

from web_terminal_suite.server import launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# What an interpreter needs to start, and a process of the server to watch its channels.
_NEEDED_DESCRIPTORS = 24


class CannotHandOver(Exception):
    """The process must go on as it is; the text says why."""


def execute(
    module: str,
    arguments: Sequence[str],
    state: Callable[[], bytes],
    kept: Sequence[int],
    signals: Sequence[signal.Signals],
) -> None:
    """Execute ``module`` with ``arguments`` and the number of a memfd with ``state``; returns only by an exception.

    ``signals`` are blocked before ``state`` is called. The descriptors ``kept`` stay open.

    Raises:
        CannotHandOver: it cannot be executed; nothing has changed.
    """
    _check_descriptors()
    with contextlib.ExitStack() as stack:
        try:
            memory = os.memfd_create("web-terminal-state")
            stack.callback(os.close, memory)
            stack.enter_context(_blocked(signals))
            with open(memory, "wb", closefd=False) as file:
                file.write(state())
            for fd in (*kept, memory):
                stack.callback(os.set_inheritable, fd, False)
                os.set_inheritable(fd, True)
            command = [sys.executable, "-m", module, *arguments, str(memory)]
            os.execve(sys.executable, command, launch.public_environment())
        except OSError as error:
            raise CannotHandOver(f"{sys.executable}: {(error.strerror or str(error)).lower()}") from error


def read_state(memory: int) -> bytes:
    """What the code before this left in ``memory``, which is closed."""
    data = os.pread(memory, os.fstat(memory).st_size, 0)
    os.close(memory)
    return data


def unblock(signals: Sequence[signal.Signals]) -> None:
    """Receive what came while the code was exchanged."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _check_descriptors() -> None:
    with contextlib.ExitStack() as stack:
        try:
            for _ in range(_NEEDED_DESCRIPTORS):
                stack.callback(os.close, fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3))
        except OSError as error:
            raise CannotHandOver(
                f"an upgrade needs {_NEEDED_DESCRIPTORS} descriptors; raise the limit with: ulimit -n"
            ) from error


@contextlib.contextmanager
def _blocked(signals: Sequence[signal.Signals]) -> Iterator[None]:
    """Not lost, and not fatal, while nobody handles them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        unblock(signals)
