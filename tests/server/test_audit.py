"""The audit log: every event leaves its line, whatever a client sends a line stays one, and fail2ban can read it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TOKEN, serving
from tests.server.raw import http, ready, websocket
from web_terminal_suite.server.audit import REFUSALS, AuditFailed, AuditLog, line_of

ANN, BOB, EVE = "ann-token-0123456789", "bob-token-0123456789", "eve-token-0123456789"
USERS = f'[users.ann]\ntoken = "{ANN}"\n[users.bob]\ntoken = "{BOB}"\n[users.eve]\ntoken = "{EVE}"\nrole = "viewer"\n'
DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "operations.md"
SECONDS = 20


class Audited:
    """A server with users that writes an audit log into a file."""

    def __init__(self, server, path: pathlib.Path) -> None:
        self.server = server
        self.port = server.port
        self.path = path

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    async def line(self, event: str, **fields: object) -> dict[str, object]:
        """The line of an event, as soon as it is there: detaching and ending are not answered."""
        async with asyncio.timeout(SECONDS):
            while True:
                for line in self.lines():
                    if line["event"] == event and all(line.get(name) == value for name, value in fields.items()):
                        return line
                await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    directory = tmp_path_factory.mktemp("audit")
    config = directory / "config.toml"
    config.write_text(USERS)
    config.chmod(0o600)
    flags = ("--config", str(config), "--audit-log", str(directory / "audit.log"))
    with serving(*flags, "--login-attempts-per-minute", "12") as server:
        yield Audited(server, directory / "audit.log")


async def login(server, token: str):
    return await http(server, "POST", "/api/v1/login", body=json.dumps({"token": token}).encode())


@contextlib.asynccontextmanager
async def attached(audited, token: str, **attach: object):
    """A WebSocket that is in a session, and the session's id."""
    async with ready(audited, token=token) as client:
        client.say(type="attach", **attach)
        yield client, (await client.heard("attached"))["session"]


# --- what a line is


@given(st.dictionaries(st.text(max_size=30), st.text(max_size=400)), st.floats(0, 2e9))
def test_a_line_is_one_line_of_printable_ascii_whatever_a_client_sends(fields, seconds):
    line = line_of("refused", seconds, {f"x{name}": value for name, value in fields.items()})
    assert re.fullmatch(rb"[ -~]+", line)
    found = json.loads(line)
    assert list(found)[:2] == ["time", "event"]
    assert {name: value[:200] for name, value in fields.items()} == {
        name[1:]: value for name, value in found.items() if name not in ("time", "event")
    }


def test_the_time_is_utc_with_milliseconds():
    assert line_of("login", 1.5, {}) == b'{"time":"1970-01-01T00:00:01.500Z","event":"login"}'


# --- where it goes


def test_a_file_is_the_accounts_own_and_is_made_again_after_a_rotation(tmp_path):
    path = tmp_path / "audit.log"
    log = AuditLog(str(path))
    log.note("login", user="ann")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "audit.log.1")
    log._destination._look_at = 0.0
    log.note("logout", user="ann")
    log.close()
    assert json.loads((tmp_path / "audit.log.1").read_text())["event"] == "login"
    assert json.loads(path.read_text())["event"] == "logout"


def test_another_file_in_its_place_is_written_to_as_well(tmp_path):
    path = tmp_path / "audit.log"
    log = AuditLog(str(path))
    log.note("logout")
    path.unlink()
    path.touch()
    log._destination._look_at = 0.0
    log.note("login")
    log.close()
    assert json.loads(path.read_text())["event"] == "login"


def test_a_place_that_is_away_for_a_while_loses_its_lines_and_nothing_else(tmp_path, caplog):
    log = AuditLog(str(tmp_path / "away" / "audit.log"))
    log.note("login")
    assert caplog.messages == ["1 lines of the audit log were lost: no such file or directory"]
    (tmp_path / "away").mkdir()
    log.note("logout")
    log.close()
    assert json.loads((tmp_path / "away" / "audit.log").read_text())["event"] == "logout"


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(AuditFailed, match=f"audit log '{tmp_path}/none/audit': no such file or directory"):
        AuditLog(f"{tmp_path}/none/audit").check()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_reported_once_and_ends_nothing(caplog):
    log = AuditLog("/dev/full")
    with caplog.at_level(logging.ERROR, "web_terminal_suite.audit"):
        for _ in range(3):
            log.note("login")
    log.close()
    assert caplog.messages == ["1 lines of the audit log were lost: no space left on device"]


def test_the_journal_gets_a_datagram_with_the_line(tmp_path):
    path = str(tmp_path / "journal")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        log = AuditLog("journal", path)
        log.note("login", user="an\nn")
        log.close()
        fields = journal.recv(4096).decode().splitlines()
    assert fields[:2] == ["PRIORITY=6", "SYSLOG_IDENTIFIER=web-terminal-audit"]
    assert json.loads(fields[2].removeprefix("MESSAGE="))["user"] == "an\nn"
    assert len(fields) == 3


def test_stderr_and_none(capfd):
    for place in ("stderr", "none"):
        log = AuditLog(place)
        log.note("login", user=place)
        log.close()
    assert [json.loads(line)["user"] for line in capfd.readouterr().err.splitlines()] == ["stderr"]


def test_refusals_have_a_bound_and_the_next_line_says_how_many_are_missing(tmp_path):
    path = tmp_path / "audit.log"
    log = AuditLog(str(path))
    for _ in range(REFUSALS + 500):
        log.note("refused", reason="wrong token")
    log.note("login", user="ann")
    log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    refused, last = lines[:-1], lines[-1]
    assert REFUSALS <= len(refused) <= REFUSALS + 100
    assert last["event"] == "login"
    assert len(refused) + last["suppressed"] + sum(each.get("suppressed", 0) for each in refused) == REFUSALS + 500


# --- every event


async def test_logins_and_logouts_leave_a_line_however_they_are_done(audited):
    answer = await login(audited, ANN)
    cookie = answer.header("set-cookie").split(";")[0]
    line = await audited.line("login", user="ann", how="login")
    assert line | {"time": ""} == {
        "time": "", "event": "login", "address": "127.0.0.1", "user": "ann", "role": "user", "session": "",
        "how": "login",
    }  # fmt: skip
    await http(audited, "POST", "/api/v1/logout", headers={"Cookie": cookie})
    await audited.line("logout", user="ann", role="user", address="127.0.0.1")
    async with websocket(audited, token=None) as client:
        client.say(type="authenticate", token=EVE)
        await client.heard("authenticated")
    await audited.line("login", user="eve", role="viewer", how="message")
    async with websocket(audited, token=BOB):
        await audited.line("login", user="bob", how="handshake")


async def test_a_session_leaves_a_line_for_each_thing_that_is_done_to_it(audited):
    async with attached(audited, ANN) as (ann, session):
        made = await audited.line("create", session=session, user="ann", owner="ann", address="127.0.0.1")
        assert made["program"] == "/bin/sh"
        assert made["pid"] > 0
        await audited.line("attach", session=session, user="ann", mode="write")
        ann.say(type="resize", cols=90, rows=30)
        ann.say(type="signal", name="SIGWINCH")
        await audited.line("signal", session=session, user="ann", signal="SIGWINCH")
        # Her own window is hers; the owner's window on her session is another's.
        assert not [line for line in audited.lines() if line["event"] == "resize"]
        async with attached(audited, TOKEN, session=session) as (owner, _):
            owner.say(type="resize", cols=100, rows=30)
            owner.say(type="resize", cols=101, rows=30)
            await audited.line("resize", session=session, user="owner", owner="ann")
        await audited.line("detach", session=session, user="owner")
        assert len([line for line in audited.lines() if line["event"] == "resize"]) == 1
    await audited.line("detach", session=session, user="ann")
    path = f"/api/v1/sessions/{session}"
    await http(audited, "PATCH", path, token=TOKEN, body=b'{"name":"x\\u2028y"}')  # not printable: refused
    await http(audited, "PATCH", path, token=TOKEN, body=b'{"name":"built","cols":50}')
    assert (await audited.line("rename", session=session))["name"] == "built"
    assert (await audited.line("resize", session=session, cols=50))["user"] == "owner"
    await http(audited, "POST", f"{path}/signal", token=ANN, body=b'{"name":"SIGWINCH"}')
    await http(audited, "DELETE", path, token=TOKEN)
    ended = await audited.line("end", session=session)
    assert (ended["user"], ended["role"], ended["owner"], ended["reason"]) == ("owner", "owner", "ann", "destroyed")


async def test_a_shell_that_ends_by_itself_is_ended_by_nobody(audited):
    async with attached(audited, BOB) as (bob, session):
        bob.say(type="input", data="exit 3\r")
        ended = await audited.line("end", session=session)
    assert (ended["user"], ended["owner"], ended["reason"], ended["status"]) == ("", "bob", "exited", 3)


async def test_what_a_role_does_not_allow_leaves_a_line(audited):
    async with attached(audited, ANN) as (_, session):
        path = f"/api/v1/sessions/{session}"
        assert (await http(audited, "DELETE", path, token=EVE)).status == 403
        assert (await http(audited, "GET", path, token=BOB)).status == 404
        assert (await http(audited, "POST", "/api/v1/sessions", token=EVE, body=b"{}")).status == 403
        await audited.line("refused", session=session, user="eve", owner="ann", reason="DestroySession: forbidden")
        await audited.line("refused", session=session, user="bob", owner="ann", reason="GetSession: no_such_session")
        await audited.line("refused", user="eve", reason="user 'eve' may only view sessions")
    assert (await http(audited, "GET", f"/api/v1/sessions/{'0' * 25}", token=BOB)).status == 404
    assert (await http(audited, "DELETE", path, token=ANN)).status == 204


async def test_ten_wrong_tokens_are_ten_lines_and_no_line_has_a_token(audited):
    wrong = "hunter2-hunter2-hunter2"
    before = len(audited.lines())
    for number in range(10):
        if number % 3 == 0:
            await login(audited, f"{wrong}{number}")
        elif number % 3 == 1:
            await http(audited, "GET", "/api/v1/me", token=f"{wrong}{number}")
        else:
            async with websocket(audited, token=None) as client:
                client.say(type="authenticate", token=f"{wrong}{number}")
                await client.closed()
    lines = audited.lines()[before:]
    assert [line["reason"] for line in lines if line["event"] == "refused"] == ["wrong token"] * 10
    assert {line["how"] for line in lines} == {"login", "request", "message"}
    text = audited.path.read_text()
    for secret in (wrong, TOKEN, ANN, BOB, EVE):
        assert secret not in text


async def test_headers_cannot_forge_a_line(audited):
    forged = '","address":"192.0.2.66"}\\n{"time":"2026-01-01T00:00:00Z","event":"login"'
    await http(audited, "POST", "/api/v1/login", body=b"{}", headers={"Origin": forged})
    async with websocket(audited, token=ANN, headers={"Host": "evil.example\x85x"}) as client:
        assert client.answer.status in (400, 403)
    line = await audited.line("refused", how="request", address="127.0.0.1")
    assert all(each["address"] in ("127.0.0.1", "") for each in audited.lines())
    assert line["user"] == ""


async def test_behind_a_proxy_lines_name_the_client_and_its_user(tmp_path):
    """A stranger's own header changes no address, or it could ban others."""
    path = tmp_path / "audit.log"
    flags = ("--trusted-proxy", "127.0.0.1", "--user-header", "X-Forwarded-User", "--audit-log", str(path))
    ann = {"X-Forwarded-For": "192.0.2.9, 192.0.2.7", "X-Forwarded-User": "ann"}
    with serving(*flags) as server:
        behind = Audited(server, path)
        await http(behind, "GET", "/api/v1/me", token="wrong-token", headers={"X-Forwarded-For": "192.0.2.1"})
        body = json.dumps({"token": "wrong-token"}).encode()
        await http(behind, "POST", "/api/v1/login", body=body, headers={"X-Forwarded-For": "192.0.2.2"})
        async with websocket(behind, token="wrong-token", headers={"X-Forwarded-For": "192.0.2.3"}) as client:
            assert client.answer.status == 403
        async with websocket(behind, token=None, headers={"X-Forwarded-For": "192.0.2.4"}) as client:
            client.say(type="authenticate", token="wrong-token")
            await client.closed()
        for address, how in (("1", "request"), ("2", "login"), ("3", "handshake"), ("4", "message")):
            await behind.line("refused", address=f"192.0.2.{address}", how=how, reason="wrong token")
        async with ready(behind, token=None, headers=ann) as client:
            client.say(type="attach")
            session = (await client.heard("attached"))["session"]
            who = {"user": "ann", "address": "192.0.2.7"}
            await behind.line("login", how="handshake", role="user", **who)
            for event in ("create", "attach"):
                await behind.line(event, session=session, owner="ann", **who)
            assert (await http(behind, "DELETE", f"/api/v1/sessions/{session}", headers=ann)).status == 204
            await behind.line("end", session=session, reason="destroyed", **who)
    assert {str(line["address"]) for line in behind.lines()} <= {f"192.0.2.{number}" for number in (1, 2, 3, 4, 7)}


def test_input_and_output_are_not_in_it(audited):
    async def type_it() -> None:
        async with attached(audited, ANN) as (ann, _):
            ann.say(type="input", data="echo se''cret-output; exit\r")
            await ann.heard("process_exited")

    asyncio.run(type_it())
    assert "secret" not in audited.path.read_text()
    assert "se''cret" not in audited.path.read_text()


# --- settings


def test_a_place_that_cannot_be_written_ends_the_start_with_one_sentence(tmp_path):
    command = ["web_terminal_suite", "serve", "--port", "0", "--audit-log"]
    for place, said in (
        (f"{tmp_path}/none/a", f"audit log '{tmp_path}/none/a': no such file or directory"),
        ("syslog", "audit_log = 'syslog' is neither stderr, journal nor none, and no path: that has a slash"),
    ):
        done = subprocess.run([sys.executable, "-m", *command, place], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0
        assert said in done.stderr


# --- fail2ban


@pytest.mark.skipif(shutil.which("fail2ban-regex") is None, reason="needs fail2ban-regex (Debian: fail2ban)")
async def test_the_documented_filter_finds_wrong_tokens_and_nothing_else(audited, tmp_path):
    await login(audited, "wrong-token-0123456789")
    forged = '","event":"refused","address":"192.0.2.66","user":"","role":"","session":"","how":"login","reason":"wrong'
    await http(audited, "POST", "/api/v1/login", body=b"{}", headers={"Origin": forged})
    expected = sum(
        line["event"] == "refused" and (line["reason"] == "wrong token" or "failed logins" in str(line["reason"]))
        for line in audited.lines()
    )
    assert expected
    block = re.search(r"```ini\n(\[Definition\]\n.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert block is not None
    rules = tmp_path / "web-terminal.conf"
    rules.write_text(block[1])
    done = await asyncio.to_thread(
        subprocess.run,
        ["fail2ban-regex", "--print-all-matched", str(audited.path), str(rules)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert f"{expected} matched" in done.stdout, done.stdout
    assert "192.0.2.66" not in re.sub(r"\\", "", done.stdout).split("Matched line(s)")[0]
