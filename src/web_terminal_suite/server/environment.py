"""What a shell is given where nobody asked for anything else: program, home directory and environment.

Decides from the account's entry in passwd(5) and from the environment that the server was started with. What describes
the place where the server was started (``NOT_FOR_SHELLS``) does not reach a shell. Starts nothing.
"""

from __future__ import annotations

import ctypes
import functools
import os
import pwd
import re
import shutil
import stat
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from web_terminal_suite.server.settings import Settings

_SIZE = "the size of the server's terminal: programs believe it before they ask their own"
_TERMINAL = "names the terminal emulator that the server was started in: programs then use what only that one can do"
_MULTIPLEXER = "the tmux, screen or zellij pane that the server was started in: they refuse to start inside themselves"
_EDITOR = "the editor's terminal that the server was started in: programs would open files there"
_DEVICE = "the terminal device or window of the server"
_CONNECTION = "the SSH connection that the server was started over, which may have ended"
_LOGIN = "the login session of the desktop that the server was started in"
_START = "how the desktop started the terminal of the server: one use, for one program"
_SHELL = "the state of the shell that started the server; a shell sets its own"
_SYSTEMD = "systemd's to the server: a program that answered it would speak for the service"
_SERVICE = "the service's own directory, not the account's"
_SUPERVISOR = "the process manager's to the server"

NOT_FOR_SHELLS: Mapping[str, str] = {
    "COLUMNS": _SIZE, "LINES": _SIZE,
    "TERM_PROGRAM": _TERMINAL, "TERM_PROGRAM_VERSION": _TERMINAL, "TERM_SESSION_ID": _TERMINAL,
    "TERM_FEATURES": _TERMINAL, "TERMCAP": _TERMINAL, "COLORFGBG": _TERMINAL, "VTE_VERSION": _TERMINAL,
    "LC_TERMINAL": _TERMINAL, "LC_TERMINAL_VERSION": _TERMINAL, "ALACRITTY_*": _TERMINAL, "ConEmu*": _TERMINAL,
    "GHOSTTY_*": _TERMINAL, "GNOME_TERMINAL_*": _TERMINAL, "GUAKE_*": _TERMINAL, "ITERM_*": _TERMINAL,
    "KITTY_*": _TERMINAL, "KONSOLE_*": _TERMINAL, "MLTERM": _TERMINAL, "TERMINATOR_*": _TERMINAL,
    "TERMINOLOGY": _TERMINAL, "TILIX_ID": _TERMINAL, "WEZTERM_*": _TERMINAL, "WT_SESSION": _TERMINAL,
    "WT_PROFILE_ID": _TERMINAL, "XTERM_*": _TERMINAL,
    # Not TMUX_TMPDIR: it says where the account's tmux servers are found.
    "TMUX": _MULTIPLEXER, "TMUX_PANE": _MULTIPLEXER, "STY": _MULTIPLEXER, "WINDOW": _MULTIPLEXER,
    "BYOBU_*": _MULTIPLEXER, "ZELLIJ": _MULTIPLEXER, "ZELLIJ_*": _MULTIPLEXER,
    "INSIDE_EMACS": _EDITOR, "NVIM": _EDITOR, "NVIM_LISTEN_ADDRESS": _EDITOR, "TERMINAL_EMULATOR": _EDITOR,
    "VIM_TERMINAL": _EDITOR, "VSCODE_*": _EDITOR,
    "GPG_TTY": _DEVICE, "WINDOWID": _DEVICE,
    # Not SSH_AUTH_SOCK: an agent is the account's.
    "SSH_CLIENT": _CONNECTION, "SSH_CONNECTION": _CONNECTION, "SSH_ORIGINAL_COMMAND": _CONNECTION,
    "SSH_TTY": _CONNECTION,
    # Not XDG_RUNTIME_DIR, DISPLAY and the like: they are the account's.
    "XDG_SEAT": _LOGIN, "XDG_SESSION_CLASS": _LOGIN, "XDG_SESSION_ID": _LOGIN, "XDG_SESSION_TYPE": _LOGIN,
    "XDG_VTNR": _LOGIN,
    "DESKTOP_STARTUP_ID": _START, "GIO_LAUNCHED_DESKTOP_FILE*": _START, "XDG_ACTIVATION_TOKEN": _START,
    "_": _SHELL, "OLDPWD": _SHELL, "PWD": _SHELL, "SHLVL": _SHELL,
    # systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager"
    "FDSTORE": _SYSTEMD, "INVOCATION_ID": _SYSTEMD, "JOURNAL_STREAM": _SYSTEMD, "LISTEN_*": _SYSTEMD,
    "MAINPID": _SYSTEMD, "MANAGERPID": _SYSTEMD, "MANAGERPIDFDID": _SYSTEMD, "MEMORY_PRESSURE_*": _SYSTEMD,
    "NOTIFY_SOCKET": _SYSTEMD, "SYSTEMD_EXEC_PID": _SYSTEMD, "TRIGGER_*": _SYSTEMD, "WATCHDOG_*": _SYSTEMD,
    "CACHE_DIRECTORY": _SERVICE, "CONFIGURATION_DIRECTORY": _SERVICE, "CREDENTIALS_DIRECTORY": _SERVICE,
    "LOGS_DIRECTORY": _SERVICE, "RUNTIME_DIRECTORY": _SERVICE, "STATE_DIRECTORY": _SERVICE,
    "PM2_*": _SUPERVISOR, "SUPERVISOR_*": _SUPERVISOR, "UPSTART_*": _SUPERVISOR, "pm_id": _SUPERVISOR,
}  # fmt: skip
"""Variables that do not reach a shell, and why; ``*`` stands for any rest. ``--env`` or a session may set them anew."""

# What --clean-env leaves of the server's environment, as sshd does: a language and a time zone describe people.
_KEPT_IF_CLEAN = ("LANG", "LANGUAGE", "LC_*", "TZ")
# As login(1) and sshd give it.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_LAST_SHELL = "/bin/sh"
# systemd passes over these, too, when it fills in SHELL (is_nologin_shell in user-util.c).
_NO_SHELLS = ("nologin", "false", "true", "sync", "halt", "shutdown", "reboot")
# shells(5) also has multiplexers, in which $SHELL would start the multiplexer again.
_SHELLS_FILE = "/etc/shells"
_MULTIPLEXERS = ("tmux", "screen", "zellij")
# Where there is no such file: what getusershell(3) assumes, and the usual ones.
_USUAL_SHELLS = ("sh", "bash", "zsh", "fish", "dash", "ash", "ksh", "csh")

_UTF8 = re.compile(r"\.utf-?8(@.*)?$", re.IGNORECASE)
_NO_LANGUAGE = ("", "C", "POSIX")
_PLAIN_UTF8 = "C.UTF-8"
# PEP 538: Python writes one of these into LC_CTYPE of its own environment where the locale was C.
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


@dataclass(frozen=True, slots=True)
class Account:
    """What passwd(5) says about a user; empty where it has no entry."""

    name: str = ""
    home: str = ""
    shell: str = ""


def account() -> Account:
    """The account that this process runs as."""
    try:
        entry = pwd.getpwuid(os.getuid())
    except KeyError:
        return Account()
    return Account(entry.pw_name, entry.pw_dir, entry.pw_shell)


@dataclass(frozen=True, slots=True)
class ShellDefaults:
    """A session's program, home directory and environment where its request does not name others."""

    program: str
    home: str
    env: Mapping[str, str]
    remarks: tuple[str, ...] = ()
    """For the log: what was not as an administrator may expect."""


def shell_defaults(
    settings: Settings,
    inherited: Mapping[str, str],
    of: Account,
    *,
    exists: Callable[[str], bool] | None = None,
) -> ShellDefaults:
    """What the sessions of a server get that was started with ``inherited`` by the account ``of``.

    ``exists`` tells whether this machine has a locale of that name.
    """
    remarks: list[str] = []
    env = _kept(inherited, _KEPT_IF_CLEAN) if settings.clean_env else _without(inherited, NOT_FOR_SHELLS)
    if settings.clean_env or not env.get("PATH"):
        env["PATH"] = _PATH
    env["HOME"] = home(settings, inherited, of)
    for name in ("USER", "LOGNAME"):
        if env.get(name):
            continue
        if of.name:
            env[name] = of.name
        else:
            remarks.append(f"user id {os.getuid()} has no entry in passwd: shells get no {name}")
    # Python may have written it into its own environment: then it was nobody's decision.
    has_language = inherited.get("LC_ALL") or inherited.get("LANG", "") not in _NO_LANGUAGE
    if inherited.get("LC_CTYPE") in _COERCED and not has_language:
        env.pop("LC_CTYPE", None)
    env["SHELL"] = own = _own_shell(env.get("SHELL", ""), of.shell, remarks)
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | settings.env
    deciding = next((each for each in ("LC_ALL", "LC_CTYPE") if env.get(each)), "LANG")
    if deciding not in settings.env:
        _use_utf8(env, deciding, exists or has_locale, remarks)
    program = settings.shell or own
    if "SHELL" not in settings.env:
        env = with_shell(env, program)
    return ShellDefaults(program, env["HOME"], env, tuple(remarks))


def home(settings: Settings, inherited: Mapping[str, str], of: Account) -> str:
    """The home directory of the sessions, whether it is there or not."""
    kept = "" if settings.clean_env else inherited.get("HOME", "")
    return settings.env.get("HOME") or kept or of.home or "/"


def with_shell(env: Mapping[str, str], program: str) -> dict[str, str]:
    """``env`` with ``SHELL`` as ``program``, if that is a shell: otherwise the programs in it could start no other."""
    path = shutil.which(program, path=env.get("PATH", os.defpath)) if is_shell(program) else None
    return {**env, "SHELL": path} if path else dict(env)


def is_shell(program: str) -> bool:
    """Whether ``program`` has the name of a shell that shells(5) lists."""
    return os.path.basename(program) in _shell_names()


def start_directory(directory: str) -> tuple[str, str]:
    """Where a shell with this home directory starts, and what is wrong with the home directory if that is ``/``."""
    try:
        is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
    except (OSError, ValueError) as error:
        return "/", (getattr(error, "strerror", None) or str(error)).lower()
    if not is_directory:
        return "/", "not a directory"
    return (directory, "") if os.access(directory, os.X_OK) else ("/", "permission denied")


def has_locale(name: str) -> bool:
    """Whether the C library has the characters of this locale (newlocale(3)); changes nothing in this process."""
    library = ctypes.CDLL(None)
    library.newlocale.restype = ctypes.c_void_p
    library.newlocale.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
    library.freelocale.argtypes = (ctypes.c_void_p,)
    found = library.newlocale(1, os.fsencode(name), None)  # LC_CTYPE_MASK: LC_CTYPE is 0 in glibc and musl
    if found:
        library.freelocale(found)
    return bool(found)


def _own_shell(inherited: str, of_account: str, remarks: list[str]) -> str:
    """The first of ``$SHELL``, the account's shell and ``/bin/sh`` that lets anybody in."""
    for each in (inherited, of_account):
        if each and os.path.basename(each) not in _NO_SHELLS:
            return each
    if refused := inherited or of_account:
        remarks.append(f"the account's shell, {refused}, lets nobody in: it is replaced by {_LAST_SHELL}; see --shell")
    return _LAST_SHELL


@functools.cache
def _shell_names() -> frozenset[str]:
    try:
        with open(_SHELLS_FILE, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError:
        lines = []
    listed = {os.path.basename(line) for line in lines if line.startswith("/")}
    return frozenset({*(listed or _USUAL_SHELLS)} - {*_MULTIPLEXERS, *_NO_SHELLS})


def _use_utf8(env: dict[str, str], name: str, exists: Callable[[str], bool], remarks: list[str]) -> None:
    """Set ``name``, which decides which characters there are, to a UTF-8 locale: the page knows no others."""
    value = env.get(name, "")
    wanted = value if _UTF8.search(value) else f"{re.split('[.@]', value)[0]}.UTF-8"
    for locale in (wanted, _PLAIN_UTF8):
        if not locale.startswith(".") and exists(locale):
            break
    else:
        remarks.append(
            f"this machine has no locale {_PLAIN_UTF8}: shells print only ASCII; set one with --env LANG=..."
        )
        return
    if locale != value:
        env[name] = locale
        why = f"{name}={value} is no UTF-8 locale of this machine" if value else "no locale is set"
        remarks.append(f"shells get {name}={locale}: {why}")


def _matches(name: str, patterns: Mapping[str, str] | tuple[str, ...]) -> bool:
    return name in patterns or any(fnmatchcase(name, each) for each in patterns if each.endswith("*"))


def _without(env: Mapping[str, str], patterns: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if not _matches(name, patterns)}


def _kept(env: Mapping[str, str], patterns: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in env.items() if _matches(name, patterns) and name not in NOT_FOR_SHELLS}
