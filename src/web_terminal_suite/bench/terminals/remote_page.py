"""Any terminal's page that runs already, known by nothing but its URL. Only a browser can measure it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from web_terminal_suite.bench.samples import TerminalFacts
from web_terminal_suite.bench.terminals.processes import LaunchFailed
from web_terminal_suite.bench.terminals.terminal import Capability, Running, Terminal
from web_terminal_suite.client.address import parse_address
from web_terminal_suite.client.dialect import HttpRequest
from web_terminal_suite.client.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PREFIX: Final = "page="
"""Before the URL of a page, where a peer's URL has the peer's name."""

_CREDENTIALS: Final = (401, 403)


class RemotePage(Terminal):
    """A page with a terminal that a person could type into."""

    name = "page"
    page = "any page"
    capabilities = frozenset({Capability.SHELL, Capability.PAGE})

    def __init__(self, url: str) -> None:
        """Take a page's URL whole, with its query and fragment.

        Raises:
            ValueError: it is none.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is not a URL of a page: it must begin with http:// or https://")
        self.page_url = url
        self.address = parse_address(url)

    def facts(self) -> TerminalFacts:
        address = self.address
        return TerminalFacts(
            name=self.name,
            version="",
            role=self.role,
            url=f"{'https' if address.secure else 'http'}://{address.authority}{address.base}/",
            capabilities=tuple(sorted(self.capabilities)),
            remarks=("nothing is known of it but its page; what it leaves behind cannot be counted",),
        )

    @asynccontextmanager
    async def launch(self) -> AsyncIterator[Running]:
        running = Running(self, (self.address,))
        if not self.address.secure:
            await self._answers(running)
        yield running

    async def _answers(self, running: Running) -> None:
        """Return once the page's server answers without an error; one with TLS is left to the browser.

        Raises:
            LaunchFailed
        """
        parts = urlsplit(self.page_url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        root = replace(running, addresses=(self.address._replace(base="", token=""),))
        try:
            async with root.rest() as http:
                await http.ask(HttpRequest("GET", path, {}))
        except Refused as error:
            if error.status in _CREDENTIALS and self.address.token:
                return  # the browser logs in
            advice = ": put user:password@ before the host" if error.status in _CREDENTIALS else ""
            raise LaunchFailed(f"{self.name}: HTTP {error.status} for {path}{advice}") from error
        except ClientError as error:
            raise LaunchFailed(f"{self.name}: {error}; asked at {self.address.authority}") from error
