"""A server's settings, each declared once: flags override the environment, it the TOML file, the file the defaults.

A setting is one field of ``Settings``. Its flag, its environment variable, its key in the file, its help text and its
row in ``docs/operations.md`` are derived from that field. Secrets do not appear in ``repr``.
"""

from __future__ import annotations

import functools
import os
import re
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

ENVIRONMENT_PREFIX = "WEB_TERMINAL_"
# An id has one hexadecimal digit for its host.
MAX_HOSTS = 16
# The user that the server's own token logs in as, and that every client is where authentication is off.
OWNER = "owner"
Role = Literal["owner", "user", "viewer"]
# First parts of paths, below the base path, that the page, the API and our own WebSocket have.
OUR_PLACES = ("api", "assets", "ws", "index.html", "favicon.svg", "favicon.ico")

# Its origin, and the path it is served under.
PUBLIC_URL = re.compile(
    r"(?P<origin>(?P<scheme>https?)://"
    r"(?P<authority>(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::[0-9]{1,5})?))"
    r"(?P<path>(?:/[^/?#\s]+)*)/?"
)
# unix(7): the address has 108 bytes, the last of which is zero.
_UNIX_BYTES = 107

# Tables that a flag or a variable cannot hold.
_FILE_ONLY = ("users", "jwt", "oidc")

_DAY = 24 * 3600
_KIB = 1024
_MIB = 1024 * 1024


class SettingsError(Exception):
    """A setting that cannot be used: names where it came from, the value, and what would do."""


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A user who may log in. ``owner`` sees every session, ``user`` its own, ``viewer`` all but may only read."""

    token: str
    role: Role = "user"

    def __repr__(self) -> str:
        return f"User(token=<redacted>, role={self.role!r})"


class ClaimRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which claims of a provider's token say who somebody is, and which role that gives. ``None`` is no role."""

    user_claim: str = "sub"
    roles_claim: str = ""
    roles: dict[str, Role] = {}
    default_role: Role | None = None


class Jwt(ClaimRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tokens of an identity provider that clients may send as their own. ``jwks`` is a URL or a file."""

    issuer: str
    audience: str
    jwks: str


class Oidc(ClaimRules, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID provider at whose page people log in. Without ``client_secret`` the client is a public one."""

    issuer: str
    client_id: str
    client_secret: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")

    def __repr__(self) -> str:
        return f"Oidc(issuer={self.issuer!r}, client_id={self.client_id!r}, client_secret=<redacted>)"


class Doc(msgspec.Struct, frozen=True):
    """What the help and the documents say about a field of ``Settings``, and the range of a number."""

    help: str
    low: float = 0
    high: float = 0
    empty: str = ""
    """What an empty default means, where the help does not say it."""
    flag: str = ""
    """The flag's name where it is not the field's: one value of several is singular."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units are in the names or in the help; times in seconds, sizes in bytes."""

    host: Annotated[str, Doc("Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Doc("Port; 0 takes any free one.", 0, 65535)] = 7681
    unix: Annotated[str, Doc("Listen on this Unix socket instead of host and port.", empty="off")] = ""
    unix_mode: Annotated[str, Doc("Permissions of the Unix socket, in octal.")] = "600"
    base_path: Annotated[str, Doc("Path under which a reverse proxy serves it, as /term.")] = ""
    public_url: Annotated[
        str, Doc("Address at which browsers reach it, as https://terminal.example.org.", empty="host and port")
    ] = ""
    tls_cert: Annotated[str, Doc("PEM file of the certificate and its chain; serves https.", empty="plain HTTP")] = ""
    tls_key: Annotated[str, Doc("PEM file of its private key.", empty="in the file of --tls-cert")] = ""
    tls_client_ca: Annotated[
        str, Doc("PEM file of the CAs of which each client must have a certificate.", empty="no client needs one")
    ] = ""
    tls_self_signed: Annotated[bool, Doc("Make a certificate for a first try, and serve https with it.")] = False
    hsts_seconds: Annotated[
        int, Doc("Seconds that browsers use https only for this host, on every port; 0 is off.", 0, 10 * 366 * _DAY)
    ] = 366 * _DAY
    insecure_plain_http: Annotated[bool, Doc("Serve plain HTTP on an address that is not loopback.")] = False
    ttyd_path: Annotated[str, Doc("Serve ttyd's clients there, as /ttyd.", empty="off")] = ""
    terminado_path: Annotated[str, Doc("Serve JupyterLab's terminals there, as /jupyter.", empty="off")] = ""
    workers: Annotated[int, Doc("Worker processes.", 1, 64)] = 1
    hosts: Annotated[
        int, Doc("PTY host processes, which keep the shells; 0 is the number that --max-sessions needs.", 0, MAX_HOSTS)
    ] = 0

    shell: Annotated[str, Doc("Program of new sessions.", empty="$SHELL, or the account's shell")] = ""
    login: Annotated[bool, Doc("Start login shells, which read the profile.")] = False
    cwd: Annotated[str, Doc("Directory of new sessions.", empty="home, or / if it is missing")] = ""
    env: Annotated[dict[str, str], Doc("NAME=VALUE for new sessions; may be repeated.")] = {}
    clean_env: Annotated[bool, Doc("Give new sessions nothing of the server's environment but its locale and TZ.")] = (
        False
    )

    token: Annotated[str, Doc("Token to log in with; better in WEB_TERMINAL_TOKEN.", empty="random at each start")] = ""
    users: Annotated[dict[str, User], Doc("Further users, each with a token and a role; only in the TOML file.")] = {}
    jwt: Annotated[
        Jwt | None, Doc("Tokens of an identity provider (JWT) that log in too; only in the TOML file.", empty="none")
    ] = None
    oidc: Annotated[
        Oidc | None, Doc("OpenID provider at whose page people log in; only in the TOML file.", empty="none")
    ] = None
    token_file: Annotated[
        str, Doc("File with that token alone; it is made, with a random one, if it is missing.", empty="none")
    ] = ""
    tokens_file: Annotated[
        str, Doc("File with the tokens that `web-terminal token` makes, lists and revokes.", empty="none")
    ] = ""
    insecure_no_auth: Annotated[bool, Doc("Ask for no token; loopback only.")] = False
    allow_hosts: Annotated[
        tuple[str, ...], Doc("A further Host header to accept; may be repeated.", flag="allow-host")
    ] = ()
    allow_origins: Annotated[
        tuple[str, ...], Doc("A further page origin to accept; may be repeated.", flag="allow-origin")
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        Doc("Address or network of a proxy that says whose requests it sends; may be repeated.", flag="trusted-proxy"),
    ] = ()
    forwarded_header: Annotated[
        Literal["x-forwarded-for", "forwarded"],
        Doc("Header with the client's address that they set: x-forwarded-for or forwarded (RFC 7239)."),
    ] = "x-forwarded-for"
    user_header: Annotated[
        str, Doc("Header with the user who has logged in to a trusted proxy, as X-Forwarded-User.", empty="none")
    ] = ""
    user_header_role: Annotated[Role, Doc("Role of its users that have none in the file: owner, user or viewer.")] = (
        "user"
    )
    login_seconds: Annotated[int, Doc("Seconds that a login lasts.", 1, 366 * _DAY)] = 7 * _DAY
    login_attempts_per_minute: Annotated[int, Doc("Failed logins per address, over all workers.", 1, 1_000_000)] = 10
    authentication_timeout: Annotated[float, Doc("Seconds a connection may take to authenticate.", 0.1, 3600)] = 10.0
    request_timeout: Annotated[float, Doc("Seconds a request may take to arrive, its body too.", 0.1, 3600)] = 10.0
    head_limit: Annotated[int, Doc("Bytes of a request's line and headers.", 4 * _KIB, _MIB)] = 32 * _KIB
    max_strangers: Annotated[int, Doc("Connections of a worker that have not logged in.", 1, 1_000_000)] = 2_000
    max_strangers_per_address: Annotated[
        int, Doc("Those of one address; the /64 of an IPv6 address is one.", 1, 1_000_000)
    ] = 256
    max_strangers_per_second: Annotated[
        int,
        Doc("New connections of one address a second that do not log in, over all workers; 0 is no limit.", 0, 100_000),
    ] = 100
    messages_per_second: Annotated[int, Doc("Frames of one connection; 0 is no limit.", 0, 10_000_000)] = 0

    log_size: Annotated[int, Doc("Bytes of output kept per session.", 64 * _KIB, 64 * _MIB)] = 256 * _KIB
    window: Annotated[int, Doc("Unacknowledged bytes per viewer.", 4 * _KIB, 32 * _MIB)] = 128 * _KIB
    message_limit: Annotated[int, Doc("Bytes of one message.", _KIB, 64 * _MIB)] = _MIB
    max_cols: Annotated[int, Doc("Columns of the widest terminal.", 1, 65535)] = 500
    max_rows: Annotated[int, Doc("Rows of the tallest terminal.", 1, 65535)] = 200

    max_sessions: Annotated[int, Doc("Sessions of all users together.", 1, 1_000_000)] = 10_000
    max_sessions_per_user: Annotated[int, Doc("Sessions of one user.", 1, 1_000_000)] = 1_000
    idle_timeout: Annotated[
        float,
        Doc("Seconds without viewer, job and output after which a session ends; 0 is no limit.", 0, 10 * 366 * _DAY),
    ] = 3.0 * _DAY
    viewer_grace: Annotated[
        float,
        Doc("Seconds that a program which prints much waits for its last viewer to come back; 0 is not at all.", 0, 60),
    ] = 5.0
    linger: Annotated[float, Doc("Seconds an ended session can be read.", 0, _DAY)] = 60.0
    kill_after: Annotated[float, Doc("Seconds from a shell's SIGHUP to its SIGKILL.", 0, 3600)] = 2.0
    start_timeout: Annotated[float, Doc("Seconds that a worker may take to start before it is killed.", 0.1, 3600)] = (
        60.0
    )
    watchdog_timeout: Annotated[
        float, Doc("Seconds in which a worker must answer the supervisor before it is killed; 0 is no limit.", 0, 3600)
    ] = 10.0
    drain_timeout: Annotated[
        float, Doc("Seconds that a stopping worker waits for its connections to close.", 0, 3600)
    ] = 10.0
    drain_deadline: Annotated[
        float, Doc("Seconds after which a drained server ends though sessions are left; 0 is no limit.", 0, 366 * _DAY)
    ] = 3600.0

    state_dir: Annotated[
        str,
        Doc(
            "Directory in which another supervisor finds the processes of one that died.",
            empty="none: they end with it",
        ),
    ] = ""
    supervisor_grace: Annotated[
        float, Doc("Seconds that they wait for it; 0 ends them at once. Needs --state-dir.", 0, 3600)
    ] = 30.0

    inspectable: Annotated[
        bool, Doc("Let other programs of the account read the server's memory, as profilers and the benchmarks do.")
    ] = False
    audit_log: Annotated[
        str,
        Doc("Where it is written who came and did what: stderr, journal, none, or a file's path (with a slash)."),
    ] = "stderr"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Doc("Least severe event to log: debug, info, warning or error.")
    ] = "info"

    def __repr__(self) -> str:
        shown = ("<redacted>" if name == "token" and value else value for name, value in self._items())
        return (
            f"Settings({', '.join(f'{name}={value!r}' for (name, _), value in zip(self._items(), shown, strict=True))})"
        )

    def _items(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.__struct_fields__]

    @property
    def serves_tls(self) -> bool:
        """Whether the port itself speaks TLS."""
        return bool(self.tls_cert)

    @property
    def is_https(self) -> bool:
        """Whether browsers come over TLS: to the port itself, or to a proxy in front of it."""
        return self.serves_tls or self.public_url.startswith("https://")

    @property
    def has_authentication(self) -> bool:
        """Whether clients are asked for credentials."""
        return not self.insecure_no_auth

    def without_secrets(self) -> Settings:
        """For a process that needs no credentials."""
        return msgspec.structs.replace(self, token="", users={}, jwt=None, oidc=None)

    def for_workers(self) -> Settings:
        """For a process that checks credentials, which reach it on a way of their own."""
        oidc = self.oidc if self.oidc is None else msgspec.structs.replace(self.oidc, client_secret="")
        return msgspec.structs.replace(self, token="", users={}, oidc=oidc)

    @property
    def has_credentials(self) -> bool:
        """Whether somebody can log in without a random token."""
        return bool(self.token or self.users or self.token_file or self.tokens_file)


class Declaration(msgspec.Struct, frozen=True):
    """A field of ``Settings`` as flag, variable and documentation see it."""

    name: str
    type: Any
    default: Any
    doc: Doc

    @property
    def flag(self) -> str:
        """The option of ``serve``; empty for a table that only a file can hold."""
        return "" if self.name in _FILE_ONLY else f"--{self.doc.flag or self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """The environment variable; empty for a table."""
        return "" if self.is_table or self.name in _FILE_ONLY else ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def is_table(self) -> bool:
        """Whether the value maps names to values, as ``[env]`` does."""
        return typing.get_origin(self.type) is dict

    @property
    def is_list(self) -> bool:
        """Whether there are several values: a flag that may be repeated, a variable with commas."""
        return typing.get_origin(self.type) is tuple

    @property
    def default_text(self) -> str:
        """The default as a reader sees it; empty where there is none."""
        if isinstance(self.default, bool):
            return ""
        return f"{self.default:.15g}" if isinstance(self.default, int | float) else self.default or self.doc.empty

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and the greatest value of a number."""
        return (self.doc.low, self.doc.high) if self.type in (int, float) else None


@functools.cache
def declarations() -> tuple[Declaration, ...]:
    """Every setting, in the order of ``Settings``."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    found = []
    for name in Settings.__struct_fields__:
        described = typing.get_args(hints[name])
        if len(described) != 2 or not isinstance(described[1], Doc):
            raise TypeError(f"setting {name!r} has no Doc; declare it as Annotated[TYPE, Doc(...)]")
        type_, doc = described
        found.append(Declaration(name, type_, getattr(defaults, name), doc))
    return tuple(found)


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


def users_in(file: str) -> dict[str, User]:
    """The users that a TOML file names now.

    Raises:
        SettingsError: it cannot be read, or a user's entry is wrong.
    """
    try:
        return msgspec.convert(_from_file(file).get("users", {}), dict[str, User])
    except msgspec.ValidationError as error:
        raise SettingsError(f"config file {file!r}: users: {error}") from error


def check(settings: Settings) -> Settings:
    """The same settings, proved usable together.

    Raises:
        SettingsError: a value out of range, or a combination that is unsafe.
    """
    for each in declarations():
        value = getattr(settings, each.name)
        if each.range is not None and not each.doc.low <= value <= each.doc.high:
            raise SettingsError(f"{each.name} = {value} is out of range: {each.doc.low} to {each.doc.high}")
    if settings.log_size % 4096:
        raise SettingsError(f"log_size = {settings.log_size} is not a multiple of the page size, 4096 bytes")
    if settings.window > settings.log_size // 2:
        raise SettingsError(
            f"window = {settings.window} exceeds half of log_size, {settings.log_size // 2} bytes; raise log_size"
        )
    _check_paths(settings)
    if settings.audit_log not in ("stderr", "journal", "none") and "/" not in settings.audit_log:
        raise SettingsError(
            f"audit_log = {settings.audit_log!r} is neither stderr, journal nor none, and no path: that has a slash"
        )
    if len(os.fsencode(settings.unix)) > _UNIX_BYTES:
        raise SettingsError(
            f"unix = {settings.unix!r} is longer than the {_UNIX_BYTES} bytes that a socket's path may be"
        )
    if not re.fullmatch("0?[0-7]{3}", settings.unix_mode):
        raise SettingsError(f"unix_mode = {settings.unix_mode!r} is not octal permissions such as 600 or 660")
    if settings.insecure_no_auth and not is_loopback(settings.host):
        raise SettingsError(
            f"host = {settings.host!r} is reachable from other machines and insecure_no_auth is set: "
            "anybody could run commands; set a token instead, or bind 127.0.0.1"
        )
    if settings.insecure_no_auth and settings.has_credentials:
        raise SettingsError("insecure_no_auth and a token or users exclude each other; drop one of them")
    _check_tokens(settings)
    _check_transport(settings)
    _check_proxies(settings)
    if settings.jwt is not None:
        _check_provider("jwt", settings.jwt, ("issuer", "audience", "jwks", "user_claim"))
        if "://" in settings.jwt.jwks and not is_secure_place(settings.jwt.jwks):
            raise SettingsError(f"jwt: jwks = {settings.jwt.jwks!r} could be changed on its way; use https")
    if settings.oidc is not None:
        _check_provider("oidc", settings.oidc, ("issuer", "client_id", "user_claim"))
        if not is_secure_place(settings.oidc.issuer):
            raise SettingsError(f"oidc: issuer = {settings.oidc.issuer!r} could be changed on its way; use https")
        if "openid" not in settings.oidc.scopes:
            raise SettingsError("oidc: scopes must hold 'openid'")
        if not settings.public_url:
            raise SettingsError("oidc needs public_url: the provider sends browsers back there")
    for origin in settings.allow_origins:
        if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
            raise SettingsError(
                f"allow_origins: {origin!r} is no origin, such as https://example.org (no slash at the end)"
            )
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    import ipaddress

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


def _check_transport(settings: Settings) -> None:
    for name in ("tls_key", "tls_client_ca"):
        if getattr(settings, name) and not settings.tls_cert:
            raise SettingsError(f"{name} = {getattr(settings, name)!r} has no use without tls_cert")
    if settings.tls_self_signed and settings.tls_cert:
        raise SettingsError("tls_self_signed and tls_cert exclude each other; drop one of them")
    encrypted = settings.serves_tls or settings.tls_self_signed
    if not (encrypted or settings.insecure_plain_http or is_loopback(settings.host)):
        raise SettingsError(plain_http_problem(f"host = {settings.host!r}"))
    if not settings.public_url:
        return
    found = PUBLIC_URL.fullmatch(settings.public_url)
    if found is None:
        raise SettingsError(
            f"public_url = {settings.public_url!r} is no address of a page, such as https://terminal.example.org"
        )
    if found["path"] != settings.base_path:
        raise SettingsError(
            f"public_url = {settings.public_url!r} has the path {found['path']!r} and base_path is "
            f"{settings.base_path!r}; make them equal"
        )
    if encrypted and found["scheme"] != "https":
        raise SettingsError(f"public_url = {settings.public_url!r} is not https, and this server speaks TLS")


def _check_proxies(settings: Settings) -> None:
    import ipaddress

    for each in settings.trusted_proxies:
        try:
            network = ipaddress.ip_network(each, strict=False)
        except ValueError as error:
            raise SettingsError(f"trusted_proxies: {each!r} is no address or network, as 10.0.0.0/8") from error
        if network.prefixlen == 0:
            raise SettingsError(f"trusted_proxies: {each!r} is everybody, who could then claim any address")
    if not settings.user_header:
        return
    if not re.fullmatch(r"[A-Za-z0-9-]+", settings.user_header):
        raise SettingsError(f"user_header = {settings.user_header!r} is no name of a header")
    if not settings.trusted_proxies:
        raise SettingsError(f"user_header = {settings.user_header!r} needs trusted_proxies: nobody else may set it")
    if settings.insecure_no_auth:
        raise SettingsError("insecure_no_auth and user_header exclude each other; drop one of them")


def is_secure_place(url: str) -> bool:
    """Whether nobody on the way to ``url`` can change what is there: https, or this machine."""
    found = PUBLIC_URL.fullmatch(url.partition("?")[0])
    return found is not None and (found["scheme"] == "https" or is_loopback(found["host"]))


def _check_provider(name: str, rules: Jwt | Oidc, required: tuple[str, ...]) -> None:
    for each in required:
        if not getattr(rules, each):
            raise SettingsError(f"{name}: {each} is empty")
    if bool(rules.roles) != bool(rules.roles_claim):
        raise SettingsError(f"{name}: roles_claim and roles go together: a claim, and the role that each value gives")
    if not rules.roles and rules.default_role is None:
        raise SettingsError(f"{name}: nobody would have a role; set default_role, or roles_claim and roles")


def plain_http_problem(where: str) -> str:
    """Why an address is not served without TLS, and what to do."""
    return (
        f"{where} is reachable from other machines, and plain HTTP shows them every token and keystroke; serve TLS "
        "with tls_cert and tls_key, try it with tls_self_signed, or set insecure_plain_http behind a proxy with TLS"
    )


def _check_tokens(settings: Settings) -> None:
    tokens = [user.token for user in settings.users.values()] + [settings.token] * bool(settings.token)
    if any(len(token) < 16 for token in tokens):
        raise SettingsError("a token has fewer than 16 characters; make one with: openssl rand -hex 16")
    if len(set(tokens)) != len(tokens):
        raise SettingsError("two users have the same token")
    if settings.token and OWNER in settings.users:
        raise SettingsError(f"users: {OWNER!r} is the user that the server's token logs in as; choose another")
    if any(not name or len(name) > 64 for name in settings.users):
        raise SettingsError("a user's name must have 1 to 64 characters")


def _from_file(path: str) -> dict[str, Any]:
    import tomllib

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
    """What the variables of the settings say; tables come from flags or the file only."""
    found: dict[str, Any] = {}
    for each in declarations():
        text = environment.get(each.variable)
        if text is None:
            continue
        value: Any = tuple(text.split(",")) if each.is_list else text
        try:
            found[each.name] = msgspec.convert(value, each.type, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{each.variable}={text!r}: {error}") from error
    return found


def _nearest(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key, Settings.__struct_fields__, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known keys: {', '.join(Settings.__struct_fields__)}"
