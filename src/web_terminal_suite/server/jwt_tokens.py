"""Tokens of an identity provider (JSON Web Tokens, RFC 7519): whose they are, by keys that the provider publishes.

It verifies and never waits: keys are those that were read last (``JwtVerifier.keep_fresh``). Only signatures with a
pair of keys are accepted; with a shared secret, whoever can verify a token could make one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
import warnings
from typing import TYPE_CHECKING, Any

from web_terminal_suite.server.settings import OWNER

if TYPE_CHECKING:
    from web_terminal_suite.server.settings import ClaimRules, Jwt, Role

log = logging.getLogger("web_terminal_suite.worker")

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
)  # fmt: skip
_KEY_TYPES = ("RSA", "EC", "OKP")
# Clocks of provider and server may differ by so much.
_LEEWAY_SECONDS = 60
_REFRESH_SECONDS = 300.0
# After a token whose key is not known, or after a failure; strangers can make us ask as often.
_RETRY_SECONDS = 3.0
# A provider may be away for so long; then nobody knows which keys it would still stand by.
_STALE_SECONDS = 24 * 3600.0
_FETCH_SECONDS = 5.0
_ANSWER_BYTES = 256 * 1024
_USER_CHARACTERS = 64


class NotAccepted(Exception):
    """A token is not accepted; the text may be told to its client."""


class KeyUnknown(NotAccepted):
    """Nor would it be now, but keys are read again: it may be accepted soon."""


class JwtVerifier:
    """Verifies the tokens that ``rules`` describes."""

    def __init__(self, rules: Jwt) -> None:
        self.rules = rules
        self._keys: dict[str, Any] = {}
        self._read_at = float("-inf")
        self._asked = asyncio.Event()
        self._refreshed = asyncio.Event()
        self._failed = False

    def verify(self, token: str, now: float | None = None) -> dict[str, Any]:
        """The claims of a token that is valid at epoch second ``now``.

        Raises:
            NotAccepted: with the reason.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError, SecurityWarning

        now = time.time() if now is None else now
        try:
            key = self._key(token)
            with warnings.catch_warnings():
                # EdDSA is called Ed25519 by now (RFC 9864); providers use the old name still.
                warnings.simplefilter("ignore", SecurityWarning)
                decoded = jwt.decode(token, key, algorithms=list(ALGORITHMS))
            registry = jwt.JWTClaimsRegistry(
                now=int(now),
                leeway=_LEEWAY_SECONDS,
                exp={"essential": True},
                iss={"essential": True, "value": self.rules.issuer},
                aud={"essential": True, "value": self.rules.audience},
            )
            registry.validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise NotAccepted(f"the token is not accepted: {error}"[:300]) from error
        return dict(decoded.claims)

    def _key(self, token: str) -> Any:
        """The published key that the token names.

        Raises:
            KeyUnknown: there is none of that name.
            NotAccepted: the token names none, and there are several; or the keys are too old.
        """
        from joserfc import jws

        header = jws.extract_compact(token.encode()).headers()
        algorithm, name = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise NotAccepted(
                f"the token's algorithm {str(algorithm)[:20]!r} is not accepted; use one of a pair of keys"
            )
        if time.monotonic() - self._read_at > _STALE_SECONDS:
            self._asked.set()
            raise KeyUnknown("the provider's keys could not be read; try again later")
        if name is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        if name is None:
            raise NotAccepted("the token does not name its key (kid)")
        if name not in self._keys:
            self._asked.set()
            raise KeyUnknown(f"the token's key {str(name)[:50]!r} is not known; the provider's keys are read again")
        return self._keys[name]

    # --- keys

    async def refreshed(self) -> None:
        """Return when keys were read again, or could not be in time."""
        self._refreshed.clear()
        try:
            async with asyncio.timeout(_RETRY_SECONDS + _FETCH_SECONDS):
                await self._refreshed.wait()
        except TimeoutError:
            pass  # the next try of the client may be luckier

    async def keep_fresh(self) -> None:
        """Read the keys now and then, and when a token names one that is not there; until cancelled."""
        while True:
            await self.read()
            self._asked.clear()
            await asyncio.sleep(_RETRY_SECONDS)
            try:
                async with asyncio.timeout(_RETRY_SECONDS if self._failed else _REFRESH_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                pass  # it is time anyway

    async def read(self) -> None:
        """Read the keys; where that fails, those before stay. Only the first failure of several is logged."""
        try:
            self._keys = await asyncio.to_thread(_published, self.rules.jwks)
        except (OSError, ValueError) as error:
            if not self._failed:
                log.error("the keys at %s cannot be read: %s; those before stay for a day", self.rules.jwks, error)
            self._failed = True
        else:
            if self._failed:
                log.info("the keys at %s can be read again", self.rules.jwks)
            self._failed = False
            self._read_at = time.monotonic()
        self._refreshed.set()


def named(claims: dict[str, Any], rules: ClaimRules) -> tuple[str, Role]:
    """The user and role that claims stand for.

    Raises:
        NotAccepted: no user, or none with a role here.
    """
    user = claims.get(rules.user_claim)
    if not isinstance(user, str) or not 0 < len(user) <= _USER_CHARACTERS or not user.isprintable() or user == OWNER:
        raise NotAccepted(f"the claim {rules.user_claim!r} names no user: {str(user)[:100]!r}")
    values = claims.get(rules.roles_claim, ()) if rules.roles_claim else ()
    held = {values} if isinstance(values, str) else {each for each in values if isinstance(each, str)}
    roles = [role for name, role in rules.roles.items() if name in held]
    for role in ("owner", "user", "viewer"):
        if role in roles:
            return user, role
    if rules.default_role is None:
        raise NotAccepted(f"user {user!r} has no role here; the claim {rules.roles_claim!r} holds {sorted(held)[:10]}")
    return user, rules.default_role


def _published(place: str) -> dict[str, Any]:
    """The keys at a URL or in a file, by name.

    Raises:
        OSError, ValueError: they cannot be had, or there is none that may be used.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import import_key

    if place.startswith(("https://", "http://")):
        with urllib.request.urlopen(place, timeout=_FETCH_SECONDS) as answer:
            data = answer.read(_ANSWER_BYTES + 1)
    else:
        with open(place, "rb") as file:
            data = file.read(_ANSWER_BYTES + 1)
    if len(data) > _ANSWER_BYTES:
        raise ValueError(f"more than {_ANSWER_BYTES} bytes")
    content = json.loads(data)
    found = content.get("keys") if isinstance(content, dict) else None
    keys: dict[str, Any] = {}
    for each in found if isinstance(found, list) else ():
        if not isinstance(each, dict) or each.get("kty") not in _KEY_TYPES or each.get("use", "sig") != "sig":
            continue  # RFC 7517 section 5: what is not understood is left out
        try:
            key = import_key(each)
            key.ensure_kid()
        except (JoseError, ValueError, TypeError):
            continue
        keys[str(key.kid)] = key
    if not keys:
        raise ValueError("there is no public key for signatures (RFC 7517)")
    return keys
