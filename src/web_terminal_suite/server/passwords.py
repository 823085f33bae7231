"""Digests of passwords that people chose, by argon2id with the parameters of RFC 9106 for little memory.

A check takes tens of milliseconds and 64 MiB on purpose, so it belongs into a thread, and one is done at a time.
"""

from __future__ import annotations

import functools
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher


@functools.cache
def _hasher() -> PasswordHasher:
    # Imported here: most servers have no passwords, and the library takes 2 MB of every process.
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


@functools.cache
def no_password() -> str:
    """The digest of a password that nobody has: checking it takes as long as checking a user's."""
    return digest_of_password(secrets.token_urlsafe())


def digest_of_password(password: str) -> str:
    """What is kept of a password."""
    return _hasher().hash(password)


def is_password(digest: str, password: str) -> bool:
    """Whether ``digest`` is of this password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(digest, password)
    except (VerificationError, InvalidHashError):
        return False
