"""`web-terminal token` and `users`: a token is shown once and kept as a digest; lists show what is good."""

from __future__ import annotations

import os
import pathlib
import re
import stat
import subprocess
import sys
import threading
import time

import pytest
from click.testing import CliRunner, Result

from web_terminal_suite.cli.application import application
from web_terminal_suite.cli.credential_options import epoch, shown_time
from web_terminal_suite.server import tokens_file
from web_terminal_suite.server.credentials import Credential, Credentials, EndedLogin, digest_of
from web_terminal_suite.server.passwords import digest_of_password, is_password, no_password

DAY = 86_400


@pytest.fixture(autouse=True)
def path(monkeypatch, tmp_path) -> str:
    for name in [name for name in os.environ if name.startswith("WEB_TERMINAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WEB_TERMINAL_TOKENS_FILE", str(tmp_path / "tokens.json"))
    return str(tmp_path / "tokens.json")


def run(*words: str, **more: object) -> Result:
    return CliRunner().invoke(application, list(words), **more)


def test_a_token_is_printed_once_and_kept_as_a_digest(path):
    done = run("token", "create", "ann", "--role", "viewer", "--expires", "30d")
    assert done.exit_code == 0
    token = done.stdout.strip()
    assert re.fullmatch(r"wt_[\w-]{43}", token)
    assert re.search(r"token [0-9a-f]{10} of ann \(viewer\), expires: \d{4}-\d\d-\d\dT\d\d:\d\dZ", done.stderr)
    assert token not in pathlib.Path(path).read_text()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    (kept,) = tokens_file.read(path)
    assert (kept.user, kept.role, kept.digest) == ("ann", "viewer", digest_of(token))
    assert kept.expires == pytest.approx(time.time() + 30 * DAY, abs=60)
    assert token[3:] not in run("token", "list").output


def test_lists_show_users_tokens_and_passwords(path, tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[users.carl]\ntoken = "carl-token-0123456789"\nrole = "owner"\n')
    run("token", "create", "ann")
    run("token", "create", "ann", "--expires", "12h")
    assert run("token", "create", "bob", "--password", input="correct horse battery\n").stdout == ""
    listed = run("token", "list").output.splitlines()
    assert listed[0].split() == ["id", "user", "role", "kind", "created", "expires"]
    assert [line.split()[1:4] for line in listed[1:]] == [
        ["ann", "user", "token"], ["ann", "user", "token"], ["bob", "user", "password"],
    ]  # fmt: skip
    users = run("users", "list", "--config", str(config)).output.splitlines()
    assert [line.split()[:3] for line in users] == [
        ["user", "role", "tokens"], ["carl", "owner", "1"], ["ann", "user", "2"], ["bob", "user", "1"],
    ]  # fmt: skip


def test_tokens_are_revoked_by_id_and_by_user(path, tmp_path):
    for _ in range(2):
        run("token", "create", "ann")
    run("token", "create", "bob")
    first, second, bobs = tokens_file.read(path)
    assert run("token", "revoke", first.id).exit_code == 0
    assert tokens_file.read(path) == (second, bobs)
    again = run("token", "revoke", first.id)
    assert (again.exit_code, "no token has the id" in again.output) == (1, True)
    assert run("users", "revoke", "ann").exit_code == 0
    assert tokens_file.read(path) == (bobs,)
    assert run("users", "revoke", "ann").exit_code == 1
    config = tmp_path / "config.toml"
    config.write_text('[users.bob]\ntoken = "bobs-token-0123456789"\n')
    both = run("users", "revoke", "bob", "--config", str(config))
    assert both.exit_code == 1
    assert "remove [users.bob] there, and send SIGHUP" in both.output
    assert tokens_file.read(path) == ()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("token", "create", "ann", "--expires", "soon"), "'soon' is no time"),
        (("token", "create", "ann", "--expires", "2001-01-01"), "is over already"),
        (("token", "create", "a:b"), "must have 1 to 64 printable characters, and no colon"),
        (("token", "create", ""), "must have 1 to 64 printable characters"),
        (("token", "create", "ann", "--role", "king"), "'king' is not one of"),
        (("token", "create", "ann", "--password"), "a password of 5 characters; at least 12 are needed"),
        (("token", "list", "--tokens-file", "/proc/none/x"), "no such file"),
        (("token", "list", "--config", "/none"), "config file '/none': no such file or directory"),
        (("users", "revoke", "nobody"), "no token is nobody's"),
    ],
)
def test_what_cannot_be_done_is_one_line(words, said):
    done = run(*words, input="short\n")
    if "/proc/none/x" in words:  # a file that is missing is an empty one
        assert done.output.splitlines() == ["id  user  role  kind  created  expires"]
        return
    assert done.exit_code != 0
    assert said in done.output
    assert len(done.output.splitlines()) == 1 or "Usage" in done.output


def test_without_a_tokens_file_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("WEB_TERMINAL_TOKENS_FILE")
    done = run("token", "list")
    assert done.exit_code == 2
    assert "which tokens file?" in done.output


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        ("{", 0o600, "is damaged"),
        ('{"version": 2, "tokens": []}', 0o600, "has version 2; this server reads 1"),
        ('{"version": 1, "tokens": []}', 0o640, "is open to other accounts (mode 640"),
        ('{"version": 1, "tokens": []}', 0o602, "run: chmod 600"),
    ],
)
def test_a_tokens_file_that_cannot_be_trusted_is_refused(path, content, mode, said):
    with open(path, "w") as file:
        file.write(content)
    os.chmod(path, mode)
    for words in (("token", "list"), ("token", "create", "ann"), ("users", "revoke", "ann"), ("users", "list")):
        done = run(*words)
        assert done.exit_code == 1, words
        assert said in done.output
    serve = subprocess.run(
        [sys.executable, "-m", "web_terminal_suite", "serve", "--port", "0"], capture_output=True, text=True, timeout=60
    )
    assert serve.returncode == 1
    assert said in serve.stderr


def test_a_directory_is_no_tokens_file(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(tokens_file.TokensFileError, match="is no regular file"):
            tokens_file.read(str(place))
    with pytest.raises(tokens_file.TokensFileError, match="no such file"):
        tokens_file.add(str(tmp_path / "none" / "x"), "ann", "user", "sha256:0", None)


def test_many_at_once_lose_nothing(path):
    threads = [
        threading.Thread(target=tokens_file.add, args=(path, f"user{number}", "user", digest_of(str(number)), None))
        for number in range(20)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(tokens_file.read(path)) == 20
    assert sorted(os.listdir(os.path.dirname(path))) == ["tokens.json"]


def test_a_user_has_one_password(path):
    assert run("token", "create", "ann", "--password", input="a password of hers\n").exit_code == 0
    done = run("token", "create", "ann", "--password", input="another one of hers\n")
    assert "ann has a password already; revoke it first" in done.output


def test_times():
    assert epoch("never") is None
    assert epoch("90m") == pytest.approx(time.time() + 5400, abs=5)
    assert epoch("4w") == pytest.approx(time.time() + 28 * DAY, abs=5)
    assert shown_time(epoch("2099-01-31T00:00+00:00"), "never") == "2099-01-31T00:00Z"
    assert shown_time(None, "never") == "never"


# --- what is kept


def test_passwords_are_kept_by_argon2():
    digest = digest_of_password("correct horse battery")
    assert digest.startswith("$argon2id$")
    assert is_password(digest, "correct horse battery")
    assert not is_password(digest, "correct horse batterz")
    assert not is_password("sha256:00", "correct horse battery")
    assert not is_password(no_password(), "")


def test_secrets_are_not_shown():
    kept = Credentials(key=b"k" * 32, all=(Credential(user="ann", role="user", digest="sha256:d"),))
    assert "kkkk" not in repr(kept)
    assert "sha256" not in repr(kept.all)


def test_ended_logins_are_forgotten_when_they_would_be_over_and_bounded_for_each_user():
    kept = Credentials(key=b"k", ended={"old": EndedLogin("ann", 5.0), "bobs": EndedLogin("bob", 1e9)})
    for number in range(1100):
        kept = kept.without(f"login{number}", EndedLogin("ann", 100.0 + number), now=10.0)
    assert "old" not in kept.ended
    assert "bobs" in kept.ended
    assert len(kept.ended) == 1001
    assert "login1099" in kept.ended
