"""``web-terminal attach`` as a person uses it: on a real terminal, against a real server."""

from __future__ import annotations

import os
import signal
import sys
import termios

import pytest

from tests.conftest import serving
from tests.server.shells import read_until, running
from web_terminal_suite.protocol.messages import Size

ATTACH = (sys.executable, "-m", "web_terminal_suite", "attach")
# COLUMNS and LINES are what some other program set; the terminal's own size counts.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
ENVIRONMENT |= {"COLUMNS": "80", "LINES": "24"}


def seat(url: str, *flags: str):
    """The command on a terminal of its own."""
    return running(*ATTACH, url, *flags, env={**ENVIRONMENT, "TERM": "xterm"}, size=Size(91, 17))


def end_of(pty) -> int:
    """The command's exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(pty.pid, 0)[1])


def test_the_shell_s_output_size_and_exit_status_are_those_of_the_command(server):
    with seat(server.url) as here:
        read_until(here, b"$ ")
        here.write(b"stty size; printf '%s%s' com puted\r")
        text = read_until(here, b"computed")
        assert b"17 91" in text
        here.write(b"exit 7\r")
        assert end_of(here) == 7


def test_the_detach_key_leaves_the_session_running_and_the_terminal_as_it_was(server):
    with seat(server.url) as here:
        before = termios.tcgetattr(here.fd)
        read_until(here, b"$ ")
        here.write(b"left=behind; printf '%s%s' rea dy\r")
        read_until(here, b"ready")
        here.write(b"\x1d")
        session = read_until(here, None).rpartition(b"detached from ")[2].decode().strip()
        assert end_of(here) == 0
        assert termios.tcgetattr(here.fd) == before
    with seat(server.url, "--session", session) as again:
        read_until(again, b"ready")
        again.write(b'echo "<$left>"; exit\r')
        read_until(again, b"<behind>")
        assert end_of(again) == 0


def test_a_new_size_of_the_terminal_reaches_the_shell(server):
    with seat(server.url) as here:
        read_until(here, b"$ ")
        here.resize(Size(70, 11))
        # The size travels with a signal and a message; the shell is asked until it has it.
        here.write(b"while [ \"$(stty size)\" != '11 70' ]; do sleep 0.02; done; printf '%s%s' res ized\r")
        read_until(here, b"resized")
        here.write(b"exit\r")
        assert end_of(here) == 0


def test_a_killed_worker_is_survived():
    with serving() as server, seat(server.url) as here:
        read_until(here, b"$ ")
        here.write(b"kept=it; printf '%s%s' rea dy\r")
        read_until(here, b"ready")
        worker = server.workers[0]
        worker.send_signal(signal.SIGKILL)
        worker.wait(10)
        # What is typed before the line is back is not heard, so wait for a server that answers again.
        read_until(here, b"reconnected")
        here.write(b'echo "<$kept>"; exit\r')
        read_until(here, b"<it>")
        assert end_of(here) == 0


def test_queries_of_the_past_do_not_reach_the_terminal(server):
    with seat(server.url) as here:
        read_until(here, b"$ ")
        here.write(b"printf 'old%s\\033[6n\\033[c' er\r")
        # The terminal of this seat answers nothing: the query is seen.
        read_until(here, b"older\x1b[6n\x1b[c")
        here.write(b"\x1d")
        session = read_until(here, None).rpartition(b"detached from ")[2].decode().strip()
        assert end_of(here) == 0
    with seat(server.url, "--session", session) as again:
        assert b"\x1b[6n" not in read_until(again, b"older")
        again.write(b"\rprintf 'new%s\\033[6n' er\r")
        assert b"\x1b[c" not in read_until(again, b"newer\x1b[6n")
        again.write(b"exit\r")
        assert end_of(again) == 0


@pytest.mark.parametrize(
    ("flags", "told", "status"),
    [
        (["--detach-key", "F13"], b"F13", 2),
        (["--session", "no-such-session"], b"no-such-session", 1),
        (["--read-only"], b"--session", 2),
    ],
)
def test_bad_input_is_one_clear_sentence_and_a_status(server, flags, told, status):
    with seat(server.url, *flags) as here:
        (line,) = read_until(here, None).splitlines()
        assert line.startswith(b"web-terminal attach: ")
        assert told in line
        assert end_of(here) == status
