"""Authentication and authorisation: credentials, the login cookie, the allow-lists for Host and Origin.

It only decides; the handshake and the auth middleware ask it. Middleware does not run in a WebSocket handshake (that is
how CVE-2026-39987 happened), so both ask here.
"""

from __future__ import annotations

import binascii
import hmac
import logging
import math
import re
import secrets
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from itsdangerous import BadSignature, SignatureExpired, URLSafeSerializer, URLSafeTimedSerializer

from web_terminal_suite.server.credentials import EndedLogin, digest_of
from web_terminal_suite.server.jwt_tokens import JwtVerifier, KeyUnknown, NotAccepted, named
from web_terminal_suite.server.login_limits import UNGUESSABLE_CHARACTERS, LoginLimits
from web_terminal_suite.server.settings import OWNER, PUBLIC_URL, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from web_terminal_suite.server.credentials import Credentials
    from web_terminal_suite.server.settings import Role, Settings

log = logging.getLogger("web_terminal_suite.worker")

Scheme = Literal["bearer", "basic", "token"]
"""How a token may come in ``Authorization``. Bearer always; what others' clients use, only where they are served."""

_NAME = r"\[([0-9a-f:.]+)\]|([a-z0-9._~-]+)"
_HOST = re.compile(rf"(?:{_NAME})(?::[0-9]{{1,5}})?")
_ORIGIN = re.compile(rf"https?://((?:{_NAME})(?::[0-9]{{1,5}})?)")
_FOREIGN_SECONDS = 60.0
_LOGIN_BYTES = 12
_USER_CHARACTERS = 64
_ROLES: tuple[Role, ...] = ("viewer", "user", "owner")
# A header in JSON, in base64.
_JWT_BEGINS = "eyJ"


class Principal(msgspec.Struct, frozen=True):
    """An authenticated user and its role.

    ``until`` is the epoch second at which the login or the token is over, if there is one.
    """

    user: str
    role: str
    until: float | None = None
    binding: str = ""
    """Stands for the credential that it logged in with; empty where there is no authentication."""
    login: str = ""
    """The id of a login by cookie; empty for a token."""
    is_of_proxy: bool = False
    """Whether a trusted proxy named the user."""

    @property
    def may_write(self) -> bool:
        """Whether input, signals and changes are allowed."""
        return self.role != "viewer"


class Denied(Exception):
    """Access is refused; ``reason`` may be sent to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TryAgain(Denied):
    """Access is refused for now: the key of a provider's token is not known yet, and is asked for."""


class TooManyFailures(Denied):
    """Access is refused without a look at the credentials."""


class OfferedPassword(NamedTuple):
    """A password that somebody sent, and the digest it must be of; both empty for a user who has none."""

    text: str
    digest: str
    binding: str


class Access:
    """The rules of one server, whose ``credentials`` may change."""

    def __init__(
        self, settings: Settings, port: int, credentials: Credentials, limits: LoginLimits | None = None
    ) -> None:
        self.jwt = JwtVerifier(settings.jwt) if settings.jwt is not None else None
        self._settings = settings
        self.use(credentials)
        self.attempt_cookie_name = f"{'__Secure-' if settings.is_https else ''}web_terminal_{port}_login"
        # Cookies ignore ports, and several servers may run on one machine.
        self.cookie_name = f"{_cookie_prefix(settings)}web_terminal_{port}"
        self._hosts = _allowed_hosts(settings)
        public = PUBLIC_URL.fullmatch(settings.public_url)
        self._origins = frozenset({*settings.allow_origins, *([public["origin"].lower()] if public else [])})
        self._foreign_at = 0.0
        """When a refused Origin is logged again."""
        self._limits = limits or LoginLimits(settings.login_attempts_per_minute)

    def use(self, credentials: Credentials) -> None:
        """Check against these from now on."""
        self.credentials = credentials
        self._serializer = URLSafeTimedSerializer(credentials.key, salt="login")
        self._of_provider = URLSafeSerializer(credentials.key, salt="login of a provider")
        self._attempts = URLSafeTimedSerializer(credentials.key, salt="login that has begun")
        self._by_binding = {credentials.binding(each): each for each in credentials.all}
        self._tokens = {each.digest: binding for binding, each in self._by_binding.items() if not each.is_password}

    # --- Host and Origin

    def check_host(self, host: str | None) -> None:
        """Refuse names we do not serve, which is what DNS rebinding needs.

        Raises:
            Denied: with the header's value and the remedy.
        """
        name = _host_name(host or "")
        if not ("*" in self._hosts or (name and name in self._hosts)):
            name = name or host or ""
            raise Denied(f"host {name[:100]!r} is not allowed; allow it with --allow-host {name[:100]}")

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse pages of other sites. Programs send no Origin, and authenticate like every client.

        Raises:
            Denied: with the header's value and the remedy.
        """
        if origin is None or origin in self._origins:
            return
        # The scheme is not compared: behind a proxy that ends TLS the page's is https and ours is http.
        if host and _authority(origin) == host.lower():
            return
        reason = (
            f"origin {origin[:100]!r} is not allowed: it is not Host {(host or '')[:100]!r}; let the proxy pass "
            f"Host on with its port, or use --allow-origin {origin[:100]!r}"
        )
        self._log_foreign(reason)
        raise Denied(reason)

    def _log_foreign(self, reason: str) -> None:
        """Log the refusal of a page, at most once a minute: any site can make a browser ask."""
        now = time.monotonic()
        if now >= self._foreign_at:
            self._foreign_at = now + _FOREIGN_SECONDS
            log.warning("refused a page: %s", reason)

    # --- credentials

    def by_token(self, token: str) -> Principal:
        """The principal of a token.

        Raises:
            Denied: no user has this token, or it has expired.
        """
        offered = digest_of(token)
        for digest, binding in self._tokens.items():
            if hmac.compare_digest(digest, offered):
                return self._present(binding)
        raise Denied("wrong token")

    def _present(self, binding: str) -> Principal:
        """Who a credential stands for now.

        Raises:
            Denied: it was revoked or has expired.
        """
        credential = self._by_binding.get(binding)
        if credential is None:
            raise Denied("wrong cookie")
        if credential.expires is not None and time.time() >= credential.expires:
            raise Denied("the token has expired")
        return Principal(credential.user, credential.role, credential.expires, binding)

    def holds(self, principal: Principal) -> bool:
        """Whether what a principal logged in with is still good."""
        if principal.login in self.credentials.ended:
            return False
        return not principal.binding or principal.binding in self._by_binding

    def role_of(self, principal: Principal) -> str:
        """The role that what a principal logged in with has now; only where it ``holds``."""
        if principal.is_of_proxy:
            return self.by_proxy(principal.user).role
        return self._by_binding[principal.binding].role if principal.binding else principal.role

    def password_in(self, text: str) -> OfferedPassword | None:
        """What ``NAME:PASSWORD`` is to be checked against; ``None`` for a token, and where nobody has a password."""
        name, colon, password = text.partition(":")
        found = [(each.digest, binding) for binding, each in self._by_binding.items() if each.is_password]
        if not colon or not found or digest_of(text) in self._tokens:
            return None
        own = [each for each in found if self._by_binding[each[1]].user == name]
        digest, binding = own[0] if own else ("", "")
        return OfferedPassword(password, digest, binding)

    def by_password(self, offered: OfferedPassword, *, right: bool, address: str) -> Principal:
        """The principal of a password that was checked.

        Raises:
            Denied: it is wrong, or has expired.
        """
        now = time.monotonic()
        if not right or not offered.binding:
            self._limits.note_failure(address, now)
            raise Denied("wrong password")
        principal = self._present(offered.binding)
        self._limits.note_success(address, now)
        return principal

    def by_headers(
        self, authorization: str | None, cookie: str | None, address: str, scheme: Scheme = "bearer"
    ) -> Principal | None:
        """The principal of a request's credentials, ``None`` without any. ``scheme`` is accepted as well as Bearer.

        Raises:
            TooManyFailures: ``address`` sent too many wrong tokens lately.
            Denied: they carry one that is wrong or over.
        """
        if not self._settings.has_authentication:
            return Principal(OWNER, "owner")
        if authorization is not None:
            return self.try_token(_token_in(authorization, scheme), address)
        value = _cookie(cookie, self.cookie_name)
        return self._by_cookie(value) if value is not None else None

    def by_proxy(self, user: str) -> Principal:
        """The principal of a user that a trusted proxy names; the role is that of the file, if it is there.

        Raises:
            Denied: it is no name, or that of the server's own token.
        """
        if user == OWNER or not 0 < len(user) <= _USER_CHARACTERS or not user.isprintable():
            raise Denied(f"the proxy names a user {user[:100]!r}, which nobody may be called")
        # Of several credentials the one counts that allows least.
        known = {each.role for each in self.credentials.all if each.user == user}
        role = next((each for each in _ROLES if each in known), self._settings.user_header_role)
        return Principal(user, role, is_of_proxy=True)

    def cookie(self, principal: Principal) -> str:
        """The cookie's value that stands for ``principal`` from now on."""
        login = secrets.token_urlsafe(_LOGIN_BYTES)
        if not principal.binding:  # a provider's user, who is in no table of ours
            return str(self._of_provider.dumps([login, principal.user, principal.role, principal.until]))
        return str(self._serializer.dumps([login, principal.binding]))

    def end_login(self, principal: Principal) -> EndedLogin | None:
        """Let the login of a cookie be good no more, here; what others must know of it, if it was one."""
        if not principal.login or principal.until is None:
            return None
        ended = EndedLogin(principal.user, principal.until)
        self.use(self.credentials.without(principal.login, ended, time.time()))
        return ended

    def _by_cookie(self, value: str) -> Principal:
        if self._settings.jwt is not None or self._settings.oidc is not None:
            try:
                login, user, role, until = self._of_provider.loads(value)
            except (BadSignature, ValueError):
                pass  # it may be of a token of ours
            else:
                if until is None or time.time() >= until or login in self.credentials.ended:
                    raise Denied("the login is over")
                return Principal(user, role, until, login=login)
        try:
            content, made = self._serializer.loads(value, max_age=self._settings.login_seconds, return_timestamp=True)
            login, binding = content
        except SignatureExpired as error:
            raise Denied("the login is over") from error
        except (BadSignature, ValueError, TypeError) as error:
            raise Denied("wrong cookie") from error
        # The role is the present one: a user may have been given another since the login.
        principal = self._present(binding)
        until = made.timestamp() + self._settings.login_seconds
        # The signature's own age is in whole seconds, and lets the last one pass.
        if time.time() >= until or login in self.credentials.ended:
            raise Denied("the login is over")
        if principal.until is not None:
            until = min(until, principal.until)
        return Principal(principal.user, principal.role, until, binding, login)

    def sign_attempt(self, attempt: Mapping[str, str]) -> str:
        """The value of the cookie that stands for a login that has begun."""
        return str(self._attempts.dumps(dict(attempt)))

    def read_attempt(self, cookie: str | None, seconds: int) -> dict[str, str]:
        """What ``sign_attempt`` signed at most ``seconds`` ago.

        Raises:
            Denied: there is none in the header.
        """
        value = _cookie(cookie, self.attempt_cookie_name)
        try:
            return dict(self._attempts.loads(value or "", max_age=seconds))
        except (BadSignature, ValueError) as error:
            raise Denied("this browser began no login, or too long ago; begin again") from error

    # --- rate limit

    def try_token(self, token: str, address: str) -> Principal:
        """The principal of a token that a client at ``address`` sends; a wrong one counts.

        A right one that cannot be guessed is let in however many wrong ones came before.

        Raises:
            TooManyFailures: ``address`` sent too many wrong tokens lately.
            Denied: no user has this token.
        """
        now = time.monotonic()
        if self.jwt is not None and token.startswith(_JWT_BEGINS) and token.count(".") == 2:
            return self._by_jwt(self.jwt, token, address, now)
        try:
            principal = self.by_token(token)
        except Denied:
            self.check_attempts(address, now)
            self._limits.note_failure(address, now)
            raise
        if len(token) < UNGUESSABLE_CHARACTERS:
            self.check_attempts(address, now)
        self._limits.note_success(address, now)
        return principal

    def _by_jwt(self, verifier: JwtVerifier, token: str, address: str, now: float) -> Principal:
        """The principal of a provider's token: like one that cannot be guessed, it is let in if it is right."""
        try:
            claims = verifier.verify(token)
            principal = Principal(*named(claims, verifier.rules), float(claims["exp"]))
        except KeyUnknown as error:
            self.check_attempts(address, now)
            raise TryAgain(str(error)) from error
        except NotAccepted as error:
            self.check_attempts(address, now)
            self._limits.note_failure(address, now)
            raise Denied(str(error)) from error
        self._limits.note_success(address, now)
        return principal

    def check_attempts(self, address: str, now: float | None = None) -> None:
        """Refuse an address that guessed too often.

        Raises:
            TooManyFailures: it sent too many wrong tokens or passwords lately.
        """
        now = time.monotonic() if now is None else now
        seconds = math.ceil(self._limits.wait(address, now))
        if seconds:
            limit = self._settings.login_attempts_per_minute
            raise TooManyFailures(f"more than {limit} failed logins a minute from {address}; try again in {seconds} s")

    def may_try(self, address: str, now: float | None = None) -> bool:
        """Whether ``address`` may still guess; only failures count (``note_failure``)."""
        return not self._limits.wait(address, time.monotonic() if now is None else now)

    def note_failure(self, address: str, now: float | None = None) -> None:
        """Count a wrong token against ``address``."""
        self._limits.note_failure(address, time.monotonic() if now is None else now)


def _token_in(authorization: str, scheme: Scheme) -> str:
    """The token that an ``Authorization`` header carries: as it is, or as the password of Basic (RFC 7617)."""
    named, _, value = authorization.partition(" ")
    value = value.strip()
    if named.lower() not in ("bearer", scheme):
        raise Denied(f"authorization scheme {named[:20]!r} is not supported; use Bearer")
    if named.lower() != "basic":
        return value
    try:
        return binascii.a2b_base64(value, strict_mode=True).decode().partition(":")[2]
    except ValueError as error:  # also binascii's and a decoder's
        raise Denied("the Basic credentials are not base64 of user:token") from error


def _authority(origin: str) -> str:
    """Host and port of an Origin header, in lower case; empty where it is none of a page, as ``null`` (RFC 6454)."""
    found = _ORIGIN.fullmatch(origin.lower())
    return found[1] if found is not None else ""


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; empty where it is none (RFC 9110 section 7.2)."""
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]) if found is not None else ""


def _allowed_hosts(settings: Settings) -> frozenset[str]:
    names = {"127.0.0.1", "localhost", "::1", *(_host_name(name) or name for name in settings.allow_hosts)}
    public = PUBLIC_URL.fullmatch(settings.public_url)
    if public is not None:
        names.add(_host_name(public["authority"]))
    if not is_loopback(settings.host) and settings.host not in ("0.0.0.0", "::"):
        names.add(settings.host.strip("[]").lower())
    return frozenset(names)


def _cookie_prefix(settings: Settings) -> str:
    """What keeps the cookie from being set by a page without TLS, or of another host (RFC 6265bis section 4.1.3)."""
    if not settings.is_https:
        return ""
    return "__Secure-" if settings.base_path else "__Host-"


def _cookie(header: str | None, name: str) -> str | None:
    # By hand: http.cookies gives up at the first cookie it cannot parse. Cookies ignore ports, so those of other
    # servers on this machine are in the header too, in any format.
    for pair in (header or "").split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value.strip()
    return None
