"""Where tokens and keys are not: in process lists, on standard output, in files and in memory that others can read."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
import time

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http, ready
from tests.server.test_lifecycle import until
from tests.server.test_supervisor_upgrade import upgrades
from web_terminal_suite.cli.command_line import masked
from web_terminal_suite.server.file_watch import FileWatch

ORDINARY = 65534
OTHERS = ["setpriv", f"--reuid={ORDINARY}", f"--regid={ORDINARY}", "--clear-groups", "--inh-caps=-all"]


# --- command lines


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--token", "abc", "x"], ["--token", "***", "x"]),
        (["--token=abc"], ["--token=***"]),
        (["http://h/#token=abc&x=1"], ["http://h/#token=***&x=1"]),
        (["ws://h/ws?token=a%20b#c"], ["ws://h/ws?token=*****#c"]),
        (["ttyd=http://ann:pass@h:1/x@y"], ["ttyd=http://********@h:1/x@y"]),
        (["--token"], ["--token"]),
        (["--token", "é"], ["--token", "**"]),
        (["--token-file", "name", "http://h/x"], ["--token-file", "name", "http://h/x"]),
    ],
)
def test_secrets_on_a_command_line_are_masked_byte_for_byte(words, shown):
    assert masked(words) == shown
    assert [len(os.fsencode(word)) for word in words] == [len(os.fsencode(word)) for word in shown]


def test_a_token_leaves_the_process_list_while_the_command_runs():
    secret = "secret-0123456789abcdef"
    master, slave = pty.openpty()
    url = f"http://127.0.0.1:9/#token={secret}"
    command = [sys.executable, "-m", "web_terminal_suite", "attach", url, "--token", secret]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        try:
            # It waits for no connection: port 9 is closed. What is asked is whether the last command line has it.
            deadline, seen = time.monotonic() + 30, []
            while time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    seen.append(" ".join(psutil.Process(process.pid).cmdline()))
        finally:
            process.kill()
    os.close(master)
    masked_ones = [line for line in seen if "*****" in line]
    assert masked_ones
    assert not any(secret in line for line in seen[seen.index(masked_ones[0]) :])


def test_no_process_of_a_server_shows_a_token():
    secret = "flag-token-0123456789"
    with serving("--token", secret, env={"WEB_TERMINAL_TOKEN": ""}) as server:
        supervisor = psutil.Process(server.process.pid)
        for each in [supervisor, *supervisor.children(recursive=True)]:
            assert secret not in " ".join(each.cmdline())
            assert secret not in json.dumps(each.environ())
        assert secret not in server.url
        assert secret not in "".join(server.log)


# --- standard output


def test_a_random_token_is_shown_on_a_terminal_only():
    with serving(env={"WEB_TERMINAL_TOKEN": ""}) as server:
        assert "#" not in server.url
    assert any("--token-file FILE" in line for line in server.log)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEB_TERMINAL_")}
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "web_terminal_suite", "serve", "--port", "0", "--audit-log", "none"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        while b"#token=" not in shown or not shown.endswith(b"\n"):
            shown += os.read(master, 4096)
        process.terminate()
        process.wait(30)
    os.close(master)
    assert re.search(rb"listening on http://127.0.0.1:\d+/#token=wt_[\w-]{43}\r\n", shown)


async def test_a_configured_token_is_never_shown(tmp_path):
    path = tmp_path / "token"
    with serving("--token-file", str(path), env={"WEB_TERMINAL_TOKEN": ""}) as server:
        token = path.read_text().strip()
        assert "#" not in server.url
        assert (await http(server, "GET", "/api/v1/me", token=token)).status == 200
        assert token not in "".join(server.log)


def test_a_config_with_tokens_that_others_can_read_is_remarked(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[users.ann]\ntoken = "ann-token-0123456789"\n')
    for mode, remarked in ((0o644, True), (0o600, False)):
        config.chmod(mode)
        with serving("--config", str(config)) as server:
            assert any("other accounts can read the tokens" in line for line in server.log) is remarked


# --- memory and descriptors


@pytest.fixture
def ordinary(tmp_path) -> str:
    """An interpreter of an ordinary account: root reads everything."""
    if os.geteuid():
        return sys.executable
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {" ".join(OTHERS)} {sys.executable} "$@"\n')
    python.chmod(0o755)
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    if subprocess.run([python, "-c", code], capture_output=True, check=False).returncode:
        pytest.skip(f"other accounts cannot run {sys.executable}; run the tests as an ordinary account")
    return str(python)


def readable(pid: int, what: str) -> bool:
    """Whether a process of the same ordinary account, such as a shell of the server, can read this of a process."""
    prefix = [] if os.geteuid() else OTHERS
    command = "ls" if what == "fd" else "cat"
    return subprocess.run([*prefix, command, f"/proc/{pid}/{what}"], capture_output=True).returncode == 0


async def test_a_shell_reads_neither_memory_nor_descriptors_of_the_server_also_after_an_upgrade(ordinary):
    with serving(python=ordinary, env={"HOME": "/", "WEB_TERMINAL_INSPECTABLE": ""}) as server:
        async with ready(server) as client:
            client.say(type="attach")
            await client.heard("attached")
            shell = (await client.heard("process_started"))["pid"]
            assert readable(shell, "fd")
            supervisor = psutil.Process(server.process.pid)
            for number in range(2):
                for process in (supervisor, server.host, *server.workers):
                    for what in ("fd", "environ", "smaps_rollup", "io"):
                        assert not readable(process.pid, what), (process, what)
                before = {each.pid for each in server.workers}
                server.process.send_signal(signal.SIGHUP)
                await until(lambda before=before: server.workers and not before & {each.pid for each in server.workers})
                await until(lambda number=number: upgrades(server) == number + 1)


async def test_an_inspectable_server_can_be_weighed(ordinary):
    with serving("--inspectable", python=ordinary, env={"HOME": "/", "WEB_TERMINAL_INSPECTABLE": ""}) as server:
        for process in (psutil.Process(server.process.pid), server.host, *server.workers):
            assert readable(process.pid, "smaps_rollup")


# --- files


def test_the_key_of_cookies_is_random_and_kept_in_the_state_directory_alone(tmp_path):
    for state, seen in ((tmp_path / "a", set()), (tmp_path / "b", set())):
        with serving("--state-dir", str(state)):
            path = state / "logins"
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert TOKEN.encode() not in path.read_bytes()
            seen.add(path.read_bytes())
    assert (tmp_path / "a" / "logins").read_bytes() != (tmp_path / "b" / "logins").read_bytes()


async def test_a_login_outlives_a_restart_where_there_is_a_state_directory(tmp_path):
    cookies = []
    port = "0"
    for number, flags in enumerate((("--state-dir", str(tmp_path)), ("--state-dir", str(tmp_path)), ())):
        with serving(*flags, "--port", port) as server:
            port = str(server.port)  # the cookie is named after it
            if not number:
                answer = await http(
                    server, "POST", "/api/v1/login", body=json.dumps({"token": TOKEN}).encode()
                )  # fmt: skip
                cookies.append(answer.header("set-cookie").split(";")[0])
            status = (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookies[0]})).status
            assert status == (401 if number == 2 else 200)


def test_a_watched_file_tells_of_every_change(tmp_path):
    path = tmp_path / "file"
    watch = FileWatch(str(path))
    try:
        assert not watch.changed()
        path.write_text("a")
        assert watch.changed()
        (tmp_path / "other").write_text("b")
        assert not watch.changed()
        path.chmod(0o600)
        assert watch.changed()
        (tmp_path / "other").rename(path)
        assert watch.changed()
        path.unlink()
        assert watch.changed()
        assert watch.fileno() >= 0
    finally:
        watch.close()
        watch.close()


def test_a_directory_that_cannot_be_watched_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        FileWatch(str(tmp_path / "none" / "file"))
