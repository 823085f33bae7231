"""What a shell is given, by rule and by real servers and shells."""

from __future__ import annotations

import json
import os
import pwd

import psutil
import pytest

from tests.conftest import TOKEN, serving
from tests.server.raw import http
from web_terminal_suite.client.connection import connect
from web_terminal_suite.protocol.messages import ResourceLimits, SessionSpec
from web_terminal_suite.server.environment import (
    NOT_FOR_SHELLS,
    Account,
    ShellDefaults,
    has_locale,
    home,
    is_shell,
    shell_defaults,
    start_directory,
    with_shell,
)
from web_terminal_suite.server.settings import Settings

ANN = Account("ann", "/home/ann", "/bin/zsh")
LOCALES = {"C.UTF-8", "de_DE.UTF-8", "de_DE.utf8"}
ME = pwd.getpwuid(os.getuid())
MY_HOME, MY_SHELL = os.path.realpath(ME.pw_dir), os.path.realpath(ME.pw_shell)
# As a variable that matches the pattern is called.
STRANGE = {name.replace("*", "X"): "server's" for name in NOT_FOR_SHELLS}


def defaults(inherited: dict[str, str], of: Account = ANN, **settings) -> ShellDefaults:
    return shell_defaults(Settings(**settings), inherited, of, exists=LOCALES.__contains__)


# --- program


def test_the_shell_is_the_users_own():
    assert defaults({"SHELL": "/bin/bash"}).program == "/bin/bash"
    assert defaults({"SHELL": ""}).program == defaults({}).program == "/bin/zsh"
    assert defaults({}, Account()).program == "/bin/sh"
    assert defaults({"SHELL": "/bin/bash"}, shell="/bin/dash").program == "/bin/dash"


@pytest.mark.parametrize("refusing", ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false"])
def test_a_shell_that_lets_nobody_in_is_passed_over_and_that_is_said(refusing):
    assert defaults({"SHELL": refusing}).program == "/bin/zsh"
    found = defaults({"SHELL": refusing}, Account("ann", "/home/ann", refusing))
    assert (found.program, found.env["SHELL"]) == ("/bin/sh", "/bin/sh")
    assert any(refusing in each and "--shell" in each for each in found.remarks)


def test_the_variable_shell_is_the_program_if_that_is_a_shell():
    assert with_shell({"SHELL": "/bin/zsh"}, "/bin/sh")["SHELL"] == "/bin/sh"
    assert with_shell({"SHELL": "/bin/zsh", "PATH": "/bin"}, "bash")["SHELL"] == "/bin/bash"
    for no_shell in ("/usr/bin/env", "/bin/cat", "tmux", "/usr/bin/screen", "/nowhere/bash", "bash\0"):
        assert with_shell({"SHELL": "/bin/zsh"}, no_shell)["SHELL"] == "/bin/zsh"
    assert defaults({}, env={"SHELL": "/bin/x"}, shell="/bin/sh").env["SHELL"] == "/bin/x"
    assert is_shell("bash")
    assert not is_shell("")


# --- environment


def test_nothing_that_describes_the_servers_own_place_reaches_a_shell():
    found = defaults(STRANGE | {"PATH": "/bin", "TMUX_TMPDIR": "/t", "SSH_AUTH_SOCK": "/s", "LINES_OF": "1"}).env
    assert not STRANGE.keys() & found.keys()
    assert (found["TMUX_TMPDIR"], found["SSH_AUTH_SOCK"], found["LINES_OF"]) == ("/t", "/s", "1")
    assert all(reason for reason in NOT_FOR_SHELLS.values())


def test_what_an_administrator_sets_reaches_a_shell_whatever_it_is():
    found = defaults({"COLUMNS": "160"}, env={"COLUMNS": "80", "TERM": "vt100", "LC_ALL": "C", "HOME": "/h"})
    assert (found.env["COLUMNS"], found.env["TERM"], found.env["LC_ALL"]) == ("80", "vt100", "C")
    assert found.home == found.env["HOME"] == "/h"


def test_what_is_missing_is_filled_in_from_the_account():
    found = defaults({}).env
    assert {name: found[name] for name in ("HOME", "USER", "LOGNAME", "SHELL")} == {
        "HOME": "/home/ann", "USER": "ann", "LOGNAME": "ann", "SHELL": "/bin/zsh",
    }  # fmt: skip
    assert "/usr/bin" in found["PATH"].split(":")
    kept = defaults({"HOME": "/h", "USER": "u", "LOGNAME": "l", "PATH": "/p"}).env
    assert (kept["HOME"], kept["USER"], kept["LOGNAME"], kept["PATH"]) == ("/h", "u", "l", "/p")


def test_an_account_without_an_entry_gets_the_root_directory_and_no_name():
    found = defaults({}, Account())
    assert (found.home, found.env["HOME"]) == ("/", "/")
    assert not {"USER", "LOGNAME"} & found.env.keys()
    assert any("no entry in passwd" in each for each in found.remarks)
    assert defaults({"USER": "u", "LOGNAME": "u", "LANG": "de_DE.UTF-8"}, Account()).remarks == ()


def test_a_clean_environment_has_the_account_the_locale_and_the_time_zone_only():
    inherited = STRANGE | {
        "SECRET": "1", "PATH": "/p", "HOME": "/h", "SHELL": "/bin/bash", "USER": "root", "LANG": "de_DE.UTF-8",
        "LC_TIME": "C", "TZ": "UTC",
    }  # fmt: skip
    found = defaults(inherited, clean_env=True, env={"A": "1"}).env
    assert found.pop("PATH") != "/p"
    assert found == {
        "HOME": "/home/ann", "USER": "ann", "LOGNAME": "ann", "SHELL": "/bin/zsh", "LANG": "de_DE.UTF-8",
        "LC_TIME": "C", "TZ": "UTC", "TERM": "xterm-256color", "COLORTERM": "truecolor", "A": "1",
    }  # fmt: skip
    assert home(Settings(clean_env=True), inherited, ANN) == "/home/ann"


@pytest.mark.parametrize(
    ("inherited", "name", "locale"),
    [
        ({}, "LANG", "C.UTF-8"),
        ({"LANG": "C"}, "LANG", "C.UTF-8"),
        ({"LC_CTYPE": "C.UTF-8"}, "LANG", "C.UTF-8"),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "POSIX"}, "LANG", "C.UTF-8"),
        ({"LC_ALL": "C"}, "LC_ALL", "C.UTF-8"),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "LC_ALL", "C.UTF-8"),
        ({"LANG": "de_DE"}, "LANG", "de_DE.UTF-8"),
        ({"LANG": "de_DE@euro"}, "LANG", "de_DE.UTF-8"),
        ({"LANG": "de_DE.UTF-8", "LC_CTYPE": "de_DE.ISO-8859-1"}, "LC_CTYPE", "de_DE.UTF-8"),
        ({"LANG": "fr_FR.UTF-8"}, "LANG", "C.UTF-8"),
        ({"LANG": "../x"}, "LANG", "C.UTF-8"),
    ],
)
def test_a_locale_without_utf_8_is_replaced_where_it_is_set_and_that_is_said(inherited, name, locale):
    found = defaults(inherited)
    assert found.env[name] == locale
    assert any(f"{name}={locale}" in each for each in found.remarks)
    if name == "LANG":
        assert "LC_CTYPE" not in found.env


@pytest.mark.parametrize(
    "inherited",
    [
        {"LANG": "de_DE.UTF-8"},
        {"LANG": "de_DE.utf8", "LC_MESSAGES": "C"},
        {"LC_ALL": "C.UTF-8", "LANG": "C"},
        {"LANG": "de_DE.UTF-8", "LC_CTYPE": "C.UTF-8"},
    ],
)
def test_a_utf_8_locale_stays_as_it_is(inherited):
    found = defaults(inherited)
    assert {name: value for name, value in found.env.items() if name.startswith("L") and name != "LOGNAME"} == inherited
    assert found.remarks == ()


def test_a_locale_that_an_administrator_sets_is_not_hidden_by_one_without_utf_8():
    assert defaults({"LC_ALL": "C"}, env={"LANG": "de_DE.UTF-8"}).env["LC_ALL"] == "C.UTF-8"
    assert "LC_CTYPE" not in defaults({"LC_CTYPE": "C.UTF-8"}, env={"LANG": "de_DE.UTF-8"}).env
    assert defaults({}, env={"LANG": "C"}).env["LANG"] == "C"


def test_a_machine_without_utf_8_is_told():
    found = shell_defaults(Settings(), {"LC_ALL": "C"}, ANN, exists=lambda _name: False)
    assert found.env["LC_ALL"] == "C"
    assert any("ASCII" in each for each in found.remarks)


def test_the_c_library_says_which_locales_there_are():
    assert has_locale("C")
    assert not has_locale("xx_XX.UTF-8")


# --- home directory


def test_a_home_directory_that_cannot_be_entered_is_replaced_by_the_root_directory(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert start_directory(str(tmp_path)) == (str(tmp_path), "")
    assert start_directory(str(tmp_path / "none")) == ("/", "no such file or directory")
    assert start_directory(str(file)) == ("/", "not a directory")
    assert start_directory("") == ("/", "no such file or directory")
    assert start_directory("a\0b")[0] == "/"


# --- real servers and shells


SHOW = (
    "python3 -c 'import json, os, shutil; print(json.dumps("
    "[dict(os.environ), os.getcwd(), list(shutil.get_terminal_size())]))'"
)


async def shown(server, **spec) -> tuple[dict[str, str], str, list[int]]:
    """The environment, the directory and the size that a program in a new shell sees."""
    async with connect(server.url) as connection:
        await connection.attach(cols=100, rows=30, spec=SessionSpec(cols=100, rows=30, **spec))
        result = await connection.run(SHOW)
        await connection.close(destroy=True)
    return json.loads(result.output)


@pytest.fixture(scope="module")
def placed_server():
    """Started where every variable of the table is set, without any that says whose shell it is to be."""
    nobody = dict.fromkeys(("HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE"), "")
    with serving(env=STRANGE | nobody | {"COLUMNS": "160", "LINES": "50", "A_SECRET": "1"}) as each:
        yield each


async def test_a_real_shell_knows_its_account_and_not_the_servers_place(placed_server):
    env, directory, size = await shown(placed_server)
    assert not [name for name, value in env.items() if value in ("server's", "160", "50")]
    assert (env["HOME"], env["USER"], env["LOGNAME"], env["SHELL"]) == (ME.pw_dir, ME.pw_name, ME.pw_name, "/bin/sh")
    assert (env["LANG"], env.get("LC_CTYPE"), env.get("LC_ALL")) == ("C.UTF-8", None, None)
    assert (directory, size) == (MY_HOME, [100, 30])
    assert env["A_SECRET"] == "1"
    assert any("shells get LANG=C.UTF-8: no locale is set" in line for line in placed_server.log)
    assert len([line for line in placed_server.log if "shells get LANG" in line]) == 1


async def test_the_accounts_shell_runs_where_nobody_names_another(homeless_server):
    async with connect(homeless_server.url) as connection:
        await connection.attach()
        result = await connection.run("readlink /proc/$$/exe")
        await connection.close(destroy=True)
    assert result.output.decode().split()[-1] == MY_SHELL


async def test_a_session_with_another_shell_finds_it_in_its_environment(placed_server):
    assert (await shown(placed_server, shell="/bin/dash"))[0]["SHELL"] == "/bin/dash"
    assert (await shown(placed_server, shell="/bin/dash", env={"SHELL": "/x", "COLUMNS": "7"}))[0]["SHELL"] == "/x"


@pytest.fixture(scope="module")
def clean_server(tmp_path_factory):
    """With a clean environment, login shells and a home directory, by ``--env``, that has a profile."""
    place = tmp_path_factory.mktemp("home")
    (place / ".profile").write_text("FROM_PROFILE=yes; export FROM_PROFILE\n")
    environment = {"A_SECRET": "1", "LC_ALL": "C", "PATH": os.environ["PATH"]}
    flags = ("--clean-env", "--login", "--env", f"HOME={place}", "--env", f"PATH={os.environ['PATH']}")
    with serving(*flags, env=environment) as each:
        each.home = place
        yield each


async def test_a_clean_login_shell_has_read_the_profile_and_knows_no_secret(clean_server):
    env, directory, _size = await shown(clean_server)
    assert env["FROM_PROFILE"] == "yes"
    assert "A_SECRET" not in env
    assert (env["HOME"], directory) == (str(clean_server.home), str(clean_server.home))
    assert env["LC_ALL"] == "C.UTF-8"


@pytest.mark.parametrize(
    ("spec", "reads"),
    [
        ({"limits": ResourceLimits(open_files=200)}, True),  # prlimit(1) starts it
        ({"shell": "/bin/bash"}, True),
        ({"shell": "/bin/dash", "args": ("-i",)}, False),  # a command line of its own is taken as it is
    ],
)
async def test_login_is_for_shells_without_arguments(clean_server, spec, reads):
    assert ("FROM_PROFILE" in (await shown(clean_server, **spec))[0]) is reads


async def test_a_program_that_is_no_shell_is_started_as_it_is_called(clean_server):
    async with connect(clean_server.url) as connection:
        attached = await connection.attach(spec=SessionSpec(shell="/bin/cat"))
        answer = await http(clean_server, "GET", f"/api/v1/sessions/{attached.session}", token=TOKEN)
        assert psutil.Process(answer.json()["pid"]).cmdline() == ["/bin/cat"]
        await connection.close(destroy=True)


@pytest.fixture(scope="module")
def homeless_server():
    """Nobody names a shell, and the home directory is missing: no file of the account's shell is read."""
    with serving("--shell", "", env={"HOME": "/nowhere\x1b[31m/home", "SHELL": ""}) as each:
        yield each


async def test_a_missing_home_directory_starts_in_the_root_directory_and_says_so(homeless_server):
    env, directory, _size = await shown(homeless_server)
    assert (env["HOME"], directory) == ("/nowhere\x1b[31m/home", "/")
    async with connect(homeless_server.url) as connection:
        await connection.attach()
        await connection.wait_for(b"; starting in /\r\n")
        await connection.close(destroy=True)
    assert any(r"home directory '/nowhere\x1b[31m/home': no such file" in line for line in homeless_server.log)


async def test_a_directory_that_was_asked_for_is_still_an_error(homeless_server):
    answer = await http(homeless_server, "POST", "/api/v1/sessions", body=b'{"cwd":"/nowhere"}', token=TOKEN)
    assert answer.status == 422
    assert answer.json()["code"] == "bad_directory"
