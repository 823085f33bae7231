"""Who enters: tokens, cookies, Host and Origin. Time is passed in or signed in."""

from __future__ import annotations

import base64
import time

import msgspec
import pytest
from itsdangerous import URLSafeTimedSerializer

from tests.server.access_rules import access_of
from web_terminal_suite.server.access import Access, Denied, Principal, TooManyFailures
from web_terminal_suite.server.credentials import Credential, Credentials, configured, digest_of
from web_terminal_suite.server.settings import Oidc, Settings, User

TOKEN, ANN, BOB = "owner-token-0123456789", "ann-token-0123456789", "bob-token-0123456789"
SETTINGS = Settings(token=TOKEN, users={"ann": User(token=ANN), "bob": User(token=BOB, role="viewer")})
HERE = "192.0.2.1"


def access(**fields) -> Access:
    return access_of(msgspec.structs.replace(SETTINGS, **fields))


@pytest.mark.parametrize(
    ("token", "user", "role", "writes"),
    [(TOKEN, "owner", "owner", True), (ANN, "ann", "user", True), (BOB, "bob", "viewer", False)],
)
def test_a_token_has_a_principal(token, user, role, writes):
    grant = access().by_headers(f"Bearer {token}", None, HERE)
    assert (grant.user, grant.role, grant.may_write, grant.until) == (user, role, writes, None)
    assert access().by_headers(f"bearer  {token} ", None, HERE) == grant


@pytest.mark.parametrize(
    "value",
    ["Bearer", "Bearer ", "Bearer x", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN],
)
def test_anything_else_is_denied(value):
    with pytest.raises(Denied) as denied:
        access().by_headers(value, None, HERE)
    assert TOKEN not in denied.value.reason


def test_what_others_clients_send_opens_only_their_own_place():
    basic = f"Basic {base64.b64encode(f'anybody:{TOKEN}'.encode()).decode()}"
    token = f"token {TOKEN}"
    rules = access()
    assert rules.by_headers(basic, None, HERE, "basic").user == "owner"
    assert rules.by_headers(token, None, HERE, "token").user == "owner"
    for scheme in ("bearer", "basic", "token"):
        assert rules.by_headers(f"Bearer {TOKEN}", None, HERE, scheme).user == "owner"
    for offered, scheme in ((basic, "bearer"), (basic, "token"), (token, "bearer"), (token, "basic")):
        with pytest.raises(Denied, match="not supported; use Bearer"):
            rules.by_headers(offered, None, HERE, scheme)


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Basic YQ", "Basic /w==", "Basic YTp=b"])
def test_basic_that_is_none_is_denied(value):
    with pytest.raises(Denied, match=r"base64 of user:token|wrong token"):
        access().by_headers(value, None, HERE, "basic")


def test_a_wrong_password_counts_as_a_wrong_token():
    rules = access(login_attempts_per_minute=1)
    wrong = f"Basic {base64.b64encode(b'anybody:wrong').decode()}"
    with pytest.raises(Denied, match="wrong token"):
        rules.by_headers(wrong, None, HERE, "basic")
    with pytest.raises(TooManyFailures):
        rules.by_headers(wrong, None, HERE, "basic")


def test_no_credentials_are_no_grant_and_no_error():
    assert access().by_headers(None, None, HERE) is None
    assert access().by_headers(None, "other=1", HERE) is None


def test_without_authentication_everybody_is_the_owner():
    grant = access_of(Settings(insecure_no_auth=True), 1).by_headers("Bearer whatever", "x=y", HERE)
    assert (grant.user, grant.role) == ("owner", "owner")


def test_tokens_themselves_are_not_kept():
    assert TOKEN not in repr(vars(access())["_tokens"])
    assert TOKEN not in msgspec.json.encode(access().credentials).decode()


# --- the cookie


def logged_in(rules: Access, token: str) -> str:
    return f"{rules.cookie_name}={rules.cookie(rules.by_token(token))}"


def test_a_cookie_has_its_users_principal_until_the_login_expires():
    rules = access(login_seconds=100)
    grant = rules.by_headers(None, logged_in(rules, ANN), HERE)
    assert (grant.user, grant.role) == ("ann", "user")
    assert grant.until is not None


def test_a_cookie_is_good_in_every_worker_and_after_a_restart_with_the_same_tokens():
    assert access().by_headers(None, logged_in(access(), ANN), HERE).user == "ann"


@pytest.mark.parametrize("noise", ["a=b; {}", "{}; a=b", 'bad"{{=]x; {}', 'a={{"json": [1]}}; {}', "  ;;= ; {}"])
def test_cookies_of_other_servers_do_not_hide_ours(noise):
    rules = access()
    assert rules.by_headers(None, noise.format(logged_in(rules, ANN)), HERE).user == "ann"


def test_the_cookie_is_named_after_the_port():
    assert access_of(SETTINGS, 1).cookie_name != access_of(SETTINGS, 2).cookie_name


def test_a_cookie_is_over_after_login_seconds(monkeypatch):
    rules = access(login_seconds=100)
    cookie = logged_in(rules, ANN)
    made = int(rules.by_headers(None, cookie, HERE).until - 100)
    for age, good in ((99, True), (102, False)):
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda age=age: made + age)
        if good:
            assert rules.by_headers(None, cookie, HERE).user == "ann"
        else:
            with pytest.raises(Denied, match="over"):
                rules.by_headers(None, cookie, HERE)


def test_a_tampered_or_foreign_cookie_is_denied():
    rules = access()
    name, _, value = logged_in(rules, ANN).partition("=")
    payload, stamp, signature = value.split(".")
    foreign = URLSafeTimedSerializer("another secret", salt="login").dumps("owner")
    other = logged_in(rules, TOKEN).partition("=")[2].split(".")[0]
    for bad in ("", "x", payload, f"{other}.{stamp}.{signature}", f"{payload}.{stamp}.{signature[:-2]}AA", foreign):
        with pytest.raises(Denied, match="wrong cookie"):
            rules.by_headers(None, f"{name}={bad}", HERE)


def test_a_changed_token_ends_every_login_that_was_made_with_it():
    cookie, owners = logged_in(access(), ANN), logged_in(access(), TOKEN)
    changed = access(token=TOKEN + "x")
    with pytest.raises(Denied):
        changed.by_headers(None, owners, HERE)
    assert changed.by_headers(None, cookie, HERE).user == "ann"


def test_a_cookie_of_another_key_is_wrong_although_the_tokens_are_the_same():
    """What a token and a cookie say together must not tell other tokens: a guess could be tried without the server."""
    other = Access(SETTINGS, 7681, Credentials(key=b"other" * 8, all=configured(SETTINGS)))
    with pytest.raises(Denied, match="wrong cookie"):
        access().by_headers(None, logged_in(other, ANN), HERE)


def test_a_cookie_gives_the_role_its_user_has_now():
    """Demoting a user without changing the token must not leave the old role in the cookies out there."""
    cookie = logged_in(access(), ANN)
    demoted = access(users={"ann": User(token=ANN, role="viewer"), "bob": User(token=BOB)})
    assert demoted.by_headers(None, cookie, HERE).role == "viewer"
    renamed = access(users={"eve": User(token=ANN), "bob": User(token=BOB)})
    with pytest.raises(Denied):
        renamed.by_headers(None, cookie, HERE)


# --- Host and Origin


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:7681", "localhost:1", "LOCALHOST", "[::1]:7681", "[::1]", "term.example:80"]
)
def test_our_own_names_are_served(host):
    access(allow_hosts=("Term.example",)).check_host(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "evil.example:7681",
     "127.0.0.1@evil.example", "[::2]:7681", "localhost.", "[::1].evil.example", "[localhost", "[localhost]",
     "localhost:evil.example", "127.0.0.1:80@evil.example", "localhost:", "localhost:123456", "\u00e9", "*"],
)  # fmt: skip
def test_dns_rebinding_needs_a_name_that_is_not_served(host):
    with pytest.raises(Denied, match="--allow-host"):
        access().check_host(host)


def test_an_address_that_is_bound_is_served_and_any_host_only_when_asked():
    access(host="192.0.2.7").check_host("192.0.2.7:7681")
    with pytest.raises(Denied):
        access(host="0.0.0.0").check_host("192.0.2.7:7681")
    access(allow_hosts=("*",)).check_host("anything.example")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "127.0.0.1:7681"),
        ("http://127.0.0.1:7681", "127.0.0.1:7681"),
        ("https://127.0.0.1:7681", "127.0.0.1:7681"),
        ("http://LOCALHOST:7681", "localhost:7681"),
        ("http://[::1]:7681", "[::1]:7681"),
        ("https://allowed.example", "127.0.0.1:7681"),
    ],
)
def test_our_own_pages_and_programs_are_let_in(origin, host):
    access(allow_origins=("https://allowed.example",)).check_origin(origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "127.0.0.1:7681"),
        ("", "127.0.0.1:7681"),
        ("", ""),
        ("", None),
        ("null", None),
        ("http://127.0.0.1:9999", "127.0.0.1:7681"),
        ("http://localhost:7681", "127.0.0.1:7681"),
        ("http://127.0.0.1", "127.0.0.1:7681"),
        ("foo://127.0.0.1:7681", "127.0.0.1:7681"),
        ("//127.0.0.1:7681", "127.0.0.1:7681"),
        ("http://127.0.0.1:7681/x", "127.0.0.1:7681"),
        ("http://127.0.0.1:7681/", "127.0.0.1:7681"),
        ("http://evil.example@127.0.0.1:7681", "127.0.0.1:7681"),
        ("http://evil.example", "127.0.0.1:7681"),
        ("http://127.0.0.1:7681.evil.example", "127.0.0.1:7681"),
        ("http://127.0.0.1:7681@evil.example", "127.0.0.1:7681"),
        ("http://sub.allowed.example", "127.0.0.1:7681"),
        ("http://allowed.example", "127.0.0.1:7681"),
        ("https://allowed.example:444", "127.0.0.1:7681"),
        ("http://[", "127.0.0.1:7681"),
        ("http://[::1", "[::1"),
        ("file://", "127.0.0.1:7681"),
    ],
)
def test_other_pages_are_not(origin, host):
    with pytest.raises(Denied, match="origin"):
        access(allow_origins=("https://allowed.example",)).check_origin(origin, host)


def test_a_refused_origin_is_told_with_its_host_and_logged_once_a_minute(caplog, monkeypatch):
    rules = access()
    clock = iter((1000.0, 1059.0, 1060.0))
    monkeypatch.setattr("web_terminal_suite.server.access.time.monotonic", lambda: next(clock))
    for _ in range(3):
        with pytest.raises(Denied, match=r"not allowed: it is not Host '127\.0\.0\.1'; let the proxy pass Host on"):
            rules.check_origin("http://127.0.0.1:8080", "127.0.0.1")
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "origin 'http://127.0.0.1:8080' is not allowed" in caplog.messages[0]


# --- how often


def test_ten_failures_a_minute_and_then_not_even_the_right_token():
    rules = access(login_attempts_per_minute=3)
    for _ in range(3):
        with pytest.raises(Denied, match="wrong token"):
            rules.try_token("wrong", HERE)
    for attempt in (lambda: rules.try_token(TOKEN, HERE), lambda: rules.by_headers(f"Bearer {TOKEN}", None, HERE)):
        with pytest.raises(TooManyFailures, match=f"3 failed logins a minute from {HERE}"):
            attempt()
    assert rules.try_token(TOKEN, "192.0.2.2").user == "owner"
    # A login that was made before goes on.
    assert rules.by_headers(None, logged_in(rules, ANN), HERE).user == "ann"


def test_the_count_starts_anew_after_a_minute_and_success_is_not_counted():
    rules = access(login_attempts_per_minute=2)
    for now in (100.0, 130.0):
        rules.note_failure(HERE, now)
    assert not rules.may_try(HERE, 159.9)
    assert rules.may_try(HERE, 160.0)
    rules.note_failure(HERE, 161.0)
    assert rules.may_try(HERE, 162.0)


# Credentials that change while somebody is logged in

PASSWORD = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$b3V0cHV0b3V0cHV0"
CAROL = Credential(user="carol", role="user", digest=PASSWORD)
DAVE = Credential(user="dave", role="user", digest=digest_of("dave-token-0123456789"), id="d", expires=time.time() - 1)


def rules_with(*credentials: Credential, **fields) -> Access:
    settings = msgspec.structs.replace(SETTINGS, **fields)
    return Access(settings, 7681, Credentials(key=b"k" * 32, all=(*configured(settings), *credentials)))


def test_a_token_that_has_expired_is_denied():
    with pytest.raises(Denied, match="the token has expired"):
        rules_with(DAVE).by_headers("Bearer dave-token-0123456789", None, HERE)


def test_what_a_principal_logged_in_with_holds_until_it_is_gone():
    rules = access()
    bob = rules.by_headers(f"Bearer {BOB}", None, HERE)
    assert (rules.holds(bob), rules.role_of(bob)) == (True, "viewer")
    promoted = Credential(user="bob", role="owner", digest=digest_of(BOB))
    rules.use(Credentials(key=b"k" * 32, all=(promoted,)))
    assert (rules.holds(bob), rules.role_of(bob)) == (True, "owner")
    rules.use(Credentials(key=b"k" * 32))
    assert not rules.holds(bob)


def test_a_proxys_user_has_the_least_role_of_the_users_credentials():
    rules = rules_with(Credential(user="ann", role="viewer", digest=digest_of("another-0123456789")))
    ann = rules.by_proxy("ann")
    assert (ann.role, rules.holds(ann), rules.role_of(ann)) == ("viewer", True, "viewer")
    assert rules.by_proxy("nobody").role == SETTINGS.user_header_role


def test_a_cookie_ends_with_its_logout():
    rules = access()
    header = f"{rules.cookie_name}={rules.cookie(rules.by_headers(f'Bearer {ANN}', None, HERE))}"
    login = rules.by_headers(None, header, HERE)
    assert rules.holds(login)
    ended = rules.end_login(login)
    assert (ended.user, ended.until) == ("ann", login.until)
    assert not rules.holds(login)
    with pytest.raises(Denied, match="the login is over"):
        rules.by_headers(None, header, HERE)
    assert rules.end_login(rules.by_headers(f"Bearer {ANN}", None, HERE)) is None


def test_a_cookie_is_over_no_later_than_its_token():
    expires = time.time() + 60
    eve = Credential(user="eve", role="user", digest=digest_of("eve-token-0123456789"), id="e", expires=expires)
    rules = rules_with(eve)
    cookie = rules.cookie(rules.by_headers("Bearer eve-token-0123456789", None, HERE))
    assert rules.by_headers(None, f"{rules.cookie_name}={cookie}", HERE).until == expires


def test_a_password_is_offered_where_somebody_has_one_and_a_token_is_none():
    assert access().password_in("carol:secret") is None
    rules = rules_with(CAROL)
    assert rules.password_in(ANN) is None
    offered = rules.password_in("carol:secret")
    assert (offered.text, offered.digest) == ("secret", PASSWORD)
    assert rules.by_password(offered, right=True, address=HERE).user == "carol"
    with pytest.raises(Denied, match="wrong password"):
        rules.by_password(offered, right=False, address=HERE)


def test_a_name_that_nobody_has_costs_as_much_as_a_wrong_password():
    rules = rules_with(CAROL)
    offered = rules.password_in("nobody:secret")
    assert (offered.digest, offered.binding) == ("", "")
    with pytest.raises(Denied, match="wrong password"):
        rules.by_password(offered, right=True, address=HERE)


def test_a_providers_login_has_a_cookie_of_its_own():
    rules = rules_with(oidc=Oidc(issuer="https://id.example", client_id="c"))
    until = time.time() + 60
    cookie = rules.cookie(Principal("zoe@id.example", "user", until))
    login = rules.by_headers(None, f"{rules.cookie_name}={cookie}", HERE)
    assert (login.user, login.role, login.until, rules.role_of(login)) == ("zoe@id.example", "user", until, "user")
    over = rules.cookie(Principal("zoe@id.example", "user", time.time() - 1))
    with pytest.raises(Denied, match="the login is over"):
        rules.by_headers(None, f"{rules.cookie_name}={over}", HERE)
    of_a_token = rules.cookie(rules.by_headers(f"Bearer {ANN}", None, HERE))
    assert rules.by_headers(None, f"{rules.cookie_name}={of_a_token}", HERE).user == "ann"
