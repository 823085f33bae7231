"""Logins at the page of an OpenID provider: the code flow with PKCE (OpenID Connect Core 3.1, RFC 7636).

A login that has begun is kept by the browser alone (``Attempt``, signed by whom hands it out), so any worker can finish
it. Nothing of the provider's answer is believed but what its keys have signed, and ``userinfo`` about the same subject.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec

from web_terminal_suite.server.jwt_tokens import JwtVerifier, KeyUnknown, NotAccepted
from web_terminal_suite.server.settings import Jwt, is_secure_place

if TYPE_CHECKING:
    import httpx2

    from web_terminal_suite.server.settings import Oidc

# Metadata of a provider changes about as often as its keys.
_METADATA_SECONDS = 3600.0
_TIMEOUT_SECONDS = 5.0
_RANDOM_BYTES = 32
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderFailed(Exception):
    """The provider is away, or its answer cannot be used; the text is for the person who logs in."""


class Attempt(msgspec.Struct, frozen=True):
    """A login that has begun: what must come back, and the secret behind the challenge of PKCE."""

    state: str
    nonce: str
    verifier: str


class OidcClient:
    """One server's logins at the provider in ``rules``, which sends browsers back to ``redirect_uri``."""

    def __init__(self, rules: Oidc, redirect_uri: str) -> None:
        self.rules = rules
        self._redirect_uri = redirect_uri
        self._metadata: dict[str, Any] = {}
        self._metadata_until = float("-inf")
        self._verifier: JwtVerifier | None = None

    async def begin(self) -> tuple[str, Attempt]:
        """Where to send the browser, and what it must bring back.

        Raises:
            ProviderFailed
        """
        async with self._client() as client:
            metadata = await self._read_metadata(client)
            attempt = Attempt(*(secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3)))
            url, _state = client.create_authorization_url(
                metadata["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url), attempt

    async def finish(self, attempt: Attempt, code: str) -> dict[str, Any]:
        """The claims about the user who logged in.

        Raises:
            ProviderFailed
            NotAccepted: the provider's token is not what was asked for.
        """
        import httpx2
        from authlib.common.errors import AuthlibBaseError

        async with self._client() as client:
            try:
                metadata = await self._read_metadata(client)
                answer = await client.fetch_token(metadata["token_endpoint"], code=code, code_verifier=attempt.verifier)
                claims = await self._verified(metadata, answer.get("id_token"), attempt)
                return await self._with_userinfo(client, metadata, claims)
            except AuthlibBaseError as error:
                raise ProviderFailed(f"the provider refuses the login: {error}"[:300]) from error
            except (httpx2.HTTPError, ValueError) as error:
                raise ProviderFailed(f"the provider does not answer as it should: {error}"[:300]) from error

    def _client(self) -> Any:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self.rules.client_id,
            self.rules.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if self.rules.client_secret else "none",
            scope=" ".join(self.rules.scopes),
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=_TIMEOUT_SECONDS,
        )

    async def _read_metadata(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        """What the provider says of itself (OpenID Connect Discovery 1.0)."""
        import httpx2

        if time.monotonic() < self._metadata_until:
            return self._metadata
        place = f"{self.rules.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            answer = await client.request("GET", place, withhold_token=True)  # type: ignore[call-arg]  # authlib's
            answer.raise_for_status()
            found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise ProviderFailed(f"the provider cannot be asked at {place}: {error}"[:300]) from error
        if not isinstance(found, dict) or found.get("issuer") != self.rules.issuer:
            raise ProviderFailed(f"{place} is not of the issuer {self.rules.issuer!r}")
        for name in _ENDPOINTS:
            if not is_secure_place(str(found.get(name))):
                raise ProviderFailed(f"{place} names no {name} with https")
        self._metadata, self._metadata_until = found, time.monotonic() + _METADATA_SECONDS
        return found

    async def _verified(self, metadata: dict[str, Any], token: object, attempt: Attempt) -> dict[str, Any]:
        """The claims in an id token of this attempt."""
        if not isinstance(token, str):
            raise NotAccepted("the provider sent no id token")
        if self._verifier is None or self._verifier.rules.jwks != metadata["jwks_uri"]:
            rules = Jwt(issuer=self.rules.issuer, audience=self.rules.client_id, jwks=metadata["jwks_uri"])
            self._verifier = JwtVerifier(rules)
        try:
            claims = self._verifier.verify(token)
        except KeyUnknown:
            await self._verifier.read()
            claims = self._verifier.verify(token)
        if claims.get("nonce") != attempt.nonce:
            raise NotAccepted("the provider's token is of another login (nonce)")
        if claims.get("azp", self.rules.client_id) != self.rules.client_id:
            raise NotAccepted("the provider's token is for another client (azp)")
        return claims

    async def _with_userinfo(
        self, client: httpx2.AsyncClient, metadata: dict[str, Any], claims: dict[str, Any]
    ) -> dict[str, Any]:
        """The claims, with those of the userinfo endpoint where the token lacks one that is wanted."""
        wanted = {self.rules.user_claim, self.rules.roles_claim} - {""}
        place = str(metadata.get("userinfo_endpoint"))
        if wanted <= set(claims) or not is_secure_place(place):
            return claims
        answer = await client.request("GET", place)
        answer.raise_for_status()
        told = answer.json()
        # OpenID Connect Core 5.3.2: otherwise it may be about somebody else.
        if not isinstance(told, dict) or told.get("sub") != claims.get("sub"):
            raise NotAccepted("the provider's userinfo is about another subject")
        return {**told, **claims}
