"""What a login is checked against: digests of tokens and passwords, the key of cookies, and the logins that were ended.

The supervisor keeps it and gives it to workers, which never see a token. Pure but for ``random_token`` and the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

import msgspec

from web_terminal_suite.server.settings import OWNER, Role

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import Settings

TOKEN_PREFIX = "wt_"
"""What tokens begin with that this server made: scanners find those that were published by mistake."""
_TOKEN_BYTES = 32
_KEY_BYTES = 32
_BINDING_BYTES = 18
_SHA256 = "sha256:"
# Of one user, so that repeated logouts drop only that user's older ones.
_ENDED_PER_USER = 1000


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A way to log in as ``user``. Times are seconds since the epoch."""

    user: str
    role: Role
    digest: str
    """``sha256:`` and hexadecimal digits of a token, or argon2's text of a password."""
    id: str = ""
    """What a tokens file knows it by; empty for one of the settings."""
    created: float | None = None
    expires: float | None = None

    @property
    def is_password(self) -> bool:
        """Whether a person chose it, so that it can be guessed."""
        return not self.digest.startswith(_SHA256)

    @property
    def kind(self) -> str:
        """What people call it."""
        return "password" if self.is_password else "token"

    def __repr__(self) -> str:
        return f"Credential(user={self.user!r}, role={self.role!r}, id={self.id!r})"


class EndedLogin(msgspec.Struct, frozen=True, array_like=True):
    """A login that was given back, and when it would have been over anyway."""

    user: str
    until: float


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """All of a server at one moment."""

    key: bytes
    """Signs cookies."""
    all: tuple[Credential, ...] = ()
    ended: dict[str, EndedLogin] = {}
    """By the login's id."""
    client_secret: str = ""
    """Of the OpenID provider."""

    def __repr__(self) -> str:
        return f"Credentials({len(self.all)} of users, {len(self.ended)} logins ended)"

    def binding(self, credential: Credential) -> str:
        """What ties a login to the credential it was made with. Without the key it says nothing about the token."""
        content = f"{credential.user}\0{credential.digest}".encode()
        return base64.urlsafe_b64encode(hmac.digest(self.key, content, "sha256")[:_BINDING_BYTES]).decode()

    def without(self, login: str, ended: EndedLogin, now: float) -> Credentials:
        """The same, after a login was ended."""
        kept = {id: each for id, each in self.ended.items() if each.until > now}
        own = [id for id, each in kept.items() if each.user == ended.user]
        for id in own[: max(0, len(own) + 1 - _ENDED_PER_USER)]:
            del kept[id]
        return msgspec.structs.replace(self, ended={**kept, login: ended})


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Credentials).decode


def digest_of(token: str) -> str:
    """What is kept of a token. Enough for one of 32 random bytes, which nobody guesses; passwords need argon2."""
    return _SHA256 + hashlib.sha256(token.encode()).hexdigest()


def random_token() -> str:
    """A token that was never used."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def random_key() -> bytes:
    """A key that no other server has."""
    return secrets.token_bytes(_KEY_BYTES)


def configured(settings: Settings) -> tuple[Credential, ...]:
    """The credentials that the settings name."""
    users = [
        Credential(user=name, role=user.role, digest=digest_of(user.token)) for name, user in settings.users.items()
    ]
    if settings.token:
        users.insert(0, Credential(user=OWNER, role="owner", digest=digest_of(settings.token)))
    return tuple(users)
