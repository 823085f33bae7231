"""Authentication and authorisation: credentials, the login cookie, the allow-lists for Host and Origin.

It only decides; the handshake and the auth middleware ask it. Middleware does not run in a WebSocket handshake (that is
how CVE-2026-39987 happened), so both ask here.
"""

from __future__ import annotations

import binascii
import hmac
import logging
import re
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer

from web_terminal_suite.server.credentials import EndedLogin, digest_of
from web_terminal_suite.server.settings import OWNER, is_loopback

if TYPE_CHECKING:
    from web_terminal_suite.server.credentials import Credentials
    from web_terminal_suite.server.settings import Settings

log = logging.getLogger("web_terminal_suite.worker")

Scheme = Literal["bearer", "basic", "token"]
"""How a token may come in ``Authorization``. Bearer always; what others' clients use, only where they are served."""

_NAME = r"\[([0-9a-f:.]+)\]|([a-z0-9._~-]+)"
_HOST = re.compile(rf"(?:{_NAME})(?::[0-9]{{1,5}})?")
_ORIGIN = re.compile(rf"https?://((?:{_NAME})(?::[0-9]{{1,5}})?)")
_ATTEMPT_SECONDS = 60.0
_FOREIGN_SECONDS = 60.0
_ADDRESSES_REMEMBERED = 10_000
_LOGIN_BYTES = 12


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

    @property
    def may_write(self) -> bool:
        """Whether input, signals and changes are allowed."""
        return self.role != "viewer"


class Denied(Exception):
    """Access is refused; ``reason`` may be sent to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TooManyFailures(Denied):
    """Access is refused without a look at the credentials."""


class OfferedPassword(NamedTuple):
    """A password that somebody sent, and the digest it must be of; both empty for a user who has none."""

    text: str
    digest: str
    binding: str


class Access:
    """The rules of one server, whose ``credentials`` may change."""

    def __init__(self, settings: Settings, port: int, credentials: Credentials) -> None:
        self._settings = settings
        self.use(credentials)
        # Cookies ignore ports, and several servers may run on one machine.
        self.cookie_name = f"web_terminal_{port}"
        self._hosts = _allowed_hosts(settings)
        self._foreign_at = 0.0
        """When a refused Origin is logged again."""
        self._attempts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def use(self, credentials: Credentials) -> None:
        """Check against these from now on."""
        self.credentials = credentials
        self._serializer = URLSafeTimedSerializer(credentials.key, salt="login")
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
        if origin is None or origin in self._settings.allow_origins:
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
        if not principal.binding:
            return True
        return principal.binding in self._by_binding and principal.login not in self.credentials.ended

    def role_of(self, principal: Principal) -> str:
        """The role that what a principal logged in with has now; only where it ``holds``."""
        return self._by_binding[principal.binding].role if principal.binding else principal.role

    def password_in(self, text: str) -> OfferedPassword | None:
        """What ``NAME:PASSWORD`` is to be checked against; ``None`` for a token, and where nobody has a password."""
        name, colon, password = text.partition(":")
        found = [(each.digest, binding) for binding, each in self._by_binding.items() if each.is_password]
        if not colon or not found:
            return None
        own = [each for each in found if self._by_binding[each[1]].user == name]
        digest, binding = own[0] if own else ("", "")
        return OfferedPassword(password, digest, binding)

    def by_password(self, offered: OfferedPassword, *, right: bool, address: str) -> Principal:
        """The principal of a password that was checked.

        Raises:
            Denied: it is wrong, or has expired.
        """
        if not right or not offered.binding:
            self.note_failure(address)
            raise Denied("wrong password")
        return self._present(offered.binding)

    def check_attempts(self, address: str) -> None:
        """Refuse an address that guessed too often.

        Raises:
            TooManyFailures: it sent too many wrong tokens lately.
        """
        if not self.may_try(address):
            limit = self._settings.login_attempts_per_minute
            raise TooManyFailures(f"more than {limit} failed logins a minute from {address}")

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

    def cookie(self, principal: Principal) -> str:
        """The cookie's value that stands for ``principal`` from now on."""
        return str(self._serializer.dumps([secrets.token_urlsafe(_LOGIN_BYTES), principal.binding]))

    def end_login(self, principal: Principal) -> EndedLogin | None:
        """Let the login of a cookie be good no more, here; what others must know of it, if it was one."""
        if not principal.login or principal.until is None:
            return None
        ended = EndedLogin(principal.user, principal.until)
        self.use(self.credentials.without(principal.login, ended, time.time()))
        return ended

    def _by_cookie(self, value: str) -> Principal:
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

    # --- rate limit

    def try_token(self, token: str, address: str) -> Principal:
        """The principal of a token that a client at ``address`` sends; a wrong one counts.

        Raises:
            TooManyFailures: ``address`` sent too many wrong tokens lately.
            Denied: no user has this token.
        """
        self.check_attempts(address)
        try:
            return self.by_token(token)
        except Denied:
            self.note_failure(address)
            raise

    def may_try(self, address: str, now: float | None = None) -> bool:
        """Whether ``address`` may still guess; only failures count (``note_failure``)."""
        start, count = self._attempts.get(address, (0.0, 0))
        now = time.monotonic() if now is None else now
        return count < self._settings.login_attempts_per_minute or now - start >= _ATTEMPT_SECONDS

    def note_failure(self, address: str, now: float | None = None) -> None:
        """Count a wrong token against ``address``."""
        now = time.monotonic() if now is None else now
        start, count = self._attempts.pop(address, (now, 0))
        if now - start >= _ATTEMPT_SECONDS:
            start, count = now, 0
        self._attempts[address] = (start, count + 1)
        while len(self._attempts) > _ADDRESSES_REMEMBERED:
            self._attempts.popitem(last=False)


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
    if not is_loopback(settings.host) and settings.host not in ("0.0.0.0", "::"):
        names.add(settings.host.strip("[]").lower())
    return frozenset(names)


def _cookie(header: str | None, name: str) -> str | None:
    # By hand: http.cookies gives up at the first cookie it cannot parse. Cookies ignore ports, so those of other
    # servers on this machine are in the header too, in any format.
    for pair in (header or "").split(";"):
        key, _, value = pair.partition("=")
        if key.strip() == name:
            return value.strip()
    return None
