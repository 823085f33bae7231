"""Logins that end while sessions go on: logout, revoked and expired tokens, removed users, changed roles."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time

import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import Socket, http, ready, websocket
from tests.server.test_supervisor_upgrade import upgrade
from web_terminal_suite.server import launch, tokens_file
from web_terminal_suite.server.credential_store import CredentialStore
from web_terminal_suite.server.credentials import decode, digest_of, random_token
from web_terminal_suite.server.passwords import digest_of_password
from web_terminal_suite.server.settings import Settings

ANN, BOB = "ann-token-0123456789", "bob-token-0123456789"
WORKERS = 4
# What the server promises; the tests give a busy machine more.
SECONDS = 10.0


class Revocable:
    """A server of several workers, with a configuration and a tokens file that may change."""

    def __init__(self, folder, server) -> None:
        self.config = folder / "config.toml"
        self.tokens = str(folder / "tokens.json")
        self.server = server
        self.port = server.port

    def add(self, user: str, role: str = "user", seconds: float | None = None) -> tuple[str, str]:
        """A token of a user, and its id."""
        token = random_token()
        expires = None if seconds is None else time.time() + seconds
        return token, tokens_file.add(self.tokens, user, role, digest_of(token), expires).id


@pytest.fixture(scope="module")
def revocable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("revocation")
    config = folder / "config.toml"
    write_users(config)
    flags = ("--config", str(config), "--tokens-file", str(folder / "tokens.json"), "--workers", str(WORKERS))
    with serving(*flags, "--login-attempts-per-minute", "1000", "--audit-log", str(folder / "audit.log")) as server:
        yield Revocable(folder, server)


def write_users(config, ann: str = "user", *, bob: bool = True) -> None:
    text = f'[users.ann]\ntoken = "{ANN}"\nrole = "{ann}"\n' + (f'[users.bob]\ntoken = "{BOB}"\n' if bob else "")
    config.touch(mode=0o600)
    config.write_text(text)


async def usable(revocable, token: str) -> None:
    """A token of the file is good in every worker, which learn of it by themselves."""
    async with asyncio.timeout(SECONDS):
        good = 0
        while good < 3 * WORKERS:
            good = good + 1 if (await http(revocable, "GET", "/api/v1/me", token=token)).status == 200 else 0


@contextlib.asynccontextmanager
async def everywhere(revocable, *, token: str | None = None, cookie: str = ""):
    """WebSockets of a login, enough for several workers; the first is in a session, whose id comes with them."""
    async with contextlib.AsyncExitStack() as stack:
        headers = {"Cookie": cookie} if cookie else {}
        sockets: list[Socket] = [
            await stack.enter_async_context(ready(revocable, token=token, headers=headers)) for _ in range(3 * WORKERS)
        ]
        sockets[0].say(type="attach")
        session = (await sockets[0].heard("attached"))["session"]
        yield session, sockets
        assert (await http(revocable, "DELETE", f"/api/v1/sessions/{session}", token=TOKEN)).status == 204


async def cut(sockets: list[Socket]) -> tuple[set[int], float]:
    """How they were closed, and how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(SECONDS):
        codes = {(await each.closed())[0] for each in sockets}
    return codes, time.monotonic() - began


async def lives(revocable, session: str) -> bool:
    answer = await http(revocable, "GET", f"/api/v1/sessions/{session}", token=TOKEN)
    return answer.status == 200 and answer.json()["state"] == "running"


async def login(server, token: str):
    return await http(server, "POST", "/api/v1/login", body=json.dumps({"token": token}).encode())


async def logged_in(revocable, token: str) -> str:
    answer = await login(revocable, token)
    return answer.header("set-cookie").split(";")[0]


async def test_logging_out_ends_one_login_in_every_worker_and_no_session(revocable):
    cookie, other = await logged_in(revocable, ANN), await logged_in(revocable, ANN)
    async with (
        everywhere(revocable, cookie=cookie) as (session, sockets),
        everywhere(revocable, cookie=other) as (_, others),
    ):
        assert (await http(revocable, "POST", "/api/v1/logout", headers={"Cookie": cookie})).status == 204
        assert (await cut(sockets))[0] == {4001}
        for _ in range(3 * WORKERS):
            assert (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": cookie})).status == 401
            assert (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": other})).status == 200
        assert await lives(revocable, session)
        others[0].say(type="ping", id=1)
        await others[0].heard("pong")
    # A token is no login that can be given back.
    assert (await http(revocable, "POST", "/api/v1/logout", token=ANN)).status == 204
    assert (await http(revocable, "GET", "/api/v1/me", token=ANN)).status == 200


async def test_a_revoked_token_cuts_its_sockets_and_its_logins_within_a_second_ten_times(revocable):
    seconds = []
    for _ in range(10):
        token, id = revocable.add("tom")
        await usable(revocable, token)
        async with everywhere(revocable, token=token) as (session, sockets):
            removed = tokens_file.remove(revocable.tokens, id=id)
            codes, took = await cut(sockets)
            assert [each.id for each in removed] == [id]
            assert codes == {4001}
            seconds.append(took)
            assert (await http(revocable, "GET", "/api/v1/me", token=token)).status == 401
            assert await lives(revocable, session)
    print("seconds from revocation to the last close:", sorted(round(each, 3) for each in seconds))


async def test_a_login_ends_with_the_token_that_it_was_made_with(revocable):
    token, id = revocable.add("tom")
    await usable(revocable, token)
    cookie = await logged_in(revocable, token)
    async with everywhere(revocable, cookie=cookie) as (session, sockets):
        tokens_file.remove(revocable.tokens, id=id)
        assert (await cut(sockets))[0] == {4001}
        assert (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": cookie})).status == 401
        assert await lives(revocable, session)


async def test_a_token_that_expires_cuts_its_sockets(revocable):
    token, _ = revocable.add("tom", seconds=4)
    await usable(revocable, token)
    async with everywhere(revocable, token=token) as (session, sockets):
        assert (await cut(sockets))[0] == {4001}
        answer = await http(revocable, "GET", "/api/v1/me", token=token)
        assert (answer.status, answer.json()["message"]) == (401, "the token has expired")
        assert await lives(revocable, session)


async def test_sighup_reads_users_again_and_cuts_who_is_removed_or_has_another_role(revocable):
    ann, bob = await logged_in(revocable, ANN), await logged_in(revocable, BOB)
    async with (
        everywhere(revocable, cookie=ann) as (hers, anns),
        everywhere(revocable, cookie=bob) as (his, bobs),
    ):
        write_users(revocable.config, ann="viewer", bob=False)
        revocable.server.process.send_signal(signal.SIGHUP)
        assert (await cut(bobs))[0] == {4001}
        # The upgrade that follows moves who is still there to other workers, with another code.
        assert (await cut(anns))[0] <= {1013, 1012}
        assert (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": bob})).status == 401
        assert (await http(revocable, "GET", "/api/v1/me", token=BOB)).status == 401
        now = await http(revocable, "GET", "/api/v1/me", headers={"Cookie": ann})
        assert now.json() == {"user": "ann", "role": "viewer"}
        assert await lives(revocable, hers)
        assert await lives(revocable, his)
        write_users(revocable.config)


async def test_a_damaged_or_open_file_changes_nothing_and_is_said(revocable):
    token, _ = revocable.add("tom")
    await usable(revocable, token)
    path = revocable.config.parent / "tokens.json"
    whole = path.read_text()
    for damage, said in (("{", "is damaged"), ('{"version": 9, "tokens": []}', "has version 9")):
        path.write_text(damage)
        async with asyncio.timeout(SECONDS):
            while not any(said in line for line in revocable.server.log):
                await asyncio.sleep(0.01)
        assert (await http(revocable, "GET", "/api/v1/me", token=token)).status == 200
    path.write_text(whole)
    path.chmod(0o644)
    async with asyncio.timeout(SECONDS):
        while not any("is open to other accounts (mode 644" in line for line in revocable.server.log):
            await asyncio.sleep(0.01)
    path.chmod(0o600)
    await usable(revocable, token)


async def test_a_connection_that_has_not_logged_in_is_left_alone(revocable):
    token, id = revocable.add("tom")
    await usable(revocable, token)
    async with websocket(revocable, token=None) as stranger, ready(revocable, token=token) as client:
        tokens_file.remove(revocable.tokens, id=id)
        assert (await cut([client]))[0] == {4001}
        stranger.say(type="authenticate", token=TOKEN)
        await stranger.heard("authenticated")
    lines = [json.loads(line) for line in (revocable.config.parent / "audit.log").read_text().splitlines()]
    assert any(line["event"] == "revoke" and line["user"] == "tom" for line in lines)


# --- REST


async def test_owners_list_users_and_tokens_and_revoke_them(revocable):
    token, id = revocable.add("tom", "viewer", seconds=3600)
    await usable(revocable, token)
    users = (await http(revocable, "GET", "/api/v1/users", token=TOKEN)).json()
    assert {"user": "owner", "role": "owner", "tokens": 1} in users
    assert {"user": "tom", "role": "viewer", "tokens": 1} in users
    listed = (await http(revocable, "GET", "/api/v1/tokens", token=TOKEN)).json()
    (shown,) = [each for each in listed if each["id"] == id]
    assert (shown["user"], shown["role"], shown["kind"]) == ("tom", "viewer", "token")
    assert shown["expires"] == pytest.approx(time.time() + 3600, abs=60)
    assert set(shown) == {"id", "user", "role", "kind", "created", "expires"}
    async with ready(revocable, token=token) as client:
        assert (await http(revocable, "DELETE", f"/api/v1/tokens/{id}", token=TOKEN)).status == 204
        assert (await cut([client]))[0] == {4001}
    answer = await http(revocable, "DELETE", f"/api/v1/tokens/{id}", token=TOKEN)
    assert (answer.status, answer.json()["message"]) == (404, f"no token of the tokens file has the id {id!r}")


@pytest.mark.parametrize(("method", "path"), [("GET", "users"), ("GET", "tokens"), ("DELETE", "tokens/0123456789")])
async def test_nobody_else_sees_or_revokes_them(revocable, method, path):
    assert (await http(revocable, method, f"/api/v1/{path}", token=ANN)).status == 403


async def test_a_server_without_a_tokens_file_has_none_to_revoke(server):
    assert (await http(server, "GET", "/api/v1/tokens", token=TOKEN)).json() == []
    assert (await http(server, "DELETE", "/api/v1/tokens/0123456789", token=TOKEN)).status == 404


# --- passwords


async def test_a_password_logs_in_by_the_form_alone(revocable):
    digest = digest_of_password("correct horse battery")
    kept = tokens_file.add(revocable.tokens, "pat", "user", digest, None)
    async with asyncio.timeout(SECONDS):
        while True:
            answer = await login(revocable, "pat:correct horse battery")
            if answer.status == 200:
                break
    cookie = answer.header("set-cookie").split(";")[0]
    assert (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": cookie})).json()["user"] == "pat"
    for wrong in ("pat:correct horse batterz", "nobody:correct horse battery", "correct horse battery", digest):
        assert (await login(revocable, wrong)).status == 401, wrong
    assert (await http(revocable, "GET", "/api/v1/me", token="pat:correct horse battery")).status == 401
    tokens_file.remove(revocable.tokens, id=kept.id)
    async with asyncio.timeout(SECONDS):
        while (await http(revocable, "GET", "/api/v1/me", headers={"Cookie": cookie})).status != 401:
            pass


async def test_guesses_of_passwords_are_limited_and_do_not_hold_up_a_session(tmp_path):
    path = str(tmp_path / "tokens.json")
    tokens_file.add(path, "pat", "user", digest_of_password("correct horse battery"), None)
    with serving("--tokens-file", path, "--login-attempts-per-minute", "3") as server:
        answers = await asyncio.gather(*(login(server, f"pat:guess number {number}") for number in range(20)))
        assert {each.status for each in answers} <= {401, 429}
        assert 429 in {each.status for each in answers}
        assert (await login(server, "pat:correct horse battery")).status == 429


async def test_logins_and_revocation_go_on_over_an_upgrade(tmp_path):
    """Also of the supervisor, which executes other code in its process and has the credentials after it."""
    tokens = str(tmp_path / "tokens.json")
    config = tmp_path / "config.toml"
    write_users(config)
    with serving("--config", str(config), "--tokens-file", tokens, "--workers", "2") as server:
        revocable = Revocable(tmp_path, server)
        token, id = revocable.add("eve")
        async with asyncio.timeout(SECONDS):
            while (await http(server, "GET", "/api/v1/me", token=token)).status != 200:
                pass
        cookies = [await logged_in(revocable, each) for each in (token, ANN)]
        assert (await http(server, "POST", "/api/v1/logout", headers={"Cookie": cookies[1]})).status == 204
        await upgrade(server)
        for _ in range(6):
            assert (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookies[0]})).status == 200
            assert (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookies[1]})).status == 401
            assert (await http(server, "GET", "/api/v1/me", token=TOKEN)).status == 200
        tokens_file.remove(tokens, id=id)
        async with asyncio.timeout(SECONDS):
            while (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookies[0]})).status != 401:
                await asyncio.sleep(0.01)
        write_users(config, bob=False)
        server.process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(SECONDS):
            while (await http(server, "GET", "/api/v1/me", token=BOB)).status != 401:
                await asyncio.sleep(0.01)


def test_a_damaged_tokens_file_ends_the_first_start_and_no_later_one(tmp_path, caplog):
    path = tmp_path / "tokens.json"
    tokens_file.add(str(path), "eve", "user", digest_of("x" * 40), None)
    settings = Settings(tokens_file=str(path))
    before = decode(launch.content(CredentialStore(settings).fd))
    path.write_text("{")
    with pytest.raises(tokens_file.TokensFileError, match="is damaged"):
        CredentialStore(settings)
    assert decode(launch.content(CredentialStore(settings, before=before).fd)) == before
    assert "tokens stay as they are: " in caplog.text
