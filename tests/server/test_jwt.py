"""Tokens of an identity provider: which are accepted, by which keys, and whose they are."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws, jwt

from tests.conftest import serving
from tests.server.access_rules import access_of
from tests.server.raw import http, ready, websocket
from web_terminal_suite.cli.serve import settings_of
from web_terminal_suite.server.access import Denied, TooManyFailures, TryAgain
from web_terminal_suite.server.jwt_tokens import JwtVerifier, KeyUnknown, NotAccepted, named
from web_terminal_suite.server.settings import ClaimRules, Jwt, Settings, SettingsError, User, check

ISSUER, AUDIENCE = "https://login.example.org", "web-terminal"
KEYS = {
    "rsa": jwk.RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}),
    "p256": jwk.ECKey.generate_key("P-256", {"kid": "p256"}),
    "p384": jwk.ECKey.generate_key("P-384", {"kid": "p384"}),
    "ed": jwk.OKPKey.generate_key("Ed25519", {"kid": "ed"}),
}
REGISTRY = jws.JWSRegistry(algorithms=list(jws.JWSRegistry.algorithms))


def claims(**changed) -> dict:
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": [AUDIENCE, "other"], "sub": "ann", "iat": now, "exp": now + 600} | changed
    return {name: value for name, value in whole.items() if value is not None}


def token(key: str = "p256", algorithm: str = "ES256", header: dict | None = None, **changed) -> str:
    whole = {"alg": algorithm, "kid": key} | (header or {})
    return jwt.encode(
        {n: v for n, v in whole.items() if v is not None}, claims(**changed), KEYS[key], registry=REGISTRY
    )


def published(*names: str) -> bytes:
    return json.dumps({"keys": [KEYS[name].as_dict(private=False) for name in names or KEYS]}).encode()


class Provider:
    """Serves ``body`` as a provider's keys."""

    def __init__(self) -> None:
        self.body = published()
        self.status = 200
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(provider.status)
                self.end_headers()
                self.wfile.write(provider.body)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def rules(self, **fields) -> Jwt:
        return Jwt(**{"issuer": ISSUER, "audience": AUDIENCE, "jwks": self.url, "default_role": "user"} | fields)


@pytest.fixture
def provider():
    each = Provider()
    thread = threading.Thread(target=each.server.serve_forever, args=(0.05,))
    thread.start()
    yield each
    each.server.shutdown()
    thread.join()
    each.server.server_close()


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    path = tmp_path_factory.mktemp("jwt") / "keys.json"
    path.write_bytes(published())
    each = JwtVerifier(Jwt(issuer=ISSUER, audience=AUDIENCE, jwks=str(path)))
    asyncio.run(each.read())
    return each


# joserfc's word for EdDSA, which providers still use.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")


# --- one token


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [("rsa", "RS256"), ("rsa", "RS512"), ("rsa", "PS256"), ("p256", "ES256"), ("p384", "ES384"), ("ed", "EdDSA")],
)
def test_signatures_of_a_pair_of_keys_are_accepted(verifier, key, algorithm):
    assert verifier.verify(token(key, algorithm))["sub"] == "ann"


def _none() -> str:
    parts = ({"alg": "none", "kid": "p256"}, claims())
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + "."


def _hmac() -> str:
    """Signed with what everybody may know, the public key."""
    parts = ({"alg": "HS256", "kid": "rsa"}, claims())
    text = ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    digest = hmac.digest(KEYS["rsa"].as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _changed() -> str:
    head, _, signature = token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims(sub="owner")).encode()).decode().rstrip("=")
    return f"{head}.{body}.{signature}"


def _own_key() -> str:
    mine = jwk.ECKey.generate_key("P-256")
    return jwt.encode({"alg": "ES256", "kid": "p256", "jwk": mine.as_dict(private=False)}, claims(), mine)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (_none, "algorithm 'none' is not accepted"),
        (_hmac, "algorithm 'HS256' is not accepted"),
        (_changed, "bad_signature|not accepted"),
        (_own_key, "not accepted"),
        (lambda: token()[:-4] + "AAAA", "not accepted"),
        (lambda: token("rsa", "RS256", {"kid": "p256"}), "not accepted"),
        (lambda: token(header={"kid": None}), r"does not name its key \(kid\)"),
        (lambda: token(exp=int(time.time()) - 120), "not accepted.*exp|not accepted.*expired"),
        (lambda: token(exp=None), "not accepted.*exp"),
        (lambda: token(nbf=int(time.time()) + 120), "not accepted"),
        (lambda: token(iss="https://evil.example"), "not accepted.*iss"),
        (lambda: token(iss=None), "not accepted.*iss"),
        (lambda: token(aud="other"), "not accepted.*aud"),
        (lambda: token(aud=None), "not accepted.*aud"),
        (lambda: "eyJ.eyJ.x", "not accepted"),
        (lambda: "eyJhbGciOiJFUzI1NiIsImtpZCI6InAyNTYifQ.bm90aGluZw.AAAA", "not accepted"),
    ],
)
def test_a_token_with_anything_wrong_is_not_accepted(verifier, made, text):
    with pytest.raises(NotAccepted, match=text):
        verifier.verify(made())


def test_a_key_that_is_not_known_is_asked_for(verifier):
    with pytest.raises(KeyUnknown, match="key 'new' is not known; the provider's keys are read again"):
        verifier.verify(token(header={"kid": "new"}))


@given(st.one_of(st.text(), st.from_regex(r"eyJ[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", fullmatch=True)))
def test_garbage_is_not_accepted_and_nothing_else(verifier, text):
    with pytest.raises(NotAccepted):
        verifier.verify(text)


# --- keys


async def test_keys_are_read_again_and_those_before_stay_where_they_cannot_be(provider, caplog):
    caplog.set_level("INFO")
    provider.body = published("rsa")
    verifier = JwtVerifier(provider.rules())
    await verifier.read()
    assert verifier.verify(token("rsa", "RS256", {"kid": None}))["sub"] == "ann"  # there is only one
    with pytest.raises(KeyUnknown):
        verifier.verify(token())
    provider.body = published("p256")
    await verifier.read()
    assert verifier.verify(token())
    with pytest.raises(KeyUnknown):
        verifier.verify(token("rsa", "RS256"))
    secret = json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA"}, "x"]}).encode()
    for body, status in ((b"<html>", 200), (b"[]", 200), (secret, 200), (b"x" * 300_000, 200), (b"", 503)):
        provider.body, provider.status = body, status
        await verifier.read()
        assert verifier.verify(token())
    assert len([each for each in caplog.records if "cannot be read" in each.message]) == 1
    provider.body, provider.status = published("p256"), 200
    await verifier.read()
    assert "can be read again" in caplog.records[-1].message
    verifier._read_at -= 24 * 3600 + 1
    with pytest.raises(KeyUnknown, match="could not be read"):
        verifier.verify(token())


async def test_a_key_that_is_asked_for_is_read_soon(provider, monkeypatch):
    monkeypatch.setattr("web_terminal_suite.server.jwt_tokens._RETRY_SECONDS", 0.05)
    verifier = JwtVerifier(provider.rules())
    await verifier.read()
    fresh = asyncio.create_task(verifier.keep_fresh())
    try:
        asked = provider.asked
        with pytest.raises(KeyUnknown):
            verifier.verify(token(header={"kid": "new"}))
        await verifier.refreshed()
        assert provider.asked > asked
        provider.status = 503
        monkeypatch.setattr("web_terminal_suite.server.jwt_tokens._FETCH_SECONDS", 0.05)
        await verifier.refreshed()
    finally:
        fresh.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await fresh


# --- users and roles


@pytest.mark.parametrize(
    ("rules", "held", "expected"),
    [
        ({"default_role": "user"}, {"sub": "ann"}, ("ann", "user")),
        ({"user_claim": "email", "default_role": "viewer"}, {"sub": "1", "email": "a@b"}, ("a@b", "viewer")),
        ({"roles_claim": "groups", "roles": {"dev": "user"}}, {"sub": "ann", "groups": ["x", "dev"]}, ("ann", "user")),
        ({"roles_claim": "groups", "roles": {"dev": "user"}}, {"sub": "ann", "groups": "dev"}, ("ann", "user")),
        (
            {"roles_claim": "g", "roles": {"all": "viewer", "dev": "user", "ops": "owner"}},
            {"sub": "ann", "g": ["all", "ops", "dev", 1]},
            ("ann", "owner"),
        ),
        ({"roles_claim": "g", "roles": {"dev": "user"}, "default_role": "viewer"}, {"sub": "ann"}, ("ann", "viewer")),
    ],
)
def test_claims_name_user_and_role_by_the_table(rules, held, expected):
    assert named(held, ClaimRules(**rules)) == expected


@pytest.mark.parametrize(
    ("held", "text"),
    [
        ({}, "the claim 'sub' names no user"),
        ({"sub": 1}, "names no user"),
        ({"sub": "owner"}, "names no user: 'owner'"),
        ({"sub": "a" * 65}, "names no user"),
        ({"sub": "a\n"}, "names no user"),
        ({"sub": "ann", "groups": ["x"]}, r"user 'ann' has no role here; the claim 'groups' holds \['x'\]"),
    ],
)
def test_claims_that_name_nobody_are_refused(held, text):
    with pytest.raises(NotAccepted, match=text):
        named(held, ClaimRules(roles_claim="groups", roles={"dev": "user"}))


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"issuer": ""}, "issuer is empty"),
        ({"jwks": "http://login.example.org/keys"}, "could be changed on its way; use https"),
        ({"roles": {"a": "user"}}, "roles_claim and roles go together"),
        ({"default_role": None}, "nobody would have a role"),
    ],
)
def test_settings_of_a_provider_that_cannot_be_used(fields, text):
    good = Jwt(issuer=ISSUER, audience=AUDIENCE, jwks="https://login.example.org/keys", default_role="user")
    check(Settings(jwt=good))
    with pytest.raises(SettingsError, match=text):
        check(Settings(jwt=msgspec.structs.replace(good, **fields)))


# --- a server


async def test_a_token_of_a_provider_logs_in_like_one_of_ours(provider):
    users = {"bob": User(token="0123456789abcdef")}
    rules = access_of(Settings(users=users, jwt=provider.rules(), login_attempts_per_minute=2), 1)
    await rules.jwt.read()
    principal = rules.try_token(token(exp=int(time.time()) + 100), "192.0.2.1")
    assert (principal.user, principal.role) == ("ann", "user")
    assert 90 < principal.until - time.time() <= 100
    known = rules.by_headers(None, f"web_terminal_1={rules.cookie(principal)}", "192.0.2.1")
    assert msgspec.structs.replace(known, login="") == principal
    assert rules.holds(known)
    rules.end_login(known)
    assert not rules.holds(known)
    assert rules.holds(principal)
    over = msgspec.structs.replace(principal, until=time.time() - 1)
    with pytest.raises(Denied, match="the login is over"):
        rules.by_headers(None, f"web_terminal_1={rules.cookie(over)}", "192.0.2.1")
    with pytest.raises(TryAgain):
        rules.try_token(token(header={"kid": "new"}), "192.0.2.1")
    for _ in range(2):
        with pytest.raises(Denied, match="not accepted"):
            rules.try_token(token(aud="other"), "192.0.2.1")
    for bad in (token(aud="other"), token(header={"kid": "new"})):
        with pytest.raises(TooManyFailures):
            rules.try_token(bad, "192.0.2.1")
    assert rules.try_token(token(), "192.0.2.1").user == "ann"
    plain = access_of(Settings(users=users), 1)
    with pytest.raises(Denied, match="wrong cookie"):
        plain.by_headers(None, f"web_terminal_1={rules.cookie(principal)}", "192.0.2.1")


async def test_a_server_takes_tokens_and_new_keys_and_ends_sockets_with_them(provider, tmp_path):
    provider.body = published("rsa")
    config = tmp_path / "config.toml"
    config.write_text(
        f'[jwt]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks = "{provider.url}"\nroles_claim = "groups"\n'
        'roles = { ops = "owner", dev = "user" }\n'
    )
    assert settings_of(config=str(config), env=()).without_secrets().jwt is None
    with serving("--config", str(config)) as server:
        rsa = token("rsa", "RS256", groups=["ops"])
        assert (await http(server, "GET", "/api/v1/me", token=rsa)).json() == {"user": "ann", "role": "owner"}
        assert (await http(server, "GET", "/api/v1/me", token=token("rsa", "RS256"))).status == 401
        body = msgspec.json.encode({"token": rsa})
        cookie = (await http(server, "POST", "/api/v1/login", body=body)).header("set-cookie").partition(";")[0]
        assert (await http(server, "GET", "/api/v1/me", headers={"Cookie": cookie})).json()["user"] == "ann"
        provider.body = published("ed")
        ed = token("ed", "EdDSA", groups="dev", exp=int(time.time()) + 8)
        assert (await http(server, "GET", "/api/v1/me", token=ed)).json() == {"user": "ann", "role": "user"}
        async with ready(server, token=ed):
            pass
        async with websocket(server, token=None) as socket:
            socket.say(type="authenticate", token=ed)
            assert (await socket.heard("authenticated"))["user"] == "ann"
            assert (await socket.closed())[0] == 4001
    assert "cannot be read" not in "".join(server.log)


async def test_a_server_starts_without_its_provider(provider, tmp_path):
    provider.status = 503
    config = tmp_path / "config.toml"
    config.write_text(
        f'[jwt]\nissuer = "{ISSUER}"\naudience = "{AUDIENCE}"\njwks = "{provider.url}"\ndefault_role = "user"\n'
    )
    with serving("--config", str(config)) as server:
        refused = await http(server, "GET", "/api/v1/me", token=token())
        assert refused.status == 401
        assert "could not be read" in refused.json()["message"]
        assert (await http(server, "GET", "/api/v1/me", token="token-for-tests-0123456789")).status == 200
        assert "cannot be read" in "".join(server.log)
