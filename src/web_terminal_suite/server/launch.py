"""What a process of the server is handed at its start: descriptors at fixed numbers, settings, a place to log."""

from __future__ import annotations

import ctypes
import gc
import logging
import mmap
import os
import resource
import sys

import msgspec

from web_terminal_suite.server import stderr
from web_terminal_suite.server.settings import ENVIRONMENT_PREFIX, Settings

# Descriptors every child finds open; 0 to 2 are the server's own.
SETTINGS_FD = 3
CONTROL_FD = 4
LISTENER_FD = 5
COUNTERS_FD = 6
FIRST_CHANNEL_FD = 7
"""A worker's to the first host; those to the others follow."""

_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_DUMPABLE = 4

# What supervisor and worker say to each other on the control socket. What begins with a brace is a ``ServerState``.
READY = b"ready"
ALIVE = b"alive"
"""The answer to a ``ServerState``."""
REPLACE = b"replace"
"""Leave; others serve on."""
STOP = b"stop"
"""Leave; the whole server stops."""
HOST = b"host "
"""With a host's number and a descriptor: your new channel to it."""
CREDENTIALS = b"credentials"
"""With a descriptor: what logins are checked against from now on. The first packet that a worker gets."""
LOGGED_OUT = b"logged out "
"""With the login's id and its ``EndedLogin``, to the supervisor: a login was given back."""
LOST = b"lost "
"""With a host's number, to the supervisor: the channel to it is closed."""
CONTROL_BYTES = 4096


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor knows of the server and a worker cannot see. Workers answer with ``ALIVE``."""

    workers: int
    """How many there should be."""
    serving: int
    silent_hosts: tuple[int, ...] = ()
    """Numbers of the PTY hosts that do not answer."""
    draining: bool = False
    """Whether no new sessions are taken."""
    ends_at: float | None = None
    """The monotonic second at which a draining server ends, which is the same in every process; ``None``: open."""

    def ends_in(self, now: float) -> float | None:
        """Seconds until a draining server ends."""
        return None if self.ends_at is None else max(0.0, self.ends_at - now)


def settings_memory(settings: Settings) -> int:
    """A memfd that holds the settings: secrets reach children without showing in ``ps`` or ``/proc/*/environ``."""
    return memory("web-terminal-settings", msgspec.json.encode(settings))


def memory(name: str, data: bytes) -> int:
    """A memfd that holds ``data``, which is not empty."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.ftruncate(fd, len(data))
    with mmap.mmap(fd, len(data)) as mapped:
        mapped[:] = data
    return fd


def content(fd: int) -> bytes:
    """What a memfd holds."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def read_settings(fd: int = SETTINGS_FD) -> Settings:
    """The settings in a descriptor this process was started with, which stays open."""
    return msgspec.json.decode(content(fd), type=Settings)


def with_descriptors() -> int:
    """Raise this process's limit of open descriptors as far as it may; what it was, which is the shells' own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ends (PR_SET_CHILD_SUBREAPER, prctl(2))."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def guard_memory(settings: Settings) -> None:
    """Keep other processes of the account from this one's memory, descriptors and environment (PR_SET_DUMPABLE,
    prctl(2)).

    Each process does so for itself, since the kernel forgets it at an ``execve``. What a process changes of itself in
    ``/proc`` it changes before.
    """
    if not settings.inspectable and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def close_descriptors(keep: int) -> None:
    """Close every descriptor above 2 but ``keep``: a forked process has all of its parent's."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and fd != keep:
                os.close(fd)
        except OSError:
            pass  # the directory's own descriptor, closed by now


def public_environment() -> dict[str, str]:
    """This process's environment without what configures the server, its token above all."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}


def log_to_stderr(level: str, process: str) -> None:
    """One line an event: time, level, process, text. Ids, offsets and sizes only; never keystrokes or tokens.

    What is not read is dropped in the end, see ``stderr``: logging never stops a process.
    """
    stderr.unblock()
    logging.basicConfig(
        force=True,  # a forked process has its parent's handler
        stream=sys.stderr,
        level=level.upper(),
        format=f"%(asctime)s %(levelname)-7s {process}[%(process)d] %(message)s",
    )


def show_command(*words: str) -> None:
    """Show ``words`` as this process's command line, as far as its first one leaves room (proc_pid_stat(5), 48 and 49).

    A forked process has its parent's, and tools find the server's processes by it.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end
    text = b"".join(os.fsencode(word) + b"\0" for word in words)
    ctypes.memmove(start, text[: end - start - 1].ljust(end - start, b"\0"), end - start)


def settle() -> None:
    """What was made so far stays, so the garbage collector need not look through it again and again.

    Most of a process's objects are its modules: without this each full collection stops it for milliseconds.
    """
    gc.collect()
    gc.freeze()


def give_back() -> None:
    """Return unused memory to the system; glibc keeps what lies between two pieces in use (malloc_trim(3))."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
