"""Logging in at the page of an OpenID provider: a real one, which asks nobody for a password, and a real server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import urllib.error
import urllib.request
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import flask
import msgspec
import oidc_provider_mock
import pytest
import werkzeug.serving

from tests.conftest import serving
from tests.server.access_rules import access_of
from tests.server.raw import Answer, http, websocket
from tests.server.test_lifecycle import until
from web_terminal_suite.server import launch
from web_terminal_suite.server.credential_store import CredentialStore
from web_terminal_suite.server.credentials import decode
from web_terminal_suite.server.jwt_tokens import NotAccepted
from web_terminal_suite.server.settings import Oidc, Settings, SettingsError, check
from web_terminal_suite.server.worker.oidc_client import OidcClient, ProviderFailed

# The provider's, of the version for Python 3.11.
pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning")

PUBLIC = "https://terminal.example"
BACK = f"{PUBLIC}/api/v1/login/oidc/callback"
USERS = (
    oidc_provider_mock.User(sub="ann", claims={"email": "ann@example.org", "groups": ["dev"]}),
    oidc_provider_mock.User(sub="olga", claims={"email": "olga@example.org", "groups": ["ops", "dev"]}),
    oidc_provider_mock.User(sub="eve", claims={"email": "eve@example.org", "groups": ["sales"]}),
)


class Place(NamedTuple):
    """A provider; ``discovery`` is what it says of itself instead of the truth, ``seen`` how clients authenticated."""

    issuer: str
    discovery: dict
    seen: list[str]

    def rules(self, **fields) -> Oidc:
        table = {"user_claim": "email", "roles_claim": "groups", "roles": {"dev": "user", "ops": "owner"}}
        return Oidc(**{"issuer": self.issuer, "client_id": "terminal", "client_secret": "secret"} | table | fields)


def _checked(app: flask.Flask, discovery: dict, seen: list[str]) -> flask.Flask:
    """The provider with PKCE, which it leaves out."""
    challenges: dict[str, str] = {}

    @app.before_request
    def require_verifier():
        if flask.request.path == "/oauth2/token":
            seen.append(flask.request.headers.get("Authorization") or flask.request.form.get("client_id", ""))
            verifier = flask.request.form.get("code_verifier", "")
            digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
            if challenges.get(flask.request.form["code"]) != digest:
                return {"error": "invalid_grant", "error_description": "PKCE"}, 400
        return None

    @app.after_request
    def note_challenge(response):
        if flask.request.path == "/oauth2/authorize" and flask.request.method == "POST":
            code = parse_qs(urlsplit(response.location).query).get("code")
            if code and flask.request.args.get("code_challenge_method") == "S256":
                challenges[code[0]] = flask.request.args["code_challenge"]
        if flask.request.path.startswith("/.well-known") and discovery:
            response.data = json.dumps(response.json | discovery)
        return response

    return app


@pytest.fixture(scope="module")
def provider():
    discovery, seen = {}, []
    app = _checked(oidc_provider_mock.app(user_claims=USERS, require_nonce=True), discovery, seen)
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Place(f"http://127.0.0.1:{server.server_port}", discovery, seen)
    server.shutdown()
    thread.join()
    server.server_close()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments):
        return None


def _at_provider(url: str, **form: str) -> str:
    """Where the provider sends a browser that fills in its form."""
    opener = urllib.request.build_opener(_Stay)
    with pytest.raises(urllib.error.HTTPError) as answer:
        opener.open(url, urlencode(form).encode(), timeout=20)
    answer.value.close()
    return answer.value.headers["Location"]


async def at_provider(url: str, **form: str) -> str:
    return await asyncio.to_thread(_at_provider, url, **form)


# --- the client alone


async def through(client: OidcClient, sub: str, **changed: str) -> dict:
    url, attempt = await client.begin()
    asked = parse_qs(urlsplit(url).query)
    assert (asked["redirect_uri"], asked["response_type"]) == ([BACK], ["code"])
    assert attempt.verifier not in url
    code = parse_qs(urlsplit(await at_provider(url, sub=sub)).query)["code"][0]
    return await client.finish(msgspec.structs.replace(attempt, **changed), code)


async def test_a_login_brings_the_claims_of_token_and_userinfo(provider):
    claims = await through(OidcClient(provider.rules(), BACK), "ann")
    assert provider.seen[-1].startswith("Basic ")
    assert (claims["sub"], claims["email"], claims["groups"]) == ("ann", "ann@example.org", ["dev"])


async def test_a_client_without_a_secret_sends_none(provider):
    """This provider wants one, and says so."""
    with pytest.raises(ProviderFailed, match="the provider refuses the login: invalid_client"):
        await through(OidcClient(provider.rules(client_secret=""), BACK), "ann")
    assert provider.seen[-1] == "terminal"


async def test_a_login_that_another_began_is_not_accepted(provider):
    client = OidcClient(provider.rules(), BACK)
    with pytest.raises(NotAccepted, match=r"of another login \(nonce\)"):
        await through(client, "ann", nonce="other")
    with pytest.raises(ProviderFailed, match=r"the provider refuses the login: .*PKCE"):
        await through(client, "ann", verifier="other" * 20)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"issuer": "https://evil.example"}, "is not of the issuer"),
        ({"token_endpoint": "http://evil.example/token"}, "names no token_endpoint with https"),
        ({"jwks_uri": None}, "names no jwks_uri with https"),
    ],
)
async def test_a_provider_that_says_something_else_of_itself_is_not_asked_further(provider, said, text):
    provider.discovery.update(said)
    try:
        with pytest.raises(ProviderFailed, match=text):
            await OidcClient(provider.rules(), BACK).begin()
    finally:
        provider.discovery.clear()


async def test_a_provider_that_is_away_or_sends_garbage_is_told(provider):
    for issuer in ("http://127.0.0.1:9", f"{provider.issuer}/users"):
        with pytest.raises(ProviderFailed, match="the provider cannot be asked at http"):
            await OidcClient(provider.rules(issuer=issuer), BACK).begin()
    provider.discovery["token_endpoint"] = f"{provider.issuer}/"
    try:
        with pytest.raises(ProviderFailed, match=r"does not answer as it should|refuses the login"):
            await through(OidcClient(provider.rules(), BACK), "ann")
    finally:
        provider.discovery.clear()


@pytest.mark.parametrize(
    ("fields", "settings", "text"),
    [
        ({"client_id": ""}, {}, "oidc: client_id is empty"),
        ({"issuer": "http://login.example.org"}, {}, "could be changed on its way; use https"),
        ({"scopes": ("email",)}, {}, "scopes must hold 'openid'"),
        ({"roles": {}}, {}, "roles_claim and roles go together"),
        ({}, {"public_url": ""}, "oidc needs public_url"),
    ],
)
def test_settings_of_a_provider_that_cannot_be_used(provider, fields, settings, text):
    check(Settings(public_url=PUBLIC, oidc=provider.rules()))
    with pytest.raises(SettingsError, match=text):
        check(Settings(**{"public_url": PUBLIC, "oidc": provider.rules(**fields)} | settings))
    assert "secret'" not in repr(Settings(oidc=provider.rules()))
    assert Settings(oidc=provider.rules()).without_secrets().oidc is None


def test_workers_get_the_secret_of_the_client_with_the_credentials_only(provider):
    settings = Settings(oidc=provider.rules(), token="x" * 16)
    public = settings.for_workers()
    assert (public.oidc.client_id, public.oidc.client_secret, public.token) == ("terminal", "", "")
    store = CredentialStore(settings)
    given = decode(launch.content(store.fd))
    assert given.client_secret == "secret"
    # The next supervisor has it from a worker, or from the code that had its process.
    assert decode(launch.content(CredentialStore(public, before=given).fd)) == given


# --- a server


@pytest.fixture(scope="module")
def server(provider, tmp_path_factory):
    config = tmp_path_factory.mktemp("oidc") / "config.toml"
    config.write_text(
        f'public_url = "{PUBLIC}"\n[oidc]\nissuer = "{provider.issuer}"\nclient_id = "terminal"\n'
        'client_secret = "secret"\nuser_claim = "email"\nroles_claim = "groups"\n'
        'roles = { dev = "user", ops = "owner" }\n'
    )
    with serving("--config", str(config)) as each:
        # Its URL is that of the proxy; where it listens itself, the kernel knows.
        import psutil

        (port,) = {each.laddr.port for each in psutil.Process(each.process.pid).net_connections("tcp")}
        each.url = f"http://127.0.0.1:{port}/"
        yield each


def cookie_of(answer: Answer, name: str) -> str:
    cookies = (value.partition(";")[0] for key, value in answer.headers if key == "set-cookie")
    return next(each for each in cookies if name in each.partition("=")[0])


async def begun(server) -> tuple[str, str]:
    """Where the browser is sent, and its cookie."""
    answer = await http(server, "GET", "/api/v1/login/oidc")
    assert answer.status == 303
    flags = {each.strip() for each in answer.header("set-cookie").split(";")[1:]}
    assert {"HttpOnly", "SameSite=lax", "Secure", "Path=/api/v1/login/oidc", "Max-Age=600"} <= flags
    return answer.header("location"), answer.header("set-cookie").partition(";")[0]


async def back(server, location: str, cookie: str) -> Answer:
    assert location.startswith(BACK)
    return await http(server, "GET", location.removeprefix(PUBLIC), headers={"Cookie": cookie} if cookie else {})


@pytest.mark.parametrize(("sub", "role"), [("ann", "user"), ("olga", "owner")])
async def test_a_person_logs_in_at_the_provider(server, sub, role):
    url, cookie = await begun(server)
    answer = await back(server, await at_provider(url, sub=sub), cookie)
    assert (answer.status, answer.header("content-type")) == (200, "text/html; charset=utf-8")
    assert b'content="0;url=/"' in answer.body
    login = cookie_of(answer, "__Host-web_terminal")
    me = await http(server, "GET", "/api/v1/me", headers={"Cookie": login})
    assert me.json() == {"user": f"{sub}@example.org", "role": role}
    noted = f'"user":"{sub}@example.org","role":"{role}","session":"","how":"oidc"'
    await until(lambda: any('"event":"login"' in line and noted in line for line in server.log))
    async with websocket(server, token=None, headers={"Cookie": login}) as socket:
        assert (await socket.heard("authenticated"))["user"] == f"{sub}@example.org"


async def test_what_is_not_the_login_that_this_browser_began_is_refused(server):
    url, cookie = await begun(server)
    location = await at_provider(url, sub="ann")
    _, other = await begun(server)
    for wrong, text in (("", "this browser began no login"), (other, "not the login that this browser began")):
        answer = await back(server, location, wrong)
        assert (answer.status, text in answer.json()["message"]) == (401, True)
    assert (await back(server, location, cookie)).status == 200
    again = await back(server, location, cookie)
    assert again.status == 503
    assert "the provider refuses the login" in again.json()["message"]


async def test_whom_the_provider_or_the_table_refuses_is_told_why(server):
    url, cookie = await begun(server)
    state = parse_qs(urlsplit(url).query)["state"][0]
    denied = await back(server, f"{BACK}?{urlencode({'error': 'access_denied', 'state': state})}", cookie)
    assert (denied.status, "access_denied" in denied.json()["message"]) == (401, True)
    url, cookie = await begun(server)
    nobody = await back(server, await at_provider(url, sub="eve"), cookie)
    assert nobody.status == 401
    assert "user 'eve@example.org' has no role here" in nobody.json()["message"]


async def test_the_routes_are_there_only_with_a_provider(server):
    paths = (await http(server, "GET", "/api/v1/openapi.json", token="token-for-tests-0123456789")).json()["paths"]
    assert "/api/v1/login/oidc/callback" in paths
    with serving() as plain:
        assert (await http(plain, "GET", "/api/v1/login/oidc")).status == 401


def test_a_login_that_began_too_long_ago_is_over(provider):
    rules = access_of(Settings(public_url=PUBLIC, oidc=provider.rules()), 1)
    value = rules.sign_attempt({"state": "a"})
    assert rules.read_attempt(f"{rules.attempt_cookie_name}={value}", 600) == {"state": "a"}
    with pytest.raises(Exception, match="or too long ago"):
        rules.read_attempt(f"{rules.attempt_cookie_name}={value}", -1)
