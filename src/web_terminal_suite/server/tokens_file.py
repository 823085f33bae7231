"""The tokens file: who may log in, with digests instead of tokens. Written by ``web-terminal token``, read by servers.

A file that other accounts can read or write is refused. It is replaced as a whole, so a reader never sees half of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server.credentials import Credential, random_token

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = 1
_ID_BYTES = 5
_NAME_CHARACTERS = 64


class TokensFileError(Exception):
    """A file with tokens cannot be used; the text says which, why, and the remedy."""


class _Content(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    tokens: tuple[Credential, ...]


def read(path: str) -> tuple[Credential, ...]:
    """The credentials in a tokens file; none if there is no file.

    Raises:
        TokensFileError: it cannot be read, others can read it, or it is damaged.
    """
    data = _private(path, "tokens file")
    if data is None:
        return ()
    try:
        content = msgspec.json.decode(data, type=_Content)
    except msgspec.DecodeError as error:
        raise TokensFileError(f"tokens file {path!r} is damaged: {error}") from error
    if content.version != _VERSION:
        raise TokensFileError(f"tokens file {path!r} has version {content.version}; this server reads {_VERSION}")
    return content.tokens


def add(path: str, user: str, role: str, digest: str, expires: float | None) -> Credential:
    """A new credential, written into the file, which is made if it is missing.

    Raises:
        TokensFileError: as ``read``, or it cannot be written.
    """
    if not 0 < len(user) <= _NAME_CHARACTERS or not user.isprintable() or ":" in user:
        raise TokensFileError(f"user {user[:80]!r} must have 1 to 64 printable characters, and no colon")
    fields = {"user": user, "role": role, "digest": digest, "created": round(time.time(), 3), "expires": expires}
    with _locked(path):
        before = read(path)
        taken = {each.id for each in before}
        id = next(id for id in iter(lambda: secrets.token_hex(_ID_BYTES), "") if id not in taken)
        made = msgspec.convert({**fields, "id": id}, Credential)
        if made.is_password and any(each.is_password and each.user == user for each in before):
            raise TokensFileError(f"{user} has a password already; revoke it first")
        _write(path, (*before, made))
    return made


def remove(path: str, *, id: str = "", user: str = "") -> tuple[Credential, ...]:
    """Remove the credential with an id, or all of a user; what was removed.

    Raises:
        TokensFileError: as ``add``.
    """
    with _locked(path):
        before = read(path)
        removed = tuple(each for each in before if (id and each.id == id) or (user and each.user == user))
        if removed:
            _write(path, tuple(each for each in before if each not in removed))
    return removed


def read_token(path: str) -> str:
    """The token in a file that holds nothing else. One that is missing is made, with a random token.

    Raises:
        TokensFileError: it cannot be read or made, or others can read it.
    """
    data = _private(path, "token file")
    if data is None:
        data = random_token().encode() + b"\n"
        _replace(path, data)
    try:
        token = data.decode().strip()
    except UnicodeDecodeError as error:
        raise TokensFileError(f"token file {path!r} is not UTF-8") from error
    if not token or not token.isprintable():
        raise TokensFileError(f"token file {path!r} must hold one line with a token")
    return token


def _private(path: str, what: str) -> bytes | None:
    """The content of a file that only this account, or root, can read; ``None`` if there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TokensFileError(f"{what} {path!r}: {(error.strerror or str(error)).lower()}") from error
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise TokensFileError(f"{what} {path!r} is no regular file")
        if found.st_mode & 0o077 or found.st_uid not in (0, os.geteuid()):
            raise TokensFileError(
                f"{what} {path!r} is open to other accounts (mode {stat.S_IMODE(found.st_mode):o}, owner "
                f"{found.st_uid}); run: chmod 600 {path}, and let it belong to the server's account"
            )
        with open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)


def _write(path: str, tokens: tuple[Credential, ...]) -> None:
    content = msgspec.json.encode(_Content(version=_VERSION, tokens=tokens))
    _replace(path, msgspec.json.format(content, indent=1) + b"\n")


def _replace(path: str, data: bytes) -> None:
    """Put another file in the place of ``path``, readable by this account alone."""
    new = f"{path}.{secrets.token_hex(4)}.new"
    try:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(fd)
            os.replace(new, path)
        except OSError:
            os.unlink(new)
            raise
    except OSError as error:
        raise TokensFileError(f"{path!r} cannot be written: {(error.strerror or str(error)).lower()}") from error


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Alone among those that change files in this directory: the file itself is replaced, and a lock with it."""
    directory = os.path.dirname(os.path.abspath(path))
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise TokensFileError(f"directory {directory!r}: {(error.strerror or str(error)).lower()}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
