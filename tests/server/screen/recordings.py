"""Output of real programs, recorded on a pseudo-terminal while keys are typed and the window changes its size."""

from __future__ import annotations

import fcntl
import os
import pathlib
import pty
import select
import shutil
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.server.screen.oracle import Event, Resize

SIZE = Resize(80, 24)
OTHER_SIZES = (Resize(60, 20), Resize(100, 30))
SOURCE = pathlib.Path(__file__).parents[3] / "src/web_terminal_suite/server/session.py"
ROOT = SOURCE.parents[3]
MOST_BYTES = 120_000

# A program has drawn what a key causes when it writes nothing for this long; a recording needs no more than that.
QUIET_SECONDS = 0.12
MOST_SECONDS = 1.5


class Program(NamedTuple):
    """A command, and what is typed: text, or a size that the window takes."""

    name: str
    argv: Sequence[str]
    keys: Sequence[str | Resize]


_PROGRESS = """
for i in range(200):
    print(f"\\r\\x1b[32m{'█' * (i // 4):50}\\x1b[m {i / 2:5.1f} % done", end="", flush=True)
"""
_TMUX = ("tmux", "-L", f"recording-{os.getpid()}", "-f", "/dev/null", "new", "-x", "80", "-y", "24", "bash --norc")
_LOG = ("git", "-c", "color.ui=always", "-C", str(ROOT), "log", "--graph", "--stat", "-n", "60")
PROGRAMS = (
    Program("vim", ("vim", "-u", "NONE", "-N", "--cmd", "syntax on", str(SOURCE)), (
        "\x06", ":split\r", "/def\r", "n", "3dd", "u", "ihello \x1b", ":set number\r", "\x06", ":only\r", "gg", "G",
        "v}", "\x1b", ":q!\r")),
    Program("vim with resizes", ("vim", "-u", "NONE", "-N", "--cmd", "syntax on", str(SOURCE)), (
        "\x06", ":vsplit\r", "/self\r", OTHER_SIZES[1], "\x06", "G", ":q!\r", ":q!\r")),
    Program("less", ("less", "-N", str(SOURCE)), (" ", " ", "/def\r", "n", "b", "G", "g", "\x1b[C", "-S", "q")),
    Program("less with resizes", ("less", "-R", str(SOURCE)), (
        " ", OTHER_SIZES[0], " ", OTHER_SIZES[1], "b", SIZE, "q")),
    Program("git log", _LOG, (" ", " ", "q")),
    Program("git diff", ("git", "-c", "color.ui=always", "--no-pager", "-C", str(ROOT), "log", "-p", "-n", "3"), ()),
    Program("man", ("man", "ls"), (" ", " ", "/size\r", "n", "q")),
    Program("top", ("top", "-d", "0.3"), ("1", "c", "M", OTHER_SIZES[1], "f", "q", "q")),
    Program("htop", ("htop",), ("t", "\x1b[B", "\x1b[B", OTHER_SIZES[1], "F6", "\x1b", "q")),
    Program("tmux", _TMUX, (
        "ls -la --color /\r", "\x02%", "seq 50\r", "\x02\"", "ls /etc\r", "\x02o", "\x02[", "\x1b[5~", "q", "\x02z",
        OTHER_SIZES[1], "echo done\r", "\x02d")),
    Program("bash", ("bash", "--norc"), (
        "ls --color=always -R /usr/share/doc | head -80\r", "echo " + "long words " * 12, "\x01", "\x05", "\x1b[D" * 30,
        "\x17", "\r", OTHER_SIZES[0], "seq 60\r", OTHER_SIZES[1], "\x12seq", "\r", SIZE,
        "printf '\\033[31mred \\u4f60\\u597d\\033[m'\r", "exit\r")),
    Program("progress bar", ("python3", "-c", _PROGRESS), ()),
    Program("nano", ("nano", str(SOURCE)), ("\x16", "hello", "\x17def\r", OTHER_SIZES[1], "\x18", "n")),
    Program("mc", ("mc", "-d"), ("\t", "\x1b[B", "\x1b[B", "\r", OTHER_SIZES[1], "\x1b0")),
    Program("emacs", ("emacs", "-nw", "-Q", str(SOURCE)), (
        "\x16", "\x13def", "\x18" + "2", OTHER_SIZES[1], "\x18\x03")),
)  # fmt: skip


def available() -> list[Program]:
    """Those of the programs that this machine has."""
    return [program for program in PROGRAMS if shutil.which(program.argv[0]) is not None]


def record_all(programs: Sequence[Program], home: pathlib.Path) -> dict[str, list[Event]]:
    """What each wrote; programs run side by side, since they mostly wait."""
    with ThreadPoolExecutor(len(programs)) as pool:
        recorded = pool.map(lambda each: record(each, home), programs)
        return dict(zip([each.name for each in programs], recorded, strict=True))


def record(program: Program, home: pathlib.Path) -> list[Event]:
    """Output and sizes of the window in their order."""
    master, slave = pty.openpty()
    _set_size(master, SIZE)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
        "PS1": "$ ", "PAGER": "less -R", "LESS": "-R", "LESSHISTFILE": "-",
    }  # fmt: skip
    process = subprocess.Popen(
        program.argv, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=home, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(slave)
    events: list[Event] = []
    try:
        _gather(master, events)
        for key in program.keys:
            if isinstance(key, Resize):
                _set_size(master, key)
                events.append(key)
            else:
                os.write(master, key.encode())
            _gather(master, events)
    except OSError:
        pass  # EIO: the program has ended, and nothing more can be typed
    finally:
        _end(process)
        os.close(master)
    return _limited(events)


def _set_size(master: int, size: Resize) -> None:
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.cols, 0, 0))


def _gather(master: int, events: list[Event]) -> None:
    ends = time.monotonic() + MOST_SECONDS
    while (left := ends - time.monotonic()) > 0:
        # The first byte may take as long as the program takes to start.
        if not select.select([master], [], [], min(left, QUIET_SECONDS) if events else left)[0]:
            return
        events.append(os.read(master, 65536))


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGHUP)
        process.wait(timeout=1)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()


def _limited(events: list[Event]) -> list[Event]:
    kept: list[Event] = []
    left = MOST_BYTES
    for event in events:
        if isinstance(event, bytes):
            event = event[:left]
            left -= len(event)
        kept.append(event)
    return kept
