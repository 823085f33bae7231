"""uvicorn's HTTP protocol behind an ``Arrival``, which gives it one request after the other, each head checked."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from web_terminal_suite.server.worker.http.auth_middleware import PRINCIPAL, PROXY_USER
from web_terminal_suite.server.worker.request_head import HttpRefusal, bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from web_terminal_suite.server.worker.proxies import RequestSource

# 1,600 chunks of one byte; a chunk of 4 KiB has 8 bytes of framing.
_FRAMING_BYTES = 8 * 1024
_BODY_SHARE = 64


class _Pipelined(Exception):
    """A request began in bytes that were given as the body of the one before."""


class HttpConnection(HttpToolsProtocol):
    """``feed`` takes the bytes of one request, until it is ``whole``; ``answered`` is called at the end of its answer.

    What frames a body (the sizes of chunks, their extensions, trailers) may be ``_FRAMING_BYTES`` in all, and one more
    for each ``_BODY_SHARE`` bytes of the body. A head is within the limit of its size when it comes here.
    """

    def __init__(self, answered: Callable[[], None], **given: Any) -> None:
        super().__init__(**given)
        self._answered = answered
        self._framing_bytes = 0
        self._in_head = True
        self.whole = False
        self._source: RequestSource | None = None

    def begin(self, head: bytes, source: RequestSource) -> None:
        """The head of the next request, which is of ``source``.

        Raises:
            HttpRefusal: it is not understood.
        """
        self.whole = False
        self.client = (source.address, 0)
        self._source = source
        self._in_head = True
        self._framing_bytes = -len(head)
        self.feed(head)

    def feed(self, data: bytes) -> None:
        """Bytes of the body.

        Raises:
            HttpRefusal: its framing is wrong or too large.
        """
        self._unset_keepalive_if_required()
        self._framing_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # CONNECT, which the application refuses
            self.cycle.keep_alive = False
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Pipelined):
                raise bad_request("the request is not understood") from error
            # Where a chunked body ends only the parser knows, and its next head was not checked.
            self.cycle.keep_alive = False
        except httptools.HttpParserError as error:
            raise bad_request(f"the request is no HTTP/1.1: {error}") from error
        if self._framing_bytes > _FRAMING_BYTES:
            raise HttpRefusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"chunk sizes, extensions and trailers of more than {_FRAMING_BYTES} bytes",
            )

    @property
    def answering(self) -> bool:
        """Whether an answer has begun and is not complete."""
        cycle = self.cycle
        return cycle is not None and cycle.response_started and not cycle.response_complete

    @property
    def reads(self) -> bool:
        """Whether the application takes more of the body."""
        return not self.flow.read_paused

    @property
    def logged_in(self) -> bool:
        """Whether the last request had credentials that are right."""
        return self.scope is not None and self.scope.get(PRINCIPAL) is not None

    def await_head(self) -> None:
        """More has come: from now on the request's deadline counts, and no longer that of an idle connection."""
        self._unset_keepalive_if_required()

    def abandon(self) -> None:
        """The client gets no answer of the application any more."""
        self._unset_keepalive_if_required()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    # --- the parser's and uvicorn's calls

    def on_message_begin(self) -> None:
        if not self._in_head:
            raise _Pipelined
        super().on_message_begin()
        source = self._source
        assert source is not None  # a request begins in `begin`
        self.scope[PROXY_USER] = source.user  # type: ignore[literal-required]  # ours, as PRINCIPAL
        if source.is_https:
            self.scope["scheme"] = "https"

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are read and not kept: no operation has a use for them
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= len(body) + len(body) // _BODY_SHARE
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.whole = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answered()
