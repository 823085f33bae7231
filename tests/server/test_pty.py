"""Real processes on real pseudo-terminals."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from tests.server.shells import ENVIRONMENT, output_of, read_until, running
from web_terminal_suite.protocol.messages import ResourceLimits, Size
from web_terminal_suite.server.pty import Pty, SpawnFailed, SpawnRequest, open_terminal, spawn, usage


def open_descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_output_comes_whole_and_then_the_end():
    assert output_of("printf one; echo two") == "onetwo\n"


def test_output_of_a_process_that_ended_before_it_was_read_is_not_lost():
    with running("/bin/sh", "-c", "printf early") as pty:
        os.waitid(os.P_PID, pty.pid, os.WEXITED | os.WNOWAIT)
        assert read_until(pty, None) == b"early"


def test_a_large_output_comes_whole():
    lines = output_of("seq 1 50000").split()
    assert lines == [str(n) for n in range(1, 50001)]


def test_input_reaches_the_process_and_is_echoed_once():
    with running("cat") as pty:
        assert pty.write(b"hello\r") == 6
        assert read_until(pty, b"hello\r\nhello\r\n") == b"hello\r\nhello\r\n"


def test_an_erase_takes_a_whole_character():
    with running("cat") as pty:
        pty.write("a\u00e9\x7fb\r".encode())
        assert read_until(pty, b"\r\nab\r\n").endswith(b"\r\nab\r\n")


def test_input_that_does_not_fit_is_taken_in_part():
    with running("/bin/sh", "-c", "stty raw -echo; echo go; exec sleep 60") as pty:
        read_until(pty, b"go")
        taken = 0
        while count := pty.write(b"x" * 10000):
            taken += count
        assert 0 < taken < 10_000_000


def test_the_environment_is_what_was_asked_and_nothing_else():
    shown = output_of("env", env={"PATH": ENVIRONMENT["PATH"], "COLOUR": "bl\u00fce = x"})
    found = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in shown.splitlines()}
    assert found["COLOUR"] == "bl\u00fce = x"
    # dash and env add these themselves.
    assert set(found) <= {"PATH", "COLOUR", "PWD", "_", "SHLVL", "OLDPWD"}


def test_it_starts_in_the_directory_asked_for_and_leaves_ours_alone(tmp_path):
    before = os.getcwd()
    assert output_of("pwd -P", cwd=str(tmp_path)) == f"{tmp_path.resolve()}\n"
    assert os.getcwd() == before


def test_the_size_is_set_at_the_start_and_a_change_is_signalled():
    script = "stty size; trap 'stty size; exit' WINCH; echo set; while :; do sleep 0.05; done"
    with running("/bin/sh", "-c", script, size=Size(101, 31)) as pty:
        assert read_until(pty, b"set\r\n") == b"31 101\r\nset\r\n"
        pty.resize(Size(65535, 1))
        assert read_until(pty, None) == b"1 65535\r\n"


def test_it_leads_a_session_with_a_controlling_terminal():
    with running("/bin/sh", "-c", "echo to the terminal > /dev/tty; tty; exec sleep 60") as pty:
        shown = read_until(pty, b"pts/").split(b"\r\n")
        assert shown[0] == b"to the terminal"
        assert os.getsid(pty.pid) == pty.pid
        assert os.tcgetpgrp(pty.fd) == pty.pid


@pytest.mark.parametrize(("limits", "command"), [(None, "-sh"), (ResourceLimits(open_files=100), "/bin/sh -l")])
def test_a_login_shell_is_told_so(limits, command):
    with running("/bin/sh", login=True, limits=limits) as pty:
        os.write(pty.fd, b"tr '\\0' ' ' < /proc/$$/cmdline; exit\r")
        assert f"{command} " in read_until(pty, None).decode()


def test_closing_the_master_hangs_the_session_up():
    with running("/bin/sh", "-c", "echo up; exec sleep 60") as pty:
        read_until(pty, b"up")
        pty.close()
        assert os.waitstatus_to_exitcode(os.waitpid(pty.pid, 0)[1]) == -signal.SIGHUP
        pty.close()
        assert pty.fd == -1


def test_a_signal_reaches_the_foreground_group_and_not_the_shell_that_waits():
    script = "set -m; (trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.05; done); echo status $?"
    with running("/bin/sh", "-c", script) as pty:
        read_until(pty, b"ready")
        pty.signal(signal.SIGINT)
        assert b"caught\r\nstatus 3" in read_until(pty, None)


def test_a_signal_to_a_process_that_is_gone_is_no_error():
    with running("/bin/true") as pty:
        read_until(pty, None)
        os.waitpid(pty.pid, 0)
        pty.signal(signal.SIGTERM)


def test_no_descriptor_of_ours_is_inside_but_the_terminal():
    receiver, sender = os.pipe()
    try:
        shown = output_of("for fd in /proc/self/fd/*; do readlink $fd; done")
        assert f"pipe:[{os.fstat(sender).st_ino}]" not in shown
        assert sum("/dev/pts/" in line for line in shown.splitlines()) >= 3
        assert "socket:" not in shown
        assert "ptmx" not in shown
    finally:
        os.close(receiver)
        os.close(sender)


def test_a_host_closes_what_it_inherited():
    """Whatever is open where the server is started, or in the supervisor: neither the host nor a shell has it."""
    code = (
        "import os, socket\n"
        "from web_terminal_suite.server.launch import close_descriptors\n"
        "kept, other = socket.socketpair()\n"
        "handed = os.pipe()\n"
        "os.set_inheritable(handed[0], True)\n"
        "expected = {'0', '1', '2', str(kept.fileno())}\n"
        "close_descriptors(keep=kept.fileno())\n"
        "found = {each for each in os.listdir('/proc/self/fd') if os.path.exists('/dev/fd/' + each)}\n"
        "os.write(1, str(found == expected).encode())\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True", done.stderr


def test_ignored_and_blocked_signals_are_not_handed_down():
    """A server under nohup ignores SIGHUP, one started with & SIGINT; its shells must not."""
    code = (
        "import os, signal, sys\n"
        "for name in ('SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGPIPE', 'SIGTSTP', 'SIGTERM', 'SIGXFSZ'):\n"
        "    signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGCHLD})\n"
        "from tests.server.shells import output_of\n"
        "sys.stdout.write(output_of('grep -E \"^Sig(Blk|Ign)\" /proc/self/status'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=os.getcwd(),
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert done.returncode == 0, done.stderr
    masks = {name: int(mask, 16) for name, mask in (line.split(":\t") for line in done.stdout.splitlines())}
    # 32 and 33 are the C library's own, and nobody can set them.
    assert {name: mask & ~(3 << 31) for name, mask in masks.items()} == {"SigBlk": 0, "SigIgn": 0}


@pytest.mark.parametrize(
    ("limits", "question", "answer"),
    [
        (ResourceLimits(open_files=33), "ulimit -n", "33"),
        (ResourceLimits(cpu_seconds=77), "ulimit -t", "77"),
        (ResourceLimits(memory_bytes=512 << 20), "ulimit -v", str(512 << 10)),
        (ResourceLimits(file_bytes=1 << 20), "ulimit -f", str((1 << 20) // 512)),
        (ResourceLimits(processes=500), "grep processes /proc/self/limits | tr -s ' ' | cut -d ' ' -f 3,4", "500 500"),
    ],
)
def test_limits_hold_inside(limits, question, answer):
    assert output_of(question, limits=limits).strip() == answer


def test_a_limit_is_felt(tmp_path):
    script = "head -c 100000 /dev/zero > grown; echo status $?; wc -c < grown"
    shown = output_of(script, limits=ResourceLimits(file_bytes=8192), cwd=str(tmp_path))
    assert f"status {128 + signal.SIGXFSZ}\n8192\n" in shown


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"argv": ("/no/such/shell",)}, "shell_not_found", "'/no/such/shell' does not exist"),
        ({"argv": ("no-such-shell",)}, "shell_not_found", "in PATH"),
        ({"argv": ("/etc/passwd",)}, "shell_not_executable", "chmod"),
        ({"argv": ("/tmp",)}, "shell_not_executable", "directory"),
        ({"argv": ("/bin/sh",), "cwd": "/no/such/place"}, "bad_directory", "'/no/such/place': no such file"),
        ({"argv": ("/bin/sh",), "cwd": "/etc/passwd"}, "bad_directory", "not a directory"),
        ({"argv": ("/bin/sh",), "limits": ResourceLimits(open_files=0)}, "bad_limit", "nofile=0"),
        ({"argv": ("/bin/sh",), "limits": ResourceLimits(cpu_seconds=-1)}, "bad_limit", "cpu=-1"),
        ({"argv": ("/bin/sh", "a\0b")}, "bad_argument", "NUL"),
        ({"argv": ("/bin/\0sh",)}, "bad_argument", "NUL"),
        ({"argv": ("/bin/sh",), "cwd": "/\0"}, "bad_argument", "working directory"),
        ({"argv": ("/bin/sh",), "env": {"A": "\0"}}, "bad_environment", "'A'"),
        ({"argv": ("/bin/sh/x",)}, "shell_not_found", "/bin/sh/x"),
        ({"argv": ("/bin/sh",), "env": {"A=B": "x"}}, "bad_environment", "'A=B'"),
        ({"argv": ("/bin/sh",), "env": {"": "x"}}, "bad_environment", "''"),
        ({"argv": ("/bin/sh",), "env": {"A": "x" * 200_000}}, "environment_too_big", "E2BIG"),
    ],
)
def test_what_cannot_be_started_says_why_and_leaves_no_descriptor(fields, code, words):
    before, home = open_descriptors(), os.getcwd()
    for terminal in (None, open_terminal()):
        with pytest.raises(SpawnFailed) as failed:
            spawn(SpawnRequest(**{"env": ENVIRONMENT} | fields), terminal)
        assert failed.value.code == code
        assert words in failed.value.message
    assert open_descriptors() == before
    assert os.getcwd() == home


def test_no_descriptor_is_left_over_many_shells():
    before = open_descriptors()
    for _ in range(20):
        output_of("exit 3", limits=ResourceLimits(open_files=50), cwd="/")
    assert open_descriptors() == before


def test_a_closed_terminal_does_not_turn_writing_into_an_error():
    with running("/bin/true") as pty:
        assert read_until(pty, None) == b""
        assert pty.write(b"nobody reads this") in (0, 17)


def test_errors_that_are_not_an_end_are_not_hidden():
    with pytest.raises(OSError, match="Bad file descriptor") as raised:
        Pty(-1, 0).read_into([memoryview(bytearray(1))])
    assert raised.value.errno == errno.EBADF


def test_usage_counts_the_descendants_and_is_zero_once_they_are_gone():
    with running("/bin/sh", "-c", "sleep 60 & sleep 60 & echo two; wait") as pty:
        read_until(pty, b"two")
        now = usage(pty.pid)
        assert now.processes == 3
        assert now.memory_bytes > 0
        pid = pty.pid
    assert usage(pid).processes == 0
