"""A request's line and headers, read by the letter of RFC 9112, and whether they ask for a WebSocket (RFC 6455).

Both halves of the port, HTTP and WebSocket, are chosen by what is read here, so a request means the same however it
arrives.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

HEAD_END = b"\r\n\r\n"
# The same limit as in picows and Apache. Each costs some hundred bytes until the request is answered.
MAX_HEADERS = 128

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
# RFC 9112 section 3. The classes do not overlap with what follows them, so nothing is tried twice.
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])\r\n")
# RFC 9110 section 5.5; a line that begins with a space (obs-fold) or has one before the colon is no field.
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([^\x00-\x08\x0a-\x1f\x7f]*)\r\n")
_LINE_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]")
# Two of these are a way to mean one thing to a proxy and another to us (RFC 9112 section 3.2, RFC 6455 section 11.3).
_ONCE = ("host", "origin", "authorization", "sec-websocket-key", "sec-websocket-version", "content-length")


class HttpRefusal(Exception):
    """A request or handshake is refused: with an HTTP status, and a reason for its client."""

    def __init__(self, status: HTTPStatus, reason: str, *headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers

    def answer(self) -> bytes:
        """The whole answer, after which the connection is closed."""
        body = self.reason.encode()
        lines = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}",
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            "Connection: close",
            *self.headers,
        )
        return "\r\n".join(lines).encode() + HEAD_END + body


def bad_request(reason: str) -> HttpRefusal:
    """A refusal of what is not the protocol."""
    return HttpRefusal(HTTPStatus.BAD_REQUEST, reason)


class RequestHead(NamedTuple):
    """A valid head. ``fields`` has names in lower case and values without white space around them, in order."""

    method: str
    target: str
    version: str
    fields: tuple[tuple[str, str], ...]

    def all(self, name: str) -> list[str]:
        """Every value of a field."""
        return [value for each, value in self.fields if each == name]

    def one(self, name: str) -> str | None:
        """The value of a field that comes once."""
        return next((value for each, value in self.fields if each == name), None)

    def has_token(self, name: str, token: str) -> bool:
        """Whether the list in field ``name``, which may come in several lines, has ``token`` in any case."""
        return any(each.strip().lower() == token for each in ",".join(self.all(name)).split(","))

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for a WebSocket (RFC 6455 section 4.2.1).

        In a request of HTTP/1.0 the field Upgrade must be ignored (RFC 9110 section 7.8).
        """
        return (
            self.version == "1.1"
            and self.method == "GET"
            and self.has_token("upgrade", "websocket")
            and self.has_token("connection", "upgrade")
        )

    @property
    def body_bytes(self) -> int | None:
        """The length of its body; ``None`` where only its chunks tell."""
        if self.all("transfer-encoding"):
            return None
        length = self.one("content-length")
        return int(length) if length is not None else 0

    def without(self, name: str) -> bytes:
        """Its bytes without a field."""
        lines = [f"{self.method} {self.target} HTTP/{self.version}"]
        lines += [f"{each}: {value}" for each, value in self.fields if each != name]
        return "\r\n".join(lines).encode("latin-1") + HEAD_END


def check_beginning(data: bytes | bytearray) -> None:
    """Let pass what may become a request, so that other protocols are answered at once and not at the deadline.

    Raises:
        HttpRefusal: the first line is none of a request of HTTP/1.x.
    """
    end = data.find(b"\n")
    if end >= 0:
        _request_line(bytes(data[: end + 1]))
    elif not _LINE_START.match(data):
        raise bad_request("the first byte is none of an HTTP request")


def parse_head(data: bytes) -> RequestHead:
    """The head in ``data``, which ends with the line break of its last field.

    Raises:
        HttpRefusal: it breaks a rule of RFC 9112, or has more than ``MAX_HEADERS`` fields.
    """
    method, target, version = _request_line(data)
    fields: list[tuple[str, str]] = []
    at = data.index(b"\n") + 1
    while at < len(data):
        found = _FIELD.match(data, at)
        if found is None:
            raise bad_request("a header line is not of the form name: value (RFC 9112 section 5)")
        if len(fields) == MAX_HEADERS:
            raise HttpRefusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEADERS} header fields")
        fields.append((found[1].decode("ascii").lower(), found[2].strip(b" \t").decode("latin-1")))
        at = found.end()
    head = RequestHead(method, target, version, tuple(fields))
    for name in _ONCE:
        if len(head.all(name)) > 1:
            raise bad_request(f"more than one header field {name}")
    if version == "1.1" and head.one("host") is None:
        raise bad_request("a request of HTTP/1.1 needs a header field Host (RFC 9112 section 3.2)")
    length = head.one("content-length")
    if length is not None and not (length.isascii() and length.isdigit() and len(length) < 19):
        raise bad_request("Content-Length is no number of bytes")
    return head


def _request_line(data: bytes) -> tuple[str, str, str]:
    found = _REQUEST_LINE.match(data)
    if found is None:
        raise bad_request("the first line is none of an HTTP request: METHOD TARGET HTTP/1.1")
    version = found[3].decode()
    if version not in ("1.0", "1.1"):
        raise HttpRefusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"HTTP/{version} is not supported; use HTTP/1.1")
    return found[1].decode(), found[2].decode(), version
