"""Paced output on real pseudo-terminals, in every shell that is installed."""

from __future__ import annotations

import shutil

import pytest

from web_terminal_suite.bench.load import paced_output
from web_terminal_suite.bench.terminals.processes import children
from web_terminal_suite.bench.terminals.raw_pty import ENVIRONMENT, local_pty
from web_terminal_suite.bench.workload.streams import LINE_ON_THE_WAY

SHELLS = [shell for shell in ("/bin/sh", "/bin/bash", "/bin/dash") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("lines", [1, 3])
def test_a_shell_prints_at_intervals_without_a_process_for_each(shell, lines):
    argv = (shell, "--norc", "--noprofile") if shell.endswith("bash") else (shell,)
    with local_pty(argv, {**ENVIRONMENT, "HISTFILE": "/dev/null"}) as pty:
        pty.wait_for(b"$ ")
        pty.write(paced_output.paced(lines, 1).encode() + b"\r")
        for _ in range(4 * lines):
            pty.wait_for(LINE_ON_THE_WAY)
        (loop,) = children(pty.pid)
        for _ in range(4 * lines):
            pty.wait_for(LINE_ON_THE_WAY)
        assert children(pty.pid) == [loop]
        assert children(loop) == []
        # An interrupt ends it, and the terminal is as before: input is read line by line.
        pty.write(b"\x03")
        pty.wait_for(b"$ ")
        pty.write(b"printf '%s%s' al ive; stty -a\r")
        pty.wait_for(b"alive")
        pty.wait_for(b"min = 1; time = 0")
        pty.wait_for(b" icanon")
        pty.write(b"exit\r")


@pytest.mark.parametrize(
    ("rate", "lines", "ticks"), [(1.0, 1, 10), (2.0, 1, 5), (10.0, 1, 1), (30.0, 3, 1), (0.1, 1, 100), (4.0, 1, 2)]
)
def test_a_rate_is_lines_per_interval(rate, lines, ticks):
    text = paced_output.steady(rate)
    assert f"-lt {lines} ]" in text
    assert f"time {ticks};" in text


def test_a_line_that_prints_fits_a_terminals_line():
    assert len(paced_output.bursts(100_000, paced_output.LONGEST_INTERVAL_SECONDS)) < 1024
