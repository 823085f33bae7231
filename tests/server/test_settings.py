"""Where settings come from, which ones cannot be, and what their errors say."""

from __future__ import annotations

import pathlib
import re

import pytest

from web_terminal_suite.server import settings as module
from web_terminal_suite.server.settings import (
    Settings,
    SettingsError,
    User,
    check,
    declarations,
    is_loopback,
    load,
    users_in,
)

TOKEN = "0123456789abcdef"
RANGES = [(each.name, *each.range) for each in declarations() if each.range]


@pytest.fixture
def file(tmp_path):
    def written(text: str) -> str:
        path = tmp_path / "config.toml"
        path.write_text(text)
        return str(path)

    return written


def test_flags_win_over_the_environment_and_the_environment_over_the_file(file):
    path = file("port = 1\nworkers = 2\nidle_timeout = 3\nlinger = 4.5\n")
    environment = {"WEB_TERMINAL_WORKERS": "5", "WEB_TERMINAL_IDLE_TIMEOUT": "6.5", "OTHER_PORT": "9"}
    settings = load({"idle_timeout": 7.0, "port": None}, environment, path)
    assert (settings.port, settings.workers, settings.idle_timeout, settings.linger) == (1, 5, 7.0, 4.5)
    assert settings.window == Settings().window


def test_the_file_may_be_named_in_the_environment_and_a_flag_names_another(file, tmp_path):
    path = file("port = 1\n")
    assert load({}, {"WEB_TERMINAL_CONFIG": path}).port == 1
    other = tmp_path / "other.toml"
    other.write_text("port = 2\n")
    assert load({}, {"WEB_TERMINAL_CONFIG": path}, str(other)).port == 2


def test_every_setting_can_come_from_the_environment_but_tables():
    environment = {
        "WEB_TERMINAL_ALLOW_HOSTS": "a.example,b.example",
        "WEB_TERMINAL_INSECURE_NO_AUTH": "1",
        "WEB_TERMINAL_LOG_LEVEL": "debug",
        "WEB_TERMINAL_ENV": "ignored",
        "WEB_TERMINAL_USERS": "ignored",
    }
    settings = load({}, environment)
    assert settings.allow_hosts == ("a.example", "b.example")
    assert settings.insecure_no_auth
    assert (settings.env, settings.users) == ({}, {})


def test_users_and_variables_come_from_the_file(file):
    path = file(f'[env]\nA = "1"\n[users.ann]\ntoken = "{TOKEN}"\nrole = "viewer"\n')
    settings = load({}, {}, path)
    assert settings.env == {"A": "1"}
    assert settings.users == {"ann": User(token=TOKEN, role="viewer")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", ["unknown key 'prot'", "did you mean 'port'"]),
        ("idle_timout = 1", ["did you mean 'idle_timeout'"]),
        ("zzzzzz = 1", ["unknown key 'zzzzzz'", "known keys", "max_sessions"]),
        ("port = ", ["not TOML"]),
        ('port = "80"', ["bad setting", "$.port"]),
        ("port = 1.5", ["$.port"]),
        ('log_level = "loud"', ["loud", "$.log_level"]),
        ('[users.ann]\ntoken = "0123456789abcdef"\nrole = "admin"', ["admin", "role"]),
        ('[users.ann]\ntoken = "0123456789abcdef"\nadmin = true', ["admin"]),
    ],
)
def test_a_bad_file_is_refused_with_what_is_wrong(file, text, words):
    with pytest.raises(SettingsError) as error:
        load({}, {}, file(text))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml.*no such file"):
        load({}, {}, str(tmp_path / "nowhere.toml"))
    with pytest.raises(SettingsError, match="is a directory"):
        load({}, {}, str(tmp_path))


def test_a_bad_variable_is_named_with_its_value():
    with pytest.raises(SettingsError, match="WEB_TERMINAL_PORT='many'"):
        load({}, {"WEB_TERMINAL_PORT": "many"})


@pytest.mark.parametrize(("name", "low", "high"), RANGES)
def test_every_range_holds_at_both_ends(name, low, high):
    room = {"window": {"log_size": 64 * 1024 * 1024}, "log_size": {"window": 4096}}.get(name, {})

    def with_value(value):
        return check(Settings(**{name: value, **room}))

    for value in (low, high):
        assert getattr(with_value(value), name) == value
    step = 4096 if name == "log_size" else 1
    for value in (low - step, high + step):
        with pytest.raises(SettingsError) as error:
            with_value(value)
        assert name in str(error.value)
        assert str(value) in str(error.value)
        assert f"{low} to {high}" in str(error.value)


def test_every_number_has_a_range():
    numbers = {name for name in Settings.__struct_fields__ if type(getattr(Settings(), name)) in (int, float)}
    assert numbers == {name for name, _low, _high in RANGES}
    assert all(low < high for _name, low, high in RANGES)


def test_not_a_number_is_out_of_range():
    with pytest.raises(SettingsError, match="idle_timeout = nan"):
        check(Settings(idle_timeout=float("nan")))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"log_size": 64 * 1024 + 1}, "multiple of the page size"),
        ({"log_size": 64 * 1024, "window": 32 * 1024 + 1}, "half of log_size, 32768"),
        ({"base_path": "term"}, "'term'"),
        ({"base_path": "/term/"}, "'/term/'"),
        ({"base_path": "/"}, "'/'"),
        ({"base_path": "//x"}, "'//x'"),
        ({"base_path": "/a/../b"}, "'/a/../b'"),
        ({"base_path": "/{id}"}, "letters"),
        ({"base_path": "/a?b"}, "letters"),
        ({"ttyd_path": "tty"}, "ttyd_path = 'tty'"),
        ({"ttyd_path": "/tty/"}, "ttyd_path = '/tty/'"),
        ({"ttyd_path": "/"}, "ttyd_path = '/'"),
        ({"ttyd_path": "/ws"}, "ttyd_path = '/ws' begins like a path of our own"),
        ({"ttyd_path": "/assets/tty"}, "begins like a path of our own"),
        ({"terminado_path": "/a/.."}, "terminado_path = '/a/..'"),
        ({"terminado_path": "/api/v2"}, "terminado_path = '/api/v2' begins like a path of our own"),
        ({"ttyd_path": "/x", "terminado_path": "/x"}, "'/x' and terminado_path = '/x' overlap"),
        ({"ttyd_path": "/x/y", "terminado_path": "/x"}, "overlap"),
        ({"ttyd_path": "/x", "terminado_path": "/x/y/z"}, "overlap"),
        ({"insecure_no_auth": True, "host": "0.0.0.0"}, "0.0.0.0"),
        ({"insecure_no_auth": True, "host": "::"}, "reachable from other machines"),
        ({"insecure_no_auth": True, "host": "example.org"}, "reachable from other machines"),
        ({"insecure_no_auth": True, "token": TOKEN}, "exclude each other"),
        ({"insecure_no_auth": True, "users": {"a": User(token=TOKEN)}}, "exclude each other"),
        ({"token": "short"}, "fewer than 16"),
        ({"users": {"a": User(token=TOKEN), "b": User(token=TOKEN)}}, "same token"),
        ({"token": TOKEN, "users": {"a": User(token=TOKEN)}}, "same token"),
        ({"token": TOKEN, "users": {"owner": User(token=TOKEN + "x")}}, "'owner'"),
        ({"users": {"": User(token=TOKEN)}}, "1 to 64"),
        ({"users": {"n" * 65: User(token=TOKEN)}}, "1 to 64"),
        ({"allow_origins": ("example.org",)}, "'example.org'"),
        ({"allow_origins": ("https://example.org/",)}, "no slash"),
        ({"allow_origins": ("null",)}, "'null'"),
        ({"audit_log": "syslog"}, "audit_log = 'syslog' is neither stderr, journal nor none"),
        ({"unix": "/" + "n" * 107}, "is longer than the 107 bytes that a socket's path may be"),
        ({"unix_mode": "rw-------"}, "unix_mode = 'rw-------' is not octal permissions such as 600 or 660"),
    ],
)
def test_what_cannot_be_used_together_is_refused(fields, words):
    with pytest.raises(SettingsError) as error:
        check(Settings(**fields))
    assert words in str(error.value)
    assert TOKEN not in str(error.value)


def test_loopback_without_authentication_is_allowed_when_it_is_asked_for():
    for host in ("127.0.0.1", "::1", "[::1]", "localhost", "127.9.9.9"):
        assert check(Settings(insecure_no_auth=True, host=host)).has_authentication is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.org", "localhost.example.org", ""])
def test_what_is_not_loopback_is_not_taken_for_it(host):
    assert not is_loopback(host)


def test_secrets_do_not_show():
    settings = Settings(token=TOKEN, users={"ann": User(token=TOKEN + "x")})
    for text in (repr(settings), str(settings), f"{settings.users}"):
        assert TOKEN not in text
        assert "redacted" in text
    assert "token=''" in repr(Settings())
    bare = settings.without_secrets()
    assert (bare.token, bare.users) == ("", {})


def test_no_secret_is_the_default_of_anything():
    assert Settings().token == ""
    assert re.search(r'^    token: .* = ""$', pathlib.Path(module.__file__).read_text(), re.MULTILINE)


def test_compat_protocols_are_off_until_they_have_a_path(file):
    assert (Settings().ttyd_path, Settings().terminado_path) == ("", "")
    path = file('ttyd_path = "/tty"\n')
    settings = load({"terminado_path": "/jupyter/lab"}, {"WEB_TERMINAL_BASE_PATH": "/term"}, path)
    assert (settings.base_path, settings.ttyd_path, settings.terminado_path) == ("/term", "/tty", "/jupyter/lab")
    # The same beginning is no overlap, and below a base path nothing of ours is met.
    check(Settings(ttyd_path="/x", terminado_path="/xy", base_path="/api"))


def test_users_are_read_again_from_their_file(file):
    assert users_in(file('[users.ann]\ntoken = "ann-token-0123456789"\nrole = "viewer"\n'))["ann"].role == "viewer"
    with pytest.raises(SettingsError, match="users: "):
        users_in(file("[users.ann]\ntoken = 5\n"))
