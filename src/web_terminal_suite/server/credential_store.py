"""The supervisor's credentials: read from the settings and the tokens file, kept for workers and the next supervisor.

What cannot be read leaves the credentials as they were. The key of cookies and the logins that were ended are kept in
the state directory, if there is one; without it logins end with the server.
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server import credentials as c
from web_terminal_suite.server import launch, tokens_file
from web_terminal_suite.server.file_watch import FileWatch
from web_terminal_suite.server.settings import OWNER, SettingsError, check, users_in

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.supervisor")


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """What outlives a server."""

    key: bytes
    ended: dict[str, c.EndedLogin]


class CredentialStore:
    """All credentials of a server. ``config`` is the file that ``[users]`` stands in, empty where there is none.

    ``before`` are those of the supervisor before this one, if it died or was upgraded.

    Raises:
        TokensFileError: the tokens file cannot be used, and there is nothing from ``before``.
    """

    def __init__(self, settings: Settings, config: str = "", before: c.Credentials | None = None) -> None:
        self._settings = settings.without_secrets()
        self.watch = _watch(settings.tokens_file)
        """Readable when ``reload`` is to be called; ``None`` without a tokens file."""
        self._config = config
        self._kept_in = os.path.join(settings.state_dir, "logins") if settings.state_dir else ""
        self._own = c.configured(msgspec.structs.replace(settings, users={}))
        self._users = c.configured(msgspec.structs.replace(settings, token=""))
        if before is not None:  # a random token is no setting, and goes on
            self._own = tuple(each for each in before.all if not each.id and each.user == OWNER)
            self._users = tuple(each for each in before.all if not each.id and each.user != OWNER)
        stored = self._read_stored(before)
        kept = before or self._read_kept()
        client_secret = settings.oidc.client_secret if settings.oidc is not None else ""
        self._current = c.Credentials(
            key=kept.key if kept else c.random_key(),
            all=(*self._own, *self._users, *stored),
            ended=kept.ended if kept else {},
            client_secret=client_secret if before is None else before.client_secret,
        )
        self._keep()
        self.version = 1
        """Another number stands for other credentials."""
        self.fd = launch.memory("web-terminal-credentials", c.encode(self._current))

    def reload(self, *, if_changed: bool = False) -> None:
        """Read users and tokens again; ``if_changed`` the tokens file was."""
        if if_changed and (self.watch is None or not self.watch.changed()):
            return
        try:
            stored = tokens_file.read(self._settings.tokens_file) if self._settings.tokens_file else ()
            own, users = (self._own, self._users) if if_changed else (self._read_own(), self._read_users())
        except (tokens_file.TokensFileError, SettingsError) as error:
            log.error("users and tokens stay as they are: %s", error)
            return
        self._own, self._users = own, users
        self._take(msgspec.structs.replace(self._current, all=(*own, *users, *stored)))

    def end_login(self, message: bytes) -> None:
        """A login was given back, as ``launch.LOGGED_OUT`` says it."""
        login, ended = msgspec.msgpack.decode(message, type=tuple[str, c.EndedLogin])
        self._take(self._current.without(login, ended, time.time()))
        self._keep()

    @property
    def config(self) -> str:
        """The file that ``[users]`` stands in, empty where there is none."""
        return self._config

    def _read_stored(self, before: c.Credentials | None) -> tuple[c.Credential, ...]:
        try:
            return tokens_file.read(self._settings.tokens_file) if self._settings.tokens_file else ()
        except tokens_file.TokensFileError as error:
            if before is None:
                raise
            log.error("tokens stay as they are: %s", error)
            return tuple(each for each in before.all if each.id)

    def _read_own(self) -> tuple[c.Credential, ...]:
        if not self._settings.token_file:
            return self._own  # a flag, a variable or chance gave it
        token = tokens_file.read_token(self._settings.token_file)
        return c.configured(check(msgspec.structs.replace(self._settings, token=token)))

    def _read_users(self) -> tuple[c.Credential, ...]:
        if not self._config:
            return self._users
        return c.configured(check(msgspec.structs.replace(self._settings, users=users_in(self._config))))

    def _take(self, credentials: c.Credentials) -> None:
        if credentials == self._current:
            return
        if credentials.all != self._current.all:
            log.info("users and tokens were read again: %d may log in", len(credentials.all))
        self._current = credentials
        os.close(self.fd)
        self.fd = launch.memory("web-terminal-credentials", c.encode(credentials))
        self.version += 1

    def _read_kept(self) -> _Kept | None:
        try:
            with open(self._kept_in, "rb") as file:
                return msgspec.msgpack.decode(file.read(), type=_Kept)
        except (OSError, msgspec.DecodeError):
            return None  # the first start, or damaged: every login ends, which is safe

    def _keep(self) -> None:
        if not self._kept_in:
            return
        try:
            # Its directory is the account's alone.
            with open(os.open(f"{self._kept_in}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.msgpack.encode(_Kept(self._current.key, self._current.ended)))
            os.replace(f"{self._kept_in}.new", self._kept_in)
        except OSError as error:
            log.error("logins are not kept for the next start: %s", error)


def _watch(path: str) -> FileWatch | None:
    if not path:
        return None
    try:
        return FileWatch(path)
    except OSError as error:
        log.warning("tokens file %r cannot be watched: %s; send SIGHUP after a change", path, error.strerror)
        return None
