"""Every setting is a flag, a variable and a key, with one help text and one row in the documents."""

from __future__ import annotations

import os
import typing

import pytest
from click.testing import CliRunner

from tests.server import settings_table
from web_terminal_suite.cli.serve import serve, settings_of
from web_terminal_suite.server.settings import Settings, SettingsError, declarations
from web_terminal_suite.server.tokens_file import TokensFileError

SETTINGS = declarations()
# A value that is not the default and can be used with the defaults of the others, where not every value can.
VALUES = {
    "base_path": "/term", "ttyd_path": "/tty", "terminado_path": "/jupyter", "token": "0123456789abcdef",
    "host": "::1", "unix_mode": "660", "public_url": "https://a.example",
    "allow_origins": ("https://a.example", "https://b.example"), "log_size": 512 * 1024, "window": 4096,
    "trusted_proxies": ("10.0.0.0/8", "::1"), "audit_log": "/var/log/audit.log",
}  # fmt: skip
# Settings that are of use with others only, and these.
NEEDED = {
    "tls_key": ("--tls-cert", "cert.pem"), "tls_client_ca": ("--tls-cert", "cert.pem"),
    "user_header": ("--trusted-proxy", "::1"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # a file that a setting names may be made
    for name in [name for name in os.environ if name.startswith("WEB_TERMINAL_")]:
        monkeypatch.delenv(name)


def started(*words: str) -> Settings:
    """What a server is started with."""
    return settings_of(**serve.make_context("serve", list(words)).params)


def value_of(setting) -> object:
    if setting.name in VALUES:
        return VALUES[setting.name]
    if setting.range:
        return setting.default + 1
    if setting.type is bool:
        return not setting.default
    if setting.is_list:
        return ("a", "b")
    if setting.is_table:
        return {"A": "1=2", "B": ""}
    return next((each for each in typing.get_args(setting.type) if each != setting.default), "other")


def words_of(setting, value) -> list[str]:
    if value is True:
        return [setting.flag]
    if setting.is_table:
        return [word for name, text in value.items() for word in (setting.flag, f"{name}={text}")]
    values = value if setting.is_list else [value]
    return [word for each in values for word in (setting.flag, str(each))]


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.flag], ids=lambda each: each.name)
def test_every_flag_reaches_the_supervisor(setting):
    value = value_of(setting)
    assert value != setting.default
    words = (*NEEDED.get(setting.name, ()), *words_of(setting, value))
    assert getattr(started(*words), setting.name) == value


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.variable], ids=lambda each: each.name)
def test_every_variable_reaches_the_supervisor_unless_a_flag_is_given(setting, monkeypatch):
    value = value_of(setting)
    text = ",".join(value) if setting.is_list else str(int(value)) if value is True else str(value)
    monkeypatch.setenv(setting.variable, text)
    needed = NEEDED.get(setting.name, ())
    assert getattr(started(*needed), setting.name) == value
    if not isinstance(setting.default, bool):
        other = setting.default if setting.range or setting.name in ("host", "log_level") else value
        assert getattr(started(*needed, *words_of(setting, other)), setting.name) == other


def test_a_file_is_named_by_a_flag(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text('port = 1234\n[users.ann]\ntoken = "0123456789abcdef"\n')
    settings = started("--config", str(path))
    assert (settings.port, list(settings.users)) == (1234, ["ann"])


def test_a_token_file_holds_the_token_and_is_made_if_it_is_missing(tmp_path):
    path = tmp_path / "token"
    token = started("--token-file", str(path)).token
    assert token.startswith("wt_")
    assert len(token) >= 40
    assert path.read_text() == f"{token}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert started("--token-file", str(path)).token == token


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [("0123456789abcdef", 0o640, "is open to other accounts"), ("a\nb", 0o600, "one line"), ("\n", 0o600, "one line"),
     ("short", 0o600, "fewer than 16 characters")],
)  # fmt: skip
def test_a_token_file_that_cannot_be_used_ends_the_start(tmp_path, content, mode, said):
    path = tmp_path / "token"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises((SettingsError, TokensFileError), match=said):
        started("--token-file", str(path))


def test_the_flags_are_those_of_the_settings_and_the_file():
    assert {each.name for each in serve.params} == {each.name for each in SETTINGS if each.flag} | {"config"}
    assert [each.name for each in SETTINGS if not each.flag] == ["users", "jwt", "oidc"]


def test_help_shows_every_flag_with_its_text_and_its_default():
    shown = " ".join(CliRunner().invoke(serve, ["--help"], env={"COLUMNS": "200"}).output.split())
    for setting in SETTINGS:
        if setting.flag:
            default = f" (default: {setting.default_text})" if setting.default_text else ""
            assert f"{setting.doc.help}{default}" in shown
            assert f"{setting.flag} " in shown


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda each: each.name)
def test_every_setting_is_explained_by_a_sentence(setting):
    assert setting.doc.help[0].isupper()
    assert setting.doc.help.endswith(".")
    assert "|" not in setting.doc.help


def test_the_documents_list_every_setting():
    assert settings_table.documented() == settings_table.table(), "docs/operations.md is stale; run: make docs"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--env", "A"], "env 'A' is not NAME=VALUE"),
        (["--max-cols", "0"], "max_cols = 0 is out of range: 1 to 65535"),
        (["--log-level", "loud"], "Invalid enum value 'loud'"),
        (["--config", "/nowhere.toml"], "no such file"),
        (["--insecure-no-auth", "--host", "0.0.0.0"], "0.0.0.0"),
        (["--port", "x"], "'x'"),
        (["--bogus"], "--bogus"),
    ],
)
def test_what_cannot_be_used_ends_with_status_2(words, text):
    result = CliRunner().invoke(serve, words)
    assert result.exit_code == 2
    assert text in result.output
