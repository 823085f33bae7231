"""What a server is told, once: flags, then environment, then the TOML file, then the defaults here.

Every setting is one field of ``Settings``; its flag is ``--field-name``, its variable ``WEB_TERMINAL_FIELD_NAME``, its
key in the file ``field_name``. Secrets do not appear in ``repr``.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
import typing
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

ENVIRONMENT_PREFIX = "WEB_TERMINAL_"
# An id has one hexadecimal digit for its host.
MAX_HOSTS = 16
# The name under which the server's own token logs in, and who everybody is where authentication is off.
OWNER = "owner"
Role = Literal["owner", "user", "viewer"]
# First parts of paths, below the base path, that the page, the API and our own WebSocket have.
OUR_PLACES = ("api", "assets", "ws", "index.html", "favicon.svg", "favicon.ico")


class SettingsError(Exception):
    """A setting that cannot be used: names where it came from, the value, and what would do."""


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may log in. ``owner`` sees every session, ``user`` its own, ``viewer`` all but may only read."""

    token: str
    role: Role = "user"

    def __repr__(self) -> str:
        return f"User(token=<redacted>, role={self.role!r})"


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units are in the names; times in seconds, sizes in bytes."""

    host: str = "127.0.0.1"
    port: int = 7681
    base_path: str = ""
    ttyd_path: str = ""
    terminado_path: str = ""
    workers: int = 1
    hosts: int = 0
    """PTY host processes; 0 is as many as ``max_sessions`` needs."""

    shell: str = ""
    cwd: str = ""
    env: dict[str, str] = {}

    token: str = ""
    users: dict[str, User] = {}
    insecure_no_auth: bool = False
    allow_hosts: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    login_seconds: int = 7 * 24 * 3600
    login_attempts_per_minute: int = 10
    authentication_timeout: float = 10.0
    messages_per_second: int = 0

    log_size: int = 256 * 1024
    window: int = 128 * 1024
    message_limit: int = 1 << 20
    max_cols: int = 500
    max_rows: int = 200

    max_sessions: int = 10_000
    max_sessions_per_user: int = 1_000
    idle_timeout: float = 1800.0
    linger: float = 60.0
    kill_after: float = 2.0
    drain_timeout: float = 10.0

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __repr__(self) -> str:
        shown = ("<redacted>" if name == "token" and value else value for name, value in self._items())
        return (
            f"Settings({', '.join(f'{name}={value!r}' for (name, _), value in zip(self._items(), shown, strict=True))})"
        )

    def _items(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__]

    @property
    def has_authentication(self) -> bool:
        """Whether anybody is asked who they are."""
        return not self.insecure_no_auth

    def without_secrets(self) -> Settings:
        """For a process that needs no credentials."""
        return msgspec.structs.replace(self, token="", users={})


# (field, lowest, highest): what each number may be.
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("port", 0, 65535),
    ("workers", 1, 64),
    ("hosts", 0, MAX_HOSTS),
    ("login_seconds", 1, 366 * 24 * 3600),
    ("login_attempts_per_minute", 1, 1_000_000),
    ("authentication_timeout", 0.1, 3600),
    ("messages_per_second", 0, 10_000_000),
    ("log_size", 64 * 1024, 64 * 1024 * 1024),
    ("window", 4096, 32 * 1024 * 1024),
    ("message_limit", 1024, 64 * 1024 * 1024),
    ("max_cols", 1, 65535),
    ("max_rows", 1, 65535),
    ("max_sessions", 1, 1_000_000),
    ("max_sessions_per_user", 1, 1_000_000),
    ("idle_timeout", 0, 10 * 366 * 24 * 3600),
    ("linger", 0, 24 * 3600),
    ("kill_after", 0, 3600),
    ("drain_timeout", 0, 3600),
)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: str | None = None) -> Settings:
    """Settings from all three places; ``flags`` holds only what was given on the command line.

    Raises:
        SettingsError: an unknown key, a value of the wrong type or out of range, a file that cannot be read.
    """
    file = file or environment.get(f"{ENVIRONMENT_PREFIX}CONFIG")
    merged = _from_file(file) if file else {}
    merged.update(_from_environment(environment))
    merged.update({name: value for name, value in flags.items() if value is not None})
    try:
        settings = msgspec.convert(merged, Settings, strict=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"bad setting: {error}") from error
    return check(settings)


def check(settings: Settings) -> Settings:
    """The same settings, proved usable together.

    Raises:
        SettingsError: a value out of range, or a combination that is unsafe.
    """
    for name, low, high in _RANGES:
        value = getattr(settings, name)
        if not low <= value <= high:
            raise SettingsError(f"{name} = {value} is out of range: {low} to {high}")
    if settings.log_size % 4096:
        raise SettingsError(f"log_size = {settings.log_size} is not a multiple of the page size, 4096 bytes")
    if settings.window > settings.log_size // 2:
        raise SettingsError(
            f"window = {settings.window} exceeds half of log_size, {settings.log_size // 2} bytes; raise log_size"
        )
    _check_paths(settings)
    if settings.insecure_no_auth and not is_loopback(settings.host):
        raise SettingsError(
            f"host = {settings.host!r} is reachable from other machines and insecure_no_auth is set: "
            "anybody could run commands; set a token instead, or bind 127.0.0.1"
        )
    if settings.insecure_no_auth and (settings.token or settings.users):
        raise SettingsError("insecure_no_auth and a token or users exclude each other; drop one of them")
    _check_tokens(settings)
    for origin in settings.allow_origins:
        if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
            raise SettingsError(
                f"allow_origins: {origin!r} is no origin, such as https://example.org (no slash at the end)"
            )
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_paths(settings: Settings) -> None:
    for name in ("base_path", "ttyd_path", "terminado_path"):
        path = getattr(settings, name)
        if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", path) or {".", ".."} & {*path.split("/")}:
            raise SettingsError(
                f"{name} = {path!r} must start with a slash, not end with one, and hold letters, digits and ._~- only"
            )
        if name != "base_path" and path.split("/")[1:2] in ([each] for each in OUR_PLACES):
            raise SettingsError(f"{name} = {path!r} begins like a path of our own; choose another than {OUR_PLACES}")
    ttyd, terminado = settings.ttyd_path, settings.terminado_path
    if ttyd and terminado and (f"{ttyd}/".startswith(f"{terminado}/") or f"{terminado}/".startswith(f"{ttyd}/")):
        raise SettingsError(f"ttyd_path = {ttyd!r} and terminado_path = {terminado!r} overlap; give each its own")


def _check_tokens(settings: Settings) -> None:
    tokens = [user.token for user in settings.users.values()] + [settings.token] * bool(settings.token)
    if any(len(token) < 16 for token in tokens):
        raise SettingsError("a token has fewer than 16 characters; make one with: openssl rand -hex 16")
    if len(set(tokens)) != len(tokens):
        raise SettingsError("two users have the same token")
    if settings.token and OWNER in settings.users:
        raise SettingsError(f"users: {OWNER!r} is the name of whoever logs in with the token; choose another")
    if any(not name or len(name) > 64 for name in settings.users):
        raise SettingsError("a user's name must have 1 to 64 characters")


def _from_file(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"config file {path!r}: {(error.strerror or str(error)).lower()}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"config file {path!r} is not TOML: {error}") from error
    for key in content:
        if key not in Settings.__struct_fields__:
            raise SettingsError(f"config file {path!r}: unknown key {key!r}{_nearest(key)}")
    return content


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Variables that name a setting; ``env`` and ``users`` are tables and come from flags or the file only."""
    hints = typing.get_type_hints(Settings)
    found: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(ENVIRONMENT_PREFIX + name.upper())
        if text is None or name in ("env", "users"):
            continue
        hint = hints[name]
        value: Any = tuple(text.split(",")) if typing.get_origin(hint) is tuple else text
        try:
            found[name] = msgspec.convert(value, hint, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{ENVIRONMENT_PREFIX}{name.upper()}={text!r}: {error}") from error
    return found


def _nearest(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key, Settings.__struct_fields__, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(Settings.__struct_fields__)}"


def default_shell(environment: Mapping[str, str] = os.environ) -> str:
    """The user's own shell, or ``/bin/sh``."""
    return environment.get("SHELL") or "/bin/sh"
